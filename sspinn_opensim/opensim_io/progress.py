"""Lines that say what OpenSim works on and for how long, while it works."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

#: A line comes this long after the one before at least, or a part of the time that has passed, s.
_SHORTEST_S, _LONGEST_S, _PART = 10.0, 60.0, 1 / 3


class Progress:
    """What `run_job` and `Job` may be given as `watch`: logs now and then how far OpenSim is.

    Parameters
    ----------
    what : str
        What OpenSim does.
    frames : int
        How many it has to do.
    frame : pattern, optional
        A line of OpenSim's log that tells of one frame done. Without it the time alone is told.
    clock : callable
        s.
    """

    def __init__(
        self,
        what: str,
        frames: int,
        frame: re.Pattern[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what, self._frames, self._frame, self._clock = what, frames, frame, clock
        self._start, self._done, self._next_s = clock(), 0, _SHORTEST_S
        self._lock = threading.Lock()  # jobs that share the frames are watched from several threads

    def __call__(self, lines: str) -> None:
        """Take the lines that OpenSim has printed since the last call, some or none."""
        with self._lock:
            self._done += len(self._frame.findall(lines)) if self._frame else 0
            passed_s = self._clock() - self._start
            if passed_s < self._next_s:
                return
            self._next_s = passed_s + min(max(passed_s * _PART, _SHORTEST_S), _LONGEST_S)
            done = min(self._done, self._frames)
        if 0 < done < self._frames:
            left_s = passed_s * (self._frames - done) / done
            log.info(
                f"{self._what}: {done} of {self._frames} frames after {_minutes(passed_s)}, "
                f"about {_minutes(left_s)} left"
            )
        else:
            log.info(f"{self._what}: {self._frames} frames, {_minutes(passed_s)} so far")


def _minutes(time_s: float) -> str:
    minutes, seconds = divmod(round(time_s), 60)
    return f"{minutes}:{seconds:02d}"
