"""What the gyroscope on the root says of the turning of the walking frame."""

import dataclasses

import numpy as np
import pytest
import torch

from sspinn_opensim.estimation.root_gyroscope import RootGyroscope
from sspinn_opensim.simulation.motion import Samples, through
from sspinn_opensim.simulation.states import completed
from sspinn_opensim.training.losses import Mounting
from sspinn_opensim.training.signals import make_signals
from sspinn_opensim.training.subject import make_subject


@pytest.fixture(scope="module")
def case(spatial_model, walker):
    """Return a subject, its signals, a posture in the walking frame, its heading, and exact readings."""
    subject = make_subject(spatial_model, walker.recording, {}, height_m=1.8)
    time_s = np.arange(300) / 100
    q = np.tile([c.default for c in spatial_model.coordinates], (300, 1))
    q[:, list(subject.heading.turns)] = 0.3 * np.sin(np.outer(time_s, [5.0, 4.0, 3.0]) + np.arange(3.0))
    heading = 1.5 * np.sin(1.2 * time_s) + 0.8 * time_s
    motion = through(Samples(time_s, subject.heading.turned(q, heading), "test"))
    state = completed(subject.functions, *motion(time_s))
    still = np.zeros(subject.functions.dynamics.numel_in("contact_force"))
    found = subject.functions.dynamics(
        **{name: value.T for name, value in state.items()},
        contact_force=still,
        sensor_position=subject.sensor_position,
        parameters=subject.functions.parameters,
    )
    readings = np.array(found["imu_angular_rate"]).T
    return subject, make_signals(walker.recording, subject), q, heading, readings


def test_it_integrates_to_the_heading_and_mountings_are_heeded(case):
    """Trapezoids at 100 Hz: a turn of 4 rad is found within a thousandth."""
    subject, signals, q, heading, readings = case
    mounting = Mounting(7)
    with torch.no_grad():
        mounting.rotation[:] = torch.tensor([0.2, -0.1, 0.3])
    for mounted in (Mounting(7), mounting):
        with torch.no_grad():
            read = readings @ mounted.axes().double().numpy()
        used = read[:, signals.rate_channels.flatten().numpy()]
        turns = RootGyroscope(subject, signals, mounted).turns(q, used)
        assert np.isnan(turns[0])
        np.testing.assert_allclose(np.cumsum(turns[1:]), heading[1:] - heading[0], atol=1e-3)
        one = RootGyroscope(subject, signals, mounted)
        singly = np.concatenate([one.turns(q[k : k + 1], used[k : k + 1]) for k in range(len(q))])
        np.testing.assert_allclose(singly, turns, atol=1e-12)


def test_without_three_axes_on_the_root_it_says_nothing(case, walker):
    subject, signals, q, _, readings = case
    known = signals.rate_channels.numpy().copy()
    known[0, 1] = False
    blind = dataclasses.replace(signals, rate_channels=torch.as_tensor(known))
    assert RootGyroscope(subject, blind, Mounting(7)).turns(q, readings[:, :20]) is None
    assert RootGyroscope(walker.subject, walker.signals, Mounting(7)).turns(q, readings) is None
