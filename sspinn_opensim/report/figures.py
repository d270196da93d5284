"""Figures of their own, drawn by matplotlib: SVG files, the same bytes each time, made without a display."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, SOFT, FAINT, BLUE, ORANGE, GREY = "#1c2530", "#5b6673", "#dde3e9", "#0072b2", "#d55e00", "#9aa4af"
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


def svg(draw: Callable[[Figure], None], *, inches: tuple[float, float], title: str) -> str:
    """Return a figure as an SVG document.

    Parameters
    ----------
    draw : callable
        Draws on the figure it is given.
    inches : tuple of 2 floats
        Width and height.
    title : str
        Of the document, and in bold above the figure.
    """
    # The first import of matplotlib on a machine looks for fonts and says so: nothing a user can act on.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from matplotlib import style
    from matplotlib.figure import Figure

    document = io.StringIO()
    with style.context(_STYLE, after_reset=True):
        figure = Figure(figsize=inches, layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=11)
        draw(figure)
        figure.savefig(document, format="svg", metadata={"Title": title, "Date": None, "Creator": None})
    # Browsers would make one space of several.
    return document.getvalue().replace("<text ", '<text xml:space="preserve" ')
