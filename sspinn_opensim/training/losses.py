"""The physics losses: each term one small function with its scale in physical units.

Every term is the mean square of a quantity over the scale at which it starts to matter. The formulation is
that of SSPINNpose (arXiv 2506.11786). Scales and weights were found in trials on two recordings of one person
(participant P01 of Dorschky et al. 2019), and on seven virtual trials, whose scores were seen: judge them on
other people.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from casadi_dynamics.compiled import TorchFunction
from casadi_dynamics.errors import InputError, nearest
from sspinn_opensim.training.motion import Motion, RawMotion
from sspinn_opensim.training.signals import Signals, Windows
from sspinn_opensim.training.subject import Subject

#: A joint resists before the end of its range, this far inside it (rad).
LIMIT_MARGIN_RAD = 0.1
#: Friction between shoe and floor: what a foot may pull for a given load.
FRICTION = 0.6
#: A foot of the model is rigid, a real one rolls over heel and toes: so far its contact may be elsewhere, m.
ROLL_M = 0.1
#: The upright trunk of walking and running leans forward a little, rad (rotation about z is backward).
TRUNK_LEAN_RAD = -0.03


class Mounting(nn.Module):
    """How far each sensor sits from where it was said to sit: small rotations and shifts, one set per person.

    Parameters
    ----------
    sensors : int
    """

    def __init__(self, sensors: int) -> None:
        super().__init__()
        self.rotation = nn.Parameter(torch.zeros(sensors, 3))
        self.shift = nn.Parameter(torch.zeros(sensors, 3))

    def turn(self, vectors: Tensor) -> Tensor:
        """Return vectors (..., k, 3) in body axes as the turned sensors read them."""
        x, y, z = self.rotation.unbind(-1)
        zero = torch.zeros_like(x)
        skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).reshape(-1, 3, 3)
        return torch.einsum("kji,...kj->...ki", torch.linalg.matrix_exp(skew), vectors)


@dataclass(frozen=True)
class Evidence:
    """All that the terms look at, (batch, frames, ...) for frames that are scored; heights from the floor."""

    subject: Subject
    signals: Signals
    mounting: Mounting
    acceleration: Tensor
    angular_rate: Tensor
    predicted_acceleration: Tensor
    predicted_rate: Tensor
    motion: Motion
    raw: RawMotion
    tau: Tensor
    force_bw: Tensor
    contact_position: Tensor
    contact_velocity: Tensor


def acceleration(e: Evidence) -> Tensor:
    """Specific force against the sensors: deviation of the mean stride and 2 m/s^2."""
    return _square((e.predicted_acceleration - e.acceleration) / e.signals.acceleration_scale) * _channels(
        e.signals.acceleration_channels
    )


def angular_rate(e: Evidence) -> Tensor:
    """Angular rate against the sensors: deviation of the mean stride and 0.1 rad/s."""
    return _square((e.predicted_rate - e.angular_rate) / e.signals.rate_scale) * _channels(
        e.signals.rate_channels
    )


def root_residual(e: Evidence) -> Tensor:
    """Force and moment that would have to hold the root from outside: 0.1 body weight (times height)."""
    roles = e.subject.roles
    turning = [i for i in roles.root if i not in roles.steps]
    force = e.tau[..., list(roles.steps)] / (0.1 * e.subject.body_weight)
    moment = e.tau[..., turning] / (0.1 * e.subject.moment_scale)
    return torch.cat([force, moment], dim=-1).square().sum(-1).mean()


def contact_height(e: Evidence) -> Tensor:
    """Load on points off the floor: 0.02 m above it; below it 0.04 m, as soles and heel pads give way."""
    height = e.contact_position[..., 1]
    lifted = torch.where(height > 0, height / 0.02, height / 0.04)
    return (e.force_bw[..., 1] * lifted.square()).sum(-1).mean()


def contact_speed(e: Evidence) -> Tensor:
    """Load on points that move: 0.2 m/s, and what a turning foot moves within 0.1 m."""
    allowed = 0.2**2 + (ROLL_M * _turning_speed(e)).square()
    return (e.force_bw[..., 1] * e.contact_velocity.square().sum(-1) / allowed).sum(-1).mean()


def _turning_speed(e: Evidence) -> Tensor:
    """Return how fast the foot of each contact point turns, rad/s, as far as its points show.

    Held constant: a foot is not to turn for the sake of forgiveness.
    """
    other = list(e.subject.farthest_on_foot)
    apart = (e.contact_position - e.contact_position[..., other, :]).norm(dim=-1)
    parting = (e.contact_velocity - e.contact_velocity[..., other, :]).norm(dim=-1)
    return (parting / apart.clamp(min=1e-3)).detach()


def penetration(e: Evidence) -> Tensor:
    """Points below the floor: 0.03 m."""
    return ((-e.contact_position[..., 1]).relu() / 0.03).square().sum(-1).mean()


def friction(e: Evidence) -> Tensor:
    """Pull beyond what friction holds: 0.02 body weight."""
    pull = (e.force_bw[..., [0, 2]].square().sum(-1) + 1e-12).sqrt()
    return ((pull - FRICTION * e.force_bw[..., 1]).relu() / 0.02).square().sum(-1).mean()


def force_change(e: Evidence) -> Tensor:
    """Jumps of the contact forces: 0.1 body weight in 10 ms, the loading rate of a gentle step."""
    change = (e.force_bw[:, 1:] - e.force_bw[:, :-1]) * (0.01 / e.signals.step_s)
    return (change / 0.1).square().sum(dim=(-1, -2)).mean()


def load_transfer(e: Evidence) -> Tensor:
    """Load that passes from point to point: 0.1 of it in 10 ms, a step of a tenth of a second."""
    load = e.force_bw[..., 1]
    total = load.sum(-1, keepdim=True)
    share = load / total.clamp(min=0.05)
    passed = (share[:, 1:] - share[:, :-1]) * (0.01 / e.signals.step_s)
    # What hardly carries anything has nothing to pass.
    carried = torch.minimum(total[:, 1:], total[:, :-1])
    return (carried * (passed / 0.1).square()).sum(-1).mean()


def torque(e: Evidence) -> Tensor:
    """Effort: 0.03 of body weight times height."""
    return _square(e.tau[..., list(e.subject.roles.actuated)] / (0.03 * e.subject.moment_scale))


def joint_limits(e: Evidence) -> Tensor:
    """Angles close to or beyond the model's ranges: 0.05 rad."""
    actuated = list(e.subject.roles.actuated)
    ranges = np.array([e.subject.model.coordinates[i].range for i in actuated])
    low, high = torch.as_tensor(ranges.T, dtype=e.motion.q.dtype)
    angle = e.motion.q[..., actuated]
    beyond = (low + LIMIT_MARGIN_RAD - angle).relu() + (angle - high + LIMIT_MARGIN_RAD).relu()
    return (beyond / 0.05).square().sum(-1).mean()


def unfelt_joints(e: Evidence) -> Tensor:
    """Angles of joints that move no sensor, from the default posture, where tissue pulls them: 1.0 rad."""
    unfelt = list(e.subject.unfelt)
    rest = e.motion.q.new_tensor([e.subject.model.coordinates[i].default for i in unfelt])
    return (e.motion.q[..., unfelt] - rest).square().sum(-1).mean()


def trunk(e: Evidence) -> Tensor:
    """Trunk upright, on average over a window, where no sensor tells: 0.05 rad."""
    if e.subject.root_has_sensor:
        return e.tau.new_zeros(())
    backward = e.subject.root_turns_backward
    leaning = TRUNK_LEAN_RAD * e.motion.q.new_tensor(list(backward.values()))
    return ((e.motion.q[..., list(backward)].mean(1) - leaning) / 0.05).square().sum(-1).mean()


def mean_speed(e: Evidence) -> Tensor:
    """Mean forward speed of a window against the known one: 15 % and 0.15 m/s, what planar legs lack."""
    speed = e.signals.speed_m_s
    if speed is None:
        return e.tau.new_zeros(())
    forward = e.motion.u[..., e.subject.roles.forward].mean(1)
    return ((forward - speed) / (0.15 * speed + 0.15)).square().mean()


def vertical_consistency(e: Evidence) -> Tensor:
    """Change of the root's position against its velocity: 0.1 m/s."""
    steps = list(e.subject.roles.steps)[1:]
    moved = (e.motion.q[:, 2:, steps] - e.motion.q[:, :-2, steps]) / (2 * e.signals.step_s)
    return ((moved - e.motion.u[:, 1:-1, steps]) / 0.1).square().sum(-1).mean()


def mounting(e: Evidence) -> Tensor:
    """Prior on how far a sensor is from its place, mean over sensors: 0.15 rad and 0.03 m."""
    turned = (e.mounting.rotation / 0.15).square().sum(-1)
    return (turned + (e.mounting.shift / 0.03).square().sum(-1)).mean()


def torque_output(e: Evidence) -> Tensor:
    """Output torques against those the motion needs (held constant): 0.02 body weight times height."""
    needed = e.tau[..., list(e.subject.roles.actuated)].detach()
    return _square((e.raw.torque - needed) / (0.02 * e.subject.moment_scale))


@dataclass(frozen=True)
class Term:
    """A loss term: its function, default weight, and whether it speaks of contact forces (ramped in late)."""

    function: Callable[[Evidence], Tensor]
    weight: float
    needs_force: bool = False


TERMS: dict[str, Term] = {
    "acceleration": Term(acceleration, 1.0),
    "angular_rate": Term(angular_rate, 1.0),
    "root_residual": Term(root_residual, 1.0, needs_force=True),
    "contact_height": Term(contact_height, 1.0, needs_force=True),
    "contact_speed": Term(contact_speed, 1.0, needs_force=True),
    "penetration": Term(penetration, 1.0),
    "friction": Term(friction, 1.0, needs_force=True),
    "force_change": Term(force_change, 0.1, needs_force=True),
    "load_transfer": Term(load_transfer, 0.5, needs_force=True),
    "torque": Term(torque, 0.2, needs_force=True),
    "joint_limits": Term(joint_limits, 1.0),
    "unfelt_joints": Term(unfelt_joints, 1.0),
    "trunk": Term(trunk, 1.0),
    "mean_speed": Term(mean_speed, 1.0),
    "vertical_consistency": Term(vertical_consistency, 1.0),
    "mounting": Term(mounting, 3.0),
    "torque_output": Term(torque_output, 0.05, needs_force=True),
}


def weights(overrides: dict[str, float]) -> dict[str, float]:
    """Return the weight of every term; an unknown term, or none left, raises `InputError`."""
    for name in overrides:
        if name not in TERMS:
            raise InputError(
                f"There is no loss term '{name}'.",
                where="[training.weights] of the study",
                expected=", ".join(TERMS),
                found=name,
                fix=nearest(name, TERMS) or "name one of these",
            )
    chosen = {name: overrides.get(name, term.weight) for name, term in TERMS.items()}
    if not any(chosen.values()):
        raise InputError(
            "Every loss term has the weight 0: there is nothing to learn from.",
            where="[training.weights] of the study",
            fix="leave out the weights, or give at least one term a weight above 0",
        )
    return chosen


def gather(
    subject: Subject,
    dynamics: TorchFunction,
    signals: Signals,
    mounting: Mounting,
    windows: Windows,
    raw: RawMotion,
    motion: Motion,
    unscored: int,
) -> Evidence:
    """Run the body model over the scored frames of a batch and return what the terms look at.

    Parameters
    ----------
    subject, dynamics, signals, mounting, windows
        The body, its compiled dynamics, the recording's channels, the mounting and the batch.
    raw : RawMotion
        (batch, frames, ...).
    motion : Motion
        (batch, frames - 2, n), its first frame the second of `raw`.
    unscored : int
        Frames at the start of a window in which the network still settles; at least 1.
    """
    inner = Motion(*(x[:, unscored - 1 :] for x in (motion.q, motion.u, motion.udot)))
    scored = RawMotion(
        *(x[:, unscored:-1] for x in (raw.posture, raw.velocity, raw.position, raw.force, raw.torque))
    )
    parameters = torch.as_tensor(subject.functions.parameters, dtype=inner.q.dtype)
    base = torch.as_tensor(subject.sensor_position, dtype=inner.q.dtype)
    out = dynamics(
        q=inner.q,
        u=inner.u,
        udot=inner.udot,
        contact_force=scored.force.flatten(-2),
        sensor_position=base + mounting.shift.flatten(),
        parameters=parameters,
    )
    felt, turned = (mounting.turn(_triples(out[name])) for name in ("imu_acceleration", "imu_angular_rate"))
    return Evidence(
        subject=subject,
        signals=signals,
        mounting=mounting,
        acceleration=windows.acceleration[:, unscored:-1],
        angular_rate=windows.angular_rate[:, unscored:-1],
        predicted_acceleration=felt[..., signals.acceleration_channels],
        predicted_rate=turned[..., signals.rate_channels],
        motion=inner,
        raw=scored,
        tau=out["tau"],
        force_bw=scored.force / subject.body_weight,
        contact_position=_triples(out["contact_position"]) - _up(subject.floor_m, like=inner.q),
        # Where no force is modelled, sideways in a planar estimate, nothing can stop a point either.
        contact_velocity=_triples(out["contact_velocity"]) * torch.as_tensor(subject.modelled.force),
    )


def _up(height: float, like: Tensor) -> Tensor:
    return like.new_tensor([0.0, height, 0.0])


def _triples(x: Tensor) -> Tensor:
    return x.unflatten(-1, (-1, 3))


def _square(x: Tensor) -> Tensor:
    return x.square().mean()


def _channels(used: Tensor) -> float:
    """Return the axes per sensor: a mean over channels becomes a mean over sensors, summed over axes."""
    return float(used.sum()) / max(int(used.any(-1).sum()), 1)
