"""The point of an ellipsoid that is closest to another: OpenSim's Newton iterations, with their tolerance."""

from __future__ import annotations

from functools import cache

import casadi as ca

from casadi_dynamics.symbolic.wrapping.algebra import either, every, pick, unit
from casadi_dynamics.symbolic.wrapping.loops import only_if, repeat

#: Coordinates no larger than this count as zero.
_ZERO = 2e-13
_TOLERANCE, _MOST_STEPS = 1e-9, 64
#: Steps that are made before a look at whether more are needed: mostly 6 do, and never yet more than 20.
_STEPS = 6, 4, 5, 9


@cache
def closest_point() -> ca.Function:
    """Return the function from a point to the closest point of an ellipsoid.

    Inputs `radii` (3), `point` (3), `axis` and `fallback` (3); output `closest` (3). With an `axis` of 0, 1
    or 2 the point keeps its coordinate along it and moves to the ellipse of the other two radii; with -1 this
    is done only where a coordinate is zero. Where the iterations do not end, it is the `fallback`.
    """
    names = {"radii": 3, "point": 3, "axis": 1, "fallback": 3}
    symbols = [ca.SX.sym(name, size) for name, size in names.items()]
    radii, point, axis, _ = symbols
    axis = ca.if_else(axis < 0, _axis_of_zero(radii, point), axis)
    planar = axis >= 0
    # in the cyclic order that OpenSim uses for the ellipse
    a, b, u, v = (pick(axis, [x[(i + k) % 3] for i in range(3)]) for x in (radii, point) for k in (1, 2))
    known, x, y = _near_an_axis(a, b, u, v)
    flat, full = ca.vertcat(a, b, u, v), ca.vertcat(radii, point)
    state = [ca.vertcat(t, t, go) for t, go in ((_first(flat, 2), every(planar, ca.logic_not(known))),)]
    state.append(ca.vertcat(*[_first(full, 3)] * 2, ca.logic_not(planar)))
    squared = _squared(flat, 2), _squared(full, 3)
    prepare = ca.Function("prepare", symbols, [axis, planar, known, x, y, flat, full, *state, *squared])

    inputs = [ca.MX.sym(name, size) for name, size in names.items()]
    axis, planar, known, x, y, flat, full, state_2, state_3, *squared = prepare(*inputs)
    state_2 = repeat(_newton(2), _MOST_STEPS, 8)(state_2, squared[0])
    state_3 = repeat(_newton(3), _MOST_STEPS, 8)(state_3, squared[1])
    closest = _finish()(axis, planar, known, x, y, flat, full, state_2, state_3, inputs[3])
    return ca.Function("closest_point", inputs, [closest], list(names), ["closest"])


@cache
def directions_out(count: int) -> ca.Function:
    """Return the function from points within an ellipsoid to the sum of the unit vectors to the closest ones.

    Inputs `radii` (3), `points` (3, count) and `fallback` (3), which stands for the closest point of the
    first where the iterations do not end; of a later point it is the one before. Output: the sum (3).
    """
    radii, point, state = ca.SX.sym("radii", 3), ca.SX.sym("point", 3), ca.SX.sym("state", 3)
    squared, full, step = ca.SX.sym("squared", 6), ca.vertcat(radii, point), _newton(3)
    zero = either(*(ca.fabs(point[i]) <= _ZERO for i in range(3)))
    start = ca.vertcat(*[_first(full, 3)] * 2, 1)
    prepare = ca.Function("prepare", [radii, point], [start, _squared(full, 3), zero])
    out = radii**2 * point / (state[1] + radii**2) - point
    blade = ca.Function("blade", [state, radii, point], [unit(out)])
    radii, points, fallback = ca.MX.sym("radii", 3), ca.MX.sym("points", 3, count), ca.MX.sym("fallback", 3)
    all_radii, again = ca.repmat(radii, 1, count), ca.MX(1)
    states, constants, zeros = prepare.map(count)(all_radii, points)
    for steps in _STEPS:
        after = ca.Function("steps", [state, squared], [_apply(step, steps, state, squared)]).map(count)
        states = ca.if_else(again, only_if(after)(again, states, constants), states)
        again = ca.mmax(states[2, :])
    quick = ca.sum2(blade.map(count)(states, all_radii, points))
    # one by one where a coordinate is zero, or the iterations take long
    special = ca.logic_or(ca.mmax(states[2, :]), ca.mmax(zeros))
    slow = only_if(_directions_one_by_one(count))(special, radii, points, fallback)
    return ca.Function("directions_out", [radii, points, fallback], [ca.if_else(special, slow, quick)])


def _apply(step: ca.Function, times: int, state: ca.SX, constants: ca.SX) -> ca.SX:
    for _ in range(times):
        state = step(state, constants)
    return state


def _directions_one_by_one(count: int) -> ca.Function:
    state, point, radii = ca.MX.sym("state", 6), ca.MX.sym("point", 3), ca.MX.sym("radii", 3)
    closest = closest_point()(radii, point, -1, state[3:])
    added = ca.vertcat(state[:3] + unit(closest - point), closest)
    blade = ca.Function("blade", [state, point, radii], [added])
    points, fallback = ca.MX.sym("points", 3, count), ca.MX.sym("fallback", 3)
    first = ca.vertcat(ca.MX.zeros(3), fallback)
    summed = blade.fold(count)(first, points, ca.repmat(radii, 1, count))[:3]
    return ca.Function("one_by_one", [radii, points, fallback], [summed])


def _axis_of_zero(radii: ca.SX, point: ca.SX) -> ca.SX:
    """Return the axis along which a point is zero, of several the one of the narrowest ellipse, or -1."""
    axis, least = ca.SX(-1), ca.SX.inf()
    for i in range(3):
        width = radii[(i + 1) % 3] + radii[(i + 2) % 3]
        here = every(ca.fabs(point[i]) <= _ZERO, width < least)
        axis, least = ca.if_else(here, i, axis), ca.if_else(here, width, least)
    return axis


def _near_an_axis(a: ca.SX, b: ca.SX, u: ca.SX, v: ca.SX) -> tuple[ca.SX, ca.SX, ca.SX]:
    """Return whether a point lies on an axis of an ellipse, and then its closest point."""
    on_y, on_x = ca.fabs(u) <= _ZERO, ca.fabs(v) <= _ZERO
    end_x, end_y = ca.if_else(u >= 0, a, -a), ca.if_else(v >= 0, b, -b)

    def along(a: ca.SX, b: ca.SX, v: ca.SX, end: ca.SX) -> tuple[ca.SX, ca.SX, ca.SX]:
        """Return the closest point to a point at `v` on the axis of the radius `b`."""
        far = every(a < b, ca.fabs(v) < b - a * a / b)
        y = b * b * v / (b * b - a * a)
        x = a * ca.sqrt(ca.fabs(1 - (y / b) ** 2))
        return far, ca.if_else(far, x, 0), ca.if_else(far, y, end)

    bulges_y, x_y, y_y = along(a, b, v, end_y)
    bulges_x, y_x, x_x = along(b, a, u, end_x)
    x_y, y_x = ca.if_else(bulges_y, x_y, u), ca.if_else(bulges_x, y_x, v)
    x, y = ca.if_else(on_y, x_y, x_x), ca.if_else(on_y, y_y, y_x)
    both, narrow = every(on_x, on_y), a < b
    x = ca.if_else(both, ca.if_else(narrow, ca.if_else(u < 0, -a, a), u), x)
    y = ca.if_else(both, ca.if_else(narrow, v, ca.if_else(v < 0, -b, b)), y)
    return ca.logic_or(on_x, on_y), x, y


def _first(constants: ca.SX, n: int) -> ca.SX:
    """Return where the iterations start: at 0 within, at a bound without."""
    radii, point = constants[:n], constants[n:]
    within = ca.sumsqr(point / radii) < 1
    return ca.if_else(within, 0, ca.mmax(radii) * ca.norm_2(point))


def _newton(n: int) -> ca.Function:
    """Return a step: of the state (next value, value of the last residual, whether to go on)."""
    state, constants = ca.SX.sym("state", 3), ca.SX.sym("constants", 2 * n)
    t, weights = state[0], constants[n:]
    sums = t + constants[:n]
    residual, slope = _residual(sums, weights, n)
    go_on = ca.fabs(residual) >= _TOLERANCE
    after = ca.vertcat(ca.if_else(go_on, t - residual / slope, t), t, go_on)
    return ca.Function("newton", [state, constants], [ca.if_else(state[2], after, state)])


def _squared(constants: ca.SX, n: int) -> ca.SX:
    """Return the squared radii, and their products with the squared coordinates of the point."""
    squares = constants[:n] ** 2
    return ca.vertcat(squares, squares * constants[n:] ** 2)


def _residual(sums: ca.SX, weights: ca.SX, n: int) -> tuple[ca.SX, ca.SX]:
    """Return prod s_i^2 - sum w_i prod_(j not i) s_j^2, and its derivative when all s_i grow by one."""
    others = [[sums[j] for j in range(n) if j != i] for i in range(n)]
    product = sums[0] * sums[1] * (sums[2] if n == 3 else 1)
    if n == 2:
        residual = product**2 - weights[0] * sums[1] ** 2 - weights[1] * sums[0] ** 2
        slope = product * (sums[0] + sums[1]) - weights[0] * sums[1] - weights[1] * sums[0]
        return residual, 2 * slope
    pairs = [one * other for one, other in others]
    residual = product**2 - sum(weights[i] * pairs[i] ** 2 for i in range(3))
    slope = product * (pairs[0] + pairs[1] + pairs[2])
    slope -= sum(weights[i] * pairs[i] * (others[i][0] + others[i][1]) for i in range(3))
    return residual, 2 * slope


def _finish() -> ca.Function:
    sizes = {"axis": 1, "planar": 1, "known": 1, "x": 1, "y": 1, "flat": 4, "full": 6}
    sizes |= {"state_2": 3, "state_3": 3, "fallback": 3}
    given = {name: ca.SX.sym(name, size) for name, size in sizes.items()}
    flat, full = given["flat"], given["full"]
    two = flat[:2] ** 2 * flat[2:] / (given["state_2"][1] + flat[:2] ** 2)
    x, y = ca.if_else(given["known"], given["x"], two[0]), ca.if_else(given["known"], given["y"], two[1])
    on_ellipse = []
    for i in range(3):
        on_ellipse.append(pick(given["axis"], [[full[3 + i], x, y][(i - k) % 3] for k in range(3)]))
    three = full[:3] ** 2 * full[3:] / (given["state_3"][1] + full[:3] ** 2)
    three = ca.if_else(given["state_3"][2], given["fallback"], three)
    closest = ca.if_else(given["planar"], ca.vertcat(*on_ellipse), three)
    return ca.Function("finish", list(given.values()), [closest])
