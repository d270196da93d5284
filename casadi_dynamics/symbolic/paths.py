"""Paths through points on bodies: length, moment arms and lengthening speed, and fits of wrapped paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import casadi as ca

from casadi_dynamics.errors import InputError, nearest
from casadi_dynamics.model.muscles import ConditionalPathPoint, GeometryPath, MovingPathPoint, Point
from casadi_dynamics.model.path_fits import PathFit, Piece
from casadi_dynamics.symbolic.constraints import couple, independent_coordinates
from casadi_dynamics.symbolic.functions import evaluate
from casadi_dynamics.symbolic.kinematics import BodyMotion, point_velocity
from casadi_dynamics.symbolic.tree import Tree, stack

#: How far outside its range a coordinate may be for a conditional point to be on the path (OpenSim's own).
_MARGIN = 1e-5


@dataclass(frozen=True)
class PlacedPoint:
    """A point of a path.

    Attributes
    ----------
    body : str
    position, velocity : (3,) SX
        In ground, m and m/s.
    active : SX
        Whether the path runs through it; 1 if always.
    """

    body: str
    position: ca.SX
    velocity: ca.SX
    active: ca.SX


@dataclass(frozen=True)
class PathMotion:
    """What a path does.

    Attributes
    ----------
    length : SX
        m.
    speed : SX
        Rate of the length, m/s.
    moment_arms : (1, n) SX
        Generalized forces of a tension of 1 N: m per rad, or m per m, along each coordinate.
    """

    length: ca.SX
    speed: ca.SX
    moment_arms: ca.SX


def muscle_paths(tree: Tree, names: Sequence[str], fits: Sequence[PathFit] = ()) -> ca.Function:
    """Return the function `muscles` of a model.

    Parameters
    ----------
    tree : Tree
    names : sequence of str
        The muscles wanted.
    fits : sequence of PathFit
        For muscles that wrap.

    Returns
    -------
    casadi.Function
        Inputs `q`, `u` (n each) and `parameters`. Outputs `length` (m,) of the muscle-tendon units, m,
        `moment_arm` (m, n), m per rad or m per m, and `speed` (m,), the rate of the length, m/s. The moment
        arms of a coordinate include what its couplers move with it; a coupled coordinate has none of its own.

    Raises
    ------
    InputError
        If the model has no such muscle, or one wraps and has no fit.
    """
    muscles = {muscle.name: muscle for muscle in tree.model.muscles}
    fitted = {fit.muscle: fit for fit in fits}
    motions = []
    for name in names:
        if name not in muscles:
            raise InputError(
                f"The model has no muscle named '{name}'.",
                where=f"model '{tree.model.name}'",
                expected=f"one of {', '.join(muscles) or 'none'}",
                found=name,
                fix=nearest(name, muscles) or "name a muscle of this model",
            )
        motions.append(path_motion(name, muscles[name].path, tree, fitted.get(name)))
    arms = stack(motion.moment_arms for motion in motions) if motions else ca.SX.zeros(0, tree.u.numel())
    outputs = {
        "length": stack(motion.length for motion in motions),
        "moment_arm": _with_couplers(arms, tree),
        "speed": stack(motion.speed for motion in motions),
    }
    return tree.function("muscles", "q u", outputs)


def _with_couplers(arms: ca.SX, tree: Tree) -> ca.SX:
    """Return the moment arms along coordinates that move as the couplers let them.

    Like OpenSim's `MomentArmSolver`: a coupled coordinate moves by one unit with the coordinate that drives
    it, not alone; where the driver cannot move it, it has no moment arm.
    """
    model = tree.model
    names = independent_coordinates(model)
    places = [model.coordinate_names.index(name) for name in names]
    coupling = couple(model, tree.parameters, tree.q[places], tree.u[places], tree.udot[places]).jacobian
    free = arms @ coupling
    moved = ca.SX.zeros(arms.shape)
    for i, coordinate in enumerate(model.coordinate_names):
        if coordinate in names:
            moved[:, i] = free[:, names.index(coordinate)]
            continue
        for k in range(len(names)):
            if not coupling[i, k].is_zero():
                moved[:, i] = ca.if_else(coupling[i, k] == 0, 0, free[:, k] / coupling[i, k])
    return moved


def path_motion(name: str, path: GeometryPath, tree: Tree, fit: PathFit | None = None) -> PathMotion:
    """Return length, lengthening speed and moment arms of a path.

    A path without wrap objects is exact: the sum of the distances between the points it runs through; a
    segment between two points of one body has no moment arm, even where a point moves on the body (as in
    OpenSim's `GeometryPath`). A path with wrap objects is that of its `fit`.

    Parameters
    ----------
    name : str
        Of the muscle, for messages and parameters.
    path : GeometryPath
    tree : Tree
    fit : PathFit, optional

    Raises
    ------
    InputError
        If the path has wrap objects and there is no fit.
    """
    if path.wraps:
        return _fitted(name, path, tree, fit)
    points = [_place(name, point, tree) for point in path.points]
    length, speed, pull = ca.SX(0), ca.SX(0), ca.SX(0)
    for i, j in combinations(range(len(points)), 2):
        between = [point.active for point in points[i + 1 : j]]
        if any(active.is_one() for active in between):
            continue
        used = points[i].active * points[j].active
        for active in between:
            used = used * (1 - active)
        distance, rate = _segment(points[i], points[j])
        length += ca.if_else(used, distance, 0)
        rate = ca.if_else(used, rate, 0)
        speed += rate
        pull += rate if points[i].body != points[j].body else 0
    return PathMotion(length, speed, -ca.jacobian(pull, tree.u))


def _segment(start: PlacedPoint, end: PlacedPoint) -> tuple[ca.SX, ca.SX]:
    along = end.position - start.position
    distance = ca.norm_2(along)
    # Points that coincide have no direction; their distance is at a minimum.
    direction = along / ca.fmax(distance, 1e-100)
    return distance, ca.dot(direction, end.velocity - start.velocity)


def _place(muscle: str, point: Point, tree: Tree) -> PlacedPoint:
    motion, active = tree.motions[point.body], ca.SX(1)
    if isinstance(point, MovingPathPoint):
        return _place_moving(muscle, point, tree)
    if isinstance(point, ConditionalPathPoint):
        q, (low, high) = _state(point.coordinate, tree)[0], point.range
        active = ca.logic_and(q >= low - _MARGIN, q <= high + _MARGIN)
    station = tree.parameters[f"{muscle}.{point.name}.location"]
    return PlacedPoint(point.body, *_ground(motion, station), active)


def _place_moving(muscle: str, point: MovingPathPoint, tree: Tree) -> PlacedPoint:
    """Place a point as OpenSim does: its place stops at the ends of the range, its rate does not."""
    motion = tree.motions[point.body]
    location, rate = ca.SX.zeros(3), ca.SX.zeros(3)
    for k, (function, name) in enumerate(zip(point.location, point.coordinates, strict=True)):
        q, u = _state(name, tree) if name else (ca.SX(0), ca.SX(0))
        scales = tree.parameters.scales_at(f"{muscle}.{point.name}.{'xyz'[k]}")
        low, high = tree.model.range_of(name) if name else (0.0, 0.0)
        location[k] = evaluate(function, ca.fmin(ca.fmax(q, low), high), scales)[0]
        rate[k] = evaluate(function, q, scales)[1] * u
    axes = ca.DM(point.frame.rotation)
    station = tree.parameters[f"{muscle}.{point.name}.frame"] + axes @ location
    position, velocity = _ground(motion, station)
    return PlacedPoint(point.body, position, velocity + motion.rotation @ (axes @ rate), ca.SX(1))


def _ground(motion: BodyMotion, station: ca.SX) -> tuple[ca.SX, ca.SX]:
    position = motion.position + motion.rotation @ station
    return position, motion.rotation @ point_velocity(motion, station)


def _state(coordinate: str, tree: Tree) -> tuple[ca.SX, ca.SX]:
    return tree.coordinate(coordinate)[:2]


def _fitted(name: str, path: GeometryPath, tree: Tree, fit: PathFit | None) -> PathMotion:
    if fit is None:
        wrap = path.wraps[0]
        raise InputError(
            f"The path of '{name}' wraps around a surface, so it is known by a fit only.",
            where=f"model '{tree.model.name}', {wrap.kind} '{wrap.name}'",
            expected="a fit to OpenSim's answers",
            found="none for this muscle",
            fix="let `sspinn convert --paths` fit the wrapped muscles, and pass the fits it stores",
        )
    q = ca.SX.sym("q", len(fit.coordinates))
    gradient = ca.jacobian(length := fitted_length(fit, q), q)
    states = [_state(coordinate, tree) for coordinate in fit.coordinates]
    here = ca.vertcat(*(value for value, _ in states))
    length, gradient = ca.substitute([length, gradient], [q], [here])
    speed = gradient @ ca.vertcat(*(rate for _, rate in states))
    return PathMotion(length, speed, -ca.jacobian(speed, tree.u))


def fitted_length(fit: PathFit, q: ca.SX) -> ca.SX:
    """Return the length of a fit (m) at its coordinates `q`, a straight line outside its range."""
    low = ca.DM([min(piece.lower[i] for piece in fit.pieces) for i in range(q.numel())])
    high = ca.DM([max(piece.upper[i] for piece in fit.pieces) for i in range(q.numel())])
    inside = ca.SX.sym("inside", q.numel())
    length = _polynomial(fit.pieces[-1], inside)
    for piece in reversed(fit.pieces[:-1]):
        here = ca.SX(1)
        for i in range(q.numel()):
            if piece.lower[i] > float(low[i]):
                here = ca.logic_and(here, inside[i] >= piece.lower[i])
            if piece.upper[i] < float(high[i]):
                here = ca.logic_and(here, inside[i] < piece.upper[i])
        length = ca.if_else(here, _polynomial(piece, inside), length)
    nearest = ca.fmin(ca.fmax(q, low), high)
    # the place where the range ends moves with the other coordinates, hence the substitution before deriving
    slope = ca.jacobian(length, inside)
    length, slope = ca.substitute([length, slope], [inside], [nearest])
    return length + slope @ (q - nearest)


def _polynomial(piece: Piece, q: ca.SX) -> ca.SX:
    chebyshev = []
    for i in range(q.numel()):
        low, high = piece.lower[i], piece.upper[i]
        x = (2 * q[i] - (low + high)) / (high - low)
        values = [ca.SX(1), x]
        while len(values) <= max(exponents[i] for exponents in piece.exponents):
            values.append(2 * x * values[-1] - values[-2])
        chebyshev.append(values)
    total = ca.SX(0)
    for exponents, coefficient in zip(piece.exponents, piece.coefficients, strict=True):
        term = ca.SX(coefficient)
        for i, exponent in enumerate(exponents):
            term = term * chebyshev[i][exponent] if exponent else term
        total += term
    return total
