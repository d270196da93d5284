"""Virtual measurements of the walk: IMU signals with noise, and the truth without."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from casadi_dynamics.model import Model
from casadi_dynamics.symbolic.build import build, sensor_positions
from sspinn_opensim.simulation.demo.walk import CYCLE_S, KNOTS
from sspinn_opensim.simulation.optimal_gait import OptimalGait, driven_by_contact

#: One sample a knot: there the dynamics hold exactly.
SAMPLING_RATE_HZ = KNOTS / CYCLE_S
DURATION_S = 12.0

#: White noise, standard deviation of a sample (m/s^2 and rad/s), and of the constant offset of a gyroscope
#: (rad/s). A consumer sensor's total noise is 8 mg and 0.1 deg/s rms (InvenSense MPU-9250, product
#: specification 1.1), or 0.078 m/s^2 and 0.0017 rad/s. Choices of this project: a rate noise twice that, as
#: straps and skin add to it, and an offset as a gyroscope keeps that was zeroed at rest.
ACCELERATION_NOISE_M_S2, RATE_NOISE_RAD_S, RATE_OFFSET_RAD_S = 0.08, 0.004, 0.005
SEED = 2026

#: A foot that bears less than this gets its centre of pressure below the ankle, N.
_BEARING_N = 20.0


@dataclass(frozen=True)
class WalkTruth:
    """The walk at the samples of the recording.

    Attributes
    ----------
    time_s : (m,) ndarray
    q, tau : (m, n) ndarray
        Coordinates and generalized forces, SI and rad.
    feet : tuple of str
        Bodies that touch the floor.
    force, point, torque : (m, f, 3) ndarray
        The ground's action on each foot: force, centre of pressure and free torque there, in ground.
    sensors : tuple of str
        Names of the model's IMU frames.
    acceleration, angular_rate : (m, s, 3) ndarray
        Specific force (m/s^2) and angular rate (rad/s) in sensor axes.
    """

    time_s: np.ndarray
    q: np.ndarray
    tau: np.ndarray
    feet: tuple[str, ...]
    force: np.ndarray
    point: np.ndarray
    torque: np.ndarray
    sensors: tuple[str, ...]
    acceleration: np.ndarray
    angular_rate: np.ndarray


def record(model: Model, walk: OptimalGait) -> WalkTruth:
    """Sample a walk."""
    count = round(DURATION_S * SAMPLING_RATE_HZ)
    time_s = np.arange(count) / SAMPLING_RATE_HZ
    q, u, udot = (part.T for part in walk.motion(time_s))
    tau, force, position, _ = (out.full() for out in driven_by_contact(model).map(count)(q, u, udot))
    functions = build(model, model.imu_frames)
    repeated = [
        np.tile(v[:, None], count) for v in (sensor_positions(model.imu_frames), functions.parameters)
    ]
    no_force = np.zeros((3 * len(functions.contact_points), count))
    outputs = functions.dynamics.map(count)(q, u, udot, no_force, *repeated)
    body_of = {sphere.name: sphere.body for sphere in model.contact_spheres}
    spheres = [body_of[law.sphere] for law in model.contact_forces]
    feet = tuple(dict.fromkeys(spheres))
    origin = functions.kinematics.map(count)(q, u, udot, repeated[1])[0].full().T.reshape(count, -1, 3)
    force, position = (part.T.reshape(count, -1, 3) for part in (force, position))
    wrenches = []
    for foot in feet:
        own = [i for i, body in enumerate(spheres) if body == foot]
        below = origin[:, functions.bodies.index(foot)] * (1, 0, 1)
        wrenches.append(_at_center_of_pressure(force[:, own], position[:, own], below))
    force, point, torque = (np.stack(part, axis=1) for part in zip(*wrenches, strict=True))
    return WalkTruth(
        time_s,
        q.T,
        tau.T,
        feet,
        force,
        point,
        torque,
        functions.sensors,
        outputs[1].full().T.reshape(count, -1, 3),
        outputs[2].full().T.reshape(count, -1, 3),
    )


def _at_center_of_pressure(
    force: np.ndarray, position: np.ndarray, below: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the resultant of forces (m, k, 3), where on the floor it acts, and the torque left there."""
    total = force.sum(axis=1)
    moment = np.cross(position, force).sum(axis=1)
    bearing = total[:, 1] > _BEARING_N
    vertical = np.where(bearing, total[:, 1], 1.0)
    zero = np.zeros(len(total))
    center = np.column_stack([moment[:, 2] / vertical, zero, -moment[:, 0] / vertical])
    point = np.where(bearing[:, None], center, below)
    return total, point, moment - np.cross(point, total)


def with_noise(truth: WalkTruth) -> tuple[np.ndarray, np.ndarray]:
    """Return acceleration and angular rate as the sensors print them, always with the same noise."""
    random = np.random.default_rng(SEED)
    acceleration = truth.acceleration + ACCELERATION_NOISE_M_S2 * random.standard_normal(
        truth.acceleration.shape
    )
    offset = RATE_OFFSET_RAD_S * random.standard_normal(truth.angular_rate.shape[1:])
    rate = truth.angular_rate + offset + RATE_NOISE_RAD_S * random.standard_normal(truth.angular_rate.shape)
    return acceleration, rate
