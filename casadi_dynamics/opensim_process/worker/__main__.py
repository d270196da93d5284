"""Program in OpenSim's process: reads a request, runs one job, writes an answer.

`casadi_dynamics.opensim_process.jobs.run_job` starts it as ``python -m``. It is the only module that imports
``opensim``, which it hands to the job; the module of the job is imported when it is asked for.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path

from casadi_dynamics.opensim_process.groups import end_with_parent


def main(request_file: str, answer_file: str) -> None:
    """Run the job of `request_file` and write ``{"values": ...}`` or ``{"error": ...}`` to `answer_file`."""
    request = json.loads(Path(request_file).read_text(encoding="utf-8"))
    end_with_parent(request["temporary"])
    Path(answer_file).write_text(json.dumps(_answer(request)), encoding="utf-8")
    sys.stdout.flush()
    # Leave without OpenSim's destructors: some of them crash after the work is done.
    os._exit(0)


def _answer(request: dict) -> dict:
    module, _, name = request["job"].partition(":")
    job = getattr(importlib.import_module(module), name)
    if "casadi" in sys.modules:  # OpenSim brings a CasADi of its own and would find symbols of this one
        raise RuntimeError(f"{module} loads CasADi, which cannot share a process with OpenSim")
    try:
        import opensim
    except ImportError as error:
        return {"error": str(error), "not_installed": True}
    opensim.Logger.removeFileSink()  # no opensim.log in the user's folder
    try:
        return {"values": job(opensim, **request["arguments"])}
    except Exception as error:  # noqa: BLE001 - what OpenSim throws arrives as exceptions of many classes
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    main(*sys.argv[1:])
