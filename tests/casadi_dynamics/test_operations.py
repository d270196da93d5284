"""Every operation that a tape can hold, compiled, against CasADi's own evaluation."""

import casadi as ca
import numpy as np
import onnxruntime
import pytest
import torch

from casadi_dynamics.compiled import compile_torch
from casadi_dynamics.compiled.onnx_graph import OPERATIONS as OF_ONNX
from casadi_dynamics.compiled.onnx_graph import OnnxGraph
from casadi_dynamics.compiled.tape import OPERATIONS, record
from casadi_dynamics.errors import InputError

INF, NAN = np.inf, np.nan
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.0, 1e-300, 1e-3, 30.0, 1e5, -1e7, 1e300, INF, -INF, NAN)

UNARY = {
    "neg": lambda x: -x,
    "exp": ca.exp,
    "log": ca.log,
    "sqrt": ca.sqrt,
    "sq": lambda x: x * x,
    "twice": lambda x: x + x,
    "inv": lambda x: 1 / x,
    "sin": ca.sin,
    "cos": ca.cos,
    "tan": ca.tan,
    "asin": ca.asin,
    "acos": ca.acos,
    "atan": ca.atan,
    "sinh": ca.sinh,
    "cosh": ca.cosh,
    "tanh": ca.tanh,
    "asinh": ca.asinh,
    "acosh": ca.acosh,
    "atanh": ca.atanh,
    "log1p": ca.log1p,
    "expm1": ca.expm1,
    "floor": ca.floor,
    "ceil": ca.ceil,
    "fabs": ca.fabs,
    "sign": ca.sign,
    "not": ca.logic_not,
}
BINARY = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "pow": lambda x, y: x**y,
    "constpow": lambda x, y: x**2.5,  # an exponent that single precision holds exactly
    "lt": lambda x, y: x < y,
    "le": lambda x, y: x <= y,
    "eq": lambda x, y: x == y,
    "ne": lambda x, y: x != y,
    "and": ca.logic_and,
    "or": ca.logic_or,
    "fmin": ca.fmin,
    "fmax": ca.fmax,
    "atan2": ca.atan2,
    "hypot": ca.hypot,
    "fmod": ca.fmod,
    "copysign": ca.copysign,
    "if_else_zero": lambda x, y: ca.if_else(x, y, 0),
}
BUILDERS = {**UNARY, **BINARY}


def points(dtype):
    """All pairs of special values, and random ones of all sizes."""
    special = np.array(SPECIAL)
    if dtype is torch.float32:
        special = special[
            ~((np.abs(special) > 1e30) | (np.abs(special) < 1e-30)) | (special == 0) | ~np.isfinite(special)
        ]
    pairs = np.array(np.meshgrid(special, special)).reshape(2, -1).T
    random = np.random.default_rng(0)
    sizes = np.sign(random.uniform(-1, 1, (200, 2))) * 10 ** random.uniform(-4, 2, (200, 2))
    return torch.tensor(np.vstack([pairs, sizes]), dtype=dtype)


def one_operation(name):
    x, y = ca.SX.sym("x"), ca.SX.sym("y")
    build = BUILDERS[name]
    return ca.Function(name, [x, y], [build(x) if name in UNARY else build(x, y)], ["x", "y"], ["f"])


def test_every_operation_of_the_table_is_tested():
    assert set(BUILDERS) == set(OPERATIONS.values())


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_an_operation_is_recorded_as_itself(name):
    assert record(one_operation(name)).instructions[-1].op == name


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_operation_agrees_with_casadi(name, dtype):
    function, inputs = one_operation(name), points(dtype)
    x, y = inputs[:, :1], inputs[:, 1:]
    found = compile_torch(function, dtype)(x=x, y=y)["f"].double().numpy().ravel()
    columns = inputs.double().numpy().T
    expected = np.array(function.map(columns.shape[1])(columns[:1], columns[1:])).ravel()
    if dtype is torch.float32:
        with np.errstate(over="ignore"):
            expected = expected.astype(np.float32).astype(float)
        # A number just below the smallest or above the largest float may fall on either side.
        usual = (
            (np.abs(expected) > 1e-30) & (np.abs(expected) < 1e30) | ~np.isfinite(expected) | (expected == 0)
        )
        found, expected = found[usual], expected[usual]
    assert found.shape[0] > 200
    # The C library and the series of sine and cosine are right to about one unit in the last place.
    rounding = 4 * torch.finfo(dtype).eps
    np.testing.assert_allclose(
        found, expected, rtol=rounding, atol=0 if name not in ("sin", "cos") else rounding / 4
    )


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_operation_in_an_onnx_graph_agrees_with_casadi(name):
    """One node for all points; those that onnxruntime lacks are made of others."""
    given = points(torch.float64).numpy()
    x, y = ca.SX.sym("x", len(given)), ca.SX.sym("y", len(given))
    value = BUILDERS[name](x) if name in UNARY else BUILDERS[name](x, y)
    function = ca.Function(name, [x, y], [value], ["x", "y"], ["f"])
    graph, shape = OnnxGraph(), (len(given),)
    found = graph.function(function, {"x": "x", "y": "y"})
    model = graph.model({"x": shape, "y": shape}, {"out": (found["f"], shape)}, {})
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    columns = given.T.copy()
    (answer,) = session.run(["out"], {"x": columns[0], "y": columns[1]})
    expected = np.array(function(*columns)).ravel()
    # onnxruntime's vectors of exp, log, tanh are right to two units in the last place; what is made of them
    # adds some. Its sine and cosine lose four units of one where angles are reduced: near zeros, and where a
    # tangent divides by one, that is more of the value.
    rounding = np.finfo(float).eps
    near_zero = 4 * rounding if name in ("sin", "cos", "tan") else 0.0
    np.testing.assert_allclose(
        answer, expected, rtol=256 * rounding if name == "tan" else 8 * rounding, atol=near_zero
    )


def test_every_operation_has_a_node():
    assert set(OF_ONNX) == {*OPERATIONS.values(), "select"}


def test_sign_of_zero_and_nan():
    x = torch.tensor([[0.0], [-0.0], [NAN], [3.0], [-INF]], dtype=torch.float64)
    result = compile_torch(one_operation("sign"))(x=x, y=x)["f"].ravel()
    np.testing.assert_array_equal(result.numpy(), [0.0, -0.0, NAN, 1.0, -1.0])


def test_the_branch_not_taken_may_be_infinite():
    x = ca.SX.sym("x")
    function = ca.Function("f", [x], [ca.if_else(x > 0, ca.log(x), -1 / x)], ["x"], ["f"])
    values = torch.tensor([[0.0], [1.0], [-2.0], [4.0]], dtype=torch.float64)
    result = compile_torch(function)(x=values)["f"].ravel()
    np.testing.assert_allclose(result.numpy(), [-INF, 0.0, 0.5, np.log(4.0)])


@pytest.mark.parametrize(
    ("name", "point"), [("fmax", (2.0, 2.0)), ("fmin", (-1.0, -1.0)), ("fabs", (0.0, 0.0))]
)
def test_gradients_at_ties_are_casadis(name, point):
    function = one_operation(name)
    x, y = (torch.tensor([v], dtype=torch.float64, requires_grad=True) for v in point)
    compile_torch(function)(x=x, y=y)["f"].sum().backward()
    slope_x, slope_y = function.jacobian()(*point, 0.0)
    assert (x.grad.item(), y.grad.item()) == (float(slope_x), float(slope_y))


@pytest.mark.parametrize("value", [1e-300, 0.1, 1 / 3, -1e300, np.pi, 5e-324])
def test_constants_keep_all_digits(value):
    x = ca.SX.sym("x")
    function = ca.Function("f", [x], [x * 0 + value, x + value], ["x"], ["f", "g"])
    result = compile_torch(function)(x=torch.zeros(1, dtype=torch.float64))
    assert result["f"].item() == result["g"].item() == value


def test_constants_beyond_single_precision_become_infinite():
    x = ca.SX.sym("x")
    function = ca.Function("f", [x], [x + 1e300], ["x"], ["f"])
    assert compile_torch(function, torch.float32)(x=torch.zeros(1))["f"].item() == INF


def test_what_no_output_needs_is_left_out():
    x = ca.SX.sym("x", 2)
    tape = record(ca.Function("f", [x], [2 * x[1]], ["x"], ["f"]))
    assert [(i.op, i.source) for i in tape.instructions] == [("input", (0, 1)), ("twice", (0, 0))]
    assert (tape.input_sizes, tape.outputs) == ((2,), ((1,),))


def test_other_operations_and_functions_are_refused():
    x = ca.SX.sym("x")
    with pytest.raises(InputError, match="cannot be compiled"):
        record(ca.Function("f", [x], [ca.erf(x)]))
    m = ca.MX.sym("m")
    with pytest.raises(InputError, match="expand"):
        compile_torch(ca.Function("f", [m], [m + 1]))
    sparse = ca.SX(2, 1)
    sparse[1] = x
    with pytest.raises(InputError, match="densify"):
        compile_torch(ca.Function("f", [x], [sparse]))
    with pytest.raises(InputError, match="dense column"):
        matrix = ca.SX.sym("m", 2, 2)
        compile_torch(ca.Function("f", [matrix], [ca.vec(matrix)]))


@pytest.mark.parametrize("name", sorted(name for name in dir(ca) if name.startswith("OP_")))
def test_every_operation_of_casadi_is_known_or_refused(name):
    x, y = ca.SX.sym("x"), ca.SX.sym("y")
    code = getattr(ca, name)
    # CasADi makes something of every code: what is no operation of scalars becomes a constant.
    for value in (ca.SX.unary(code, x), ca.SX.binary(code, x, y)):
        function = ca.Function("f", [x, y], [value])
        used = {function.instruction_id(k) for k in range(function.n_instructions())}
        used -= {ca.OP_INPUT, ca.OP_OUTPUT, ca.OP_CONST}
        if used <= set(OPERATIONS):
            ops = {instruction.op for instruction in record(function).instructions}
            assert {OPERATIONS[op] for op in used} <= ops
        else:
            with pytest.raises(InputError, match="cannot be compiled"):
                record(function)


def test_calls_and_free_symbols_are_refused():
    x, free = ca.SX.sym("x"), ca.SX.sym("free")
    inner = ca.Function("inner", [x], [ca.sin(x)], {"never_inline": True})
    with pytest.raises(InputError, match="cannot be compiled"):
        record(ca.Function("f", [x], [inner(x)]))
    with pytest.raises(InputError, match="cannot be compiled"):
        record(ca.Function("f", [x], [x + free], {"allow_free": True}))


@pytest.mark.parametrize(
    ("dtype", "largest"), [(torch.float64, 1e5), (torch.float32, 1e3)], ids=["float64", "float32"]
)
def test_sine_and_cosine_are_right_to_the_last_places(dtype, largest):
    random = np.random.default_rng(4)
    near_zeros = np.pi / 2 * np.arange(-200, 200)  # where most digits cancel
    angles = np.concatenate(
        [random.uniform(-7, 7, 20000), random.uniform(-largest, largest, 20000), near_zeros]
    )
    angles = torch.tensor(angles, dtype=dtype)
    exact = angles.double().numpy().astype(np.longdouble)
    for name, reference in (("sin", np.sin(exact)), ("cos", np.cos(exact))):
        column = angles[:, None]
        found = compile_torch(one_operation(name), dtype)(x=column, y=column)["f"].ravel().double().numpy()
        spacing = np.spacing(np.abs(reference).astype(angles.numpy().dtype)).astype(float)
        assert np.max(np.abs(found - reference) / spacing) < 1.6


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
def test_sine_of_huge_angles_is_the_c_librarys(dtype):
    huge = torch.tensor([[1e9], [-3e12], [1e22], [0.5]], dtype=dtype)
    for name, reference in (("sin", np.sin), ("cos", np.cos)):
        found = compile_torch(one_operation(name), dtype)(x=huge, y=huge)["f"].double().numpy()
        expected = reference(huge.double().numpy())
        np.testing.assert_allclose(found, expected, rtol=2 * torch.finfo(dtype).eps)
