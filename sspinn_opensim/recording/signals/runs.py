"""Runs: stretches of a series that have one value."""

from __future__ import annotations

import itertools

import numpy as np


def runs_of(values: np.ndarray) -> list[tuple[int, int]]:
    """Return first index and index after the last of each stretch of equal values of (n,), n > 0."""
    edges = [0, *(np.flatnonzero(values[1:] != values[:-1]) + 1), len(values)]
    return [(int(first), int(last)) for first, last in itertools.pairwise(edges)]


def true_runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """Return first index and index after the last of each stretch of true values of (n,) flags."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]


def windows_within(flags: np.ndarray, width: int) -> np.ndarray:
    """Return whether every flag of a window is true, for all windows of so many of (n,), (n - width + 1,)."""
    within = np.zeros(len(flags) - width + 1, bool)
    for first, last in true_runs(flags):
        within[first : max(last - width + 1, first)] = True
    return within
