"""One OpenSim job: one process of its own, limits of time and memory, its log, its outputs checked.

OpenSim can crash the process it runs in, hang, or report success after failing. A job therefore runs
in a worker process, and whatever goes wrong there becomes one `OpenSimError`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, CancelledError, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from casadi_dynamics.errors import OpenSimError
from casadi_dynamics.opensim_process.errors import failure, missing_outputs, with_full_disk, writing
from casadi_dynamics.opensim_process.groups import Limits, memory_limit, run_group
from casadi_dynamics.opensim_process.outputs import Outputs
from casadi_dynamics.opensim_process.temporary import temporary_folder

WORKER = "casadi_dynamics.opensim_process.worker"


@dataclasses.dataclass(frozen=True)
class JobResult:
    """What a job answered.

    Attributes
    ----------
    values : dict
        What the function of the job returned.
    log : str
        All that OpenSim printed.
    log_warnings : list of str
        Lines of the log that OpenSim marked as warning or error.
    wall_s : float
        Duration including the start of the process, s.
    """

    values: dict
    log: str
    log_warnings: list[str]
    wall_s: float


@dataclasses.dataclass(frozen=True)
class Job:
    """A job to run: the arguments of `run_job`, and what an error names instead of the job's own files."""

    function: Callable
    arguments: Mapping
    timeout_s: float
    outputs: Sequence[Path] = ()
    cwd: Path | None = None
    watch: Callable[[str], None] | None = None
    place: str = ""


def run_job(
    function: Callable,
    arguments: Mapping,
    *,
    timeout_s: float,
    outputs: Sequence[Path] = (),
    cwd: Path | None = None,
    worker: str = WORKER,
    memory_bytes: int | None = None,
    stop: threading.Event | None = None,
    watch: Callable[[str], None] | None = None,
) -> JobResult:
    """Run one job in a worker process and return its answer; may be called from several threads.

    Parameters
    ----------
    function : callable
        What to do: a function of a module that imports neither `opensim` nor CasADi. In the worker it is
        handed the `opensim` library and the arguments, and it returns JSON values.
    arguments : Mapping
        Keyword arguments of the function; JSON values, and paths, which are made absolute. Where one names a
        file of `outputs`, or a folder that holds one, the job writes to a temporary folder beside it, from
        which files are moved once all are whole.
    timeout_s : float
        The job and all its children are killed after this time, s.
    outputs : sequence of Path
        Files the job must have written anew, each of them whole.
    cwd : Path, optional
        Working folder of the job; by default an empty temporary one.
    worker : str
        Module that runs the job as ``__main__``, given the paths of a request and an answer file.
    memory_bytes : int, optional
        Address space that each process of the job may use; by default `memory_limit()`.
    stop : threading.Event, optional
        Ends the job from another thread.
    watch : callable, optional
        Told a few times a second which lines were printed since, some or none.

    Returns
    -------
    JobResult
        Answer, log, warnings, duration.

    Raises
    ------
    OpenSimError
        The process crashed, exceeded a limit or ended without an answer; OpenSim raised an error or is
        not installed; an output is missing, cut short or older than the job. No process of the job is left
        then, and no file of `outputs` was touched that an argument names.
    """
    start = time.monotonic()
    job, name = _reference(function), function.__name__
    limits = Limits(timeout_s, memory_bytes or memory_limit())
    files = Outputs(outputs, arguments)
    with contextlib.ExitStack() as stack:
        stack.enter_context(writing(name, "the folder of its output", outputs))
        given, folders = stack.enter_context(files.staged())
        code, log, reply = _run(job, given, folders, limits, cwd, worker, stop, watch)
        error = failure(name, arguments, limits, code, log, reply) or missing_outputs(name, files, log)
        if error is not None:
            raise with_full_disk(error, [*folders, tempfile.gettempdir()])
        assert reply is not None  # or there was an error
        files.move_into_place()
    return JobResult(
        values=reply["values"],
        log=log,
        log_warnings=[line for line in log.splitlines() if line.startswith(("[warning]", "[error]"))],
        wall_s=time.monotonic() - start,
    )


def run_jobs(jobs: Iterable[Job], *, at_once: int) -> list[JobResult]:
    """Run several jobs, some at a time; return their results in order.

    The first error, or an interruption, ends those that still run.

    Parameters
    ----------
    jobs : iterable of Job
        None may need what another one writes.
    at_once : int
        Number of worker processes, which share the memory that one alone may use.

    Raises
    ------
    OpenSimError
        As `run_job`, for the first job that failed.
    """
    stop, at_once = threading.Event(), max(at_once, 1)
    memory_bytes = memory_limit(at_once)
    errors: list[BaseException] = []

    def run(job: Job) -> JobResult:
        if stop.is_set():
            raise CancelledError
        try:
            arguments = {field.name: getattr(job, field.name) for field in dataclasses.fields(job)}
            place = arguments.pop("place")
            return run_job(**arguments, memory_bytes=memory_bytes, stop=stop)
        except BaseException as error:
            named = error.at(place) if isinstance(error, OpenSimError) and place else error
            errors.append(named)  # the first one is the cause: later ones may be of jobs it stopped
            stop.set()
            raise

    with ThreadPoolExecutor(at_once) as pool:
        futures = [pool.submit(run, job) for job in jobs]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:  # also on KeyboardInterrupt: no job goes on behind the user's back
            if not all(future.done() for future in futures):
                stop.set()
    if errors:
        raise errors[0]
    return [future.result() for future in futures]


def _reference(function: Callable) -> str:
    """Return what the worker imports a function by: its module and its name."""
    module, name = function.__module__, function.__name__
    if getattr(sys.modules[module], name, None) is not function or module == "__main__":
        raise ValueError(f"a job is a function of a module that can be imported, not {function!r}")
    return f"{module}:{name}"


def _run(job, arguments, folders, limits, cwd, worker, stop, watch) -> tuple[int | str, str, dict | None]:
    """Run the worker; return its exit code or why it was stopped, its log and its answer."""
    with (
        writing(job.partition(":")[2], "the temporary folder"),
        temporary_folder("opensim_job") as folder,
    ):
        request, answer, log_file = (
            Path(folder, file) for file in ("request.json", "answer.json", "log.txt")
        )
        asked = {"job": job, "arguments": arguments, "temporary": [*folders, folder]}
        request.write_text(json.dumps(asked, default=_absolute), encoding="utf-8")
        (empty := Path(folder, "work")).mkdir()
        command = [sys.executable, "-P", "-m", worker, str(request), str(answer)]
        # The worker searches modules where this process does, and never in its working folder (-P).
        search = os.pathsep.join(str(Path(p).absolute()) for p in sys.path if p)
        environment = os.environ | {"PYTHONPATH": search}
        look = None if watch is None else _following(log_file, watch)
        code = run_group(
            command, log_file, limits, cwd=cwd or empty, environment=environment, stop=stop, look=look
        )
        log = _read_log(log_file, limits.log_bytes)
        return code, log, _read_answer(answer)


def _following(path: Path, watch: Callable[[str], None]) -> Callable[[], None]:
    """Return what hands on the whole lines that a file has gained since the last call."""
    read = 0

    def look() -> None:
        nonlocal read
        with path.open("rb") as file:
            file.seek(read)
            gained = file.read()
        whole = gained[: gained.rfind(b"\n") + 1]
        read += len(whole)
        watch(whole.decode("utf-8", errors="replace"))

    return look


def _read_log(path: Path, most_bytes: int) -> str:
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - most_bytes, 0))
        return file.read().decode("utf-8", errors="replace")


def _read_answer(path: Path) -> dict | None:
    try:
        answer = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # not reached, or cut by a crash
        return None
    return answer if isinstance(answer, dict) and {"values", "error"} & set(answer) else None


def _absolute(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value.absolute())
    raise TypeError(f"not a JSON value: {value!r}")
