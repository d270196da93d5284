"""Gated linear recurrence: how much is kept depends on the signals alone, so frames need not wait.

After minGRU (Feng et al. 2024, arXiv:2410.01201) and RG-LRU (De et al. 2024, arXiv:2402.19427): as the gates
do not see the memory, the matrix products of all frames are one, and over time there is only a weighted sum.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.special import expit
from torch import Tensor, nn
from torch.nn import functional

from sspinn_opensim.training.networks.causal import CausalNetwork
from sspinn_opensim.training.networks.head import ReadingHead
from sspinn_opensim.training.networks.one_frame import Memory, Step, layer_norm, linear
from sspinn_opensim.training.networks.recurrence import linear_recurrence
from sspinn_opensim.training.networks.state import State

#: Time constants of the memories before training, frames: from the next sample to more than a stride.
SHORTEST, LONGEST = 2.0, 200.0


class GatedBlock(nn.Module):
    """``x + out(h * silu(gate))`` with ``h = keep h + (1 - keep) new``; keep, new, gate are linear in x."""

    def __init__(self, width: int, memory: int) -> None:
        super().__init__()
        self.memory = memory
        self.norm = nn.LayerNorm(width)
        self.into = nn.Linear(width, 3 * memory)
        self.out = nn.Linear(memory, width)
        with torch.no_grad():
            frames = torch.logspace(0, 1, memory, LONGEST / SHORTEST) * SHORTEST
            # keep = sigmoid(bias) = exp(-1 / frames)
            self.into.bias[:memory] = -torch.expm1(1 / frames).log()

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return the frames (frames, batch, width) seen with their past, and the state after the last."""
        keep, new, gate = self._gates(x)
        states = linear_recurrence(keep, new, state)
        return x + self.out(states * gate), states[-1]

    def one_frame(self) -> Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
        """Return a function of one frame (width,) and its state, to both after it."""
        norm, into, out, size = layer_norm(self.norm), linear(self.into), linear(self.out), self.memory

        def step(x: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            keep, new, gate = into(norm(x)).reshape(3, size)
            keep = expit(keep)
            state = (1 - keep) * new + keep * state
            return x + out(state * gate * expit(gate)), state

        return step

    def _gates(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        keep, new, gate = self.into(self.norm(x)).chunk(3, dim=-1)
        keep = keep.sigmoid()
        return keep, (1 - keep) * new, functional.silu(gate)


class GatedNetwork(CausalNetwork):
    """Gated blocks and a head. The state is the memory of each block."""

    def __init__(
        self, inputs: int, outputs: int, width: int = 96, memory: int = 128, blocks: int = 2, head: int = 128
    ) -> None:
        super().__init__()
        self.into = nn.Linear(inputs, width)
        self._in_order = [GatedBlock(width, memory) for _ in range(blocks)]
        self.blocks = nn.ModuleList(self._in_order)
        self.norm = nn.LayerNorm(width)
        self.head = ReadingHead(width, inputs, outputs, head)

    def start(self, signals: Tensor) -> State:
        """Return zeros."""
        return tuple(signals.new_zeros(len(signals), block.memory) for block in self._in_order)

    def remember(self, signals: Tensor, state: State, unread: int = 0) -> tuple[Tensor, State]:
        """Return the last block's answer for every frame that is read, and the state after the last."""
        # Time first: what belongs to a frame lies together.
        x, after = self.into(signals.transpose(0, 1)), []
        for block, before in zip(self._in_order, state, strict=True):
            x, last = block(x, before)
            after.append(last)
        return self.norm(x[unread:]).transpose(0, 1), tuple(after)

    def remember_one(self) -> Step:
        """Return a function of one frame: to the last block's answer, and the memory after."""
        into, norm = linear(self.into), layer_norm(self.norm)
        blocks = [block.one_frame() for block in self._in_order]

        def remember(seen: np.ndarray, memory: Memory) -> tuple[np.ndarray, Memory]:
            x, after = into(seen), []
            for block, before in zip(blocks, memory, strict=True):
                x, last = block(x, before)
                after.append(last)
            return norm(x), tuple(after)

        return remember
