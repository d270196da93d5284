"""Standing still before a motion: a posture that is held, and a smooth start into the motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import BPoly

from sspinn_opensim.simulation.motion import SplineMotion

#: From standing to the speed of the motion, s: people reach it within one to two steps (Brenière and Do 1986,
#: J. Biomech. 19:1035-1040).
START_S = 1.0


@dataclass(frozen=True)
class FromStanding:
    """A motion that somebody starts from standing still.

    Attributes
    ----------
    begins_s, joins_s : float
        Since when they stand, and when the motion goes on as it is, on its clock.
    start : BPoly
        Coordinates from rest to there.
    motion : SplineMotion
        What it goes on with.
    """

    begins_s: float
    joins_s: float
    start: BPoly
    motion: SplineMotion

    @classmethod
    def before(
        cls,
        motion: SplineMotion,
        joins_s: float,
        posture: np.ndarray,
        carrying: list[int],
        stands_s: float,
    ) -> FromStanding:
        """Return a motion before which somebody stands and starts.

        A polynomial of fifth degree takes the coordinates from the posture, at rest, to where they are at
        `joins_s`, with two derivatives.

        Parameters
        ----------
        posture : (c,) ndarray
            Coordinates of standing.
        carrying : list of int
            Those that carry the root: the person stands where the start leads evenly to the motion.
        stands_s : float
            So long they stand, s.
        """
        there = np.stack([part[0] for part in motion(np.array([joins_s]))])
        stood = np.stack([posture, *np.zeros((2, len(posture)))])
        stood[0, carrying] = (there[0] - START_S / 2 * there[1])[carrying]
        start = BPoly.from_derivatives([joins_s - START_S, joins_s], np.stack([stood, there]))
        return cls(joins_s - START_S - stands_s, joins_s, start, motion)

    def __call__(self, time_s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the coordinates and their first and second derivatives, (n, c) each."""
        starting = np.clip(time_s, self.joins_s - START_S, self.joins_s)
        started = (time_s >= self.joins_s)[:, None]
        q, qdot, qddot = self.motion(np.maximum(time_s, self.joins_s))
        return (
            np.where(started, q, self.start(starting)),
            np.where(started, qdot, self.start(starting, 1)),
            np.where(started, qddot, self.start(starting, 2)),
        )
