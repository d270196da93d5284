"""Whole functions against CasADi in double precision: dynamics and its gradients, at all sorts of inputs."""

import casadi as ca
import numpy as np
import pytest
import torch

from casadi_dynamics.compiled import compile_torch
from casadi_dynamics.compiled.tape import vector_jacobian

SAMPLES = 21
#: Largest sizes of inputs; those that are not listed are 0.
EVERYDAY = {"q": 1.0, "u": 3.0, "udot": 20.0, "contact_force": 300.0, "sensor_position": 0.1}
EXTREMES = {
    "everyday": EVERYDAY,
    "many turns": EVERYDAY | {"q": 1e3},
    "fast": EVERYDAY | {"u": 1e4, "udot": 1e5, "contact_force": 1e5, "sensor_position": 10.0},
    "nothing": {},
}
LIMITS = {torch.float64: 1e-14, torch.float32: 1e-5}
DTYPES = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])


@pytest.fixture(scope="module", params=["planar", "Rajagopal2016"])
def functions(request):
    """Return the dynamics of a model, CasADi's gradients of it, and the model's parameters."""
    if request.param == "planar":
        _, functions, _ = request.getfixturevalue("planar")
    else:
        folder, with_answers = map(request.getfixturevalue, ("public_models", "with_answers"))
        _, functions, _ = with_answers(folder, "Rajagopal2016.osim", "Rajagopal2016.npz")
    dynamics = functions.dynamics
    return dynamics, vector_jacobian(dynamics, (*range(dynamics.n_in()),)), functions.parameters


@pytest.fixture(scope="module")
def compiled(functions):
    return {dtype: compile_torch(functions[0], dtype) for dtype in LIMITS}


def drawn(dynamics, parameters, sizes, dtype):
    random = np.random.default_rng(7)
    inputs = {
        name: sizes.get(name, 0.0) * random.uniform(-1, 1, (SAMPLES, dynamics.numel_in(name)))
        for name in dynamics.name_in()
    }
    inputs["parameters"] = np.tile(parameters, (SAMPLES, 1))
    return {name: torch.tensor(value, dtype=dtype, requires_grad=True) for name, value in inputs.items()}


def by_casadi(function: ca.Function, tensors):
    columns = {name: tensor.detach().double().numpy().T for name, tensor in tensors.items()}
    return {name: np.array(value).T for name, value in function.map(SAMPLES).call(columns).items()}


def largest_error(found, expected):
    """Return the largest difference relative to the largest number."""
    error = np.abs(found.detach().double().numpy() - expected).max(initial=0.0)
    return error / (np.abs(expected).max(initial=0.0) or 1.0)


@DTYPES
@pytest.mark.parametrize("extreme", EXTREMES)
def test_dynamics_and_gradients_are_right_to_rounding(functions, compiled, extreme, dtype):
    dynamics, gradients, parameters = functions
    limit = LIMITS[dtype]
    if (extreme, dtype) == ("many turns", torch.float32):
        # The sum of two angles or places of size 1e3 is rounded to 6e-5, whatever computes it.
        limit = 1e-4
    inputs = drawn(dynamics, parameters, EXTREMES[extreme], dtype)
    outputs = compiled[dtype](**inputs)
    for output, expected in by_casadi(dynamics, inputs).items():
        assert largest_error(outputs[output], expected) < limit, output
    random = torch.Generator().manual_seed(3)
    cotangents = {
        f"d_{output}": torch.randn(value.shape, dtype=dtype, generator=random)
        for output, value in outputs.items()
    }
    found = torch.autograd.grad(list(outputs.values()), list(inputs.values()), list(cotangents.values()))
    expected = by_casadi(gradients, {**inputs, **cotangents})
    for input, gradient in zip(inputs, found, strict=True):
        assert largest_error(gradient, expected[f"grad_{input}"]) < limit, input
