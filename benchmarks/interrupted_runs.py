"""Runs that are killed, interrupted and started together: what they say, leave, and what the next one makes.

``python -m benchmarks.interrupted_runs --out DIR --kills 1000`` runs a short study undisturbed, then again
and again in other folders, where signals end it at random moments. After some in a row it is left alone: its
files must be those of the undisturbed run, byte for byte, and neither a draft, a lock, a temporary file nor a
process may be left. Then several runs are started in one folder at once: one works, the others say who does.

Most runs are copies of this process, which has loaded all libraries (`benchmarks.forked`), of a study of a
few seconds whose muscle forces OpenSim does not solve. A share (``--cold``) is a new Python each, of the
whole study, where it does; these are killed while they load, too.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import sys
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from benchmarks import forked
from sspinn_opensim.__main__ import main as sspinn
from sspinn_opensim.study import examples_folder

#: `kill` and `kill -9` reach one process; Ctrl-C and a terminal that closes all of its group. The last one
#: gives no time to clean up: what it leaves, the next run removes.
SIGNALS = {signal.SIGTERM: False, signal.SIGINT: True, signal.SIGHUP: True, signal.SIGKILL: False}
#: What an interrupted process, or the guard of one that was killed, may take to end what it started, s.
_CLEANED_UP_S = 60.0
#: In the environment of a run and of all that it starts.
_MARK = "SSPINN_BENCHMARK_RUN"


#: Length of the recording of the short study, s, and the part of it that is shown and scored.
_SHORT_S, _PART = 4.0, "from_s = 2.0\nto_s = 3.0\n"
_LIBRARIES = ("casadi", "lxml", "matplotlib", "numpy", "scipy", "sspinn_opensim", "torch", "casadi_dynamics")


class Run:
    """A run that was started.

    Attributes
    ----------
    pid : int
        Of its process.
    status : int or None
        How it ended: exit status, or minus the signal; None before.
    """

    def __init__(self, pid: int, said: Path) -> None:
        self.pid, self._said = pid, said
        self.status: int | None = None

    def ended(self, within_s: float) -> bool:
        """Wait for the end; return whether it came in time."""
        until = time.monotonic() + within_s
        while self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > until:
                return False
            else:
                time.sleep(0.002)
        return True

    def halted(self) -> bool:
        """Halt it; return whether it lived: one that has ended, but was not asked yet, takes signals too."""
        os.kill(self.pid, signal.SIGSTOP)
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            self.status = os.waitstatus_to_exitcode(status)
        return self.status is None

    def said(self) -> str:
        """Return what it printed, once it has ended."""
        self.ended(float("inf"))
        text = self._said.read_text("utf-8", "replace")
        self._said.unlink()
        return text


@dataclass
class Study:
    """A study that is run in many folders of one place.

    Attributes
    ----------
    file : Path
    steps : int
        Of its training.
    place : Path
    cold : bool
        Whether each run is a new Python, and no copy of this process.
    """

    file: Path
    steps: int
    place: Path
    cold: bool

    @property
    def temporary(self) -> Path:
        """Folder of temporary files of all runs."""
        return self.place / "temporary"

    def start(self, name: str, cold: bool | None = None) -> Run:
        """Start a run in a folder, in a session of its own."""
        words = ["run", str(self.file), "--steps", str(self.steps), "--out", str(self.place / name)]

        def anew() -> int:
            os.execv(sys.executable, [sys.executable, "-m", "sspinn_opensim", *words])

        def here() -> int:
            sys.argv = ["sspinn", *words]
            return sspinn()

        said = self.place / f"said_{uuid.uuid4().hex}.txt"
        command = anew if (self.cold if cold is None else cold) else here
        return Run(forked.start(command, Path.cwd(), self.temporary, said), said)

    def left(self, name: str) -> list[str]:
        """Return what should not be there when no run is: hidden and temporary files, and processes."""
        until = time.monotonic() + _CLEANED_UP_S
        while (alive := self._processes()) and time.monotonic() < until:
            time.sleep(0.05)
        hidden = sorted((self.place / name).rglob(".*"))
        return [*alive, *(str(path) for path in (*hidden, *sorted(self.temporary.iterdir())))]

    def _processes(self) -> list[str]:
        mine, found = f"{_MARK}={os.environ[_MARK]}".encode(), []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if process.name != str(os.getpid()) and mine in (process / "environ").read_bytes():
                    found.append(f"process {process.name}: {(process / 'cmdline').read_bytes()[:200]!r}")
            except OSError:  # ended meanwhile, or another user's
                continue
        return found


def content(folder: Path) -> dict[str, str]:
    """Return the hash of every file of a folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def short(study: Path, place: Path) -> Path:
    """Write a study like the built-in one, of a few seconds, its muscle forces by `fast`; return its file."""
    folder = place / "short"
    shutil.copytree(study.parent, folder)
    text, recording = (folder / study.name).read_text(), folder / "demo" / "imu.csv"
    lines = recording.read_text().splitlines(keepends=True)
    first = next(k for k, line in enumerate(lines) if line[0].isdigit())
    until = float(lines[first].split(",")[0]) + _SHORT_S
    recording.write_text("".join([*lines[:first], *(row for row in lines[first:] if _time(row) < until)]))
    head = text[: text.index("[output]")]
    file = folder / "short.toml"
    file.write_text(f"{head}[output]\n{_PART}\n[muscles]\nfast = true\n")
    return file


def _time(row: str) -> float:
    return float(row.split(",", maxsplit=1)[0])


def load(study: Study) -> None:
    """Load what a run loads: one is made in a copy, and asked."""
    names = study.place / "loaded.txt"

    def asked() -> int:
        out = str(study.place / "loading")
        sys.argv = ["sspinn", "run", str(study.file), "--steps", str(study.steps), "--out", out]
        status = sspinn()
        names.write_text("\n".join(sys.modules))
        return status

    said = study.place / "said_loading.txt"
    run = Run(forked.start(asked, Path.cwd(), study.temporary, said), said)
    if text := run.said() if not run.ended(600.0) or run.status else "":
        raise SystemExit(f"the first run failed:\n{text}")
    said.unlink()
    for name in names.read_text().split():
        if name.partition(".")[0] in _LIBRARIES and not name.endswith("__main__"):
            import_module(name)
    names.unlink()
    shutil.rmtree(study.place / "loading")


def undisturbed(study: Study) -> tuple[dict[str, str], list[str], float]:
    """Run twice; return the hashes of files that are the same, the other names, and the time it took, s.

    The first is a new Python, whatever the others are: copies must make what it makes.
    """
    found, took_s = [], 0.0
    for name, cold in (("undisturbed_1", True), ("undisturbed_2", None)):
        started = time.monotonic()
        run = study.start(name, cold)
        said = run.said()
        if run.status:
            raise SystemExit(f"the undisturbed run failed:\n{said}")
        took_s = time.monotonic() - started
        found.append(content(study.place / name))
    first, second = found
    same = {name: sha for name, sha in first.items() if second.get(name) == sha}
    return same, sorted((first.keys() | second.keys()) - same.keys()), took_s


def disturb(study: Study, name: str, number: int, after_s: float) -> tuple[str, list[str]]:
    """End a run by a signal; return how it ended, and what is wrong with that."""
    run = study.start(name)
    if run.ended(after_s) or not run.halted():
        said = run.said()
        return "finished before the signal", [] if run.status == 0 else [f"ended by itself: {said}"]
    (os.killpg if SIGNALS[signal.Signals(number)] else os.kill)(run.pid, number)
    os.kill(run.pid, signal.SIGCONT)
    if not run.ended(_CLEANED_UP_S):
        os.killpg(run.pid, signal.SIGKILL)
        return "never", [f"did not end within {_CLEANED_UP_S:g} s: {run.said()}"]
    said = run.said()
    if number == signal.SIGKILL:
        return "killed", [] if run.status == -number else [f"status {run.status}"]
    # Python itself tells where it was interrupted, before anything of this project could say otherwise.
    if run.status == -number and "sspinn_opensim" not in said:
        return "ended by the system before the command began", []
    wrong = []
    if run.status != 128 + number:
        wrong.append(f"status {run.status} instead of {128 + number}")
    if "Traceback" in said or "Interrupted (" not in said:
        wrong.append(f"said: {said[-1500:]}")
    return "interrupted, and said so", wrong


def kill(
    studies: dict[bool, Study], kills: int, in_a_row: int, cold: float, seed: int
) -> tuple[Counter[str], list[str]]:
    """Run with interruptions at random moments, and alone after some; return the ends, and what was wrong."""
    known = {}
    for study in studies.values():
        same, other, took_s = known[study.cold] = undisturbed(study)
        kind = "new" if study.cold else "copied"
        print(
            f"undisturbed, {kind}: {took_s:.1f} s, {len(same)} files the same twice, not so {other}",
            flush=True,
        )
    ends, faults, reported, chance = Counter[str](), [], 0, random.Random(seed)
    for first in range(0, kills, in_a_row):
        study = studies[len(studies) > 1 and chance.random() < cold]
        same, other, took_s = known[study.cold]
        name, told, killed = f"killed_{first}", [], False
        for _ in range(first, min(first + in_a_row, kills)):
            number, after_s = list(SIGNALS)[chance.randrange(len(SIGNALS))], chance.uniform(0.0, took_s)
            end, wrong = disturb(study, name, number, after_s)
            ends[f"{signal.Signals(number).name}{' (new)' if study.cold else ''}: {end}"] += 1
            told.append(f"{signal.Signals(number).name} after {after_s:.2f} s")
            faults += [f"{name}, {told[-1]}: {what}" for what in wrong]
            killed |= end == "killed"
            if not killed:
                faults += [f"{name}, {told[-1]}: left {what}" for what in study.left(name)]
        said = (run := study.start(name)).said()
        if run.status:
            faults.append(f"{name}, {', '.join(told)}: the next run ended with {run.status}: {said[-1500:]}")
        faults += _compared(study, name, same, other, ", ".join(told))
        print(f"{sum(ends.values())} of {kills}: {len(faults)} faults; {dict(ends)}", flush=True)
        print("\n".join(faults[reported:]), flush=True)
        reported = len(faults)
    return ends, faults


def together(study: Study, count: int, same: dict[str, str] | None = None) -> list[str]:
    """Start runs in one folder at once; return all that was wrong: one works, the others say who does."""
    name = f"together_{count}"
    runs = [study.start(name) for _ in range(count)]
    ended = [(run.pid, run.said(), run.status) for run in runs]
    worked = [pid for pid, _, status in ended if status == 0]
    faults = [] if len(worked) == 1 else [f"{name}: {len(worked)} runs ended with 0"]
    for pid, said, status in ended:
        owners = [f"process {other} on" in said for other, *_ in ended if other != pid]
        if pid not in worked and (status != 2 or "Another command is at work" not in said or not any(owners)):
            faults.append(f"{name}: status {status}, said {said[-800:]}")
    return faults + _compared(study, name, same or {}, [], "")


def _compared(study: Study, name: str, same: dict[str, str], other: list[str], told: str) -> list[str]:
    found = content(study.place / name)
    differ = [file for file, sha in same.items() if found.get(file) != sha]
    differ += [file for file in found if same and file not in same and file not in other]
    faults = [f"{name}, {told}: other files than undisturbed: {', '.join(differ)}"] if differ else []
    faults += [f"{name}, {told}: left {what}" for what in study.left(name)]
    if not faults:
        shutil.rmtree(study.place / name)
    return faults


def main(arguments: list[str] | None = None) -> int:
    """Kill runs as the command line asks, and print how they ended; return 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.interrupted_runs", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="an empty folder")
    parser.add_argument("--study", type=Path, default=examples_folder() / "demo.toml")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--in-a-row", type=int, default=4, help="interruptions before a run is left alone")
    parser.add_argument("--cold", type=float, default=0.03, help="share of rows that are a new Python each")
    parser.add_argument("--at-once", type=int, nargs="*", default=[2, 4], help="runs started in one folder")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    for number in SIGNALS.keys() - {signal.SIGKILL}:  # what nohup lets this process ignore, a run would too
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    place = options.out.absolute()
    if _MARK not in os.environ:  # all that is started inherits the mark, copies too
        place.mkdir(parents=True)
        # PyTorch keeps an empty folder among the temporary ones for good.
        own = {_MARK: uuid.uuid4().hex, "TORCHINDUCTOR_CACHE_DIR": str(place / "torch")}
        words = sys.argv[1:] if arguments is None else arguments
        command = [sys.executable, "-m", "benchmarks.interrupted_runs", *words]
        os.execve(sys.executable, command, os.environ | own)
    study = Study(short(options.study, place), options.steps, place / "copied", cold=False)
    studies = {False: study}
    if options.cold > 0.0:
        studies[True] = Study(options.study.absolute(), options.steps, place / "new", cold=True)
    load(study)
    ends, faults = kill(studies, options.kills, options.in_a_row, options.cold, options.seed)
    for count in options.at_once:
        own = together(study, count)
        print(f"{count} runs in one folder: {len(own)} faults", flush=True)
        faults += own
    for end, count in sorted(ends.items()):
        print(f"{count:5d}  {end}")
    print("\n".join(faults))
    print(f"{options.kills} interruptions, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
