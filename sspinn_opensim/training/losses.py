"""Physics losses: one small function for each term; `loss_terms` has its row.

Every term is the mean square of a quantity over the scale at which it starts to matter, at any sampling rate:
differences from frame to frame are taken per time. The formulation is
that of SSPINNpose (arXiv 2506.11786). Scales and weights were found in trials on two recordings of one person
(participant P01 of Dorschky et al. 2019), and on seven virtual trials, whose scores were seen: judge them on
other people.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from casadi_dynamics.compiled import TorchFunction
from sspinn_opensim.training.loss_terms import TERMS
from sspinn_opensim.training.motion import Motion, RawMotion, columns
from sspinn_opensim.training.outliers import ErrorScales, heavy_tailed
from sspinn_opensim.training.signals import Signals, Windows
from sspinn_opensim.training.subject import Subject

#: A joint resists before the end of its range, this far inside it (rad).
LIMIT_MARGIN_RAD = 0.1
#: Friction between shoe and floor: what a foot may pull for a given load.
FRICTION = 0.6
#: Load does not move between contact points within this time, s.
LOAD_MOVES_S = 0.07
#: Tissue shakes a sensor for less than this; what is slower is the body's own motion, s.
SLOW_S = 0.1
#: Cosine of 30 degrees: sensors that lack an axis closer to up than this do not feel how the trunk rises.
_UPWARD = 0.87
#: The upright trunk of walking and running leans forward a little, rad (rotation about z is backward).
TRUNK_LEAN_RAD = -0.03
#: Coefficients of sin(a) / a and (1 - cos(a)) / a^2 by powers of a^2: exact in double precision up to pi.
_SINE = [(-1.0) ** k / math.factorial(2 * k + 1) for k in range(16)]
_COSINE = [(-1.0) ** k / math.factorial(2 * k + 2) for k in range(16)]


#: Sensors that stay on a person between two recordings slip by this part of what they were off their stated
#: place: 0.03 rad (2 degrees) and 6 mm with the scales of `mounting`.
SLIP_PER_SPREAD = 0.2


class Mounting(nn.Module):
    """How far each sensor sits from where it was said to sit: small turns and shifts, one set per person.

    Attributes
    ----------
    rotation, shift : (sensors, 3) Parameter
        In body axes, rad and m.
    expected_rotation, expected_shift : (sensors, 3) Tensor
        What the prior holds them against: zero, or what another recording of the same person found.
    spread : float
        The prior's deviations as a part of those of sensors that nobody knows yet.
    """

    expected_rotation: Tensor
    expected_shift: Tensor

    def __init__(self, sensors: int) -> None:
        super().__init__()
        self.rotation = nn.Parameter(torch.zeros(sensors, 3))
        self.shift = nn.Parameter(torch.zeros(sensors, 3))
        # Not in a checkpoint: whoever goes on with an adaptation is told anew what it began with.
        for name in ("rotation", "shift"):
            self.register_buffer(f"expected_{name}", torch.zeros(sensors, 3), persistent=False)
        self.spread = 1.0

    def expect(self, found: dict[str, Tensor]) -> None:
        """Start from what another recording of the person found, and expect no more than a slip from it."""
        self.load_state_dict(found)
        self.expected_rotation.copy_(self.rotation.detach())
        self.expected_shift.copy_(self.shift.detach())
        self.spread = SLIP_PER_SPREAD

    def axes(self) -> Tensor:
        """Return the matrix (3 k, 3 k) that turns vectors in body axes into readings.

        It multiplies rows (..., 3 k) of one sensor after another from the right.
        """
        turn, square = self.rotation[:, None].expand(-1, 3, -1), self.rotation.square().sum(-1)[:, None]
        straight = torch.eye(3, dtype=turn.dtype)
        skew = torch.linalg.cross(straight.expand_as(turn), turn)
        # The exponential of a skew matrix K, after Rodrigues: I + K sin(a) / a + K^2 (1 - cos(a)) / a^2. The
        # series in a^2 need no division by the angle, whose gradient would be none where nothing is turned.
        powers = square ** torch.arange(len(_SINE), dtype=turn.dtype)
        sine, cosine = ((powers @ torch.tensor(series, dtype=turn.dtype)) for series in (_SINE, _COSINE))
        turned = straight + skew @ skew * cosine[:, None, None] + skew * sine[:, None, None]
        return torch.block_diag(*turned)  # one product for all sensors


@dataclass(frozen=True)
class BodyConstants:
    """Numbers of a body that no step changes, as tensors.

    Attributes
    ----------
    parameters : (parameters,) Tensor
        Those of the body's functions.
    sensor_position : (3 k,) Tensor
        Places of the sensors in body axes, m.
    joint_range : (2, actuated) Tensor
        Lowest and highest angle of each actuated coordinate, rad.
    unfelt_default : (unfelt,) Tensor
        Default of each coordinate of `Subject.unfelt`, rad.
    trunk_lean : (turns,) Tensor
        `TRUNK_LEAN_RAD` along each coordinate of `Subject.root_turns_backward`, rad.
    modelled_force : (points, 3) bool Tensor
        Components of the contact forces that the model has.
    levers : (k, points) Tensor
        `Subject.levers`.
    soles : (k, points) Tensor
        `Subject.soles`.
    turned_by_tissue : (k, 3) bool Tensor
        `Subject.turned_by_tissue`.
    up_along_trunk : (k, 3) Tensor
        `Subject.up_along_trunk`.
    """

    parameters: Tensor
    sensor_position: Tensor
    joint_range: Tensor
    unfelt_default: Tensor
    trunk_lean: Tensor
    modelled_force: Tensor
    levers: Tensor
    soles: Tensor
    turned_by_tissue: Tensor
    up_along_trunk: Tensor

    @cached_property
    def levers_by_axis(self) -> Tensor:
        """Return `levers` for forces (..., 3 points), to be multiplied from the right: (3 points, 3 k)."""
        return torch.kron(self.levers.T.contiguous(), torch.eye(3, dtype=self.levers.dtype))

    @classmethod
    def of(cls, subject: Subject, dtype: torch.dtype = torch.float32) -> Self:
        """Return the constants of a body in a precision."""
        coordinates = subject.model.coordinates
        ranges = np.array([coordinates[i].range for i in subject.roles.actuated])
        return cls(
            torch.as_tensor(subject.functions.parameters, dtype=dtype),
            torch.as_tensor(subject.sensor_position, dtype=dtype),
            torch.as_tensor(ranges.T, dtype=dtype),
            torch.tensor([coordinates[i].default for i in subject.unfelt], dtype=dtype),
            TRUNK_LEAN_RAD * torch.tensor(list(subject.root_turns_backward.values()), dtype=dtype),
            torch.as_tensor(subject.modelled.force),
            torch.as_tensor(subject.levers, dtype=dtype),
            torch.as_tensor(subject.soles, dtype=dtype),
            torch.as_tensor(subject.turned_by_tissue),
            torch.as_tensor(subject.up_along_trunk, dtype=dtype),
        )


@dataclass(frozen=True)
class LossInputs:
    """What the terms look at, (batch, frames, ...) for the frames that are scored; heights from the floor.

    Each frame is seen along the axes of the walking frame of that moment (see `motion`): x is ahead, z to the
    right, whatever the person's heading.

    Attributes
    ----------
    subject, signals, constants, mounting
        The body, its recording's channels, its constants and how its sensors are mounted.
    acceleration, angular_rate : (batch, frames, channels) Tensors
        As recorded, m/s^2 and rad/s.
    predicted_acceleration, predicted_rate : (batch, frames, channels) Tensors
        As the body's motion would make them, m/s^2 and rad/s.
    motion, raw : Motion, RawMotion
        Coordinates with their derivatives, and the outputs of the network they come from.
    tau : (batch, frames, coordinates) Tensor
        Generalized forces that the motion needs beside the contact forces, N and N m.
    force_bw : (batch, frames, points, 3) Tensor
        Contact forces in the walking frame over body weight.
    contact_position, contact_velocity : (batch, frames, points, 3) Tensors
        Of the contact points, m and m/s, along the axes of the walking frame; the velocity is that in ground,
        along forces that the model has.
    on_the_way : (batch,) bool Tensor or None
        Windows in which the person never stands; None: all.
    still : (batch, frames) bool Tensor or None
        Frames in which the person stands still; None: none.
    sensor_velocity : (batch, frames, k, 3) Tensor or None
        Of the sensors' places, in ground, m/s.
    foot_speed : (batch, frames, k) Tensor or None
        How fast sensors on feet move over the ground by dead reckoning, m/s; NaN where unknown.
    rests : (batch, frames, k) bool Tensor or None
        Frames in which a sensor on a walking foot hardly moves; None: none.
    error_scales : ErrorScales or None
        How large the errors of each channel usually are; None: no error is an outlier.
    up, predicted_up : (batch, frames, k, 3) Tensors or None
        Direction of up along the axes of each sensor, by its orientation filter (NaN where unknown) and as
        the body's motion would make it; None where the model stays in the plane.
    """

    subject: Subject
    signals: Signals
    constants: BodyConstants
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
    predicted_up: Tensor
    on_the_way: Tensor | None = None
    still: Tensor | None = None
    sensor_velocity: Tensor | None = None
    foot_speed: Tensor | None = None
    rests: Tensor | None = None
    error_scales: ErrorScales | None = None
    up: Tensor | None = None

    @cached_property
    def force_axes(self) -> tuple[Tensor, ...]:
        """Contact forces along each axis of ground, (batch, frames, points): one way for all gradients."""
        with torch.enable_grad():  # a term that does not count may be the first to look
            return self.force_bw.unbind(-1)

    @property
    def load(self) -> Tensor:
        """Upward part of the contact forces over body weight."""
        return self.force_axes[1]

    @cached_property
    def height(self) -> Tensor:
        """Height of the contact points, (batch, frames, points), m."""
        with torch.enable_grad():
            return self.contact_position[..., 1]

    @cached_property
    def lever_force(self) -> Tensor:
        """Contact forces at two points of each foot, over body weight, (batch, frames, k, 3)."""
        with torch.enable_grad():
            return _triples(self.force_bw.flatten(-2) @ self.constants.levers_by_axis)

    @cached_property
    def torques(self) -> Tensor:
        """Torques of the actuated coordinates that the motion needs, (batch, frames, actuated), N m."""
        with torch.enable_grad():
            return columns(self.tau, self.subject.roles.actuated)


#: Function of each term of `TERMS` by name: the mean square of a quantity over the scales it takes.
FUNCTIONS: dict[str, Callable[..., Tensor]] = {}


def _of_a_term(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Make a function that of the term of its name."""
    FUNCTIONS[function.__name__] = function
    return function


def term_value(name: str, e: LossInputs) -> Tensor:
    """Return the value of a term of `TERMS`, scaled and not weighted."""
    return FUNCTIONS[name](e, *TERMS[name].scale)


@_of_a_term
def acceleration(e: LossInputs, floor: float) -> Tensor:
    """Specific force against the sensors."""
    error, known = e.predicted_acceleration - e.acceleration, e.signals.acceleration_variance
    found = None if e.error_scales is None else e.error_scales.acceleration
    return e.signals.acceleration_axes * _sensor_error(error, known, floor, found)


@_of_a_term
def angular_rate(e: LossInputs, floor: float, across: float) -> Tensor:
    """Angular rate against the sensors."""
    error, known = e.predicted_rate - e.angular_rate, e.signals.rate_variance
    found = None if e.error_scales is None else e.error_scales.angular_rate
    loose = e.constants.turned_by_tissue[e.signals.rate_channels]
    floors = torch.where(loose, across, floor).to(known.dtype)
    return e.signals.rate_axes * _sensor_error(error, known, floors, found)


def _sensor_error(error: Tensor, variance: Tensor, floor: float | Tensor, found: Tensor | None) -> Tensor:
    """Return the mean cost of errors; a recording that states a variance is a mean without outliers."""
    allowed = (variance + floor**2).to(error.dtype)
    if found is None:
        return _mean_square(error / allowed.sqrt())
    return torch.where(variance > 0, error.square() / allowed, heavy_tailed(error, allowed, found)).mean()


@_of_a_term
def trunk_rise(e: LossInputs, acceleration: float) -> Tensor:
    """Slow upward acceleration of walking pelvis and trunk against their sensors: the load of both feet.

    But for its mean over a window, which is that of gravity and an accelerometer's offset. What a sensor
    measured upward is told by the inclination as it is: nothing is to tilt for the sake of a better match.
    """
    worn = e.signals.acceleration_channels
    chosen = (e.constants.up_along_trunk * worn).square().sum(-1) > _UPWARD**2
    if e.signals.runs or not chosen.any():
        return e.tau.new_zeros(())
    of_sensor = torch.eye(len(worn), dtype=e.tau.dtype).repeat_interleave(worn.sum(-1), 0)[:, chosen]
    up = e.predicted_up.flatten(-2)[..., e.signals.acceleration_places]
    error = ((e.predicted_acceleration * up - e.acceleration * up.detach()) @ of_sensor).transpose(1, 2)
    return _mean_square(_slow(error, e.signals.step_s), acceleration)


@_of_a_term
def trunk_drive(e: LossInputs, acceleration: float) -> Tensor:
    """Slow level acceleration of walking pelvis and trunk against their sensors, in models out of the plane.

    But for its mean over a window, as in `trunk_rise`. What the sensors feel of gravity is taken as it is:
    nothing is to tilt for the sake of a better match.
    """
    worn = e.signals.acceleration_channels
    chosen = worn.all(-1) & (e.constants.up_along_trunk != 0).any(-1)
    if e.subject.planar or e.signals.runs or not chosen.any():
        return e.tau.new_zeros(())
    of_chosen = chosen[:, None].expand_as(worn)[worn]
    error = _triples((e.predicted_acceleration - e.acceleration)[..., of_chosen])
    felt = e.predicted_up[..., chosen, :]
    up = felt.detach()
    error = error - float(np.linalg.norm(e.subject.model.gravity)) * (felt - up)
    level = error - (error * up).sum(-1, keepdim=True) * up
    return 3 * _mean_square(_slow(level.flatten(-2).transpose(1, 2), e.signals.step_s), acceleration)


def _slow(error: Tensor, step_s: float) -> Tensor:
    """Return errors (batch, channels, frames) averaged over `SLOW_S`, without their mean over a window."""
    frames = min(max(round(SLOW_S / step_s), 1), error.shape[-1])
    slow = functional.avg_pool1d(error, frames, 1)
    return slow - slow.mean(-1, keepdim=True)


@_of_a_term
def inclination(e: LossInputs, angle: float) -> Tensor:
    """Up along the sensors' axes against an orientation filter, in models that leave the plane."""
    if e.up is None:
        return e.tau.new_zeros(())
    known = ~e.up.isnan().any(-1)
    error = (e.predicted_up - e.up.nan_to_num()) / angle
    return (error.square().sum(-1) * known).mean()


@_of_a_term
def root_residual(e: LossInputs, share: float) -> Tensor:
    """Force and moment that would have to hold the root from outside."""
    roles, subject = e.subject.roles, e.subject
    scale = [share * (subject.body_weight if i in roles.steps else subject.moment_scale) for i in roles.root]
    return _per_frame(columns(e.tau, roles.root) / e.tau.new_tensor(scale))


@_of_a_term
def contact_height(e: LossInputs, above: float, below: float) -> Tensor:
    """Load on points off the floor."""
    lifted = e.height * torch.where(e.height.detach() > 0, 1.0 / above, 1.0 / below)
    return _over_frames((e.load * lifted.square()).sum(), e.height)


@_of_a_term
def contact_speed(e: LossInputs, speed: float, roll: float) -> Tensor:
    """Load on points that move."""
    allowed = speed**2 + roll**2 * _squared_turning_speed(e)
    return _over_frames((e.load / allowed * e.contact_velocity.square().sum(-1)).sum(), e.load)


def _squared_turning_speed(e: LossInputs) -> Tensor:
    """Return how fast the foot of each contact point turns, (rad/s)^2, as far as its points show.

    Held constant: a foot is not to turn for the sake of forgiveness.
    """
    other = e.subject.farthest_on_foot
    with torch.no_grad():
        apart, parting = (
            (x - columns(x, other, -2)).square().sum(-1) for x in (e.contact_position, e.contact_velocity)
        )
        return parting / apart.clamp(min=1e-6)


@_of_a_term
def penetration(e: LossInputs, depth: float) -> Tensor:
    """Points below the floor."""
    return _per_frame(e.height.clamp(max=0.0), depth)


@_of_a_term
def friction(e: LossInputs, beyond: float) -> Tensor:
    """Pull beyond what friction holds."""
    along, load, right = e.force_axes
    pull = (along.square() + right.square() + 1e-12).sqrt()
    return _per_frame(torch.sub(pull, load, alpha=FRICTION).relu(), beyond)


@_of_a_term
def force_change(e: LossInputs, jump: float) -> Tensor:
    """Jumps of the contact forces."""
    change = e.lever_force[:, 1:] - e.lever_force[:, :-1]
    return _per_frame(change, jump * e.signals.step_s / 0.01)


@_of_a_term
def load_transfer(e: LossInputs, part: float) -> Tensor:
    """Load that passes from foot to foot, and from the heel to the front of a foot."""
    total = e.load.sum(-1, keepdim=True)
    share = e.lever_force[..., 1] / total.clamp(min=0.05)
    passed = share[:, 1:] - share[:, :-1]
    # What hardly carries anything has nothing to pass.
    carried = torch.minimum(total[:, 1:], total[:, :-1])
    return _over_frames((carried * passed.square()).sum(), passed, part * e.signals.step_s / 0.01)


@_of_a_term
def torque(e: LossInputs, share: float) -> Tensor:
    """Effort."""
    return _mean_square(e.torques, share * e.subject.moment_scale)


@_of_a_term
def joint_limits(e: LossInputs, angle: float) -> Tensor:
    """Angles close to or beyond the model's ranges."""
    return _per_frame(beyond_limits(e), angle)


def beyond_limits(e: LossInputs) -> Tensor:
    """Return how far each actuated coordinate is inside the margin of its range, or beyond it, rad."""
    low, high = e.constants.joint_range
    found = columns(e.motion.q, e.subject.roles.actuated)
    return (low + LIMIT_MARGIN_RAD - found).relu() + (found - (high - LIMIT_MARGIN_RAD)).relu()


@_of_a_term
def unfelt_joints(e: LossInputs, angle: float) -> Tensor:
    """Angles of joints that move no sensor, from the default posture, where tissue pulls them."""
    from_default = columns(e.motion.q, e.subject.unfelt) - e.constants.unfelt_default
    return _per_frame(from_default, angle)


@_of_a_term
def trunk(e: LossInputs, angle: float) -> Tensor:
    """Trunk upright, on average over a window, where no sensor tells."""
    if e.subject.root_has_sensor:
        return e.tau.new_zeros(())
    leaning = columns(e.motion.q, list(e.subject.root_turns_backward)).mean(1)
    return ((leaning - e.constants.trunk_lean) / angle).square().sum(-1).mean()


@_of_a_term
def facing(e: LossInputs, angle: float) -> Tensor:
    """Root ahead in the walking frame, on average over a window: the frame turns with the person."""
    root = e.subject.heading
    if root is None:
        return e.tau.new_zeros(())
    return (e.motion.q[..., root.vertical[0]].mean(1) / angle).square().mean()


@_of_a_term
def mean_speed(e: LossInputs, share: float, least: float) -> Tensor:
    """Mean forward speed of a window without standing against the known one."""
    speed = e.signals.speed_m_s
    if speed is None or (e.on_the_way is not None and not e.on_the_way.any()):
        return e.tau.new_zeros(())
    forward = e.motion.u[..., e.subject.roles.forward].mean(1)
    forward = forward if e.on_the_way is None else forward[e.on_the_way]
    return ((forward - speed) / (share * speed + least)).square().mean()


@_of_a_term
def foot_speed(e: LossInputs, speed: float) -> Tensor:
    """Speed of walking feet over the ground against dead reckoning."""
    if e.foot_speed is None or e.sensor_velocity is None or bool(e.foot_speed.isnan().all()):
        return e.tau.new_zeros(())
    known = ~e.foot_speed.isnan()
    over_ground = e.sensor_velocity[..., (0, 2)].square().sum(-1)
    # Rounded off at rest, where the size of a vector has no derivative.
    error = (over_ground + speed**2).sqrt() - (e.foot_speed.nan_to_num().square() + speed**2).sqrt()
    return ((error / speed).square() * known).sum(-1).mean() / known.any(1).any(0).sum()


@_of_a_term
def level_sole(e: LossInputs, angle: float) -> Tensor:
    """Slope from heel to toes of walking soles that rest on the floor, in models out of the plane."""
    on_feet = e.constants.soles.any(-1)
    if e.subject.planar or e.rests is None or not (e.rests & on_feet).any():
        return e.tau.new_zeros(())
    slope = e.height @ e.constants.soles.T
    return _over_frames(_squares(slope * e.rests), slope, angle) / on_feet.sum()


@_of_a_term
def standing_load(e: LossInputs, part: float) -> Tensor:
    """Load of each foot of someone who stands still against an equal share."""
    feet = list(dict.fromkeys(e.subject.feet))
    if e.still is None or not e.still.any():
        return e.tau.new_zeros(())
    of_feet = [
        columns(e.load, [k for k, own in enumerate(e.subject.feet) if own == foot]).sum(-1) for foot in feet
    ]
    uneven = (torch.stack(of_feet, dim=-1) - 1.0 / len(feet)) / part
    return (uneven.square().mean(-1) * e.still).mean()


@_of_a_term
def standing_speed(e: LossInputs, speed: float) -> Tensor:
    """Speed of the feet of someone who stands still."""
    if e.still is None or not e.still.any():
        return e.tau.new_zeros(())
    return ((e.contact_velocity / speed).square().sum(-1).mean(-1) * e.still).mean()


@_of_a_term
def vertical_consistency(e: LossInputs, speed: float) -> Tensor:
    """Change of the root's height against its velocity."""
    height, velocity = (x[..., e.subject.roles.vertical] for x in (e.motion.q, e.motion.u))
    moved = (height[:, 2:] - height[:, :-2]) / (2 * e.signals.step_s)
    return _mean_square(moved - velocity[:, 1:-1], speed)


@_of_a_term
def mounting(e: LossInputs, angle: float, shift: float) -> Tensor:
    """Prior on how far a sensor is from its place, mean over sensors."""
    own = e.mounting
    turned, shifted = own.rotation - own.expected_rotation, own.shift - own.expected_shift
    return (_squares(turned) / angle**2 + _squares(shifted) / shift**2) / (own.spread**2 * len(turned))


@_of_a_term
def torque_output(e: LossInputs, share: float) -> Tensor:
    """Output torques against those the motion needs (held constant)."""
    return _mean_square(e.raw.torque - e.torques.detach(), share * e.subject.moment_scale)


@_of_a_term
def led_force(e: LossInputs, share: float, height: float) -> Tensor:
    """Contact forces against those the motion needs (held constant), at the lowest points.

    The force the motion needs is what is missing at the root, plus what the contact points already carry; the
    points share it by their height and over the frames of `LOAD_MOVES_S`, as load moves no faster.
    """
    steps = e.subject.roles.steps
    with torch.no_grad():
        carried = e.force_bw.sum(-2)
        missing = torch.zeros_like(carried)
        missing[..., : len(steps)] = columns(e.tau, steps) / e.subject.body_weight
        needed = carried + missing
        needed = torch.cat([needed[..., :1], needed[..., 1:2].clamp(min=0.0), needed[..., 2:]], dim=-1)
        part = functional.softmax(-e.height / height, dim=-1)
        around = round((LOAD_MOVES_S / e.signals.step_s - 1) / 2)
        part = functional.avg_pool1d(
            part.transpose(1, 2), 2 * around + 1, 1, around, count_include_pad=False
        ).transpose(1, 2)
        target = part.unsqueeze(-1) * needed.unsqueeze(-2)
    return _mean_square(e.force_bw - target, share)


def loss_inputs(
    subject: Subject,
    dynamics: TorchFunction,
    signals: Signals,
    constants: BodyConstants,
    mounting: Mounting,
    windows: Windows,
    raw: RawMotion,
    motion: Motion,
    error_scales: ErrorScales | None = None,
) -> LossInputs:
    """Run the body model over the inner frames of a batch and return what the terms look at.

    Parameters
    ----------
    raw : RawMotion
        (batch, frames, ...).
    motion : Motion
        (batch, frames - 2, n): differences over time take the first and the last frame.
    """
    inner = RawMotion(*(x[:, 1:-1] for x in vars(raw).values()))
    out = dynamics(
        q=motion.q,
        u=motion.u,
        udot=motion.udot,
        contact_force=inner.force.flatten(-2),
        sensor_position=constants.sensor_position + mounting.shift.flatten(),
        parameters=constants.parameters,
    )
    axes = mounting.axes()
    floor = motion.q.new_tensor([0.0, subject.floor_m, 0.0])
    return LossInputs(
        subject=subject,
        signals=signals,
        constants=constants,
        mounting=mounting,
        acceleration=windows.acceleration[:, 1:-1],
        angular_rate=windows.angular_rate[:, 1:-1],
        predicted_acceleration=out["imu_acceleration"] @ columns(axes, signals.acceleration_places),
        predicted_rate=out["imu_angular_rate"] @ columns(axes, signals.rate_places),
        motion=motion,
        raw=inner,
        tau=out["tau"],
        force_bw=inner.force / subject.body_weight,
        contact_position=_triples(out["contact_position"]) - floor,
        # Where no force is modelled, sideways in a planar estimate, nothing can stop a point either.
        contact_velocity=_triples(out["contact_velocity"]) * constants.modelled_force,
        on_the_way=windows.on_the_way,
        still=None if windows.still is None else windows.still[:, 1:-1],
        sensor_velocity=_triples(out["imu_velocity"]),
        foot_speed=None if windows.foot_speed is None else windows.foot_speed[:, 1:-1],
        rests=None if windows.rests is None else windows.rests[:, 1:-1],
        error_scales=error_scales,
        up=None if windows.up is None else windows.up[:, 1:-1],
        predicted_up=_triples(out["imu_up"] @ axes),
    )


def _per_frame(x: Tensor, scale: float = 1.0) -> Tensor:
    """Return the mean over frames of the sum of squares of (batch, frames, ...) over a scale."""
    return _over_frames(_squares(x), x, scale)


def _over_frames(total: Tensor, like: Tensor, scale: float = 1.0) -> Tensor:
    """Return a sum of squares over frames as their mean, over a scale."""
    return total / (like.shape[0] * like.shape[1] * scale**2)


def _mean_square(x: Tensor, scale: float = 1.0) -> Tensor:
    return _squares(x) / (x.numel() * scale**2)


def _squares(x: Tensor) -> Tensor:
    """Return the sum of squares: of torch's operations the one that takes fewest, with its gradient."""
    return functional.mse_loss(x, x.new_zeros(()).expand_as(x), reduction="sum")


def _triples(x: Tensor) -> Tensor:
    return x.unflatten(-1, (-1, 3))
