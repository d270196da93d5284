"""Model files that are written anew before use: older versions, by OpenSim; sets in files of their own."""

from __future__ import annotations

from pathlib import Path

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Model
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.opensim_process.temporary import temporary_folder
from casadi_dynamics.opensim_process.worker.models import upgrade
from casadi_dynamics.osim import is_older, read_model, whole_document
from sspinn_opensim.files import write_atomically

_TIMEOUT_S = 120


def current_file(path: Path, folder: Path) -> Path:
    """Return one file of the same model in a version that `read_model` reads.

    Parameters
    ----------
    path : Path
        `.osim` file.
    folder : Path
        Where the new file goes, as `<name>_upgraded.osim`, if `path` is of an older version or keeps parts
        of the model in other files.

    Returns
    -------
    Path
        `path` itself, or the new file. When OpenSim upgrades a file it writes the points of splines with six
        digits, so both OpenSim and this project must go on with the new file.

    Raises
    ------
    InputError
        If the file is no OpenSim document, a part of it is not there, or OpenSim cannot read it.
    """
    path = Path(path)
    upgraded, whole = folder / f"{path.stem}_upgraded.osim", whole_document(path)
    if not is_older(path):
        return path if whole is None else write_atomically(upgraded, whole)
    with temporary_folder("whole_model") as temporary:
        given = path if whole is None else write_atomically(Path(temporary) / path.name, whole)
        run_job(upgrade, {"model": given, "output": upgraded}, timeout_s=_TIMEOUT_S, outputs=[upgraded])
    return upgraded


def read_any_model(path: str | Path) -> Model:
    """Read a model file of any version that OpenSim reads.

    Raises
    ------
    InputError
        As `casadi_dynamics.osim.read_model`; or OpenSim cannot upgrade the file.
    """
    path = Path(path)
    if not is_older(path):
        return read_model(path)
    with temporary_folder("upgraded_model") as folder:
        return read_current(path, current_file(path, Path(folder)))


def read_current(path: Path, current: Path) -> Model:
    """Read the model of a file of which `current_file` made another; errors name the file that was given.

    Raises
    ------
    InputError
        As `casadi_dynamics.osim.read_model`.
    """
    if not is_older(path):
        return read_model(path)  # its own lines, and those of its parts
    try:
        return read_model(current)
    except InputError as error:
        place = error.where.removeprefix(str(current)).removeprefix(", ")
        raise error.at(", ".join(filter(None, (f"{path}, as upgraded by OpenSim", place)))) from None
