"""Path of the walking frame, from frame to frame: heading and place, from yaw rate and the root's velocity.

A yaw rate that is off by a hundredth of a rad/s is nothing to the physics of a second, and ten degrees of
heading after twenty. So where a gyroscope on the root has three axes, the heading follows it within
`FOLLOWS_S`: what is left is the gyroscope's own drift.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import casadi as ca
import numpy as np

from casadi_dynamics.symbolic.heading import about, rotation_about
from sspinn_opensim.training.subject import Subject

#: Time constant with which the heading follows the gyroscope on the root, s: its shaking is left out.
FOLLOWS_S = 1.0
UP = np.array([0.0, 1.0, 0.0])


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


def path_function(subject: Subject, step_s: float, *, follows: bool) -> ca.Function:
    """Return the next frame of a path, by trapezoids, from heading zero at the origin.

    Parameters
    ----------
    step_s : float
        Time from frame to frame, s.
    follows : bool
        Whether a gyroscope is on the root, of a body that turns.

    Returns
    -------
    casadi.Function
        Inputs `velocity` (of the root along `Roles.steps`, in the walking frame, m/s), `yaw_rate` (rad/s;
        none of a body that keeps its heading), `before` (`Remembered`), and where it follows a gyroscope
        `rotation` (3, 3) of the root in the walking frame and its angular `rate` (3,) as measured, rad/s.
        Outputs `heading` (rad), `place` (3,) in m and `after`.
    """
    turns = subject.heading is not None
    given = {
        "velocity": ca.SX.sym("velocity", len(subject.roles.steps)),
        "yaw_rate": ca.SX.sym("yaw_rate", int(turns)),
        "before": ca.SX.sym("before", Remembered.SIZE),
    }
    if follows:
        given |= {"rotation": ca.SX.sym("rotation", 3, 3), "rate": ca.SX.sym("rate", 3)}
    before, after = Remembered.read(given["before"]), Remembered.read(given["before"])
    after.known = ca.SX.ones(1)
    heading, along = ca.SX.zeros(1), ca.SX.zeros(3)
    if turns:
        after.heading = before.heading + _trapezoid(before, before.yaw_rate, given["yaw_rate"], step_s)
        after.yaw_rate = given["yaw_rate"]
        heading = after.heading
        if follows:
            _follow(before, after, given["rotation"], given["rate"], step_s)
            heading = after.heading + after.followed
    for k, _, axis in level_steps(subject):
        along[axis] = given["velocity"][k]
    after.along = rotation_about(UP, heading) @ along if turns else along
    after.place = before.place + _trapezoid(before, before.along, after.along, step_s)
    found = {"heading": heading, "place": after.place, "after": after.numbers()}
    return ca.Function(
        "path", list(given.values()), [ca.densify(x) for x in found.values()], list(given), list(found)
    )


def _follow(before: Remembered, after: Remembered, rotation: ca.SX, rate: ca.SX, step_s: float) -> None:
    """Let the heading follow the gyroscope: a low pass of first order of what the integral misses.

    The root turns in ground by what the gyroscope integrates, and in the walking frame by its coordinates;
    the frame turned by the difference: ``R_y(d) = R(q_before) exp(omega step) R(q)^T``.
    """
    between = 0.5 * step_s * (before.rate + rate)
    turned = ca.reshape(before.rotation, 3, 3).T @ _exponential(between) @ rotation.T
    measured = ca.atan2(turned[0, 2] - turned[2, 0], turned[0, 0] + turned[2, 2])
    missing = measured - (after.heading - before.heading)
    after.more = before.more + ca.if_else(before.known, missing, 0)
    share = step_s / (FOLLOWS_S + step_s)
    after.followed = share * after.more + (1.0 - share) * before.followed
    after.rotation, after.rate = ca.vec(rotation.T), rate


def level_steps(subject: Subject) -> Sequence[tuple[int, int, int]]:
    """Return, for the root's steps on the floor, the place of each in `Roles.steps`, its index and axis."""
    return [(k, i, 2 * (k // 2)) for k, i in enumerate(subject.roles.steps) if k != 1]


def in_ground(vectors: np.ndarray, heading: np.ndarray) -> np.ndarray:
    """Return vectors (n, ..., 3) of a frame that is turned about the vertical by a heading (n,) in ground."""
    return np.einsum("nij,n...j->n...i", about(UP, heading), vectors)


def _trapezoid(before: Remembered, last: ca.SX, now: ca.SX, step_s: float) -> ca.SX:
    return ca.if_else(before.known, 0.5 * step_s * (last + now), 0)


def _exponential(turn: ca.SX) -> ca.SX:
    """Return the rotation by a vector, Rodrigues' formula; without a turn the products are zero, not none."""
    angle, cross = ca.sqrt(ca.sumsqr(turn) + 1e-300), ca.skew(turn)
    half = ca.sin(0.5 * angle) / angle
    return ca.DM.eye(3) + ca.sin(angle) / angle * cross + 2 * half * half * (cross @ cross)
