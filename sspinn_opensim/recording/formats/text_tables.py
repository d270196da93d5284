"""Tables of text as devices write them: some lines, one line of column names, then numbers, read at once."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from casadi_dynamics.cores import side_by_side
from casadi_dynamics.errors import InputError
from casadi_dynamics.input_files import read_input, refuse_long_lines

#: So many lines may stand before the column names.
MOST_LINES = 500
#: Rows whose cells are counted at once, and bytes that are parsed at once, about.
_ROWS_AT_ONCE, _BYTES_AT_ONCE = 20_000, 8_000_000
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?nan|", re.IGNORECASE | re.ASCII)
#: Cells that say that nothing was measured.
_MISSING = ("", "nan", "NaN", "NAN", "-nan", "-NaN")
#: Spellings that the parser would take for the numbers 1 and 0.
_TRUTH = (b"rue", b"RUE", b"alse", b"ALSE")
#: Rows with fewer bytes, of these letters and the separator, are read without pandas.
_SMALL_BYTES, _PLAIN = 8_000_000, b"0123456789+-.eE\n"


@dataclass(frozen=True, eq=False)
class TextTable:
    """Numbers under names.

    Parameters
    ----------
    path : Path
        The file, for messages.
    preamble : tuple of str
        Lines before the column names.
    columns : tuple of str
        All names, in the order of the file.
    values : dict of str to (n,) array
        The wanted columns, by their name in small letters. NaN where a cell is empty or says so.
    lines : sequence of n int
        Line of the file of each row.
    notes : tuple of str
        What was mended, one sentence each.
    """

    path: Path
    preamble: tuple[str, ...]
    columns: tuple[str, ...]
    values: dict[str, np.ndarray]
    lines: Sequence[int]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.lines)

    def has(self, *names: str) -> bool:
        """Say whether all these columns were read, whatever the size of their letters."""
        return all(name.lower() in self.values for name in names)

    def column(self, name: str) -> np.ndarray | None:
        """Return a column, (n,), or None."""
        return self.values.get(name.lower())

    def vector(self, *names: str) -> np.ndarray | None:
        """Return columns side by side, (n, len(names)); None where one of them is missing."""
        if not self.has(*names):
            return None
        return np.stack([self.values[name.lower()] for name in names], axis=1)

    def rows(self, chosen: np.ndarray) -> TextTable:
        """Return the table of some rows, (n,) of bool."""
        lines = [self.lines[row] for row in np.flatnonzero(chosen).tolist()]
        values = {name: column[chosen] for name, column in self.values.items()}
        return replace(self, values=values, lines=lines)

    def at(self, row: int) -> str:
        """Return the place of a row, for messages."""
        return f"{self.path}, line {self.lines[row]}"


def read_bytes(path: Path) -> bytes:
    """Return a text file in UTF-8 or one byte a letter, without byte order mark, with line feeds."""
    data = read_input(path, "the recording")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            text = data.decode("utf-16")
            data = text.encode()
        except UnicodeError as error:
            raise InputError("The recording is not a text table.", where=path) from error
        # Line ends that a program put into UTF-16 byte by byte: every second line is no text any more.
        if any(torn in text for torn in "\u0a0d\u0d0a\u0d0d\u0a0a"):
            raise InputError("The recording is not a text table.", where=path, found="damaged UTF-16")
    data = data.removeprefix(b"\xef\xbb\xbf")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    refuse_long_lines(data, path)
    return data


def words(line: bytes) -> str:
    """Return a line of text in UTF-8, else in the code page of Windows, which spreadsheets write."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("cp1252", errors="replace")


def first_lines(path: Path, head: bytes) -> list[str]:
    """Return the lines in the first bytes of a text file; none of XML and of what is no text."""
    if path.suffix.lower() == ".xml" or b"\x00" in head:
        return []
    return [words(line) for line in head.removeprefix(b"\xef\xbb\xbf").splitlines() if line.strip()]


def cells_of(line: str) -> tuple[str, ...]:
    """Return the cells of a line of names, without quotes and blanks around them."""
    return tuple(cell.strip().strip('"') for cell in line.split(separator_of(line.rstrip())))


def separator_of(line: str) -> str:
    """Return what stands between the names of a line: a tab, a semicolon, a comma, else a blank."""
    return next((mark for mark in "\t;," if mark in line), " ")


def read_text_table(
    path: Path,
    is_columns: Callable[[Sequence[str]], bool],
    wanted: Callable[[str], bool],
    what: str,
    data: bytes | None = None,
) -> TextTable:
    """Read the wanted columns of a file.

    Parameters
    ----------
    is_columns : callable
        Says of the cells of a line whether they are the column names.
    wanted : callable
        Says of a column name in small letters whether its numbers are needed. Others may hold anything.
    what : str
        What a line of column names holds, for messages.
    data : bytes, optional
        What the file holds, by `read_bytes`, if something was replaced in it.

    Raises
    ------
    InputError
        If the file cannot be read or is no text, no line of column names is found, a row has more or fewer
        cells than names, a cell is not a number, a column is there twice, or there is no row.
    """
    data = read_bytes(path) if data is None else data
    start, before = 0, []
    while True:
        end = data.find(b"\n", start)
        line = words(data[start : end if end >= 0 else len(data)])
        mark, columns = separator_of(line.rstrip()), cells_of(line)
        if is_columns(columns):
            break
        before.append(line)
        if end < 0 or len(before) > MOST_LINES:
            raise InputError(
                "The recording has no line of column names.",
                where=path,
                expected=what,
                found=shortened(next((text for text in before if text.strip()), "")) or "an empty file",
            )
        start = end + 1
    body = data[end + 1 :] if end >= 0 else b""
    names = [name.lower() for name in columns]
    kept = [k for k, name in enumerate(names) if name and wanted(name)]
    twice = next((name for k, name in enumerate(names) if k in kept and names.index(name) != k), None)
    if twice is not None:
        where = f"{path}, line {len(before) + 1}"
        raise InputError(f"Two columns are named '{columns[names.index(twice)]}'.", where=where)
    notes = ()
    if mark != "," and b"," in body and b"." not in body:
        body, notes = body.replace(b",", b"."), ("Decimal commas are read as points.",)
    rows = range(len(before) + 2, len(before) + len(body) + 3)
    numbers, lines = read_numbers(body, mark, len(columns), kept, path, rows, columns)
    values = {names[k]: numbers[:, place] for place, k in enumerate(kept)}
    return TextTable(path, tuple(before), columns, values, lines, notes)


def read_numbers(
    body: bytes,
    mark: str,
    width: int,
    kept: Sequence[int],
    path: Path,
    lines: Sequence[int],
    names: Sequence[str] = (),
) -> tuple[np.ndarray, Sequence[int]]:
    """Return some columns of rows of text as numbers, and the line of the file of each row.

    Parameters
    ----------
    body : bytes
        Rows, with line feeds. Blank lines are passed over; one separator too many at the end of all rows is
        allowed.
    mark : str
        The separator.
    width : int
        Cells in a row.
    kept : sequence of int
        Columns to return, in rising order.
    lines : sequence of int
        Line of the file of each row, and perhaps more.
    names : sequence of str
        Names of the columns, for messages.

    Returns
    -------
    (n, len(kept)) array, sequence of n int
    """
    body = body if body.endswith(b"\n") else body + b"\n"
    body, width_of_body, lines = _checked_rows(body, mark, width, path, lines)
    values = _at_once(body, mark, width_of_body, kept)
    if values is None or _truths(values, body):
        values = _cell_by_cell(body, mark, kept, path, lines, names)
    if np.any(np.isinf(values)):
        row, column = np.argwhere(np.isinf(values))[0]
        raise _not_a_number(path, lines[row], names, kept[column], "a number that no device measures")
    return values, lines


def _checked_rows(
    body: bytes, mark: str, width: int, path: Path, lines: Sequence[int]
) -> tuple[bytes, int, Sequence[int]]:
    """Return the rows that hold something, how many cells each of them has, and their lines."""
    letters = np.frombuffer(body, np.uint8)
    ends = np.flatnonzero(letters == ord("\n"))
    starts = np.concatenate([[0], ends[:-1] + 1])
    cells = np.empty(len(ends), np.int32)
    for first in range(0, len(ends), _ROWS_AT_ONCE):  # of all rows, marks would take more room than the text
        part = slice(first, min(first + _ROWS_AT_ONCE, len(ends)))
        marks = letters[starts[first] : ends[part.stop - 1] + 1] == ord(mark)
        cells[part] = np.add.reduceat(marks.view(np.int8), starts[part] - starts[first], dtype=np.int32) + 1
    filled = np.diff(ends, prepend=-1) != cells  # else there are only separators
    for row in np.flatnonzero(filled & (cells == 1)) if width > 1 else ():
        filled[row] = bool(body[starts[row] : ends[row]].strip())
    if not filled.any():
        raise InputError(
            "The recording has no samples.", where=path, expected="rows of numbers below the column names"
        )
    if filled.all():
        lines = lines[: len(ends)]
    else:
        lines, cells = [lines[row] for row in np.flatnonzero(filled).tolist()], cells[filled]
        kept = (body[starts[row] : ends[row]] for row in np.flatnonzero(filled))
        body = b"\n".join(kept) + b"\n"
    # A separator at the end of every row is one cell more. With anything behind it, a name is missing.
    ended = np.all(cells == width + 1) and np.all(letters[ends[filled] - 1] == ord(mark))
    allowed = width + 1 if ended else width
    if np.any(cells != allowed):
        row = int(np.argmax(cells != allowed))
        raise InputError(
            "A row does not match the line of names.",
            where=f"{path}, line {lines[row]}",
            expected=f"{width} cells",
            found=f"{cells[row]} cells",
            fix="the file was cut off there: remove the row" if row == len(cells) - 1 else "",
        )
    return body, allowed, lines


def _at_once(body: bytes, mark: str, width: int, kept: Sequence[int]) -> np.ndarray | None:
    """Return the numbers; None where a cell is none."""
    if width > 1 and kept and len(body) < _SMALL_BYTES and not body.translate(None, _PLAIN + mark.encode()):
        with contextlib.suppress(ValueError):  # a cell is none
            return np.loadtxt(io.BytesIO(body), delimiter=mark, comments=None, usecols=kept, ndmin=2)
    edges, rows = [0], [0]
    while (start := edges[-1]) < len(body):
        edges.append(body.find(b"\n", min(start + _BYTES_AT_ONCE, len(body) - 1)) + 1)
        rows.append(rows[-1] + body.count(b"\n", start, edges[-1]))
    values = np.empty((rows[-1], len(kept)))

    def read(k: int) -> None:
        values[rows[k] : rows[k + 1]] = _numbers(body[edges[k] : edges[k + 1]], mark, width, kept)

    try:
        side_by_side(read, range(len(rows) - 1))
    except (ValueError, OverflowError):
        return None
    return values


def _numbers(body: bytes, mark: str, width: int, kept: Sequence[int]) -> np.ndarray:
    """Return the numbers of rows."""
    import pandas as pd  # takes longer to import than rows of a few megabytes to read without it

    return pd.read_csv(
        io.BytesIO(body),
        sep=mark,
        header=None,
        names=range(width),
        usecols=list(kept),
        dtype=np.float64,
        index_col=False,
        keep_default_na=False,
        na_values=list(_MISSING),
        quoting=csv.QUOTE_NONE,
        encoding="latin-1",
        skip_blank_lines=False,
    ).to_numpy()


def _truths(values: np.ndarray, body: bytes) -> bool:
    """Return whether a column of words "true" and "false" was taken for numbers."""
    known = ~np.isnan(values)
    switch = np.all(~known | (values == 0.0) | (values == 1.0), axis=0) & np.any(known, axis=0)
    return bool(np.any(switch)) and any(spelling in body for spelling in _TRUTH)


def _cell_by_cell(
    body: bytes, mark: str, kept: Sequence[int], path: Path, lines: Sequence[int], names: Sequence[str]
) -> np.ndarray:
    """Return the numbers, or refuse the first cell that is none."""
    values = np.empty((len(lines), len(kept)))
    for row, line in enumerate(body.split(b"\n")[: len(lines)]):
        cells = words(line).split(mark)
        for place, column in enumerate(kept):
            cell = cells[column].strip()
            if not _NUMBER.fullmatch(cell):
                raise _not_a_number(path, lines[row], names, column, f"'{shortened(cell)}'")
            values[row, place] = float(cell or "nan")
    return values


def _not_a_number(path: Path, line: int, names: Sequence[str], column: int, found: str) -> InputError:
    name = f", column '{names[column]}'" if column < len(names) else f", column {column + 1}"
    return InputError(
        "A cell is not a number.",
        where=f"{path}, line {line}{name}",
        found=found,
        fix="what was not measured is an empty cell or NaN; names of columns stand in one line",
    )


def shortened(text: str) -> str:
    """Return a text of a file for a message: on one line, and not long."""
    text = " ".join(text.split())
    return text if len(text) <= 80 else text[:77] + "..."
