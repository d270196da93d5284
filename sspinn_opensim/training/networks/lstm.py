"""Long short-term memory: the gates see the memory itself."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from sspinn_opensim.training.networks.causal import CausalNetwork
from sspinn_opensim.training.networks.head import ReadingHead
from sspinn_opensim.training.networks.lstm_layers import is_supported, lstm_layers
from sspinn_opensim.training.networks.one_frame import Memory, Step, lstm_layer
from sspinn_opensim.training.networks.state import State


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

    def remember_one(self) -> Step:
        """Return a function of one frame: to the last layer's hidden state, and the memory after."""
        layers = [lstm_layer(*weights) for weights in self.recurrent.all_weights]

        def remember(seen: np.ndarray, memory: Memory) -> tuple[np.ndarray, Memory]:
            after: list[np.ndarray] = []
            for k, layer in enumerate(layers):
                seen, cell = layer(seen, *memory[2 * k : 2 * k + 2])
                after += [seen, cell]
            return seen, tuple(after)

        return remember
