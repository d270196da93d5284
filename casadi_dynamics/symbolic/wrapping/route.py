"""The way of a path around several surfaces: OpenSim's rounds over them until the length settles.

The way is a table with a column for each point it may have: place (m, in ground), place that its length is
measured at, number, body, and length of the arc that ends there. Numbers are those of the points of the path,
then two for each surface, and -1 for what is unused.

OpenSim keeps the place in ground of the ends of an arc where the first round left them, although later rounds
move them: lengths and directions are those of the first places, while forces act at the last ones, and these
are what moves. So the chord of an arc has a rate, although both its ends are fixed to one body.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import casadi as ca
import numpy as np

from casadi_dynamics.symbolic.wrapping.algebra import (
    INSIDE,
    MANDATORY,
    NO_WRAP,
    WRAPPED,
    either,
    every,
    unit,
)
from casadi_dynamics.symbolic.wrapping.loops import only_if

_MOST_ROUNDS, _SETTLED_M = 8, 5e-4
_ROWS = 9
_MEASURED, _NUMBER, _BODY, _ARC = slice(3, 6), 6, 7, 8


@dataclass(frozen=True)
class Obstacle:
    """A surface in the way of a path.

    Attributes
    ----------
    wrap : casadi.Function
        See `wrap_function`.
    dimensions : int
        How many numbers it takes.
    span : (int, int)
        Numbers of the first and the last point between which it may be wrapped.
    body : int
        Number of its body.
    """

    wrap: ca.Function
    dimensions: int
    active: bool
    span: tuple[int, int]
    body: int


def route(bodies: Sequence[int], obstacles: Sequence[Obstacle]) -> ca.Function:
    """Return the function `route` of a path.

    Parameters
    ----------
    bodies : sequence of int
        Number of the body of each of n points.
    obstacles : sequence of Obstacle
        k of them.

    Returns
    -------
    casadi.Function
        Inputs: `points` (3, n), m, in ground, and whether they are `active` (n); `axes` (3, 3 k) and
        `origins` (3, k) of the surfaces in ground; and their `dimensions`, below one another. Outputs:
        `length`, m; `arcs` (3, 2 k), the ends of the arcs, in ground; and for the points and these ends
        (3, n + 2 k) the sum of the unit vectors along which a tension pulls them: `all_pulls`, and `pulls`
        without those between points of one body. Those of a surface that is not touched are zero. And the
        `way` itself: for each column place (m, in ground), number, and length of the arc that ends there.
    """
    n, k = len(bodies), len(obstacles)
    points, active = ca.MX.sym("points", 3, n), ca.MX.sym("active", n)
    axes, origins = ca.MX.sym("axes", 3, 3 * k), ca.MX.sym("origins", 3, k)
    dimensions = ca.MX.sym("dimensions", sum(o.dimensions for o in obstacles))
    surfaces = ca.vertcat(ca.vec(axes), ca.vec(origins), dimensions)
    size = n + 2 * k
    table = _table(bodies, size)(points, active)
    # the table; first places of the ends of the arcs; whether known; length before; swapped; go on
    state = ca.vertcat(ca.vec(table), ca.MX.zeros(6 * k), ca.MX.zeros(k), np.inf, 0, 1)
    first = _round(n, obstacles, state.numel(), surfaces.numel())
    state = first(state, surfaces, 1)
    if k > 1:
        idle = ca.Function(
            "idle",
            [s := ca.MX.sym("s", state.numel()), ca.MX.sym("c", surfaces.numel()), ca.MX.sym("f")],
            [s],
        )
        guarded = ca.Function.if_else("guarded", first, idle)
        for _ in range(_MOST_ROUNDS - 1):
            state = guarded(state[-1], state, surfaces, 0)
    table = ca.reshape(state[: _ROWS * size], _ROWS, size)
    outputs = [*_measure(n, k)(table), table[[0, 1, 2, _NUMBER, _ARC], :]]
    names = ["points", "active", "axes", "origins", "dimensions"]
    given = [points, active, axes, origins, dimensions]
    found = ["length", "arcs", "all_pulls", "pulls", "way"]
    return ca.Function("route", given, outputs, names, found, {"never_inline": True})


def _table(bodies: Sequence[int], size: int) -> ca.Function:
    """Return the function to the table of the active points."""
    n = len(bodies)
    points, active = ca.SX.sym("points", 3, n), ca.SX.sym("active", n)
    table = ca.repmat(_nothing(), 1, size)
    count = ca.SX(0)
    for i, body in enumerate(bodies):
        column = ca.vertcat(points[:, i], points[:, i], i, body, 0)
        for j in range(i + 1):
            table[:, j] = ca.if_else(every(active[i], count == j), column, table[:, j])
        count += active[i]
    return ca.Function("table", [points, active], [table])


def _nothing() -> ca.SX:
    return ca.SX([0] * _NUMBER + [-1, -1, 0])


def _round(n: int, obstacles: Sequence[Obstacle], size: int, constants: int) -> ca.Function:
    """Return one round over all surfaces; its last input tells the first round from the others."""
    k, columns = len(obstacles), n + 2 * len(obstacles)
    state, surfaces = ca.MX.sym("state", size), ca.MX.sym("surfaces", constants)
    initial = ca.MX.sym("initial")
    table = ca.reshape(state[: _ROWS * columns], _ROWS, columns)
    known = state[_ROWS * columns : _ROWS * columns + 7 * k]
    before, swapped = state[-3], state[-2]
    visits = [_visit(n, k, i, obstacle) for i, obstacle in enumerate(obstacles)]
    places = _places(obstacles)
    actions = []

    def visit(turn: int, table: ca.MX, known: ca.MX, going: ca.MX) -> list[ca.MX]:
        """Visit the surface whose turn it is; the first two may have changed places."""
        if turn > 1 or k == 1:
            return [*visits[turn](table, known, surfaces[places[turn]], going)]
        one, other = (only_if(visits[i]) for i in (turn, 1 - turn))
        straight = one(ca.logic_not(swapped), table, known, surfaces[places[turn]], going)
        crossed = other(swapped, table, known, surfaces[places[1 - turn]], going)
        return [ca.if_else(swapped, y, x) for x, y in zip(straight, crossed, strict=True)]

    going = ca.MX(1)
    for turn in range(k):
        table, known, action, going = visit(turn, table, known, going)
        actions.append(action)
    length = _measure(n, k)(table)[0]
    go_on = every(going, ca.fabs(length - before) >= _SETTLED_M) if k > 1 else ca.MX(0)
    if k > 1:
        change = every(initial, go_on, actions[0] == NO_WRAP, actions[1] == INSIDE)
        swapped = either(swapped, change)
    after = ca.vertcat(ca.vec(table), known, length, swapped, go_on)
    return ca.Function("round", [state, surfaces, initial], [after])


def _places(obstacles: Sequence[Obstacle]) -> list[list[int]]:
    """Return for each surface where its axes, origin and dimensions stand in the constants."""
    k, places, after = len(obstacles), [], 12 * len(obstacles)
    for i, obstacle in enumerate(obstacles):
        own = [*range(9 * i, 9 * i + 9), *range(9 * k + 3 * i, 9 * k + 3 * i + 3)]
        places.append([*own, *range(after, after + obstacle.dimensions)])
        after += obstacle.dimensions
    return places


def _visit(n: int, k: int, which: int, obstacle: Obstacle) -> ca.Function:
    """Return the function that takes the arc of one surface off the way and lays it anew.

    Inputs: table, first places of all arcs and whether they are known, axes, origin and dimensions of the
    surface, and whether this round goes on. Outputs: table, first places, action, and whether it goes on.
    """
    columns = n + 2 * k
    table, known = ca.MX.sym("table", _ROWS, columns), ca.MX.sym("known", 7 * k)
    surface, going = ca.MX.sym("surface", 12 + obstacle.dimensions), ca.MX.sym("going")
    inputs = [table, known, surface, going]
    bare = _without(n, k, which)(table)
    if not obstacle.active:
        return ca.Function("visit", inputs, [ca.if_else(going, bare, table), known, NO_WRAP, going])
    first, last, some = _ends(n, k, obstacle.span)(bare)
    on_way = every(going, some)
    line = only_if(_line(obstacle))
    # change of length, where, touch (11), whether it is settled
    best, action = ca.vertcat(np.inf, -1, ca.MX.zeros(7), 0), ca.MX(NO_WRAP)
    for j in range(columns - 1):
        tried = every(on_way, first <= j, j < last, ca.logic_not(best[-1]))
        tried = every(tried, _two_things(n)(bare[_NUMBER, j], bare[_NUMBER, j + 1]))
        touch = line(tried, bare[:, j], bare[:, j + 1], surface)
        best, action = _better()(best, action, tried, j, touch)
    laid, known_after = _with(n, k, which, obstacle.body)(bare, best, known)
    changed = every(going, best[1] >= 0)
    table_after = ca.if_else(going, ca.if_else(changed, laid, bare), table)
    known_after = ca.if_else(changed, known_after, known)
    return ca.Function("visit", inputs, [table_after, known_after, action, on_way])


def _two_things(n: int) -> ca.Function:
    """Return whether two columns hold points that are not the two ends of one arc."""
    one, other = ca.SX.sym("one"), ca.SX.sym("other")
    same = every(one >= n, other >= n, ca.floor((one - n) / 2) == ca.floor((other - n) / 2))
    return ca.Function("two_things", [one, other], [ca.logic_not(same)])


def _line(obstacle: Obstacle) -> ca.Function:
    """Return the function from two columns to action, whether found, change of length, ends and arc."""
    one, other = ca.MX.sym("one", _ROWS), ca.MX.sym("other", _ROWS)
    surface = ca.MX.sym("surface", 12 + obstacle.dimensions)
    axes, origin, dimensions = ca.reshape(surface[:9], 3, 3), surface[9:12], surface[12:]
    start, end = (axes.T @ (column[:3] - origin) for column in (one, other))
    action, found, near, far, length = obstacle.wrap(start, end, dimensions)
    near, far = origin + axes @ near, origin + axes @ far
    change = ca.norm_2(one[_MEASURED] - near) + length + ca.norm_2(other[_MEASURED] - far)
    change -= ca.norm_2(one[_MEASURED] - other[_MEASURED])
    touch = ca.vertcat(action, found, change, near, far, length)
    return ca.Function("line", [one, other, surface], [touch])


def _better() -> ca.Function:
    """Return the choice between the best arc so far and the one of the line from column `j`."""
    best, action = ca.SX.sym("best", 10), ca.SX.sym("action")
    tried, j, touch = ca.SX.sym("tried"), ca.SX.sym("j"), ca.SX.sym("touch", 10)
    must = touch[0] == MANDATORY
    taken = every(tried, touch[1], touch[0] >= WRAPPED, either(must, touch[2] < best[0]))
    new = ca.vertcat(touch[2], j, touch[3:], must)
    after = ca.if_else(taken, new, best)
    return ca.Function(
        "better", [best, action, tried, j, touch], [after, ca.if_else(tried, touch[0], action)]
    )


def _ends(n: int, k: int, span: tuple[int, int]) -> ca.Function:
    """Return the first and the last column of points within a span, and whether there is one."""
    table = ca.SX.sym("table", _ROWS, n + 2 * k)
    first, last = ca.SX(-1), ca.SX(-1)
    for j in range(table.shape[1]):
        number = table[_NUMBER, j]
        here = every(number >= max(span[0], 0), number <= min(span[1], n - 1))
        first = ca.if_else(every(here, first < 0), j, first)
        last = ca.if_else(here, j, last)
    return ca.Function("ends", [table], [first, last, first >= 0])


def _without(n: int, k: int, which: int) -> ca.Function:
    """Return the function that takes the arc of one surface out of the table."""
    table = ca.SX.sym("table", _ROWS, n + 2 * k)
    after, gone = [], ca.SX(0)
    for j in range(table.shape[1]):
        gone = either(gone, table[_NUMBER, j] == n + 2 * which)
        behind = table[:, j + 2] if j + 2 < table.shape[1] else _nothing()
        after.append(ca.if_else(gone, behind, table[:, j]))
    return ca.Function("without", [table], [ca.horzcat(*after)])


def _with(n: int, k: int, which: int, body: int) -> ca.Function:
    """Return the function that puts an arc behind a column, measured at its first place of all."""
    table, best = ca.SX.sym("table", _ROWS, n + 2 * k), ca.SX.sym("best", 10)
    known = ca.SX.sym("known", 7 * k)
    near, far = best[2:5], best[5:8]
    rows, flag = slice(6 * which, 6 * which + 6), 6 * k + which
    first = ca.if_else(known[flag], known[rows], ca.vertcat(near, far))
    after = ca.SX(known)
    after[rows], after[flag] = first, 1
    number = n + 2 * which
    arc = [
        ca.vertcat(near, first[:3], number, body, 0),
        ca.vertcat(far, first[3:], number + 1, body, best[8]),
    ]
    laid = []
    for j in range(table.shape[1]):
        behind = table[:, j - 2] if j > 1 else table[:, j]
        column = ca.if_else(j <= best[1], table[:, j], behind)
        column = ca.if_else(j == best[1] + 1, arc[0], ca.if_else(j == best[1] + 2, arc[1], column))
        laid.append(column)
    return ca.Function("with", [table, best, known], [ca.horzcat(*laid), after])


def _measure(n: int, k: int) -> ca.Function:
    """Return the function from a table to the outputs of `route`."""
    table = ca.SX.sym("table", _ROWS, n + 2 * k)
    length, columns = ca.SX(0), table.shape[1]
    arcs, all_pulls, pulls = ca.SX.zeros(3, 2 * k), ca.SX.zeros(3, columns), ca.SX.zeros(3, columns)
    for j in range(columns):
        number = table[_NUMBER, j]
        for i in range(2 * k):
            arcs[:, i] += ca.if_else(number == n + i, table[:3, j], 0)
        if j + 1 == columns:
            break
        following = table[_NUMBER, j + 1]
        both = every(number >= 0, following >= 0)
        straight = every(both, _two_things(n)(number, following))
        along = table[_MEASURED, j + 1] - table[_MEASURED, j]
        on_arc = ca.if_else(both, table[_ARC, j + 1], 0)
        length += ca.if_else(straight, ca.norm_2(along), on_arc)
        pull = ca.if_else(both, unit(along), 0)
        apart = ca.if_else(table[_BODY, j] != table[_BODY, j + 1], pull, 0)
        for i in range(columns):
            sign = ca.if_else(number == i, 1, 0) - ca.if_else(following == i, 1, 0)
            all_pulls[:, i] += sign * pull
            pulls[:, i] += sign * apart
    return ca.Function("measure", [table], [length, arcs, all_pulls, pulls])
