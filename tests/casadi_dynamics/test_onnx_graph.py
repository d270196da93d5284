"""CasADi functions as ONNX graphs run by onnxruntime, against CasADi's own evaluation."""

import sys

import casadi as ca
import numpy as np
import onnxruntime
import pytest

import osim_models
from casadi_dynamics import build, read_model
from casadi_dynamics.compiled.onnx_graph import OnnxGraph
from casadi_dynamics.errors import InputError

#: Both sides round every operation; sine and cosine differ in the last place (1e-16). A function of thousands
#: of them, of the order of one, is the same to this.
TOLERANCE = 1e-12


def model_of(function):
    graph = OnnxGraph()
    inputs = {name: (function.numel_in(name),) for name in function.name_in()}
    found = graph.function(function, {name: name for name in inputs})
    outputs = {f"out_{name}": (value, (function.numel_out(name),)) for name, value in found.items()}
    return graph.model(inputs, outputs, {"about": function.name()})


def session_of(model):
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def assert_same(function, samples):
    """Evaluate both at samples, a dict of arrays (n, size) each."""
    session, names = session_of(model_of(function)), function.name_out()
    count = len(next(iter(samples.values())))
    for k in range(count):
        given = {name: value[k] for name, value in samples.items()}
        found = session.run([f"out_{name}" for name in names], given)
        expected = function(**given)
        for name, value in zip(names, found, strict=True):
            exact = np.array(expected[name]).ravel()
            scale = max(np.abs(exact).max(initial=0.0), 1.0)
            np.testing.assert_allclose(value, exact, rtol=0, atol=TOLERANCE * scale, err_msg=name)


#: What a function made by chance may do next.
CHANCE = (
    lambda a, b, c: a + b,
    lambda a, b, c: a - b,
    lambda a, b, c: ca.sin(a) * b,
    lambda a, b, c: ca.cos(a) + c,
    lambda a, b, c: ca.tanh(a * b),
    lambda a, b, c: ca.atan2(a, 1 + b * b),
    lambda a, b, c: ca.sqrt(1 + a * a),
    lambda a, b, c: ca.if_else(a > b, ca.sin(c), -b),
    lambda a, b, c: ca.fmin(a, b) / (1 + ca.fabs(c)),
    lambda a, b, c: ca.log1p(ca.exp(-ca.fabs(a))),
    lambda a, b, c: ca.asin(ca.sin(a) * 0.99),
    lambda a, b, c: ca.if_else(ca.logic_and(a > 0, b < c), ca.tanh(a), ca.floor(ca.tanh(b) * 3)),
)


def random_function(seed, inputs=6, operations=400):
    """Return a function made by chance: every result may be used again, and choices are among them."""
    random = np.random.default_rng(seed)
    x = ca.SX.sym("x", inputs)
    values = [*ca.vertsplit(x), ca.SX(0.5), ca.SX(-1.25)]
    for _ in range(operations):
        a, b, c = (values[k] for k in random.integers(max(len(values) - 60, 0), len(values), 3))
        values.append(CHANCE[random.integers(len(CHANCE))](a, b, c))
        values[-1] = ca.tanh(values[-1]) if random.random() < 0.3 else values[-1]
    picked = [values[k] for k in random.integers(len(values) - 100, len(values), 20)]
    outputs = [ca.vertcat(*picked[:12]), ca.vertcat(*picked[12:], x[0], 2.0)]
    return ca.Function("random", [x], [ca.densify(ca.SX(part)) for part in outputs], ["x"], ["f", "g"])


@pytest.mark.parametrize("seed", range(8))
def test_a_random_function_is_the_same(seed):
    samples = np.random.default_rng(100 + seed).normal(size=(12, 6))
    assert_same(random_function(seed), {"x": samples})


def test_the_dynamics_of_a_model_are_the_same():
    """All that a body has: inverse dynamics, contact points and sensors, in some two hundred nodes a kind."""
    model = read_model(osim_models.path("planar_gait"))
    function = build(model, model.imu_frames).dynamics
    random = np.random.default_rng(0)
    samples = {name: random.normal(size=(4, function.numel_in(name))) for name in function.name_in()}
    samples["parameters"] = np.tile(build(model, model.imu_frames).parameters, (4, 1))
    assert_same(function, samples)
    operations = function.n_instructions() - function.nnz_in() - function.nnz_out()
    assert len(model_of(function).graph.node) < operations / 2


def test_outputs_may_be_inputs_constants_and_nothing():
    x = ca.SX.sym("x", 3)
    nothing = ca.SX(0, 1)
    function = ca.Function("f", [x], [x[::-1], ca.SX([1.5, -0.0]), nothing], ["x"], ["f", "g", "h"])
    session = session_of(model_of(function))
    found = session.run(None, {"x": np.array([1.0, 2.0, 3.0])})
    assert [part.tolist() for part in found] == [[3.0, 2.0, 1.0], [1.5, 0.0], []]


def test_the_branch_not_taken_may_be_infinite():
    x = ca.SX.sym("x")
    function = ca.Function("f", [x], [ca.if_else(x > 0, ca.log(x), -1 / x)], ["x"], ["f"])
    session = session_of(model_of(function))
    for value, expected in ((0.0, -np.inf), (1.0, 0.0), (-2.0, 0.5)):
        assert session.run(None, {"x": np.array([value])})[0] == expected


def test_metadata_is_in_the_file():
    x = ca.SX.sym("x")
    session = session_of(model_of(ca.Function("named", [x], [x], ["x"], ["f"])))
    assert session.get_modelmeta().custom_metadata_map == {"about": "named"}


def test_without_onnx_there_is_one_clear_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match="onnx is not installed") as error:
        OnnxGraph()
    assert "pip install onnx" in error.value.fix
