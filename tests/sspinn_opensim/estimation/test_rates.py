"""One walk recorded at five rates: the training sees the same, and the estimate is at the recording's own."""

import dataclasses

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from sspinn_opensim.estimation import estimate
from sspinn_opensim.estimation.inference.offline import at_times
from sspinn_opensim.recording.resample import resample
from sspinn_opensim.training.cohort import single_person_cohort
from sspinn_opensim.training.estimator import PersonNetwork
from sspinn_opensim.training.settings import TrainingSettings
from sspinn_opensim.training.signals import make_signals
from sspinn_opensim.training.subject import make_subject
from sspinn_opensim.training.trainer import Trainer

RATES_HZ = (60.0, 100.0, 250.0, 500.0, 1000.0)
TRAINING_HZ = 100.0
#: Of the total loss: the motion has no content above 10 Hz, so that what is left is what filters do to the
#: ends of a recording of 4 s, where the windows that are drawn by chance begin and end too.
SAME_LOSS = 0.02


@pytest.fixture(scope="module")
def trained(planar_model, record):
    """Return by rate the losses of a few steps, the subject, the signals and the network."""
    found = {}
    for rate_hz in RATES_HZ:
        recording = record(planar_model, seconds=4.0, rate_hz=rate_hz)
        subject = make_subject(planar_model, recording, {}, height_m=1.8)
        signals = make_signals(resample(recording, TRAINING_HZ), subject)
        settings = TrainingSettings(steps=6, batch=8)
        trainer = Trainer(single_person_cohort(subject, signals), settings)
        trainer.run(lambda _: None, lambda _: None)
        found[rate_hz] = [row["total"] for row in trainer.history], recording, subject, signals
    return found


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_the_rate_of_a_recording_does_not_change_its_losses(trained, rate_hz):
    """Without resampling the first loss at 1000 Hz is a hundred times that at 100 Hz."""
    np.testing.assert_allclose(trained[rate_hz][0], trained[TRAINING_HZ][0], rtol=SAME_LOSS)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_an_estimate_is_at_the_rate_of_the_recording(trained, rate_hz):
    _, recording, subject, signals = trained[rate_hz]
    known = resample(recording, TRAINING_HZ)
    network = PersonNetwork(subject, signals).eval()
    coarse = estimate(network, subject, signals, known.time_s)
    fine = at_times(coarse, subject, recording.time_s)
    if rate_hz == TRAINING_HZ:
        assert fine is coarse
    assert np.all(np.isin(fine.time_s, recording.time_s)) and fine.time_s[0] == recording.time_s[0]
    assert recording.time_s[-1] - fine.time_s[-1] < 1 / min(TRAINING_HZ, rate_hz) + 1e-9
    for name in ("q", "moments"):
        spline = CubicSpline(coarse.time_s, getattr(coarse, name), axis=0)
        np.testing.assert_allclose(getattr(fine, name), spline(fine.time_s), rtol=0, atol=1e-12)
    assert (fine.ground.force[..., 1] >= 0).all(), "a foot cannot pull the floor"


def test_a_foot_in_the_air_carries_nothing_between_samples(trained):
    """A cubic spline swings below zero before a strike, and above the load behind it."""
    _, recording, subject, signals = trained[1000.0]
    known = resample(recording, TRAINING_HZ)
    coarse = estimate(PersonNetwork(subject, signals).eval(), subject, signals, known.time_s)
    force = np.zeros_like(coarse.ground.force)
    force[200:230, :, 1] = 700.0
    loaded = dataclasses.replace(coarse, ground=dataclasses.replace(coarse.ground, force=force))
    fine = at_times(loaded, subject, recording.time_s)
    up, (strike_s, toe_off_s) = fine.ground.force[..., 1], known.time_s[[199, 230]]
    assert up.min() == 0.0 and up.max() == 700.0
    assert not up[(fine.time_s <= strike_s) | (fine.time_s >= toe_off_s)].any()


def test_a_long_recording_is_estimated_in_pieces_as_in_one(trained, monkeypatch):
    _, recording, subject, signals = trained[TRAINING_HZ]
    network = PersonNetwork(subject, signals).eval()
    whole = estimate(network, subject, signals, recording.time_s)
    monkeypatch.setattr("sspinn_opensim.estimation.inference.offline._PIECE", 130)
    pieces = estimate(network, subject, signals, recording.time_s)
    for field in dataclasses.fields(whole.ground)[1:]:
        one, other = getattr(whole.ground, field.name), getattr(pieces.ground, field.name)
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-3)  # N, m: of sums in single precision
    np.testing.assert_allclose(whole.q, pieces.q, rtol=0, atol=1e-5)
    np.testing.assert_allclose(whole.moments, pieces.moments, rtol=0, atol=1e-3)
