"""Whether a stream names a sensor whose signals come late, and none where none do, whatever goes wrong.

``python -m benchmarks.late_sensors --data ../shared/data`` streams recordings of real and virtual people with
5 % of the packets lost, 50 ms of jitter and clocks 100 ppm apart, one sensor dead for 10 s where a recording
is long enough; once as they are, and once with each sensor in turn 30 ms late.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.people.recordings import RECORDINGS
from benchmarks.people.virtual import chosen_trials, read_virtual
from benchmarks.people.virtual import write_study as write_virtual
from benchmarks.planted_sensors import PLANAR, study_of
from casadi_dynamics.model import Model
from casadi_dynamics.osim import read_model
from sspinn_opensim.anatomy import segment_of
from sspinn_opensim.recording import Recording, read_recording
from sspinn_opensim.recording.resample import resample
from sspinn_opensim.recording.sensors.places import place
from sspinn_opensim.streaming.frames import FrameMaker, Patience, Silence
from sspinn_opensim.streaming.lateness import LateSensors, SharedJoint, shared_joints
from sspinn_opensim.streaming.samples import Sample
from sspinn_opensim.verbs.axes import along_segments, as_chosen

_RATE_HZ, _LOOK_S = 100.0, 0.004
_LOSS, _JITTER_S, _PPM = 0.05, 0.05, 50.0
#: A sensor is dead for so long, s, from a third of the stream on, where it lasts so long, s.
_DEAD_S, _LONG_S = 10.0, 20.0
#: Standard deviation of the angles by which virtual sensors are turned, degrees.
_TURNED_DEG = 3.0


def main(arguments: list[str] | None = None) -> int:
    """Stream all and print who was named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.late_sensors", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="*", choices=RECORDINGS, default=list(RECORDINGS))
    parser.add_argument(
        "--virtual", type=int, default=9, metavar="N", help="walkers and runners; default: %(default)s"
    )
    parser.add_argument("--late", type=int, default=30, metavar="MS", help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each; default: %(default)g")
    parser.add_argument("--seeds", type=int, default=1, help="of loss and jitter; default: %(default)s")
    parser.add_argument("--planar", action="store_true", help="with channels of the sagittal plane alone")
    options = parser.parse_args(arguments)
    console, counts = Console(width=150), Counter()
    axes = PLANAR if options.planar else {}
    for name, recording, model in people(options.data, options.only, options.virtual):
        seen = replace(recording, **{key: getattr(recording, key) * axes[key] for key in axes})
        bodies = [sensor.body for sensor in recording.sensors]
        joints = shared_joints(model, [place(sensor, model) for sensor in recording.sensors])
        told = []
        for seed in range(options.seeds):
            for late in (None, *sorted({end for joint in joints for end in (joint.parent, joint.child)})):
                named = first_named(seen, joints, late, options.late / 1000, options.seconds, seed)
                kind = "none" if late is None else (segment_of(bodies[late]) or ("other",))[0]
                outcome = "right" if named == late else "missed" if named is None else "wrong"
                counts[kind, outcome] += 1
                if outcome != "right":
                    whom = "nobody" if named is None else bodies[named]
                    told.append(f"{whom} for {'nobody' if late is None else bodies[late]}")
        console.print(f"{name}: {'; '.join(told) or 'all right'}", highlight=False)
    table = Table("late", "right", "missed", "wrong", box=None)
    for kind in dict.fromkeys(kind for kind, _ in counts):
        table.add_row(kind, *(str(counts[kind, outcome]) for outcome in ("right", "missed", "wrong")))
    console.print(table)
    return 0


def people(data: Path, names: list[str], virtual: int) -> Iterator[tuple[str, Recording, Model]]:
    """Return recordings along the bodies, each with a model that its sensors sit on."""
    for name in names:
        study = study_of(name, data)
        recording, _ = along_segments(study, as_chosen(study, read_recording(study)), refuse=False)
        yield name, resample(recording, _RATE_HZ), read_model(study.model.file)
    for trial in chosen_trials(data, virtual, every=False):
        with tempfile.TemporaryDirectory() as folder:
            study = read_virtual(write_virtual(trial, _TURNED_DEG, Path(folder) / trial.name), "stated")
            yield trial.name, resample(read_recording(study), _RATE_HZ), read_model(study.model.file)


def first_named(
    recording: Recording,
    joints: list[SharedJoint],
    late: int | None,
    late_s: float,
    seconds: float,
    seed: int,
) -> int | None:
    """Return the sensor that a stream names first; None if it names none."""
    random, step_s = np.random.default_rng(seed), 1 / _RATE_HZ
    rows = min(len(recording.time_s), round(seconds * _RATE_HZ))
    time_s, sensors = np.arange(rows) * step_s, len(recording.sensors)
    signals = np.concatenate([recording.acceleration, recording.angular_rate], axis=2)
    lost, dead = random.random((rows, sensors)) < _LOSS, random.integers(sensors)
    arrived_s = time_s[:, None] + 0.002 + _JITTER_S * random.random((rows, sensors))
    if time_s[-1] + step_s >= _LONG_S:
        lost[(time_s >= time_s[-1] / 3) & (time_s < time_s[-1] / 3 + _DEAD_S), dead] = True
    drifts = 1 + 1e-6 * np.linspace(-_PPM, _PPM, sensors)
    maker = FrameMaker(sensors, step_s, shared_clock=False, patience=Patience())
    finder = LateSensors(joints, step_s, lambda frames: (frames[..., :3], frames[..., 3:]))
    now_s = 0.0
    for row, k in sorted(np.argwhere(~lost).tolist(), key=lambda at: arrived_s[*at]):
        while now_s < arrived_s[row, k]:
            now_s += _LOOK_S
            frame = maker.next(now_s)
            if isinstance(frame, Silence):
                finder.pause()
                continue
            named = finder.work()
            if frame is not None:
                named = finder.take(frame.signals, frame.held) or named
            if named is not None:
                return named.sensor
        measured = max(row - (round(late_s * _RATE_HZ) if k == late else 0), 0)
        sample = Sample(k, 100.0 * k + time_s[row] * drifts[k], signals[measured, k], row)
        maker.take(sample, arrived_s[row, k])
    return None


if __name__ == "__main__":
    raise SystemExit(main())
