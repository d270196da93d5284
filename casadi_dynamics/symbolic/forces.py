"""Passive forces on the bodies and coordinates of a model: springs, limits, bushings, contact.

Each force is an `Action`: wrenches on bodies and forces along coordinates. Formulas are those of OpenSim's
classes of the same names, which the dataclasses of `casadi_dynamics.model.forces` describe.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations

import casadi as ca

from casadi_dynamics.model import ContactForce, Frame
from casadi_dynamics.model.forces import (
    Blankevoort1991Ligament,
    BushingForce,
    CoordinateLimitForce,
    ExpressionBasedBushingForce,
    ExpressionBasedCoordinateForce,
    ExpressionBasedPointToPointForce,
    Force,
    FunctionBasedBushingForce,
    HuntCrossleyForce,
    Ligament,
    PathSpring,
    PointToPointSpring,
    PrescribedForce,
    SpringGeneralizedForce,
)
from casadi_dynamics.symbolic.contact import Plane, hunt_crossley, smooth_force, surface
from casadi_dynamics.symbolic.dynamics import Wrench, force_at, generalized_action, wrench_at
from casadi_dynamics.symbolic.expressions import formula
from casadi_dynamics.symbolic.functions import evaluate
from casadi_dynamics.symbolic.kinematics import BodyMotion, point_velocity
from casadi_dynamics.symbolic.path_points import in_ground as in_motion
from casadi_dynamics.symbolic.paths import PathMotion, path_motion
from casadi_dynamics.symbolic.tree import Tree


@dataclass
class Action:
    """What one force does: a wrench on each body it acts on, a force along each coordinate it drives.

    Attributes
    ----------
    wrenches : dict of str to Wrench
        About the body origins, in body axes; ground included.
    along : dict of str to SX
        Generalized forces, N m or N.
    pressures : list of SX
        Of each pair of surfaces of a Hunt-Crossley force; see `contact.Push`.
    """

    wrenches: dict[str, Wrench] = field(default_factory=dict)
    along: dict[str, ca.SX] = field(default_factory=dict)
    pressures: list[ca.SX] = field(default_factory=list)

    def press(self, body: str, wrench: Wrench) -> None:
        """Add a wrench on a body."""
        self.wrenches[body] = self.wrenches[body] + wrench if body in self.wrenches else wrench


def action(force: Force | ContactForce, tree: Tree) -> Action:
    """Return what a force does to the bodies and coordinates of a model."""
    return _ACTIONS[type(force)](tree.parameters.stand_in(force), tree)


def generalized(acting: Action, tree: Tree) -> ca.SX:
    """Return the generalized forces (n,) of an action: J^T w plus what acts along the coordinates."""
    names = tree.model.coordinate_names
    direct = ca.vertcat(*(acting.along.get(name, ca.SX(0)) for name in names))
    return generalized_action(tree, acting.wrenches) + direct


def in_ground(wrench: Wrench, motion: BodyMotion) -> tuple[ca.SX, ca.SX]:
    """Return force and moment about the body origin in ground."""
    return motion.rotation @ wrench.force, motion.rotation @ wrench.moment


def _limit(force: CoordinateLimitForce, tree: Tree) -> Action:
    """Stiffness and damping rise beyond each limit with Simbody's quintic step."""
    q, u = _coordinate(tree, force.coordinate)
    above, below = q - force.upper_limit, force.lower_limit - q
    upper, lower = (_rise(beyond / force.transition) for beyond in (above, below))
    spring = force.lower_stiffness * lower * below - force.upper_stiffness * upper * above
    return Action(along={force.coordinate: spring - force.damping * (upper + lower) * u})


def _rise(x: ca.SX) -> ca.SX:
    """Return 0 below 0, 1 above 1 and a quintic with two continuous derivatives between."""
    x = ca.fmin(ca.fmax(x, 0), 1)
    return x**3 * (10 + x * (6 * x - 15))


def _coordinate_spring(force: SpringGeneralizedForce, tree: Tree) -> Action:
    q, u = _coordinate(tree, force.coordinate)
    tension = force.stiffness * (q - force.rest_length) + force.viscosity * u
    return Action(along={force.coordinate: -tension})


def _coordinate(tree: Tree, name: str) -> tuple[ca.SX, ca.SX]:
    place = tree.model.coordinate_names.index(name)
    return tree.q[place], tree.u[place]


def _bushing(force: BushingForce, tree: Tree) -> Action:
    def load(offsets: ca.SX, rates: ca.SX) -> ca.SX:
        stiffness = ca.vertcat(*force.rotational_stiffness, *force.translational_stiffness)
        damping = ca.vertcat(*force.rotational_damping, *force.translational_damping)
        return stiffness * offsets + damping * rates

    return _between(force.frame1, force.frame2, force.name, load, tree)


def _function_bushing(force: FunctionBasedBushingForce, tree: Tree) -> Action:
    def load(offsets: ca.SX, rates: ca.SX) -> ca.SX:
        places = [f"{kind}{i}" for kind in ("moments", "forces") for i in (1, 2, 3)]
        scales = [tree.parameters.scales(force, place) for place in places]
        functions = force.moments + force.forces
        resisting = [evaluate(f, offsets[i], scales[i])[0] for i, f in enumerate(functions)]
        damping = ca.vertcat(*force.rotational_damping, *force.translational_damping)
        return ca.vertcat(*resisting) + damping * rates

    return _between(force.frame1, force.frame2, force.name, load, tree)


def _coordinate_formula(force: ExpressionBasedCoordinateForce, tree: Tree) -> Action:
    q, u = _coordinate(tree, force.coordinate)
    return Action(along={force.coordinate: formula(force.expression, {"q": q, "qdot": u})})


def _bushing_of_formulas(force: ExpressionBasedBushingForce, tree: Tree) -> Action:
    def load(offsets: ca.SX, rates: ca.SX) -> ca.SX:
        names = [f"{kind}_{axis}" for kind in ("theta", "delta") for axis in "xyz"]
        variables = dict(zip(names, ca.vertsplit(offsets), strict=True))
        damping = ca.vertcat(*force.rotational_damping, *force.translational_damping)
        return ca.vertcat(*(formula(law, variables) for law in force.loads)) + damping * rates

    return _between(force.frame1, force.frame2, force.name, load, tree)


def _between(
    frame1: Frame, frame2: Frame, name: str, load: Callable[[ca.SX, ca.SX], ca.SX], tree: Tree
) -> Action:
    """Return the action of loads that resist the offsets of frame 2 (M) from frame 1 (F).

    The offsets are the body-fixed XYZ angles of M in F and the place of M's origin in F; the loads do work on
    their rates, which gives the wrench on M, and its opposite acts on F at the same place.
    """
    one, two = tree.motions[frame1.body], tree.motions[frame2.body]
    place1, place2 = (tree.parameters[f"{name}.frame{i}"] for i in (1, 2))
    axes1, axes2 = one.rotation @ ca.DM(frame1.rotation), two.rotation @ ca.DM(frame2.rotation)
    origin1, origin2 = one.position + one.rotation @ place1, two.position + two.rotation @ place2
    turn, offset = axes1.T @ axes2, axes1.T @ (origin2 - origin1)
    angles = _xyz_angles(turn)
    spin = two.rotation @ two.omega - one.rotation @ one.omega
    drift = two.rotation @ point_velocity(two, place2) - one.rotation @ point_velocity(one, place1)
    drift -= ca.cross(one.rotation @ one.omega, origin2 - origin1)
    to_rates = _angle_rates(angles)
    rates = ca.vertcat(to_rates @ (axes2.T @ spin), axes1.T @ drift)
    resisting = load(ca.vertcat(angles, offset), rates)
    force, torque = -axes1 @ resisting[3:], -axes2 @ (to_rates.T @ resisting[:3])
    acting = Action()
    acting.press(frame2.body, wrench_at(two, origin2, force, torque))
    acting.press(frame1.body, wrench_at(one, origin2, -force, -torque))
    return acting


def _xyz_angles(rotation: ca.SX) -> ca.SX:
    """Return the angles of Rx(a) Ry(b) Rz(c), with b between -pi/2 and pi/2."""
    cosine = ca.sqrt(rotation[0, 0] ** 2 + rotation[0, 1] ** 2)
    return ca.vertcat(
        ca.atan2(-rotation[1, 2], rotation[2, 2]),
        ca.atan2(rotation[0, 2], cosine),
        ca.atan2(-rotation[0, 1], rotation[0, 0]),
    )


def _angle_rates(angles: ca.SX) -> ca.SX:
    """Return the matrix from angular velocity in the turned axes to the rates of body-fixed XYZ angles."""
    b, c = angles[1], angles[2]
    sine, cosine = ca.sin(c), ca.cos(c)
    return ca.vertcat(
        ca.horzcat(cosine, -sine, 0) / ca.cos(b),
        ca.horzcat(sine, cosine, 0),
        ca.horzcat(-cosine * ca.tan(b), sine * ca.tan(b), 1),
    )


def _point_spring(force: PointToPointSpring, tree: Tree) -> Action:
    one, two = tree.motions[force.body1], tree.motions[force.body2]
    end1 = one.position + one.rotation @ tree.parameters[f"{force.name}.point1"]
    end2 = two.position + two.rotation @ tree.parameters[f"{force.name}.point2"]
    apart = end2 - end1
    length = ca.sqrt(ca.sumsqr(apart))
    pull = force.stiffness * (length - force.rest_length) / length * apart
    acting = Action()
    acting.press(force.body1, force_at(one, end1, pull))
    acting.press(force.body2, force_at(two, end2, -pull))
    return acting


def _point_formula(force: ExpressionBasedPointToPointForce, tree: Tree) -> Action:
    one, two = tree.motions[force.body1], tree.motions[force.body2]
    stations = [tree.parameters[f"{force.name}.point{i}"] for i in (1, 2)]
    (end1, rate1), (end2, rate2) = (in_motion(m, s) for m, s in zip((one, two), stations, strict=True))
    apart, drift = end2 - end1, rate2 - rate1
    distance = ca.sqrt(ca.sumsqr(apart))
    direction = apart / distance
    pull = formula(force.expression, {"d": distance, "ddot": ca.dot(drift, direction)}) * direction
    acting = Action()
    acting.press(force.body1, force_at(one, end1, pull))
    acting.press(force.body2, force_at(two, end2, -pull))
    return acting


def _prescribed(force: PrescribedForce, tree: Tree) -> Action:
    motion, frame = tree.motions[force.frame.body], force.frame
    axes = motion.rotation @ ca.DM(frame.rotation)
    push, point, torque = (ca.SX(ca.vertcat(*v)) for v in (force.force, force.point, force.torque))
    if force.turns_along:
        push, torque = axes @ push, axes @ torque
    if force.moves_along:
        point = motion.position + motion.rotation @ ca.vertcat(*frame.translation) + axes @ point
    acting = Action()
    acting.press(frame.body, wrench_at(motion, point, push, torque))
    return acting


def _path_spring(force: PathSpring, tree: Tree) -> Action:
    motion = path_motion(force.name, force.path, tree)
    stretch = ca.fmax(motion.length - force.resting_length, 0)
    return _pull(motion, force.stiffness * stretch * (1 + force.dissipation * motion.speed), tree)


def _ligament(force: Ligament, tree: Tree) -> Action:
    motion = path_motion(force.name, force.path, tree)
    scales = tree.parameters.scales(force, "force_length_curve")
    curve = evaluate(force.force_length_curve, motion.length / force.resting_length, scales)[0]
    tension = ca.if_else(motion.length > force.resting_length, force.pcsa_force * curve, 0)
    return _pull(motion, tension, tree)


def _knee_ligament(force: Blankevoort1991Ligament, tree: Tree) -> Action:
    """Blankevoort and Huiskes, "Ligament-bone interaction in a three-dimensional model of the knee", 1991.

    OpenSim adds a damping while the ligament lengthens, which sets in over the first hundredth of strain.
    """
    motion = path_motion(force.name, force.path, tree)
    strain, rate = motion.length / force.slack_length - 1, motion.speed / force.slack_length
    stretched, toe = ca.fmax(strain, 0), force.transition_strain
    linear = stretched - toe / 2
    tension = force.linear_stiffness * ca.if_else(stretched < toe, stretched**2 / (2 * toe), linear)
    tension += force.damping_coefficient * ca.fmax(rate, 0) * _rise(strain / 0.01)
    return _pull(motion, tension, tree)


def _pull(motion: PathMotion, tension: ca.SX, tree: Tree) -> Action:
    """Return the action of a tension along a path: on each coordinate by its moment arm."""
    names = tree.model.coordinate_names
    return Action(along={name: tension * motion.moment_arms[i] for i, name in enumerate(names)})


def _smooth_contact(force: ContactForce, tree: Tree) -> Action:
    sphere, half_space = tree.model.geometry(force.sphere), tree.model.geometry(force.half_space)
    ball, floor = (surface(g, tree.motions, tree.parameters) for g in (sphere, half_space))
    push, point = smooth_force(force, ball, floor)  # pyright: ignore[reportArgumentType]
    acting = Action()
    acting.press(sphere.body, force_at(ball.motion, point, push))
    acting.press(half_space.body, force_at(floor.motion, point, -push))
    return acting


def _hunt_crossley(force: HuntCrossleyForce, tree: Tree) -> Action:
    acting = Action()
    surfaces = [(tree.model.geometry(name), material) for name, material in force.surfaces]
    placed = [surface(geometry, tree.motions, tree.parameters) for geometry, _ in surfaces]
    for i, j in combinations(range(len(surfaces)), 2):
        (one, _), (two, _) = surfaces[i], surfaces[j]
        if one.body == two.body or (isinstance(placed[i], Plane) and isinstance(placed[j], Plane)):
            continue  # equal and opposite forces on one body, and solids without end, do nothing
        first, second = (j, i) if isinstance(placed[j], Plane) else (i, j)
        materials = surfaces[first][1], surfaces[second][1]
        push = hunt_crossley(placed[first], placed[second], materials, force.transition_velocity)  # pyright: ignore[reportArgumentType]
        acting.press(surfaces[second][0].body, force_at(placed[second].motion, push.point, push.force))
        acting.press(surfaces[first][0].body, force_at(placed[first].motion, push.point, -push.force))
        acting.pressures.append(push.pressure)
    return acting


_ACTIONS: dict[type, Callable[..., Action]] = {
    Blankevoort1991Ligament: _knee_ligament,
    BushingForce: _bushing,
    ContactForce: _smooth_contact,
    CoordinateLimitForce: _limit,
    ExpressionBasedBushingForce: _bushing_of_formulas,
    ExpressionBasedCoordinateForce: _coordinate_formula,
    ExpressionBasedPointToPointForce: _point_formula,
    FunctionBasedBushingForce: _function_bushing,
    HuntCrossleyForce: _hunt_crossley,
    Ligament: _ligament,
    PathSpring: _path_spring,
    PointToPointSpring: _point_spring,
    PrescribedForce: _prescribed,
    SpringGeneralizedForce: _coordinate_spring,
}
