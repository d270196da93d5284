"""One frame from the network's outputs to the estimate as a single CasADi function, with what it remembers.

Written as one expression and compiled, a frame costs microseconds, and whatever can evaluate the expression
needs no torch. Whole recordings and streams are estimated by it alike.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import casadi as ca
import numpy as np

from casadi_dynamics import compile_in_order, compile_sample
from casadi_dynamics.symbolic.heading import rotation_about
from sspinn_opensim.estimation.inference.ground import foot_wrenches
from sspinn_opensim.estimation.inference.path import UP, Remembered, level_steps, path_function
from sspinn_opensim.estimation.inference.root_gyroscope import RootGyroscope
from sspinn_opensim.training.estimator import PersonNetwork
from sspinn_opensim.training.motion import Decoder
from sspinn_opensim.training.signals import Signals
from sspinn_opensim.training.subject import Subject

#: From here on torch's softplus is its argument.
_SOFTPLUS_LINEAR = 20.0


class Frames:
    """Frames of a person, one after the other.

    Parameters
    ----------
    estimator : PersonNetwork
        Whose outputs are given.

    Attributes
    ----------
    function : casadi.Function
        As of `frame_function`.
    """

    def __init__(self, subject: Subject, estimator: PersonNetwork, signals: Signals) -> None:
        gyroscope = RootGyroscope.of(subject, signals, estimator.mounting)
        channels = signals.angular_rate.shape[-1]
        self.function = frame_function(subject, estimator.decoder, gyroscope, signals.step_s, channels)
        self._compute, self._before = compile_sample(self.function), np.zeros(Remembered.SIZE)

    def next(self, outputs: np.ndarray, angular_rate: np.ndarray) -> dict[str, np.ndarray]:
        """Return what the next frame is, by the names of the function's outputs."""
        found = self._compute(outputs=outputs, angular_rate=angular_rate, before=self._before)
        self._before = found["after"]
        return found

    def following(self, outputs: np.ndarray, angular_rate: np.ndarray) -> dict[str, np.ndarray]:
        """Return what the next frames (n, ...) are: `next` for each of them."""
        found = self._in_order(outputs=outputs, angular_rate=angular_rate, before=self._before)
        self._before = found.pop("after")[-1]
        return found

    @cached_property
    def _in_order(self) -> Callable[..., dict[str, np.ndarray]]:
        return compile_in_order(self.function, "before", "after")

    def pause(self, *, keep_place: bool) -> None:
        """Forget the frame before the next, and where the body has come to and faces unless that is kept."""
        # The next frame is where the last one was: what happened in between is not known.
        self._before = Remembered.paused(self._before) if keep_place else np.zeros(Remembered.SIZE)

    def go_on_from(self, other: Frames) -> None:
        """Go on where other frames of the same person have come to and face."""
        self._before = Remembered.moved(self._before, other._before)


def frame_function(
    subject: Subject, decoder: Decoder, gyroscope: RootGyroscope | None, step_s: float, channels: int
) -> ca.Function:
    """Return a frame of a person as a function of scalar expressions.

    Parameters
    ----------
    decoder : Decoder
        Of the trained network.
    gyroscope : RootGyroscope or None
        That on the root, if there is one.
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
    before = ca.SX.sym("before", Remembered.SIZE)
    posture, velocity, height, yaw_rate, force, moments = _decoded(decoder, outputs)
    q = _coordinates(subject, posture, height)
    root, followed = subject.heading, {}
    if root is not None and gyroscope is not None:
        rate = ca.DM(gyroscope.axes) @ angular_rate[gyroscope.columns]
        followed = {"rotation": root.rotation(q[list(root.turns)]), "rate": rate}
    path = path_function(subject, step_s, follows=bool(followed))(
        velocity=velocity, yaw_rate=yaw_rate, before=before, **followed
    )
    heading, place = path["heading"], path["place"]
    in_ground = list(foot_wrenches(subject, _contact_points(subject, q), force))
    if root is not None:
        facing = rotation_about(UP, heading)
        in_ground = [facing @ part for part in in_ground]
    in_ground[1] += ca.repmat(place, 1, in_ground[1].shape[1])
    found = [_in_ground(subject, q, heading, place), moments, *map(ca.vec, in_ground), heading, path["after"]]
    return ca.Function(
        "frame",
        [outputs, angular_rate, before],
        ca.cse([ca.densify(part) for part in found]),
        ["outputs", "angular_rate", "before"],
        ["q", "moments", "force", "point", "torque", "heading", "after"],
    )


def _decoded(decoder: Decoder, outputs: ca.SX) -> tuple[ca.SX, ...]:
    """Return what `Decoder` does with its own numbers, forces (3, points); torch cannot be written out."""
    spread, centres = (ca.DM(x.detach().double().numpy()) for x in (decoder.spread, decoder.centres()))
    parts = ca.vertsplit(ca.sparsify(spread) @ outputs + centres, np.cumsum([0, *decoder.parts]).tolist())
    posture, velocity, height, yaw_rate, along, up, right, torque = parts
    up += decoder.FORCE_OFFSET
    up = ca.if_else(up > _SOFTPLUS_LINEAR, up, ca.log1p(ca.exp(up)))
    force = decoder.weight_n * decoder.FORCE_BW * ca.horzcat(along, up, right).T
    return posture, velocity, height, yaw_rate, force, torque


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


def _in_ground(subject: Subject, q: ca.SX, heading: ca.SX, place: ca.SX) -> ca.SX:
    """Return the coordinates in ground, complete."""
    root, functions, out = subject.heading, subject.functions, ca.SX(q)
    if root is not None:
        out[list(root.turns)] = root.turning(q[list(root.turns)], heading)
    for _, i, axis in level_steps(subject):
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
