"""A watch: a command runs in a process of its own, and what it says, takes and touches is told.

The process is a copy of this one (``fork``), in which the libraries are loaded already, so that a command
takes milliseconds. A hook for audits (PEP 578), which no code can take away, tells which programs it
started and which sockets it opened; a folder beside its own must stay what it was.
"""

from __future__ import annotations

import contextlib
import faulthandler
import hashlib
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.forked import start
from sspinn_opensim.cli import main
from sspinn_opensim.text import printable

#: A command that is not over by then hangs, s; it may take so much memory beyond what is loaded, bytes.
LONGEST_S, MOST_BYTES = 60.0, 2_000_000_000
_EVENTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "pty.spawn")
_SOCKETS = ("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo")
#: The one program that commands start: OpenSim in a process of its own.
_OWN = "opensim_process"
_NO_TEXT = frozenset(chr(k) for k in range(32) if k not in (9, 10)) | {"\x7f"}


@dataclass
class Place:
    """Folders of one case.

    Attributes
    ----------
    own : Path
        What the command works in, and may write to.
    beside : Path
        What it must leave as it is.
    """

    own: Path
    beside: Path

    @property
    def secret(self) -> Path:
        """A file beside."""
        return self.beside / "secret.txt"


@dataclass(frozen=True)
class Outcome:
    """What a command did.

    Attributes
    ----------
    status : int
        Exit status; negative: the signal that ended it.
    said : str
        All that it printed.
    wall_s, cpu_s : float
        Time it took.
    wrong : list of str
        What must not be.
    """

    status: int
    said: str
    wall_s: float
    cpu_s: float
    wrong: list[str] = field(default_factory=list)


@contextlib.contextmanager
def place() -> Iterator[Place]:
    """Give the folders of a case, with something in the one beside."""
    with _temporary() as temporary:
        own, beside = Path(temporary, "own"), Path(temporary, "beside")
        (beside / "folder").mkdir(parents=True)
        own.mkdir()
        (beside / "secret.txt").write_text("nobody else's business\n")
        (beside / "folder" / "kept.txt").write_text("kept\n")
        yield Place(own, beside)


@contextlib.contextmanager
def _temporary() -> Iterator[str]:
    """Give a temporary folder, and remove it however deep it is."""
    temporary = tempfile.mkdtemp(prefix="hostile_")
    try:
        yield temporary
    finally:
        most = sys.getrecursionlimit()
        sys.setrecursionlimit(20_000)  # of removal alone: commands keep the usual one
        shutil.rmtree(temporary)
        sys.setrecursionlimit(most)


def watched(
    plant: Callable[[Place], Sequence[str | Path]], command: Callable[[list[str]], int] = main
) -> Outcome:
    """Plant a case, run its command, and say what it did.

    Parameters
    ----------
    plant : callable
        Writes files into a place, and returns the command line.
    """
    with place() as here:
        arguments = [str(word) for word in plant(here)]
        before = _content(here.beside)
        outcome = _run(here, arguments, command)
        if _content(here.beside) != before:
            outcome.wrong.append("changed what lies beside its folder")
        return outcome


def _run(here: Place, arguments: list[str], command: Callable[[list[str]], int]) -> Outcome:
    log, audit = here.own.parent / "said.txt", here.own.parent / "audit.txt"
    started = time.monotonic()
    temporary = here.own.parent / "temporary"
    child = start(lambda: _heard(audit, arguments, command), here.own, temporary, log)
    status, usage, late = _ended(child, started + LONGEST_S)
    said = log.read_bytes().decode("utf-8", "replace") if log.exists() else ""
    audited = audit.read_text().splitlines() if audit.exists() else []
    wrong = ["hangs"] if late else _wrong(status, said)
    wrong += [f"started or opened {event}" for event in audited]
    cpu_s = usage.ru_utime + usage.ru_stime
    return Outcome(status, said, time.monotonic() - started, cpu_s, wrong)


def _wrong(status: int, said: str) -> list[str]:
    wrong = []
    if status not in (0, 1, 2, 3):
        wrong.append(f"status {status}")
    if "Traceback" in said:
        wrong.append("traceback")
    if shown := {letter for letter in said if letter in _NO_TEXT} or said != printable(said):
        wrong.append(f"letters that steer a terminal: {shown}")
    if status != 0 and not said.strip():
        wrong.append("said nothing")
    return wrong


def _ended(child: int, until: float) -> tuple[int, resource.struct_rusage, bool]:
    late = False
    while True:
        known, status, usage = os.wait4(child, os.WNOHANG)
        if known:
            return os.waitstatus_to_exitcode(status), usage, late
        if time.monotonic() > until and not late:
            late = True
            os.killpg(child, signal.SIGKILL)
        time.sleep(0.005)


def _heard(audit: Path, arguments: list[str], command: Callable[[list[str]], int]) -> int:
    """Limit and hear the copy of this process, and be the command in it."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MOST_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    telling = os.open(audit, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def tell(event: str, about: tuple) -> None:
        if (event in _EVENTS and _OWN not in repr(about)) or event in _SOCKETS:
            os.write(
                telling, f"{event} {about!r}"[:300].replace("\n", " ").encode("utf-8", "replace") + b"\n"
            )

    sys.addaudithook(tell)
    faulthandler.dump_traceback_later(LONGEST_S - 5.0)
    return command(arguments)


def _content(folder: Path) -> dict[str, tuple]:
    """Return what every entry of a folder is: what it holds, its mode and its time."""
    found = {}
    for path in sorted(folder.rglob("*")):
        about = path.lstat()
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path.relative_to(folder))] = digest, about.st_mode, about.st_mtime_ns, about.st_ino
    return found
