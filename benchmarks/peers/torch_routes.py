"""The two routes through torch: this project's compiled functions, and torch code by hand."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.peers.case import Case
from benchmarks.peers.newton_euler import NewtonEuler
from benchmarks.peers.route import DIRECTIONS, DTYPES, FORWARD, UnavailableError, Work, timed
from casadi_dynamics.compiled import compile_torch
from casadi_dynamics.errors import InputError

Call = Callable[..., dict[str, torch.Tensor]]


class TorchRoute(ABC):
    """A function of tensors; the backward direction gives gradients to all that varies over the batch."""

    directions = DIRECTIONS
    dtypes = DTYPES
    #: Most samples in one call.
    block: int | None = None

    def __init__(self, case: Case) -> None:
        self._case = case
        self._calls: dict[torch.dtype, Call] = {}

    def work(self, direction: str, dtype: str, states: dict[str, np.ndarray]) -> Work:
        """Return the evaluation of all states in one call, or of one block of them."""
        call, kind = self.function(getattr(torch, dtype)), getattr(torch, dtype)
        varying = {n: torch.tensor(value[: self.block], dtype=kind) for n, value in states.items()}
        shared = {name: torch.tensor(value, dtype=kind) for name, value in self._case.shared.items()}
        batch = len(varying["q"])
        if direction == FORWARD:
            return timed(lambda: call(**varying, **shared), batch)
        leaves = [tensor.requires_grad_() for tensor in varying.values()]
        weights = [torch.ones_like(output) for output in call(**varying, **shared).values()]

        def forward_backward():
            outputs = call(**varying, **shared)
            return torch.autograd.grad([*outputs.values()], leaves, weights)

        return timed(forward_backward, batch)

    def forces(self, states: dict[str, np.ndarray]) -> np.ndarray:
        """Return tau (batch, n) without contact forces."""
        inputs = {name: torch.tensor(value) for name, value in {**states, **self._case.shared}.items()}
        inputs["contact_force"] = torch.zeros_like(inputs["contact_force"])
        return self.function(torch.float64)(**inputs)["tau"].numpy()

    def close(self) -> None:
        """Forget the functions."""
        self._calls.clear()

    def function(self, dtype: torch.dtype) -> Call:
        """Return the function of named tensors, made once for each number type."""
        if dtype not in self._calls:
            self._calls[dtype] = self._make(dtype)
        return self._calls[dtype]

    @abstractmethod
    def _make(self, dtype: torch.dtype) -> Call:
        """Return the function of named tensors of a number type."""


class Compiled(TorchRoute):
    """The route of this project: the CasADi function as machine code."""

    def _make(self, dtype: torch.dtype) -> Call:
        return compile_torch(self._case.function, dtype)


class ByHand(TorchRoute):
    """Newton-Euler written in torch.

    It keeps some thousand intermediate results of the whole batch for its gradients, so a large batch is
    taken in blocks, and one block is measured.
    """

    block = 8192

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self.function(torch.float64)  # says at once whether it knows the model

    def _make(self, dtype: torch.dtype) -> Call:
        try:
            dynamics = NewtonEuler(self._case.model, dtype)
        except InputError as error:
            raise UnavailableError(error.what) from None
        # The numbers of the model are part of the code by hand, not an input.
        return lambda parameters, **inputs: dynamics(**inputs)
