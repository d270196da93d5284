"""Muscles of streamed frames: those of the offline solver, left out only where that is said, and sent."""

import json
import socket
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from sspinn_opensim.opensim_io.tables.storage import read_storage
from sspinn_opensim.streaming.channels import channels_of_estimate
from sspinn_opensim.streaming.sinks import LslSink, RollingFiles, UdpSink


@pytest.fixture
def streamed(make_live, make_muscles, arrivals, play_to):
    """Return frames, events and the live muscles of four seconds."""
    muscles = make_muscles()
    frames, events = play_to(make_live(muscles=muscles), arrivals(to_row=400))
    return frames, events, muscles


@pytest.fixture
def channels(person, muscle_solver):
    from sspinn_opensim.estimation import StreamingEstimator

    estimator = StreamingEstimator(person.estimator, person.subject, person.signals)
    motions = {coordinate.name: coordinate.motion for coordinate in person.subject.model.coordinates}
    plain = channels_of_estimate(
        estimator.coordinates, list(motions.values()), estimator.actuated, estimator.feet
    )
    units = tuple("N m" if motions[name] == "rotational" else "N" for name in muscle_solver.driven)
    return replace(
        plain, muscles=muscle_solver.muscles, actuators=muscle_solver.actuators, actuator_units=units
    )


def test_the_muscles_of_a_stream_are_those_of_the_offline_solver(streamed, muscle_solver, person):
    """Of the same postures, rates and moments, solved as one trial: one solution, so rounding is left."""
    frames, _, _ = streamed
    q = np.array([frame.estimate.q for frame in frames])
    moments = np.array([frame.estimate.moments for frame in frames])
    rates = (3 * q[2:] - 4 * q[1:-1] + q[:-2]) / (2 * person.signals.step_s)
    demand = muscle_solver.frame_demand().at(q[2:], rates)
    actuated = [person.subject.model.coordinate_names[k] for k in person.subject.roles.actuated]
    demand.tau[:, [muscle_solver.free.index(name) for name in actuated]] += moments[2:]
    strength = muscle_solver.strength(demand)
    whole = muscle_solver.share(demand, strength)
    assert whole.solved.all()
    found = [frame.muscles for frame in frames[2:]]
    count = len(muscle_solver.muscles)
    np.testing.assert_allclose(
        [one.activations for one in found], whole.controls[:, :count], rtol=0, atol=1e-9
    )
    forces = (strength * whole.controls)[:, :count]
    np.testing.assert_allclose([one.forces for one in found], forces, rtol=0, atol=1e-9 * forces.max())


def test_frames_without_rates_have_no_muscles_and_are_counted(make_live, make_muscles, arrivals, play_to):
    """After a gap, too: the frame before it says nothing of how fast the body moves."""
    muscles = make_muscles()
    frames, _ = play_to(make_live(muscles=muscles), arrivals(to_row=600, dead=[(2, 2.0, 3.0)]))
    without = [frame.time_s for frame in frames if frame.muscles is None]
    np.testing.assert_allclose(without, [0.0, 0.01, 3.0, 3.01], atol=1e-6)
    assert muscles.summary.left_out == 4 and muscles.summary.solved == len(frames) - 4
    assert muscles.summary.every == 1


def test_time_that_is_short_is_said_and_frames_are_left_out(make_live, make_muscles, arrivals, play_to):
    """A hundredth of what a frame takes: most are left out, and it is no secret."""
    muscles = make_muscles(budget_s=5e-6)
    frames, events = play_to(make_live(muscles=muscles), arrivals(to_row=400))
    told = [event for event in events if event.kind == "muscles_thinned"]
    assert told and "one frame of" in told[0].text and "ms" in told[0].text
    every = muscles.summary.every
    assert every > 5
    solved = [k for k, frame in enumerate(frames) if frame.muscles is not None]
    assert solved[0] == 2 and set(np.diff(solved)[:49]) == {1} and solved[-1] - solved[-2] == every
    assert muscles.told.startswith(f"muscle forces in one frame of {every}: they take ")
    assert muscles.summary.solved == len(solved)
    assert muscles.summary.left_out == len(frames) - len(solved)


def test_what_the_muscles_cannot_do_is_told_once_and_counted(streamed, make_muscles):
    frames, events, muscles = streamed
    quiet = frames[100].estimate
    knee = make_muscles()
    for frame in frames[:3]:
        knee.take(frame.time_s, frame.estimate)
    loud = replace(quiet, moments=np.where(np.arange(len(quiet.moments)) == 2, 5000.0, quiet.moments))
    found, told = knee.take(1.0, loud)
    again, told_again = knee.take(1.01, loud)
    assert found.unmet == again.unmet != () and {event.kind for event in told} == {"muscles_short"}
    assert told_again == [] and all(knee.summary.unmet[name] >= 2 for name in found.unmet)
    counted = sum(len(frame.muscles.unmet) for frame in frames if frame.muscles)
    assert counted == sum(muscles.summary.unmet.values())
    short = [event for event in events if event.kind == "muscles_short"]
    assert len(short) == len(muscles.summary.unmet)


def test_an_estimate_that_is_no_number_has_no_muscles(streamed, make_muscles):
    frames, _, _ = streamed
    muscles = make_muscles()
    broken = replace(frames[5].estimate, moments=frames[5].estimate.moments * np.nan)
    for estimate in (*(frame.estimate for frame in frames[:5]), broken, frames[6].estimate):
        found, _ = muscles.take(0.0, estimate)
    assert found is None  # its rates would be those over a gap


def test_files_hold_muscles_as_the_offline_files_do(tmp_path, streamed, channels):
    frames, _, _ = streamed
    files = RollingFiles(tmp_path / "stream", channels, "walker", part_s=2.0, kept_s=60.0)
    for frame in frames:
        files.take(frame)
    files.close()
    part = tmp_path / "stream" / "0002"
    forces, activations = (read_storage(part / f"muscle_{kind}.sto") for kind in ("forces", "activations"))
    reserves = read_storage(part / "muscle_reserves.sto")
    assert forces.names == activations.names == channels.muscles and not forces.in_degrees
    assert reserves.names == channels.actuators
    motion = read_storage(part / "kinematics.mot")
    np.testing.assert_array_equal(forces.time_s, motion.time_s)
    np.testing.assert_array_equal(forces.values[7], frames[207].muscles.forces)
    np.testing.assert_array_equal(activations.values[7], frames[207].muscles.activations)
    first = read_storage(tmp_path / "stream" / "0001" / "muscle_forces.sto")
    assert first.time_s[0] == pytest.approx(0.02)


def test_muscles_by_udp(streamed, channels):
    frames, _, _ = streamed
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    receiver.settimeout(2.0)
    sink = UdpSink(channels, *receiver.getsockname())
    for frame in (frames[0], frames[50]):
        sink.take(frame)
    without, with_muscles = (json.loads(receiver.recv(65_535)) for _ in range(2))
    receiver.close()
    sink.close()
    assert "muscle_forces" not in without and "moments" in without
    assert list(with_muscles["muscle_forces"].values()) == frames[50].muscles.forces.tolist()
    assert tuple(with_muscles["muscle_activations"]) == channels.muscles
    assert tuple(with_muscles["reserves"]) == channels.actuators
    assert with_muscles["unmet"] == list(frames[50].muscles.unmet)


def test_muscles_by_lsl(streamed, channels):
    if find_spec("pylsl") is None:
        pytest.skip("pylsl is not installed: pip install pylsl")
    from sspinn_opensim.streaming.lsl import channels_of, lsl

    module, frames = lsl(), streamed[0]
    sink = LslSink(channels, 100.0)
    inlets = {}
    for name in ("sspinn_muscle_forces", "sspinn_muscle_activations", "sspinn_reserves"):
        (info,) = module.resolve_byprop("name", name, minimum=1, timeout=5.0)
        inlets[name] = module.StreamInlet(info)
        inlets[name].open_stream(timeout=5.0)
    described = channels_of(inlets["sspinn_muscle_forces"].info(timeout=5.0))
    assert described == [(name, "N") for name in channels.muscles]
    for frame in frames[:50]:
        sink.take(frame)
    rows = {name: inlet.pull_chunk(timeout=2.0, max_samples=48)[0] for name, inlet in inlets.items()}
    sink.close()
    assert len(rows["sspinn_muscle_forces"]) == 48  # not the first two
    np.testing.assert_array_equal(rows["sspinn_muscle_activations"][9], frames[11].muscles.activations)
    np.testing.assert_array_equal(rows["sspinn_reserves"][9], frames[11].muscles.actuation)
