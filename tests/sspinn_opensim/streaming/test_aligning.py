"""Axes of sensors that nothing says, found of the stream itself; nothing is estimated until they are."""

import multiprocessing
import pickle
import threading
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sspinn_opensim.alignment.align import align
from sspinn_opensim.alignment.choices import AlignmentChoice
from sspinn_opensim.estimation import StreamingEstimator
from sspinn_opensim.live_page.status import Status
from sspinn_opensim.recording import read_recording
from sspinn_opensim.recording.resample import resample
from sspinn_opensim.recording.sensors.gyro_bias import gyro_biases
from sspinn_opensim.streaming import task_process
from sspinn_opensim.streaming.aligning import Aligning, Part, Unaligned, find_axes
from sspinn_opensim.streaming.live import LiveEstimator
from sspinn_opensim.streaming.recent import recording_of
from sspinn_opensim.streaming.samples import Sample, SampleClock
from sspinn_opensim.study import read_study

#: The machine may be busy.
PATIENT_S = 300.0


@pytest.fixture
def turns(person):
    """Return how far each sensor sits from where the stream takes it to sit."""
    return Rotation.random(len(person.sensors.names), random_state=3).as_matrix()


@pytest.fixture
def unaligned(person):
    own = tuple(replace(sensor, axes_known=False) for sensor in person.recording.sensors)
    return Unaligned(replace(person.recording, sensors=own), AlignmentChoice())


@pytest.fixture
def live(person, turns, unaligned):
    """Return a live estimator of sensors whose axes nothing says, and its alignment of 3 s."""
    everything = replace(person.sensors, rotation=np.einsum("kij,kjl->kil", turns, person.sensors.rotation))
    streaming = StreamingEstimator(person.estimator, person.subject, person.signals)
    live = LiveEstimator(streaming, everything, clock=SampleClock())
    aligning = Aligning(unaligned, first_s=3.0)
    live.await_axes(aligning)
    yield live
    live.close()


def kinds(events):
    return [event.kind for event in events]


def answered(live, answer):
    """Let the other process have answered, whatever it does."""
    live.aligning._beside.answer = lambda: answer


def found_to_be(unaligned, rotations):
    """Return an alignment of these rotations (k, 3, 3)."""
    whole = align(unaligned.like, unaligned.choice)
    sensors = [
        replace(s, rotation=r, evidence=("gait",)) for s, r in zip(whole.sensors, rotations, strict=True)
    ]
    return replace(whole, sensors=tuple(sensors), findings=())


def test_nothing_is_estimated_until_the_axes_are_found(live, person, turns, unaligned, arrivals, play_to):
    """Then the estimate is that of sensors whose axes were known all along."""
    status = Status(live.sensors.names, 0.0)
    status.now(live, {}, 0.0)
    frames, events = play_to(live, arrivals(to_row=600), until_s=0.0)
    assert not frames and kinds(events) == ["aligning"] and not live.estimating
    said = status.now(live, {}, 6.0)
    assert said["state"] == "waiting" and "nothing is estimated until" in said["text"]
    answered(live, found_to_be(unaligned, turns.transpose(0, 2, 1)))
    frames, events = play_to(live, arrivals(from_row=600))
    assert kinds(events) == ["aligned", "began"] and live.aligning is None
    streaming = StreamingEstimator(person.estimator, person.subject, person.signals)
    known = LiveEstimator(streaming, person.sensors, clock=SampleClock())
    first = round(frames[0].time_s * 100)
    expected, _ = play_to(known, arrivals(from_row=first))
    assert len(frames) == len(expected) > 1000
    moments, there = (np.array([f.estimate.moments for f in each]) for each in (frames, expected))
    # Turned forth and back: in single precision, in which signals are seen, the last digit changes.
    np.testing.assert_allclose(moments, there, atol=1e-5 * np.abs(there).max())


def test_what_is_not_sure_is_said_and_tried_again(live, unaligned, turns, arrivals, play_to):
    answered(live, "nobody walked")
    frames, events = play_to(live, arrivals(to_row=1200), until_s=0.0)
    assert not frames and kinds(events) == ["aligning", "not_aligned"]
    assert "nobody walked" in events[-1].text and "nobody walked" in live.aligning.told
    answered(live, found_to_be(unaligned, turns))
    _, events = play_to(live, arrivals(from_row=1200))
    assert kinds(events) == ["aligning", "aligned", "began"]


def test_a_process_that_dies_leaves_the_estimate_withheld(live, arrivals, play_to):
    live.aligning._beside.process.kill()
    live.aligning._beside.process.join()
    frames, events = play_to(live, arrivals(to_row=1500))
    assert not frames and kinds(events) == ["aligning", "not_aligned"]
    assert "-9" in events[-1].text and "-9" in live.aligning.told


def test_after_a_gap_it_is_begun_anew(live, arrivals, play_to):
    _, events = play_to(live, arrivals(to_row=500, dead=[(1, 2.0, 3.0)]), until_s=0.0)
    assert "aligning" not in kinds(events)


def test_standing_is_where_the_person_stood(live, person, arrivals, play_to):
    """Gyroscopes of all axes are corrected then, as where a recording is read that tells when."""
    live._standing_s, sent = 1.0, person.sent.copy()
    handed = []
    live.aligning._beside.hand_over = lambda make: handed.append(make())
    person.sent[:120] = person.sent[0]
    person.sent[..., 3:] += np.random.default_rng(2).uniform(-0.03, 0.03, (7, 3))
    pairs = [live.sensors.whole(signals) for signals in person.sent[:300]]
    try:
        _, events = play_to(live, arrivals(to_row=400), until_s=0.0)
    finally:
        person.sent[:] = sent
    assert kinds(events) == ["standing", "aligning"] and "7 of 7 gyroscopes" in events[0].text
    (part,) = handed
    np.testing.assert_allclose(part.standing_s, [(0.0, 0.99)], atol=1e-9)
    acceleration, rate = (np.array([pair[i] for pair in pairs]) for i in (0, 1))
    time_s = person.recording.time_s[:300]
    biases = gyro_biases(live.sensors.names, time_s, acceleration, rate, (time_s[0], time_s[0] + 0.99))
    assert all(bias.subtracted for bias in biases)
    np.testing.assert_array_equal(part.acceleration, acceleration)
    # To rounding: a mean of the same numbers.
    expected = rate - np.array([bias.bias_rad_s for bias in biases])
    np.testing.assert_allclose(part.angular_rate, expected, rtol=0, atol=1e-12)


def test_the_process_refuses_what_nothing_can_be_told_of(unaligned, tmp_path):
    """What nobody walked in is refused, with the reason."""
    file = tmp_path / "given.pickle"
    file.write_bytes(pickle.dumps(unaligned))
    here, there = multiprocessing.Pipe()
    serving = threading.Thread(target=find_axes, args=(file, there), daemon=True)
    serving.start()
    still = np.tile([0.0, 9.81, 0.0], (500, 7, 1))
    here.send(Part(still, np.zeros((500, 7, 3))))
    assert here.poll(PATIENT_S)
    refused = here.recv()
    assert isinstance(refused, str) and "how it is turned is not known" in refused
    here.close()
    serving.join(PATIENT_S)


def test_turned_sensors_of_a_walk_are_streamed_as_they_are_aligned_offline(
    shared, repository, person, unaligned, play_to, monkeypatch
):
    """The same seconds give the same axes, and these the same estimate; nor does it matter how they sat."""
    recording = resample(read_recording(read_study(repository / "examples" / "gaittoolbox_walk.toml")), 100.0)
    assert recording.sensor_names == person.sensors.names
    turns = Rotation.random(7, random_state=8).as_matrix()
    signals = [np.einsum("kij,nkj->nki", turns, x) for x in (recording.acceleration, recording.angular_rate)]
    sent, first_s = np.concatenate(signals, axis=2), 20.0
    samples = [
        (100.0 + 0.01 * row, Sample(k, 0.01 * row, sent[row, k], row))
        for row in range(2400)
        for k in range(7)
    ]
    like = replace(recording, sensors=unaligned.like.sensors)
    offline = align(recording_of(like, signals[0][:2000], signals[1][:2000]), AlignmentChoice())
    # Waited for here; beside other tests it would be let run last.
    monkeypatch.setattr(task_process, "yield_to_all", lambda _: None)
    streaming = StreamingEstimator(person.estimator, person.subject, person.signals)
    bare = replace(person.sensors, rotation=np.tile(np.eye(3), (7, 1, 1)))
    live = LiveEstimator(streaming, bare, clock=SampleClock())
    live.await_axes(Aligning(Unaligned(like, AlignmentChoice()), first_s=first_s))
    pipe = live.aligning._beside._pipe
    frames, events = play_to(live, samples[: 2000 * 7], until_s=0.001)
    assert not frames and kinds(events) == ["aligning"] and pipe.poll(PATIENT_S)
    frames, events = play_to(live, samples[2000 * 7 :])
    assert kinds(events) == ["aligned", "began"] and len(frames) > 300
    rotation = np.array([own.rotation for own in offline.sensors])
    np.testing.assert_array_equal(live.sensors.rotation, rotation)
    first = round(frames[0].time_s * 100)
    streaming = StreamingEstimator(person.estimator, person.subject, person.signals)
    known = LiveEstimator(streaming, replace(bare, rotation=rotation), clock=SampleClock())
    expected, _ = play_to(known, samples[first * 7 :])
    moments, there = (np.array([f.estimate.moments for f in each]) for each in (frames, expected))
    np.testing.assert_allclose(moments, there, atol=1e-9 * np.abs(there).max())
    as_they_sat = align(
        recording_of(like, recording.acceleration[:2000], recording.angular_rate[:2000]), AlignmentChoice()
    )
    for own, before, turn in zip(offline.sensors, as_they_sat.sensors, turns, strict=True):
        off = Rotation.from_matrix(own.rotation @ turn @ before.rotation.T).magnitude()
        assert np.degrees(off) < 0.5, own.name
