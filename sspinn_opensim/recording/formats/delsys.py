"""Tables of Delsys' EMGworks and Trigno Discover: all channels in one file, each beside its own times.

EMGworks (Trigno IM, Avanti) names pairs ``X[s]``, ``Avanti sensor 1: ACC.X 1 [g]`` or
``L HEEL: Acc 1.X (IM)``; a line about each channel may stand above. Trigno Discover names sensors two lines
above pairs ``ACC X Time Series (s)``, ``ACC X (G)``, and rates below. Muscle signals have a higher rate than
accelerometers and gyroscopes, whose columns end earlier. Accelerations are in g, angular rates in deg/s, also
where names do not say so.
"""

from __future__ import annotations

import re
from pathlib import Path

from sspinn_opensim.recording.choices import Format, NoOptions, RecordingChoice
from sspinn_opensim.recording.formats.column_options import TableOptions
from sspinn_opensim.recording.formats.folders import head_of
from sspinn_opensim.recording.formats.text_layout import cells_of_line, read_table
from sspinn_opensim.recording.formats.text_tables import read_bytes, separator_of, words
from sspinn_opensim.recording.streams import Stream

_TABLE = TableOptions()
#: Above the names stands a line about each of perhaps two hundred channels.
_NAMES_BYTES = 100_000
_SIGNAL = re.compile(
    r"(?P<label>.+?): (?P<what>ACC|GYRO)(?: (?P<first>\d+))?[. ](?P<axis>[XYZ])(?: (?P<last>\d+))?"
    r"(?: \(IM\))?(?: ?\[(?P<unit>[^\]]*)\])?",
    re.IGNORECASE,
)
_TIME = re.compile(r"X ?\[s\]")
_NAMES = re.compile(r'"?X ?\[s\]"?[,;\t]')
_KINDS = {"acc": ("acc", "g"), "gyro": ("gyro", "deg/s")}
#: How Trigno Discover names times and signals, and the lines of rates and periods below.
_DISCOVER = re.compile(r"(?:ACC|GYRO) [XYZ] Time Series \(s\)")
_CHANNEL = re.compile(r"(?P<what>ACC|GYRO) (?P<axis>[XYZ]) \((?P<unit>[^()]*)\)")
_RATES = re.compile(rb"[\s,;]*\d[\d.,]* (?:Hz|s)\b")


def read_delsys(choice: RecordingChoice) -> tuple[Stream, ...]:
    """Return the stream of each sensor, by what it was called in the vendor's software.

    Raises
    ------
    InputError
        If the file is damaged, or signals of one sensor were not sampled together.
    """
    discover = _DISCOVER.search(words(head_of(choice.file, _NAMES_BYTES)))
    data = _named_as_in_emgworks(read_bytes(choice.file)) if discover else None
    return read_table(choice.file, choice, _TABLE, _spelt, data)


def is_delsys(path: Path, head: bytes) -> bool:
    """Return whether a line pairs times and signals as EMGworks or Trigno Discover does."""
    if path.suffix.lower() not in (".csv", ".txt") or b"\x00" in head:
        return False
    lines = words(head_of(path, _NAMES_BYTES)).splitlines()
    return any(_DISCOVER.search(line) or (_NAMES.match(line) and _cells(line)) for line in lines)


FORMAT = Format("delsys", NoOptions, streams=read_delsys, recognises=is_delsys)


def _cells(line: str) -> list[str]:
    """Return the names of inertial signals in a line."""
    cells = (cell.strip().strip('"').strip() for cell in re.split(r"[,;\t]", line))
    return [cell for cell in cells if _SIGNAL.fullmatch(cell)]


def _spelt(name: str) -> str:
    """Return the name of a column as tables of any origin spell it; empty for those that are not read."""
    if _TIME.fullmatch(name):
        return "time (s)"
    found = _SIGNAL.fullmatch(name)
    if found is None:
        return ""
    kind, unit = _KINDS[found["what"].lower()]
    number = found["first"] or found["last"] or ""
    label = found["label"] if found["label"].endswith(number) else f"{found['label']} {number}"
    return f"{label}_{kind}_{found['axis'].lower()} ({found['unit'] or unit})"


def _named_as_in_emgworks(data: bytes) -> bytes:
    """Return a table of Trigno Discover whose names say the sensors, as many lines as before."""
    lines = data.split(b"\n")
    at = next(k for k, line in enumerate(lines) if _DISCOVER.search(words(line)))
    mark = separator_of(words(lines[at]))
    above = next((line for line in lines[:at][::-1] if not line.lower().startswith(b"sensor mode")), b"")
    names, labels = cells_of_line(words(lines[at]), mark), cells_of_line(words(above), mark)
    # The serial number behind a label tells two sensors of one label apart.
    plain = [re.sub(r" \(\d+\)$", "", label) for label in labels]
    told = [label for label in plain if label]
    labels = plain if len({*told}) == len(told) else labels
    cells, sensor = [], ""
    for place, name in enumerate(names):
        sensor = (labels[place] if place < len(labels) else "") or sensor
        found = _CHANNEL.fullmatch(name)
        what = f"{found['what']}.{found['axis']} [{found['unit']}]" if found else name
        cells.append("X[s]" if name.endswith(" Time Series (s)") else f"{sensor or 'sensor'}: {what}")
    lines[at] = mark.join(f'"{cell}"' for cell in cells).encode()
    for below in range(at + 1, min(at + 3, len(lines))):
        lines[below] = b"" if _RATES.match(lines[below]) else lines[below]
    return b"\n".join(lines).replace(mark.encode() + b" ", mark.encode())
