"""People who train one network together."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from typing import Any

import numpy as np

from casadi_dynamics.compiled import TorchFunction
from casadi_dynamics.errors import InputError
from sspinn_opensim.training.signals import Signals
from sspinn_opensim.training.subject import Subject

#: Name of the member where a person trains alone.
ONE_PERSON = "person"


@dataclass(frozen=True)
class Member:
    """A person in a trial: a name of its own in the cohort, the body, and the signals.

    Attributes
    ----------
    person : str
        Whose trial it is. The trials of one person share what is learnt about the mounting of the sensors;
        left empty, the member is a person of its own.
    """

    name: str
    subject: Subject
    signals: Signals
    person: str = ""


@dataclass(frozen=True)
class Cohort:
    """People, or trials, that train one network together: bodies of one topology with equal sensors.

    Raises
    ------
    InputError
        If there is no member, two share a name, or one has another model, other sensors or another sampling
        rate than the first.
    """

    members: tuple[Member, ...]

    def __post_init__(self) -> None:
        if not self.members:
            raise InputError("The cohort has no members.", fix="name at least one study to train on")
        names = self.names
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise InputError(
                f"Two members of the cohort are called '{twice}'.",
                fix="give the studies different names: name = ... at the top of each",
            )
        first, *others = ((member.name, member_topology(member)) for member in self.members)
        for name, found in others if len(self.members) > 1 else ():
            check_topology(found, first[1], name, first[0])

    def __reduce__(self) -> tuple[Any, ...]:
        # What is compiled is made again in another process.
        return Cohort, (self.members,)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the members."""
        return tuple(member.name for member in self.members)

    @cached_property
    def dynamics(self) -> TorchFunction:
        """The compiled dynamics, one program for all; who is meant is said by its parameters."""
        return self.members[0].subject.compiled()


def single_person_cohort(subject: Subject, signals: Signals) -> Cohort:
    """Return a cohort of one."""
    return Cohort((Member(ONE_PERSON, subject, signals),))


def member_topology(member: Member) -> dict:
    """Return `topology` of a member."""
    signals = member.signals
    accelerometer, gyroscope = signals.acceleration_channels.numpy(), signals.rate_channels.numpy()
    return topology(member.subject, accelerometer, gyroscope, 1.0 / signals.step_s)


def topology(
    subject: Subject, accelerometer: np.ndarray, gyroscope: np.ndarray, sampling_rate_hz: float
) -> dict:
    """Return what people who share a network have in common, in plain values, by a readable name.

    Parameters
    ----------
    accelerometer, gyroscope : (k, 3) bool arrays
        Channels of acceleration and angular rate that the network sees.
    """
    functions = subject.functions
    bodies = [frame.body for frame in functions.imu_frames]
    kinds = (("acceleration", accelerometer), ("angular rate", gyroscope))
    return {
        "sampling_rate_hz": round(sampling_rate_hz, 6),
        "coordinates": list(functions.coordinates),
        "fixed coordinates": sorted(subject.fixed),
        "sensors": bodies,
        "channels": [f"{bodies[i]} {kind} {'xyz'[j]}" for kind, used in kinds for i, j in np.argwhere(used)],
        "contact points": list(functions.contact_points),
        "parameters": list(functions.parameter_names),
        "program": hashlib.sha256(subject.dynamics.serialize().encode()).hexdigest(),
    }


def check_topology(found: dict, expected: dict, name: str, other: str) -> None:
    """Refuse a person whose topology is another one; the message names the first difference."""
    for key, value in expected.items():
        if found[key] == value:
            continue
        here, there = _difference(found[key], value)
        raise InputError(
            f"'{name}' cannot share a network with '{other}': {_MEANING.get(key, f'other {key}')}.",
            where=f"member '{name}'",
            expected=f"{there} as in '{other}'",
            found=here,
            fix=_FIX.get(key, "use the same model and the same sensors, in the same order, for all"),
        )


_MEANING = {
    "sampling_rate_hz": "another sampling rate",
    "program": "the equations of the models differ beyond sizes and masses",
}
_FIX = {
    "sampling_rate_hz": "give all studies the same sampling_rate_hz in [recording]",
    "fixed coordinates": "fix the same coordinates in all studies ([coordinates] fixed)",
}


def _difference(found: Any, expected: Any) -> tuple[str, str]:
    if not isinstance(found, list):
        return str(found)[:60], str(expected)[:60]
    pairs = zip_longest(found, expected, fillvalue="nothing more")
    place, (here, there) = next((i, pair) for i, pair in enumerate(pairs, 1) if pair[0] != pair[1])
    return f"{here} (number {place} of {len(found)})", f"{there} (number {place} of {len(expected)})"
