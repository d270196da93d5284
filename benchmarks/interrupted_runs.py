"""Runs that are killed, interrupted and started together: what they say, leave, and what the next one makes.

``python -m benchmarks.interrupted_runs --out DIR --kills 100`` runs a short study undisturbed, then again and
again in other folders, where signals end it at random moments. After some in a row it is left alone: its
files must be those of the undisturbed run, byte for byte, and neither a draft, a lock, a temporary file nor a
process may be left. Then several runs are started in one folder at once: one works, the others say who does.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from sspinn_opensim.study import examples_folder

#: `kill` and `kill -9` reach one process; Ctrl-C and a terminal that closes all of its group. The last one
#: gives no time to clean up: what it leaves, the next run removes.
SIGNALS = {signal.SIGTERM: False, signal.SIGINT: True, signal.SIGHUP: True, signal.SIGKILL: False}
#: What an interrupted process, or the guard of one that was killed, may take to end what it started, s.
_CLEANED_UP_S = 60.0
#: In the environment of a run and of all that it starts.
_MARK = "SSPINN_BENCHMARK_RUN"


@dataclass
class Study:
    """A study that is run in many folders of one place."""

    file: Path
    steps: int
    place: Path
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def temporary(self) -> Path:
        """Folder of temporary files of all runs."""
        return self.place / "temporary"

    def start(self, name: str) -> subprocess.Popen[str]:
        """Start a run in a folder, in a session of its own."""
        self.temporary.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "sspinn_opensim", "run", str(self.file), "--steps", str(self.steps)]
        # PyTorch keeps an empty folder among the temporary ones for good.
        elsewhere = {"TORCHINDUCTOR_CACHE_DIR": str(self.place / "torch")}
        own = {_MARK: self.mark, "TMPDIR": str(self.temporary), **elsewhere}
        return subprocess.Popen(
            [*command, "--out", str(self.place / name)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | own,
            start_new_session=True,
        )

    def left(self, name: str) -> list[str]:
        """Return what should not be there when no run is: hidden and temporary files, and processes."""
        until = time.monotonic() + _CLEANED_UP_S
        while (alive := self._processes()) and time.monotonic() < until:
            time.sleep(0.05)
        hidden = sorted((self.place / name).rglob(".*"))
        return [*alive, *(str(path) for path in (*hidden, *sorted(self.temporary.iterdir())))]

    def _processes(self) -> list[str]:
        mine, found = f"{_MARK}={self.mark}".encode(), []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mine in (process / "environ").read_bytes():
                    found.append(f"process {process.name}: {(process / 'cmdline').read_bytes()[:200]!r}")
            except OSError:  # ended meanwhile, or another user's
                continue
        return found


def content(folder: Path) -> dict[str, str]:
    """Return the hash of every file of a folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def undisturbed(study: Study) -> tuple[dict[str, str], list[str], float]:
    """Run twice; return the hashes of files that are the same, the other names, and the time it took, s."""
    found, took_s = [], 0.0
    for name in ("undisturbed_1", "undisturbed_2"):
        started = time.monotonic()
        _, said = (process := study.start(name)).communicate()
        if process.returncode:
            raise SystemExit(f"the undisturbed run failed:\n{said}")
        took_s = time.monotonic() - started
        found.append(content(study.place / name))
    first, second = found
    same = {name: sha for name, sha in first.items() if second.get(name) == sha}
    return same, sorted((first.keys() | second.keys()) - same.keys()), took_s


def disturb(study: Study, name: str, number: int, after_s: float) -> tuple[str, list[str]]:
    """End a run by a signal; return how it ended, and what is wrong with that."""
    process = study.start(name)
    try:
        _, said = process.communicate(timeout=after_s)
    except subprocess.TimeoutExpired:
        (os.killpg if SIGNALS[signal.Signals(number)] else os.kill)(process.pid, number)
        try:
            _, said = process.communicate(timeout=_CLEANED_UP_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return "never", [f"did not end within {_CLEANED_UP_S:g} s"]
    else:
        return "finished before the signal", [] if process.returncode == 0 else [f"ended by itself: {said}"]
    if number == signal.SIGKILL:
        wrong = [] if process.returncode == -number else [f"status {process.returncode}"]
        return "killed", wrong
    # Python itself tells where it was interrupted, before anything of this project could say otherwise.
    if process.returncode == -number and "sspinn_opensim" not in said:
        return "ended by the system before the command began", []
    wrong = []
    if process.returncode != 128 + number:
        wrong.append(f"status {process.returncode} instead of {128 + number}")
    if "Traceback" in said or "Interrupted (" not in said:
        wrong.append(f"said: {said[-1500:]}")
    return "interrupted, and said so", wrong


def kill(study: Study, kills: int, in_a_row: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Run with interruptions at random moments, and alone after some; return the ends, and what was wrong."""
    same, other, took_s = undisturbed(study)
    print(
        f"undisturbed: {took_s:.1f} s, {len(same)} files the same twice, not so {', '.join(other)}",
        flush=True,
    )
    ends, faults, reported, chance = Counter[str](), [], 0, random.Random(seed)
    for first in range(0, kills, in_a_row):
        name = f"killed_{first}"
        told, killed = [], False
        for k in range(first, min(first + in_a_row, kills)):
            number, after_s = list(SIGNALS)[k % len(SIGNALS)], chance.uniform(0.0, took_s)
            end, wrong = disturb(study, name, number, after_s)
            ends[f"{signal.Signals(number).name}: {end}"] += 1
            told.append(f"{signal.Signals(number).name} after {after_s:.2f} s")
            faults += [f"{name}, {told[-1]}: {what}" for what in wrong]
            killed |= end == "killed"
            if not killed:
                faults += [f"{name}, {told[-1]}: left {what}" for what in study.left(name)]
        _, said = (process := study.start(name)).communicate()
        if process.returncode:
            faults.append(
                f"{name}, {', '.join(told)}: the next run ended with {process.returncode}: {said[-1500:]}"
            )
        faults += _compared(study, name, same, other, ", ".join(told))
        print(f"{min(first + in_a_row, kills)} of {kills}: {len(faults)} faults", flush=True)
        print("\n".join(faults[reported:]), flush=True)
        reported = len(faults)
    return ends, faults


def together(study: Study, count: int, same: dict[str, str] | None = None) -> list[str]:
    """Start runs in one folder at once; return all that was wrong: one works, the others say who does."""
    name = f"together_{count}"
    processes = [study.start(name) for _ in range(count)]
    ended = [(process.pid, process.communicate()[1], process.returncode) for process in processes]
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
    parser.add_argument("--at-once", type=int, nargs="*", default=[2, 4], help="runs started in one folder")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    for number in SIGNALS.keys() - {signal.SIGKILL}:  # what nohup lets this process ignore, a run would too
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    study = Study(options.study.absolute(), options.steps, options.out.absolute())
    ends, faults = kill(study, options.kills, options.in_a_row, options.seed)
    same = content(study.place / "undisturbed_1")
    again = content(study.place / "undisturbed_2")
    same = {name: sha for name, sha in same.items() if again[name] == sha}
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
