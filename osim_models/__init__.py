"""Models shipped with the project: `path` gives the file of each.

``planar_gait.osim`` is written by ``python -m osim_models.write`` from `osim_models.tables`.
"""

from pathlib import Path

from casadi_dynamics.errors import InputError, nearest
from osim_models.tables import GENERIC_HEIGHT_M, GENERIC_MASS_KG

__all__ = ["GENERIC_HEIGHT_M", "GENERIC_MASS_KG", "path"]

_FOLDER = Path(__file__).resolve().parent


def path(name: str) -> Path:
    """Return the path of a shipped file.

    Parameters
    ----------
    name : str
        Name of a file of this package; ``.osim`` may be left out.

    Returns
    -------
    Path
        Absolute path of an existing file.

    Raises
    ------
    InputError
        If there is no such file.
    """
    for candidate in (_FOLDER / name, _FOLDER / f"{name}.osim"):
        if candidate.is_file():
            return candidate
    known = sorted(file.stem for file in _FOLDER.glob("*.osim"))
    raise InputError(
        f"no shipped model '{name}'",
        where="osim_models",
        expected=", ".join(known),
        found=name,
        fix=nearest(name, known),
    )
