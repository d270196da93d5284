"""Two results beside each other, as text and as a page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from sspinn_opensim.evaluation.comparison import Group
from sspinn_opensim.report.charts import Line, line_chart
from sspinn_opensim.report.markup import keys, table
from sspinn_opensim.report.report import page_of
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
    parts = []
    for group in groups:
        figures = [
            line_chart(
                [
                    Line(group.time_s, group.curves[row.name][0], "reference"),
                    Line(group.time_s, group.curves[row.name][1], "estimate"),
                ],
                title=row.name,
                unit=row.unit,
                x_label="time (s)",
                note=f"RMSD {_rows(group)[k][2]}",
            )
            for k, row in enumerate(group.differences)
        ]
        legend = keys([("reference", f"A {group.sources[0]}"), ("estimate", f"B {group.sources[1]}")])
        parts.append(
            f"<section><h2>{escape(group.title)}</h2>\n{legend}"
            f'<div class="charts small">{"".join(figures)}</div>{table(COLUMNS, _rows(group))}</section>'
        )
    top = f"<h1>{escape(a)} and {escape(b)}</h1>"
    return page_of(f"{a} and {b}", top, "\n".join(parts))


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
