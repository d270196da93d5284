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


def test_a_wrong_unit_names_the_key(study):
    with pytest.raises(InputError) as caught:
        read_recording(study(unit=1 / 9.81))
    assert "acceleration_unit" in caught.value.where and "walk.csv" in caught.value.where
    assert (
        read_recording(study('[recording.csv]\nacceleration_unit = "g"', unit=1 / 9.80665)).time_s.size == 200
    )
