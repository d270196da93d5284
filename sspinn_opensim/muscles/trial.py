"""The states of a model over a trial, and what acts on it from outside, from OpenSim's files."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError, nearest
from casadi_dynamics.symbolic import BodyFunctions
from sspinn_opensim.dynamics.inverse_dynamics import LoadedMotion, coordinate_values, loaded_motion
from sspinn_opensim.dynamics.trial import analyzed
from sspinn_opensim.opensim_io.tables.storage import read_storage


def read_trial(
    functions: BodyFunctions,
    motion: Path,
    external_loads: Path | None,
    *,
    free: Sequence[str],
    locked: Collection[str],
    lowpass_hz: float,
    window: tuple[float, float] | None,
) -> LoadedMotion:
    """Read a trial's files, filter and differentiate its motion.

    Parameters
    ----------
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
    moving = analyzed(table.time_s, values, lowpass_hz, window)
    trial = loaded_motion(functions, moving, external_loads)
    for part, vectors in trial.loads.items():
        names = [body for body in trial.loaded for _ in "xyz"]
        _check_finite(vectors, trial.time_s, names, f"the {part} of an external load in {external_loads}")
    return trial


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
