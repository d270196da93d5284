"""Physics losses: one small function for each term; `loss_terms` has its row.

Every term is the mean square of a quantity over the scale at which it starts to matter, at any sampling rate:
differences from frame to frame are taken per time. The formulation is
that of SSPINNpose (arXiv 2506.11786). Scales and weights were found in trials on two recordings of one person
(participant P01 of Dorschky et al. 2019), and on seven virtual trials, whose scores were seen: judge them on
other people.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sspinn_opensim.training.loss_inputs import LossInputs, triples
from sspinn_opensim.training.loss_terms import TERMS
from sspinn_opensim.training.motion import columns
from sspinn_opensim.training.outliers import heavy_tailed

#: A joint resists before the end of its range, this far inside it (rad).
LIMIT_MARGIN_RAD = 0.1
#: Friction between shoe and floor: what a foot may pull for a given load.
FRICTION = 0.6
#: Forces roll along a circle on the shank until the heel is off the floor: until it leans forward by so much.
HEEL_OFF_RAD = 0.35
#: Load does not move between contact points within this time, s.
LOAD_MOVES_S = 0.07
#: Tissue shakes a sensor for less than this; what is slower is the body's own motion, s.
SLOW_S = 0.1
#: Cosine of 30 degrees: sensors that lack an axis closer to up than this do not feel how the trunk rises.
_UPWARD = 0.87

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
    error = triples((e.predicted_acceleration - e.acceleration)[..., of_chosen])
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
def sideways_balance(e: LossInputs, share: float) -> Tensor:
    """Slow moment in the frontal plane that would have to hold the walking root, in models out of the plane.

    But for its mean over a window, which is a trunk's that leans to one side. What is left tells how wide
    steps are: feet further apart tip the body from one to the other.
    """
    if e.subject.planar or e.signals.runs:
        return e.tau.new_zeros(())
    parts = e.subject.root_frontal_moment
    moment = columns(e.tau, list(parts)) @ e.tau.new_tensor(list(parts.values()))
    return _mean_square(_slow(moment[:, None], e.signals.step_s), share * e.subject.moment_scale)


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
    other = e.constants.farthest_on_foot
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
def rolling(e: LossInputs, off: float) -> Tensor:
    """Points of walking feet's forces against circles that shanks roll on, in the plane."""
    if e.ankle_ahead is None or e.shank_lean is None:
        return e.tau.new_zeros(())
    rolls, on_foot = e.shank_lean < HEEL_OFF_RAD, e.constants.points_below_shanks.T
    if e.still is not None:
        rolls = rolls & ~e.still.unsqueeze(-1)
    load = e.load @ on_foot
    weight = load.detach() * rolls
    total = weight.sum((0, 1)).clamp(min=1e-6)

    def from_mean(x: Tensor) -> Tensor:
        return x - (weight * x).sum((0, 1)) / total

    # Neither is a motion to change for the sake of its force's place, nor is a foot to carry less.
    arm = (e.load * e.contact_position[..., 0].detach()) @ on_foot - load * e.ankle_ahead
    ahead, lean = from_mean(arm / load.clamp(min=0.05)), from_mean(e.shank_lean.sin())
    # A circle touches the floor below its centre, which a lean takes ahead by its sine times the height above
    # the ankle. The circle is the one that fits the batch best.
    height = (weight * lean * ahead).sum((0, 1)) / (weight * lean.square()).sum((0, 1)).clamp(min=1e-6)
    return _over_frames((weight * (ahead - height * lean).square()).sum(), load, off)


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
def even_legs(e: LossInputs, angle: float) -> Tensor:
    """Right and left legs turned out of the sagittal plane alike, on average over a window."""
    found = e.tau.new_zeros(())
    for right, left, sign in e.subject.mirrored_turns:
        apart = (e.motion.q[..., right] + sign * e.motion.q[..., left]).mean(1)
        found = found + (apart / angle).square().mean()
    return found


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
    of_points = e.subject.feet_with_toes
    feet = list(dict.fromkeys(of_points))
    if e.still is None or not e.still.any():
        return e.tau.new_zeros(())
    of_feet = [
        columns(e.load, [k for k, own in enumerate(of_points) if own == foot]).sum(-1) for foot in feet
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
