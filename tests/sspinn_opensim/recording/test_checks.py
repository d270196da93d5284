import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import Recording, Sensor, check_placement, describe_doubts
from sspinn_opensim.recording.checks import refuse_implausible


def walking(acceleration_factor=1.0, rate_factor=1.0, rest_force=9.81, channels=3) -> Recording:
    """Two seconds of rest, then two of a swinging sensor."""
    time_s = np.arange(400) / 100
    swing = np.where(time_s < 2, 0.0, np.sin(2 * np.pi * time_s))
    acceleration, rate = np.zeros((2, 400, 1, 3))
    acceleration[:, 0, 1] = rest_force + 6.0 * swing
    acceleration[:, 0, 0] = 3.0 * swing
    acceleration[:, 0, 2] = 0.5 * swing
    rate[:, 0] = 3.0 * swing[:, None]
    known = np.arange(3)[None] < channels
    return Recording(
        *("walk", time_s, (Sensor("s", "b"),)),
        *(acceleration * acceleration_factor * known, rate * rate_factor),
        *(known, np.ones((1, 3), dtype=bool), np.zeros((1, 3)), np.zeros((1, 3))),
    )


@pytest.mark.parametrize("channels", [3, 2])
def test_a_plausible_recording_raises_no_doubt(channels):
    refuse_implausible(walking(channels=channels), "walk.csv")
    assert describe_doubts(walking(channels=channels)) == ()


@pytest.mark.parametrize(
    ("changes", "where", "fix"),
    [
        ({"acceleration_factor": 1 / 9.81}, "acceleration_unit", '"g"'),
        ({"acceleration_factor": 9.81}, "acceleration_unit", '"m/s^2"'),
        ({"acceleration_factor": 1 / 9.81, "channels": 2}, "acceleration_unit", '"g"'),
        ({"rate_factor": 180 / np.pi}, "angular_rate_unit", '"deg/s"'),
    ],
)
def test_a_wrong_unit_is_refused(changes, where, fix):
    with pytest.raises(InputError) as caught:
        refuse_implausible(walking(**changes), "walk.csv")
    assert "walk.csv" in caught.value.where and where in caught.value.where and fix in caught.value.fix


def test_a_rate_in_radians_called_degrees_is_told():
    (doubt,) = describe_doubts(walking(rate_factor=np.pi / 180))
    assert "deg/s" in doubt


def test_a_sensor_that_misses_gravity_at_rest_is_told():
    (doubt,) = describe_doubts(walking(rest_force=12.2))
    assert "'s'" in doubt and "12.2" in doubt


def test_a_sensor_mounted_upside_down_is_told():
    recording = walking()
    flipped = recording.acceleration * (-1.0, -1.0, 1.0)
    (doubt,) = describe_doubts(dataclasses.replace(recording, acceleration=flipped))
    assert "'s'" in doubt and "180 degrees" in doubt and "axes" in doubt


def test_a_dead_channel_is_told():
    recording = walking()
    rate = recording.angular_rate.copy()
    rate[:, 0, 1] = 0.7
    doubts = describe_doubts(dataclasses.replace(recording, angular_rate=rate))
    assert any("angular rate y is always 0.7" in doubt for doubt in doubts)


@pytest.fixture
def model():
    chain = [("root", "ground", "pelvis"), ("hip_r", "pelvis", "femur_r"), ("knee_r", "femur_r", "tibia_r")]
    joints = [
        SimpleNamespace(name=name, parent=SimpleNamespace(body=parent), child=SimpleNamespace(body=child))
        for name, parent, child in chain
    ]
    return SimpleNamespace(
        name="legs",
        bodies=[SimpleNamespace(name=child) for _, _, child in chain],
        joints=joints,
        joint_of=lambda body: next(joint for joint in joints if joint.child.body == body),
        imu_frames=[SimpleNamespace(name="femur_r_imu")],
    )


def test_a_placement_the_model_has_is_accepted(model):
    sensors = (
        Sensor("a", "femur_r"),
        Sensor("b", "pelvis", origin="hip_r"),
        Sensor("c", "no_body_needed", imu_frame="femur_r_imu"),
    )
    check_placement(sensors, model)


@pytest.mark.parametrize(
    ("sensor", "what", "fix"),
    [
        (Sensor("a", "femurr"), "no body 'femurr'", "femur_r"),
        (Sensor("a", "femur_r", origin="hip"), "no joint 'hip'", "hip_r"),
        (Sensor("a", "femur_r", imu_frame="femur_imu"), "no IMU frame 'femur_imu'", "femur_r_imu"),
        (Sensor("a", "tibia_r", origin="hip_r"), "does not touch", ""),
    ],
)
def test_a_placement_the_model_lacks_is_refused(model, sensor, what, fix):
    with pytest.raises(InputError) as caught:
        check_placement((sensor,), model, "study.toml")
    assert what in caught.value.what and fix in caught.value.fix
    assert "study.toml, [sensors.a]" in caught.value.where
