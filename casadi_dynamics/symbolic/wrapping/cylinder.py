"""WrapCylinder: tangents to a circle, slid along the axis; the axis is z of the surface's frame."""

from __future__ import annotations

import casadi as ca
import numpy as np

from casadi_dynamics.symbolic.wrapping.algebra import (
    INSIDE,
    MANDATORY,
    NO_WRAP,
    WRAPPED,
    Wrapping,
    across,
    either,
    every,
    on_side,
    pick,
    unit,
)
from casadi_dynamics.symbolic.wrapping.loops import repeat

#: A line is parallel to the axis if the squared sine of their angle is no more than this.
_PARALLEL = 2e-13
#: Component along the axis, of the plane's unit normal, below which a plane does not meet the tangent's edge.
_FLAT, _FARTHEST_M = 1e-5 / 20, 10.0
#: The ends of a spiral are slid until it goes on straight within this angle, rad, or so many times.
_TANGENCY, _MOST_SLIDES = np.deg2rad(0.1), 100
_RELAXATION, _STEP_M = 1.5, 0.002


def cylinder(start: ca.SX, end: ca.SX, dimensions: ca.SX, quadrant: str) -> tuple[Wrapping, ca.SX]:
    """Return how a line wraps around a cylinder, before its ends are slid, and by what angle it turns.

    Parameters
    ----------
    start, end : (3,) SX
        Of the line, in the frame of the cylinder.
    dimensions : (2,) SX
        Radius and length.
    """
    radius, half = dimensions[0], dimensions[1] / 2
    distances = ca.norm_2(start[:2]), ca.norm_2(end[:2])
    inside = either(*(distance < radius for distance in distances))
    hit, near = _meets_axis(start, end, radius)
    (start_a, start_b), (end_a, end_b) = (
        _tangent_points(point, distance, radius)
        for point, distance in zip((start, end), distances, strict=True)
    )
    if quadrant:
        sides = on_side(start, quadrant), on_side(end, quadrant)
        opposite = every(sides[0] != sides[1], ca.logic_not(on_side(near, quadrant)))
        lined = ca.if_else(hit, MANDATORY, ca.if_else(opposite, WRAPPED, NO_WRAP))
        action = ca.if_else(either(*sides), lined, WRAPPED)
        on = [on_side(point, quadrant) for point in (start_a, start_b, end_a, end_b)]
        # alpha > beta, the angles between the points of a pair
        wider = ca.dot(start_a[:2], end_b[:2]) < ca.dot(start_b[:2], end_a[:2])
        last = ca.if_else(on[2], 0, ca.if_else(on[3], 1, wider))
        is_a = ca.if_else(on[0] != on[1], on[0], ca.if_else(on[0], ca.logic_not(on[2]), last))
        far = ca.if_else(is_a, wider, ca.logic_not(wider))
        far = either(far, ca.logic_not(either(*on)))
        first, second = ca.if_else(is_a, start_a, start_b), ca.if_else(is_a, end_b, end_a)
        pull = (first - start) + (second - end)
        long = ca.dot(pull[:2], first[:2] + second[:2]) < 0
    else:
        action = ca.if_else(hit, MANDATORY, NO_WRAP)
        first, second = closest_pair(start_a, start_b, end_a, end_b)
        far = long = ca.SX(0)
    first, second = _slide_into_plane(start, end, first, second, radius, distances, far)
    beyond = every(*(ca.fabs(point[2]) > half for point in (first, second)))
    found = every(action >= WRAPPED, ca.logic_not(inside), ca.logic_not(beyond))
    action = ca.SX(ca.if_else(inside, INSIDE, ca.if_else(found, action, NO_WRAP)))
    angle = ca.atan2(ca.dot(across(first), second[:2]), ca.dot(first[:2], second[:2]))
    # The long way round is 2 pi less the angle whatever its sign: about the negative sense a turn too many.
    turn = ca.if_else(long, angle - 2 * np.pi, angle)
    length = ca.hypot(radius * turn, second[2] - first[2])
    return Wrapping(action, found, first, second, length), turn


def cylinder_among_others(start: ca.MX, end: ca.MX, dimensions: ca.MX, quadrant: str) -> tuple[ca.MX, ...]:
    """Return the parts of a `Wrapping` of a cylinder that is not alone on its path; arguments are MX.

    Then OpenSim slides both ends of the spiral along the axis until it goes on straight.
    """
    p, q, d = symbols = [
        ca.SX.sym(name, size) for name, size in (("start", 3), ("end", 3), ("dimensions", 2))
    ]
    touch, turn = cylinder(p, q, d, quadrant)
    first = ca.Function("cylinder", symbols, [*touch.parts, turn])
    action, found, near, far, _, turn = first(start, end, dimensions)
    constants = ca.vertcat(start, end, near[:2], far[:2], dimensions[0], turn)
    slid = repeat(_slide(), _MOST_SLIDES, 10)(ca.vertcat(near[2], far[2], found), constants)
    near, far = ca.vertcat(near[:2], slid[0]), ca.vertcat(far[:2], slid[1])
    return action, found, near, far, ca.hypot(dimensions[0] * turn, slid[1] - slid[0])


def closest_pair(
    start_a: ca.SX, start_b: ca.SX, end_a: ca.SX, end_b: ca.SX, axes: int = 2
) -> tuple[ca.SX, ca.SX]:
    """Return those two of four tangent points, one of each end, whose directions in some axes are closest."""
    pairs = [(start_a, end_a), (start_a, end_b), (start_b, end_a), (start_b, end_b)]
    near = [ca.dot(one[:axes], other[:axes]) for one, other in pairs]
    best = ca.if_else(near[2] > near[3], 2, 3)
    best = ca.if_else(every(near[1] > near[2], near[1] > near[3]), 1, best)
    best = ca.if_else(every(*(near[0] > other for other in near[1:])), 0, best)
    return pick(best, [one for one, _ in pairs]), pick(best, [other for _, other in pairs])


def _meets_axis(start: ca.SX, end: ca.SX, radius: ca.SX) -> tuple[ca.SX, ca.SX]:
    """Return whether a line between two points meets the endless cylinder, and its point next to the axis."""
    along = end - start
    flat = ca.dot(along[:2], along[:2])
    place = -ca.dot(start[:2], along[:2]) / flat
    near = start + place * along
    parallel = flat <= _PARALLEL * ca.dot(along, along)
    close = ca.dot(near[:2], near[:2]) < radius * radius
    return every(ca.logic_not(parallel), close, place > 0, place < 1), near


def _tangent_points(point: ca.SX, distance: ca.SX, radius: ca.SX) -> tuple[ca.SX, ca.SX]:
    """Return the two points of the circle at the height of a point where lines from it touch."""
    outwards, ratio = point[:2] / distance, radius / distance
    base = radius * ratio * outwards
    side = radius * ca.sqrt(ca.fmax(1 - ratio * ratio, 0)) * across(outwards)
    return ca.vertcat(base + side, point[2]), ca.vertcat(base - side, point[2])


def _slide_into_plane(
    start: ca.SX,
    end: ca.SX,
    first: ca.SX,
    second: ca.SX,
    radius: ca.SX,
    distances: tuple[ca.SX, ca.SX],
    far: ca.SX,
) -> list[ca.SX]:
    """Slide tangent points along the axis into the plane of both ends and the apex of the wrap."""
    middle = start + distances[0] / (distances[0] + distances[1]) * (end - start)
    apex = ca.vertcat(ca.if_else(far, -1, 1) * radius * unit(middle[:2]), middle[2])
    normal = unit(ca.cross(unit(start - apex), unit(end - apex)))
    slid = []
    for point, own, other in ((first, start, end), (second, end, start)):
        height = start[2] - ca.dot(normal[:2], (point - start)[:2]) / normal[2]
        meets = every(ca.fabs(normal[2]) >= _FLAT, ca.fabs(height - own[2]) <= _FARTHEST_M)
        nearer = ca.fabs(height - other[2]) < ca.fabs(end[2] - start[2])
        slid.append(ca.vertcat(point[:2], ca.if_else(every(meets, nearer), height, point[2])))
    return slid


def _slide() -> ca.Function:
    """Return one slide of the ends of a spiral.

    The state is the heights of both ends and whether to go on. OpenSim compares the angles with the axis of
    the line to an end and of the first of the pieces of 2 mm from there on. The piece at the other end moves
    with the first end's slide already.
    """
    state, constants = ca.SX.sym("state", 3), ca.SX.sym("constants", 12)
    start, end, near, far = constants[0:3], constants[3:6], constants[6:8], constants[8:10]
    radius, turn = constants[10], constants[11]
    rise = state[1] - state[0]
    pieces = ca.floor(ca.hypot(radius * turn, rise) / _STEP_M)
    active = every(state[2], pieces >= 2)
    share = 1 / ca.fmax(pieces, 1)
    heights, moved, gone_on = [], 0, []
    for sign, point, place, height in ((1, start, near, state[0]), (-1, end, far, state[1])):
        angle = sign * turn * share
        there = ca.cos(angle) * place + ca.sin(angle) * across(place)
        piece = ca.vertcat(there, height + sign * share * rise + moved)
        here = ca.vertcat(place, height)
        bend = ca.acos(unit(here - point)[2]) - ca.acos(unit(piece - here)[2])
        along = (piece - point)[:2]
        place_on_line = ca.dot((here - point)[:2], along) / ca.dot(along, along)
        straight = point[2] + place_on_line * (piece[2] - point[2])
        slides = every(active, ca.fabs(bend) > _TANGENCY)
        moved = ca.if_else(slides, _RELAXATION * (straight - height), 0)
        heights.append(height + moved)
        gone_on.append(slides)
    return ca.Function("slide", [state, constants], [ca.vertcat(*heights, either(*gone_on))])
