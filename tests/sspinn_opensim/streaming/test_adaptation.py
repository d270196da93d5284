"""Networks adapted while their person streams: learnt beside the stream, taken over between two frames."""

import dataclasses
import multiprocessing
import os
import pickle
import threading

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.estimation import estimate
from sspinn_opensim.live_page.status import Status
from sspinn_opensim.streaming.adaptation import Adaptation
from sspinn_opensim.streaming.learner import Learner, Lesson, Task, learn
from sspinn_opensim.streaming.recent import Recent
from sspinn_opensim.study import TrainingChoice
from sspinn_opensim.training.checkpoint import body_identity, load_estimator
from sspinn_opensim.training.settings import adaptation_settings

#: The machine may be busy.
PATIENT_S = 300.0


@pytest.fixture
def task(person):
    settings = adaptation_settings(TrainingChoice(), 0, 2, "lstm")
    return Task.of(person.estimator, person.subject, person.recording, settings, adapted_from="")


@pytest.fixture
def make_adaptation(task, person):
    """Return a function: settings to an adaptation of the person; its process ends with the test."""
    opened = []

    def make(**settings):
        opened.append(Adaptation(task, person.signals, **{"first_s": 3.0} | settings))
        return opened[-1]

    yield make
    for adaptation in opened:
        adaptation.close()


def lesson_of(person, folder, rows=slice(None), **changes):
    """Return a lesson of rows of the recording."""
    signals = {name: getattr(person.recording, name)[rows] for name in ("acceleration", "angular_rate")}
    np.savez(folder / "samples.npz", **signals | changes)
    return Lesson(folder / "samples.npz", 2, folder / "network.pt")


def kinds(events):
    return [event.kind for event in events]


def test_the_network_taken_over_estimates_as_if_it_had_been_there(
    make_live, make_adaptation, arrivals, play_to, person, task, tmp_path
):
    """To rounding: it follows 12 s of the past, after which nothing of before is left in its memory."""
    kept = tmp_path / "kept.pt"
    adaptation = make_adaptation(keep=lambda file: kept.write_bytes(file.read_bytes()))
    live = make_live(adaptation=adaptation, network="the first one")
    everything = sorted(arrivals(), key=lambda pair: pair[0])
    before, events = play_to(live, everything[: 1500 * 7], until_s=0.0)
    assert kinds(events) == ["began", "adapting"] and live.network == "the first one"
    # What the other process does, here: at its priority it may wait for long on a busy machine.
    adaptation._beside.thread.submit(int).result(PATIENT_S)  # after the samples were handed over
    answer = Learner(task).take(
        Lesson(adaptation._beside.folder / "1.npz", 2, adaptation._beside.folder / "1.pt")
    )
    assert adaptation._answered(0.0, answer) == []
    first, told = play_to(live, everything[1500 * 7 : 1501 * 7], until_s=0.0)
    adaptation._made.result(PATIENT_S)
    rest, more = play_to(live, everything[1501 * 7 :])
    frames = before + first + rest
    assert kinds(told + more) == ["adapted"] and "2 steps on 3 s" in live.network
    assert Status(live.sensors.names, 0.0).now(live, {}, 0.0)["network"] == live.network
    times = np.array([frame.time_s for frame in frames])
    np.testing.assert_allclose(np.diff(times), 0.01, atol=1e-9)
    since = round(more[0].time_s * 100) + 1
    # Four more of the past with every frame, of 12 s.
    assert 1500 + 1200 / 4 - 10 < since < 1500 + 1200 / 4 + 10
    belongs_to = {"body": body_identity(person.subject, task.recording)}
    network = load_estimator(kept, person.subject, person.signals, belongs_to)
    expected = estimate(network, person.subject, person.signals, person.recording.time_s)
    old = estimate(person.estimator, person.subject, person.signals, person.recording.time_s)
    forward, after = person.subject.roles.forward, slice(since, None)
    q = np.array([frame.estimate.q for frame in frames])
    moments = np.array([frame.estimate.moments for frame in frames])
    force = np.array([frame.estimate.ground.force for frame in frames])
    np.testing.assert_allclose(moments[:since], old.moments[:since], atol=1e-9 * np.abs(old.moments).max())
    for found, there in ((moments, expected.moments), (force, expected.ground.force)):
        np.testing.assert_allclose(found[after], there[after], atol=1e-8 * np.abs(there).max())
    assert np.abs(expected.moments - old.moments)[after].max() > 1e-3 * np.abs(old.moments).max()
    others = np.arange(q.shape[1]) != forward
    np.testing.assert_allclose(q[after][:, others], expected.q[after][:, others], atol=1e-8)
    # The body goes on from where it was, with the velocities of the network that estimates.
    steps = np.diff(q[:, forward])
    np.testing.assert_allclose(steps[since - 1 :], np.diff(expected.q[:, forward])[since - 1 :], atol=1e-9)
    np.testing.assert_allclose(steps[: since - 1], np.diff(old.q[:, forward])[: since - 1], atol=1e-9)


def test_lessons_and_answers_go_through_the_pipe(person, task, tmp_path):
    file, lesson = tmp_path / "task.pickle", lesson_of(person, tmp_path, slice(0, 600))
    file.write_bytes(pickle.dumps(task))
    here, there = multiprocessing.Pipe()
    learning = threading.Thread(target=learn, args=(file, there), daemon=True)
    learning.start()
    here.send(lesson)
    assert here.poll(PATIENT_S) and here.recv().kind == "adapted" and lesson.out.is_file()
    np.savez(lesson.samples, acceleration=np.full((600, 7, 3), 0.1), angular_rate=np.zeros((600, 7, 3)))
    here.send(lesson)
    assert here.poll(PATIENT_S)
    refused = here.recv()
    assert refused.kind == "refused" and "wrong with the recording" in refused.text
    here.close()
    learning.join(PATIENT_S)
    assert not learning.is_alive()


def test_heading_and_path_go_on_in_space():
    from sspinn_opensim.estimation.inference.path import Remembered

    own, other = np.arange(23.0), 100 + np.arange(23.0)
    moved = Remembered.moved(own, other)
    taken = [1, 3, 4, 5, 6, 7]  # heading, more, followed, place
    np.testing.assert_array_equal(moved[taken], other[taken])
    np.testing.assert_array_equal(np.delete(moved, taken), np.delete(own, taken))


def test_a_process_that_dies_leaves_the_stream_and_says_so(make_live, make_adaptation, arrivals, play_to):
    adaptation = make_adaptation()
    live = make_live(adaptation=adaptation, network="the first one")
    adaptation._beside.process.kill()
    adaptation._beside.process.join()
    frames, events = play_to(live, arrivals(to_row=600))
    assert kinds(events) == ["began", "adapting", "not_adapted"] and "-9" in events[-1].text
    assert len(frames) == 600 and live.network == "the first one" and not live.close()


def test_whoever_ends_the_stream_ends_the_process_and_its_files(
    make_live, make_adaptation, arrivals, play_to
):
    adaptation = make_adaptation()
    live = make_live(adaptation=adaptation)
    play_to(live, arrivals(to_row=350))
    process, folder = adaptation._beside.process.pid, adaptation._beside.folder
    assert folder.is_dir()
    assert kinds(live.close()) == ["not_adapted"]
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_gap_begins_anew(make_live, make_adaptation, arrivals, play_to):
    live = make_live(adaptation=make_adaptation(first_s=5.0))
    _, events = play_to(live, arrivals(to_row=1000, dead=[(0, 4.0, 6.0)]))
    assert kinds(events) == ["began", "withdrawn", "began"]
    assert len(live.adaptation._recent) == 400


def test_what_helps_is_kept_and_what_does_not_is_not(person, task, tmp_path):
    learner, lesson = Learner(task), lesson_of(person, tmp_path, slice(0, 600))
    first = learner.take(lesson)
    assert first.kind == "adapted" and first.after < first.before and first.seconds == pytest.approx(6.0)
    again = learner.take(lesson)  # goes on from there
    assert again.before == pytest.approx(first.after, rel=1e-6)
    lesson.out.unlink()
    steep = dataclasses.replace(task.settings, learning_rate=1.0)
    worse = Learner(dataclasses.replace(task, settings=steep)).take(lesson)
    assert worse.kind == "worse" and not worse.after < worse.before and not lesson.out.exists()


def test_who_does_not_walk_teaches_nothing(person, task, tmp_path):
    still = np.tile([0.0, 9.81, 0.0], (600, 7, 1))
    standing = {"acceleration": still, "angular_rate": np.zeros_like(still)}
    assert Learner(task).take(lesson_of(person, tmp_path, **standing)).kind == "no_gait"


def test_signals_that_cannot_be_right_are_refused(person, task, tmp_path):
    # In g: nothing of the body weighs what it should.
    lesson = lesson_of(person, tmp_path, acceleration=person.recording.acceleration / 9.81)
    with pytest.raises(InputError, match="wrong with the recording"):
        Learner(task).take(lesson)


def test_recent_frames_are_the_last_ones():
    recent = Recent(2, 5)
    for k in range(8):
        recent.put(np.full((2, 3), k), np.full((2, 3), -k))
    assert len(recent) == 5 and recent.first == 3
    acceleration, rate = recent.from_frame(4, 2)
    assert acceleration[:, 0, 0].tolist() == [4, 5] and rate[:, 1, 2].tolist() == [-4, -5]
    recent.forget()
    assert len(recent) == 0 and recent.from_frame(recent.first)[0].shape == (0, 2, 3)


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="Linux alone has a policy of idle processes")
def test_the_process_runs_where_no_other_wants_the_core(make_adaptation):
    adaptation = make_adaptation()
    pid = adaptation._beside.process.pid
    assert os.getpriority(os.PRIO_PROCESS, pid) == 19
    assert os.sched_getscheduler(pid) == os.SCHED_IDLE
    assert os.sched_getscheduler(0) != os.SCHED_IDLE
    adaptation.close()
