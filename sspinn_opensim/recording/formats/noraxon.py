"""Tables of Noraxon's MyoResearch (MyoMotion, Ultium Motion): all sensors in one file, named by segments.

Accelerometers are ``Shank Accel Sensor X LT (mG)``, gyroscopes
``Noraxon MyoMotion-Segments-Shank LT-Gyroscope-x (deg/s)``, time is ``time``, in s. A file without raw
accelerometers has ``Noraxon MyoMotion-Segments-Shank LT-Acceleration-x (mG)`` instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from sspinn_opensim.recording.choices import Format, NoOptions, RecordingChoice
from sspinn_opensim.recording.formats.column_options import TableOptions
from sspinn_opensim.recording.formats.text_layout import read_table
from sspinn_opensim.recording.formats.text_tables import first_lines
from sspinn_opensim.recording.streams import Stream

_TABLE = TableOptions()
_RAW = " Accel Sensor X"
#: Names of several hundred columns, joint angles first, take less.
_NAMES_BYTES = 100_000
_ACCELEROMETER = re.compile(
    r"(?:(?P<first>LT|RT) )?(?P<segment>.+?) Accel Sensor (?P<axis>[XYZ])(?: (?P<last>LT|RT))?"
    r" \((?P<unit>\w+)\)"
)
_SEGMENT = re.compile(
    r"Noraxon MyoMotion-Segments-(?P<segment>.+?)(?: (?P<last>LT|RT))?-(?P<what>Gyroscope|Acceleration)-"
    r"(?P<axis>[xyz]) \((?P<unit>[\w/]+)\)"
)


def read_noraxon(choice: RecordingChoice) -> tuple[Stream, ...]:
    """Return the stream of each sensor, by the segment that carries it.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    return read_table(
        choice.file, choice, _TABLE, _speller(raw=any(_RAW in line for line in _names(choice.file)))
    )


def is_noraxon(path: Path, head: bytes) -> bool:
    """Return whether a file names signals as MyoResearch does."""
    if path.suffix.lower() not in (".csv", ".txt") or b"\x00" in head:
        return False
    return any(_SEGMENT.search(line) or _RAW in line for line in _names(path))


FORMAT = Format("noraxon", NoOptions, streams=read_noraxon, recognises=is_noraxon)


def _names(path: Path) -> list[str]:
    """Return the first lines of a file, with the names of all columns."""
    with path.open("rb") as file:
        return first_lines(path, file.read(_NAMES_BYTES))


def _speller(*, raw: bool) -> Callable[[str], str]:
    """Return what spells a column's name as tables of any origin do; empty for those that are not read.

    Parameters
    ----------
    raw : bool
        Whether the file has raw accelerometers.
    """

    def spelt(name: str) -> str:
        found = _ACCELEROMETER.fullmatch(name)
        if found:
            side = found["first"] or found["last"]
        elif found := _SEGMENT.fullmatch(name):
            side = found["last"]
        else:
            return name if name.lower() == "time" else ""
        kind = "gyro" if found["unit"] == "deg/s" else "acc"
        if kind == "acc" and raw and found.re is _SEGMENT:
            return ""
        segment = f"{found['segment']} {side}" if side else found["segment"]
        return f"{segment}_{kind}_{found['axis'].lower()} ({found['unit']})"

    return spelt
