"""One frame from the network's outputs to the estimate as a single CasADi function, with what it remembers.

It is what `decode`, `root_gyroscope`, `path` and `ground` compute for many frames at once, written as one
expression: compiled, a frame costs microseconds, and whatever can evaluate the expression needs no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import casadi as ca
import numpy as np

from casadi_dynamics.symbolic.heading import RootHeading
from sspinn_opensim.estimation.ground import LEAST_LOAD
from sspinn_opensim.estimation.path import FOLLOWS_S
from sspinn_opensim.estimation.root_gyroscope import RootGyroscope
from sspinn_opensim.training.motion import Decoder
from sspinn_opensim.training.subject import Subject

_UP = (0.0, 1.0, 0.0)
#: From here on torch's softplus is its argument.
_SOFTPLUS_LINEAR = 20.0


@dataclass
class Remembered:
    """What a frame leaves for the next one; all zero before the first, and `known` zero after a pause.

    Attributes
    ----------
    known : (1,)
        1 if the frame before this one was estimated, else 0.
    heading, yaw_rate : (1,)
        Integral of the yaw rate, rad, and the rate, rad/s.
    more, followed : (1,)
        By how much the gyroscope has turned more than the integral, and how much of that is followed, rad.
    place, along : (3,)
        Of the walking frame in ground, m, and its velocity, m/s.
    rotation : (9,)
        Of the root in the walking frame, row by row.
    rate : (3,)
        Angular rate of the root, rad/s.
    """

    known: ca.SX
    heading: ca.SX
    yaw_rate: ca.SX
    more: ca.SX
    followed: ca.SX
    place: ca.SX
    along: ca.SX
    rotation: ca.SX
    rate: ca.SX

    #: Numbers of each, in this order.
    SIZES = (1, 1, 1, 1, 1, 3, 3, 9, 3)
    #: Numbers of all.
    SIZE = sum(SIZES)

    @classmethod
    def read(cls, numbers: ca.SX) -> Remembered:
        """Return the parts of the numbers (SIZE,)."""
        return cls(*ca.vertsplit(numbers, np.cumsum([0, *cls.SIZES]).tolist()))

    @classmethod
    def paused(cls, numbers: np.ndarray) -> np.ndarray:
        """Return the numbers with which the next frame goes on from where this one was, after a gap."""
        return np.concatenate([[0.0], numbers[1:]])

    @classmethod
    def moved(cls, numbers: np.ndarray, place_of: np.ndarray) -> np.ndarray:
        """Return the numbers with which the next frame goes on from where another estimate was.

        Its motion goes on as it was itself: from velocity, rate and rotation of its own last frame.
        """
        names = [field.name for field in fields(cls)]
        ends = np.cumsum([0, *cls.SIZES])
        out = numbers.copy()
        for name in ("heading", "more", "followed", "place"):
            k = names.index(name)
            out[ends[k] : ends[k + 1]] = place_of[ends[k] : ends[k + 1]]
        return out

    def numbers(self) -> ca.SX:
        """Return all of them in a column."""
        return ca.vertcat(*(getattr(self, field.name) for field in fields(self)))


def frame_function(
    subject: Subject, decoder: Decoder, gyroscope: RootGyroscope, step_s: float, channels: int
) -> ca.Function:
    """Return a frame of a person as a function of scalar expressions.

    Parameters
    ----------
    decoder : Decoder
        Of the trained network.
    gyroscope : RootGyroscope
        Tells which channels are those of the root.
    step_s : float
        Time from frame to frame, s.
    channels : int
        Channels of angular rate that the network sees.

    Returns
    -------
    casadi.Function
        Inputs `outputs` (of the network), `angular_rate` (rad/s, as the network is given it) and `before`
        (`Remembered`); outputs `q` (every coordinate, rad and m, in ground), `moments` (N m), `force` (N),
        `point` (m) and `torque` (N m) of each foot in ground, one below the other, `heading` (rad) and
        `after`.
    """
    outputs, angular_rate = ca.SX.sym("outputs", decoder.size), ca.SX.sym("angular_rate", channels)
    numbers = ca.SX.sym("before", Remembered.SIZE)
    before, after = Remembered.read(numbers), Remembered.read(numbers)
    posture, velocity, height, yaw_rate, force, moments = _decoded(decoder, outputs)
    q = _coordinates(subject, posture, height)
    points = _contact_points(subject, q)
    root = subject.heading
    after.known = ca.SX.ones(1)
    heading, facing = ca.SX.zeros(1), ca.SX.eye(3)
    if root is not None:
        heading = _heading(before, after, yaw_rate, step_s)
        if gyroscope.columns:
            heading = _following(before, after, root, gyroscope, q, angular_rate, step_s)
        facing = _about(_UP, heading)
    place = _place(subject, before, after, velocity, facing, step_s)
    grounded = _in_ground(subject, q, heading, place)
    wrenches = _wrenches(subject, points, force)
    in_ground = [facing @ part if root is not None else part for part in wrenches]
    in_ground[1] += ca.repmat(place, 1, in_ground[1].shape[1])
    found = [grounded, moments, *map(ca.vec, in_ground), heading, after.numbers()]
    return ca.Function(
        "frame",
        [outputs, angular_rate, numbers],
        ca.cse([ca.densify(part) for part in found]),
        ["outputs", "angular_rate", "before"],
        ["q", "moments", "force", "point", "torque", "heading", "after"],
    )


def _decoded(decoder: Decoder, outputs: ca.SX) -> tuple[ca.SX, ...]:
    """Return what `Decoder` does, forces (3, points)."""
    parts = ca.vertsplit(outputs, np.cumsum([0, *decoder.sizes]).tolist())
    segments, velocity, height, yaw_rate, force, torque = parts
    constant = {name: ca.DM(buffer.double().numpy()) for name, buffer in decoder.named_buffers()}
    spread = ca.reshape(constant["force_places"].T @ force, 3, -1)
    up = spread[1, :] + decoder.FORCE_OFFSET
    up = ca.if_else(up > _SOFTPLUS_LINEAR, up, ca.log1p(ca.exp(up)))
    return (
        constant["posture"] + decoder.ANGLE_RAD * (constant["segments"].T @ segments),
        constant["centre"] + decoder.VELOCITY_M_S * velocity,
        constant["height"] + decoder.HEIGHT_M * height,
        decoder.YAW_RATE_RAD_S * yaw_rate,
        decoder.weight_n * decoder.FORCE_BW * ca.vertcat(spread[0, :], up, spread[2, :]),
        decoder.TORQUE_BWBH * decoder.moment_n_m * torque,
    )


def _coordinates(subject: Subject, posture: ca.SX, height: ca.SX) -> ca.SX:
    """Return the coordinates in the walking frame; dependent ones, and the root on the floor, at zero."""
    roles = subject.roles
    q = ca.SX.zeros(len(subject.model.coordinates))
    q[list(roles.posture)] = posture
    q[roles.vertical] = height
    for i, value in roles.fixed.items():
        q[i] = value
    return q


def _contact_points(subject: Subject, q: ca.SX) -> ca.SX:
    """Return the places of the contact points in the walking frame, (3, points)."""
    functions, still = subject.functions, np.zeros(q.numel())
    found = subject.dynamics(
        q=q,
        u=still,
        udot=still,
        contact_force=np.zeros(3 * len(functions.contact_points)),
        sensor_position=subject.sensor_position,
        parameters=functions.parameters,
    )
    return ca.reshape(found["contact_position"], 3, -1)


def _heading(before: Remembered, after: Remembered, yaw_rate: ca.SX, step_s: float) -> ca.SX:
    after.heading = before.heading + _trapezoid(before, before.yaw_rate, yaw_rate, step_s)
    after.yaw_rate = yaw_rate
    return after.heading


def _following(
    before: Remembered,
    after: Remembered,
    root: RootHeading,
    gyroscope: RootGyroscope,
    q: ca.SX,
    angular_rate: ca.SX,
    step_s: float,
) -> ca.SX:
    """Return the heading that follows the gyroscope; see `RootGyroscope.turns` and `Path`."""
    first, second, third = (_about(a, q[i]) for a, i in zip(root.axes, root.turns, strict=True))
    rotation = first @ second @ third
    rate = ca.DM(gyroscope.axes) @ angular_rate[list(gyroscope.columns)]
    between = 0.5 * step_s * (before.rate + rate)
    turned = ca.reshape(before.rotation, 3, 3).T @ _exponential(between) @ rotation.T
    measured = ca.atan2(turned[0, 2] - turned[2, 0], turned[0, 0] + turned[2, 2])
    missing = measured - (after.heading - before.heading)
    after.more = before.more + ca.if_else(before.known, missing, 0)
    share = step_s / (FOLLOWS_S + step_s)
    after.followed = share * after.more + (1.0 - share) * before.followed
    after.rotation, after.rate = ca.vec(rotation.T), rate
    return after.heading + after.followed


def _place(
    subject: Subject, before: Remembered, after: Remembered, velocity: ca.SX, facing: ca.SX, step_s: float
) -> ca.SX:
    along = ca.SX.zeros(3)
    for k, _, axis in _level(subject):
        along[axis] = velocity[k]
    after.along = facing @ along
    after.place = before.place + _trapezoid(before, before.along, after.along, step_s)
    return after.place


def _trapezoid(before: Remembered, last: ca.SX, now: ca.SX, step_s: float) -> ca.SX:
    return ca.if_else(before.known, 0.5 * step_s * (last + now), 0)


def _level(subject: Subject) -> Sequence[tuple[int, int, int]]:
    """Return, for the root's steps on the floor, the place of each in `Roles.steps`, its index and axis."""
    return [(k, i, 2 * (k // 2)) for k, i in enumerate(subject.roles.steps) if k != 1]


def _in_ground(subject: Subject, q: ca.SX, heading: ca.SX, place: ca.SX) -> ca.SX:
    """Return the coordinates in ground, complete."""
    root, functions = subject.heading, subject.functions
    out = ca.SX(q) if root is None else _turned(root, q, heading)
    for _, i, axis in _level(subject):
        out[i] = place[axis]
    if not subject.roles.dependent:
        return out
    independent = [functions.coordinates.index(name) for name in functions.independent]
    still = np.zeros(len(independent))
    return functions.coupling(
        q_independent=out[independent],
        u_independent=still,
        udot_independent=still,
        parameters=functions.parameters,
    )["q"]


def _turned(root: RootHeading, q: ca.SX, heading: ca.SX) -> ca.SX:
    """Return what `RootHeading.turned` does for one frame."""
    axes = np.array(root.axes)
    hand = float(np.sign(np.linalg.det(axes)))
    angles = q[list(root.turns)]
    first, second, third = (_about(a, angles[k]) for k, a in enumerate(root.axes))
    r = _about(_UP, heading) @ first @ second @ third
    b1, b2, b3 = (ca.DM(axis) for axis in axes)
    last, leading = r @ b3, r.T @ b1
    found = ca.vertcat(
        ca.atan2(-hand * ca.dot(last, b2), ca.dot(last, b3)),
        ca.asin(ca.fmin(ca.fmax(hand * ca.dot(last, b1), -1.0), 1.0)),
        ca.atan2(-hand * ca.dot(leading, b2), ca.dot(leading, b1)),
    )
    index, sign = root.vertical
    k = root.turns.index(index)
    near = angles[k] + sign * heading
    found[k] += 2 * np.pi * ca.floor((near - found[k]) / (2 * np.pi) + 0.5)
    out = ca.SX(q)
    out[list(root.turns)] = found
    return out


def _wrenches(subject: Subject, points: ca.SX, force: ca.SX) -> list[ca.SX]:
    """Return force, point and torque of each foot, (3, feet) each; see `ground_forces`."""
    on, floor = subject.points_on_feet, subject.floor_m
    about_origin = [ca.cross(points[:, k], force[:, k]) for k in range(force.shape[1])]
    forces, places, torques = [], [], []
    for row in on:
        own = np.flatnonzero(row).tolist()
        total = sum((force[:, k] for k in own), ca.SX.zeros(3))
        moment = sum((about_origin[k] for k in own), ca.SX.zeros(3))
        middle = sum((points[:, k] for k in own), ca.SX.zeros(3)) / len(own)
        loaded = total[1] > LEAST_LOAD * subject.body_weight
        up = ca.if_else(loaded, total[1], 1.0)
        place = ca.vertcat(
            ca.if_else(loaded, (moment[2] + floor * total[0]) / up, middle[0]),
            floor,
            ca.if_else(loaded, (floor * total[2] - moment[0]) / up, middle[2]),
        )
        forces.append(total)
        places.append(place)
        torques.append(moment - ca.cross(place, total))
    return [ca.horzcat(*parts) for parts in (forces, places, torques)]


def _about(axis: Sequence[float], angle: ca.SX) -> ca.SX:
    """Return the rotation about a unit axis, Rodrigues' formula."""
    cross = ca.skew(ca.DM(axis))
    return ca.DM.eye(3) + ca.sin(angle) * cross + (1 - ca.cos(angle)) * (cross @ cross)


def _exponential(turn: ca.SX) -> ca.SX:
    """Return the rotation by a vector, Rodrigues' formula; without a turn the products are zero, not none."""
    angle, cross = ca.sqrt(ca.sumsqr(turn) + 1e-300), ca.skew(turn)
    half = ca.sin(0.5 * angle) / angle
    return ca.DM.eye(3) + ca.sin(angle) / angle * cross + 2 * half * half * (cross @ cross)
