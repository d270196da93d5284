"""Numbers and tables as text."""

import pytest

from sspinn_opensim.text import fixed, markdown_table, signed, text_table


@pytest.mark.parametrize(
    ("value", "plain", "with_sign"),
    [
        (1.25, "1.2", "+1.2"),
        (-0.31, "\u22120.3", "\u22120.3"),
        (-0.04, "0.0", "+0.0"),
        (None, "\u2013", "\u2013"),
    ],
)
def test_numbers_have_a_true_minus_and_a_dash_for_none(value, plain, with_sign):
    assert (fixed(value, 1), signed(value, 1)) == (plain, with_sign)


def test_a_table_is_aligned_and_takes_names_as_they_are():
    lines = text_table(
        ["column", "unit", "RMSD"], [["[bold]knee[/bold]", "deg", "3.00"], ["x", "", "11.00"]], left=2
    )
    assert lines.split("\n") == [
        "column             unit   RMSD",
        "[bold]knee[/bold]  deg    3.00",
        "x                        11.00",
    ]


def test_a_long_table_is_not_cut():
    (_, line) = text_table(["a", "b"], [["x" * 500, "y" * 500]]).split("\n")
    assert line == "x" * 500 + "  " + "y" * 500


def test_a_markdown_table_keeps_its_columns():
    text = markdown_table(["name", "a", "b"], [["one|two", "1", "2"]])
    assert text == "| name | a | b |\n| --- | --: | --: |\n| one\\|two | 1 | 2 |"
