"""Checks of single streams, as the files hold them: clocks, lost samples, ranges, channels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from casadi_dynamics.cores import side_by_side
from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.checks.copies import Signals, pasted, shared
from sspinn_opensim.recording.clocks.stream_clock import MOST_REPEATED, apart
from sspinn_opensim.recording.findings import Finding, Severity
from sspinn_opensim.recording.signals.runs import true_runs
from sspinn_opensim.recording.streams import Stream
from sspinn_opensim.recording.types import AXES
from sspinn_opensim.recording.units import GRAVITY

#: Below this rate, Hz, impacts of the foot are not seen (walking has its power below 20 Hz: Antonsson and
#: Mann 1985, J Biomech 18, 98 % of it below 10 Hz, 99 % below 15).
_LOW_RATE_HZ = 40.0
#: Uneven steps: standard deviation over the median step. Rounding to milliseconds gives 0.03 at 100 Hz.
_JITTER_NOTED, _JITTER_DOUBTED = 0.05, 0.25
#: Missing samples: longest stretch that a spline bridges without harm (s; a tenth of a step), and the share
#: from which the rest says little.
_LONG_GAP_S, _MANY_LOST = 0.05, 0.2
#: Flat tops: so many equal samples at the largest value, three of which in a row at least.
_FLAT, _FLAT_ROW = 6, 3
#: Smallest ranges of accelerometers and gyroscopes (2 g; 250 deg/s): less is no end of a range. With room for
#: scale errors; m/s^2 and rad/s.
_SMALLEST_RANGE = {"acceleration": 17.0, "angular_rate": 3.9}
#: A sensor is frozen where all its channels keep their values for this long, s, and for so many times as long
#: as they usually do, while it cannot rest: it turns faster than this, rad/s, or feels something else than
#: gravity, m/s^2 beside 9.8, or another sensor turns so fast meanwhile. Noise alone makes two equal rows in a
#: row rare: also a foot that stands never repeats all its channels for so long.
_FROZEN_S, _FROZEN_RUNS, _TURNS, _OFF_GRAVITY = 0.1, 4, 0.3, 2.0
#: From this share of its time frozen a sensor says little.
_MUCH_FROZEN = 0.05
#: Fewer samples say nothing of how a sensor repeats itself.
_FEWEST = 10
#: Accelerometers for shocks end at 2e5 m/s^2, gyroscopes at 350 rad/s; in any unit, this is none of both.
_IMPOSSIBLE = 1e7
#: Sensors that people wear end at 200 g (high-g ones) and at 70 rad/s (4000 deg/s): single samples beyond, in
#: m/s^2 and rad/s, are marks of gaps (-9999) or damage. Where more than this share is, the unit is wrong.
_NOT_WORN, _SINGLE = {"acceleration": 2000.0, "angular_rate": 100.0}, 0.05
_UNITS = {"acceleration": "m/s^2", "angular_rate": "rad/s"}
_WORDS = {"acceleration": "acceleration", "angular_rate": "angular rate"}
#: Saturated samples of a channel from which peaks are not to be trusted at all.
_MANY_FLAT = 0.01


def check_streams(streams: Mapping[str, Stream], recorded_rate_hz: float | None = None) -> list[Finding]:
    """Return what is wrong with streams before they are put on one clock.

    Parameters
    ----------
    streams : mapping of str to Stream
        By the name of the sensor in the study.
    recorded_rate_hz : float, optional
        Rate that the study states, Hz.
    """

    def of(named: tuple[str, Stream]) -> list[Finding]:
        name, stream = named
        found = [
            *_rate(name, stream, recorded_rate_hz),
            *_jitter(name, stream),
            *_gaps(name, stream, recorded_rate_hz),
        ]
        measured = [s for s in (stream.acceleration, stream.angular_rate) if s is not None]
        rate_hz = recorded_rate_hz or stream.rate_hz or measured_rate_hz(stream)
        if measured and rate_hz and len(stream) >= _FEWEST:
            values = np.concatenate(measured, axis=1)
            rows = np.ascontiguousarray(np.nan_to_num(values), float)
            others = [one for one in streams.values() if one is not stream and _same_rows(stream, one)]
            # Cells that are empty are a gap.
            found += _frozen(name, stream, rows, np.asarray(np.isnan(values).all(axis=1)), rate_hz, others)
            found += pasted(name, rows, rate_hz, stream.lines)
        return found

    signals = {name: (s.acceleration, s.angular_rate) for name, s in streams.items()}
    lines = {name: stream.lines for name, stream in streams.items()}
    return [*itertools.chain(*side_by_side(of, streams.items())), *check_channels(signals, lines)]


def check_channels(
    signals: Mapping[str, Signals], lines: Mapping[str, Sequence[int] | None] | None = None
) -> list[Finding]:
    """Return what is wrong with channels along the sensors' own axes.

    Parameters
    ----------
    signals : mapping of str to (ndarray, ndarray)
        Acceleration and angular rate (n, 3) of each sensor; None, or a column of NaN, where not measured.
    lines : mapping of str to (n,) sequence of int or None, optional
        Lines of the files.
    """
    found: list[Finding] = []
    for name, pair in signals.items():
        for kind, signal in zip(_UNITS, pair, strict=True):
            if signal is not None:
                found += _dead(name, kind, signal)
                found += _saturated(name, kind, signal)
    return [*found, *shared(signals, lines)]


def refuse_impossible(streams: Sequence[Stream]) -> None:
    """Refuse a number that no sensor measures: a file was damaged there.

    Raises
    ------
    InputError
        With the first such sample.
    """
    for stream in streams:
        for kind, unit in _UNITS.items():
            signal = getattr(stream, kind)
            if signal is None:
                continue
            size = np.abs(signal)
            odd = size > _NOT_WORN[kind]
            if not np.any(size > _IMPOSSIBLE) and np.mean(odd.any(axis=1)) > _SINGLE:
                continue
            if np.any(odd):
                row, axis = np.argwhere(odd)[0]
                line = f", line {stream.lines[row]}" if stream.lines is not None else f", sample {row + 1}"
                raise InputError(
                    f"The {_WORDS[kind]} of sensor '{stream.name}' is beyond what any sensor measures.",
                    where=f"{stream.file}{line}, axis {AXES[axis]}",
                    expected=f"below {_NOT_WORN[kind]:g} {unit}",
                    found=f"{signal[row, axis]:g}, and {np.count_nonzero(odd)} such numbers in all",
                    fix="the file was damaged there, or a gap is marked so: leave the cells of a gap empty",
                )


def measured_rate_hz(stream: Stream) -> float | None:
    """Return the rate that the clock of a stream runs at, Hz; None without one that tells samples apart."""
    if stream.time_s is None:
        return None
    step = np.diff(stream.time_s)
    if np.mean(step == 0) > MOST_REPEATED:  # whole seconds, say
        return None
    step = step[np.isfinite(step) & (step > 0)]
    return 1.0 / float(np.median(step)) if len(step) else None


def lost_samples(stream: Stream, rate_hz: float | None) -> tuple[int, int, int]:
    """Return how many samples of a stream are missing, of how many, and the longest stretch of them."""
    holes: list[int] = []
    if stream.counter is not None:
        counts = np.diff(stream.counter)
        holes += [int(count) - 1 for count in counts[counts > 1]]
    elif stream.time_s is not None and rate_hz and measured_rate_hz(stream) is not None:
        steps = np.diff(stream.time_s) * rate_hz
        # A late sample is followed by an early one: only what is more than a whole step late is lost.
        holes += [round(step) - 1 for step in steps[np.isfinite(steps) & (steps > 1.75)].tolist()]
    signals = [s for s in (stream.acceleration, stream.angular_rate) if s is not None]
    # An axis that was never measured is no gap.
    blank = [np.isnan(s[:, ~np.all(np.isnan(s), axis=0)]).any(axis=1) for s in signals]
    of = len(stream) + sum(holes)
    if blank:
        holes += [last - first for first, last in true_runs(np.any(blank, axis=0))]
    return sum(holes), of, max(holes, default=0)


def _rate(name: str, stream: Stream, recorded_rate_hz: float | None) -> Iterator[Finding]:
    clock, stated = measured_rate_hz(stream), stream.rate_hz
    if apart(clock, stated) and recorded_rate_hz and not apart(clock, recorded_rate_hz):
        yield Finding(
            "doubt",
            "rate",
            f"its file says {stated:g} Hz, the study and its clock {clock:.4g} Hz.",
            sensor=name,
        )
        return
    for rate, who in ((stated, "its file says"), (recorded_rate_hz, "the study says")):
        if apart(clock, rate):
            yield Finding(
                "serious",
                "rate",
                f"{who} {rate:g} Hz, its clock runs at {clock:.4g} Hz.",
                sensor=name,
                advice=f"find out the true rate; recorded_rate_hz = {clock:.4g} under [recording] follows "
                "the clock",
            )
            return
    if apart(stated, recorded_rate_hz):
        yield Finding(
            "serious",
            "rate",
            f"its file says {stated:g} Hz, the study says {recorded_rate_hz:g} Hz.",
            sensor=name,
            advice="leave recorded_rate_hz out",
        )
        return
    rate = recorded_rate_hz or stated or clock
    if rate and rate < _LOW_RATE_HZ:
        yield Finding(
            "doubt",
            "rate",
            f"it was sampled at {rate:.4g} Hz.",
            sensor=name,
            advice="record at 100 Hz, impacts are lost",
        )


def _jitter(name: str, stream: Stream) -> Iterator[Finding]:
    if stream.time_s is None or len(stream.time_s) < 10:
        return
    step = np.diff(stream.time_s)
    typical = float(np.median(step))
    if not typical > 0:
        return
    # Rows that come twice, and gaps, are told by others.
    uneven = step[(step > 0) & (step < 1.75 * typical)]
    spread = float(np.std(uneven)) / typical
    if spread > _JITTER_NOTED:
        yield Finding(
            "note" if spread < _JITTER_DOUBTED else "doubt",
            "jitter",
            f"the steps of its clock vary by {1000 * spread * typical:.2g} ms (standard deviation) around "
            f"{1000 * typical:.4g} ms.",
            sensor=name,
            advice="" if spread < _JITTER_DOUBTED else "use the sensors' own clocks, not the time of arrival",
        )


def _gaps(name: str, stream: Stream, recorded_rate_hz: float | None) -> Iterator[Finding]:
    rate = recorded_rate_hz or stream.rate_hz or measured_rate_hz(stream)
    lost, of, longest = lost_samples(stream, rate)
    if not lost:
        return
    share, stretch_s = lost / of, longest / (rate or 100.0)
    severity: Severity = "note"
    if stretch_s > _LONG_GAP_S:
        severity = "doubt"
    if share > _MANY_LOST:
        severity = "serious"
    yield Finding(
        severity,
        "gaps",
        f"{lost} of {of} samples are missing, {longest} of them in a row.",
        sensor=name,
        advice=""
        if severity == "note"
        else "use a part without gaps, or keep the sensors near their receiver",
    )


def _same_rows(one: Stream, other: Stream) -> bool:
    """Return whether the samples of two streams were taken at the same times."""
    return len(one) == len(other) and all(
        (a is None) == (b is None) and (a is None or b is None or np.array_equal(a, b, equal_nan=True))
        for a, b in ((one.time_s, other.time_s), (one.counter, other.counter))
    )


def _frozen(
    name: str, stream: Stream, rows: np.ndarray, empty: np.ndarray, rate: float, others: Sequence[Stream]
) -> Iterator[Finding]:
    edges = np.flatnonzero(np.any(rows[1:] != rows[:-1], axis=1)) + 1
    starts = np.concatenate([[0], edges])
    lengths = np.diff(np.concatenate([starts, [len(rows)]]))
    if len(lengths) < 2:
        return  # a dead channel, all of them
    usual = float(np.median(lengths))
    moves = np.zeros(len(starts), bool)
    if stream.angular_rate is not None:
        moves |= np.linalg.norm(np.nan_to_num(stream.angular_rate[starts]), axis=1) > _TURNS
    if stream.acceleration is not None:
        known = ~np.all(np.isnan(stream.acceleration), axis=0)
        force = np.linalg.norm(np.nan_to_num(stream.acceleration[starts]), axis=1)
        off = np.abs(force - GRAVITY) if known.all() else force - GRAVITY
        moves |= (off > _OFF_GRAVITY) | (force == 0.0)
    long = (lengths > max(_FROZEN_S * rate, _FROZEN_RUNS * usual)) & ~empty[starts]
    held = long & moves
    for k in np.flatnonzero(long & ~moves):
        held[k] = any(_turns(other, slice(starts[k], starts[k] + lengths[k])) for other in others)
    share, longest_s = float(lengths[held].sum()) / len(rows), float(lengths[held].max(initial=0)) / rate
    if held.any():
        first = int(starts[held.argmax()])
        at = f" (line {stream.lines[first]})" if stream.lines is not None else f" (sample {first + 1})"
        often = "once" if np.count_nonzero(held) == 1 else f"{np.count_nonzero(held)} times"
        yield Finding(
            "doubt" if share < _MUCH_FROZEN else "serious",
            "frozen",
            f"its signals stand still in the middle of a movement {often}, for up to "
            f"{longest_s:.2f} s, first{at}: {100 * share:.2g} % of its time.",
            sensor=name,
            advice="use a part before it stopped, or leave the sensor out",
        )
    elif moves.any() and (usual := float(np.median(lengths[moves]))) > 1:
        yield Finding(
            "doubt",
            "frozen",
            f"its samples come {usual:g} times each: they were taken at {rate / usual:.4g} Hz, "
            f"not at {rate:.4g}.",
            sensor=name,
            advice="export the recording at the rate at which it was recorded",
        )


def _turns(stream: Stream, rows: slice) -> bool:
    """Return whether a sensor turns too fast in some rows to be at rest."""
    if stream.angular_rate is None:
        return False
    return float(np.linalg.norm(np.nan_to_num(stream.angular_rate[rows]), axis=1).mean()) > _TURNS


def _dead(name: str, kind: str, signal: np.ndarray) -> Iterator[Finding]:
    for axis in range(3):
        column = signal[:, axis]
        column = column[np.isfinite(column)]
        if len(column) > 1 and np.ptp(column) == 0:
            yield Finding(
                # Exports fill what was not measured with zeros.
                "doubt" if column[0] == 0 else "serious",
                "dead_channel",
                f"{_WORDS[kind]} {AXES[axis]} is always {column[0]:g}.",
                sensor=name,
                advice="leave a dead channel, or the sensor, out",
            )


def _saturated(name: str, kind: str, signal: np.ndarray) -> Iterator[Finding]:
    for axis in range(3):
        column = signal[:, axis]
        if not np.isfinite(column).any():
            continue
        for sign, bound in ((1, np.nanmax(column)), (-1, -np.nanmin(column))):
            if bound < _SMALLEST_RANGE[kind]:
                continue
            at_bound = sign * column >= bound * (1.0 - 1e-6)
            runs = [last - first for first, last in true_runs(at_bound)]
            if not runs:
                continue
            if sum(runs) < _FLAT or max(runs) < _FLAT_ROW:
                continue
            yield Finding(
                "doubt" if sum(runs) < _MANY_FLAT * len(column) else "serious",
                "saturation",
                f"{_WORDS[kind]} {AXES[axis]} stays at {sign * bound:.4g} {_UNITS[kind]} for "
                f"{sum(runs)} samples, up to {max(runs)} in a row.",
                sensor=name,
                advice="set a larger range of the sensor before the next recording",
            )
