"""Recordings of x-io's NGIMU: sessions of the vendor's software, and tables of several sensors.

A session is a folder with a folder ``NAME - SERIAL`` for each device, in it ``sensors.csv`` and perhaps
``quaternion.csv``. The table has columns ``NAME_ax`` ... ``NAME_gz``, ``NAME_q1`` ... ``NAME_q4`` under the
header of an OpenSim storage file, but separated by commas. Accelerations are in g, angular rates in deg/s.
The quaternion turns the axes of the earth into those of the sensor, so it is inverted here: only then does it
turn the specific force at rest up.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.choices import Format, NoOptions, RecordingChoice
from sspinn_opensim.recording.formats import xio_tables
from sspinn_opensim.recording.formats.column_options import TableOptions
from sspinn_opensim.recording.formats.folders import files_of, head_of, listed
from sspinn_opensim.recording.formats.text_layout import read_sensors
from sspinn_opensim.recording.formats.text_tables import words
from sspinn_opensim.recording.streams import Stream

#: How the table of several sensors calls its columns.
_TABLE = TableOptions(
    time_unit="s",
    acceleration_unit="g",
    angular_rate_unit="deg/s",
    acceleration_pattern="{sensor}_a{axis}",
    angular_rate_pattern="{sensor}_g{axis}",
)


def read_ngimu(choice: RecordingChoice) -> tuple[Stream, ...]:
    """Return the stream of each device: of a session, a device's folder or file, or a table of several.

    Raises
    ------
    InputError
        If a folder holds no such file, or several tables of several devices, or a file is damaged.
    """
    path = choice.file
    if path.is_file() and not _is_sensors(path, head_of(path)):
        return _read_table(choice)
    files = xio_tables.device_files(path, lambda file: _is_sensors(file, head_of(file)))
    tables = [] if files else [file for file in files_of(path) if is_ngimu(file, head_of(file))]
    if len(tables) == 1:
        return _read_table(replace(choice, file=tables[0]))
    if tables:
        raise InputError(
            "The folder holds several recordings.",
            where=path,
            found=listed([file.name for file in tables]),
            fix="name one of the files",
        )
    if not files:
        raise InputError(
            "The folder holds no session of an NGIMU.",
            where=path,
            expected="sensors.csv, in a folder a device",
        )
    return tuple(
        xio_tables.read_device(file, _name(file), choice, file.with_name("quaternion.csv"), inverse=True)
        for file in files
    )


def is_ngimu(path: Path, head: bytes) -> bool:
    """Return whether a file is ``sensors.csv`` of a device, or a table of several."""
    if _is_sensors(path, head):
        return True
    text = words(head)
    return "endheader" in text and re.search(r"(?m)^time,.*_q4,.*_ax,.*_gz", text) is not None


FORMAT = Format("ngimu", NoOptions, streams=read_ngimu, recognises=is_ngimu, folders=True, folder_each=True)


def _is_sensors(path: Path, head: bytes) -> bool:
    names = xio_tables.names_of(head)
    return bool(names) and names[0] == "Time (s)" and (len(names) > 7 or path.name == "sensors.csv")


def _read_table(choice: RecordingChoice) -> tuple[Stream, ...]:
    """Return the streams of a table of several devices."""
    return tuple(_upright(stream) for stream in read_sensors(choice, _TABLE, _turned))


def _name(file: Path) -> str:
    return file.parent.name if file.name == "sensors.csv" else file.stem


def _upright(stream: Stream) -> Stream:
    """Return a stream whose quaternion turns the sensor's axes, which in the file it does not."""
    if stream.orientation is None:
        return stream
    return replace(stream, orientation=xio_tables.inverted(stream.orientation))


def _turned(sensor: str) -> list[str]:
    """Return the columns of a sensor's quaternion in a table of several."""
    return [f"{sensor}_q{part}" for part in range(1, 5)]
