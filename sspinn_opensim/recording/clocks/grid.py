"""Grid of the common clock: the samples of a stream on it, its own where they lie there, else a spline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.clocks.stream_clock import (
    EXACT,
    MOST_MISSING,
    StreamClock,
)
from sspinn_opensim.recording.resample import interpolate
from sspinn_opensim.recording.streams import Stream

#: Missing time that a spline bridges, s: half a period of 10 Hz, above which movement has little power
#: (Antonsson and Mann 1985, J Biomech 18:39-47: 99 % of the power of gait lies below 15 Hz).
LONGEST_FILLED_S = 0.05
#: Samples on either side of a gap that its spline goes through: those further away sway it by 1e-7, for each
#: sample sways a spline by a quarter of what the one beside it does.
_BESIDE = 12


@dataclass(frozen=True)
class Grid:
    """The common clock: its first sample on the time that the sensors share, s, its step, its length."""

    start_s: float
    step_s: float
    count: int

    @property
    def time_s(self) -> np.ndarray:
        """Times of its samples, (n,), s."""
        return self.start_s + self.step_s * np.arange(self.count)


@dataclass(frozen=True, eq=False)
class StreamOnGrid:
    """A stream on the common clock.

    Attributes
    ----------
    values : (n, 6) array
        Acceleration and angular rate; zero where a channel was not measured.
    available : (6,) array of bool
        Which channels were measured.
    missing_s : (n,) array
        The time that is missing around each sample, s.
    interpolated : bool
        Whether its own samples do not lie on the clock.
    """

    values: np.ndarray
    available: np.ndarray
    missing_s: np.ndarray
    interpolated: bool


def on_grid(stream: Stream, clock: StreamClock, time_s: np.ndarray, grid: Grid) -> StreamOnGrid:
    """Return a stream on the common clock: its own samples where they lie on it, else a spline.

    Raises
    ------
    InputError
        If it has no signal, or most of its samples are missing.
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
    missing_s = missing_around(time_s[valid], at_s, clock)
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
    return StreamOnGrid(values, available, missing_s, not on_it)


def _alike(finite: np.ndarray, available: np.ndarray) -> list[list[int]]:
    """Return available columns, those together that miss the same samples."""
    groups: dict[bytes, list[int]] = {}
    for column in np.flatnonzero(available):
        groups.setdefault(finite[:, column].tobytes(), []).append(int(column))
    return list(groups.values())


def missing_around(time_s: np.ndarray, at_s: np.ndarray, clock: StreamClock) -> np.ndarray:
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
