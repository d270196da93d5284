"""How long the whole way of a sample takes, and what a stream bears: loss, jitter, clocks, dead sensors.

Run ``python -m benchmarks.streaming``. Latency and memory are measured with an untrained network, whose cost
is that of a trained one; ``--results FOLDER`` takes a trained one, and angles are then worth comparing.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import os
import resource
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.machine import processor
from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Model
from casadi_dynamics.opensim_process.temporary import temporary_folder
from casadi_dynamics.osim import read_model
from sspinn_opensim.estimation import Estimate, StreamingEstimator, estimate
from sspinn_opensim.muscles import FrameSolver
from sspinn_opensim.opensim_io.model.contact import put_under_feet
from sspinn_opensim.opensim_io.model.free_root import free_the_way
from sspinn_opensim.recording import Recording, on_model, read_recording
from sspinn_opensim.recording.resample import resample
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.streaming.adaptation import Adaptation
from sspinn_opensim.streaming.channels import Channels, channels_of_estimate
from sspinn_opensim.streaming.events import Event
from sspinn_opensim.streaming.lateness import shared_joints
from sspinn_opensim.streaming.learner import Task
from sspinn_opensim.streaming.live import LiveEstimator, LiveFrame
from sspinn_opensim.streaming.lsl import lsl, stream_info
from sspinn_opensim.streaming.muscles import LiveMuscles
from sspinn_opensim.streaming.replay import UdpPlayer
from sspinn_opensim.streaming.run import run
from sspinn_opensim.streaming.samples import Sample, SampleClock
from sspinn_opensim.streaming.sensors import StreamedSensors
from sspinn_opensim.streaming.sinks import UdpSink
from sspinn_opensim.streaming.sources import UdpSource, own_axes
from sspinn_opensim.study import Study, TrainingChoice, examples_folder, read_study
from sspinn_opensim.training.checkpoint import body_identity, load_estimator
from sspinn_opensim.training.coordinates import held_by_choice
from sspinn_opensim.training.estimator import PersonNetwork
from sspinn_opensim.training.settings import adaptation_settings
from sspinn_opensim.training.signals import Signals, make_signals
from sspinn_opensim.training.subject import Subject, make_subject
from sspinn_opensim.verbs.on_study import subject_file
from sspinn_opensim.verbs.prepared import prepare
from sspinn_opensim.verbs.stream_parts import frame_solver_of

PERCENTILES = (50, 95, 99)
_WARM_UP, _FORTH = 300, 0.002
#: So much of a recording is streamed to see what mishaps do, s.
_SPAN_S = 60.0
#: How much time passes between two looks at what has come, in a stream whose time is made, s.
_LOOK_S = 0.002


@dataclass(frozen=True, eq=False)
class Person:
    """What a stream is made of."""

    subject: Subject
    signals: Signals
    recording: Recording
    network: PersonNetwork
    sensors: StreamedSensors
    sent: np.ndarray
    training: TrainingChoice
    solver: FrameSolver | None = None

    def live(self, clock: SampleClock | None = None) -> LiveEstimator:
        """Return a live estimator."""
        streaming = StreamingEstimator(self.network, self.subject, self.signals)
        muscles = self.solver and LiveMuscles(self.solver, self.signals.step_s)
        joints = shared_joints(self.subject.model, self.subject.functions.imu_frames)
        return LiveEstimator(
            streaming, self.sensors, clock=clock or SampleClock(), muscles=muscles, joints=joints
        )


@dataclass(frozen=True)
class Mishaps:
    """What goes wrong on the way; sensors by their places."""

    loss: float = 0.0
    jitter_s: float = 0.0
    dead: tuple[tuple[int, float, float], ...] = ()
    ppm: tuple[float, ...] = ()
    signals_late: dict[int, int] = field(default_factory=dict)


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streaming", description=__doc__)
    parser.add_argument(
        "--study", type=Path, default=examples_folder() / "demo.toml", help="default: the demo"
    )
    parser.add_argument("--results", type=Path, help="a trained results folder of this study")
    parser.add_argument("--model", type=Path, help="another model than the study's, in space")
    parser.add_argument("--muscles", action="store_true", help="solve the muscles of every frame too")
    parser.add_argument("--frames", type=int, default=6000, help="frames for latency (default: %(default)s)")
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="of replay for memory (default: %(default)g)"
    )
    parser.add_argument("--rate", type=float, help="frames a second (default: those of the study)")
    parser.add_argument("--seconds", type=float, default=60.0, help="at real pace (default: %(default)g)")
    parser.add_argument("--no-rehearsal", action="store_true", help="rest between samples at real pace")
    parser.add_argument(
        "--adapt", type=float, metavar="S", help="at real pace, adapt the network after so many seconds"
    )
    parser.add_argument("--only", nargs="*", choices=_ROWS, default=list(_ROWS), help="default: all")
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        person = make_person(
            options.study, options.results, options.model, muscles=options.muscles, rate_hz=options.rate
        )
        found = {name: _ROWS[name](person, options) for name in options.only}
    except InputError as error:
        parser.exit(2, f"{error}\n")
    tell(person, found, as_json=options.json)


def tell(person: Person, found: dict, *, as_json: bool) -> None:
    """Print what was found, beside the machine and the person."""
    about = {"processor": processor(), "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2)}
    about |= {"model": person.subject.model.name, "sensors": len(person.sensors.names)}
    if as_json:
        print(json.dumps(about | found, indent=1))
        return
    for name, value in (about | found).items():
        print(f"{name}: {value}")


def make_person(
    study_file: Path,
    results: Path | None,
    model_file: Path | None,
    *,
    muscles: bool = False,
    rate_hz: float | None = None,
) -> Person:
    """Return a person with a network, trained or not.

    Parameters
    ----------
    rate_hz : float, optional
        Frames a second of an untrained one; those of the study by default.
    """
    study = read_study(study_file)
    if results:
        prepared = prepare(study, results)
        subject, signals, recording = prepared.subject, prepared.signals, prepared.trained_on
        file, belongs_to = ResultsFolder(results).checkpoint(0), {"body": body_identity(subject, recording)}
        network = load_estimator(file, subject, signals, belongs_to)
    else:
        model = _model(study, model_file or study.model.file)
        recording = resample(on_model(read_recording(study), model), rate_hz or study.training.rate_hz)
        held = held_by_choice(study.coordinates, recording.sensors, model)
        subject = make_subject(model, recording, held, height_m=study.person.height_m)
        signals = make_signals(recording, subject)
        torch.manual_seed(0)
        network = PersonNetwork(subject, signals).eval()
        with torch.no_grad():
            network.network.get_parameter("head.2.weight").mul_(
                10
            )  # so that every number has something to say
    # All along the axes of the bodies, however they sat.
    rotation = np.tile(np.eye(3), (len(recording.sensors), 1, 1))
    sensors = replace(StreamedSensors.of(recording, subject, signals), rotation=rotation)
    osim = model_file or (subject_file(results) if results else study.model.file)
    solver = frame_solver_of(study, subject, osim) if muscles else None
    return Person(
        subject, signals, recording, network, sensors, own_axes(recording, rotation), study.training, solver
    )


def _model(study: Study, file: Path) -> Model:
    """Return a model as a training needs it: with contact under its feet, if the study says no other."""
    with temporary_folder("streaming") as folder:
        subject = Path(folder) / file.name
        subject.write_bytes(file.read_bytes())
        free_the_way(subject)
        if study.model.contact == "auto":
            put_under_feet(subject, held_by_choice(study.coordinates, study.sensors, read_model(subject)))
        return read_model(subject)


def latency(person: Person, options: argparse.Namespace) -> dict:
    """Return ms from the last sample in to results out: wall, and the thread's own time."""
    live, count = person.live(), len(person.recording.time_s)
    step_s = person.signals.step_s
    wall, own = [], []
    gc.collect()
    gc.freeze()
    for k in range(options.frames + _WARM_UP + 100):
        row, at = k % count, k * step_s
        began, used = time.perf_counter_ns(), time.thread_time_ns()
        for sensor, signals in enumerate(person.sent[row]):
            live.take(Sample(sensor, at, signals, k), at)
        frames = live.advance(at)
        if any(isinstance(frame, LiveFrame) and not frame.late for frame in frames):
            wall.append(time.perf_counter_ns() - began)
            own.append(time.thread_time_ns() - used)
        live.advance(at)  # between frames there is time for what can wait
    gc.unfreeze()
    found: dict[str, float] = {"frames": len(wall[_WARM_UP:])}
    for name, times in (("wall", wall), ("cpu", own)):
        found |= {
            f"{name}_p{p}_ms": round(float(np.percentile(times[_WARM_UP:], p)) / 1e6, 3) for p in PERCENTILES
        }
    if live.muscles is not None:
        found["muscles"] = len(live.muscles.names)
        found["muscles_solved_every"] = live.muscles.summary.every
    # At 400 Hz a frame has 2.5 ms.
    found["of_400_hz_cpu"] = round(float(np.mean(own[_WARM_UP:])) / 2.5e6, 3)
    return found


def loopback(person: Person, options: argparse.Namespace) -> dict:
    """Return ms from one outlet of LSL through an inlet, an estimate and another outlet to its reader."""
    del person
    context, count = multiprocessing.get_context("spawn"), min(options.frames, 2000)
    pipe, other = context.Pipe()
    echo = context.Process(target=_echo, args=(other, count), daemon=True)
    echo.start()
    module = lsl()
    outlet = module.StreamOutlet(
        stream_info(module, "there", "THERE", ["t", *"abcdef" * 7], [""] * 43, 100.0)
    )
    (info,) = module.resolve_byprop("name", "back", minimum=1, timeout=20.0)
    inlet = module.StreamInlet(info)
    inlet.open_stream(timeout=10.0)
    outlet.wait_for_consumers(20.0)
    time.sleep(0.5)
    taken = []
    for _ in range(count):
        outlet.push_sample([time.monotonic(), *[0.0] * 42])
        row, _ = inlet.pull_sample(timeout=1.0)
        if row is not None:
            taken.append(time.monotonic() - row[0])
        time.sleep(0.005)
    pipe.send("done")
    echo.join(5.0)
    numbers = {f"p{p}_ms": round(1000 * float(np.percentile(taken, p)), 3) for p in PERCENTILES}
    return {"there_and_back": len(taken), **numbers}


def _echo(pipe, count: int) -> None:
    module = lsl()
    outlet = module.StreamOutlet(stream_info(module, "back", "BACK", ["t", *"abcdef" * 7], [""] * 43, 100.0))
    (info,) = module.resolve_byprop("name", "there", minimum=1, timeout=20.0)
    inlet = module.StreamInlet(info)
    inlet.open_stream(timeout=10.0)
    while not pipe.poll():
        row, _ = inlet.pull_sample(timeout=0.2)
        if row is not None:
            outlet.push_sample(row)


def paced(person: Person, options: argparse.Namespace) -> dict:
    """Return what becomes of a stream at its own pace: a message of each sensor by UDP from another process.

    `lag` is from when a sample was due until its estimate is out, of all and of the last tenth, where it
    would be larger if the estimate fell behind; `sent_late` is what of it is the sender's. `core` is the
    share of a core that this process took.
    """
    rate_hz, context = 1 / person.signals.step_s, multiprocessing.get_context("spawn")
    source, live = UdpSource(person.sensors.names, shared_clock=True), person.live()
    if options.adapt:
        live.adaptation = _adaptation(person, options.adapt)
    lags = _Lags()
    count = round(options.seconds * rate_hz)
    pipe, other = context.Pipe()
    arguments = (other, person.sensors.names, source.address, person.sent, rate_hz, count)
    sender = context.Process(target=_send_paced, args=arguments, daemon=True)
    sender.start()
    while not (arrived := source.receive(1.0)):
        pass
    used, began = time.process_time(), time.monotonic()
    for sample, arrived_s in arrived:
        live.take(sample, arrived_s)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        sink = UdpSink(channels_of_person(person), *nobody.getsockname())
        rehearse = not options.no_rehearsal
        summary = run(source, live, [sink, lags], seconds=options.seconds, rehearse=rehearse)
    core = (time.process_time() - used) / (time.monotonic() - began)
    sent_late_s = pipe.recv() if pipe.poll(10.0) else [np.nan]
    sender.join(10.0)
    tenth = len(lags.taken_s) // 10
    found = {"rate_hz": round(rate_hz, 1), "seconds": options.seconds, "sent": count}
    found |= {"estimated": summary.estimated, "late": lags.late, "core": round(core, 3)}
    times = {"lag": lags.taken_s, "lag_of_last_tenth": lags.taken_s[-tenth:], "sent_late": sent_late_s}
    for name, some in times.items():
        if len(some):
            found[name] = {f"p{p}_ms": round(1000 * float(np.percentile(some, p)), 2) for p in PERCENTILES}
    if options.adapt:
        found["adapted"] = [f"{event.time_s - began:.0f} s: {event.text}" for event in summary.events]
    for name, of_part in summary.latency_ms.items():
        found[name] = {f"{key}_ms": round(value, 3) for key, value in of_part.items()}
    return found


def _adaptation(person: Person, first_s: float) -> Adaptation:
    """Return the adaptation of the network, which learns beside the stream."""
    choice = person.training
    settings = adaptation_settings(choice, 0, choice.adaptation_steps, "lstm")
    task = Task.of(person.network, person.subject, person.recording, settings, adapted_from="")
    return Adaptation(task, person.signals, first_s=first_s)


class _Lags:
    """A sink that takes note of how late estimates are out; those at the begin are late by themselves."""

    def __init__(self) -> None:
        self.taken_s: list[float] = []
        self.late = 0

    def take(self, frame: LiveFrame) -> None:
        """Take note of a frame, whose time is on the monotonic clock."""
        self.late += frame.late
        if not frame.late:
            self.taken_s.append(time.monotonic() - frame.time_s)

    def tell(self, event: Event) -> None:
        """Nothing is to be done."""

    def close(self) -> None:
        """Nothing is open."""


def _send_paced(
    pipe, names: tuple[str, ...], address: tuple[str, int], sent: np.ndarray, rate_hz: float, count: int
) -> None:
    player, began, late_s = UdpPlayer(names, *address), time.monotonic() + 0.1, []
    for k in range(count):
        due_s = began + k / rate_hz
        time.sleep(max(due_s - time.monotonic(), 0.0))
        late_s.append(time.monotonic() - due_s)
        player.send(due_s, sent[k % len(sent)], due_s)
    pipe.send(late_s)


def channels_of_person(person: Person) -> Channels:
    """Return the channels of what is estimated of a person."""
    streaming = StreamingEstimator(person.network, person.subject, person.signals)
    motions = [coordinate.motion for coordinate in person.subject.model.coordinates]
    channels = channels_of_estimate(streaming.coordinates, motions, streaming.actuated, streaming.feet)
    solver = person.solver
    if solver is None:
        return channels
    units = ("",) * len(solver.actuators)
    return replace(channels, muscles=solver.muscles, actuators=solver.actuators, actuator_units=units)


def memory(person: Person, options: argparse.Namespace) -> dict:
    """Return how much the memory of the process grew over a long replay, MB."""
    live = person.live(SampleClock(shared=False))
    count, step_s = len(person.recording.time_s), person.signals.step_s
    sizes = []
    total = round(60 * options.minutes / step_s)
    for k in range(total):
        for sensor, signals in enumerate(person.sent[k % count]):
            live.take(Sample(sensor, k * step_s, signals, k), k * step_s + 0.001)
        live.advance(k * step_s + 0.001)
        if k % (total // 10) == total // 10 - 1:
            gc.collect()
            sizes.append(resident_mb())
    return {"minutes": options.minutes, "mb": sizes, "growth_mb": round(sizes[-1] - sizes[1], 2)}


def resident_mb() -> float:
    """Return the memory that this process has, MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * resource.getpagesize() / 2**20, 2)


def equality(person: Person, options: argparse.Namespace) -> dict:
    """Return the largest difference of streaming and offline over the range of each quantity."""
    del options
    frames, _ = streamed(person, Mishaps())
    whole = _offline(person)
    rows = _rows(frames, person)
    pairs = {
        "coordinates": ([f.estimate.q for f in frames], whole.q),
        "moments": ([f.estimate.moments for f in frames], whole.moments),
        "forces": (
            [f.estimate.ground.force.ravel() for f in frames],
            whole.ground.force.reshape(len(whole.q), -1),
        ),
    }
    found: dict[str, float] = {"frames": len(frames)}
    for name, (ours, theirs) in pairs.items():
        ranges = np.ptp(theirs, axis=0)
        varies = ranges > 1e-9
        found[name] = float(
            (np.abs(np.array(ours) - theirs[rows]).max(axis=0)[varies] / ranges[varies]).max()
        )
    return found


def mishaps(person: Person, options: argparse.Namespace) -> dict:
    """Return what each mishap, and all at once, does to the angles (deg), and what was said of it."""
    del options
    count = len(person.sensors.names)
    ppm = tuple(np.linspace(-50.0, 50.0, count))
    late, span_s = 2, min(len(person.recording.time_s) * person.signals.step_s, _SPAN_S)
    dead_s = min(10.0, span_s / 3)
    dead = ((count - 1, span_s / 3, span_s / 3 + dead_s),)
    cases = {
        "loss 5 %": Mishaps(loss=0.05),
        "jitter 50 ms": Mishaps(jitter_s=0.05),
        "loss and jitter": Mishaps(loss=0.05, jitter_s=0.05),
        "clocks 100 ppm apart, jitter": Mishaps(jitter_s=0.05, ppm=ppm),
        f"dead for {dead_s:g} s": Mishaps(dead=dead),
        "signals 30 ms late": Mishaps(signals_late={late: 3}, ppm=ppm),
        "all": Mishaps(0.05, 0.05, dead, ppm, {late: 3}),
    }
    whole, found = _offline(person), {}
    for name, case in cases.items():
        frames, events = streamed(person, case)
        found[name] = {"frames": len(frames), "rmsd_deg": _rmsd_deg(frames, whole, person)}
        found[name]["said"] = [f"{event.kind}: {', '.join(event.sensors)}".rstrip(": ") for event in events]
    return found


def streamed(person: Person, case: Mishaps, seconds: float = _SPAN_S) -> tuple[list[LiveFrame], list[Event]]:
    """Return frames and events of a stream whose time is made."""
    live = person.live(SampleClock(shared=not case.ppm))
    arrivals = sorted(_arrivals(person, case, seconds), key=lambda pair: pair[0])
    frames, events, now = [], [], arrivals[0][0]
    for arrived, sample in arrivals:
        while now < arrived:
            for found in live.advance(now):
                (frames if isinstance(found, LiveFrame) else events).append(found)
            now += _LOOK_S
        live.take(sample, arrived)
    for found in live.advance(now + 0.1):
        (frames if isinstance(found, LiveFrame) else events).append(found)
    return frames, events


def _arrivals(person: Person, case: Mishaps, seconds: float) -> Iterator[tuple[float, Sample]]:
    random, step_s = np.random.default_rng(0), person.signals.step_s
    rows = min(round(seconds / step_s), len(person.recording.time_s))
    for row in range(rows):
        at = row * step_s
        for k in range(len(person.sensors.names)):
            lost = random.random() < case.loss
            if lost or any(k == dead and a <= at < b for dead, a, b in case.dead):
                continue
            clock = 100.0 * k + at * (1 + 1e-6 * case.ppm[k]) if case.ppm else at
            own = person.sent[max(row - case.signals_late.get(k, 0), 0), k]
            yield at + _FORTH + case.jitter_s * random.random(), Sample(k, clock, own, row)


def _offline(person: Person) -> Estimate:
    return estimate(person.network, person.subject, person.signals, person.recording.time_s)


def _rows(frames: Sequence[LiveFrame], person: Person) -> np.ndarray:
    return np.round(np.array([frame.time_s for frame in frames]) / person.signals.step_s).astype(int)


def _rmsd_deg(frames: Sequence[LiveFrame], whole: Estimate, person: Person) -> float:
    """Return the root mean square over frames and joints of how far angles are from those without mishaps."""
    known = np.arange(len(whole.time_s)) * person.signals.step_s
    joints = [whole.coordinates.index(name) for name in whole.actuated]
    times = np.array([frame.time_s for frame in frames])
    kept = (times > 3.0) & (times < known[-1])
    found = np.array([frame.estimate.q[joints] for frame in frames])[kept]
    expected = np.column_stack([np.interp(times[kept], known, whole.q[:, k]) for k in joints])
    return round(float(np.degrees(np.sqrt(np.mean((found - expected) ** 2)))), 3)


_ROWS = {
    "latency": latency,
    "paced": paced,
    "loopback": loopback,
    "memory": memory,
    "equality": equality,
    "mishaps": mishaps,
}

if __name__ == "__main__":
    main()
