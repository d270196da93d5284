"""One frame of a network at a time, in NumPy: most of what torch spends on so little is not arithmetic.

That counts most where it was not called for a while. Ten milliseconds after the last frame much of what the
processor kept near has gone, and with torch a frame takes four times as long as right after it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import expit, ndtr
from torch import Tensor, nn

from sspinn_opensim.training.networks.state import State

#: What a network remembers after a frame: each part of its `State` as an array (width,), never written to.
Memory = tuple[np.ndarray, ...]
#: Takes what is seen (inputs,) and the memory before, returns what comes of it and the memory after.
Step = Callable[[np.ndarray, Memory], tuple[np.ndarray, Memory]]


def memory_of(state: State) -> Memory:
    """Return the state of a network that sees one recording (a batch of one) as a memory."""
    return tuple(numbers(part[0]) for part in state)


def numbers(tensor: Tensor) -> np.ndarray:
    """Return a tensor as an array of double precision."""
    return tensor.detach().double().numpy()


def linear(layer: nn.Linear) -> Callable[[np.ndarray], np.ndarray]:
    """Return ``weight x + bias``."""
    weight, bias = numbers(layer.weight), numbers(layer.bias)
    return lambda x: weight @ x + bias


def layer_norm(layer: nn.LayerNorm) -> Callable[[np.ndarray], np.ndarray]:
    """Return x with mean 0 and variance 1, scaled and moved."""
    weight, bias, small = numbers(layer.weight), numbers(layer.bias), layer.eps

    def normalised(x: np.ndarray) -> np.ndarray:
        off = x - x.mean()
        return off / np.sqrt(np.mean(off * off) + small) * weight + bias

    return normalised


def lstm_layer(
    to_gates: Tensor, over_time: Tensor, bias: Tensor, more: Tensor
) -> Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return a layer: what it sees, its hidden numbers and its cells, to these two after the frame."""
    weight = np.hstack([numbers(to_gates), numbers(over_time)])
    bias_sum, width = numbers(bias) + numbers(more), over_time.shape[1]

    def step(seen: np.ndarray, hidden: np.ndarray, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gates = weight @ np.concatenate([seen, hidden]) + bias_sum
        take, keep = expit(gates[: 2 * width]).reshape(2, width)
        cell = keep * cell + take * np.tanh(gates[2 * width : 3 * width])
        return expit(gates[3 * width :]) * np.tanh(cell), cell

    return step


def gelu(x: np.ndarray) -> np.ndarray:
    """Return x times the normal distribution of x."""
    return x * ndtr(x)
