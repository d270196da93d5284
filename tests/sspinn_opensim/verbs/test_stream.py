"""Streaming a study with the shipped network, from its recording and from what `replay` sends."""

import json
import shutil
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from casadi_dynamics.errors import InputError
from sspinn_opensim.opensim_io.tables.storage import read_storage
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.study import read_study
from sspinn_opensim.verbs import export, replay, stream, stream_learning, train
from sspinn_opensim.verbs.stream_ends import EstimatesTo, SamplesFrom
from sspinn_opensim.verbs.stream_start import start_of, unaligned

FILES = EstimatesTo(("files",))


@pytest.fixture(scope="module")
def trained(study, scaled, tmp_path_factory):
    import shutil

    out = tmp_path_factory.mktemp("trained") / "results"
    shutil.copytree(scaled, out)
    train.train(study, out)
    return out


def test_a_recording_streamed_is_its_estimate(study, trained, only_files_of_the_table):
    from sspinn_opensim.estimation import estimate
    from sspinn_opensim.training.checkpoint import body_identity, load_estimator
    from sspinn_opensim.verbs.prepared import prepare

    done = stream.stream(study, trained, source=SamplesFrom("recording", speed=10.0), sinks=FILES)
    prepared = prepare(study, trained)
    network = load_estimator(
        ResultsFolder(trained).checkpoint(0),
        prepared.subject,
        prepared.signals,
        {"body": body_identity(prepared.subject, prepared.trained_on)},
    )
    whole = estimate(network, prepared.subject, prepared.signals, prepared.trained_on.time_s)
    found = read_storage(done.folder / "0001" / "moments.sto")
    assert done.summary.estimated == len(whole.time_s) == len(found.time_s)
    np.testing.assert_allclose(found.values, whole.moments, rtol=0, atol=1e-9 * np.abs(whole.moments).max())
    kept = json.loads((done.folder / "summary.json").read_text())
    assert kept["estimated"] == len(whole.time_s) and kept["latency_ms"]["path"]["p50"] > 0
    assert "frames were estimated" in str(done)
    only_files_of_the_table(trained, "stream")


def test_replay_by_udp_reaches_the_stream(study, trained):
    address = "127.0.0.1:50991"
    # What is sent before the port is open is lost, so it goes on for longer than that may take.
    sending = threading.Timer(1.0, lambda: replay.replay(study, udp=address, times=4))
    sending.start()
    source = SamplesFrom("udp", listen=address, one_clock=True)
    done = stream.stream(study, trained, source=source, sinks=FILES, seconds=9.0, standing_s=0.0)
    sending.join()
    assert done.summary.estimated > 200 and not done.summary.refused


def test_without_a_network_there_is_one_clear_error(study, scaled):
    with pytest.raises(InputError, match="no trained network"):
        stream.stream(study, scaled, source=SamplesFrom("recording"), sinks=FILES)


@pytest.mark.parametrize("end", [lambda: EstimatesTo(("files", "screen")), lambda: SamplesFrom("screen")])
def test_an_unknown_end_is_refused(end):
    with pytest.raises(InputError, match=r"no such source or sink[\s\S]*found: screen"):
        end()


def test_an_export_needs_the_folder_alone_and_says_what_the_stream_says(study, trained, tmp_path):
    """Signals are rounded to single precision in both; torch's tanh of it may differ in the last place."""
    from sspinn_opensim.estimation import StreamingEstimator
    from sspinn_opensim.exported.runtime import ExportedEstimator
    from sspinn_opensim.streaming.sources import own_axes
    from sspinn_opensim.verbs.prepared import prepare

    done = export.export(trained, tmp_path / "model.onnx")
    prepared = prepare(study, trained)
    network, exported = start_of(study, trained).network, ExportedEstimator(done.file)
    streaming = StreamingEstimator(network, prepared.subject, prepared.signals)
    recording = prepared.trained_on
    assert exported.sensors == recording.sensor_names == done.sensors and "nodes" in str(done)
    acceleration, rate = np.split(own_axes(recording, recording.rotations), 2, axis=2)
    for k in range(100):
        expected = streaming.step(recording.acceleration[k], recording.angular_rate[k])
        found = exported.step(acceleration[k], rate[k])
        np.testing.assert_allclose(found.coordinates, expected.q, rtol=0, atol=1e-6)
        for ours, theirs in ((found.moments, expected.moments), (found.force, expected.ground.force)):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6 * np.abs(theirs).max())


def test_without_a_network_there_is_nothing_to_export(scaled, tmp_path):
    with pytest.raises(InputError, match="no trained network"):
        export.export(scaled, tmp_path / "model.onnx")
    with pytest.raises(InputError, match=r"does not end in \.onnx"):
        export.export(scaled, tmp_path / "model.txt")
    assert not list(tmp_path.iterdir())


def test_muscles_of_a_stream_are_in_its_files_and_its_summary(study, trained, only_files_of_the_table):
    done = stream.stream(
        study, trained, source=SamplesFrom("recording", speed=10.0), sinks=FILES, muscles=True
    )
    part = ResultsFolder(done.folder / "0001")
    forces, activations = read_storage(part.muscle_forces), read_storage(part.muscle_activations)
    assert forces.names == activations.names and len(forces.names) == 18
    assert (activations.values >= 0).all() and (activations.values <= 1 + 1e-9).all()
    kept = json.loads((done.folder / "summary.json").read_text())
    assert kept["muscles"]["solved"] == len(forces.time_s)
    assert kept["muscles"]["solved"] + kept["muscles"]["left_out"] == kept["estimated"]
    assert kept["latency_ms"]["path"]["p50"] > kept["latency_ms"]["muscles"]["p50"] > 0
    only_files_of_the_table(trained, "stream")


def test_a_study_without_a_recording_streams_at_once(study, unrecorded, tmp_path, only_files_of_the_table):
    out, address = tmp_path / "live", "127.0.0.1:50992"
    sending = threading.Timer(1.0, lambda: replay.replay(study, udp=address, times=4))
    sending.start()
    source = SamplesFrom("udp", listen=address, one_clock=True)
    done = stream.stream(unrecorded, out, source=source, sinks=FILES, seconds=12.0, standing_s=0.0)
    sending.join()
    assert done.summary.estimated > 200 and not done.summary.refused
    only_files_of_the_table(out, "scale", "stream")


def test_a_study_without_a_recording_knows_the_same_body_and_sensors(study, scaled, unrecorded):
    """Beside one that states everything; but for the speed, which only recordings have, all is the same."""
    from sspinn_opensim.estimation import StreamingEstimator

    recorded = replace(study, recording=replace(study.recording, speed_m_s=None))
    one, other = (
        start_of(recorded, scaled, "builtin"),
        start_of(read_study(unrecorded, unrecorded=True), scaled),
    )
    assert "built-in" in one.told and one.told == other.told
    recording, streaming = one.prepared.trained_on, []
    for start in (one, other):
        assert start.prepared.signals.speed_m_s is None
        streaming.append(StreamingEstimator(start.network, start.prepared.subject, start.prepared.signals))
    for acceleration, rate in zip(recording.acceleration[:50], recording.angular_rate[:50], strict=True):
        expected, found = (each.step(acceleration, rate) for each in streaming)
        np.testing.assert_array_equal(found.moments, expected.moments)
        np.testing.assert_array_equal(found.q, expected.q)


def test_sensors_of_which_nothing_says_how_they_sit_are_named(unrecorded, scaled, tmp_path):
    text = unrecorded.read_text()
    bare = text.replace('[sensors.femur_r]\nimu_frame = "femur_r_imu"', "[sensors.femur_r]")
    file = tmp_path / "bare.toml"
    file.write_text(bare)
    known = read_study(file, unrecorded=True)
    assert unaligned(known, start_of(known, scaled).prepared).names == ("femur_r",)
    with pytest.raises(InputError, match="of which it was known how they sat"):
        stream.stream(file, scaled, sinks=FILES, network="adapted")
    stated = bare.replace("[sensors.femur_r]", '[sensors.femur_r]\naxes = ["x", "z", "-y"]')
    turned = bare + '\n[alignment]\nfile = "alignment.toml"\n'
    (tmp_path / "alignment.toml").write_text(
        '[sensors.femur_r]\nbody = "femur_r"\norientation_deg = [90, 0, 0]\nsd_deg = [1, 1, 1]\n'
    )
    rotations = []
    for own in (stated, turned):
        file.write_text(own)
        known = read_study(file, unrecorded=True)
        start = start_of(known, scaled)
        assert unaligned(known, start.prepared) is None
        rotations.append(start.prepared.recording.rotations)
    np.testing.assert_allclose(rotations[0], rotations[1], atol=1e-12)
    assert not np.allclose(rotations[0][1], np.eye(3))


def test_other_verbs_and_its_own_recording_need_one(unrecorded, scaled):
    with pytest.raises(InputError, match="no recording to stream"):
        stream.stream(unrecorded, scaled, source=SamplesFrom("recording"))
    with pytest.raises(InputError, match="'recording' is missing"):
        train.train(unrecorded, scaled)


def test_what_a_stream_adapted_serves_later(study, scaled, unrecorded, tmp_path):
    """For the next stream, for Python, and to estimate other recordings of the person."""
    from sspinn_opensim import Estimator
    from sspinn_opensim.streaming.learner import Learner, Lesson
    from sspinn_opensim.verbs import adapt

    out = shutil.copytree(scaled, tmp_path / "live")
    start = start_of(study, out, "builtin")
    with torch.no_grad():  # so that two steps help
        start.network.network.head[-1].bias += 0.2
    adaptation = stream_learning._adaptation(study, start, out, 20.0)
    adaptation.close()
    recording, seed = start.prepared.trained_on, 0
    np.savez(
        tmp_path / "samples.npz", acceleration=recording.acceleration, angular_rate=recording.angular_rate
    )
    lesson = Lesson(tmp_path / "samples.npz", 2, tmp_path / "network.pt")
    assert Learner(adaptation._task).take(lesson).kind == "adapted"
    with pytest.raises(InputError, match="no trained network"):
        start_of(study, out, "adapted")
    adaptation._keep(lesson.out)
    again = start_of(study, out, "adapted")
    assert "earlier stream" in again.told and not again.network.training
    before, after = (one.network.network.state_dict()["head.2.bias"].numpy() for one in (start, again))
    assert not np.array_equal(before, after)
    found = Estimator.load(out / "adapted", seed).estimate(recording, agreeing=False)
    other = adapt.adapt(study, out / "adapted", tmp_path / "other", steps=0).folder
    kept = start_of(study, other).network.network.state_dict()["head.2.bias"].numpy()
    np.testing.assert_array_equal(kept, after)
    assert np.isfinite(found.moments).all()


@pytest.mark.parametrize("end", [lambda: SamplesFrom(listen="nowhere"), lambda: EstimatesTo(send="nowhere")])
def test_an_address_that_is_none_is_refused_also_where_it_is_not_used(end):
    with pytest.raises(InputError, match="no address"):
        end()


def test_an_adaptation_of_no_steps_is_refused(study, scaled):
    none = replace(study, training=replace(study.training, adaptation_steps=0))
    with pytest.raises(InputError, match="no steps changes nothing"):
        stream.stream(none, scaled, network="builtin", adapt_after_s=20.0)


def test_standing_corrects_inclinations_that_are_stated_roughly(unrecorded, scaled, tmp_path):
    """As far as both are certain: 8 degrees of what is stated, 3.5 of how people stand.

    A thigh leans by 2 degrees as people stand, so 14 are between both. Of a turn v the share
    3.5^2 / (3.5^2 + 8^2 + v^2 / 4), a ninth, is kept.
    """
    from scipy.spatial.transform import Rotation

    named = unrecorded.read_text().replace('imu_frame = "femur_r_imu"', 'axes = ["x", "y", "z"]')
    file = tmp_path / "rough.toml"
    turned, tilt_deg = {}, 12.0
    for within in ("", "\n[alignment]\nstated_within_deg = 8.0\n"):
        file.write_text(named + within)
        known = read_study(file, unrecorded=True)
        start = start_of(known, scaled)
        turned[within] = stream.inclination(known, start.prepared)
    exact, rough = turned.values()
    assert exact is None
    up = np.tile([0.0, 9.81, 0.0], (100, 7, 1))
    up[:, 1] = Rotation.from_euler("z", -tilt_deg, degrees=True).apply(up[0, 1])  # it leans that much forward
    found = rough(up, np.zeros_like(up))
    assert np.array_equal(found[[0, 2, 3, 4, 5, 6]], np.tile(np.eye(3), (6, 1, 1)))
    angles = np.degrees(Rotation.from_matrix(found[1]).as_rotvec())
    assert 0.8 * (tilt_deg + 2.0) < angles[2] < tilt_deg + 2.0 and np.abs(angles[:2]).max() < 4.0
