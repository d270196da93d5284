"""Points of paths: where they are and how they move."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import casadi as ca

from casadi_dynamics.model.muscles import ConditionalPathPoint, MovingPathPoint, Point
from casadi_dynamics.symbolic.functions import evaluate
from casadi_dynamics.symbolic.kinematics import BodyMotion, point_velocity
from casadi_dynamics.symbolic.tree import Tree

#: How far outside its range a coordinate may be for a conditional point to be on the path (OpenSim's own).
_MARGIN = 1e-5


@dataclass(frozen=True)
class PlacedPoint:
    """A point of a path.

    Attributes
    ----------
    position, velocity : (3,) SX
        In ground, m and m/s.
    active : SX
        Whether the path runs through it; 1 if always.
    """

    body: str
    position: ca.SX
    velocity: ca.SX
    active: ca.SX


def segment(start: PlacedPoint, end: PlacedPoint) -> tuple[ca.SX, ca.SX]:
    """Return the distance between two points and its rate."""
    along = end.position - start.position
    distance = ca.norm_2(along)
    # Points that coincide have no direction; their distance is at a minimum.
    direction = along / ca.fmax(distance, 1e-100)
    return distance, ca.dot(direction, end.velocity - start.velocity)


def place(owner: str, point: Point, tree: Tree) -> PlacedPoint:
    """Place a point of the path of `owner`, whose name its parameters bear."""
    motion, active = tree.motions[point.body], ca.SX(1)
    if isinstance(point, MovingPathPoint):
        return _place_moving(owner, point, tree)
    if isinstance(point, ConditionalPathPoint):
        q, (low, high) = tree.coordinate(point.coordinate)[0], point.range
        active = ca.logic_and(q >= low - _MARGIN, q <= high + _MARGIN)
    station = tree.parameters[f"{owner}.{point.name}.location"]
    return PlacedPoint(point.body, *in_ground(motion, station), active)


def _place_moving(owner: str, point: MovingPathPoint, tree: Tree) -> PlacedPoint:
    """Place a point as OpenSim does: its place stops at the ends of the range, its rate does not."""
    motion = tree.motions[point.body]
    location, rate = ca.SX.zeros(3), ca.SX.zeros(3)
    for k, (function, name) in enumerate(zip(point.location, point.coordinates, strict=True)):
        q, u = tree.coordinate(name)[:2] if name else (ca.SX(0), ca.SX(0))
        scales = tree.parameters.scales_at(f"{owner}.{point.name}.{'xyz'[k]}")
        low, high = tree.model.range_of(name) if name else (0.0, 0.0)
        location[k] = evaluate(function, ca.fmin(ca.fmax(q, low), high), scales)[0]
        rate[k] = evaluate(function, q, scales)[1] * u
    axes = ca.DM(point.frame.rotation)
    station = tree.parameters[f"{owner}.{point.name}.frame"] + axes @ location
    position, velocity = in_ground(motion, station)
    return PlacedPoint(point.body, position, velocity + motion.rotation @ (axes @ rate), ca.SX(1))


def in_ground(motion: BodyMotion, station: ca.SX) -> tuple[ca.SX, ca.SX]:
    """Return place and velocity in ground of a station of a body, given in its axes."""
    position = motion.position + motion.rotation @ station
    return position, motion.rotation @ point_velocity(motion, station)


def used_segments(points: Sequence[PlacedPoint]) -> Iterator[tuple[int, int, ca.SX]]:
    """Yield pairs of points that can follow one another on a path, each with whether they do."""
    for i, j in combinations(range(len(points)), 2):
        between = [point.active for point in points[i + 1 : j]]
        if any(active.is_one() for active in between):
            continue
        used = points[i].active * points[j].active
        for active in between:
            used = used * (1 - active)
        yield i, j, used


def way_through(points: Sequence[PlacedPoint]) -> list[ca.SX]:
    """Return where points of a path are; one that is not on it lies on the one before, or on the first."""
    last = points[-1].position
    for point in reversed(points):
        last = ca.if_else(point.active, point.position, last)
    way = []
    for point in points:
        last = ca.if_else(point.active, point.position, last)
        way.append(last)
    return way
