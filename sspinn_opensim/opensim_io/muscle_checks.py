"""What must hold before static optimization runs.

OpenSim says nothing when kinematics are in the wrong unit, a column is missing, ground forces are upside
down or end early, or contact acts twice: it returns muscle forces, and they are wrong. Each check below
stands for one such silence.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from casadi_dynamics.errors import InputError, nearest
from sspinn_opensim.opensim_io.external_loads import ExternalLoads, read_external_loads
from sspinn_opensim.opensim_io.jobs import run_job
from sspinn_opensim.opensim_io.model_file import (
    CoordinateFacts,
    active_contact,
    coordinate_actuators,
    coordinate_facts,
    muscle_names,
    read_model_tree,
)
from sspinn_opensim.opensim_io.motion_files import coordinates_of
from sspinn_opensim.opensim_io.muscle_setup import Setup
from sspinn_opensim.opensim_io.storage import Table, read_storage

_LARGEST_ANGLE_RAD = 4 * np.pi
_SMALLEST_ANGLE_RANGE_DEG = 3.2  # a motion in radians labelled as degrees stays below this everywhere
_LOCKED_TOLERANCE = 1e-4
# Mean vertical ground force in body weights; a flight phase lowers it, a window within one stance raises it.
_PLAUSIBLE_SUPPORT_BW = (0.2, 4.0)
_LARGEST_PULL_BW = 0.05
_SMALLEST_LOAD_BW = 0.05


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
    body_weight_n : float
        N.
    peak_ground_force_n : float
        Largest magnitude of the summed ground force in the window, N.
    warnings : tuple of str
        What is suspicious but not wrong for certain.
    """

    coordinates: tuple[CoordinateFacts, ...]
    motions: dict[str, str]
    muscles: tuple[str, ...]
    own_actuators: dict[str, list[str]]
    kinematics: Table
    body_weight_n: float
    peak_ground_force_n: float
    warnings: tuple[str, ...]


def check_inputs(setup: Setup) -> Inputs:
    """Read and check everything a set-up names.

    Raises
    ------
    InputError
        One of the inputs would lead to wrong muscle forces without a word from OpenSim.
    """
    tree = read_model_tree(setup.model)
    muscles, coordinates = muscle_names(tree), coordinate_facts(tree)
    if acting := active_contact(tree):
        raise InputError(
            "contact forces act in the model besides the external loads",
            where=str(setup.model),
            found=", ".join(acting),
            fix="prepare the set-up again: it switches them off",
        )
    described = run_job("describe_model", {"model": setup.model}, timeout_s=120.0).values
    gravity = np.array(described["gravity"])
    body_weight = described["total_mass_kg"] * float(np.linalg.norm(gravity))
    kinematics = read_storage(setup.kinematics)
    warnings = _check_kinematics(setup, kinematics, coordinates, described["motions"])
    loads = read_external_loads(setup.external_loads)
    up = -gravity / np.linalg.norm(gravity)
    peak, more = _check_loads(setup, loads, described["body_mass_kg"], up, body_weight)
    return Inputs(
        coordinates=coordinates,
        motions=described["motions"],
        muscles=muscles,
        own_actuators=coordinate_actuators(tree),
        kinematics=kinematics,
        body_weight_n=body_weight,
        peak_ground_force_n=peak,
        warnings=(*warnings, *more),
    )


def _check_kinematics(
    setup: Setup, table: Table, coordinates: tuple[CoordinateFacts, ...], motions: dict[str, str]
) -> list[str]:
    where = str(setup.kinematics)
    missing = [coordinate.name for coordinate in coordinates if coordinate.name not in table.names]
    if missing:
        raise InputError(
            f"the motion lacks coordinates of the model: {', '.join(missing)}",
            where=where,
            expected="a column for every coordinate",
            fix="OpenSim would hold them at their defaults: add the columns",
        )
    names = [coordinate.name for coordinate in coordinates]
    q = coordinates_of(table, names, [motions[name] for name in names])
    rotational = [k for k, name in enumerate(names) if motions[name] == "rotational"]
    worst = max(rotational, key=lambda k: np.abs(q[:, k]).max(), default=None)
    if worst is not None and np.abs(q[:, worst]).max() > _LARGEST_ANGLE_RAD:
        unit = "degrees" if table.in_degrees else "radians"
        raise InputError(
            f"coordinate '{names[worst]}' turns implausibly far",
            where=where,
            expected=f"angles within {_LARGEST_ANGLE_RAD:.1f} rad",
            found=f"{np.abs(q[:, worst]).max():.1f} rad, read as {unit}",
            fix="degrees need inDegrees=yes in the header",
        )
    for k, coordinate in enumerate(coordinates):
        if coordinate.locked and np.abs(q[:, k] - coordinate.default).max() > _LOCKED_TOLERANCE:
            raise InputError(
                f"coordinate '{coordinate.name}' is locked in the model but moves in the motion",
                where=where,
                expected=f"{coordinate.default:g} (its default)",
                found=f"{q[:, k].min():.4g} to {q[:, k].max():.4g}",
                fix="unlock it or hold it at its default: OpenSim ignores the motion of a locked coordinate",
            )
    _check_covers(setup, "the motion", where, table.time_s, setup.margin_s)
    warnings = []
    angles = np.rad2deg(np.abs(q[:, rotational])) if rotational else np.zeros(0)
    if table.in_degrees and angles.size and 0 < angles.max() < _SMALLEST_ANGLE_RANGE_DEG:
        warnings.append("all angles are below 3.2 degrees: are they radians under inDegrees=yes?")
    steps = np.diff(table.time_s)
    if steps.size and steps.max() > 1.5 * steps.min():
        warnings.append("the frames of the motion are not evenly spaced")
    return warnings


def _check_loads(
    setup: Setup, loads: ExternalLoads, bodies, up: np.ndarray, body_weight: float
) -> tuple[float, list[str]]:
    table = read_storage(loads.datafile)
    where = str(loads.datafile)
    for force in loads.forces:
        if force.body not in bodies:
            raise InputError(
                f"external force '{force.name}' acts on a body the model lacks",
                where=str(setup.external_loads),
                found=force.body,
                expected=", ".join(bodies),
                fix=nearest(force.body, bodies),
            )
        for prefix in (force.force_prefix, force.point_prefix, force.torque_prefix):
            for axis in "xyz" if prefix else "":
                table.column(prefix + axis)  # raises where it is missing
    if len({force.body for force in loads.forces}) < 2:
        raise InputError(
            "ground forces act on one foot only",
            where=str(setup.external_loads),
            expected="an external force for each foot",
            fix="add the other foot, with zeros where it is in the air",
        )
    _check_covers(setup, "the ground force", where, table.time_s, 0.0)
    inside = (table.time_s >= setup.from_s) & (table.time_s <= setup.to_s)
    total, warnings = np.zeros((int(inside.sum()), 3)), []
    for force in loads.forces:
        on_foot = np.column_stack([table.column(force.force_prefix + axis) for axis in "xyz"])[inside]
        support = on_foot @ up / body_weight
        if support.min() < -_LARGEST_PULL_BW:
            raise InputError(
                f"the ground pulls on '{force.body}'",
                where=where,
                expected="upward ground forces",
                found=f"{support.min():.2f} body weights upward",
                fix="give the force of the ground on the foot, y up",
            )
        if support.max() < _SMALLEST_LOAD_BW:
            warnings.append(f"'{force.body}' is never loaded in the analysed window")
        total += on_foot
    mean = float((total @ up).mean() / body_weight)
    low, high = _PLAUSIBLE_SUPPORT_BW
    if not low <= mean <= high:
        raise InputError(
            "the ground forces do not fit the body weight",
            where=where,
            expected=f"{low:g} to {high:g} body weights upward on average",
            found=f"{mean:.3g} body weights ({body_weight:.0f} N)",
            fix="give forces in N, on both feet, for this person",
        )
    return float(np.linalg.norm(total, axis=1).max()), warnings


def _check_covers(setup: Setup, what: str, where: str, time_s: np.ndarray, margin_s: float) -> None:
    slack = 1.5 * (time_s[-1] - time_s[0]) / max(len(time_s) - 1, 1)
    if time_s[0] > setup.from_s - margin_s + slack or time_s[-1] < setup.to_s + margin_s - slack:
        raise InputError(
            f"{what} does not cover the analysed window",
            where=where,
            expected=f"{setup.from_s - margin_s:.3f} to {setup.to_s + margin_s:.3f} s"
            + (f" (window and {margin_s:.3f} s for the filter on either side)" if margin_s else ""),
            found=f"{time_s[0]:.3f} to {time_s[-1]:.3f} s",
            fix="narrow the window or give a longer recording",
        )
