"""Agreement of two curves: how far one is from the other, and whether they have the same shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: A curve that varies by less than this part of its size is moved by rounding alone.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Agreement:
    """How closely a curve follows another, in their unit.

    Attributes
    ----------
    rmsd : float
        Root of the mean squared difference; its square is that of `bias` and that of `spread` together.
    bias, spread : float
        Mean and standard deviation of the difference.
    largest : float
        Largest size of the difference.
    frame : int
        Where that is.
    correlation : float or None
        Pearson's; None where one of the curves is flat.
    """

    rmsd: float
    bias: float
    spread: float
    largest: float
    frame: int
    correlation: float | None


def agreement(found: np.ndarray, expected: np.ndarray, flat: float = 0.0) -> Agreement:
    """Compare a curve with the one that it should be.

    Parameters
    ----------
    found, expected : (N,) ndarray
        Of the same frames, N > 0, in one unit.
    flat : float
        A curve with a standard deviation of no more than this has no shape to correlate; that of rounding
        always counts as none.
    """
    difference = found - expected
    frame = int(np.abs(difference).argmax())
    smallest = max(flat, _ROUNDING * max(1e-12, np.abs(expected).max(), np.abs(found).max()))
    varied = min(np.std(found), np.std(expected)) > smallest
    return Agreement(
        rmsd=float(np.sqrt(np.mean(difference**2))),
        bias=float(np.mean(difference)),
        spread=float(np.std(difference)),
        largest=float(np.abs(difference[frame])),
        frame=frame,
        correlation=float(np.corrcoef(found, expected)[0, 1]) if varied else None,
    )
