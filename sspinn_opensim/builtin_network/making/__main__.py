"""Make the network that is shipped: ``python -m sspinn_opensim.builtin_network.making --out FOLDER``.

Finds the gaits (kept in the folder, so that a second run only trains), trains, and writes ``network.pt``.
About ten minutes for the gaits and a quarter of an hour for the training, on one core.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

import osim_models
from casadi_dynamics.model import Model
from casadi_dynamics.osim import read_model
from sspinn_opensim.builtin_network.making.gaits import Style, draw_styles, task_of
from sspinn_opensim.builtin_network.making.members import make_members
from sspinn_opensim.builtin_network.making.people import find_gait
from sspinn_opensim.builtin_network.making.training import OwnTrainer, errors_of
from sspinn_opensim.builtin_network.shipped import FILE, write_network
from sspinn_opensim.files import write_atomically
from sspinn_opensim.simulation.optimal_gait import OptimalGait
from sspinn_opensim.training.cohort import member_topology
from sspinn_opensim.training.settings import Progress, TrainingSettings
from sspinn_opensim.training.trainer import Trainer


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the network; without `arguments` those of the command line count."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for what is kept on the way")
    parser.add_argument("--network", type=Path, default=FILE, help="file to write; default: the shipped one")
    parser.add_argument("--gaits", type=int, default=54)
    parser.add_argument("--standers", type=int, default=8)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    generic = read_model(osim_models.path("planar_gait"))
    gaits = find_gaits(generic, options.gaits, options.seed, options.out / "gaits.json")
    people = make_members(generic, gaits, options.standers, options.seed)
    trainer = OwnTrainer(people, settings(options.steps, options.seed))
    started = time.monotonic()

    def report(progress: Progress) -> None:
        if progress.step % 100 == 0:
            minutes = (time.monotonic() - started) / 60
            terms = ", ".join(f"{name} {value:.3g}" for name, value in progress.terms.items() if value)
            print(f"{progress.step}, {minutes:.1f} min: {progress.total:.2f}; {terms}", flush=True)

    def keep(trained: Trainer) -> None:
        if trained.step % 1000 == 0 or trained.finished:
            known = {
                "gaits": len(gaits),
                "people": len(people),
                "steps": trained.step,
                "seed": options.seed,
                "errors": errors_of(trainer, people, 0),
            }
            print(known, flush=True)
            topology, subject = member_topology(people[0].member), people[0].member.subject
            state = trained.state()["network"]
            write_network(options.network, state, topology, subject, trained.settings, known)

    trainer.run(report, keep)


def settings(steps: int, seed: int) -> TrainingSettings:
    """Return how the network is trained: forces need little leading where the truth is known."""
    return TrainingSettings(steps=steps, seed=seed, batch=32, members=8, force_from=0.05, force_full=0.2)


def find_gaits(generic: Model, count: int, seed: int, file: Path) -> list[tuple[Style, OptimalGait]]:
    """Return the gaits of all styles that have one; those that the file holds are not sought again."""
    known: dict[str, list[float]] = json.loads(file.read_text()) if file.exists() else {}
    found = []
    for k, style in enumerate(draw_styles(count, seed)):
        if str(k) not in known:
            started = time.monotonic()
            gait = find_gait(generic, style)
            known[str(k)] = [] if gait is None else gait.unknowns.tolist()
            write_atomically(file, json.dumps(known))
            told = "none" if gait is None else f"{gait.speed_m_s:.2f} m/s, objective {gait.objective:.2f}"
            kind, took_s = "running" if style.running else "walking", time.monotonic() - started
            print(f"{k}: {kind} {style.speed_m_s:.2f}: {told}, {took_s:.0f} s", flush=True)
        if known[str(k)]:
            unknowns = np.array(known[str(k)])
            found.append((style, OptimalGait(task_of(style), generic.coordinate_names, unknowns, 0, np.nan)))
    return found


if __name__ == "__main__":
    main()
