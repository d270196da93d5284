"""The clock of one stream: number and time of each of its samples, and how fast it runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.streams import Stream

#: If more than this share of a sensor's samples is missing, nothing is made of it.
MOST_MISSING = 0.5
#: Two rates that differ by more than this share cannot be one: quartz is off by less than 0.01 %, the
#: oscillator inside a sensor chip by up to 1 % (data sheets; an x-IMU3 runs at 398 Hz for 400), and rates get
#: rounded.
LARGEST_DRIFT = 0.02
#: By the rounding of binary numbers alone a clock strays by less than this fraction of a step.
EXACT = 1e-3
#: A clock rounded to decimals strays by up to one unit of its last decimal from the line between its ends,
#: which are rounded too. Beyond this fraction of a step rounding is not told from jitter.
_LARGEST_ROUNDING = 0.25
#: Decimals of a clock that are looked for.
_MOST_DECIMALS = 7
#: No wearable sensor samples more slowly than this; a larger step is a time in milliseconds or a row number.
_LONGEST_STEP_S = 0.2
#: From this many steps on at least one sample is missing between two; below, one is late. Where steps vary by
#: more than this standard deviation, as a share of a step, one may be later: by four standard deviations.
_LOST, _UNEVEN = 1.5, 0.12
#: A sample that follows sooner than this fraction of a step repeats the one before.
_REPEATED = 0.1
#: Beyond this share of repeated times it is the clock that is too coarse.
MOST_REPEATED = 0.2


@dataclass(frozen=True, eq=False)
class StreamClock:
    """Times of the samples of a stream.

    Attributes
    ----------
    kept : (n,) array of int
        Indices of the samples that are used: repeated ones are not.
    number : (n,) array of int
        Number of each, from 0; lost samples leave holes.
    time_s : (n,) array
        Time of each, s, on the clock of the stream.
    rate_hz : float
        Samples a second, holes counted.
    shared : {'time', 'counter', ''}
        What other streams may have in common with it: an origin of time stamps, one of counters, or nothing.
    repeated : int
        Samples that were dropped.
    notes : tuple of str
        What the clock is like, one sentence each.
    even : bool
        Whether the sensor sampled evenly, so that `time_s` is a line through `number`.
    latest_steps : float
        Steps after which a sample is missing and not late.
    """

    kept: np.ndarray
    number: np.ndarray
    time_s: np.ndarray
    rate_hz: float
    shared: str
    repeated: int
    notes: tuple[str, ...]
    even: bool
    latest_steps: float = _LOST

    @property
    def step_s(self) -> float:
        """Time between two samples, s."""
        return 1.0 / self.rate_hz

    @property
    def lost(self) -> int:
        """Number of samples that are missing between the first and the last."""
        return int(self.number[-1]) + 1 - len(self.number)


def stream_clock(stream: Stream, recorded_rate_hz: float | None = None) -> StreamClock:
    """Return the clock of a stream.

    A counter tells which samples were lost, and that the others were taken evenly; time stamps tell how fast.
    Without a counter stamps tell both. Without both samples follow each other at the rate that file or study
    state.

    Parameters
    ----------
    recorded_rate_hz : float, optional
        The rate that the study states.

    Raises
    ------
    InputError
        If nothing states the rate, two statements contradict each other, time or counter run backwards, time
        is not in seconds, or there are fewer than two samples.
    """
    _refuse_too_few(stream, np.arange(len(stream)))
    if stream.counter is not None:
        return _with_enough(_counted(stream, recorded_rate_hz), stream)
    if stream.time_s is not None:
        return _with_enough(_stamped(stream, recorded_rate_hz), stream)
    rate = _rate(stream, None, recorded_rate_hz)
    number = np.arange(len(stream))
    return StreamClock(number, number, number / rate, rate, "", 0, (), even=True)


def apart(first_hz: float | None, second_hz: float | None) -> bool:
    """Say whether two rates are known and cannot be one."""
    return bool(first_hz and second_hz and abs(first_hz / second_hz - 1.0) > LARGEST_DRIFT)


def decimals_of(time_s: np.ndarray) -> int:
    """Return how many decimals the times are written with, at most 7."""
    within = max(1e-9, float(np.spacing(np.max(np.abs(time_s)))))  # of a date, numbers hold 0.2 us
    close = (np.allclose(time_s, np.round(time_s, n), rtol=0.0, atol=within) for n in range(_MOST_DECIMALS))
    return next((n for n, holds in enumerate(close) if holds), _MOST_DECIMALS)


def _with_enough(clock: StreamClock, stream: Stream) -> StreamClock:
    """Refuse a clock that jumps over more samples than there are, such as from one day to the next."""
    count = int(clock.number[-1]) + 1
    if count > max(len(clock.number) / (1 - MOST_MISSING), 2):
        hole = int(np.argmax(np.diff(clock.number)))
        lost = int(clock.number[hole + 1] - clock.number[hole]) - 1
        raise InputError(
            f"Most samples of the sensor '{stream.name}' are missing.",
            where=_place(stream, int(clock.kept[hole + 1])),
            expected=f"at least half of {count}",
            found=f"{len(clock.number)}; before this one {lost} are missing",
            fix="use the part of the file before or after the gap, leave the sensor out, or record again",
        )
    return clock


def _counted(stream: Stream, recorded_rate_hz: float | None) -> StreamClock:
    assert stream.counter is not None
    counter = np.asarray(stream.counter, dtype=np.int64)
    back = np.flatnonzero(np.diff(counter) < 0)
    if back.size:
        raise InputError(
            "The counter of the samples runs backwards.",
            where=_place(stream, int(back[0]) + 1),
            expected=f"more than {counter[back[0]]}",
            found=str(counter[back[0] + 1]),
            fix="split the file where a new recording starts",
        )
    kept = np.flatnonzero(np.diff(counter, prepend=counter[0] - 1) > 0)
    _refuse_too_few(stream, kept)
    number = counter[kept] - counter[0]
    measured, start_s, shared = None, float(counter[0]), "counter"
    if stream.time_s is not None and np.all(np.isfinite(stream.time_s[kept])) and number[-1] > 0:
        time_s = stream.time_s[kept]
        _refuse_other_units(stream, time_s)
        # A line through all stamps: single ones may be late.
        slope, start_s = np.polyfit(number - number.mean(), time_s, 1)
        start_s -= slope * number.mean()
        if slope <= 0:
            raise InputError(
                "Time does not increase while the counter of the samples does.",
                where=stream.file,
                found=f"{time_s[0]:g} to {time_s[-1]:g} s for '{stream.name}'",
                fix="export the time again, or without it, and state the rate in the study",
            )
        measured, shared = 1.0 / slope, "time"
    rate = _rate(stream, measured, recorded_rate_hz)
    if shared == "counter":
        start_s /= rate
    repeated = len(counter) - len(kept)
    return StreamClock(kept, number, start_s + number / rate, rate, shared, repeated, (), even=True)


def _stamped(stream: Stream, recorded_rate_hz: float | None) -> StreamClock:
    assert stream.time_s is not None
    time_s = np.asarray(stream.time_s, dtype=float)
    if not np.all(np.isfinite(time_s)):
        row = int(np.flatnonzero(~np.isfinite(time_s))[0])
        raise InputError("Time is not a number.", where=_place(stream, row), found=str(time_s[row]))
    _refuse_other_units(stream, time_s)
    back = np.flatnonzero(np.diff(time_s) < 0)
    if back.size:
        row = int(back[0]) + 1
        raise InputError(
            "Time does not increase.",
            where=_place(stream, row),
            expected=f"at least {time_s[row - 1]:.6g} s",
            found=f"{time_s[row]:.6g} s",
            fix="sort the rows by time, or split the file where a new recording starts",
        )
    kept = _not_repeated(time_s)
    repeated = len(time_s) - len(kept)
    if repeated > MOST_REPEATED * len(time_s):
        return _coarsely_stamped(stream, recorded_rate_hz)
    _refuse_too_few(stream, kept)
    time_s = time_s[kept]
    number, latest = _numbers(time_s)
    step = (time_s[-1] - time_s[0]) / number[-1]
    rate = _rate(stream, 1.0 / step, recorded_rate_hz)
    line = time_s[0] + step * number
    stray = float(np.max(np.abs(time_s - line)))
    even, notes = stray <= EXACT * step, ()
    if not even:
        strays = f"The clock strays from even steps of {1000 * step:.4g} ms by up to {1000 * stray:.2g} ms"
        decimals = decimals_of(time_s)
        even = stray <= min(1.001 * 10.0**-decimals, _LARGEST_ROUNDING * step)
        if even:
            notes = (f"{strays}, as its {decimals} decimals explain: samples are taken as even.",)
        else:
            notes = (f"{strays}: signals are interpolated to even steps.",)
            # Of stamps that jitter the ends alone say less than all.
            rate = 1.0 / float(np.polyfit(number - number.mean(), time_s, 1)[0])
    return StreamClock(kept, number, line if even else time_s, rate, "time", repeated, notes, even, latest)


def _coarsely_stamped(stream: Stream, recorded_rate_hz: float | None) -> StreamClock:
    """Return the clock of samples of which many have one time, such as whole seconds: they are counted."""
    assert stream.time_s is not None
    count, duration_s = len(stream), float(stream.time_s[-1] - stream.time_s[0])
    stated = recorded_rate_hz or stream.rate_hz
    # The stamps may be late by one of their own steps at either end.
    coarse_s = float(np.max(np.diff(stream.time_s)))
    if stated is None or abs(duration_s - count / stated) > LARGEST_DRIFT * duration_s + 2 * coarse_s:
        raise InputError(
            "Many samples have the same time.",
            where=stream.file,
            expected="a time of its own for each sample, or the rate at which they follow each other",
            found=f"{count} samples of '{stream.name}' within {duration_s:g} s, steps up to {coarse_s:g} s",
            fix="write recorded_rate_hz = ... under [recording] of the study",
        )
    number = np.arange(count)
    note = f"Times in steps of {coarse_s:g} s are too coarse: samples are counted at {stated:g} Hz."
    time_s = float(stream.time_s[0]) + number / stated
    return StreamClock(number, number, time_s, stated, "time", 0, (note,), even=True)


def _not_repeated(time_s: np.ndarray) -> np.ndarray:
    """Return the indices of samples that do not follow at once on one that is kept."""
    steps = np.diff(time_s)
    least = _REPEATED * float(np.median(steps[steps > 0])) if np.any(steps > 0) else np.inf
    if np.all(steps >= least):
        return np.arange(len(time_s))
    kept = [0]
    for row in range(1, len(time_s)):
        if time_s[row] - time_s[kept[-1]] >= least:
            kept.append(row)
    return np.array(kept)


def _numbers(time_s: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the number of each sample, (n,), and after how many steps one is missing."""
    steps = np.diff(time_s)
    typical, latest = float(np.median(steps)), _LOST
    number = np.arange(len(time_s))
    for _ in range(3):
        near = steps[steps < 2.0 * typical] / typical
        spread = float(np.std(near)) if near.size else 0.0
        latest = _LOST if spread < _UNEVEN else 1.0 + 4.0 * spread
        missing = np.where(steps < latest * typical, 1.0, np.round(steps / typical))
        number = np.concatenate([[0], np.cumsum(missing)]).astype(np.int64)
        # The mean is better than the median of a clock that is rounded.
        typical = float(time_s[-1] - time_s[0]) / float(number[-1])
    return number, latest


def _refuse_too_few(stream: Stream, kept: np.ndarray) -> None:
    if len(kept) < 2:
        raise InputError(
            "A recording needs at least two samples.",
            where=stream.file,
            found=f"{len(kept)} of '{stream.name}' that differ in time",
        )


def _rate(stream: Stream, measured_hz: float | None, recorded_rate_hz: float | None) -> float:
    """Return the rate of a stream, or refuse statements of it that contradict each other."""
    stated = stream.rate_hz
    if measured_hz is None and stated is None and recorded_rate_hz is None:
        raise InputError(
            "The recording does not say its sampling rate.",
            where=stream.file,
            expected="the rate that was set when it was recorded",
            fix="write recorded_rate_hz = ... under [recording] of the study",
        )

    known = measured_hz or stated
    if apart(known, recorded_rate_hz):
        raise InputError(
            "The sampling rate of the study is not that of the recording.",
            where=stream.file,
            expected=f"{known:.5g} Hz, as " + ("its time stamps say" if measured_hz else "the file says"),
            found=f"recorded_rate_hz = {recorded_rate_hz:g}",
            fix="leave recorded_rate_hz out",
        )
    if apart(measured_hz, stated) and recorded_rate_hz is None:
        raise InputError(
            "The file contradicts itself on its sampling rate.",
            where=stream.file,
            expected=f"{stated:g} Hz, as it says",
            found=f"{measured_hz:.5g} Hz by its time stamps",
            fix=f"if the stamps are right, write recorded_rate_hz = {measured_hz:.4g} under [recording]",
        )
    rate = measured_hz or recorded_rate_hz or stated
    assert rate is not None
    return float(rate)


def _refuse_other_units(stream: Stream, time_s: np.ndarray) -> None:
    """Refuse a time that is no time in seconds, and say what it seems to be."""
    step = float(np.median(np.diff(time_s))) if len(time_s) > 1 else 0.0
    if step <= _LONGEST_STEP_S:
        return
    if step == 1.0 and np.all(time_s == np.round(time_s)):
        fix = "it is a counter of samples, time is that divided by the rate: write recorded_rate_hz = ... "
        fix += "under [recording] of the study"
    elif step > 1000.0:
        fix = "write time in seconds; these look like microseconds"
    else:
        fix = "write time in seconds; divide milliseconds by 1000"
    raise InputError(
        "Time is not in seconds.",
        where=stream.file,
        expected=f"steps below {_LONGEST_STEP_S:g} s",
        found=f"steps of {step:g}",
        fix=fix,
    )


def _place(stream: Stream, row: int) -> str:
    where = (
        f"line {stream.lines[row]}" if stream.lines is not None else f"sample {row + 1} of '{stream.name}'"
    )
    return f"{stream.file}, {where}"
