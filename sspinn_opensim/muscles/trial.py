"""The states of a model over a trial, and what acts on it from outside, from OpenSim's files."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError, nearest
from casadi_dynamics.symbolic import BodyFunctions
from sspinn_opensim.dynamics.inverse_dynamics import coordinate_values, external_wrenches
from sspinn_opensim.muscles.motion import analyzed_motion
from sspinn_opensim.opensim_io.tables.external_loads import ExternalLoads, read_external_loads
from sspinn_opensim.opensim_io.tables.storage import read_storage


@dataclass(frozen=True)
class Trial:
    """The states of a model over N frames, and what acts on it from outside.

    Attributes
    ----------
    time_s : (N,) ndarray
    q, u, udot : (N, n) ndarray
        Along all coordinates; locked ones rest at their default.
    loads : dict of str to (N, 3 l) ndarray
        ``force``, ``point`` and ``torque`` of each load, in ground.
    loaded : tuple of str
        The body of each load.
    """

    time_s: np.ndarray
    q: np.ndarray
    u: np.ndarray
    udot: np.ndarray
    loads: dict[str, np.ndarray]
    loaded: tuple[str, ...]


def read_trial(
    functions: BodyFunctions,
    motion: Path,
    external_loads: Path | None,
    *,
    free: Sequence[str],
    locked: Collection[str],
    lowpass_hz: float,
    window: tuple[float, float] | None,
) -> Trial:
    """Read a trial's files, filter and differentiate its motion.

    Parameters
    ----------
    functions : BodyFunctions
    motion : Path
        ``.mot`` or ``.sto`` file of the coordinates.
    external_loads : Path or None
        ExternalLoads file whose data cover the window.
    free : sequence of str
        Coordinates that must have a column.
    locked : collection of str
        Coordinates that rest at their default, whatever the file says.
    lowpass_hz : float
        0 or less filters nothing.
    window : (float, float) or None
        From and to, s; None: the whole motion.

    Returns
    -------
    Trial

    Raises
    ------
    InputError
        If a file cannot be used, a free coordinate has no column, or some value is not a finite number.
    """
    model, table = functions.tree.model, read_storage(motion)
    missing = [name for name in free if name not in table.names]
    if missing:
        raise InputError(
            f"the motion has no column for the coordinate '{missing[0]}'",
            where=str(motion),
            expected="every coordinate that is not locked or coupled",
            found=f"{len(missing)} missing: {', '.join(missing[:8])}",
            fix=nearest(missing[0], table.names) or "use the kinematics of this model",
        )
    values = coordinate_values(model, table)
    for i, coordinate in enumerate(model.coordinates):
        if coordinate.name in locked:
            values[:, i] = coordinate.default
    _check_finite(values, table.time_s, model.coordinate_names, f"a coordinate in {motion}")
    moved = analyzed_motion(table.time_s, values, lowpass_hz, window)
    u, udot = _speeds(functions, moved.q, moved.qdot, moved.qddot)
    loads = read_external_loads(external_loads) if external_loads else ExternalLoads((), Path())
    wrenches = external_wrenches(functions, loads, moved.time_s, {"q": moved.q, "u": u, "udot": udot})
    names = [load.name for load in loads.forces for _ in "xyz"]
    for part, vectors in wrenches.items():
        _check_finite(vectors, moved.time_s, names, f"the {part} of an external load in {external_loads}")
    return Trial(moved.time_s, moved.q, u, udot, wrenches, tuple(load.body for load in loads.forces))


def _speeds(functions: BodyFunctions, q, qdot, qddot) -> tuple[np.ndarray, np.ndarray]:
    if all(joint.speeds == "rates" for joint in functions.tree.model.joints):
        return qdot, qddot
    speeds = functions.speeds.map(len(q)).call({"q": q.T, "qdot": qdot.T, "qddot": qddot.T})
    return np.array(speeds["u"]).T, np.array(speeds["udot"]).T


def _check_finite(values: np.ndarray, time_s: np.ndarray, names: Sequence[str], what: str) -> None:
    wrong = np.argwhere(~np.isfinite(values))
    if wrong.size:
        frame, column = wrong[0]
        raise InputError(
            f"the value of {what} is not a finite number",
            expected="a number in every cell",
            found=f"{values[frame, column]} for '{names[column]}' at {time_s[frame]:g} s",
            fix="fill the gap or cut the file",
        )
