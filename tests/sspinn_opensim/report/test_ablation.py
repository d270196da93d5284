"""Arms of an ablation beside each other: the same numbers in table, chart and line of progress."""

import csv
import dataclasses
import io
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from sspinn_opensim.report.ablation import (
    FULL,
    Ablation,
    Arm,
    as_csv,
    as_markdown,
    as_svg,
    draw_bars,
    progress_line,
)
from sspinn_opensim.report.figures import svg

SEEDS = ("seed_0", "seed_1", "seed_2")


def numbers(**measures) -> dict:
    return {key: dict(zip(SEEDS, values, strict=False)) for key, values in measures.items()}


@pytest.fixture
def ablation() -> Ablation:
    arms = (
        Arm(FULL, numbers(angle_rmsd_deg=(4.0, 4.4, 4.2), root_force_bw=(6.0, 7.0, 8.0))),
        Arm(
            "torque",
            numbers(angle_rmsd_deg=(5.0, 4.5, 4.6), root_force_bw=(5.0, 6.5, 7.0), own_loss=(3.0, 4.0, 5.0)),
        ),
        Arm("trunk", {}, "The training diverged: the loss term 'torque' is nan."),
    )
    return Ablation(
        "study <1>", 100, 3, True, {"torque": 0.2, "trunk": 1.0, "friction": 1.0}, arms, ("friction",)
    )


def test_the_csv_has_median_and_range_of_every_measure(ablation):
    full, torque, trunk = csv.DictReader(io.StringIO(as_csv(ablation)))
    assert (full["off"], full["seeds"], full["angle_rmsd_deg"]) == ("", "3", "4.2")
    assert (torque["off"], torque["weight"]) == ("torque", "0.2")
    assert [torque[f"angle_rmsd_deg{part}"] for part in ("", "_low", "_high")] == ["4.6", "4.5", "5"]
    assert full["own_loss"] == "" and torque["own_loss"] == "4"
    assert trunk["angle_rmsd_deg"] == "" and "diverged" in trunk["failure"]
    assert "grf_vertical_rmsd_bw" not in full, "no arm has it"


def test_bold_is_what_no_seed_of_the_full_set_reaches(ablation):
    text = as_markdown(ablation)
    (line,) = (line for line in text.splitlines() if line.startswith("| torque"))
    assert "**4.6 (4.5 to 5)**" in line and "| 6.5 (5 to 7) |" in line
    assert "diverged" in text and "zero throughout here: friction" in text
    rows = [line.count("|") for line in text.splitlines() if line.startswith("|")]
    assert len(set(rows)) == 1 and len(rows) == 5


def test_with_two_seeds_nothing_is_told_apart(ablation):
    arms = tuple(
        Arm(arm.name, {key: dict(list(values.items())[:2]) for key, values in arm.numbers.items()})
        for arm in ablation.arms[:2]
    )
    few = Ablation("t", 100, 2, False, ablation.weights, arms)
    assert few.differs(arms[1], "angle_rmsd_deg") is None
    text = as_markdown(few)
    assert "**" not in text and "Fewer than 3 seeds" in text and "names no reference" in text


def test_the_line_of_progress_compares_with_the_full_set(ablation):
    assert progress_line(Ablation(**{**vars(ablation), "arms": ablation.arms[:1]}), 4, 600.0) == (
        " 1/4 every term: joint angles 4.2 deg, root force 7 %BW; about 10 min left"
    )
    shown = progress_line(Ablation(**{**vars(ablation), "arms": ablation.arms[:2]}), 2, 0.0)
    assert shown == " 2/2 without torque: joint angles 4.6 deg (4.2), root force 6.5 %BW (7); done"
    assert "diverged" in progress_line(ablation, 4, 1.0)


def test_the_chart_has_a_row_for_every_arm_and_a_panel_for_every_measure(ablation):
    root = ElementTree.fromstring(as_svg(ablation))
    text = ["".join(element.itertext()).strip() for element in root.iter() if element.tag.endswith("text")]
    assert {"study <1>", "every term", "without torque", "without trunk", "4.2", "4"} <= set(text)
    assert as_svg(ablation) == as_svg(ablation), "the same bytes each time"


def test_ratios_beyond_what_anybody_reads_are_told_so(ablation):
    numbers_of_arms = ((3.05e4, 2e4, 4e4), (2e-5, 1.5e4, 3.0))
    arms = (ablation.arms[0], *(Arm("torque", numbers(own_loss=values)) for values in numbers_of_arms))
    found = dataclasses.replace(ablation, arms=arms)
    cells = [line.split("|")[-2].strip() for line in as_markdown(found).splitlines() if "torque |" in line]
    assert cells == ["> 1000", "3 (< 0.001 to > 1000)"]
    assert "30500" in as_csv(found), "a table for programs has the numbers"
    assert "> 1000" in as_svg(found).replace("&gt;", ">") and "e+04" not in as_svg(found)


def test_large_numbers_have_no_exponent(ablation):
    arms = (Arm(FULL, numbers(root_force_bw=(1234.0, 1234.0, 1234.0))), *ablation.arms[1:])
    found = dataclasses.replace(ablation, arms=arms[:1])
    assert "| 1234 |" in as_markdown(found) and "root force 1234 %BW" in progress_line(found, 4, 600.0)


def bars_of(*bars) -> tuple[list[float], list[str]]:
    """Return the lengths of bars and the texts beside them."""
    axes = Figure().add_subplot()
    draw_bars(axes, bars)
    return [bar.get_width() for bar in axes.patches], [text.get_text().strip() for text in axes.texts]


def test_bars_are_as_long_as_their_numbers():
    assert bars_of((1.0, 1.0, 1.0), None, (4.0, 2.0, 5.0)) == ([1.0, 4.0], ["1", "4"])


def test_a_bar_out_of_proportion_is_cut_and_says_so():
    lengths, texts = bars_of((1.0, 1.0, 1.0), (1.2, 1.0, 1.4), (500.0, 400.0, 600.0))
    assert max(lengths) < 10 * min(lengths) and texts == ["1", "1.2", "500 \u2192"]


def test_nothing_and_zero_can_be_drawn(ablation):
    assert bars_of((0.0, 0.0, 0.0)) == ([0.0], ["0"])
    ElementTree.fromstring(as_svg(dataclasses.replace(ablation, arms=ablation.arms[2:])))


def test_numbers_stand_before_the_line_of_the_full_set():
    """Of an arm that is a little better the number stands where the dashed line passes."""
    axes = Figure().add_subplot()
    draw_bars(axes, [(28.9, 28.9, 28.9), (27.5, 27.5, 27.5)])
    (line,) = axes.lines
    assert [text.get_text() for text in axes.texts] == ["28.9", "27.5"]
    assert all(text.get_bbox_patch() is not None for text in axes.texts)
    assert all(text.get_zorder() > line.get_zorder() for text in axes.texts)


def test_spaces_in_a_figure_stay():
    """They keep the parts of a legend apart; browsers make one of several unless they are told."""
    drawn = svg(lambda figure: figure.text(0.5, 0.5, "a   b"), inches=(2, 2), title="t")
    nodes = ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")
    texts = {node.text: node for node in nodes}
    assert texts["a   b"].get("{http://www.w3.org/XML/1998/namespace}space") == "preserve"
