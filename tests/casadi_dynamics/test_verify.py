"""Converted models against what OpenSim answered for them at random states."""

from dataclasses import replace

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import ImuFrame
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.opensim_process.worker.models import upgrade
from casadi_dynamics.osim import read_model
from casadi_dynamics.simbody_defect import with_defect
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
MUSCLES = {"muscle length", "moment arm"}
FORCES = {f"force contact_{point}_{side}" for point in ("heel", "toe") for side in "rl"}
#: What the stored answers of our planar model hold.
PLANAR = QUANTITIES | CONTACT | MUSCLES | FORCES | {"rate of coordinates"}
#: What the stored answers of the public models hold beside these.
WHOLE = {
    *("mass centre", "velocity of the mass centre", "kinetic energy"),
    *("rate of coordinates", "tau of independent coordinates"),
}
KNEES = ("walker_knee_r", "walker_knee_l")
#: Public model -> what its answers hold beyond the bodies, and the joints where Simbody's defect is felt.
PUBLIC_MODELS = {
    "arm26": (MUSCLES, ()),
    "bouncing_block": (CONTACT, ()),
    "double_pendulum": (set(), ()),
    "DynamicJumperModel": (MUSCLES | CONTACT, ()),
    "gait10dof18musc_subject01": (MUSCLES, ()),
    "gait2354_subject01": (MUSCLES, ()),
    "gait2392_thelen2003": (MUSCLES, ()),
    "gait2d": (MUSCLES | CONTACT, ()),
    "Hamner2010_full_body": (MUSCLES, ()),
    "leg6dof9musc": (MUSCLES, ()),
    "Rajagopal2015_opensense": (set(), KNEES),
    "Rajagopal2016": (MUSCLES, KNEES),
    "RajagopalLaiUhlrich2023": (MUSCLES, KNEES),
    "SoccerKickingModel": (MUSCLES | CONTACT, ()),
    "ToyLandingModel": (MUSCLES | CONTACT, ()),
    "WalkerModel": (CONTACT, ()),
    "wrist": (MUSCLES, ()),
}


def test_our_planar_model_agrees_with_opensim(planar):
    errors = compare(*planar)
    assert set(errors) == PLANAR
    assert max(errors.values()) < TOLERANCE, errors


@pytest.mark.parametrize("name", PUBLIC_MODELS)
def test_public_models_agree_with_opensim(public_models, with_answers, name):
    more, joints = PUBLIC_MODELS[name]
    model, functions, answers = with_answers(public_models, f"{name}.osim", f"{name}.npz")
    functions, found = with_defect(functions)
    errors = compare(model, functions, answers)
    assert found == joints
    assert set(errors) == QUANTITIES | WHOLE | more
    assert max(errors.values()) < TOLERANCE, errors


def test_an_older_model_agrees_with_opensim_once_opensim_has_upgraded_it(public_models, tmp_path):
    upgraded = tmp_path / "gait3d.osim"
    arguments = {"model": public_models / "gait3d_pelvis213.osim", "output": upgraded}
    run_job(upgrade, arguments, timeout_s=120, outputs=[upgraded])
    model = read_model(upgraded)
    with np.load(public_models / "gait3d_pelvis213.npz") as stored:
        answers = dict(stored)
    errors = compare(model, build(model, answer_sensors(model, answers)), answers)
    assert set(errors) == QUANTITIES | WHOLE | MUSCLES
    assert max(errors.values()) < TOLERANCE, errors


def test_our_own_accelerations_are_the_derivatives_that_opensims_are_not(public_models, with_answers):
    model, exact, answers = with_answers(public_models, "Rajagopal2016.osim", "Rajagopal2016.npz")
    errors = compare(model, exact, answers)
    felt = {name for name, error in errors.items() if error > 1e-9}
    assert felt == {
        *("body acceleration", "body alpha", "tau", "tau with external forces"),
        *("tau of independent coordinates", "imu_acceleration"),
    }
    q, u, udot = (answers[name][0] for name in ("q", "qd", "qdd"))
    step = 1e-6

    def omega(t):
        state = {"q": q + t * u + t * t / 2 * udot, "u": u + t * udot, "udot": udot}
        return np.array(exact.kinematics(**state, parameters=exact.parameters)["omega"]).ravel()

    state = {"q": q, "u": u, "udot": udot, "parameters": exact.parameters}
    alpha = np.array(exact.kinematics(**state)["alpha"]).ravel()
    np.testing.assert_allclose((omega(step) - omega(-step)) / (2 * step), alpha, atol=1e-6)
    defective, _ = with_defect(exact)
    assert np.abs(np.array(defective.kinematics(**state)["alpha"]).ravel() - alpha).max() > 1e-3


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
    for name in (
        "coord_names",
        "body_names",
        "mass",
        "com_B",
        "inertia_B",
        "imu_frames",
        "contact_names",
        "musc_names",
        "force_names",
    ):
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
        "qdot",
        "f_q",
        "f_qd",
        "musc_len",
        "imu_gyro",
        "imu_acc",
    ):
        turned[name] = answers[name][:, ::-1]
    turned["force_tau"] = answers["force_tau"][:, ::-1, ::-1]
    for name in (name for name in answers if name.startswith("body_") and name != "body_names"):
        turned[name] = answers[name][:, ::-1]
    turned["M"] = answers["M"][:, ::-1, ::-1]
    turned["musc_ma"] = answers["musc_ma"][:, ::-1, ::-1]
    errors = compare(model, functions, turned)
    assert set(errors) == PLANAR
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
    _model, functions, _ = planar
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


def test_a_sensor_on_an_unknown_body_is_refused(planar):
    identity = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    with pytest.raises(InputError, match="did you mean 'foot_r'"):
        build(planar[0], (ImuFrame("chip", "foot_rr", (0.0, 0.0, 0.0), identity),))
