"""Cells of text tables that are no numbers: moments, such as dates and times of day, and names of sensors."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.formats.text_tables import shortened, words

#: A date that begins or ends with the year, or none; a time of day; the zone of its clock.
_MOMENT = re.compile(
    r"(?:(?P<date>\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4})[T ]\s*)?"
    r"(?P<hour>[0-2]?\d):(?P<minute>[0-5]\d):(?P<second>[0-5]\d)(?:[.,:](?P<fraction>\d{1,9}))?"
    r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?(?:\s*(?P<zone>Z|UTC|GMT|[+-]\d\d:?\d\d))?"
)
_DAY_S = 86400
#: The day from which dates are counted.
_FIRST_DAY = date(1970, 1, 1).toordinal()


def is_moment(cell: str) -> bool:
    """Return whether a cell is a time of day, with or without a date."""
    return _MOMENT.fullmatch(cell.strip(' "')) is not None


def cells_of_column(body: bytes, mark: str, place: int) -> list[str]:
    """Return the cells of a column, one a line of the rows; empty where a line is too short."""
    own = (line.split(mark.encode(), place + 1) for line in body.split(b"\n"))
    return [words(cells[place]).strip(' "\r') if len(cells) > place else "" for cells in own]


def with_nanoseconds(body: bytes, mark: str, place: int, path: Path, first: int) -> bytes:
    """Return rows in which the moments of a column are ns: of dates since 1970, else since midnight.

    Whole numbers, as a decimal point would stand beside the commas of a table that has these.

    Parameters
    ----------
    body : bytes
        The rows.
    mark : str
        What separates columns.
    place : int
        The column.
    first : int
        Line of the file at which the rows start.

    Raises
    ------
    InputError
        If a cell of the column is no moment.
    """
    separator, days, rows = mark.encode(), _Days(), []
    for number, row in enumerate(body.split(b"\n"), first):
        cells = row.split(separator, place + 1)
        if len(cells) <= place or not row.strip(separator + b" \t"):
            rows.append(row)
            continue
        cell = words(cells[place]).strip(' "')
        match = _MOMENT.fullmatch(cell)
        if match is None:
            raise InputError(
                "A time cannot be read.",
                where=f"{path}, line {number}",
                expected="a time like those above it, such as 2024-03-01 12:00:00.250",
                found=f"'{shortened(cell)}'",
            )
        fraction = (match["fraction"] or "").ljust(9, "0")
        cells[place] = f"{days.seconds(match)}{fraction}".encode()
        rows.append(separator.join(cells))
    return b"\n".join(rows)


@dataclass
class _Days:
    """The days of a table's rows, as its dates or the turns of its clock tell them."""

    known: dict[str, int] = field(default_factory=dict)
    turned: int = 0
    last_s: int | None = None

    def seconds(self, match: re.Match[str]) -> int:
        """Return the whole seconds of a moment, at Greenwich if it tells its zone."""
        half, zone = match["half"], match["zone"] or ""
        hour = int(match["hour"]) % 12 + 12 * (half in "Pp") if half else int(match["hour"])
        time_s = 3600 * hour + 60 * int(match["minute"]) + int(match["second"])
        if zone[:1] in ("+", "-"):
            ahead_s = 3600 * int(zone[1:3]) + 60 * int(zone[-2:])
            time_s -= ahead_s if zone[0] == "+" else -ahead_s
        if match["date"]:
            return time_s + _DAY_S * self._of_date(match["date"])
        # Past midnight, or back before it, where a table goes on with another sensor.
        if self.last_s is not None and abs(time_s - self.last_s) > _DAY_S // 2:
            self.turned += 1 if time_s < self.last_s else -1
        self.last_s = time_s
        return time_s + _DAY_S * self.turned

    def _of_date(self, text: str) -> int:
        """Return the days from 1970 to a date; where day and month may be either, from a table's first."""
        if text not in self.known:
            first = next(iter(self.known.values()), None)
            day, told = _day_of([int(part) for part in re.split("[-/.]", text)], text[:4].isdigit())
            self.known[text] = day if told or first is None else first + len(self.known)
        return self.known[text]


def _day_of(parts: list[int], year_first: bool) -> tuple[int, bool]:
    """Return the days from 1970 to a date, and whether there is one way to read it; else day comes first."""
    orders = [(0, 1, 2)] if year_first else [(2, 1, 0), (2, 0, 1)]
    days = []
    for order in orders:
        year, month, day = (parts[k] for k in order)
        with contextlib.suppress(ValueError):  # no date of a calendar
            days.append(date(year + 2000 if year < 100 else year, month, day).toordinal() - _FIRST_DAY)
    return (days[0] if days else 0), len(set(days)) == 1


def rows_by_name(cells: Sequence[str]) -> dict[str, list[int]]:
    """Return the rows of each name in a column."""
    found: dict[str, list[int]] = {}
    for row, cell in enumerate(cells):
        found.setdefault(cell, []).append(row)
    return found
