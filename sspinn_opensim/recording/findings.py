"""Findings about a recording: what is odd or wrong, how serious it is, and what a study accepts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from casadi_dynamics.errors import InputError
from sspinn_opensim.text import toml_table

#: A note says what was done; a doubt is looked at before results are believed; what is serious stops a
#: training unless the study accepts it by its key.
Severity = Literal["note", "doubt", "serious"]

_RANK: dict[Severity, int] = {"note": 0, "doubt": 1, "serious": 2}
_EACH = ("reading", "missing_signal")
#: Kind of finding -> what it means.
KINDS = {
    "reading": "what the reader did to the file",
    "rate": "the sampling rate that a file states is not that of its clock, or is low",
    "jitter": "the steps of a sensor's clock are uneven",
    "gaps": "samples are missing",
    "time_offset": "a sensor's clock is off against that of the others",
    "missing_signal": "specific force, angular rate, or a needed axis of one cannot be used",
    "saturation": "a channel stays at its largest value: the movement was larger than the sensor's range",
    "dead_channel": "a channel never changes",
    "duplicate": "two sensors have the same samples, or a stretch of them, however either is cut; "
    "or a part of a recording comes twice",
    "resting_magnitude": "a sensor that hardly moves does not read gravity",
    "free_acceleration": "gravity was removed from the accelerations",
    "acceleration_unit": "the accelerations are in another unit",
    "angular_rate_unit": "the angular rates are in another unit",
    "scale": "a gyroscope or an accelerometer reads too much or too little, or with an offset",
    "gyroscope_bias": "a gyroscope turns while the sensor rests",
    "gravity_direction": "gravity does not point down a segment that is upright on average",
    "upside_down": "a sensor is turned by half a turn against what the study says",
    "mirrored": "axes of an accelerometer or a gyroscope have the wrong sign, or are left-handed",
    "swapped_sides": "sensors of the left and the right side are exchanged",
    "swapped_segments": "a sensor moves like another segment than the one the study names",
    "frozen": "a sensor stops in the middle of a movement, repeats its samples, or lies still in gait",
    "smoothed": "a sensor's signals were smoothed, those of the others were not",
    "slipped": "a sensor leans otherwise in one part of the gait than in the other",
    "inconsistent": "a sensor's gyroscope does not turn as gravity in its accelerometer does",
    "place": "a sensor is placed where nobody wears one",
    "held_joint": "sensors turn against each other across a joint that is held",
    "person": "height and mass are hardly those of one person",
    "speed": "the speed that is stated is not that of the feet",
    "alignment": "how sensors are turned is known worse than usual",
    "no_standing": "nobody stands still",
    "no_gait": "nobody walks or runs",
}


@dataclass(frozen=True)
class Finding:
    """One thing about a recording that a user should know.

    Attributes
    ----------
    severity : {'note', 'doubt', 'serious'}
        How much it matters.
    kind : str
        A key of `KINDS`.
    sensor : str
        Name of the sensor; empty: the whole recording.
    evidence : str
        What was found, in a sentence with numbers.
    advice : str
        What to do; empty: nothing.
    """

    severity: Severity
    kind: str
    sensor: str = field(default="", kw_only=True)
    evidence: str
    advice: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no kind of finding: {self.kind}")

    @property
    def key(self) -> str:
        """What a study accepts it by: ``kind:sensor``, or the kind alone."""
        return f"{self.kind}:{self.sensor}" if self.sensor else self.kind

    @property
    def is_serious(self) -> bool:
        """Whether it stops a training."""
        return self.severity == "serious"

    def __str__(self) -> str:
        return _sentence(self.severity, [self.sensor] if self.sensor else [], self.evidence, self.advice)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"key": self.key, **asdict(self)}


def merged(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings without those that others of the same key, as serious or more so, say already.

    Of what the reader did, and of signals that are missing, each is something of its own.
    """
    worst: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        key = (finding.key, finding.evidence if finding.kind in _EACH else "")
        known = worst.get(key)
        if known is None or _RANK[finding.severity] > _RANK[known.severity]:
            worst[key] = finding
    return tuple(worst.values())


def sentences(findings: Iterable[Finding]) -> list[str]:
    """Return findings in words; what is the same of several sensors is said once."""
    alike: dict[tuple[str, ...], list[Finding]] = {}
    for f in findings:
        advice = f.advice.replace(toml_table("sensors", f.sensor), "[sensors.NAME]")
        same = (f.kind, f.severity, f.evidence, advice) if f.sensor else (f.key, str(f))
        alike.setdefault(same, []).append(f)
    return [
        str(each[0]) if len(each) == 1 else _sentence(same[1], [f.sensor for f in each], *same[2:])
        for same, each in alike.items()
    ]


def _sentence(severity: str, sensors: Sequence[str], evidence: str, advice: str) -> str:
    about = ", ".join(f"'{name}'" for name in sensors)
    if about:
        about = f"each of {about}: " if len(sensors) > 1 else f"sensor {about}: "
        evidence = f"{evidence[:1].lower()}{evidence[1:]}"
    if advice and "_" not in advice.split(maxsplit=1)[0]:  # keys stay as they are
        advice = f"{advice[:1].upper()}{advice[1:]}"
    advice = f" {advice}." if advice else ""
    return f"{severity}: {about}{evidence}{advice}"


def unaccepted(findings: Iterable[Finding], accepted: Collection[str]) -> tuple[Finding, ...]:
    """Return the serious findings that a study does not accept.

    Parameters
    ----------
    accepted : collection of str
        Kinds, or ``kind:sensor``.
    """
    return tuple(f for f in findings if f.is_serious and not {f.kind, f.key} & {*accepted})


def refuse_serious(findings: Iterable[Finding], accepted: Collection[str], where: str) -> None:
    """Refuse a recording with serious findings that the study does not accept.

    Parameters
    ----------
    accepted : collection of str
        As for `unaccepted`.
    where : str
        The study.

    Raises
    ------
    InputError
        With every such finding, and the key that accepts it.
    """
    left = unaccepted(findings, accepted)
    if left:
        first = left[0]
        keys = ", ".join(f'"{key}"' for key in dict.fromkeys(f.key for f in left))
        raise InputError(
            "Something is wrong with the recording."
            if len(left) == 1
            else f"{len(left)} things are wrong with the recording.",
            where=where,
            # What to do about the first, and about others likewise, is the fix.
            found="; ".join(
                str(replace(f, advice="") if f.advice == first.advice else f).removeprefix("serious: ")
                for f in left
            ),
            fix=(f"{first.advice}; or, " if first.advice else "")
            + f"if it is meant so, accepted = [{keys}] under [recording]",
        )
