"""Periodic motion as one linear map from spline coefficients.

Where a gait is symmetric, the left leg does what the right one did half a cycle earlier: a motion is a closed
spline over the whole cycle for each coordinate of the right leg, and over half a cycle for what lies in the
middle. Of a limp each coordinate has a spline of its own over the whole cycle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import BSpline
from scipy.sparse import csr_matrix, lil_matrix

#: Quintic: accelerations are cubic between the knots and twice continuously differentiable.
DEGREE = 5


@dataclass(frozen=True)
class PeriodicMotion:
    """Linear maps from the unknowns to the motion at some instants.

    Attributes
    ----------
    q, u, udot, jerk : (m * n, k) csr_matrix
        Rows run over the n coordinates of the first instant, then of the next.
    """

    q: csr_matrix
    u: csr_matrix
    udot: csr_matrix
    jerk: csr_matrix


def closed_basis(phase: np.ndarray, knots: int, derivative: int = 0) -> np.ndarray:
    """Return the values of the closed uniform B-splines of a cycle of length one.

    Parameters
    ----------
    phase : (m,) array_like
        Any real numbers; whole parts do not matter.
    derivative : int
        Order of the derivative against phase.

    Returns
    -------
    (m, knots) ndarray
        Coefficient i belongs to the spline that starts at phase i / knots.
    """
    one = BSpline.basis_element(np.arange(DEGREE + 2) / knots, extrapolate=False)
    since_start = np.mod(np.asarray(phase, float)[:, None] - np.arange(knots) / knots, 1.0)
    return np.nan_to_num(one.derivative(derivative)(since_start) if derivative else one(since_start))


def coefficients_of(names: Sequence[str], knots: int, *, symmetric: bool = True) -> dict[str, slice]:
    """Return where among the unknowns, after the speed, the coefficients of each coordinate are."""
    places, k = {}, 1
    for name in names:
        if not (symmetric and name.endswith("_l")):
            width = knots if name.endswith("_r") or not symmetric else knots // 2
            places[name], k = slice(k, k + width), k + width
    return places


def periodic_motion(
    names: Sequence[str], cycle_s: float, knots: int, time_s: np.ndarray, *, symmetric: bool = True
) -> PeriodicMotion:
    """Return the maps from unknowns to coordinates of a cycle.

    The unknowns are the speed (m/s), then the coefficients of each coordinate in the order of `names`:
    `knots` each or, of a symmetric cycle, none for the left leg and half as many for what belongs to no leg.
    `pelvis_tx` is the speed times the time and a spline.

    Parameters
    ----------
    names : sequence of str
        Coordinates; those of the legs end in `_r` and `_l`.
    knots : int
        Knots of the whole cycle, even.
    time_s : (m,) array_like
        Instants, s.
    symmetric : bool
        Whether the left leg does what the right one does, half a cycle later.
    """
    time_s = np.asarray(time_s, float)
    phase, n = time_s / cycle_s, len(names)
    column = coefficients_of(names, knots, symmetric=symmetric)
    k = max(part.stop for part in column.values())
    maps = []
    for order in range(4):
        whole = lil_matrix((len(time_s) * n, k))
        per_time = cycle_s**-order
        right = closed_basis(phase, knots, order) * per_time
        left = closed_basis(phase + 0.5, knots, order) * per_time
        middle = right[:, : knots // 2] + right[:, knots // 2 :]
        for i, name in enumerate(names):
            rows = slice(i, None, n)
            if not symmetric:
                whole[rows, column[name]] = right
            elif name.endswith("_l"):
                whole[rows, column[f"{name[:-2]}_r"]] = left
            else:
                whole[rows, column[name]] = right if name.endswith("_r") else middle
            if name == "pelvis_tx" and order < 2:
                whole[rows, 0] = (time_s if order == 0 else np.ones_like(time_s))[:, None]
        maps.append(whole.tocsr())
    return PeriodicMotion(*maps)
