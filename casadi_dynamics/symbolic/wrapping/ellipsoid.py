"""WrapEllipsoid: an arc in the plane of the line and a point of the surface, by OpenSim's own iterations.

All lengths are divided by the mean radius while they are worked on.
"""

from __future__ import annotations

import casadi as ca
import numpy as np

from casadi_dynamics.symbolic.wrapping.algebra import (
    INSIDE,
    MANDATORY,
    NO_WRAP,
    either,
    every,
    on_side,
    pick,
    real_root,
    unit,
)
from casadi_dynamics.symbolic.wrapping.ellipse import closest_point, directions_out
from casadi_dynamics.symbolic.wrapping.loops import only_if, repeat

#: How far within the surface (in the ellipsoid's equation) an end may be, and how nearly both ends may lie in
#: one direction from the centre.
_INSIDE, _IN_LINE = 1e-4, 1e-4
#: Share of the line along an axis of the ellipsoid: up to the first its plane counts nothing (`hybrid`), from
#: the second on it counts alone.
_BLEND = 0.7073, 0.9
#: Share of the chord at either end within which that axis counts less.
_EDGE = 0.3
_FAN = 300
#: Sum of squared residuals at which a tangent point is good enough, and steps that are made for it at most.
_GOOD, _MOST_STEPS = 1e-8, 50
_CHORD_M, _MOST_CHORDS = 1e-3, 499


def ellipsoid(start: ca.MX, end: ca.MX, dimensions: ca.MX, quadrant: str, method: str) -> tuple[ca.MX, ...]:
    """Return the parts of a `Wrapping` of an ellipsoid.

    Parameters
    ----------
    start, end : (3,) MX
        Of the line, in the frame of the ellipsoid.
    dimensions : (3,) MX
        Radii.
    method : str
        As in `PathWrap`.
    """
    action, scale, chord = _meets()(start, end, dimensions)
    wrap = only_if(_around(quadrant, method))
    near, far, length = wrap(
        action == MANDATORY, start * scale, end * scale, dimensions * scale, chord, scale
    )
    return action, action == MANDATORY, near / scale, far / scale, length / scale


def _meets() -> ca.Function:
    """Return the function to the action, the scale and, scaled, both ends of the chord in the ellipsoid."""
    start, end, radii = (ca.SX.sym(name, 3) for name in ("start", "end", "radii"))
    scale = 3 / ca.sum1(radii)
    first, last, a = start * scale, end * scale, radii * scale
    inside = either(*(ca.sumsqr(point / a) - 1 < -_INSIDE for point in (first, last)))
    in_line = ca.fabs(ca.dot(unit(first), unit(last)) - 1) < _IN_LINE
    back = first - last
    f, g = back / a, last / a
    aa, bb, cc = ca.dot(f, f), 2 * ca.dot(f, g), ca.dot(g, g) - 1
    cut, root = real_root(bb * bb - 4 * aa * cc)
    places = (-bb + root) / (2 * aa), (-bb - root) / (2 * aa)
    meets = every(cut, ca.logic_not(in_line), *(every(place > 0, place < 1) for place in places))
    action = ca.if_else(inside, INSIDE, ca.if_else(meets, MANDATORY, NO_WRAP))
    chord = ca.horzcat(*(last + place * back for place in places))
    return ca.Function("meets", [start, end, radii], [action, scale, chord])


def _around(quadrant: str, method: str) -> ca.Function:
    """Return the function to both tangent points and the length of the arc between them, scaled."""
    start, end, radii = (ca.MX.sym(name, 3) for name in ("start", "end", "radii"))
    chord, scale = ca.MX.sym("chord", 3, 2), ca.MX.sym("scale")
    on_surface, first_guess, share_of_fan = _point_on_surface(method)(start, end, radii, chord)
    if quadrant:
        on_surface, first_guess = _turned_to(quadrant)(radii, on_surface, first_guess, share_of_fan)
    plane = _plane()(start, end, on_surface)
    tangents = [
        _tangent_point()(point, first_guess[:, i], radii, plane) for i, point in enumerate((start, end))
    ]
    arc, first, last = _arc()(*tangents, radii, plane, scale, 0)
    if quadrant:
        wrong = _wrong_way()(start, end, *tangents, first, last)
        arc = ca.if_else(wrong, only_if(_arc())(wrong, *tangents, radii, plane, scale, 1)[0], arc)
    return ca.Function("around", [start, end, radii, chord, scale], [*tangents, arc])


def _point_on_surface(method: str) -> ca.Function:
    """Return the function to the point that with the line gives the plane of the arc.

    Outputs: the point, two points from which the tangents are searched, and the share of the `fan`.
    """
    start, end, radii = (ca.MX.sym(name, 3) for name in ("start", "end", "radii"))
    chord = ca.MX.sym("chord", 3, 2)
    nothing = ca.MX.zeros(3)
    if method == "midpoint":
        point = closest_point()(radii, chord[:, 0] + (chord[:, 1] - chord[:, 0]) / 2, -1, nothing)
        share, guess = ca.MX(-1), ca.horzcat(point, point)
    else:
        axis, on_axis, place, weight = _axis(method)(start, end, chord)
        point, share = closest_point()(radii, on_axis, axis, nothing), ca.MX(-1)
        guess = ca.horzcat(point, point)
        if method == "axial":
            guess = ca.if_else(ca.logic_and(place > 0, place < 1), guess, chord)
        else:
            fanned = only_if(_with_fan())(weight < 1, radii, chord, point, ca.fmax(weight, 0))
            point = ca.if_else(weight < 1, fanned, point)
            share = ca.if_else(weight < 1, 1 - ca.fmax(weight, 0), -1)
            guess = ca.horzcat(point, point)
    return ca.Function("point_on_surface", [start, end, radii, chord], [point, guess, share])


def _axis(method: str) -> ca.Function:
    """Return the function to the axis that a line is most parallel to.

    Outputs: the axis, the point of the line in the plane across it, its place on the chord (0 to 1), and how
    much the axis counts.
    """
    start, end = ca.SX.sym("start", 3), ca.SX.sym("end", 3)
    chord = ca.SX.sym("chord", 3, 2)
    shares = ca.fabs(unit(start - end))
    axis = ca.SX(0)
    for i in (1, 2):
        axis = ca.if_else(shares[i] > pick(axis, ca.vertsplit(shares)), i, axis)
    along = chord[:, 1] - chord[:, 0]
    place = -pick(axis, ca.vertsplit(chord[:, 0])) / pick(axis, ca.vertsplit(along))
    share, (low, high) = pick(axis, ca.vertsplit(shares)), _BLEND
    edge = ca.if_else(place < _EDGE, place / _EDGE, ca.if_else(place > 1 - _EDGE, (1 - place) / _EDGE, 1))
    edge = ca.if_else(either(place < 0, place > 1), 0, edge)
    share = ca.if_else(every(share > low, edge < 1), low + edge * (share - low), share)
    weight = (share - low) / (high - low) if method == "hybrid" else ca.SX(1)
    return ca.Function("axis", [start, end, chord], [axis, chord[:, 0] + place * along, place, weight])


def _with_fan() -> ca.Function:
    """Return the function to the closest point to the mean of a fan of shortest lines to the surface.

    Inputs: radii, chord, the point by the axis and its weight from 0 to 1.
    """
    radii, chord = ca.MX.sym("radii", 3), ca.MX.sym("chord", 3, 2)
    by_axis, weight = ca.MX.sym("by_axis", 3), ca.MX.sym("weight")
    places = ca.DM([i / _FAN for i in range(1, _FAN - 1)]).T
    from_chord = chord[:, 0] + (chord[:, 1] - chord[:, 0]) @ places
    fan = directions_out(places.numel())(radii, from_chord, by_axis)
    aim = (chord[:, 0] + chord[:, 1]) / 2 + unit(fan)
    point = closest_point()(radii, aim, -1, by_axis)
    again = only_if(closest_point())
    mixed = again(weight > 0, radii, weight * by_axis + (1 - weight) * point, -1, point)
    point = ca.if_else(weight > 0, mixed, point)
    return ca.Function("with_fan", [radii, chord, by_axis, weight], [point])


def _turned_to(quadrant: str) -> ca.Function:
    """Return the function that mirrors the point on the surface where it is not on the active side."""
    radii, point, share = ca.MX.sym("radii", 3), ca.MX.sym("point", 3), ca.MX.sym("share")
    guess = ca.MX.sym("guess", 3, 2)
    i = "xyz".index(quadrant[1])
    wrong = ca.logic_not(on_side(point, quadrant))
    mirror = ca.DM.ones(3)
    mirror[i] = -1
    mirrored = point * mirror
    # what came of the fan is drawn to the plane between both sides
    drawn = ca.vertcat(*(mirrored[k] * (1 - share) if k == i else mirrored[k] for k in range(3)))
    fanned = ca.logic_and(wrong, share > 0)
    closest = only_if(closest_point())(fanned, radii, drawn, -1, drawn)
    after = ca.if_else(wrong, ca.if_else(fanned, closest, mirrored), point)
    guess_after = ca.if_else(wrong, ca.horzcat(mirrored, mirrored), guess)
    return ca.Function("turned", [radii, point, guess, share], [after, guess_after])


def _plane() -> ca.Function:
    """Return the function to the unit normal of a plane through three points, and its offset (4)."""
    start, end, point = (ca.SX.sym(name, 3) for name in ("start", "end", "point"))
    normal = unit(ca.cross(start - end, start - point))
    return ca.Function("plane", [start, end, point], [ca.vertcat(normal, -ca.dot(normal, point))])


def _tangent_point() -> ca.Function:
    """Return the function to the point where a line from a point touches the ellipse in the plane.

    OpenSim's damped least squares of four residuals (plane, surface, two of the tangent plane) in the place
    and the offset of the tangent plane: a sixteenth of a step, doubled while the residuals fall.
    """
    point, guess, radii, plane = (ca.SX.sym(n, k) for n, k in zip("pgra", (3, 3, 3, 4), strict=True))
    on_surface = ca.fabs(ca.sumsqr(point / radii) - 1) < _INSIDE
    place = ca.vertcat(guess, -2 * ca.sumsqr(guess / radii))
    square = ca.sumsqr(_residuals(place, point, radii, plane))
    go_on = every(ca.logic_not(on_surface), square > _GOOD)
    # anchor (4), place (4), direction (4), scale, squares now and before, damping, steps, doubling, go on
    state = ca.vertcat(place, place, ca.SX.zeros(4), 1, square, square, 0.01, 0, 0, go_on)
    constants = ca.vertcat(point, radii, plane)
    prepare = ca.Function("prepare", [point, guess, radii, plane], [state, constants, on_surface])
    inputs = [ca.MX.sym(n, k) for n, k in zip("pgra", (3, 3, 3, 4), strict=True)]
    state, constants, on_surface = prepare(*inputs)
    found = repeat(_search(), _MOST_STEPS * 20, 10)(state, constants)[4:7]
    return ca.Function("tangent_point", inputs, [ca.if_else(on_surface, inputs[0], found)])


def _residuals(place: ca.SX, point: ca.SX, radii: ca.SX, plane: ca.SX) -> ca.SX:
    normal = 2 * place[:3] / radii**2
    return ca.vertcat(
        ca.dot(plane[:3], place[:3]) + plane[3],
        ca.sumsqr(place[:3] / radii) - 1,
        ca.dot(normal, place[:3]) + place[3],
        ca.dot(normal, point) + place[3],
    )


def _search() -> ca.Function:
    """Return one evaluation of the search of a tangent point: of a new direction, or of twice the step."""
    state, constants = ca.SX.sym("state", 19), ca.SX.sym("constants", 10)
    anchor, place, direction = state[0:4], state[4:8], state[8:12]
    size, square, damping, steps, doubling, go_on = (state[i] for i in (12, 13, 15, 16, 17, 18))
    point, radii, plane = constants[0:3], constants[3:6], constants[6:10]

    fresh = _direction(anchor, point, radii, plane, damping)
    tried = place + fresh
    square_tried = ca.sumsqr(_residuals(tried, point, radii, plane))
    falls = square_tried < square
    damping_tried = damping * 4
    turn = ca.vertcat(
        anchor,
        ca.if_else(falls, place, tried),  # where doubling starts from
        fresh,
        1,
        square_tried,
        square,
        ca.if_else(falls, damping_tried / 8, damping_tried),
        steps,
        falls,
        1,
    )

    larger = ca.sumsqr(_residuals(place + 2 * size * direction, point, radii, plane))
    grows = larger <= square
    best = place + size * direction
    ends = either(square <= _GOOD, steps + 1 >= _MOST_STEPS)
    twice = ca.vertcat(anchor, place, direction, 2 * size, larger, square, damping, steps, 1, 1)
    settle = ca.vertcat(best, best, direction, 1, square, square, damping, steps + 1, 0, ca.logic_not(ends))
    after = ca.if_else(doubling, ca.if_else(grows, twice, settle), turn)
    return ca.Function("search", [state, constants], [ca.if_else(go_on, after, state)])


def _direction(anchor: ca.SX, point: ca.SX, radii: ca.SX, plane: ca.SX, damping: ca.SX) -> ca.SX:
    """Return a sixteenth of the damped least-squares step from a place, shortened near the line of sight."""
    place, squares = anchor[:3], radii**2
    slopes = ca.SX.zeros(4, 4)
    slopes[:3, 0] = plane[:3]
    slopes[:3, 1] = 2 * place / squares
    slopes[:3, 2] = 4 * place / squares
    slopes[:3, 3] = 2 * point / squares
    slopes[3, 2] = slopes[3, 3] = 1
    cosine = ca.dot(unit(point - place), unit(point))
    share = ca.if_else(cosine > 0.1, 1 - cosine**100, 1)
    matrix = slopes @ slopes.T
    matrix += damping * ca.diag(ca.diag(matrix))
    right = -slopes @ _residuals(anchor, point, radii, plane)
    return share * _solve(matrix, right) / 16


def _solve(matrix: ca.SX, right: ca.SX) -> ca.SX:
    """Solve four equations with a positive definite matrix by its LDL factors."""
    n = 4
    lower, diagonal = ca.SX.eye(n), ca.SX.zeros(n)
    for j in range(n):
        diagonal[j] = matrix[j, j] - sum(lower[j, k] ** 2 * diagonal[k] for k in range(j))
        for i in range(j + 1, n):
            rest = matrix[i, j] - sum(lower[i, k] * lower[j, k] * diagonal[k] for k in range(j))
            lower[i, j] = rest / diagonal[j]
    solution = ca.SX(right)
    for i in range(n):
        solution[i] -= sum(lower[i, k] * solution[k] for k in range(i))
    solution = solution / diagonal
    for i in reversed(range(n)):
        solution[i] -= sum(lower[k, i] * solution[k] for k in range(i + 1, n))
    return solution


def _arc() -> ca.Function:
    """Return the function to the length of chords of about 1 mm between two points of the surface.

    Inputs: both points, radii, plane, scale and whether to go the far way. Outputs: the length, and the
    second and the last but one of the chords' ends; not numbers where there is one chord only.
    """
    names = {"near": 3, "far": 3, "radii": 3, "plane": 4, "scale": 1, "far_way": 1}
    near, far, radii, plane, scale, far_way = symbols = [ca.SX.sym(n, k) for n, k in names.items()]
    straight = ca.norm_2(near - far)
    chords = ca.fmin(ca.floor(straight / scale / _CHORD_M), _MOST_CHORDS)
    chords = ca.if_else(straight / scale < _CHORD_M, 0, chords)
    largest = ca.SX(0)
    for i in (1, 2):
        larger = ca.fabs(plane[i]) > ca.fabs(pick(largest, ca.vertsplit(plane[:3])))
        largest = ca.if_else(larger, i, largest)
    height = -plane[3] / pick(largest, ca.vertsplit(plane[:3]))
    centre = ca.vertcat(*(ca.if_else(largest == i, height, 0) for i in range(3)))
    one, other = unit(near - centre), unit(far - centre)
    angle = ca.acos(ca.fmin(ca.fmax(ca.dot(one, other), -1), 1))
    step = ca.if_else(far_way, angle - 2 * np.pi, angle) / chords
    side = ca.cross(unit(ca.cross(one, other)), one)
    constants = ca.vertcat(far, radii, centre, one, side, step, chords)
    state = ca.vertcat(near, 0, 0, chords > 0)
    ends = [_on_arc(place, constants) for place in (1, chords - 1)]
    prepare = ca.Function("prepare", symbols, [state, constants, straight, chords, *ends])
    inputs = [ca.MX.sym(n, k) for n, k in names.items()]
    state, constants, straight, chords, second, last = prepare(*inputs)
    summed = repeat(_chord(), _MOST_CHORDS + 1, 25)(state, constants)
    length = ca.if_else(chords > 0, summed[4], straight)
    several = ca.if_else(chords > 1, 1, np.nan)
    return ca.Function("arc", inputs, [length, several * second, several * last])


def _on_arc(place: ca.SX | float, constants: ca.SX) -> ca.SX:
    radii, centre, one, side, step = (
        constants[i:j] for i, j in ((3, 6), (6, 9), (9, 12), (12, 15), (15, 16))
    )
    direction = ca.cos(place * step) * one + ca.sin(place * step) * side
    f, g = direction / radii, centre / radii
    aa, bb, cc = ca.dot(f, f), 2 * ca.dot(f, g), ca.dot(g, g) - 1
    return centre + (-bb + ca.sqrt(bb * bb - 4 * aa * cc)) / (2 * aa) * direction


def _chord() -> ca.Function:
    """Return the addition of one chord: of the state (end of the last, number, length, whether to go on)."""
    state, constants = ca.SX.sym("state", 6), ca.SX.sym("constants", 17)
    number, chords = state[3] + 1, constants[16]
    point = ca.if_else(number < chords, _on_arc(number, constants), constants[:3])
    after = ca.vertcat(point, number, state[4] + ca.norm_2(point - state[:3]), number < chords)
    return ca.Function("chord", [state, constants], [ca.if_else(state[5], after, state)])


def _wrong_way() -> ca.Function:
    """Return whether an arc leaves one of its ends towards where the line comes from."""
    start, end, near, far, first, last = symbols = [ca.SX.sym(f"p{i}", 3) for i in range(6)]
    wrong = either(ca.dot(start - near, first - near) > 0, ca.dot(end - far, last - far) > 0)
    return ca.Function("wrong_way", symbols, [wrong])
