"""Scalar functions with their first two derivatives, branch-free in CasADi."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import pairwise
from math import factorial, perm
from operator import mul

import casadi as ca
import numpy as np
from numpy.typing import ArrayLike

from casadi_dynamics.model.functions import (
    Constant,
    Function,
    Linear,
    Multiplier,
    MultivariatePolynomial,
    NaturalSpline,
    PiecewiseLinear,
    Polynomial,
    SimmSpline,
    Sine,
    Step,
)

#: Breaks, and for each piece between and beyond them the origin and the coefficients of its polynomial.
Pieces = tuple[ArrayLike, ArrayLike, ArrayLike]


def evaluate(function: Function, x: ca.SX, scales: Sequence[ca.SX] = ()) -> tuple[ca.SX, ...]:
    """Return value, first and second derivative of `function` at `x`.

    Parameters
    ----------
    x : casadi.SX
        Scalar.
    scales : sequence of casadi.SX, optional
        Symbols that stand for the scales of nested multipliers, outermost first; by default their numbers.
    """
    if isinstance(function, Constant):
        return ca.SX(function.value), ca.SX(0), ca.SX(0)
    if isinstance(function, Linear):
        return function.slope * x + function.intercept, ca.SX(function.slope), ca.SX(0)
    if isinstance(function, Polynomial):
        powers = [np.polyder(np.poly1d(function.coefficients), order).coeffs for order in (0, 1, 2)]
        return tuple(_horner(coefficients, x) for coefficients in powers)
    if isinstance(function, Sine):
        turned = function.omega * x + function.phase
        sine, slope = function.amplitude * ca.sin(turned), function.amplitude * ca.cos(turned)
        return sine + function.offset, function.omega * slope, -(function.omega**2) * sine
    if isinstance(function, Multiplier):
        factor = scales[0] if scales else function.scale
        return tuple(factor * part for part in evaluate(function.function, x, scales[1:]))
    return _piecewise(x, *_PIECES[type(function)](function))


def evaluate_several(
    function: Function, x: Sequence[ca.SX], scales: Sequence[ca.SX] = ()
) -> tuple[ca.SX, list[ca.SX], list[list[ca.SX]]]:
    """Return value, first and second derivatives of `function` at one or several variables.

    Parameters
    ----------
    x : sequence of casadi.SX
        Scalars, n of them.
    scales : sequence of casadi.SX, optional
        As for `evaluate`.

    Returns
    -------
    value, slopes, curvatures : SX, list of n SX, n lists of n SX
    """
    if isinstance(function, Multiplier):
        factor = scales[0] if scales else function.scale
        value, slopes, curvatures = evaluate_several(function.function, x, scales[1:])
        return factor * value, [factor * s for s in slopes], [[factor * c for c in row] for row in curvatures]
    if not isinstance(function, MultivariatePolynomial):
        value, slope, curvature = evaluate(function, x[0], scales)
        return value, [slope], [[curvature]]
    terms = list(zip(function.coefficients, function.exponents, strict=True))

    def derivative(*orders: int) -> ca.SX:
        """Return the polynomial differentiated as often to each variable as `orders` says."""
        total = ca.SX(0)
        for coefficient, powers in terms:
            factors = [
                perm(power, times) * x[i] ** (power - times) if times <= power else ca.SX(0)
                for i, (power, times) in enumerate(zip(powers, orders, strict=True))
            ]
            total += coefficient * reduce(mul, factors)
        return total

    places = range(len(x))
    units = [[int(i == k) for k in places] for i in places]
    slopes = [derivative(*unit) for unit in units]
    curvatures = [[derivative(*(a + b for a, b in zip(i, j, strict=True))) for j in units] for i in units]
    return derivative(*(0 for _ in places)), slopes, curvatures


def _horner(coefficients: Iterable[ca.SX | float], x: ca.SX) -> ca.SX:
    value = ca.SX(0)
    for coefficient in coefficients:
        value = value * x + coefficient
    return value


def _piecewise(x: ca.SX, breaks: ArrayLike, origins: ArrayLike, coefficients: ArrayLike) -> tuple[ca.SX, ...]:
    """Evaluate the polynomial of the piece that `x` is in; piece 0 is left of the first break.

    `coefficients` is (pieces, degree + 1), lowest power first, each in powers of `x` less its origin.
    """
    ends = np.asarray(breaks, float)
    t = x - _select(x, ends, np.asarray(origins, float))
    powers = [_select(x, ends, column) for column in np.asarray(coefficients, float).T]
    parts = []
    for _ in range(3):
        parts.append(_horner(reversed(powers), t))
        powers = [k * power for k, power in enumerate(powers)][1:]
    return tuple(parts)


def _select(x: ca.SX, breaks: np.ndarray, constants: np.ndarray) -> ca.SX:
    """Return the constant of the piece that `x` is in, as an expression without branches."""
    if all(a == b for a, b in pairwise(constants)):
        return ca.SX(float(constants[0]))
    chosen = ca.SX(float(constants[-1]))
    for end, constant in zip(reversed(breaks), reversed(constants[:-1]), strict=True):
        chosen = ca.if_else(x < float(end), float(constant), chosen)
    return chosen


def _step_pieces(step: Step) -> Pieces:
    """Return a quintic without slope or curvature at both ends (Simbody's `stepAny`)."""
    width, height = step.end - step.start, step.after - step.before
    powers = [step.before, 0, 0, 10 * height / width**3, -15 * height / width**4, 6 * height / width**5]
    outside = [[value] + [0] * 5 for value in (step.before, step.after)]
    return (step.start, step.end), (0, step.start, 0), [outside[0], powers, outside[1]]


def _linear_pieces(function: PiecewiseLinear) -> Pieces:
    x, y = np.array(function.x), np.array(function.y)
    slopes = np.diff(y) / np.diff(x)
    # OpenSim anchors the line beyond the last point there, and all others at their left end.
    origins = np.concatenate([x[:1], x[:-1], x[-1:]])
    values = np.concatenate([y[:1], y[:-1], y[-1:]])
    return x, origins, np.column_stack([values, slopes[[0, *range(len(slopes)), -1]]])


def _simm_spline_pieces(spline: SimmSpline) -> Pieces:
    x = np.array(spline.x)
    powers = np.column_stack(forsythe_coefficients(x, np.array(spline.y)))
    straight = powers * (1, 1, 0, 0)
    return x, [x[0], *x[:-1], x[-1]], np.vstack([straight[0], powers[:-1], straight[-1]])


def _natural_spline_pieces(spline: NaturalSpline) -> Pieces:
    """Return the interpolating spline whose derivatives from the half order on vanish at both ends."""
    from scipy.interpolate import PPoly, make_interp_spline  # takes long to import

    half, x = spline.half_order, np.array(spline.x)
    ends = [(order, 0.0) for order in range(half, 2 * half - 1)]
    through = make_interp_spline(x, spline.y, k=2 * half - 1, bc_type=(ends, ends) if ends else None)
    inside = PPoly.from_spline(through)
    pieces = [i for i, (a, b) in enumerate(pairwise(inside.x)) if a < b]
    powers, origins = inside.c[::-1, pieces].T, inside.x[pieces]
    kept = np.arange(2 * half) < half  # a natural spline goes on as a polynomial of lower degree
    last = [inside(x[-1], order) / factorial(order) for order in range(2 * half)]
    return x, [origins[0], *origins, x[-1]], np.vstack([powers[0] * kept, powers, np.array(last) * kept])


_PIECES = {
    Step: _step_pieces,
    PiecewiseLinear: _linear_pieces,
    SimmSpline: _simm_spline_pieces,
    NaturalSpline: _natural_spline_pieces,
}


def forsythe_coefficients(
    x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
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
