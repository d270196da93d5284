"""Base of all networks: a memory of the past, and a head that reads it."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor, nn

from sspinn_opensim.training.networks.head import ReadingHead
from sspinn_opensim.training.networks.one_frame import Memory, Step
from sspinn_opensim.training.networks.state import State


class CausalNetwork(nn.Module, ABC):
    """A memory of past signals, and a reading head that sees it and the present signals.

    Attributes
    ----------
    head : ReadingHead
        That a network makes.
    """

    head: ReadingHead

    def forward(self, signals: Tensor, state: State | None = None, unread: int = 0) -> tuple[Tensor, State]:
        """Return outputs (batch, frames - unread, outputs) and the state after the last frame.

        Parameters
        ----------
        signals : (batch, frames, inputs) Tensor
        state : tuple of Tensors, optional
            State after the frame before the first; zero by default.
        unread : int
            Frames at the start that only lead up to what counts: the head is left out.
        """
        state = self.start(signals) if state is None else state
        read, state = self.remember(signals, state, unread)
        return self.head(torch.cat([read, signals[:, unread:]], dim=-1)), state

    def one_frame(self) -> Step:
        """Return a function of one frame after the other, with the weights as they are now.

        The same weights and sums as `forward`, in double precision. It takes what is seen (inputs,) and the
        memory before the frame, `one_frame.memory_of` a state, and returns outputs (outputs,) and the memory
        after it.
        """
        remember, read = self.remember_one(), self.head.one_frame()

        def step(seen: np.ndarray, memory: Memory) -> tuple[np.ndarray, Memory]:
            found, memory = remember(seen, memory)
            return read(np.concatenate([found, seen])), memory

        return step

    def settle(self, signals: Tensor) -> State:
        """Return the state after signals that only lead up to what counts: the head is left out.

        Parameters
        ----------
        signals : (batch, frames, inputs) Tensor
            May have no frame at all.
        """
        state = self.start(signals)
        if not signals.shape[1]:
            return state
        return self.remember(signals, state)[1]

    @abstractmethod
    def start(self, signals: Tensor) -> State:
        """Return the state before the first of these signals (batch, ..., inputs)."""

    @abstractmethod
    def remember(self, signals: Tensor, state: State, unread: int = 0) -> tuple[Tensor, State]:
        """Return what the head reads, (batch, frames - unread, memory), and the state after the last."""

    @abstractmethod
    def remember_one(self) -> Step:
        """Return a function of one frame: to what the head reads, (memory,), and the memory after."""
