"""Where bodies stand, about which axes coordinates turn them, and which coordinates move which bodies."""

import dataclasses
import importlib

import numpy as np
import pytest

import osim_models
from casadi_dynamics.model import Linear
from casadi_dynamics.model.constraints import CoordinateCouplerConstraint
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import build, posture
from casadi_dynamics.symbolic.posture import moving_coordinates, upright, without_forces


@pytest.fixture(scope="module", params=["gait2392_thelen2003", "Rajagopal2016"])
def spatial(request, public_models):
    return read_model(public_models / f"{request.param}.osim")


def test_places_and_axes_are_those_of_the_stored_answers(with_answers, public_models):
    """OpenSim's places of the bodies at a random state; axes by differences of OpenSim's rotations."""
    model, _, answers = with_answers(public_models, "Rajagopal2016.osim", "Rajagopal2016.npz")
    values = dict(zip(answers["coord_names"], answers["q"][0], strict=True))
    found = posture(model, values)
    for body, place, turned in zip(
        answers["body_names"], answers["body_p"][0], answers["body_R"][0], strict=True
    ):
        np.testing.assert_allclose(found.position[str(body)], place, atol=1e-12)
        np.testing.assert_allclose(found.rotation[str(body)], np.reshape(turned, (3, 3)), atol=1e-12)


def test_axes_are_rates_of_rotation(spatial):
    """A coordinate turned a little turns the body of its joint about the axis, couplers followed."""
    step = 1e-6
    before = posture(spatial)
    for name in ("knee_angle_r", "ankle_angle_l", "hip_rotation_r", "pelvis_list"):
        after = posture(spatial, {name: upright(spatial)[name] + step})
        joint = spatial.joint(spatial.coordinate(name).joint)
        parent, child = joint.parent.body, joint.child.body
        change = (after.rotation[child] - before.rotation[child]) / step @ before.rotation[child].T
        omega = np.array([change[2, 1], change[0, 2], change[1, 0]])
        assert parent == "ground" or np.allclose(after.rotation[parent], before.rotation[parent])
        np.testing.assert_allclose(before.axis[name], omega, atol=1e-5)


def test_upright_is_zero_within_the_range_and_default_elsewhere(planar):
    model = planar[0]
    bent = dataclasses.replace(model.coordinate("knee_angle_r"), default=-0.4, range=(-2.0, -0.1))
    others = tuple(bent if c.name == bent.name else c for c in model.coordinates)
    values = upright(dataclasses.replace(model, coordinates=others))
    assert values["knee_angle_r"] == -0.1 and values["knee_angle_l"] == 0.0
    assert values["pelvis_ty"] == model.coordinate("pelvis_ty").default != 0.0


def test_points_go_to_ground_and_back(spatial):
    standing = posture(spatial, {"hip_flexion_r": 0.5, "hip_rotation_r": 0.2})
    point = np.array([0.1, -0.2, 0.05])
    in_ground = standing.in_ground("tibia_r", point)
    np.testing.assert_allclose(standing.in_body("tibia_r", in_ground), point, atol=1e-15)
    assert np.linalg.norm(in_ground - standing.position["tibia_r"]) == pytest.approx(np.linalg.norm(point))


def test_only_joints_between_ground_and_a_body_move_it(spatial):
    found = moving_coordinates(spatial, ["tibia_r"])
    root = set(spatial.root_coordinates())
    assert found == root | {"hip_flexion_r", "hip_adduction_r", "hip_rotation_r", "knee_angle_r"}
    assert moving_coordinates(spatial, ["ground"]) == set()


def test_a_follower_stands_for_the_one_it_follows(planar):
    follows = CoordinateCouplerConstraint("c", "ankle_angle_r", ("pelvis_tilt",), Linear(-0.5, 0.1))
    model = dataclasses.replace(planar[0], constraints=(follows,))
    found = moving_coordinates(model, ["foot_r"])
    assert "ankle_angle_r" not in found and {"pelvis_tilt", "knee_angle_r"} < found
    assert "ankle_angle_r" not in posture(model).axis


def test_a_model_without_forces_moves_alike(spatial):
    bare = build(without_forces(spatial))
    assert not bare.tree.model.muscles and len(bare.parameters) < len(build(spatial).parameters)
    assert bare.coordinates == spatial.coordinate_names


def test_a_posture_is_worked_out_once_and_cannot_be_changed(monkeypatch):
    # `symbolic.posture` names the function; its module has to be asked for.
    posture_module = importlib.import_module("casadi_dynamics.symbolic.posture")
    model = dataclasses.replace(read_model(osim_models.path("planar_gait")), name="asked for twice")
    built, builder = [], posture_module.build
    monkeypatch.setattr(posture_module, "build", lambda of: (built.append(of), builder(of))[1])
    first = posture_module.posture(model, {"hip_flexion_r": 0.2})
    assert posture_module.posture(model, {"hip_flexion_r": 0.2}) is first
    other = posture_module.posture(model, {"hip_flexion_r": 0.3})
    assert len(built) == 1
    assert not np.array_equal(first.position["tibia_r"], other.position["tibia_r"])
    with pytest.raises(ValueError, match="read-only"):
        first.position["tibia_r"][0] = 0.0
