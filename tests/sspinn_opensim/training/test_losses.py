"""Each term is one where its quantity meets the scale of the table, and has the gradient of its value."""

import dataclasses
from types import FunctionType, SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional

from casadi_dynamics.errors import InputError
from sspinn_opensim.training import losses
from sspinn_opensim.training.loss_inputs import BodyConstants, loss_inputs
from sspinn_opensim.training.loss_terms import TERMS, weights
from sspinn_opensim.training.losses import term_value
from sspinn_opensim.training.motion import Decoder, RawMotion
from sspinn_opensim.training.mounting import Mounting
from sspinn_opensim.training.signals import Windows, windows_at
from sspinn_opensim.training.subject import TRUNK_LEAN_RAD

FRAMES = 12


def in_double(signals):
    """Return signals whose tensors are in double precision."""
    values = {f.name: getattr(signals, f.name) for f in dataclasses.fields(signals)}
    double = {k: v.double() for k, v in values.items() if torch.is_tensor(v) and v.is_floating_point()}
    return dataclasses.replace(signals, **double)


@pytest.fixture(scope="module")
def body(walker):
    """Return the walker's subject, dynamics, signals and mounting in double precision."""
    return SimpleNamespace(
        subject=walker.subject,
        dynamics=walker.subject.compiled(torch.float64),
        signals=in_double(walker.signals),
        constants=BodyConstants.of(walker.subject, torch.float64),
        mounting=Mounting(7).double(),
    )


@pytest.fixture(scope="module")
def standing(body):
    """Return loss inputs of a body that stands still on slightly bent knees, held up by the floor alone."""
    return stand(body)


def stand(body, **of_signals):
    """Return those inputs, with some fields of the signals replaced."""
    subject, names = body.subject, body.subject.model.coordinate_names
    functions, roles = subject.functions, subject.roles
    bend = {"hip_flexion": 0.3, "knee_angle": -0.6, "ankle_angle": 0.3}
    q = np.array([bend.get(name.removesuffix("_r").removesuffix("_l"), 0.0) for name in names])
    q[names.index("pelvis_tilt")] = TRUNK_LEAN_RAD
    # The feet turn with the pelvis; the ankles take it back.
    for side in "rl":
        q[names.index(f"ankle_angle_{side}")] -= TRUNK_LEAN_RAD
    still = np.zeros(len(q))

    def dynamics(force):
        given = {"sensor_position": subject.sensor_position, "parameters": functions.parameters}
        out = functions.dynamics(q=q, u=still, udot=still, contact_force=force, **given)
        return {name: np.array(value).ravel() for name, value in out.items()}

    q[roles.vertical] -= dynamics(np.zeros(12))["contact_position"].reshape(4, 3)[:, 1].mean()
    # The floor's force is what leaves nothing to hold at the root; of all such forces, the smallest.
    root, none = list(roles.root), dynamics(np.zeros(12))
    pull = np.stack([dynamics(force)["tau"][root] - none["tau"][root] for force in np.eye(12)], axis=1)
    force = np.linalg.lstsq(pull, -none["tau"][root], rcond=None)[0]
    answers = dynamics(force)

    def frames(values):
        return torch.tensor(np.array(values)).expand(1, FRAMES, *np.shape(values))

    raw = RawMotion(
        posture=frames(q[list(roles.posture)]),
        velocity=frames(np.zeros(2)),
        height=frames(q[[roles.vertical]]),
        yaw_rate=frames(np.zeros(0)),
        force=frames(force.reshape(4, 3)),
        torque=frames(answers["tau"][list(roles.actuated)]),
    )
    felt = answers["imu_acceleration"].reshape(7, 3)[subject.modelled.acceleration]
    turned = answers["imu_angular_rate"].reshape(7, 3)[subject.modelled.angular_rate]
    signals = dataclasses.replace(body.signals, speed_m_s=None, **of_signals)
    windows = Windows(frames(felt), frames(turned), frames([0.0]))
    return loss_inputs(subject, body.dynamics, signals, body.constants, body.mounting, windows, raw)


def changed(e, **changes):
    """Return inputs with fields replaced; a lambda is given the old value."""
    new = {k: v(getattr(e, k)) if isinstance(v, FunctionType) else v for k, v in changes.items()}
    return dataclasses.replace(e, **new)


def filled(like, index, value):
    """Return zeros like a tensor with `value` at `index`."""
    out = torch.zeros_like(like)
    out[index] = value
    return out


def value_of(name, e) -> float:
    return float(term_value(name, e).detach())


def test_frames_that_are_scored(standing):
    """All but the first and the last, which have no derivative."""
    scored = FRAMES - 2
    assert standing.tau.shape == (1, scored, 10) and standing.motion.q.shape == (1, scored, 10)
    assert standing.force_bw.shape == (1, scored, 4, 3) and standing.acceleration.shape == (1, scored, 14)


def test_frames_of_motion_and_signals_are_the_same_ones(body):
    """A posture that counts the frames must meet the signals that count them too."""
    subject, decoder = body.subject, Decoder(body.subject, None).double()
    count = torch.arange(FRAMES, dtype=torch.float64)[None, :, None]
    raw = decoder(torch.zeros(1, FRAMES, decoder.size, dtype=torch.float64))
    raw = dataclasses.replace(raw, posture=count.expand(1, FRAMES, 8), torque=count.expand(1, FRAMES, 7))
    windows = Windows(count.expand(1, FRAMES, 14), count.expand(1, FRAMES, 7), count)
    e = loss_inputs(subject, body.dynamics, body.signals, body.constants, body.mounting, windows, raw)
    expected = torch.arange(1, FRAMES - 1, dtype=torch.float64)
    for found in (e.acceleration, e.angular_rate, e.raw.torque, e.motion.q[..., [0]]):
        assert (found[0, :, 0] == expected).all()


def test_speeds_of_feet_reach_the_loss_frame_by_frame(body):
    """From the signals through windows to what is compared, with a gradient to the speed of the root."""
    frames = len(body.signals.acceleration)
    count = torch.arange(frames * 7, dtype=torch.float64).reshape(frames, 7)
    signals = dataclasses.replace(body.signals, foot_speed=count)
    windows = windows_at(signals, FRAMES, torch.tensor([[20, 0, frames]]))
    decoder = Decoder(body.subject, None).double()
    outputs = torch.zeros(1, FRAMES, decoder.size, dtype=torch.float64, requires_grad=True)
    raw = decoder(outputs)
    e = loss_inputs(body.subject, body.dynamics, signals, body.constants, body.mounting, windows, raw)
    assert torch.equal(e.foot_speed[0], count[21 : 19 + FRAMES])
    (pull,) = torch.autograd.grad(term_value("foot_speed", e), outputs)
    assert pull.abs().max() > 0
    assert e.sensor_velocity[..., 0].min() > 0.9  # it starts forward, at 1 m/s, and turns nowhere
    assert windows.part(slice(3, None)).foot_speed.shape == (1, FRAMES - 3, 7)


def test_standing_still_costs_nothing_but_effort(standing):
    assert (standing.force_bw[..., 1] > 0.1).all() and float(
        standing.force_bw[..., 1].sum(-1)[0, 0]
    ) == pytest.approx(1)
    costly = {name: value_of(name, standing) for name in TERMS}
    effort = costly.pop("torque")
    assert 0 < effort < 1
    # It takes the lowest points for equal, and so knows nothing of moments.
    assert costly.pop("led_force") > 0
    assert costly == {name: pytest.approx(0, abs=1e-10) for name in costly}


def test_standing_forces_are_where_the_warm_start_leads(standing):
    """Four points of equal height share the weight equally; the pull to that is in 0.1 body weight."""
    shared = changed(standing, force_bw=lambda f: filled(f, (..., 1), 0.25))
    # Shared equally, the force is not where the moment wants it, but the sum is what the root misses.
    assert value_of("led_force", shared) == pytest.approx(0, abs=1e-10)
    off = changed(shared, force_bw=lambda f: f + filled(f, (..., 0, 0), 0.1) - filled(f, (..., 1, 0), 0.1))
    assert value_of("led_force", off) == pytest.approx(2 / 12)


def term_cases(e, spatial_model):
    """Return, for every term, inputs in which each scale of the table is met exactly once."""
    weight, moment = e.subject.body_weight, e.subject.moment_scale
    roles, ones = e.subject.roles, torch.ones_like
    actuated = list(roles.actuated)
    knee = e.subject.model.coordinate_names.index("knee_angle_r")
    high = e.subject.model.coordinates[knee].range[1] - losses.LIMIT_MARGIN_RAD
    only = {name: term.scale[0] for name, term in TERMS.items()}
    loaded = filled(e.force_bw, (..., 0, 1), 1.0)
    frames = torch.arange(e.force_bw.shape[1], dtype=torch.float64)
    rising = filled(e.force_bw, (..., 0, 1), only["force_change"] * frames * e.signals.step_s / 0.01)
    given = only["load_transfer"] * frames * e.signals.step_s / 0.01
    passing = filled(e.force_bw, (..., 0, 1), given) + filled(e.force_bw, (..., 2, 1), 1 - given)
    known = dataclasses.replace(e.signals, speed_m_s=2.0)
    sure = dataclasses.replace(
        e.signals, **dict.fromkeys(("acceleration_variance", "rate_variance"), torch.zeros(1))
    )
    nowhere = changed(e, force_bw=filled(e.force_bw, (..., 1), 0.25))
    led = changed(nowhere, force_bw=lambda f: f + filled(f, (..., 0, 0), only["led_force"]))
    first, second = TERMS["mounting"].scale
    mounting = Mounting(7).double()
    with torch.no_grad():
        mounting.rotation[2, 1], mounting.shift[4, 0] = first, second

    def off(tensor, scale):
        return tensor + scale

    fast = 2.0 * (1 + only["mean_speed"]) + only["mean_speed"]
    turn, lift = roles.root[0], roles.vertical
    sway = dataclasses.replace(e.motion, q=e.motion.q + filled(e.motion.q, (..., turn), only["trunk"]))
    bent = dataclasses.replace(e.motion, q=filled(e.motion.q, (..., knee), high + only["joint_limits"]))
    # At zero, all joints but the other knee are inside their ranges.
    bent.q[..., e.subject.model.coordinate_names.index("knee_angle_l")] = -0.5
    # The trunk has no sensor; by default it is upright on the pelvis.
    lumbar = e.subject.model.coordinate_names.index("lumbar_extension")
    slumped = filled(e.motion.q, (..., lumbar), only["unfelt_joints"])
    quick = dataclasses.replace(e.motion, u=filled(e.motion.u, (..., roles.forward), fast))
    climbing = dataclasses.replace(e.motion, u=filled(e.motion.u, (..., lift), only["vertical_consistency"]))
    rests = torch.ones(e.tau.shape[:2], dtype=torch.bool)
    forward = torch.tensor(e.subject.contact_in_default_posture[:, 0])
    free = dataclasses.replace(e.subject, model=spatial_model)
    aside = torch.zeros(*e.motion.q.shape[:2], len(spatial_model.coordinates), dtype=torch.float64)
    aside[..., spatial_model.coordinate_names.index("pelvis_rotation")] = -only["facing"]
    spread = dataclasses.replace(e.subject)
    # The legs of this model are hinges; a property that is kept is what its instance says it is.
    spread.__dict__["mirrored_turns"] = ((0, 1, -1.0), (0, 2, 1.0))
    uneven = filled(filled(e.motion.q, (..., 0), only["even_legs"]), (..., 1), only["even_legs"])
    return {
        # Two axes of acceleration and one of angular rate a sensor.
        "acceleration": (
            changed(e, signals=sure, predicted_acceleration=off(e.acceleration, only["acceleration"])),
            2,
        ),
        "angular_rate": (
            changed(e, signals=sure, predicted_rate=off(e.angular_rate, only["angular_rate"])),
            1,
        ),
        # Of nine means of two frames the one in the middle is of both signs.
        "trunk_rise": (
            rising_trunk(e, only["trunk_rise"] * torch.tensor([1.0, -1.0]).repeat_interleave(5)),
            8 / 9,
        ),
        "trunk_drive": (
            driven_trunk(e, free, only["trunk_drive"] * torch.tensor([1.0, -1.0]).repeat_interleave(5)),
            8 / 9,
        ),
        "inclination": (
            changed(
                e,
                up=filled(torch.zeros(1, 2, 7, 3, dtype=torch.float64), (..., 1), 1.0),
                predicted_up=filled(torch.zeros(1, 2, 7, 3, dtype=torch.float64), (..., 1), 1.0)
                + filled(torch.zeros(1, 2, 7, 3, dtype=torch.float64), (..., 0), only["inclination"]),
            ),
            1,
        ),
        "root_residual": (
            changed(
                e,
                tau=filled(e.tau, (..., turn), only["root_residual"] * moment)
                + filled(e.tau, (..., lift), only["root_residual"] * weight),
            ),
            2,
        ),
        "sideways_balance": (
            rolling_root(e, free, only["sideways_balance"] * torch.tensor([1.0, -1.0]).repeat_interleave(5)),
            8 / 9,
        ),
        "contact_height": (
            changed(
                e,
                force_bw=loaded,
                contact_position=filled(loaded, (..., slice(None), 1), only["contact_height"]),
            ),
            1,
        ),
        "contact_speed": (
            changed(
                e,
                force_bw=loaded,
                contact_velocity=filled(loaded, (..., slice(None), 0), only["contact_speed"]),
            ),
            1,
        ),
        "penetration": (changed(e, contact_position=filled(loaded, (..., 2, 1), -only["penetration"])), 1),
        "friction": (
            changed(e, force_bw=loaded + filled(loaded, (..., 0, 0), -losses.FRICTION - only["friction"])),
            1,
        ),
        # A mean over the four points, of which one changes.
        "force_change": (changed(e, force_bw=rising), 1),
        # A foot's point of force goes to and fro under a shank that stays upright.
        "rolling": (
            changed(
                e,
                force_bw=loaded,
                contact_position=filled(loaded, (..., 0, 0), only["rolling"] * (-1) ** frames),
                ankle_ahead=loaded[..., :2, 0],
                shank_lean=loaded[..., :2, 0],
            ),
            1,
        ),
        # One point gives what another takes, at a total of one body weight.
        "load_transfer": (changed(e, force_bw=passing), 2),
        "torque": (changed(e, tau=filled(e.tau, (..., actuated), only["torque"] * moment)), 1),
        "joint_limits": (changed(e, motion=bent), 1),
        "unfelt_joints": (changed(e, motion=dataclasses.replace(e.motion, q=slumped)), 1),
        "trunk": (changed(e, subject=without_root_sensor(e.subject), motion=sway), 1),
        "facing": (changed(e, subject=free, motion=dataclasses.replace(e.motion, q=aside)), 1),
        # Of two pairs one is even.
        "even_legs": (changed(e, subject=spread, motion=dataclasses.replace(e.motion, q=uneven)), 1),
        "mean_speed": (changed(e, signals=known, motion=quick), 1),
        # One foot is known to rest; the root of its speed and the scale, squared, is off by the scale.
        "foot_speed": (
            changed(
                e,
                sensor_velocity=lambda v: filled(0 * v, (..., 3, 0), 3**0.5 * only["foot_speed"]),
                foot_speed=filled(e.sensor_velocity[..., 0], (..., [0, 1, 2, 4, 5, 6]), torch.nan),
            ),
            1,
        ),
        "level_sole": (
            changed(
                e,
                subject=free,
                rests=rests[..., None].expand(*rests.shape, 7),
                contact_position=lambda p: filled(0 * p, (..., 1), only["level_sole"] * forward),
            ),
            1,
        ),
        # Two points a foot.
        "standing_load": (
            changed(
                e, still=rests, force_bw=lambda f: filled(f, (..., 1), (0.5 + only["standing_load"]) / 2)
            ),
            1,
        ),
        "standing_speed": (
            changed(
                e, still=rests, contact_velocity=lambda v: filled(0 * v, (..., 0), only["standing_speed"])
            ),
            1,
        ),
        "vertical_consistency": (changed(e, motion=climbing), 1),
        # A mean over the seven sensors, of which one is turned and one shifted.
        "mounting": (changed(e, mounting=mounting), 2 / 7),
        "torque_output": (
            changed(
                e,
                raw=dataclasses.replace(
                    e.raw, torque=e.tau[..., actuated] - only["torque_output"] * moment * ones(e.raw.torque)
                ),
            ),
            1,
        ),
        # A mean over twelve components, of which one pulls; each is led to a quarter of the sum.
        "led_force": (led, ((3 / 4) ** 2 + 3 * (1 / 4) ** 2) / 12),
    }


def other_sides(e, spatial_model):
    """Return inputs in which a term meets its scale in another direction than in `term_cases`, and its value.

    Among them motions that cost nothing, as a term is about means over a window, or about two quantities that
    go together.
    """
    only = {name: term.scale[0] for name, term in TERMS.items()}
    names, roles = e.subject.model.coordinate_names, e.subject.roles
    knee, lift = names.index("knee_angle_r"), roles.vertical
    low = e.subject.model.coordinates[knee].range[0] + losses.LIMIT_MARGIN_RAD
    loaded = filled(e.force_bw, (..., 0, 1), 1.0)
    straight = dataclasses.replace(e.motion, q=filled(e.motion.q, (..., knee), low - only["joint_limits"]))
    straight.q[..., names.index("knee_angle_l")] = -0.5
    seconds = e.signals.step_s * torch.arange(e.tau.shape[1], dtype=torch.float64)
    up = dataclasses.replace(
        e.motion, q=filled(e.motion.q, (..., lift), 0.3 * seconds), u=filled(e.motion.u, (..., lift), 0.3)
    )
    to_and_fro = 0.7 * torch.tensor([1.0, -1.0], dtype=torch.float64).repeat_interleave(len(seconds) // 2)
    swung = torch.zeros(*e.motion.q.shape[:2], len(spatial_model.coordinates), dtype=torch.float64)
    swung[..., spatial_model.coordinate_names.index("pelvis_rotation")] = to_and_fro
    paired = dataclasses.replace(e.subject)
    paired.__dict__["mirrored_turns"] = ((0, 1, 1.0),)
    known = filled(e.sensor_velocity[..., 0], (..., [0, 1, 2, 4, 5, 6]), torch.nan)
    rests = dataclasses.replace(e, foot_speed=known)
    of_foot = 3**0.5 * only["foot_speed"]
    return {
        "foot_speed, to the side": (
            changed(rests, sensor_velocity=lambda v: filled(0 * v, (..., 3, 2), of_foot)),
            1,
        ),
        "foot_speed, upward": (
            changed(rests, sensor_velocity=lambda v: filled(0 * v, (..., 3, 1), of_foot)),
            0,
        ),
        "friction, to the side": (
            changed(e, force_bw=loaded + filled(loaded, (..., 0, 2), losses.FRICTION + only["friction"])),
            1,
        ),
        "joint_limits, lower": (changed(e, motion=straight), 1),
        "contact_height, below": (
            changed(
                e,
                force_bw=loaded,
                contact_position=filled(loaded, (..., slice(None), 1), -TERMS["contact_height"].scale[1]),
            ),
            1,
        ),
        "vertical_consistency, both": (changed(e, motion=up), 0),
        "facing, to and fro": (
            changed(
                e,
                subject=dataclasses.replace(e.subject, model=spatial_model),
                motion=dataclasses.replace(e.motion, q=swung),
            ),
            0,
        ),
        "even_legs, to and fro": (
            changed(
                e,
                subject=paired,
                motion=dataclasses.replace(e.motion, q=filled(e.motion.q, (..., 0), to_and_fro)),
            ),
            0,
        ),
    }


@pytest.mark.parametrize(
    "case",
    [
        "foot_speed, to the side",
        "foot_speed, upward",
        "friction, to the side",
        "joint_limits, lower",
        "contact_height, below",
        "vertical_consistency, both",
        "facing, to and fro",
        "even_legs, to and fro",
    ],
)
def test_terms_are_right_on_their_other_sides(standing, spatial_model, case):
    inputs, value = other_sides(standing, spatial_model)[case]
    assert value_of(case.split(",")[0], inputs) == pytest.approx(value, abs=1e-7)  # rounded off at rest


def test_toes_that_move_stand_with_their_foot(standing):
    """Each foot carries half, most of it by the heel."""
    still = torch.ones(standing.tau.shape[:2], dtype=torch.bool)
    subject = dataclasses.replace(standing.subject)
    bodies = ("calcn_r", "toes_r", "calcn_l", "toes_l")
    subject.__dict__.update(feet=bodies, feet_with_toes=("calcn_r", "calcn_r", "calcn_l", "calcn_l"))
    load = torch.tensor([0.4, 0.1, 0.4, 0.1], dtype=torch.float64)
    inputs = changed(standing, subject=subject, still=still, force_bw=lambda f: filled(f, (..., 1), load))
    assert value_of("standing_load", inputs) == pytest.approx(0, abs=1e-12)


def test_ranges_that_are_none_limit_nothing_and_ends_are_told_apart(walker):
    def ranges(written):
        coordinates = tuple(
            dataclasses.replace(c, range=written) if c.name == "knee_angle_r" else c
            for c in walker.subject.model.coordinates
        )
        model = dataclasses.replace(walker.subject.model, coordinates=coordinates)
        subject = dataclasses.replace(walker.subject, model=model)
        k = [model.coordinate_names[i] for i in subject.roles.actuated].index("knee_angle_r")
        return BodyConstants.of(subject, torch.float64).joint_range[:, k].tolist()

    assert ranges((-1.0, 2.0)) == ranges((2.0, -1.0)) == [-1.0, 2.0]
    assert ranges((0.0, 0.0)) == [-np.inf, np.inf]


def rising_trunk(e, more, body="pelvis", turned=0.0):
    """Return inputs at 20 Hz whose sensor on a body reads so much less along its y axis than it should.

    Parameters
    ----------
    more : (frames,) Tensor
        m/s^2.
    turned : float
        From up to the axis along which it is, rad.
    """
    k = [frame.body for frame in e.subject.functions.imu_frames].index(body)
    along = torch.zeros(7, 3, dtype=torch.float64)
    along[k, 0], along[k, 1] = np.sin(turned), np.cos(turned)
    read = e.acceleration + more[:, None] * along[e.signals.acceleration_channels]
    up = filled(torch.zeros(1, len(more), 7, 3, dtype=torch.float64), (..., 1), 1.0)
    signals = dataclasses.replace(e.signals, step_s=0.05, runs=False)
    return changed(e, signals=signals, predicted_acceleration=read, predicted_up=up)


def driven_trunk(e, in_space, more, axis=0):
    """Return inputs at 20 Hz whose upright sensors read nothing, the pelvis' but so much more along one axis.

    Parameters
    ----------
    in_space : Subject
        Of a model that leaves the plane.
    more : (frames,) Tensor
        m/s^2.
    """
    k = [frame.body for frame in e.subject.functions.imu_frames].index("pelvis")
    worn, read = torch.ones(7, 3, dtype=torch.bool), torch.zeros(1, len(more), 7, 3, dtype=torch.float64)
    signals = dataclasses.replace(e.signals, step_s=0.05, runs=False, acceleration_channels=worn)
    return changed(
        e,
        subject=in_space,
        signals=signals,
        acceleration=read.flatten(-2),
        predicted_acceleration=filled(read, (..., k, axis), more).flatten(-2),
        predicted_up=filled(read, (..., 1), 1.0),
    )


def rolling_root(e, in_space, more, name="pelvis_list"):
    """Return inputs at 20 Hz in which a coordinate of the root is held by so much.

    Parameters
    ----------
    in_space : Subject
        Of a model that leaves the plane.
    more : (frames,) Tensor
        Of body weight times height.
    """
    coordinates = in_space.model.coordinate_names
    tau = torch.zeros(1, len(more), len(coordinates), dtype=torch.float64)
    held = filled(tau, (..., coordinates.index(name)), more * in_space.moment_scale)
    signals = dataclasses.replace(e.signals, step_s=0.05, runs=False)
    return changed(e, subject=in_space, signals=signals, tau=held)


def running(e):
    return changed(e, signals=dataclasses.replace(e.signals, runs=True))


def without_root_sensor(subject):
    frames = tuple(frame for frame in subject.functions.imu_frames if frame.body != "pelvis")
    assert len(frames) == len(subject.functions.imu_frames) - 1
    return dataclasses.replace(subject, functions=dataclasses.replace(subject.functions, imu_frames=frames))


def test_a_sensor_on_the_pelvis_knows_better_than_the_prior_how_it_leans(standing):
    leaning = dataclasses.replace(standing.motion, q=standing.motion.q + 0.3)
    assert value_of("trunk", changed(standing, motion=leaning)) == 0.0
    bare = without_root_sensor(standing.subject)
    assert value_of("trunk", changed(standing, subject=bare, motion=leaning)) > 1.0


def test_the_trunk_rises_as_slowly_as_its_sensor_says(standing):
    """What shakes a sensor does not count, nor its offset, nor what is not upward, nor what a leg feels."""
    slow = 3.0 * torch.sin(torch.arange(10) * 0.6)
    assert value_of("trunk_rise", rising_trunk(standing, slow)) > 3.0
    shaking = 5.0 * torch.tensor([1.0, -1.0]).repeat(5)
    for nothing in (
        rising_trunk(standing, shaking),
        rising_trunk(standing, torch.full((10,), 5.0)),
        rising_trunk(standing, slow, turned=torch.pi / 2),
        rising_trunk(standing, slow, body="femur_r"),
        running(rising_trunk(standing, slow)),
    ):
        assert value_of("trunk_rise", nothing) == pytest.approx(0, abs=1e-12)


def test_the_pelvis_does_not_tilt_for_the_sake_of_its_rise(standing):
    """Its sensor reads forward accelerations upward as it is inclined; that is no reason to incline it."""
    angle = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    slow = 3.0 * torch.sin(torch.arange(10) * 0.6)
    still = rising_trunk(standing, slow)
    turn = torch.stack([torch.stack([angle.cos(), angle.sin()]), torch.stack([-angle.sin(), angle.cos()])])
    inclined = changed(
        still,
        predicted_up=torch.cat([still.predicted_up[..., :2] @ turn, still.predicted_up[..., 2:]], dim=-1),
        predicted_acceleration=(still.predicted_acceleration.unflatten(-1, (7, 2)) @ turn).flatten(-2),
    )
    (pull,) = torch.autograd.grad(term_value("trunk_rise", inclined), angle)
    assert pull.item() == pytest.approx(0, abs=1e-12)


def test_the_drive_of_the_trunk_is_level_and_no_tilt_makes_it_better(standing, spatial_model):
    """Upward it is up to `trunk_rise`; a pelvis that only tilts feels gravity, and is not pulled."""
    free = dataclasses.replace(standing.subject, model=spatial_model)
    more = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat_interleave(5)
    assert value_of("trunk_drive", driven_trunk(standing, free, more, axis=1)) == pytest.approx(0, abs=1e-20)
    assert value_of("trunk_drive", driven_trunk(standing, free, more, axis=2)) == pytest.approx(8 / 9)
    assert value_of("trunk_drive", running(driven_trunk(standing, free, more))) == 0.0
    driven = driven_trunk(standing, free, more)
    assert value_of("trunk_drive", changed(driven, subject=standing.subject)) == 0.0
    angle = torch.zeros(10, dtype=torch.float64, requires_grad=True)
    up = torch.stack([angle.sin(), angle.cos(), 0 * angle], dim=-1)[:, None].expand(10, 7, 3)
    tilting = changed(
        driven, predicted_up=up[None], predicted_acceleration=lambda f: f + 9.80665 * up.flatten(-2)
    )
    (pull,) = torch.autograd.grad(term_value("trunk_drive", tilting), angle)
    assert float(np.linalg.norm(spatial_model.gravity)) == 9.80665
    assert pull.abs().max() == pytest.approx(0, abs=1e-12)


def test_balance_sideways_is_slow_frontal_and_of_walking(standing, spatial_model):
    """A trunk that leans to one side throughout does not count, nor what shakes, nor other moments."""
    free = dataclasses.replace(standing.subject, model=spatial_model)
    slow = torch.tensor([0.04, -0.04], dtype=torch.float64).repeat_interleave(5)
    assert value_of("sideways_balance", rolling_root(standing, free, slow)) == pytest.approx(4 * 8 / 9)
    for nothing in (
        rolling_root(standing, free, slow, "pelvis_tilt"),
        rolling_root(standing, free, slow, "pelvis_rotation"),
        rolling_root(standing, free, torch.full((10,), 0.02)),
        rolling_root(standing, free, torch.tensor([0.02, -0.02]).repeat(5)),
        running(rolling_root(standing, free, slow)),
    ):
        assert value_of("sideways_balance", nothing) == pytest.approx(0, abs=1e-12)
    in_the_plane = changed(standing, tau=standing.tau + standing.subject.moment_scale)
    assert value_of("sideways_balance", in_the_plane) == 0.0


def test_who_wears_no_sensor_upward_on_the_trunk_is_not_asked_how_it_rises(standing):
    worn = standing.signals.acceleration_channels.clone()
    worn[[frame.body for frame in standing.subject.functions.imu_frames].index("pelvis"), 1] = False
    kept = worn[standing.signals.acceleration_channels]
    blind = changed(
        standing,
        signals=dataclasses.replace(standing.signals, acceleration_channels=worn),
        acceleration=standing.acceleration[..., kept],
        predicted_acceleration=standing.acceleration[..., kept] + 5.0 * torch.sin(torch.arange(10))[:, None],
    )
    assert value_of("trunk_rise", blind) == 0.0


def test_soles_are_level_where_their_own_sensor_rests(standing, spatial_model):
    """A foot that is tilted costs nothing in the air, nor does a sensor that rests on no foot."""
    subject, tilt = standing.subject, TERMS["level_sole"].scale[0]
    bodies = [frame.body for frame in subject.functions.imu_frames]
    on_right = torch.tensor([foot == "foot_r" for foot in subject.feet])
    forward = torch.tensor(subject.contact_in_default_posture[:, 0])
    tilted = changed(
        standing,
        subject=dataclasses.replace(subject, model=spatial_model),
        contact_position=lambda p: filled(0 * p, (..., 1), tilt * forward * on_right),
    )
    frames = tilted.tau.shape[1]
    cost = {}
    for body in ("foot_r", "foot_l", "tibia_r"):
        rests = torch.zeros(1, frames, len(bodies), dtype=torch.bool)
        rests[:, : frames // 2, bodies.index(body)] = True
        cost[body] = value_of("level_sole", changed(tilted, rests=rests))
    # One of two feet, half of the time.
    assert cost == {"foot_r": pytest.approx(0.25), "foot_l": pytest.approx(0, abs=1e-20), "tibia_r": 0.0}
    assert value_of("level_sole", tilted) == 0.0
    everywhere = torch.ones(1, frames, len(bodies), dtype=torch.bool)
    assert value_of("level_sole", changed(tilted, subject=subject, rests=everywhere)) == 0.0


def test_joints_beyond_the_last_sensor_are_unfelt(standing):
    subject = standing.subject
    names = subject.model.coordinate_names
    frames = tuple(f for f in subject.functions.imu_frames if f.body.startswith(("femur", "tibia_r")))
    bare = dataclasses.replace(subject, functions=dataclasses.replace(subject.functions, imu_frames=frames))
    assert [names[i] for i in subject.unfelt] == ["lumbar_extension"]
    assert {names[i] for i in bare.unfelt} == {
        "lumbar_extension",
        "ankle_angle_r",
        "ankle_angle_l",
        "knee_angle_l",
    }


def test_every_row_has_its_function():
    assert losses.FUNCTIONS.keys() == TERMS.keys()


@pytest.mark.parametrize("name", TERMS)
def test_a_term_is_one_at_its_scale(name, standing, spatial_model):
    case, expected = term_cases(standing, spatial_model)[name]
    assert value_of(name, case) == pytest.approx(expected, rel=1e-6)


def test_terms_of_load_forgive_what_carries_none(standing):
    flying = changed(
        standing,
        force_bw=lambda f: 0 * f,
        contact_position=lambda p: p + 0.3,
        contact_velocity=lambda v: v + 2.0,
    )
    names = ("contact_height", "contact_speed", "penetration", "friction", "force_change", "load_transfer")
    assert {name: value_of(name, flying) for name in names} == {
        name: pytest.approx(0, abs=1e-7) for name in names
    }


def test_a_foot_that_rolls_over_its_toes_stands(standing):
    """A point that moves as its foot turns about a place ahead costs a quarter of one that slides."""
    toe = standing.subject.functions.contact_points.index("toe_r")
    heel = standing.subject.functions.contact_points.index("heel_r")
    assert standing.constants.farthest_on_foot[toe] == heel
    places = standing.contact_position[0, 0, :, 0].detach()
    length = float(abs(places[toe] - places[heel]))
    rate, ahead = 6.0, 0.05

    def cost(heel_speed, toe_speed):
        velocity = torch.zeros_like(standing.contact_velocity)
        velocity[..., heel, 1], velocity[..., toe, 1] = heel_speed, toe_speed
        load = filled(standing.force_bw, (..., toe, 1), 1.0)
        return value_of("contact_speed", changed(standing, force_bw=load, contact_velocity=velocity))

    slides = cost(rate * ahead, rate * ahead)
    assert slides == pytest.approx((rate * ahead / 0.2) ** 2)
    rolls = cost(rate * (length + ahead), rate * ahead)
    assert rolls == pytest.approx((rate * ahead) ** 2 / (0.2**2 + (0.1 * rate) ** 2))
    assert rolls < slides / 4


def test_load_that_rises_on_one_foot_alone_is_not_passed_on(standing):
    """Running lands on one foot: its force changes, but no other point gives or takes."""
    rising = torch.linspace(0, 2.5, standing.force_bw.shape[1], dtype=torch.float64)[None, :, None]
    one = filled(standing.force_bw, (..., [0, 1], 1), 1.0) * rising[..., None]
    assert value_of("force_change", changed(standing, force_bw=one)) > 1.0
    assert value_of("load_transfer", changed(standing, force_bw=one)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", ["force_change", "load_transfer"])
def test_it_does_not_matter_into_how_many_points_a_foot_is_divided(name, standing):
    """A front point in two that share its load; a load half-way that acts as heel and front together do."""
    e, names = standing, standing.subject.functions.contact_points
    heel, toe = names.index("heel_r"), names.index("toe_r")
    moving = filled(e.force_bw, (..., heel, 1), 0.5) + filled(e.force_bw, (..., toe, 1), 0.5)
    growing = torch.linspace(0, 1, e.force_bw.shape[1], dtype=torch.float64) ** 2
    moving = moving * growing[None, :, None, None]
    resting = torch.zeros_like(e.force_bw)
    resting[..., names.index("toe_l"), 1] = 1.0 - moving[..., 1].sum(-1)
    own = changed(e, force_bw=moving + resting)
    levers = e.constants.levers
    assert torch.equal(levers, torch.eye(4, dtype=torch.float64)[[heel, toe, 2, 3]]), "two points are kept"

    def divided(columns, force):
        constants = dataclasses.replace(e.constants, levers=torch.cat([levers, columns], dim=1))
        return changed(own, constants=constants, force_bw=force)

    twin = (moving + resting).clone()
    twin[..., toe, :] /= 2
    halves = divided(levers[:, [toe]], torch.cat([twin, twin[..., [toe], :]], dim=-2))
    middle = (levers[:, [heel]] + levers[:, [toe]]) / 2
    alone = divided(middle, torch.cat([resting, moving[..., [heel], :] * 2], dim=-2))
    assert value_of(name, own) > 1e-3
    assert value_of(name, halves) == pytest.approx(value_of(name, own), rel=1e-12)
    assert value_of(name, alone) == pytest.approx(value_of(name, own), rel=1e-12)


def test_the_sensors_of_a_known_person_are_expected_where_they_were():
    """A slip by a fifth of the usual deviations costs as much as the whole of them from a stated place."""
    found = {name: torch.randn(7, 3, dtype=torch.float64) for name in ("rotation", "shift")}
    mounting, prior = Mounting(7).double(), TERMS["mounting"]
    mounting.expect(found)
    e = SimpleNamespace(mounting=mounting)
    assert torch.equal(mounting.rotation, found["rotation"]) and term_value("mounting", e) == 0.0
    with torch.no_grad():
        mounting.rotation[2, 1] += 0.2 * prior.scale[0]
        mounting.shift[4, 0] += 0.2 * prior.scale[1]
    assert term_value("mounting", e).item() == pytest.approx(2 / 7)


def test_a_turned_sensor_is_explained_by_its_mounting(standing, body):
    """Signals of a sensor turned by a small angle are met exactly once the mounting has that angle."""
    angle = 0.2
    mounting = Mounting(7).double()
    with torch.no_grad():
        mounting.rotation[:, 2] = angle
    turned = torch.tensor([1.0, 0.0, 0.0] * 7, dtype=torch.float64) @ mounting.axes()
    expected = torch.tensor([np.cos(angle), -np.sin(angle), 0.0] * 7)
    np.testing.assert_allclose(turned.detach(), expected, atol=1e-12)


@pytest.mark.parametrize("size", [0.0, 0.1, 3.0])
def test_the_turn_of_a_mounting_is_a_matrix_exponential_and_so_is_its_gradient(size):
    """Also where nothing is turned yet: there every training begins."""
    torch.manual_seed(4)
    mounting, vectors = Mounting(3).double(), torch.randn(5, 3, 3, dtype=torch.float64)
    with torch.no_grad():
        mounting.rotation.copy_(size * functional.normalize(torch.randn(3, 3), dim=-1))
    x, y, z = mounting.rotation.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).reshape(-1, 3, 3)
    expected = torch.einsum("kji,nkj->nki", torch.linalg.matrix_exp(skew), vectors).flatten(1)
    found = vectors.flatten(1) @ mounting.axes()
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    gradients = [torch.autograd.grad(o.sin().sum(), mounting.rotation)[0] for o in (found, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-10)


def test_heights_count_from_the_floor(body):
    """The same outputs mean the same motion on a raised floor, and cost the same."""
    (floor,) = body.subject.model.half_spaces
    torch.manual_seed(2)
    outputs = torch.randn(1, FRAMES, Decoder(body.subject, None).size, dtype=torch.float64)
    windows = Windows(
        body.signals.acceleration[None, :FRAMES], body.signals.angular_rate[None, :FRAMES], outputs
    )
    costs = []
    for floor_m in (0.0, 0.4):
        half_spaces = (dataclasses.replace(floor, location=(0.0, floor_m, 0.0)),)
        model = dataclasses.replace(body.subject.model, half_spaces=half_spaces)
        subject = dataclasses.replace(body.subject, model=model)
        raw = Decoder(subject, None).double()(outputs)
        e = loss_inputs(
            subject,
            body.dynamics,
            body.signals,
            body.constants,
            body.mounting,
            windows,
            raw,
        )
        costs.append({name: value_of(name, e) for name in TERMS})
    assert costs[0]["contact_height"] > 0.01
    # Single precision holds the standing height.
    assert costs[1] == {name: pytest.approx(value, rel=1e-4) for name, value in costs[0].items()}


def test_an_unknown_speed_is_no_evidence(standing):
    assert standing.signals.speed_m_s is None and value_of("mean_speed", standing) == 0.0


def test_the_known_speed_is_that_of_walking(standing):
    known = dataclasses.replace(standing.signals, speed_m_s=1.3)
    still = dataclasses.replace(standing, signals=known)
    assert value_of("mean_speed", still) > 1.0
    batch = len(still.tau)
    assert value_of("mean_speed", dataclasses.replace(still, on_the_way=torch.zeros(batch).bool())) == 0.0
    whole = dataclasses.replace(still, on_the_way=torch.ones(batch).bool())
    assert value_of("mean_speed", whole) == value_of("mean_speed", still)


def test_a_window_with_standing_does_not_pull_the_speed_of_the_others(standing):
    """Of two windows one stands and one walks at the known speed."""
    u = standing.motion.u
    walks = filled(u, (..., standing.subject.roles.forward), 1.3)
    both = dataclasses.replace(
        standing,
        motion=dataclasses.replace(standing.motion, u=torch.cat([u, walks])),
        signals=dataclasses.replace(standing.signals, speed_m_s=1.3),
    )
    only = [dataclasses.replace(both, on_the_way=torch.tensor(on)) for on in ((False, True), (True, False))]
    assert value_of("mean_speed", only[0]) == pytest.approx(0.0, abs=1e-12)
    assert value_of("mean_speed", only[1]) == pytest.approx(2 * value_of("mean_speed", both)) != 0


def test_only_who_stands_still_is_asked_to(standing):
    """A foot that carries all and moves is wrong in the frames of standing alone."""
    load, velocity = torch.zeros_like(standing.force_bw), torch.ones_like(standing.contact_velocity)
    load[..., 0, 1] = 1.0
    moving = dataclasses.replace(standing, force_bw=load, contact_velocity=velocity)
    rests = torch.zeros(standing.tau.shape[:2], dtype=torch.bool)
    for name in ("standing_load", "standing_speed"):
        assert value_of(name, moving) == value_of(name, dataclasses.replace(moving, still=rests)) == 0.0
        whole = value_of(name, dataclasses.replace(moving, still=~rests))
        half = rests.clone()
        half[:, ::2] = True
        share = float(half.float().mean())
        assert value_of(name, dataclasses.replace(moving, still=half)) == pytest.approx(share * whole)
        assert whole > 1.0


def test_weights_replace_defaults_by_name():
    found = weights({"trunk": 0.0, "torque": 3.5})
    assert found == {name: term.weight for name, term in TERMS.items()} | {"trunk": 0.0, "torque": 3.5}


def test_an_unknown_weight_is_refused_with_the_nearest():
    with pytest.raises(InputError, match="'contact_hight'") as error:
        weights({"contact_hight": 1.0})
    assert "contact_height" in error.value.fix and "weights" in error.value.where


def test_the_gradient_of_the_whole_loss_is_that_of_finite_differences(body):
    """Through decoder, derivatives, compiled dynamics and every term, along random directions.

    Some terms are left out, which hold something constant on purpose: that of the output torques and that
    which leads forces what the motion needs, the speed of contact how fast a foot turns, rolling how it is
    loaded, the rise of the trunk how it leans. Others are zero here: most are of bodies that leave the plane.
    """
    frames = 40  # what is averaged over a tenth of a second is not all there is
    constant = {"torque_output", "contact_speed", "led_force", "trunk_rise", "rolling"}
    none = {"inclination", "sideways_balance", "trunk_drive", "facing", "even_legs", "level_sole"}
    none |= {"standing_load", "standing_speed", "foot_speed", "trunk"}
    torch.manual_seed(0)
    subject, signals = body.subject, body.signals
    decoder, mounting = Decoder(subject, signals.speed_m_s).double(), Mounting(7).double()
    windows = Windows(
        signals.acceleration[None, :frames], signals.angular_rate[None, :frames], torch.zeros(1, frames, 1)
    )
    start, end = 0.3 * torch.randn(2, decoder.size, dtype=torch.float64)
    share = torch.linspace(0, 0.2, frames, dtype=torch.float64)[:, None]
    outputs = (start + share * (end - start))[None].requires_grad_()
    unknowns = [outputs, mounting.rotation, mounting.shift]
    with torch.no_grad():
        for unknown in unknowns[1:]:
            unknown.add_(0.1 * torch.randn_like(unknown))

    def loss():
        raw = decoder(outputs)
        e = loss_inputs(subject, body.dynamics, signals, body.constants, mounting, windows, raw)
        found = {name: weights({})[name] * term_value(name, e) for name in TERMS if name not in constant}
        assert {name for name, value in found.items() if not value} == none
        return sum(found.values())

    def after(directions, length):
        with torch.no_grad():
            for unknown, direction in zip(unknowns, directions, strict=True):
                unknown.add_(length * direction)
            total = float(loss())
            for unknown, direction in zip(unknowns, directions, strict=True):
                unknown.sub_(length * direction)
        return total

    gradients = torch.autograd.grad(loss(), unknowns)
    for _ in range(3):
        directions = [torch.randn_like(unknown) for unknown in unknowns]
        slope = sum(float((g * d).sum()) for g, d in zip(gradients, directions, strict=True))
        # Short enough that hardly a frame crosses the bend of a one-sided term.
        h = 1e-6
        assert slope == pytest.approx((after(directions, h) - after(directions, -h)) / (2 * h), rel=1e-6)


def test_no_term_left_is_refused():
    with pytest.raises(InputError, match="nothing to learn"):
        weights(dict.fromkeys(TERMS, 0.0))


def test_rates_of_legs_are_loose_about_all_axes_but_the_one_to_the_right(body, standing):
    """Only in space: the walker's sensors feel that one axis alone, and its pelvis is no leg."""
    frames = body.subject.functions.imu_frames
    names = [frame.body.split("_")[0] for frame in frames]
    for name, loose in zip(names, body.subject.turned_by_tissue.tolist(), strict=True):
        assert loose == ([False] * 3 if name == "pelvis" else [True, True, False])
    floor, across = TERMS["angular_rate"].scale
    all_axes = torch.ones(7, 3, dtype=torch.bool)
    signals = dataclasses.replace(
        standing.signals, rate_channels=all_axes, rate_variance=torch.zeros(21, dtype=torch.float64)
    )
    felt = torch.zeros(1, 4, 21, dtype=torch.float64)
    thigh = 3 * names.index("femur")
    for axis, allowed in enumerate((across, across, floor)):
        off = filled(felt, (..., thigh + axis), allowed)
        e = dataclasses.replace(standing, signals=signals, angular_rate=felt, predicted_rate=off)
        assert value_of("angular_rate", e) == pytest.approx(1 / 7)


def test_up_is_unknown_in_the_plane_and_of_a_sensor_without_a_filter(body, standing):
    assert body.signals.up is None and value_of("inclination", standing) == 0.0
    up = filled(torch.zeros(1, 2, 7, 3, dtype=torch.float64), (..., 1), 1.0)
    blind = up.clone()
    blind[..., 2, :] = torch.nan
    e = dataclasses.replace(standing, up=blind, predicted_up=filled(up, (..., 0), 0.1))
    assert value_of("inclination", e) == pytest.approx(6 / 7 * (0.1**2 + 1.0) / 0.05**2)


#: Of a term: central differences of a motion of 1 and 2 Hz at 60 Hz miss (2 pi f dt)^2 / 6, 0.7 % of a speed
#: and twice that of its square; differences from frame to frame leave out one frame of sixty, 1.7 %.
SAME_TERM = 0.035


@pytest.fixture(scope="module")
def inputs_at(body):
    """Return a function: rate to the loss inputs of a period of one smooth motion with forces, sampled so."""
    subject, size = body.subject, Decoder(body.subject, None).size
    chance = np.random.default_rng(7)
    once, twice, phase = chance.normal(size=(3, size))

    def found(rate_hz):
        signals = dataclasses.replace(body.signals, step_s=1 / rate_hz, speed_m_s=1.2)
        time_s = np.arange(-1, rate_hz + 1)[:, None] / rate_hz  # the frames that are scored are one period
        outputs = once * np.sin(2 * np.pi * time_s + phase) + 0.3 * twice * np.sin(4 * np.pi * time_s)
        raw = Decoder(subject, 1.2).double()(torch.tensor(outputs)[None])
        recorded = [torch.zeros(1, len(time_s), n, dtype=torch.float64) for n in (14, 7, 1)]
        windows = Windows(*recorded, still=torch.ones(1, len(time_s), dtype=torch.bool))
        given = (signals, body.constants, body.mounting, windows, raw)
        return loss_inputs(subject, body.dynamics, *given)

    return found


@pytest.mark.parametrize("rate_hz", [60, 250, 500, 1000])
def test_terms_do_not_depend_on_the_sampling_rate(inputs_at, rate_hz):
    """One motion at several rates: the same loss, whatever number of frames it is the mean of."""
    usual, found = ({name: value_of(name, inputs_at(rate)) for name in TERMS} for rate in (100, rate_hz))
    told = "acceleration angular_rate root_residual contact_speed force_change load_transfer torque led_force"
    assert all(usual[name] > 1e-6 for name in (*told.split(), "vertical_consistency")), usual
    assert found == {name: pytest.approx(value, rel=SAME_TERM) for name, value in usual.items()}


def test_load_is_led_as_slowly_at_any_rate(inputs_at):
    """From one point to the next within 70 ms, up to a frame at 100 Hz; at 1000 Hz seven frames are 7 ms."""
    found = {}
    for rate_hz in (100, 250, 500, 1000):
        e = inputs_at(rate_hz)
        lower = torch.zeros_like(e.force_bw)
        lower[:, : rate_hz // 2, 0, 1] = lower[:, rate_hz // 2 :, 1, 1] = 1.0
        still = changed(e, tau=torch.zeros_like(e.tau), force_bw=lower, contact_position=1.0 - lower)
        found[rate_hz] = value_of("led_force", still)
    assert found == {rate_hz: pytest.approx(found[100], rel=0.1) for rate_hz in found}


def test_a_training_that_no_sensor_speaks_to_is_refused():
    assert weights({"acceleration": 0.0})["angular_rate"] > 0
    with pytest.raises(InputError, match="compares the motion with the sensors"):
        weights({"acceleration": 0.0, "angular_rate": 0.0})


def rolling_leg(e, point_ahead, lean):
    """Return inputs of a right foot that carries the body while its shank leans, its ankle at zero."""
    load = filled(e.force_bw, (..., 0, 1), 1.0)
    upright = torch.zeros_like(load[..., :2, 0])
    return changed(
        e,
        force_bw=load,
        contact_position=filled(load, (..., 0, 0), point_ahead),
        ankle_ahead=upright,
        shank_lean=filled(upright, (..., 0), lean),
    )


def test_a_force_that_rolls_along_any_circle_costs_nothing(standing):
    lean = torch.linspace(-0.3, 0.3, standing.force_bw.shape[1], dtype=torch.float64)
    for height, centre in ((0.2, 0.0), (0.3, 0.05), (0.0, -0.02)):
        on_circle = rolling_leg(standing, height * lean.sin() + centre, lean)
        assert value_of("rolling", on_circle) == pytest.approx(0, abs=1e-12)
    waiting = rolling_leg(standing, torch.where(lean < 0, -0.05, 0.15).double(), lean)
    assert value_of("rolling", waiting) > 1
    # Behind the heel's rise nothing rolls: the same jump costs nothing there.
    raised = rolling_leg(standing, torch.where(lean < 0, -0.05, 0.15).double(), lean + 1.0)
    assert value_of("rolling", raised) == 0
    still = torch.ones(waiting.tau.shape[:2], dtype=torch.bool)
    assert value_of("rolling", changed(waiting, still=still)) == 0


def test_only_who_walks_in_the_plane_rolls(body, spatial_model):
    walks, runs = stand(body, runs=False), stand(body, runs=True)
    assert walks.ankle_ahead.shape == walks.shank_lean.shape == (*walks.tau.shape[:2], 2)
    assert runs.ankle_ahead is None and value_of("rolling", runs) == 0
    assert dataclasses.replace(body.subject, model=spatial_model).shanks == ()
