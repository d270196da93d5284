"""The horizontal axis of the charts of a report: a gait cycle in percent, or seconds of analysed gait."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sspinn_opensim.evaluation.data import EvaluationData
from sspinn_opensim.recording import GAIT

#: s shown of a recording without a known gait cycle.
SHOWN_S = 5.0


@dataclass(frozen=True)
class Axis:
    """The horizontal axis that charts share.

    Attributes
    ----------
    cycle_s : float or None
        Period, s, if the charts run over a gait cycle.
    start_s : float
        When the recording, and with it its first cycle, starts.
    until_s : float
        End of the last cycle (between two frames), or the last frame.
    span : tuple of 2 floats
        Limits, percent of the cycle or s.
    """

    cycle_s: float | None
    start_s: float
    until_s: float
    span: tuple[float, float]

    @classmethod
    def of(cls, data: EvaluationData, muscles_to_s: float | None = None) -> Axis:
        """Return the axis for what was evaluated.

        Parameters
        ----------
        muscles_to_s : float, optional
            Last time of the muscle forces, which charts over time do not go beyond: s.
        """
        frames_s, start_s = data.frames_s, float(data.recording.time_s[0])
        last_s = float(frames_s[-1])
        cycle_s = data.recording.cycle_s if data.cycles else None
        if cycle_s is None:
            # Who stands still at the end of a walk shows nothing there; a recording without gait has its end.
            gait_s = [p.to_s for p in data.phases if p.kind in GAIT and p.from_s < last_s]
            end_s = max([min(to_s, last_s) for to_s in gait_s if to_s > frames_s[0]], default=last_s)
            end_s = end_s if muscles_to_s is None else min(end_s, muscles_to_s)
            end_s = min(max(end_s, float(frames_s[0]) + SHOWN_S), last_s)
            return cls(None, start_s, last_s, (max(float(frames_s[0]), end_s - SHOWN_S), end_s))
        step_s = frames_s[1] - frames_s[0] if len(frames_s) > 1 else cycle_s
        return cls(cycle_s, start_s, float(last_s + 0.5 * step_s), (0.0, 100.0))

    @property
    def label(self) -> str:
        """What the axis shows."""
        return "gait cycle (%)" if self.cycle_s else "time (s)"

    def of_times(self, time_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (frames, x): which frames of a table the charts show, in drawing order, and where."""
        time_s = np.asarray(time_s)
        if not self.cycle_s:
            frames = np.flatnonzero((time_s >= self.span[0] - 1e-9) & (time_s <= self.span[1] + 1e-9))
            return frames, time_s[frames]
        frames = np.flatnonzero((time_s > self.until_s - self.cycle_s) & (time_s < self.until_s))
        phase = 100.0 * np.mod((time_s[frames] - self.start_s) / self.cycle_s + 1e-9, 1.0)
        order = np.argsort(phase)
        return frames[order], phase[order]
