"""A reading head: from what is remembered and the present signals to the outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sspinn_opensim.training.networks.cores import shared_in_ranges
from sspinn_opensim.training.networks.one_frame import gelu, linear

#: Rows that are multiplied at a time: a product of few takes longer a row, what lies between the layers of
#: many leaves the cache.
_FEWEST_ROWS, _MOST_ROWS = 256, 1024
#: Cores that the rows are cut for, where there are enough of them.
_CORES = 4
#: Columns of the first weights whose gradients are summed at a time.
_COLUMNS = 64


class ReadingHead(nn.Sequential):
    """Two linear layers with a GELU between them; cores share many rows.

    Parameters
    ----------
    memory, inputs, outputs : int
        Numbers that are remembered, seen and returned.
    width : int
        Of the layer between.
    """

    def __init__(self, memory: int, inputs: int, outputs: int, width: int) -> None:
        first, last = nn.Linear(memory + inputs, width), nn.Linear(width, outputs)
        super().__init__(first, nn.GELU(), last)
        self.outputs = outputs
        # The first estimate is the default posture, moving forward.
        nn.init.zeros_(last.bias)
        last.weight.data *= 0.1

    def forward(self, seen: Tensor) -> Tensor:
        """Return outputs (..., outputs) of what is seen (..., memory + inputs)."""
        if not seen.is_cpu or seen.shape[:-1].numel() <= _FEWEST_ROWS:
            return super().forward(seen)
        first, _, last = self
        rows = seen.reshape(-1, seen.shape[-1])
        found = _Shared.apply(rows, first.weight, first.bias, last.weight, last.bias)
        return found.view(*seen.shape[:-1], -1)

    def one_frame(self) -> Callable[[np.ndarray], np.ndarray]:
        """Return the same of what is seen in one frame, in NumPy."""
        first, last = (linear(layer) for layer in self if isinstance(layer, nn.Linear))
        return lambda seen: last(gelu(first(seen)))


class _Shared(torch.autograd.Function):
    """The same sums, rows in ranges."""

    @staticmethod
    def forward(
        ctx: Any, seen: Tensor, to_hidden: Tensor, hidden_bias: Tensor, to_output: Tensor, output_bias: Tensor
    ) -> Tensor:
        before, after = (seen.new_empty(len(seen), len(to_hidden)) for _ in range(2))
        out = seen.new_empty(len(seen), len(to_output))

        def compute(first: int, last: int) -> None:
            rows = slice(first, last)
            torch.addmm(hidden_bias, seen[rows], to_hidden.t(), out=before[rows])
            torch.ops.aten.gelu.out(before[rows], out=after[rows])
            torch.addmm(output_bias, after[rows], to_output.t(), out=out[rows])

        shared_in_ranges(compute, len(seen), _rows_at_a_time(len(seen)))
        ctx.save_for_backward(seen, before, after, to_hidden, to_output)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, found: Tensor) -> tuple[Tensor, ...]:
        seen, before, after, to_hidden, to_output = ctx.saved_tensors
        found = found.contiguous()
        to_seen, to_before = torch.empty_like(seen), torch.empty_like(before)
        weights, more = torch.empty_like(to_hidden), torch.empty_like(to_output)

        def of_rows(first: int, last: int) -> None:
            rows = slice(first, last)
            torch.mm(found[rows], to_output, out=to_before[rows])
            torch.ops.aten.gelu_backward.grad_input(to_before[rows], before[rows], grad_input=to_before[rows])
            torch.mm(to_before[rows], to_hidden, out=to_seen[rows])

        def of_weights(first: int, last: int) -> None:
            if first == 0:
                torch.mm(found.t(), after, out=more)
            columns = slice(first, last)
            torch.mm(to_before[:, columns].t(), seen, out=weights[columns])

        shared_in_ranges(of_rows, len(seen), _rows_at_a_time(len(seen)))
        shared_in_ranges(of_weights, len(weights), _COLUMNS)
        return to_seen, weights, to_before.sum(0), more, found.sum(0)


def _rows_at_a_time(rows: int) -> int:
    return min(max(-(-rows // _CORES), _FEWEST_ROWS), _MOST_ROWS)
