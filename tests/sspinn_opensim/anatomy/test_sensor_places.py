"""Usual places of sensors against those that were measured, and on models of other sizes."""

import dataclasses

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.anatomy.sensor_places import USUAL_PLACES, near_centre, usual_place_of, usual_position
from sspinn_opensim.recording import Sensor, check_placement
from sspinn_opensim.recording.sensors.places import place

#: Positions from the proximal joint on participant P01 of Dorschky et al. (2019), 1.73 m, as the data set
#: states them; the built-in model is that of a man of 1.80 m.
MEASURED = {
    "pelvis": (-0.10, 0.05, 0.0),
    "femur_r": (0.0, -0.21, 0.07),
    "tibia_r": (0.0, -0.20, 0.055),
    "foot_r": (0.12, 0.0, 0.0),
    "femur_l": (0.0, -0.20, -0.07),
    "tibia_l": (0.0, -0.18, -0.055),
}


@pytest.mark.parametrize("body", MEASURED)
def test_usual_places_are_within_their_deviation_of_measured_ones(planar_model, body):
    found = usual_position(planar_model, body) - near_centre(planar_model, body)
    # Two standard deviations: one in twenty sensors is worn elsewhere.
    assert np.linalg.norm(found - MEASURED[body]) < 2 * usual_place_of(body).deviation_m


def test_a_sensor_without_a_position_sits_at_the_usual_place(planar_model):
    check_placement((Sensor("thigh", "femur_r", None),), planar_model)
    frame = place(Sensor("thigh", "femur_r", None), planar_model)
    np.testing.assert_allclose(frame.position, usual_position(planar_model, "femur_r"), atol=1e-15)
    knee = planar_model.joint("knee_r").parent.translation
    assert frame.position[1] == pytest.approx(knee[1] / 2)


def test_places_follow_the_joints_of_the_scaled_model(planar_model):
    """A thigh of 80 % of the length carries its sensor at 80 % of the distance from the hip."""

    def shorter(joint):
        if joint.name != "knee_r":
            return joint
        x, y, z = joint.parent.translation
        return dataclasses.replace(
            joint, parent=dataclasses.replace(joint.parent, translation=(x, 0.8 * y, z))
        )

    child = dataclasses.replace(planar_model, joints=tuple(map(shorter, planar_model.joints)))
    assert usual_position(child, "femur_r")[1] == pytest.approx(
        0.8 * usual_position(planar_model, "femur_r")[1]
    )


def test_where_no_place_is_usual_a_position_is_asked_for(planar_model):
    assert usual_place_of("hand_r") is None and set(USUAL_PLACES) == {
        "pelvis",
        "thigh",
        "shank",
        "foot",
        "trunk",
    }
    odd = dataclasses.replace(planar_model.bodies[0], name="rucksack")
    model = dataclasses.replace(planar_model, bodies=(*planar_model.bodies, odd))
    with pytest.raises(InputError, match="no place on the model") as caught:
        check_placement((Sensor("bag", "rucksack", None),), model)
    assert "position" in caught.value.expected
