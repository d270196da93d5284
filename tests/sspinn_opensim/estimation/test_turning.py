"""The estimate of a body that turns: heading and path, offline and sample by sample, from any start."""

import dataclasses

import numpy as np
import pytest
import torch

from sspinn_opensim.estimation import StreamingEstimator, estimate
from sspinn_opensim.estimation.inference.applied import applied
from sspinn_opensim.estimation.inference.offline import at_times, straightened
from sspinn_opensim.estimation.inference.path import in_ground
from sspinn_opensim.estimation.write import window
from sspinn_opensim.simulation.motion import Samples, through
from sspinn_opensim.simulation.states import completed
from sspinn_opensim.simulation.virtual import body_signals
from sspinn_opensim.training.estimator import PersonNetwork
from sspinn_opensim.training.signals import make_signals
from sspinn_opensim.training.subject import make_subject

SENSORS = ("pelvis", "femur_r", "tibia_r", "foot_r", "femur_l", "tibia_l", "foot_l")


@pytest.fixture(scope="module")
def turning(spatial_model, walker, make_motion):
    """Return the subject, and what turns a motion by any heading and records it, 3 s in a wide curve."""
    subject = make_subject(spatial_model, walker.recording, {}, height_m=1.8)
    root = subject.heading
    assert root is not None
    # Natural splines end differently at either end of a motion that is turned: these are left out.
    inner_s, time_s = np.arange(300) / 100, np.arange(-50, 350) / 100
    q = make_motion(spatial_model, time_s)[0]
    q[:, spatial_model.coordinate_names.index("pelvis_list")] = 0.05 * np.sin(6 * time_s)
    q[:, root.steps[2]] = 0.3 * time_s**2
    curved = root.turned(q, 0.6 * time_s)

    def recorded(heading):
        place = in_ground(curved[:, list(root.steps)], np.full(400, heading))
        moved = root.turned(curved, np.full(400, heading))
        moved[:, list(root.steps)] = place
        state = completed(subject.functions, *through(Samples(time_s, moved, "test"))(inner_s))
        places = np.tile(subject.sensor_position.reshape(1, -1, 3), (300, 1, 1))
        force, rate = body_signals(subject.functions, SENSORS, state, places)
        return dataclasses.replace(walker.recording, acceleration=force, angular_rate=rate)

    return subject, recorded


@pytest.fixture(scope="module")
def loud(turning):
    """Return a network that has learnt nothing and turns at random, with its signals and estimate."""
    subject, recorded = turning
    recording = recorded(0.0)
    signals = make_signals(recording, subject)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        estimator = PersonNetwork(subject, signals)
        with torch.no_grad():
            estimator.network.head[-1].weight *= 30
    estimator = estimator.eval()
    return estimator, recording, signals, estimate(estimator, subject, signals, recording.time_s)


def numbers(found):
    ground = found.ground
    return {
        "q": found.q,
        "moments": found.moments,
        "heading": np.asarray(found.heading_rad),
        **{name: getattr(ground, name) for name in ("force", "point", "torque")},
    }


def test_a_recording_turned_by_any_heading_has_the_same_estimate(turning, loud):
    """Sensors feel no heading: what they read differs by the splines of the motion alone."""
    subject, recorded = turning
    estimator, recording, _, found = loud
    for heading in (0.5, np.pi / 2, -3.0):
        other = recorded(heading)
        np.testing.assert_allclose(other.acceleration, recording.acceleration, atol=1e-6)
        again = estimate(estimator, subject, make_signals(other, subject), other.time_s)
        for name, value in numbers(again).items():
            expected = numbers(found)[name]
            scale = max(np.abs(expected).max(), 1.0)
            np.testing.assert_allclose(value, expected, rtol=0, atol=1e-5 * scale, err_msg=name)


def test_sample_by_sample_it_is_the_same(turning, loud):
    """Sums of one frame and of many are made in another order: the last digits of double precision."""
    subject, _ = turning
    estimator, recording, signals, found = loud
    streaming = StreamingEstimator(estimator, subject, signals)
    streaming.settle(recording.acceleration[:60], recording.angular_rate[:60])
    frames = [
        numbers(streaming.step(*sample))
        for sample in zip(recording.acceleration, recording.angular_rate, strict=True)
    ]
    assert np.ptp(found.heading_rad) > 0.1
    for name, expected in numbers(found).items():
        value = np.stack([frame[name] for frame in frames])
        np.testing.assert_allclose(
            value, expected, rtol=0, atol=1e-10 * max(np.abs(expected).max(), 1.0), err_msg=name
        )


def test_after_a_pause_it_goes_on_from_where_it_was(turning, loud):
    """What happened in between is not known: the first frame after it adds nothing to place and heading."""
    subject, _ = turning
    estimator, recording, signals, _ = loud
    streaming = StreamingEstimator(estimator, subject, signals)
    acceleration, rate = recording.acceleration, recording.angular_rate
    before = [streaming.step(acceleration[k], rate[k]) for k in range(150)][-1]
    streaming.settle(acceleration[150:210], rate[150:210], keep_place=True)
    first, second = (streaming.step(acceleration[k], rate[k]) for k in (200, 201))
    level = [subject.heading.steps[0], subject.heading.steps[2]]
    assert np.abs(before.q[level]).min() > 1e-3
    np.testing.assert_array_equal(first.q[level], before.q[level])
    # A step closes a hundredth of what the heading is behind the gyroscope.
    assert abs(first.heading_rad - before.heading_rad) < 0.02 * abs(before.heading_rad) + 1e-3
    assert np.abs(second.q[level] - first.q[level]).max() > 1e-4
    streaming.reset()
    again = streaming.step(acceleration[0], rate[0])
    assert again.heading_rad == 0.0 and not again.q[level].any()


def test_the_root_goes_where_its_velocity_points(turning, loud):
    """Ahead is where the walking frame faces; the way on the floor is the trapezoid of that."""
    subject, _ = turning
    estimator, _, signals, found = loud
    double = applied(estimator)
    with torch.inference_mode():
        seen = signals.acceleration.double(), signals.angular_rate.double()
        lead, inputs = signals.leading_in(0, 300, *seen), signals.inputs(*seen)
        outputs, _ = double.network(inputs[None], double.network.settle(lead[None]))
        raw = double.decoder(outputs[0])
    velocity, heading = raw.velocity.numpy(), found.heading_rad
    s, c = np.sin(heading), np.cos(heading)
    x, z = c * velocity[:, 0] + s * velocity[:, 2], c * velocity[:, 2] - s * velocity[:, 0]
    for step, along in ((0, x), (2, z)):
        way = np.append(0.0, np.cumsum(0.005 * (along[1:] + along[:-1])))
        np.testing.assert_allclose(found.q[:, subject.heading.steps[step]], way, atol=1e-12)


def test_without_turns_every_stride_leads_ahead(turning, loud):
    """Turned back frame by frame: the root's angles are those of the walking frame, forces too."""
    subject, _ = turning
    found = loud[3]
    ahead = straightened(found, subject)
    force = in_ground(ahead.ground.force, found.heading_rad)
    np.testing.assert_allclose(force, found.ground.force, atol=1e-9)
    again = subject.heading.turned(ahead.q, found.heading_rad)
    np.testing.assert_allclose(
        again[:, list(subject.heading.turns)], found.q[:, list(subject.heading.turns)], atol=1e-9
    )
    np.testing.assert_array_equal(ahead.moments, found.moments)


def test_parts_and_other_times_keep_the_heading(turning, loud):
    subject, _ = turning
    found = loud[3]
    part = window(found, 1.0, 2.0)
    assert part.heading_rad[0] == found.heading_rad[100] and len(part.heading_rad) == len(part.q)
    often = at_times(found, subject, np.arange(0, 590) / 200)
    np.testing.assert_allclose(
        often.heading_rad[::2], found.heading_rad[: len(often.heading_rad[::2])], atol=1e-9
    )
