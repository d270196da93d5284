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
from sspinn_opensim.recording.impact_offsets import impact_offsets
from sspinn_opensim.recording.provenance import Clocks, ImpactOffset, SensorClock
from sspinn_opensim.recording.resample import interpolate
from sspinn_opensim.recording.runs import true_runs
from sspinn_opensim.recording.stream_clock import (
    EXACT,
    LARGEST_DRIFT,
    MOST_MISSING,
    StreamClock,
    stream_clock,
)
from sspinn_opensim.recording.streams import Stream

#: Missing time that a spline bridges, s: half a period of 10 Hz, above which movement has little power
#: (Antonsson and Mann 1985, J Biomech 18:39-47: 99 % of the power of gait lies below 15 Hz).
LONGEST_FILLED_S = 0.05
#: Samples on either side of a gap that its spline goes through: those further away sway it by 1e-7, for each
#: sample sways a spline by a quarter of what the one beside it does.
_BESIDE = 12
#: Counters, or time stamps, that start within this of each other count from one origin, s.
_SAME_ORIGIN_S = 5.0
#: What sensors have in common -> how far apart their clocks may be by what they feel, s. Counters of one
#: origin are those of sensors that are synchronized.
_OFFSET_WITHIN_S = {"start": 10.0, "time": 2.0}
#: Stamps are doubted if impacts depart from them by so many standard deviations.
_DOUBTED = 5.0
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


@dataclass(frozen=True)
class _Grid:
    """The common clock: its first sample on the time that the sensors share, s, its step, its length."""

    start_s: float
    step_s: float
    count: int

    @property
    def time_s(self) -> np.ndarray:
        return self.start_s + self.step_s * np.arange(self.count)


@dataclass(frozen=True, eq=False)
class _Placed:
    """All k sensors on the common clock: both signals (n, k, 3), and of each sensor what was done to it.

    Of the time (n,) that is missing around each sample, s, the longest of all sensors is kept.
    """

    grid: _Grid
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
    notes = dict.fromkeys((*readers, *_notes(clocks, streams, stream_clocks, times)))
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
        values, placed.available[k], missing_s, on_grid = _on_grid(stream, clock, time, grid)
        placed.acceleration[:, k], placed.angular_rate[:, k] = values[:, :3], values[:, 3:]
        long = missing_s > LONGEST_FILLED_S + 1e-9
        placed.filled.append(int(np.sum((missing_s > 0) & ~long)))
        placed.left_out.append(int(np.sum(long)))
        placed.interpolated.append(not on_grid)
        np.maximum(placed.missing_s, missing_s, out=placed.missing_s)
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
        corrected = common_from == "start" and (abs(one.offset_s) > 2 * one.deviation_s or drift != 0.0)
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
        together = overlap_s > 0.5 * (ends.max() - starts.min())
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
) -> _Grid:
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
    return _Grid(zero + first * step, step, last - first + 1)


def _on_grid(
    stream: Stream, clock: StreamClock, time_s: np.ndarray, grid: _Grid
) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """Return a stream on the common clock: its own samples where they lie on it, else a spline.

    Returns
    -------
    (n, 6) array, (6,) array, (n,) array, bool
        Both signals, which channels were measured, the time that is missing around each sample, s, and
        whether its own samples lie on the clock.
    """
    both = [stream.acceleration, stream.angular_rate]
    signal = np.hstack([np.full((len(stream), 3), np.nan) if s is None else s for s in both])
    if clock.repeated:
        signal = signal[clock.kept]
    finite = np.isfinite(signal)
    available = np.asarray(finite.any(axis=0))
    if not available.any():
        raise InputError(
            f"The sensor '{stream.name}' has neither acceleration nor angular rate.", where=stream.file
        )
    valid = finite[:, available].all(axis=1)
    if valid.sum() < max(2.0, (1 - MOST_MISSING) * (clock.number[-1] + 1)):
        raise InputError(
            f"Most samples of the sensor '{stream.name}' are missing.",
            where=stream.file,
            expected=f"at least half of {clock.number[-1] + 1}",
            found=f"{valid.sum()} that are complete",
            fix="leave the sensor out, or use another recording",
        )
    at_s = grid.time_s
    position = (time_s - grid.start_s) / grid.step_s
    nearest = np.round(position).astype(np.int64)
    on_it = clock.even and bool(np.max(np.abs(position - nearest)) <= EXACT)
    missing_s = _missing(time_s[valid], at_s, clock)
    if on_it:
        values = np.full((grid.count, 6), np.nan)
        inside = (nearest >= 0) & (nearest < grid.count)
        values[nearest[inside]] = signal[inside]
        for columns in _alike(finite, available):
            holes = np.flatnonzero(~np.isfinite(values[:, columns[0]]))
            if holes.size:
                known = np.flatnonzero(finite[:, columns[0]])
                beside = np.searchsorted(time_s[known], at_s[holes])[:, None] + np.arange(-_BESIDE, _BESIDE)
                near = known[np.unique(np.clip(beside, 0, len(known) - 1))]
                filled = interpolate(time_s[near], signal[near][:, columns], at_s[holes])
                values[holes[:, None], columns] = filled
    else:
        values = np.zeros((grid.count, 6))
        values[:, available] = interpolate(time_s[valid], signal[valid][:, available], at_s)
    long = np.flatnonzero(missing_s > LONGEST_FILLED_S + 1e-9)
    if long.size:
        for column in np.flatnonzero(available):
            values[long, column] = np.interp(at_s[long], time_s[valid], signal[valid, column])
    values[:, ~available] = 0.0
    return values, available, missing_s, on_it


def _alike(finite: np.ndarray, available: np.ndarray) -> list[list[int]]:
    """Return available columns, those together that miss the same samples."""
    groups: dict[bytes, list[int]] = {}
    for column in np.flatnonzero(available):
        groups.setdefault(finite[:, column].tobytes(), []).append(int(column))
    return list(groups.values())


def _missing(time_s: np.ndarray, at_s: np.ndarray, clock: StreamClock) -> np.ndarray:
    """Return for each time how long nothing was measured around it beyond one step, s; 0 on a sample.

    Before the first and after the last sample it is without end: nothing says how it goes on.
    """
    step_s = clock.step_s
    if len(time_s) == len(at_s) and np.allclose(time_s, at_s, rtol=0.0, atol=EXACT * step_s):
        return np.zeros(len(at_s))
    after = np.clip(np.searchsorted(time_s, at_s - EXACT * step_s), 1, len(time_s) - 1)
    steps = (time_s[after] - time_s[after - 1]) / step_s
    missing = np.where(steps < clock.latest_steps, 0.0, np.round(steps) - 1.0) * step_s
    close = np.minimum(np.abs(time_s[after] - at_s), np.abs(time_s[after - 1] - at_s))
    missing[close <= EXACT * step_s] = 0.0
    outside = (at_s < time_s[0] - EXACT * step_s) | (at_s > time_s[-1] + EXACT * step_s)
    missing[outside] = np.inf
    return missing


def _notes(
    clocks: Clocks,
    streams: Sequence[Stream],
    stream_clocks: Sequence[StreamClock],
    times: Sequence[np.ndarray],
) -> list[str]:
    """Return what was done in sentences."""
    one = clocks.common_from == "one clock"
    found = []
    for sensor, clock in zip(clocks.sensors, stream_clocks, strict=True):
        who = "" if one else f"Sensor '{sensor.sensor}': "
        found += [who + note for note in clock.notes]
        if sensor.repeated:
            found.append(f"{who}{sensor.repeated} samples that repeat the one before are dropped.")
    for sensor in clocks.sensors:
        if sensor.lost or sensor.filled:
            found.append(
                f"Sensor '{sensor.sensor}': {sensor.lost} samples are missing in its file; "
                f"{sensor.filled} in gaps of up to {1000 * LONGEST_FILLED_S:g} ms are filled by a spline."
            )
    if clocks.left_out_s:
        parts = ", ".join(f"{a:.2f}-{b:.2f}" for a, b in clocks.left_out_s[:5])
        more = f" and {len(clocks.left_out_s) - 5} more" if len(clocks.left_out_s) > 5 else ""
        found.append(f"Longer gaps are left out: {parts}{more} s.")
    return found if one else [*found, *_notes_on_several(clocks, streams, stream_clocks, times)]


def _notes_on_several(
    clocks: Clocks,
    streams: Sequence[Stream],
    stream_clocks: Sequence[StreamClock],
    times: Sequence[np.ndarray],
) -> list[str]:
    """Return what became of clocks that differ."""
    found = []
    if clocks.common_from == "start":
        found.append("The files share no clock: sensors are taken to have started together.")
    starts, ends = [time[0] for time in times], [time[-1] for time in times]
    seen_s = 1.5 / clocks.rate_hz
    for stream, start, end in zip(streams, starts, ends, strict=True):
        late_s, early_s = start - min(starts), max(ends) - end
        edges = [f"starts {late_s:.3g} s after the first"] if late_s > seen_s else []
        edges += [f"ends {early_s:.3g} s before the last"] if early_s > seen_s else []
        if edges:
            found.append(f"Sensor '{stream.name}' {' and '.join(edges)}; the common part is used.")
    rates = [clock.rate_hz for clock in stream_clocks]
    if max(rates) / min(rates) - 1.0 > 1e-6:
        found.append(
            f"The sensors' clocks run at {min(rates):.6g} to {max(rates):.6g} Hz; "
            f"all are interpolated to {clocks.rate_hz:.6g} Hz."
        )
    return [*found, *_notes_on_offsets(clocks)]


def _notes_on_offsets(clocks: Clocks) -> list[str]:
    """Return how clocks differ by what sensors feel."""
    found = []
    offsets = [sensor.impact_offset for sensor in clocks.sensors if sensor.impact_offset is not None]
    for one in offsets:
        by = f"by the impacts that both feel (+- {one.deviation_s:.2f} s)"
        late = f"{abs(one.offset_s):.3f} s {'late' if one.offset_s > 0 else 'early'}"
        if one.corrected:
            drift = "" if one.drift_ppm is None else f"; drift {one.drift_ppm:.0f} ppm"
            found.append(f"Sensor '{one.sensor}' is {late} to '{one.other}' {by}: corrected{drift}.")
        elif clocks.common_from == "time" and abs(one.offset_s) > _DOUBTED * one.deviation_s:
            found.append(
                f"The time stamps of '{one.sensor}' are {late} to those of '{one.other}' {by}; they are left "
                "as they are."
            )
    linked = {name for one in offsets for name in (one.sensor, one.other)}
    unsure = [f"'{sensor.sensor}'" for sensor in clocks.sensors if sensor.sensor not in linked]
    if clocks.common_from == "start" and unsure:
        found.append(f"Impacts do not tell for sure when these started: {', '.join(unsure)}.")
    return found
