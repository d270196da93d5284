"""Every kind of joint: where it puts the body, and that velocities and accelerations are its derivatives."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from casadi_dynamics.symbolic import build

SPLINE = "<SimmSpline><x>-2 -1 0 0.5 2</x><y>0.1 0.3 -0.2 0.4 0.2</y></SimmSpline>"
LINEAR = "<LinearFunction><coefficients>1 0</coefficients></LinearFunction>"
SCALED = f"<MultiplierFunction><function>{SPLINE}</function><scale>1.7</scale></MultiplierFunction>"
POLYNOMIAL = "<PolynomialFunction><coefficients>0.3 -0.2 0.9 0.1</coefficients></PolynomialFunction>"
#: One coordinate drives two rotations and two translations; the axes are neither unit nor at right angles.
KNEE = {
    "rotation1": ("a", "0.1 0.2 2", LINEAR),
    "rotation2": ("a", "1 0.3 0", SPLINE),
    "rotation3": ("b", "0 1 0.2", POLYNOMIAL),
    "translation1": ("a", "3 0 0", SCALED),
    "translation2": ("b", "0 1 1", LINEAR),
    "translation3": ("a", "0 0 1", POLYNOMIAL),
}
COORDINATES = {
    "PinJoint": ("a",),
    "SliderJoint": ("a",),
    "UniversalJoint": ("a", "b"),
    "GimbalJoint": ("a", "b", "c"),
    "PlanarJoint": ("a", "b", "c"),
    "WeldJoint": (),
    "CustomJoint": ("a", "b"),
}


def model_text(osim, kind):
    """Return a chain: a moving first body, then the joint in question on it."""
    more = osim.spatial_transform(**KNEE) if kind == "CustomJoint" else ""
    bodies = osim.body("base") + osim.body("tip", mass="1.5")
    joints = osim.joint("UniversalJoint", "carrier", child="/bodyset/base", names=("p", "r"))
    joints += osim.joint(kind, "tested", "/bodyset/base", "/bodyset/tip", COORDINATES[kind], more)
    return osim.document(bodies, joints)


@pytest.fixture(params=COORDINATES)
def chain(request, osim, read):
    return read(model_text(osim, request.param))


def motion(functions, q, u, udot):
    outputs = functions.kinematics(q=q, u=u, udot=udot, parameters=functions.parameters)
    rows = {name: np.array(value).reshape(2, -1) for name, value in outputs.items()}
    rows["rotation"] = rows["rotation"].reshape(2, 3, 3)
    return rows


# The placement of custom joints is compared with OpenSim's answers for whole models.
@pytest.mark.parametrize("kind", [kind for kind in COORDINATES if kind != "CustomJoint"])
def test_placement_of_the_simple_joints(osim, read, kind):
    model = read(model_text(osim, kind))
    functions, random = build(model), np.random.default_rng(1)
    q = random.uniform(-1, 1, len(model.coordinates))
    still = np.zeros_like(q)
    placed = motion(functions, q, still, still)
    own = dict(zip(model.coordinate_names, q, strict=True))
    angles, shift = {
        "PinJoint": (lambda a: (0, 0, a), lambda a: (0, 0, 0)),
        "SliderJoint": (lambda a: (0, 0, 0), lambda a: (a, 0, 0)),
        "UniversalJoint": (lambda a, b: (a, b, 0), lambda a, b: (0, 0, 0)),
        "GimbalJoint": (lambda a, b, c: (a, b, c), lambda a, b, c: (0, 0, 0)),
        "PlanarJoint": (lambda a, b, c: (0, 0, a), lambda a, b, c: (b, c, 0)),
        "WeldJoint": (lambda: (0, 0, 0), lambda: (0, 0, 0)),
    }[kind]
    values = [own[name] for name in COORDINATES[kind]]
    fixed = Rotation.from_euler("XYZ", (0.4, -0.3, 0.2)).as_matrix()
    moving = Rotation.from_euler("XYZ", (-0.1, 0.25, 0.35)).as_matrix()
    base_rotation, base_position = placed["rotation"][0], placed["position"][0]
    turned = base_rotation @ fixed @ Rotation.from_euler("XYZ", angles(*values)).as_matrix() @ moving.T
    joint_center = base_position + base_rotation @ (np.array([0.1, 0.2, -0.3]) + fixed @ shift(*values))
    np.testing.assert_allclose(placed["rotation"][1], turned, atol=1e-14)
    np.testing.assert_allclose(placed["position"][1], joint_center - turned @ (-0.2, 0.1, 0.15), atol=1e-14)


def test_motion_is_the_derivative_of_placement(chain):
    functions, random = build(chain), np.random.default_rng(2)
    q, u, udot = random.uniform(-0.9, 0.9, (3, len(chain.coordinates)))
    step = 1e-5

    def at(t):
        return motion(functions, q + u * t + udot * t * t / 2, u + udot * t, udot)

    here, ahead, behind = at(0.0), at(step), at(-step)

    def slope(name):
        return (ahead[name] - behind[name]) / (2 * step)

    # Central differences: truncation step^2 and rounding eps / step are both near 1e-10.
    close = {"rtol": 0, "atol": 1e-8}
    np.testing.assert_allclose(here["velocity"], slope("position"), **close)
    np.testing.assert_allclose(here["acceleration"], slope("velocity"), **close)
    np.testing.assert_allclose(here["alpha"], slope("omega"), **close)
    spin = slope("rotation") @ np.swapaxes(here["rotation"], 1, 2)
    np.testing.assert_allclose(
        here["omega"], np.stack([spin[:, 2, 1], spin[:, 0, 2], spin[:, 1, 0]], 1), **close
    )


def test_forces_do_the_work_that_changes_the_energy(chain):
    functions, random = build(chain), np.random.default_rng(3)
    q, u, udot = random.uniform(-0.9, 0.9, (3, len(chain.coordinates)))
    step = 1e-5
    power = forces(functions, q, u, udot) @ u
    later, before = (
        energy(chain, functions, q + u * t + udot * t * t / 2, u + udot * t) for t in (step, -step)
    )
    assert power == pytest.approx((later - before) / (2 * step), rel=1e-8, abs=1e-8)


def forces(functions, q, u, udot):
    none = np.zeros(0)
    inputs = {"q": q, "u": u, "udot": udot, "contact_force": none, "sensor_position": none}
    return np.array(functions.dynamics(**inputs, parameters=functions.parameters)["tau"]).ravel()


def energy(model, functions, q, u):
    state = motion(functions, q, u, np.zeros_like(u))
    total = 0.0
    for i, body in enumerate(model.bodies):
        rotation, omega = state["rotation"][i], state["omega"][i]
        velocity = state["velocity"][i] + np.cross(omega, rotation @ body.mass_center)
        xx, yy, zz, xy, xz, yz = body.inertia
        spin = rotation.T @ omega
        inertia = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
        height = -np.dot(model.gravity, state["mass_center"][i])
        total += body.mass * (velocity @ velocity / 2 + height) + spin @ inertia @ spin / 2
    return total
