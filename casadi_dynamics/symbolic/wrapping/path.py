"""A path around surfaces: its length, the rate of it, its moment arms, and where it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import casadi as ca

from casadi_dynamics.model.muscles import PathWrap
from casadi_dynamics.symbolic.kinematics import point_velocity
from casadi_dynamics.symbolic.path_points import PlacedPoint, segment, used_segments, way_through
from casadi_dynamics.symbolic.tree import Tree
from casadi_dynamics.symbolic.wrapping.algebra import MANDATORY, every
from casadi_dynamics.symbolic.wrapping.route import Obstacle, route
from casadi_dynamics.symbolic.wrapping.surfaces import along_arc, wrap_function

#: Points that an arc is drawn with, its ends among them: of a quarter turn the chords leave out 0.6 % of it.
ARC_POINTS = 6


def wrapped_path(
    points: Sequence[PlacedPoint], wraps: Sequence[PathWrap], tree: Tree
) -> tuple[ca.SX, ca.SX, ca.SX]:
    """Return length (m) and speed (m/s) of a path, and its moment arms (1, n).

    They are those of the straight lines between points that are fixed to their bodies, as in OpenSim: along
    a surface nothing moves. The way is not differentiated for them, so that they hold where OpenSim's is not
    the shortest.
    """
    if _is_formula(wraps):
        return _around_one(points, wraps[0], tree)
    return _around_several(points, wraps, tree)


def _span(wrap: PathWrap, count: int) -> tuple[int, int]:
    first, last = wrap.range
    return max(first - 1, 0), (last - 1 if last >= 1 else count - 1)


def _place(wrap: PathWrap, tree: Tree) -> tuple[ca.SX, ca.SX, ca.SX]:
    """Return axes and origin of a surface in ground, and its dimensions."""
    surface, motion = wrap.surface, tree.motions[wrap.body]
    axes = motion.rotation @ ca.DM(surface.frame.rotation)
    origin = motion.position + motion.rotation @ tree.parameters[f"{surface.name}.frame"]
    return axes, origin, tree.parameters[f"{surface.name}.dimensions"]


def _ridden(body: str, position: ca.SX, tree: Tree) -> PlacedPoint:
    """Return a place in ground as a point of a body."""
    motion = tree.motions[body]
    station = motion.rotation.T @ (position - motion.position)
    return PlacedPoint(body, position, motion.rotation @ point_velocity(motion, station), ca.SX(1))


@dataclass(frozen=True)
class _Segment:
    """A segment of a path around one surface.

    Attributes
    ----------
    ends : (int, int)
        Numbers of its points.
    used, chosen : SX
        Whether the path runs along it, and whether the arc is on it.
    arc : tuple of SX
        Both ends and the length of the arc that may be on it, in the frame of the surface; empty: none may.
    """

    ends: tuple[int, int]
    used: ca.SX
    chosen: ca.SX
    arc: tuple[ca.SX, ...] = ()

    def sums(self, points: Sequence[PlacedPoint], wrap: PathWrap, tree: Tree) -> tuple[ca.SX, ca.SX, ca.SX]:
        """Return the `_sums` of the segment with the arc."""
        start, end = (points[k] for k in self.ends)
        axes, origin, _ = _place(wrap, tree)
        near, far = (_ridden(wrap.body, origin + axes @ place, tree) for place in self.arc[:2])
        length, speed, pull = _sums([(start, near), (far, end)])
        return length + self.arc[2], speed, pull


def _is_formula(wraps: Sequence[PathWrap]) -> bool:
    """Return whether a path has one surface alone, whose wrap is a formula: one expression, no calls."""
    return len(wraps) == 1 and wraps[0].surface.kind in ("WrapCylinder", "WrapSphere")


def _segments(points: Sequence[PlacedPoint], wrap: PathWrap, tree: Tree) -> list[_Segment]:
    """Return the segments of a path around one surface; the arc is on one of them, or on none."""
    axes, origin, dimensions = _place(wrap, tree)
    touch_of = wrap_function(wrap.surface, wrap.method, alone=True)
    first, last = _span(wrap, len(points))
    segments, least, settled = [], ca.SX.inf(), ca.SX(0)
    for i, j, used in used_segments(points):
        part = _Segment((i, j), used, ca.SX(0))
        if wrap.surface.active and first <= i and j <= last:
            ends = (axes.T @ (points[k].position - origin) for k in (i, j))
            action, found, *arc = touch_of(*ends, dimensions)
            part = replace(part, arc=tuple(arc))
            change = part.sums(points, wrap, tree)[0] - _sums([(points[i], points[j])])[0]
            must = every(found, used, action == MANDATORY)
            better = ca.logic_or(must, change < least)
            chosen = every(found, used, ca.logic_not(settled), better)
            least, settled = ca.if_else(chosen, change, least), ca.logic_or(settled, must)
            # a better one takes the place of those before
            segments = [replace(s, chosen=ca.logic_and(s.chosen, ca.logic_not(chosen))) for s in segments]
            part = replace(part, chosen=chosen)
        segments.append(part)
    return segments


def _around_one(points: Sequence[PlacedPoint], wrap: PathWrap, tree: Tree) -> tuple[ca.SX, ca.SX, ca.SX]:
    """Return what `wrapped_path` does for one surface whose wrap is a formula."""
    totals = ca.SX.zeros(3)
    for part in _segments(points, wrap, tree):
        start, end = (points[k] for k in part.ends)
        sums = ca.vertcat(*_sums([(start, end)]))
        if part.arc:
            sums = ca.if_else(part.chosen, ca.vertcat(*part.sums(points, wrap, tree)), sums)
        totals += ca.if_else(part.used, sums, 0)
    return totals[0], totals[1], -ca.jacobian(totals[2], tree.u)


def _sums(lines: Sequence[tuple[PlacedPoint, PlacedPoint]]) -> tuple[ca.SX, ca.SX, ca.SX]:
    """Return the length of straight lines, its rate, and the rate of those between two bodies."""
    length, speed, pull = ca.SX(0), ca.SX(0), ca.SX(0)
    for start, end in lines:
        distance, rate = segment(start, end)
        length, speed = length + distance, speed + rate
        pull += rate if start.body != end.body else 0
    return length, speed, pull


def _around_several(
    points: Sequence[PlacedPoint], wraps: Sequence[PathWrap], tree: Tree
) -> tuple[ca.SX, ca.SX, ca.SX]:
    length, arcs, all_pulls, pulls, _ = _routed(points, wraps, tree)
    # Symbols stand for the way: CasADi would evaluate it once more to find that no speed moves it.
    places, forces = ca.SX.sym("arcs", *arcs.shape), ca.SX.sym("pulls", *pulls.shape)
    ends = [_ridden(wraps[i // 2].body, places[:, i], tree) for i in range(2 * len(wraps))]
    velocities = ca.horzcat(*(point.velocity for point in (*points, *ends)))
    rate = -ca.sum1(ca.vec(forces * velocities))
    speed = ca.substitute([rate], [places, forces], [arcs, all_pulls])[0]
    arms = ca.substitute([-ca.jacobian(rate, tree.u)], [places, forces], [arcs, pulls])[0]
    return length, speed, arms


def _routed(points: Sequence[PlacedPoint], wraps: Sequence[PathWrap], tree: Tree) -> tuple[ca.SX, ...]:
    """Return the outputs of `route` of a path."""
    bodies = list(dict.fromkeys(part.body for part in (*points, *wraps)))
    alone = len(wraps) == 1
    obstacles = [
        Obstacle(
            wrap_function(wrap.surface, wrap.method, alone=alone),
            len(wrap.surface.dimensions),
            wrap.surface.active,
            _span(wrap, len(points)),
            bodies.index(wrap.body),
        )
        for wrap in wraps
    ]
    way = route([bodies.index(point.body) for point in points], obstacles)
    axes, origins, dimensions = zip(*(_place(wrap, tree) for wrap in wraps), strict=True)
    found = way(
        ca.horzcat(*(point.position for point in points)),
        ca.vertcat(*(point.active for point in points)),
        ca.horzcat(*axes),
        ca.horzcat(*origins),
        ca.vertcat(*dimensions),
    )
    return tuple(found)


def wrapped_way(points: Sequence[PlacedPoint], wraps: Sequence[PathWrap], tree: Tree) -> list[ca.SX]:
    """Return where a path runs, to draw it: its points and, of each surface, `ARC_POINTS` along the arc.

    From origin to insertion, in ground, m. Points or surfaces that are not on the way lie on a neighbour, or
    are the insertion once more at the end. The ends of arcs are OpenSim's; between them an arc of an
    ellipsoid runs in a plane through its centre, and one of a torus straight on.
    """
    if _is_formula(wraps):
        return _way_around_one(points, wraps[0], tree)
    return _way_around_several(points, wraps, tree)


def _way_around_one(points: Sequence[PlacedPoint], wrap: PathWrap, tree: Tree) -> list[ca.SX]:
    """Return what `wrapped_way` does for one surface whose wrap is a formula."""
    axes, origin, dimensions = _place(wrap, tree)
    through = way_through(points)
    way = through + ARC_POINTS * through[-1:]
    touching = [part for part in _segments(points, wrap, tree) if part.arc]
    if not touching:
        return way
    near, far, length = touching[0].arc
    for part in touching[1:]:
        arcs = zip(part.arc, (near, far, length), strict=True)
        near, far, length = (ca.if_else(part.chosen, new, old) for new, old in arcs)
    shares = (k / (ARC_POINTS - 1) for k in range(ARC_POINTS))
    arc = [along_arc(wrap.surface.kind, dimensions, near, far, length, share) for share in shares]
    drawn = [origin + axes @ place for place in arc]
    for part in touching:
        behind = part.ends[1]  # what lies between both ends and is not on the way lies on the first
        bent = [*through[:behind], *drawn, *through[behind:]]
        way = [ca.if_else(part.chosen, new, old) for new, old in zip(bent, way, strict=True)]
    return way


def _way_around_several(points: Sequence[PlacedPoint], wraps: Sequence[PathWrap], tree: Tree) -> list[ca.SX]:
    """Return what `wrapped_way` does by the table of the way."""
    n, between = len(points), ARC_POINTS - 2
    way = _routed(points, wraps, tree)[-1]
    columns = [(way[:3, j], way[3, j]) for j in range(way.shape[1])]
    last = points[0].position
    for place, number in columns:
        last = ca.if_else(number >= 0, place, last)
    drawn, ended = [last] * (n + ARC_POINTS * len(wraps)), ca.SX(0)

    def put(j: int, k: int, used: ca.SX, place: ca.SX) -> None:
        """Put a place behind `j` columns, `k` more, and the arcs before them."""
        for arcs in range(len(wraps) + 1):
            slot = j + k + between * arcs
            if slot < len(drawn):
                drawn[slot] = ca.if_else(every(used, ended == arcs), place, drawn[slot])

    for j, (place, number) in enumerate(columns):
        for i, wrap in enumerate(wraps):
            if j == 0:
                break
            ends = number == n + 2 * i + 1
            axes, origin, dimensions = _place(wrap, tree)
            near, far = (axes.T @ (columns[c][0] - origin) for c in (j - 1, j))
            for k in range(between):
                share = (k + 1) / (between + 1)
                on_arc = along_arc(wrap.surface.kind, dimensions, near, far, way[4, j], share)
                put(j, k, ends, origin + axes @ on_arc)
        ended += sum((number == n + 2 * i + 1 for i in range(len(wraps))), ca.SX(0))
        put(j, 0, number >= 0, place)
    return drawn
