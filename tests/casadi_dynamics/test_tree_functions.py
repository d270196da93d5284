"""The named functions of a model: they agree with one another, and with mechanics done by hand."""

import casadi as ca
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Frame, ImuFrame
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import build
from casadi_dynamics.symbolic.build import sensor_positions

CLOSE = {"rtol": 1e-11, "atol": 1e-11}


@pytest.fixture(scope="module")
def tree(tmp_path_factory, osim):
    """Return a branched model: a moving trunk that carries an arm of two links and a slider."""
    bodies = "".join(
        osim.body(name, mass=mass) for name, mass in (("trunk", "9"), ("upper", "2"), ("lower", "1"))
    )
    bodies += osim.body("block", mass="3", center="0 0.1 0")
    joints = osim.joint("GimbalJoint", "carrier", child="/bodyset/trunk", names=("p", "r", "y"))
    joints += osim.joint("UniversalJoint", "shoulder", "/bodyset/trunk", "/bodyset/upper", ("s1", "s2"))
    joints += osim.joint("PinJoint", "elbow", "/bodyset/upper", "/bodyset/lower", ("e",))
    joints += osim.joint("SliderJoint", "rail", "/bodyset/trunk", "/bodyset/block", ("d",))
    path = tmp_path_factory.mktemp("tree") / "tree.osim"
    path.write_text(osim.document(bodies, joints))
    model = read_model(path)
    return model, build(model)


@pytest.fixture
def state(tree):
    return dict(zip(("q", "u", "udot"), np.random.default_rng(4).uniform(-1, 1, (3, 7)), strict=True))


def call(functions, function, **inputs):
    given = {name: inputs[name] for name in function.name_in() if name != "parameters"}
    values = function(**given, parameters=functions.parameters)
    return {name: np.array(value).squeeze() for name, value in values.items()}


def test_forces_are_the_sum_of_inertia_motion_and_gravity(tree, state):
    _, functions = tree
    tau = call(functions, functions.inverse_dynamics(), **state)["tau"]
    parts = [
        call(functions, f, **state) for f in (functions.mass_matrix, functions.coriolis, functions.gravity)
    ]
    summed = parts[0]["M"] @ state["udot"] + parts[1]["C"] + parts[2]["G"]
    np.testing.assert_allclose(summed, tau, **CLOSE)
    np.testing.assert_allclose(
        tau, call(functions, functions.dynamics, **no_extras(functions), **state)["tau"]
    )


def no_extras(functions):
    return {
        name: np.zeros(functions.dynamics.numel_in(name)) for name in ("contact_force", "sensor_position")
    }


def test_mass_matrix_is_the_curvature_of_the_kinetic_energy(tree, state):
    _, functions = tree
    u = ca.SX.sym("u", 7)
    kinetic = functions.energy(q=state["q"], u=u, parameters=functions.parameters)["kinetic"]
    curvature = np.array(ca.DM(ca.substitute(ca.hessian(kinetic, u)[0], u, ca.DM.zeros(7))))
    matrix = call(functions, functions.mass_matrix, **state)["M"]
    np.testing.assert_allclose(matrix, curvature, **CLOSE)
    assert np.linalg.eigvalsh(matrix).min() > 0


def test_gravity_is_the_slope_of_the_potential_energy(tree, state):
    _, functions = tree
    q = ca.SX.sym("q", 7)
    potential = functions.energy(q=q, u=state["u"], parameters=functions.parameters)["potential"]
    slope = np.array(ca.DM(ca.substitute(ca.gradient(potential, q), q, state["q"]))).ravel()
    np.testing.assert_allclose(call(functions, functions.gravity, **state)["G"], slope, **CLOSE)


def test_mass_centre_moves_as_momentum_says(tree, state):
    model, functions = tree
    whole = call(functions, functions.center_of_mass, **state)
    bodies = call(functions, functions.kinematics, **state)
    centers = bodies["mass_center"].reshape(-1, 3)
    masses = np.array([body.mass for body in model.bodies])
    np.testing.assert_allclose(whole["position"], masses @ centers / masses.sum(), **CLOSE)
    step = 1e-6

    def at(t, part):
        q, u = state["q"] + t * state["u"] + t * t / 2 * state["udot"], state["u"] + t * state["udot"]
        return call(functions, functions.center_of_mass, q=q, u=u, udot=state["udot"])[part]

    for part, rate in (("position", "velocity"), ("velocity", "acceleration")):
        slope = (at(step, part) - at(-step, part)) / (2 * step)
        np.testing.assert_allclose(whole[rate], slope, atol=1e-8)


def test_stations_and_frames_move_with_their_body(tree, state):
    _, functions = tree
    place, angles = (0.1, -0.2, 0.3), (0.3, 0.2, -0.5)
    turn = Rotation.from_euler("XYZ", angles).as_matrix()
    station = call(functions, functions.stations(["lower", "ground"]), station=[*place, 1, 2, 3], **state)
    frame = call(functions, functions.frames([Frame("lower", place, tuple(map(tuple, turn)))]), **state)
    bodies = call(functions, functions.kinematics, **state)
    rotation = bodies["rotation"].reshape(-1, 3, 3)[2]
    position, velocity, omega, acceleration, alpha = (
        bodies[name].reshape(-1, 3)[2] for name in ("position", "velocity", "omega", "acceleration", "alpha")
    )
    arm = rotation @ place
    expected = {
        "position": position + arm,
        "velocity": velocity + np.cross(omega, arm),
        "acceleration": acceleration + np.cross(alpha, arm) + np.cross(omega, np.cross(omega, arm)),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(station[name][:3], value, **CLOSE)
        np.testing.assert_allclose(frame[name], value, **CLOSE)
    np.testing.assert_allclose(station["position"][3:], [1, 2, 3])
    np.testing.assert_array_equal(station["velocity"][3:], 0)
    np.testing.assert_allclose(frame["rotation"].reshape(3, 3), rotation @ turn, **CLOSE)
    np.testing.assert_allclose(frame["omega"], omega, **CLOSE)
    np.testing.assert_allclose(frame["alpha"], alpha, **CLOSE)


def test_external_wrenches_do_work_on_the_bodies(tree, state):
    _, functions = tree
    bodies = ["lower", "trunk", "lower", "ground"]
    random = np.random.default_rng(5)
    force, torque, point = random.uniform(-50, 50, (3, 4, 3))
    driven = functions.inverse_dynamics(bodies)
    inputs = {"force": force.ravel(), "point": point.ravel() / 50, "torque": torque.ravel(), **state}
    free = call(functions, functions.inverse_dynamics(), **state)["tau"]
    motion = call(functions, functions.kinematics, **state)
    power = 0.0
    for i, place in enumerate((2, 0, 2)):
        position, velocity, omega = (
            motion[n].reshape(-1, 3)[place] for n in ("position", "velocity", "omega")
        )
        power += force[i] @ (velocity + np.cross(omega, point[i] / 50 - position)) + torque[i] @ omega
    felt = free - call(functions, driven, **inputs)["tau"]
    assert felt @ state["u"] == pytest.approx(power, rel=1e-11)


def test_a_virtual_imu_at_rest_feels_gravity_and_moving_the_acceleration(tree, state):
    model, functions = tree
    turn = Rotation.from_euler("XYZ", (0.3, 0.2, -0.5)).as_matrix()
    imu = ImuFrame("chip", "lower", (0.1, -0.2, 0.3), tuple(map(tuple, turn)))
    read = call(functions, functions.virtual_imus([imu]), sensor_position=imu.position, **state)
    frame = call(functions, functions.frames([Frame(imu.body, imu.position, imu.rotation)]), **state)
    axes = frame["rotation"].reshape(3, 3)
    np.testing.assert_allclose(
        read["imu_acceleration"], axes.T @ (frame["acceleration"] - model.gravity), **CLOSE
    )
    np.testing.assert_allclose(read["imu_angular_rate"], axes.T @ frame["omega"], **CLOSE)


def test_velocity_of_a_virtual_imu_is_that_of_its_place(planar):
    """Against the difference of positions, to second order in a step of 0.1 ms."""
    model, _, answers = planar
    q, u = answers["q"][0], answers["qd"][0]
    chips = (
        ImuFrame("heel", "foot_r", (0.1, -0.2, 0.3), ((1, 0, 0), (0, 1, 0), (0, 0, 1))),
        ImuFrame("back", "torso", (-0.1, 0.2, 0.0), ((0, 1, 0), (-1, 0, 0), (0, 0, 1))),
    )
    functions = build(model, chips)
    given = {
        "sensor_position": sensor_positions(chips),
        "contact_force": np.zeros(3 * len(model.contact_spheres)),
    }
    read = call(functions, functions.dynamics, q=q, u=u, udot=answers["qdd"][0], **given)

    def places(at):
        moved = functions.at("kinematics", q=at, u=0 * u, udot=0 * u)
        bodies = [functions.bodies.index(chip.body) for chip in chips]
        position = moved["position"].reshape(-1, 3)[bodies]
        rotation = moved["rotation"].reshape(-1, 3, 3)[bodies]
        return position + np.einsum("kij,kj->ki", rotation, [chip.position for chip in chips])

    step = 1e-4
    velocity = (places(q + step * u) - places(q - step * u)) / (2 * step)
    np.testing.assert_allclose(read["imu_velocity"].reshape(-1, 3), velocity, atol=1e-6)


def test_up_of_a_virtual_imu_is_what_it_feels_at_rest(planar):
    """Specific force of a body that does not move, over its size."""
    model, _, answers = planar
    chip = ImuFrame("back", "torso", (-0.1, 0.2, 0.0), ((0, 1, 0), (-1, 0, 0), (0, 0, 1)))
    functions, q = build(model, (chip,)), answers["q"][0]
    given = {
        "sensor_position": sensor_positions((chip,)),
        "contact_force": np.zeros(3 * len(model.contact_spheres)),
    }
    read = call(functions, functions.dynamics, q=q, u=0 * q, udot=0 * q, **given)
    felt = read["imu_acceleration"]
    np.testing.assert_allclose(read["imu_up"], felt / np.linalg.norm(felt), **CLOSE)


def test_imu_frames_of_the_model_are_placed_by_its_parameters(planar):
    model, functions, answers = planar
    state = {"q": answers["q"][0], "u": answers["qd"][0], "udot": answers["qdd"][0]}
    read = call(functions, functions.imus, **state)
    order = [frame.name for frame in model.imu_frames]
    places = [order.index(name) for name in answers["imu_frames"]]
    np.testing.assert_allclose(
        read["imu_acceleration"].reshape(-1, 3)[places], answers["imu_acc"][0], **CLOSE
    )
    np.testing.assert_allclose(
        read["imu_angular_rate"].reshape(-1, 3)[places], answers["imu_gyro"][0], **CLOSE
    )
    moved = functions.parameters.copy()
    moved[functions.parameter_names.index("tibia_r_imu.position[1]")] += 0.1
    shifted = np.array(functions.imus(**state, parameters=moved)["imu_acceleration"]).reshape(-1, 3)
    changed = np.abs(shifted - read["imu_acceleration"].reshape(-1, 3)).max(axis=1) > 1e-6
    assert [name for name, felt in zip(order, changed, strict=True) if felt] == ["tibia_r_imu"]


@pytest.mark.parametrize("method", ["inverse_dynamics", "stations"])
def test_functions_of_an_unknown_body_are_refused(tree, method):
    with pytest.raises(InputError, match="did you mean 'lower'"):
        getattr(tree[1], method)(["lowr"])


def test_a_model_without_mass_has_its_mass_centre_at_zero(osim, read):
    model = read(osim.document(osim.body(mass="0", inertia="0 0 0 0 0 0")))
    functions = build(model)
    state = {"q": [0.3], "u": [1.0], "udot": [0.0]}
    assert not call(functions, functions.center_of_mass, **state)["position"].any()


def test_a_function_at_samples_gives_what_it_gives_at_each(tree):
    _, functions = tree
    samples = dict(zip(("q", "u", "udot"), np.random.default_rng(5).uniform(-1, 1, (3, 4, 7)), strict=True))
    for function in (functions.kinematics, functions.mass_matrix, functions.coupling, functions.muscles()):
        names = [name for name in function.name_in() if name != "parameters"]
        given = {name: samples[name.removesuffix("_independent")] for name in names}
        found = functions.at(function, **given)
        assert set(found) == set(function.name_out())
        for k in range(4):
            alone = call(functions, function, **{name: value[k] for name, value in given.items()})
            for name, value in found.items():
                np.testing.assert_array_equal(value[k].squeeze(), alone[name])


def test_a_row_holds_for_all_samples_and_a_state_may_hold_more_than_is_used(tree):
    _, functions = tree
    q, lighter = np.random.default_rng(6).uniform(-1, 1, (3, 7)), functions.parameters / 2
    gravity = functions.at("gravity", q=q, u=q, udot=q)["G"]
    place = functions.parameter_names.index("block.mass")
    other = functions.parameters.copy()
    other[place] /= 2
    assert gravity.shape == (3, 7)
    assert np.abs(functions.at("gravity", q=q, parameters=other)["G"] - gravity).max() > 1
    moved = functions.at("kinematics", q=q, u=np.zeros(7), udot=np.zeros(7))["velocity"]
    assert moved.shape == (3, 3 * len(functions.bodies)) and not moved.any()
    each = functions.at("gravity", q=q, parameters=np.stack([functions.parameters, lighter, other]))["G"]
    np.testing.assert_array_equal(each[0], gravity[0])
    np.testing.assert_array_equal(each[2], functions.at("gravity", q=q, parameters=other)["G"][2])


def test_a_function_at_no_samples_has_the_shape_of_its_outputs(tree):
    _, functions = tree
    none = functions.at("mass_matrix", q=np.zeros((0, 7)))
    assert none["M"].shape == (0, 7, 7)
    assert functions.at("gravity", q=np.zeros((0, 7)))["G"].shape == (0, 7)


@pytest.mark.parametrize("given", [{}, {"u": np.zeros(7)}, {"q": np.zeros(7), "angle": np.zeros(7)}])
def test_inputs_of_other_names_are_refused(tree, given):
    _, functions = tree
    with pytest.raises(TypeError, match="'gravity' takes q, parameters"):
        functions.at("gravity", **given)
