"""Static optimization of a window of time in slices, several processes at once.

OpenSim solves one frame after the other, and no frame's solution depends on another's: filter and splines
see the whole motion in every slice, and the cost of a frame has one minimum. A slice runs a few frames
beyond its ends, which start the optimizer where a single run would have been; they are cut off on joining.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import re
import time
from pathlib import Path

import numpy as np

from casadi_dynamics.cores import usable_cores
from casadi_dynamics.errors import InputError
from casadi_dynamics.opensim_process.jobs import Job, JobResult, run_jobs
from casadi_dynamics.opensim_process.temporary import temporary_folder
from sspinn_opensim.opensim_io.progress import Progress
from sspinn_opensim.opensim_io.static_optimization.setup_file import Setup, write_slice
from sspinn_opensim.opensim_io.static_optimization.solution import Solution
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage, write_storage
from sspinn_opensim.opensim_io.worker.tools import static_optimization

log = logging.getLogger(__name__)

_OVERLAP_FRAMES = 2
#: Factors on the criterion of convergence for frames that were given up. In running at 5 m/s they solved 16
#: of 16 such frames; in frames that need no second attempt they change activations by up to 0.013 and 0.054.
_LOOSER = (10.0, 100.0)
#: A process takes about as long to start as OpenSim for this many frames of a large model.
_FEWEST_FRAMES = 20
#: Slices longer than this would keep their errors to themselves for too long.
_MOST_FRAMES = 400
#: A process with 92 muscles was seen to use 0.25 GB; models with meshes may need more.
_MEMORY_PER_WORKER_BYTES = 2**30
_TIMEOUT_S, _TIMEOUT_PER_FRAME_S = 120.0, 5.0
_FRAME_LOG = re.compile(r"^time = (\S+) Performance = (\S+) Constraint violation = (\S+)", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Slice:
    """A part of the window: the frames from `from_s` up to, but without, `to_s` are its own."""

    number: int
    of: int
    from_s: float
    to_s: float
    runs_from_s: float
    runs_to_s: float
    frames: int

    def __str__(self) -> str:
        return f"slice {self.number} of {self.of}, {self.runs_from_s:.3f} to {self.runs_to_s:.3f} s"


def usual_workers() -> int:
    """Return how many processes this machine carries: its free cores, unless memory is short."""
    cores = usable_cores()
    memory = _available_memory_bytes()
    return max(min(cores, memory // _MEMORY_PER_WORKER_BYTES if memory else cores), 1)


def plan(time_s: np.ndarray, from_s: float, to_s: float, workers: int) -> list[Slice]:
    """Divide a window into slices of about as many frames each.

    Parameters
    ----------
    time_s : ndarray
        Frames of the motion, s.
    from_s, to_s : float
        The window, s.
    workers : int
        Processes that run at once.
    """
    frames = time_s[(time_s >= from_s - 1e-9) & (time_s <= to_s + 1e-9)]
    number = min(workers, max(len(frames) // _FEWEST_FRAMES, 1))
    number *= -(-len(frames) // (_MOST_FRAMES * number)) or 1
    edges = np.linspace(0, len(frames), number + 1).astype(int)
    slices = []
    for k in range(number):
        first, last = edges[k], edges[k + 1]
        slices.append(
            Slice(
                number=k + 1,
                of=number,
                from_s=-np.inf if k == 0 else _before(frames, first),
                to_s=np.inf if k == number - 1 else _before(frames, last),
                runs_from_s=from_s if k == 0 else _before(frames, max(first - _OVERLAP_FRAMES, 1)),
                runs_to_s=to_s
                if k == number - 1
                else _before(frames, min(last + _OVERLAP_FRAMES, len(frames) - 1)),
                frames=int(last - first),
            )
        )
    return slices


def solve(
    setup: Setup,
    time_s: np.ndarray,
    muscles: tuple[str, ...],
    *,
    workers: int | None = None,
) -> Solution:
    """Run a checked set-up and join the slices; OpenSim's two tables go to the set-up's folder of results.

    Frames that the optimizer gives up are tried again with a looser criterion: where muscles are saturated
    and reserves large, it often fails on the last digits of a minimum that it has found.

    Parameters
    ----------
    time_s : ndarray
        Frames of the motion, s.
    workers : int, optional
        Processes at once; by default as many as the machine carries.

    Raises
    ------
    InputError
        A slice failed; the others are stopped, and nothing is written.
    """
    workers, start = workers or usual_workers(), time.monotonic()
    slices = plan(time_s, setup.from_s, setup.to_s, workers)
    frames = sum(part.frames for part in slices)
    log.info(
        f"OpenSim optimizes {frames} frames, {setup.from_s:.2f} to {setup.to_s:.2f} s; "
        "--fast solves the same in a fraction of the time"
    )
    found = _run(setup, slices, workers)
    relaxed = np.zeros(len(found.time_s), bool)
    for looser in _LOOSER:
        if not found.failed.any():
            break
        again = _run(setup, _slices_of(found.time_s, found.failed), workers, looser)
        relaxed |= _take_over(found, again)
    setup.raw_folder.mkdir(parents=True, exist_ok=True)
    for kind, names, values in (
        ("force", found.force_names, found.forces),
        ("activation", found.activation_names, found.activations),
    ):
        table = Table(names, found.time_s, values, False, f"static optimization {kind}s")
        write_storage(setup.raw_folder / f"{setup.tool_name}_StaticOptimization_{kind}.sto", table)
    return Solution(
        muscles=muscles,
        time_s=found.time_s,
        forces=found.forces[:, [found.force_names.index(name) for name in muscles]],
        activations=found.activations[:, [found.activation_names.index(name) for name in muscles]],
        actuation={
            name: found.forces[:, found.force_names.index(name)]
            for name in found.activation_names
            if name not in muscles
        },
        failed=found.failed,
        violation=found.violation,
        objective=found.objective,
        wall_s=time.monotonic() - start,
        workers=min(workers, len(slices)),
        later=relaxed,
    )


@dataclasses.dataclass(frozen=True)
class _Raw:
    """OpenSim's tables over several slices, and what its log says of each frame."""

    force_names: tuple[str, ...]
    activation_names: tuple[str, ...]
    time_s: np.ndarray
    forces: np.ndarray
    activations: np.ndarray
    failed: np.ndarray
    violation: np.ndarray
    objective: np.ndarray


def _run(setup: Setup, slices: list[Slice], workers: int, looser: float = 1.0) -> _Raw:
    with temporary_folder("static_optimization") as folder:
        what = "static optimization" if looser == 1 else "again, what was given up"
        watch = Progress(what, sum(part.frames for part in slices), _FRAME_LOG)
        jobs = [_job(setup, part, Path(folder), looser, watch) for part in slices]
        results = run_jobs(jobs, at_once=workers)
        tables = [[read_storage(path) for path in job.outputs] for job in jobs]
    forces, activations = (_joined(slices, [pair[k] for pair in tables]) for k in range(2))
    return _Raw(
        forces.names,
        activations.names,
        forces.time_s,
        forces.values,
        activations.values,
        *_frame_by_frame(slices, results, forces.time_s),
    )


def _slices_of(time_s: np.ndarray, chosen: np.ndarray) -> list[Slice]:
    """Return slices that hold the chosen frames, with a frame beyond either end.

    Frames that lie close together share a slice: those between them cost less than another process.
    """
    frames = np.flatnonzero(chosen)
    breaks = np.flatnonzero(np.diff(frames) > _FEWEST_FRAMES)
    firsts = frames[np.concatenate([[0], breaks + 1])]
    lasts = frames[np.concatenate([breaks, [len(frames) - 1]])]
    ends = [(int(a), int(b) + 1) for a, b in zip(firsts, lasts, strict=True)]
    last = len(time_s) - 1
    return [
        Slice(
            number=k + 1,
            of=len(ends),
            from_s=_before(time_s, a) if a else -np.inf,
            to_s=_before(time_s, b) if b <= last else np.inf,
            runs_from_s=_before(time_s, a - 1) if a > 1 else float(time_s[0]),
            runs_to_s=_before(time_s, b + 1) if b < last else float(time_s[-1]),
            frames=b - a,
        )
        for k, (a, b) in enumerate(ends)
    ]


def _take_over(found: _Raw, again: _Raw) -> np.ndarray:
    """Put the frames that a later attempt solved into the first one's tables; return which."""
    taken = np.zeros(len(found.time_s), bool)
    for k, at in enumerate(again.time_s):
        place = int(np.argmin(np.abs(found.time_s - at)))
        if again.failed[k] or not found.failed[place]:
            continue
        found.forces[place], found.activations[place] = again.forces[k], again.activations[k]
        found.violation[place], found.objective[place] = again.violation[k], again.objective[k]
        found.failed[place], taken[place] = False, True
    return taken


def _before(frames: np.ndarray, k: int) -> float:
    """Return a time between frame k and the one before it."""
    return float(frames[k - 1] + frames[k]) / 2


def _available_memory_bytes() -> int:
    """Return the memory that is free for new processes; 0 where the system does not say."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    return 0


def _job(setup: Setup, part: Slice, folder: Path, looser: float, watch: Progress) -> Job:
    own = folder / f"slice_{part.number}"
    raw = own / "results"
    raw.mkdir(parents=True)
    file = write_slice(setup, own / "setup.xml", raw, part.runs_from_s, part.runs_to_s, looser)
    outputs = [raw / f"{setup.tool_name}_StaticOptimization_{kind}.sto" for kind in ("force", "activation")]
    limit = _TIMEOUT_S + _TIMEOUT_PER_FRAME_S * part.frames
    return Job(static_optimization, {"setup": file}, limit, outputs, watch=watch, place=str(part))


def _joined(slices: list[Slice], tables: list[Table]) -> Table:
    names = tables[0].names
    kept_times, kept_values = [], []
    for part, table in zip(slices, tables, strict=True):
        if table.names != names:
            raise InputError("OpenSim's results differ between slices of time", where=str(part))
        own = (table.time_s >= part.from_s) & (table.time_s < part.to_s)
        kept_times.append(table.time_s[own])
        kept_values.append(table.values[own])
    return Table(names, np.concatenate(kept_times), np.concatenate(kept_values))


def _frame_by_frame(
    slices: list[Slice], results: list[JobResult], time_s: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which frames failed, and the violation and objective of each by OpenSim's log; NaN: not said."""
    failed = np.zeros(len(time_s), bool)
    violation, objective = np.full(len(time_s), np.nan), np.full(len(time_s), np.nan)
    for part, result in zip(slices, results, strict=True):
        own = np.flatnonzero((time_s >= part.from_s) & (time_s < part.to_s))

        def place(at: float, own=own, part=part) -> int | None:
            """Return the frame of a time, which the log gives with six digits; None beyond the slice."""
            if not len(own) or not part.from_s <= at < part.to_s:
                return None
            return int(own[np.argmin(np.abs(time_s[own] - at))])

        for at in result.values["failed_times_s"]:
            if (k := place(at)) is not None:
                failed[k] = True
        for at, cost, error in _FRAME_LOG.findall(result.log):
            if (k := place(float(at))) is not None:
                violation[k], objective[k] = float(error), float(cost)
        unplaced = result.values["failed_frames"] - len(result.values["failed_times_s"])
        if unplaced > 0:  # OpenSim counted failures whose times it did not print
            failed[own[:unplaced]] = True
    return failed, violation, objective
