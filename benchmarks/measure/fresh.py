"""Compile times, and the memory it takes, in processes that have compiled nothing before.

``python -m benchmarks.measure.fresh MODEL FOLDER DTYPE ...`` prints a JSON list of two objects, of a process
that compiles and of one that finds the object code of the first. Each has by number type `forward_s` and
`forward_backward_s`, from the CasADi function to the first result, and `memory_mb`.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import torch

from benchmarks.peers.case import DIFFERENTIATED, read_case
from casadi_dynamics.compiled import compile_torch

CACHE_VARIABLE = "CASADI_DYNAMICS_CACHE"

Found = dict[str, dict[str, float | None]]


def first_calls(name: str, folder: Path, dtypes: list[str], cache: str) -> tuple[Found, Found]:
    """Return what the process that compiles measures, and what the one that loads.

    Parameters
    ----------
    name : str
        Name of the case.
    folder : Path
        Of the public models.
    dtypes : list of str
    cache : str
        An empty folder for object code.

    Returns
    -------
    tuple of 2 dicts
        Number type -> `forward_s`, `forward_backward_s` and `memory_mb`: the peak of the process less what
        it held before compiling, None where the system does not tell.

    Raises
    ------
    RuntimeError
        If a process failed; with the last line it printed.
    """
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.measure.fresh", name, str(folder), *dtypes],
        cwd=Path(__file__).parents[2],
        env={**os.environ, CACHE_VARIABLE: cache},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no output"])[-1])
    cold, cached = json.loads(done.stdout)
    return cold, cached


def main(name: str, folder: str, *dtypes: str) -> None:
    """Measure in two processes, one after the other, and print."""
    # Forked before anything has run, they need not import all libraries again.
    processes = multiprocessing.get_context("fork")
    found = []
    for _ in range(2):
        receiver, sender = processes.Pipe(duplex=False)
        process = processes.Process(target=lambda to=sender: to.send(_measure(name, Path(folder), dtypes)))
        process.start()
        sender.close()
        try:
            found.append(receiver.recv())
        except EOFError:
            sys.exit("the process that compiles ended without an answer")
        process.join()
    print(json.dumps(found))


def _measure(name: str, folder: Path, dtypes: tuple[str, ...]) -> Found:
    torch.set_num_threads(1)
    case = read_case(name, folder)
    states, shared, function = case.states(1), case.shared, case.function
    warm = torch.ones(2, requires_grad=True)
    torch.autograd.grad((warm * warm).sum(), warm)  # torch's own first steps are not ours
    found = {}
    for dtype in dtypes:
        kind = getattr(torch, dtype)
        tensors = {n: torch.tensor(value, dtype=kind) for n, value in {**states, **shared}.items()}
        before = _memory_mb("VmRSS")
        start = time.perf_counter()
        compiled = compile_torch(function, kind)
        with torch.no_grad():
            compiled(**tensors)
        forward_s = time.perf_counter() - start
        leaves = [tensors[n].requires_grad_() for n in DIFFERENTIATED]
        outputs = compiled(**tensors)
        torch.autograd.grad(sum(output.sum() for output in outputs.values()), leaves)
        both_s, peak = time.perf_counter() - start, _memory_mb("VmHWM")
        memory = None if peak is None else peak - before
        found[dtype] = {"forward_s": forward_s, "forward_backward_s": both_s, "memory_mb": memory}
    return found


def _memory_mb(kind: str) -> float | None:
    """Return resident memory now ('VmRSS') or at most so far ('VmHWM'), from Linux.

    `resource.getrusage` would count the process that started this one, too.
    """
    status = Path("/proc/self/status")
    if not status.is_file():
        return None
    line = re.search(rf"^{kind}:\s*(\d+) kB", status.read_text(), re.MULTILINE)
    return None if line is None else int(line[1]) / 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
