import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import read_recording
from sspinn_opensim.study import read_study

STUDY = """
[model]
file = "builtin:planar_gait"
[person]
height_m = 1.7
mass_kg = 70
[recording]
format = "csv"
file = "walk.csv"
{settings}
[sensors.pelvis]
imu_frame = "pelvis_imu"
"""


@pytest.fixture
def study(tmp_path):
    def _study(settings="", unit=1.0):
        time_s = np.arange(200) / 200
        swing = np.sin(2 * np.pi * time_s)
        table = np.stack([time_s, swing * unit, (9.81 + swing) * unit, swing], axis=1)
        header = "time,pelvis_acc_x,pelvis_acc_y,pelvis_gyro_z"
        np.savetxt(tmp_path / "walk.csv", table, delimiter=",", header=header, comments="")
        (tmp_path / "study.toml").write_text(STUDY.format(settings=settings))
        return read_study(tmp_path / "study.toml")

    return _study


def test_a_study_gives_a_recording(study):
    recording = read_recording(study())
    assert recording.name == "walk" and recording.sampling_rate_hz == pytest.approx(200)
    assert recording.sensors[0].imu_frame == "pelvis_imu"


def test_the_rate_is_that_of_the_study(study):
    recording = read_recording(study("sampling_rate_hz = 100"))
    assert recording.sampling_rate_hz == pytest.approx(100)
    expected = np.sin(2 * np.pi * recording.time_s[10:-10])
    np.testing.assert_allclose(recording.angular_rate[10:-10, 0, 2], expected, atol=5e-3)


def test_a_part_of_the_recording_keeps_its_times(study):
    whole, part = read_recording(study()), read_recording(study("from_s = 0.25\nto_s = 0.75"))
    assert part.time_s[[0, -1]] == pytest.approx([0.25, 0.75]) and part.usable.all()
    np.testing.assert_array_equal(part.acceleration, whole.acceleration[50:151])
    chosen = study("from_s = 0.25\nto_s = 0.75")
    np.testing.assert_array_equal(read_recording(chosen, whole=True).time_s, whole.time_s)


def test_what_lies_between_pieces_is_not_usable(study):
    recording = read_recording(study("pieces = [[0.1, 0.3], [0.6, 0.8]]"))
    assert recording.time_s[[0, -1]] == pytest.approx([0.1, 0.8])
    unused = recording.time_s[~recording.usable]
    assert unused[[0, -1]] == pytest.approx([0.305, 0.595]) and np.all(np.diff(unused) < 0.0051)
    assert recording.notes == ("2 pieces of the recording are used: 0.1-0.3, 0.6-0.8 s.",)


@pytest.mark.parametrize("key", ["to_s = 3", "from_s = 2", "standing_s = [0, 3]", "pieces = [[0, 3]]"])
def test_parts_beyond_the_recording_are_refused(study, key):
    with pytest.raises(InputError, match="not in the recording") as caught:
        read_recording(study(key))
    assert key.split()[0] in caught.value.where and "0 to 0.995 s" in caught.value.expected


def test_a_part_of_no_length_is_refused(study):
    with pytest.raises(InputError, match="fewer than two samples"):
        read_recording(study("from_s = 0.5\nto_s = 0.501"))


def test_a_sensor_turned_in_its_imu_frame(study, tmp_path):
    """A sensor whose x points along the frame's y reads along y what it felt along x."""
    plain = read_recording(study())
    text = (tmp_path / "study.toml").read_text() + "orientation_deg = [0, 0, 90]\n"
    (tmp_path / "study.toml").write_text(text)
    turned = read_recording(read_study(tmp_path / "study.toml"))
    np.testing.assert_allclose(turned.acceleration[:, 0, 1], plain.acceleration[:, 0, 0], atol=1e-12)
    np.testing.assert_allclose(turned.acceleration[:, 0, 0], -plain.acceleration[:, 0, 1], atol=1e-12)


def test_a_wrong_unit_names_the_key(study):
    with pytest.raises(InputError) as caught:
        read_recording(study(unit=1 / 9.81))
    assert "acceleration_unit" in caught.value.where and "walk.csv" in caught.value.where
    assert (
        read_recording(study('[recording.csv]\nacceleration_unit = "g"', unit=1 / 9.80665)).time_s.size == 200
    )
