"""The network's outputs as coordinates, moments and ground forces; the same code for one frame and for all."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from casadi_dynamics.compiled import TorchFunction
from sspinn_opensim.estimation.ground import GroundForces, ground_forces
from sspinn_opensim.training.motion import RawMotion
from sspinn_opensim.training.subject import Subject


class MotionReader:
    """Reads a `RawMotion` of one person; made once, so that a frame costs little.

    Parameters
    ----------
    subject : Subject
    """

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._dynamics: TorchFunction = subject.compiled()
        functions = subject.functions
        self._n = len(subject.model.coordinates)
        self._still = {
            "u": torch.zeros(self._n),
            "udot": torch.zeros(self._n),
            "contact_force": torch.zeros(3 * len(functions.contact_points)),
            "sensor_position": torch.as_tensor(subject.sensor_position, dtype=torch.float32),
            "parameters": torch.as_tensor(functions.parameters, dtype=torch.float32),
        }
        roles = subject.roles
        self._posture, self._others = list(roles.posture), list(roles.steps)[1:]
        self._forward = roles.forward
        self._fixed = list(zip(roles.fixed, subject.fixed.values(), strict=True))

    def coordinates(self, raw: RawMotion) -> Tensor:
        """Return the coordinates (frames, n) with the forward position left at zero."""
        q = torch.zeros(raw.posture.shape[0], self._n)
        q[:, self._posture] = raw.posture
        q[:, self._others] = raw.position
        for index, value in self._fixed:
            q[:, index] = value
        return q

    def ground(self, q: Tensor, force: Tensor) -> GroundForces:
        """Return the forces on the feet for coordinates (frames, n) and forces (frames, points, 3)."""
        position = self._dynamics(q=q, **self._still)["contact_position"]
        position = position.numpy().astype(np.float64).reshape(len(q), -1, 3)
        return ground_forces(
            self._subject.model, position, force.numpy().astype(np.float64), self._subject.body_weight
        )


def distance(previous_m: float, previous_velocity: float, velocity: float, step_s: float) -> float:
    """Return the forward position after a frame (trapezoid), m."""
    return previous_m + 0.5 * step_s * (previous_velocity + velocity)
