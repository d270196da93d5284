import importlib

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import RecordingChoice, recognise
from sspinn_opensim.recording.formats.column_options import SensorColumns
from sspinn_opensim.recording.formats.parquet_table import ParquetOptions, read_parquet

pa = pytest.importorskip("pyarrow", reason="the extra 'parquet' is not installed")
import pyarrow.parquet as pq  # noqa: E402

RNG = np.random.default_rng(0)
N = 30
SIGNALS = {f"s_{kind}_{axis}": RNG.normal(size=N) for kind in ("acc", "gyro") for axis in "xyz"}
FORCE = np.stack([SIGNALS[f"s_acc_{axis}"] for axis in "xyz"], axis=1)


@pytest.fixture
def write(tmp_path):
    def _write(columns):
        pq.write_table(pa.table(columns), tmp_path / "walk.parquet")
        return tmp_path / "walk.parquet"

    return _write


def read(path, **options):
    choice = RecordingChoice("parquet", path, options=ParquetOptions(**options))
    return {stream.name: stream for stream in read_parquet(choice)}


def refused(path, **options) -> InputError:
    with pytest.raises(InputError) as caught:
        read(path, **options)
    assert str(path) in caught.value.where
    return caught.value


def test_a_table_is_read(write):
    path = write({"time": np.arange(N) / 100, **SIGNALS, "note": ["text"] * N})
    found = read(path)["s"]
    np.testing.assert_array_equal(found.acceleration, FORCE)
    np.testing.assert_allclose(np.diff(found.time_s), 0.01)
    assert recognise(path).name == "parquet"


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_dates_are_times(write, unit):
    per_s = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    step = max(1, per_s // 100)
    stamps = pa.array(1_700_000_000 * per_s + step * np.arange(N), pa.timestamp(unit))
    found = read(write({"time": stamps, **SIGNALS}))["s"]
    np.testing.assert_allclose(found.time_s, step / per_s * np.arange(N), rtol=1e-12)


def test_the_mapping_is_that_of_a_table_of_text(write):
    path = write(
        {"clock (ms)": 10 * np.arange(N), "Ax [g]": np.ones(N, np.float32), "Gz": np.ones(N, np.int32)}
    )
    named = SensorColumns("s", ("Ax", "", ""), ("", "", "Gz"))
    found = read(path, time_column="clock", angular_rate_unit="deg/s", columns=(named,))["s"]
    np.testing.assert_allclose(found.acceleration[:, 0], 9.80665)
    np.testing.assert_allclose(found.angular_rate[:, 2], np.pi / 180)
    np.testing.assert_allclose(found.time_s, 0.01 * np.arange(N))


def test_empty_cells_are_missing_samples(write):
    column = pa.array([None if k == 3 else float(k) for k in range(N)])
    found = read(write({"time": np.arange(N) / 100, "s_acc_x": column}))["s"]
    assert np.isnan(found.acceleration[3, 0]) and found.acceleration[4, 0] == 4.0


def test_what_cannot_be_used_is_refused(write, tmp_path):
    time = np.arange(N) / 100
    assert "holds no numbers" in refused(write({"time": time, "s_acc_x": ["a"] * N})).what
    assert "not a number" in refused(write({"time": time, "s_acc_x": np.full(N, np.inf)})).what
    assert "no column" in refused(write({"time": time, "angle": time})).what
    assert "no samples" in refused(write({"time": time[:0], "s_acc_x": time[:0]})).what
    whole = write({"time": time, **SIGNALS}).read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    assert "damaged" in refused(tmp_path / "cut.parquet").what


def test_a_missing_library_is_named_with_its_extra(write, monkeypatch):
    path, load = write({"time": np.arange(N) / 100, **SIGNALS}), importlib.import_module

    def without(name):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return load(name)

    monkeypatch.setattr(importlib, "import_module", without)
    error = refused(path)
    assert "'pyarrow'" in error.what and error.fix == "pip install 'sspinn_opensim[parquet]'"
