"""Frames of all sensors at even times, made of samples that arrive late, out of order, or not at all."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass
from math import isfinite
from operator import itemgetter

import numpy as np

from sspinn_opensim.streaming.samples import Sample
from sspinn_opensim.streaming.sensor_clock import SensorClock

#: A sample this close to the time of a frame, in frames, is that frame's.
_SAME = 1e-3
#: An interval longer than so many usual ones is a gap.
_GAP = 1.5
#: Samples of which the usual interval is told.
_FOR_PERIOD = 20
#: How long samples are kept, s, and how many at most.
_KEPT_S, _MOST = 2.0, 8192
#: A sensor that is this much faster than the frames is smoothed, by a window that reaches so many frames to
#: either side; its cut-off as a share of the frames' rate (that of `resample`).
_FASTER, _REACH, _CUTOFF = 1.4, 2, 0.325
#: Over so many samples the least delay of a sensor is looked for.
_FOR_DELAY = 500


@dataclass
class SensorHealth:
    """What has become of the samples of one sensor.

    Attributes
    ----------
    received, lost, too_late, strange : int
        Samples that came; numbers missing in their counter; those that came after their frame was made; those
        whose time or axes could not be used.
    held : int
        Frames in which it was interpolated over a gap or held.
    delay_s : float
        By how much its quickest samples come later than the quickest of all sensors, where all have one
        clock.
    drift_ppm : float
        By how much its second is longer than this machine's, millionths; 0 where all have one clock.
    """

    received: int = 0
    lost: int = 0
    too_late: int = 0
    strange: int = 0
    held: int = 0
    delay_s: float = 0.0
    drift_ppm: float = 0.0


@dataclass(frozen=True, eq=False)
class Frame:
    """All sensors at one time.

    Attributes
    ----------
    time_s : float
        On the clock that the samples are on.
    signals : (k, 6) ndarray
        Along the sensors' own axes.
    held : tuple of int
        Sensors that were interpolated over a gap or held.
    """

    time_s: float
    signals: np.ndarray
    held: tuple[int, ...]


@dataclass(frozen=True)
class Silence:
    """Sensors of which nothing is known at a time, and nothing can be held."""

    time_s: float
    sensors: tuple[int, ...]


@dataclass(frozen=True)
class Patience:
    """How long a frame waits, and what it may do without.

    Attributes
    ----------
    window_s : float
        How long a frame waits for a sample after the quickest ones have come: packets may change places by
        so much.
    hold_s : float
        Up to this a gap of a sensor is bridged.
    """

    window_s: float = 0.06
    hold_s: float = 0.1


class _Queue:
    """Samples of one sensor in the order of time."""

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self.samples: list[tuple[float, np.ndarray]] = []
        self.period_s: float | None = None
        self.fast = False
        self.counter: int | None = None
        self.delays: deque[tuple[float, int]] = deque()
        self.count = 0

    def put(self, time_s: float, signals: np.ndarray) -> None:
        if not self.samples or time_s > self.samples[-1][0]:
            self.samples.append((time_s, signals))
        else:
            place = bisect_left(self.samples, time_s, key=itemgetter(0))
            if place == len(self.samples) or self.samples[place][0] != time_s:  # not a packet sent twice
                insort(self.samples, (time_s, signals), key=itemgetter(0))
        old = self.samples[-1][0] - self.samples[0][0] > _KEPT_S and len(self.samples) > 2 * _FOR_PERIOD
        if old or len(self.samples) > _MOST:
            del self.samples[:_FOR_PERIOD]
        if self.period_s is None and len(self.samples) >= _FOR_PERIOD:
            self.period_s = float(np.median(np.diff([time for time, _ in self.samples])))
            self.fast = self.period_s * _FASTER < self._step_s

    def whole_from_s(self, hold_s: float) -> float:
        """Return since when there is no gap that cannot be bridged."""
        times = np.array([time for time, _ in self.samples])
        gaps = np.flatnonzero(np.diff(times) > hold_s + (self.period_s or 0.0))
        return float(times[gaps[-1] + 1 if gaps.size else 0])

    def least_delay_s(self, delay_s: float) -> float:
        """Take a delay, and return the least of the last ones."""
        while self.delays and self.delays[-1][0] >= delay_s:
            self.delays.pop()
        self.count += 1
        self.delays.append((delay_s, self.count))
        if self.delays[0][1] <= self.count - _FOR_DELAY:
            self.delays.popleft()
        return self.delays[0][0]


class FrameMaker:
    """Puts samples on one clock and makes a frame as soon as every sensor has one, or may not be waited for.

    Parameters
    ----------
    sensors : int
        How many there are.
    step_s : float
        Time from frame to frame.
    shared_clock : bool
        Whether the times of all sensors are of one clock, and frames on it; else each sensor has its own, and
        frames are on this machine's.
    needed : (k, 6) bool ndarray, optional
        Axes that a sample must have; all by default.
    """

    def __init__(
        self,
        sensors: int,
        step_s: float,
        *,
        shared_clock: bool,
        patience: Patience,
        needed: np.ndarray | None = None,
    ) -> None:
        self._step_s, self._patience, self._shared = step_s, patience, shared_clock
        self._needed = np.ones((sensors, 6), bool) if needed is None else needed
        self._queues = [_Queue(step_s) for _ in range(sensors)]
        clock = SensorClock()
        self._clocks = [clock if shared_clock else SensorClock() for _ in range(sensors)]
        self._origin_s: float | None = None
        self._next: int | None = None
        self._passed_s = -np.inf
        self.health = [SensorHealth() for _ in range(sensors)]
        #: By how much this machine's clock, less what the quickest sample takes, is before the frames.
        self.ahead_s = 0.0

    def need_all(self) -> None:
        """Refuse from now on samples that lack an axis."""
        self._needed = np.ones_like(self._needed)

    @property
    def look_ahead_s(self) -> float:
        """How far past its time a frame has to see: the half width of the filter of fast sensors."""
        return _REACH * self._step_s if any([queue.fast for queue in self._queues]) else 0.0

    def take(self, sample: Sample, arrived_s: float) -> None:
        """Take a sample that arrived at a time of this machine's clock."""
        queue, health, signals = self._queues[sample.sensor], self.health[sample.sensor], sample.signals
        health.received += 1
        # A sum is quick, and no number if anything in it is none.
        needed = self._needed[sample.sensor]
        if not isfinite(sum(signals.tolist())) and not np.isfinite(signals[needed]).all():
            health.strange += 1
            return
        delay_s = self._clocks[sample.sensor].delay_s(sample.time_s, arrived_s)
        if delay_s is None:
            health.strange += 1
            return
        if sample.counter is not None:
            if queue.counter is not None and 0 < sample.counter - queue.counter < 2**31:
                health.lost += sample.counter - queue.counter - 1
            elif queue.counter is not None and sample.counter < queue.counter and health.lost:
                health.lost -= 1  # it was only late
            queue.counter = max(sample.counter, queue.counter or sample.counter)
        if self._shared:
            time_s = sample.time_s
            self.ahead_s = arrived_s - delay_s - time_s
            health.delay_s = queue.least_delay_s(delay_s)
        else:
            time_s = arrived_s - delay_s
            health.drift_ppm = self._clocks[sample.sensor].drift_ppm
        newest_s = queue.samples[-1][0] if queue.samples else -np.inf
        # The clock was set back, as where a sender starts again, or comes back from where it never was.
        if time_s < max(self._passed_s, newest_s) - _KEPT_S:
            self._forget()
        if time_s < self._passed_s - _SAME * self._step_s:
            health.too_late += 1
        queue.put(time_s, signals)

    def _forget(self) -> None:
        for queue in self._queues:
            queue.samples.clear()
        self._origin_s, self._next, self._passed_s = None, None, -np.inf

    def next(self, now_s: float) -> Frame | Silence | None:
        """Return the next frame, which sensors it is in want of, or None while it waits.

        Parameters
        ----------
        now_s : float
            Time on this machine's clock.
        """
        if self._next is None and not self._begin():
            return None
        assert self._origin_s is not None and self._next is not None
        time_s, ahead = self._origin_s + self._next * self._step_s, self.look_ahead_s
        last = time_s + ahead - _SAME * self._step_s
        reached = [bool(queue.samples) and queue.samples[-1][0] >= last for queue in self._queues]
        waited_s = now_s - self.ahead_s - time_s - ahead
        overdue = waited_s >= self._patience.window_s
        if any(reached):
            return self._made(time_s, overdue=overdue) if overdue or all(reached) else None
        # Nothing came at all: there is no frame in which anything could be held.
        if waited_s < self._patience.window_s + self._patience.hold_s:
            return None
        return self._silence(time_s, tuple(range(len(self._queues))))

    def _made(self, time_s: float, *, overdue: bool) -> Frame | Silence | None:
        signals, silent, held = [], [], []
        for k, queue in enumerate(self._queues):
            found = self._at(queue, time_s)
            if found is None:
                silent.append(k)
                continue
            signals.append(found[0])
            if found[1]:
                held.append(k)
        if not overdue and (silent or held):
            return None  # a later packet has overtaken it
        if silent:
            return self._silence(time_s, tuple(silent))
        assert self._next is not None
        self._passed_s, self._next = time_s, self._next + 1
        for k in held:
            self.health[k].held += 1
        return Frame(time_s, np.array(signals), tuple(held))

    def _silence(self, time_s: float, sensors: tuple[int, ...]) -> Silence:
        self._passed_s, self._next = time_s, None
        return Silence(time_s, sensors)

    def missing(self) -> tuple[int, ...]:
        """Return the sensors that no frame can begin with."""
        newest = max((queue.samples[-1][0] for queue in self._queues if queue.samples), default=0.0)
        limit = newest - self._patience.window_s - self._patience.hold_s
        return tuple(
            k
            for k, queue in enumerate(self._queues)
            if queue.period_s is None or not queue.samples or queue.samples[-1][0] < limit
        )

    def _begin(self) -> bool:
        if self.missing():
            return False
        first = max(queue.whole_from_s(self._patience.hold_s) for queue in self._queues)
        if self._origin_s is None:
            self._origin_s = first
        begin_s = max(first, self._passed_s + self._step_s)
        self._next = int(np.ceil((begin_s - self._origin_s) / self._step_s - _SAME))
        return True

    def _at(self, queue: _Queue, time_s: float) -> tuple[np.ndarray, bool] | None:
        """Return the signals of a sensor at a time and whether a gap was bridged; None: it is silent."""
        samples, period = queue.samples, queue.period_s or self._step_s
        tolerance = _SAME * self._step_s
        place = bisect_left(samples, time_s - tolerance, key=itemgetter(0))
        if queue.fast:
            return self._smoothed(samples, time_s, place)
        if place < len(samples) and samples[place][0] <= time_s + tolerance:
            return samples[place][1], False
        if place == 0:
            return None
        before_s, before = samples[place - 1]
        if place == len(samples):
            return (before, True) if time_s - before_s <= self._patience.hold_s else None
        after_s, after = samples[place]
        gap = after_s - before_s
        if gap > self._patience.hold_s + period:
            return None
        bridged = gap > _GAP * period
        share = (time_s - before_s) / gap
        value = before + share * (after - before)
        if not bridged and place > 1 and before_s - samples[place - 2][0] <= _GAP * period:
            # The parabola through one sample more: no frame has to wait for it.
            earlier_s, earlier = samples[place - 2]
            slope = (after - before) / gap
            bend = (slope - (before - earlier) / (before_s - earlier_s)) / (after_s - earlier_s)
            value = value + bend * (time_s - before_s) * (time_s - after_s)
        return value, bridged

    def _smoothed(
        self, samples: list[tuple[float, np.ndarray]], time_s: float, place: int
    ) -> tuple[np.ndarray, bool] | None:
        """Return the mean of the samples around a time under a window: what a lower rate can hold."""
        reach = _REACH * self._step_s
        first = bisect_left(samples, time_s - reach, key=itemgetter(0))
        last = bisect_left(samples, time_s + reach, key=itemgetter(0))
        around = samples[first:last]
        times = np.array([time for time, _ in around]) - time_s
        if not len(times) or times[-1] < -self._patience.hold_s:
            return None
        weights = np.sinc(2 * _CUTOFF * times / self._step_s) * np.cos(0.5 * np.pi * times / reach) ** 2
        gaps = np.diff(times, prepend=-reach, append=reach)
        if gaps.max() > reach or not 0 < place < len(samples):
            nearest = around[int(np.abs(times).argmin())][1]
            return nearest, True
        return weights @ np.array([value for _, value in around]) / weights.sum(), False
