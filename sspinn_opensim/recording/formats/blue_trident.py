"""Tables of Vicon's Blue Trident (IMeasureU), as Capture.U exports them: one sensor a file, ``*_lowg.csv``.

Columns are ``unix_timestamp_microsec``, ``time_s``, specific force from ``ax_m/s/s`` on and angular rate from
``gx_deg/s`` on. A second accelerometer, for impacts, is in ``*_highg.csv`` without a gyroscope,
the magnetometer in ``*_mag.csv``: neither is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sspinn_opensim.recording.choices import Format, RecordingChoice
from sspinn_opensim.recording.formats.column_options import TableOptions
from sspinn_opensim.recording.formats.folders import recorded_files, sensors_of_folder, told_by_names
from sspinn_opensim.recording.formats.text_layout import read_table
from sspinn_opensim.recording.formats.text_tables import first_lines
from sspinn_opensim.recording.streams import Stream

_TABLE = TableOptions()
_SIGNAL = re.compile(r"(?P<kind>[ag])(?P<axis>[xyz])_(?P<unit>m/s/s|deg/s)")
#: Names that Capture.U gives: the trial, the serial number, when the sensor started.
_FILE = re.compile(r"(?:(?P<trial>.+?)[\s_-]+)?TS-(?P<serial>\d+)_[\d-]+_lowg", re.IGNORECASE)
_KINDS = {"a": "acc", "g": "gyro"}
#: The common clock of the sensors comes first; `time_s` counts from the start of each.
_TIMES = {"unix_timestamp_microsec": "timestamp (us)", "time_s": "time_s"}


@dataclass(frozen=True)
class BlueTridentOptions:
    """``[recording.blue_trident]``: which files of a folder.

    Parameters
    ----------
    trial : str
        The trial in the names of the files, or how these start, if a folder holds several.
    """

    trial: str = ""


def read_blue_trident(choice: RecordingChoice) -> tuple[Stream, ...]:
    """Return the stream of each sensor of a file or folder.

    Raises
    ------
    InputError
        If the folder holds no such file, or several trials and none is chosen; if a file is damaged.
    """
    path, options = choice.file, choice.options or BlueTridentOptions()
    files = recorded_files(path, is_blue_trident, "tables of Blue Trident (_lowg.csv)")
    streams = sensors_of_folder(
        path, files, options.trial, lambda file: read_table(file, choice, _TABLE, _spelt), _told
    )
    alone = _FILE.fullmatch(streams[0].file.stem) if len(streams) == 1 else None
    return (replace(streams[0], name=alone["serial"]),) if alone else streams


def is_blue_trident(path: Path, head: bytes) -> bool:
    """Return whether a file has the columns of accelerometer and gyroscope."""
    return {"time_s", "ax_m/s/s", "gx_deg/s"} <= _names(path, head)


def lacks_gyroscope(path: Path, head: bytes) -> str:
    """Return what a file of Capture.U is that has no gyroscope; nothing if it is none."""
    names = _names(path, head)
    if not {"unix_timestamp_microsec", "time_s"} <= names or "gx_deg/s" in names:
        return ""
    if "ax_m/s/s" in names:
        return "the accelerometer for impacts of a Blue Trident (_highg.csv), without its gyroscope"
    return "a table of a Blue Trident without its gyroscope, such as that of the magnetometer (_mag.csv)"


def _names(path: Path, head: bytes) -> set[str]:
    return {cell.strip(' "') for line in first_lines(path, head)[:1] for cell in re.split("[,;\t]", line)}


FORMAT = Format(
    "blue_trident",
    BlueTridentOptions,
    streams=read_blue_trident,
    recognises=is_blue_trident,
    lacking=lacks_gyroscope,
    folders=True,
    export="export the tables of accelerometer and gyroscope (_lowg.csv) from Capture.U as well",
)


def _told(files: Sequence[Path]) -> Mapping[Path, tuple[str, str]]:
    """Return the sensor and the trial of each file."""
    found = {file: _FILE.fullmatch(file.stem) for file in files}
    told = {file: (own["serial"], own["trial"] or "") for file, own in found.items() if own is not None}
    return told if len(told) == len(files) else told_by_names(files)


def _spelt(name: str) -> str:
    """Return the name of a column as tables of any origin spell it."""
    found = _SIGNAL.fullmatch(name)
    return f"{_KINDS[found['kind']]}_{found['axis']} ({found['unit']})" if found else _TIMES.get(name, "")
