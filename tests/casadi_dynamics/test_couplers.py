"""Coordinates that couplers set from others: the chain rule against stored answers and differences."""

import json
import subprocess
import sys

import casadi as ca
import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from casadi_dynamics.model.functions import MultivariatePolynomial
from casadi_dynamics.osim import read_model
from casadi_dynamics.simbody_defect import with_defect
from casadi_dynamics.symbolic import build
from casadi_dynamics.symbolic.fixed import fix_coordinates
from casadi_dynamics.symbolic.functions import evaluate_several

SQUARE = "<PolynomialFunction><coefficients>0.5 0.2 -0.1</coefficients></PolynomialFunction>"
LINE = "<LinearFunction><coefficients>-2 0.3</coefficients></LinearFunction>"


def polynomial(dimension, order, *coefficients):
    return (
        f"<MultivariatePolynomialFunction><coefficients>{' '.join(map(str, coefficients))}</coefficients>"
        f"<dimension>{dimension}</dimension><order>{order}</order></MultivariatePolynomialFunction>"
    )


#: 0.1 + 0.2 c - 0.3 c^2 + 0.4 a + 0.5 a c - 0.6 a^2
BOWL = polynomial(2, 2, 0.1, 0.2, -0.3, 0.4, 0.5, -0.6)
CONSTANT = "<Constant><value>0.3</value></Constant>"
PLANE = "<LinearFunction><coefficients>2 -3 0.5</coefficients></LinearFunction>"
#: OpenSim's errors of the one constraint of a model at given states, and the Jacobian of their rates.
ASK_OPENSIM = """
import json, os, sys
import numpy, opensim
opensim.Logger.setLevelString("Off")
model = opensim.Model(sys.argv[1])
state = model.initSystem()
coordinates, found = model.getCoordinateSet(), []
for q, u, udot in json.loads(sys.argv[2]):
    for k in range(3):
        coordinates.get(k).setValue(state, q[k], False)
        coordinates.get(k).setSpeedValue(state, u[k])
    model.realizeVelocity(state)
    matter, jacobian, bias = model.getMatterSubsystem(), opensim.Matrix(), opensim.Vector()
    matter.calcG(state, jacobian)
    matter.calcBiasForAccelerationConstraints(state, bias)
    rows = jacobian.to_numpy()
    errors = [state.getQErr().get(0), state.getUErr().get(0), float(rows[0] @ udot) + bias.get(0)]
    found.append([errors, rows[0].tolist()])
print(json.dumps(found))
sys.stdout.flush()
os._exit(0)
"""


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
        ([coupler("one", "b", "a c")], "not made of finite numbers"),
        ([coupler("one", "b", "a", CONSTANT)], "OpenSim holds 'a'"),
        (
            [
                coupler(
                    "one",
                    "b",
                    "a",
                    f"<MultiplierFunction><function>{CONSTANT}</function></MultiplierFunction>",
                )
            ],
            "OpenSim holds 'a'",
        ),
        ([coupler("one", "b", "a c", CONSTANT)], "goes wrong without a word"),
        ([coupler("one", "b", "a c", SQUARE)], "use a MultivariatePolynomialFunction"),
        ([coupler("one", "b", "a", polynomial(2, 1, 1, 2, 3))], "<dimension> 1"),
        ([coupler("one", "b", "a c", polynomial(2, 2, 1, 2, 3))], "a coefficient for each product"),
        ([coupler("one", "b", "a b", polynomial(2, 1, 1, 2, 3))], "coupled twice, or to itself"),
        ([coupler("one", "b", "", SQUARE)], "<independent_coordinate_names>"),
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


@pytest.mark.parametrize(
    ("function", "more"),
    [
        (BOWL, ""),
        (BOWL, "<scale_factor>-2</scale_factor>"),
        (PLANE, ""),
        (f"<MultiplierFunction><scale>0.7</scale><function>{BOWL}</function></MultiplierFunction>", ""),
    ],
)
def test_a_coordinate_that_follows_several_agrees_with_opensim(osim, tmp_path, function, more):
    """At our motions OpenSim's constraint has no error of place and speed, and its rates are ours.

    Of accelerations it has none for a plane only: as second derivatives of a MultivariatePolynomialFunction
    OpenSim 4.6 takes the first ones. Those here are the rates of our speeds.
    """
    file = tmp_path / "tiny.osim"
    file.write_text(three_hinges(osim, coupler("saddle", "b", "a c", function, more)))
    functions = build(read_model(file))
    assert functions.independent == ("a", "c") and functions.coordinates == ("a", "b", "c")
    free = np.random.default_rng(4).uniform(-1, 1, (6, 3, 2))
    whole = [expanded(functions, *state) for state in free]
    states = json.dumps([[w[name].tolist() for name in ("q", "u", "udot")] for w in whole])
    command = [sys.executable, "-c", ASK_OPENSIM, str(file), states]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    for w, (errors, jacobian) in zip(whole, json.loads(answer.splitlines()[-1]), strict=True):
        # sums of terms of order one
        np.testing.assert_allclose(errors[:2], np.zeros(2), atol=1e-14)
        assert function != PLANE or abs(errors[2]) < 1e-14
        np.testing.assert_allclose(np.array(jacobian) @ w["C"], np.zeros(2), atol=1e-14)
    step = 1e-5  # central differences of sums of order one: rounding 1e-16 / step, bending step^2
    for (q, u, udot), w in zip(free, whole, strict=True):
        ahead, behind = (
            expanded(functions, q + u * h + udot * h * h / 2, u + udot * h, udot) for h in (step, -step)
        )
        np.testing.assert_allclose(w["udot"], (ahead["u"] - behind["u"]) / (2 * step), atol=1e-8)


def test_a_function_of_one_coordinate_may_be_a_multivariate_polynomial(osim, read):
    one, other = (
        read(three_hinges(osim, coupler("k", "b", "a", function)))
        for function in (polynomial(1, 2, -0.1, 0.2, 0.5), SQUARE)
    )
    assert one == other


def test_a_polynomial_of_three_coordinates_has_opensims_order():
    """Each coefficient alone, at a place that tells the powers."""
    functions = [MultivariatePolynomial(3, 2, tuple(map(float, row))) for row in np.eye(10)]
    at = [ca.SX(x) for x in (10.0, 100.0, 1000.0)]
    values = [float(evaluate_several(function, at)[0]) for function in functions]
    # what OpenSim 4.6 answers for MultivariatePolynomialFunction(coefficients, 3, 2)
    assert values == [1, 1000, 1e6, 100, 1e5, 1e4, 10, 1e4, 1000, 100]


def test_of_several_that_are_followed_some_may_be_fixed(osim, read):
    model = read(three_hinges(osim, coupler("saddle", "b", "a c", BOWL)))
    part = build(fix_coordinates(model, {"c": 0.4}))
    assert part.coordinates == ("a", "b") and part.independent == ("a",)
    whole = expanded(build(model), [0.2, 0.4], [1.5, 0.0], [-0.7, 0.0])
    found = expanded(part, [0.2], [1.5], [-0.7])
    for name in ("q", "u", "udot"):
        np.testing.assert_allclose(found[name], whole[name][:2], rtol=1e-14)
    both = fix_coordinates(model, {"c": 0.4, "a": 0.2})
    assert {c.name: c.value for c in both.fixed}["b"] == pytest.approx(whole["q"][1], rel=1e-15)
    assert "b" in {c.name for c in fix_coordinates(fix_coordinates(model, {"c": 0.4}), {"a": 0.2}).fixed}
