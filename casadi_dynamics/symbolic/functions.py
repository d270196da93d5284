"""Scalar functions with their first two derivatives, branch-free in CasADi."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import casadi as ca
import numpy as np

from casadi_dynamics.model.functions import Constant, Function, Linear, Multiplier, Polynomial, SimmSpline


def evaluate(function: Function, x: ca.SX, scales: Sequence[ca.SX] = ()) -> tuple[ca.SX, ca.SX, ca.SX]:
    """Return value, first and second derivative of `function` at `x`.

    Parameters
    ----------
    function : Function
    x : casadi.SX
        Scalar.
    scales : sequence of casadi.SX, optional
        Symbols that stand for the scales of nested multipliers, outermost first; by default their numbers.

    Returns
    -------
    tuple of 3 casadi.SX
    """
    if isinstance(function, Constant):
        return ca.SX(function.value), ca.SX(0), ca.SX(0)
    if isinstance(function, Linear):
        return function.slope * x + function.intercept, ca.SX(function.slope), ca.SX(0)
    if isinstance(function, Polynomial):
        powers = [np.polyder(np.poly1d(function.coefficients), order).coeffs for order in (0, 1, 2)]
        return tuple(_horner(coefficients, x) for coefficients in powers)
    if isinstance(function, SimmSpline):
        return _simm_spline(function, x)
    assert isinstance(function, Multiplier)
    factor = scales[0] if scales else function.scale
    return tuple(factor * part for part in evaluate(function.function, x, scales[1:]))


def _horner(coefficients, x):
    value = ca.SX(0)
    for coefficient in coefficients:
        value = value * x + float(coefficient)
    return value


def _simm_spline(spline: SimmSpline, x: ca.SX):
    knots = np.array(spline.x)
    values, slopes, halves, sixths = forsythe_coefficients(knots, np.array(spline.y))
    last = len(knots) - 1
    segments = [(knots[0], values[0], slopes[0], 0.0, 0.0)]
    segments += [(knots[i], values[i], slopes[i], halves[i], sixths[i]) for i in range(last)]
    segments += [(knots[last], values[last], slopes[last], 0.0, 0.0)]
    origin, c0, c1, c2, c3 = (_select(x, knots, [segment[k] for segment in segments]) for k in range(5))
    t = x - origin
    return (
        c0 + t * (c1 + t * (c2 + t * c3)),
        c1 + t * (2 * c2 + t * (3 * c3)),
        2 * c2 + t * (6 * c3),
    )


def _select(x, knots, constants):
    """Return the constant of the interval that `x` is in; `constants[0]` is left of the first knot."""
    if all(a == b for a, b in pairwise(constants)):
        return ca.SX(constants[0])
    chosen = ca.SX(constants[-1])
    for knot, constant in zip(reversed(knots), reversed(constants[:-1]), strict=True):
        chosen = ca.if_else(x < knot, constant, chosen)
    return chosen


def forsythe_coefficients(x: np.ndarray, y: np.ndarray):
    """Return the cubic spline coefficients that OpenSim's `SimmSpline` uses.

    The end conditions match the third derivative at both ends to that of the cubic through the four nearest
    points (Forsythe, Malcolm, Moler, "Computer Methods for Mathematical Computations", 1977, section 4.4).

    Parameters
    ----------
    x, y : (n,) arrays, n >= 2
        Points, x rising.

    Returns
    -------
    tuple of 4 (n,) arrays
        In interval i, f = y_i + b_i t + c_i t^2 + d_i t^3 with t = x - x_i.
    """
    n = len(x)
    h, slope = np.diff(x), np.diff(y) / np.diff(x)
    if n == 2:
        return y, np.repeat(slope, 2), np.zeros(2), np.zeros(2)
    # Tridiagonal system for c = f''/6 at the points; the first and last rows hold the end conditions.
    diagonal = np.concatenate([[-h[0]], 2 * (h[:-1] + h[1:]), [-h[-1]]])
    right = np.concatenate([[0.0], np.diff(slope), [0.0]])
    if n > 3:
        second = np.diff(slope) / (x[2:] - x[:-2])
        third = np.diff(second) / (x[3:] - x[:-3])
        right[0], right[-1] = third[0] * h[0] ** 2, -third[-1] * h[-1] ** 2
    matrix = np.diag(diagonal) + np.diag(h, 1) + np.diag(h, -1)
    c = np.linalg.solve(matrix, right)
    b = np.append(slope - h * (c[1:] + 2 * c[:-1]), slope[-1] + h[-1] * (c[-2] + 2 * c[-1]))
    d = np.append(np.diff(c) / h, (c[-1] - c[-2]) / h[-1])
    return y, b, 3 * c, d
