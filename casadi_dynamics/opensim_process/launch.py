"""One OpenSim job asked for from outside: ``python -m`` and the name of this module, REQUEST, ANSWER.

Both are JSON files. The request is ``{"job", "arguments", "timeout_s"}``; the answer is the job's
``{"values"}`` or an `InputError` as ``{"error": {"what", "where", "expected", "found", "fix"}}``.
`casadi_dynamics`, which knows nothing of this package, starts this module by its name.
"""

from __future__ import annotations

import ctypes
import json
import signal
import sys
from pathlib import Path

from casadi_dynamics.errors import InputError
from casadi_dynamics.opensim_process.jobs import run_job


def main(request_file: str, answer_file: str) -> None:
    """Run the job of `request_file` and write what came of it to `answer_file`."""
    _die_with_parent()
    request = json.loads(Path(request_file).read_text(encoding="utf-8"))
    try:
        result = run_job(request["job"], request["arguments"], timeout_s=request["timeout_s"])
        answer = {"values": result.values}
    except InputError as error:
        parts = ("what", "where", "expected", "found", "fix")
        answer = {"error": {part: getattr(error, part) for part in parts}}
    Path(answer_file).write_text(json.dumps(answer), encoding="utf-8")


def _die_with_parent() -> None:
    """Ask Linux to end this process when its parent is killed; the worker then ends with this process."""
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
