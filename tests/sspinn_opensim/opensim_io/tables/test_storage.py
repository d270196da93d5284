import dataclasses
import io
import warnings

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.opensim_io.tables import storage, storage_rows
from sspinn_opensim.opensim_io.tables.storage import (
    StorageWarning,
    Table,
    read_storage,
    storage_labels,
    write_storage,
    write_under_title,
)

ROWS = "0\t1\t2\n0.01\t3\t4\n"


def table(seed=0, rows=7, in_degrees=True):
    values = np.random.default_rng(seed).normal(size=(rows, 3)) * [1e-7, 1.0, 1e6]
    return Table(("hip_flexion_r", "a/b|value", "é"), np.arange(rows) / 60, values, in_degrees, "a title")


def file_with(tmp_path, text, name="x.sto"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("suffix", [".sto", ".mot"])
@pytest.mark.parametrize("in_degrees", [True, False])
def test_round_trip_restores_every_bit(tmp_path, suffix, in_degrees):
    written = table(in_degrees=in_degrees)
    read = read_storage(write_storage(tmp_path / f"x{suffix}", written))
    assert read.names == written.names and read.in_degrees is in_degrees and read.header == "a title"
    np.testing.assert_array_equal(read.time_s, written.time_s)
    np.testing.assert_array_equal(read.values, written.values)


@pytest.mark.parametrize("title", ["of\nAnna", ""])
def test_a_table_under_another_title_is_the_same_to_the_byte(tmp_path, monkeypatch, title):
    monkeypatch.setattr(storage, "_AT_ONCE", 100)
    once = write_storage(tmp_path / "once.sto", table())
    anew = write_storage(tmp_path / "x.sto", dataclasses.replace(table(), header=title)).read_bytes()
    assert once.read_bytes() != anew
    assert write_under_title(tmp_path / "x.sto", once, title).read_bytes() == anew


def test_columns_in_any_order_of_memory_are_written(tmp_path):
    plain = table()
    turned = dataclasses.replace(plain, values=np.asfortranarray(plain.values))
    first, second = (write_storage(tmp_path / f"{k}.sto", t) for k, t in enumerate((plain, turned)))
    assert first.read_text().split("endheader")[1] == second.read_text().split("endheader")[1]


@pytest.mark.parametrize("ends", ["", "\n", "\n\n"])
def test_long_tables_are_written_and_read_in_pieces(tmp_path, monkeypatch, ends):
    whole = write_storage(tmp_path / "whole.sto", table()).read_text()
    monkeypatch.setattr(storage, "_ROWS_AT_ONCE", 3)
    monkeypatch.setattr(storage_rows, "_BLOCK_BYTES", 50)
    path = write_storage(tmp_path / "x.sto", table())
    assert path.read_text() == whole
    path.write_text(whole + ends)
    np.testing.assert_array_equal(read_storage(path).values, table().values)
    assert storage_labels(path) == table().names
    lines = whole.splitlines(keepends=True)
    path.write_text("".join([*lines[:-2], "1\t2\n", lines[-1]]))  # a row too short in a later piece
    with pytest.raises(InputError, match="row"):
        read_storage(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": np.full((7, 3), np.nan)}, "not a finite number"),
        ({"values": np.full((7, 3), np.inf)}, "not a finite number"),
        ({"values": np.zeros((6, 3))}, "shapes disagree"),
        ({"time_s": np.zeros(7)}, "time does not increase"),
        ({"time_s": np.arange(7)[::-1] / 60}, "time does not increase"),
        ({"names": ("a", "b", "a")}, "stands twice"),
        ({"names": ("a", "b", "time")}, "stands twice"),
        ({"names": ("a", "b", "")}, "blank or holds a space"),
        ({"names": ("a", "b", "c d")}, "blank or holds a space"),
        ({"in_degrees": None}, "does not say whether it is in degrees"),
    ],
)
def test_refuses_to_write_what_opensim_misreads(tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        write_storage(tmp_path / "x.sto", dataclasses.replace(table(), **change))
    assert not list(tmp_path.iterdir())


def test_refuses_unknown_extension_and_missing_folder(tmp_path):
    with pytest.raises(InputError, match="not a storage file name"):
        write_storage(tmp_path / "x.txt", table())
    with pytest.raises(InputError, match=r"Cannot write x.sto"):
        write_storage(tmp_path / "missing" / "x.sto", table())


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = write_storage(tmp_path / "x.sto", table(seed=1))

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full_disk)
    with pytest.raises(InputError, match="No space left on device"):
        write_storage(path, table(seed=2))
    assert [file.name for file in tmp_path.iterdir()] == ["x.sto"]
    np.testing.assert_array_equal(read_storage(path).values, table(seed=1).values)


HEAD = "x\nversion=1\nnRows=2\nnColumns=3\ninDegrees=yes\nendheader\n"
LABELS = "time\ta\tb\n"


@pytest.mark.parametrize(
    "text",
    [
        HEAD + LABELS + ROWS,
        "inDegrees=yes\nDataType=double\nversion=3\nOpenSimVersion=4.6\nendheader\n" + LABELS + ROWS,
        "x\r\nversion=2\r\ninDegrees = YES\r\nendheader\r\ntime\ta\tb\r\n0\t1\t2\r\n0.01\t3\t4\r\n",
        "\ufeff" + HEAD.replace("yes", "y") + LABELS + ROWS,
        HEAD.replace("=yes", "== yes") + "\ntime a b\n 0.0  1 2\n\n 1e-2  3.0 4e0\n\n",
        "x\ndatarows 2\ndatacolumns 3\ninDegrees=Yes\nendheader\t\t\ntime\ta\tb\t\n0\t1\t2\t\n0.01\t3\t4\t\n",
        "name x\nrange 0 0.01\n" + HEAD + LABELS + "0 1 2\n  0.01   3 4\n",
    ],
)
def test_reads_the_spellings_found_in_the_wild(tmp_path, text):
    read = read_storage(file_with(tmp_path, text))
    assert read.names == ("a", "b") and read.in_degrees is True and read.notes == ()
    np.testing.assert_array_equal(read.time_s, [0, 0.01])
    np.testing.assert_array_equal(read.values, [[1, 2], [3, 4]])
    assert storage_labels(tmp_path / "x.sto") == ("a", "b")


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (HEAD.replace("nRows=2", "nRows=9") + LABELS + ROWS, "states 9 rows, the file holds 2"),
        (HEAD.replace("nRows=2", "nRows=1") + LABELS + ROWS, "states 1 rows, the file holds 2"),
        (HEAD.replace("nRows=2", "nRows=?") + LABELS + ROWS, "line 3: the number of rows is no number"),
        (HEAD.replace("nColumns=3", "nColumns=4") + LABELS + ROWS, "states 4 columns, the file holds 3"),
        (
            HEAD.replace("=yes", "=true") + LABELS + ROWS,
            "line 5: inDegrees=true is read as yes here, and as no",
        ),
        (HEAD.replace("endheader\n", "") + LABELS + ROWS, "labels taken from line 6"),
        (HEAD + LABELS + ROWS.rstrip(), "line 9 has no end: its last number may be cut"),
        (HEAD + LABELS + ROWS + "0.02\t5", "line 10 is not whole and was left out"),
        (
            HEAD + LABELS + ROWS + "0.01\t3\t4\n",
            "1 frames that repeat the one before were left out (line 10)",
        ),
        (
            HEAD + LABELS + ROWS + "0.0100000001\t3.0000000001\t4\n",
            "1 frames that repeat the one before were left out (line 10)",
        ),
        (
            HEAD + "time\ta\tb\tr_force_vx\tr_force_vx\n0\t1\t2\t5\t6\n0.01\t3\t4\t7\t8\n",
            "appended twice with different numbers and are left out: r_force_vx",
        ),
        (HEAD + "Time\ta\tb\n" + ROWS, "called 'Time'; OpenSim wants 'time'"),
        (HEAD + "t\ta\tb\n" + ROWS, "called 't'; OpenSim wants 'time'"),
        ((HEAD + LABELS + ROWS).encode("utf-16"), "UTF-16, on which OpenSim hangs"),
        (HEAD.replace("endheader", "EndHeader") + LABELS + ROWS, "line 6: OpenSim wants 'endheader'"),
        (
            "version=3\ninDegrees=yes\nendheader\n\n" + LABELS + "0\t1\t2\n\n0.01\t3\t4\n",
            "a blank line after line 6: OpenSim reads no further",
        ),
        (HEAD.replace("inDegrees", "indegrees") + LABELS + ROWS, "line 5: OpenSim does not know 'indegrees'"),
        (HEAD.replace("nRows=2\n", "") + LABELS + ROWS, "no number of rows: OpenSim may read no row"),
        ((HEAD + LABELS + ROWS).replace("\n", "\r"), "carriage return alone, on which OpenSim hangs"),
        (HEAD + "a\ttime\tb\n1\t0\t2\n3\t0.01\t4\n", "time stands in column 2"),
        (HEAD + "time,a,b\n0,1,2\n0.01,3,4\n", "columns are separated by ','"),
        (HEAD + "time\ta\tb\ta\n0\t1\t2\t1\n0.01\t3\t4\t3\n", "column 'a' stands twice"),
    ],
)
def test_what_is_mended_is_said(tmp_path, text, note):
    with pytest.warns(StorageWarning) as caught:
        read = read_storage(file_with(tmp_path, text))
    assert any(note in found for found in read.notes)
    assert [str(warning.message) for warning in caught] == [f"{tmp_path / 'x.sto'}: {n}" for n in read.notes]
    assert read.names == ("a", "b") and read.in_degrees is True
    np.testing.assert_array_equal(read.time_s, [0, 0.01])
    np.testing.assert_array_equal(read.values, [[1, 2], [3, 4]])


def test_missing_frames_are_said_where_the_clock_is_even(tmp_path):
    head = "version=3\nendheader\ntime\ta\n"
    rows = [f"{k / 100}\t1\n" for k in range(30) if k not in (20, 21)]
    with pytest.warns(StorageWarning, match="line 24: time jumps from 0.19 to 0.22 s: frames are missing"):
        read_storage(file_with(tmp_path, head + "".join(rows)))
    uneven = [f"{(3 * k + k % 2) / 100}\t1\n" for k in range(30)]
    assert read_storage(file_with(tmp_path, head + "".join(uneven))).notes == ()


def test_without_a_version_opensim_takes_radians_for_degrees(tmp_path):
    text = HEAD.replace("version=1\n", "").replace("=yes", "=no") + LABELS + ROWS
    with pytest.warns(StorageWarning, match="no line 'version': OpenSim takes such a file for degrees"):
        assert read_storage(file_with(tmp_path, text)).in_degrees is False
    assert read_storage(file_with(tmp_path, text.replace("=no", "=yes"))).notes == ()


def test_a_label_may_hold_a_blank_between_tabs(tmp_path):
    with pytest.warns(StorageWarning, match="OpenSim would split labels .* 'b c'"):
        read = read_storage(file_with(tmp_path, HEAD + "time\ta\tb c\n" + ROWS))
    assert read.names == ("a", "b c")


def test_reports_a_missing_degrees_flag_as_unknown(tmp_path):
    assert read_storage(file_with(tmp_path, "version=3\nendheader\n" + LABELS + ROWS)).in_degrees is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        (b"\0\1\2binary", "the file is no text"),
        ("x\nnRows=2\na\tb\n" + ROWS, "header has no end"),
        ("x\nendheader\nTimes\ta\tb\n" + ROWS, "first column is not time"),
        ("x\nendheader\ntime\ttime\tb\n" + ROWS, "stands twice"),
        ("x\nendheader\ntime\ta\ta\n" + ROWS, "'a' in columns 2 and 3"),
        ("x\nendheader\ntime\tforce_vx\tforce_vx\n" + ROWS, "'force_vx' in columns 2 and 3"),
        ("x\nendheader\ntime\t\ta\n" + ROWS, "a label is blank"),
        ("x\nendheader\n" + ROWS, "no labels above the numbers"),
        ("x\nendheader\n" + LABELS, "no rows"),
        ("x\nendheader\n", "no labels"),
        ("x\nendheader\n" + LABELS + "0\t1\t2\n0.01\t3\n", "line 5"),
        ("x\nendheader\n" + LABELS + "0\t1\t2\t3\n0.01\t3\t4\n", "line 4"),
        ("x\nendheader\n" + LABELS + "0\t1\t2\n0.01\t\t4\n", "line 5, column 'a'(.|\n)*an empty cell"),
        ("x\nendheader\n" + LABELS + "0\t1\t2\n0.01\tnan\t4\n", "line 5, column 'a'"),
        ("x\nendheader\n" + LABELS + "0\t1\tx\n0.01\t3\t4\n", "line 4, column 'b'"),
        ("x\nendheader\n" + LABELS + "0\t1,5\t2\n0.01\t3\t4\n", "decimal points, not commas"),
        ("x\nendheader\n" + LABELS + "0\t1_0\t2\n0.01\t3\t4\n", "line 4, column 'a'"),
        ("x\nendheader\n" + LABELS + ROWS + "0.01\t5\t6\n", "time does not increase(.|\n)*line 6"),
        ("x\nendheader\n" + LABELS + ROWS + "0.005\t5\t6\n", "time does not increase"),
        ("x\ninDegrees=maybe\nendheader\n" + LABELS + ROWS, "neither yes nor no(.|\n)*line 2"),
        ("x\ninDegrees=no\ninDegrees=yes\nendheader\n" + LABELS + ROWS, "'indegrees' twice"),
        ("DataType=Quaternion\nversion=3\nendheader\n" + LABELS + ROWS, "does not hold plain numbers"),
    ],
)
def test_refuses_a_malformed_file(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as error:
        read_storage(file_with(tmp_path, text))
    assert str(tmp_path / "x.sto") in error.value.where and error.value.fix + error.value.expected


def test_missing_file_and_column(tmp_path):
    with pytest.raises(InputError, match="cannot read the file"):
        read_storage(tmp_path / "none.sto")
    with pytest.raises(InputError, match="did you mean 'hip_flexion_r'"):
        table().column("hip_flexion")


def test_every_file_of_the_laboratories_is_read_without_a_note(laboratories):
    """No false alarm: 188 files of seven laboratories, of OpenSim, Moco and others."""
    files = sorted(
        path for place in laboratories for end in ("mot", "sto") for path in place.rglob(f"*.{end}")
    )
    assert len(files) == 188
    with warnings.catch_warnings():
        warnings.simplefilter("error", StorageWarning)
        for path in files[::4]:
            assert read_storage(path).notes == ()


PLAIN = {
    "tabs": "time\ta\tb\n0\t1\t-2.5e-3\n0.01\t.5\t4.\n",
    "blanks below tabs": "time\ta\tb\n  0  1\t -2.5\n0.01\t3 4\n",
    "blanks": "time a  b\r\n  0.0  1 +2\r\n 1e-2  3.0 4e0\r\n",
    "tabs at the ends": "time\ta\tb\t\n0\t1\t2\t\n0.01\t3\t4\t\n\n\n",
    "time by another name": "Time\ta\tb\n0\t1\t2\n0.01\t3\t4\n",
    "one row": "time\ta\tb\n0\t1\t2\n",
}
UNUSUAL = {
    "an empty cell": "time\ta\tb\n0\t\t1\t2\n",
    "an empty first cell": "time\ta\tb\n\t0\t1\t2\n",
    "no end": "time\ta\tb\n0\t1\t2",
    "two signs": "time\ta\tb\n0\t1-2\n",
    "too large": "time\ta\tb\n0\t1e999\t2\n",
    "a blank line": "time\ta\tb\n0\t1\t2\n\n0.01\t3\t4\n",
    "a frame twice": "time\ta\tb\n0\t1\t2\n0\t1\t2\n",
    "old line ends": "time\ta\tb\n0\t1\t2\r0.01\t3\t4\n",
}


@pytest.mark.parametrize("rows", PLAIN.values(), ids=PLAIN)
def test_plain_rows_are_read_at_once_as_line_by_line(tmp_path, rows):
    data = (HEAD + rows).encode()
    header, body = storage._read_at_once(io.BytesIO(data), "x")
    expected_header, expected = storage._read_line_by_line(data, "x")
    assert header == expected_header and (body.names, body.notes) == (expected.names, expected.notes)
    np.testing.assert_array_equal(body.time_s, expected.time_s)
    np.testing.assert_array_equal(body.values, expected.values)


@pytest.mark.parametrize("rows", UNUSUAL.values(), ids=UNUSUAL)
def test_unusual_rows_are_left_to_the_reader_that_names_the_line(rows):
    assert storage._read_at_once(io.BytesIO((HEAD + rows).encode()), "x") is None
