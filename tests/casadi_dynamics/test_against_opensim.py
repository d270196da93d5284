"""Joints, functions and constraints of tiny models against a live OpenSim at random states."""

import numpy as np
import pytest

from casadi_dynamics.simbody_defect import with_defect
from casadi_dynamics.symbolic import build
from casadi_dynamics.verify import compare

#: Rounding of two programs that sum the same terms in different orders.
CLOSE = 1e-12


def ranged(text: str, low: float = -1.4, high: float = 1.4) -> str:
    """Give every coordinate of a text a range, away from where angles are not unique."""
    return text.replace('"/>', f'"><range>{low} {high}</range></Coordinate>')


def chain(osim, *joints: tuple[str, tuple[str, ...], str]) -> str:
    """Return bodies hung below one another by joints (kind, coordinates, further elements)."""
    bodies, text, parent = "", "", "/ground"
    for i, (kind, names, more) in enumerate(joints):
        bodies += osim.body(f"body{i}", mass=f"{i + 1}.5")
        text += ranged(osim.joint(kind, f"joint{i}", parent, f"/bodyset/body{i}", names, more))
        parent = f"/bodyset/body{i}"
    return osim.document(bodies, text)


def assert_agrees(model, functions, answers, close=CLOSE):
    errors = compare(model, functions, answers)
    assert {"body acceleration", "body alpha", "tau", "mass matrix"} <= set(errors)
    assert max(errors.values()) < close, errors


def rows(function, answers, *names, **inputs):
    """Return the outputs of a function at each state of the answers."""
    states = zip(answers["q"], answers["qd"], answers["qdd"], strict=True)
    found = [function(q=q, u=u, udot=udot, **inputs) for q, u, udot in states]
    return [np.array([np.array(each[name]).squeeze() for each in found]) for name in names]


def test_joints_whose_speeds_are_an_angular_velocity(osim, ask):
    thorax = "<thoracic_ellipsoid_radii_x_y_z>0.08 0.15 0.11</thoracic_ellipsoid_radii_x_y_z>"
    thorax += "<scapula_winging_axis_origin>0.05 -0.03</scapula_winging_axis_origin>"
    thorax += "<scapula_winging_axis_direction>0.7</scapula_winging_axis_direction>"
    text = chain(
        osim,
        ("FreeJoint", tuple("abcdef"), ""),
        ("BallJoint", tuple("ghi"), ""),
        ("EllipsoidJoint", tuple("jkl"), "<radii_x_y_z>0.2 0.3 0.4</radii_x_y_z>"),
        ("ScapulothoracicJoint", tuple("mnop"), thorax),
        ("PinJoint", ("q",), ""),
    )
    model, functions, answers = ask(text)
    assert_agrees(model, functions, answers)
    qdot, qddot = rows(functions.rates, answers, "qdot", "qddot", parameters=functions.parameters)
    np.testing.assert_allclose(qdot, answers["qdot"], rtol=1e-12, atol=1e-12)
    for i, q in enumerate(answers["q"]):
        back = functions.speeds(q=q, qdot=qdot[i], qddot=qddot[i])
        np.testing.assert_allclose(np.array(back["u"]).ravel(), answers["qd"][i], rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(np.array(back["udot"]).ravel(), answers["qdd"][i], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    "kind", ["UniversalJoint", "PlanarJoint", "CustomJoint", "FreeJoint", "EllipsoidJoint"]
)
def test_joints_whose_child_is_the_side_towards_ground(osim, ask, kind):
    names, more = {
        "UniversalJoint": ("bc", ""),
        "PlanarJoint": ("bcd", ""),
        "CustomJoint": ("bc", osim.spatial_transform(**TURN_AND_SHIFT)),
        "FreeJoint": ("bcdefg", ""),
        "EllipsoidJoint": ("bcd", "<radii_x_y_z>0.2 0.3 0.4</radii_x_y_z>"),
    }[kind]
    joints = osim.joint("PinJoint", "first", "/ground", "/bodyset/base", ("a",))
    joints += osim.joint(kind, "second", "/bodyset/tip", "/bodyset/base", tuple(names), more)
    text = osim.document(osim.body("base") + osim.body("tip", mass="1.5"), ranged(joints))
    model, functions, answers = ask(text)
    assert model.joint("second").reversed
    assert_agrees(model, functions, answers)


@pytest.mark.parametrize("reverse", [False, True])
def test_the_defect_of_simbody_is_all_that_differs_where_coordinates_turn_several_axes(osim, ask, reverse):
    axes = {
        "rotation2": ("b", "0 1 0.2", LINEAR),
        "rotation3": ("b", "0.1 0 1", MULTIPLIED),
        "translation1": ("c", "1 0 0", LINEAR),
        "translation2": ("d", "0 1 0", LINEAR),
    }
    joints = osim.joint("PinJoint", "first", "/ground", "/bodyset/base", ("a",))
    sides = ["/bodyset/base", "/bodyset/tip"]
    sides = reversed(sides) if reverse else sides
    joints += osim.joint("CustomJoint", "second", *sides, tuple("bcd"), osim.spatial_transform(**axes))
    model, functions, answers = ask(osim.document(osim.body("base") + osim.body("tip"), ranged(joints)))
    assert compare(model, functions, answers)["body alpha"] > 1e-4
    corrected, found = with_defect(functions)
    assert found == ("second",)
    assert_agrees(model, corrected, answers)


def test_qddot_is_the_derivative_of_qdot(osim, read):
    functions = build(read(osim.document(joints=osim.joint("BallJoint", names=tuple("abc")))))
    q, u, udot = np.random.default_rng(3).uniform(-1, 1, (3, 3))
    here = functions.rates(q=q, u=u, udot=udot, parameters=functions.parameters)
    step = 1e-6
    ahead, behind = (
        functions.rates(q=q + h * here["qdot"], u=u + h * udot, udot=udot, parameters=functions.parameters)
        for h in (step, -step)
    )
    difference = (ahead["qdot"] - behind["qdot"]) / (2 * step)
    np.testing.assert_allclose(np.array(here["qddot"]), np.array(difference), atol=1e-8)


POINTS = "<x>-1 -0.6 -0.25 0.1 0.45 0.5 0.8 1.1</x><y>0.3 0.5 -0.2 0.1 0.15 0.3 -0.1 0.2</y>"
MULTIPLIED = (
    "<MultiplierFunction><function><MultiplierFunction><function>"
    f"<SimmSpline>{POINTS}</SimmSpline></function><scale>0.7</scale></MultiplierFunction></function>"
    "<scale>-1.3</scale></MultiplierFunction>"
)


def spline(half_order):
    return f"<GCVSpline><half_order>{half_order}</half_order>{POINTS}</GCVSpline>"


LINEAR = "<LinearFunction><coefficients>1 0</coefficients></LinearFunction>"
TURN_AND_SHIFT = {
    "rotation1": ("b", "0.1 0.2 2", LINEAR),
    "rotation2": ("c", "1 0.3 0", LINEAR),
    "translation1": ("b", "3 0 0", MULTIPLIED),
    "translation2": ("c", "0 1 1", LINEAR),
}
# Axes of rotation have one coordinate each: where one drives two, Simbody's accelerations are not exact.
FUNCTIONS = [
    {
        "rotation1": ("a", "1 0 0.2", spline(2)),
        "rotation2": ("b", "0 1 0", f"<PiecewiseLinearFunction>{POINTS}</PiecewiseLinearFunction>"),
        "rotation3": ("c", "0 0 1", MULTIPLIED),
        "translation1": ("a", "1 0 0", spline(3)),
        "translation2": ("b", "0 1 0", spline(4)),
        "translation3": ("c", "0 0 1", spline(1)),
    },
    {
        "rotation1": (
            "d",
            "0 1 0",
            "<Sine><amplitude>0.4</amplitude><omega>2.5</omega><phase>0.3</phase><offset>-0.2</offset></Sine>",
        ),
        "rotation2": (
            "e",
            "1 1 0",
            "<StepFunction><transition_start_time>-0.7</transition_start_time><transition_end_time>0.8"
            "</transition_end_time><start_value>-0.4</start_value><end_value>0.6</end_value></StepFunction>",
        ),
        "translation1": (
            "d",
            "1 0 0",
            "<PolynomialFunction><coefficients>1 -2 3 4</coefficients></PolynomialFunction>",
        ),
        "translation2": ("e", "0 1 0", LINEAR.replace("1 0", "-1 0.5")),
    },
]


def test_functions_with_their_derivatives_and_beyond_their_points(osim, ask):
    first, second = (osim.spatial_transform(**axes) for axes in FUNCTIONS)
    text = chain(osim, ("CustomJoint", tuple("abc"), first), ("CustomJoint", tuple("de"), second))
    model, functions, answers = ask(text, samples=40)
    q = answers["q"][:, 0]
    assert q.min() < -1 and q.max() > 1.1  # beyond the first and the last point
    # The spline of degree 7 solves an ill-conditioned system, which OpenSim states in another basis.
    assert_agrees(model, functions, answers, close=1e-11)


def body_constraints(osim) -> str:
    """Return two bodies with every constraint between them, at frames turned and moved off the bodies'."""
    frame = osim.frame("turned", "..", "0.05 0.02 -0.1", "0.3 -0.2 0.5")
    components = f"<components>{frame}</components>"
    bodies = osim.body("left", more=components) + osim.body("right", more=components)
    joints = ranged(osim.joint("BallJoint", "left", "/ground", "/bodyset/left", tuple("abc")))
    joints += ranged(osim.joint("FreeJoint", "right", "/ground", "/bodyset/right", tuple("defghi")))
    left, right = "/bodyset/left/turned", "/bodyset/right/turned"
    ends = f"<socket_body_1>{left}</socket_body_1><socket_body_2>{right}</socket_body_2>"
    ends += "<location_body_1>0.1 0.2 0.3</location_body_1><location_body_2>-0.2 0.1 0</location_body_2>"
    constraints = (
        f'<PointConstraint name="point">{ends}</PointConstraint>'
        f'<ConstantDistanceConstraint name="rod">{ends}<constant_distance>0.4</constant_distance>'
        "</ConstantDistanceConstraint>"
        f'<PointOnLineConstraint name="slot"><socket_line_body>{left}</socket_line_body>'
        f"<socket_follower_body>{right}</socket_follower_body>"
        "<line_direction_vec>1 2 -0.5</line_direction_vec>"
        "<point_on_line>0.1 0 0.2</point_on_line><point_on_follower>0 0.3 0</point_on_follower>"
        "</PointOnLineConstraint>"
        f'<WeldConstraint name="weld"><socket_frame1>{left}</socket_frame1>'
        f"<socket_frame2>{right}</socket_frame2></WeldConstraint>"
        '<PointConstraint name="off"><isEnforced>false</isEnforced>' + ends + "</PointConstraint>"
    )
    return osim.document(bodies, joints, f"<ConstraintSet><objects>{constraints}</objects></ConstraintSet>")


def test_constraints_between_bodies(osim, ask):
    model, functions, answers = ask(body_constraints(osim))
    assert model.ignored == ("PointConstraint 'off': it is not enforced",)
    multipliers = np.linspace(-1, 2, len(functions.constraint_equations))
    given = {"multipliers": multipliers, "parameters": functions.parameters}
    error, jacobian, force = rows(functions.constraints, answers, "position_error", "G", "force", **given)
    np.testing.assert_allclose(force, np.swapaxes(jacobian, 1, 2) @ multipliers, rtol=1e-12, atol=1e-13)
    # OpenSim gives the offsets of points and welds in ground; ours are in frame 1, on the body called left.
    point, *_, weld = model.constraints
    for constraint, first in ((point, "point[0]"), (weld, "weld[3]")):
        start = functions.constraint_equations.index(first)
        group = slice(start, start + 3)
        turn = rotations(functions, answers, "left") @ np.array(constraint.frame1.rotation)
        error[:, group] = np.einsum("nij,nj->ni", turn, error[:, group])
        jacobian[:, group] = turn @ jacobian[:, group]
    np.testing.assert_allclose(error, answers["constraint_error"], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(jacobian, answers["constraint_G"], rtol=1e-12, atol=1e-13)


def rotations(functions, answers, body):
    """Return the rotation of a body at each state, (N, 3, 3)."""
    found = [
        functions.kinematics(q=q, parameters=functions.parameters)["rotation"].full() for q in answers["q"]
    ]
    return np.reshape(found, (len(found), -1, 3, 3))[:, functions.bodies.index(body)]


def test_constraint_errors_are_differentiated_exactly(osim, read):
    functions = build(read(body_constraints(osim)))
    q, u, udot = np.random.default_rng(4).uniform(-0.8, 0.8, (3, len(functions.coordinates)))

    def at(h):
        # Along the motion with constant udot; qdot follows from u, which is no rate in these joints.
        rates = functions.rates(q=q, u=u, udot=udot, parameters=functions.parameters)
        moved = q + h * np.array(rates["qdot"]).ravel() + h * h / 2 * np.array(rates["qddot"]).ravel()
        state = {"q": moved, "u": u + h * udot, "udot": udot}
        return functions.constraints(**state, parameters=functions.parameters)

    here, ahead, behind = at(0.0), at(1e-5), at(-1e-5)
    for value, rate in (("position_error", "velocity_error"), ("velocity_error", "acceleration_error")):
        difference = (np.array(ahead[value]) - np.array(behind[value])) / 2e-5
        np.testing.assert_allclose(np.array(here[rate]), difference, atol=1e-8)
    np.testing.assert_allclose(np.array(here["G"]) @ u, np.array(here["velocity_error"]).ravel(), atol=1e-13)
