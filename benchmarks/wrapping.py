"""How closely paths around surfaces agree with OpenSim at random postures, and how long both take.

Run ``python -m benchmarks.wrapping MODEL.osim ... [--postures N]``; see benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Model
from casadi_dynamics.model.muscles import GeometryPath
from casadi_dynamics.model.types import GROUND
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.opensim_process.worker.paths import muscle_paths
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import BodyFunctions, build

#: Differences above which a posture counts as one where OpenSim's path is another, m and m per rad.
LENGTH_M = MOMENT_ARM_M = 1e-6
#: A range beyond this (rad) is none; the default posture plus and minus this is used.
_WIDEST, _AROUND_DEFAULT = 2 * np.pi, np.pi / 2


def main(arguments: list[str] | None = None) -> int:
    """Compare all models whose muscles wrap; return 1 if a posture of one differs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wrapping", description=__doc__)
    parser.add_argument("models", nargs="+", type=Path, help="model files")
    parser.add_argument("--postures", type=int, default=2000, help="random ones, over the whole ranges")
    parser.add_argument("--json", action="store_true", help="print one JSON object with all that was found")
    options = parser.parse_args(arguments)
    rows = {}
    for file in options.models:
        try:
            model = read_model(file)
        except InputError as error:
            print(f"left out: {file.name}: {error.what}", file=sys.stderr)
            continue
        if not any(muscle.path.wraps for muscle in model.muscles):
            print(f"left out: {file.name}: no muscle wraps", file=sys.stderr)
            continue
        rows[file.stem] = compare(file, model, options.postures)
    if options.json:
        print(json.dumps(rows))
    else:
        print(table(rows))
    return 0 if all(row["differing"] == 0 for row in rows.values()) else 1


def compare(file: Path, model: Model, count: int) -> dict:
    """Return largest and usual differences of the wrapped muscles of a model, and times per posture."""
    start = time.monotonic()
    functions = build(model)
    names = [muscle.name for muscle in model.muscles if muscle.path.wraps]
    paths = functions.muscles(names)
    built = time.monotonic() - start
    spanned = {m.name: spanned_coordinates(model, m.path) for m in model.muscles if m.path.wraps}
    moved = [name for name in functions.independent if any(name in s for s in spanned.values())]
    q = postures(functions, moved, count)
    places = [functions.coordinates.index(name) for name in moved]
    start = time.monotonic()
    theirs = ask(file, spanned, moved, q[:, places])
    theirs_s = time.monotonic() - start
    start = time.monotonic()
    ours = functions.at(paths, q=q, u=np.zeros_like(q))
    ours_s = time.monotonic() - start
    arms = ours["moment_arm"].reshape(count, len(names), -1)[..., places]
    wanted = np.array([[name in spanned[muscle] for name in moved] for muscle in names])
    length = np.abs(ours["length"] - theirs["length"])
    arm = np.where(wanted, np.abs(arms - theirs["moment_arm"]), 0).max(axis=2)
    found = np.isfinite(length) & np.isfinite(arm)
    differing = found & ((length > LENGTH_M) | (arm > MOMENT_ARM_M))
    return {
        "muscles": len(names),
        "postures": count,
        "length_m": [float(length[found].max()), float(np.quantile(length[found], 0.99))],
        "moment_arm_m": [float(arm[found].max()), float(np.quantile(arm[found], 0.99))],
        "differing": int(differing.sum()),
        "differing_muscles": [name for name, any_ in zip(names, differing.any(axis=0), strict=True) if any_],
        "without_a_path_in_opensim": int((~found).sum()),
        "built_s": built,
        "ours_ms": 1000 * ours_s / count,
        "opensim_ms": 1000 * theirs_s / count,
    }


def spanned_coordinates(model: Model, path: GeometryPath) -> set[str]:
    """Return the coordinates that move the bodies of a path against one another, or its points."""
    chains = [set(_joints_to_ground(model, body)) for body in path.bodies]
    crossed = set.union(*chains) - set.intersection(*chains)
    moved = {c.name for c in model.coordinates if c.joint in crossed}
    for point in path.points:
        moved |= set(filter(None, getattr(point, "coordinates", (getattr(point, "coordinate", None),))))
    for coupler in model.constraints:
        if getattr(coupler, "dependent", None) in moved:
            moved.update(coupler.independent)
    return moved


def _joints_to_ground(model: Model, body: str) -> list[str]:
    chain = []
    while body != GROUND:
        joint = model.joint_of(body)
        chain.append(joint.name)
        body = joint.parent.body
    return chain


def postures(functions: BodyFunctions, moved: list[str], count: int) -> np.ndarray:
    """Return random values of all coordinates (N, n); those that are not `moved` stay at their default."""
    model, rng = functions.tree.model, np.random.default_rng(7)
    q = np.tile([model.coordinate(name).default for name in functions.coordinates], (count, 1))
    for name in moved:
        coordinate = model.coordinate(name)
        low, high = coordinate.range
        if not high - low <= _WIDEST:
            low, high = coordinate.default - _AROUND_DEFAULT, coordinate.default + _AROUND_DEFAULT
        q[:, functions.coordinates.index(name)] = rng.uniform(low, high, count)
    free = [functions.coordinates.index(name) for name in functions.independent]
    given = {f"{name}_independent": q[:, free] * (name == "q") for name in ("q", "u", "udot")}
    return functions.at(functions.coupling, **given)["q"]


def ask(file: Path, spanned: dict, moved: list[str], q: np.ndarray) -> dict[str, np.ndarray]:
    """Return OpenSim's lengths and moment arms."""
    with tempfile.TemporaryDirectory(prefix="wrapping_") as folder:
        given, answers = Path(folder, "postures.npy"), Path(folder, "paths.npz")
        np.save(given, q)
        wanted = {muscle: [name for name in moved if name in s] for muscle, s in spanned.items()}
        request = {"model": file, "muscles": wanted, "coordinates": moved, "postures": given}
        run_job(muscle_paths, {**request, "output": answers}, timeout_s=3600, outputs=[answers])
        with np.load(answers) as stored:
            return dict(stored)


def table(rows: dict[str, dict]) -> str:
    """Return all rows as a table for Markdown."""
    lines = [
        "| model | wrapped muscles | length, m: largest, 99 % | moment arm, m: largest, 99 % | differing "
        "| ours, ms per posture | OpenSim |",
        "|---|--:|---|---|--:|--:|--:|",
    ]
    for name, row in rows.items():
        length, arm = (", ".join(f"{x:.0e}" for x in row[k]) for k in ("length_m", "moment_arm_m"))
        lines.append(
            f"| {name} | {row['muscles']} | {length} | {arm} | {row['differing']} "
            f"| {row['ours_ms']:.2f} | {row['opensim_ms']:.2f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
