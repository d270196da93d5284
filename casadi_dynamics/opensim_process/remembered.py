"""Keys of OpenSim's answers in the cache on disk: an answer to the same question is not asked for twice."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from casadi_dynamics.disk_cache import sources_hash


def answer_key(function: Callable, files: Iterable[Path], *more: str) -> str:
    """Return the key of what a job answers: its code, OpenSim itself, and all that it is given.

    Parameters
    ----------
    function : callable
        Of the job; the sources of its whole package count, and those of this one.
    files : iterable of Path
        All that it reads: their content counts, and their names do not.
    *more : str
        What else the answer depends on.
    """
    packages = dict.fromkeys((function.__module__.partition(".")[0], __name__.partition(".")[0]))
    ours = (sources_hash(Path(str(sys.modules[name].__file__)).parent) for name in packages)
    contents = (hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in files)
    return "\n".join((f"{function.__module__}:{function.__name__}", _opensim(), *ours, *contents, *more))


def _opensim() -> str:
    """Return what tells one installation of OpenSim from another, without loading it."""
    found = importlib.util.find_spec("opensim")
    if found is None or found.origin is None:
        return "none"
    about = Path(found.origin).stat()
    return f"{found.origin} {about.st_mtime_ns} {about.st_size}"
