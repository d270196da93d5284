"""An exported estimator in onnxruntime beside the streaming one in torch: numbers and ms a frame, one core.

Both take the same samples in turn, so that whatever else the machine does meets both.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.machine import processor
from benchmarks.streaming import PERCENTILES, Person, make_person
from casadi_dynamics.errors import InputError
from sspinn_opensim.estimation import StreamingEstimator
from sspinn_opensim.exported.model_file import exported_model
from sspinn_opensim.exported.runtime import ExportedEstimator
from sspinn_opensim.streaming.channels import channels_of_estimate
from sspinn_opensim.study import examples_folder

_WARM_UP = 200
#: Import, load and first frame in a process of its own, s: wall, and the processor's.
_FIRST = """
import sys, time
began, used = time.perf_counter(), time.process_time()
import numpy as np
from sspinn_opensim.exported.runtime import ExportedEstimator
estimator = ExportedEstimator(sys.argv[1])
sample = np.tile([0.0, 9.81, 0.0], (len(estimator.sensors), 1))
estimator.step(sample, 0 * sample)
print(time.perf_counter() - began, time.process_time() - used)
"""


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exported", description=__doc__)
    parser.add_argument("--study", type=Path, default=examples_folder() / "demo.toml", help="default: demo")
    parser.add_argument("--results", type=Path, help="a trained results folder of this study")
    parser.add_argument("--model", type=Path, help="another model than the study's, in space")
    parser.add_argument("--frames", type=int, default=3000, help="default: %(default)s")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        person = make_person(options.study, options.results, options.model)
    except InputError as error:
        parser.exit(2, f"{error}\n")
    about = {"processor": processor(), "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2)}
    about |= {"model": person.subject.model.name, "sensors": len(person.sensors.names)}
    print(json.dumps(about | measured(person, options.frames), indent=1))


def measured(person: Person, frames: int) -> dict:
    """Return sizes, times and the largest difference over the range of each quantity."""
    streaming = StreamingEstimator(person.network, person.subject, person.signals)
    motions = [coordinate.motion for coordinate in person.subject.model.coordinates]
    channels = channels_of_estimate(streaming.coordinates, motions, streaming.actuated, streaming.feet)
    began = time.perf_counter()
    model = exported_model(streaming, person.sensors, channels)
    found: dict = {"export_s": round(time.perf_counter() - began, 2), "nodes": len(model.graph.node)}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "estimator.onnx"
        file.write_bytes(model.SerializeToString())
        found["mb"] = round(file.stat().st_size / 1e6, 2)
        command = [sys.executable, "-c", _FIRST, str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found["first_frame_wall_s"], found["first_frame_cpu_s"] = (
            round(float(x), 3) for x in done.stdout.split()
        )
        exported = ExportedEstimator(file)
    recording, rows = person.recording, len(person.recording.time_s)
    own = np.split(person.sent, 2, axis=2)
    times: dict[str, list[tuple[int, int]]] = {"torch": [], "onnxruntime": []}
    pairs = []
    for k in range(frames + _WARM_UP):
        row = k % rows
        for name, step, given in (
            ("torch", streaming.step, (recording.acceleration[row], recording.angular_rate[row])),
            ("onnxruntime", exported.step, (own[0][row], own[1][row])),
        ):
            wall, used = time.perf_counter_ns(), time.thread_time_ns()
            frame = step(*given)
            times[name].append((time.perf_counter_ns() - wall, time.thread_time_ns() - used))
            pairs.append(frame)
    for name, values in times.items():
        for kind, column in zip(("wall", "cpu"), np.array(values[_WARM_UP:]).T, strict=True):
            found[name] = found.get(name, {}) | {
                f"{kind}_p{p}_ms": round(float(np.percentile(column, p)) / 1e6, 3) for p in PERCENTILES
            }
    theirs, ours = pairs[::2], pairs[1::2]
    compared = {
        "coordinates": ([f.q for f in theirs], [f.coordinates for f in ours]),
        "moments": ([f.moments for f in theirs], [f.moments for f in ours]),
        "forces": ([f.ground.force.ravel() for f in theirs], [f.force.ravel() for f in ours]),
    }
    found["difference_over_range"] = {
        name: _difference(np.array(one), np.array(other)) for name, (one, other) in compared.items()
    }
    return found


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    ranges = np.ptp(one, axis=0)
    varies = ranges > 1e-9
    return float((np.abs(one - other).max(axis=0)[varies] / ranges[varies]).max())


if __name__ == "__main__":
    main()
