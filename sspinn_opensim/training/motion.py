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
from typing import Any

import numpy as np
import torch
from scipy.linalg import block_diag
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

    def part(self, frames: slice) -> RawMotion:
        """Return some frames of a batch (batch, frames, size)."""
        return RawMotion(*(x[:, frames] for x in vars(self).values()))


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
    spread: Tensor

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
        self._constant("segments", segments.T)
        self._constant("posture", subject.usual_posture())
        # Part of what was learnt: the network speaks of velocities as seen from here, at any speed.
        self._constant("centre", [speed_m_s or 1.0] + [0.0] * (len(roles.steps) - 1), persistent=True)
        self._constant("height", [standing_height(subject)])
        self.weight_n, self.moment_n_m = subject.body_weight, subject.moment_scale
        # A matrix of ones and zeros puts the forces that move the model in their places: one product.
        modelled = np.flatnonzero(subject.modelled.force)
        places = np.eye(subject.modelled.force.size)[modelled]
        self._constant("force_places", places)
        # All that is linear is one product, of forces first what is along x, then up, then to the right.
        by_axis = np.hstack([places[:, axis::3] for axis in range(3)])
        spread = (
            self.ANGLE_RAD * segments.T,
            self.VELOCITY_M_S * np.eye(self.sizes[1]),
            self.HEIGHT_M * np.eye(1),
            self.YAW_RATE_RAD_S * np.eye(self.sizes[3]),
            by_axis,
            self.TORQUE_BWBH * self.moment_n_m * np.eye(self.sizes[5]),
        )
        self._constant("spread", block_diag(*spread).T)

    @property
    def size(self) -> int:
        """Number of outputs that a frame needs."""
        return sum(self.sizes)

    @property
    def parts(self) -> tuple[int, ...]:
        """Sizes in the product with `spread`: of forces first all along x, then up, then to the right."""
        points = self.force_places.shape[1] // 3
        return (len(self.posture), *self.sizes[1:4], points, points, points, self.sizes[5])

    def centres(self) -> Tensor:
        """Return what is added to that product: the motion at outputs of zero."""
        rest = self.spread.new_zeros(sum(self.parts[3:]))
        return torch.cat([self.posture, self.centre, self.height, rest])

    def forward(self, raw: Tensor) -> RawMotion:
        """Return the motion of outputs (..., size)."""
        parts = functional.linear(raw, self.spread, self.centres()).split(self.parts, dim=-1)
        posture, velocity, height, yaw_rate, along, up, right, torque = parts
        up = functional.softplus(up + self.FORCE_OFFSET)
        force = self.FORCE_BW * self.weight_n * torch.stack([along, up, right], dim=-1)
        return RawMotion(posture, velocity, height, yaw_rate, force, torque)

    def with_posture(self, raw: Tensor, posture: Tensor) -> Tensor:
        """Return outputs (..., size) that are decoded to another posture (..., p), rad; all else stays."""
        segments = (posture - self.posture) @ torch.linalg.pinv(self.ANGLE_RAD * self.segments)
        return torch.cat([segments, raw[..., self.sizes[0] :]], dim=-1)

    def _constant(self, name: str, values: Any, persistent: bool = False) -> None:
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
    held = raw.posture.new_zeros(len(subject.model.coordinates))
    for index, value in roles.fixed.items():
        held[index] = value
    places = tuple(_indices(tuple(of)) for of in (roles.posture, roles.steps, (roles.vertical,)))
    motion = Motion(*_Differences.apply(raw.posture, raw.velocity, raw.height, held, places, step_s))
    if subject.heading is None:
        return motion
    yawing = (raw.yaw_rate[:, 2:] - raw.yaw_rate[:, :-2]) / (2 * step_s)
    return _turning(motion, subject.heading, raw.yaw_rate[:, 1:-1], yawing)


class _Differences(torch.autograd.Function):
    """Coordinates with their derivatives, and the same linear map backward.

    `held` are the coordinates that are not estimated, `places` those of posture, velocity and height.
    """

    @staticmethod
    def forward(
        ctx: Any,
        posture: Tensor,
        velocity: Tensor,
        height: Tensor,
        held: Tensor,
        places: Sequence[Tensor],
        step_s: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        ctx.places, ctx.step_s = places, step_s
        turns, steps, up = places
        batch, frames = posture.shape[0], posture.shape[1] - 2
        q = held.repeat(batch, frames, 1)
        u, udot = torch.zeros_like(q), torch.zeros_like(q)
        before, here, after = posture[:, :-2], posture[:, 1:-1], posture[:, 2:]
        q.index_copy_(-1, turns, here)
        q.index_copy_(-1, up, height[:, 1:-1])
        u.index_copy_(-1, turns, (after - before).div_(2 * step_s))
        u.index_copy_(-1, steps, velocity[:, 1:-1])
        udot.index_copy_(-1, turns, (after - 2 * here).add_(before).div_(step_s**2))
        udot.index_copy_(-1, steps, (velocity[:, 2:] - velocity[:, :-2]).div_(2 * step_s))
        return q, u, udot

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, to_q: Tensor, to_u: Tensor, to_udot: Tensor) -> tuple[Tensor | None, ...]:
        turns, steps, up = ctx.places
        rate, bend = (
            found.index_select(-1, turns).div_(per)
            for found, per in ((to_u, 2 * ctx.step_s), (to_udot, ctx.step_s**2))
        )
        gain = to_udot.index_select(-1, steps).div_(2 * ctx.step_s)
        to_posture, to_velocity, to_height = (
            functional.pad(inner, (0, 0, 1, 1))
            for inner in (
                to_q.index_select(-1, turns).sub_(bend, alpha=2),
                to_u.index_select(-1, steps),
                to_q.index_select(-1, up),
            )
        )
        to_posture[:, 2:].add_(bend).add_(rate)
        to_posture[:, :-2].add_(bend).sub_(rate)
        to_velocity[:, 2:].add_(gain)
        to_velocity[:, :-2].sub_(gain)
        return to_posture, to_velocity, to_height, None, None, None


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
