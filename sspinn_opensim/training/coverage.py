"""Parts of a recording that the method does not cover: nothing is learnt there, and estimates mislead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sspinn_opensim.recording import Phase, Recording
from sspinn_opensim.recording.runs import true_runs


@dataclass(frozen=True)
class Uncovered:
    """A span without a training window in it.

    Attributes
    ----------
    from_s, to_s : float
        Times of its first and last sample, s.
    reason : str
        Why, as the end of a sentence.
    """

    from_s: float
    to_s: float
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.from_s:.2f} to {self.to_s:.2f} s: {self.reason}; nothing is learnt there, "
            "and the estimate there is not to be trusted"
        )


def uncovered(recording: Recording, phases: tuple[Phase, ...], *, planar: bool) -> tuple[Uncovered, ...]:
    """Return the spans that the method does not cover, by the time they begin.

    Parameters
    ----------
    phases : tuple of Phase
        Of the recording.
    planar : bool
        Whether the model moves in the sagittal plane, which a turn leaves.
    """
    time_s = recording.time_s
    spans = [
        Uncovered(
            float(time_s[first]),
            float(time_s[last - 1]),
            "samples are missing, or not among the pieces that are used",
        )
        for first, last in true_runs(~recording.usable)
    ]
    if planar:
        spans += [
            Uncovered(phase.from_s, phase.to_s, "the person turns, and the model stays in one plane")
            for phase in phases
            if phase.kind == "turning"
        ]
    return tuple(sorted(spans, key=lambda span: span.from_s))


def covered_samples(time_s: np.ndarray, spans: tuple[Uncovered, ...]) -> np.ndarray:
    """Return which samples lie in none of the spans, (n,) bool."""
    covered = np.ones(len(time_s), bool)
    for span in spans:
        covered &= (time_s < span.from_s) | (time_s > span.to_s)
    return covered


def window_starts(covered: np.ndarray, frames: int) -> np.ndarray:
    """Return at which samples a window of so many frames begins that touches nothing uncovered."""
    if len(covered) < frames:
        return np.zeros(0, int)
    total = np.concatenate([[0], np.cumsum(covered)])
    return np.flatnonzero(total[frames:] - total[:-frames] == frames)
