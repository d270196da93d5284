"""Several results files written together: read by OpenSim before any of them gets its name."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from casadi_dynamics.disk_cache import load_or_make
from casadi_dynamics.errors import InputError, OpenSimError
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.opensim_process.remembered import answer_key
from casadi_dynamics.opensim_process.temporary import temporary_folder
from sspinn_opensim.files import draft_folder
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage
from sspinn_opensim.opensim_io.tables.tool_files import SetupFile, beside, read_setup_file
from sspinn_opensim.opensim_io.worker.tables import inspect_files

_TABLES = (".mot", ".sto")
_MISREAD = "OpenSim does not read the file as it was meant"
_ANEW = "write the file anew; if this project wrote it, report it"
_TIMEOUT_S, _TIMEOUT_PER_FILE_S, _TIMEOUT_PER_BYTE_S = 120.0, 10.0, 2e-6
#: Tables that are larger together are read one after the other, so that memory does not grow with them.
_MOST_BYTES = 32e6
#: Of longer tables OpenSim reads so many stretches of so many rows.
_LONG_BYTES, _EXCERPTS, _EXCERPT_ROWS = 16_000_000, 8, 500
#: Rows compared at once, for the same reason.
_ROWS_AT_ONCE = 10_000
#: OpenSim's readers need not round to the nearest double; this is a few units of the last digit.
_RELATIVE_TOLERANCE = 1e-14


@contextlib.contextmanager
def written_together(folder: Path) -> Iterator[Path]:
    """Give a temporary folder; when the block ends, check what it holds and move it into `folder`.

    Every ``.mot`` and ``.sto`` is read by both of OpenSim's readers (of a long one an `excerpt`), and every
    set-up file loaded, in one process for all; what it has read before, byte for byte, is not read again. The
    set appears as a whole: after an error the files in `folder` are those of before.

    Parameters
    ----------
    folder : Path
        Made if it is not there. Files replace those of the same name; others stay.

    Raises
    ------
    InputError
        The folder cannot be written to, or OpenSim does not read a file as it was meant.
    """
    folder = Path(folder)
    with _as_input_error(folder):
        folder.mkdir(parents=True, exist_ok=True)
        temporary = draft_folder(folder)
    with temporary as staged:
        yield Path(staged)
        files = sorted(path for path in Path(staged).rglob("*") if path.is_file())
        check_files(files)
        with _as_input_error(folder):
            for file in files:
                place = folder / file.relative_to(staged)
                place.parent.mkdir(parents=True, exist_ok=True)
                file.replace(place)


def check_files(files: Sequence[Path]) -> None:
    """Let OpenSim read tables and load set-up files; a table must give both its readers what it gives ours.

    Parameters
    ----------
    files : sequence of Path
        Tables and set-ups; other files are passed over.

    Raises
    ------
    OpenSimError
        A reader fails or finds other labels, another unit or other numbers. A set-up does not load, or names
        a file that is missing or has an absolute path.
    """
    read = (read_setup_file(path.absolute()) for path in files if path.suffix == ".xml")
    setups = {str(setup.path): setup for setup in read if setup is not None}
    for path, setup in setups.items():
        if missing := setup.missing():
            raise OpenSimError("the set-up cannot be used", where=path, found="\n".join(missing))
    with contextlib.ExitStack() as stack:

        def place_for(path: Path) -> Path:
            return Path(stack.enter_context(temporary_folder("opensim_excerpts")), path.name)

        for group in _groups([path.absolute() for path in files if path.suffix in _TABLES]):
            tables: dict[str, Table] = {}
            for path in group:
                table, place = _as_meant(path), path
                if path.stat().st_size > _LONG_BYTES:
                    place = place_for(path)
                    table = excerpt(path, table, place)
                    setups = dict(_beside_excerpt(setups, path, place))
                tables[str(place)] = table
            _check_group(tables, setups)
            setups = {}
        if setups:
            _check_group({}, setups)


def excerpt(path: Path, table: Table, place: Path) -> Table:
    """Write the head of a long table and some of its rows, as they stand in it, to another place.

    OpenSim takes minutes to read an hour. What it may misread is the head, and how numbers are written, which
    does not change from row to row; that all rows are whole is for our own reader to see.

    Parameters
    ----------
    path : Path
        A table that this project wrote.
    table : Table
        What it holds.
    place : Path
        Where to write the excerpt: rows of the start, of the end, and in between.

    Returns
    -------
    Table
        The rows of the excerpt.
    """
    starts = np.linspace(0, len(table.time_s) - _EXCERPT_ROWS, _EXCERPTS).round().astype(int)
    chosen = np.unique(starts[:, None] + np.arange(_EXCERPT_ROWS))
    kept = set(chosen.tolist())
    with path.open("rb") as source, place.open("wb") as file:
        for line in source:
            file.write(b"nRows=%d\n" % len(kept) if line.startswith(b"nRows=") else line)
            if line.startswith(b"endheader"):
                break
        file.write(next(source))
        file.writelines(line for k, line in enumerate(source) if k in kept)
    return dataclasses.replace(table, time_s=table.time_s[chosen], values=table.values[chosen])


def _beside_excerpt(setups: dict[str, SetupFile], path: Path, place: Path) -> Iterator[tuple[str, SetupFile]]:
    """Give set-ups; one that makes OpenSim read a long table as a copy beside its excerpt."""
    for name, setup in setups.items():
        read = [beside(setup.path, other) for other in setup.reads.get("datafile", ())]
        if setup.tool == "ExternalLoads" and read == [path]:
            copy = place.parent / setup.path.name
            copy.write_bytes(setup.path.read_bytes())
            yield str(copy), dataclasses.replace(setup, path=copy)
        else:
            yield name, setup


def _as_meant(path: Path) -> Table:
    """Return a table in which there is nothing to mend: some of that OpenSim reads for ever."""
    table = read_storage(path)
    if table.notes:
        raise OpenSimError(_MISREAD, where=path, found="; ".join(table.notes), fix=_ANEW)
    return table


def _groups(tables: Sequence[Path]) -> Iterator[list[Path]]:
    """Give tables that are read at once."""
    group, size = [], 0
    for path in tables:
        own = min(path.stat().st_size, _LONG_BYTES)
        if group and size + own > _MOST_BYTES:
            yield group
            group, size = [], 0
        group.append(path)
        size += own
    if group:
        yield group


def _check_group(tables: dict[str, Table], setups: dict[str, SetupFile]) -> None:
    named = (beside(s.path, name) for s in setups.values() for names in s.reads.values() for name in names)
    key = answer_key(inspect_files, [*map(Path, (*tables, *setups)), *named])
    load_or_make(key, lambda: _read_by_opensim(tables, setups))


def _read_by_opensim(tables: dict[str, Table], setups: dict[str, SetupFile]) -> bytes:
    """Return a word if OpenSim reads tables and set-ups as they are meant; see `check_files`."""
    with temporary_folder("opensim_readings") as folder:
        output = Path(folder, "readings.npz")
        answer = run_job(
            inspect_files,
            {
                "tables": list(tables),
                "setups": {path: setup.tool for path, setup in setups.items()},
                "output": output,
            },
            timeout_s=_TIMEOUT_S
            + _TIMEOUT_PER_FILE_S * (len(tables) + len(setups))
            + _TIMEOUT_PER_BYTE_S * sum(Path(path).stat().st_size for path in tables),
            outputs=[output],
        ).values
        with np.load(output, allow_pickle=False) as readings:
            for place, (path, table) in enumerate(tables.items()):
                for reader, found in answer["tables"][path].items():
                    if difference := _difference(table, found, readings.get(f"{reader}_{place}")):
                        where = f"{path}, by its {reader}"
                        raise OpenSimError(_MISREAD, where=where, found=difference, fix=_ANEW)
    for path, error in answer["setup_errors"].items():
        raise OpenSimError("OpenSim cannot load the set-up", where=path, found=error)
    return b"read as meant"


def _difference(table: Table, found: dict, values: np.ndarray | None) -> str:
    """Return what one of OpenSim's readers has otherwise than ours, or an empty string."""
    if values is None:
        return found["error"]
    if found["labels"] != list(table.names):
        return f"labels {', '.join(found['labels'][:8])}"
    if table.in_degrees is not None and found["in_degrees"] != ("yes" if table.in_degrees else "no"):
        return f"inDegrees={found['in_degrees'] or 'unknown'}"
    shape = (len(table.time_s), 1 + len(table.names))
    if values.shape != shape:
        return f"rows and columns {values.shape} for {shape}"
    for first in range(0, len(values), _ROWS_AT_ONCE):
        part = slice(first, first + _ROWS_AT_ONCE)
        own, expected = values[part], np.column_stack([table.time_s[part], table.values[part]])
        wrong = np.argwhere(~(np.abs(own - expected) <= _RELATIVE_TOLERANCE * np.abs(expected)))
        if len(wrong):
            row, column = wrong[0]
            name = ("time", *table.names)[column]
            return f"'{name}' in row {first + row + 1}: {own[row, column]!r} for {expected[row, column]!r}"
    return ""


@contextlib.contextmanager
def _as_input_error(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            "cannot write the results",
            where=str(error.filename or folder),
            found=error.strerror or str(error),
            fix="name a folder that exists, can be written to and has free space",
        ) from error
