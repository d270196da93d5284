"""Sensors that name a segment find a body and the joint that carries it."""

import dataclasses

import numpy as np
import pytest

import osim_models
from casadi_dynamics.errors import InputError
from casadi_dynamics.osim import read_model
from sspinn_opensim.anatomy.sensor_places import joint_above
from sspinn_opensim.recording import (
    PROXIMAL,
    Recording,
    Sensor,
    along_bodies,
    check_placement,
    moved_sensors,
    on_model,
)
from sspinn_opensim.recording.sensors.placement import usual_places


def recorded(*sensors):
    shape = (2, len(sensors), 3)
    return Recording(
        name="still",
        time_s=np.array([0.0, 0.01]),
        sensors=sensors,
        acceleration=np.zeros(shape),
        angular_rate=np.zeros(shape),
        acceleration_available=np.ones(shape[1:], bool),
        angular_rate_available=np.ones(shape[1:], bool),
        acceleration_variance=np.zeros(shape[1:]),
        angular_rate_variance=np.zeros(shape[1:]),
    )


@pytest.fixture(scope="module")
def planar():
    return read_model(osim_models.path("planar_gait.osim"))


@pytest.fixture(scope="module", params=["gait2392_thelen2003", "Rajagopal2016"])
def spatial(request, repository):
    path = repository.parent / "shared" / "models" / f"{request.param}.osim"
    if not path.is_file():
        pytest.skip("the public models are not beside this checkout (../shared/models)")
    return read_model(path)


def bodies_of(recording, model):
    return [sensor.body for sensor in on_model(recording, model).sensors]


def test_segments_are_found_on_a_gait_model(spatial):
    names = ("pelvis", "femur_r", "tibia_r", "foot_r", "left_foot", "LeftShank", "thigh_l")
    recording = recorded(*(Sensor(name, name) for name in names))
    expected = ["pelvis", "femur_r", "tibia_r", "calcn_r", "calcn_l", "tibia_l", "femur_l"]
    assert bodies_of(recording, spatial) == expected
    assert moved_sensors(recording, spatial)[0] == "sensor 'foot_r' sits on body 'calcn_r'"
    assert len(moved_sensors(recording, spatial)) == 4
    check_placement(on_model(recording, spatial).sensors, spatial)


def test_a_body_that_the_study_names_is_left_alone(spatial):
    """Only a sensor that says nothing of its body is looked up: a wrong body stays an error."""
    recording = recorded(Sensor("heel", "foot_r"), Sensor("foot_r", "talus_r"), Sensor("wrist", "wrist"))
    assert bodies_of(recording, spatial) == ["foot_r", "talus_r", "wrist"]
    with pytest.raises(InputError, match="no body 'foot_r'"):
        check_placement(on_model(recording, spatial).sensors, spatial)


def test_the_built_in_model_has_bodies_of_these_names(planar):
    recording = recorded(*(Sensor(name, name) for name in ("pelvis", "femur_r", "tibia_r", "foot_r")))
    assert on_model(recording, planar).sensors == recording.sensors
    assert moved_sensors(recording, planar) == ()


def test_the_joint_that_carries_a_segment(spatial, planar):
    assert joint_above(planar, "foot_r").name == "ankle_r"
    assert joint_above(spatial, "pelvis") is None
    assert joint_above(spatial, "femur_l").name == "hip_l"
    assert joint_above(spatial, "tibia_l").child.body == "tibia_l"
    for body in ("talus_r", "calcn_r", "toes_r"):
        assert joint_above(spatial, body).name == "ankle_r"


def test_a_foot_is_measured_from_the_ankle_though_a_talus_lies_between(spatial):
    check_placement((Sensor("foot", "calcn_r", origin="ankle_r"),), spatial)
    check_placement((Sensor("foot", "calcn_r", origin=PROXIMAL),), spatial)
    with pytest.raises(InputError, match="does not touch"):
        check_placement((Sensor("foot", "calcn_r", origin="ankle_l"),), spatial)


def test_a_sensor_on_toes_is_not_said_to_sit_on_the_instep(spatial):
    toes, foot = usual_places(recorded(Sensor("a", "toes_r", None), Sensor("b", "calcn_r", None)), spatial)
    assert "on the toes" in toes and 'one on the instep is on body = "calcn_r"' in toes
    assert "on the instep" in foot and "toes" not in foot
    (both,) = usual_places(recorded(Sensor("b", "calcn_r", None), Sensor("c", "calcn_l", None)), spatial)
    assert both.startswith("sensors 'b', 'c' have no position: each is taken to sit on the instep, give or")


def test_other_things_of_a_recording_stay(spatial):
    recording = dataclasses.replace(recorded(Sensor("foot_r", "foot_r")), speed_m_s=1.2)
    found = on_model(recording, spatial)
    assert found.speed_m_s == 1.2 and found.name == recording.name


def test_frames_along_their_bodies_copy_no_signal(planar):
    recording = recorded(Sensor("foot", "foot", imu_frame="foot_r_imu"))
    placed = along_bodies(recording, planar)
    assert placed.sensors[0].body == "foot_r" and not placed.sensors[0].imu_frame
    assert placed.acceleration is recording.acceleration
    turned = dataclasses.replace(
        planar, imu_frames=[dataclasses.replace(f, rotation=np.eye(3)[[1, 2, 0]]) for f in planar.imu_frames]
    )
    moving = dataclasses.replace(recording, acceleration=np.arange(6.0).reshape(2, 1, 3))
    assert along_bodies(moving, turned).acceleration[1, 0].tolist() == [4.0, 5.0, 3.0]
