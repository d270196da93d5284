"""Training steps per second, beside another checkout and the machine's own matrix products.

Run ``python -m benchmarks.training_speed --against PATH``. Both trainings are started, then take turns, piece
by piece, so that both meet the same load; before each piece the rate of large matrix products is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import torch

from benchmarks.machine import processor
from casadi_dynamics.cores import usable_cores
from casadi_dynamics.errors import InputError
from sspinn_opensim.study import examples_folder, read_study

ROOT = Path(__file__).resolve().parents[2]
OURS, OTHERS = "this code", "the other"
#: Rows and columns of the matrices whose product is the machine's own rate; how often it is tried.
_SIZE, _TRIES = 1024, 5


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_speed", description=__doc__)
    parser.add_argument(
        "--study",
        type=Path,
        default=examples_folder() / "dorschky2019_walk.toml",
        help="default: participant P01 walking",
    )
    parser.add_argument("--against", type=Path, help="root of another checkout")
    parser.add_argument("--pieces", type=int, default=8, help="pieces of a training (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=25, help="steps of a piece (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    if options.pieces < 2 or options.steps < 1:
        parser.error("--pieces must be at least 2 (the first is not counted), and --steps at least 1")
    roots = {OURS: ROOT} | ({OTHERS: options.against.resolve()} if options.against else {})
    try:
        read_study(options.study)
    except InputError as error:
        parser.exit(2, f"{error}\n")
    results = measure(options.study.resolve(), roots, options.pieces, options.steps)
    print(json.dumps(results, indent=1) if options.json else table(results))


def measure(study: Path, roots: Mapping[str, Path], pieces: int, steps: int) -> dict:
    """Return times of a step of the code at each root, and the machine's own rate, piece by piece.

    Parameters
    ----------
    roots : mapping of str to Path
        Checkouts by the name they are to have.
    pieces, steps : int
        Pieces of a training, of which the first warms up, and steps of each.
    """
    found: dict[str, list[dict]] = {name: [] for name in roots}
    rates: list[list[float]] = []
    with ExitStack() as stack:
        workers = {
            name: stack.enter_context(_worker(root, study, pieces, steps)) for name, root in roots.items()
        }
        operations = {name: _answer(worker)["operations"] for name, worker in workers.items()}
        for _ in range(pieces):
            rates.append([product_rate(threads) for threads in (1, usable_cores())])
            for name, worker in workers.items():
                found[name].append(_answer(worker, "go\n"))
    return {
        "study": study.stem,
        "processor": processor(),
        "cores": usable_cores(),
        "load": round(os.getloadavg()[0], 2),
        "torch": torch.__version__,
        "steps": steps,
        "operations_a_step": operations,
        "product_rate_gflops": {
            kind: median(row[k] for row in rates[1:]) for k, kind in enumerate(("one core", "all cores"))
        },
        "wall_ms": {name: [1e3 * row["wall_s"] / steps for row in rows[1:]] for name, rows in found.items()},
        "cpu_ms": {name: [1e3 * row["cpu_s"] / steps for row in rows[1:]] for name, rows in found.items()},
    }


def table(results: dict) -> str:
    """Return the results as text."""
    rate = results["product_rate_gflops"]
    lines = [
        f"{results['study']}; {results['processor']}, {results['cores']} cores, load {results['load']}"
        f", torch {results['torch']}; {len(results['wall_ms'][OURS])} pieces of {results['steps']} steps",
        f"products of {_SIZE} x {_SIZE} matrices: {rate['one core']:.0f} GFLOP/s on one core, "
        f"{rate['all cores']:.0f} on all",
        "",
        f"{'median':12}{'steps/s':>9}{'wall ms':>9}{'cpu ms':>9}{'GFLOP/step':>12}{'GFLOP/s':>9}"
        f"{'of all cores':>14}",
    ]
    for name, walls in results["wall_ms"].items():
        wall, cpu = median(walls), median(results["cpu_ms"][name])
        work = results["operations_a_step"][name] / 1e9
        speed = 1e3 * work / wall
        lines.append(
            f"{name:12}{1e3 / wall:9.1f}{wall:9.1f}{cpu:9.1f}{work:12.2f}{speed:9.1f}"
            f"{speed / rate['all cores']:14.0%}"
        )
    if OTHERS in results["wall_ms"]:
        wall, cpu = (
            median(b / a for a, b in zip(results[kind][OURS], results[kind][OTHERS], strict=True))
            for kind in ("wall_ms", "cpu_ms")
        )
        lines += [
            "",
            f"{OURS} is {wall:.2f} times as fast; a step takes it {1 / cpu:.2f} of the other's CPU time",
        ]
    return "\n".join(lines)


def product_rate(threads: int) -> float:
    """Return the best rate of large matrix products on so many threads, GFLOP/s."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        a, b = torch.ones(2, _SIZE, _SIZE)
        best_s = float("inf")
        for _ in range(_TRIES):
            start = time.perf_counter()
            torch.mm(a, b)
            best_s = min(best_s, time.perf_counter() - start)
        return 2 * _SIZE**3 / best_s / 1e9
    finally:
        torch.set_num_threads(before)


@contextmanager
def _worker(root: Path, study: Path, pieces: int, steps: int) -> Iterator[subprocess.Popen[str]]:
    """Start a training with the code at a root."""
    command = [
        sys.executable,
        str(Path(__file__).with_name("worker.py")),
        str(study),
        str(pieces),
        str(steps),
    ]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _answer(worker: subprocess.Popen[str], told: str = "") -> dict:
    """Tell a worker something and return its answer; what its code prints besides is passed over."""
    assert worker.stdin is not None and worker.stdout is not None
    worker.stdin.write(told)
    worker.stdin.flush()
    for line in worker.stdout:
        if line.startswith("{"):
            return json.loads(line)
    raise RuntimeError(f"a training ended with exit status {worker.wait()}")


if __name__ == "__main__":
    main()
