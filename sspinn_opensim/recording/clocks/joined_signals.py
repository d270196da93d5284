"""Joined signals: accelerations and angular rates of one sensor that were sampled at times of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.clocks.grid import LONGEST_FILLED_S, missing_around
from sspinn_opensim.recording.clocks.stream_clock import StreamClock, stream_clock
from sspinn_opensim.recording.resample import interpolate
from sspinn_opensim.recording.streams import Stream

#: Two signals of one sensor have at least this share of their time in common.
_TOGETHER = 0.5
_MOVED = (
    "Accelerations and angular rates have files of their own: the slower ones are brought to the times of "
    "the others by a cubic spline."
)
_FROM_ZERO = "Times of both start at zero, which is taken to be one moment."


def joined(force: Stream, rate: Stream, recorded_rate_hz: float | None) -> Stream:
    """Return one stream of both files of a sensor, at the times of the one that is sampled faster.

    The other is a cubic spline through its samples, and missing where it was not measured.

    Raises
    ------
    InputError
        If their times have no common origin, or one holds another signal than its name says.
    """
    if force.acceleration is None or rate.angular_rate is None or force.angular_rate is not None:
        raise InputError(
            "The name of a file says another signal than its columns.",
            where=force.file if force.acceleration is None or force.angular_rate is not None else rate.file,
            expected=f"accelerations alone in {force.file.name}, angular rates in {rate.file.name}",
            fix="rename the file",
        )
    notes = tuple(dict.fromkeys((*force.notes, *rate.notes)))
    if _same_rows(force, rate):
        return replace(force, angular_rate=rate.angular_rate, notes=notes, others=(rate.file,))
    signals = {"acceleration": force, "angular_rate": rate}
    clocks = {name: stream_clock(stream, recorded_rate_hz) for name, stream in signals.items()}
    _refuse_apart(list(clocks.values()), force, rate)
    faster, slower = sorted(signals, key=lambda name: -clocks[name].rate_hz)
    clock, ends = clocks[faster], clocks[slower].time_s[[0, -1]]
    common = (ends[0] <= clock.time_s) & (clock.time_s <= ends[1])
    rows, lead = clock.kept[common], signals[faster]
    own = {
        name: array[rows]
        for name in (faster, "time_s", "counter")
        if (array := getattr(lead, name)) is not None
    }
    own[slower] = _at(getattr(signals[slower], slower), clocks[slower], clock.time_s[common])
    own |= {"name": force.name, "file": force.file, "others": (rate.file,), "lines": None}
    from_zero = all(clock.time_s[0] == 0.0 for clock in clocks.values())
    return replace(lead, notes=(*notes, _MOVED, *([_FROM_ZERO] if from_zero else [])), **own)


def _same_rows(force: Stream, rate: Stream) -> bool:
    """Return whether both files have the same samples: by time or counter, else by how many they are."""
    if len(force) != len(rate):
        return False
    pairs = ((force.time_s, rate.time_s), (force.counter, rate.counter))
    return all(
        (one is None and other is None)
        or (one is not None and other is not None and np.array_equal(one, other))
        for one, other in pairs
    )


def _refuse_apart(clocks: Sequence[StreamClock], force: Stream, rate: Stream) -> None:
    """Refuse two files whose times say nothing of each other."""
    starts, ends = ([clock.time_s[k] for clock in clocks] for k in (0, -1))
    common, whole = min(ends) - max(starts), max(ends) - min(starts)
    if all(clock.shared for clock in clocks) and common > _TOGETHER * whole:
        return
    raise InputError(
        "Accelerations and angular rates of a sensor have no clock in common.",
        where=force.file,
        expected="columns of time with one origin, such as that since 1970",
        found=f"{starts[0]:.8g} to {ends[0]:.8g} s; in {rate.file.name} {starts[1]:.8g} to {ends[1]:.8g} s",
        fix="join both into one table with a column of time, acc_x ... gyro_z",
    )


def _at(signal: np.ndarray, clock: StreamClock, time_s: np.ndarray) -> np.ndarray:
    """Return a signal (n, 3) of a clock at other times (m,), (m, 3)."""
    own = signal[clock.kept]
    measured = np.isfinite(own).any(axis=0)
    valid = np.isfinite(own[:, measured]).all(axis=1)
    found = np.full((len(time_s), 3), np.nan)
    if valid.sum() < 2:
        return found
    known_s = clock.time_s[valid]
    found[:, measured] = interpolate(known_s, own[valid][:, measured], time_s)
    found[missing_around(known_s, time_s, clock) > LONGEST_FILLED_S + 1e-9] = np.nan
    return found
