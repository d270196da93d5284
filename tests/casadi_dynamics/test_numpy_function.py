import casadi as ca
import numpy as np
import pytest

from casadi_dynamics.compiled.numpy_function import compile_in_order, compile_numpy, compile_sample
from casadi_dynamics.errors import InputError


@pytest.fixture(scope="module")
def function():
    x, y = ca.SX.sym("x", 2), ca.SX.sym("y", 3)
    return ca.Function("f", [x, y], [ca.sin(x) * y[0], ca.sumsqr(y)], ["x", "y"], ["s", "n"])


@pytest.mark.parametrize("backend", ["llvm", "numpy"])
def test_arrays_in_arrays_out(function, backend):
    x, y = np.random.default_rng(0).normal(size=(5, 2)), np.array([2.0, -1.0, 0.5])
    found = compile_numpy(function, backend=backend)(x=x, y=y)
    np.testing.assert_allclose(found["s"], 2 * np.sin(x), rtol=1e-14)
    np.testing.assert_allclose(found["n"], np.full((5, 1), 5.25), rtol=1e-14)


def test_any_strides_and_read_only_arrays(function):
    whole = np.random.default_rng(1).normal(size=(3, 8))
    x, y = whole[:2, ::-2].T, whole[:, ::2].T
    whole.flags.writeable = False
    found = compile_numpy(function)(x=x, y=y)
    np.testing.assert_allclose(found["s"], np.sin(x) * y[:, :1], rtol=1e-14)


def test_sample_by_sample_the_numbers_are_those_of_all_at_once(function):
    """And what a call returned stays what it was when there is another."""
    x, y = np.random.default_rng(2).normal(size=(4, 2)), np.array([2.0, -1.0, 0.5])
    many, one = compile_numpy(function)(x=x, y=y), compile_sample(function)
    found = [one(x=x[k : k + 1].astype(np.float32) if k == 3 else x[k], y=y) for k in range(4)]
    for name, rows in many.items():
        np.testing.assert_array_equal([sample[name] for sample in found[:3]], rows[:3])
        np.testing.assert_allclose(found[3][name], rows[3], rtol=1e-6)  # of single precision
    outer = ca.Function(
        "g", [a := ca.MX.sym("a", 2)], [function(a, ca.DM([2.0, -1.0, 0.5]))[0]], ["a"], ["s"]
    )
    np.testing.assert_allclose(compile_sample(outer)(a=x[0])["s"], many["s"][0], rtol=1e-14)


@pytest.mark.parametrize("calls_another", [False, True])
def test_samples_in_order_go_on_where_the_one_before_ended(calls_another):
    x, s, y = (ca.SX.sym(name, size) for name, size in (("x", 2), ("s", 3), ("y", 2)))
    turned = ca.vertcat(ca.sin(s[1]) + x[0], s[2] * y[1], s[0] - x[1])
    function = ca.Function("f", [x, s, y], [turned[0] * y, turned], list("xsy"), ["out", "next"])
    if calls_another:
        given = [ca.MX.sym(name, size) for name, size in (("x", 2), ("s", 3), ("y", 2))]
        function = ca.Function("g", given, function.call(given), list("xsy"), ["out", "next"])
    whole = np.random.default_rng(3).normal(size=(9, 4))
    x, y, state = whole[:, ::2], whole[:, 1::2], np.array([0.1, 0.2, 0.3])
    found, one, first = (
        compile_in_order(function, "s", "next")(x=x, y=y, s=state),
        compile_sample(function),
        state,
    )
    for k in range(len(x)):
        sample = one(x=x[k], y=y[k], s=state)
        state = sample["next"]
        for name, values in sample.items():
            np.testing.assert_array_equal(found[name][k], values)
    assert first.tolist() == [0.1, 0.2, 0.3]


def test_an_input_that_does_not_fit_is_refused(function):
    with pytest.raises(InputError, match="'x'"):
        compile_numpy(function)(x=np.zeros((2, 3)), y=np.zeros(3))
