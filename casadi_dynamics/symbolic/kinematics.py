"""Position, velocity and acceleration of every body, each in its own axes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import casadi as ca

from casadi_dynamics.model import Joint, Model, TransformAxis, Winging
from casadi_dynamics.model.types import GROUND, Vector3
from casadi_dynamics.symbolic.functions import evaluate
from casadi_dynamics.symbolic.parameters import Parameters

#: Value, speed and its derivative of each coordinate.
State = Mapping[str, tuple[ca.SX, ca.SX, ca.SX]]


@dataclass(frozen=True)
class BodyMotion:
    """Motion of a body frame against ground.

    Attributes
    ----------
    rotation : (3, 3) SX
        Columns are the body axes in ground.
    position : (3,) SX
        Origin, in ground, m.
    omega, velocity, alpha, acceleration : (3,) SX
        Angular and linear velocity and acceleration of the origin, expressed in BODY axes.
    """

    rotation: ca.SX
    position: ca.SX
    omega: ca.SX
    velocity: ca.SX
    alpha: ca.SX
    acceleration: ca.SX


@dataclass(frozen=True)
class JointMotion:
    """A joint's motion in its parent frame F, and the directions in which its coordinates move the child.

    Attributes
    ----------
    rotation : (3, 3) SX
        Child frame M in F.
    position, omega, velocity, alpha, acceleration : (3,) SX
        Of M against F, expressed in F.
    directions : dict of str to (angular (3,) SX, linear (3,) SX)
        For each coordinate the partial velocities of M, expressed in F.
    """

    rotation: ca.SX
    position: ca.SX
    omega: ca.SX
    velocity: ca.SX
    alpha: ca.SX
    acceleration: ca.SX
    directions: dict[str, tuple[ca.SX, ca.SX]]


def axis_rotation(axis: Vector3, angle: ca.SX) -> ca.SX:
    """Return the rotation about a unit `axis` by `angle` (Rodrigues)."""
    a = ca.SX(ca.DM(axis))
    cross = ca.skew(a)
    return ca.SX.eye(3) + ca.sin(angle) * cross + (1 - ca.cos(angle)) * (cross @ cross)


def joint_motion(joint: Joint, state: State, parameters: Parameters) -> JointMotion:
    """Return the motion across a joint.

    Parameters
    ----------
    parameters : Parameters
        Symbols of the function scale factors.
    """
    across = _turn_by_angular_velocity if joint.speeds == "angular velocity" else _turn_by_rates
    turned = across(joint, state, parameters)
    moved = _move(joint, state, parameters, turned)
    winged = moved if joint.winging is None else _wing(joint.winging, state, moved)
    return seen_from_child(winged) if joint.reversed else winged


def _turn_by_rates(joint: Joint, state: State, parameters: Parameters) -> JointMotion:
    zero = ca.SX.zeros(3)
    rotation, omega, alpha = ca.SX.eye(3), zero, zero
    directions: dict[str, tuple[ca.SX, ca.SX]] = {}
    for i, axis in enumerate(joint.rotations):
        angle, first, rate, rate_dot = _along(joint, axis, f"rotation{i + 1}", state, parameters)
        direction = rotation @ ca.SX(ca.DM(axis.axis))
        # The axis turns with the rotations before it, hence the cross product with their velocity.
        alpha = alpha + direction * rate_dot + ca.cross(omega, direction * rate)
        omega = omega + direction * rate
        if axis.coordinate:
            before, _ = directions.get(axis.coordinate, (zero, zero))
            directions[axis.coordinate] = before + direction * first, zero
        if not (ca.SX(angle).is_zero()):
            rotation = rotation @ axis_rotation(axis.axis, angle)
    return JointMotion(rotation, zero, omega, zero, alpha, zero, directions)


def _turn_by_angular_velocity(joint: Joint, state: State, parameters: Parameters) -> JointMotion:
    """Take the speeds for omega, expressed in F; the origin rides on the joint's ellipsoid, if any."""
    names = [axis.coordinate or "" for axis in joint.rotations]
    q, u, udot = (ca.vertcat(*part) for part in zip(*map(state.get, names), strict=True))
    rotation = ca.SX.eye(3)
    for i, axis in enumerate(joint.rotations):
        rotation = rotation @ axis_rotation(axis.axis, q[i])
    radii = ca.SX.zeros(3) if joint.radii is None else parameters[f"{joint.name}.radii"]
    normal = rotation[:, 2]
    spinning = ca.cross(u, normal)
    units = ca.horzsplit(ca.SX.eye(3))
    return JointMotion(
        rotation,
        radii * normal,
        u,
        radii * spinning,
        udot,
        radii * (ca.cross(udot, normal) + ca.cross(u, spinning)),
        {name: (unit, radii * ca.cross(unit, normal)) for name, unit in zip(names, units, strict=True)},
    )


def _move(joint: Joint, state: State, parameters: Parameters, turned: JointMotion) -> JointMotion:
    """Add the translations, whose axes are fixed in F."""
    zero = ca.SX.zeros(3)
    position, velocity, acceleration = turned.position, turned.velocity, turned.acceleration
    directions = dict(turned.directions)
    for i, axis in enumerate(joint.translations):
        value, first, rate, rate_dot = _along(joint, axis, f"translation{i + 1}", state, parameters)
        direction = ca.SX(ca.DM(axis.axis))
        position, velocity = position + direction * value, velocity + direction * rate
        acceleration = acceleration + direction * rate_dot
        if axis.coordinate:
            angular, linear = directions.get(axis.coordinate, (zero, zero))
            directions[axis.coordinate] = angular, linear + direction * first
    moved = {"position": position, "velocity": velocity, "acceleration": acceleration}
    return replace(turned, **moved, directions=directions)


def _wing(winging: Winging, state: State, carried: JointMotion) -> JointMotion:
    """Add a turn about an axis that the joint carries."""
    q, u, udot = state[winging.coordinate]
    axis, origin = carried.rotation @ ca.DM(winging.axis), carried.rotation @ ca.DM(winging.origin)
    turn = axis_rotation(winging.axis, q)
    # From M's origin, which turns about `origin`, everything expressed in F.
    arm = -carried.rotation @ turn @ ca.DM(winging.origin)
    spin = carried.omega + axis * u
    alpha = carried.alpha + axis * udot + ca.cross(carried.omega, axis * u)
    return JointMotion(
        rotation=carried.rotation @ turn,
        position=carried.position + origin + arm,
        omega=spin,
        velocity=carried.velocity + ca.cross(carried.omega, origin) + ca.cross(spin, arm),
        alpha=alpha,
        acceleration=carried.acceleration
        + ca.cross(carried.alpha, origin)
        + ca.cross(carried.omega, ca.cross(carried.omega, origin))
        + ca.cross(alpha, arm)
        + ca.cross(spin, ca.cross(spin, arm)),
        directions={
            **{n: (a, v + ca.cross(a, origin + arm)) for n, (a, v) in carried.directions.items()},
            winging.coordinate: (axis, ca.cross(axis, arm)),
        },
    )


def seen_from_child(motion: JointMotion) -> JointMotion:
    """Return the motion of F in M, expressed in M, from that of M in F."""
    r, p, w = motion.rotation.T, motion.position, motion.omega
    carried = ca.cross(w, p) - motion.velocity
    return JointMotion(
        rotation=r,
        position=-r @ p,
        omega=-r @ w,
        velocity=r @ carried,
        alpha=-r @ motion.alpha,
        acceleration=r
        @ (
            ca.cross(motion.alpha, p)
            + ca.cross(w, motion.velocity)
            - motion.acceleration
            - ca.cross(w, carried)
        ),
        directions={n: (-r @ a, r @ (ca.cross(a, p) - v)) for n, (a, v) in motion.directions.items()},
    )


def _along(
    joint: Joint, axis: TransformAxis, place: str, state: State, parameters: Parameters
) -> tuple[ca.SX, ca.SX, ca.SX, ca.SX]:
    """Return the value of an axis, its derivative to its coordinate, its rate and the rate's rate."""
    q, u, udot = state[axis.coordinate] if axis.coordinate else (ca.SX(0),) * 3
    value, first, second = evaluate(axis.function, q, parameters.scales(joint, place))
    return value, first, first * u, second * u * u + first * udot


def point_velocity(motion: BodyMotion, station: ca.SX) -> ca.SX:
    """Return the velocity of a body-fixed `station` (body axes) in body axes."""
    return motion.velocity + ca.cross(motion.omega, station)


def point_acceleration(motion: BodyMotion, station: ca.SX) -> ca.SX:
    """Return the acceleration of a body-fixed `station` (body axes) in body axes."""
    turning = ca.cross(motion.omega, ca.cross(motion.omega, station))
    return motion.acceleration + ca.cross(motion.alpha, station) + turning


def body_motions(
    model: Model, joints: dict[str, JointMotion], parameters: Parameters
) -> dict[str, BodyMotion]:
    """Return the motion of every body, ground first, from the root outwards."""
    zero = ca.SX.zeros(3)
    motions = {GROUND: BodyMotion(ca.SX.eye(3), zero, zero, zero, zero, zero)}
    for joint in model.joints:
        parent, across = motions[joint.parent.body], joints[joint.name]
        to_f = ca.DM(joint.parent.rotation).T  # parent body axes -> F
        offset = parameters.offset(joint, "parent")
        omega_f = to_f @ parent.omega
        moved = across.position
        # M's origin is at F's origin plus `position`, both seen from the turning frame F.
        velocity = to_f @ point_velocity(parent, offset) + ca.cross(omega_f, moved) + across.velocity
        acceleration = (
            to_f @ point_acceleration(parent, offset)
            + ca.cross(to_f @ parent.alpha, moved)
            + ca.cross(omega_f, ca.cross(omega_f, moved))
            + 2 * ca.cross(omega_f, across.velocity)
            + across.acceleration
        )
        omega = omega_f + across.omega
        alpha = to_f @ parent.alpha + across.alpha + ca.cross(omega_f, across.omega)
        to_body = ca.DM(joint.child.rotation) @ across.rotation.T  # F -> child body axes
        back = -parameters.offset(joint, "child")  # from M's origin to the body origin, body axes
        at_m = BodyMotion(
            rotation=parent.rotation @ ca.DM(joint.parent.rotation) @ to_body.T,
            position=parent.position + parent.rotation @ (offset + ca.DM(joint.parent.rotation) @ moved),
            omega=to_body @ omega,
            velocity=to_body @ velocity,
            alpha=to_body @ alpha,
            acceleration=to_body @ acceleration,
        )
        motions[joint.child.body] = BodyMotion(
            rotation=at_m.rotation,
            position=at_m.position + at_m.rotation @ back,
            omega=at_m.omega,
            velocity=point_velocity(at_m, back),
            alpha=at_m.alpha,
            acceleration=point_acceleration(at_m, back),
        )
    return motions
