"""Long short-term memory: the gates see the memory itself."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sspinn_opensim.training.networks.causal import CausalNetwork, State
from sspinn_opensim.training.networks.head import ReadingHead
from sspinn_opensim.training.networks.lstm_layers import is_supported, lstm_layers


class LstmNetwork(CausalNetwork):
    """LSTM layers and a head. The state is hidden and cell of the first layer, then of the next."""

    def __init__(self, inputs: int, outputs: int, width: int = 96, layers: int = 2, head: int = 128) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(inputs, width, layers, batch_first=True)
        self.head = ReadingHead(width, inputs, outputs, head)

    def start(self, signals: Tensor) -> State:
        """Return zeros."""
        zero = signals.new_zeros(len(signals), self.recurrent.hidden_size)
        return (zero,) * (2 * self.recurrent.num_layers)

    def remember(self, signals: Tensor, state: State, unread: int = 0) -> tuple[Tensor, State]:
        """Return the last layer's hidden states that are read, and the state after the last frame."""
        if is_supported(signals, self.recurrent.hidden_size):
            weights = [
                (to_gates, over_time, b + c) for to_gates, over_time, b, c in self.recurrent.all_weights
            ]
            read, after = lstm_layers(signals.transpose(0, 1), state, weights, unread)
            return read.transpose(0, 1), after
        read, (hidden, cell) = self.recurrent(signals, (torch.stack(state[::2]), torch.stack(state[1::2])))
        return read[:, unread:], tuple(part for layer in zip(hidden, cell, strict=True) for part in layer)

    def remember_one(self, signals: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the last layer's hidden state after a frame, and the state.

        Layer by layer: the library's recurrent layer costs several times as much for a single frame as the
        arithmetic does.
        """
        hidden, after = signals, []
        for layer, weights in enumerate(self.recurrent.all_weights):
            hidden, cell = torch.lstm_cell(hidden, state[2 * layer : 2 * layer + 2], *weights)
            after += [hidden, cell]
        return hidden, tuple(after)
