"""Tables of x-io's devices, NGIMU and x-IMU3: ``Gyroscope X (deg/s)``, ``Accelerometer X (g)``, a clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.choices import RecordingChoice
from sspinn_opensim.recording.formats.column_options import TableOptions
from sspinn_opensim.recording.formats.column_streams import streams_of
from sspinn_opensim.recording.formats.folders import files_inside, files_of
from sspinn_opensim.recording.formats.named_columns import plan_of
from sspinn_opensim.recording.formats.text_layout import read_sheet
from sspinn_opensim.recording.formats.text_tables import words
from sspinn_opensim.recording.streams import Stream

_OPTIONS = TableOptions()
_SIGNALS = ("Gyroscope X (deg/s)", "Accelerometer X (g)")
_QUATERNION = (("W", "X", "Y", "Z"), ("W Element", "X Element", "Y Element", "Z Element"))


def names_of(head: bytes) -> tuple[str, ...]:
    """Return the names in the first line of a table, if it is one of x-io; else none."""
    names = tuple(cell.strip() for cell in words(head.partition(b"\n")[0]).split(","))
    return names if all(name in names for name in _SIGNALS) else ()


def read_device(
    path: Path, name: str, choice: RecordingChoice, quaternions: Path, *, inverse: bool
) -> Stream:
    """Return the stream of one device.

    Parameters
    ----------
    path : Path
        Table of gyroscope and accelerometer.
    name : str
        What the sensor is called.
    quaternions : Path
        Table of the orientation, which may be missing, with a clock of the same origin.
    inverse : bool
        Whether its quaternion turns the axes of the earth into those of the sensor.
    """
    sheet = read_sheet(path, _OPTIONS)
    plan = plan_of(sheet.header, choice, _OPTIONS, None)
    column, lines, notes = sheet.numbers(plan.columns)
    streams = streams_of(plan, column, path, None, None, lines, notes)
    if len(streams) != 1:
        raise InputError(
            "The table of a device names several sensors.",
            where=path,
            expected="Gyroscope X (deg/s) ... Accelerometer Z (g)",
            found=", ".join(stream.name for stream in streams),
        )
    stream = streams[0]
    orientation = None
    if quaternions.is_file() and stream.time_s is not None:
        time_s, found = _quaternions(quaternions)
        orientation = at_times(time_s, found, stream.time_s)
        orientation = inverted(orientation) if inverse else orientation
    return replace(stream, name=name, orientation=orientation)


def device_files(path: Path, is_table: Callable[[Path], bool]) -> list[Path]:
    """Return the tables of a recording: a file, that of a device's folder, those of a session's folders."""
    if path.is_file():
        return [path]
    own = [file for file in files_of(path) if is_table(file)]
    return own or [file for file in files_inside(path) if is_table(file)]


def inverted(quaternion: np.ndarray) -> np.ndarray:
    """Return the inverse of unit quaternions (n, 4), scalar first."""
    return quaternion * np.array([1.0, -1.0, -1.0, -1.0])


def at_times(time_s: np.ndarray, quaternion: np.ndarray, at_s: np.ndarray) -> np.ndarray:
    """Return quaternions (n, 4) at other times, NaN before the first and after the last.

    Linear between neighbours of one sign, then of unit length: a tenth of a degree from the great circle for
    neighbours 20 degrees apart.
    """
    signs = np.sign(np.einsum("ij,ij->i", quaternion[1:], quaternion[:-1]))
    aligned = quaternion * np.concatenate([[1.0], np.cumprod(np.where(signs < 0, -1.0, 1.0))])[:, None]
    parts = [np.interp(at_s, time_s, part, left=np.nan, right=np.nan) for part in aligned.T]
    found = np.stack(parts, axis=1)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def _quaternions(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return times (n,) in s and quaternions (n, 4) of a table."""
    sheet = read_sheet(path, _OPTIONS)
    names = list(sheet.header.names)
    known = next((own for own in _QUATERNION if all(name in names for name in own)), None)
    if known is None:
        return np.zeros(1), np.full((1, 4), np.nan)
    places = [names.index(name) for name in known]
    column, _, _ = sheet.numbers([0, *places])
    factor = 1e-6 if "(us)" in names[0] else 1.0
    return factor * column[0], np.stack([column[place] for place in places], axis=1)
