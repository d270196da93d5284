"""Copies: samples of a sensor that stand twice in its file, or in the file of another sensor.

Noise repeats no row of several channels but by chance, and no two in a row.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from sspinn_opensim.recording.findings import Finding
from sspinn_opensim.recording.signals.runs import true_runs
from sspinn_opensim.text import toml_table

#: A stretch of so long, s, whose samples all came before, at least so long before, was pasted.
_PASTED_S = 0.5
#: Two sensors have a stretch in common if so many rows follow each other in both, of which half differ.
_ROWS = 50
#: From this share of its samples a sensor with signals of another says little of its own segment.
_MUCH = 0.05
#: Rows by which a stretch is found: all of few, else those whose hashes begin with so many zero bits; where a
#: row is copied, both sensors choose it.
_FEW, _ZERO_BITS = 4096, 3
#: Pairs of signals: acceleration and angular rate (n, 3); None, or a column of NaN, where not measured.
Signals = Sequence[np.ndarray | None]


def pasted(name: str, rows: np.ndarray, rate_hz: float, lines: Sequence[int] | None) -> Iterator[Finding]:
    """Give the longest stretch of a sensor that stands in it twice.

    Parameters
    ----------
    rows : (n, c) array
        Its channels.
    rate_hz : float
        Sampling rate, Hz.
    lines : (n,) sequence of int or None
        Lines of the file.
    """
    hashed = _hashed(rows)
    order = np.argsort(hashed, kind="stable")
    same = hashed[order[1:]] == hashed[order[:-1]]
    lag = np.zeros(len(rows), int)  # to the last row with the same values; 0: none
    lag[order[1:][same]] = (order[1:] - order[:-1])[same]
    edges = np.concatenate([[0], np.flatnonzero(np.diff(lag)) + 1, [len(lag)]])
    lengths = np.where(lag[edges[:-1]] >= _PASTED_S * rate_hz, np.diff(edges), 0)
    first, long = edges[lengths.argmax()], lengths.max()
    if long < _PASTED_S * rate_hz:
        return
    long_s, before_s = long / rate_hz, lag[first] / rate_hz
    yield Finding(
        "doubt",
        "duplicate",
        f"{long_s:.3g} s of its samples from {_at(first, lines)} on are those of {before_s:.3g} s before.",
        sensor=name,
        advice="export the recording again: a part of it was written twice",
    )


def shared(
    signals: Mapping[str, Signals], lines: Mapping[str, Sequence[int] | None] | None = None
) -> Iterator[Finding]:
    """Give the sensors whose samples, or a stretch of them, are those of another sensor.

    Either may be cut where the other is not, or start later.

    Parameters
    ----------
    signals : mapping of str to (ndarray, ndarray)
        By the name of the sensor.
    lines : mapping of str to (n,) sequence of int or None, optional
        Lines of the files.
    """
    hashed = {name: _hashed(_rows(pair)) for name, pair in signals.items()}
    marks = {name: _marks(own) for name, own in hashed.items()}
    for (one, a), (other, b) in itertools.combinations(signals.items(), 2):
        if _are_same(a, b):
            first, share = 0, 1.0
        else:
            first, share = _stretch(hashed[one], hashed[other], marks[one], marks[other])
        if not share:
            continue
        if share == 1.0:
            found, why = f"its samples are those of '{one}'.", "it was copied or exported twice"
        else:
            at = _at(first, (lines or {}).get(other))
            found = f"{100 * share:.2g} % of its samples, first from {at} on, are those of '{one}'."
            why = "one of both files holds signals of the other sensor, so export them again"
        yield Finding(
            "serious" if share >= _MUCH else "doubt",
            "duplicate",
            found,
            sensor=other,
            advice=f"remove {toml_table('sensors', other)} from the study, or its file: {why}",
        )


def _at(row: int, lines: Sequence[int] | None) -> str:
    return f"line {lines[row]}" if lines is not None else f"sample {row + 1}"


def _rows(pair: Signals) -> np.ndarray:
    measured = [signal for signal in pair if signal is not None]
    return np.nan_to_num(np.concatenate(measured, axis=1)) if measured else np.zeros((0, 1))


def _hashed(rows: np.ndarray) -> np.ndarray:
    """Return a number for each row (n, c) that rows of other values, or of another order, do not have."""
    odd = np.random.default_rng(0).integers(2**63, size=rows.shape[1], dtype=np.uint64) * 2 + 1
    return np.ascontiguousarray(rows, float).view(np.uint64) @ odd


def _marks(hashed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return hashes of rows that stand once in a sensor, and which rows these are."""
    if len(hashed) > _FEW:
        chosen = np.flatnonzero(hashed >> np.uint64(64 - _ZERO_BITS) == 0)
    else:
        chosen = np.arange(len(hashed))
    once, at, count = np.unique(hashed[chosen], return_index=True, return_counts=True)
    return once[count == 1], chosen[at[count == 1]]


def _are_same(a: Signals, b: Signals) -> bool:
    """Return whether two sensors have the same accelerations, or the same angular rates, from start to end.

    One signal alone may be missing in both.
    """
    return any(
        x is not None
        and y is not None
        and x.shape == y.shape
        and len(x) > 10
        and np.array_equal(x[:10], y[:10], equal_nan=True)  # most pairs end here
        and np.array_equal(x, y, equal_nan=True)
        and bool(np.isfinite(x).any())
        and np.nanstd(x) > 0
        for x, y in zip(a, b, strict=True)
    )


def _stretch(
    a: np.ndarray,
    b: np.ndarray,
    marks_a: tuple[np.ndarray, np.ndarray],
    marks_b: tuple[np.ndarray, np.ndarray],
) -> tuple[int, float]:
    """Return the row from which a sensor has samples of another, and their share of the shorter."""
    common, i, j = np.intersect1d(marks_a[0], marks_b[0], assume_unique=True, return_indices=True)
    if not len(common):
        return 0, 0.0
    lags, often = np.unique(marks_a[1][i] - marks_b[1][j], return_counts=True)
    lag = int(lags[often.argmax()])
    of_a, of_b = max(lag, 0), max(-lag, 0)
    size = min(len(a) - of_a, len(b) - of_b)
    same = a[of_a : of_a + size] == b[of_b : of_b + size]
    runs = [
        (first + of_b, last + of_b)
        for first, last in true_runs(same)
        if last - first >= _ROWS and len(np.unique(b[first + of_b : last + of_b])) >= _ROWS / 2
    ]
    if not runs:
        return 0, 0.0
    return runs[0][0], sum(last - first for first, last in runs) / min(len(a), len(b))
