import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import RecordingChoice, recognise
from sspinn_opensim.recording.formats.npz_archive import NpzOptions, read_npz

RNG = np.random.default_rng(0)
N = 50
TIME = np.arange(N) / 100
STACK = {
    "t_imu": TIME,
    "segments": np.array(["pelvis", "foot_r"]),
    "acc": RNG.normal(size=(N, 2, 3)),
    "gyr": RNG.normal(size=(N, 2, 3)),
    "quat": RNG.normal(size=(N, 2, 4)),
}


@pytest.fixture
def write(tmp_path):
    def _write(**arrays):
        np.savez(tmp_path / "walk.npz", **arrays)
        return tmp_path / "walk.npz"

    return _write


def read(path, **options):
    return {s.name: s for s in read_npz(RecordingChoice("npz", path, options=NpzOptions(**options)))}


def refused(path, **options) -> InputError:
    with pytest.raises(InputError) as caught:
        read(path, **options)
    assert str(path) in caught.value.where
    return caught.value


def test_a_sensor_that_is_there_twice_is_refused(write):
    error = refused(write(**STACK | {"segments": np.array(["pelvis", "pelvis"])}))
    assert "Two sensors are named 'pelvis'" in error.what


def test_stacked_signals_are_read(write):
    path = write(**STACK)
    found = read(path)
    assert list(found) == ["pelvis", "foot_r"] and recognise(path).name == "npz"
    foot = found["foot_r"]
    np.testing.assert_array_equal(foot.acceleration, STACK["acc"][:, 1])
    np.testing.assert_array_equal(foot.angular_rate, STACK["gyr"][:, 1])
    np.testing.assert_array_equal(foot.orientation, STACK["quat"][:, 1])
    np.testing.assert_array_equal(foot.time_s, TIME)
    assert foot.segment == "foot_r"


def test_arrays_of_single_sensors_are_read_in_their_units(write):
    path = write(time_s=TIME, a_acc=np.ones((N, 3)), a_gyro=np.full((N, 3), 180.0), b_acc=np.zeros((N, 3)))
    found = read(path, acceleration_unit="g", angular_rate_unit="deg/s")
    np.testing.assert_allclose(found["a"].acceleration, 9.80665)
    np.testing.assert_allclose(found["a"].angular_rate, np.pi)
    assert found["b"].angular_rate is None


def test_what_a_laboratory_measured_is_never_opened(write, monkeypatch):
    path = write(**STACK, t_grf=TIME, grf_cols=np.array(["Fy"]), grf=RNG.normal(size=(N, 1)), foot_grf=TIME)
    opened, get = [], np.lib.npyio.NpzFile.__getitem__

    def watched(archive, name):
        opened.append(name)
        return get(archive, name)

    monkeypatch.setattr(np.lib.npyio.NpzFile, "__getitem__", watched)
    read(path)
    assert sorted(opened) == ["acc", "gyr", "quat", "segments", "t_imu"]


def test_what_is_missing_is_told(write):
    assert "no array 'time_s' of time" in refused(write(a_acc=np.zeros((N, 3)))).what
    error = refused(write(t=TIME, a_acc=np.zeros((N, 3))), time_array="tt")
    assert "'tt'" in error.what and "'t'" in error.fix
    assert "NAME_acc" in refused(write(t=TIME, force=np.zeros((N, 3)))).expected
    assert refused(write(t=TIME, a_acc=np.zeros((N, 2)))).expected == "(n, 3)"
    assert "damaged" in refused(write(t=TIME, a_acc=np.zeros((N - 1, 3)))).what
    assert "damaged" in refused(write(t=TIME, a_acc=np.array([["x", "y", "z"]] * N))).what


def test_what_is_no_archive_is_refused(tmp_path):
    path = tmp_path / "walk.npz"
    path.write_bytes(b"PK\x03\x04 and no more")
    assert "damaged" in refused(path).what
    np.save(tmp_path / "walk.npy", TIME)
    assert "damaged" in refused(tmp_path / "walk.npy").what
    assert "damaged" in refused(tmp_path / "nowhere.npz").what


def test_recordings_of_a_treadmill_are_read(shared):
    path = shared / "data" / "capsense_walk" / "Sub01_CSBaseline.npz"
    found = read(path)
    assert len(found) == 8 and len(found["pelvis"]) == 5950
    # At rest, as its README says: 12.1 to 12.4 of the left foot, about 10 of the others.
    rest = {name: np.linalg.norm(s.acceleration[:50], axis=1).mean() for name, s in found.items()}
    assert 12.0 < rest["toes_l"] < 12.5 and 9.6 < rest["pelvis"] < 10.3
