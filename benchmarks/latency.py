"""How long one frame takes: a sample of all sensors in; coordinates, moments and ground forces out.

Run ``python -m benchmarks.latency``. The network is untrained: what it has learnt does not change its cost.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks.machine import processor
from casadi_dynamics.errors import InputError
from casadi_dynamics.osim import read_model
from sspinn_opensim.estimation import StreamingEstimator
from sspinn_opensim.estimation.inference.applied import applied
from sspinn_opensim.estimation.inference.frame import Frames
from sspinn_opensim.recording import read_recording
from sspinn_opensim.study import examples_folder, read_study
from sspinn_opensim.training.estimator import PersonNetwork
from sspinn_opensim.training.networks import NETWORKS, LstmNetwork
from sspinn_opensim.training.signals import make_signals
from sspinn_opensim.training.subject import make_subject

#: Milliseconds a frame on one core: what the project promises. SSPINNpose reports 3.5 (arXiv 2506.11786).
TARGET_P50_MS, TARGET_P99_MS = 1.5, 3.5
WARM_UP = 200
#: Who does not stream sees the past through a window that is long enough for the network to settle.
WINDOW_S = 1.0
PERCENTILES = (50, 95, 99)


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument(
        "--study", type=Path, default=examples_folder() / "demo.toml", help="default: the demo"
    )
    parser.add_argument("--frames", type=int, default=3000, help="frames to measure (default: %(default)s)")
    parser.add_argument("--network", choices=NETWORKS, help="default: what the study says")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    if options.frames < 1:
        parser.error("--frames must be at least 1")
    try:
        results = measure(options.study, options.frames, options.network)
    except InputError as error:
        parser.exit(2, f"{error}\n")
    print(json.dumps(results, indent=1) if options.json else table(results))


def measure(study_file: Path, frames: int, network: str | None = None) -> dict:
    """Return the latency of the streaming estimator and of its peers, in ms.

    Parameters
    ----------
    study_file : Path
        Names model and recording; the model is used as it is, scaling changes no cost.
    frames : int
        Frames to measure after the warm-up; the recording is repeated as often as needed.
    network : str, optional
        Kind of network, instead of the study's.
    """
    torch.set_num_threads(1)
    study = read_study(study_file)
    kind = network or study.training.network
    recording, model = read_recording(study), read_model(study.model.file)
    subject = make_subject(model, recording, study.coordinates.fixed, height_m=study.person.height_m)
    signals = make_signals(recording, subject)
    torch.manual_seed(0)
    estimator = PersonNetwork(subject, signals, kind=kind).eval()

    in_double = applied(estimator)
    streaming = StreamingEstimator(estimator, subject, signals)

    def stream(i: int) -> None:
        streaming.step(recording.acceleration[i], recording.angular_rate[i])

    frame, length = Frames(subject, in_double, signals), round(WINDOW_S / signals.step_s)

    def window(i: int) -> None:
        start = max(min(i, len(signals.acceleration) - length), 0)
        rows = slice(start, start + length)
        with torch.inference_mode():
            inputs = signals.inputs(signals.acceleration[rows].double(), signals.angular_rate[rows].double())
            outputs, _ = in_double.network(inputs[None])
            frame.next(outputs[0, -1].numpy(), signals.angular_rate[rows][-1].numpy())

    inputs = signals.inputs(signals.acceleration, signals.angular_rate)[:, None, None]
    size, outputs = signals.input_size, estimator.decoder.size
    layers, state = LstmNetwork(size, outputs).recurrent.eval(), None

    def recurrent(i: int) -> None:
        nonlocal state
        with torch.inference_mode():
            _, state = layers(inputs[i], state)

    count = len(recording.time_s)
    return {
        "model": model.name,
        "sensors": len(recording.sensors),
        "network": kind,
        "parameters": sum(p.numel() for p in estimator.network.parameters()),
        "frames": frames,
        "threads": torch.get_num_threads(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "torch": torch.__version__,
        "target_ms": {"p50": TARGET_P50_MS, "p99": TARGET_P99_MS},
        "latency_ms": {
            "streaming estimator": _measure(stream, frames, count),
            f"window of {WINDOW_S:g} s per frame": _measure(window, frames, count),
            "nn.LSTM step alone": _measure(recurrent, frames, count),
        },
    }


def table(results: dict) -> str:
    """Return the results as text."""
    lines = [
        f"{results['model']}, {results['sensors']} sensors, {results['network']} network of "
        f"{results['parameters']} parameters, {results['frames']} frames, {results['threads']} thread",
        f"{results['processor']}, {results['cores']} cores, load {results['load']}, torch {results['torch']}",
        "",
        f"{'ms per frame':28}"
        + "".join(f"{f'p{p}':>9}" for p in PERCENTILES)
        + f"{'cpu p50':>9}{'cpu p99':>9}",
    ]
    for name, numbers in results["latency_ms"].items():
        columns = [*(numbers[f"p{p}"] for p in PERCENTILES), numbers["cpu_p50"], numbers["cpu_p99"]]
        lines.append(f"{name:28}" + "".join(f"{value:9.3f}" for value in columns))
    found, target = results["latency_ms"]["streaming estimator"], results["target_ms"]
    verdict = ", ".join(
        f"{p} {'met' if found[p] <= target[p] else 'missed'} ({target[p]:g} ms)" for p in ("p50", "p99")
    )
    return "\n".join([*lines, "", f"target: {verdict}"])


def _measure(call: Callable[[int], None], frames: int, count: int) -> dict[str, float]:
    """Return percentiles of wall time, and of the thread's own time, which other processes cannot delay."""
    for i in range(WARM_UP):
        call(i % count)
    wall, own = np.empty(frames), np.empty(frames)
    gc.collect()
    for i in range(frames):
        own_start, start = time.thread_time_ns(), time.perf_counter_ns()
        call(i % count)
        wall[i] = time.perf_counter_ns() - start
        own[i] = time.thread_time_ns() - own_start
    found = {f"p{p}": float(np.percentile(wall, p)) / 1e6 for p in PERCENTILES}
    found |= {f"cpu_p{p}": float(np.percentile(own, p)) / 1e6 for p in PERCENTILES}
    return {name: round(value, 4) for name, value in found.items()}


if __name__ == "__main__":
    main()
