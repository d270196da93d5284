"""Virtual IMUs on moving bodies: exact signals first, then everything that is wrong with sensors.

A sensor at the station r of a body reads the specific force R^T (a(r) - g) and the angular rate R^T omega, of
the converted model. On soft tissue the station moves by delta and turns by phi within the body: the sensor
then feels, in body axes, a(r + delta) + 2 omega x delta' + delta'' - g, and turns with omega + J(phi) phi'.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.signal import lsim

from casadi_dynamics.model import ImuFrame
from casadi_dynamics.symbolic import BodyFunctions
from sspinn_opensim.simulation.settings import ErrorSettings
from sspinn_opensim.simulation.shocks import ringing_after

_IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
#: Soft tissue is simulated at least at this rate, Hz.
FINE_HZ = 500.0
#: A sensor displaced along the skin by this much turns by one rad with it, m (own choice: 1 cm turns it 4
#: degrees on a segment with a radius of about 0.15 m).
_CURVATURE_M = 0.15


@dataclass(frozen=True)
class VirtualSensor:
    """Where a sensor is said to sit.

    Attributes
    ----------
    position : tuple of 3 float
        From the body's origin, along its axes, m.
    rotation : 3 rows of 3 float
        Columns are the sensor's axes in the body.
    wobble_hz : float
        Natural frequency on the soft tissue.
    """

    name: str
    body: str
    position: tuple[float, float, float]
    rotation: tuple[tuple[float, ...], ...] = _IDENTITY
    wobble_hz: float = 10.0


@dataclass(frozen=True)
class SensorTruth:
    """Where a sensor really sits, and what is wrong with it.

    Attributes
    ----------
    position : (3,) array
        m, in body axes from the body's origin.
    rotation : (3, 3) array
        Columns are the sensor's axes in the body.
    acceleration_bias, angular_rate_bias : (3,) array
        In sensor axes, m/s^2 and rad/s.
    displacement, turn : (n, 3) array
        By soft tissue, in body axes at each sample: m, and rotation vector in rad.
    """

    position: np.ndarray
    rotation: np.ndarray
    acceleration_bias: np.ndarray
    angular_rate_bias: np.ndarray
    displacement: np.ndarray
    turn: np.ndarray


@dataclass(frozen=True)
class VirtualRecording:
    """What the sensors recorded, and the truth.

    Attributes
    ----------
    time_s : (n,) array
    acceleration, angular_rate : (n, k, 3) array
        In sensor axes, m/s^2 (specific force) and rad/s.
    """

    time_s: np.ndarray
    sensors: tuple[VirtualSensor, ...]
    acceleration: np.ndarray
    angular_rate: np.ndarray
    truth: tuple[SensorTruth, ...]


def oversampling(rate_hz: float, errors: ErrorSettings) -> int:
    """Return how many states `record` needs for each sample."""
    return int(np.ceil(FINE_HZ / rate_hz)) if errors.wobble else 1


def record(
    functions: BodyFunctions,
    state: dict[str, np.ndarray],
    time_s: np.ndarray,
    sensors: Sequence[VirtualSensor],
    errors: ErrorSettings,
    seed: int,
    every: int = 1,
    strikes_s: Mapping[str, np.ndarray] | None = None,
) -> VirtualRecording:
    """Return what sensors record.

    Parameters
    ----------
    state : dict of (N, c) arrays
        `q`, `u` and `udot` on a uniform clock.
    time_s : (N,) array
    seed : int
        The same sensor has the same errors whatever other sensors there are.
    every : int
        One state in so many is a sample; see `oversampling`.
    strikes_s : mapping of str to array, optional
        When each foot strikes, by side, for what sensors ring with; see `shocks`.
    """
    bodies = [sensor.body for sensor in sensors]
    drawn = [_draw(sensor, errors, seed) for sensor in sensors]
    position = np.tile([truth.position for truth in drawn], (len(time_s), 1, 1))
    force, rate = body_signals(functions, bodies, state, position)
    moves = [Wobble(*np.zeros((3, len(time_s), 3)))] * len(sensors)
    if errors.wobble:
        moves = [
            wobble(force[:, k], time_s, sensor.wobble_hz, errors.wobble_damping, errors.wobble)
            for k, sensor in enumerate(sensors)
        ]
        moved = position + np.stack([move.displacement for move in moves], axis=1)
        force, _ = body_signals(functions, bodies, state, moved)
    rate_hz = (len(time_s) - 1) / (time_s[-1] - time_s[0]) / every
    density = np.array([errors.acceleration_noise, errors.angular_rate_noise])[:, None, None]
    readings, truths = [], []
    for k, (sensor, truth, move) in enumerate(zip(sensors, drawn, moves, strict=True)):
        turn, turning = (
            turned_by_sliding(part, truth.position) for part in (move.displacement, move.velocity)
        )
        felt = force[:, k] + 2 * np.cross(rate[:, k], move.velocity) + move.acceleration
        seen = np.stack([felt, rate[:, k] + _turned_rate(turn, turning)])
        if errors.ringing and strikes_s:
            generator = _generator(sensor, seed, 2)
            seen += errors.ringing * ringing_after(sensor.body, strikes_s, time_s, generator)
        seen = np.einsum("nji,knj->kni", exponential(turn) @ truth.rotation, seen)[:, ::every]
        white = density * np.sqrt(rate_hz / 2) * _generator(sensor, seed, 1).standard_normal(seen.shape)
        bias = np.stack([truth.acceleration_bias, truth.angular_rate_bias])[:, None]
        readings.append(seen + bias + white)
        truths.append(replace(truth, displacement=move.displacement[::every], turn=turn[::every]))
    acceleration, angular_rate = np.stack(readings, axis=2)
    return VirtualRecording(time_s[::every], tuple(sensors), acceleration, angular_rate, tuple(truths))


def _draw(sensor: VirtualSensor, errors: ErrorSettings, seed: int) -> SensorTruth:
    """Return the constant errors of a sensor; the same numbers are drawn whatever is switched off."""
    normal = _generator(sensor, seed, 0).standard_normal((4, 3))
    missed = exponential(np.radians(errors.misalignment_deg) * normal[1:2])[0]
    return SensorTruth(
        position=np.array(sensor.position) + errors.position_m * normal[0],
        rotation=np.array(sensor.rotation) @ missed,
        acceleration_bias=errors.acceleration_bias * normal[2],
        angular_rate_bias=errors.angular_rate_bias * normal[3],
        displacement=np.zeros((0, 3)),
        turn=np.zeros((0, 3)),
    )


def _generator(sensor: VirtualSensor, seed: int, use: int) -> np.random.Generator:
    return np.random.default_rng([seed, use, *sensor.name.encode()])


def body_signals(
    functions: BodyFunctions, bodies: Sequence[str], state: dict[str, np.ndarray], position: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return specific force and angular rate (n, k, 3) of a station (n, k, 3) of each body, in body axes."""
    frames = [ImuFrame(f"station{k}", body, (0.0, 0.0, 0.0), _IDENTITY) for k, body in enumerate(bodies)]
    stations = position.reshape(len(position), -1)
    found = functions.at(functions.virtual_imus(frames), **state, sensor_position=stations)
    acceleration, angular_rate = found["imu_acceleration"], found["imu_angular_rate"]
    return acceleration.reshape(position.shape), angular_rate.reshape(position.shape)


@dataclass(frozen=True)
class Wobble:
    """Displacement (m) of a sensor on soft tissue with its derivatives, (n, 3) each, in body axes."""

    displacement: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray


def wobble(force: np.ndarray, time_s: np.ndarray, frequency_hz: float, damping: float, gain: float) -> Wobble:
    """Return how a mass on a damped spring follows the bone under it.

    delta'' + 2 zeta w delta' + w^2 delta = -gain (f - mean f) along each axis of the body, w = 2 pi
    frequency: a spring that is as stiff in all directions, and a sensor whose place is stated with the mean
    load on it.

    Parameters
    ----------
    force : (n, 3) array
        Specific force of the bone, in body axes, m/s^2.
    time_s : (n,) array
    """
    w = 2 * np.pi * frequency_hz
    system = (
        np.array([[0.0, 1.0], [-(w**2), -2 * damping * w]]),
        np.array([[0.0], [-gain]]),
        np.eye(2),
        np.zeros((2, 1)),
    )
    drive = force - force.mean(axis=0)
    moved = np.stack([lsim(system, drive[:, k], time_s - time_s[0])[1] for k in range(3)], axis=2)
    displacement, velocity = moved[:, 0], moved[:, 1]
    return Wobble(displacement, velocity, -gain * drive - 2 * damping * w * velocity - w**2 * displacement)


def exponential(vector: np.ndarray) -> np.ndarray:
    """Return the rotations (n, 3, 3) of rotation vectors (n, 3), rad."""
    angle = np.linalg.norm(vector, axis=1)[:, None, None]
    x, y, z = vector.T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
    # np.sinc(x) is sin(pi x) / (pi x), and finite at zero.
    once, twice = np.sinc(angle / np.pi), 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    return np.eye(3) + once * cross + twice * cross @ cross


def turned_by_sliding(displacement: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Return the rotation vector of a sensor that slides on a round segment along y: n x delta / radius."""
    outward = np.array([position[0], 0.0, position[2]])
    size = np.linalg.norm(outward)
    normal = outward / size if size > 1e-3 else np.array([1.0, 0.0, 0.0])
    return np.cross(normal, displacement) / _CURVATURE_M


def _turned_rate(turn: np.ndarray, turning: np.ndarray) -> np.ndarray:
    """Return the angular rate in body axes of a frame turned by a rotation vector that changes."""
    angle = np.linalg.norm(turn, axis=1, keepdims=True)
    small = angle < 1e-4
    safe = np.where(small, 1.0, angle)
    first = np.where(small, 0.5, (1 - np.cos(safe)) / safe**2)
    second = np.where(small, 1 / 6, (safe - np.sin(safe)) / safe**3)
    once = np.cross(turn, turning)
    return turning + first * once + second * np.cross(turn, once)
