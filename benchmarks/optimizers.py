"""Benchmark of optimizers: how far a loss falls in so many steps, by SOAP of the trainings and by Adam.

Run ``python -m benchmarks.optimizers STUDY.toml``; without a study participant P01's walking is trained. The
loss is the weighted sum of all terms, the mean of the last steps; no reference is read.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import mean

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.machine import processor
from casadi_dynamics.errors import InputError
from sspinn_opensim import scale
from sspinn_opensim.study import examples_folder, read_study
from sspinn_opensim.training.cohort import single_person_cohort
from sspinn_opensim.training.settings import TrainingSettings, settings_of
from sspinn_opensim.training.trainer import Trainer
from sspinn_opensim.verbs.prepared import Prepared, prepare

#: Peak learning rate of Adam that trainings had before SOAP.
ADAM = 0.003
#: Steps at the end whose losses are averaged.
_LAST = 50


def main(arguments: list[str] | None = None) -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.optimizers", description=__doc__)
    parser.add_argument("study", type=Path, nargs="?", default=examples_folder() / "dorschky2019_walk.toml")
    parser.add_argument("--steps", type=int, nargs="+", default=[400, 1000], help="default: 400 1000")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if min(options.steps) < 1:
        parser.error("--steps must be at least 1")
    try:
        study = read_study(options.study)
        with tempfile.TemporaryDirectory() as folder:
            scale(study, Path(folder))
            prepared = prepare(study, Path(folder))
    except InputError as error:
        parser.exit(2, f"{error}\n")
    rows = Table(title=f"{study.path.stem}; {processor()}, {os.cpu_count()} cores")
    for column in ("optimizer", "steps", "loss", "processor time, s"):
        rows.add_column(column, justify="left" if column == "optimizer" else "right")
    wanted = [(name, steps) for steps in options.steps for name in ("SOAP", "Adam")]
    for name, steps in track(wanted, "training", console=Console(stderr=True)):
        settings = replace(settings_of(study.training, options.seed), steps=steps)
        loss, seconds = train(prepared, settings, adam=name == "Adam")
        rows.add_row(name, str(steps), f"{loss:.2f}", f"{seconds:.0f}")
    Console().print(rows)


def train(prepared: Prepared, settings: TrainingSettings, *, adam: bool) -> tuple[float, float]:
    """Return the loss at the end of a training and its processor time, s."""
    trainer = Trainer(single_person_cohort(prepared.subject, prepared.signals), settings)
    if adam:
        trainer.optimizer = torch.optim.Adam(trainer.estimators.parameters(), lr=ADAM, fused=True)
        trainer.schedule = torch.optim.lr_scheduler.OneCycleLR(
            trainer.optimizer, ADAM, total_steps=settings.steps + 1
        )
    began = time.process_time()
    trainer.run(lambda _: None, lambda _: None)
    return mean(row["total"] for row in trainer.history[-_LAST:]), time.process_time() - began


if __name__ == "__main__":
    main()
