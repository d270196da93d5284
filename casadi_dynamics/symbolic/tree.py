"""A model with symbols for its state and its numbers: the expressions that every function is cut from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import casadi as ca

from casadi_dynamics.model import Model
from casadi_dynamics.symbolic.kinematics import BodyMotion, JointMotion, body_motions, joint_motion
from casadi_dynamics.symbolic.parameters import Parameters


@dataclass(frozen=True)
class Tree:
    """The motion of every joint and body of a model, as expressions.

    Attributes
    ----------
    q, u, udot : (n,) SX
        Coordinates, speeds and their derivatives, in the model's order.
    motions : dict of str to BodyMotion
        Of every body, and of ground.
    """

    model: Model
    parameters: Parameters
    q: ca.SX
    u: ca.SX
    udot: ca.SX
    joints: dict[str, JointMotion]
    motions: dict[str, BodyMotion]

    @property
    def state(self) -> dict[str, ca.SX]:
        """The inputs `q`, `u` and `udot` of a function, by name."""
        return {"q": self.q, "u": self.u, "udot": self.udot}

    def coordinate(self, name: str) -> tuple[ca.SX, ca.SX, ca.SX]:
        """Return value, speed and its derivative of a coordinate; of a fixed one they are constants."""
        return _state(self.model, self.q, self.u, self.udot)[name]

    def function(self, name: str, state: str, outputs: Mapping[str, ca.SX], **inputs: ca.SX) -> ca.Function:
        """Return a function of part of the `state` (e.g. "q u"), of further `inputs` and of `parameters`."""
        arguments = {part: self.state[part] for part in state.split()}
        arguments |= {**inputs, "parameters": self.parameters.vector}
        dense = ca.cse([ca.densify(value) for value in outputs.values()])
        return ca.Function(name, list(arguments.values()), dense, list(arguments), list(outputs))


def build_tree(model: Model, parameters: Parameters) -> Tree:
    """Return the expressions of a model's motion."""
    n = len(model.coordinates)
    q, u, udot = (ca.SX.sym(name, n) for name in ("q", "u", "udot"))
    state = _state(model, q, u, udot)
    joints = {joint.name: joint_motion(joint, state, parameters) for joint in model.joints}
    return Tree(model, parameters, q, u, udot, joints, body_motions(model, joints, parameters))


def _state(model: Model, q: ca.SX, u: ca.SX, udot: ca.SX) -> dict[str, tuple[ca.SX, ca.SX, ca.SX]]:
    moving = {c.name: (q[i], u[i], udot[i]) for i, c in enumerate(model.coordinates)}
    return moving | {c.name: (ca.SX(c.value), ca.SX(0), ca.SX(0)) for c in model.fixed}


def stack(parts: Iterable[ca.SX]) -> ca.SX:
    """Return columns below one another; none is an empty column."""
    parts = list(parts)
    return ca.vertcat(*parts) if parts else ca.SX.zeros(0)
