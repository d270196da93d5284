"""Walks that turn: straight ones laid along paths, trained in space without labels, against their truth.

Run ``python -m benchmarks.turning --data ../shared/data --out DIR``. Walkers of `benchmarks.virtual_imu`, on
their own models and with all sensor errors on, walk straight, in a circle, and back and forth (halves of
small circles in between); every one is trained alone. Errors of the joint angles are root mean squares over
both legs and the whole recording; the heading is that of the pelvis, from the first frame on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.virtual_imu import Trial, settings_of, walking_trials
from sspinn_opensim import estimate, scale, train
from sspinn_opensim.opensim_io.tables.storage import read_storage
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.simulation.settings import LaboratorySettings, SimulationSettings
from sspinn_opensim.simulation.states import completed
from sspinn_opensim.simulation.walk import read_walk
from sspinn_opensim.study import read_study
from sspinn_opensim.study.read import override
from sspinn_opensim.verbs.simulate_imu import simulate_imu

#: By name: the path, and the radius of it or of its turns, m.
PATHS = {"straight": ("straight", 2.0), "circle": ("circle", 2.0), "back_and_forth": ("back_and_forth", 0.7)}
STRIDES = 16
LEGS = ("hip_flexion", "hip_adduction", "hip_rotation", "knee_angle", "ankle_angle")


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate, train and score; print the table, and write ``turning.json``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.turning", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--people", type=int, default=1, metavar="N", help="walkers; default: %(default)s")
    parser.add_argument("--only", nargs="+", choices=PATHS, default=list(PATHS), help="paths")
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    found = walking_trials(options.data / "schreiber2019_walking")
    people = list({trial.person: trial for trial in reversed(found)}.values())[::-1][: options.people]
    if not people:
        print(f"schreiber2019_walking is not in {options.data}.", file=sys.stderr)
        return 2
    rows = [run(trial, path, options) for trial in people for path in options.only]
    (options.out / "turning.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(rows, indent=1) if options.json else table(rows))
    return 0


def settings(trial: Trial, path: str, seed: int) -> SimulationSettings:
    """Return how a walk is recorded along a path: no forces, as those measured are of the straight one."""
    chosen = settings_of(trial, seed, space=True)
    course, radius_m = PATHS[path]
    motion = replace(chosen.motion, strides=STRIDES, path=course, radius_m=radius_m)
    return replace(chosen, motion=motion, laboratory=LaboratorySettings())


def run(trial: Trial, path: str, options: argparse.Namespace) -> dict:
    """Return the errors of one walk along a path."""
    folder, chosen = options.out / f"{trial.name}_{path}", settings(trial, path, options.seed)
    study = read_study(simulate_imu(trial.model, trial.motion, folder, chosen).study)
    study = override(study, steps=options.steps, seeds=(options.seed,))
    results = folder / "results"
    scale(study, results)
    train(study, results)
    estimate(study, results)
    return {"walk": trial.name, "path": path, "steps": options.steps} | scores(trial, chosen, results)


def scores(trial: Trial, chosen: SimulationSettings, results: Path) -> dict[str, float]:
    """Return the errors of an estimate against the motion that was recorded, degrees and m."""
    motion = read_storage(ResultsFolder(results).kinematics)
    own = dict(zip(motion.names, motion.values.T, strict=True))
    walk = read_walk(trial.model, trial.motion, chosen)
    at_s = walk.from_s + motion.time_s
    at_s = at_s[at_s <= walk.to_s]
    q = completed(walk.functions, *walk.motion(at_s))["q"]
    names, rotational = (
        walk.functions.coordinates,
        {c.name for c in walk.functions.tree.model.coordinates if c.motion == "rotational"},
    )
    truth = {
        name: np.degrees(column) if name in rotational else column
        for name, column in zip(names, q.T, strict=True)
    }
    error = {name: own[name][: len(at_s)] - value for name, value in truth.items() if name in own}
    joints = [f"{joint}_{side}" for joint in LEGS for side in "rl"]
    turned = error["pelvis_rotation"] - error["pelvis_rotation"][0]
    ways = [
        np.hypot(*(np.diff(curve[f"pelvis_t{axis}"][: len(at_s)]) for axis in "xz")).sum()
        for curve in (own, truth)
    ]
    return {
        "angles_deg": float(np.mean([_rms(error[name]) for name in joints])),
        "spread_deg": float(np.mean([error[name].std() for name in joints])),
        "sagittal_deg": float(np.mean([_rms(error[n]) for n in joints if n[:5] not in ("hip_a", "hip_r")])),
        "turned_deg": float(truth["pelvis_rotation"][-1] - truth["pelvis_rotation"][0]),
        "heading_end_deg": float(turned[-1]),
        "heading_most_deg": float(np.abs(turned).max()),
        "way_m": float(ways[1]),
        "way_share": float(ways[0] / ways[1]),
    }


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def table(rows: list[dict]) -> str:
    """Return the rows as a table of markdown."""
    keys = [key for key in rows[0] if key not in ("walk", "path")]
    lines = [["walk", "path", *keys], ["---"] * (2 + len(keys))]
    lines += [[row["walk"], row["path"], *(f"{row[key]:.3g}" for key in keys)] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
