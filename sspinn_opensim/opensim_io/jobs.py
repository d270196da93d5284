"""One OpenSim job: one process of its own, a time limit, its log, its outputs checked.

OpenSim can crash the process it runs in, hang, or report success after failing. A job therefore runs
in a worker process, and whatever goes wrong there becomes one `OpenSimError`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from casadi_dynamics.errors import InputError

WORKER = "sspinn_opensim.opensim_io.worker"
_LOG_LINES_SHOWN = 8
_INSTALL = 'python -m pip install "opensim==4.6" (Python 3.11 or 3.12); then "sspinn doctor" checks'


class OpenSimError(InputError):
    """An OpenSim job did not deliver: crash, time limit, an error inside OpenSim, or a missing output."""


@dataclasses.dataclass(frozen=True)
class JobResult:
    """What a job answered.

    Parameters
    ----------
    values : dict
        The job's answer.
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


def run_job(
    name: str,
    arguments: Mapping,
    *,
    timeout_s: float,
    outputs: Sequence[Path] = (),
    cwd: Path | None = None,
    worker: str = WORKER,
) -> JobResult:
    """Run one job in a worker process and return its answer.

    Parameters
    ----------
    name : str
        A job of `sspinn_opensim.opensim_io.worker`.
    arguments : Mapping
        Keyword arguments of the job; JSON values, and paths, which are made absolute.
    timeout_s : float
        The job and all its children are killed after this time, s.
    outputs : sequence of Path
        Files the job must have written anew, none of them empty.
    cwd : Path, optional
        Working folder of the job; by default an empty temporary one.
    worker : str
        Module that runs the job as ``__main__``, given the paths of a request and an answer file.

    Returns
    -------
    JobResult
        Answer, log, warnings, duration.

    Raises
    ------
    OpenSimError
        The process crashed, exceeded its time or ended without an answer; OpenSim raised an error or is
        not installed; an output is missing, empty or older than the job.
    """
    stamps = {Path(path): _stamp(Path(path)) for path in outputs}
    start = time.monotonic()
    with (
        _as_job_error(name),
        tempfile.TemporaryDirectory(prefix="opensim_job_", ignore_cleanup_errors=True) as folder,
    ):
        request, answer, log_file = (
            Path(folder, file) for file in ("request.json", "answer.json", "log.txt")
        )
        request.write_text(json.dumps({"job": name, "arguments": dict(arguments)}, default=_absolute))
        (empty := Path(folder, "work")).mkdir()
        command = [sys.executable, "-P", "-m", worker, str(request), str(answer)]
        code = _run_process(command, log_file, cwd or empty, timeout_s)
        log = log_file.read_text(encoding="utf-8", errors="replace")
        reply = _read_answer(answer)
    where = f"OpenSim job '{name}'"
    if code is None:
        raise OpenSimError(
            f"{where} did not end within {timeout_s:g} s and was stopped",
            found=_tail(log),
            fix="check the motion for repeated frames and values far from physiological, or allow more time",
        )
    if reply is None:
        raise OpenSimError(
            f"{where} {_describe_exit(code)} without an answer",
            found=_tail(log),
            fix="open the model in OpenSim to check it; free memory if the system killed the process",
        )
    if "error" in reply:
        missing = reply.get("not_installed", False)
        raise OpenSimError(
            "OpenSim cannot be imported" if missing else f"{where} failed",
            where="" if missing else str(arguments.get("model") or arguments.get("path") or ""),
            found="\n".join(filter(None, [reply["error"], "" if missing else _tail(log)])),
            fix=_INSTALL if missing else "mend the file that OpenSim names, or check the model in OpenSim",
        )
    for path, stamp in stamps.items():
        if _stamp(path) in (None, stamp) or path.stat().st_size == 0:
            raise OpenSimError(
                f"{where} did not write {path.name}",
                where=str(path),
                found=_tail(log),
                fix="see the log above",
            )
    return JobResult(
        values=reply["values"],
        log=log,
        log_warnings=[line for line in log.splitlines() if line.startswith(("[warning]", "[error]"))],
        wall_s=time.monotonic() - start,
    )


@contextlib.contextmanager
def _as_job_error(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OpenSimError(
            f"OpenSim job '{name}' could not be started",
            found=str(error),
            fix="the temporary folder must exist, be writable and have free space",
        ) from error


def _run_process(command: list[str], log_file: Path, cwd: Path, timeout_s: float) -> int | None:
    """Run `command` as its own process group; return its exit code, or None after the time limit."""
    # The worker searches modules where this process does, and never in its working folder (-P).
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(str(Path(p).absolute()) for p in sys.path if p)}
    group = (
        {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        if os.name == "nt"
        else {"start_new_session": True}
    )
    with open(log_file, "wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=cwd, env=environment, **group
        )
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None
        finally:  # also on KeyboardInterrupt
            _kill_group(process)


def _kill_group(process: subprocess.Popen) -> None:
    if os.name == "nt":
        if process.poll() is None:
            subprocess.run(
                ["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True, check=False
            )
    else:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    process.wait()


def _read_answer(path: Path) -> dict | None:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):  # not reached, or cut by a crash
        return None


def _stamp(path: Path) -> tuple[int, int] | None:
    """Identify one version of a file: a rewritten file differs in inode or in time of change."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def _absolute(value):
    if isinstance(value, Path):
        return str(value.absolute())
    raise TypeError(f"not a JSON value: {value!r}")


def _describe_exit(code: int) -> str:
    if code < 0:
        return f"crashed (signal {signal.Signals(-code).name})"
    return f"ended with exit code {code}"


def _tail(log: str) -> str:
    """Return the last lines of a log that say something."""
    lines = [line.rstrip() for line in log.splitlines() if line.strip()]
    telling = [
        line for line in lines if not line.startswith(("[info] Loaded", "[warning] Couldn't find file"))
    ]
    return "\n".join((telling or lines)[-_LOG_LINES_SHOWN:])
