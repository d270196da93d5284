import dataclasses

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.opensim_io.jobs import run_job
from sspinn_opensim.opensim_io.storage import Table, read_storage, write_storage

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


def test_both_opensim_readers_read_what_was_written(tmp_path):
    written = table(rows=40)
    found = run_job("read_storage", {"path": write_storage(tmp_path / "x.mot", written)}, timeout_s=60).values
    for reader in ("table", "storage"):
        assert found[reader]["labels"] == list(written.names)
        assert found[reader]["rows"] == 40
        assert found[reader]["in_degrees"] == "yes"
        np.testing.assert_allclose(found[reader]["time_range_s"], written.time_s[[0, -1]], rtol=1e-14)
        np.testing.assert_allclose(found[reader]["max_abs"], np.abs(written.values).max(axis=0), rtol=1e-14)


@pytest.mark.parametrize(
    "change, message",
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
    with pytest.raises(InputError, match="cannot write x.sto"):
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


@pytest.mark.parametrize(
    "text",
    [
        "x\nversion=1\nnRows=2\nnColumns=3\ninDegrees=yes\nendheader\ntime\ta\tb\n" + ROWS,
        "inDegrees=yes\nDataType=double\nversion=3\nOpenSimVersion=4.6\nendheader\ntime\ta\tb\n" + ROWS,
        "x\r\nversion=1\r\ninDegrees = YES\r\nendheader\r\ntime\ta\tb\r\n0\t1\t2\r\n0.01\t3\t4\r\n",
        "\ufeffx\ninDegrees=y\nendheader\ntime\ta\tb\n" + ROWS,
        "x\ninDegrees=true\nendheader\n\ntime a b\n 0.0  1 2\n\n 1e-2  3.0 4e0\n\n",
        "x\ndatarows 2\ndatacolumns 3\ninDegrees=1\nendheader\ntime\ta\tb\t\n0\t1\t2\t\n0.01\t3\t4\t\n",
    ],
)
def test_reads_the_spellings_found_in_the_wild(tmp_path, text):
    read = read_storage(file_with(tmp_path, text))
    assert read.names == ("a", "b") and read.in_degrees is True
    np.testing.assert_array_equal(read.time_s, [0, 0.01])
    np.testing.assert_array_equal(read.values, [[1, 2], [3, 4]])


def test_reports_a_missing_degrees_flag_as_unknown(tmp_path):
    assert read_storage(file_with(tmp_path, "x\nendheader\ntime\ta\tb\n" + ROWS)).in_degrees is None


@pytest.mark.parametrize(
    "text, message",
    [
        ("x\nnRows=2\ntime\ta\tb\n" + ROWS, "header has no end"),
        ("x\nendheader\nTimes\ta\tb\n" + ROWS, "first column is not time"),
        ("x\nendheader\ntime\ta\ta\n" + ROWS, "stands twice"),
        ("x\nendheader\ntime\ta\tb c\n" + ROWS, "holds a space"),
        ("x\nendheader\ntime\ta\tb\n", "no rows"),
        ("x\nendheader\ntime\ta\tb\n0\t1\t2\n0.01\t3\n", "line 5"),
        ("x\nendheader\ntime\ta\tb\n0\t1\t2\n0.01\t\t4\n", "line 5"),
        ("x\nendheader\ntime\ta\tb\n0\t1\t2\n0.01\tnan\t4\n", "line 5, column 'a'"),
        ("x\nendheader\ntime\ta\tb\n0\t1\tx\n0.01\t3\t4\n", "line 4, column 'b'"),
        ("x\nendheader\ntime\ta\tb\n" + ROWS + "0.01\t5\t6\n", "time does not increase"),
        ("x\nnRows=9\nendheader\ntime\ta\tb\n" + ROWS, "another number of rows"),
        ("x\nnColumns=4\nendheader\ntime\ta\tb\n" + ROWS, "another number of columns"),
        ("x\ninDegrees=maybe\nendheader\ntime\ta\tb\n" + ROWS, "neither yes nor no"),
    ],
)
def test_refuses_a_malformed_file(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_storage(file_with(tmp_path, text))


def test_missing_file_and_column(tmp_path):
    with pytest.raises(InputError, match="cannot read the file"):
        read_storage(tmp_path / "none.sto")
    with pytest.raises(InputError, match="did you mean 'hip_flexion_r'"):
        table().column("hip_flexion")
