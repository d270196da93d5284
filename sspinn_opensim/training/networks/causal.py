"""Base of all networks: a memory of the past, and a head that reads it."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

#: Memory after a frame, (batch, width) each; how many and what for is the network's own business.
State = tuple[Tensor, ...]


class CausalNetwork(nn.Module, ABC):
    """A memory of past signals, and a reading head that sees it and the present signals.

    Attributes
    ----------
    head : Module
        `ReadingHead`, which a network makes.
    """

    head: nn.Module

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

    def step(self, signals: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return outputs (batch, outputs) of one frame and the state after it.

        The same weights and sums as `forward`.
        """
        state = self.start(signals) if state is None else state
        read, state = self.remember_one(signals, state)
        return self.head(torch.cat([read, signals], dim=-1)), state

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
    def remember_one(self, signals: Tensor, state: State) -> tuple[Tensor, State]:
        """Return what the head reads, (batch, memory), and the state after the frame."""
