"""Libraries that only some formats need, which the user installs by the name of an extra."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

from casadi_dynamics.errors import InputError


def library(name: str, extra: str, where: Path) -> Any:
    """Import a library of an extra.

    Returns
    -------
    module
        Without its types, which are known only where it is installed.

    Raises
    ------
    InputError
        If it is not installed.
    """
    try:
        found: ModuleType = importlib.import_module(name)
    except ImportError as error:
        raise InputError(
            f"Reading this format needs the library '{name.partition('.')[0]}', which is not installed.",
            where=where,
            fix=f"pip install 'sspinn_opensim[{extra}]'",
        ) from error
    return found
