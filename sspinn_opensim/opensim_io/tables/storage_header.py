"""The head of a storage file: bytes to lines, and what stands above the numbers."""

from __future__ import annotations

import codecs
import dataclasses
import itertools
import re

from casadi_dynamics.errors import InputError
from casadi_dynamics.input_files import refuse_long_lines

_YES, _NO = {"yes", "y", "true", "1", "on"}, {"no", "n", "false", "0", "off"}
#: OpenSim's Storage takes anything but these for "no", and what begins with "=" for "yes".
_OPENSIM_YES = {"yes", "y"}
_COUNT_KEYS = {"nrows": "rows", "datarows": "rows", "ncolumns": "columns", "datacolumns": "columns"}
#: Keys as OpenSim knows them; it does not know them in other letters.
_EXACT_KEYS = ("nRows", "nColumns", "datarows", "datacolumns", "inDegrees", "version")
_BARE_KEYS = {key.lower() for key in _EXACT_KEYS}
_TIME_LABELS = {"time", "t", "time(s)", "time (s)", "time[s]", "time [s]", "time_s", "seconds"}
_UTF_16 = codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE
_ALONE = re.compile(rb"\r(?!\n)")
_LINE_END = re.compile(r"\r\n|\n|\r")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


@dataclasses.dataclass(frozen=True)
class TextLine:
    """One line of a file: its number, counted from 1, and its text."""

    number: int
    text: str


@dataclasses.dataclass(frozen=True)
class Header:
    """What a file says before its labels.

    Parameters
    ----------
    title : str
        Empty where there is none.
    in_degrees : bool or None
        None where the file does not say.
    counts : dict
        Number of ``rows`` and ``columns`` where they are stated.
    notes : tuple of str
        What was mended, or is read otherwise by OpenSim.
    """

    title: str
    in_degrees: bool | None
    counts: dict[str, int]
    notes: tuple[str, ...]


def to_lines(data: bytes, where: str) -> list[TextLine]:
    """Return the lines of a text file in any common encoding and with any line ends.

    Raises
    ------
    InputError
        The file is empty or is no text.
    """
    refuse_long_lines(data, where)
    if data.startswith(_UTF_16):
        text = data.decode("utf-16", errors="replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("latin-1")
    if not text.strip() or "\0" in text:
        raise InputError(
            "the file is no text" if text.strip() else "the file is empty",
            where=where,
            expected="an OpenSim .sto or .mot file",
            fix="export it again",
        )
    return [TextLine(number, line) for number, line in enumerate(_LINE_END.split(text), start=1)]


def unusual_bytes(data: bytes) -> list[str]:
    """Return a note where a file is written so that OpenSim's TimeSeriesTable reads it for ever."""
    if data.startswith(_UTF_16):
        return ["the file is in UTF-16, on which OpenSim hangs"]
    alone = _ALONE.search(data)
    return ["lines end with a carriage return alone, on which OpenSim hangs"] if alone else []


def split_header(lines: list[TextLine], where: str) -> tuple[Header, list[TextLine]]:
    """Return the header, and the lines from the labels on, blank ones left out.

    A missing ``endheader`` is mended where labels can be told from their first word and the numbers below.

    Raises
    ------
    InputError
        No labels can be found; a key has two values, or one that means nothing.
    """
    ends = [k for k, line in enumerate(lines) if line.text.strip(" \t,;").lower() == "endheader"]
    notes = []
    if ends:
        above, below = lines[: ends[0]], lines[ends[0] + 1 :]
        if lines[ends[0]].text.strip() != "endheader":
            notes.append(
                f"line {lines[ends[0]].number}: OpenSim wants 'endheader' in these letters, and alone"
            )
    else:
        start = _find_labels(lines)
        if start is None:
            raise InputError(
                "the header has no end",
                where=where,
                expected="a line 'endheader' before the labels",
                fix="is this an OpenSim .sto or .mot file?",
            )
        above, below = lines[:start], lines[start:]
        notes.append(f"no line 'endheader': labels taken from line {lines[start].number}")
    body = [line for line in below if line.text.strip(" \t,;")]
    header = _read_keys(above, where, notes)
    inner = [one for one, other in itertools.pairwise(body) if other.number > one.number + 1]
    if "rows" not in header.counts and inner[-1:] and inner[-1] is not body[0]:
        note = f"a blank line after line {inner[-1].number}: OpenSim reads no further, as nRows is not stated"
        header = dataclasses.replace(header, notes=(*header.notes, note))
    return header, body


def is_time(label: str) -> bool:
    """Whether a label means time, as laboratories spell it."""
    return label.strip().casefold() in _TIME_LABELS


def cells_of(text: str, separator: str | None) -> list[str]:
    """Return the cells of a line without those left empty at its end; `separator` None: any blanks."""
    cells = [cell.strip() for cell in text.split(separator)]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def separator_of(text: str) -> str | None:
    """Return what stands between the labels of a line: tab, comma or semicolon; None for blanks."""
    stripped = text.strip()
    return next((mark for mark in "\t,;" if mark in stripped), None)


def is_number(cell: str) -> bool:
    """Whether a cell is a number as OpenSim writes them: no underscore, no comma, no foreign digit."""
    return _NUMBER.fullmatch(cell) is not None and cell.isascii()


def _find_labels(lines: list[TextLine]) -> int | None:
    filled = [k for k, line in enumerate(lines) if line.text.strip()]
    for k, following in itertools.pairwise(filled):
        separator = separator_of(lines[k].text)
        labels, row = (cells_of(lines[i].text, separator) for i in (k, following))
        if len(labels) > 1 and len(row) == len(labels) and is_time(labels[0]) and all(map(is_number, row)):
            return k
    return None


def _read_keys(lines: list[TextLine], where: str, notes: list[str]) -> Header:
    title, found = "", {}
    for line in lines:
        text = line.text.strip(" \t,;")
        key, separator, value = text.partition("=")
        if not separator:  # motion files of old write "datarows 120"
            words = text.replace(":", " ").split()
            if len(words) == 2 and words[0].lower() in _BARE_KEYS:
                (key, value), separator = words, " "
        written, value = key.strip(), value.strip().strip("\"'").strip()
        if separator and written.lower() in _BARE_KEYS and written not in _EXACT_KEYS:
            notes.append(f"line {line.number}: OpenSim does not know '{written}' in these letters")
        key = _COUNT_KEYS.get(written.lower(), written.lower())
        if not separator:
            title = title or text
        elif key in ("rows", "columns", "indegrees", "datatype", "version"):
            if key in found and found[key][0] != value.lower():
                raise InputError(
                    f"the header states '{key}' twice",
                    where=f"{where}, line {line.number}",
                    found=f"{found[key][0]} and {value.lower()}",
                    fix="remove the line that is wrong",
                )
            found[key] = (value.lower(), line.number)
    _refuse_other_types(found, where)
    _note_missing_counts(found, notes)
    in_degrees = _read_in_degrees(found, where, notes)
    if in_degrees is False and "version" not in found:
        notes.append("no line 'version': OpenSim takes such a file for degrees, whatever inDegrees says")
    return Header(
        title=title,
        in_degrees=in_degrees,
        counts=_read_counts(found, notes),
        notes=tuple(notes),
    )


def _refuse_other_types(found: dict, where: str) -> None:
    kind, line = found.get("datatype", ("double", 0))
    if kind not in ("double", "float", "scalar", ""):
        raise InputError(
            "the table does not hold plain numbers",
            where=f"{where}, line {line}",
            expected="DataType=double",
            found=f"DataType={kind}",
            fix="use a table of coordinates, moments or forces",
        )


def _note_missing_counts(found: dict, notes: list[str]) -> None:
    version = found.get("version", ("1", 0))[0]
    newer = version.isascii() and version.isdigit() and int(version) >= 2
    missing = [key for key in ("rows", "columns") if key not in found]
    if missing and not newer:
        notes.append(
            f"the header states no number of {' and '.join(missing)}: OpenSim may read no row at all"
        )


def _read_in_degrees(found: dict, where: str, notes: list[str]) -> bool | None:
    if "indegrees" not in found:
        return None
    value, line = found["indegrees"]
    word = value.lstrip("= ")
    if word not in _YES | _NO:
        raise InputError(
            "inDegrees is neither yes nor no",
            where=f"{where}, line {line}",
            expected="yes or no",
            found=value,
            fix="write the one that is true of this file",
        )
    if word in _YES - _OPENSIM_YES:
        notes.append(f"line {line}: inDegrees={value} is read as yes here, and as no by OpenSim")
    return word in _YES


def _read_counts(found: dict, notes: list[str]) -> dict[str, int]:
    counts = {}
    for key in ("rows", "columns"):
        value, line = found.get(key, ("", 0))
        if value.isascii() and value.isdigit() and len(value) < 16:
            counts[key] = int(value)
        elif line:
            notes.append(f"line {line}: the number of {key} is no number: '{value[:20]}'")
    return counts
