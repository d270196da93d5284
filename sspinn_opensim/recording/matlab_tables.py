"""Rows of the MATLAB tables in which the data set of Dorschky et al. (2019) is stored.

A file holds one structure ``dataStruct`` whose field ``variables`` is a MATLAB ``table``: one row per signal,
with the mean over the trials of every sample of a gait cycle and its variance. This module turns rows of the
kinds asked for into plain values and leaves all others alone, so that a reader of sensor signals never holds
a reference.

Source of the format: mad-lab-fau/BioMAC-Sim-Toolbox, data/IMU2D.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from casadi_dynamics.errors import InputError

_COLUMNS = ("type", "name", "mean", "var", "unit")


@dataclass(frozen=True, eq=False)
class Row:
    """One signal.

    Parameters
    ----------
    kind, name, unit : str
        Such as ``acc``, ``femur_r``, ``m/s^2``.
    mean, variance : (n,) array
        Mean over the trials and its variance; n = 100 samples of a cycle, or 1.
    position : (3,) array
        Place of the sensor in m; NaN where the row is no sensor.
    direction : (3,) array
        Measured axis in the segment; NaN where the row is no sensor.
    """

    kind: str
    name: str
    unit: str
    mean: np.ndarray
    variance: np.ndarray
    position: np.ndarray
    direction: np.ndarray


@dataclass(frozen=True)
class MatlabRecording:
    """What a reader asked for.

    Parameters
    ----------
    height_m, mass_kg : float
        The participant.
    events : tuple of (str, int)
        Gait events and their sample of the cycle, counted from 1.
    rows : tuple of Row
        Rows of the kinds asked for, in the order of the file.
    """

    height_m: float
    mass_kg: float
    events: tuple[tuple[str, int], ...]
    rows: tuple[Row, ...]


def read_rows(path: str | Path, kinds: Collection[str]) -> MatlabRecording:
    """Read the rows of some kinds.

    Parameters
    ----------
    path : str or Path
        MATLAB file.
    kinds : collection of str
        Kinds of rows to keep, such as ``{"acc", "gyro"}``.

    Returns
    -------
    MatlabRecording

    Raises
    ------
    InputError
        If the file is not such a table.
    """
    data = _load(path)
    table = data["variables"]
    rows = tuple(_row(table.iloc[index]) for index, kind in enumerate(table["type"]) if _text(kind) in kinds)
    events = data["movementEvents"]
    return MatlabRecording(
        height_m=float(np.ravel(data["participantHeight"])[0]),
        mass_kg=float(np.ravel(data["participantMass"])[0]),
        events=tuple(
            (_text(name), int(index)) for name, index in zip(events["name"], events["index"], strict=True)
        ),
        rows=rows,
    )


def _load(path: str | Path) -> dict[str, Any]:
    try:
        with warnings.catch_warnings():
            # The library sets an option that pandas announces to drop; a user can do nothing about it.
            warnings.simplefilter("ignore", DeprecationWarning)
            # Imported here: pandas, which it brings, takes longer to import than a CSV takes to read.
            from matio import load_from_mat

            content = load_from_mat(str(path))
    except Exception as error:  # the library raises whatever its parsers raise
        raise InputError(
            "The file is not a MATLAB file this reader knows.",
            where=path,
            expected="a file of the data set of Dorschky et al. (2019)",
            found=f"{type(error).__name__}: {error}".splitlines()[0],
        ) from error
    structure = content.get("dataStruct")
    fields = getattr(getattr(structure, "dtype", None), "names", None) or ()
    needed = ("variables", "movementEvents", "participantHeight", "participantMass")
    missing = [field for field in needed if field not in fields]
    if missing:
        raise InputError(
            "The MATLAB file lacks what this reader needs.",
            where=path,
            expected="a structure dataStruct with the fields " + ", ".join(needed),
            found="variables " + ", ".join(name for name in content if not name.startswith("__")),
        )
    data = {field: structure[field].flat[0] for field in needed}
    columns = list(getattr(data["variables"], "columns", ()))
    if not set(_COLUMNS) <= set(columns):
        raise InputError(
            "The table of signals lacks a column.",
            where=f"{path}, dataStruct.variables",
            expected=", ".join(_COLUMNS),
            found=", ".join(columns) or "no table",
        )
    return data


def _row(cells: Any) -> Row:
    return Row(
        kind=_text(cells["type"]),
        name=_text(cells["name"]),
        unit=_text(cells["unit"]),
        mean=np.ravel(np.asarray(cells["mean"], dtype=float)),
        variance=np.ravel(np.asarray(cells["var"], dtype=float)),
        position=_vector(cells, "position"),
        direction=_vector(cells, "direction"),
    )


def _text(cell: Any) -> str:
    return str(np.ravel(cell)[0])


def _vector(cells: Any, name: str) -> np.ndarray:
    return np.array([float(cells.get(f"{name}_{axis}", np.nan)) for axis in (1, 2, 3)])
