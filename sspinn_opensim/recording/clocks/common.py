"""Clocks of sensors: streams that each have their own become signals on one uniform clock.

Samples that were taken evenly, at the rate of all, are handed on bit for bit. Everything else is a cubic
spline through the samples at their times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.anatomy import segment_of
from sspinn_opensim.recording.choices import RecordingChoice
from sspinn_opensim.recording.clocks.grid import LONGEST_FILLED_S, Grid, on_grid
from sspinn_opensim.recording.clocks.impact_offsets import impact_offsets
from sspinn_opensim.recording.clocks.notes import clock_notes
from sspinn_opensim.recording.clocks.stream_clock import (
    EXACT,
    LARGEST_DRIFT,
    StreamClock,
    stream_clock,
)
from sspinn_opensim.recording.provenance import Clocks, ImpactOffset, SensorClock
from sspinn_opensim.recording.signals.runs import true_runs
from sspinn_opensim.recording.streams import Stream

#: Counters, or time stamps, that start within this of each other count from one origin, s.
_SAME_ORIGIN_S = 5.0
#: What sensors have in common -> how far apart their clocks may be by what they feel, s. Counters of one
#: origin are those of sensors that are synchronized.
_OFFSET_WITHIN_S = {"start": 10.0, "time": 2.0}
#: A time stamp beyond this counts from an epoch, not from a moment of the recording's day, s.
_EPOCH_S = 86400.0


@dataclass(frozen=True, eq=False)
class Common:
    """Signals of k sensors on one clock, in the sensors' own axes.

    Parameters
    ----------
    time_s : (n,) array
        Uniform time in s: that of the files, if they have one and it is no date; else from 0.
    acceleration, angular_rate : (n, k, 3) array
        Zero where a channel is not available.
    acceleration_available, angular_rate_available : (k, 3) array of bool
        Which channels were measured.
    usable : (n,) array of bool
        False where a sensor misses too many samples in a row.
    clocks : Clocks
        What was done.
    notes : tuple of str
        The same in sentences, after those of the readers.
    """

    time_s: np.ndarray
    acceleration: np.ndarray
    angular_rate: np.ndarray
    acceleration_available: np.ndarray
    angular_rate_available: np.ndarray
    usable: np.ndarray
    clocks: Clocks
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Placed:
    """All k sensors on the common clock: both signals (n, k, 3), and of each sensor what was done to it.

    Of the time (n,) that is missing around each sample, s, the longest of all sensors is kept.
    """

    grid: Grid
    acceleration: np.ndarray
    angular_rate: np.ndarray
    available: np.ndarray
    missing_s: np.ndarray
    filled: list[int]
    left_out: list[int]
    interpolated: list[bool]


def on_one_clock(
    streams: Sequence[Stream], choice: RecordingChoice, segments: Sequence[tuple[str, str] | None] = ()
) -> Common:
    """Return the signals of streams on one uniform clock.

    Parameters
    ----------
    segments : sequence of k pairs of str, or None
        Segment and side that carry each sensor, as far as they are known: only with them are clocks compared
        by what the sensors feel.

    Raises
    ------
    InputError
        If a stream has no clock that can be used (`stream_clock`), more than half of its samples are missing,
        or the streams have no time in common.
    """
    stream_clocks = [stream_clock(stream, choice.recorded_rate_hz) for stream in streams]
    common_from, times = _shared_times(stream_clocks, streams)
    placed = _all_on_grid(streams, stream_clocks, times, choice)
    offsets: dict[str, ImpactOffset] = {}
    if common_from in _OFFSET_WITHIN_S:
        carriers = segments or [segment_of(stream.segment) for stream in streams]
        offsets, times = _impact_offsets(streams, carriers, placed, times, common_from)
        if any(one.corrected for one in offsets.values()):
            placed = _all_on_grid(streams, stream_clocks, times, choice)
    # A date is no time that anyone compares a result with.
    stamped = common_from in ("one clock", "time") and stream_clocks[0].shared == "time"
    start_s = placed.grid.start_s
    origin_s = 0.0 if stamped and abs(start_s) < _EPOCH_S else start_s
    time_s = placed.grid.time_s - origin_s
    usable = placed.missing_s <= LONGEST_FILLED_S + 1e-9
    if not usable.any():
        worst = streams[int(np.argmax(placed.left_out))].name
        raise InputError(
            "At no time have all sensors measured.",
            where=choice.file,
            fix=f"leave the sensor out that misses most: '{worst}'",
        )
    clocks = Clocks(
        rate_hz=1.0 / placed.grid.step_s,
        common_from=common_from,
        sensors=tuple(
            SensorClock(
                sensor=stream.name,
                rate_hz=clock.rate_hz,
                offset_s=float(time[0] - min(t[0] for t in times)),
                lost=clock.lost,
                filled=placed.filled[k],
                repeated=clock.repeated,
                interpolated=placed.interpolated[k],
                impact_offset=offsets.get(stream.name),
            )
            for k, (stream, clock, time) in enumerate(zip(streams, stream_clocks, times, strict=True))
        ),
        left_out_s=tuple((float(time_s[a]), float(time_s[b - 1])) for a, b in true_runs(~usable)),
    )
    readers = (note for stream in streams for note in stream.notes)
    notes = dict.fromkeys((*readers, *clock_notes(clocks, streams, stream_clocks, times)))
    return Common(
        time_s,
        placed.acceleration,
        placed.angular_rate,
        placed.available[:, :3],
        placed.available[:, 3:],
        usable,
        clocks,
        tuple(notes),
    )


def _all_on_grid(
    streams: Sequence[Stream],
    stream_clocks: Sequence[StreamClock],
    times: Sequence[np.ndarray],
    choice: RecordingChoice,
) -> _Placed:
    grid = _grid(stream_clocks, times, streams, choice)
    shape = (grid.count, len(streams), 3)
    # One array each, for an hour of many sensors is large.
    placed = _Placed(
        grid=grid,
        acceleration=np.empty(shape),
        angular_rate=np.empty(shape),
        available=np.zeros((len(streams), 6), bool),
        missing_s=np.zeros(grid.count),
        filled=[],
        left_out=[],
        interpolated=[],
    )
    for k, (stream, clock, time) in enumerate(zip(streams, stream_clocks, times, strict=True)):
        own = on_grid(stream, clock, time, grid)
        placed.acceleration[:, k], placed.angular_rate[:, k] = own.values[:, :3], own.values[:, 3:]
        placed.available[k] = own.available
        long = own.missing_s > LONGEST_FILLED_S + 1e-9
        placed.filled.append(int(np.sum((own.missing_s > 0) & ~long)))
        placed.left_out.append(int(np.sum(long)))
        placed.interpolated.append(own.interpolated)
        np.maximum(placed.missing_s, own.missing_s, out=placed.missing_s)
    return placed


def _impact_offsets(
    streams: Sequence[Stream],
    segments: Sequence[tuple[str, str] | None],
    placed: _Placed,
    times: Sequence[np.ndarray],
    common_from: str,
) -> tuple[dict[str, ImpactOffset], list[np.ndarray]]:
    """Return how clocks differ by what sensors feel, and times that are set by it where nothing else does.

    Stamps of one origin are left as they are: a pattern of steps may mislead, a clock seldom does.
    """
    names, grid = [stream.name for stream in streams], placed.grid
    found = impact_offsets(
        names, segments, placed.acceleration, 1.0 / grid.step_s, _OFFSET_WITHIN_S[common_from]
    )
    duration_s = grid.step_s * grid.count
    middle_s = grid.start_s + duration_s / 2
    offsets, moved = {}, list(times)
    for one in found:
        drift = 1e-6 * (one.drift_ppm or 0.0)
        if abs(drift) * duration_s < grid.step_s or abs(drift) < 5e-6 * (one.drift_deviation_ppm or 0.0):
            drift = 0.0
        far = abs(one.offset_s) > 2 * one.deviation_s or drift != 0.0
        corrected = common_from == "start" and bool(far)  # a bool of NumPy is none of JSON's
        if corrected:
            k = names.index(one.sensor)
            moved[k] = moved[k] - one.offset_s - drift * (moved[k] - middle_s)
        offsets[one.sensor] = replace(one, corrected=corrected)
    return offsets, moved


def _shared_times(
    stream_clocks: Sequence[StreamClock], streams: Sequence[Stream]
) -> tuple[str, list[np.ndarray]]:
    """Return what clocks have in common, and the times of every sensor's samples on it, s."""
    first = stream_clocks[0]
    files = {stream.file for stream in streams}
    if (first.shared or len(files) == 1) and all(_same(clock, first) for clock in stream_clocks):
        return "one clock", [clock.time_s for clock in stream_clocks]
    kinds = {clock.shared for clock in stream_clocks}
    kind = kinds.pop() if len(kinds) == 1 else ""
    starts = np.array([clock.time_s[0] for clock in stream_clocks])
    if kind == "counter":
        if np.ptp([clock.rate_hz for clock in stream_clocks]) > EXACT * first.rate_hz:
            kind = ""
        # Counters of 16 bits may have started again between the first samples of two sensors.
        turn_s = 65536 / first.rate_hz
        starts = starts[0] + (starts - starts[0] + turn_s / 2) % turn_s - turn_s / 2
    ends = starts + [clock.time_s[-1] - clock.time_s[0] for clock in stream_clocks]
    overlap_s = ends.min() - starts.max()
    together = np.ptp(starts) <= _SAME_ORIGIN_S and overlap_s > 0
    if kind == "time":
        # Clocks of one origin start at nearly one time; one that ends early says nothing against it.
        together = overlap_s > 0 and np.ptp(starts) < np.median(ends - starts) / 3
    if not kind or not together:
        kind, starts = "start", np.zeros(len(stream_clocks))
    return kind, [
        clock.time_s - clock.time_s[0] + start for clock, start in zip(stream_clocks, starts, strict=True)
    ]


def _same(clock: StreamClock, other: StreamClock) -> bool:
    return clock is other or (
        clock.shared == other.shared
        and len(clock.time_s) == len(other.time_s)
        and np.array_equal(clock.time_s, other.time_s)
    )


def _grid(
    stream_clocks: Sequence[StreamClock],
    times: Sequence[np.ndarray],
    streams: Sequence[Stream],
    choice: RecordingChoice,
) -> Grid:
    """Return the common clock: the samples of one sensor in the time that all have in common."""
    highest = max(clock.rate_hz for clock in stream_clocks)
    # Of sensors that are meant to have one rate the middle one leads; slower ones follow.
    alike = [k for k, clock in enumerate(stream_clocks) if clock.rate_hz > highest * (1 - 2 * LARGEST_DRIFT)]
    leader = sorted(alike, key=lambda k: stream_clocks[k].rate_hz)[(len(alike) - 1) // 2]
    step, zero = stream_clocks[leader].step_s, float(times[leader][0])
    begin, end = max(time[0] for time in times), min(time[-1] for time in times)
    first = int(np.ceil((begin - zero) / step - EXACT))
    last = int(np.floor((end - zero) / step + EXACT))
    if last - first < 1:
        raise InputError(
            "The sensors have no time in common.",
            where=choice.file,
            found=", ".join(
                f"'{stream.name}' {time[0]:g} to {time[-1]:g} s"
                for stream, time in zip(streams, times, strict=True)
            ),
            fix="name files of one recording",
        )
    return Grid(zero + first * step, step, last - first + 1)
