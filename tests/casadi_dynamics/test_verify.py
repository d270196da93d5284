"""Converted models against what OpenSim answered for them at random states."""

from dataclasses import replace

import numpy as np
import pytest
from lxml import etree

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import ImuFrame
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import build
from casadi_dynamics.verify import answer_sensors, compare, relative_error

# Both sides do the same sums in another order, so that only rounding is left: up to 1e-14 was seen, in the
# smooth contact force. The promise to users is 1e-10.
TOLERANCE = 1e-12

QUANTITIES = {
    *(f"model {name}" for name in ("mass", "mass_center", "inertia")),
    *(f"body {name}" for name in "position rotation velocity omega acceleration alpha mass_center".split()),
    *("tau", "tau with external forces", "gravity", "mass matrix", "imu_angular_rate", "imu_acceleration"),
}
CONTACT = {"contact force", "contact moment"}


def test_our_planar_model_agrees_with_opensim(planar):
    errors = compare(*planar)
    assert set(errors) == QUANTITIES | CONTACT
    assert max(errors.values()) < TOLERANCE, errors


@pytest.mark.parametrize(
    "name",
    [
        "gait10dof18musc_subject01",
        "gait2354_subject01",
        "gait2392_thelen2003",
        "Hamner2010_full_body",
        "arm26",
        "double_pendulum",
    ],
)
def test_public_models_agree_with_opensim(public_models, with_answers, name):
    errors = compare(*with_answers(public_models, f"{name}.osim", f"{name}.npz"))
    assert set(errors) == QUANTITIES
    assert max(errors.values()) < TOLERANCE, errors


def test_contact_of_a_public_model_agrees_with_opensim(public_models, tmp_path):
    # This model keeps its contact outside the model's sets, where we refuse it: move it there.
    tree = etree.parse(public_models / "gait2d.osim")
    model = tree.find("Model")
    for item in [*model.findall("components/*"), *model.findall("ComponentSet/objects/*")]:
        place = "ContactGeometrySet" if item.tag.startswith("Contact") else "ForceSet"
        model.find(f"{place}/objects").append(item)
    tree.write(tmp_path / "gait2d.osim")
    converted = read_model(tmp_path / "gait2d.osim")
    with np.load(public_models / "gait2d.npz") as stored:
        answers = dict(stored)
    errors = compare(converted, build(converted, answer_sensors(converted, answers)), answers)
    assert set(errors) == QUANTITIES | CONTACT
    assert max(errors.values()) < TOLERANCE, errors


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Rajagopal2016", "CoordinateCouplerConstraint"),
        ("leg6dof9musc", "CoordinateCouplerConstraint"),
        ("bouncing_block", "FreeJoint"),
        ("SoccerKickingModel", "FreeJoint"),
        ("gait2d", "components outside"),
        ("gait3d_pelvis213", "older version"),
    ],
)
def test_public_models_we_cannot_convert_are_refused_by_name(public_models, name, reason):
    with pytest.raises(InputError, match=reason):
        read_model(public_models / f"{name}.osim")


def test_a_wrong_number_is_found(planar):
    model, _, answers = planar
    body = replace(model.bodies[1], mass=model.bodies[1].mass * 1.001)
    heavier = replace(model, bodies=(model.bodies[0], body, *model.bodies[2:]))
    errors = compare(heavier, build(heavier, answer_sensors(heavier, answers)), answers)
    assert errors["model mass"] > 1e-5
    assert errors["tau"] > 1e-6
    assert errors["body position"] < TOLERANCE


def test_names_decide_not_their_order(planar):
    model, functions, answers = planar
    turned = dict(answers)
    for name in ("coord_names", "body_names", "mass", "com_B", "inertia_B", "imu_frames", "contact_names"):
        turned[name] = answers[name][::-1]
    for name in (
        "q",
        "qd",
        "qdd",
        "tau",
        "tau_ext",
        "G",
        "c_q",
        "c_qd",
        "contact_force",
        "imu_gyro",
        "imu_acc",
    ):
        turned[name] = answers[name][:, ::-1]
    for name in (name for name in answers if name.startswith("body_") and name != "body_names"):
        turned[name] = answers[name][:, ::-1]
    turned["M"] = answers["M"][:, ::-1, ::-1]
    errors = compare(model, functions, turned)
    assert set(errors) == QUANTITIES | CONTACT
    assert max(errors.values()) < TOLERANCE, errors


def test_answers_of_another_model_are_refused(planar):
    model, functions, answers = planar
    other = {**answers, "coord_names": np.array(["pelvis_tild", *answers["coord_names"][1:]])}
    with pytest.raises(InputError, match="did you mean 'pelvis_tilt'"):
        compare(model, functions, other)
    with pytest.raises(InputError, match="do not speak of the coordinate"):
        compare(model, functions, {**answers, "coord_names": answers["coord_names"][:-1]})
    with pytest.raises(InputError, match="IMU frame 'head_imu'"):
        answer_sensors(model, {"imu_frames": np.array(["head_imu"])})


def test_relative_error_counts_nan_as_wrong():
    assert relative_error(np.array([1.0, np.nan]), np.array([1.0, 2.0])) == np.inf
    assert relative_error(np.array([1.0, 2.5]), np.array([1.0, 2.0])) == 0.25
    assert relative_error(np.array([0.5]), np.array([0.0])) == 0.5


def test_forces_at_contact_points_do_work_on_the_points(planar):
    model, functions, _ = planar
    random, n = np.random.default_rng(0), len(functions.coordinates)
    q, u, udot = random.uniform(-1, 1, (3, n))
    force = random.uniform(-500, 500, 3 * len(functions.contact_points))
    sensors = np.zeros(3 * len(functions.sensors))

    def dynamics(u, force):
        inputs = {"q": q, "u": u, "udot": udot, "contact_force": force, "sensor_position": sensors}
        outputs = functions.dynamics(**inputs, parameters=functions.parameters)
        return np.array(outputs["tau"]).ravel(), np.array(outputs["contact_velocity"]).ravel()

    jacobian = np.array([dynamics(unit, force)[1] for unit in np.eye(n)])
    felt = dynamics(u, np.zeros_like(force))[0] - dynamics(u, force)[0]
    np.testing.assert_allclose(felt, jacobian @ force, rtol=0, atol=1e-12 * np.abs(felt).max())


def test_contact_force_needs_dissipation(planar):
    model = planar[0]
    law = replace(model.contact_forces[0], dissipation=0.0)
    with pytest.raises(InputError, match="dissipation"):
        build(replace(model, contact_forces=(law,)))


def test_a_sensor_on_an_unknown_body_is_refused(planar):
    identity = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    with pytest.raises(InputError, match="did you mean 'foot_r'"):
        build(planar[0], (ImuFrame("chip", "foot_rr", (0.0, 0.0, 0.0), identity),))
