"""Both backends against CasADi's own evaluation: single operations, and the dynamics of the planar model."""

import ctypes
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import casadi as ca
import numpy as np
import pytest

from casadi_dynamics.compiled.llvm.program import load_program
from casadi_dynamics.compiled.numpy_tape import NumpyProgram
from casadi_dynamics.compiled.source import Source
from casadi_dynamics.compiled.tape import OPERATIONS, record, vector_jacobian

INF, NAN = np.inf, np.nan
BACKENDS = ("numpy", "llvm")
KINDS = {"double": np.float64, "float": np.float32}


def addresses(arrays):
    """Return the arguments of a run for inputs (samples, n), or (n,) for all samples."""
    places = []
    for array in arrays:
        strides = [stride // array.itemsize for stride in array.strides]
        places += [array.ctypes.data, *(strides if array.ndim == 2 else (0, strides[0]))]
    return (ctypes.c_int64 * len(places))(*places)


def run(made, tape, arrays, samples, ranges=None):
    """Return the outputs (samples, m), computed range by range."""
    kind = arrays[0].dtype
    outputs = [np.full((samples, size), -77.0, kind) for size in tape.output_sizes]
    given, places = addresses(arrays), (ctypes.c_int64 * len(outputs))(*(o.ctypes.data for o in outputs))
    for first, last in ranges or [(0, samples)]:
        made.run(given, places, first, last)
    return outputs


def program(backend, function, scalar):
    """Return the program of a function, and its tape."""
    source = Source(function)
    made = NumpyProgram(source.tape(), scalar) if backend == "numpy" else None
    return made or load_program(source.key, source.tape, scalar), source.tape()


def evaluate(backend, function, arrays, samples):
    """Return the outputs of a function by a backend."""
    scalar = "double" if arrays[0].dtype == np.float64 else "float"
    return run(*program(backend, function, scalar), arrays, samples)


def by_casadi(function, arrays, samples):
    """Return the outputs (samples, m) of CasADi, in double precision."""
    columns = [np.broadcast_to(a, (samples, a.shape[-1])).astype(float).T for a in arrays]
    values = function.map(samples).call([ca.DM(c) for c in columns])
    return [np.array(value).T for value in values]


# --- single operations ----------------------------------------------------------------------------

SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 3.0, -3.0, 1e-3, 30.0, 1e5, -1e7, 1e12, INF, -INF, NAN)
EXTREME = (5e-324, 1e-300, -1e300, 1.7e308)  # double precision only
TWO_ARGUMENTS = set(
    "add sub mul div pow constpow lt le eq ne and or if_else_zero fmin fmax atan2 hypot fmod copysign".split()
)
#: Where the sign of a zero is anyone's: of equal numbers either is the smaller.
ANY_ZERO = ("fmin", "fmax")


@cache
def all_operations():
    """Return a function with an output for each operation of the table, and the order of the outputs."""
    x, y = ca.SX.sym("x"), ca.SX.sym("y")
    outputs = {}
    for code, name in OPERATIONS.items():
        second = 2.5 if name == "constpow" else y
        outputs[name] = ca.SX.binary(code, x, second) if name in TWO_ARGUMENTS else ca.SX.unary(code, x)
    return ca.Function("all", [x, y], list(outputs.values()), ["x", "y"], list(outputs))


@cache
def points(scalar):
    """Return all pairs of special values, and random ones of all sizes."""
    special = np.array(SPECIAL + (EXTREME if scalar == "double" else ()))
    pairs = np.array(np.meshgrid(special, special)).reshape(2, -1).T
    random = np.random.default_rng(0)
    sizes = np.sign(random.uniform(-1, 1, (300, 2))) * 10 ** random.uniform(-4, 2, (300, 2))
    return np.vstack([pairs, sizes]).astype(KINDS[scalar])


@cache
def found_and_expected(backend, scalar):
    values = points(scalar)
    arrays = [np.ascontiguousarray(column) for column in (values[:, :1], values[:, 1:])]
    found = evaluate(backend, all_operations(), arrays, len(values))
    expected = by_casadi(all_operations(), arrays, len(values))
    names = all_operations().name_out()
    return {n: (f[:, 0], e[:, 0]) for n, f, e in zip(names, found, expected, strict=True)}


def test_every_operation_of_the_table_stays_itself():
    ops = {instruction.op for instruction in record(all_operations()).instructions}
    assert set(OPERATIONS.values()) <= ops


@pytest.mark.parametrize("name", sorted(OPERATIONS.values()))
@pytest.mark.parametrize("scalar", ["double", "float"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_operation_agrees_with_casadi(backend, scalar, name):
    found, expected = found_and_expected(backend, scalar)[name]
    kind = KINDS[scalar]
    if scalar == "float":
        with np.errstate(over="ignore"):
            expected = expected.astype(kind)
        # What is near the ends of the range of a float may fall on either side of them.
        size = np.abs(expected)
        usual = (size > 1e-30) & (size < 1e30) | ~np.isfinite(expected) | (expected == 0)
        found, expected = found[usual], expected[usual]
    assert len(found) > 300
    # A good library is right to one unit in the last place, vector code to four at worst.
    rounding = 4 * np.finfo(kind).eps
    # Near a multiple of pi, sine and cosine are as exact as the angle that is left of a large one.
    smallest = rounding / 4 if name in ("sin", "cos") else 0
    np.testing.assert_allclose(found, expected, rtol=rounding, atol=smallest)
    zeros = expected == 0
    if name not in ANY_ZERO:
        np.testing.assert_array_equal(np.signbit(found[zeros]), np.signbit(expected[zeros]))


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_branch_not_taken_may_be_infinite(backend):
    x = ca.SX.sym("x")
    function = ca.Function("f", [x], [ca.if_else(x > 0, ca.log(x), -1 / x), ca.if_else(x > 0, 1 / x, 0)])
    values = np.array([[0.0], [1.0], [-2.0], [4.0], [-INF]])
    choice, one_sided = evaluate(backend, function, [values], 5)
    np.testing.assert_allclose(choice.ravel(), [-INF, 0.0, 0.5, np.log(4.0), 0.0])
    np.testing.assert_array_equal(one_sided.ravel(), [0.0, 1.0, 0.0, 0.25, 0.0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_truth_values_are_numbers_where_a_number_is_wanted(backend):
    x, y = ca.SX.sym("x"), ca.SX.sym("y")
    below, number = x < y, 3 * x
    outputs = [
        2 * below + (x == y),
        ca.logic_and(below, ca.logic_not(number)),
        ca.if_else(ca.logic_or(number, below), y, -y),
        below,
        ca.logic_not(below) * below,
    ]
    function = ca.Function("f", [x, y], outputs)
    pairs = np.array(np.meshgrid([0.0, -0.0, 1.0, -1.0, NAN], [0.0, 1.0, -1.0, NAN])).reshape(2, -1, 1)
    found = evaluate(backend, function, list(pairs), 20)
    for value, expected in zip(found, by_casadi(function, pairs, 20), strict=True):
        np.testing.assert_array_equal(value, expected)


VALUES = (1e-300, 0.1, 1 / 3, -1e300, np.pi, 5e-324, INF, -INF, NAN)


@pytest.mark.parametrize("scalar", ["double", "float"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_constants_keep_all_digits(backend, scalar):
    x = ca.SX.sym("x")
    constants = ca.Function("f", [x], [ca.SX(value) for value in VALUES])
    (*found,) = evaluate(backend, constants, [np.zeros((3, 1), KINDS[scalar])], 3)
    with np.errstate(over="ignore"):
        expected = np.array(VALUES).astype(KINDS[scalar])
    for value, right in zip(found, expected, strict=True):
        assert value.tobytes() == np.full((3, 1), right).tobytes() or (
            np.isnan(right) and np.isnan(value).all()
        )


@pytest.mark.parametrize("backend", BACKENDS)
def test_functions_with_little_in_them(backend):
    x, nothing = ca.SX.sym("x", 2), ca.SX.sym("nothing", 0)
    function = ca.Function("f", [x, nothing], [x, ca.SX.zeros(0), ca.DM([3, 4]), x[::-1]])
    values = np.arange(6.0).reshape(3, 2)
    same, none, constants, swapped = evaluate(backend, function, [values, np.zeros((3, 0))], 3)
    np.testing.assert_array_equal(same, values)
    np.testing.assert_array_equal(swapped, values[:, ::-1])
    np.testing.assert_array_equal(constants, [[3.0, 4.0]] * 3)
    assert none.shape == (3, 0)


@pytest.mark.parametrize(("scalar", "largest"), [("double", 1e5), ("float", 1e3)])
@pytest.mark.parametrize("backend", ["llvm"])
def test_sine_and_cosine_are_right_to_the_last_places(backend, scalar, largest):
    random = np.random.default_rng(4)
    near_zeros = np.pi / 2 * np.arange(-200, 200)  # where most digits cancel
    wide, usual = random.uniform(-largest, largest, 20000), random.uniform(-7, 7, 20000)
    angles = np.concatenate([usual, wide, near_zeros, [1e-30, -1e-8]]).astype(KINDS[scalar])
    x = ca.SX.sym("x")
    found = evaluate(backend, ca.Function("f", [x], [ca.sin(x), ca.cos(x)]), [angles[:, None]], len(angles))
    exact = angles.astype(np.longdouble)
    for value, reference in zip(found, (np.sin(exact), np.cos(exact)), strict=True):
        spacing = np.spacing(np.abs(reference).astype(KINDS[scalar])).astype(float)
        assert np.max(np.abs(value[:, 0] - reference) / spacing) < 1.6


def test_sine_of_huge_angles_is_the_c_librarys():
    huge = np.array([[1e9], [-3e12], [1e22], [0.5], [INF], [NAN], [-0.0]])
    x = ca.SX.sym("x")
    found = evaluate("llvm", ca.Function("f", [x], [ca.sin(x), ca.cos(x)]), [huge], len(huge))
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(np.hstack(found), np.hstack([np.sin(huge), np.cos(huge)]), rtol=4e-16)


# --- the planar model -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dynamics(planar):
    """Return the dynamics of the planar model and its vector-Jacobian product."""
    function = planar[1].dynamics
    return {"forward": function, "backward": vector_jacobian(function, tuple(range(4)))}


@pytest.fixture(scope="module")
def inputs(planar):
    """Return a function that draws inputs for a number of samples; the parameters are the same for all."""

    def draw(function, samples, kind=np.float64):
        random = np.random.default_rng(3)
        scales = {"u": 3.0, "udot": 20.0, "contact_force": 300.0, "sensor_position": 0.1}
        drawn = {
            name: (scales.get(name, 1.0) * random.uniform(-1, 1, (samples, function.numel_in(name))))
            for name in function.name_in()
        }
        return [array.astype(kind) for array in {**drawn, "parameters": planar[1].parameters}.values()]

    return draw


def close(found, expected, rounding):
    for value, right in zip(found, expected, strict=True):
        # Fused products and sums round once where CasADi rounds twice.
        np.testing.assert_allclose(value, right, rtol=0, atol=rounding * np.abs(right).max(initial=0.0))


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_planar_model_agrees_with_casadi(backend, direction, dynamics, inputs):
    function = dynamics[direction]
    arrays = inputs(function, 203)
    close(evaluate(backend, function, arrays, 203), by_casadi(function, arrays, 203), 1e-14)


@pytest.mark.parametrize("backend", BACKENDS)
def test_planar_model_in_single_precision(backend, dynamics, inputs):
    arrays = inputs(dynamics["forward"], 50, np.float32)
    found = evaluate(backend, dynamics["forward"], arrays, 50)
    assert {value.dtype for value in found} == {np.dtype(np.float32)}
    close(found, by_casadi(dynamics["forward"], arrays, 50), 1e-5)


@pytest.fixture(scope="module", params=BACKENDS)
def made(request, dynamics):
    """Return a program of the planar model's dynamics, and its tape."""
    return program(request.param, dynamics["forward"], "double")


def test_every_layout_of_inputs_is_read(made, dynamics, inputs):
    arrays = inputs(dynamics["forward"], 29)
    expected = run(*made, arrays, 29)
    q, u, udot, force, position, parameters = arrays
    wide = np.zeros((58, 3 * udot.shape[1]))
    wide[::2, 1::3] = udot
    layouts = [
        np.asfortranarray(q),
        np.asfortranarray(u),
        wide[::2, 1::3],
        force.copy(),
        position,
        parameters,
    ]
    for value, right in zip(run(*made, layouts, 29), expected, strict=True):
        np.testing.assert_array_equal(value, right)
    repeated = [*arrays[:-1], np.tile(parameters, (29, 1))]
    close(run(*made, repeated, 29), expected, 1e-14)
    alone = [array if array.ndim == 1 else np.ascontiguousarray(array[4]) for array in arrays]
    for value, right in zip(run(*made, alone, 1), expected, strict=True):
        np.testing.assert_allclose(value[0], right[4], rtol=0, atol=1e-14 * np.abs(right).max(initial=0.0))


def test_ranges_are_computed_alone_and_at_once(made, dynamics, inputs):
    arrays = inputs(dynamics["forward"], 100)
    expected = run(*made, arrays, 100)
    ranges = [(0, 1), (1, 9), (9, 9), (9, 40), (40, 100)]
    for value, right in zip(run(*made, arrays, 100, ranges), expected, strict=True):
        np.testing.assert_allclose(value, right, rtol=0, atol=1e-14 * np.abs(right).max(initial=0.0))
    partly = run(*made, arrays, 100, [(7, 20)])
    for value, right in zip(partly, expected, strict=True):
        assert (value[:7] == -77).all() and (value[20:] == -77).all()
        np.testing.assert_allclose(
            value[7:20], right[7:20], rtol=0, atol=1e-14 * np.abs(right).max(initial=0.0)
        )


def test_no_samples_are_no_work(made, dynamics, inputs):
    arrays = inputs(dynamics["forward"], 0)
    assert all(value.size == 0 for value in run(*made, arrays, 0))


# --- numpy ----------------------------------------------------------------------------------------


def test_numpy_blocks_and_threads(dynamics, inputs, monkeypatch):
    tape = record(dynamics["forward"])
    made = NumpyProgram(tape, "double")
    arrays = inputs(dynamics["forward"], 300)
    expected = run(made, tape, arrays, 300)
    monkeypatch.setattr("casadi_dynamics.compiled.numpy_tape.BLOCK", 64)
    outputs = [np.full((300, size), -77.0) for size in tape.output_sizes]
    given, places = addresses(arrays), (ctypes.c_int64 * len(outputs))(*(o.ctypes.data for o in outputs))
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda first: made.run(given, places, first, first + 100), (0, 100, 200)))
    for value, right in zip(outputs, expected, strict=True):
        np.testing.assert_array_equal(value, right)


def test_numpy_computes_what_is_the_same_for_all_samples_once(monkeypatch):
    x, shared = ca.SX.sym("x"), ca.SX.sym("shared")
    function = ca.Function("f", [x, shared], [x * ca.exp(shared), ca.sin(shared)])
    lengths = []
    calls = dict.fromkeys(("exp", "sin"), lambda a, out: (lengths.append(len(a)), np.exp(a, out)))
    monkeypatch.setattr("casadi_dynamics.compiled.numpy_tape._ARITHMETIC", {"mul": np.multiply} | calls)
    values = [np.ones((9000, 1)), np.zeros(1)]
    tape = record(function)
    found = run(NumpyProgram(tape, "double"), tape, values, 9000)
    assert lengths == [1, 1]
    assert all((value == 1).all() for value in found)


def test_numpy_needs_little_memory():
    x = ca.SX.sym("x")
    value = x
    for k in range(1000):
        value = ca.if_else(value > k, ca.sqrt(value + k), value * x)
    tape = record(ca.Function("f", [x], [value]))
    made = NumpyProgram(tape, "double")
    run(made, tape, [np.ones((5, 1))], 5)
    (plan,) = made._plans.values()
    assert len(plan.slots) < 10


def test_numpy_is_silent_about_infinities(recwarn):
    x = ca.SX.sym("x")
    function = ca.Function("f", [x], [ca.log(x), 1 / x, ca.sqrt(-x), ca.exp(x)])
    evaluate("numpy", function, [np.array([[0.0], [-1.0], [1.0], [1e4]])], 4)
    assert not recwarn.list
