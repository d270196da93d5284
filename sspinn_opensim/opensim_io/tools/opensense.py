"""OpenSim's own way from IMUs to joint angles (OpenSense): IMU placer and IMU inverse kinematics.

A sensor's orientation filter knows up, but no heading. Here every sensor's heading is taken from its own
axis, which is known to point forward on its segment, while the person stands; the placer then takes the
standing posture for the model's default one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from casadi_dynamics.errors import InputError, OpenSimError
from casadi_dynamics.opensim_process.jobs import run_job
from sspinn_opensim.opensim_io.progress import Progress
from sspinn_opensim.opensim_io.tables.orientations import write_orientations
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage
from sspinn_opensim.opensim_io.worker.orientations import follow_orientations
from sspinn_opensim.results.folder import ResultsFolder

_TIMEOUT_S, _TIMEOUT_PER_FRAME_S = 120.0, 0.2
#: From a world with z up to OpenSim's with y up.
_Y_UP = Rotation.from_euler("x", -90.0, degrees=True)


def facing_forward(quaternions: np.ndarray, standing: np.ndarray) -> np.ndarray:
    """Return orientations in OpenSim's ground, each sensor turned about the vertical to face forward.

    Parameters
    ----------
    quaternions : (n, k, 4) array
        w, x, y, z from axes of which x points forward on the segment to a world with z up, each sensor's own.
    standing : (n,) bool array
        Where the person stands and faces forward.
    """
    found = np.empty_like(quaternions)
    for k, own in enumerate(np.moveaxis(quaternions, 1, 0)):
        turned = _Y_UP * Rotation.from_quat(own, scalar_first=True)
        still = _Y_UP * Rotation.from_quat(own[standing], scalar_first=True)
        ahead = still.mean().apply([1.0, 0.0, 0.0])
        # A turn about y by b takes x to (cos b, 0, -sin b).
        heading = np.arctan2(-ahead[2], ahead[0])
        found[:, k] = (Rotation.from_euler("y", -heading) * turned).as_quat(scalar_first=True)
    return found


def inverse_kinematics(
    out: Path, bodies: Sequence[str], time_s: np.ndarray, quaternions: np.ndarray, standing: np.ndarray
) -> Table:
    """Run the IMU placer and IMU inverse kinematics of OpenSim; write what they read and made.

    Parameters
    ----------
    out : Path
        Results folder with the scaled model.
    bodies : sequence of k str
        That carry the sensors.
    quaternions : (n, k, 4) array
        w, x, y, z in OpenSim's ground.
    standing : (n,) bool array
        Where the posture is the model's default one.

    Returns
    -------
    Table
        Coordinates; those that turn in degrees.

    Raises
    ------
    InputError
        Two sensors sit on one body.
    OpenSimError
        OpenSim did not deliver.
    """
    twice = [body for k, body in enumerate(bodies) if body in bodies[:k]]
    if twice:
        raise InputError(
            "OpenSense takes one sensor a body.",
            where=str(out),
            found=f"two on '{twice[0]}'",
            fix="choose sensors of the study with --sensors",
        )
    files = ResultsFolder(out)
    names = [f"{body}_imu" for body in bodies]
    files.opensense.mkdir(exist_ok=True)
    orientations, still = (files.opensense / name for name in ("orientations.sto", "standing.sto"))
    write_orientations(orientations, names, time_s, quaternions)
    rows = np.flatnonzero(standing)
    mean = np.stack(
        [
            Rotation.from_quat(own[rows], scalar_first=True).mean().as_quat(scalar_first=True)
            for own in np.moveaxis(quaternions, 1, 0)
        ]
    )
    write_orientations(still, names, time_s[rows[:1]], mean[None])
    placed = files.opensense / "placed.osim"
    run_job(
        follow_orientations,
        {
            "model": files.subject,
            "standing": still,
            "orientations": orientations,
            "placed": placed,
            "motion": files.opensense_motion,
            "from_s": float(time_s[0]),
            "to_s": float(time_s[-1]),
        },
        timeout_s=_TIMEOUT_S + _TIMEOUT_PER_FRAME_S * len(time_s),
        outputs=[placed, files.opensense_motion],
        watch=Progress("inverse kinematics of the IMUs", len(time_s)),
    )
    motion = read_storage(files.opensense_motion)
    if len(motion.time_s) != len(time_s):
        raise OpenSimError(
            "OpenSim's inverse kinematics of IMUs left frames out",
            where=str(files.opensense_motion),
            expected=f"{len(time_s)} frames",
            found=f"{len(motion.time_s)}",
        )
    return motion
