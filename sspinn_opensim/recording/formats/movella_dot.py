"""Text files of Movella (Xsens) DOT: one sensor a file, from the app, its recordings and the data exporter.

A line ``sep=,`` and fields ``Name:,value`` may stand before the column names; older exports have neither.
Which columns there are depends on the measurement mode. Acceleration is specific force in m/s^2, angular rate
is in degrees a second (XD0502P, section 4.2.2), `SampleTimeFine` in microseconds with a wrap at 2^32. The
first sample of a recording holds zeros and is left out. Modes without a gyroscope hold free acceleration.
The server that Xsens published for computers writes all sensors into one file, row by row as they come, and
names them by their addresses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import units
from sspinn_opensim.recording.choices import Format, RecordingChoice
from sspinn_opensim.recording.formats import xsens_columns as columns
from sspinn_opensim.recording.formats.folders import HEAD_BYTES, recorded_files, refuse_same_names
from sspinn_opensim.recording.formats.text_tables import (
    TextTable,
    cells_of,
    first_lines,
    read_bytes,
    read_text_table,
)
from sspinn_opensim.recording.streams import Stream

#: Columns that MT Manager does not write.
_OWN = columns.in_small_letters(
    columns.QUATERNIONS[1],
    columns.EULER[1],
    columns.FREE_ACCELERATION[0],
    columns.ROTATION_INCREMENT[1],
    columns.VELOCITY_INCREMENT[1],
)
_SIGNALS = columns.in_small_letters(columns.ACCELERATION, columns.ANGULAR_RATE)
_TIMES = columns.in_small_letters(columns.COUNTERS, columns.CLOCKS)
#: A step of the clock below this is not in microseconds.
_SHORTEST_STEP = 500
_ADDRESS, _COLUMN = re.compile(rb"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}"), "address"
#: Name, address, date and time in the name of a file.
_NAME = re.compile(r"(?P<name>.*?)[_-](?:(?P<address>[0-9A-Fa-f]{12})[_-])?(?P<start>\d{8}[_-]\d{6})")


@dataclass(frozen=True)
class MovellaDotOptions:
    """``[recording.movella_dot]``: which files of a folder.

    Parameters
    ----------
    trial : str
        What the names of the trial's files have in common, such as date and time, if a folder holds several
        trials.
    """

    trial: str = ""


def read_movella_dot(choice: RecordingChoice) -> tuple[Stream, ...]:
    """Return the streams of one trial, in the order of the files' names.

    Raises
    ------
    InputError
        If the folder holds no such file, or two of one sensor; if a file is damaged.
    """
    path, options = choice.file, choice.options or MovellaDotOptions()
    files = recorded_files(path, is_movella_dot, "text files of Movella DOT")
    if path.is_dir():
        found = [file for file in files if options.trial in file.name]
        if not found:
            raise InputError(
                f"No name of a file has '{options.trial}' in it.",
                where=path,
                expected="one of " + ", ".join(sorted({_start(file) for file in files})),
            )
        files = found
    streams = _distinct([stream for file in files for stream in _read_file(file)])
    refuse_same_names(streams, path)
    return columns.from_the_first(streams)


def is_movella_dot(path: Path, head: bytes) -> bool:
    """Return whether a file is one of DOT: its columns, or a clock in microseconds beside Acc and Gyr."""
    lines = first_lines(path, head)
    if not lines or lines[0].lstrip().startswith("//"):
        return False
    row = next((k for k, line in enumerate(lines) if _is_columns(cells_of(line))), None)
    if row is None:
        return False
    cells = [cell.lower() for cell in cells_of(lines[row])]
    marked = lines[0].startswith("sep=") or any(line.startswith("DeviceTag:") for line in lines[:row])
    return marked or bool(_OWN & set(cells)) or _in_microseconds(cells, lines[row + 1 : row + 3])


FORMAT = Format(
    "movella_dot",
    MovellaDotOptions,
    streams=read_movella_dot,
    recognises=is_movella_dot,
    folders=True,
    export="measure or export in a mode with acceleration and angular velocity (columns Acc_X, Acc_Y, Acc_Z, "
    "Gyr_X, Gyr_Y, Gyr_Z), such as rate quantities",
)


def _is_columns(cells: Sequence[str]) -> bool:
    found = {cell.lower() for cell in cells}
    return bool(found & _TIMES) and len(found & (_OWN | _SIGNALS)) >= 3


def _in_microseconds(cells: Sequence[str], rows: Sequence[str]) -> bool:
    try:
        place = cells.index(columns.CLOCKS[0].lower())
        first, second = (float(cells_of(row)[place]) for row in rows)
    except (ValueError, IndexError):
        return False
    return (second - first) % columns.BITS_32 >= _SHORTEST_STEP


def _start(file: Path) -> str:
    found = _NAME.match(file.stem)
    return found["start"] if found else file.stem


def _distinct(streams: list[Stream]) -> list[Stream]:
    """Return the streams under names that differ: tags, else addresses, else how the files' names start.

    All sensors have the same tag until their user gives them others.
    """
    parts = [_NAME.match(stream.file.stem) for stream in streams]
    of_files = [[found[key] if found else None for found in parts] for key in ("address", "name")]
    for names in ([stream.name for stream in streams], *of_files):
        if all(names) and len(set(names)) == len(names):
            return [replace(stream, name=name) for stream, name in zip(streams, names, strict=True)]
    return streams


def _read_file(path: Path) -> list[Stream]:
    data, addresses = read_bytes(path), []
    if _COLUMN.encode() in data[:HEAD_BYTES].lower():
        addresses = list(dict.fromkeys(_ADDRESS.findall(data)))
        data = _ADDRESS.sub(lambda found: b"%d" % addresses.index(found[0]), data)
    wanted = columns.WANTED | {_COLUMN} if addresses else columns.WANTED
    table = read_text_table(
        path, _is_columns, wanted.__contains__, "PacketCounter, SampleTimeFine, Acc_X, ...", data
    )
    numbers = table.column(_COLUMN)
    if numbers is None:
        return [_stream(table, path)]
    devices = [
        (address.decode(), numbers == k) for k, address in enumerate(addresses) if np.any(numbers == k)
    ]
    return [_stream(table.rows(rows), path, address) for address, rows in devices]


def _stream(table: TextTable, path: Path, address: str = "") -> Stream:
    fields = dict(_field(line) for line in table.preamble)
    in_name = _NAME.match(path.stem)
    named = in_name["name"] if in_name else path.stem
    name = address or fields.get("devicetag") or named
    rate_hz = columns.stated_rate(fields.get("outputrate", ""))
    packets = columns.counter(table, columns.BITS_32)
    time_s = columns.clock(table, packets)
    turns, complaint = columns.orientation(table)
    signals = columns.signals(
        table, units.ANGULAR_RATE["deg/s"], rate_hz or columns.rate_of(time_s, packets), turns
    )
    notes = [*table.notes, *signals.notes]
    if complaint:
        notes.append(f"Sensor {name}: {complaint}")
    stream = Stream(
        name,
        path,
        signals.acceleration,
        signals.angular_rate,
        turns,
        time_s,
        packets,
        rate_hz,
        named if not address and named.lower() != name.lower() else "",
        tuple(notes),
        table.lines,
        signals.lacks,
    )
    return _without_first_zeros(stream)


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip(", \t")


def _without_first_zeros(stream: Stream) -> Stream:
    """Return a stream without its first sample if that holds zeros, as the first of a recording does."""
    force, rate = stream.acceleration, stream.angular_rate
    if force is None or rate is None or len(stream) < 2 or np.any(force[0]) or np.any(rate[0]):
        return stream
    note = "The first sample of each file holds zeros and is left out."
    return replace(stream.cut(1), notes=(*stream.notes, note))
