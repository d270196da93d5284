"""The causal network: signals of the past to a motion of now."""

from __future__ import annotations

import torch
from torch import Tensor, nn

State = tuple[Tensor, Tensor]


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
