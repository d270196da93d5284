"""WrapSphere: an arc of a great circle in the plane of the line and the centre."""

from __future__ import annotations

import casadi as ca
import numpy as np

from casadi_dynamics.symbolic.wrapping.algebra import (
    INSIDE,
    MANDATORY,
    NO_WRAP,
    WRAPPED,
    Wrapping,
    either,
    every,
    on_side,
    real_root,
    unit,
)
from casadi_dynamics.symbolic.wrapping.cylinder import closest_pair

#: A line that passes the centre at a sine of less than this of the direction to its end has no plane.
_THROUGH_CENTRE = 1e-5


def sphere(start: ca.SX, end: ca.SX, dimensions: ca.SX, quadrant: str) -> Wrapping:
    """Return how a line wraps around a sphere.

    A line through the centre does not wrap. (OpenSim then repeats the path before.)

    Parameters
    ----------
    start, end : (3,) SX
        Of the line, in the frame of the sphere.
    dimensions : (1,) SX
        Radius.
    """
    radius = dimensions[0]
    back = start - end
    distances = ca.norm_2(start), ca.norm_2(end)
    inside = either(*(distance < radius for distance in distances))
    a, b, c = ca.dot(back, back), 2 * ca.dot(end, back), ca.dot(end, end) - radius * radius
    cut, root = real_root(b * b - 4 * a * c)
    meets = every(cut, *(every(x > 0, x < 1) for x in ((-b + root) / (2 * a), (-b - root) / (2 * a))))
    normal = ca.cross(unit(back), end / distances[1])
    planar = ca.norm_2(normal) >= _THROUGH_CENTRE
    normal = unit(normal)
    (start_a, start_b), (end_a, end_b) = (
        _tangent_points(point, distance, radius, normal)
        for point, distance in zip((start, end), distances, strict=True)
    )
    first, second = closest_pair(start_a, start_b, end_a, end_b, axes=3)
    action, far = ca.SX(WRAPPED), ca.SX(0)
    if quadrant:
        sides = on_side(start, quadrant), on_side(end, quadrant)
        along = unit(back)
        near = start - ca.dot(start, along) * along
        # OpenSim compares this place, which is in m, with 0 and 1
        hit = every(ca.dot(near, near) < radius * radius, ca.dot(start, along) > 0, ca.dot(start, along) < 1)
        opposite = every(sides[0] != sides[1], ca.logic_not(on_side(near, quadrant)))
        lined = ca.if_else(hit, MANDATORY, ca.if_else(opposite, WRAPPED, NO_WRAP))
        action = ca.if_else(either(*sides), lined, WRAPPED)
        free = ca.logic_not(every(*sides))
        chosen, far_if_free = _on_active_side(start, end, (start_a, start_b), (end_a, end_b), quadrant)
        first, second = (ca.if_else(free, c, other) for c, other in zip(chosen, (first, second), strict=True))
        far = every(free, far_if_free)
    found = every(ca.logic_not(inside), meets, planar, action >= WRAPPED)
    action = ca.if_else(inside, INSIDE, ca.if_else(found, action, NO_WRAP))
    angle = ca.atan2(ca.norm_2(ca.cross(first, second)), ca.dot(first, second))
    # the far side has a negative length in OpenSim
    return Wrapping(action, found, first, second, radius * ca.if_else(far, angle - 2 * np.pi, angle))


def _tangent_points(point: ca.SX, distance: ca.SX, radius: ca.SX, normal: ca.SX) -> tuple[ca.SX, ca.SX]:
    """Return the two points in the plane across `normal` where lines from a point touch the sphere."""
    inwards = -point / distance
    side = ca.cross(normal, inwards)
    sine = radius / distance
    cosine = ca.sqrt(ca.fmax(1 - sine * sine, 0))
    base, step = point + distance * cosine * cosine * inwards, distance * cosine * sine * side
    return base - step, base + step


def _on_active_side(
    start: ca.SX, end: ca.SX, starts: tuple[ca.SX, ca.SX], ends: tuple[ca.SX, ca.SX], quadrant: str
) -> tuple[tuple[ca.SX, ca.SX], ca.SX]:
    """Return the tangent points of which the path leans towards the active side, and if it is the far one."""
    towards = -(start + end)
    first_a = ca.dot(starts[0], towards) > ca.dot(starts[1], towards)
    second_a = ca.dot(ends[0], towards) > ca.dot(ends[1], towards)
    first, other_first = ca.if_else(first_a, *starts), ca.if_else(first_a, starts[1], starts[0])
    second, other_second = ca.if_else(second_a, *ends), ca.if_else(second_a, ends[1], ends[0])
    lean = ((first - start) + (second - end))["xyz".index(quadrant[1])]
    wrong = lean < 0 if quadrant[0] == "+" else lean > 0
    first, second = ca.if_else(wrong, other_first, first), ca.if_else(wrong, other_second, second)
    far = ca.dot(first + second, (first - start) + (second - end)) < 0
    return (first, second), far
