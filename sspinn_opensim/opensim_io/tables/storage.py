"""OpenSim's tables of numbers over time (``.sto`` and ``.mot``), read and written.

OpenSim has two readers with different tastes, and several malformed files pass one of them in silence
with wrong numbers. So what is written here is the one form both read alike (version 1 header with the
right counts, tabs, no missing values), and what is read here is checked against its own header.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from casadi_dynamics.errors import InputError, InputWarning, nearest
from casadi_dynamics.input_files import check_input
from sspinn_opensim.files import write_atomically
from sspinn_opensim.opensim_io.tables.storage_header import Header, split_header, to_lines, unusual_bytes
from sspinn_opensim.opensim_io.tables.storage_rows import TableRows, read_body, read_labels, read_plain

#: Rows that are text at the same time, letters that are copied at once, and bytes in which a usual head ends.
_ROWS_AT_ONCE, _AT_ONCE, _LONGEST_HEAD = 10_000, 2**20, 2**18
#: All lines to the end of the header, and those up to the labels.
_HEAD = re.compile(rb"(?is)(?:[^\n]*\n){0,500}?[ \t,;]*endheader[ \t,;]*\r?\n(?:[ \t,;\r]*\n)*[^\n]*\n")


@dataclasses.dataclass(frozen=True)
class Table:
    """Columns of numbers over time.

    Parameters
    ----------
    names : tuple of str
        Column labels without ``time``.
    time_s : ndarray, shape (n,)
        Strictly increasing times, s.
    values : ndarray, shape (n, len(names))
        The numbers as they stand in the file; nothing is converted.
    in_degrees : bool or None
        Whether rotational coordinates are in degrees; None where the file does not say.
    header : str
        Title, the first line of the file.
    notes : tuple of str
        What was mended when the file was read, or is read otherwise by OpenSim. A file with notes should be
        written anew before OpenSim's tools get it.
    """

    names: tuple[str, ...]
    time_s: np.ndarray
    values: np.ndarray
    in_degrees: bool | None = False
    header: str = "table"
    notes: tuple[str, ...] = ()

    def column(self, name: str) -> np.ndarray:
        """Return one column, shape (n,).

        Raises
        ------
        InputError
            There is no such column.
        """
        if name not in self.names:
            raise InputError(
                f"no column '{name}' in table '{self.header}'",
                expected=", ".join(self.names),
                fix=nearest(name, self.names),
            )
        return self.values[:, self.names.index(name)]


def write_storage(path: Path, table: Table) -> Path:
    """Write a table so that both OpenSim readers read the same numbers from it.

    Numbers are written with the digits that restore them exactly. The file appears whole or not at all.

    Parameters
    ----------
    path : Path
        Ends in ``.sto`` or ``.mot``; OpenSim chooses its reader by that.
    table : Table
        What to write.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InputError
        Wrong extension; a value that is not finite; time that does not increase; labels that are blank,
        repeated, hold a space, or are ``time``; shapes that disagree; a place that cannot be written.
    """
    path = Path(path)
    time_s, values = np.asarray(table.time_s, float), np.asarray(table.values, float)
    _check_writable(path, table, time_s, values)
    head = storage_head(
        " ".join(table.header.split()) or path.stem,
        table.names,
        len(time_s),
        in_degrees=bool(table.in_degrees),
    )
    return write_atomically(path, itertools.chain([head], _rows(time_s, values)))


def write_under_title(path: Path, written: Path, title: str) -> Path:
    """Write a table once more that `write_storage` wrote, under another title: its numbers stay text."""
    with written.open(encoding="utf-8", newline="") as text:
        text.readline()
        head = (" ".join(title.split()) or path.stem) + "\n"
        return write_atomically(path, itertools.chain([head], iter(lambda: text.read(_AT_ONCE), "")))


def storage_head(title: str, names: Sequence[str], rows: int, *, in_degrees: bool) -> str:
    """Return the lines of a table above its numbers, labels included."""
    lines = [
        " ".join(title.split()) or "table",
        "version=1",
        f"nRows={rows}",
        f"nColumns={len(names) + 1}",
        f"inDegrees={'yes' if in_degrees else 'no'}",
        "endheader",
        "\t".join(("time", *names)),
    ]
    return "\n".join(lines) + "\n"


def storage_row(numbers: Sequence[float]) -> str:
    """Return the line of a time and the numbers after it, with the digits that restore them exactly."""
    return "\t".join(map(repr, numbers)) + "\n"


def _rows(time_s: np.ndarray, values: np.ndarray) -> Iterator[str]:
    """Give the text of some rows after the other, each number with the digits that restore it exactly."""
    import orjson

    for first in range(0, len(time_s), _ROWS_AT_ONCE):
        part = slice(first, first + _ROWS_AT_ONCE)
        rows = np.column_stack([time_s[part], values[part]]) + 0.0  # adding zero turns -0.0 into 0.0
        rows = np.ascontiguousarray(rows)  # a choice of columns is not, and orjson refuses it
        text = orjson.dumps(rows, option=orjson.OPT_SERIALIZE_NUMPY)  # [[0.0,1.5],[0.01,1.6]]
        yield text[2:-2].replace(b"],[", b"\n").replace(b",", b"\t").decode("ascii") + "\n"


class StorageWarning(InputWarning):
    """A table was mended while it was read, or OpenSim reads it otherwise."""


def read_storage(path: Path) -> Table:
    """Read a ``.sto`` or ``.mot`` file of OpenSim or of a laboratory, checking it against its own header.

    Accepts header versions 1 to 3, tabs or blanks between cells, any line ends, a byte order mark, blank
    lines, and the spellings of ``inDegrees`` and ``time`` found in the wild. What was mended, or is read
    otherwise by OpenSim, is a `StorageWarning` each, and in `Table.notes`.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Table
        Values as they stand in the file; see `Table.in_degrees`.

    Raises
    ------
    InputError
        Names the line: no end of header, no time column, a row of the wrong length, a cell that is no
        finite number, time that does not increase, repeated labels, no rows.
    """
    path = Path(path)
    with _readable(path), path.open("rb") as file:
        found = _read_at_once(file, str(path))
    header, body = found or _read_line_by_line(_read_bytes(path), str(path))
    notes = [*header.notes, *body.notes, *_miscounted(header, body)]
    for note in notes:
        warnings.warn(f"{path}: {note}", StorageWarning, stacklevel=2)
    return Table(
        body.names, body.time_s, body.values, header.in_degrees, header.title or path.stem, tuple(notes)
    )


def _read_at_once(file: BinaryIO, where: str) -> tuple[Header, TableRows] | None:
    """Return what a file of the usual form holds; None where only the other reader can tell."""
    found = _HEAD.match(file.read(_LONGEST_HEAD))
    if found is None or unusual_bytes(found[0]):
        return None
    header, lines = split_header(to_lines(found[0], where), where)
    file.seek(found.end())  # the text of a long recording is never in memory as a whole
    body = read_plain(lines[0], file, where) if len(lines) == 1 else None
    return None if body is None else (header, body)


def _read_line_by_line(data: bytes, where: str) -> tuple[Header, TableRows]:
    text = to_lines(data, where)
    header, lines = split_header(text, where)
    header = dataclasses.replace(header, notes=(*unusual_bytes(data), *header.notes))
    return header, read_body(lines, where, ends_whole=not text[-1].text.strip())


def storage_labels(path: Path) -> tuple[str, ...]:
    """Return the labels of a file without time, not reading its numbers.

    Raises
    ------
    InputError
        The head of the file cannot be read.
    """
    path = Path(path)
    data = _read_bytes(path, _LONGEST_HEAD)
    found = _HEAD.match(data)
    if found is not None and not unusual_bytes(found[0]):
        data = found[0]
    elif len(data) == _LONGEST_HEAD:
        data = _read_bytes(path)
    _, lines = split_header(to_lines(data, str(path)), str(path))
    return read_labels(lines, str(path)) if lines else ()


def _miscounted(header: Header, body: TableRows) -> list[str]:
    """Return what the header miscounts; OpenSim's Storage follows the header, not the file."""
    found = {"rows": len(body.time_s), "columns": len(body.names) + 1}
    return [
        f"the header states {stated} {key}, the file holds {found[key]}: OpenSim would misread it"
        for key, stated in header.counts.items()
        if stated != found[key]
    ]


def _read_bytes(path: Path, most: int = -1) -> bytes:
    with _readable(path), path.open("rb") as file:
        return file.read(most)


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    if path.exists():
        check_input(path, "the table")
    try:
        yield
    except OSError as error:
        raise InputError(
            "cannot read the file", where=str(path), found=error.strerror or str(error), fix="check the path"
        ) from error


def _check_writable(path: Path, table: Table, time_s: np.ndarray, values: np.ndarray) -> None:
    where = str(path)
    if path.suffix not in (".sto", ".mot"):
        raise InputError("not a storage file name", where=where, expected=".sto or .mot", found=path.suffix)
    if table.in_degrees is None:
        raise InputError(
            "the table does not say whether it is in degrees", where=where, expected="in_degrees"
        )
    _check_labels(table.names, where)
    expected_shape = (len(time_s), len(table.names))
    if time_s.ndim != 1 or len(time_s) == 0 or values.shape != expected_shape:
        raise InputError(
            "the table's shapes disagree",
            where=where,
            expected=f"values {expected_shape}, at least one row",
            found=f"time {time_s.shape}, values {values.shape}",
        )
    if not (np.isfinite(time_s).all() and np.isfinite(values).all()):
        row, column = np.argwhere(~np.isfinite(np.column_stack([time_s, values])))[0]
        raise InputError(
            "a value is not a finite number",
            where=where,
            found=f"column '{('time', *table.names)[column]}', row {row + 1} (t = {time_s[row]:g} s)",
            fix="fill or cut the gap: OpenSim drops every later row in silence",
        )
    if np.any(np.diff(time_s) <= 0):
        row = int(np.flatnonzero(np.diff(time_s) <= 0)[0]) + 1
        raise InputError("time does not increase", where=where, found=f"row {row + 1}, t = {time_s[row]:g} s")


def _check_labels(names: Iterable[str], where: str) -> None:
    seen = set()
    for name in names:
        if not name or name.split() != [name]:
            raise InputError("a label is blank or holds a space", where=where, found=repr(name))
        if name in seen or name.lower() == "time":
            raise InputError("a label stands twice", where=where, found=name)
        seen.add(name)
