"""How far the compiled functions are from CasADi in float64, at random and at extreme inputs."""

from __future__ import annotations

import casadi as ca
import numpy as np
import torch

from benchmarks.peers.case import DIFFERENTIATED, Case
from benchmarks.peers.torch_routes import Call

_SAMPLES = 64
_NUMPY = {torch.float64: np.float64, torch.float32: np.float32}


def errors(case: Case, compiled: Call, dtype: torch.dtype) -> dict[str, dict[str, float]]:
    """Return the largest errors of outputs and gradients.

    Parameters
    ----------
    case : Case
    compiled : callable
        The case's function on tensors of `dtype`.
    dtype : torch.dtype

    Returns
    -------
    dict of str to dict of str to float
        Kind of input -> 'forward' and 'forward_backward' -> the largest error of an entry of an output (or
        of the gradient to an input), relative to the largest entry of that output over all samples.
    """
    return {kind: _errors(case, compiled, states, _NUMPY[dtype]) for kind, states in inputs(case).items()}


def inputs(case: Case) -> dict[str, dict[str, np.ndarray]]:
    """Return kinds of inputs, each (samples, n) by name."""
    states, random = case.states(_SAMPLES, seed=1), np.random.default_rng(2)
    wild = {"q": random.uniform(-1e3, 1e3, states["q"].shape)}
    fast = {"u": 1e3 * states["u"], "udot": 1e4 * states["udot"]}
    return {
        "random": states,
        "zeros": {name: np.zeros_like(value[:1]) for name, value in states.items()},
        "|q| up to 1e3": states | wild,
        "u up to 1e4": states | fast,
    }


def _errors(case: Case, compiled: Call, states: dict[str, np.ndarray], kind: type) -> dict[str, float]:
    rounded = {name: value.astype(kind) for name, value in {**states, **case.shared}.items()}
    tensors = {name: torch.tensor(value) for name, value in rounded.items()}
    leaves = [tensors[name].requires_grad_() for name in DIFFERENTIATED]
    outputs = compiled(**tensors)
    weights = [torch.ones_like(output) for output in outputs.values()]
    gradients = torch.autograd.grad([*outputs.values()], leaves, weights)
    given = {name: value.astype(float).T for name, value in rounded.items()}
    ones = {f"d_{name}": np.ones(case.function.numel_out(name)) for name in case.function.name_out()}
    expected = case.function.call(given)
    gradient = np.split(
        _rows(case.gradients.call(given | ones)["gradient"]),
        np.cumsum([leaf.shape[1] for leaf in leaves])[:-1],
        axis=1,
    )
    forward = [(outputs[name].detach(), _rows(value)) for name, value in expected.items()]
    return {
        "forward": max(_error(*pair) for pair in forward),
        "forward_backward": max(_error(*pair) for pair in zip(gradients, gradient, strict=True)),
    }


def _error(found: torch.Tensor, expected: np.ndarray) -> float:
    """Return the largest error relative to the largest entry; of what is zero, the error."""
    size = np.abs(expected).max(initial=0.0)
    return float(np.abs(found.numpy().astype(float) - expected).max(initial=0.0) / (size or 1.0))


def _rows(columns: ca.DM) -> np.ndarray:
    return np.array(columns).T
