import casadi as ca
import numpy as np
import pytest

from casadi_dynamics.compiled.numpy_function import compile_numpy, compile_sample
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


def test_an_input_that_does_not_fit_is_refused(function):
    with pytest.raises(InputError, match="'x'"):
        compile_numpy(function)(x=np.zeros((2, 3)), y=np.zeros(3))
