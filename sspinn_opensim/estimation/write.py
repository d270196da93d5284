"""Files of an estimate that OpenSim loads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from casadi_dynamics.model import Model
from sspinn_opensim.estimation.inference.offline import Estimate
from sspinn_opensim.estimation.uncertainty import Deviations
from sspinn_opensim.opensim_io.tables.motion_files import ground_forces_table, kinematics_table, moments_table
from sspinn_opensim.opensim_io.tables.storage import Table, write_storage


def window(estimate: Estimate, from_s: float, to_s: float) -> Estimate:
    """Return the frames of an estimate from one time to another, both included."""
    step = float(np.median(np.diff(estimate.time_s)))
    # A slice, so that nothing of a long recording is copied.
    first = int(np.searchsorted(estimate.time_s, from_s - step / 2, "left"))
    chosen = slice(first, int(np.searchsorted(estimate.time_s, to_s + step / 2, "right")))
    return estimate.part(chosen)


def write_estimate(estimate: Estimate, model: Model, files: tuple[Path, Path, Path], title: str) -> None:
    """Write the motion, the moments and the ground forces of an estimate.

    Parameters
    ----------
    estimate : Estimate
        In radians and SI units.
    model : Model
        Says which coordinates turn: they are written in degrees.
    files : tuple of 3 Path
        `ResultsFolder.estimate`; their folder is made if it is not there.
    title : str
        Name in the headers.
    """
    ground = estimate.ground
    forces = ground_forces_table(
        ground.feet, estimate.time_s, ground.force, ground.point, ground.torque, title=title
    )
    _write(estimate, forces, model, files, title)


def write_deviations(
    deviations: Deviations, model: Model, files: tuple[Path, Path, Path], title: str
) -> None:
    """Write standard deviations as the files of an estimate; the torques on the feet have none."""
    d = deviations
    forces = ground_forces_table(d.feet, d.time_s, d.force, d.point, np.zeros_like(d.force), title=title)
    _write(d, forces, model, files, title)


def _write(
    numbers: Estimate | Deviations, forces: Table, model: Model, files: tuple[Path, Path, Path], title: str
) -> None:
    files[0].parent.mkdir(parents=True, exist_ok=True)
    motion = {c.name: c.motion for c in model.coordinates}
    names, time_s, actuated = numbers.coordinates, numbers.time_s, numbers.actuated
    kinematics = kinematics_table(names, [motion[n] for n in names], time_s, numbers.q, title=title)
    moments = moments_table(actuated, [motion[n] for n in actuated], time_s, numbers.moments, title=title)
    for file, table in zip(files, (kinematics, moments, forces), strict=True):
        write_storage(file, table)
