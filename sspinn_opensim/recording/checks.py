"""Checks of a recording: what cannot be true, and what is odd.

The bounds are far from what walking and running give (mean specific force 10 to 32 m/s^2, angular rate 0.3 to
8 rad/s root mean square, for sensors from trunk to foot at 0.7 to 3.5 m/s), so that only a wrong unit
crosses them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.closed_gaps import check_closed_gaps
from sspinn_opensim.recording.findings import Finding
from sspinn_opensim.recording.foot_speed import speed_estimate
from sspinn_opensim.recording.magnitude import magnitudes, rms_magnitudes
from sspinn_opensim.recording.phases import GAIT, Phase, phases
from sspinn_opensim.recording.rest import GRAVITY
from sspinn_opensim.recording.shocks import check_shocks
from sspinn_opensim.recording.types import Recording
from sspinn_opensim.recording.units import ACCELERATION
from sspinn_opensim.recording.wear import check_slips, check_worn

#: Mean magnitude of the specific force over all sensors, m/s^2: below, it is in g or without gravity; above,
#: it was m/s^2 already, or is in a smaller unit.
_FORCE_BOUNDS = (4.0, 60.0)
#: Over any time that begins and ends on the ground the mean specific force is gravity, so its mean magnitude
#: is no less: of one sensor below these parts of it the unit or a range is wrong. With two axes some of
#: gravity may lie along the third.
_LEAST_IN_G = {3: 0.8, 2: 0.6}
#: Dead reckoning is within 3 % of the belts of six treadmill recordings, within 12 % on the others of the
#: public ones; a stated speed that is off by more than these parts of it is doubted, or refused.
_SPEED_DOUBTED, _SPEED_REFUSED = 0.25, 0.5
#: Nobody takes more steps a minute: sprinters take 300 (5 Hz; Salo et al. 2011, Med Sci Sports Exerc 43).
_MOST_STEPS_PER_MIN = 330.0
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
#: Mean inclination against gravity that segments stay below in walking and running, feet included, degrees
#: (P01 of Dorschky et al. 2019: at most 37, the foot in running); and from which a sensor is upside down.
_LARGEST_LEAN_DEG, _UPSIDE_DOWN_DEG = 60.0, 120.0
#: Bias of a gyroscope that rest did not tell, rad/s: consumer parts have 3 deg/s at most (data sheets).
_LARGE_BIAS = np.radians(5.0)
#: A clock is off if what is felt departs from it by so many standard deviations, and by this at least: a
#: shock takes 0.02 s through the body; s.
_CERTAIN_OFFSET, _SMALL_OFFSET_S = 5.0, 0.1
#: Shorter standing leaves an alignment by gravity to chance, and is too short for a gyroscope's bias, s.
_SHORTEST_STANDING_S, _BIAS_STANDING_S = 0.5, 1.0


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


def find_faults(recording: Recording, found_phases: tuple[Phase, ...] | None = None) -> tuple[Finding, ...]:
    """Return everything that is odd or wrong about a recording, as far as its signals tell.

    Parameters
    ----------
    found_phases : tuple of Phase, optional
        Those of the recording, where they are at hand.
    """
    notes = (Finding("note", "reading", "", note) for note in recording.notes)
    found_phases = phases(recording) if found_phases is None else found_phases
    return (
        *notes,
        *recording.findings,
        *_missing(recording),
        *_units(recording),
        *_weak(recording),
        *_no_rotation(recording),
        *check_worn(recording, found_phases),
        *check_slips(recording, found_phases),
        *check_closed_gaps(recording, found_phases),
        *check_shocks(recording, found_phases),
        *_speed(recording, found_phases),
        *_cadence(found_phases),
        *_not_upright(recording),
        *_time_offsets(recording),
        *_bias(recording, found_phases),
        *_movement(recording, found_phases),
    )


def longest_standing(found: Sequence[Phase], at_least_s: float) -> Phase | None:
    """Return the longest phase of standing, if it lasts so long."""
    standing = [p for p in found if p.kind == "standing" and p.duration_s > at_least_s]
    return max(standing, key=lambda phase: phase.duration_s, default=None)


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
    shares = _gravity_shares(recording)
    return bool(np.isfinite(shares).any() and np.nanmedian(shares) < _GRAVITY_SHARE)


def _unit_advice(recording: Recording, magnitude: float, unit: str) -> str:
    """Return what mends a magnitude that no unit of the study explains."""
    if _without_gravity(recording):
        return "export the acceleration with gravity: free or linear acceleration cannot be used"
    if magnitude == 0.0:
        return "every sample is zero: export the recording again, with the acceleration"
    low, high = _MEAN_IN_G
    raw = magnitude / ACCELERATION.get(unit, 1.0)
    for name, factor in {"m/s^2": 1.0, **_OTHER_UNITS}.items():
        if name != unit and low <= raw * factor / GRAVITY <= high:
            return (
                f'acceleration_unit = "{name}"'
                if name in ACCELERATION
                else f"the file seems to be in {name}: convert it to m/s^2 or g"
            )
    return "neither m/s^2 nor g fits: find out the unit of the file and convert it to m/s^2"


def _missing(recording: Recording) -> list[Finding]:
    """Return signals of which a sensor has no channel: serious where no sensor has one."""
    found = []
    for words, export, known in (
        ("specific force", "the acceleration with gravity", recording.acceleration_available),
        ("angular rate", "angular rate", recording.angular_rate_available),
    ):
        lacking = np.logical_not(np.asarray(known.any(axis=1)))
        if lacking.all():
            found.append(
                Finding(
                    "serious",
                    "missing_signal",
                    "",
                    f"no sensor has {words} that can be used.",
                    f"export {export}, or name the columns of a table that hold it",
                )
            )
            continue
        found += [
            Finding(
                "doubt",
                "missing_signal",
                sensor.name,
                f"it has no {words} that can be used: angles and forces at its segment are less certain.",
                f"export {export}",
            )
            for sensor, lacks in zip(recording.sensors, lacking, strict=True)
            if lacks
        ]
    return found


def _units(recording: Recording) -> list[Finding]:
    found = []
    magnitude = _mean_magnitude(recording)
    low, high = _FORCE_BOUNDS
    if _without_gravity(recording):
        share = float(np.nanmedian(_gravity_shares(recording)))
        found.append(
            Finding(
                "serious",
                "free_acceleration",
                "",
                f"the accelerations hold no gravity: their mean is {100 * share:.0f} % of their mean "
                f"magnitude of {magnitude:.3g} m/s^2.",
                "export the acceleration with gravity, not free or linear acceleration",
            )
        )
    elif not low <= magnitude <= high:
        found.append(
            Finding(
                "serious",
                "acceleration_unit",
                "",
                f"the accelerations are {magnitude:.3g} m/s^2 on average instead of about {GRAVITY:.1f}.",
                _unit_advice(recording, magnitude, ""),
            )
        )
    for sensor, rate in zip(recording.sensors, rms_magnitudes(recording.angular_rate), strict=True):
        if rate > _HIGH_RATE:
            found.append(
                Finding(
                    "serious",
                    "angular_rate_unit",
                    sensor.name,
                    f"it turns at {rate:.3g} rad/s (root mean square), faster than anybody moves.",
                    "say that the angular rates are in deg/s (angular_rate_unit)",
                )
            )
    return found


def _weak(recording: Recording) -> list[Finding]:
    """Return sensors that feel less than gravity on average, where others do not."""
    magnitude = magnitudes(recording.acceleration).mean(axis=0)
    axes = np.count_nonzero(recording.acceleration_available, axis=1)
    weak = [
        k
        for k, sensor in enumerate(recording.sensors)
        if magnitude[k] < GRAVITY * _LEAST_IN_G.get(int(axes[k]), 0.0) and (axes[k] == 3 or sensor.axes_known)
    ]
    if _without_gravity(recording) or not _FORCE_BOUNDS[0] <= _mean_magnitude(recording) <= _FORCE_BOUNDS[1]:
        return []  # told of all sensors
    return [
        Finding(
            "serious",
            "acceleration_unit",
            recording.sensors[k].name,
            f"its specific force is {magnitude[k]:.3g} m/s^2 on average: gravity alone is {GRAVITY:.1f}.",
            "look at its unit and scale, and whether it stopped on the way: export it anew",
        )
        for k in weak
    ]


def _speed(recording: Recording, found: tuple[Phase, ...]) -> list[Finding]:
    """Hold the stated speed against that by which feet walk."""
    stated, walked = recording.speed_m_s, speed_estimate(recording, found)
    if not stated or walked is None or recording.cycle_s is not None:
        return []
    off = max(stated / walked.speed_m_s, walked.speed_m_s / stated) - 1.0
    if off < _SPEED_DOUBTED:
        return []
    return [
        Finding(
            "doubt" if off < _SPEED_REFUSED else "serious",
            "speed",
            "",
            f"the stated speed is {stated:.3g} m/s, the feet walk at {walked.speed_m_s:.3g} m/s "
            f"({walked.how}).",
            "look at speed_m_s (metres a second, of a treadmill that of the belt), at the units and at the "
            "sampling rate; or leave speed_m_s out",
        )
    ]


def _cadence(found: tuple[Phase, ...]) -> list[Finding]:
    """Refuse steps that nobody takes: the clock is wrong."""
    most = max((phase.cadence_steps_per_min or 0.0 for phase in found), default=0.0)
    if most < _MOST_STEPS_PER_MIN:
        return []
    return [
        Finding(
            "serious",
            "rate",
            "",
            f"the person takes {most:.0f} steps a minute, sprinters at most 300.",
            "find out the sampling rate, and the unit of time: the clock runs too fast",
        )
    ]


def _no_rotation(recording: Recording) -> list[Finding]:
    moves = np.any(np.std(recording.acceleration, axis=0) > _MOVING_FORCE)
    turns = float(rms_magnitudes(recording.angular_rate).max())
    if moves and np.any(recording.angular_rate_available) and turns < _HARDLY_TURNING:
        return [
            Finding(
                "serious",
                "angular_rate_unit",
                "",
                f"the person moves but no sensor turns faster than {turns:.2g} rad/s (root mean square).",
                "say that the angular rates are in rad/s (angular_rate_unit): they were taken as deg/s",
            )
        ]
    return []


def _not_upright(recording: Recording) -> list[Finding]:
    """Compare the mean specific force with up: over whole strides it is gravity, felt by upright segments."""
    found = []
    mean = recording.acceleration.mean(axis=0)
    for index, sensor in enumerate(recording.sensors):
        # Which way an IMU frame points, and a sensor whose axes are unknown, is not said.
        if sensor.imu_frame or not sensor.axes_known:
            continue
        if np.count_nonzero(recording.acceleration_available[index]) < 2:
            continue
        size = float(np.linalg.norm(mean[index]))
        angle_deg = float(np.degrees(np.arccos(np.clip(mean[index, 1] / max(size, 1e-9), -1.0, 1.0))))
        if angle_deg > _LARGEST_LEAN_DEG:
            over = angle_deg > _UPSIDE_DOWN_DEG
            found.append(
                Finding(
                    "serious",
                    "upside_down" if over else "gravity_direction",
                    sensor.name,
                    f"it feels gravity {angle_deg:.0f} degrees off the y axis of its body on average.",
                    "correct its axes in the study"
                    if over
                    else "correct its axes in the study, or leave them out and let the alignment find them",
                )
            )
    return found


def _bias(recording: Recording, found: tuple[Phase, ...]) -> list[Finding]:
    """Return gyroscopes that still turn on average in the longest standing, after what reading took away."""
    longest = longest_standing(found, _BIAS_STANDING_S)
    if longest is None:
        return []
    time_s = recording.time_s
    rates = recording.angular_rate[(time_s >= longest.from_s) & (time_s <= longest.to_s)]
    doubts = []
    for k, sensor in enumerate(recording.sensors):
        bias = float(np.linalg.norm(rates[:, k].mean(axis=0)))
        # Who sways more than that may turn a little, too.
        if bias > max(_LARGE_BIAS, float(np.linalg.norm(rates[:, k].std(axis=0)))):
            doubts.append(
                Finding(
                    "doubt",
                    "gyroscope_bias",
                    sensor.name,
                    f"its gyroscope reads {np.degrees(bias):.1f} deg/s on average while the person stands.",
                    "let the sensor rest for a moment after it is switched on",
                )
            )
    return doubts


def _time_offsets(recording: Recording) -> list[Finding]:
    """Return sensors whose clock is off against that of others by what both feel, and that was left so."""
    clocks = recording.clocks
    if clocks is None:
        return []
    found = []
    for clock in clocks.sensors:
        offset = clock.impact_offset
        if offset is None or offset.corrected:
            continue
        late_s = abs(offset.offset_s)
        if late_s > max(_CERTAIN_OFFSET * offset.deviation_s, _SMALL_OFFSET_S):
            found.append(
                Finding(
                    "serious",
                    "time_offset",
                    clock.sensor,
                    f"it feels steps {late_s:.2f} s {'after' if offset.offset_s > 0 else 'before'} "
                    f"'{offset.other}' (standard deviation {offset.deviation_s:.2f} s).",
                    "start all sensors by one command, or export them with a common clock",
                )
            )
    return found


def _movement(recording: Recording, found: tuple[Phase, ...]) -> list[Finding]:
    doubts = []
    if recording.cycle_s is None and not any(phase.kind in GAIT for phase in found):
        doubts.append(
            Finding(
                "doubt",
                "no_gait",
                "",
                "nobody walks or runs: no movement repeats from stride to stride.",
                "give a recording with some strides",
            )
        )
    still_s = max((p.duration_s for p in found if p.kind == "standing"), default=0.0)
    if still_s < _SHORTEST_STANDING_S and not all(s.axes_known for s in recording.sensors):
        doubts.append(
            Finding(
                "note",
                "no_standing",
                "",
                f"nobody stands still for {_SHORTEST_STANDING_S:g} s.",
                "stand still for two seconds next time: how sensors are turned is then known better",
            )
        )
    return doubts
