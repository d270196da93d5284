"""A training that goes on when it is told to: the other end of the benchmark, run with any checkout's code.

It is started as a file, so that all it imports is the code of the checkout that PYTHONPATH names.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from sspinn_opensim import scale
from sspinn_opensim.study import read_study
from sspinn_opensim.study.read import override
from sspinn_opensim.training.cohort import single_person_cohort
from sspinn_opensim.training.settings import settings_of
from sspinn_opensim.training.trainer import Trainer
from sspinn_opensim.verbs.prepared import prepare


def main() -> None:
    """Train so many pieces of so many steps; a piece is begun by a line of input and answered by one."""
    study_file, pieces, steps = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    study = override(read_study(study_file), steps=pieces * steps)
    with tempfile.TemporaryDirectory() as folder:
        scale(study, Path(folder))
        prepared = prepare(study, Path(folder))
    settings = settings_of(study.training, study.training.seeds[0])
    trainer = Trainer(single_person_cohort(prepared.subject, prepared.signals), settings)
    say(ready=True, operations=operations(trainer))
    begun = wait()

    def report(_: object) -> None:
        nonlocal begun
        if trainer.step % steps == 0:
            wall, cpu = (now - then for now, then in zip(clocks(), begun, strict=True))
            say(step=trainer.step, wall_s=wall, cpu_s=cpu, total=trainer.history[-1]["total"])
            begun = begun if trainer.finished else wait()

    trainer.run(report, lambda _: None)


def operations(trainer: Trainer) -> float:
    """Return how many sums and products the matrices of the network take in a step."""
    settings, network = trainer.settings, trainer.objective._members[0].network
    signals = trainer.cohort.members[0].signals
    frames = settings.batch * round(settings.window_s / signals.step_s)
    # A network that settles does so without its head.
    settling = settings.batch * (round(settings.unscored_s / signals.step_s) - 1)
    scored = frames - settling if hasattr(network, "settle") else frames
    count = 0.0
    for name, weights in network.named_parameters():
        if weights.dim() == 2:
            seen = scored if name.startswith("head") else frames
            # A gradient of the weights, and one of what they are multiplied by, if that is no signal.
            backward = 1 if weights.shape[1] == signals.input_size else 2
            count += 2.0 * weights.numel() * seen * (1 + backward)
    return count


def clocks() -> tuple[float, float]:
    """Return the time, and the time that the processor worked for this process, all threads together, s."""
    return time.perf_counter(), time.process_time()


def wait() -> tuple[float, float]:
    """Wait for a line and return the clocks."""
    if not sys.stdin.readline():
        sys.exit(1)
    return clocks()


def say(**values: object) -> None:
    """Write a line."""
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    main()
