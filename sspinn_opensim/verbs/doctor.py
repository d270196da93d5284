"""``sspinn doctor``: say whether this installation is complete, and what mends it if not.

Nothing heavy is imported: versions come from the metadata of the installed packages, and OpenSim is asked in
a process of its own, so a broken library is reported instead of breaking the report.
"""

from __future__ import annotations

import logging
import platform
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

from casadi_dynamics.cores import usable_cores
from casadi_dynamics.errors import InputError

log = logging.getLogger(__name__)

PACKAGE = "sspinn_opensim"
SUPPORTED_PYTHON = ((3, 11), (3, 12))
_LIBRARIES = (
    *("casadi", "daqp", "h5py", "jinja2", "llvmlite", "lxml", "mat-io", "matplotlib"),
    *("numpy", "opensim", "orjson", "pandas", "pytorch-optimizer", "rich", "scipy", "threadpoolctl"),
    *("tomlkit", "torch", "vqf"),
)


@dataclass(frozen=True)
class Check:
    """One line of the report: `name`, what was `found`, whether it is `good`, and the `fix` if it is not."""

    name: str
    found: str
    good: bool = True
    fix: str = ""

    def __str__(self) -> str:
        line = f"{'ok     ' if self.good else 'MISSING'} {self.name:<12} {self.found}"
        return line if self.good else f"{line}\n        fix: {self.fix}"


@dataclass(frozen=True)
class Diagnosis:
    """The whole report."""

    findings: tuple[Check, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of what is not good."""
        return tuple(finding.name for finding in self.findings if not finding.good)

    @property
    def ok(self) -> bool:
        """Whether all is well."""
        return not self.missing

    def __str__(self) -> str:
        return "All is well. Try: sspinn demo" if self.ok else f"Not ready: {', '.join(self.missing)}."


def doctor() -> Diagnosis:
    """Examine the installation; each finding is logged as it is made, for some take seconds."""
    findings = []
    for finding in examine():
        log.info(finding)
        findings.append(finding)
    return Diagnosis(tuple(findings))


def examine() -> Iterator[Check]:
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
    return tuple(re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in requirements if "extra ==" not in line)


def check_python() -> Check:
    """Say whether this Python is one the libraries exist for."""
    first, last = SUPPORTED_PYTHON
    good = first <= sys.version_info[:2] <= last
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Check("python", found, good, "use Python 3.11 (environment.yml)")


def check_library(name: str) -> Check:
    """Say which version of a library is installed."""
    try:
        return Check(name, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Check(name, "not installed", False, f"pip install -c constraints.txt {name}")


def check_opensim() -> Check:
    """Start OpenSim in its own process and ask for its version."""
    from casadi_dynamics.opensim_process.jobs import run_job
    from casadi_dynamics.opensim_process.worker.models import version

    try:
        answer = run_job(version, {}, timeout_s=60)
    except InputError as error:
        fix = error.fix or "pip install -c constraints.txt --force-reinstall opensim"
        return Check("worker", " ".join(str(error).split()), False, fix)
    return Check("worker", f"OpenSim answers: {answer.values['opensim']}")


def check_processors() -> Check:
    """Say how many processors this process may use."""
    return Check("processors", str(usable_cores()))


def check_temporary_folder() -> Check:
    """Say whether temporary files, which OpenSim jobs need, can be written."""
    try:
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"0")
        return Check("temporary", tempfile.gettempdir())
    except OSError as error:
        return Check("temporary", str(error), False, "set TMPDIR to a folder you may write to")
