"""Charts of muscle groups, and the SVG files that are made of them."""

from xml.etree import ElementTree

import numpy as np
import pytest

from sspinn_opensim.opensim_io.static_optimization.groups import Group
from sspinn_opensim.opensim_io.tables.storage import Table
from sspinn_opensim.report.muscle_charts import comparison_charts, group_charts, write_group_figures

SVG = "{http://www.w3.org/2000/svg}"
NAMES = ("glut1_r", "glut2_r", "glut1_l", "glut2_l")
GROUP = Group("hip_ext", {"right": NAMES[:2], "left": NAMES[2:]})


def tables_of(names):
    time_s = np.linspace(0, 1, 20)
    forces = Table(names, time_s, 500 * np.outer(time_s, [1, 2, 3, 4]))
    activations = Table(names, time_s, np.outer(time_s, [0.1, 0.2, 0.3, 0.4]))
    return [("force", "N", forces), ("activation", "", activations)]


@pytest.fixture
def group():
    return group_charts(GROUP, tables_of(NAMES))


def words(svg: str) -> list[str]:
    return ["".join(text.itertext()) for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_a_group_has_a_chart_for_each_quantity_and_side_with_a_line_for_each_muscle(group):
    assert [chart.title for chart in group.charts] == [
        "force, right",
        "force, left",
        "activation, right",
        "activation, left",
    ]
    assert all([line.role for line in chart.lines] == ["m0", "m1"] for chart in group.charts)
    assert group.columns == 2 and group.legend == [("m0", "glut1"), ("m1", "glut2")]


def test_the_file_shows_them_all(group):
    shown = words(group.svg())
    assert {"Hip ext", "force, right (N)", "activation, left", "glut1", "glut2", "time (s)"} <= set(shown)


def test_sides_share_their_axis(group):
    right, left, *_ = (chart.drawing.y_ticks for chart in group.charts)
    assert right == left and right[-1].label == "2000"


def test_a_file_is_the_same_each_time(group):
    assert group.svg() == group_charts(GROUP, tables_of(NAMES)).svg()


def test_names_of_files_are_text_and_no_formula():
    """A dollar sign would start a formula that cannot be read, a bracket an element."""
    names = tuple(f"<script>$\\bad{k}" + side for side in ("_r", "_l") for k in "12")
    group = group_charts(Group("</svg><script>$", {"right": names[:2], "left": names[2:]}), tables_of(names))
    svg = group.svg()
    assert "<script" not in svg
    assert {"</svg><script>$", "<script>$\\bad1"} <= set(words(svg))


def test_every_group_of_a_folder_is_drawn_in_place_of_what_was_there(results):
    old = results / "muscle_groups" / "old.svg"
    old.parent.mkdir()
    old.write_text("old")
    assert [group.title for group in write_group_figures(results)] == ["Soleus", "Vasti"]
    assert sorted(path.name for path in old.parent.iterdir()) == ["soleus.svg", "vasti.svg"]


def test_a_comparison_shows_every_trial_the_mean_and_a_band():
    percent = np.arange(101.0)
    trials = {f"t{k}": {name: k + percent for name in NAMES} for k in range(3)}
    group = comparison_charts(GROUP, percent, trials, unit="N")
    assert len(group.charts) == 4 and group.columns == 3
    for chart in group.charts:
        assert [line.role for line in chart.lines] == ["trial"] * 3 + ["mean"]
        assert chart.bands[0].high - chart.bands[0].low == pytest.approx(2.0)
    assert "3 trials" in words(group.svg())
