"""The causal network: signals of the past to a motion of now."""

from __future__ import annotations

import torch
from torch import Tensor, nn

State = tuple[Tensor, Tensor]
#: Hidden and cell state (batch, width) of each layer.
FrameState = tuple[State, ...]


class CausalNetwork(nn.Module):
    """Recurrent layers, and a reading head that sees their state and the present signals.

    Parameters
    ----------
    inputs, outputs : int
        Signals and numbers per frame.
    width, layers, head : int
        Sizes of the recurrent layers and of the head.
    """

    def __init__(self, inputs: int, outputs: int, width: int = 96, layers: int = 2, head: int = 128) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(inputs, width, layers, batch_first=True)
        self.head = nn.Sequential(nn.Linear(width + inputs, head), nn.GELU(), nn.Linear(head, outputs))
        # The first estimate is the default posture, moving forward.
        nn.init.zeros_(self.head[-1].bias)
        self.head[-1].weight.data *= 0.1

    def forward(self, signals: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return outputs (batch, frames, outputs) and the state after the last frame.

        Parameters
        ----------
        signals : (batch, frames, inputs) Tensor
        state : tuple of 2 Tensors, optional
            State after the frame before the first; zero by default.
        """
        hidden, state = self.recurrent(signals, state)
        return self.head(torch.cat([hidden, signals], dim=-1)), state

    def step(self, signals: Tensor, state: FrameState | None = None) -> tuple[Tensor, FrameState]:
        """Return outputs (batch, outputs) of one frame and the state after it.

        The same weights and sums as `forward`, layer by layer: the library's recurrent layer costs several
        times as much for a single frame as the arithmetic does.

        Parameters
        ----------
        signals : (batch, inputs) Tensor
        state : tuple of 2 Tensors (batch, width) per layer, optional
            State after the frame before; zero by default.
        """
        if state is None:
            zero = signals.new_zeros(len(signals), self.recurrent.hidden_size)
            state = ((zero, zero),) * self.recurrent.num_layers
        hidden, after = signals, []
        for before, weights in zip(state, self.recurrent.all_weights, strict=True):
            hidden, cell = torch.lstm_cell(hidden, before, *weights)
            after.append((hidden, cell))
        return self.head(torch.cat([hidden, signals], dim=-1)), tuple(after)
