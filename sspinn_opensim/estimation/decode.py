"""The network's outputs as coordinates and ground forces of many frames; `frame` has one as an expression.

Networks are trained in single precision and applied in double: sums of one frame and of many are made in
another order, and only so the estimate frame by frame is that of the whole recording to more digits than
anyone reads.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from casadi_dynamics.compiled import TorchFunction
from sspinn_opensim.estimation.ground import GroundForces, ground_forces
from sspinn_opensim.training.estimator import PersonNetwork
from sspinn_opensim.training.motion import RawMotion
from sspinn_opensim.training.subject import Subject


def applied(estimator: PersonNetwork) -> PersonNetwork:
    """Return a copy of a trained network for double precision."""
    return copy.deepcopy(estimator).double().eval()


class MotionReader:
    """Reads a `RawMotion` of one person."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._dynamics: TorchFunction = subject.compiled(torch.float64)
        functions = subject.functions
        still = torch.zeros(len(subject.model.coordinates), dtype=torch.float64)
        self._still = {
            "u": still,
            "udot": still,
            "contact_force": torch.zeros(3 * len(functions.contact_points), dtype=torch.float64),
            "sensor_position": torch.as_tensor(subject.sensor_position, dtype=torch.float64),
            "parameters": torch.as_tensor(functions.parameters, dtype=torch.float64),
        }
        roles = subject.roles
        # Where the root is on the floor is a constant too: nothing depends on it.
        # So are dependent coordinates here: the dynamics set them from the others.
        level = [i for i in roles.steps if i != roles.vertical]
        constants = {**dict.fromkeys((*level, *roles.dependent), 0.0), **roles.fixed}
        self._constants = torch.tensor(list(constants.values()), dtype=torch.float64)
        self._order = torch.tensor([*roles.posture, roles.vertical, *constants]).argsort()

    def coordinates(self, raw: RawMotion) -> Tensor:
        """Return the coordinates (frames, n) in the walking frame; dependent ones are left at zero."""
        constants = self._constants.expand(len(raw.posture), -1)
        return torch.cat([raw.posture, raw.height, constants], dim=1)[:, self._order]

    def ground(self, q: Tensor, force: Tensor) -> GroundForces:
        """Return the forces on the feet for coordinates (frames, n) and forces (frames, points, 3).

        All are along the axes of the walking frame.
        """
        position = self._dynamics(q=q, **self._still)["contact_position"]
        return ground_forces(self._subject, position.numpy().reshape(len(q), -1, 3), force.numpy())
