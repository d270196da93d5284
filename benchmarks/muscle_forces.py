"""How fast muscle forces are beside OpenSim's static optimization, and how far from it, model by model.

Run ``python -m benchmarks.muscle_forces --data DATA --models MODELS --out DIR``; see benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import osim_models
from benchmarks.machine import processor
from casadi_dynamics.errors import InputError
from casadi_dynamics.osim import read_model
from sspinn_opensim.muscles import MuscleSolver
from sspinn_opensim.opensim_io.static_optimization.preparation import Settings, prepare
from sspinn_opensim.opensim_io.tables.external_loads import read_external_loads, write_external_loads
from sspinn_opensim.opensim_io.tables.storage import read_storage

_PEER = "benchmarks.peers.opensim_static_optimization"
_REPEATS = 5


@dataclasses.dataclass(frozen=True)
class Case:
    """A model with a motion: where its files come from, and what part of it OpenSim is given.

    Parameters
    ----------
    name : str
    window : (float, float)
        s.
    lowpass_hz : float
    model, motion, loads : str
        Below the folders `data` or `models`; empty for the built-in walk.
    markers : str
        Set-up of inverse kinematics and markers, where there is no `motion`.
    """

    name: str
    window: tuple[float, float]
    lowpass_hz: float
    model: str = ""
    motion: str = ""
    loads: str = ""
    markers: tuple[str, str] | None = None


_GAIT10, _GAIT2354 = "data/opensim_scaling/gait10dof18musc", "data/opensim_scaling/gait2354"
_HAMNER, _OPENCAP = "data/hamner2013_running/subject01", "data/opencap_s4_walking"
_WALK = (f"{_GAIT2354}/subject01_walk1_ik.mot", f"{_GAIT2354}/subject01_walk1_grf.xml")
CASES = (
    Case("planar_gait (walk of the demo)", (8.0, 8.6), 0.0),
    Case(
        "gait10dof18musc (walk)",
        (0.6, 1.1),
        6.0,
        "models/gait10dof18musc_subject01.osim",
        loads=f"{_GAIT10}/subject01_walk_grf.xml",
        markers=(f"{_GAIT10}/walk_Setup_IK.xml", f"{_GAIT10}/subject01_walk.trc"),
    ),
    Case("gait2354 (walk)", (0.7, 1.0), 6.0, "models/gait2354_subject01.osim", *_WALK),
    Case("gait2392 (walk)", (0.7, 1.0), 6.0, "models/gait2392_thelen2003.osim", *_WALK),
    Case(
        "Hamner (run 2 m/s)",
        (0.3, 0.6),
        15.0,
        f"{_HAMNER}/subject01_scaled.osim",
        f"{_HAMNER}/Run_2_ik.mot",
        f"{_HAMNER}/Run_2_grf.xml",
    ),
    Case(
        "Rajagopal2016 (walk)",
        (0.5, 0.8),
        6.0,
        f"{_OPENCAP}/subject4_optimized.osim",
        f"{_OPENCAP}/walking1_ik.mot",
        f"{_OPENCAP}/walking1_external_forces_fixed.xml",
    ),
)


def main(arguments: list[str] | None = None) -> int:
    """Measure all cases whose files are there; return 1 if one misses a target."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.muscle_forces", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the public recordings")
    parser.add_argument("--models", type=Path, default=Path("../shared/models"), help="public models")
    parser.add_argument("--out", type=Path, required=True, help="folder for set-ups and results")
    parser.add_argument("--case", action="append", help="only cases whose name holds this")
    parser.add_argument("--convergence", type=float, default=1e-4, help="where OpenSim's optimizer stops")
    parser.add_argument("--exponent", type=float, default=2.0, help="power of the activations")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object with all that was measured"
    )
    options = parser.parse_args(arguments)
    rows = []
    for case in CASES:
        if options.case and not any(part in case.name for part in options.case):
            continue
        try:
            rows.append(measure(case, options))
        except (InputError, FileNotFoundError) as error:
            print(f"left out: {case.name}: {str(error).splitlines()[0]}", file=sys.stderr)
    if not rows:
        print("Nothing is left to measure.", file=sys.stderr)
        return 2
    print(json.dumps(rows) if options.json else table(rows))
    return 0 if all(row["worst_percent"] <= 3 and row["ratio"] >= 100 for row in rows) else 1


def measure(case: Case, options: argparse.Namespace) -> dict:
    """Return what was measured of a case: frames per second of both, and the difference of the forces."""
    folder = options.out / case.name.split(" (")[0]
    fetch(case, options, folder)
    settings = Settings(
        lowpass_hz=case.lowpass_hz,
        activation_exponent=options.exponent,
        convergence=options.convergence,
        max_iterations=2000,
    )
    setup = prepare(folder, window=case.window, settings=settings)
    opensims = peer("analyze", setup)
    raw = read_storage(folder / "static_optimization" / "subject_StaticOptimization_force.sto")
    motion, loads = folder / "kinematics.mot", folder / "external_loads.xml"
    start = time.process_time()
    solver = MuscleSolver(
        folder / "subject_static_optimization.osim",
        actuators=[folder / "static_optimization_actuators.xml"],
        settings=settings,
    )
    found = solver.solve(motion, loads, case.window)
    prepared = time.process_time() - start
    covered = loaded_window(motion, loads)
    seconds, frames = stages(solver, motion, loads, covered)
    expected = np.column_stack([raw.column(name) for name in solver.muscles])
    error = 100 * (found.forces - expected) / solver.max_isometric_force
    rmsd = np.sqrt((error**2).mean(axis=0))
    total = sum(seconds.values())
    speed = {
        "opensim": len(raw.time_s) / opensims["cpu"],
        "ours": frames / (total - seconds["reading"]),
        "ours_with_reading": frames / total,
    }
    return {
        "case": case.name,
        "muscles": len(solver.muscles),
        "wrapped": sum(bool(m.path.wraps) for m in read_model(folder / "subject.osim").muscles),
        "frames": {"opensim": len(raw.time_s), "ours": frames},
        "frames_per_s": speed,
        "ratio": speed["ours"] / speed["opensim"],
        "ratio_with_reading": speed["ours_with_reading"] / speed["opensim"],
        "share": {stage: value / total for stage, value in seconds.items()},
        "prepared_s": prepared,
        "mean_percent": float(rmsd.mean()),
        "worst_percent": float(rmsd.max()),
        "worst_muscle": solver.muscles[int(rmsd.argmax())],
        "largest_percent": float(np.abs(error).max()),
        "objective": float(found.objective.mean()),
        "failed": {"opensim": opensims["failed"], "ours": int(found.failed.sum())},
        "failed_times_s": [float(t) for t in found.time_s[found.failed]],
        "rmsd_percent": dict(zip(solver.muscles, map(float, rmsd), strict=True)),
        "machine": f"{processor()}, load {os.getloadavg()[0]:.1f}",
    }


def fetch(case: Case, options: argparse.Namespace, folder: Path) -> None:
    """Copy the files of a case into its folder, under the names of a results folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if not case.model:
        demo = Path(__file__).parents[1] / "examples" / "demo"
        copy(osim_models.path("planar_gait"), folder / "subject.osim")
        copy(demo / "reference_kinematics.mot", folder / "kinematics.mot")
        copy(demo / "reference_grf.mot", folder / "grf.mot")
        write_external_loads(folder / "external_loads.xml", ("foot_r", "foot_l"))
        return

    def source(name: str) -> Path:
        root, _, below = name.partition("/")
        return {"data": options.data, "models": options.models}[root] / below

    copy(source(case.model), folder / "subject.osim")
    copy(source(case.loads), folder / "external_loads.xml")
    grf = read_external_loads(source(case.loads)).datafile
    copy(grf, folder / grf.name)
    if case.motion:
        copy(source(case.motion), folder / "kinematics.mot")
    elif not (folder / "kinematics.mot").is_file():
        setup, markers = (copy(source(name), folder / Path(name).name) for name in case.markers)
        peer("kinematics", setup, folder / "subject.osim", markers, folder / "kinematics.mot")


def copy(source: Path, target: Path) -> Path:
    """Copy a file whose rights may be those of a reader only."""
    target.unlink(missing_ok=True)
    shutil.copyfile(source, target)
    return target


def peer(*arguments) -> dict:
    """Run OpenSim in a process of its own and return what it reports."""
    command = [
        sys.executable,
        "-m",
        _PEER,
        *(str(a.absolute() if isinstance(a, Path) else a) for a in arguments),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError("OpenSim did not run", found=done.stderr.strip().splitlines()[-1])
    return json.loads(done.stdout.splitlines()[-1])


def loaded_window(motion: Path, loads: Path) -> tuple[float, float]:
    """Return the part of a motion for which there are ground forces."""
    times = [read_storage(file).time_s for file in (motion, read_external_loads(loads).datafile)]
    return max(t[0] for t in times) + 0.05, min(t[-1] for t in times)


def stages(solver: MuscleSolver, motion: Path, loads: Path, window) -> tuple[dict[str, float], int]:
    """Return the processor time of each stage over a whole trial (least of several), and its frames."""
    seconds: dict[str, float] = {}

    def timed(stage: str, work: Callable):
        start = time.process_time()
        result = work()
        seconds[stage] = min(seconds.get(stage, np.inf), time.process_time() - start)
        return result

    for _ in range(_REPEATS):
        trial = timed("reading", lambda: solver.read(motion, loads, window))
        demand = timed("dynamics and paths", lambda trial=trial: solver.demand(trial))
        strength = timed("muscle curves", lambda demand=demand: solver.strength(demand))
        timed("programs", lambda d=demand, s=strength: solver.share(d, s))
    return seconds, len(trial.time_s)


def table(rows: list[dict]) -> str:
    """Return the rows as text."""
    lines = [
        rows[0]["machine"],
        "frames per second of processor time, one thread, files loaded, and ours with reading them;",
        "differences of the forces in % of the maximal isometric force",
        f"{'model':32}{'muscles':>8}{'OpenSim':>9}{'ours':>8}{'ratio':>7}{'reading':>9}{'ratio':>7}"
        f"{'RMSD':>8}{'worst muscle':>20}",
    ]
    for row in rows:
        speed = row["frames_per_s"]
        lines.append(
            f"{row['case']:32}{row['muscles']:8d}{speed['opensim']:9.1f}{speed['ours']:8.0f}{row['ratio']:7.0f}"
            f"{speed['ours_with_reading']:9.0f}{row['ratio_with_reading']:7.0f}{row['mean_percent']:8.3f}"
            f"{row['worst_percent']:8.3f} {row['worst_muscle']:>11}"
            f"; failed: OpenSim {row['failed']['opensim']}, ours {row['failed']['ours']}"
        )
    for row in rows:
        share = ", ".join(f"{stage} {100 * value:.0f} %" for stage, value in row["share"].items())
        lines.append(f"{row['case']}: {share}; prepared in {row['prepared_s']:.1f} s")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
