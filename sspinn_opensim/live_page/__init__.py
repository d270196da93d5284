"""The live page: a sink of a stream that shows the estimate in a browser while the person moves."""

from sspinn_opensim.live_page.figure import figure_of
from sspinn_opensim.live_page.page import About, LivePage

__all__ = ["About", "LivePage", "figure_of"]
