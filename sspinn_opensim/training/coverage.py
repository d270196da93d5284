"""Parts of a recording that the method does not cover: nothing is learnt there, and estimates mislead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import Phase, Recording
from sspinn_opensim.recording.signals.runs import true_runs
from sspinn_opensim.training.settings import SHORTEST_S


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


def uncovered(recording: Recording, phases: tuple[Phase, ...], *, turns: bool) -> tuple[Uncovered, ...]:
    """Return the spans that the method does not cover, by the time they begin.

    Parameters
    ----------
    phases : tuple of Phase
        Of the recording.
    turns : bool
        Whether the model can turn about the vertical.
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
    if not turns:
        spans += [
            Uncovered(phase.from_s, phase.to_s, "the person turns, and the model keeps its heading")
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


def too_short(where: str, lasts_s: float, covered_s: float, at_least_s: float) -> InputError:
    """Return what is said of a recording of which no covered piece lasts so long, s."""
    return InputError(
        "The recording is too short to train on.",
        where=where,
        expected=f"at least {at_least_s:g} s without a gap or a turn",
        found=f"{lasts_s:.4g} s" + (f", {covered_s:.4g} s of them covered" if covered_s < lasts_s else ""),
        fix="give a longer recording",
    )


def refuse_short(recording: Recording, where: str) -> None:
    """Refuse a recording of which no piece without a gap is long enough, whatever a training covers of it.

    Raises
    ------
    InputError
        Within a sample: the rate of the training decides about that one.
    """
    step_s = 1.0 / recording.sampling_rate_hz
    longest = max((last - first for first, last in true_runs(recording.usable)), default=0)
    if longest * step_s < SHORTEST_S - step_s:
        usable_s = float(recording.usable.sum()) * step_s
        raise too_short(where, len(recording.time_s) * step_s, usable_s, SHORTEST_S)


def scored_frames(covered: np.ndarray, most: int, least: int) -> int:
    """Return how many frames of a window can be scored: `most`, or less in a recording of short pieces.

    Parameters
    ----------
    covered : (n,) array of bool
    most : int
        Frames that are scored where at least half of what is covered lies in pieces that are long enough.
    least : int
        Pieces in which fewer could be scored are not learnt from.

    Returns
    -------
    int
        What the shortest piece that is learnt from allows, at most `most`: all of its frames but the first,
        whose speed would take a frame before it. 0 where there is no such piece.
    """
    allowed = np.array([last - first - 1 for first, last in true_runs(covered)], int)
    if 2 * (allowed[allowed >= most] + 1).sum() >= covered.sum() > 0:
        return most
    return int(min(allowed[allowed >= least], default=0))


def window_starts(covered: np.ndarray, frames: int, lead_in: int = 0) -> np.ndarray:
    """Return where windows of so many frames begin that touch nothing uncovered, (m, 3) int.

    Parameters
    ----------
    lead_in : int
        Frames by which a window may begin before its piece.

    Returns
    -------
    (m, 3) array
        First frame of each window, first frame of its piece, and frames of the piece.
    """
    found = [
        (start, first, last - first)
        for first, last in true_runs(covered)
        for start in range(first - lead_in, last - frames + 1)
    ]
    return np.array(found, int).reshape(-1, 3)


def with_ends(starts: np.ndarray, scored: int) -> np.ndarray:
    """Return starts with the first and the last window of each piece half as often as a frame can be scored.

    Only one window holds the last frame of a piece, and what people do there (they stop) they do nowhere
    else. So it is scored half as often as a frame in the middle.

    Parameters
    ----------
    starts : (m, 3) array
        As of `window_starts`.
    scored : int
        Frames of a window that are scored.
    """
    firsts = np.flatnonzero(np.diff(starts[:, 1], prepend=-1))
    lasts = np.flatnonzero(np.diff(starts[:, 1], append=-1))
    ends = np.tile(np.stack([firsts, lasts], axis=1).ravel(), scored // 2)
    return np.concatenate([starts, starts[ends]])
