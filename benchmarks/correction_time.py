"""What it costs to make motion and forces agree: by guesses of what pushes, and by an interior-point method.

Run ``python -m benchmarks.correction_time FOLDER ... [--space] [--steps N]`` on folders that ``python -m
benchmarks.people`` has trained in, with the same options; their estimates are written anew. For each
recording it prints the processor time of both on one core, in the same run, and how far their answers are
apart.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.machine import processor
from benchmarks.people.recordings import study_of
from sspinn_opensim.estimation import Estimate
from sspinn_opensim.estimation.consistency import consistent as correction
from sspinn_opensim.estimation.consistency import quadratic
from sspinn_opensim.study.read import override
from sspinn_opensim.verbs import estimate as estimate_verb
from sspinn_opensim.verbs.estimate import estimate_seeds
from sspinn_opensim.verbs.prepared import prepare

#: Guesses that are allowed; without any the interior-point method solves every program.
WAYS = {"guesses": quadratic._GUESSES, "interior point": 0}


def corrected(folder: Path, *, space: bool, steps: int) -> dict[str, tuple[Estimate, float]]:
    """Return for each of `WAYS` the corrected estimate of a trained folder, and its processor time, s."""
    study = override(study_of(folder), steps=steps, seeds=(0,))
    if space:
        study = replace(study, coordinates=replace(study.coordinates, estimate="observed"))
    found: dict[str, tuple[Estimate, float]] = {}

    def both(*inputs: Any) -> Estimate:
        for way, guesses in WAYS.items():
            with (
                mock.patch.object(quadratic, "_GUESSES", guesses),
                mock.patch.object(correction, "usable_cores", lambda: 1),
            ):
                start = time.process_time()
                found[way] = correction.consistent(*inputs), time.process_time() - start
        return found["guesses"][0]

    results = folder / "results"
    with mock.patch.object(estimate_verb, "consistent", both):
        estimate_seeds(study, prepare(study, results), results)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Correct each recording both ways and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.correction_time", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--space", action="store_true", help="the trainings were in space")
    parser.add_argument("--steps", type=int, default=400, help="of the trainings (default: %(default)s)")
    options = parser.parse_args(arguments)
    print(f"{processor()}, one core; processor time, s; farthest rad or m, and share of the largest force")
    for folder in options.folders:
        found = corrected(folder, space=options.space, steps=options.steps)
        (one, by_guesses_s), (other, by_points_s) = found.values()
        apart = float(np.abs(one.q - other.q).max())
        force = float(np.abs(one.ground.force - other.ground.force).max() / np.abs(other.ground.force).max())
        print(
            f"{folder.name:24} {by_guesses_s:7.1f} {by_points_s:7.1f}   {apart:.1e} {force:.1e}", flush=True
        )


if __name__ == "__main__":
    main()
