"""The body of a storage file: labels, and rows of numbers over time.

What is plain is parsed at once; what is not is read line by line.
A row or cell is mended only where one reading is possible. Everything else is one error that names the line
and the column: OpenSim's readers shift or drop what follows, in silence.
"""

from __future__ import annotations

import dataclasses
import io
import math
import re
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.opensim_io.tables.storage_header import (
    TextLine,
    cells_of,
    is_number,
    is_time,
    separator_of,
)

#: What plain numbers and the gaps between them consist of.
_PLAIN = b"0123456789+-.eE\t \r\n"
#: So much text is parsed at once.
_BLOCK_BYTES = 4_000_000
#: Less than this is read before pandas is imported.
_SMALL_BYTES = 2_000_000
#: Once blanks are gone: an empty cell, also at the start of a line, and a blank line.
_LEFT_EMPTY = (b"\t\t", b"\n\t", b"\n\n")
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+([eE][-+]?\d+)?")
_NOT_MEASURED = {
    "nan",
    "-nan",
    "inf",
    "-inf",
    "+inf",
    "infinity",
    "na",
    "n/a",
    "#n/a",
    "-",
    "1.#qnan",
    "-1.#ind",
}
#: A frame repeats the one before where time steps by less than this part of the usual step, and no number by
#: more than this part of itself, or by the other amount: OpenSim's RRA ends so, 1e-10 later.
_SAME_TIME, _SAME_PART, _SAME_NUMBER = 1e-4, 1e-6, 1e-8
#: Columns of ground forces, which some append to a motion.
_GROUND_FORCE = re.compile(r"(?i).*(force|torque|moment|grf|cop).*")
#: A clock is even if most of its steps are about as long as the median; a step this much longer is a gap.
_EVEN, _MOSTLY, _GAP, _FEWEST_STEPS = 0.25, 0.9, 1.8, 10


@dataclasses.dataclass(frozen=True)
class TableRows:
    """Labels without time, times (n,), values (n, labels), and what was mended."""

    names: tuple[str, ...]
    time_s: np.ndarray
    values: np.ndarray
    notes: tuple[str, ...]


def read_body(lines: list[TextLine], where: str, *, ends_whole: bool = True) -> TableRows:
    """Return the table below a header.

    Parameters
    ----------
    lines : list of TextLine
        From the labels on, none blank.
    where : str
        The file, for messages.
    ends_whole : bool
        Whether the last line has an end. Without, the file may have been cut within its last row; a row that
        is too short is then left out.

    Raises
    ------
    InputError
        No time column, labels that repeat, no rows, a row of the wrong length, a cell that is no finite
        number, time that does not increase.
    """
    if not lines:
        raise InputError("the table has no labels", where=where, expected="labels and at least one row")
    separator = separator_of(lines[0].text)
    labels, place, notes = _read_labels(lines[0], separator, where)
    rows = lines[1:]
    if not rows:
        raise InputError("the table has no rows", where=where, expected="labels and at least one row")
    cells = [_cells(line, separator, len(labels)) for line in rows]
    if not ends_whole and len(rows) > 1 and len(cells[-1]) < len(labels):
        notes.append(f"line {rows[-1].number} is not whole and was left out: the file was cut")
        rows, cells = rows[:-1], cells[:-1]
    elif not ends_whole:
        notes.append(f"line {rows[-1].number} has no end: its last number may be cut")
    numbers = np.array([_numbers(line, row, labels, where) for line, row in zip(rows, cells, strict=True)])
    if place:
        notes.append(f"time stands in column {place + 1}; OpenSim expects it first")
        labels = [labels[place], *labels[:place], *labels[place + 1 :]]
        numbers = np.column_stack([numbers[:, place], np.delete(numbers, place, axis=1)])
    numbers, rows = _without_repeated_frames(numbers, rows, where, notes)
    if (gap := _gap(numbers[:, 0])) is not None:
        ends = f"{numbers[gap, 0]:.10g} to {numbers[gap + 1, 0]:.10g} s"
        notes.append(f"line {rows[gap + 1].number}: time jumps from {ends}: frames are missing")
    names, values = _without_repeated_columns(labels[1:], numbers[:, 1:], where, notes)
    return TableRows(names, numbers[:, 0], values, tuple(notes))


def read_plain(labels: TextLine, rows: BinaryIO, where: str) -> TableRows | None:
    """Return a table whose rows need no mending; None where this cannot be said for certain.

    Parameters
    ----------
    labels : TextLine
        The line above the numbers.
    rows : binary file
        At the line that follows it.
    where : str
        The file, for messages.

    Raises
    ------
    InputError
        No time column, or a label that is blank.
    """
    separator = separator_of(labels.text)
    names, place, notes = _read_labels(labels, separator, where)
    if place or separator in (",", ";") or len(set(names)) < len(names):
        return None
    parts = []
    for text in _blocks(rows):
        if not _is_plain(text):
            return None
        try:
            parts.append(_numbers_of(text))
        except ValueError:  # a row of another length, or a cell that is no number
            return None
    if len({part.shape[1] for part in parts}) != 1:
        return None
    numbers = np.concatenate(parts)
    time_s, values = numbers[:, 0], numbers[:, 1:]
    whole = numbers.shape[1] == len(names) and np.isfinite(numbers).all()
    if not whole or (np.diff(time_s) <= _same_time_s(time_s)).any() or _gap(time_s) is not None:
        return None
    return TableRows(tuple(names[1:]), time_s, values, tuple(notes))


def _numbers_of(text: bytes) -> np.ndarray:
    """Return plain rows as an array; one of another length, or a cell that is no number, is a ValueError."""
    if len(text) < _SMALL_BYTES or b" " in text:
        return np.loadtxt(io.BytesIO(text), comments=None, ndmin=2)
    import pandas as pd  # takes long to import, and reads four times as fast

    return pd.read_csv(io.BytesIO(text), sep="\t", header=None, dtype=float, index_col=False).to_numpy()


def _blocks(rows: BinaryIO) -> Iterator[bytes]:
    """Give rows, some megabytes at a time, the last without what is blank behind it; nothing if it is cut."""
    text = rows.read(_BLOCK_BYTES) + rows.readline()
    while text:
        following = rows.read(_BLOCK_BYTES) + rows.readline()
        if following:
            yield text
        else:
            yield text.rstrip() if text.endswith(b"\n") else b""
        text = following


def _is_plain(rows: bytes) -> bool:
    """Whether there are no other letters (nan), no line ends of old, no blank lines and no empty cells."""
    if not rows or rows.translate(None, _PLAIN) or rows.count(b"\r") != rows.count(b"\r\n"):
        return False
    dense = rows.translate(None, b" \r")
    return not dense.startswith((b"\t", b"\n")) and not any(mark in dense for mark in _LEFT_EMPTY)


def read_labels(lines: list[TextLine], where: str) -> tuple[str, ...]:
    """Return the labels without time."""
    labels, place, _ = _read_labels(lines[0], separator_of(lines[0].text), where)
    return tuple(label for k, label in enumerate(labels) if k != place)


def _read_labels(line: TextLine, separator: str | None, where: str) -> tuple[list[str], int, list[str]]:
    """Return all labels, which of them is time, and notes."""
    at = f"{where}, line {line.number}"
    labels, notes = [label.strip("\"'") for label in cells_of(line.text, separator)], []
    if separator in (",", ";"):
        notes.append(f"columns are separated by '{separator}', which OpenSim cannot read")
    if blank := [label for label in labels if " " in label]:
        notes.append(f"OpenSim would split labels that hold a blank, such as '{blank[0]}'")
    if "" in labels:
        raise InputError(
            "a label is blank",
            where=at,
            found=f"column {labels.index('') + 1}",
            fix="name every column, or remove the one without a name",
        )
    if all(map(is_number, labels)):
        raise InputError(
            "there are no labels above the numbers",
            where=at,
            expected="time and the name of every column",
            found=line.text.strip()[:60],
        )
    times = [k for k, label in enumerate(labels) if label.casefold() == "time"]
    if not times and is_time(labels[0]):
        times = [0]
    if len(times) != 1 or (times[0] and separator is None):
        raise InputError(
            "a label stands twice" if len(times) > 1 else "the first column is not time",
            where=at,
            expected="time",
            found=", ".join(labels[k] for k in times) if len(times) > 1 else labels[0],
            fix="name the column of times 'time' and put it first",
        )
    if labels[times[0]] != "time":
        notes.append(f"the column of times is called '{labels[times[0]]}'; OpenSim wants 'time'")
    return labels, times[0], notes


def _cells(line: TextLine, separator: str | None, expected: int) -> list[str]:
    """Return the cells of a row; a row written with blanks below labels with tabs is split at blanks."""
    cells = cells_of(line.text, separator)
    if len(cells) != expected and separator == "\t" and "" not in cells:
        at_blanks = line.text.split()
        if len(at_blanks) == expected:
            return at_blanks
    return cells


def _numbers(line: TextLine, cells: list[str], labels: list[str], where: str) -> list[float]:
    if len(cells) != len(labels):
        raise InputError(
            "a row has the wrong number of cells",
            where=f"{where}, line {line.number}",
            expected=f"{len(labels)} cells",
            found=f"{len(cells)} cells",
            fix="OpenSim would shift all that follows: mend the row, or export the file again",
        )
    row = [float(cell) if is_number(cell) else math.nan for cell in cells]
    if not all(map(math.isfinite, row)):
        cell, label = next(
            (cell, label)
            for number, cell, label in zip(row, cells, labels, strict=True)
            if not math.isfinite(number)
        )
        raise InputError(
            "a cell is not a finite number",
            where=f"{where}, line {line.number}, column '{label}'",
            expected="a number",
            found=cell[:40] or "an empty cell",
            fix=_mend(cell),
        )
    return row


def _mend(cell: str) -> str:
    if _DECIMAL_COMMA.fullmatch(cell):
        return "write decimal points, not commas"
    if not cell or cell.casefold() in _NOT_MEASURED:
        return "fill or cut the gap; a point of application in the air may be 0"
    return "write the number, or cut the row"


def _without_repeated_frames(
    numbers: np.ndarray, rows: list[TextLine], where: str, notes: list[str]
) -> tuple[np.ndarray, list[TextLine]]:
    """Leave out frames that repeat the one before them in every number; time must increase."""
    steps = np.diff(numbers[:, 0])
    values = numbers[:, 1:]
    same = np.abs(np.diff(values, axis=0)) <= _SAME_NUMBER + _SAME_PART * np.abs(values[1:])
    repeated = np.flatnonzero((np.abs(steps) <= _same_time_s(numbers[:, 0])) & same.all(axis=1)) + 1
    backwards = np.setdiff1d(np.flatnonzero(steps <= 0) + 1, repeated)
    if len(backwards):
        later = int(backwards[0])
        raise InputError(
            "time does not increase",
            where=f"{where}, line {rows[later].number}",
            expected=f"later than {numbers[later - 1, 0]:.10g} s",
            found=f"{numbers[later, 0]:.10g} s",
            fix="remove repeated frames and sort the rows by time",
        )
    if len(repeated):
        lines = ", ".join(str(rows[k].number) for k in repeated[:5])
        notes.append(f"{len(repeated)} frames that repeat the one before were left out (line {lines})")
    kept = np.setdiff1d(np.arange(len(rows)), repeated)
    return numbers[kept], [rows[k] for k in kept]


def _same_time_s(time_s: np.ndarray) -> float:
    """Return the step below which two frames may be one, s."""
    steps = np.diff(time_s)
    return _SAME_TIME * max(float(np.median(steps)), 0.0) if steps.size else 0.0


def _gap(time_s: np.ndarray) -> int | None:
    """Return after which frame an otherwise even clock makes a longer step: frames are missing there."""
    steps = np.diff(time_s)
    if len(steps) < _FEWEST_STEPS:
        return None
    usual = np.median(steps)
    even = np.abs(steps - usual) <= _EVEN * usual
    longest = int(steps.argmax())
    return None if np.mean(even) < _MOSTLY or steps[longest] <= _GAP * usual else longest


def _without_repeated_columns(
    labels: list[str], values: np.ndarray, where: str, notes: list[str]
) -> tuple[tuple[str, ...], np.ndarray]:
    """Leave out columns whose label and numbers both stand twice."""
    first: dict[str, int] = {}
    ambiguous = _appended_forces(labels, values)
    if ambiguous:
        names = ", ".join(ambiguous)
        notes.append(f"ground forces were appended twice with different numbers and are left out: {names}")
        kept_columns = [k for k, label in enumerate(labels) if label not in ambiguous]
        labels, values = [labels[k] for k in kept_columns], values[:, kept_columns]
    for k, label in enumerate(labels):
        kept = first.setdefault(label, k)
        if kept != k and not np.array_equal(values[:, kept], values[:, k]):
            raise InputError(
                "a label stands twice, over different numbers",
                where=where,
                found=f"'{label}' in columns {kept + 2} and {k + 2}",
                fix="rename or remove one of them: OpenSim would take either",
            )
        if kept != k:
            notes.append(f"column '{label}' stands twice with the same numbers")
    places = list(first.values())
    return tuple(first), values[:, places]


def _appended_forces(labels: list[str], values: np.ndarray) -> list[str]:
    """Return the ground forces that stand twice, over different numbers, beside columns of another kind.

    A table of nothing but forces has two feet under one label; beside a motion the forces are of no use.
    """
    if all(map(_GROUND_FORCE.fullmatch, labels)):
        return []
    found, by_label = [], {}
    for k, label in enumerate(labels):
        by_label.setdefault(label, []).append(k)
    for label, places in by_label.items():
        if (
            len(places) > 1
            and _GROUND_FORCE.fullmatch(label)
            and (values[:, places] != values[:, places[:1]]).any()
        ):
            found.append(label)
    return found
