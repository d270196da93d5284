"""Reference tables: a laboratory's measurements in the conventions of a study's model and on its clock."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.opensim_io.tables.motion_files import kinematics_table, moments_table
from sspinn_opensim.opensim_io.tables.storage import Table
from sspinn_opensim.recording.resample import uniform_clock
from sspinn_opensim.simulation import heading, laboratory
from sspinn_opensim.simulation.settings import SimulationSettings
from sspinn_opensim.simulation.states import completed
from sspinn_opensim.simulation.walk import Walk, scored_window


def reference_tables(walk: Walk, signs: Mapping[str, int], settings: SimulationSettings) -> dict[str, Table]:
    """Return the reference by quantity, in the conventions of the study's model, on its clock.

    Of a repeated stride the moments and forces of the kept part are given, in the last stride but one.
    """
    given = settings.laboratory
    time_s = uniform_clock(walk.to_s - walk.begins_s, settings.sampling_rate_hz)
    q = completed(walk.functions, *walk.recorded(time_s))["q"]
    names = list(signs)
    columns = [signs[name] * q[:, walk.functions.coordinates.index(name)] for name in names]
    tables = {}
    if names:
        turning = ["rotational"] * len(names)
        tables["kinematics"] = kinematics_table(names, turning, time_s, np.column_stack(columns))
    turn = heading.about_vertical(walk.turned_rad)
    measured = None
    if given.moments is not None:
        measured = laboratory.moments(given.moments, walk.functions, walk.motion)
    elif given.external_loads is not None:
        measured = laboratory.inverse_dynamics(
            given.external_loads,
            walk.functions,
            walk.motion,
            turn,
            settings.sampling_rate_hz,
            given.forces_late_s,
        )
    if measured is not None:
        at_s, tau = measured
        rows, clock = _on_clock(at_s, walk)
        shared = [name for name in names if name in tau]
        values = np.column_stack([signs[name] * tau[name][rows] for name in shared])
        tables["moments"] = moments_table(shared, ["rotational"] * len(shared), clock, values)
    if given.external_loads is not None:
        rate = settings.sampling_rate_hz
        at_s, sides = laboratory.ground_forces(given.external_loads, walk.motion, rate, given.forces_late_s)
        rows, clock = _on_clock(at_s, walk)
        labels, values = [], []
        for side, parts in sides.items():
            labels += [f"ground_force_{side}_{kind}{axis}" for kind in "vp" for axis in "xyz"]
            labels += [f"ground_torque_{side}_{axis}" for axis in "xyz"]
            values.append((parts[rows] @ turn.T).reshape(len(clock), 9))
        tables["grf"] = Table(tuple(labels), clock, np.hstack(values), False, "ground forces")
    return tables


def _on_clock(at_s: np.ndarray, walk: Walk) -> tuple[np.ndarray, np.ndarray]:
    """Return which of the laboratory's times count, and those on the clock of the recording."""
    if walk.keep_s is None:
        rows = at_s > walk.from_s - 1e-6
        return rows, at_s[rows] - walk.begins_s
    rows = (at_s > walk.keep_s[0] - 1e-6) & (at_s < walk.keep_s[1] + 1e-6)
    if rows.sum() < 2:
        raise InputError(
            "The laboratory measured nothing in the part of the stride that is kept.",
            expected=f"{walk.keep_s[0]:g} to {walk.keep_s[1]:g} s",
            found=f"{at_s[0]:g} to {at_s[-1]:g} s",
            fix="keep the part where it did: keep_from_s, keep_to_s",
        )
    scored = scored_window(walk)
    if scored is None:
        raise ValueError("a part is kept of a repeated stride alone")
    return rows, at_s[rows] - walk.keep_s[0] + scored[0]
