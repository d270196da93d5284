"""Orientations of OpenSense: a storage file of OpenSim in which each cell is a quaternion w, x, y, z.

It holds what a vendor's filter made of the sensors' signals, not the signals: it is read for the baseline,
and refused for training. The file does not say which way is up in its world; that of the vendors is z.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.choices import Format, NoOptions, RecordingChoice
from sspinn_opensim.recording.formats import xsens_columns as columns
from sspinn_opensim.recording.formats.text_tables import read_bytes, read_numbers, words
from sspinn_opensim.recording.streams import Stream

_END = re.compile(rb"^[ \t]*endheader[ \t]*$", re.IGNORECASE | re.MULTILINE)
_KIND = re.compile(r"^\s*DataType\s*=\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_RATE = re.compile(r"^\s*DataRate\s*=\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_QUATERNION = "quaternion"


def read_opensense(choice: RecordingChoice) -> tuple[Stream, ...]:
    """Return a stream of each sensor, with its orientation alone.

    Raises
    ------
    InputError
        If the header does not end or states another type of data, or the table is damaged.
    """
    path = choice.file
    data = read_bytes(path)
    end = _END.search(data)
    header = words(data[: end.start()]) if end else ""
    kind = _KIND.search(header)
    if end is None or kind is None or kind[1].lower() != _QUATERNION:
        raise InputError(
            "The file holds no orientations of OpenSense.",
            where=path,
            expected="a header with DataType=Quaternion, and endheader",
            found="no end of the header" if end is None else f"DataType={kind[1] if kind else ''}",
        )
    start = end.end() + 1
    while data[start : start + 1] == b"\n":
        start += 1
    labels, _, body = data[start:].partition(b"\n")
    names = [name.strip() for name in words(labels).split("\t")]
    line = data[:start].count(b"\n") + 1
    sensors = names[1:]
    if names[0].lower() != "time" or not sensors or not all(sensors) or len(set(sensors)) < len(sensors):
        raise InputError(
            "The line of names is not that of orientations.",
            where=f"{path}, line {line}",
            expected="time, then the name of each sensor once",
            found=", ".join(names[:6]),
        )
    _refuse_wrong_cells(body, len(sensors), path, line)
    width = 1 + 4 * len(sensors)
    cells = ["time", *(f"{name} ({part})" for name in sensors for part in "wxyz")]
    rows = range(line + 1, line + 2 + len(body))
    values, lines = read_numbers(body.replace(b",", b"\t"), "\t", width, range(width), path, rows, cells)
    stated = _RATE.search(header)
    rate_hz = columns.stated_rate(stated[1] + "Hz") if stated else None
    found = []
    for k, name in enumerate(sensors):
        turns, complaint = columns.unit_quaternions(values[:, 1 + 4 * k : 5 + 4 * k])
        notes = (f"Sensor {name}: {complaint}",) if complaint else ()
        found.append(
            Stream(
                name,
                path,
                orientation=turns,
                time_s=values[:, 0],
                rate_hz=rate_hz,
                segment=name,
                notes=notes,
                lines=lines,
                lacks=("orientations, which a filter made of the signals of the sensors",),
            )
        )
    return tuple(found)


def is_opensense(_path: Path, head: bytes) -> bool:
    """Return whether a file is a storage file of quaternions."""
    return bool(
        re.search(rb"(?im)^\s*DataType\s*=\s*Quaternion", head) and re.search(rb"(?i)endheader", head)
    )


FORMAT = Format(
    "opensense",
    NoOptions,
    streams=read_opensense,
    recognises=is_opensense,
    export="name the recording that the orientations were made from, such as the text files of MT Manager",
)


def _refuse_wrong_cells(body: bytes, sensors: int, path: Path, line: int) -> None:
    """Refuse a row whose cells are not four numbers each: a lost cell must not shift the others."""
    letters = np.frombuffer(body if body.endswith(b"\n") else body + b"\n", np.uint8)
    marks = letters[(letters == ord(",")) | (letters == ord("\t")) | (letters == ord("\n"))]
    row_marks = np.frombuffer(b"\t,,," * sensors + b"\n", np.uint8)
    if marks.size % row_marks.size == 0 and np.all(marks.reshape(-1, row_marks.size) == row_marks):
        return
    for number, row in enumerate(body.split(b"\n"), start=line + 1):
        if row.strip() and [cell.count(b",") for cell in row.rstrip(b"\t ").split(b"\t")] != [
            0,
            *[3] * sensors,
        ]:
            raise InputError(
                "A row does not match the line of names.",
                where=f"{path}, line {number}",
                expected=f"a time and {sensors} quaternions of four numbers",
            )
