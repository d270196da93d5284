"""Checks of a recording: what cannot be true is refused, what is odd becomes a note.

The bounds are far from what walking and running give (mean specific force 10 to 32 m/s^2, angular rate 0.7 to
8 rad/s root mean square, for sensors from pelvis to foot at 1.3 to 3.5 m/s), so that only a wrong unit
crosses them.
"""

from __future__ import annotations

import numpy as np

from casadi_dynamics.errors import InputError, nearest
from casadi_dynamics.model import Model
from sspinn_opensim.recording.placement import joint_above
from sspinn_opensim.recording.types import AXES, PROXIMAL, Recording, Sensor

#: Mean magnitude of the specific force over all sensors, m/s^2: below, the file is in g; above, it was m/s^2
#: already.
_FORCE_BOUNDS = (4.0, 60.0)
#: Root mean square angular rate that no sensor on a person reaches, rad/s (2900 deg/s, beyond usual sensor
#: ranges).
_HIGHEST_RATE = 50.0
#: Movement without rotation: specific force varies by more than this (m/s^2) ...
_MOVING_FORCE = 2.0
#: ... while no sensor turns faster than this (rad/s, root mean square).
_HARDLY_TURNING = 0.15
#: Specific force at rest, and the departure from it that good sensors stay below, m/s^2.
_REST_FORCE, _REST_TOLERANCE = 9.81, 0.5
#: A sensor rests where, over this long, force varies by less and it turns more slowly than these.
_REST_S, _REST_FORCE_SPREAD, _REST_RATE = 0.5, 0.3, 0.2
#: Mean inclination against gravity that segments stay below in walking and running, feet included, degrees
#: (P01 of Dorschky et al. 2019: at most 37, the foot in running).
_LARGEST_LEAN_DEG = 60.0


def refuse_implausible(recording: Recording, where: str) -> None:
    """Refuse a recording whose unit must be wrong."""
    complete = np.count_nonzero(recording.acceleration_available, axis=1) >= 2
    if np.any(complete):
        magnitude = float(np.median(np.linalg.norm(recording.acceleration[:, complete], axis=2).mean(axis=0)))
        low, high = _FORCE_BOUNDS
        if not low <= magnitude <= high:
            raise InputError(
                "The unit of the accelerations cannot be right.",
                where=f"{where}, acceleration_unit",
                expected="about 9.8 m/s^2 on average: accelerometers feel gravity",
                found=f"{magnitude:.3g} m/s^2",
                fix=f'acceleration_unit = "{"g" if magnitude < low else "m/s^2"}"',
            )
    rate = _rms(recording.angular_rate)
    if rate.max() > _HIGHEST_RATE:
        sensor = recording.sensors[int(rate.argmax())].name
        raise InputError(
            "The unit of the angular rates cannot be right.",
            where=f"{where}, sensor '{sensor}', angular_rate_unit",
            expected=f"below {_HIGHEST_RATE:g} rad/s (root mean square)",
            found=f"{rate.max():.3g} rad/s",
            fix='angular_rate_unit = "deg/s"',
        )


def describe_doubts(recording: Recording) -> tuple[str, ...]:
    """Return one sentence for each thing that is odd but not impossible."""
    return (
        *recording.notes,
        *_constant_channels(recording),
        *_no_rotation(recording),
        *_rest(recording),
        *_not_upright(recording),
    )


def check_placement(sensors: tuple[Sensor, ...], model: Model, where: str = "the study") -> None:
    """Refuse a sensor whose body, joint or IMU frame the model does not have.

    Parameters
    ----------
    model : Model
        Scaled or not: only names count.
    """
    bodies = [body.name for body in model.bodies]
    frames = [frame.name for frame in model.imu_frames]
    joints = {joint.name: joint for joint in model.joints}
    for sensor in sensors:
        place = f"{where}, [sensors.{sensor.name}]"
        if sensor.imu_frame:
            _require_name("IMU frame", sensor.imu_frame, frames, model.name, place)
            continue
        _require_name("body", sensor.body, bodies, model.name, place)
        if sensor.origin and sensor.origin != PROXIMAL:
            _require_name("joint", sensor.origin, list(joints), model.name, place)
            joint = joints[sensor.origin]
            ends = (joint.parent.body, joint.child.body)
            if sensor.body not in ends and joint != joint_above(model, sensor.body):
                raise InputError(
                    f"Joint '{sensor.origin}' does not touch body '{sensor.body}'.",
                    where=f"{place} origin",
                    expected="a joint that connects the body to its neighbour",
                    found=f"a joint from '{ends[0]}' to '{ends[1]}'",
                    fix="name the joint at the near end of the segment",
                )


def _require_name(kind: str, name: str, known: list[str], model: str, where: str) -> None:
    if name not in known:
        raise InputError(
            f"The model '{model}' has no {kind} '{name}'.",
            where=where,
            expected="one of " + ", ".join(known) if known else f"the model has no {kind} at all",
            fix=nearest(name, known),
        )


def _rms(signal: np.ndarray) -> np.ndarray:
    """Root mean square magnitude of each sensor, (k,)."""
    return np.sqrt((signal**2).sum(axis=2).mean(axis=0))


def _constant_channels(recording: Recording) -> list[str]:
    doubts = []
    signals = (
        ("acceleration", recording.acceleration, recording.acceleration_available),
        ("angular rate", recording.angular_rate, recording.angular_rate_available),
    )
    for kind, signal, available in signals:
        for sensor, axis in np.argwhere(available & (np.ptp(signal, axis=0) == 0)):
            name, value = recording.sensors[sensor].name, signal[0, sensor, axis]
            doubts.append(
                f"Sensor '{name}': {kind} {AXES[axis]} is always {value:g}; leave a dead channel out."
            )
    return doubts


def _no_rotation(recording: Recording) -> list[str]:
    moves = np.any(np.std(recording.acceleration, axis=0) > _MOVING_FORCE)
    turns = float(_rms(recording.angular_rate).max())
    if moves and np.any(recording.angular_rate_available) and turns < _HARDLY_TURNING:
        return [
            f"The person moves but no sensor turns faster than {turns:.2g} rad/s (root mean square): "
            "are the angular rates in rad/s while the study says deg/s?"
        ]
    return []


def _rest(recording: Recording) -> list[str]:
    """Compare the specific force with gravity in the stillest moment of each sensor that has one."""
    n = round(_REST_S * recording.sampling_rate_hz)
    if n < 2 or recording.time_s.size < n:
        return []
    magnitude = np.linalg.norm(recording.acceleration, axis=2)
    turning = np.linalg.norm(recording.angular_rate, axis=2)
    force_windows = np.lib.stride_tricks.sliding_window_view(magnitude, n, axis=0)
    rate_windows = np.lib.stride_tricks.sliding_window_view(turning, n, axis=0)
    spread, rate, mean = np.ptp(force_windows, axis=2), rate_windows.max(axis=2), force_windows.mean(axis=2)
    doubts = []
    for index, sensor in enumerate(recording.sensors):
        if not np.all(recording.acceleration_available[index]):
            continue
        still = (spread[:, index] < _REST_FORCE_SPREAD) & (rate[:, index] < _REST_RATE)
        if not np.any(still):
            continue
        at_rest = float(np.median(mean[still, index]))
        if abs(at_rest - _REST_FORCE) > _REST_TOLERANCE:
            doubts.append(
                f"Sensor '{sensor.name}' reads {at_rest:.2f} m/s^2 at rest instead of {_REST_FORCE:g}: "
                "its accelerometer needs calibration."
            )
    return doubts


def _not_upright(recording: Recording) -> list[str]:
    """Compare the mean specific force with up: over whole strides it is gravity, felt by upright segments."""
    doubts = []
    mean = recording.acceleration.mean(axis=0)
    for index, sensor in enumerate(recording.sensors):
        if sensor.imu_frame or np.count_nonzero(recording.acceleration_available[index]) < 2:
            continue
        size = float(np.linalg.norm(mean[index]))
        angle_deg = float(np.degrees(np.arccos(np.clip(mean[index, 1] / max(size, 1e-9), -1.0, 1.0))))
        if angle_deg > _LARGEST_LEAN_DEG:
            doubts.append(
                f"Sensor '{sensor.name}' feels gravity {angle_deg:.0f} degrees off the y axis of its body on "
                "average: its axes in the study are probably wrong."
            )
    return doubts
