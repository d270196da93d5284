"""OpenSim's tables of numbers over time (``.sto`` and ``.mot``), read and written.

OpenSim has two readers with different tastes, and several malformed files pass one of them in silence
with wrong numbers. So what is written here is the one form both read alike (version 1 header with the
right counts, tabs, no missing values), and what is read here is checked against its own header.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError, nearest
from sspinn_opensim.opensim_io.files import write_atomically

_YES, _NO = {"yes", "y", "true", "1"}, {"no", "n", "false", "0"}
_COUNT_KEYS = {"nrows": "rows", "datarows": "rows", "ncolumns": "columns", "datacolumns": "columns"}


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
    """

    names: tuple[str, ...]
    time_s: np.ndarray
    values: np.ndarray
    in_degrees: bool | None = False
    header: str = "table"

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
    lines = [
        " ".join(table.header.split()) or path.stem,
        "version=1",
        f"nRows={len(time_s)}",
        f"nColumns={len(table.names) + 1}",
        f"inDegrees={'yes' if table.in_degrees else 'no'}",
        "endheader",
        "\t".join(("time", *table.names)),
    ]
    rows = np.column_stack([time_s, values]) + 0.0  # adding zero turns -0.0 into 0.0
    lines += ["\t".join(map(repr, row)) for row in rows.tolist()]
    return write_atomically(path, "\n".join(lines) + "\n")


def read_storage(path: Path) -> Table:
    """Read a ``.sto`` or ``.mot`` file, checking it against its own header.

    Accepts header versions 1 to 3, tabs or spaces between cells, CRLF, a byte order mark, blank lines,
    and the spellings of ``inDegrees`` found in the wild.

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
        finite number, time that does not increase, counts that disagree with the header, no rows.
    """
    path = Path(path)
    lines = _read_lines(path)
    header, header_end = _read_header(path, lines)
    body = [(k + 1, line) for k, line in enumerate(lines) if k > header_end and line.strip()]
    if len(body) < 2:
        raise InputError("the table has no rows", where=str(path), expected="labels and at least one row")
    (label_line, label_text), rows = body[0], body[1:]
    labels = _split(label_text)
    if labels[0].lower() != "time":
        raise InputError(
            "the first column is not time",
            where=f"{path}, line {label_line}",
            expected="time",
            found=labels[0],
        )
    _check_labels(labels[1:], f"{path}, line {label_line}")
    numbers = np.array([_parse_row(path, line, text, labels) for line, text in rows])
    backwards = np.flatnonzero(np.diff(numbers[:, 0]) <= 0)
    if len(backwards):
        later = backwards[0] + 1
        raise InputError(
            "time does not increase",
            where=f"{path}, line {rows[later][0]}",
            expected=f"later than {numbers[later - 1, 0]:g} s",
            found=f"{numbers[later, 0]:g} s",
            fix="remove repeated frames and sort the rows by time",
        )
    for key, found in (("rows", len(rows)), ("columns", len(labels))):
        if key in header and header[key] != str(found):
            raise InputError(
                f"the header states another number of {key} than the file holds",
                where=str(path),
                expected=f"{header[key]} {key}",
                found=f"{found} {key}",
                fix="the file was cut or edited: write it again",
            )
    return Table(
        names=tuple(labels[1:]),
        time_s=numbers[:, 0],
        values=numbers[:, 1:],
        in_degrees=_read_in_degrees(path, header),
        header=header.get("title", path.stem),
    )


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
    bad = np.argwhere(~np.isfinite(np.column_stack([time_s, values])))
    if len(bad):
        row, column = bad[0]
        raise InputError(
            "a value is not a finite number",
            where=where,
            found=f"column '{('time', *table.names)[column]}', row {row + 1} (t = {time_s[row]:g} s)",
            fix="fill or cut the gap: OpenSim drops every later row in silence",
        )
    if np.any(np.diff(time_s) <= 0):
        row = int(np.flatnonzero(np.diff(time_s) <= 0)[0]) + 1
        raise InputError("time does not increase", where=where, found=f"row {row + 1}, t = {time_s[row]:g} s")


def _check_labels(names, where: str) -> None:
    seen = set()
    for name in names:
        if not name or name.split() != [name]:
            raise InputError("a label is blank or holds a space", where=where, found=repr(name))
        if name in seen or name.lower() == "time":
            raise InputError("a label stands twice", where=where, found=name)
        seen.add(name)


def _read_lines(path: Path) -> list[str]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            "cannot read the file", where=str(path), found=error.strerror or str(error), fix="check the path"
        ) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.splitlines()


def _read_header(path: Path, lines: list[str]) -> tuple[dict[str, str], int]:
    """Return header keys in lower case (counts under ``rows`` and ``columns``) and the index of its end."""
    header: dict[str, str] = {}
    for k, line in enumerate(lines):
        text = line.strip()
        if text.lower() == "endheader":
            return header, k
        key, separator, value = text.partition("=")
        if not separator:  # motion files of old write "datarows 120"
            words = text.split()
            if len(words) == 2 and words[0].lower() in _COUNT_KEYS:
                key, separator, value = words[0], "=", words[1]
        key = key.strip().lower()
        if separator:
            header[_COUNT_KEYS.get(key, key)] = value.strip()
        elif text and "title" not in header:
            header["title"] = text
    raise InputError(
        "the header has no end",
        where=str(path),
        expected="a line 'endheader' before the labels",
        fix="is this an OpenSim .sto or .mot file?",
    )


def _read_in_degrees(path: Path, header: dict[str, str]) -> bool | None:
    if "indegrees" not in header:
        return None
    word = header["indegrees"].lower()
    if word not in _YES | _NO:
        raise InputError("inDegrees is neither yes nor no", where=str(path), expected="yes or no", found=word)
    return word in _YES


def _split(text: str) -> list[str]:
    """Cells of a line: between tabs, so that a label may be checked for spaces, else between spaces."""
    if "\t" not in text.strip():
        return text.split()
    return [cell.strip() for cell in text.rstrip().split("\t")]


def _parse_row(path: Path, line: int, text: str, labels: list[str]) -> list[float]:
    cells = text.split()
    if len(cells) != len(labels):
        raise InputError(
            "a row has the wrong number of cells",
            where=f"{path}, line {line}",
            expected=f"{len(labels)} cells",
            found=f"{len(cells)} cells",
        )
    row = []
    for label, cell in zip(labels, cells, strict=True):
        try:
            number = float(cell)
        except ValueError:
            number = np.nan
        if not np.isfinite(number):
            raise InputError(
                "a cell is not a finite number",
                where=f"{path}, line {line}, column '{label}'",
                expected="a number",
                found=cell,
                fix="fill or cut the gap",
            )
        row.append(number)
    return row
