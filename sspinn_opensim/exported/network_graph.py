"""A step of each kind of network as nodes of an ONNX graph, in double precision."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.polynomial import hermite_e
from scipy.special import factorial, ndtr
from torch import Tensor, nn

from casadi_dynamics.compiled.onnx_graph import OnnxGraph
from sspinn_opensim.training.networks import CausalNetwork, GatedNetwork, LstmNetwork
from sspinn_opensim.training.networks.gated import GatedBlock

#: The normal distribution is a table with so many rows to one, up to a size where it is 0 or 1, and in each
#: row the terms of a series: what these leave out is below 1e-17.
_ROWS_PER_UNIT, _LARGEST, _TERMS = 32, 9, 8


def memory_size(network: CausalNetwork) -> int:
    """Return how many numbers a network remembers from frame to frame."""
    return sum(part.shape[-1] for part in network.start(_weight(network).new_zeros(1, 1)))


def network_step(graph: OnnxGraph, network: CausalNetwork, signals: str, memory: str) -> tuple[str, str]:
    """Write a step of a network.

    Parameters
    ----------
    signals : str
        Vector of what the network sees.
    memory : str
        Vector of what it remembers, part after part as in `CausalNetwork.one_frame`; zeros at the start.

    Returns
    -------
    tuple of 2 str
        Vectors of its outputs, and of what it remembers then.
    """
    steps: dict[type, Callable[..., tuple[str, str]]] = {LstmNetwork: _lstm, GatedNetwork: _gated}
    read, after = steps[type(network)](graph, network, signals, memory)
    first, _, last = (part for part in network.head.children())
    hidden = _gelu(graph, _linear(graph, first, graph.joined([read, signals])))
    return _linear(graph, last, hidden), after


def _lstm(graph: OnnxGraph, network: LstmNetwork, signals: str, memory: str) -> tuple[str, str]:
    width, layers = network.recurrent.hidden_size, network.recurrent.num_layers
    states, after, seen = graph.split(memory, [width] * (2 * layers)), [], signals
    for layer, (to_gates, over_time, bias, more) in enumerate(network.recurrent.all_weights):
        hidden, cell = states[2 * layer : 2 * layer + 2]
        weights = np.hstack([_numbers(to_gates), _numbers(over_time)])
        gates = _product(graph, weights, _numbers(bias) + _numbers(more), graph.joined([seen, hidden]))
        both, new, out = graph.split(gates, [2 * width, width, width])
        take, keep = graph.split(graph.node("Sigmoid", both), [width, width])
        kept = graph.node("Mul", keep, cell)
        cell = graph.node("Add", kept, graph.node("Mul", take, graph.node("Tanh", new)))
        seen = graph.node("Mul", graph.node("Sigmoid", out), graph.node("Tanh", cell))
        after += [seen, cell]
    return seen, graph.joined(after)


def _gated(graph: OnnxGraph, network: GatedNetwork, signals: str, memory: str) -> tuple[str, str]:
    blocks = [block for block in network.blocks if isinstance(block, GatedBlock)]
    states = graph.split(memory, [block.memory for block in blocks])
    x, after = _linear(graph, network.into, signals), []
    for block, before in zip(blocks, states, strict=True):
        parts = _linear(graph, block.into, _normalised(graph, block.norm, x))
        keep, new, gate = graph.split(parts, [block.memory] * 3)
        keep = graph.node("Sigmoid", keep)
        added = graph.node("Mul", graph.node("Sub", graph.constant(1.0), keep), new)
        state = graph.node("Add", added, graph.node("Mul", keep, before))
        opened = graph.node("Mul", gate, graph.node("Sigmoid", gate))
        x = graph.node("Add", x, _linear(graph, block.out, graph.node("Mul", state, opened)))
        after.append(state)
    return _normalised(graph, network.norm, x), graph.joined(after)


def _normalised(graph: OnnxGraph, norm: nn.LayerNorm, x: str) -> str:
    off = graph.node("Sub", x, graph.node("ReduceMean", x, keepdims=1))
    variance = graph.node("ReduceMean", graph.node("Mul", off, off), keepdims=1)
    scale = graph.node("Sqrt", graph.node("Add", variance, graph.constant(norm.eps)))
    scaled = graph.node("Mul", graph.node("Div", off, scale), graph.constant(_numbers(norm.weight)))
    return graph.node("Add", scaled, graph.constant(_numbers(norm.bias)))


def _gelu(graph: OnnxGraph, x: str) -> str:
    """Write x times the normal distribution of x, which onnxruntime has in single precision alone."""
    bounded = graph.node("Clip", x, graph.constant(-float(_LARGEST)), graph.constant(float(_LARGEST)))
    place = graph.node("Mul", bounded, graph.constant(float(_ROWS_PER_UNIT)))
    row = graph.node("Round", place)
    rest = graph.node("Div", graph.node("Sub", place, row), graph.constant(float(_ROWS_PER_UNIT)))
    shifted = graph.node("Add", row, graph.constant(float(_ROWS_PER_UNIT * _LARGEST)))
    number = graph.node("Cast", shifted, to=graph.int64)
    terms = graph.node("Gather", graph.constant(_normal_table()), number, axis=0)
    column = graph.node("Unsqueeze", rest, graph.constant([1], np.int64))
    powers = graph.node("Pow", column, graph.constant(np.arange(_TERMS)[None]))
    sums = graph.node(
        "ReduceSum", graph.node("Mul", terms, powers), graph.constant([1], np.int64), keepdims=0
    )
    return graph.node("Mul", x, sums)


@cache
def _normal_table() -> np.ndarray:
    """Return Taylor's coefficients of the normal distribution about each row.

    Its derivatives are those of the density: Hermite polynomials with changing signs (Abramowitz and Stegun,
    "Handbook of Mathematical Functions", 26.2.31).
    """
    count = _ROWS_PER_UNIT * _LARGEST
    x = np.arange(-count, count + 1) / _ROWS_PER_UNIT
    density = np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi)
    columns = [ndtr(x)]
    for k in range(1, _TERMS):
        polynomial = hermite_e.hermeval(x, np.eye(_TERMS)[k - 1])
        columns.append((-1.0) ** (k - 1) * density * polynomial / factorial(k))
    return np.stack(columns, axis=1)


def _linear(graph: OnnxGraph, layer: nn.Module, x: str) -> str:
    assert isinstance(layer, nn.Linear)
    return _product(graph, _numbers(layer.weight), _numbers(layer.bias), x)


def _product(graph: OnnxGraph, weights: np.ndarray, bias: np.ndarray, x: str) -> str:
    return graph.node("Add", graph.node("MatMul", x, graph.constant(weights.T)), graph.constant(bias))


def _numbers(tensor: Tensor) -> np.ndarray:
    return tensor.detach().double().numpy()


def _weight(network: CausalNetwork) -> Tensor:
    return next(iter(network.parameters()))
