"""Figures of their own, drawn by matplotlib: SVG files, the same bytes each time, made without a display."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sspinn_opensim.report.charts import Chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, SOFT, FAINT, BLUE, ORANGE, GREY = "#1c2530", "#5b6673", "#dde3e9", "#0072b2", "#d55e00", "#9aa4af"
#: Colours that people with colour-blindness tell apart (Okabe and Ito 2008), then a second round, dashed.
COLORS = (BLUE, ORANGE, "#009e73", "#cc79a7", "#e69f00", "#56b4e9", INK, "#8c6d31")
_STYLE = {
    # Names come from files: a dollar sign starts no formula, and a text stays a text.
    "text.parse_math": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "sspinn_opensim",
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": SOFT,
    "axes.edgecolor": SOFT,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "legend.frameon": False,
}


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
        """Return the charts as an SVG document."""
        rows, lines = -(-len(self.charts) // self.columns), -(-len(self.legend) // (2 * self.columns))
        width, bottom = 3.4 * self.columns, 0.55 + 0.2 * lines
        height = 2.0 * rows + 0.35 + bottom

        def draw(figure: Figure) -> None:
            from matplotlib.lines import Line2D

            figure.subplots_adjust(
                left=0.55 / width,
                right=1 - 0.15 / width,
                top=1 - 0.6 / height,
                bottom=bottom / height,
                wspace=0.2,
                hspace=0.5,
            )
            axes = figure.subplots(rows, self.columns, squeeze=False).ravel()
            for one, chart in zip(axes, self.charts, strict=False):
                _draw_chart(one, chart)
            for empty in axes[len(self.charts) :]:
                empty.set_axis_off()
            handles = [Line2D([], [], **_line_style(role)) for role, _ in self.legend]
            names = [text for _, text in self.legend]
            figure.legend(handles, names, loc="lower left", ncols=2 * self.columns)

        # Fitting would take as long as the drawing, and every chart needs the same room.
        return svg(draw, inches=(width, height), title=self.title, fitted=False)


def svg(
    draw: Callable[[Figure], None], *, inches: tuple[float, float], title: str, fitted: bool = True
) -> str:
    """Return a figure as an SVG document.

    Parameters
    ----------
    draw : callable
        Draws on the figure it is given.
    inches : tuple of 2 floats
        Width and height.
    title : str
        Of the document, and in bold above the figure.
    fitted : bool
        Whether room is made for labels as they need it.
    """
    # The first import of matplotlib on a machine looks for fonts and says so: nothing a user can act on.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from matplotlib import style
    from matplotlib.figure import Figure

    document = io.StringIO()
    with style.context(_STYLE, after_reset=True):
        figure = Figure(figsize=inches, layout="constrained" if fitted else None)
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=11)
        draw(figure)
        figure.savefig(document, format="svg", metadata={"Title": title, "Date": None, "Creator": None})
    return document.getvalue()


def _draw_chart(axes: Axes, chart: Chart) -> None:
    for line in chart.lines:
        axes.plot(line.x, line.y, **_line_style(line.role))
    values = [line.y for line in chart.lines] + [np.array(chart.y_range or ())]
    if chart.band:
        axes.fill_between(chart.band.x, chart.band.low, chart.band.high, color=BLUE, alpha=0.18, lw=0)
        values += [chart.band.low, chart.band.high]
    every = np.concatenate(values)
    low, high = np.nanmin(every), np.nanmax(every)
    margin = 0.04 * (high - low or 1.0)
    axes.set_ylim(low - margin * (low < 0), high + margin)
    axes.margins(x=0)
    axes.locator_params(nbins=5)
    axes.set_title(f"{chart.title} ({chart.unit})" if chart.unit else chart.title)
    axes.set_xlabel(chart.x_label)


def _line_style(role: str) -> dict[str, Any]:
    if role == "trial":
        return {"color": GREY, "lw": 0.8}
    if role == "mean":
        return {"color": BLUE, "lw": 2.0}
    number = int(role[1:])
    return {"color": COLORS[number % len(COLORS)], "ls": "-" if number < len(COLORS) else "--", "lw": 1.5}
