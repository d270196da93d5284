"""Every backend against CasADi's own evaluation: single operations, and the dynamics of the planar model.

No GPU is needed: the text of the CUDA kernel is compiled by the C++ compiler of the machine and launched
through a driver that stands in for CUDA's, so that all but the GPU itself is the real thing.
"""

import ctypes
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import casadi as ca
import numpy as np
import pytest
import torch

from casadi_dynamics.compiled import compile_torch
from casadi_dynamics.compiled.c import compiler as c_compiler
from casadi_dynamics.compiled.c.compiler import HostProgram, compile_library, find_compiler
from casadi_dynamics.compiled.c.family import constant
from casadi_dynamics.compiled.cuda import nvrtc
from casadi_dynamics.compiled.cuda import program as cuda
from casadi_dynamics.compiled.cuda import text as cuda_text
from casadi_dynamics.compiled.cuda.program import CudaProgram
from casadi_dynamics.compiled.numpy_tape import NumpyProgram
from casadi_dynamics.compiled.tape import OPERATIONS, record, vector_jacobian
from casadi_dynamics.errors import InputError

INF, NAN = np.inf, np.nan
BACKENDS = ("numpy", "c", "cuda", "llvm")
KINDS = {"double": np.float64, "float": np.float32}

#: What the C++ of the machine needs to understand CUDA, and a launch as the driver does it.
_SHIM = """
#include <math.h>
#include <string.h>
#define __global__
#define __restrict__ __restrict
static thread_local struct {{ unsigned x, y, z; }} gridDim, blockDim, blockIdx, threadIdx;
static double __longlong_as_double(long long bits) {{ double x; memcpy(&x, &bits, 8); return x; }}
{kernel}
extern "C" void launch(void** arguments, unsigned blocks, unsigned threads) {{
  gridDim.x = blocks, blockDim.x = threads;
  for (blockIdx.x = 0; blockIdx.x < blocks; blockIdx.x++)
    for (threadIdx.x = 0; threadIdx.x < threads; threadIdx.x++) run(*(const Arguments*)arguments[0]);
}}
"""


class DriverOnHost:
    """Stands in for `cuda.bindings.driver`: its code is the text of a kernel, and its GPU this processor."""

    def __init__(self):
        self.contexts, self.launches = [], []
        kinds = ("COMPUTE_CAPABILITY_MAJOR", "COMPUTE_CAPABILITY_MINOR")
        self.CUdevice_attribute = types.SimpleNamespace(
            **{f"CU_DEVICE_ATTRIBUTE_{kind}": value for kind, value in zip(kinds, (9, 0), strict=True)}
        )

    def cuInit(self, flags):
        return (0,)

    def cuDeviceGet(self, number):
        return (0, f"device {number}")

    def cuDeviceGetAttribute(self, kind, device):
        return (0, kind)

    def cuDevicePrimaryCtxRetain(self, device):
        return (0, f"context of {device}")

    def cuCtxPushCurrent(self, context):
        self.contexts.append(context)
        return (0,)

    def cuCtxPopCurrent(self):
        return (0, self.contexts.pop())

    def cuModuleLoadData(self, code):
        assert self.contexts
        return (0, compile_library(_SHIM.format(kernel=code.decode())))

    def cuModuleGetFunction(self, module, name):
        return (0, getattr(module, {b"run": "launch"}[name]))

    def cuLaunchKernel(self, kernel, *rest):
        (blocks, *_, shared_memory, stream, arguments, extra) = rest
        assert self.contexts and rest[1:3] == (1, 1) and rest[4:6] == (1, 1) and shared_memory == extra == 0
        self.launches.append((blocks, rest[3], stream))
        kernel(ctypes.c_void_p(arguments), blocks, rest[3])
        return (0,)


def program(backend, tape, scalar):
    """Return a program; skip where the machine has no compiler."""
    if backend == "numpy":
        return NumpyProgram(tape, scalar)
    try:
        find_compiler()
    except InputError:
        pytest.skip("there is no C++ compiler on this machine")
    if backend == "c":
        return HostProgram(tape, scalar)
    return CudaProgram(DriverOnHost(), cuda_text.source(tape, scalar).encode(), 0, lambda: 7)


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


def evaluate(backend, function, arrays, samples):
    """Return the outputs of a function by a backend."""
    scalar = "double" if arrays[0].dtype == np.float64 else "float"
    if backend == "llvm":
        tensors = {n: torch.from_numpy(a.copy()) for n, a in zip(function.name_in(), arrays, strict=True)}
        compiled = compile_torch(function, torch.float64 if scalar == "double" else torch.float32)
        return [output.numpy() for output in compiled(**tensors).values()]
    tape = record(function)
    return run(program(backend, tape, scalar), tape, arrays, samples)


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
        assert (
            value.tobytes() == np.full((3, 1), right).tobytes() or np.isnan(right) and np.isnan(value).all()
        )


def test_constants_are_written_exactly():
    for value in (*VALUES[:-3], -0.0):
        assert float.fromhex(constant(value)[len("number(") : -1]).hex() == value.hex()


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
@pytest.mark.parametrize("backend", ["c"])
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
    found = evaluate("c", ca.Function("f", [x], [ca.sin(x), ca.cos(x)]), [huge], len(huge))
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


@pytest.fixture(scope="module", params=["numpy", "c", "cuda"])
def made(request, dynamics):
    """Return a program of the planar model's dynamics, and its tape."""
    tape = record(dynamics["forward"])
    return program(request.param, tape, "double"), tape


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


# --- C++ ------------------------------------------------------------------------------------------


def test_c_in_many_parts_is_the_same(dynamics, inputs, monkeypatch):
    monkeypatch.setattr("casadi_dynamics.compiled.c.host.LONGEST_PART", 60)
    arrays = inputs(dynamics["backward"], 37)
    expected = by_casadi(dynamics["backward"], arrays, 37)
    close(evaluate("c", dynamics["backward"], arrays, 37), expected, 1e-14)


def test_a_machine_without_a_compiler_is_told_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(InputError, match=r"no C\+\+ compiler[\s\S]*needs none"):
        HostProgram(record(all_operations()), "double")
    monkeypatch.setenv("CXX", "another-c++ -m64")
    with pytest.raises(InputError, match=r"CXX[\s\S]*another-c\+\+ -m64"):
        find_compiler()


def test_a_compiler_that_fails_is_one_error(monkeypatch, tmp_path):
    compiler = tmp_path / "broken"
    compiler.write_text("#!/bin/sh\necho 'tape.cpp:1: error: no such vector' >&2\nexit 1\n")
    compiler.chmod(0o755)
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("CXX", str(compiler))
    monkeypatch.setattr(c_compiler.tempfile, "tempdir", str(folder))
    with pytest.raises(InputError, match="no such vector"):
        compile_library("int x;")
    assert not list(folder.iterdir())


# --- CUDA -----------------------------------------------------------------------------------------


def test_launches_go_to_the_stream_and_leave_the_context_as_it_was(dynamics, inputs):
    tape = record(dynamics["forward"])
    made = program("cuda", tape, "double")
    arrays = inputs(dynamics["forward"], 300)
    run(made, tape, arrays, 300, [(0, 300), (5, 5), (0, 1)])
    assert made._driver.launches == [(3, 128, 7), (1, 128, 7)]
    assert made._driver.contexts == []


def test_a_kernel_with_fewer_threads_than_samples_computes_all(dynamics, inputs, monkeypatch):
    tape = record(dynamics["forward"])
    made = program("cuda", tape, "double")
    arrays = inputs(dynamics["forward"], 300)
    expected = run(made, tape, arrays, 300)
    monkeypatch.setattr(cuda, "_MOST_BLOCKS", 1)
    for value, right in zip(run(made, tape, arrays, 300), expected, strict=True):
        np.testing.assert_array_equal(value, right)


@pytest.fixture
def real_nvrtc():
    """Skip where NVIDIA's run-time compiler is not installed."""
    try:
        nvrtc.bindings()
    except InputError as error:
        pytest.skip(f"NVRTC is not installed: {error.found}")


@pytest.fixture
def no_cache(monkeypatch):
    """Keep nothing that was compiled."""
    monkeypatch.setenv("CASADI_DYNAMICS_CACHE", "off")


@pytest.mark.parametrize("scalar", ["double", "float"])
def test_nvrtc_understands_every_operation(scalar, real_nvrtc, no_cache):
    text = cuda_text.source(record(all_operations()), scalar)
    assert nvrtc.compiled(text, nvrtc.architecture(90)).startswith(b"\x7fELF")
    newer_than_any = nvrtc.architecture(9990)
    assert newer_than_any.startswith("compute_")
    assert b".entry run(" in nvrtc.compiled(text, newer_than_any)


def test_nvrtc_compiles_the_planar_model(dynamics, real_nvrtc, no_cache):
    for function in dynamics.values():
        assert nvrtc.compiled(cuda_text.source(record(function), "double"), nvrtc.architecture(90))


def test_what_nvrtc_made_is_kept(real_nvrtc, monkeypatch, tmp_path):
    monkeypatch.setenv("CASADI_DYNAMICS_CACHE", str(tmp_path / "cache"))
    text = cuda_text.source(record(ca.Function("f", [], [ca.SX(2)])), "double")
    first = nvrtc.compiled(text, nvrtc.architecture(90))
    monkeypatch.setattr(nvrtc, "_compile", lambda *_: pytest.fail("compiled again"))
    assert nvrtc.compiled(text, nvrtc.architecture(90)) == first


def test_what_nvrtc_refuses_is_one_error(real_nvrtc, no_cache):
    with pytest.raises(InputError, match="too old"):
        nvrtc.architecture(20)
    with pytest.raises(InputError, match=r"sm_90[\s\S]*error"):
        nvrtc.compiled("no kernel", "sm_90")


def test_missing_cuda_packages_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    with pytest.raises(InputError, match="pip install cuda-bindings nvidia-cuda-nvrtc"):
        cuda.load_program(record(all_operations()), "double", 0, lambda: 0)


def test_a_driver_that_refuses_is_one_error():
    class Status(int):
        name = "CUDA_ERROR_NO_DEVICE"

    driver = DriverOnHost()
    driver.cuDeviceGet = lambda number: (Status(100), None)
    with pytest.raises(InputError, match=r"cuDeviceGet: CUDA_ERROR_NO_DEVICE"):
        CudaProgram(driver, b"", 0, lambda: 0)
    driver = DriverOnHost()
    driver.cuModuleLoadData = lambda code: (Status(200), None)
    with pytest.raises(InputError, match="update the driver"):
        CudaProgram(driver, b"", 0, lambda: 0)
    assert driver.contexts == []


def test_planar_model_on_a_gpu(dynamics, inputs):
    if not torch.cuda.is_available():
        pytest.skip("torch sees no GPU")
    function = dynamics["forward"]
    tape, arrays = record(function), inputs(function, 1000)
    made = cuda.load_program(tape, "double", 0, lambda: torch.cuda.current_stream(0).cuda_stream)
    given = [torch.from_numpy(array).cuda(0) for array in arrays]
    outputs = [torch.empty(1000, size, dtype=torch.float64, device="cuda:0") for size in tape.output_sizes]
    places = []
    for tensor in given:
        places += [tensor.data_ptr(), *(tensor.stride() if tensor.dim() == 2 else (0, tensor.stride(0)))]
    made.run(
        (ctypes.c_int64 * len(places))(*places),
        (ctypes.c_int64 * len(outputs))(*(output.data_ptr() for output in outputs)),
        0,
        1000,
    )
    close([output.cpu().numpy() for output in outputs], by_casadi(function, arrays, 1000), 1e-14)
