"""A body that turns: what losses see of it in the walking frame is what happens in ground."""

import numpy as np
import pytest
import torch

from sspinn_opensim.estimation.inference.path import Remembered, in_ground, path_function
from sspinn_opensim.training.loss_inputs import BodyConstants, loss_inputs
from sspinn_opensim.training.loss_terms import TERMS
from sspinn_opensim.training.losses import term_value
from sspinn_opensim.training.motion import Decoder, RawMotion, differentiate
from sspinn_opensim.training.mounting import Mounting
from sspinn_opensim.training.signals import Windows, make_signals
from sspinn_opensim.training.subject import make_subject

STEP_S, FRAMES = 1e-3, 400


@pytest.fixture(scope="module")
def subject(spatial_model, walker):
    return make_subject(spatial_model, walker.recording, {}, height_m=1.8)


@pytest.fixture(scope="module")
def raw(subject):
    """Return a motion in the walking frame that leaves no number at rest, with forces on the feet."""
    roles, time_s = subject.roles, STEP_S * np.arange(FRAMES)
    random = np.random.default_rng(3)

    def waves(mean, size, count):
        w, phase = random.uniform(3.0, 8.0, (2, count))
        return np.broadcast_to(mean, count) + size * np.sin(np.outer(time_s, w) + phase)

    points = len(subject.functions.contact_points)
    numbers = (
        waves(0.0, 0.3, len(roles.posture)),
        waves([1.2, 0.0, 0.1], 0.2, 3),
        waves(0.9, 0.02, 1),
        waves(2.0, 0.8, 1),
        waves(150.0, 100.0, 3 * points).reshape(FRAMES, points, 3),
        waves(0.0, 20.0, len(roles.actuated)),
    )
    return RawMotion(*(torch.tensor(x)[None] for x in numbers))


def in_the_frame(subject, raw):
    """Return the dynamics as the losses see them, by name, (frames - 2, ...)."""
    motion = differentiate(raw, subject, STEP_S)
    return answers(subject, *(x[0].numpy() for x in vars(motion).values()), raw.force[0, 1:-1].numpy())


def answers(subject, q, u, udot, force):
    found = subject.dynamics(
        q=q.T,
        u=u.T,
        udot=udot.T,
        contact_force=force.reshape(len(force), -1).T,
        sensor_position=subject.sensor_position,
        parameters=subject.functions.parameters,
    )
    return {name: np.array(value).T for name, value in found.items()}


@pytest.mark.parametrize("start", [0.0, 1.0, np.pi, -7.5])
def test_losses_see_what_happens_in_ground_whatever_the_heading(subject, raw, start):
    """Heading and path integrated from any start, the coordinates in ground differentiated there.

    Both sides are central differences; at up to 8 rad/s and 1 ms each is off by (8e-3)^2 / 6 = 1e-5 of what
    changes, in ground by that of products too.
    """
    path, before = path_function(subject, STEP_S, follows=False), np.zeros(Remembered.SIZE)
    heading, place = np.zeros(FRAMES), np.zeros((FRAMES, 3))
    for k in range(FRAMES):
        given = {"velocity": raw.velocity[0, k].numpy(), "yaw_rate": raw.yaw_rate[0, k].numpy()}
        found = path(before=before, **given)
        before, heading[k], place[k] = found["after"], float(found["heading"]), found["place"].full().ravel()
    heading, place = heading + start, in_ground(place, np.full(FRAMES, start))
    told = np.zeros((FRAMES, len(subject.model.coordinates)))
    told[:, list(subject.roles.posture)] = raw.posture[0]
    told[:, subject.roles.vertical] = raw.height[0, :, 0]
    q = subject.heading.turned(told, heading)
    q[:, list(subject.roles.steps)[::2]] = place[:, ::2]
    # The vertical velocity is an output of its own, and so are the accelerations of the root's velocity.
    velocity = in_ground(raw.velocity[0].numpy(), heading)
    u = (q[2:] - q[:-2]) / (2 * STEP_S)
    udot = (q[2:] - 2 * q[1:-1] + q[:-2]) / STEP_S**2
    steps = list(subject.roles.steps)
    np.testing.assert_allclose(u[:, steps[::2]], velocity[1:-1, ::2], atol=1e-4)
    u[:, steps], udot[:, steps] = velocity[1:-1], (velocity[2:] - velocity[:-2]) / (2 * STEP_S)
    force, inner = in_ground(raw.force[0].numpy(), heading)[1:-1], heading[1:-1]
    ground, seen = answers(subject, q[1:-1], u, udot, force), in_the_frame(subject, raw)

    def close(found, expected):
        np.testing.assert_allclose(found, expected, rtol=0, atol=3e-5 * np.abs(expected).max())

    for name in ("imu_acceleration", "imu_angular_rate"):
        close(seen[name], ground[name])
    joints = list(subject.roles.actuated)
    close(seen["tau"][:, joints], ground["tau"][:, joints])
    close(in_ground(seen["tau"][:, steps], inner), ground["tau"][:, steps])
    points = (FRAMES - 2, -1, 3)
    close(
        in_ground(seen["contact_velocity"].reshape(points), inner), ground["contact_velocity"].reshape(points)
    )
    below = in_ground(seen["contact_position"].reshape(points), inner) + place[1:-1, None]
    close(below, ground["contact_position"].reshape(points))


def test_without_the_frame_s_turning_it_would_not_be_so(subject, raw):
    """The terms that are tested above are not small."""
    still = RawMotion(**{**vars(raw), "yaw_rate": torch.zeros_like(raw.yaw_rate)})
    with_it, without = in_the_frame(subject, raw), in_the_frame(subject, still)
    for name in ("imu_acceleration", "imu_angular_rate", "tau", "contact_velocity"):
        assert np.abs(with_it[name] - without[name]).max() > 0.1 * np.abs(with_it[name]).max(), name


def test_outputs_of_a_body_that_turns(subject, walker):
    decoder = Decoder(subject, 1.2)
    raw = decoder(torch.ones(2, 5, decoder.size))
    assert raw.velocity.shape == (2, 5, 3) and raw.height.shape == (2, 5, 1)
    assert raw.yaw_rate.shape == (2, 5, 1) and (raw.yaw_rate == Decoder.YAW_RATE_RAD_S).all()
    held = make_subject(subject.model, walker.recording, {"pelvis_rotation": 0.0}, height_m=1.8)
    assert (
        held.heading is None
        and Decoder(held, 1.2)(torch.ones(5, Decoder(held, 1.2).size)).yaw_rate.numel() == 0
    )


def test_every_term_has_a_gradient_in_the_yaw_rate_or_does_not_depend_on_it(subject, walker):
    """The network learns to turn from the sensors, and feet on the floor hold it."""
    torch.manual_seed(0)
    frames = 40  # longer than what slow terms are averaged over
    signals, constants = make_signals(walker.recording, subject), BodyConstants.of(subject, torch.float64)
    signals = type(signals)(
        **{
            name: value.double() if torch.is_tensor(value) and value.is_floating_point() else value
            for name, value in vars(signals).items()
        }
    )
    outputs = torch.randn(1, frames, Decoder(subject, 1.2).size, dtype=torch.float64)
    raw = Decoder(subject, 1.2).double()(outputs)
    yaw_rate = raw.yaw_rate.detach().requires_grad_()
    raw = RawMotion(**{**vars(raw), "yaw_rate": yaw_rate})
    windows = Windows(signals.acceleration[None, :frames], signals.angular_rate[None, :frames], outputs)
    mounting = Mounting(len(subject.functions.sensors)).double()
    dynamics = subject.compiled(torch.float64)
    e = loss_inputs(subject, dynamics, signals, constants, mounting, windows, raw)
    moved = {
        name
        for name in TERMS
        if (value := term_value(name, e)).requires_grad
        and (found := torch.autograd.grad(value, yaw_rate, retain_graph=True, allow_unused=True)[0])
        is not None
        and bool(found.abs().max() > 0)
    }
    slow = {"trunk_rise", "trunk_drive", "sideways_balance"}
    assert moved == slow | {"acceleration", "angular_rate", "root_residual", "contact_speed", "torque"} | (
        {"torque_output", "led_force"} & moved
    )
