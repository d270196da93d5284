"""How fast compiled dynamics are, beside the libraries one would use otherwise.

Run ``python -m benchmarks.dynamics``. One evaluation is generalized forces, seven virtual IMUs and four foot
points of one state; all routes are timed in turns, each on one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch

from benchmarks.measure import fresh, numerics, tables, targets, threads
from benchmarks.measure.chart import chart
from benchmarks.measure.turns import QUICK, THOROUGH, Effort, take_turns
from benchmarks.peers.casadi_map import CasadiMap
from benchmarks.peers.case import NAMES, PLANAR, Case, read_case
from benchmarks.peers.mujoco_inverse import Mujoco
from benchmarks.peers.opensim_solver import OpenSim
from benchmarks.peers.pinocchio_rnea import Pinocchio
from benchmarks.peers.route import COMPARED, DIRECTIONS, DTYPES, Route, UnavailableError
from benchmarks.peers.torch_routes import ByHand, Compiled
from casadi_dynamics.errors import InputError

#: The project's own route comes first: the others are compared with it.
ROUTES = {
    "ours": Compiled,
    "pinocchio": Pinocchio,
    "mujoco": Mujoco,
    "opensim": OpenSim,
    "casadi_map": CasadiMap,
    "torch": ByHand,
}
BATCHES, QUICK_BATCHES = (1, 32, 1024, 8192, 65536), (1, 1024)


@dataclass(frozen=True)
class Choice:
    """What to measure."""

    models: Path
    names: tuple[str, ...]
    routes: tuple[str, ...]
    dtypes: tuple[str, ...]
    batches: tuple[int, ...]
    effort: Effort


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if min(options.batch or [1]) < 1:
        parser.error("--batch must be at least 1")
    if options.plot and (options.plot.suffix != ".svg" or not options.plot.parent.is_dir()):
        parser.error(f"--plot {options.plot}: name a file that ends in .svg, in a folder that exists")
    choice = Choice(
        models=options.models.absolute(),
        names=tuple(options.model or NAMES),
        routes=tuple(name for name in ROUTES if name in (options.routes or ROUTES)),
        dtypes=tuple(options.dtype or DTYPES),
        batches=tuple(sorted(set(options.batch or (QUICK_BATCHES if options.quick else BATCHES)))),
        effort=QUICK if options.quick else THOROUGH,
    )
    try:
        rows = measure(choice)
    except InputError as error:
        parser.exit(2, f"{error}\n")
    if not rows:
        parser.exit(2, "Nothing is left to measure.\n")
    if options.plot:
        options.plot.write_text(chart(rows), encoding="utf-8")
    if options.json:
        print(json.dumps(rows, indent=1))
    else:
        print(tables.table(rows), "", targets.table(targets.targets(rows)), sep="\n")


def measure(choice: Choice) -> list[dict]:
    """Return one object per model, route, direction, number type and batch.

    What cannot be measured is left out, with one line on the error stream.

    Returns
    -------
    list of dict
        `model`, `route`, `direction`, `dtype`, `batch`, `threads`; `evaluations_per_s` by processor time;
        `wall_s`, the time that passes during one batch; `ratio`, the speed of our route by that of this one;
        `tau_difference`, the largest difference of its generalized forces from ours relative to the largest
        of them (None where the route has a simplified model). Only for our route, else None: `compile_s` and
        `cached_s` in a fresh process, `compile_memory_mb`, `largest_error` against CasADi in float64 and
        `errors` by kind of input, and `two_threads_gain` at batch 8192.
    """
    torch.set_num_threads(1)
    rows = []
    for case in _cases(choice):
        with tempfile.TemporaryDirectory() as cache, _environment(fresh.CACHE_VARIABLE, cache):
            rows += _measure_case(case, choice, cache)
    return rows


def _measure_case(case: Case, choice: Choice, cache: str) -> list[dict]:
    rows, routes = [], dict(_open(case, choice.routes))
    try:
        ours = _ours(case, routes["ours"], choice, cache) if "ours" in routes else {}
        differences = _differences(case, routes)
        for dtype, batch, direction in product(choice.dtypes, choice.batches, DIRECTIONS):
            _progress(f"{case.name} {dtype} batch {batch} {direction}")
            states = case.states(batch)
            works = {
                name: route.work(direction, dtype, states)
                for name, route in routes.items()
                if direction in route.directions and dtype in route.dtypes
            }
            times = take_turns(works, choice.effort)
            speeds = {name: works[name].evaluations / time.cpu for name, time in times.items()}
            for name, speed in speeds.items():
                own = ours.get((dtype, direction), {}) if name == "ours" else {}
                row = {
                    "model": case.name,
                    "route": name,
                    "direction": direction,
                    "dtype": dtype,
                    "batch": batch,
                    "threads": 1,
                    "evaluations_per_s": speed,
                    "wall_s": times[name].wall / works[name].evaluations * batch,
                    "ratio": speeds["ours"] / speed if "ours" in speeds else None,
                    "tau_difference": differences.get(name),
                }
                rows.append(row | {key: own.get(key) for key in tables.OURS})
    finally:
        for route in routes.values():
            route.close()
    return rows


def _ours(case: Case, route: Compiled, choice: Choice, cache: str) -> dict[tuple[str, str], dict]:
    """Return what is measured of our route alone, by number type and direction."""
    _progress(f"{case.name}: compile times, numerics, threads")
    try:
        cold, cached = fresh.first_calls(case.name, choice.models, list(choice.dtypes), cache)
    except RuntimeError as error:
        _say(f"{case.name}: no compile times: {error}")
        cold = cached = {}
    # Only the first number type finds the process as it was.
    memory = next(iter(cold.values()))["memory_mb"] if cold else None
    found, states = {}, case.states(threads.BATCH)
    for dtype in choice.dtypes:
        errors = numerics.errors(case, route.function(getattr(torch, dtype)), getattr(torch, dtype))
        for direction in DIRECTIONS:
            several = (os.cpu_count() or 1) > 1
            work = route.work(direction, dtype, states)
            found[dtype, direction] = {
                "compile_s": cold.get(dtype, {}).get(f"{direction}_s"),
                "cached_s": cached.get(dtype, {}).get(f"{direction}_s"),
                "compile_memory_mb": memory,
                "largest_error": max(kind[direction] for kind in errors.values()),
                "errors": {kind: error[direction] for kind, error in errors.items()},
                "two_threads_gain": threads.two_threads_gain(work, choice.effort) if several else None,
            }
    return found


def _differences(case: Case, routes: dict[str, Route]) -> dict[str, float]:
    """Return how far the generalized forces of each route are from ours, where it has the same model."""
    if "ours" not in routes:
        return {}
    states = case.states(COMPARED)
    expected = routes["ours"].forces(states)
    found = {name: route.forces(states) for name, route in routes.items() if name != "ours"}
    size = np.abs(expected).max()
    return {
        name: float(np.abs(tau - expected).max() / size) for name, tau in found.items() if tau is not None
    }


def _cases(choice: Choice) -> Iterator[Case]:
    public = [name for name in choice.names if name != PLANAR]
    folder_is_there = choice.models.is_dir()
    if public and not folder_is_there:
        _say(f"left out: {', '.join(public)}: there is no folder {choice.models}; name it with --models DIR")
    for name in choice.names:
        if name == PLANAR or folder_is_there:
            try:
                yield read_case(name, choice.models)
            except InputError as error:
                _say(f"left out: {name}: {error.what} {error.where}")


def _open(case: Case, names: tuple[str, ...]) -> Iterator[tuple[str, Route]]:
    for name in names:
        try:
            yield name, ROUTES[name](case)
        except UnavailableError as error:
            _say(f"left out: {name} for {case.name}: {error}")


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.dynamics", description=__doc__, allow_abbrev=False
    )
    default = Path(__file__).resolve().parents[2] / "shared" / "models"
    parser.add_argument("--models", type=Path, default=default, help="folder of the public models")
    parser.add_argument("--model", nargs="+", choices=NAMES, help="default: all")
    parser.add_argument("--routes", nargs="+", choices=ROUTES, help="default: all")
    parser.add_argument("--dtype", nargs="+", choices=DTYPES, help="default: both")
    parser.add_argument("--batch", nargs="+", type=int, help=f"default: {' '.join(map(str, BATCHES))}")
    parser.add_argument("--quick", action="store_true", help="a minute: batches 1 and 1024, fewer rounds")
    parser.add_argument("--json", action="store_true", help="print a list of JSON objects")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw speed over batch size")
    return parser


def _progress(what: str) -> None:
    """Say what is going on to those who watch."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{what} ...", end="", file=sys.stderr, flush=True)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
