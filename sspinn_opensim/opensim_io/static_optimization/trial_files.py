"""A laboratory's own trial (model, motion, external loads) brought into a folder as OpenSim reads it right.

Nothing is used as it lies there: the model is brought to OpenSim's newest version, the motion is written anew
in degrees with every coordinate of the model, the external loads get their data beside them. What had to be
mended on the way is said.
"""

from __future__ import annotations

import dataclasses
import shutil
import warnings
from pathlib import Path

import numpy as np
from lxml import etree

from casadi_dynamics.errors import InputError
from casadi_dynamics.opensim_process.temporary import temporary_folder
from sspinn_opensim.files import write_atomically
from sspinn_opensim.opensim_io.documents import read_document, to_xml
from sspinn_opensim.opensim_io.model.model_file import (
    CoordinateFacts,
    check_mass,
    coordinate_facts,
    read_model_tree,
)
from sspinn_opensim.opensim_io.model.upgraded_model import current_file
from sspinn_opensim.opensim_io.static_optimization.preparation import Settings, usable_muscles
from sspinn_opensim.opensim_io.tables.external_loads import ExternalLoads, read_external_loads
from sspinn_opensim.opensim_io.tables.motion_files import kinematics_table
from sspinn_opensim.opensim_io.tables.storage import StorageWarning, Table, read_storage, write_storage
from sspinn_opensim.opensim_io.trials import load_checks, motion_checks
from sspinn_opensim.opensim_io.trials.survey import Survey, survey
from sspinn_opensim.results.folder import ResultsFolder

UNITS = ("degrees", "radians")
#: Steps up to this many times the usual one are uneven sampling, resampled here; beyond, frames are missing.
_LARGEST_STEP = 3.0
#: Times rounded to some digits, which OpenSim's filter evens out.
_EVEN_ENOUGH = 1.5
_COUPLED_TOLERANCE = 1e-3
_EDGE_FRAMES = 3
_SHORTEST_STEPS = 1.5


@dataclasses.dataclass(frozen=True)
class Trial:
    """A trial that lies in a folder, ready for `static_optimization.preparation.prepare`.

    Parameters
    ----------
    external_loads : str or None
        Its file of external loads.
    window : (float, float)
        From and to, s: as asked for, else all that motion and forces explain.
    notes : tuple of str
        What was mended, filled in or left out.
    seen : Survey
        The whole motion as the model sees it, filtered as the settings say.
    """

    folder: Path
    external_loads: str | None
    window: tuple[float, float]
    notes: tuple[str, ...]
    seen: Survey


def import_trial(
    model: Path,
    motion: Path,
    external_loads: Path | None,
    folder: Path,
    *,
    settings: Settings,
    from_s: float | None = None,
    to_s: float | None = None,
    unit: str | None = None,
    needs_muscles: bool = True,
) -> Trial:
    """Write a trial into a folder.

    Parameters
    ----------
    model : Path
        ``.osim`` file of any version that OpenSim reads.
    motion : Path
        Its coordinates, ``.mot`` or ``.sto``; also a table of states with full names. Coordinates that the
        model determines (locked, prescribed, coupled) may be absent.
    external_loads : Path, optional
        ExternalLoads file; None where nothing touches the body.
    folder : Path
        Destination; it exists.
    settings : Settings
        Whose filter is used, and needs its margin.
    from_s, to_s : float, optional
        Part to analyse, s.
    unit : {"degrees", "radians"}, optional
        Unit of the angles, instead of what the header says.
    needs_muscles : bool
        Refuse a model without muscles that OpenSim's tools see.

    Raises
    ------
    InputError
        A file cannot be read, or cannot be what it is read as.
    """
    notes: list[str] = []
    with temporary_folder("upgraded_model") as upgraded:
        current = current_file(Path(model), Path(upgraded))
        if current != Path(model):
            notes.append("the model was written anew, in a new version and in one file")
        subject = ResultsFolder(folder).subject
        shutil.copyfile(current, subject)
    tree = read_model_tree(subject)
    check_mass(tree, Path(model))
    if needs_muscles:
        usable_muscles(tree, model)
    coordinates = coordinate_facts(tree)
    table = _read_motion(Path(motion), coordinates, unit, notes)
    loads = None
    if external_loads is not None:
        bodies = tuple(body.get("name", "") for body in tree.iterfind("Model/BodySet/objects/Body"))
        loads = _copy_loads(Path(external_loads), folder, bodies, notes)
    seen = survey(subject, table, loads, lowpass_hz=settings.lowpass_hz, every_frame=_determines(tree))
    _write_motion(folder, table, seen, notes)
    ResultsFolder(folder).moments.unlink(missing_ok=True)  # of another motion
    window = _window(seen, table, loads, settings, from_s, to_s, str(motion), notes)
    supplied = [name not in table.names or name in seen.dependent for name in seen.names]
    seen = dataclasses.replace(seen, q=np.where(supplied, seen.held, seen.q))
    return Trial(folder, ResultsFolder.external_loads.name if loads else None, window, tuple(notes), seen)


def _determines(tree: etree._ElementTree) -> bool:
    """Whether a model has couplers, so that columns are computed and every frame counts."""
    return next(tree.iter("CoordinateCouplerConstraint"), None) is not None


def _read_motion(
    path: Path, coordinates: tuple[CoordinateFacts, ...], unit: str | None, notes: list[str]
) -> Table:
    table = _read(path, notes)
    names = [_coordinate_of(name) for name in table.names]
    known = [coordinate.name for coordinate in coordinates]
    kept = [k for k, name in enumerate(names) if name in known]
    left_out = [name for name, short in zip(table.names, names, strict=True) if short not in known]
    doubled = {names[k] for k in kept if names.count(names[k]) > 1}
    if doubled:
        raise InputError(
            "a coordinate stands in two columns", where=str(path), found=", ".join(sorted(doubled))
        )
    in_degrees = table.in_degrees if unit is None else unit == "degrees"
    if unit is not None and table.in_degrees not in (None, in_degrees):
        notes.append(
            f"the header says {'degrees' if table.in_degrees else 'radians'}, read as {unit} as asked for"
        )
    table = Table(
        tuple(names[k] for k in kept), table.time_s, table.values[:, kept], in_degrees, table.header
    )
    if left_out and kept:
        notes.append(f"columns of no coordinate were left out: {', '.join(left_out)}")
    table = _evenly(table, path, notes, _LARGEST_STEP)
    # The model supplies what it determines; everything else must be there.
    needed = tuple(c for c in coordinates if c.is_free or c.name in table.names)
    shown = Table(
        (*table.names, *left_out),
        table.time_s,
        np.column_stack([table.values, np.zeros((len(table.time_s), len(left_out)))]),
        in_degrees,
    )
    motion_checks.check_columns(shown, needed, str(path))
    return table


def _coordinate_of(label: str) -> str:
    """Return the coordinate of a column: ``/jointset/knee_r/knee_angle_r/value`` is ``knee_angle_r``."""
    if label.startswith("/") and label.endswith("/value"):
        return label.split("/")[-2]
    return label


def _read(path: Path, notes: list[str]) -> Table:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StorageWarning)  # its notes are passed on below
        table = read_storage(path)
    notes += [f"{path.name}: {note}" for note in table.notes]
    return table


def _evenly(table: Table, path: Path, notes: list[str], longest: float, degree: int = 3) -> Table:
    """Resample uneven steps; a gap, `longest` times the usual step, stays for the checks to refuse."""
    from scipy.interpolate import make_interp_spline  # takes long to import

    steps = np.diff(table.time_s)
    if len(steps) < 8 or steps.max() <= _EVEN_ENOUGH * steps.min():
        return table
    usual = float(np.median(steps))
    if steps.max() > longest * usual:
        return table
    time_s = np.arange(table.time_s[0], table.time_s[-1] + 1e-9, usual)
    values = make_interp_spline(table.time_s, table.values, k=degree)(time_s)
    notes.append(f"{path.name}: frames are unevenly spaced; resampled to one in {usual:.4g} s")
    return dataclasses.replace(table, time_s=time_s, values=values)


def _copy_loads(path: Path, folder: Path, bodies: tuple[str, ...], notes: list[str]) -> ExternalLoads:
    loads = read_external_loads(path)
    data = _read(loads.datafile, notes)
    load_checks.check_columns(ExternalLoads(loads.forces, loads.datafile, data), bodies, str(path))
    data = _evenly(data, loads.datafile, notes, np.inf, degree=1)  # its gaps have been checked
    document = read_document(path, "ExternalLoads")
    for element in document.iter("datafile"):
        element.text = ResultsFolder.grf.name
    for tag in ("data_source_name", "external_loads_model_kinematics_file"):
        for element in list(document.iter(tag)):  # they name files that are not in the folder
            element.getparent().remove(element)
    files = ResultsFolder(folder)
    write_storage(files.grf, Table(data.names, data.time_s, data.values, False, "external forces"))
    write_atomically(files.external_loads, to_xml(document.getparent()))
    return ExternalLoads(loads.forces, files.grf, data)


def _write_motion(folder: Path, table: Table, seen: Survey, notes: list[str]) -> None:
    """Write every coordinate of the model; dependent ones as their couplers want them."""
    q = np.empty((len(table.time_s), len(seen.names)))
    whole = len(seen.time_s) == len(table.time_s)
    filled = []
    for k, name in enumerate(seen.names):
        if name in table.names and name not in seen.dependent:
            column = table.values[:, table.names.index(name)]
            to_radians = table.in_degrees and seen.motions[name] == "rotational"
            q[:, k] = np.deg2rad(column) if to_radians else column
        else:
            q[:, k] = seen.held[:, k] if whole else np.interp(table.time_s, seen.time_s, seen.held[:, k])
            if name not in table.names:
                filled.append(name)
            elif np.abs(seen.q[:, k] - seen.held[:, k]).max() > _COUPLED_TOLERANCE:
                notes.append(
                    f"'{name}' did not satisfy its coupler (up to "
                    f"{np.abs(seen.q[:, k] - seen.held[:, k]).max():.3g} off; coupled coordinates are never "
                    "in degrees) and was computed anew"
                )
    if filled:
        notes.append(f"the model supplies {', '.join(filled)}")
    kinds = [seen.motions[name] for name in seen.names]
    kinematics = kinematics_table(seen.names, kinds, table.time_s, q, title="kinematics")
    write_storage(ResultsFolder(folder).kinematics, kinematics)


def _window(
    seen: Survey,
    table: Table,
    loads: ExternalLoads | None,
    settings: Settings,
    from_s: float | None,
    to_s: float | None,
    where: str,
    notes: list[str],
) -> tuple[float, float]:
    """Return what is to be analysed: what was asked for, else all that is covered and explained."""
    time_s = table.time_s
    step = (time_s[-1] - time_s[0]) / max(len(time_s) - 1, 1)
    margin = max(settings.margin_s, _EDGE_FRAMES * step)
    first, last = float(time_s[0] + margin), float(time_s[-1] - margin)
    if loads is not None:
        first, last = max(first, float(loads.time_s[0])), min(last, float(loads.time_s[-1]))
    if loads is not None and first < last:
        trimmed = load_checks.explained_window(seen, first, last)
        if from_s is None and trimmed[0] > first + step:
            notes.append(f"before {trimmed[0]:.3f} s the forces do not carry the body: left out")
        if to_s is None and trimmed[1] < last - step:
            notes.append(f"after {trimmed[1]:.3f} s the forces do not carry the body: left out")
        first, last = trimmed
    window = first if from_s is None else from_s, last if to_s is None else to_s
    if window[1] - window[0] < _SHORTEST_STEPS * step:
        raise InputError(
            "no time is left to analyse",
            where=where,
            expected=f"{margin:.3g} s more on either side for the filter, and forces that carry the body",
            found=f"from {window[0]:.3f} to {window[1]:.3f} s",
            fix="give a longer recording, another window, or a higher --lowpass",
        )
    return window
