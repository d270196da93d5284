"""Paths through points on bodies and around surfaces: length, moment arms, speed, and where they run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import casadi as ca

from casadi_dynamics.errors import InputError, nearest
from casadi_dynamics.model.muscles import GeometryPath, Muscle
from casadi_dynamics.symbolic.constraints import couple, independent_coordinates
from casadi_dynamics.symbolic.path_points import place, segment, used_segments, way_through
from casadi_dynamics.symbolic.tree import Tree, stack
from casadi_dynamics.symbolic.wrapping.path import ARC_POINTS, wrapped_path, wrapped_way


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


def muscle_paths(tree: Tree, names: Sequence[str]) -> ca.Function:
    """Return the function `muscles` of a model.

    Parameters
    ----------
    names : sequence of str
        The muscles wanted.

    Returns
    -------
    casadi.Function
        Inputs `q`, `u` (n each) and `parameters`. Outputs `length` (m,) of the muscle-tendon units, m,
        `moment_arm` (m, n), m per rad or m per m, and `speed` (m,), the rate of the length, m/s. The moment
        arms of a coordinate include what its couplers move with it; a coupled coordinate has none of its own.

    Raises
    ------
    InputError
        If the model has no such muscle.
    """
    motions = [path_motion(muscle.name, muscle.path, tree) for muscle in _muscles(tree, names)]
    arms = stack(motion.moment_arms for motion in motions) if motions else ca.SX.zeros(0, tree.u.numel())
    outputs = {
        "length": stack(motion.length for motion in motions),
        "moment_arm": _with_couplers(arms, tree),
        "speed": stack(motion.speed for motion in motions),
    }
    return tree.function("muscles", "q u", outputs)


def path_ways(tree: Tree, names: Sequence[str]) -> ca.Function:
    """Return the function `ways` of a model: where its muscles run, for drawing.

    Parameters
    ----------
    names : sequence of str
        The muscles wanted.

    Returns
    -------
    casadi.Function
        Inputs `q` and `parameters`. Output `position` (3 per point), in ground, m: for each muscle
        `points_of_way` points, from origin to insertion. Around surfaces it is as `wrapped_way` says. Of
        other paths a point that is not on the way lies on the one before it, or on the first of all.

    Raises
    ------
    InputError
        If the model has no such muscle.
    """
    muscles = _muscles(tree, names)
    ways = []
    for own in muscles:
        points = [place(own.name, point, tree) for point in own.path.points]
        ways.append(wrapped_way(points, own.path.wraps, tree) if own.path.wraps else way_through(points))
    return tree.function("ways", "q", {"position": stack(position for way in ways for position in way)})


def points_of_way(path: GeometryPath) -> int:
    """Return with how many points a path is drawn."""
    return len(path.points) + ARC_POINTS * len(path.wraps)


def _muscles(tree: Tree, names: Sequence[str]) -> list[Muscle]:
    """Return the muscles of a model with these names."""
    known = {muscle.name: muscle for muscle in tree.model.muscles}
    for name in names:
        if name not in known:
            raise InputError(
                f"The model has no muscle named '{name}'.",
                where=f"model '{tree.model.name}'",
                expected=f"one of {', '.join(known) or 'none'}",
                found=name,
                fix=nearest(name, known) or "name a muscle of this model",
            )
    return [known[name] for name in names]


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


def path_motion(name: str, path: GeometryPath, tree: Tree) -> PathMotion:
    """Return length, lengthening speed and moment arms of a path.

    It is the sum of the distances between the points it runs through; a segment between two points of one
    body has no moment arm, even where a point moves on the body (as in OpenSim's `GeometryPath`). Around
    surfaces it runs as OpenSim's does (`casadi_dynamics.symbolic.wrapping`).

    Parameters
    ----------
    name : str
        Of the muscle, for messages and parameters.
    """
    points = [place(name, point, tree) for point in path.points]
    if path.wraps:
        return PathMotion(*wrapped_path(points, path.wraps, tree))
    length, speed, pull = ca.SX(0), ca.SX(0), ca.SX(0)
    for i, j, used in used_segments(points):
        distance, rate = segment(points[i], points[j])
        length += ca.if_else(used, distance, 0)
        rate = ca.if_else(used, rate, 0)
        speed += rate
        pull += rate if points[i].body != points[j].body else 0
    return PathMotion(length, speed, -ca.jacobian(pull, tree.u))
