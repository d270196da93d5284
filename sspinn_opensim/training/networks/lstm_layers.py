"""LSTM layers on the processor: machine code with a gradient for torch."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from casadi_dynamics.compiled.llvm import machine
from sspinn_opensim.training.networks.cores import shared_in_blocks
from sspinn_opensim.training.networks.lstm_code import GATES, block_of, module_text, vectors_together

#: Columns that torch sums at a time.
_COLUMNS = 64
#: Weights of signals (4 width, inputs), of the memory (4 width, width), and the sum of torch's biases.
Weights = tuple[Tensor, Tensor, Tensor]


def is_supported(signals: Tensor, width: int) -> bool:
    """Return whether there is machine code for signals like these and layers of a width."""
    single = signals.dtype is torch.float32 and signals.device.type == "cpu"
    return single and signals.numel() > 0 and width % _block()[0] == 0


def lstm_layers(
    signals: Tensor, state: Sequence[Tensor], weights: Sequence[Weights], unread: int = 0
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return the hidden states of the last layer, and the state after the last frame.

    Parameters
    ----------
    signals : (frames, batch, inputs) Tensor
        Time first.
    state : sequence of (batch, width) Tensors
        Hidden and cell of the first layer before the first frame, then of the next.
    weights : sequence of tuple of Tensors
        Of each layer; gates in torch's order.
    unread : int
        Frames at the start whose hidden states are not returned.

    Returns
    -------
    hidden : (frames - unread, batch, width) Tensor
    state : tuple of (batch, width) Tensors
    """
    flat = [tensor for layer in weights for tensor in layer]
    hidden, *after = _Layers.apply(unread, signals, *state, *flat)
    return hidden, tuple(after)


@dataclass(frozen=True)
class _Pass:
    """A layer as its forward pass left it, (frames, batch, ...); `hiddens` and `cells` one frame more."""

    signals: Tensor
    hiddens: Tensor
    cells: Tensor
    gates: Tensor
    squashed: Tensor
    to_gates: Tensor
    over_time: Tensor


class _Layers(torch.autograd.Function):
    """All layers and frames in one call, in which a thread has rows of the batch for itself.

    Of the weights' gradients each is one product over all frames.
    """

    @staticmethod
    def forward(ctx: Any, unread: int, signals: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        frames, batch, inputs = signals.shape
        count = len(given) // 5
        state, weights = given[: 2 * count], given[2 * count :]
        width = state[0].shape[-1]
        code = _code(width)
        # Whole vectors only: zeros in both factors change nothing.
        fill = -inputs % code.lanes
        seen = functional.pad(signals, (0, fill)) if fill else signals.contiguous()
        passes, calls = [], []
        for hidden, cell, to_gates, over_time, bias in zip(
            state[::2], state[1::2], weights[::3], weights[1::3], weights[2::3], strict=True
        ):
            hiddens, cells = _after(hidden, frames), _after(cell, frames)
            gates, squashed = (seen.new_empty(frames, batch, size) for size in (GATES * width, width))
            side_by_side = torch.cat([functional.pad(to_gates, (0, fill)), over_time], dim=1)
            arrays = (seen, hiddens, cells, gates, squashed, code.forward_weights(side_by_side), bias)
            calls.append(code.call("forward", arrays, (inputs + fill, frames, batch)))
            passes.append(_Pass(seen, hiddens, cells, gates, squashed, to_gates, over_time))
            seen, inputs, fill = hiddens[1:], width, 0
        shared_in_blocks(_in_turn(calls), batch, code.rows)
        ctx.unread = unread
        ctx.save_for_backward(*(tensor for layer in passes for tensor in vars(layer).values()))
        ctx.set_materialize_grads(False)
        after = [part for layer in passes for part in (layer.hiddens[-1], layer.cells[-1])]
        return passes[-1].hiddens[1 + unread :], *after

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, to_read: Tensor | None, *to_after: Tensor | None) -> tuple[Tensor | None, ...]:
        saved = iter(ctx.saved_tensors)
        passes = [_Pass(*fields) for fields in zip(*[saved] * 7, strict=True)]
        frames, batch, width = passes[0].squashed.shape
        code, wanted = _code(width), ctx.needs_input_grad[1:]
        # The layer below finds the gradient of its hidden states where this one leaves that of its signals.
        founds = [passes[0].gates.new_empty(frames, batch, width) for _ in passes]
        founds[-1].zero_()
        if to_read is not None:
            founds[-1][ctx.unread :] = to_read
        to_cells = [_or_zero(given, founds[0][0]) for given in to_after[1::2]]
        to_gates = [layer.gates.new_empty(frames + 1, batch, GATES * width) for layer in passes]
        calls = []
        for k in range(len(passes) - 1, -1, -1):
            layer, weights = passes[k], [code.backward_weights(passes[k].over_time)]
            to_gates[k][-1] = 0.0
            arrays = [founds[k], layer.gates, layer.cells, layer.squashed, to_cells[k], to_gates[k]]
            if k > 0:
                arrays.append(founds[k - 1])
                weights.append(code.backward_weights(layer.to_gates))
            if (last := to_after[2 * k]) is not None:
                calls.append(_adding(last, founds[k][-1]))
            name = "backward_through" if k > 0 else "backward"
            calls.append(code.call(name, (*arrays, *weights), (frames, batch)))
        shared_in_blocks(_in_turn(calls), batch, code.rows)
        rows = [found[:-1].view(frames * batch, -1) for found in to_gates]
        factors = [(layer.signals, layer.hiddens[:-1]) for layer in passes]
        products = [
            [
                *(code.outer_call(left, right.reshape(frames * batch, -1)) for right in pair),
                _column_sums(left),
            ]
            for left, pair in zip(rows, factors, strict=True)
        ]
        calls = [call for of_layer in products for _, call in of_layer]
        shared_in_blocks(_in_turn(calls), GATES * width, code.rows)
        to_signals = None
        if wanted[0]:
            to_signals = (rows[0] @ passes[0].to_gates).view(frames, batch, -1)
        to_state = [
            part
            for found, layer, cell in zip(to_gates, passes, to_cells, strict=True)
            for part in (found[0] @ layer.over_time, cell)
        ]
        to_weights = [
            part
            for ((of_signals, _), (of_memory, _), (of_bias, _)), layer in zip(products, passes, strict=True)
            for part in (of_signals[:, : layer.to_gates.shape[1]], of_memory, of_bias)
        ]
        return None, to_signals, *to_state, *to_weights


def _after(state: Tensor, frames: int) -> Tensor:
    """Return memory for the states of all frames, with the one before them at its beginning."""
    states = state.new_empty(frames + 1, *state.shape)
    states[0] = state
    return states


def _or_zero(given: Tensor | None, like: Tensor) -> Tensor:
    """Return a copy that may be written to."""
    return torch.zeros_like(like) if given is None else given.clone(memory_format=torch.contiguous_format)


#: Computes rows from the first to the last, exclusive.
_Rows = Callable[[int, int], None]


def _adding(given: Tensor, to: Tensor) -> _Rows:
    def add(first: int, last: int) -> None:
        to[first:last] += given[first:last]

    return add


def _column_sums(of: Tensor) -> tuple[Tensor, _Rows]:
    """Return where the sums of columns will be, and the call for those blocks that begin in a range.

    In which order torch sums a column depends on the columns beside it, so the blocks are always the same.
    """
    sums = of.new_empty(of.shape[1])

    def add(first: int, last: int) -> None:
        for start in range(-(-first // _COLUMNS) * _COLUMNS, last, _COLUMNS):
            block = slice(start, start + _COLUMNS)
            torch.sum(of[:, block], 0, out=sums[block])

    return sums, add


def _in_turn(calls: Sequence[_Rows]) -> _Rows:
    def all_of_them(first: int, last: int) -> None:
        for call in calls:
            call(first, last)

    return all_of_them


@dataclass(frozen=True)
class _Code:
    """Machine code for layers of a width; see `module_text`."""

    width: int
    lanes: int
    rows: int
    _functions: Mapping[str, Callable[..., None]]

    def forward_weights(self, weights: Tensor) -> Tensor:
        """Return weights (4 width, inputs + width) by vectors of the memory, the four gates side by side."""
        parts = weights.view(GATES, -1, self.lanes, weights.shape[-1])
        return parts.permute(1, 3, 0, 2).contiguous()

    def backward_weights(self, weights: Tensor) -> Tensor:
        """Return weights (4 width, width) by the columns that are summed together."""
        together = self.lanes * vectors_together(self.width, self.lanes, self.rows)
        return weights.view(GATES * self.width, -1, together).transpose(0, 1).contiguous()

    def outer_call(self, left: Tensor, right: Tensor) -> tuple[Tensor, _Rows]:
        """Return where the transpose of left (n, 4 width) times right (n, columns) will be, and the call."""
        out = left.new_empty(GATES * self.width, right.shape[-1])
        return out, self.call("outer", (left, right, out), (right.shape[-1], len(left)))

    def call(self, name: str, arrays: Sequence[Tensor], sizes: tuple[int, ...]) -> _Rows:
        """Return a function of the range for contiguous arrays, which it keeps."""
        function, places = self._functions[name], [array.data_ptr() for array in arrays]

        def compute(first: int, last: int, _kept: object = arrays) -> None:
            function(*places, *sizes, first, last)

        return compute


#: Arrays and sizes that the functions of `module_text` take, beside the range.
_TAKES = {"forward": (7, 3), "backward": (7, 2), "backward_through": (9, 2), "outer": (3, 2)}


def _code(width: int) -> _Code:
    return _made(width, *_block())


@cache  # to ask the processor takes a fiftieth of a training step
def _block() -> tuple[int, int]:
    return block_of(machine.has_feature)


@cache
def _made(width: int, lanes: int, rows: int) -> _Code:
    code = machine.cached(module_text(width, lanes, rows), *_TAKES)
    functions = {
        name: code.function(name, None, *[ctypes.c_void_p] * arrays, *[ctypes.c_int64] * (sizes + 2))
        for name, (arrays, sizes) in _TAKES.items()
    }
    return _Code(width, lanes, rows, functions)
