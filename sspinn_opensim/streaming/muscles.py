"""Muscle forces of streamed frames: of every one, or of every n-th where the time for them is short."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from math import ceil

import numpy as np

from sspinn_opensim.estimation import FrameEstimate
from sspinn_opensim.muscles import FrameSolver, MuscleFrame
from sspinn_opensim.streaming.events import Event

#: Time for the muscles of a frame, s: what is left of 5 ms for the whole way, and at most so much of a frame.
BUDGET_S, SHARE_OF_FRAME = 0.004, 0.5
#: Of so many solved frames the median tells how long one takes, as what else the machine does disturbs it
#: least; for so many it must be less before more frames are solved again.
_MEASURED, _PATIENT = 50, 500
#: Frames from which rates of the coordinates are known.
_FOR_RATES = 3


@dataclass(frozen=True)
class MuscleSummary:
    """What became of the muscles of a stream.

    Attributes
    ----------
    solved, left_out : int
        Frames with muscle forces, and frames without, as the time for them was short or rates were not known.
    every : int
        At the end every so-manieth frame was solved.
    unmet : dict of str to int
        Frames in which the muscles could not give the moment of a coordinate, see `MuscleFrame.unmet`.
    """

    solved: int
    left_out: int
    every: int
    unmet: dict[str, int]


class LiveMuscles:
    """Solves the muscles of one frame after the other, and says what it leaves out and what they cannot do.

    They give the joint moments of the frame; rates of the coordinates, on which the force of a muscle
    depends, are those of a parabola through the last three frames.

    Parameters
    ----------
    solver : FrameSolver
        Of the person's model; its moments are those of the estimate, coordinates are in the same order.
    step_s : float
        Time from frame to frame, s.
    budget_s : float
        How long the muscles may take, as a mean over frames, s.
    """

    def __init__(self, solver: FrameSolver, step_s: float, *, budget_s: float = BUDGET_S) -> None:
        self._solver, self._step_s = solver, step_s
        self._budget_s = min(budget_s, SHARE_OF_FRAME * step_s)
        self._last: deque[np.ndarray] = deque(maxlen=_FOR_RATES)
        self._times: deque[float] = deque(maxlen=_MEASURED)
        self._every, self._wait, self._quick = 1, 0, 0
        self._typical_s = 0.0
        self._solved, self._left_out = 0, 0
        self._unmet: dict[str, int] = {}
        #: How long the last frame took, s; None if it was not solved.
        self.spent_s: float | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the muscles."""
        return self._solver.muscles

    @property
    def summary(self) -> MuscleSummary:
        """What became of them so far."""
        return MuscleSummary(self._solved, self._left_out, self._every, dict(self._unmet))

    @property
    def told(self) -> str:
        """Which frames they are solved in, and why, in words."""
        if self._every == 1:
            return "muscle forces in every frame"
        return (
            f"muscle forces in one frame of {self._every}: they take {1000 * self._typical_s:.2g} ms, "
            f"and there are {1000 * self._budget_s:.2g} ms a frame for them"
        )

    def twin(self) -> LiveMuscles:
        """Return another one of the same muscles, with a memory of its own.

        Calls of the two must not overlap.
        """
        return LiveMuscles(self._solver.twin(), self._step_s, budget_s=self._budget_s)

    def pause(self) -> None:
        """Forget the frames before: the next one does not follow them."""
        self._last.clear()

    def take(self, time_s: float, estimate: FrameEstimate) -> tuple[MuscleFrame | None, list[Event]]:
        """Return the muscles of the next frame, if they are solved in it, and what there is to say."""
        self.spent_s = None
        if not (np.isfinite(estimate.q).all() and np.isfinite(estimate.moments).all()):
            self.pause()
            return None, []
        self._last.append(estimate.q)
        self._wait -= 1
        if len(self._last) < _FOR_RATES or self._wait > 0:
            self._left_out += 1
            return None, []
        self._wait = self._every
        began = time.perf_counter()
        before, last, now = self._last
        rates = (3 * now - 4 * last + before) / (2 * self._step_s)
        found = self._solver.solve(now, rates, estimate.moments)
        self.spent_s = time.perf_counter() - began
        self._solved += 1
        return found, [*self._short(time_s, found), *self._thinned(time_s, self.spent_s)]

    def _short(self, time_s: float, found: MuscleFrame) -> list[Event]:
        """Return events for coordinates along which the muscles cannot give the moment for the first time."""
        events = []
        for name in found.unmet:
            if name not in self._unmet:
                text = (
                    f"The muscles cannot give the moment of {name}: a reserve helps them. "
                    "More frames like it are counted only."
                )
                events.append(Event(time_s, "muscles_short", text))
            self._unmet[name] = self._unmet.get(name, 0) + 1
        return events

    def _thinned(self, time_s: float, spent_s: float) -> list[Event]:
        """Choose which frames are solved by how long they took."""
        self._times.append(spent_s)
        if len(self._times) < _MEASURED:
            return []
        typical = float(np.median(self._times))
        every = ceil(typical / self._budget_s)
        self._quick = self._quick + 1 if every < self._every else 0
        if every == self._every or (every < self._every and self._quick < _PATIENT):
            return []
        self._every, self._quick, self._typical_s = every, 0, typical
        self._times.clear()
        which = "every frame" if every == 1 else f"one frame of {every}"
        text = (
            f"Muscle forces are solved in {which}: they take {1000 * typical:.2g} ms, and there are "
            f"{1000 * self._budget_s:.2g} ms a frame for them."
        )
        return [Event(time_s, "muscles_thinned", text)]
