"""``sspinn compare``: two results folders, or two files, beside each other."""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.model.types import Coordinate
from casadi_dynamics.osim import read_model
from sspinn_opensim.evaluation.comparison import Group, Series, compare_series
from sspinn_opensim.files import write_atomically, write_json
from sspinn_opensim.opensim_io.tables.ground_columns import by_side
from sspinn_opensim.opensim_io.tables.motion_files import plain_name
from sspinn_opensim.opensim_io.tables.motion_units import unit_doubt
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage
from sspinn_opensim.report.comparison import comparison_page, comparison_text
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.gui_steps import GROUND_COLUMN, opensim_files
from sspinn_opensim.results.record import records

log = logging.getLogger(__name__)

KINDS = (
    *("Coordinates", "Moments", "Ground forces", "Muscle forces", "Muscle activations"),
    *("Joint reactions", "Other columns"),
)
COORDINATES, MOMENTS, GROUND, MUSCLES, ACTIVATIONS, REACTIONS, OTHER = KINDS
_TRANSLATION = re.compile(r".*_t[xyz]")
_REACTION_COLUMN = re.compile(r".+_on_.+_in_.+_[fmp][xyz]")


@dataclasses.dataclass(frozen=True)
class Comparison:
    """How B differs from A.

    Attributes
    ----------
    groups : tuple of Group
        One for each kind of table that both have.
    refused : tuple of (str, InputError)
        Kinds that both have and that cannot be compared, and why.
    page : Path
        The curves of both.
    """

    groups: tuple[Group, ...]
    refused: tuple[tuple[str, InputError], ...]
    page: Path

    def __str__(self) -> str:
        lines = [f"\n{group.title}\n{comparison_text(group)}" for group in self.groups]
        lines += [
            f"{kind}: not compared. {error.what} ({error.where}: {error.found})"
            for kind, error in self.refused
        ]
        return "\n".join([*lines, f"pictures: {self.page}"]).lstrip()


@records("compare", "Comparison of {a.name} and {b.name}")
def compare(
    a: str | Path, b: str | Path, out: str | Path, *, model: str | Path | None = None, shift_s: float = 0.0
) -> Comparison:
    """Compare B with A, column by column; write `comparison.json` and `comparison.html`.

    Parameters
    ----------
    a, b : str or Path
        Two results folders, or two ``.mot`` or ``.sto`` files.
    out : str or Path
        Folder for the two files; made if it is not there.
    model : str or Path, optional
        Says which coordinates turn; by default the model in one of the folders.
    shift_s : float
        Added to the times of B, s.

    Raises
    ------
    InputError
        The two have no kind of table, no column or no time in common, or a file cannot be used.
    """
    a, b, out = Path(a), Path(b), Path(out)
    sides = [_read_side(path, None if model is None else Path(model)) for path in (a, b)]
    name_a, name_b = _names(a.absolute(), b.absolute())
    groups, refused = [], []
    for title, one, other in _pairs(sides[0], sides[1], (name_a, name_b)):
        moved = dataclasses.replace(other, time_s=other.time_s + shift_s)
        try:
            groups.append(compare_series(title, one, moved))
        except InputError as error:
            refused.append((title, error))
    if not groups and refused:
        raise refused[0][1]
    if not groups:
        raise InputError(
            "The two hold nothing of the same kind.",
            where=f"{a} and {b}",
            expected=_kinds(sides[0]) or "tables of coordinates, moments or forces",
            found=_kinds(sides[1]) or "no table",
            fix="compare two results folders, or two tables of the same kind",
        )
    out.mkdir(parents=True, exist_ok=True)
    content = {"a": name_a, "b": name_b, "shift_s": shift_s, "groups": [group.to_json() for group in groups]}
    write_json(ResultsFolder(out).comparison, content)
    page = write_atomically(ResultsFolder(out).comparison_page, comparison_page(name_a, name_b, groups))
    return Comparison(tuple(groups), tuple(refused), page)


def _names(a: Path, b: Path) -> tuple[str, str]:
    """Return the names of two paths, with the folders they are in where they have one name."""
    if a.name != b.name:
        return a.name, b.name
    return f"{a.parent.name}/{a.name}", f"{b.parent.name}/{b.name}"


def _read_side(path: Path, model: Path | None) -> dict[tuple[str, str], Series]:
    """Return the tables of a folder, or the one table of a file, by kind and name."""
    if path.is_file():
        series = _series(read_storage(path), path, _coordinates([model] if model else []))
        return {(series[0], path.name): series[1]}
    if not path.is_dir():
        raise InputError("There is no such folder or file.", where=str(path), fix="check the path")
    held, found = opensim_files(path), {}
    known = _coordinates([model] if model else [path / name for name in held.models])
    for name in held.motions + held.ground_forces + held.tables:
        if not Path(name).stem.endswith("_sd"):
            kind, series = _series(read_storage(path / name), path / name, known)
            found[kind, name] = series
    return found


def _pairs(
    a: dict[tuple[str, str], Series], b: dict[tuple[str, str], Series], called: tuple[str, str]
) -> Iterator[tuple[str, Series, Series]]:
    """Give title and tables of what can be compared: equal names first, then the only two left of a kind."""
    for kind in KINDS:
        ours, theirs = ({name: s for (k, name), s in side.items() if k == kind} for side in (a, b))
        several = len(ours) > 1 or len(theirs) > 1
        for name in [name for name in ours if name in theirs]:
            yield f"{kind}, {name}" if several else kind, ours.pop(name), theirs.pop(name)
        if len(ours) == len(theirs) == 1:
            yield kind, ours.popitem()[1], theirs.popitem()[1]
        elif ours or theirs:
            left = zip(called, (ours, theirs), strict=True)
            own = [f"{', '.join(held) or 'none'} in {name}" for name, held in left]
            log.info(f"note: not compared, {kind.lower()}: {'; '.join(own)}")


def _kinds(side: dict[tuple[str, str], Series]) -> str:
    return ", ".join(f"{kind.lower()} ({name})" for kind, name in side)


def _series(stored: Table, path: Path, known: Mapping[str, Coordinate]) -> tuple[str, Series]:
    """Return the kind of a table and its columns, in units and under names that all sources share."""
    source = f"{path.parent.name}/{path.name}"
    names = [plain_name(name) for name in stored.names]
    columns = dict(zip(names, stored.values.T, strict=True))
    kind = _kind(names, path, known)
    if kind == COORDINATES:
        names = [name for name in names if "/" not in name]  # speeds and other states of a states file
        columns = {name: columns[name] for name in names}
        ranges = {
            name: known[name].range for name in names if name in known and known[name].motion == "rotational"
        }
        if doubt := unit_doubt(stored, ranges):
            log.info(f"note: {source}: {doubt}")
        motions = {name: known[name].motion if name in known else _guessed_motion(name) for name in names}
        if stored.in_degrees is None and "rotational" in motions.values():
            raise InputError(
                "The motion does not say whether it is in degrees.",
                where=source,
                expected="inDegrees=yes or inDegrees=no in the header",
                fix="add the line that is true of this file",
            )
        turns = {name for name in names if motions[name] == "rotational"}
        if not stored.in_degrees:
            columns = {name: np.rad2deg(v) if name in turns else v for name, v in columns.items()}
        units = {"rotational": "deg", "translational": "m", "coupled": "rad or m"}
        return kind, Series(source, stored.time_s, columns, {n: units[motions[n]] for n in names})
    if kind == GROUND:
        columns = by_side(columns, path)
        if len(columns) < len(names):
            log.info(f"note: {source}: forces of several bodies on one foot are added up")
    return kind, Series(source, stored.time_s, columns, {name: _unit(kind, name) for name in columns})


def _kind(names: list[str], path: Path, known: Mapping[str, Coordinate]) -> str:
    stem = path.stem.lower()
    like_coordinates = any(_TRANSLATION.fullmatch(name) or "angle" in name for name in names)
    rules = (
        (MOMENTS, any(name.endswith("_moment") for name in names)),
        (REACTIONS, any(_REACTION_COLUMN.fullmatch(name) for name in names)),
        (ACTIVATIONS, "activation" in stem),
        (COORDINATES, any(name in known for name in names)),
        (GROUND, all(GROUND_COLUMN.fullmatch(name) for name in names)),
        (MUSCLES, "force" in stem),
        (COORDINATES, not known and like_coordinates),
        (OTHER, True),
    )
    return next(kind for kind, holds in rules if holds)


def _unit(kind: str, name: str) -> str:
    if kind == GROUND:
        return {"p": "m", "v": "N"}.get(name[-2], "N m" if "torque" in name or "moment" in name else "N")
    if kind == REACTIONS and _REACTION_COLUMN.fullmatch(name):
        return {"f": "N", "m": "N m", "p": "m"}[name[-2]]
    if kind == MOMENTS:
        return "N m" if name.endswith("_moment") else "N"
    return {MUSCLES: "N", ACTIVATIONS: "0 to 1"}.get(kind, "as in the file")


def _coordinates(models: list[Path]) -> dict[str, Coordinate]:
    found: dict[str, Coordinate] = {}
    for model in models:
        try:
            found |= {coordinate.name: coordinate for coordinate in read_model(model).coordinates}
        except InputError as error:
            log.info(f"note: {model.name} says nothing of its coordinates: {error.what}")
    return found


def _guessed_motion(name: str) -> str:
    return "translational" if _TRANSLATION.fullmatch(name) else "rotational"
