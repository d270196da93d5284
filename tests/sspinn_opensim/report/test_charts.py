"""Line charts of a page: where their lines, areas and ticks are."""

import re

import numpy as np
import pytest

from sspinn_opensim.report.charts import BOTTOM, HEIGHT, TOP, Band, Chart, Line
from sspinn_opensim.report.page import environment


def drawn(*lines, **settings) -> str:
    """Return the SVG of a chart, as a page has it."""
    template = environment().from_string('{% from "macros.html" import figure %}{{ figure(chart) }}')
    return template.render(chart=Chart(lines, "t", **settings)).strip()


def _paths(svg):
    return [
        re.findall(r"[ML]([-\d.]+) ([-\d.]+)", d)
        for d in re.findall(r'<path class="line \w+" d="([^"]*)"', svg)
    ]


def test_chart_maps_values_to_the_axis():
    svg = drawn(Line(np.array([0.0, 50, 100]), np.array([0.0, 5, 10]), "estimate"))
    (first, middle, last) = [(float(x), float(y)) for x, y in _paths(svg)[0]]
    assert middle[0] == pytest.approx((first[0] + last[0]) / 2, abs=0.1)
    assert middle[1] == pytest.approx((first[1] + last[1]) / 2, abs=0.1)
    assert first[1] > last[1], "up is up"


def test_chart_draws_the_band_below_the_lines_and_makes_room_for_it():
    x = np.arange(5.0)
    line, band = Line(x, 0 * x, "estimate"), Band(x, 0 * x - 40, 0 * x + 80)
    svg = drawn(line, bands=(band,))
    assert svg.index('class="band"') < svg.index('class="line estimate"')
    edge = re.search(r'class="band" d="([^"]*)Z"', svg)[1]
    heights = [float(y) for _, y in re.findall(r"[ML]([-\d.]+) ([-\d.]+)", edge)]
    assert len(heights) == 10 and min(heights) >= TOP and max(heights) <= HEIGHT - BOTTOM
    middle = float(_paths(svg)[0][0][1])
    assert max(heights) - middle == pytest.approx((middle - min(heights)) / 2, abs=0.2)


def test_chart_breaks_at_gaps_and_leaves_out_what_a_logarithm_cannot_show():
    x = np.arange(5.0)
    gap = drawn(Line(x, np.array([1, 2, np.nan, 4, 5.0]), "seed"))
    assert re.search(r'd="(M[^M"]*)(M[^M"]*)"', gap)
    log = drawn(Line(x, np.array([1, 10, 0, 1000, 100.0]), "seed"), log=True)
    assert len(_paths(log)[0]) == 4


@pytest.mark.parametrize(
    "values", [np.zeros(4), np.full(4, 1e-9), np.full(4, -3e5), np.array([1.0, 1, 1, np.nan])]
)
def test_chart_of_a_constant(values):
    svg = drawn(Line(np.arange(4.0), values, "estimate"))
    assert "nan" not in svg and "inf" not in svg and _paths(svg)[0]


def test_chart_of_nothing_is_nothing():
    assert drawn(Line(np.arange(2.0), np.full(2, np.nan), "seed")) == ""


def test_charts_of_one_quantity_can_share_their_axis():
    x = np.arange(3.0)
    ticks = [Chart((Line(x, k * x, "m0"),), "t", y_range=(0.0, 4.0)).drawing.y_ticks for k in (1, 2)]
    assert ticks[0] == ticks[1] and ticks[0][-1].label == "4"
