import h5py
import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import RecordingChoice, recognise
from sspinn_opensim.recording.formats.apdm import read_apdm

RNG = np.random.default_rng(0)
N, START = 20, 1_550_879_504_438_281
TIME = (START + np.round(np.arange(N) * 1e6 / 128)).astype(np.uint64)
FORCE, RATE, TURN = RNG.normal(size=(N, 3)), RNG.normal(size=(N, 3)), np.tile([1.0, 0, 0, 0], (N, 1))


def new_file(path, labels=("Lumbar", "Left Foot"), unit=b"m/s^2"):
    """Write HDF5 of version 5, as Mobility Lab does."""
    with h5py.File(path, "w") as file:
        file.attrs["FileFormatVersion"] = 5
        for k, label in enumerate(labels):
            sensor = file.create_group(f"Sensors/{1234 + k}")
            sensor.create_group("Configuration").attrs["Label 0"] = np.bytes_(f"{label}\x00\x00")
            sensor["Time"] = TIME + 500 * k
            for name, signal, spelt in (("Accelerometer", FORCE, unit), ("Gyroscope", RATE, b"rad/s")):
                sensor.create_dataset(name, data=signal + k).attrs["Units"] = spelt
            file[f"Processed/{1234 + k}/Orientation"] = TURN
    return path


def old_file(path):
    """Write HDF5 of version 4, as Motion Studio does."""
    with h5py.File(path, "w") as file:
        file.attrs["FileFormatVersion"] = 4
        file.attrs["CaseIdList"] = np.array([b"SI-000111", b"SI-000112"])
        file.attrs["MonitorLabelList"] = np.array([b"Lumbar\x00", b"Left Foot"])
        file["Annotations"] = np.zeros(3)
        for k, case in enumerate(("SI-000111", "SI-000112")):
            file[f"{case}/Time"] = TIME
            file[f"{case}/Calibrated/Accelerometers"] = FORCE + k
            file[f"{case}/Calibrated/Gyroscopes"] = RATE + k
            file[f"{case}/Calibrated/Orientation"] = TURN
            file[f"{case}/Raw/Accelerometers"] = np.zeros((N, 3))
    return path


NAMES = [f"{name}/{axis}" for name in ("Acceleration", "Angular Velocity") for axis in "XYZ"]
NAMES += [*(f"Orientation/{part}" for part in ("Scalar", "X", "Y", "Z")), "Temperature/Scalar"]
LABELS = (
    "Test Name:,Walk\nSample Rate:,128,Hz\n"
    + ",".join(["Time", *(f"Lumbar/{name}" for name in NAMES)])
    + "\ns,m/s^2,m/s^2,m/s^2,rad/s,rad/s,rad/s,,,,,deg C\n"
)
LINES = (
    "Format=7,5718,,,Lumbar,,,,,,,5778,,,Left Foot,,,,,,\n"
    + "Time" + 2 * ",Accelerometer,,,Gyroscope,,,Orientation,,," + "\n"
    + 2 * ",X,Y,Z,X,Y,Z,S,X,Y,Z" + "\n"
)  # fmt: skip


def text(head, sensors=1, time=None):
    time = TIME / 1e6 if time is None else time
    signals = [np.hstack([FORCE + k, RATE + k, TURN]) for k in range(sensors)]
    extra = [np.full((N, 1), 22.5)] if head is LABELS else []
    rows = np.hstack([*signals, *extra])
    pairs = zip(time.tolist(), rows.tolist(), strict=True)
    return head + "\n".join(",".join(map(repr, [t, *row])) for t, row in pairs) + "\n"


@pytest.fixture
def write(tmp_path):
    def _write(content):
        (tmp_path / "walk.csv").write_text(content)
        return tmp_path / "walk.csv"

    return _write


def read(path):
    assert recognise(path).name == "apdm"
    return {stream.name: stream for stream in read_apdm(RecordingChoice("apdm", path))}


def refused(path) -> InputError:
    with pytest.raises(InputError) as caught:
        read_apdm(RecordingChoice("apdm", path))
    assert str(path) in caught.value.where
    return caught.value


@pytest.mark.parametrize("make", [new_file, old_file])
def test_hdf5_is_read(tmp_path, make):
    found = read(make(tmp_path / "walk.h5"))
    assert list(found) == ["Lumbar", "Left Foot"]
    foot = found["Left Foot"]
    np.testing.assert_array_equal(foot.acceleration, FORCE + 1)
    np.testing.assert_array_equal(foot.angular_rate, RATE + 1)
    np.testing.assert_array_equal(foot.orientation, TURN)
    assert foot.time_s[0] == pytest.approx(5e-4 if make is new_file else 0.0)
    np.testing.assert_allclose(np.diff(foot.time_s), 1 / 128, atol=1.1e-6)  # whole microseconds


def test_units_of_hdf5_are_used(tmp_path):
    np.testing.assert_allclose(
        read(new_file(tmp_path / "walk.h5", unit=b"g"))["Lumbar"].acceleration, 9.80665 * FORCE
    )
    assert "'furlong'" in refused(new_file(tmp_path / "other.h5", unit=b"furlong")).what


def test_sensors_of_one_label_get_their_numbers(tmp_path):
    assert list(read(new_file(tmp_path / "walk.h5", ("Foot", "Foot")))) == ["Foot 1234", "Foot 1235"]


def test_text_with_labels_is_read(write):
    (lumbar,) = read(write(text(LABELS))).values()
    np.testing.assert_array_equal(lumbar.acceleration, FORCE)
    np.testing.assert_array_equal(lumbar.angular_rate, RATE)
    np.testing.assert_array_equal(lumbar.orientation, TURN)
    assert lumbar.name == "Lumbar" and np.diff(lumbar.time_s) == pytest.approx(1 / 128, abs=1.1e-6)


def test_text_with_three_lines_of_names_is_read(write):
    found = read(write(text(LINES, 2, TIME)))
    assert list(found) == ["Lumbar", "Left Foot"]
    np.testing.assert_array_equal(found["Left Foot"].angular_rate, RATE + 1)
    np.testing.assert_array_equal(found["Left Foot"].orientation, TURN)
    time_s = found["Lumbar"].time_s
    assert time_s[0] == 0.0 and np.diff(time_s) == pytest.approx(1 / 128, abs=1.1e-6)


def test_what_cannot_be_used_is_refused(tmp_path, write):
    with h5py.File(tmp_path / "raw.h5", "w") as file:
        file["SI-000111/Raw/Accelerometers"] = FORCE
    assert "calibrated" in refused(tmp_path / "raw.h5").what
    assert "cannot be read" in refused(tmp_path / "nowhere.h5").what
    (tmp_path / "cut.h5").write_bytes(new_file(tmp_path / "walk.h5").read_bytes()[:3000])
    assert "damaged" in refused(tmp_path / "cut.h5").what
    assert "no samples" in refused(write(LINES)).what
    assert "Two sensors" in refused(write(text(LINES.replace("Left Foot", "Lumbar"), 2, TIME))).what
    assert "does not match" in refused(write(text(LINES, 2, TIME).replace(",0.0\n", "\n", 1))).what
