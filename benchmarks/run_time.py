"""Wall and processor time of `sspinn run` from a cold start, stage by stage, beside another checkout.

Run ``python -m benchmarks.run_time STUDY.toml --against PATH``; without a study participant P01's walking.
Runs take turns, each a new Python and a new folder, so that both codes meet the same load. A stage lasts from
its heading to the next one; what comes before the first is `start`: Python, libraries, the first look at the
inputs.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.machine import processor
from casadi_dynamics.cores import usable_cores
from casadi_dynamics.errors import InputError
from sspinn_opensim.study import examples_folder, read_study

ROOT = Path(__file__).resolve().parents[1]
_HEADING = re.compile(r"(\w+) ─+$")
#: Rows beside the stages.
_START, _ALL, _PROCESSOR = "start", "all", "processor time"


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run_time", description=__doc__)
    parser.add_argument("study", type=Path, nargs="?", default=examples_folder() / "dorschky2019_walk.toml")
    parser.add_argument("--against", type=Path, help="root of another checkout")
    parser.add_argument("--times", type=int, default=3, help="runs of each (default: %(default)s)")
    parser.add_argument("--steps", type=int, help="of a training, instead of the study's")
    options = parser.parse_args(arguments)
    if options.times < 1 or (options.steps is not None and options.steps < 1):
        parser.error("--times and --steps must be at least 1")
    roots = {"this code": ROOT} | ({"the other": options.against.resolve()} if options.against else {})
    found: dict[str, list[dict[str, float]]] = {name: [] for name in roots}
    try:
        read_study(options.study)
        for _ in range(options.times):
            for name, root in roots.items():
                found[name].append(time_of_run(root, options.study.resolve(), options.steps))
    except InputError as error:
        parser.exit(2, f"{error}\n")
    table = Table(
        title=f"{options.study.stem}, seconds; {processor()}, {usable_cores()} cores, "
        f"load {os.getloadavg()[0]:.1f}; median of {options.times}"
    )
    table.add_column("")
    for name in found:
        table.add_column(name, justify="right")
    for row in found["this code"][0]:
        table.add_row(row, *(f"{median(run.get(row, 0.0) for run in runs):.1f}" for runs in found.values()))
    Console().print(table)


def time_of_run(root: Path, study: Path, steps: int | None) -> dict[str, float]:
    """Return how long each stage of a run by the code at `root` takes, all, and its processor time, s.

    Raises
    ------
    InputError
        If the run fails.
    """
    command = [sys.executable, "-m", "sspinn_opensim", "run", str(study), "--seeds", "0"]
    command += [] if steps is None else ["--steps", str(steps)]
    before = os.times()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        stages, said = {_START: began}, []
        with subprocess.Popen(
            [*command, "--out", str(Path(folder) / "results")],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": str(root), "PYTHONUNBUFFERED": "1"},
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line)
                if heading := _HEADING.match(line):
                    stages[heading[1]] = time.perf_counter()
        ended = time.perf_counter()
    if process.returncode:
        raise InputError(f"{root}: sspinn run ended with status {process.returncode}: {''.join(said[-3:])}")
    after = os.times()
    until = [*list(stages.values())[1:], ended]
    taken = {name: end - start for (name, start), end in zip(stages.items(), until, strict=True)}
    used = (after.children_user + after.children_system) - (before.children_user + before.children_system)
    return {**taken, _ALL: ended - began, _PROCESSOR: used}


if __name__ == "__main__":
    main()
