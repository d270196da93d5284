"""Checks of units: signals that are too large or too small for anybody's movement.

The bounds are far from what walking and running give (mean specific force 10 to 32 m/s^2, angular rate 0.3 to
8 rad/s root mean square, for sensors from trunk to foot at 0.7 to 3.5 m/s), so that only a wrong unit
crosses them.
"""

from __future__ import annotations

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.findings import Finding
from sspinn_opensim.recording.signals.magnitude import magnitudes, rms_magnitudes
from sspinn_opensim.recording.types import Recording
from sspinn_opensim.recording.units import ACCELERATION, GRAVITY

#: Mean magnitude of the specific force over all sensors, m/s^2: below, it is in g or without gravity; above,
#: it was m/s^2 already, or is in a smaller unit.
_FORCE_BOUNDS = (4.0, 60.0)
#: Over any time that begins and ends on the ground the mean specific force is gravity, so its mean magnitude
#: is no less: of one sensor below these parts of it the unit or a range is wrong. With two axes some of
#: gravity may lie along the third.
_LEAST_IN_G = {3: 0.8, 2: 0.6}
#: Units in which a magnitude near gravity may stand in a file, as m/s^2.
_OTHER_UNITS = {
    "g": GRAVITY,
    "mg": GRAVITY / 1000,
    "cm/s^2": 0.01,
    "mm/s^2": 0.001,
    "ft/s^2": 0.3048,
}
#: Mean magnitude of moving sensors, in units of gravity: standing to running.
_MEAN_IN_G = (0.85, 3.3)
#: Root mean square angular rate that no sensor on a person reaches, rad/s (2900 deg/s, beyond usual sensor
#: ranges); and that only feet of a sprinter reach.
_HIGHEST_RATE, _HIGH_RATE = 50.0, 20.0
#: Movement without rotation: specific force varies by more than this (m/s^2) ...
_MOVING_FORCE = 2.0
#: ... while no sensor turns faster than this (rad/s, root mean square).
_HARDLY_TURNING = 0.15
#: With gravity, the mean of the specific force along a sensor's own axes is most of its mean magnitude: 0.75
#: to 1 for walking, all sensors; without it the share is below 0.3.
_GRAVITY_SHARE = 0.5
#: Of two axes, forward and up, the mean along up is more than the first part of the mean magnitude, in the
#: median of the sensors: 0.53 and more in walking and running, real and virtual. Gravity lies along the third
#: axis where it is less, and the mean along both is less than the second part (else it is along forward), and
#: less than the third of gravity: people lean by less to the side.
_UP_SHARE, _IN_PLANE_SHARE, _IN_PLANE_IN_G = 0.4, 0.8, 0.6
_OTHER_AXES = (
    "give the axes that point forward (x) and up (y) on each segment: gravity seems to lie along the one "
    "that is missing; or, if gravity was removed, export the acceleration with it"
)


def refuse_implausible(recording: Recording, where: str, unit: str | None = None) -> None:
    """Refuse a recording whose unit must be wrong.

    Parameters
    ----------
    where : str
        File or study, for the message.
    unit : str, optional
        Unit of acceleration that the study states; empty: it states none; None: the format has none to state.
    """
    complete = np.count_nonzero(recording.acceleration_available, axis=1) >= 2
    if np.any(complete):
        magnitude = _mean_magnitude(recording)
        low, high = _FORCE_BOUNDS
        if (up := _up_across(recording)) is not None:
            raise InputError(
                "The accelerations hold no gravity along their two axes.",
                where=where,
                expected="gravity mostly along y",
                found=f"a mean along y of {100 * up:.0f} % of the mean magnitude, {magnitude:.3g} m/s^2",
                fix=_OTHER_AXES,
            )
        if not low <= magnitude <= high:
            raise InputError(
                "The unit of the accelerations cannot be right.",
                where=where if unit is None else f"{where}, acceleration_unit",
                expected="about 9.8 m/s^2 on average: accelerometers feel gravity",
                found=f"{magnitude:.3g} m/s^2" + (f' with acceleration_unit = "{unit}"' if unit else ""),
                fix=_unit_advice(recording, magnitude, unit or ""),
            )
    rate = rms_magnitudes(recording.angular_rate)
    if rate.max() > _HIGHEST_RATE:
        sensor = recording.sensors[int(rate.argmax())].name
        raise InputError(
            "The unit of the angular rates cannot be right.",
            where=f"{where}, sensor '{sensor}', angular_rate_unit",
            expected=f"below {_HIGHEST_RATE:g} rad/s (root mean square)",
            found=f"{rate.max():.3g} rad/s",
            fix='angular_rate_unit = "deg/s"',
        )


def check_units(recording: Recording) -> tuple[Finding, ...]:
    """Return signals whose magnitude no person's movement explains: of all sensors, or of one."""
    return (*_units(recording), *_weak(recording), *_no_rotation(recording))


def _units(recording: Recording) -> list[Finding]:
    """Return accelerations without gravity or in another unit, and angular rates in another unit."""
    found = []
    magnitude = _mean_magnitude(recording)
    low, high = _FORCE_BOUNDS
    if _without_gravity(recording):
        share = float(np.nanmedian(_gravity_shares(recording)))
        found.append(
            Finding(
                "serious",
                "free_acceleration",
                f"the accelerations hold no gravity: their mean is {100 * share:.0f} % of their mean "
                f"magnitude of {magnitude:.3g} m/s^2.",
                advice="export the acceleration with gravity, not free or linear acceleration",
            )
        )
    elif (up := _up_across(recording)) is not None:
        found.append(
            Finding(
                "serious",
                "gravity_direction",
                f"the accelerations hold no gravity along their two axes: their mean along y is "
                f"{100 * up:.0f} % of their mean magnitude of {magnitude:.3g} m/s^2.",
                advice=_OTHER_AXES,
            )
        )
    elif not low <= magnitude <= high:
        found.append(
            Finding(
                "serious",
                "acceleration_unit",
                f"the accelerations are {magnitude:.3g} m/s^2 on average instead of about {GRAVITY:.1f}.",
                advice=_unit_advice(recording, magnitude, ""),
            )
        )
    for sensor, rate in zip(recording.sensors, rms_magnitudes(recording.angular_rate), strict=True):
        if rate > _HIGH_RATE:
            found.append(
                Finding(
                    "serious",
                    "angular_rate_unit",
                    f"it turns at {rate:.3g} rad/s (root mean square), faster than anybody moves.",
                    sensor=sensor.name,
                    advice="they seem to be in deg/s: say so (angular_rate_unit, of a table), or export "
                    "rad/s",
                )
            )
    return found


def _weak(recording: Recording) -> list[Finding]:
    """Return sensors that feel less than gravity on average, where others do not."""
    if _without_gravity(recording) or _up_across(recording) is not None:
        return []  # told of all sensors
    if not _FORCE_BOUNDS[0] <= _mean_magnitude(recording) <= _FORCE_BOUNDS[1]:
        return []  # told of all sensors
    magnitude = magnitudes(recording.acceleration).mean(axis=0)
    axes = np.count_nonzero(recording.acceleration_available, axis=1)
    weak = [
        k
        for k, sensor in enumerate(recording.sensors)
        if magnitude[k] < GRAVITY * _LEAST_IN_G.get(int(axes[k]), 0.0) and (axes[k] == 3 or sensor.axes_known)
    ]
    return [
        Finding(
            "serious",
            "acceleration_unit",
            f"its specific force is {magnitude[k]:.3g} m/s^2 on average: gravity alone is {GRAVITY:.1f}.",
            sensor=recording.sensors[k].name,
            advice="look at its unit and scale, and whether it stopped on the way: export it anew",
        )
        for k in weak
    ]


def _no_rotation(recording: Recording) -> list[Finding]:
    """Return that nothing turns though the person moves: rad/s were taken for deg/s."""
    moves = np.any(np.std(recording.acceleration, axis=0) > _MOVING_FORCE)
    turns = float(rms_magnitudes(recording.angular_rate).max())
    if moves and np.any(recording.angular_rate_available) and turns < _HARDLY_TURNING:
        return [
            Finding(
                "serious",
                "angular_rate_unit",
                f"the person moves but no sensor turns faster than {turns:.2g} rad/s (root mean square).",
                advice="say that the angular rates are in rad/s (angular_rate_unit): they were taken as "
                "deg/s",
            )
        ]
    return []


def _mean_magnitude(recording: Recording) -> float:
    """Return the median over time of the mean magnitude over sensors, m/s^2; gravity if unknown."""
    complete = np.count_nonzero(recording.acceleration_available, axis=1) >= 2
    if not np.any(complete):
        return GRAVITY
    return float(np.median(magnitudes(recording.acceleration[:, complete]).mean(axis=0)))


def _gravity_shares(recording: Recording) -> np.ndarray:
    """Return how much of each sensor's mean magnitude its mean is, (k,); NaN where axes are missing."""
    mean = np.linalg.norm(recording.acceleration.mean(axis=0), axis=1)
    magnitude = magnitudes(recording.acceleration).mean(axis=0)
    whole = np.all(recording.acceleration_available, axis=1) & (magnitude > 0)
    return np.where(whole, mean / np.where(magnitude > 0, magnitude, 1.0), np.nan)


def _without_gravity(recording: Recording) -> bool:
    """Return whether most accelerometers hardly feel gravity: free acceleration was exported."""
    shares = _gravity_shares(recording)
    return bool(np.isfinite(shares).any() and np.nanmedian(shares) < _GRAVITY_SHARE)


def _up_across(recording: Recording) -> float | None:
    """Return the mean along y as a part of the mean magnitude where gravity is across two axes, else None.

    The median of the sensors of which forward and up are known alone, and said to be so.
    """
    known = recording.acceleration_available
    planar = [
        k
        for k, sensor in enumerate(recording.sensors)
        if sensor.axes_known and not sensor.imu_frame and known[k].tolist() == [True, True, False]
    ]
    magnitude = magnitudes(recording.acceleration[:, planar]).mean(axis=0)
    if not planar or not np.all(magnitude > 0):
        return None
    mean = recording.acceleration[:, planar].mean(axis=0)
    up, size = float(np.median(mean[:, 1] / magnitude)), np.linalg.norm(mean, axis=1)
    across = up < _UP_SHARE and np.median(size / magnitude) < _IN_PLANE_SHARE
    return up if across and np.median(size) < _IN_PLANE_IN_G * GRAVITY else None


def _unit_advice(recording: Recording, magnitude: float, unit: str) -> str:
    """Return what mends a magnitude that no unit of the study explains."""
    if _without_gravity(recording):
        return "export the acceleration with gravity: free or linear acceleration cannot be used"
    if magnitude == 0.0:
        return "every sample is zero: export the recording again, with the acceleration"
    low, high = _MEAN_IN_G
    # What was read does not say in which unit a study stated it.
    for stated in ("g", "mg") if not unit else ():
        if low <= magnitude / ACCELERATION[stated] / GRAVITY <= high:
            return f'acceleration_unit = "m/s^2": they were taken as {stated}'
    raw = magnitude / ACCELERATION.get(unit, 1.0)
    for name, factor in {"m/s^2": 1.0, **_OTHER_UNITS}.items():
        if name != unit and low <= raw * factor / GRAVITY <= high:
            return (
                f'acceleration_unit = "{name}"'
                if name in ACCELERATION
                else f"the file seems to be in {name}: convert it to m/s^2 or g"
            )
    return "neither m/s^2 nor g fits: find out the unit of the file and convert it to m/s^2"
