"""Tables of Noraxon's MyoResearch (MyoMotion, Ultium Motion): all sensors in one file, named by segments.

Accelerometers are ``Shank Accel Sensor X LT (mG)``, gyroscopes
``Noraxon MyoMotion-Segments-Shank LT-Gyroscope-x (deg/s)``, time is ``time``, in s. A file without raw
accelerometers has ``Noraxon MyoMotion-Segments-Shank LT-Acceleration-x (mG)`` instead. The side may come
before the segment, and the unit after a comma.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from sspinn_opensim.recording.choices import Format, NoOptions, RecordingChoice
from sspinn_opensim.recording.formats.column_options import TableOptions
from sspinn_opensim.recording.formats.folders import head_of
from sspinn_opensim.recording.formats.text_layout import cells_of_line, read_table
from sspinn_opensim.recording.formats.text_tables import first_lines, separator_of
from sspinn_opensim.recording.streams import Stream

_TABLE = TableOptions()
#: Names of several hundred columns, joint angles first, take less.
_NAMES_BYTES = 100_000
_BODY = r"(?:(?P<first>LT|RT) )?(?P<segment>.+?)"
_LAST = r"(?: (?P<last>LT|RT))?"
_UNIT = r"(?: ?\((?P<unit>[^()]*)\))?"
_ACCELEROMETER = re.compile(rf"{_BODY} Accel Sensor (?P<axis>[XYZ]){_LAST}{_UNIT}")
_SEGMENT = re.compile(
    rf"Noraxon [^-]*-Segments-{_BODY}{_LAST}-(?P<what>Gyroscope|Acceleration)-(?P<axis>[xyz]){_UNIT}"
)
#: Units that the vendor's software writes.
_UNITS = {"acc": "mG", "gyro": "deg/s"}


def read_noraxon(choice: RecordingChoice) -> tuple[Stream, ...]:
    """Return the stream of each sensor, by the segment that carries it.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    return read_table(choice.file, choice, _TABLE, _speller(_names(choice.file)))


def is_noraxon(path: Path, head: bytes) -> bool:
    """Return whether a file names signals as MyoResearch does."""
    if path.suffix.lower() not in (".csv", ".txt") or b"\x00" in head:
        return False
    return any(_ACCELEROMETER.fullmatch(name) or _SEGMENT.fullmatch(name) for name in _names(path))


FORMAT = Format("noraxon", NoOptions, streams=read_noraxon, recognises=is_noraxon)


def _names(path: Path) -> list[str]:
    """Return the cells of the first lines of a file, the names of all columns among them."""
    lines = first_lines(path, head_of(path, _NAMES_BYTES))
    return [_with_unit(cell) for line in lines for cell in cells_of_line(line, separator_of(line))]


def _with_unit(name: str) -> str:
    """Return a name with its unit in brackets, where that stands behind a comma."""
    return re.sub(r", ?([^,()]+)$", r" (\1)", name.rstrip(", "))


def _segment(found: re.Match[str]) -> str:
    side = found["first"] or found["last"]
    return f"{found['segment']} {side}" if side else found["segment"]


def _speller(names: Iterable[str]) -> Callable[[str], str]:
    """Return what spells a column's name as tables of any origin do; empty for those that are not read.

    Parameters
    ----------
    names : iterable of str
        The names of all columns, and perhaps more.
    """
    raw = {_segment(found) for found in map(_ACCELEROMETER.fullmatch, names) if found}

    def spelt(name: str) -> str:
        name = _with_unit(name)
        if re.fullmatch(r"time( \(m?s\))?", name, re.IGNORECASE):
            return name
        found = _ACCELEROMETER.fullmatch(name) or _SEGMENT.fullmatch(name)
        if found is None:
            return ""
        kind = "gyro" if found.groupdict().get("what") == "Gyroscope" else "acc"
        if kind == "acc" and found.re is _SEGMENT and _segment(found) in raw:
            return ""
        return f"{_segment(found)}_{kind}_{found['axis'].lower()} ({found['unit'] or _UNITS[kind]})"

    return spelt
