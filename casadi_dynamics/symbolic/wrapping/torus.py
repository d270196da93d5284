"""WrapTorus: a cylinder laid into the tube where the line comes closest to the circle in its middle.

That place is where OpenSim's least squares stops: a search by MINPACK's `lmdif` (J. J. Moré, "The
Levenberg-Marquardt algorithm: implementation and theory", 1978) with loose tolerances, of one equation in
one unknown, from either end of the line.
"""

from __future__ import annotations

from functools import cache

import casadi as ca
import numpy as np

from casadi_dynamics.symbolic.wrapping.algebra import (
    NO_WRAP,
    WRAPPED,
    either,
    every,
    on_side,
    unit,
)
from casadi_dynamics.symbolic.wrapping.cylinder import cylinder, cylinder_among_others
from casadi_dynamics.symbolic.wrapping.loops import repeat

#: Length of the cylinder, m, and the side of it that may be touched.
_LENGTH_M, _QUADRANT = 1e4, "+x"
_FTOL = _XTOL = 1e-4
_FACTOR, _MOST_STEPS = 0.2, 100
_DIFFERENCE = 1e-5
_DWARF = np.finfo(float).tiny


def torus(start: ca.MX, end: ca.MX, dimensions: ca.MX, quadrant: str, alone: bool) -> tuple[ca.MX, ...]:
    """Return the parts of a `Wrapping` of a torus.

    Parameters
    ----------
    start, end : (3,) MX
        Of the line, in the frame of the torus, whose axis is z.
    dimensions : (2,) MX
        Radius of the tube and of the circle.
    alone : bool
        Whether the path has no other surface.
    """
    places = [_closest_to_circle()(one, other, dimensions[1]) for one, other in ((start, end), (end, start))]
    allowed, axes, centre = _frame(quadrant)(*places, dimensions[1])
    laid = (axes @ (start - centre), axes @ (end - centre), ca.vertcat(dimensions[0], _LENGTH_M), _QUADRANT)
    if alone:
        p, q, d = symbols = [
            ca.SX.sym(name, size) for name, size in (("start", 3), ("end", 3), ("dimensions", 2))
        ]
        touch, _ = cylinder(p, q, d, _QUADRANT)
        parts = ca.Function("cylinder", symbols, touch.parts)(*laid[:3])
    else:
        parts = cylinder_among_others(*laid)
    _, found, first, second, length = parts
    # OpenSim calls every torus wrapped, also where the cylinder is missed.
    action = ca.if_else(allowed, WRAPPED, NO_WRAP)
    return action, ca.logic_and(allowed, found), axes.T @ first + centre, axes.T @ second + centre, length


def _frame(quadrant: str) -> ca.Function:
    """Return the function to whether the torus may be touched, and axes (rows) and centre of its cylinder."""
    one, other, radius = ca.SX.sym("one", 3), ca.SX.sym("other", 3), ca.SX.sym("radius")

    def distance(point: ca.SX) -> ca.SX:
        return ca.sumsqr(point) + radius**2 - 2 * radius * ca.norm_2(point[:2])

    first, allowed = distance(one) < distance(other), ca.SX(1)
    if quadrant:
        sides = on_side(one, quadrant), on_side(other, quadrant)
        allowed = either(*sides)
        first = ca.if_else(sides[0] != sides[1], sides[0], first)
    near = ca.if_else(first, one, other)
    outwards = ca.vertcat(unit(near[:2]), 0)
    axes = ca.vertcat(-outwards.T, ca.SX([[0, 0, -1]]), ca.cross(-outwards, ca.SX([0, 0, -1])).T)
    return ca.Function("frame", [one, other, radius], [allowed, axes, radius * outwards])


@cache
def _closest_to_circle() -> ca.Function:
    """Return the function from a line and a radius to the point at which the search from `start` stops."""
    start, end, radius = ca.SX.sym("start", 3), ca.SX.sym("end", 3), ca.SX.sym("radius")
    along = unit(end - start)
    constants = ca.vertcat(
        2 * ca.dot(start, along),
        ca.dot(start[:2], along[:2]),
        ca.dot(along[:2], along[:2]),
        ca.dot(start[:2], start[:2]),
        radius,
    )
    # place, residual, slope, scale, step bound, damping, whether new, whether the first, go on
    residual = _residual(0, constants)
    state = ca.vertcat(0, residual, 0, 0, _FACTOR, 0, 1, 1, ca.fabs(residual) > 0)
    prepare = ca.Function("prepare", [start, end, radius], [state, constants, along])
    inputs = [ca.MX.sym("start", 3), ca.MX.sym("end", 3), ca.MX.sym("radius")]
    state, constants, along = prepare(*inputs)
    place = repeat(_lmdif_step(), _MOST_STEPS, 5)(state, constants)[0]
    return ca.Function("closest_to_circle", inputs, [inputs[0] + place * along])


def _residual(place: ca.SX | float, constants: ca.SX) -> ca.SX:
    """Return what OpenSim drives to zero: not quite the slope of the squared distance from the circle."""
    c2, c3, c4, c5, radius = ca.vertsplit(constants)
    root = ca.sqrt(place * place * c4 + 2 * c3 * place + c5)
    return c2 + 2 * place - 2 * radius * (2 * c4 * place + 2 * c3) / root


def _lmdif_step() -> ca.Function:
    """Return one trial step of `lmdif`."""
    state, constants = ca.SX.sym("state", 9), ca.SX.sym("constants", 5)
    place, residual, slope, scale, bound, damping, new, initial, go_on = ca.vertsplit(state)
    difference = _residual(place + _DIFFERENCE, constants) - residual
    slope = ca.if_else(new, difference / _DIFFERENCE, slope)
    scale = ca.if_else(initial, ca.if_else(slope == 0, 1, ca.fabs(slope)), ca.fmax(scale, ca.fabs(slope)))
    damping, step = _damped(residual, slope, scale, bound, damping)
    size, size_before = scale * ca.fabs(step), ca.fabs(residual)
    bound = ca.if_else(initial, ca.fmin(bound, size), bound)
    tried = place - step
    residual_tried = _residual(tried, constants)
    after = ca.fabs(residual_tried)
    actual = ca.if_else(after / 10 < size_before, 1 - (after / size_before) ** 2, -1)
    linear, damped = ca.fabs(slope * step) / size_before, ca.sqrt(damping) * size / size_before
    predicted, falling = linear**2 + 2 * damped**2, -(linear**2 + damped**2)
    ratio = ca.if_else(predicted == 0, 0, actual / predicted)
    shrink = ca.if_else(actual >= 0, 0.5, falling / 2 / (falling + actual / 2))
    shrink = ca.if_else(either(after / 10 >= size_before, shrink < 0.1), 0.1, shrink)
    poor, good = ratio <= 0.25, either(damping == 0, ratio >= 0.75)
    larger = ca.SX(ca.if_else(good, size * 2, bound))
    bound = ca.if_else(poor, shrink * ca.fmin(bound, size * 10), larger)
    damping = ca.if_else(poor, damping / shrink, ca.if_else(good, damping / 2, damping))
    taken = ratio >= 1e-4
    place, residual = ca.if_else(taken, tried, place), ca.if_else(taken, residual_tried, residual)
    ends = either(
        every(ca.fabs(actual) <= _FTOL, predicted <= _FTOL, ratio <= 2),
        bound <= _XTOL * scale * ca.fabs(place),
        residual == 0,
    )
    initial = every(initial, ca.logic_not(taken))
    moved = ca.vertcat(place, residual, slope, scale, bound, damping, taken, initial, ca.logic_not(ends))
    return ca.Function("lmdif", [state, constants], [ca.if_else(go_on, moved, state)])


def _damped(residual: ca.SX, slope: ca.SX, scale: ca.SX, bound: ca.SX, damping: ca.SX) -> tuple[ca.SX, ca.SX]:
    """Return the damping for which the scaled step is as long as its bound to a tenth, and the step."""
    newton = residual / slope
    excess = scale * ca.fabs(newton) - bound
    free = excess <= bound / 10
    lowest = excess / bound * (slope / scale) ** 2
    gradient = ca.fabs(slope * residual) / scale
    highest = gradient / bound
    highest = ca.if_else(highest == 0, _DWARF / ca.fmin(bound, 0.1), highest)
    chosen = ca.fmin(ca.fmax(damping, lowest), highest)
    chosen = ca.if_else(chosen == 0, gradient / (scale * ca.fabs(newton)), chosen)
    step, done = newton, ca.SX(0)
    for _ in range(10):
        at = ca.if_else(chosen == 0, ca.fmax(_DWARF, highest / 1000), chosen)
        chosen = ca.if_else(done, chosen, at)
        sum_ = slope**2 + chosen * scale**2
        step = ca.if_else(done, step, slope * residual / sum_)
        excess = scale * ca.fabs(step) - bound
        done = either(done, ca.fabs(excess) <= bound / 10)
        correction = excess / bound * sum_ / scale**2
        lowest = ca.if_else(excess > 0, ca.fmax(lowest, chosen), lowest)
        highest = ca.if_else(excess < 0, ca.fmin(highest, chosen), highest)
        chosen = ca.if_else(done, chosen, ca.fmax(lowest, chosen + correction))
    return ca.if_else(free, ca.SX(0), chosen), ca.if_else(free, newton, step)
