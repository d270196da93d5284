"""Centres of joints: a knee whose joint moves the shank from the hip down is where a hinge would be."""

from dataclasses import replace

import numpy as np
import pytest

from casadi_dynamics.model.functions import Constant
from casadi_dynamics.symbolic import build
from sspinn_opensim.anatomy.joint_centres import joint_centre
from sspinn_opensim.placement.bodies import whole_body
from sspinn_opensim.recording import Sensor
from sspinn_opensim.recording.sensors.places import place
from sspinn_opensim.simulation import places


@pytest.fixture(scope="module")
def translating(planar_model):
    """Return our planar model with knees as in OpenSim's older gait models: translation, not an offset."""

    def moved(joint):
        if not joint.name.startswith("knee"):
            return joint
        axes = [
            replace(a, function=Constant(x))
            for a, x in zip(joint.translations, joint.parent.translation, strict=True)
        ]
        axes = [replace(a, axis=tuple(np.eye(3)[k].tolist())) for k, a in enumerate(axes)]
        return replace(joint, translations=tuple(axes), parent=replace(joint.parent, translation=(0.0,) * 3))

    return replace(planar_model, joints=tuple(map(moved, planar_model.joints)))


def test_a_joint_that_translates_has_its_centre_where_it_leads(planar_model, translating):
    offset, moved = planar_model.joint("knee_r"), translating.joint("knee_r")
    np.testing.assert_array_equal(joint_centre(planar_model, moved, "tibia_r"), offset.child.translation)
    found = joint_centre(translating, moved, "femur_r")
    assert np.linalg.norm(found) > 0.4
    np.testing.assert_allclose(found, offset.parent.translation, atol=1e-12)


def test_sensors_by_default_and_from_a_joint_are_where_the_hinge_puts_them(planar_model, translating):
    first, second = (
        {s.name: s.position for s in places.virtual_sensors(build(model), ())}
        for model in (planar_model, translating)
    )
    assert first.keys() == second.keys() and "femur_r" in first
    for name, position in first.items():
        np.testing.assert_allclose(second[name], position, atol=1e-12)
    sensor = Sensor("thigh", "femur_r", (0.01, 0.05, 0.02), origin="knee_r")
    placed = [place(sensor, model).position for model in (planar_model, translating)]
    np.testing.assert_allclose(placed[1], placed[0], atol=1e-12)
    assert placed[1][1] < -0.3
    guesses = [whole_body(model, "femur_r") for model in (planar_model, translating)]
    np.testing.assert_allclose(guesses[1].position, guesses[0].position, atol=1e-12)
    joints = [places.joint_distance(build(m), "hip_r", "knee_r") for m in (planar_model, translating)]
    assert joints[1] == pytest.approx(joints[0], abs=1e-12)


@pytest.mark.parametrize(
    ("model", "file", "where"),
    [("gait2392", "gait2392_thelen2003", 0.396), ("gait2354", "gait2354_subject01", 0.454)],
)
def test_thighs_of_public_models_are_as_long_as_their_knee_says(repository, model, file, where):
    path = repository.parent / "shared" / "models" / f"{file}.osim"
    if not path.is_file():
        pytest.skip("the public models are not beside this checkout (../shared/models)")
    from sspinn_opensim.opensim_io.model.upgraded_model import read_any_model

    read = read_any_model(path)
    centre = joint_centre(read, read.joint("knee_r"), "femur_r")
    assert -centre[1] == pytest.approx(where, abs=5e-4), model
