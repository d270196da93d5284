"""Signals of sensors in the sagittal plane, by the body that carries them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from casadi_dynamics.errors import InputError, nearest
from casadi_dynamics.model import Model
from sspinn_opensim.recording.types import Recording


@dataclass(frozen=True)
class SagittalSignals:
    """Signals of a recording by body, in body axes (x forward, y up, z right when standing).

    Attributes
    ----------
    time_s : ndarray, shape (n,)
    cycle_s : float or None
        Period, s, if the recording is one gait cycle repeated.
    rate : mapping of body to ndarray, shape (n,)
        Angular rate about z, rad/s.
    force : mapping of body to ndarray, shape (n, 2)
        Specific force along x and y, m/s^2.
    """

    time_s: np.ndarray
    cycle_s: float | None
    rate: Mapping[str, np.ndarray]
    force: Mapping[str, np.ndarray]


def sagittal_signals(recording: Recording, model: Model) -> SagittalSignals:
    """Return those of every body whose sensor measures them.

    Signals of a sensor placed by an IMU frame of the model are turned from that frame into body axes.

    Raises
    ------
    InputError
        A sensor names an IMU frame that the model lacks.
    """
    frames = {frame.name: frame for frame in model.imu_frames}
    rate, force = {}, {}
    for k, sensor in enumerate(recording.sensors):
        body, to_body = sensor.body, np.eye(3)
        if sensor.imu_frame:
            if sensor.imu_frame not in frames:
                raise InputError(
                    f"the model has no IMU frame '{sensor.imu_frame}'",
                    where=f"sensor '{sensor.name}'",
                    expected=", ".join(frames),
                    fix=nearest(sensor.imu_frame, frames),
                )
            body, to_body = frames[sensor.imu_frame].body, np.array(frames[sensor.imu_frame].rotation)
        rated = recording.angular_rate_available[k][np.abs(to_body[2]) > 0.1].all()
        weighed = recording.acceleration_available[k][(np.abs(to_body[:2]) > 0.1).any(axis=0)].all()
        if rated and weighed and body not in rate:
            rate[body] = recording.angular_rate[:, k] @ to_body[2]
            force[body] = recording.acceleration[:, k] @ to_body[:2].T
    return SagittalSignals(recording.time_s, recording.cycle_s, rate, force)
