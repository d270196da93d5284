"""Layouts of text tables: where the names of columns stand, what is around them, how cells are set off.

Lines may stand above the names, a line of units below. What other programs do to such tables is mended:
separators at the end of rows, code pages of Windows, decimal commas, quotes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import units
from sspinn_opensim.recording.choices import RecordingChoice
from sspinn_opensim.recording.formats.column_options import TableOptions
from sspinn_opensim.recording.formats.column_streams import Plan, streams_of
from sspinn_opensim.recording.formats.named_columns import Header, names_columns, plan_of
from sspinn_opensim.recording.formats.text_cells import (
    cells_of_column,
    is_moment,
    rows_by_name,
    with_nanoseconds,
)
from sspinn_opensim.recording.formats.text_tables import MOST_LINES, read_bytes, read_numbers, words
from sspinn_opensim.recording.streams import Stream

#: What may separate columns.
MARKS = "\t;, "
_RATE = re.compile(
    r"(?:update|sampl\w*|output|frame|recording)[ _-]*(?:rate|freq\w*)(?:\W{0,2}hz)?\W{0,4}"
    r"(?P<rate>\d+(?:[.,]\d+)?)(?![.,/]?\d|/)\W{0,2}(?P<kilo>k?)(?:hz)?(?!\W{0,2}s\b)",
    re.IGNORECASE,
)
#: No sensor that people wear samples more slowly: a number below is an interval, or 1,000.
_LEAST_RATE_HZ = 5.0
#: Columns that say of each row which sensor it is of, and how many sensors one table has at most.
_NAMES_SENSORS = re.compile(
    r"(?:sensor|device|imu|node)(?:[ _]?(?:id|name|no|nr|number))?|mac(?:[ _]?address)?"
    r"|serial(?:[ _]?(?:no|nr|number))?",
    re.IGNORECASE,
)
_MOST_SENSORS = 64
#: What may be a number, with points, commas or both.
_NUMERIC = re.compile(rb"[-+\s\d.,eE]*")


@dataclass(frozen=True, eq=False)
class Sheet:
    """A text table whose numbers are not read yet.

    Parameters
    ----------
    path : Path
        The file.
    header : Header
        Names of the columns, and units and sensors on lines of their own.
    above : tuple of str
        Lines above the names.
    body : bytes
        The rows.
    mark : str
        What separates columns.
    first : int
        Line of the file at which the rows start.
    """

    path: Path
    header: Header
    above: tuple[str, ...]
    body: bytes
    mark: str
    first: int

    @property
    def rate_hz(self) -> float | None:
        """Sampling rate that a line above the names states, Hz."""
        for line in self.above:
            if (match := _RATE.search(line)) is None:
                continue
            rate_hz = float(match["rate"].replace(",", ".")) * (1000.0 if match["kilo"] else 1.0)
            if rate_hz >= _LEAST_RATE_HZ:
                return rate_hz
        return None

    def numbers(
        self, columns: Collection[int]
    ) -> tuple[dict[int, np.ndarray], Sequence[int], tuple[str, ...]]:
        """Return columns by their places, the line of the file of each row, and notes on what was mended.

        Raises
        ------
        InputError
            If a cell of these columns is no number, a row has more or fewer cells than there are names, or
            numbers are written with points and commas.
        """
        names = self.header.names
        named = max((k + 1 for k, name in enumerate(names) if name), default=0)
        nameless = range(named, len(names))
        wanted = sorted({*columns, *nameless})
        body, notes = _with_points(self)
        rows = range(self.first, self.first + len(body) + 1)
        numbers, lines = read_numbers(body, self.mark, len(names), wanted, self.path, rows, names)
        column = dict(zip(wanted, numbers.T, strict=True))
        for place in nameless:
            filled = np.flatnonzero(~np.isnan(column[place]))
            if filled.size:
                raise InputError(
                    "A row does not match the line of names.",
                    where=f"{self.path}, line {lines[filled[0]]}",
                    expected=f"{named} cells",
                    found=f"a number in column {place + 1}, which has no name",
                )
        return column, lines, notes


def read_table(
    path: Path,
    choice: RecordingChoice,
    options: TableOptions,
    spelt: Callable[[str], str] = str,
    data: bytes | None = None,
) -> tuple[Stream, ...]:
    """Return the streams of a text table, in the order of its columns.

    Parameters
    ----------
    path : Path
        The table: the recording of `choice`, or one of the files in it.
    spelt : callable
        Returns the name of a column as tables of any origin spell it; empty: the column is not used.
    data : bytes, optional
        What the file holds, by `read_bytes`, if something was replaced in it.

    Raises
    ------
    InputError
        If the file is no such table, names no signal, or a cell that is needed is no number.
    """
    sheet = read_sheet(path, options, spelt, data)
    rate_hz, first = sheet.rate_hz, sheet.first
    header = replace(sheet.header, names=tuple(map(spelt, sheet.header.names)))
    plan = plan_of(header, choice, options, rate_hz)
    sheet, plan = _with_times(sheet, plan)
    names = _names_of_rows(sheet, plan)
    column, lines, notes = sheet.numbers(plan.columns)
    del sheet  # of an hour more than the numbers
    known = choice.recorded_rate_hz, rate_hz
    if not names:
        return streams_of(plan, column, path, *known, lines, notes)
    streams: list[Stream] = []
    for name, rows in rows_by_name([names[line - first] for line in lines]).items():
        if not name:
            raise InputError(
                "A row does not say which sensor it is of.",
                where=f"{path}, line {lines[rows[0]]}",
                fix="remove the row, or write the sensor's name",
            )
        own = {place: numbers[rows] for place, numbers in column.items()}
        (stream,) = streams_of(plan, own, path, *known, [lines[row] for row in rows], notes)
        streams.append(replace(stream, name=name))
    return tuple(streams)


def _with_times(sheet: Sheet, plan: Plan) -> tuple[Sheet, Plan]:
    """Return a sheet and its plan with times as numbers, if these are dates or times of day."""
    row = words(sheet.body[: sheet.body.find(b"\n") + 1 or None])
    cells = cells_of_line(row, sheet.mark)
    if plan.time is None or plan.time >= len(cells) or not is_moment(cells[plan.time]) or sheet.mark == " ":
        return sheet, plan
    body = with_nanoseconds(sheet.body, sheet.mark, plan.time, sheet.path, sheet.first)
    return replace(sheet, body=body), replace(plan, time_unit="ns")


def _names_of_rows(sheet: Sheet, plan: Plan) -> list[str]:
    """Return the name of the sensor of each line, where a column has those of several; else none."""
    places = [k for k, name in enumerate(sheet.header.names) if _NAMES_SENSORS.fullmatch(name)]
    if len(plan.sensors) != 1 or plan.sensors[0].name or not places or places[0] in plan.columns:
        return []
    names = cells_of_column(sheet.body, sheet.mark, places[0])
    counts = Counter(filter(None, names))
    return names if 1 < len(counts) <= _MOST_SENSORS and min(counts.values()) > 1 else []


def names_sensors(head: bytes, options: TableOptions, spelt: Callable[[str], str] = str) -> bool:
    """Return whether the first bytes of a file have a line that names a signal of an inertial sensor.

    Parameters
    ----------
    spelt : callable
        Returns the name of a column as tables of any origin spell it.
    """
    if b"\x00" in head:
        return False
    lines = [line for line in words(head).splitlines() if line.strip()]
    without_time = replace(options, time_column=" ")  # a column of time alone makes no recording of sensors
    return any(
        names_columns(list(map(spelt, cells_of_line(line, mark))), without_time)
        for line in lines[:MOST_LINES]
        for mark in MARKS
    )


def read_sensors(
    choice: RecordingChoice, options: TableOptions, turned: Callable[[str], Sequence[str]]
) -> tuple[Stream, ...]:
    """Return the streams of a table that may also hold an orientation of each sensor.

    Parameters
    ----------
    options : TableOptions
        How the table is written.
    turned : callable
        Returns for the name of a sensor the columns of its quaternion, scalar first.
    """
    sheet = read_sheet(choice.file, options)
    plan = plan_of(sheet.header, choice, options, sheet.rate_hz)
    names = list(sheet.header.names)
    turns = [[names.index(n) for n in turned(sensor.name) if n in names] for sensor in plan.sensors]
    column, lines, notes = sheet.numbers({*plan.columns, *(place for own in turns for place in own)})
    streams = streams_of(plan, column, choice.file, choice.recorded_rate_hz, sheet.rate_hz, lines, notes)
    return tuple(
        with_orientation(stream, [column[place] for place in own])
        for stream, own in zip(streams, turns, strict=True)
    )


def with_orientation(stream: Stream, parts: Sequence[np.ndarray]) -> Stream:
    """Return a stream with its quaternion, if all four parts (n,) of it are there."""
    return replace(stream, orientation=np.stack(parts, axis=1)) if len(parts) == 4 else stream


def read_sheet(
    path: Path, options: TableOptions, spelt: Callable[[str], str] = str, data: bytes | None = None
) -> Sheet:
    """Return a text table with its names, what is said above and below them, and its rows.

    Parameters
    ----------
    spelt : callable
        Returns the name of a column as tables of any origin spell it.
    data : bytes, optional
        What the file holds, by `read_bytes`, if something was replaced in it.

    Raises
    ------
    InputError
        If the file cannot be read, is no text, is empty, or starts with numbers.
    """
    data = read_bytes(path) if data is None else data
    lines = _first_lines(data)
    if not any(line.strip() for line in lines):
        raise InputError(
            "The recording is empty.", where=path, expected="a line of column names, then numbers"
        )
    if b"\x00" in data[:4096]:
        raise InputError("The recording is not a text table.", where=path, fix="save it as CSV, UTF-8")
    forced = re.match(r'"?sep=(.)"?\s*$', lines[0])
    at, mark = _names_at(path, lines, forced[1] if forced else "", options, spelt)
    names = cells_of_line(lines[at], mark)
    first, below = at + 1, ()
    while first < len(lines):
        cells = cells_of_line(lines[first], mark)
        if not below and _is_unit_line(cells, names):
            below = cells
        elif not _is_index_line(cells, names):
            break
        if _is_index_line(cells, names) and not names[0]:
            names = (cells[0], *names[1:])
        first += 1
    above = cells_of_line(lines[at - 1], mark) if at else ()
    are_units = _are_units(above, names)
    below = above if are_units and not below else below
    groups = () if are_units else _groups(above, names)
    offset = _offset(data, first)
    body = data[offset:]
    row = lines[first].rstrip("\n") if first < len(lines) else ""
    surplus = len(cells_of_line(row, mark)) - len(names)
    if surplus > 0 and not any(cells_of_line(row, mark)[len(names) :]):
        names = (*names, *[""] * surplus)
    elif surplus < 0 and row.strip() and not any(names[surplus:]):
        names = names[:surplus]
    if mark == " ":
        body = re.sub(rb"(?m)^[ \t]+|[ \t]+$", b"", re.sub(rb"[ \t]+", b" ", body))
    below = tuple(map(_without_brackets, below))
    padded = below[: len(names)] + ("",) * (len(names) - len(below)) if below else ()
    header = Header(f"{path}, line {at + 1}", names, padded, groups[: len(names)])
    return Sheet(path, header, tuple(lines[:at]), body, mark, first + 1)


def _first_lines(data: bytes) -> list[str]:
    lines, start = [], 0
    while start < len(data) and len(lines) < MOST_LINES + 4:
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        lines.append(words(data[start:end]))
        start = end + 1
    return lines


def _offset(data: bytes, line: int) -> int:
    """Return where a line starts, counted from 0."""
    start = 0
    for _ in range(line):
        end = data.find(b"\n", start)
        if end < 0:
            return len(data)
        start = end + 1
    return start


def _names_at(
    path: Path, lines: Sequence[str], forced: str, options: TableOptions, spelt: Callable[[str], str]
) -> tuple[int, str]:
    """Return the line of the column names, from 0, and what separates them."""
    marks = forced or MARKS
    for number, line in enumerate(lines):
        if any(is_moment(word) for word in line.split()):  # what is said above: when the recording started
            continue
        # Of the separators under which the line names columns, that which gives most of them; names may have
        # blanks in them.
        counts = {
            mark: len(cells_of_line(line, mark))
            for mark in marks
            if names_columns(list(map(spelt, cells_of_line(line, mark))), options)
        }
        if counts:
            return number, max(counts, key=lambda mark: (mark != " " and counts[mark] > 1, counts[mark]))
    number, line = next((k, line) for k, line in enumerate(lines) if line.strip())
    mark = forced or max(MARKS, key=line.count)
    cells = cells_of_line(line, mark)
    if all(_is_number(cell) for cell in cells if cell):
        raise InputError(
            "The first line holds numbers, not column names.",
            where=f"{path}, line {number + 1}",
            found=", ".join(cells[:4]) + (" ..." if len(cells) > 4 else ""),
            fix="write the names of the columns in the first line",
        )
    # A line of names and no time among them: the line with most cells that are no numbers says most.
    texts = [
        (len([c for c in cells_of_line(line, mark) if c and not _is_number(c)]), -k, mark)
        for k, line in enumerate(lines)
        for mark in marks
        if not any(_is_number(cell) for cell in cells_of_line(line, mark))
    ]
    most = max(texts, default=(0, -number, mark))
    return -most[1], most[2]


def cells_of_line(line: str, mark: str) -> tuple[str, ...]:
    """Return the cells of a line, without quotes and blanks around them; a separator in quotes is text."""
    pieces = line.split('"')
    if mark == " ":
        cells = line.split()
    elif len(pieces) % 2:
        pieces[1::2] = [piece.replace(mark, "\x00") for piece in pieces[1::2]]
        cells = [cell.replace("\x00", mark) for cell in '"'.join(pieces).split(mark)]
    else:
        cells = line.split(mark)
    return tuple(cell.strip().strip('"').strip() for cell in cells)


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _is_unit_line(cells: Sequence[str], names: Sequence[str]) -> bool:
    """Say whether a line below the names holds units: no number, and units that are known among its cells."""
    texts = [cell for cell in cells if cell]
    known = [cell for cell in texts if units.unit_of(_without_brackets(cell)) is not None]
    return 0 < len(texts) <= len(names) and len(known) > 0 and not any(_is_number(cell) for cell in texts)


def _are_units(cells: Sequence[str], names: Sequence[str]) -> bool:
    """Say whether a line above the names holds units and nothing else: one a column, some may be empty."""
    found = {units.unit_of(_without_brackets(cell)) for cell in cells if cell}
    of_signals = {*units.ACCELERATION, *units.ANGULAR_RATE}
    return len(cells) == len(names) and None not in found and not found.isdisjoint(of_signals)


def _without_brackets(cell: str) -> str:
    """Return what stands in brackets, if all of a cell does."""
    found = re.fullmatch(r"\[(.*)\]|\(([^()]*)\)", cell)
    return cell if found is None else found[1] or found[2] or ""


def _is_index_line(cells: Sequence[str], names: Sequence[str]) -> bool:
    """Say whether a line names the first column only, as tables with two lines of names have it."""
    named = bool(cells) and bool(cells[0]) and not _is_number(cells[0])
    return named and not names[0] and len(cells) > 1 and not any(cells[1:])


def _groups(cells: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of sensors on the line above, each standing for the cells to its right as well."""
    texts = [cell for cell in cells if cell]
    if len(cells) < len(names) - 1 or not texts or any(_is_number(cell) for cell in texts):
        return ()
    groups, last = [], ""
    for cell in (*cells, *[""] * len(names)):
        last = cell or last
        groups.append(last)
    return tuple(groups[: len(names)])


def _with_points(sheet: Sheet) -> tuple[bytes, tuple[str, ...]]:
    """Return the rows with decimal points and without quotes, and a note where that changed something."""
    body, mark, comma = sheet.body, sheet.mark, b","
    if b'"' in body:
        if mark == ",":  # one within a number in quotes is told from those between cells
            body, comma = body.replace(b"\x01", b"?"), b"\x01"

        def unquoted(cell: re.Match[bytes]) -> bytes:
            if _NUMERIC.fullmatch(cell[1]):
                return cell[1].replace(b",", comma)
            return cell[1].replace(mark.encode(), b" ")  # text, which is not read

        body = re.sub(rb'"([^"\n]*)"', unquoted, body)
    if comma == mark.encode() or comma not in body:
        return body, ()
    commas = re.search(rb"\d,\d" if comma == b"," else comma, body)
    if commas is None:
        return body, ()
    if re.search(rb"\d\.\d", body):
        raise _separated_thousands(body, sheet, commas.start(), comma)
    return body.replace(comma, b"."), ("Decimal commas are read as points.",)


def _separated_thousands(body: bytes, sheet: Sheet, at: int, comma: bytes) -> InputError:
    line = sheet.first + body.count(b"\n", 0, at)
    start, end = body.rfind(b"\n", 0, at) + 1, body.find(b"\n", at)
    cells = words(body[start : end if end >= 0 else len(body)]).split(sheet.mark)
    cell = next((cell for cell in cells if comma.decode() in cell), "").replace(comma.decode(), ",")
    return InputError(
        "Numbers are written with points and with commas.",
        where=f"{sheet.path}, line {line}",
        found=f"'{cell.strip()}'",
        fix="write numbers with a decimal point, and without separators of thousands",
    )
