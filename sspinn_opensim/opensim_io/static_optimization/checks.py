"""Checks before static optimization runs.

OpenSim says nothing when kinematics are in the wrong unit, a column is missing, ground forces are upside
down or end early, contact acts twice, or actuators are missing: it returns muscle forces, and they are
wrong. The checks here and in `motion_checks` and `load_checks` stand for one such silence each.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from lxml import etree

from casadi_dynamics.errors import InputError
from sspinn_opensim.opensim_io.documents import child_text, read_document
from sspinn_opensim.opensim_io.model.model_file import (
    CoordinateFacts,
    active_ground_forces,
    coordinate_actuators,
    coordinate_facts,
    read_model_tree,
)
from sspinn_opensim.opensim_io.static_optimization.preparation import (
    actuator_name,
    usable_muscles,
)
from sspinn_opensim.opensim_io.static_optimization.setup_file import Setup
from sspinn_opensim.opensim_io.tables.external_loads import ExternalLoads, read_external_loads
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage
from sspinn_opensim.opensim_io.trials import load_checks, motion_checks
from sspinn_opensim.opensim_io.trials.motion_checks import check_covers
from sspinn_opensim.opensim_io.trials.survey import Survey, cut, survey

#: Actuators other than coordinate actuators share the load with muscles.
_OTHER_ACTUATORS = (
    "PathActuator",
    "PointActuator",
    "PointToPointActuator",
    "TorqueActuator",
    "BodyActuator",
    "ClutchedPathSpring",
    "McKibbenActuator",
)
#: So much time tells whether forces follow a motion, s.
_ENOUGH_S = 1.0


@dataclasses.dataclass(frozen=True)
class Inputs:
    """The checked inputs of static optimization.

    Parameters
    ----------
    coordinates : tuple of CoordinateFacts
        Of the model.
    motions : dict
        Motion type by coordinate.
    muscles : tuple of str
        Of the ForceSet.
    own_actuators : dict
        Names of the model's own coordinate actuators by coordinate.
    kinematics : Table
        As in the file.
    survey : Survey
        The motion as the model sees it, in the analysed window.
    body_weight_n : float
        N.
    peak_ground_force_n : float
        Largest magnitude of the summed external force in the window, N; body weight where there is none.
    warnings : tuple of str
        What is suspicious but not wrong for certain.
    """

    coordinates: tuple[CoordinateFacts, ...]
    motions: dict[str, str]
    muscles: tuple[str, ...]
    own_actuators: dict[str, list[str]]
    kinematics: Table
    survey: Survey
    body_weight_n: float
    peak_ground_force_n: float
    warnings: tuple[str, ...]


def check_inputs(
    setup: Setup, *, unit_is_stated: bool = False, measured: bool = True, seen: Survey | None = None
) -> Inputs:
    """Read and check everything a set-up names.

    Parameters
    ----------
    unit_is_stated : bool
        A person, not only the file, says that the angles of the motion are in the unit its header states.
    measured : bool
        Motion and forces were measured: where they do not fit each other, a file is wrong, and is refused. Of
        an estimate it is a warning.
    seen : Survey, optional
        Of the same motion and forces with the same filter, if it has been made.

    Raises
    ------
    InputError
        One of the inputs would lead to wrong muscle forces without a word from OpenSim.
    """
    tree = read_model_tree(setup.model)
    muscles, coordinates = usable_muscles(tree, setup.model), coordinate_facts(tree)
    _check_setup(setup)
    _check_actuators(setup, coordinates)
    kinematics = read_storage(setup.kinematics)
    motion_checks.check_columns(kinematics, coordinates, str(setup.kinematics))
    _check_clean(kinematics, setup.kinematics)
    window = setup.from_s, setup.to_s
    check_covers(kinematics.time_s, window, setup.margin_s, "the motion", setup.kinematics)
    loads = None
    if setup.external_loads is not None:
        if acting := active_ground_forces(tree):
            raise InputError(
                "contact forces act in the model besides the external loads",
                where=str(setup.model),
                found=", ".join(acting),
                fix="prepare the set-up again: it switches them off",
            )
        loads = read_external_loads(setup.external_loads)
        bodies = tuple(body.get("name", "") for body in tree.iterfind("Model/BodySet/objects/Body"))
        load_checks.check_columns(loads, bodies, str(setup.external_loads))
        _check_clean(loads.data, loads.datafile)
        check_covers(loads.time_s, window, 0.0, "the ground force", loads.datafile)
    around = _around(setup, kinematics, loads)
    whole = seen or survey(setup.model, kinematics, loads, lowpass_hz=setup.lowpass_hz, window=around)
    seen = cut(whole, setup.from_s, setup.to_s)
    warnings = motion_checks.check_motion(
        seen,
        kinematics,
        coordinates,
        str(setup.kinematics),
        lowpass_hz=setup.lowpass_hz,
        unit_is_stated=unit_is_stated,
        measured=measured,
    )
    if loads is not None:
        warnings += load_checks.check_loads(seen, loads, around=cut(whole, *around), measured=measured)
    elif seen.root_directions:
        warnings.append("no external load acts, and nothing holds the root: residuals will carry the body")
    others = [
        f.get("name", f.tag) for f in tree.iterfind("Model/ForceSet/objects/*") if f.tag in _OTHER_ACTUATORS
    ]
    if others:
        warnings.append(f"actuators of the model share the load with muscles: {', '.join(others)}")
    return Inputs(
        coordinates=coordinates,
        motions=seen.motions,
        muscles=muscles,
        own_actuators=coordinate_actuators(tree),
        kinematics=kinematics,
        survey=seen,
        body_weight_n=seen.body_weight_n,
        peak_ground_force_n=_peak_force(setup, loads) or seen.body_weight_n,
        warnings=tuple(warnings),
    )


def _around(setup: Setup, kinematics: Table, loads: ExternalLoads | None) -> tuple[float, float]:
    """Return the window, widened to a second where motion and forces reach that far."""
    more = max(_ENOUGH_S - (setup.to_s - setup.from_s), 0.0) / 2
    low, high = kinematics.time_s[0], kinematics.time_s[-1]
    if loads is not None:
        low, high = max(low, loads.time_s[0]), min(high, loads.time_s[-1])
    return min(setup.from_s, max(setup.from_s - more, low)), max(setup.to_s, min(setup.to_s + more, high))


def _check_setup(setup: Setup) -> None:
    for wrong, what, fix in (
        (
            setup.replaces_forces,
            "the set-up replaces the model's forces: no muscle is left",
            "replace_force_set",
        ),
        (setup.states, "the set-up takes the motion from a file of states", "states_file"),
    ):
        if wrong:
            raise InputError(
                what,
                where=str(setup.file),
                found=f"<{fix}>",
                fix="prepare the set-up again, or empty that element",
            )
    if not setup.from_s < setup.to_s:
        raise InputError(
            "the set-up ends before it begins",
            where=str(setup.file),
            found=f"from {setup.from_s:g} to {setup.to_s:g} s",
        )


def _check_actuators(setup: Setup, coordinates: tuple[CoordinateFacts, ...]) -> None:
    """Refuse a set-up in which a free coordinate has no actuator without bounds."""
    found = {}
    for file in setup.actuators:
        for element in read_document(file, "ForceSet").iterfind("objects/CoordinateActuator"):
            found[element.get("name", "")] = element
    where = ", ".join(map(str, setup.actuators)) or str(setup.file)
    missing, bounded = [], []
    for coordinate in coordinates:
        if not coordinate.is_free:
            continue
        element = found.get(actuator_name(coordinate))
        if element is None or child_text(element, "coordinate") != coordinate.name:
            missing.append(actuator_name(coordinate))
        elif not all(np.isinf(_bound(element, tag)) for tag in ("min_control", "max_control")):
            bounded.append(actuator_name(coordinate))
    for names, what, fix in (
        (
            missing,
            "coordinates have no reserve or residual actuator",
            "the optimizer would fail in every frame",
        ),
        (bounded, "reserve or residual actuators have bounds", "set their controls to -Inf and Inf"),
    ):
        if names:
            raise InputError(
                what, where=where, found=", ".join(names), fix=f"{fix}: prepare the set-up again"
            )


def _bound(element: etree._Element, tag: str) -> float:
    try:
        return float(child_text(element, tag) or "inf")
    except ValueError:
        return 0.0


def _check_clean(table: Table, path: Path) -> None:
    """Refuse a table that had to be mended: OpenSim would not read it as it is read here."""
    if table.notes:
        raise InputError(
            "OpenSim would read this table otherwise than it is meant",
            where=str(path),
            found="; ".join(table.notes),
            fix="write it anew without these faults: giving model, motion and loads to `sspinn muscles` does",
        )


def _peak_force(setup: Setup, loads: ExternalLoads | None) -> float:
    if loads is None:
        return 0.0
    inside = (loads.time_s >= setup.from_s) & (loads.time_s <= setup.to_s)
    total = loads.vectors[inside, :, 0].sum(axis=1)
    return float(np.linalg.norm(total, axis=1).max())
