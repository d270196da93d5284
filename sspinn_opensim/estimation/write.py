"""An estimate as the files OpenSim loads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from casadi_dynamics.model import Model
from sspinn_opensim.estimation.ground import GroundForces
from sspinn_opensim.estimation.offline import Estimate
from sspinn_opensim.opensim_io.tables.motion_files import ground_forces_table, kinematics_table, moments_table
from sspinn_opensim.opensim_io.tables.storage import write_storage


def window(estimate: Estimate, from_s: float, to_s: float) -> Estimate:
    """Return the frames of an estimate from one time to another, both included."""
    step = float(np.median(np.diff(estimate.time_s)))
    chosen = (estimate.time_s >= from_s - step / 2) & (estimate.time_s <= to_s + step / 2)
    ground = estimate.ground
    return Estimate(
        estimate.time_s[chosen],
        estimate.coordinates,
        estimate.q[chosen],
        estimate.actuated,
        estimate.moments[chosen],
        GroundForces(ground.feet, ground.force[chosen], ground.point[chosen], ground.torque[chosen]),
    )


def write_estimate(estimate: Estimate, model: Model, files: tuple[Path, Path, Path], title: str) -> None:
    """Write the motion, the moments and the ground forces of an estimate, or of standard deviations.

    Parameters
    ----------
    estimate : Estimate
        In radians and SI units.
    model : Model
        Says which coordinates turn: they are written in degrees.
    files : tuple of 3 Path
        `ResultsFolder.estimate` or `ResultsFolder.deviations`; their folder is made if it is not there.
    title : str
        Name in the headers.
    """
    files[0].parent.mkdir(parents=True, exist_ok=True)
    motion = {c.name: c.motion for c in model.coordinates}
    names, time_s, ground = estimate.coordinates, estimate.time_s, estimate.ground
    kinematics = kinematics_table(names, [motion[n] for n in names], time_s, estimate.q, title=title)
    actuated = [motion[n] for n in estimate.actuated]
    moments = moments_table(estimate.actuated, actuated, time_s, estimate.moments, title=title)
    forces = ground_forces_table(ground.feet, time_s, ground.force, ground.point, ground.torque, title=title)
    for file, table in zip(files, (kinematics, moments, forces), strict=True):
        write_storage(file, table)
