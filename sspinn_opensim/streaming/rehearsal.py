"""Rehearsal of the way of a sample in the pauses of a stream.

Within milliseconds a processor loses what it kept near of code and weights that it does not use, and the next
sample takes four times as long as one right after the last. So shortly before a sample is due the way is
walked with the last one again, by a twin of the estimator that nobody hears.
"""

from __future__ import annotations

import time

from sspinn_opensim.streaming.live import LiveEstimator
from sspinn_opensim.streaming.samples import Sample

#: From one rehearsal to the next at least, s; after so long about a tenth of what was near has gone.
_EVERY_S = 0.0005
#: So many of them before a sample is due: the first takes long, and only after the second all is at hand.
_BEFORE = 3
#: At most so much of a frame passes with rehearsals before its sample is due, and until nothing more is
#: expected of it after.
_SHARE, _OVERDUE = 0.5, 1.0
#: How much of what the first rehearsals took, on average, is forgotten with each.
_FORGETS = 0.1


class Rehearsal:
    """Rehearses when it is time; what is streamed stays as it is without.

    Parameters
    ----------
    live : LiveEstimator
        That streams; its frames are no faster than the samples of a recording that is played quickly.
    """

    def __init__(self, live: LiveEstimator) -> None:
        self._live, self._twin = live, live.twin()
        self._of, self._estimated = live.network, live.estimated
        self._step_s = live.machine_step_s
        self._count, self._first_s = 0, 0.0
        self._due_s = self._next_s = -float("inf")
        self._first = True

    def wait_s(self, now_s: float, longest_s: float) -> float:
        """Return how long samples may be waited for until it is time to rehearse.

        Parameters
        ----------
        now_s : float
            On the clock that `taken` and `rehearse` are given.
        longest_s : float
            Where there is nothing to rehearse.
        """
        return min(max(self._next_s - now_s, 0.0), longest_s) if self._expects(now_s) else longest_s

    def taken(self, now_s: float) -> None:
        """Take note that what has come is out: the next frame is expected a step later."""
        if self._live.estimated == self._estimated:
            return
        self._estimated = self._live.estimated
        # This one may have been late: the next is expected when the quickest would come.
        earliest_s = self._live.next_due_s
        self._due_s, self._first = now_s + self._step_s, True
        if earliest_s is not None and now_s < earliest_s < self._due_s:
            self._due_s = earliest_s
        before = self._first_s + _BEFORE * _EVERY_S
        self._next_s = self._due_s - min(before, _SHARE * self._step_s)

    def rehearse(self, now_s: float) -> float:
        """Walk the way of a sample if it is time; return how long it took, s."""
        last = self._live.last_frame
        if last is None or now_s < self._next_s or not self._expects(now_s):
            return 0.0
        if self._of != self._live.network:  # another one has taken over
            self._twin, self._of = self._live.twin(), self._live.network
        self._count += 1
        began, time_s = time.perf_counter(), self._count * self._live.step_s
        for k, signals in enumerate(last.signals):
            self._twin.take(Sample(k, time_s, signals, self._count), time_s)
        self._twin.advance(time_s)
        took_s = time.perf_counter() - began
        if self._first:
            self._first, self._first_s = False, self._first_s + _FORGETS * (took_s - self._first_s)
        # A long way, as with many muscles, is not walked more than half of the time.
        self._next_s = now_s + took_s + max(_EVERY_S, took_s)
        return took_s

    def _expects(self, now_s: float) -> bool:
        return self._live.estimating and now_s < self._due_s + _OVERDUE * self._step_s
