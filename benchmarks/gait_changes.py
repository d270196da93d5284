"""Walks changed on purpose: toes in, toes out, a trunk that sways, each against the same person's own walk.

Run ``python -m benchmarks.gait_changes --data ../shared/data --out DIR``. One person's walks (OpenCap data
set, subject 4) on the own model, one stride repeated, with a virtual sensor on the trunk beside those on
pelvis and legs. All walks are of one day: every sensor is turned, misplaced and biased alike in all of them.
The first is trained in space, without labels, and its network adapted to the others, with what is known of
how the sensors sit (`--alone`: each is trained by itself). Scored is by how much foot progression and the
sway of the trunk differ from those of the walk that is not changed, against how much they do in the recorded
motion.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.people.feet import body_poses, coordinates
from benchmarks.virtual_imu import LEG_PER_HEIGHT
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import BodyFunctions
from sspinn_opensim import adapt, estimate, scale, train
from sspinn_opensim.opensim_io.tables.storage import read_storage
from sspinn_opensim.recording.findings import KINDS
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.simulation.places import joint_distance
from sspinn_opensim.simulation.settings import (
    ErrorSettings,
    MotionSettings,
    SimulationSettings,
    StudySettings,
    VirtualSensorChoice,
)
from sspinn_opensim.simulation.states import completed
from sspinn_opensim.simulation.walk import build_current, read_walk
from sspinn_opensim.study import Study, read_study
from sspinn_opensim.study.read import override
from sspinn_opensim.verbs.simulate_imu import simulate_imu

DATASET = "opencap_s4_walking"
#: What a walk is changed to, and how its trials are called.
WALKS = {"normal": "walking", "toe_in": "walkingTI", "toe_out": "walkingTO", "trunk_sway": "walkingTS"}
SENSORS = ("pelvis", "torso", *(f"{body}_{side}" for body in ("femur", "tibia", "calcn") for side in "rl"))
STRIDES = 8
#: A heel that goes slower than this part of the walking speed is in stance.
_STANDS = 0.3
_NUMBERS = ("foot_progression_r", "foot_progression_l", "trunk_sway")


@dataclass(frozen=True)
class Walked:
    """What is clinically changed in a walk, degrees.

    Attributes
    ----------
    foot_progression_r, foot_progression_l : float
        Mean angle in stance by which the foot points outward from the way walked.
    trunk_sway : float
        Half the range over a stride of the lean of the trunk to the side, mean over strides.
    """

    foot_progression_r: float
    foot_progression_l: float
    trunk_sway: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate, train and score; print the table, and write ``gait_changes.json``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gait_changes", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=1, metavar="N", help="of each kind, 1 to 3")
    parser.add_argument(
        "--level", type=float, default=10.0, metavar="DEG", help="turned sensors; default: %(default)g"
    )
    parser.add_argument(
        "--axes",
        choices=("stated", "aligned"),
        default="stated",
        help="turned sensors count as stated, or are aligned once, by the signals of the first normal walk",
    )
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument(
        "--alone",
        action="store_true",
        help="train every walk by itself, instead of adapting the first's network",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    folder = options.data / DATASET
    if not folder.is_dir():
        print(f"{DATASET} is not in {options.data}.", file=sys.stderr)
        return 2
    found = {
        kind: sorted(folder.glob(f"{name}[0-9]_ik.mot"))[: options.trials] for kind, name in WALKS.items()
    }
    first, rows = found["normal"][0], []
    for kind, motions in found.items():
        for motion in motions:
            rows.append({"kind": kind, "trial": _trial_of(motion)} | run(motion, first, options))
            (options.out / "gait_changes.json").write_text(
                json.dumps(rows, indent=1) + "\n", encoding="utf-8"
            )
    told = [*rows, *changes(rows)]
    print(json.dumps(told, indent=1) if options.json else table(told))
    return 0


def _trial_of(motion: Path) -> str:
    return motion.name.removesuffix("_ik.mot")


def settings(model: Path, level_deg: float, seed: int) -> SimulationSettings:
    """Return how a walk is recorded: sensors sit the same way in every walk of one seed."""
    return SimulationSettings(
        seed=seed,
        motion=MotionSettings(strides=STRIDES, unit="radians"),
        errors=ErrorSettings(misalignment_deg=level_deg, ringing=1.0),
        sensors=tuple(VirtualSensorChoice(body, body) for body in SENSORS),
        study=StudySettings(model=model, estimate="observed", height_m=stature_of(model)),
    )


def stature_of(model: Path) -> float:
    """Return the height that goes with the straight legs of a model of any version, m: none is stated."""
    functions = build_current(model)
    return round(
        float(np.mean([joint_distance(functions, f"hip_{s}", f"ankle_{s}") for s in "rl"])) / LEG_PER_HEIGHT,
        2,
    )


def run(motion: Path, first: Path, options: argparse.Namespace) -> dict[str, float]:
    """Return what the estimate of a walk says, and what was recorded (`true_`).

    Parameters
    ----------
    first : Path
        The walk whose signals say how the sensors sit, if they are aligned.
    """
    model = motion.parent / "subject4_optimized.osim"
    chosen = settings(model, options.level, options.seed)
    trial = options.out / _trial_of(motion)
    study = read_study(simulate_imu(model, motion, trial, chosen).study)
    study = override(_placed(study, motion == first, options), steps=options.steps, seeds=(options.seed,))
    results = trial / "results"
    if motion == first or options.alone:
        scale(study, results)
        train(study, results)
    else:
        adapt(study, options.out / _trial_of(first) / "results", results)
    estimate(study, results)
    walk = read_walk(model, motion, chosen)
    assert walk.motion.stride_s is not None
    own = read_storage(ResultsFolder(results).kinematics)
    subject = read_model(ResultsFolder(results).subject)
    estimated = walked(walk.functions, coordinates(subject, own), own.time_s, walk.motion.stride_s)
    q = completed(walk.functions, *walk.motion(walk.from_s + own.time_s))["q"]
    recorded = walked(walk.functions, q, own.time_s, walk.motion.stride_s)
    return vars(estimated) | {f"true_{name}": value for name, value in vars(recorded).items()}


def _placed(study: Study, first: bool, options: argparse.Namespace) -> Study:
    """Return the study with its sensors' axes as they are to be known; turned sensors stop nothing."""
    alignment = study.alignment
    if options.axes == "aligned":
        made = options.out / "walking1" / "results" / ResultsFolder.alignment.name
        alignment = replace(alignment, method="signals", file=None if first else made)
    recording = replace(study.recording, accepted=tuple(KINDS))
    return replace(study, alignment=alignment, recording=recording)


def walked(functions: BodyFunctions, q: np.ndarray, time_s: np.ndarray, stride_s: float) -> Walked:
    """Return what is changed in a walk; half a stride at either end is left out.

    Parameters
    ----------
    q : (n, c) array
        Coordinates, rad and m.
    """
    poses = body_poses(functions, q, ("pelvis", "torso", "calcn_r", "calcn_l"))
    step_s = (time_s[-1] - time_s[0]) / (len(time_s) - 1)
    around = round(stride_s / step_s)
    # The way walked is that of the pelvis over a stride: it sways within one.
    inner = slice(around // 2, around // 2 + len(q) - around)
    way = (poses["pelvis"][0][around:] - poses["pelvis"][0][:-around])[:, [0, 2]]
    speed = np.linalg.norm(way, axis=1) / stride_s
    ahead = way / np.linalg.norm(way, axis=1, keepdims=True)
    right = np.column_stack([-ahead[:, 1], ahead[:, 0]])
    progression = {}
    for side, outward in (("r", 1.0), ("l", -1.0)):
        place, axes = poses[f"calcn_{side}"]
        velocity = np.gradient(place[:, [0, 2]], step_s, axis=0)[inner]
        stands = np.linalg.norm(velocity, axis=1) < _STANDS * speed
        toes = axes[inner][:, [0, 2], 0]
        angle = np.arctan2((toes * right).sum(axis=1), (toes * ahead).sum(axis=1))
        mean = angle[stands].mean() if stands.any() else np.nan
        progression[side] = float(outward * np.degrees(mean))
    up = poses["torso"][1][inner][:, :, 1]
    lean = np.degrees(np.arctan2((up[:, [0, 2]] * right).sum(axis=1), up[:, 1]))
    strides = [lean[k : k + around] for k in range(0, len(lean) - around + 1, around)]
    sway = float(np.mean([np.ptp(stride) / 2 for stride in strides]))
    return Walked(progression["r"], progression["l"], sway)


def changes(rows: Sequence[dict]) -> list[dict]:
    """Return a row for each kind: the mean difference from the normal walks, as estimated and as recorded."""
    found = []
    for kind in (kind for kind in WALKS if kind != "normal"):
        numbers: dict[str, float] = {}
        for name in (*_NUMBERS, *(f"true_{name}" for name in _NUMBERS)):
            own, normal = (np.mean([row[name] for row in rows if row["kind"] == k]) for k in (kind, "normal"))
            numbers[name] = float(own - normal)
        found.append({"kind": kind, "trial": "less normal"} | numbers)
    return found


def table(rows: Sequence[dict]) -> str:
    """Return the rows as a table of markdown: estimated (recorded), degrees."""
    lines = [["walk", "trial", *_NUMBERS], ["---"] * (2 + len(_NUMBERS))]
    for row in rows:
        cells = [f"{row[name]:.1f} ({row[f'true_{name}']:.1f})" for name in _NUMBERS]
        lines.append([row["kind"], row["trial"], *cells])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
