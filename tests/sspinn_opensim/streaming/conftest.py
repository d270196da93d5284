"""A recording of a walker, sent as sensors would send it, with whatever goes wrong on the way."""

from types import SimpleNamespace

import numpy as np
import pytest


@pytest.fixture(scope="session")
def person(walker, planar_model, record):
    """Return subject, signals, a recording of 24 s, a loud network, and the streamed sensors."""
    import torch

    from sspinn_opensim.streaming.sensors import StreamedSensors
    from sspinn_opensim.streaming.sources import own_axes
    from sspinn_opensim.training.estimator import PersonNetwork
    from sspinn_opensim.training.signals import make_signals

    recording = record(planar_model, seconds=24.0)
    signals = make_signals(recording, walker.subject)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        estimator = PersonNetwork(walker.subject, signals).eval()
        with torch.no_grad():
            estimator.network.head[-1].weight *= 10
    # Every sensor sits otherwise: quarter turns lose no digit.
    rotation = np.array([np.roll(np.eye(3), k, axis=0) for k in range(len(recording.sensors))])
    sensors = StreamedSensors.of(recording, walker.subject, signals).turned(rotation)
    sent = own_axes(recording, rotation)
    return SimpleNamespace(
        subject=walker.subject,
        signals=signals,
        recording=recording,
        estimator=estimator,
        sensors=sensors,
        sent=sent,
    )


@pytest.fixture
def make_live(person):
    """Return a function: settings to a live estimator of the person."""
    from sspinn_opensim.estimation import StreamingEstimator
    from sspinn_opensim.streaming.lateness import shared_joints
    from sspinn_opensim.streaming.live import LiveEstimator
    from sspinn_opensim.streaming.samples import SampleClock

    def make(**settings):
        streaming = StreamingEstimator(person.estimator, person.subject, person.signals)
        joints = shared_joints(person.subject.model, person.subject.functions.imu_frames)
        usual = {"clock": SampleClock(), "joints": joints}
        return LiveEstimator(streaming, person.sensors, **usual | settings)

    return make


@pytest.fixture(scope="session")
def muscle_solver(person, tmp_path_factory):
    """Return the muscle solver of the person's model with its reserves."""
    import osim_models
    from sspinn_opensim.muscles import MuscleSolver
    from sspinn_opensim.opensim_io.static_optimization.preparation import write_model

    subject = person.subject
    model, actuators = write_model(
        osim_models.path("planar_gait.osim"),
        tmp_path_factory.mktemp("muscles"),
        motions={coordinate.name: coordinate.motion for coordinate in subject.model.coordinates},
        body_weight_n=subject.body_weight,
        held={},
    )
    return MuscleSolver(model, actuators=[actuators])


@pytest.fixture
def make_muscles(person, muscle_solver):
    """Return a function: settings to the live muscles of the person."""
    from sspinn_opensim.muscles import FrameSolver
    from sspinn_opensim.streaming.muscles import LiveMuscles

    names = person.subject.model.coordinate_names

    def make(**settings):
        solver = FrameSolver(muscle_solver, [names[k] for k in person.subject.roles.actuated])
        return LiveMuscles(solver, person.signals.step_s, **settings)

    return make


@pytest.fixture
def play_to():
    """Return a function that hands arrivals (when, sample) to a live estimator in their order.

    It asks for frames a millisecond after another, and returns frames and events.
    """

    def play(live, arrivals, until_s=0.1):
        found, arrivals = [], sorted(arrivals, key=lambda pair: pair[0])
        now = arrivals[0][0]
        for arrived, sample in [*arrivals, (arrivals[-1][0] + until_s, None)]:
            while now < arrived:
                found += live.advance(now)
                now += 0.001
            if sample is not None:
                live.take(sample, arrived)
        found += live.advance(now)
        return [x for x in found if hasattr(x, "estimate")], [x for x in found if hasattr(x, "kind")]

    return play


@pytest.fixture
def arrivals(person):
    """Return a function: what goes wrong to the arrivals of the samples of the recording."""
    from sspinn_opensim.streaming.samples import Sample

    def make(
        *, from_row=0, to_row=None, loss=0.0, jitter_s=0.0, dead=(), late=(), ppm=None, signal_late=(), seed=0
    ):
        random, found = np.random.default_rng(seed), []
        time_s = person.recording.time_s
        ppm = np.zeros(len(person.sensors.names)) if ppm is None else ppm
        behind = dict(signal_late)
        for row in range(from_row, to_row or len(time_s)):
            for k in range(len(ppm)):
                t = float(time_s[row])
                if random.random() < loss or any(k == s and a <= t < b for s, a, b in dead):
                    continue
                delay = 0.002 + jitter_s * random.random() + sum(d for s, d in late if s == k)
                own = person.sent[np.clip(row - behind.get(k, 0), 0, len(time_s) - 1), k]
                # Clocks of any origin that go wrong by millionths.
                clock = t if not ppm.any() else 50.0 * k + t * (1 + 1e-6 * ppm[k])
                found.append((1000.0 + t + delay, Sample(k, clock, own, row)))
        return found

    return make
