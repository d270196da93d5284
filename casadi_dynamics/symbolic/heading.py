"""Heading of a model's root: a motion that is told in a frame that turns about the vertical, in ground.

Gravity and a level floor look the same from every heading. So a body may be told in a *walking frame*, which
turns about the vertical of ground by the heading psi and goes along: the root's rotation in ground is
``R_y(psi) R(q)``. The equations here are exact.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import casadi as ca
import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Model
from casadi_dynamics.model.functions import Linear
from casadi_dynamics.model.types import GROUND, Joint

#: How far axes of the root may be off those of ground, and off right angles to each other.
_EXACT = 1e-6
_UP = np.array([0.0, 1.0, 0.0])
#: Frames that are turned at once: all of a long recording would take its memory.
_PIECE = 8192


@dataclass(frozen=True)
class RootHeading:
    """The coordinates of a root that is free to go anywhere, and how a heading acts on them.

    Attributes
    ----------
    steps : tuple of 3 int
        Coordinates that move the root along x, y and z of ground.
    turns : tuple of 3 int
        Coordinates that turn it, in the order of its rotations: body-fixed.
    axes : tuple of 3 tuples of 3 float
        About which they turn, in ground: at right angles to each other, the first or the last of them up.
    """

    steps: tuple[int, int, int]
    turns: tuple[int, int, int]
    axes: tuple[tuple[float, float, float], ...]

    @cached_property
    def vertical(self) -> tuple[int, float]:
        """The coordinate that turns about the vertical when the root is upright, and its sign."""
        up = np.array(self.axes) @ _UP
        k = int(np.abs(up).argmax())
        return self.turns[k], float(np.sign(up[k]))

    def rotation(self, angles: ca.SX) -> ca.SX:
        """Return by how much its three angles turn the root, (3, 3) in ground."""
        first, second, third = (rotation_about(axis, angles[k]) for k, axis in enumerate(self.axes))
        return first @ second @ third

    def turned(self, q: np.ndarray, heading: np.ndarray) -> np.ndarray:
        """Return coordinates (n, c) of which the root's rotation was left-multiplied by that about y.

        The places of the root stay. An angle is continuous where heading and posture are, over any number
        of turns, as long as the root is within a quarter turn of upright.

        Parameters
        ----------
        q : (n, c) array
            rad and m.
        heading : (n,) array
            rad, positive as OpenSim's y turns.
        """
        out, turns = q.copy(), list(self.turns)
        for start in range(0, len(q), _PIECE):
            part = slice(start, start + _PIECE)
            out[part, turns] = self.turning(q[part, turns].T, heading[None, part]).full().T
        return out

    @cached_property
    def turning(self) -> ca.Function:
        """The root's three angles, and a heading, to its angles when it is turned by that; see `turned`."""
        angles, heading = ca.SX.sym("angles", 3), ca.SX.sym("heading")
        hand = float(np.sign(np.linalg.det(np.array(self.axes))))
        b1, b2, b3 = (ca.DM(axis) for axis in self.axes)
        r = rotation_about(_UP, heading) @ self.rotation(angles)
        # R b3 = hand s2 b1 - hand s1 c2 b2 + c1 c2 b3, R^T b1 = c2 c3 b1 - hand c2 s3 b2 + hand s2 b3
        last, first = r @ b3, r.T @ b1
        found = ca.vertcat(
            ca.atan2(-hand * ca.dot(last, b2), ca.dot(last, b3)),
            ca.asin(ca.fmin(ca.fmax(hand * ca.dot(last, b1), -1.0), 1.0)),
            ca.atan2(-hand * ca.dot(first, b2), ca.dot(first, b1)),
        )
        index, sign = self.vertical
        k = self.turns.index(index)
        near = angles[k] + sign * heading
        found[k] += 2 * np.pi * ca.floor((near - found[k]) / (2 * np.pi) + 0.5)
        outputs = ca.cse([ca.densify(found)])
        return ca.Function("turning", [angles, heading], outputs, ["angles", "heading"], ["turned"])

    @cached_property
    def rates(self) -> ca.Function:
        """Speeds and accelerations of the root's turns in ground, at the moment of heading zero.

        Inputs `angles`, `rates`, `accelerations` (3 each: of the turns in the walking frame), `yaw_rate` and
        `yaw_acceleration` (of the frame); outputs `u` and `udot` (3 each).

        The angles in ground follow the flow ``dT/dpsi = w(T)`` with ``w = E^-1 y``, where E maps rates of
        angles to the angular velocity. So ``u = th' + psi' w``, and by the chain rule ``udot = th'' + psi'' w
        + psi' Dw (2 th' + psi' w)``.
        """
        angles, rates, accelerations = (ca.SX.sym(n, 3) for n in ("angles", "rates", "accelerations"))
        yaw_rate, yaw_acceleration = ca.SX.sym("yaw_rate"), ca.SX.sym("yaw_acceleration")
        before, columns = ca.SX.eye(3), []
        for k, axis in enumerate(self.axes):
            columns.append(before @ ca.DM(axis))
            before = before @ rotation_about(axis, angles[k])
        e1, e2, e3 = columns
        w = ca.vertcat(*(ca.cross(a, b)[1] for a, b in ((e2, e3), (e3, e1), (e1, e2))))
        w = w / ca.dot(e1, ca.cross(e2, e3))
        along = 2 * rates + yaw_rate * w
        outputs = [
            rates + yaw_rate * w,
            accelerations + yaw_acceleration * w + yaw_rate * ca.jtimes(w, angles, along),
        ]
        return ca.Function(
            "heading",
            [angles, rates, accelerations, yaw_rate, yaw_acceleration],
            [ca.densify(x) for x in ca.cse(outputs)],
            ["angles", "rates", "accelerations", "yaw_rate", "yaw_acceleration"],
            ["u", "udot"],
        )


def about(axis: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Return the rotations (n, 3, 3) about a unit axis (3,) by angles (n,), Rodrigues' formula."""
    x, y, z = axis
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    s, c = np.sin(angle)[:, None, None], np.cos(angle)[:, None, None]
    return np.eye(3) + s * cross + (1.0 - c) * (cross @ cross)


def rotation_about(axis: Sequence[float] | np.ndarray, angle: ca.SX) -> ca.SX:
    """Return the same rotation (3, 3) as an expression."""
    cross = ca.skew(ca.DM(axis))
    return ca.DM.eye(3) + ca.sin(angle) * cross + (1 - ca.cos(angle)) * (cross @ cross)


def root_heading(model: Model, held: Collection[str] = ()) -> RootHeading | None:
    """Return how a heading acts on the root, or None where the root is not free to go and turn everywhere.

    Parameters
    ----------
    held : collection of str
        Coordinates that do not move.

    Raises
    ------
    InputError
        The root is free, but its axes are not such that it could turn about the vertical without end.
    """
    for joint in (joint for joint in model.joints if joint.parent.body == GROUND):
        names = [axis.coordinate for axis in (*joint.rotations, *joint.translations)]
        if len(names) == 6 and all(names) and not set(names) & set(held):
            return _free(model, joint)
    return None


def _free(model: Model, joint: Joint) -> RootHeading:
    frame = np.array(joint.parent.rotation)
    turning, moving = (
        np.array([frame @ axis.axis for axis in axes]) for axes in (joint.rotations, joint.translations)
    )
    index = {name: i for i, name in enumerate(model.coordinate_names)}
    plain = all(axis.function == Linear(1.0, 0.0) for axis in (*joint.rotations, *joint.translations))
    square = all(np.abs(axes @ axes.T - np.eye(3)).max() < _EXACT for axes in (turning, moving))
    along = moving.argmax(axis=1)
    level = sorted(along) == [0, 1, 2] and np.abs(moving - np.eye(3)[along]).max() < _EXACT
    vertical = [k for k in (0, 2) if np.abs(turning[k, 1]) > 1 - _EXACT]
    if not (plain and square and level and vertical) or joint.reversed or joint.speeds != "rates":
        found = ", ".join(
            f"{axis.coordinate} about ({', '.join(f'{x:.3g}' for x in row)})"
            for axis, row in zip(joint.rotations, turning, strict=True)
        )
        raise InputError(
            "The model's root cannot turn about the vertical without end.",
            where=f"model '{model.name}', joint '{joint.name}'",
            expected="three rotations about perpendicular axes, of them the first or the last y of ground, "
            "translations along x, y and z, and plain coordinates (slope 1, rates as speeds)",
            found=found,
            fix="order the rotations of the joint as pelvis_tilt, pelvis_list, pelvis_rotation (about z, x, "
            'y) in the model file, or estimate = "planar"',
        )
    steps = [index[joint.translations[int(k)].coordinate or ""] for k in np.argsort(along)]
    turns = [index[axis.coordinate or ""] for axis in joint.rotations]
    first, second, third = (tuple(float(x) for x in row) for row in turning)
    return RootHeading(
        (steps[0], steps[1], steps[2]),
        (turns[0], turns[1], turns[2]),
        (
            (first[0], first[1], first[2]),
            (second[0], second[1], second[2]),
            (third[0], third[1], third[2]),
        ),
    )
