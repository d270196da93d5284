"""Compiled functions as torch sees them: shapes, gradients, precision, errors, pickling, threads."""

import copy
import multiprocessing
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import casadi as ca
import numpy as np
import pytest
import torch

from casadi_dynamics import cores
from casadi_dynamics.compiled import TorchFunction, compile_torch, program
from casadi_dynamics.compiled.llvm import text as llvm_text
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
        ({"a": torch.zeros(3, 2, dtype=DOUBLE).to_sparse()}, "sparse"),
        ({"a": torch.zeros(2, dtype=torch.complex128)}, "complex128"),
        ({"a": [0.0, 0.0]}, "list"),
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


@pytest.mark.parametrize(
    ("setting", "part"), [({"order": -1}, "order"), ({"order": 1.5}, "order"), ({"backend": "fast"}, "llvm")]
)
def test_other_settings_are_refused(setting, part):
    with pytest.raises(InputError, match=part):
        compile_torch(small_function(), **setting)


def curved_function():
    """A function with derivatives of every order, a choice, and inputs that meet in products."""
    a, b = ca.SX.sym("a", 2), ca.SX.sym("b", 3)
    f = ca.vertcat(
        ca.sin(a[0] * b[0]) * b[1],
        ca.exp(a[1]) / (2 + ca.cos(b[2])),
        ca.if_else(a[0] < b[1], a[0] ** 3, b[1] ** 3),
    )
    g = ca.sqrt(1 + a[0] ** 2 + b[0] ** 2 * a[1] ** 2)
    return ca.Function("curved", [a, b], [f, g], ["a", "b"], ["f", "g"])


@pytest.fixture(scope="module")
def curved() -> TorchFunction:
    return compile_torch(curved_function(), order=2)


def draws(*shapes, seed=0, grad=True, dtype=DOUBLE):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, dtype=dtype, generator=generator).requires_grad_(grad) for shape in shapes]


@pytest.mark.parametrize("shapes", [((2,), (3,)), ((4, 2), (4, 3)), ((4, 2), (3,)), ((2,), (2, 2, 3))])
def test_second_derivatives(curved, shapes):
    inputs = draws(*shapes)

    def outputs(a, b):
        return tuple(curved(a=a, b=b).values())

    assert torch.autograd.gradcheck(outputs, inputs, rtol=1e-6)
    assert torch.autograd.gradgradcheck(outputs, inputs, rtol=1e-6)


def test_the_hessian_of_the_planar_model(planar):
    functions = planar[1]
    dynamics = compile_torch(functions.dynamics, order=2)
    inputs = tensors(random_inputs(functions, 1, seed=8))
    inputs = {name: value[0] if value.dim() == 2 else value for name, value in inputs.items()}
    weights = torch.linspace(-1, 1, functions.dynamics.numel_out("tau"), dtype=DOUBLE)
    wanted = ("q", "u", "udot", "contact_force")

    def gradients(**changed):
        values = [value.detach().requires_grad_() for value in ({**inputs, **changed}[n] for n in wanted)]
        tau = dynamics(**{**inputs, **dict(zip(wanted, values, strict=True))})["tau"]
        return values, torch.autograd.grad((tau * weights).sum(), values, create_graph=True)

    values, first = gradients()
    joined = torch.cat(first)
    rows = [torch.autograd.grad(entry, values, retain_graph=True) for entry in joined]
    hessian = torch.stack([torch.cat(row) for row in rows])
    assert hessian.abs().max() > 1
    scale = hessian.abs().max()
    torch.testing.assert_close(hessian, hessian.T, rtol=0, atol=1e-12 * scale)
    step, column = 1e-5, 0
    for name in wanted:
        for entry in range(inputs[name].shape[0]):
            move = torch.zeros_like(inputs[name])
            move[entry] = step * max(1.0, abs(inputs[name][entry]))
            ahead, behind = (
                torch.cat(gradients(**{name: inputs[name] + sign * move})[1]).detach() for sign in (1, -1)
            )
            difference = (ahead - behind) / (2 * move[entry])
            torch.testing.assert_close(hessian[:, column], difference, rtol=1e-6, atol=1e-7 * scale)
            column += 1


def test_one_derivative_too_many_is_refused(small, curved):
    a, b = draws((4, 2), (4, 3))
    (first,) = torch.autograd.grad(small(a=a, b=b)["f"].square().sum(), a, create_graph=True)
    with pytest.raises(InputError, match="order=2"):
        first.sum().backward()
    (first,) = torch.autograd.grad(curved(a=a, b=b)["f"].sum(), a, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), a, create_graph=True)
    with pytest.raises(InputError, match="more often"):
        second.sum().backward()
    none = compile_torch(small_function(), order=0)
    with pytest.raises(InputError, match="more often"):
        none(a=a, b=b)["f"].sum().backward()


def in_torch(a, b):
    """What `curved` computes, written in torch."""
    a0, a1 = a[..., 0], a[..., 1]
    b0, b1, b2 = b[..., 0], b[..., 1], b[..., 2]
    choice = torch.where(a0 < b1, a0**3, b1**3)
    return {
        "f": torch.stack(
            torch.broadcast_tensors(torch.sin(a0 * b0) * b1, torch.exp(a1) / (2 + torch.cos(b2)), choice), -1
        ),
        "g": torch.sqrt(1 + a0**2 + b0**2 * a1**2)[..., None],
    }


def assert_same(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_torch_func_gradients(curved):
    a, b = draws((5, 2), (3,), grad=False)

    def objective(function):
        return lambda a, b: sum(value.square().sum() for value in function(a=a, b=b).values())

    for transform in (
        lambda f: torch.func.grad(objective(f), argnums=(0, 1)),
        lambda f: reverse_hessian(objective(f)),
        lambda f: torch.func.jacrev(lambda a, b: f(a=a, b=b), argnums=(0, 1)),
        lambda f: torch.func.jacrev(lambda a, b: f(a=a, b=b)["f"], chunk_size=2),
        lambda f: (
            lambda a, b: torch.func.vjp(lambda a: f(a=a, b=b)["g"], a)[1](torch.ones(5, 1, dtype=DOUBLE))
        ),
        lambda f: torch.func.grad_and_value(objective(f)),
    ):
        assert_same(transform(curved)(a, b), transform(in_torch)(a, b))


def reverse_hessian(function):
    return torch.func.jacrev(torch.func.jacrev(function))


@pytest.mark.parametrize(
    ("in_dims", "shapes"),
    [
        ((0, 0), ((4, 2), (4, 3))),
        ((1, None), ((2, 4), (3,))),
        ((None, 1), ((2,), (3, 4))),
        ((0, None), ((4, 2), (6, 3))),
        ((-1, 1), ((6, 2, 4), (6, 4, 3))),
        ((1, 2), ((6, 4, 2), (1, 3, 4))),
        ((0, 0), ((4, 5, 6, 2), (4, 6, 3))),
        ((0, 0), ((1, 2), (1, 5, 3))),
    ],
)
def test_vmap_over_any_axis(curved, in_dims, shapes):
    a, b = draws(*shapes, grad=False)
    for out_dims in (0, -1):
        mapped = [
            torch.vmap(lambda a, b, f=f: f(a=a, b=b), in_dims=in_dims, out_dims=out_dims)(a, b)
            for f in (curved, in_torch)
        ]
        assert_same(*mapped)


def test_transforms_of_transforms(curved):
    a, b = draws((4, 6, 2), (6, 3), grad=False)

    def value(function):
        return lambda a, b: function(a=a, b=b)["f"].square().sum() + function(a=a, b=b)["g"].sum()

    twice = [torch.vmap(torch.vmap(value(f)), in_dims=(0, None)) for f in (curved, in_torch)]
    assert_same(*(f(a, b) for f in twice))
    per_sample = [
        torch.vmap(torch.vmap(torch.func.grad(value(f), argnums=(0, 1)), in_dims=(0, None)), in_dims=(1, 0))
        for f in (curved, in_torch)
    ]
    assert_same(*(f(a, b) for f in per_sample))
    of_mapped = [
        torch.func.grad(lambda a, b, f=f: torch.vmap(value(f), in_dims=(0, None))(a, b).sum(), argnums=(0, 1))
        for f in (curved, in_torch)
    ]
    assert_same(*(f(a, b) for f in of_mapped))
    hessians = [torch.vmap(reverse_hessian(value(f)), in_dims=(0, None)) for f in (curved, in_torch)]
    assert_same(*(f(a[:, 0], b[0]) for f in hessians))


def test_vmap_and_autograd_together(curved):
    found = []
    for function in (curved, in_torch):
        a, b = draws((4, 6, 2), (3,))
        mapped = torch.vmap(lambda a, f=function, b=b: f(a=a, b=b)["f"])(a)
        first = torch.autograd.grad(mapped.square().sum(), (a, b), create_graph=True)
        second = torch.autograd.grad(sum(part.square().sum() for part in first), (a, b))
        found.append((mapped, *first, *second))
    assert_same(*found)


def test_many_cotangents_at_once(curved):
    a, b = draws((4, 2), (3,), grad=False)
    many = torch.eye(12, dtype=DOUBLE).view(12, 4, 3)
    assert_same(
        *(
            torch.vmap(torch.func.vjp(lambda a, b, f=f: f(a=a, b=b)["f"], a, b)[1])(many)
            for f in (curved, in_torch)
        )
    )
    assert_same(
        *(
            torch.autograd.functional.jacobian(lambda a, b, f=f: f(a=a, b=b)["f"], (a, b))
            for f in (curved, in_torch)
        )
    )


def test_parameters_may_differ_from_sample_to_sample(planar, dynamics):
    functions, samples = planar[1], 9
    inputs = random_inputs(functions, samples, seed=9)
    factors = np.random.default_rng(1).uniform(0.9, 1.1, (samples, functions.parameters.size))
    inputs["parameters"] = functions.parameters * factors
    values = tensors(inputs, grad=True)
    found = dynamics(**values)
    for name, expected in by_casadi(functions.dynamics, inputs, samples).items():
        np.testing.assert_allclose(
            found[name].detach().numpy(), expected, rtol=0, atol=1e-13 * np.abs(expected).max()
        )
    gradient = torch.autograd.grad(found["tau"].square().sum(), values["parameters"])[0]
    # One sample at a time, with its parameters as those of the whole batch.
    for k in range(samples):
        alone = {name: value.detach()[k : k + 1] for name, value in values.items()}
        alone["parameters"] = alone["parameters"][0].requires_grad_()
        dynamics(**alone)["tau"].square().sum().backward()
        torch.testing.assert_close(gradient[k], alone["parameters"].grad, rtol=1e-12, atol=0)


def test_when_all_is_shared_so_is_the_gradient(small):
    a, b = draws((2,), (3,))
    outputs = small(a=a, b=b)
    assert outputs["f"].shape == (2,) and outputs["g"].shape == (1,)
    (outputs["f"].sum() + outputs["g"].sum()).backward()
    assert_same(a.grad, torch.stack([b[0] + 2 * a[0], b[1].sin()]).detach())
    assert_same(b.grad, torch.stack([a[0], a[1] * b[1].cos(), torch.ones_like(a[0])]).detach())


@pytest.mark.parametrize("used", ["f", "g"])
def test_outputs_that_nothing_uses(curved, used):
    a, b = draws((9, 2), (3,))
    found = torch.autograd.grad(curved(a=a, b=b)[used].sum(), (a, b))
    assert_same(found, torch.autograd.grad(in_torch(a, b)[used].sum(), (a, b)))


def test_cotangents_of_any_layout(curved):
    a, b = draws((9, 2), (9, 3))
    output = curved(a=a, b=b)["f"]
    for cotangent in (
        torch.ones(1, 1, dtype=DOUBLE).expand(9, 3),
        torch.randn(3, dtype=DOUBLE).expand(9, 3),
        torch.randn(3, 9, dtype=DOUBLE).T,
        torch.randn(18, 6, dtype=DOUBLE)[::2, 1::2],
        torch.randn(9, 3, dtype=torch.complex128).conj().imag,
    ):
        found = torch.autograd.grad(output, (a, b), cotangent, retain_graph=True)
        expected = torch.autograd.grad(in_torch(a, b)["f"], (a, b), cotangent.clone())
        assert_same(found, expected)


def test_gradients_of_no_samples(curved):
    a, b = draws((0, 2), (3,))
    outputs = curved(a=a, b=b)
    first = torch.autograd.grad(outputs["f"].sum() + outputs["g"].sum(), (a, b), create_graph=True)
    assert first[0].shape == (0, 2) and first[1].tolist() == [0.0] * 3
    (second,) = torch.autograd.grad(first[0].sum() + first[1].sum(), b)
    assert second.tolist() == [0.0] * 3
    a, b = draws((4, 0, 2), (1, 3))
    outputs = curved(a=a, b=b)
    assert outputs["f"].shape == (4, 0, 3)
    outputs["f"].sum().backward()
    assert a.grad.shape == (4, 0, 2) and not b.grad.any()


def test_functions_without_inputs_and_without_outputs():
    constant = compile_torch(ca.Function("f", [], [ca.SX(ca.DM([3, 4]))], [], ["f"]))
    assert constant()["f"].tolist() == [3.0, 4.0]
    x = ca.SX.sym("x", 2)
    nothing = compile_torch(ca.Function("f", [x], [], ["x"], []))
    assert nothing(x=torch.zeros(5, 2, dtype=DOUBLE)) == {}


def test_what_changed_since_is_noticed(small):
    a, b = draws((5, 2), (5, 3))
    output = small(a=a, b=b)["f"]
    with torch.no_grad():
        a.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


def test_gradients_can_be_asked_again(small):
    a, b = draws((5, 2), (5, 3))
    output = small(a=a, b=b)["f"].square().sum()
    first = torch.autograd.grad(output, (a, b), retain_graph=True)
    assert_same(torch.autograd.grad(output, (a, b)), first)


def test_nothing_is_converted_on_the_way(small):
    single = compile_torch(small_function(), torch.float32)
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float32)
        a, b = draws((5, 2), (5, 3))
        outputs = small(a=a, b=b)
        outputs["f"].sum().backward()
        assert all(value.dtype is DOUBLE for value in (*outputs.values(), a.grad, b.grad))
        torch.set_default_dtype(DOUBLE)
        a, b = draws((5, 2), (5, 3), dtype=torch.float32)
        outputs = single(a=a, b=b)
        outputs["f"].sum().backward()
        assert all(value.dtype is torch.float32 for value in (*outputs.values(), a.grad, b.grad))
    finally:
        torch.set_default_dtype(before)
    with pytest.raises(InputError, match="torch.float64"):
        single(a=torch.zeros(2, dtype=DOUBLE), b=torch.zeros(3, dtype=torch.float32))


def test_outputs_do_not_share_memory(small):
    a, b = draws((8, 2), (8, 3), grad=False)
    first, second = small(a=a, b=b), small(a=a, b=b)
    tensors = (a, b, *first.values(), *second.values())
    starts = {value.untyped_storage().data_ptr() for value in tensors}
    assert len(starts) == len(tensors)


def test_copies_keep_the_order(curved, small):
    a, b = draws((5, 2), (5, 3))
    for duplicate in (pickle.loads(pickle.dumps(curved)), copy.deepcopy(curved)):
        (first,) = torch.autograd.grad(duplicate(a=a, b=b)["f"].sum(), a, create_graph=True)
        (second,) = torch.autograd.grad(first.sum(), b)
        (expected,) = torch.autograd.grad(curved(a=a, b=b)["f"].sum(), a, create_graph=True)
        assert torch.equal(second, torch.autograd.grad(expected.sum(), b)[0])
    single = pickle.loads(pickle.dumps(compile_torch(small_function(), torch.float32)))
    assert single.dtype is torch.float32
    (first,) = torch.autograd.grad(
        pickle.loads(pickle.dumps(small))(a=a, b=b)["f"].square().sum(), a, create_graph=True
    )
    with pytest.raises(InputError, match="order=2"):
        first.sum().backward()


@pytest.mark.parametrize("longest", [5, 50])
def test_a_tape_in_parts_gives_the_same_numbers(planar, monkeypatch, longest):
    monkeypatch.setenv("CASADI_DYNAMICS_CACHE", "off")
    functions = planar[1]
    names = functions.contact.name_in()
    samples = 70  # two groups of blocks, and a part of one
    inputs = {name: random_inputs(functions, samples)[name] for name in names}
    values = tensors(inputs, grad=True)
    whole = compile_torch(functions.contact)(**values)
    whole_gradients = torch.autograd.grad(whole["force"].sum(), list(values.values()))
    monkeypatch.setattr(llvm_text, "LONGEST_PART", longest)
    parts = compile_torch(functions.contact)(**values)
    gradients = torch.autograd.grad(parts["force"].sum(), list(values.values()))
    for name, expected in by_casadi(functions.contact, inputs, samples).items():
        largest = np.abs(expected).max()
        np.testing.assert_allclose(parts[name].detach().numpy(), expected, rtol=0, atol=1e-14 * largest)
    for found, expected in zip(gradients, whole_gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-14 * expected.abs().max().item())


@pytest.mark.parametrize("dtype", [DOUBLE, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("longest", [1, 3])
def test_choices_and_plain_outputs_in_parts(monkeypatch, longest, dtype):
    monkeypatch.setenv("CASADI_DYNAMICS_CACHE", "off")
    monkeypatch.setattr(llvm_text, "LONGEST_PART", longest)
    x, y = ca.SX.sym("x", 9), ca.SX.sym("y", 2)
    mask = x[0] < x[1]
    both = ca.logic_and(mask, ca.logic_not(x[2] <= y[0]))
    chain = x[3]
    for k in range(12):
        chain = ca.if_else(both, chain + x[k % 9], chain - y[k % 2])
    late = ca.vertcat(ca.if_else(mask, chain, 2 * chain), mask, both, ca.if_else(x[4], chain, 0), 5, y[1])
    function = ca.Function("f", [x, y], [late, x, chain], ["x", "y"], ["late", "x_again", "chain"])
    compiled = compile_torch(function, dtype)
    random = np.random.default_rng(2)
    for samples in (1, 8, 200):
        # Small whole numbers: every sum is exact, so nothing may differ at all.
        inputs = {"x": random.integers(-3, 4, (samples, 9)), "y": random.integers(-3, 4, 2)}
        found = compiled(**tensors(inputs, dtype))
        for name, expected in by_casadi(function, inputs, samples).items():
            np.testing.assert_array_equal(found[name].numpy(), expected)


@pytest.fixture
def two_threads(monkeypatch):
    """Let two threads share even little work."""
    monkeypatch.setattr(program, "_WORTH_A_THREAD", 1000)
    yield lambda: torch.set_num_threads(2)
    torch.set_num_threads(1)


@pytest.mark.parametrize("dtype", [DOUBLE, torch.float32], ids=["float64", "float32"])
def test_two_threads_give_the_same_bits(planar, two_threads, monkeypatch, dtype):
    functions = planar[1]
    dynamics = compile_torch(functions.dynamics, dtype)
    inputs = random_inputs(functions, 1003)
    inputs["q"][::7, 3] *= 1e12  # angles for which a whole block of lanes takes another way

    def both():
        values = tensors(inputs, dtype, grad=True)
        outputs = dynamics(**values)
        return list(outputs.values()) + list(
            torch.autograd.grad([value.sum() for value in outputs.values()], list(values.values()))
        )

    torch.set_num_threads(1)
    monkeypatch.setattr(cores, "_pool", None)  # one thread needs no others
    alone = both()
    monkeypatch.undo()
    monkeypatch.setattr(program, "_WORTH_A_THREAD", 1000)
    two_threads()
    for one, two in zip(alone, both(), strict=True):
        assert torch.equal(one, two)


def test_the_first_call_may_come_from_several_threads(two_threads):
    two_threads()
    function = compile_torch(curved_function(), order=2)
    inputs = [draws((200, 2), (3,), seed=seed) for seed in range(8)]

    def derivatives(function, a, b):
        first = torch.autograd.grad(function(a=a, b=b)["f"].sum(), (a, b), create_graph=True)
        return *first, *torch.autograd.grad(first[0].sum(), (a, b))

    with ThreadPoolExecutor(8) as pool:
        at_once = list(pool.map(lambda pair: derivatives(function, *pair), inputs))
    for pair, found in zip(inputs, at_once, strict=True):
        for one, two in zip(found, derivatives(function, *pair), strict=True):
            assert torch.equal(one, two)


_LOADING = """
import torch

class Calls(torch.utils.data.Dataset):
    def __init__(self, function, a, b):
        self.function, self.a, self.b = function, a, b

    def __len__(self):
        return len(self.a)

    def __getitem__(self, k):
        torch.set_num_threads(2)
        a = self.a[k].clone().requires_grad_()
        value = self.function(a=a, b=self.b)["f"]
        (gradient,) = torch.autograd.grad(value.sum(), a)
        return value.detach(), gradient

    def collate(self, items):
        a = self.a.repeat(500, 1)
        whole = self.function(a=a, b=self.b)["f"]
        return torch.stack([v for v, _ in items]), torch.stack([g for _, g in items]), whole[: len(self.a)]

def in_child(function, a, b, queue):
    queue.put(function(a=a, b=b)["f"].tolist())
"""


@pytest.fixture
def loading(tmp_path, monkeypatch):
    """Return a module that processes of their own can import."""
    (tmp_path / "calls_in_workers.py").write_text(_LOADING)
    monkeypatch.syspath_prepend(tmp_path)
    import calls_in_workers

    yield calls_in_workers
    del sys.modules["calls_in_workers"]


@pytest.mark.parametrize(("context", "workers"), [("fork", 2), ("spawn", 1)])
def test_workers_of_a_data_loader(small, loading, two_threads, context, workers):
    two_threads()
    a, b = draws((6, 2), (3,), grad=False)
    small(a=a.repeat(500, 1), b=b)  # the threads of this process are none of a worker's
    calls = loading.Calls(small, a, b)
    loader = torch.utils.data.DataLoader(
        calls, 3, num_workers=workers, multiprocessing_context=context, collate_fn=calls.collate, timeout=100
    )
    batches = list(loader)
    expected = small(a=a, b=b)["f"]
    assert torch.equal(torch.cat([value for value, _, _ in batches]), expected)
    assert torch.equal(
        torch.cat([g for _, g, _ in batches]), torch.stack([b[0] + 0 * a[:, 0], b[1].sin() + 0 * a[:, 1]], 1)
    )
    for _, _, whole in batches:
        assert torch.equal(whole, expected)


def test_a_forked_process_computes(small, loading, two_threads):
    two_threads()
    a, b = draws((5000, 2), (3,), grad=False)
    expected = small(a=a, b=b)["f"].tolist()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=loading.in_child, args=(small, a, b, queue))
    child.start()
    assert queue.get(timeout=60) == expected
    child.join(60)
    assert child.exitcode == 0
    assert small(a=a, b=b)["f"].tolist() == expected  # and this process still does
