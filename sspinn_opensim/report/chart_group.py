"""A group of charts under one heading, with one legend: for a page, and as an SVG file that stands alone.

Both show the same drawings; the file has its colours in it, where the page has a style sheet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sspinn_opensim.report.charts import HEIGHT, WIDTH, Chart
from sspinn_opensim.report.figures import BLUE, GREY, INK, ORANGE
from sspinn_opensim.report.page import environment

#: Colours that people with colour-blindness tell apart (Okabe and Ito 2008), then a second round, dashed.
COLORS = (BLUE, ORANGE, "#009e73", "#cc79a7", "#e69f00", "#56b4e9", INK, "#8c6d31")
_STYLES = {"trial": (GREY, 1.0, ""), "mean": (BLUE, 2.4, "")} | {
    f"m{k}": (COLORS[k % len(COLORS)], 1.8, "" if k < len(COLORS) else "6 3") for k in range(2 * len(COLORS))
}
#: Room in pixels above the charts, above each of them, around them, and of a line of the legend.
_TITLE, _CAPTION, _MARGIN, _LINE = 34, 18, 12, 16
_IN_A_COLUMN = 2


@dataclass(frozen=True)
class ChartGroup:
    """Charts that belong together, in rows, with one legend.

    Attributes
    ----------
    title : str
        Heading of all.
    charts : sequence of Chart
        Row by row.
    columns : int
        Charts in a row.
    legend : sequence of (str, str)
        Role and meaning of the lines.
    """

    title: str
    charts: Sequence[Chart]
    columns: int
    legend: Sequence[tuple[str, str]]

    def svg(self) -> str:
        """Return the charts as an SVG document, the same each time."""
        height, entries = HEIGHT + _CAPTION, _IN_A_COLUMN * self.columns
        placed = [
            (chart, _MARGIN + WIDTH * (k % self.columns), _TITLE + _CAPTION + height * (k // self.columns))
            for k, chart in enumerate(self.charts)
        ]
        bottom = _TITLE + height * -(-len(self.charts) // self.columns) + _LINE
        width = WIDTH * self.columns
        legend = [
            (role, text, _MARGIN + width * (k % entries) / entries, bottom + _LINE * (k // entries))
            for k, (role, text) in enumerate(self.legend)
        ]
        return (
            environment()
            .get_template("chart_group.svg")
            .render(
                title=self.title,
                charts=placed,
                legend=legend,
                styles=_STYLES,
                width=width + 2 * _MARGIN,
                height=bottom + _LINE * -(-len(self.legend) // entries),
            )
        )
