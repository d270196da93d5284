"""Text files of Xsens MT Manager (MTw, MTi): one sensor a file, columns as the user chose them.

Lines that start with ``//`` say which device it was; the line of names follows. Acceleration is specific
force in m/s^2, angular rate in rad/s, both along the sensor's axes; a matrix ``Mat[r][c]`` is read by its
names, since its columns stand in either order. The rate may be stated nowhere. OpenSim's mapping file in the
folder says which sensor sits where, and which trial is meant.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sspinn_opensim.recording.choices import Format, RecordingChoice
from sspinn_opensim.recording.formats import xsens_columns as columns
from sspinn_opensim.recording.formats.folders import (
    head_of,
    of_one_trial,
    recorded_files,
    refuse_same_names,
)
from sspinn_opensim.recording.formats.text_tables import cells_of, first_lines, read_text_table, words
from sspinn_opensim.recording.formats.xsens_mapping import Mapping, mapping_in, read_mapping
from sspinn_opensim.recording.streams import Stream

#: Columns that no other text file has.
_OWN = columns.in_small_letters(
    columns.QUATERNIONS[0],
    columns.MATRIX,
    columns.EULER[0],
    columns.ROTATION_INCREMENT[0],
    columns.VELOCITY_INCREMENT[0],
)
_SIGNALS = columns.in_small_letters(columns.ACCELERATION, columns.ANGULAR_RATE, *columns.FREE_ACCELERATION)
_RATE = re.compile(r"Update Rate:(.*)", re.IGNORECASE)
_DEVICE = re.compile(r"Device\s?Id:\s*(\S+)", re.IGNORECASE)
#: A serial number at the end of a file's name.
_SERIAL = re.compile(r"[0-9A-Fa-f]{8}$")


@dataclass(frozen=True)
class XsensMtOptions:
    """``[recording.xsens_mt]``: which files of a folder, and where sensors sit.

    Parameters
    ----------
    trial : str
        How the names of the files start, if the folder holds several trials. Default: what the mapping file
        says.
    mapping : Path or None
        OpenSim's mapping file. Default: the one in the folder, if there is one.
    """

    trial: str = ""
    mapping: Path | None = None


def read_xsens_mt(choice: RecordingChoice) -> tuple[Stream, ...]:
    """Return the streams of one trial, in the order of the files' names.

    Raises
    ------
    InputError
        If the folder holds no such file, or several trials and none is chosen; if a file is damaged.
    """
    path, options = choice.file, choice.options or XsensMtOptions()
    files = recorded_files(path, is_xsens_mt, "text files of MT Manager")
    mapping = mapping_in(path) if path.is_dir() and options.mapping is None else Mapping()
    if options.mapping is not None:
        mapping = read_mapping(options.mapping)
    if not path.is_dir():
        return columns.from_the_first([_read_file(path, _named((path,))[path][0], mapping)])
    trial = options.trial
    if not trial and any(file.name.startswith(mapping.trial) for file in files):
        trial = mapping.trial
    files = of_one_trial({file: own for file, (_, own) in _named(files).items()}, trial, path)
    names = _named(files)
    streams = tuple(_read_file(file, names[file][0], mapping) for file in files)
    refuse_same_names(streams, path)
    return columns.from_the_first(streams)


def is_xsens_mt(path: Path, head: bytes) -> bool:
    """Return whether a file is one of MT Manager: comments ``//``, or columns that only it writes."""
    lines = first_lines(path, head)
    commented = bool(lines) and lines[0].lstrip().startswith("//")
    cells = cells_of(next((line for line in lines if not line.lstrip().startswith("//")), ""))
    return _is_columns(cells) and (commented or any(cell.lower() in _OWN for cell in cells))


FORMAT = Format(
    "xsens_mt",
    XsensMtOptions,
    streams=read_xsens_mt,
    recognises=is_xsens_mt,
    folders=True,
    export="export the files again from MT Manager with calibrated acceleration (Acc_X, Acc_Y, Acc_Z) and "
    "rate of turn (Gyr_X, Gyr_Y, Gyr_Z)",
)


def _is_columns(cells: Sequence[str]) -> bool:
    found = {cell.lower() for cell in cells}
    return len(found & (_OWN | _SIGNALS)) >= 3


def _named(files: Sequence[Path]) -> dict[Path, tuple[str, str]]:
    """Return the sensor and the trial of each file.

    The sensor is what the header states or a serial number at the end of the name, the trial what stands
    before it; a file that its user gave another name has no trial. Where no serial number is known, sensors
    are what follows the part that all names share.
    """
    found, others = {}, []
    for file in files:
        stated = _DEVICE.search(words(head_of(file)))
        serial = stated[1] if stated else (end[0] if (end := _SERIAL.search(file.stem)) else "")
        if serial and file.stem.lower().endswith(serial.lower()):
            found[file] = serial, file.stem[: -len(serial)].rstrip("_- ")
        elif serial:
            found[file] = serial, ""
        else:
            others.append(file)
    shared = _shared([file.stem for file in others])
    found |= {file: (file.stem.removeprefix(shared).lstrip("_"), shared) for file in others}
    return {file: found[file] for file in files}


def _shared(stems: Sequence[str]) -> str:
    """Return what names share up to an underscore; of one name, what stands before its last one."""
    parts = [stem.split("_")[:-1] for stem in stems]
    same = itertools.takewhile(lambda column: len(set(column)) == 1, zip(*parts, strict=False))
    return "_".join(column[0] for column in same)


def _read_file(path: Path, name: str, mapping: Mapping) -> Stream:
    table = read_text_table(path, _is_columns, columns.WANTED.__contains__, "PacketCounter, Acc_X, ...")
    header = "\n".join(table.preamble)
    rate_hz = columns.stated_rate(found[1]) if (found := _RATE.search(header)) else None
    packets = columns.counter(table)
    time_s = columns.clock(table, packets)
    turns, complaint = columns.orientation(table)
    downward = turns is not None and re.search(r"Coordinate system:\s*NED", header) is not None
    signals = columns.signals(
        table, 1.0, rate_hz or columns.rate_of(time_s, packets), None if downward else turns
    )
    if turns is not None and downward:
        # From north, east, down to east, north, up: half a turn about the line between north and east.
        w, x, y, z = turns.T
        turns = np.stack([-x - y, w + z, w - z, y - x], axis=1) * np.sqrt(0.5)
    notes = [*table.notes, *signals.notes]
    if complaint:
        notes.append(f"Sensor {name}: {complaint}")
    segment = mapping.segment_of(name)
    if segment:
        notes.append(f"Segments of sensors are those of {mapping.file}.")
    renamed = name.lower() not in path.stem.lower()
    return Stream(
        name,
        path,
        signals.acceleration,
        signals.angular_rate,
        turns,
        time_s,
        packets,
        rate_hz,
        segment or (path.stem if renamed else ""),
        tuple(notes),
        table.lines,
        signals.lacks,
    )
