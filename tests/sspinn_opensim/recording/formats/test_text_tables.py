import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.formats.text_tables import read_text_table

ROWS = "a,b,c\n1,2.5,x\n-3,4e-1,y\n"


@pytest.fixture
def read(tmp_path):
    def _read(text, wanted=("a", "b")):
        path = tmp_path / "table.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_text_table(path, lambda cells: cells[:2] == ("a", "b"), wanted.__contains__, "a, b")

    return _read


def refused(read, text) -> InputError:
    with pytest.raises(InputError) as caught:
        read(text)
    assert "table.csv" in caught.value.where
    return caught.value


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: "\ufeff" + text,
        lambda text: text.encode("utf-16"),
        lambda text: text.replace(",", "\t"),
        lambda text: text.replace(",", " "),
        lambda text: text.replace(",", ";").replace(".", ","),
        lambda text: text.replace("a,b", '"a","b"'),
        lambda text: text.replace("\n", ",\n"),
        lambda text: "a,b,c\n" + text.partition("\n")[2].replace("\n", ",\n"),
        lambda text: text.replace("\n", "\n\n") + "\n,,\n  \n",
        lambda text: ("# 90\u00b0\n" + text).encode("cp1252"),
        lambda text: text.removesuffix("\n"),
    ],
)
def test_the_same_numbers_whatever_the_dress(read, change):
    table = read(change(ROWS))
    np.testing.assert_array_equal(table.vector("A", "b"), [[1, 2.5], [-3, 0.4]])
    assert not table.has("c") and table.vector("a", "c") is None and table.column("c") is None


def test_numbers_are_read_exactly(read):
    numbers = np.random.default_rng(0).normal(size=(500, 2)) * 10.0 ** np.arange(-5, 5).repeat(50)[:, None]
    text = "a,b\n" + "\n".join(",".join(map(repr, row)) for row in numbers.tolist())
    np.testing.assert_array_equal(read(text).vector("a", "b"), numbers)


@pytest.mark.parametrize("missing", ["", "NaN", "nan", "NAN"])
def test_what_was_not_measured_is_nan(read, missing):
    assert np.isnan(read(f"a,b\n1,{missing}\n2,3\n").column("b")[0])


def test_lines_are_those_of_the_file(read):
    table = read("first\n\na,b\n1,2\n\n3,4\n")
    assert table.preamble == ("first", "") and list(table.lines) == [4, 6]
    assert table.at(1).endswith("table.csv, line 6")


@pytest.mark.parametrize(
    "cell", ["x", "1,2", "1.2.3", "--1", "0x10", "1_0", "true", "1 2", '"2"', "\u00e9", "1\x002"]
)
def test_a_cell_that_is_no_number_is_named(read, cell):
    error = refused(read, f"a,b\n1,2\n3,{cell}\n")
    assert "line 3" in error.where
    assert "not a number" in error.what or "does not match" in error.what
    assert error.fix


def test_a_number_beyond_all_bounds_is_named(read):
    assert "line 3, column 'b'" in refused(read, "a,b\n1,2\n3,1e999\n").where


@pytest.mark.parametrize(
    ("text", "line"), [("a,b\n1,2\n3\n4,5\n", 3), ("a,b\n1,2,3\n4\n", 2), ("a,b\n1,2\n3,4,5\n", 3)]
)
def test_a_row_of_another_width_is_named(read, text, line):
    error = refused(read, text)
    assert "does not match" in error.what and f"line {line}" in error.where


def test_a_name_too_few_does_not_shift_the_columns(read):
    assert "does not match" in refused(read, "a,b\n1,2,3\n4,5,6\n").what


def test_a_row_that_was_cut_off_is_said_to_be(read):
    assert "cut off" in refused(read, "a,b\n1,2\n3\n").fix


@pytest.mark.parametrize("text", ["", "\n\n", "x,y\n1,2\n", "a,b\n", "a,b\n\n,\n"])
def test_no_names_or_no_rows_is_refused(read, text):
    assert refused(read, text).what


def test_a_column_that_is_there_twice_is_refused(read):
    assert "Two columns are named 'b'" in refused(read, "a,b,b\n1,2,3\n").what


def test_few_rows_are_the_numbers_that_many_are(read, monkeypatch):
    rows = np.random.default_rng(0).normal(size=(50, 3)) * [1.0, 1e-4, 1e5]
    text = "a,b,c\n" + "".join(",".join(f"{cell:.9g}" for cell in row) + "\n" for row in rows)
    few = read(text).values
    monkeypatch.setattr("sspinn_opensim.recording.formats.text_tables._SMALL_BYTES", 0)
    many = read(text).values
    for name, k in (("a", 0), ("b", 1)):
        np.testing.assert_array_equal(few[name], many[name])
        np.testing.assert_allclose(few[name], rows[:, k], rtol=1e-8)


def test_rows_that_are_parsed_at_once_change_no_number(read, monkeypatch):
    rows = np.random.default_rng(0).normal(size=(50, 3))
    text = "a,b,c\n" + "".join(",".join(f"{cell:.17g}" for cell in row) + "\n" for row in rows)
    monkeypatch.setattr("sspinn_opensim.recording.formats.text_tables._SMALL_BYTES", 0)
    whole = read(text).values
    for size in (1, 60, 1000):
        monkeypatch.setattr("sspinn_opensim.recording.formats.text_tables._BYTES_AT_ONCE", size)
        for name, column in read(text).values.items():
            np.testing.assert_array_equal(column, whole[name])
    assert "line 40" in refused(read, text.replace(f"{rows[38, 1]:.17g}", "much")).where
