"""Coordinates that couplers set from others: the chain rule against stored answers and differences."""

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from casadi_dynamics.simbody_defect import with_defect
from casadi_dynamics.symbolic import build

SQUARE = "<PolynomialFunction><coefficients>0.5 0.2 -0.1</coefficients></PolynomialFunction>"
LINE = "<LinearFunction><coefficients>-2 0.3</coefficients></LinearFunction>"


def coupler(name, dependent, independent, function=LINE, more=""):
    return (
        f'<CoordinateCouplerConstraint name="{name}"><coupled_coordinates_function>{function}'
        "</coupled_coordinates_function>"
        f"<independent_coordinate_names>{independent}</independent_coordinate_names>"
        f"<dependent_coordinate_name>{dependent}</dependent_coordinate_name>{more}"
        "</CoordinateCouplerConstraint>"
    )


def three_hinges(osim, *couplers):
    """Return a chain of three hinges a, b, c with couplers."""
    bodies = joints = ""
    parent = "/ground"
    for name in "abc":
        bodies += osim.body(f"body_{name}")
        joints += osim.joint("PinJoint", f"joint_{name}", parent, f"/bodyset/body_{name}", (name,))
        parent = f"/bodyset/body_{name}"
    constraints = f"<ConstraintSet><objects>{''.join(couplers)}</objects></ConstraintSet>"
    return osim.document(bodies, joints, constraints)


def expanded(functions, q, u, udot):
    inputs = {"q_independent": q, "u_independent": u, "udot_independent": udot}
    whole = functions.coupling(**inputs, parameters=functions.parameters)
    return {
        name: np.array(value).squeeze(1) if name != "C" else np.array(value) for name, value in whole.items()
    }


@pytest.mark.parametrize(
    "name", ["leg6dof9musc", "wrist", "SoccerKickingModel", "DynamicJumperModel", "Rajagopal2016"]
)
def test_public_models_agree_with_opensim(public_models, with_answers, name):
    _model, functions, answers = with_answers(public_models, f"{name}.osim", f"{name}.npz")
    functions, _ = with_defect(functions)
    names = list(map(str, answers["coord_names"]))
    assert functions.independent == tuple(names[i] for i in answers["ind_idx"])
    order, places = [names.index(n) for n in functions.coordinates], answers["ind_idx"]
    for k in range(len(answers["q"])):
        state = [answers[part][k] for part in ("q", "qd", "qdd")]
        whole = expanded(functions, *(part[places] for part in state))
        for ours, stored in zip(("q", "u", "udot"), state, strict=True):
            np.testing.assert_allclose(whole[ours], stored[order], rtol=1e-14, atol=1e-14)
        np.testing.assert_allclose(whole["C"], answers["C"][k][order], rtol=1e-14, atol=1e-14)
        tau = forces(functions, *(part[places] for part in state))
        scale = max(np.abs(answers["tau_ind"]).max(), 1.0)
        np.testing.assert_allclose(tau / scale, answers["tau_ind"][k] / scale, atol=1e-13)


def forces(functions, q, u, udot):
    dynamics = functions.independent_dynamics
    zeros = {n: np.zeros(dynamics.numel_in(n)) for n in ("contact_force", "sensor_position")}
    outputs = dynamics(q=q, u=u, udot=udot, parameters=functions.parameters, **zeros)
    return np.array(outputs["tau"]).ravel()


def test_a_coupled_coordinate_may_drive_another(osim, read):
    # In the file the second link of the chain comes first.
    scaled = coupler("first", "c", "b", SQUARE, "<scale_factor>3</scale_factor>")
    functions = build(read(three_hinges(osim, scaled, coupler("second", "b", "a"))))
    assert functions.independent == ("a",)
    q, u, udot = np.array([0.4]), np.array([-1.5]), np.array([2.0])
    whole = expanded(functions, q, u, udot)
    b = -2 * 0.4 + 0.3
    c = 3 * (0.5 * b * b + 0.2 * b - 0.1)
    np.testing.assert_allclose(whole["q"], [0.4, b, c], rtol=1e-15)
    step = 1e-5
    ahead, behind = (
        expanded(functions, q + u * h + udot * h * h / 2, u + udot * h, udot) for h in (step, -step)
    )
    np.testing.assert_allclose(whole["u"], (ahead["q"] - behind["q"]) / (2 * step), atol=1e-9)
    np.testing.assert_allclose(whole["udot"], (ahead["u"] - behind["u"]) / (2 * step), atol=1e-9)
    np.testing.assert_allclose(whole["C"][:, 0] * u, whole["u"], rtol=1e-14)


def test_the_scale_of_a_coupler_is_a_parameter(osim, read):
    functions = build(read(three_hinges(osim, coupler("knee", "b", "a", SQUARE))))
    place = functions.parameter_names.index("knee.function.scale")
    assert functions.parameters[place] == 1.0
    doubled = functions.parameters.copy()
    doubled[place] = 2.0
    given = {"q_independent": [0.4, 0.1], "u_independent": [1, 0], "udot_independent": [0, 0]}
    one, two = (functions.coupling(**given, parameters=p)["q"] for p in (functions.parameters, doubled))
    assert float(two[1]) == 2 * float(one[1])


def test_models_without_couplers_keep_all_coordinates(osim, read):
    functions = build(read(three_hinges(osim)))
    state = np.random.default_rng(2).uniform(-1, 1, (3, 3))
    whole = expanded(functions, *state)
    np.testing.assert_array_equal([whole["q"], whole["u"], whole["udot"]], state)
    np.testing.assert_array_equal(whole["C"], np.eye(3))


def test_couplers_that_are_not_enforced_are_ignored_and_named(osim, read):
    loose = coupler("loose", "b", "a", more="<isEnforced>false</isEnforced>")
    model = read(three_hinges(osim, loose))
    assert model.constraints == ()
    assert model.ignored == ("CoordinateCouplerConstraint 'loose': it is not enforced",)


@pytest.mark.parametrize(
    ("couplers", "reason"),
    [
        ([coupler("one", "b", "a"), coupler("two", "b", "c")], "'b' is coupled twice"),
        ([coupler("one", "b", "a"), coupler("two", "a", "b")], "coupled twice, or to itself"),
        ([coupler("one", "b", "b")], "coupled twice, or to itself"),
        ([coupler("one", "b", "a c")], "let it follow one"),
        ([coupler("one", "b", "d")], "names the coordinate 'd'"),
        ([coupler("one", "d", "a")], "names the coordinate 'd'"),
        ([coupler("one", "b", "a", "")], "exactly one function"),
        ([coupler("one", "b", "a", LINE + SQUARE)], "exactly one function"),
    ],
)
def test_refuses_what_the_chain_rule_cannot_settle(osim, read, couplers, reason):
    with pytest.raises(InputError, match=reason) as refused:
        read(three_hinges(osim, *couplers))
    assert "line " in refused.value.where


def test_refuses_to_couple_an_angle_whose_speed_is_not_its_rate(osim, read):
    constraint = coupler("one", "b", "a")
    text = osim.document(
        joints=osim.joint("BallJoint", names=tuple("abc")),
        more=f"<ConstraintSet><objects>{constraint}</objects></ConstraintSet>",
    )
    with pytest.raises(InputError, match="use a GimbalJoint"):
        read(text)
