"""Centres of joints on the bodies they connect."""

from __future__ import annotations

import numpy as np

from casadi_dynamics.model import Model
from casadi_dynamics.model.types import GROUND, Joint
from casadi_dynamics.symbolic.posture import Posture, posture


def default_posture(model: Model) -> Posture:
    """Return the posture in which every coordinate has its default value."""
    return posture(model, {c.name: c.default for c in model.coordinates})


def in_ground(model: Model, joint: Joint) -> np.ndarray:
    """Return the centre of a joint in ground in the default posture, (3,), m."""
    turning = joint.parent if joint.reversed else joint.child
    if turning.body == GROUND:
        return np.array(turning.translation)
    return default_posture(model).in_ground(turning.body, turning.translation)


def joint_centre(model: Model, joint: Joint, body: str) -> np.ndarray:
    """Return the centre of a joint in the default posture, in the axes of a body from its origin, (3,), m.

    It is the origin of the frame that the joint moves: on the body that carries the joint that is the
    origin of the joint's frame plus the joint's translation, which in a knee is most of the way.
    """
    turning = joint.parent if joint.reversed else joint.child
    if turning.body == body:
        return np.array(turning.translation)
    return default_posture(model).in_body(body, in_ground(model, joint))
