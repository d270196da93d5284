"""The clock of a sensor against that of this machine, from when its samples arrive."""

from __future__ import annotations

from collections import deque
from math import inf, isfinite, nan

import numpy as np

#: Of each block of this length, s, the sample that was quickest counts; so many blocks are known at once.
_BLOCK_S, _BLOCKS = 1.0, 60
#: This share of a block comes within so many seconds after its quickest sample. One before them has a wrong
#: stamp: it would have come before it was measured.
_SHARE, _WITHIN_S = 0.05, 0.05
#: Once a block is known, a sample is strange that is quicker than the quickest by more than that, and so many
#: times what these usually differ by.
_SPREADS = 6.0
#: With fewer blocks the clock is taken not to drift: 100 ppm are 1 ms in 10 s.
_FEWEST = 10
#: A sample this far, s, from where its clock should be is strange; after so many times in a row that agree
#: with each other the clock has been set anew.
_STRANGE_S, _STRANGE_IN_A_ROW = 1.0, 5


class SensorClock:
    """Says when a sample was measured, on the clock of this machine.

    A sample arrives after it was measured, once in a while hardly later. So the quickest of each second lie
    along a line over the sensor's time: its clock is off by the line's height and drifts by its slope. What
    every sample takes at least cannot be told from a clock that is behind.
    """

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self._quickest: deque[tuple[float, float]] = deque(maxlen=_BLOCKS)
        self._block_from_s: float | None = None
        self._in_block: list[tuple[float, float]] = []
        self._offset_s, self._slope, self._about_s = inf, 0.0, 0.0
        self._soonest_s = -_STRANGE_S
        self._strange, self._strange_sample = 0, (nan, nan)

    @property
    def drift_ppm(self) -> float:
        """By how much the sensor's second is longer than this machine's, in millionths."""
        return 1e6 * self._slope

    def delay_s(self, time_s: float, arrived_s: float) -> float | None:
        """Take the times of a sample, and return how much later than the quickest ones it arrived, s.

        Parameters
        ----------
        time_s, arrived_s : float
            When it was measured by the sensor's clock, and when it arrived by this machine's.

        Returns
        -------
        float or None
            None for a sample whose time does not belong to the others'.
        """
        delay = arrived_s - time_s
        beyond = delay - self._offset_at(time_s) if isfinite(self._offset_s) else 0.0
        if not self._soonest_s <= beyond <= _STRANGE_S:
            if not self._set_anew(time_s, delay):
                return None
            self._start()
        self._strange = 0
        if self._block_from_s is None:
            self._block_from_s, self._offset_s, self._about_s = arrived_s, delay, time_s
        if arrived_s - self._block_from_s >= _BLOCK_S:
            self._close_block(arrived_s)
        # Of sensors of one clock the first one of a time is quickest.
        if not self._in_block or time_s != self._in_block[-1][1]:
            self._in_block.append((delay, time_s))
        if delay < self._offset_s and not self._quickest:
            self._offset_s = delay
        return delay - self._offset_at(time_s)

    def _set_anew(self, time_s: float, delay: float) -> bool:
        """Take a strange sample; return whether there are enough of them, at several times, that agree."""
        before_s, before = self._strange_sample
        self._strange_sample = time_s, delay
        if not abs(delay - before) <= _STRANGE_S:
            self._strange = 0
        elif self._strange and time_s == before_s:  # another sensor of the same clock, at the same time
            return False
        self._strange += 1
        return self._strange >= _STRANGE_IN_A_ROW

    def _offset_at(self, time_s: float) -> float:
        return self._offset_s + self._slope * (time_s - self._about_s)

    def _close_block(self, arrived_s: float) -> None:
        if self._in_block:
            self._quickest.append(_quickest(self._in_block))
        self._block_from_s, self._in_block = arrived_s, []
        delays, times = np.array(self._quickest).T
        if len(times) < _FEWEST:
            self._offset_s, line = float(delays.min()), float(np.median(delays))
        else:
            # The line of least squares about the mean time.
            self._about_s, self._offset_s = float(times.mean()), float(delays.mean())
            off = times - self._about_s
            spread = float(off @ off)
            self._slope = float(off @ delays) / spread if spread > 0 else 0.0  # a clock may stand still
            line = self._offset_s + self._slope * off
        usual_s = float(np.median(np.abs(delays - line)))
        self._soonest_s = -min(_WITHIN_S + _SPREADS * usual_s, _STRANGE_S)


def _quickest(block: list[tuple[float, float]]) -> tuple[float, float]:
    """Return delay and time of the quickest sample of a block whose stamp others bear out."""
    ordered = sorted(block)
    delays = np.array([delay for delay, _ in ordered])
    followed = np.searchsorted(delays, delays + _WITHIN_S) - np.arange(len(delays))
    return ordered[int(np.argmax(followed >= _SHARE * len(delays)))]
