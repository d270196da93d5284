"""Model files of versions that only OpenSim reads: it writes them anew, and the new file is the model."""

from __future__ import annotations

import tempfile
from pathlib import Path

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Model
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.opensim_process.worker.models import upgrade
from casadi_dynamics.osim import is_older, read_model

_TIMEOUT_S = 120


def current_file(path: Path, folder: Path) -> Path:
    """Return a file of the same model in a version that `read_model` reads.

    Parameters
    ----------
    path : Path
        `.osim` file.
    folder : Path
        Where the upgraded file goes, as `<name>_upgraded.osim`, if `path` is of an older version.

    Returns
    -------
    Path
        `path` itself, or the upgraded file. OpenSim writes the points of splines with six digits then, so
        both OpenSim and this project must go on with the upgraded file.

    Raises
    ------
    InputError
        If the file is no OpenSim document, or OpenSim cannot read it.
    """
    path = Path(path)
    if not is_older(path):
        return path
    upgraded = folder / f"{path.stem}_upgraded.osim"
    run_job(upgrade, {"model": path, "output": upgraded}, timeout_s=_TIMEOUT_S, outputs=[upgraded])
    return upgraded


def read_any_model(path: str | Path) -> Model:
    """Read a model file of any version that OpenSim reads.

    Raises
    ------
    InputError
        As `casadi_dynamics.osim.read_model`; or OpenSim cannot upgrade the file.
    """
    with tempfile.TemporaryDirectory(prefix="upgraded_model_") as folder:
        current = current_file(Path(path), Path(folder))
        try:
            return read_model(current)
        except InputError as error:
            if current == Path(path):
                raise
            where = error.where.replace(str(current), f"{path} (lines as upgraded by OpenSim)")
            raise InputError(
                error.what, where=where, expected=error.expected, found=error.found, fix=error.fix
            ) from None
