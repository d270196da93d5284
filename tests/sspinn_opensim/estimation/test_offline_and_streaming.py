import dataclasses

import numpy as np
import pytest
import torch

from casadi_dynamics.errors import InputError
from sspinn_opensim.estimation import StreamingEstimator, estimate
from sspinn_opensim.training.estimator import PersonNetwork
from sspinn_opensim.training.networks import NETWORKS
from sspinn_opensim.training.signals import make_signals
from sspinn_opensim.training.subject import make_subject

#: Offline, products of all frames are one matrix product; streaming, one per frame: the sums are the same but
#: in another order, which double precision shows in its last digits (1e-16 each, 1e-14 measured). The
#: recurrent layers carry them on and the gates, which only shrink, do not let them grow.
TOLERANCE = 1e-9


@pytest.fixture(scope="module")
def whole(walker, estimator):
    return estimate(estimator, walker.subject, walker.signals, walker.recording.time_s)


#: Samples on which a network settles.
LEAD_IN = 60


def settled(walker, estimator, recording):
    """Return a streaming estimator that has settled as the estimate of a whole recording does."""
    streaming = StreamingEstimator(estimator, walker.subject, walker.signals)
    streaming.settle(recording.acceleration[:LEAD_IN], recording.angular_rate[:LEAD_IN])
    return streaming


def stream(walker, estimator, recording=None, frames=None, streaming=None):
    recording = recording or walker.recording
    streaming = streaming or settled(walker, estimator, recording)
    samples = list(zip(recording.acceleration, recording.angular_rate, strict=True))[:frames]
    return [streaming.step(*sample) for sample in samples]


def values(result) -> dict[str, np.ndarray]:
    """Return every number of an estimate, or of a list of frames."""
    if isinstance(result, list):
        parts = [values(frame) for frame in result]
        return {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    ground = result.ground
    moving = {"force": ground.force, "point": ground.point, "torque": ground.torque}
    return {"q": result.q, "moments": result.moments, **moving}


def assert_same(found, expected, rows=slice(None)):
    found, expected = values(found), values(expected)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        # Torques are zero in the plane, but for rounding.
        scale = max(np.abs(value).max(), 1.0)
        np.testing.assert_allclose(found[name], value[rows], rtol=0, atol=TOLERANCE * scale, err_msg=name)


def test_the_estimate_says_something(whole):
    """All that follows would hold for an estimator that says the same at all times."""
    for name, value in values(whole).items():
        assert np.isfinite(value).all()
        if name != "torque":
            assert value.reshape(len(value), -1).std(axis=0).max() > 1e-2, name


@pytest.mark.parametrize("kind", NETWORKS)
def test_streaming_equals_offline(walker, make_estimator, kind):
    estimator = make_estimator(kind)
    whole = estimate(estimator, walker.subject, walker.signals, walker.recording.time_s)
    streaming = StreamingEstimator(estimator, walker.subject, walker.signals)
    assert (streaming.coordinates, streaming.actuated) == (whole.coordinates, whole.actuated)
    assert_same(stream(walker, estimator), whole)


def test_the_future_changes_nothing(walker, estimator, whole):
    """Samples from a frame on replaced by noise: earlier estimates are as before, once it has settled."""
    frame = 120
    random = np.random.default_rng(1)
    acceleration, rate = np.array(walker.recording.acceleration), np.array(walker.recording.angular_rate)
    acceleration[frame:] = random.normal(0, 20, acceleration[frame:].shape)
    rate[frame:] = random.normal(0, 5, rate[frame:].shape)
    recording = dataclasses.replace(walker.recording, acceleration=acceleration, angular_rate=rate)
    signals = make_signals(recording, walker.subject)
    other = estimate(estimator, walker.subject, signals, recording.time_s)
    for name, value in values(other).items():
        np.testing.assert_array_equal(value[:frame], values(whole)[name][:frame], err_msg=name)
        assert name == "torque" or not np.array_equal(value[frame:], values(whole)[name][frame:]), name
    assert_same(stream(walker, estimator, recording, frame + 1), other, slice(frame + 1))


def test_reset_forgets(walker, estimator):
    streaming = StreamingEstimator(estimator, walker.subject, walker.signals)
    first = values(stream(walker, estimator, frames=20, streaming=streaming))
    streaming.reset()
    again = values(stream(walker, estimator, frames=20, streaming=streaming))
    for name in first:
        np.testing.assert_array_equal(again[name], first[name])
    streaming.settle(walker.recording.acceleration[:LEAD_IN], walker.recording.angular_rate[:LEAD_IN])
    assert np.abs(values(stream(walker, estimator, frames=1, streaming=streaming))["q"] - first["q"][0]).max()


def test_each_piece_after_a_long_gap_is_led_in_to_and_a_short_gap_is_passed(walker, estimator, whole):
    """What lies before a piece, or between two, changes nothing in it."""
    recording, piece = walker.recording, slice(150, 300)
    for gap, apart in ((60, True), (59, False)):
        usable = np.ones(len(recording.time_s), bool)
        usable[150 - gap : 150] = False
        acceleration = np.array(recording.acceleration)
        acceleration[150 - gap : 150] = 3.0
        two = dataclasses.replace(recording, usable=usable, acceleration=acceleration)
        found = values(estimate(estimator, walker.subject, make_signals(two, walker.subject), two.time_s))
        alone = dataclasses.replace(
            recording,
            **{
                name: getattr(recording, name)[piece]
                for name in ("time_s", "acceleration", "angular_rate", "usable")
            },
        )
        own = values(estimate(estimator, walker.subject, make_signals(alone, walker.subject), alone.time_s))
        same = (
            np.abs(found["moments"][piece] - own["moments"]).max() < TOLERANCE * np.abs(own["moments"]).max()
        )
        assert same == apart


@pytest.mark.parametrize("bad", ["nan", "inf", "shape"])
def test_a_bad_sample_is_refused_and_changes_nothing(walker, estimator, bad):
    recording = walker.recording
    streaming = StreamingEstimator(estimator, walker.subject, walker.signals)
    fresh = StreamingEstimator(estimator, walker.subject, walker.signals)
    expected = stream(walker, estimator, frames=6, streaming=fresh)[-1]
    stream(walker, estimator, frames=5, streaming=streaming)
    acceleration, rate = np.array(recording.acceleration[5]), recording.angular_rate[5]
    if bad == "shape":
        acceleration = acceleration[:-1]
    else:
        acceleration[2, 1] = float(bad)
    with pytest.raises(InputError) as error:
        streaming.step(acceleration, rate)
    assert error.value.found and error.value.expected and error.value.fix
    frame = streaming.step(recording.acceleration[5], rate)
    for name, value in values(expected).items():
        np.testing.assert_array_equal(values(frame)[name], value)


def test_channels_that_training_did_not_use_are_not_read(walker, estimator):
    """Sideways, a planar model feels nothing, and a sensor that is broken there does no harm."""
    acceleration = np.array(walker.recording.acceleration[0])
    acceleration[:, 2] = np.nan
    frame = StreamingEstimator(estimator, walker.subject, walker.signals).step(
        acceleration, walker.recording.angular_rate[0]
    )
    assert all(np.isfinite(value).all() for value in values(frame).values())


def test_read_only_samples_are_taken_without_a_warning(walker, estimator, recwarn):
    assert not walker.recording.acceleration.flags.writeable
    stream(walker, estimator, frames=2)
    single = [x.astype(np.float32) for x in (walker.recording.acceleration, walker.recording.angular_rate)]
    for samples in single:
        samples.flags.writeable = False
    StreamingEstimator(estimator, walker.subject, walker.signals).step(*(x[0] for x in single))
    assert not [warning for warning in recwarn if "writ" in str(warning.message)]


def test_the_body_moves_forward_as_fast_as_it_says(walker, estimator, whole):
    """Position is the trapezoid of the velocity, from zero; feet move along with it."""
    signals = walker.signals
    with torch.inference_mode():
        lead = signals.leading_in(0, len(signals.acceleration), signals.acceleration, signals.angular_rate)
        inputs = signals.inputs(signals.acceleration, signals.angular_rate)
        outputs, _ = estimator.network(inputs[None], estimator.network.settle(lead[None]))
        velocity = estimator.decoder(outputs[0]).velocity[:, 0].double().numpy()
    moved = np.concatenate([[0.0], np.cumsum(0.5 * (velocity[1:] + velocity[:-1]) * walker.signals.step_s)])
    np.testing.assert_allclose(whole.q[:, walker.subject.roles.forward], moved, atol=1e-12)
    assert abs(whole.ground.point[-1, :, 0] - moved[-1]).max() < 2.0 < moved[-1]


def test_fixed_coordinates_keep_their_values(walker):
    fixed = {"lumbar_extension": 0.125, "ankle_angle_l": -0.25}
    subject = make_subject(walker.model, walker.recording, fixed, height_m=1.8)
    signals = make_signals(walker.recording, subject)
    estimator = PersonNetwork(subject, signals).eval()
    result = estimate(estimator, subject, signals, walker.recording.time_s)
    for name, value in fixed.items():
        assert (result.q[:, result.coordinates.index(name)] == value).all() and name not in result.actuated
    streaming, recording = StreamingEstimator(estimator, subject, signals), walker.recording
    streaming.settle(recording.acceleration[:LEAD_IN], recording.angular_rate[:LEAD_IN])
    first = streaming.step(recording.acceleration[0], recording.angular_rate[0])
    assert_same([first], result, slice(0, 1))
    assert np.ptp(result.q[:, result.coordinates.index("ankle_angle_r")]) > 0
