"""``sspinn doctor``: say whether this installation is complete, and what mends it if not.

Nothing heavy is imported: versions come from the metadata of the installed packages, and OpenSim is asked in
a process of its own, so a broken library is reported instead of breaking the report.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

from casadi_dynamics.errors import InputError

PACKAGE = "sspinn_opensim"
SUPPORTED_PYTHON = ((3, 11), (3, 12))
_LIBRARIES = (
    *("casadi", "daqp", "llvmlite", "lxml", "mat-io"),
    *("numpy", "opensim", "rich", "scipy", "torch"),
)


@dataclass(frozen=True)
class Finding:
    """One line of the report: `name`, what was `found`, whether it is `good`, and the `fix` if it is not."""

    name: str
    found: str
    good: bool = True
    fix: str = ""

    def __str__(self) -> str:
        line = f"{'ok     ' if self.good else 'MISSING'} {self.name:<12} {self.found}"
        return line if self.good else f"{line}\n        fix: {self.fix}"


def main() -> int:
    """Print the report, line by line as it is found; return 0 if all is well, else 1."""
    missing = []
    for finding in examine():
        print(finding, flush=True)
        if not finding.good:
            missing.append(finding.name)
    print(f"Not ready: {', '.join(missing)}." if missing else "All is well. Try: sspinn demo")
    return 1 if missing else 0


def examine() -> Iterator[Finding]:
    """Yield the findings, quick ones first."""
    yield check_python()
    for name in required_libraries():
        yield check_library(name)
    yield check_opensim()
    yield check_processors()
    yield check_temporary_folder()


def required_libraries() -> tuple[str, ...]:
    """Return the libraries this project needs, from its metadata, or a list kept here if not installed."""
    try:
        requirements = metadata.requires(PACKAGE) or ()
    except metadata.PackageNotFoundError:
        return _LIBRARIES
    return tuple(re.match(r"[\w.-]+", line)[0] for line in requirements if "extra ==" not in line)


def check_python() -> Finding:
    """Say whether this Python is one the libraries exist for."""
    first, last = SUPPORTED_PYTHON
    good = first <= sys.version_info[:2] <= last
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("python", found, good, "use Python 3.11 (environment.yml)")


def check_library(name: str) -> Finding:
    """Say which version of a library is installed."""
    try:
        return Finding(name, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, "not installed", False, f"pip install -c constraints.txt {name}")


def check_opensim() -> Finding:
    """Start OpenSim in its own process and ask for its version."""
    from casadi_dynamics.opensim_process.jobs import run_job

    try:
        answer = run_job("version", {}, timeout_s=60)
    except InputError as error:
        fix = error.fix or "pip install -c constraints.txt --force-reinstall opensim"
        return Finding("worker", " ".join(str(error).split()), False, fix)
    return Finding("worker", f"OpenSim answers: {answer.values['opensim']}")


def check_processors() -> Finding:
    """Say how many processors this process may use."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Finding("processors", str(usable))


def check_temporary_folder() -> Finding:
    """Say whether temporary files, which OpenSim jobs need, can be written."""
    try:
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"0")
        return Finding("temporary", tempfile.gettempdir())
    except OSError as error:
        return Finding("temporary", str(error), False, "set TMPDIR to a folder you may write to")
