"""Quintic splines whose knots are the samples: from coefficients to values, speeds and accelerations there.

With steps of one between knots, a B-spline of degree five has the values 1, 26, 66, 26, 1 (over 120) at the
knots inside its support (de Boor 1978, A Practical Guide to Splines, chapter X), and its derivatives are as
plain. So a sample depends on five coefficients, and equations over a whole motion are banded. Without third
and fourth derivative at its ends it is the spline by which OpenSim differentiates motions (`dynamics.trial`).
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import get_blas_funcs, solve_banded

from sspinn_opensim.estimation.consistency.band_sums import add_motion
from sspinn_opensim.estimation.consistency.banded import factor

#: Value and first to fourth derivative at a knot, by the five coefficients around it.
AT_KNOT = (
    np.array([1.0, 26.0, 66.0, 26.0, 1.0]) / 120,
    np.array([-1.0, -10.0, 0.0, 10.0, 1.0]) / 24,
    np.array([1.0, 2.0, -6.0, 2.0, 1.0]) / 6,
    np.array([-1.0, 2.0, 0.0, -2.0, 1.0]) / 2,
    np.array([1.0, -4.0, 6.0, -4.0, 1.0]),
)
#: So many coefficients tell a sample; there are so many more of them than samples.
WIDTH = 5
MORE = WIDTH - 1


def derivative_weights(step_s: float) -> np.ndarray:
    """Return the weights (3, 5) of coefficients in value, speed and acceleration at a knot."""
    return np.array([AT_KNOT[order] / step_s**order for order in range(3)])


def coefficients(values: np.ndarray) -> np.ndarray:
    """Return the coefficients (n + 4, c) of the spline through values (n, c), n of 5 and more."""
    n, beside = len(values), WIDTH - 1
    banded = np.zeros((2 * beside + 1, n + MORE))
    for k, weight in enumerate(AT_KNOT[0]):  # of knot r, in row r + 2, the coefficient r + k
        banded[beside + 2 - k, k : k + n] = weight
    ends = [(0, 0, AT_KNOT[4]), (1, 0, AT_KNOT[3]), (n + 2, n - 1, AT_KNOT[3]), (n + 3, n - 1, AT_KNOT[4])]
    for row, first, weights in ends:
        columns = np.arange(first, first + WIDTH)
        banded[beside + row - columns, columns] = weights
    right = np.zeros((n + MORE, values.shape[1]))
    right[2 : n + 2] = values
    return solve_banded((beside, beside), banded, right)


def at_knots(found: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return value, speed and acceleration (n, 3 c), one after the other, of coefficients (n + 4, c)."""
    n = len(found) - MORE
    whole = np.zeros((n, len(weights), found.shape[1]))
    for j in range(WIDTH):
        whole += weights[:, j, None] * found[j : n + j, None]
    return whole.reshape(n, -1)


def onto_coefficients(of_motion: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return a gradient by coefficients (n + 4, c) of one by value, speed and acceleration (n, 3 c)."""
    n = len(of_motion)
    parts = of_motion.reshape(n, len(weights), -1)
    total = np.zeros((n + MORE, parts.shape[2]))
    for j in range(WIDTH):
        total[j : n + j] += np.einsum("a,nac->nc", weights[:, j], parts)
    return total


def bending(found: np.ndarray) -> np.ndarray:
    """Return the gradient of half the squares of all fourth differences, (n + 4, c)."""
    n, total = len(found) - MORE, np.zeros_like(found)
    bent = sum(AT_KNOT[4][j] * found[j : j + n] for j in range(WIDTH))
    for j in range(WIDTH):
        total[j : j + n] += AT_KNOT[4][j] * bent
    return total


class Band:
    """The lower band of a symmetric matrix by coefficients, column by column; those of a knot side by side.

    Its columns lie one after the other, with space for `c - 1` numbers between them: so the block of two
    knots is a plain view, and what falls above the diagonal falls between the columns.

    Parameters
    ----------
    knots, c : int
        Knots (with `MORE` beyond the samples), and coefficients of each.
    """

    def __init__(self, knots: int, c: int) -> None:
        self.c = c
        self._columns = np.zeros((knots * c, WIDTH * c + c - 1))

    def copy(self) -> Band:
        """Return another one of the same numbers."""
        other = Band.__new__(Band)
        other.c, other._columns = self.c, self._columns.copy()
        return other

    def add_motion(self, hessian: np.ndarray, weights: np.ndarray, at: np.ndarray) -> None:
        """Add Hessians (n, 3 c, 3 c) by value, speed and acceleration of samples (n,)."""
        add_motion(self._columns, hessian, weights, at)

    def add_stiffness(self, stiffness: float) -> None:
        """Add that of the squares of fourth differences."""
        columns = self._of_knots()
        n = len(columns) - MORE
        for right in range(WIDTH):
            for left in range(right, WIDTH):
                at = (left - right) * self.c
                columns[right : right + n, :, at] += stiffness * AT_KNOT[4][left] * AT_KNOT[4][right]

    def times(self, found: np.ndarray) -> np.ndarray:
        """Return the matrix times coefficients (knots, c)."""
        size, (times,) = WIDTH * self.c, get_blas_funcs(["sbmv"], [found])
        return times(size - 1, 1.0, self._columns.T[:size], found.ravel(), lower=1).reshape(found.shape)

    def factor(self, end_weight: float) -> np.ndarray:
        """Return the factor of the matrix (5 c, columns), as `scipy.linalg.cho_solve_banded` takes it.

        Squares of third and fourth derivatives at both ends are added with a weight, so large that the matrix
        does not keep them: digits of its own would be lost.
        """
        columns = self._of_knots()
        ends = [slice(0, WIDTH), slice(len(columns) - WIDTH, None)]
        kept = [columns[end].copy() for end in ends]
        for end in ends:
            for right in range(WIDTH):
                for left in range(right, WIDTH):
                    for ending in AT_KNOT[3:]:
                        at = (left - right) * self.c
                        columns[end][right, :, at] += end_weight * ending[left] * ending[right]
        found = factor(self._columns, WIDTH * self.c)
        for end, own in zip(ends, kept, strict=True):
            columns[end] = own
        return found

    def _of_knots(self) -> np.ndarray:
        return self._columns.reshape(-1, self.c, self._columns.shape[1])
