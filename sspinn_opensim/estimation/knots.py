"""Quintic splines whose knots are the samples: from coefficients to values, speeds and accelerations there.

With steps of one between knots, a B-spline of degree five has the values 1, 26, 66, 26, 1 (over 120) at the
knots inside its support (de Boor 1978, A Practical Guide to Splines, chapter X), and its derivatives are as
plain. So a sample depends on five coefficients, and equations over a whole motion are banded. Without third
and fourth derivative at its ends it is the spline by which OpenSim differentiates motions (`dynamics.trial`).
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_banded

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
    rows = [(0, 0, AT_KNOT[4]), (1, 0, AT_KNOT[3]), (n + 2, n - 1, AT_KNOT[3]), (n + 3, n - 1, AT_KNOT[4])]
    banded = np.zeros((2 * beside + 1, n + MORE))
    for row, first, weights in (*((k + 2, k, AT_KNOT[0]) for k in range(n)), *rows):
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


def banded_hessian(
    of_motion: np.ndarray, weights: np.ndarray, stiffness: float, end_weight: float
) -> np.ndarray:
    """Return the Hessian by coefficients of Hessians (n, 3 c, 3 c) by value, speed and acceleration.

    Parameters
    ----------
    stiffness : float
        Of the squares of fourth differences (`bending`).
    end_weight : float
        Of the squares of third and fourth differences at both ends, which keeps the ends free.

    Returns
    -------
    (5 c, (n + 4) c) ndarray
        Lower band, as `scipy.linalg.cholesky_banded` takes it; coefficients of a knot lie side by side.
    """
    n, orders = len(of_motion), len(weights)
    c = of_motion.shape[1] // orders
    parts = of_motion.reshape(n, orders, c, orders, c)
    blocks = np.zeros((n + MORE, WIDTH, c, c))  # [i, m] is the block in row i + m and column i
    for right in range(WIDTH):
        half = np.einsum("b,napbq->napq", weights[:, right], parts)
        for left in range(right, WIDTH):
            blocks[right : right + n, left - right] += np.einsum("a,napq->npq", weights[:, left], half)
            blocks[right : right + n, left - right] += (
                stiffness * AT_KNOT[4][left] * AT_KNOT[4][right] * np.eye(c)
            )
            for ending in AT_KNOT[3:]:
                for end in (0, n - 1):
                    blocks[end + right, left - right] += end_weight * ending[left] * ending[right] * np.eye(c)
    band = np.zeros((WIDTH * c, (n + MORE) * c))
    columns = blocks.reshape(n + MORE, WIDTH * c, c)
    for k in range(c):
        band[: WIDTH * c - k, k::c] = columns[:, k:, k].T
    return band
