"""What the gyroscope on the root says of the turning of the walking frame."""

import dataclasses

import casadi as ca
import numpy as np
import pytest
import torch

from sspinn_opensim.estimation.inference.path import Remembered, path_function
from sspinn_opensim.estimation.inference.root_gyroscope import RootGyroscope
from sspinn_opensim.simulation.motion import Samples, through
from sspinn_opensim.simulation.states import completed
from sspinn_opensim.training.mounting import Mounting
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
        turned = turned_more(subject, RootGyroscope.of(subject, signals, mounted), q, used)
        np.testing.assert_allclose(turned, heading - heading[0], atol=1e-3)


def turned_more(subject, gyroscope, q, readings):
    """Return by how much the frame turned according to the gyroscope, where the network says it does not."""
    path, angles = path_function(subject, 0.01, follows=True), ca.SX.sym("angles", 3)
    rotation = ca.Function("rotation", [angles], [subject.heading.rotation(angles)])
    before, found = np.zeros(Remembered.SIZE), []
    for posture, rates in zip(q, readings, strict=True):
        turn = rotation(posture[list(subject.heading.turns)])
        rate = gyroscope.axes @ rates[gyroscope.columns]
        before = path(velocity=[0, 0, 0], yaw_rate=0, before=before, rotation=turn, rate=rate)["after"]
        found.append(float(Remembered.read(before).more))
    return np.array(found)


def test_without_three_axes_on_the_root_it_says_nothing(case, walker):
    subject, signals, *_ = case
    known = signals.rate_channels.numpy().copy()
    known[0, 1] = False
    blind = dataclasses.replace(signals, rate_channels=torch.as_tensor(known))
    assert RootGyroscope.of(subject, blind, Mounting(7)) is None
    assert RootGyroscope.of(walker.subject, walker.signals, Mounting(7)) is None
