"""Places on a model: usual and measured ones are as they are, others are doubted or refused."""

import numpy as np
import pytest

from sspinn_opensim.anatomy.sensor_places import USUAL_PLACES, near_centre, usual_place_of
from sspinn_opensim.recording import Sensor
from sspinn_opensim.recording.sensors.places import odd_places, place

BODIES = ("pelvis", "torso", *(f"{body}_{side}" for body in ("femur", "tibia", "foot") for side in "rl"))
#: From the joint that carries the segment: participant P01 of Dorschky et al. (2019), as the data set states.
MEASURED = {
    "pelvis": (-0.10, 0.05, 0.0),
    "femur_r": (0.0, -0.21, 0.07),
    "tibia_l": (0.0, -0.18, -0.055),
    "foot_r": (0.12, 0.0, 0.0),
}


def severities(model, body: str, position) -> list[str]:
    found = odd_places([Sensor("s", body, tuple(map(float, position)))], model)
    assert all(f.key == "place:s" and "cm" in f.evidence and "position" in f.advice for f in found)
    return [f.severity for f in found]


def test_where_people_wear_sensors_nothing_is_odd(planar_model):
    names = {body.name for body in planar_model.bodies}
    for body in sorted(names & set(BODIES)):
        usual = np.array(place(Sensor("s", body, None), planar_model).position)
        sd = usual_place_of(body).deviation_m
        for off in ([0, 0, 0], [sd, 0, 0], [-sd, 0, 0], [0, sd, 0], [0, -sd, 0], [0, 0, sd], [0, 0, -sd]):
            assert severities(planar_model, body, usual + off) == [], (body, off)
    for body, position in MEASURED.items():
        assert severities(planar_model, body, near_centre(planar_model, body) + position) == []
    assert (
        odd_places([Sensor(f.name, f.body, f.position) for f in planar_model.imu_frames], planar_model) == []
    )
    assert set(USUAL_PLACES) >= {"thigh", "shank", "foot", "pelvis", "trunk"}


@pytest.mark.parametrize(
    ("body", "off", "severity"),
    [
        ("femur_r", (0.0, -0.2, -0.07), None),  # the inside of a thigh
        ("femur_r", (0.0, -0.2, -0.095), "doubt"),
        ("femur_r", (0.0, -0.2, -0.2), "serious"),
        ("femur_l", (0.0, -0.2, 0.2), "serious"),
        ("femur_l", (0.0, -0.2, -0.16), "doubt"),
        ("tibia_l", (0.0, -0.2, 0.15), "serious"),
        ("tibia_r", (0.2, -0.2, 0.0), "serious"),
        ("tibia_r", (0.12, -0.2, 0.0), "doubt"),
        ("tibia_r", (0.0, 0.2, 0.0), "serious"),  # above the knee
        ("foot_r", (0.05, 0.2, 0.0), "serious"),
        ("pelvis", (-0.3, 0.05, 0.0), "serious"),
        ("pelvis", (-0.23, 0.0, 0.0), "doubt"),
    ],
)
def test_a_place_off_the_segment_is_told(planar_model, body, off, severity):
    found = severities(planar_model, body, near_centre(planar_model, body) + off)
    assert found == ([severity] if severity else [])


def test_who_says_no_place_and_what_is_no_segment_is_passed_over(planar_model):
    assert odd_places([Sensor("s", "femur_r", None)], planar_model) == []
