"""Tables of Delsys' EMGworks (Trigno IM, Avanti): all channels in one file, each beside its own times.

Names are pairs ``X[s]``, ``Avanti sensor 1: ACC.X 1 [g]``; lines about the channels may stand above. Muscle
signals have a higher rate than accelerometers and gyroscopes, whose columns end earlier. Accelerations are
in g, angular rates (``GYRO.X``) in deg/s, also where names do not say so.
"""

from __future__ import annotations

import re
from pathlib import Path

from sspinn_opensim.recording.choices import Format, NoOptions, RecordingChoice
from sspinn_opensim.recording.formats.column_options import TableOptions
from sspinn_opensim.recording.formats.text_layout import read_table
from sspinn_opensim.recording.formats.text_tables import words
from sspinn_opensim.recording.streams import Stream

_TABLE = TableOptions()
_SIGNAL = re.compile(
    r"(?P<label>.+?): (?P<what>ACC|GYRO)(?: (?P<first>\d+))?[. ](?P<axis>[XYZ])(?: (?P<last>\d+))?"
    r"(?: ?\[(?P<unit>[^\]]*)\])?",
    re.IGNORECASE,
)
_TIME = re.compile(r"X ?\[s\]")
_KINDS = {"acc": ("acc", "g"), "gyro": ("gyro", "deg/s")}


def read_delsys(choice: RecordingChoice) -> tuple[Stream, ...]:
    """Return the stream of each sensor, by what it was called in the vendor's software.

    Raises
    ------
    InputError
        If the file is damaged, or signals of one sensor were not sampled together.
    """
    return read_table(choice.file, choice, _TABLE, _spelt)


def is_delsys(path: Path, head: bytes) -> bool:
    """Return whether a line pairs times and signals as EMGworks does."""
    del path
    if b"\x00" in head:
        return False
    return any(re.match(r'"?X ?\[s\]"?[,;\t]', line) and _cells(line) for line in words(head).splitlines())


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
