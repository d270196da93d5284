"""An LSTM layer on the processor: machine code with a gradient for torch."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from casadi_dynamics.compiled.llvm import machine
from casadi_dynamics.compiled.program import in_ranges
from casadi_dynamics.disk_cache import loaded
from sspinn_opensim.training.networks.lstm_code import GATES, block_of, module_text, vectors_together

#: Threads that share a layer; as many as torch has, where nothing else is said.
_threads: ContextVar[int | None] = ContextVar("threads of an LSTM layer", default=None)


@contextmanager
def shared_by(threads: int) -> Iterator[None]:
    """Let so many threads share the work of a layer, whatever torch's own operations do."""
    before = _threads.set(threads)
    try:
        yield
    finally:
        _threads.reset(before)


def is_supported(signals: Tensor, width: int) -> bool:
    """Return whether there is machine code for signals like these and a layer of a width."""
    single = signals.dtype is torch.float32 and signals.device.type == "cpu"
    return single and signals.numel() > 0 and width % _block()[0] == 0


def lstm_layer(
    signals: Tensor, hidden: Tensor, cell: Tensor, to_gates: Tensor, over_time: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the hidden states (frames, batch, width) and the last cell (batch, width) of an LSTM layer.

    Parameters
    ----------
    signals : (frames, batch, inputs) Tensor
        Time first.
    hidden, cell : (batch, width) Tensors
        State before the first frame.
    to_gates, over_time : (4 width, inputs) and (4 width, width) Tensors
        Weights of signals and of the memory, gates in torch's order.
    bias : (4 width,) Tensor
        Sum of both biases of torch's layer.
    """
    return _Layer.apply(signals, hidden, cell, to_gates, over_time, bias)


class _Layer(torch.autograd.Function):
    """All frames at once, and of the weights' gradients one product over all frames."""

    @staticmethod
    def forward(
        ctx, signals: Tensor, hidden: Tensor, cell: Tensor, to_gates: Tensor, over_time: Tensor, bias
    ):
        frames, batch, inputs = signals.shape
        width = hidden.shape[-1]
        code = _code(width)
        # Whole vectors only: zeros in both factors change nothing.
        fill = -inputs % code.lanes
        signals = functional.pad(signals, (0, fill)) if fill else signals.contiguous()
        weights = code.forward_weights(torch.cat([functional.pad(to_gates, (0, fill)), over_time], dim=1))
        hiddens, cells = (_after(state, frames) for state in (hidden, cell))
        gates = signals.new_empty(frames, batch, GATES * width)
        squashed = signals.new_empty(frames, batch, width)
        arrays = (signals, hiddens, cells, gates, squashed, weights, bias)
        code.run("forward", arrays, (inputs + fill, frames, batch), batch)
        ctx.save_for_backward(signals, gates, hiddens, cells, squashed, to_gates, over_time)
        return hiddens[1:], cells[-1]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, to_hiddens: Tensor, to_cell: Tensor):
        signals, gates, hiddens, cells, squashed, to_gates, over_time = ctx.saved_tensors
        (frames, batch, width), inputs = squashed.shape, to_gates.shape[-1]
        code, wanted = _code(width), ctx.needs_input_grad
        to_cell = to_cell.clone(memory_format=torch.contiguous_format)
        found = signals.new_empty(frames + 1, batch, GATES * width)
        found[-1] = 0.0
        arrays = (to_hiddens.contiguous(), gates, cells, squashed, to_cell, found)
        code.run("backward", (*arrays, code.backward_weights(over_time)), (frames, batch), batch)
        rows = found[:-1].view(frames * batch, -1)
        return (
            code.product(rows, to_gates).view(frames, batch, inputs) if wanted[0] else None,
            found[0] @ over_time if wanted[1] else None,
            to_cell if wanted[2] else None,
            code.outer(rows, signals.view(frames * batch, -1))[:, :inputs] if wanted[3] else None,
            code.outer(rows, hiddens[:-1].view(frames * batch, width)) if wanted[4] else None,
            rows.sum(0) if wanted[5] else None,
        )


def _after(state: Tensor, frames: int) -> Tensor:
    """Return memory for the states of all frames, with the one before them at its beginning."""
    states = state.new_empty(frames + 1, *state.shape)
    states[0] = state
    return states


@dataclass(frozen=True)
class _Code:
    """Machine code for layers of a width; see `module_text`."""

    width: int
    lanes: int
    rows: int
    _functions: Mapping[str, Callable[..., None]]
    _keep_alive: object

    def forward_weights(self, weights: Tensor) -> Tensor:
        """Return weights (4 width, inputs + width) by vectors of the memory, the four gates side by side."""
        parts = weights.view(GATES, -1, self.lanes, weights.shape[-1])
        return parts.permute(1, 3, 0, 2).contiguous()

    def backward_weights(self, weights: Tensor) -> Tensor:
        """Return weights (4 width, width) by the columns that are summed together."""
        together = self.lanes * vectors_together(self.width, self.lanes, self.rows)
        return weights.view(GATES * self.width, -1, together).transpose(0, 1).contiguous()

    def product(self, left: Tensor, weights: Tensor) -> Tensor:
        """Return left (n, 4 width) times weights (4 width, m)."""
        if weights.shape[-1] != self.width:
            return left @ weights
        out = left.new_empty(len(left), self.width)
        self.run("product", (left, self.backward_weights(weights), out), (), len(left))
        return out

    def outer(self, left: Tensor, right: Tensor) -> Tensor:
        """Return the transpose of left (n, 4 width) times right (n, columns)."""
        columns = right.shape[-1]
        out = left.new_empty(GATES * self.width, columns)
        self.run("outer", (left, right, out), (columns, len(left)), GATES * self.width)
        return out

    def run(self, name: str, arrays: tuple[Tensor, ...], sizes: tuple[int, ...], count: int) -> None:
        """Call a function for the whole of its range, which threads share."""
        function, places = self._functions[name], [array.data_ptr() for array in arrays]
        threads = min(_threads.get() or torch.get_num_threads(), -(-count // self.rows))
        if threads < 2:
            function(*places, *sizes, 0, count)
            return
        size = -(-count // (threads * self.rows)) * self.rows
        in_ranges(lambda first, last: function(*places, *sizes, first, last), count, size, threads)


#: Arrays and sizes that the functions of `module_text` take, beside the range.
_TAKES = {"forward": (7, 3), "backward": (7, 2), "product": (3, 0), "outer": (3, 2)}


def _code(width: int) -> _Code:
    return _made(width, *_block())


def _block() -> tuple[int, int]:
    return block_of(machine.has_feature)


@cache
def _made(width: int, lanes: int, rows: int) -> _Code:
    text = module_text(width, lanes, rows)
    key = "\n".join((text, *machine.surroundings()))
    found = loaded(key, lambda: machine.compiled(text), lambda code: machine.linked(code, *_TAKES))
    functions = {
        name: ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * arrays, *[ctypes.c_int64] * (sizes + 2))(
            found.address[name]
        )
        for name, (arrays, sizes) in _TAKES.items()
    }
    return _Code(width, lanes, rows, functions, found)
