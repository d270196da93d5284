"""Small pieces of HTML: tables, legends and numbers as text. Everything a user named is escaped here."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from sspinn_opensim.anatomy import SIDES, without_side


def keys(entries: Sequence[tuple[str, str]]) -> str:
    """Legend of (role, text) entries."""
    swatch = '<svg viewBox="0 0 30 10" aria-hidden="true"><path class="{}" d="{}"/></svg>'
    line, area = "M1 5H29", "M1 0H29V10H1Z"
    return (
        '<div class="legend">'
        + "".join(
            f"<span>{swatch.format(*((role, area) if role == 'band' else (f'line {role}', line)))}"
            f"{escape(text)}</span>"
            for role, text in entries
        )
        + "</div>"
    )


def table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, bold_last: bool = False, wrap: int | None = None
) -> str:
    """Table of texts; `wrap` is the column whose text may break over lines."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    lines = []
    for number, row in enumerate(rows):
        cells = "".join(
            f"<td{' class=wrap' if k == wrap else ''}>{escape(str(c))}</td>" for k, c in enumerate(row)
        )
        bold = ' class="mean"' if bold_last and number == len(rows) - 1 else ""
        lines.append(f"<tr{bold}>{cells}</tr>")
    body = "".join(lines)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def words(name: str) -> str:
    """Turn ``knee_angle_r`` into ``Knee angle, right``."""
    base, side = without_side(name)
    plain = base.replace("_", " ")
    return plain[:1].upper() + plain[1:] + (f", {SIDES[side]}" if side else "")
