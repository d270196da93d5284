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
format = "xsens_mt"
file = "imu"
[sensors.foot_r]
position = [0.1, 0, 0]
axes = ["x", "-z", "y"]
[sensors.tibia_r]
source = "00B40002"
position = [0, -0.2, 0]
axes = ["x", "-z", "y"]
"""
HEADER = "// DeviceId: {}\n// Update Rate: 100.0Hz\n"
MAPPING = """<OpenSimDocument><XsensDataReaderSettings><ExperimentalSensors>
<ExperimentalSensor name="_00B40001"><name_in_model>foot_r_imu</name_in_model></ExperimentalSensor>
</ExperimentalSensors></XsensDataReaderSettings>
</OpenSimDocument>"""
ALL = ("Acc_X", "Acc_Y", "Acc_Z", "Gyr_X", "Gyr_Y", "Gyr_Z")
QUAT = ("Quat_q0", "Quat_q1", "Quat_q2", "Quat_q3")


@pytest.fixture
def study(tmp_path):
    """Return a study on a folder of two sensors that have these columns."""

    def _study(*columns):
        folder = tmp_path / "imu"
        folder.mkdir()
        time_s = np.arange(300) / 100
        swing = np.sin(2 * np.pi * time_s)
        known = dict(zip(ALL, (swing, 0 * swing, 9.81 + swing, 0 * swing, swing, 0 * swing), strict=True))
        known |= dict(zip(QUAT, (1 + 0 * swing, 0 * swing, 0 * swing, 0 * swing), strict=True))
        for serial in ("00B40001", "00B40002"):
            rows = [[str(k), *(f"{known[name][k]:.6f}" for name in columns)] for k in range(300)]
            lines = ["\t".join(row) for row in [["PacketCounter", *columns], *rows]]
            (folder / f"walk_{serial}.txt").write_text(HEADER.format(serial) + "\n".join(lines))
        (folder / "myIMUMappings.xml").write_text(MAPPING)
        (folder / "diary.txt").write_text("sunny")
        (tmp_path / "study.toml").write_text(STUDY)
        return read_study(tmp_path / "study.toml")

    return _study


def test_a_folder_is_a_recording(study):
    recording = read_recording(study(*ALL))
    assert recording.sensor_names == ("foot_r", "tibia_r") and recording.sampling_rate_hz == pytest.approx(
        100
    )
    assert recording.acceleration_available.all() and recording.angular_rate_available.all()
    # The study turns the sensors' z upwards, which is y of a body.
    assert recording.acceleration[:, 0, 1].mean() == pytest.approx(9.81, abs=0.02)
    assert recording.notes[0] == "Files of the folder that are not read: diary.txt."
    assert "Segments of sensors are those of myIMUMappings.xml." in recording.notes


def test_an_accelerometer_alone_is_used_and_said(study):
    recording = read_recording(study(*ALL[:3]))
    assert recording.acceleration_available.all() and not recording.angular_rate_available.any()
    assert "No angular rate of '00B40001', '00B40002'." in recording.notes


def test_orientation_alone_is_refused_with_what_to_export(study):
    with pytest.raises(InputError) as caught:
        read_recording(study(*QUAT))
    error = caught.value
    assert "neither specific force nor angular rate of '00B40001', '00B40002'" in error.what
    assert (
        "orientation only" in error.found and "MT Manager" in error.fix and "walk_00B40001.txt" in error.where
    )
