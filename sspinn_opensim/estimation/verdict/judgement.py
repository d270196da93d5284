"""Verdict on a training: is what is left of the loss like that of good recordings, and if not, what is off.

Each measure of a `Fit` has a level, calibrated on good recordings of real people (``python -m
benchmarks.fit_levels``), in the sagittal plane and in space apart: a log-normal distribution, whose middle
may grow with how violently the sensors move. What lies beyond one limit is told, beyond the other it makes
the verdict bad.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from sspinn_opensim.anatomy import SIDES, other_side, segment_of, without_side
from sspinn_opensim.estimation.verdict.fit import Fit, SensorFit
from sspinn_opensim.files import read_json, write_json

LEVELS_FILE = Path(__file__).with_name("fit_levels.json")
_OF_KIND = {
    "made_from": [str],
    "levels": {str: {"middle": float, "power": float, "unusual": float, "bad": float}},
}
_SHAPE = {"plane": _OF_KIND, "space": _OF_KIND}
#: What a loss term beyond its level says; terms of sensors are judged sensor by sensor instead.
_TERMS = {
    "root_residual": "the forces on the feet do not carry the motion",
    "sideways_balance": "the forces on the feet tip the body sideways",
    "contact_height": "feet carry load off the floor",
    "contact_speed": "feet that carry load move over the floor",
    "penetration": "feet sink into the floor",
    "friction": "feet pull more than friction holds",
    "force_change": "the forces on the feet jump",
    "load_transfer": "load jumps between heel and toes",
    "torque": "the joint moments are large",
    "joint_limits": "joints are held at the end of their range",
    "unfelt_joints": "joints that move no sensor are far from their usual posture",
    "vertical_consistency": "the height of the body and its speed do not belong together",
    "torque_output": "the joint moments are not those that the motion needs",
}
#: Below these a measure is as good as zero: noise of a good training.
_LEAST = {
    "term": 0.02,
    "turned_deg": 1.0,
    "delay_s": 0.005,
    "uneven": 1.1,
    "uneven_deg": 2.0,
    "speed": 0.03,
    "share": 0.02,
}
#: Part of what is beyond the levels, as sums of logarithms, that makes one leg the one to look at.
_ONE_LEG = 0.8
#: So many findings are told where there is little room.
_TOLD = 5
#: Times the limit below which one decimal would say that nothing is above it.
_JUST_ABOVE = 1.05
#: What a user can do about a bad verdict; the report says it too.
ADVICE = (
    "train for as many steps as are usual (400, better 600 in space; 250 from a network that was trained "
    "before) if there were fewer; then see how the sensors that are named sit: sspinn check"
)
#: The same, of the network that is shipped, as it is.
ADVICE_AS_SHIPPED = (
    "fit the network to this recording: sspinn adapt STUDY --from builtin, with an --out of its own; then "
    "see how the sensors that are named sit: sspinn check"
)


@dataclass(frozen=True)
class Level:
    """How large a measure is in good recordings.

    Attributes
    ----------
    middle : float
        Median where the sensors' accelerations vary by 1 m/s^2.
    power : float
        With which it grows with that variation.
    unusual, bad : float
        Times the median, the limits beyond which it is told, and makes the verdict bad.
    """

    middle: float
    power: float
    unusual: float
    bad: float

    def expected(self, intensity_m_s2: float) -> float:
        """Return the median at a variation of the accelerations."""
        return self.middle * intensity_m_s2**self.power


@dataclass(frozen=True)
class Measure:
    """One number of a fit that has a level.

    Attributes
    ----------
    level : str
        Name of the level; sensors on the same kind of segment share one.
    value : float
        Positive.
    says : str
        What it means if it is too large, with the number in plain units.
    sensor : str
        Body of the sensor that it is about, if it is about one.
    told_only : bool
        Whether it never makes the verdict bad, as some people are so by nature, or some sensors sit so.
    """

    level: str
    value: float
    says: str
    sensor: str = ""
    told_only: bool = False


@dataclass(frozen=True)
class FitVerdict:
    """Whether a training came out as those of good recordings do.

    Attributes
    ----------
    failures : tuple of str
        What is far from them: the estimate is not to be trusted. Sensors come first, the farthest before
        others.
    warnings : tuple of str
        What is unusual, in the same order.
    advice : str
        What to do if it is not to be trusted.
    """

    failures: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    advice: str = ADVICE

    @property
    def ok(self) -> bool:
        """Whether nothing is far from good recordings."""
        return not self.failures

    def __str__(self) -> str:
        if self.ok and not self.warnings:
            return "the estimate fits the signals as those of good recordings do"
        head = "the estimate does NOT fit the signals as those of good recordings do; do not trust it"
        told = "the estimate fits the signals as those of good recordings do, with something unusual"
        notes = self.notes()
        left = len(notes) - _TOLD
        more = [f"  and {left} more finding{'s' if left > 1 else ''}, in fit.json"] if left > 0 else []
        more += [] if self.ok else [f"  what to do: {self.advice}"]
        return "\n".join([told if self.ok else head, *(f"  {text}" for text in notes[:_TOLD]), *more])

    def notes(self) -> tuple[str, ...]:
        """Return all findings, the failures first."""
        return (
            *(f"fit: {text}" for text in self.failures),
            *(f"fit, unusual: {text}" for text in self.warnings),
        )


def judge(fits: Mapping[int, Fit | None], levels: Mapping[str, Level] | None = None) -> FitVerdict:
    """Return the verdict on the fits of all seeds, each held against levels.

    Parameters
    ----------
    fits : mapping of int to Fit or None
        By seed; None where the recording was too short to look at.
    levels : mapping of str to Level, optional
        By default those that come with the package, for the plane or for space.
    """
    failures: list[_Finding] = []
    warnings: list[_Finding] = []
    for seed, fit in fits.items():
        of_seed = f"seed {seed}: " if len(fits) > 1 else ""
        if fit is None:
            short = f"{of_seed}the recording is too short for a verdict"
            warnings.append(_Finding(of_sensor=False, beyond=1.0, text=short))
            continue
        known = known_levels(kind_of(fit)) if levels is None else levels
        for measure in measures(fit):
            level = known.get(measure.level)
            if level is None:
                continue
            times = measure.value / level.expected(fit.intensity_m_s2)
            if times > level.unusual:
                beyond = times / level.unusual
                text = f"{of_seed}{measure.says} ({_times(beyond)} the most that is usual)"
                bad = times > level.bad and not measure.told_only
                finding = _Finding(bool(measure.sensor), beyond, text, measure.sensor)
                (failures if bad else warnings).append(finding)
    told = (*_leg(failures, warnings), *(found.text for found in sorted(failures, reverse=True)))
    return FitVerdict(told, tuple(found.text for found in sorted(warnings, reverse=True)))


def _times(beyond: float) -> str:
    return f"{beyond:.1f} times" if beyond >= _JUST_ABOVE else "just above"


class _Finding(NamedTuple):
    """One finding; they are sorted by it."""

    of_sensor: bool
    beyond: float
    text: str
    body: str = ""


def _leg(failures: Sequence[_Finding], warnings: Sequence[_Finding]) -> Iterator[str]:
    """Give which leg to look at, where its sensors fit far worse: faults spread along a leg."""
    beyond, bad = dict.fromkeys(SIDES.values(), 0.0), set()
    for found in (*failures, *warnings):
        segment = segment_of(found.body) if found.body else None
        if segment and segment[1]:
            beyond[segment[1]] += math.log(found.beyond)
            bad |= {segment[1]} if found in failures else set()
    side = max(beyond, key=lambda name: beyond[name])
    if side in bad and beyond[side] > _ONE_LEG * sum(beyond.values()):
        yield f"look first at the sensors of the {side} leg: most of what is off is there"


def write_fit(fits: Mapping[int, Fit | None], verdict: FitVerdict, file: Path) -> None:
    """Write the verdict on all seeds, with what it was formed from."""
    write_json(
        file,
        {
            "ok": verdict.ok,
            "failures": list(verdict.failures),
            "warnings": list(verdict.warnings),
            "advice": "" if verdict.ok else verdict.advice,
            "seeds": {str(seed): fit.to_json() for seed, fit in fits.items() if fit is not None},
        },
    )


def measures(fit: Fit) -> Iterator[Measure]:
    """Give every number of a fit that can be held against a level."""
    for name, what in _TERMS.items():
        if name in fit.terms:
            joints = _worst_joint(fit) if name == "joint_limits" else ""
            value = max(fit.terms[name], _LEAST["term"])
            yield Measure(f"term.{name}", value, f"{what}{joints}: {name} {fit.terms[name]:.2g}")
    for sensor in fit.sensors:
        yield from _of_sensor(sensor, fit.planar)
    yield from _uneven(fit.sensors)
    yield from _uneven_angles(fit.mean_angles_deg)
    if fit.speed_share is not None:
        off = abs(math.log(max(fit.speed_share, 0.01)))
        yield Measure(
            "speed",
            max(off, _LEAST["speed"]),
            f"speed: the motion goes at {100 * fit.speed_share:.0f} % of the speed that the study states",
        )


def _of_sensor(sensor: SensorFit, planar: bool) -> Iterator[Measure]:
    kind, what = _kind(sensor), _called(sensor)
    for share, misfit, unit, signal, name in (
        (sensor.acceleration_share, sensor.acceleration_m_s2, "m/s²", "acceleration", "acceleration"),
        (sensor.angular_rate_share, sensor.angular_rate_rad_s, "rad/s", "angular rate", "angular_rate"),
    ):
        if share is not None and misfit is not None:
            yield Measure(
                f"{name}.{kind}",
                max(share, _LEAST["share"]),
                f"{what}: {misfit:.3g} {unit} of its {signal} are not explained, {100 * share:.0f} % of how "
                "it varies",
                sensor.body,
            )
    yield Measure(
        "turned",
        max(sensor.turned_deg, _LEAST["turned_deg"]),
        f"{what}: turned by {sensor.turned_deg:.1f} deg against how it is said to sit",
        sensor.body,
        # In space also about axes of which gravity says nothing, by as much as they are uncertain.
        told_only=not planar,
    )
    word = "late" if sensor.delay_s > 0 else "early"
    yield Measure(
        f"delay.{kind}",
        max(abs(sensor.delay_s), _LEAST["delay_s"]),
        f"{what}: its signals come {1000 * abs(sensor.delay_s):.0f} ms {word}",
        sensor.body,
    )


def _uneven(sensors: Sequence[SensorFit]) -> Iterator[Measure]:
    """Give how much worse a sensor fits than its like on the other side."""
    for name, signal in (("acceleration_share", "acceleration"), ("angular_rate_share", "angular rate")):
        pairs: dict[str, list[SensorFit]] = {}
        for sensor in sensors:
            if getattr(sensor, name) is not None:
                pairs.setdefault(_kind(sensor), []).append(sensor)
        for kind, pair in pairs.items():
            if len(pair) == 2:
                better, worse = sorted(pair, key=lambda sensor: getattr(sensor, name))
                ratio = getattr(worse, name) / max(getattr(better, name), _LEAST["share"])
                yield Measure(
                    f"uneven_{name.removesuffix('_share')}.{kind}",
                    max(ratio, _LEAST["uneven"]),
                    f"{_called(worse)}: its {signal} fits {ratio:.1f} times worse "
                    f"than that of '{better.sensor}' on the other side",
                    worse.body,
                )


def _uneven_angles(mean_deg: Mapping[str, float]) -> Iterator[Measure]:
    """Give how far the mean angles of both sides differ: a turned sensor bends one leg alone."""
    for name, angle in mean_deg.items():
        joint, side = without_side(name)
        other = mean_deg.get(other_side(name)) if side == "r" else None
        if other is not None:
            yield Measure(
                f"uneven_angle.{joint}",
                max(abs(angle - other), _LEAST["uneven_deg"]),
                f"{joint}: right and left differ by {abs(angle - other):.0f} deg on average, as of a sensor "
                "that sits otherwise than said, or of someone who moves unevenly",
                told_only=True,
            )


def _called(sensor: SensorFit) -> str:
    """Return a sensor by its name, and where it sits if that says more."""
    return f"sensor '{sensor.sensor}'" + ("" if sensor.sensor == sensor.body else f" on {sensor.body}")


def _kind(sensor: SensorFit) -> str:
    found = segment_of(sensor.body)
    return found[0] if found else "other"


def _worst_joint(fit: Fit) -> str:
    name = max(fit.beyond_limits_deg, key=lambda key: fit.beyond_limits_deg[key], default="")
    return f", most of all {name}" if name else ""


def kind_of(fit: Fit) -> str:
    """Return which levels a fit is held against: ``plane`` or ``space``."""
    return "plane" if fit.planar else "space"


@cache
def read_levels() -> dict[str, dict]:
    """Read what ``python -m benchmarks.fit_levels`` wrote: recordings and levels, for plane and space."""
    return read_json(LEVELS_FILE, _SHAPE, "write them anew with python -m benchmarks.fit_levels")


def known_levels(kind: str) -> Mapping[str, Level]:
    """Return the levels that come with the package, for ``plane`` or ``space``."""
    return {name: Level(**level) for name, level in read_levels()[kind]["levels"].items()}
