"""Rows of the MATLAB tables in which the data set of Dorschky et al. (2019) is stored.

A file holds one structure ``dataStruct`` whose field ``variables`` is a MATLAB ``table``: one row per signal,
with the mean over the trials of every sample of a gait cycle and its variance. This module turns rows of the
kinds asked for into plain values and leaves all others alone, so that a reader of sensor signals never holds
a reference.

Source of the format: mad-lab-fau/BioMAC-Sim-Toolbox, data/IMU2D.
"""

from __future__ import annotations

import contextlib
import struct
import warnings
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.input_files import MOST_TABLE_BYTES, check_unpacked, read_input

#: Of a MATLAB file of version 5: its header, its kind of packed element; how much is unpacked at once.
_HEADER_BYTES, _COMPRESSED, _PIECE_BYTES = 128, 15, 1 << 20
_COLUMNS = ("type", "name", "mean", "unit")
#: What the library's parsers raise on files that are damaged, or no MATLAB files.
_DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    NotImplementedError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True, eq=False)
class SignalRow:
    """One signal.

    Parameters
    ----------
    kind, name, unit : str
        Such as ``acc``, ``femur_r``, ``m/s^2``.
    mean, variance : (n,) array
        Mean over the trials and its variance; n = 100 samples of a cycle, or 1; empty where there is none.
    position : (3,) array
        Place of the sensor in m; NaN where the row is no sensor, or does not say.
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


def read_rows(path: str | Path, kinds: Collection[str]) -> tuple[SignalRow, ...]:
    """Read the rows of some kinds, in the order of the file.

    Returns
    -------
    tuple of SignalRow
        What a row lacks, or holds as something else than numbers or text, is an empty array, NaN or ``""``.
    """
    table = _load(path)
    return tuple(_row(table.iloc[index]) for index, kind in enumerate(table["type"]) if _text(kind) in kinds)


def _load(path: str | Path) -> Any:
    """Return the table of signals, a pandas DataFrame."""
    check_unpacked(Path(path), _unpacked_bytes(read_input(Path(path), "the recording")))
    with warnings.catch_warnings():
        # The library sets an option that pandas announces to drop; a user can do nothing about it.
        warnings.simplefilter("ignore", DeprecationWarning)
        # Imported here: pandas, which it brings, takes longer to import than a CSV takes to read.
        from matio import load_from_mat
        from matio.utils.matclass import MatConvertError, MatConvertWarning, MatReadError

        # Says which fields keep the library's own form: of all that is used here the form is checked below.
        warnings.simplefilter("ignore", MatConvertWarning)
        try:
            content: Any = load_from_mat(str(path))
        except (*_DAMAGE, MatReadError, MatConvertError) as error:
            raise InputError(
                "The file is not a MATLAB file this reader knows.",
                where=path,
                expected="a file of the data set of Dorschky et al. (2019)",
                found=f"{type(error).__name__}: {error}".splitlines()[0],
            ) from error
    structure = (content or {}).get("dataStruct")
    fields = getattr(getattr(structure, "dtype", None), "names", None) or ()
    if structure is None or "variables" not in fields or not structure.size:
        raise InputError(
            "The MATLAB file lacks what this reader needs.",
            where=path,
            expected="a structure dataStruct with the field variables",
            found="variables " + ", ".join(name for name in content or {} if not name.startswith("__")),
        )
    table = structure["variables"].flat[0]
    columns = list(getattr(table, "columns", ()))
    if not set(_COLUMNS) <= set(columns):
        raise InputError(
            "The table of signals lacks a column.",
            where=f"{path}, dataStruct.variables",
            expected=", ".join(_COLUMNS),
            found=", ".join(map(str, columns)) or "no table",
        )
    return table


def _unpacked_bytes(data: bytes) -> int:
    """Return how much the packed elements of a MATLAB file (version 5) hold, without keeping any of it.

    Source: MathWorks, MAT-File Format, "Level 5 MAT-File Data Elements".
    """
    at, held = _HEADER_BYTES, len(data)
    order = "<" if data[_HEADER_BYTES - 2 : _HEADER_BYTES] == b"IM" else ">"
    while at + 8 <= len(data):
        kind, length = struct.unpack_from(f"{order}II", data, at)
        if kind == _COMPRESSED:
            unpacker, rest = zlib.decompressobj(), data[at + 8 : at + 8 + length]
            with contextlib.suppress(zlib.error):  # the library says what is damaged
                while rest and held < MOST_TABLE_BYTES:
                    held += len(unpacker.decompress(rest, _PIECE_BYTES))
                    rest = unpacker.unconsumed_tail
        at += 8 + length
    return held


def _row(cells: Any) -> SignalRow:
    return SignalRow(
        kind=_text(cells["type"]),
        name=_text(cells["name"]),
        unit=_text(cells["unit"]),
        mean=_numbers(cells["mean"]),
        variance=_numbers(cells.get("var")),
        position=_vector(cells, "position"),
        direction=_vector(cells, "direction"),
    )


def _text(cell: Any) -> str:
    found = np.ravel(cell)
    return str(found[0]) if found.size and isinstance(found[0], str) else ""


def _numbers(cell: Any) -> np.ndarray:
    try:
        return np.ravel(np.asarray([] if cell is None else cell, dtype=float))
    except (TypeError, ValueError):  # text, or whatever else a laboratory's own script put there
        return np.zeros(0)


def _vector(cells: Any, name: str) -> np.ndarray:
    found = [_numbers(cells.get(f"{name}_{axis}")) for axis in (1, 2, 3)]
    return np.array([number[0] if number.size == 1 else np.nan for number in found])
