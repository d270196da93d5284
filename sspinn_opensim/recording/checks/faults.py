"""Checks of a recording: everything that its signals say is odd or wrong."""

from __future__ import annotations

import numpy as np

from sspinn_opensim.recording.checks.closed_gaps import check_closed_gaps
from sspinn_opensim.recording.checks.shocks import check_shocks
from sspinn_opensim.recording.checks.units import check_units
from sspinn_opensim.recording.checks.wear import check_slips, check_worn
from sspinn_opensim.recording.findings import Finding
from sspinn_opensim.recording.movement.foot_speed import speed_estimate
from sspinn_opensim.recording.movement.phases import GAIT, Phase, longest_standing, phases
from sspinn_opensim.recording.types import Recording

#: Dead reckoning is within 3 % of the belts of six treadmill recordings, within 12 % on the others of the
#: public ones; a stated speed that is off by more than these parts of it is doubted, or refused.
_SPEED_DOUBTED, _SPEED_REFUSED = 0.25, 0.5
#: Nobody takes more steps a minute: sprinters take 300 (5 Hz; Salo et al. 2011, Med Sci Sports Exerc 43).
_MOST_STEPS_PER_MIN = 330.0
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


def find_faults(recording: Recording, found_phases: tuple[Phase, ...] | None = None) -> tuple[Finding, ...]:
    """Return everything that is odd or wrong about a recording, as far as its signals tell.

    Parameters
    ----------
    found_phases : tuple of Phase, optional
        Those of the recording, where they are at hand.
    """
    notes = (Finding("note", "reading", note) for note in recording.notes)
    found_phases = phases(recording) if found_phases is None else found_phases
    return (
        *notes,
        *recording.findings,
        *_missing(recording),
        *check_units(recording),
        *check_worn(recording, found_phases),
        *check_slips(recording, found_phases),
        *check_closed_gaps(recording, found_phases),
        *check_shocks(recording, found_phases),
        *_speed(recording, found_phases),
        *_cadence(found_phases),
        *_not_upright(recording, found_phases),
        *_time_offsets(recording),
        *_bias(recording, found_phases),
        *_movement(recording, found_phases),
    )


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
                    f"no sensor has {words} that can be used.",
                    advice=f"export {export}, or name the columns of a table that hold it",
                )
            )
            continue
        found += [
            Finding(
                "doubt",
                "missing_signal",
                f"it has no {words} that can be used: angles and forces at its segment are less certain.",
                sensor=sensor.name,
                advice=f"export {export}",
            )
            for sensor, lacks in zip(recording.sensors, lacking, strict=True)
            if lacks
        ]
    return found


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
            f"the stated speed is {stated:.3g} m/s, the feet walk at {walked.speed_m_s:.3g} m/s "
            f"({walked.how}).",
            advice="look at speed_m_s (metres a second, of a treadmill that of the belt), at the units and "
            "at the sampling rate; or leave speed_m_s out",
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
            f"the person takes {most:.0f} steps a minute, sprinters at most 300.",
            advice="find out the sampling rate, and the unit of time: the clock runs too fast",
        )
    ]


def _not_upright(recording: Recording, doing: tuple[Phase, ...]) -> list[Finding]:
    """Compare the mean specific force with up: over whole strides it is gravity, felt by upright segments."""
    found = []
    # Before sensors were put on they may have lain otherwise.
    gait, time_s = np.zeros(len(recording.time_s)), recording.time_s
    for phase in doing:
        if phase.kind in GAIT:
            gait[(time_s >= phase.from_s) & (time_s <= phase.to_s)] = 1.0
    counts = gait if gait.any() else np.ones(len(gait))
    mean = np.tensordot(counts / counts.sum(), recording.acceleration, axes=1)
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
                    f"it feels gravity {angle_deg:.0f} degrees off the y axis of its body on average.",
                    sensor=sensor.name,
                    advice="correct its axes in the study"
                    if over
                    else "correct its axes in the study, or let the alignment find them: leave them out, and "
                    'for a table write method = "signals" under [alignment]',
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
                    f"its gyroscope reads {np.degrees(bias):.1f} deg/s on average while the person stands.",
                    sensor=sensor.name,
                    advice="let the sensor rest for a moment after it is switched on",
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
                    f"it feels steps {late_s:.2f} s {'after' if offset.offset_s > 0 else 'before'} "
                    f"'{offset.other}' (standard deviation {offset.deviation_s:.2f} s).",
                    sensor=clock.sensor,
                    advice="start all sensors by one command, or export them with a common clock",
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
                "nobody walks or runs: no movement repeats from stride to stride.",
                advice="give a recording with some strides",
            )
        )
    still_s = max((p.duration_s for p in found if p.kind == "standing"), default=0.0)
    if still_s < _SHORTEST_STANDING_S and not all(s.axes_known for s in recording.sensors):
        doubts.append(
            Finding(
                "note",
                "no_standing",
                f"nobody stands still for {_SHORTEST_STANDING_S:g} s.",
                advice="stand still for two seconds next time: how sensors are turned is then known better",
            )
        )
    return doubts
