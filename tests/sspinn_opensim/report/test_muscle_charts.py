"""Figures of muscle groups: documents of their own, a line for each muscle."""

from xml.etree import ElementTree

import numpy as np
import pytest

from sspinn_opensim.opensim_io.static_optimization.groups import Group
from sspinn_opensim.opensim_io.tables.storage import Table
from sspinn_opensim.report import muscle_charts

SVG = "{http://www.w3.org/2000/svg}"
NAMES = ("glut1_r", "glut2_r", "glut1_l", "glut2_l")
GROUP = Group("hip_ext", {"right": NAMES[:2], "left": NAMES[2:]})


@pytest.fixture
def tables():
    time_s = np.linspace(0, 1, 20)
    forces = Table(NAMES, time_s, 500 * np.outer(time_s, [1, 2, 3, 4]))
    activations = Table(NAMES, time_s, np.outer(time_s, [0.1, 0.2, 0.3, 0.4]))
    return [("force", "N", forces), ("activation", "", activations)]


def test_a_group_has_a_panel_for_each_quantity_and_side_with_a_line_for_each_muscle(tables):
    root = ElementTree.fromstring(muscle_charts.group_figure(GROUP, tables))
    panels = root.findall(f"{SVG}svg")
    assert len(panels) == 4
    for panel in panels:
        drawn = [path.get("class") for path in panel.iter(f"{SVG}path")]
        assert drawn == ["line m0", "line m1"]
    text = " ".join(root.itertext())
    for word in ("Hip ext", "force, right (N)", "activation, left", "glut1", "glut2", "time (s)"):
        assert word in text


def test_sides_share_their_axis(tables):
    root = ElementTree.fromstring(muscle_charts.group_figure(GROUP, tables))
    right, left = root.findall(f"{SVG}svg")[:2]
    ticks = [[t.text for t in panel.iter(f"{SVG}text") if "end" in t.get("class")] for panel in (right, left)]
    assert ticks[0] == ticks[1] and "2000" in ticks[0]


def test_style_reaches_nothing_else_on_a_page(tables):
    style = ElementTree.fromstring(muscle_charts.group_figure(GROUP, tables)).find(f"{SVG}style").text
    assert all(rule.strip().startswith(".muscles ") for rule in style.split("}") if rule.strip())


def test_a_comparison_shows_every_trial_the_mean_and_a_band(tables):
    percent = np.arange(101.0)
    trials = {f"t{k}": {name: k + percent for name in NAMES} for k in range(3)}
    root = ElementTree.fromstring(muscle_charts.comparison_figure(GROUP, percent, trials, unit="N"))
    panels = root.findall(f"{SVG}svg")
    assert len(panels) == 4
    for panel in panels:
        kinds = [path.get("class") for path in panel.iter(f"{SVG}path")]
        assert kinds == ["band", *["line trial"] * 3, "line mean"]
