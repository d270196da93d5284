"""Samples of single sensors as a network brings them, and the message that they come in by UDP.

A message is one JSON object in one datagram, UTF-8, of at most `LARGEST_MESSAGE` bytes::

    {"sensor": "shank_r", "time_s": 12.34, "counter": 1234,
     "acceleration_m_s2": [0.1, 9.8, 0.2], "angular_rate_rad_s": [0.0, 0.1, 0.0]}

or ``{"samples": [...]}`` with up to `MOST_SAMPLES` of these. ``time_s`` is when it was measured, by the
sensor's clock; ``counter`` numbers the samples of a sensor and may be left out. Vectors are along the
sensor's own axes, the acceleration with gravity (at rest 9.8 m/s^2 upward); ``null`` stands for an axis that
is not measured. Other keys are not read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

LARGEST_MESSAGE, MOST_SAMPLES = 65_507, 64
#: No sensor that people wear measures more: 500 g, and 175 rad/s (10,000 deg/s).
LARGEST_ACCELERATION, LARGEST_RATE = 5000.0, 175.0
#: A clock that shows more (30,000 years) is none, s.
_LARGEST_TIME_S = 1e12
_LARGEST_COUNTER = 2**63


@dataclass(frozen=True)
class SampleClock:
    """The clock that the times of samples are of.

    Attributes
    ----------
    shared : bool
        Whether all sensors have this one; else each has its own.
    of_machine : bool
        Whether it is this machine's monotonic clock.
    speed : float
        Seconds that pass on it in one second of this machine: not 1 where a recording is played faster.
    """

    shared: bool = True
    of_machine: bool = False
    speed: float = 1.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What one sensor measured at one time.

    Attributes
    ----------
    sensor : int
        Its place among the sensors of the study.
    time_s : float
        On its own clock.
    signals : (6,) ndarray
        Specific force (m/s^2) and angular rate (rad/s) along its own axes; NaN where not measured.
    counter : int or None
        Number of the sample.
    """

    sensor: int
    time_s: float
    signals: np.ndarray
    counter: int | None = None


class RefusedError(ValueError):
    """What came is no sample; the text, one of a few, says why."""


def checked_sample(
    sensor: int, time_s: float, signals: Iterable[float], counter: int | None = None
) -> Sample:
    """Return a sample of numbers that a sensor can have measured.

    Raises
    ------
    RefusedError
        They are not.
    """
    values = np.fromiter(signals, float)
    if len(values) != 6:
        raise RefusedError("not three accelerations and three angular rates")
    if not abs(time_s) <= _LARGEST_TIME_S:
        raise RefusedError("the time is no number, or too large")
    # Comparisons with NaN, an axis that is not measured, are false.
    if (np.abs(values[:3]) > LARGEST_ACCELERATION).any() or (np.abs(values[3:]) > LARGEST_RATE).any():
        raise RefusedError("no sensor measures as much")
    return Sample(sensor, float(time_s), values, counter)


def read_message(data: bytes, places: Mapping[str, int]) -> list[Sample]:
    """Return the samples of a message.

    Parameters
    ----------
    places : mapping of str to int
        Place of each sensor by its name.

    Raises
    ------
    RefusedError
        It is no such message, or one of its sensors is not of the study.
    """
    if len(data) > LARGEST_MESSAGE:
        raise RefusedError("the message is too long")
    try:
        content = json.loads(data, parse_constant=_refuse_constant)
    except RecursionError:
        raise RefusedError("values too deep in each other") from None
    except ValueError as error:
        raise error if isinstance(error, RefusedError) else RefusedError("no JSON") from None
    if not isinstance(content, dict):
        raise RefusedError("no JSON object")
    entries = content.get("samples", [content])
    if not isinstance(entries, list) or len(entries) > MOST_SAMPLES:
        raise RefusedError("'samples' is no list, or too long")
    return [_sample(entry, places) for entry in entries]


def message_of(samples: Iterable[Sample], names: tuple[str, ...]) -> bytes:
    """Return the message of some samples."""
    entries = []
    for sample in samples:
        values = [None if math.isnan(value) else value for value in sample.signals.tolist()]
        entry: dict[str, Any] = {"sensor": names[sample.sensor], "time_s": sample.time_s}
        if sample.counter is not None:
            entry["counter"] = sample.counter
        entries.append(entry | {"acceleration_m_s2": values[:3], "angular_rate_rad_s": values[3:]})
    return json.dumps(entries[0] if len(entries) == 1 else {"samples": entries}, allow_nan=False).encode()


def _sample(entry: object, places: Mapping[str, int]) -> Sample:
    if not isinstance(entry, dict):
        raise RefusedError("no JSON object")
    name, time_s, counter = entry.get("sensor"), entry.get("time_s"), entry.get("counter")
    if not isinstance(name, str) or name not in places:
        raise RefusedError("a sensor that the study does not name")
    if not isinstance(time_s, int | float) or not _is_number(time_s):
        raise RefusedError("the time is no number, or too large")
    whole = isinstance(counter, int) and not isinstance(counter, bool) and abs(counter) < _LARGEST_COUNTER
    if counter is not None and not whole:
        raise RefusedError("'counter' is no whole number")
    signals = [_vector(entry.get(key)) for key in ("acceleration_m_s2", "angular_rate_rad_s")]
    return checked_sample(places[name], time_s, [*signals[0], *signals[1]], counter)


def _vector(values: object) -> list[float]:
    if not isinstance(values, list) or len(values) != 3:
        raise RefusedError("not three accelerations and three angular rates")
    if not all(value is None or _is_number(value) for value in values):
        raise RefusedError("a number is missing, or too large")
    return [math.nan if value is None else float(value) for value in values]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST_TIME_S


def _refuse_constant(name: str) -> NoReturn:
    raise RefusedError(f"the number {name} is no JSON")
