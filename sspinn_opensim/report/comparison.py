"""Two results beside each other, as text and as a page."""

from __future__ import annotations

from collections.abc import Sequence

from sspinn_opensim.evaluation.comparison import Group
from sspinn_opensim.report.charts import Chart, Line
from sspinn_opensim.report.page import Page, Section, Table
from sspinn_opensim.text import fixed, signed, text_table

COLUMNS = ("column", "unit", "RMSD", "bias B - A", "largest", "at, s", "r", "range of A")


def comparison_text(group: Group) -> str:
    """Return the differences of one kind of table, for printing."""
    lines = [
        f"A {group.sources[0]}, B {group.sources[1]}: "
        f"{group.window_s[0]:.3f} to {group.window_s[1]:.3f} s, {group.samples} samples",
        text_table(COLUMNS, _rows(group), left=2),
    ]
    for which, names in (("A", group.only_a), ("B", group.only_b)):
        if names:
            lines.append(f"only in {which}: {', '.join(names)}")
    return "\n".join(lines)


def comparison_page(a: str, b: str, groups: Sequence[Group]) -> str:
    """Return the differences between two results, named `a` and `b`, as a page with every curve."""
    sections = []
    for k, group in enumerate(groups):
        rows = _rows(group)
        charts = [
            Chart(
                tuple(
                    Line(group.time_s, curve, role)
                    for curve, role in zip(group.curves[row.name], ("reference", "estimate"), strict=True)
                ),
                row.name,
                row.unit,
                note=f"RMSD {cells[2]}",
            )
            for row, cells in zip(group.differences, rows, strict=True)
        ]
        content = {
            "hint": "",
            "legend": [("reference", f"A {group.sources[0]}"), ("estimate", f"B {group.sources[1]}")],
            "charts": charts,
            "style": "charts small",
            "tables": [("", Table(COLUMNS, rows, left=2))],
        }
        sections.append(Section(f"group-{k}", group.title, "curves.html", content))
    return Page(f"{a} and {b}", sections).html()


def _rows(group: Group) -> list[list[str]]:
    """Return the differences as texts, one row a column."""
    return [
        [
            row.name,
            row.unit,
            _number(row.rmsd),
            _number(row.bias, sign=True),
            _number(row.largest),
            fixed(row.largest_at_s, 3),
            fixed(row.correlation, 3),
            _number(row.range_a),
        ]
        for row in group.differences
    ]


def _number(value: float, sign: bool = False) -> str:
    """Return four digits, without an exponent for common sizes."""
    if value == 0:
        return "0"
    if abs(value) < 1e-4:
        return f"{value:{'+' if sign else ''}.1e}".replace("-", "\u2212")
    digits = max(0, 3 - int(f"{value:.3e}".partition("e")[2]))  # of the rounded number: 0.99999 is 1.000
    return (signed if sign else fixed)(value, min(digits, 5))
