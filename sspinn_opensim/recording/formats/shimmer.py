"""Tables of Shimmer's sensors, as ConsensysPRO exports them: calibrated, one sensor a file or all in one.

A line ``sep=,`` (or a tab) may come first; names such as "Shimmer_8665_Accel_WR_X_CAL" stand over a line
of units ("m/(s^2)", "deg/s", "ms"). Of the two accelerometers that of wide range (WR, up to 16 g) is read
where it was recorded, as the impact of a foot exceeds the 2 g of the other (LN, low noise). Time is
"Timestamp_Unix_CAL", or "TimestampSync_Unix_CAL" where clocks were synchronized afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.choices import Format, RecordingChoice
from sspinn_opensim.recording.formats.column_options import TableOptions
from sspinn_opensim.recording.formats.folders import head_of, recorded_files, sensors_of_folder
from sspinn_opensim.recording.formats.text_layout import read_table
from sspinn_opensim.recording.formats.text_tables import first_lines
from sspinn_opensim.recording.streams import Stream

_TABLE = TableOptions()
_SIGNAL = re.compile(r"(?P<sensor>.+)_(?P<what>Accel_LN|Accel_WR|Gyro)_(?P<axis>[XYZ])_CAL")
_TIME = re.compile(r"(?P<sensor>.+)_(?P<what>Timestamp|TimestampSync)_Unix_CAL")


@dataclass(frozen=True)
class ShimmerOptions:
    """``[recording.shimmer]``: which files of a folder.

    Parameters
    ----------
    trial : str
        The trial in the names of the files, or how these start, if a folder holds several.
    """

    trial: str = ""


def read_shimmer(choice: RecordingChoice) -> tuple[Stream, ...]:
    """Return the stream of each sensor of a file or folder.

    Raises
    ------
    InputError
        If the folder holds no such file, or several trials and none is chosen; if a file is damaged, or has
        no time in numbers.
    """
    path, options = choice.file, choice.options or ShimmerOptions()
    files = recorded_files(path, is_shimmer, "tables of ConsensysPRO with calibrated signals")
    return sensors_of_folder(path, files, options.trial, lambda file: _read_file(file, choice))


def is_shimmer(path: Path, head: bytes) -> bool:
    """Return whether a file names calibrated signals as ConsensysPRO does."""
    return any(_SIGNAL.fullmatch(name) for name in _names(path, head))


FORMAT = Format(
    "shimmer",
    ShimmerOptions,
    streams=read_shimmer,
    recognises=is_shimmer,
    folders=True,
    export="export calibrated data with the accelerometer of wide range and the gyroscope",
)


def _names(path: Path, head: bytes) -> tuple[str, ...]:
    """Return the names of the columns: of the first lines that with the first signal."""
    for line in first_lines(path, head)[:4]:
        names = tuple(cell.strip().strip('"') for cell in re.split(r"[,;\t]", line))
        if any(_SIGNAL.fullmatch(name) for name in names):
            return names
    return ()


def _read_file(path: Path, choice: RecordingChoice) -> tuple[Stream, ...]:
    names = _names(path, head_of(path))
    if not any(_TIME.fullmatch(name) for name in names):
        raise InputError(
            "The table has no time in numbers.",
            where=path,
            expected="a column Timestamp_Unix_CAL",
            found=", ".join(name for name in names if "Timestamp" in name) or "no time",
            fix="export again with the time stamp in Unix format",
        )
    return read_table(path, choice, _TABLE, _speller(names))


def _speller(names: tuple[str, ...]) -> Callable[[str], str]:
    """Return what spells a column's name as tables of any origin do; empty for those that are not read."""
    signals, times = (
        list(filter(None, map(_SIGNAL.fullmatch, names))),
        filter(None, map(_TIME.fullmatch, names)),
    )
    wide = {found["sensor"] for found in signals if found["what"] == "Accel_WR"}
    synchronized = {found["sensor"] for found in times if found["what"] == "TimestampSync"}

    def spelt(name: str) -> str:
        if found := _TIME.fullmatch(name):
            used = (found["what"] == "TimestampSync") == (found["sensor"] in synchronized)
            return "time (ms)" if used else ""
        found = _SIGNAL.fullmatch(name)
        if found is None or (found["what"] == "Accel_LN" and found["sensor"] in wide):
            return ""
        kind = "gyro" if found["what"] == "Gyro" else "acc"
        return f"{found['sensor']}_{kind}_{found['axis'].lower()}"

    return spelt
