"""A live OpenSim, asked through a program of its own.

This package neither imports `opensim` nor the package that runs it; it starts that package's program by name,
so that everything else here works where no OpenSim is installed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from casadi_dynamics.errors import InputError

#: Program that runs one OpenSim job: a request file and an answer file, both JSON.
LAUNCHER = "casadi_dynamics.opensim_process.launch"


def ask(job: str, *, timeout_s: float, **arguments) -> dict:
    """Run one OpenSim job and return its answer.

    Parameters
    ----------
    job : str
    timeout_s : float
        The job is stopped after this time, s.
    **arguments
        JSON values and paths.

    Raises
    ------
    InputError
        If there is no OpenSim, or the job did not deliver.
    """
    if find_spec(LAUNCHER.partition(".")[0]) is None:
        raise InputError(
            "There is no live OpenSim to ask.",
            expected=f"the package {LAUNCHER.partition('.')[0]}",
            found="it is not installed",
            fix="install it, or compare with stored answers: --reference FILE.npz",
        )
    given = {k: str(v.absolute()) if isinstance(v, Path) else v for k, v in arguments.items()}
    with tempfile.TemporaryDirectory(prefix="ask_opensim_") as folder:
        request, answer = Path(folder, "request.json"), Path(folder, "answer.json")
        request.write_text(
            json.dumps({"job": job, "arguments": given, "timeout_s": timeout_s}), encoding="utf-8"
        )
        search = os.pathsep.join(str(Path(p).absolute()) for p in [*sys.path, os.curdir] if p)
        done = subprocess.run(
            [sys.executable, "-P", "-m", LAUNCHER, str(request), str(answer)],
            env=os.environ | {"PYTHONPATH": search},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        reply = json.loads(answer.read_text(encoding="utf-8")) if answer.exists() else {}
    if "error" in reply:
        what = reply["error"].pop("what")
        raise InputError(what, **reply["error"])
    if "values" not in reply:
        raise InputError(
            "OpenSim could not be started.",
            where=LAUNCHER,
            found=done.stderr.strip()[-2000:] or f"exit code {done.returncode}",
            fix="check the installation with: sspinn doctor",
        )
    return reply["values"]
