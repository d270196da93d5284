"""Compiled functions as torch sees them: shapes, gradients, precision, errors, pickling, threads."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import casadi as ca
import numpy as np
import pytest
import torch

from casadi_dynamics.compiled import TorchFunction, compile_torch
from casadi_dynamics.errors import InputError

DOUBLE = torch.float64


def small_function():
    """A function whose gradient to `a` and to `b` is easily written down."""
    a, b = ca.SX.sym("a", 2), ca.SX.sym("b", 3)
    outputs = [ca.vertcat(a[0] * b[0], a[1] * ca.sin(b[1])), a[0] ** 2 + b[2]]
    return ca.Function("small", [a, b], outputs, ["a", "b"], ["f", "g"])


@pytest.fixture(scope="module")
def small() -> TorchFunction:
    return compile_torch(small_function())


@pytest.fixture(scope="module")
def dynamics(planar):
    return compile_torch(planar[1].dynamics)


def random_inputs(functions, samples, seed=0, dtype=DOUBLE):
    random = np.random.default_rng(seed)
    scales = {"q": 1.0, "u": 3.0, "udot": 20.0, "contact_force": 300.0, "sensor_position": 0.1}
    sizes = {name: functions.dynamics.numel_in(name) for name in scales}
    draws = {name: scale * random.uniform(-1, 1, (samples, sizes[name])) for name, scale in scales.items()}
    return {**draws, "parameters": functions.parameters}


def tensors(inputs, dtype=DOUBLE, grad=False):
    return {name: torch.tensor(value, dtype=dtype, requires_grad=grad) for name, value in inputs.items()}


def by_casadi(function, inputs, samples):
    columns = {
        name: np.tile(value[:, None], (1, samples)) if value.ndim == 1 else value.T
        for name, value in inputs.items()
    }
    return {name: np.array(value).T for name, value in function.map(samples).call(columns).items()}


@pytest.mark.parametrize("samples", [0, 1, 7, 8, 9, 1000])
def test_batches_of_every_size_agree_with_casadi(planar, dynamics, samples):
    inputs = random_inputs(planar[1], samples)
    found = dynamics(**tensors(inputs))
    assert tuple(found) == tuple(planar[1].dynamics.name_out())
    if samples:
        expected = by_casadi(planar[1].dynamics, inputs, samples)
        for name, value in found.items():
            # Fused products and sums round once where CasADi rounds twice.
            np.testing.assert_allclose(
                value.numpy(), expected[name], rtol=0, atol=1e-13 * np.abs(expected[name]).max()
            )
    for name, value in found.items():
        assert value.shape == (samples, planar[1].dynamics.numel_out(name))


@pytest.mark.parametrize("samples", [0, 1, 7, 8, 9, 17])
def test_gradients_of_batches_of_every_size(small, samples):
    a = torch.randn(samples, 2, dtype=DOUBLE, requires_grad=True)
    b = torch.randn(samples, 3, dtype=DOUBLE, requires_grad=True)
    outputs = small(a=a, b=b)
    (outputs["f"].sum() + 2 * outputs["g"].sum()).backward()
    (a0, a1), (b0, b1, _) = a.detach().T, b.detach().T
    torch.testing.assert_close(a.grad, torch.stack([b0 + 4 * a0, torch.sin(b1)], 1))
    torch.testing.assert_close(b.grad, torch.stack([a0, a1 * torch.cos(b1), torch.full_like(a0, 2.0)], 1))


def test_leading_shapes_are_kept_and_broadcast(small):
    a, b = torch.randn(4, 1, 2, dtype=DOUBLE), torch.randn(5, 3, dtype=DOUBLE)
    outputs = small(a=a, b=b)
    assert outputs["f"].shape == (4, 5, 2)
    assert outputs["g"].shape == (4, 5, 1)
    for i, j in ((0, 0), (3, 4), (1, 2)):
        alone = small(a=a[i, 0], b=b[j])
        torch.testing.assert_close(outputs["f"][i, j], alone["f"], rtol=0, atol=0)
        torch.testing.assert_close(outputs["g"][i, j], alone["g"], rtol=0, atol=0)
    assert alone["f"].shape == (2,)


def test_inputs_need_not_lie_close_in_memory(small):
    a, b = torch.randn(2, 9, dtype=DOUBLE), torch.randn(18, 6, dtype=DOUBLE)
    plain = small(a=a.T.contiguous(), b=b[::2, ::2].contiguous())
    strided = small(a=a.T, b=b[::2, ::2])
    expanded = small(a=a.T, b=b[:1, ::2].expand(9, 3))
    for name in plain:
        torch.testing.assert_close(strided[name], plain[name], rtol=0, atol=0)
    torch.testing.assert_close(expanded["g"], small(a=a.T, b=b[0, ::2])["g"], rtol=0, atol=0)


def test_a_shared_input_gets_the_sum_of_gradients(small):
    a = torch.randn(21, 2, dtype=DOUBLE, requires_grad=True)
    shared = torch.randn(3, dtype=DOUBLE, requires_grad=True)
    each = shared.detach().repeat(21, 1).requires_grad_()
    for b in (shared, each):
        outputs = small(a=a, b=b)
        (outputs["f"] ** 2).sum().backward(inputs=[b])
    torch.testing.assert_close(shared.grad, each.grad.sum(0))


def test_only_asked_gradients_are_made(small):
    a = torch.randn(5, 2, dtype=DOUBLE)
    b = torch.randn(5, 3, dtype=DOUBLE, requires_grad=True)
    small(a=a, b=b)["g"].sum().backward()
    assert a.grad is None
    torch.testing.assert_close(b.grad, torch.tensor([0.0, 0.0, 1.0], dtype=DOUBLE).expand(5, 3))
    assert not small(a=a, b=b.detach())["f"].requires_grad
    with torch.no_grad():
        assert not small(a=a, b=b)["f"].requires_grad


def test_gradients_of_the_planar_model_agree_with_differences(planar, dynamics):
    functions = planar[1]
    inputs = tensors(random_inputs(functions, 3, seed=5), grad=True)
    weights = {
        name: torch.randn(3, functions.dynamics.numel_out(name), dtype=DOUBLE)
        for name in dynamics.output_names
    }
    # Outputs of unlike size share one objective only after each is brought to size one.
    sizes = {name: value.abs().max().item() or 1.0 for name, value in dynamics(**inputs).items()}

    def objective(values):
        return sum((value * weights[name]).sum() / sizes[name] for name, value in dynamics(**values).items())

    gradients = dict(zip(inputs, torch.autograd.grad(objective(inputs), list(inputs.values())), strict=True))
    plain = {name: value.detach() for name, value in inputs.items()}
    for name, value in plain.items():
        direction = torch.randn_like(value) * value.abs().clamp(min=0.1)
        step = 1e-4

        def along(t, name=name, value=value, direction=direction):
            return objective({**plain, name: value + t * direction}).item()

        # Richardson's combination of two central differences: the truncation left is of fourth order.
        coarse, fine = ((along(h) - along(-h)) / (2 * h) for h in (2 * step, step))
        difference = (4 * fine - coarse) / 3
        found = (gradients[name] * direction).sum().item()
        scale = (gradients[name] * direction).abs().sum().item()
        assert found == pytest.approx(difference, rel=1e-6, abs=1e-6 * scale), name


def test_gradcheck_on_single_samples(small):
    a = torch.randn(2, dtype=DOUBLE, requires_grad=True)
    b = torch.randn(4, 3, dtype=DOUBLE, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b: tuple(small(a=a, b=b).values()), (a, b), rtol=1e-6)


def test_single_precision_is_right_to_its_digits(planar, dynamics):
    inputs = random_inputs(planar[1], 200, seed=6)
    single = compile_torch(planar[1].dynamics, torch.float32)
    rounded = {name: np.float32(value).astype(float) for name, value in inputs.items()}
    double = tensors(rounded, grad=True)
    float32 = tensors(rounded, torch.float32, grad=True)
    expected, found = dynamics(**double), single(**float32)
    for name, value in found.items():
        assert value.dtype == torch.float32
        assert (value - expected[name]).abs().max() < 1e-5 * expected[name].abs().max(), name
    expected["tau"].square().sum().backward()
    found["tau"].square().sum().backward()
    for name in ("q", "u", "udot", "contact_force", "parameters"):
        error = (float32[name].grad - double[name].grad).abs().max()
        assert error < 1e-4 * double[name].grad.abs().max(), name


def test_a_pickled_function_gives_the_same_numbers(small):
    inputs = {"a": torch.randn(3, 2, dtype=DOUBLE), "b": torch.randn(3, dtype=DOUBLE)}
    copy = pickle.loads(pickle.dumps(small))
    assert copy.input_names == small.input_names
    for name, value in small(**inputs).items():
        torch.testing.assert_close(copy(**inputs)[name], value, rtol=0, atol=0)


def test_threads_may_call_at_once(planar):
    functions = planar[1]
    function = compile_torch(functions.contact)
    inputs = [random_inputs(functions, 64, seed) for seed in range(8)]
    inputs = [{name: draws[name] for name in function.input_names} for draws in inputs]

    def both(draws):
        values = tensors(draws, grad=True)
        outputs = function(**values)
        outputs["force"].sum().backward()
        return outputs["force"].detach(), values["q"].grad

    with ThreadPoolExecutor(4) as pool:
        at_once = list(pool.map(both, inputs))
    for draws, (force, gradient) in zip(inputs, at_once, strict=True):
        alone = both(draws)
        torch.testing.assert_close(force, alone[0], rtol=0, atol=0)
        torch.testing.assert_close(gradient, alone[1], rtol=0, atol=0)


def test_results_are_fresh_memory(small):
    a, b = torch.randn(8, 2, dtype=DOUBLE), torch.randn(8, 3, dtype=DOUBLE)
    first = small(a=a, b=b)["f"]
    before = first.clone()
    small(a=a + 1, b=b)
    torch.testing.assert_close(first, before, rtol=0, atol=0)


def test_functions_with_empty_inputs_and_outputs():
    x, nothing = ca.SX.sym("x", 2), ca.SX.sym("nothing", 0)
    function = compile_torch(
        ca.Function("f", [x, nothing], [2 * x, ca.SX.zeros(0)], ["x", "nothing"], ["f", "none"])
    )
    values = torch.randn(3, 2, dtype=DOUBLE, requires_grad=True)
    for empty in (torch.zeros(3, 0, dtype=DOUBLE), torch.zeros(0, dtype=DOUBLE)):
        outputs = function(x=values, nothing=empty)
        assert outputs["none"].shape == (3, 0)
        torch.testing.assert_close(outputs["f"], 2 * values)
        outputs["f"].sum().backward()


def test_a_constant_function_has_no_gradient():
    x = ca.SX.sym("x", 2)
    function = compile_torch(ca.Function("f", [x], [ca.SX(ca.DM([3, 4]))], ["x"], ["f"]))
    values = torch.randn(5, 2, dtype=DOUBLE, requires_grad=True)
    outputs = function(x=values)["f"]
    assert outputs.tolist() == [[3.0, 4.0]] * 5
    outputs.sum().backward()
    assert not values.grad.any()


def test_nan_stays_in_its_sample(small):
    a, b = torch.ones(9, 2, dtype=DOUBLE), torch.ones(9, 3, dtype=DOUBLE)
    a[4, 0] = float("nan")
    bad = small(a=a, b=b)["f"].isnan().any(1)
    assert bad.tolist() == [i == 4 for i in range(9)]


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"a": None}, "argument 'a'"),
        ({"c": torch.zeros(2, dtype=DOUBLE)}, "argument 'c'"),
        ({"a": torch.zeros(3, dtype=DOUBLE)}, r"shape \(..., 2\)"),
        ({"a": torch.zeros((), dtype=DOUBLE)}, r"shape \(..., 2\)"),
        ({"a": torch.zeros(2)}, "torch.float32"),
        ({"a": torch.zeros(2, dtype=torch.int64)}, "torch.int64"),
        ({"a": np.zeros(2)}, "ndarray"),
        ({"a": torch.zeros(4, 2, dtype=DOUBLE), "b": torch.zeros(5, 3, dtype=DOUBLE)}, "do not go together"),
        ({"a": torch.zeros(2, dtype=DOUBLE, device="meta")}, "meta"),
    ],
)
def test_wrong_inputs_are_refused(small, change, part):
    inputs = {"a": torch.zeros(2, dtype=DOUBLE), "b": torch.zeros(3, dtype=DOUBLE), **change}
    with pytest.raises(InputError, match=part):
        small(**{name: value for name, value in inputs.items() if value is not None})


def test_a_misspelt_input_gets_a_hint(planar, dynamics):
    inputs = tensors(random_inputs(planar[1], 1))
    inputs["contact_forces"] = inputs.pop("contact_force")
    with pytest.raises(InputError, match="did you mean 'contact_force'"):
        dynamics(**inputs)


def test_other_number_types_are_refused():
    with pytest.raises(InputError, match="float64 or torch.float32"):
        compile_torch(small_function(), torch.float16)
