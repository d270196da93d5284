"""Errors of OpenSim jobs: what went wrong, where, the last lines that OpenSim printed, and the way out."""

from __future__ import annotations

import contextlib
import shutil
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

from casadi_dynamics.errors import OpenSimError, OpenSimTimeoutError
from casadi_dynamics.opensim_process.groups import NO_LONGER_WANTED, TOO_LONG, TOO_TALKATIVE, Limits
from casadi_dynamics.opensim_process.outputs import Outputs

_LOG_LINES_SHOWN, _LOG_LINE_WIDTH = 8, 300
_LITTLE_SPACE_BYTES = 2**20
_INSTALL = 'python -m pip install "opensim==4.6" (Python 3.11 or 3.12); then "sspinn doctor" checks'
_WRITABLE = "name a folder that exists, can be written to and has free space"


def failure(name, arguments, limits: Limits, code, log: str, reply) -> OpenSimError | None:
    """Return the error of a job that did not answer, or answered with an error."""
    what = f"OpenSim job '{name}'"
    where = str(next((arguments[key] for key in ("model", "setup", "path") if arguments.get(key)), ""))
    stopped = {
        TOO_LONG: (
            f"{what} did not end within {limits.time_s:g} s and was stopped",
            "OpenSim was still at work; above is what it printed last",
        ),
        TOO_TALKATIVE: (
            f"{what} printed more than {limits.log_bytes / 2**20:.0f} MiB and was stopped",
            "the lines above repeat: mend what they complain of",
        ),
        NO_LONGER_WANTED: (f"{what} was stopped, because a job beside it failed", "see the other error"),
    }
    if code in stopped:
        message, fix = stopped[code]
        kind = OpenSimTimeoutError if code == TOO_LONG else OpenSimError
        return kind(message, where=where, found=_tail(log), fix=fix)
    error = "" if reply is None else reply.get("error", "")
    if _out_of_memory(error) or (reply is None and _out_of_memory(log)):
        return OpenSimError(
            f"{what} could not get the memory it asked for: its limit is "
            f"{limits.memory_bytes / 2**30:.2g} GiB",
            where=where,
            found="\n".join(filter(None, [error, _tail(log)])),
            fix="see what OpenSim printed last, above: a file named there may not be what its name says; "
            "else analyse a shorter part, or use a machine with more memory",
        )
    if reply is None or (not error and code != 0):
        return OpenSimError(
            f"{what} {_describe_exit(code)} {'without an answer' if reply is None else 'after its answer'}",
            where=where,
            found=_tail(log),
            fix="something else stopped it: if the log of the system says that it was the system, free memory"
            if code == -signal.SIGKILL
            else "see what OpenSim printed last, above",
        )
    if not error:
        return None
    if reply.get("not_installed", False):
        return OpenSimError("OpenSim cannot be imported", found=error, fix=_INSTALL)
    return OpenSimError(
        f"{what} failed",
        where=where,
        found="\n".join(filter(None, [error, _tail(log)])),
        fix="see what OpenSim says, above",
    )


def missing_outputs(name: str, files: Outputs, log: str) -> OpenSimError | None:
    """Return the error of a job that did not write its files, or not whole."""
    missing = files.missing()
    if not missing:
        return None
    listed = "; ".join(f"{file.name}: {why}" for file, why in missing)
    return OpenSimError(
        f"OpenSim job '{name}' did not write {', '.join(file.name for file, _ in missing)}",
        where=str(missing[0][0].parent),
        found="\n".join(filter(None, [listed, _tail(log)])),
        fix="see what OpenSim printed last, above",
    )


def with_full_disk(error: OpenSimError, folders: Sequence[str]) -> OpenSimError:
    """Return the error, with the advice to free space where there is none left: OpenSim does not say so."""
    full = [folder for folder in folders if shutil.disk_usage(folder).free < _LITTLE_SPACE_BYTES]
    if not full:
        return error
    fix = f"the disk is full: free some space for {Path(full[0]).parent}"
    return type(error)(error.what, where=error.where, found=error.found, fix=fix)


@contextlib.contextmanager
def writing(name: str, place: str, outputs: Sequence[Path] = ()) -> Iterator[None]:
    """Turn an error of the file system into one of the job."""
    try:
        yield
    except OSError as error:
        at = error.filename2 or error.filename or (outputs[0] if outputs else "")
        raise OpenSimError(
            f"OpenSim job '{name}' cannot write to {place}",
            where=str(at),
            found=error.strerror or str(error),
            fix=_WRITABLE,
        ) from error


def _describe_exit(code: int) -> str:
    if code < 0:
        killed = -code == signal.SIGKILL
        return f"{'was killed' if killed else 'crashed'} (signal {signal.Signals(-code).name})"
    return f"ended with exit code {code}"


def _out_of_memory(text: str) -> bool:
    """Whether a text says so in the words of Python, C++ or the loader of libraries."""
    words = (
        "MemoryError",
        "bad_alloc",
        "Cannot allocate memory",
        "failed to map segment",
        "Memory allocation",
    )
    return any(word in text[-20000:] for word in words)


def _tail(log: str) -> str:
    """Return the last lines of a log that say something, without control characters."""
    lines = [line.rstrip() for line in log[-200 * _LOG_LINE_WIDTH :].splitlines() if line.strip()]
    telling = [
        line for line in lines if not line.startswith(("[info] Loaded", "[warning] Couldn't find file"))
    ]
    shown = (telling or lines)[-_LOG_LINES_SHOWN:]
    return "\n".join(
        "".join(c if c.isprintable() else "?" for c in line[:_LOG_LINE_WIDTH].expandtabs()) for line in shown
    )
