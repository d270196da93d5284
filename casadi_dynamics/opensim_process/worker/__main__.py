"""The process in which OpenSim runs: reads a request, runs one job, writes an answer.

Started by `casadi_dynamics.opensim_process.jobs.run_job` as ``python -m``; the only module that imports
``opensim``. It imports nothing of this project that loads CasADi, because the ``opensim`` package then
fails to find symbols in its own copy. A job is a function of one of the modules below, listed in its `JOBS`:
it takes the ``opensim`` module and the request's arguments and returns JSON values.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from casadi_dynamics.opensim_process.groups import end_with_parent
from casadi_dynamics.opensim_process.worker import answers as worker_answers
from casadi_dynamics.opensim_process.worker import files as worker_files
from casadi_dynamics.opensim_process.worker import models as worker_models
from casadi_dynamics.opensim_process.worker import muscles as worker_muscles
from casadi_dynamics.opensim_process.worker import paths as worker_paths
from casadi_dynamics.opensim_process.worker import scaling as worker_scaling
from casadi_dynamics.opensim_process.worker import tools as worker_tools

_MODULES = (
    worker_models,
    worker_tools,
    worker_files,
    worker_muscles,
    worker_answers,
    worker_paths,
    worker_scaling,
)
JOBS = {job.__name__: job for module in _MODULES for job in module.JOBS}


def main(request_file: str, answer_file: str) -> None:
    """Run the job of `request_file` and write ``{"values": ...}`` or ``{"error": ...}`` to `answer_file`."""
    request = json.loads(Path(request_file).read_text(encoding="utf-8"))
    end_with_parent(request["temporary"])
    Path(answer_file).write_text(json.dumps(_answer(request)), encoding="utf-8")
    sys.stdout.flush()
    # Leave without OpenSim's destructors: some of them crash after the work is done.
    os._exit(0)


def _answer(request: dict) -> dict:
    try:
        import opensim
    except ImportError as error:
        return {"error": str(error), "not_installed": True}
    opensim.Logger.removeFileSink()  # no opensim.log in the user's folder
    if request["job"] not in JOBS:
        return {"error": f"no job '{request['job']}'; there are {', '.join(JOBS)}"}
    try:
        return {"values": JOBS[request["job"]](opensim, **request["arguments"])}
    except Exception as error:  # every error of OpenSim arrives as some exception; all are reported alike
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    main(*sys.argv[1:])
