"""Motion of the body from the outputs of the network.

A body that can turn is told in a walking frame, which turns about the vertical by its yaw rate and goes along
with the root: x is ahead, z to the right. Nothing that sensors and physics see depends on where the frame is
and on where it faces, so neither is an output; `estimation.path` integrates them. A body that keeps its
heading, in the sagittal plane or because the study holds it, is the same with a frame that never turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from casadi_dynamics.compiled import TorchFunction, compile_torch
from casadi_dynamics.symbolic.heading import RootHeading
from sspinn_opensim.training.subject import Subject


@dataclass(frozen=True)
class RawMotion:
    """Outputs of the network in physical units for every frame, shapes (..., frames, size).

    Attributes
    ----------
    posture : Tensor
        Angles in the order of `Roles.posture`, rad.
    velocity : Tensor
        Of the root along `Roles.steps`, in the walking frame, m/s.
    height : Tensor
        Of the root, one number, m.
    yaw_rate : Tensor
        Of the walking frame about the vertical, rad/s: one number, none where the body keeps its heading.
    force : Tensor
        On the feet at every contact point, (..., points, 3), in the walking frame, N.
    torque : Tensor
        Of `Roles.actuated`, N m.
    """

    posture: Tensor
    velocity: Tensor
    height: Tensor
    yaw_rate: Tensor
    force: Tensor
    torque: Tensor


class Decoder(nn.Module):
    """Numbers of the order of one to a motion in physical units.

    Parameters
    ----------
    speed_m_s : float or None
        Where velocities are centred; 1 m/s if unknown.

    Attributes
    ----------
    sizes : tuple of 6 int
        Outputs for segments, velocities, height, yaw rate, forces and torques.
    weight_n, moment_n_m : float
        Body weight, and that times height.
    """

    #: Spread of the outputs in physical units: what an output of one means.
    ANGLE_RAD, HEIGHT_M, VELOCITY_M_S, FORCE_BW, TORQUE_BWBH = 0.5, 0.05, 0.5, 0.5, 0.05
    YAW_RATE_RAD_S = 0.5
    #: At an output of zero every point carries softplus(-1.5) of `FORCE_BW`: a tenth of body weight.
    FORCE_OFFSET = -1.5

    segments: Tensor
    posture: Tensor
    centre: Tensor
    height: Tensor
    force_places: Tensor

    def __init__(self, subject: Subject, speed_m_s: float | None) -> None:
        super().__init__()
        roles, segments = subject.roles, subject.segment_map()
        self.sizes = (
            segments.shape[1],
            len(roles.steps),
            1,
            int(subject.heading is not None),
            int(subject.modelled.force.sum()),
            len(roles.actuated),
        )
        defaults = np.array([c.default for c in subject.model.coordinates])
        self._constant("segments", segments.T)
        self._constant("posture", defaults[list(roles.posture)])
        # Part of what was learnt: the network speaks of velocities as seen from here, at any speed.
        self._constant("centre", [speed_m_s or 1.0] + [0.0] * (len(roles.steps) - 1), persistent=True)
        self._constant("height", [standing_height(subject)])
        self.weight_n, self.moment_n_m = subject.body_weight, subject.moment_scale
        # A matrix of ones and zeros puts the forces that move the model in their places: one product.
        modelled = np.flatnonzero(subject.modelled.force)
        self._constant("force_places", np.eye(subject.modelled.force.size)[modelled])

    @property
    def size(self) -> int:
        """Number of outputs that a frame needs."""
        return sum(self.sizes)

    def forward(self, raw: Tensor) -> RawMotion:
        """Return the motion of outputs (..., size)."""
        segments, velocity, height, yaw_rate, force, torque = raw.split(self.sizes, dim=-1)
        spread = (force @ self.force_places).unflatten(-1, (-1, 3))
        up = self.FORCE_BW * functional.softplus(spread[..., 1] + self.FORCE_OFFSET)
        along, right = self.FORCE_BW * spread[..., 0], self.FORCE_BW * spread[..., 2]
        return RawMotion(
            posture=self.posture + self.ANGLE_RAD * segments @ self.segments,
            velocity=self.centre + self.VELOCITY_M_S * velocity,
            height=self.height + self.HEIGHT_M * height,
            yaw_rate=self.YAW_RATE_RAD_S * yaw_rate,
            force=self.weight_n * torch.stack([along, up, right], dim=-1),
            torque=self.TORQUE_BWBH * self.moment_n_m * torque,
        )

    def _constant(self, name: str, values, persistent: bool = False) -> None:
        # Made from the model each time, so a checkpoint holds only what was learnt.
        self.register_buffer(name, torch.tensor(np.array(values), dtype=torch.float32), persistent=persistent)


@dataclass(frozen=True)
class Motion:
    """Coordinates with their derivatives for every inner frame, shapes (batch, frames - 2, n).

    They are those in ground of a motion whose walking frame stands, at this very frame, at the origin and
    faces along x: the turning of the frame is in the derivatives.
    """

    q: Tensor
    u: Tensor
    udot: Tensor


def differentiate(raw: RawMotion, subject: Subject, step_s: float) -> Motion:
    """Return the motion by central differences; the first and last frame are lost.

    The root's velocities are outputs of their own and only differentiated once, so that its position does not
    have to be known to a fraction of a millimetre; on the floor its position is zero throughout: nothing
    depends on it.
    """
    roles = subject.roles
    batch, frames = raw.posture.shape[:2]
    shape = (batch, frames - 2, len(subject.model.coordinates))
    before, here, after = raw.posture[:, :-2], raw.posture[:, 1:-1], raw.posture[:, 2:]
    held = raw.posture.new_zeros(shape[-1])
    for index, value in roles.fixed.items():
        held[index] = value
    still = torch.zeros_like(held)

    def placed(base: Tensor, coordinates: tuple[int, ...], values: list[Tensor]) -> Tensor:
        return base.expand(shape).index_copy(-1, _indices(coordinates), torch.cat(values, dim=-1))

    moving = (*roles.posture, *roles.steps)
    speeding_up = (raw.velocity[:, 2:] - raw.velocity[:, :-2]) / (2 * step_s)
    motion = Motion(
        q=placed(held, (*roles.posture, roles.vertical), [here, raw.height[:, 1:-1]]),
        u=placed(still, moving, [(after - before) / (2 * step_s), raw.velocity[:, 1:-1]]),
        udot=placed(still, moving, [(after - 2 * here + before) / step_s**2, speeding_up]),
    )
    if subject.heading is None:
        return motion
    yawing = (raw.yaw_rate[:, 2:] - raw.yaw_rate[:, :-2]) / (2 * step_s)
    return _turning(motion, subject.heading, raw.yaw_rate[:, 1:-1], yawing)


def _turning(motion: Motion, root: RootHeading, yaw_rate: Tensor, yaw_acceleration: Tensor) -> Motion:
    """Return the derivatives in ground of a motion that is told in a frame that turns."""
    rates = _rates(root, motion.q.dtype)(
        angles=columns(motion.q, root.turns),
        rates=columns(motion.u, root.turns),
        accelerations=columns(motion.udot, root.turns),
        yaw_rate=yaw_rate,
        yaw_acceleration=yaw_acceleration,
    )
    # A velocity that turns along changes by psi' y x v.
    forward, _, right = (motion.u[..., [i]] for i in root.steps)
    speeding_up = yaw_rate * torch.cat([right, -forward], dim=-1)
    turns, level = _indices(root.turns), _indices((root.steps[0], root.steps[2]))
    return Motion(
        q=motion.q,
        u=motion.u.index_copy(-1, turns, rates["u"]),
        udot=motion.udot.index_copy(-1, turns, rates["udot"]).index_add(-1, level, speeding_up),
    )


@cache
def _rates(root: RootHeading, dtype: torch.dtype) -> TorchFunction:
    return compile_torch(root.rates, dtype)


def columns(x: Tensor, indices: Sequence[int], dim: int = -1) -> Tensor:
    """Return the entries of a tensor at indices along an axis; of neighbours, without a copy."""
    first, count = (indices[0], len(indices)) if indices else (0, 0)
    if tuple(indices) == tuple(range(first, first + count)):
        return x.narrow(dim, first, count)
    return x.index_select(dim, _indices(tuple(indices)))


@cache
def _indices(of: tuple[int, ...]) -> Tensor:
    return torch.tensor(of)


def standing_height(subject: Subject) -> float:
    """Return the root's height at which the lowest contact point touches the floor in the default posture."""
    return subject.floor_m - float(subject.contact_in_default_posture[:, 1].min())
