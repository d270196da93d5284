"""Numbers and tables as text: for the console, and for files in Markdown."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence

#: Characters that move a terminal's cursor, turn the direction of a text, or that no file can hold.
_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
#: Keys that TOML takes without quotes.
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|-|[+-]?(inf|nan)", re.IGNORECASE)


def printable(text: str) -> str:
    """Return a text that a terminal shows as it is: what names and files bring with them steers nothing."""
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def fixed(value: float | None, digits: int) -> str:
    """Return a number with so many decimals and a true minus sign, which zero has not; a dash for None."""
    return "\u2013" if value is None else f"{value:z.{digits}f}".replace("-", "\u2212")


def signed(value: float | None, digits: int) -> str:
    """Return the same as `fixed`, always with a sign."""
    return "\u2013" if value is None else f"{value:+z.{digits}f}".replace("-", "\u2212")


def toml_table(*keys: str) -> str:
    """Return the heading of a table in a TOML file, with quotes around keys that need them."""
    return f"[{'.'.join(k if _BARE_KEY.fullmatch(k) else json.dumps(k, ensure_ascii=False) for k in keys)}]"


def text_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """Return a table in aligned columns, for `say` or a text file.

    Parameters
    ----------
    columns : sequence of str
        Headings; a line break makes two lines of one.
    rows : iterable of sequences of str
        Cells; a short row ends early.
    left : int
        So many columns, from the first, are texts, set to the left; the others are numbers, set to the right.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for k, column in enumerate(columns):
        table.add_column(Text(column), justify="left" if k < left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    shown = io.StringIO()
    Console(file=shown, width=10_000, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in shown.getvalue().splitlines())


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown: the first column is text, the others are numbers."""
    rules = ["---", *["--:"] * (len(columns) - 1)]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in (columns, rules, *rows)
    )


def csv_table(rows: Iterable[Sequence[object]]) -> str:
    """Return rows with commas between, in which no name of a stranger is a formula.

    A spreadsheet runs a text that begins with =, +, - or @; an apostrophe before it keeps it a text (OWASP,
    CSV Injection). Numbers stay as they are.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_no_formula(cell) for cell in row] for row in rows)
    return text.getvalue()


def _no_formula(cell: object) -> object:
    if not isinstance(cell, str) or not cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return cell
    return cell if _NUMBER.fullmatch(cell) else f"'{cell}"
