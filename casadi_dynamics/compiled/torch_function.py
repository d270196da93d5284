"""A CasADi function as a batched torch function with gradients."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import casadi as ca
import numpy as np
import torch

from casadi_dynamics.compiled.backends import check_backend
from casadi_dynamics.compiled.kernel import SCALARS, Kernel
from casadi_dynamics.compiled.source import Source
from casadi_dynamics.errors import InputError, nearest


def compile_torch(
    function: ca.Function, dtype: torch.dtype = torch.float64, *, order: int = 1, backend: str = "llvm"
) -> TorchFunction:
    """Compile a CasADi function of vectors into a torch function.

    Parameters
    ----------
    function : casadi.Function
        An SX function whose inputs and outputs are dense columns.
    dtype : torch.dtype
        float64 or float32.
    order : int
        How often results can be differentiated.
    backend : str
        'llvm' for machine code, kept on disk; 'numpy' for the same operations one array at a time: slow, and
        what the tests hold machine code against.

    Raises
    ------
    InputError
        If the function, the number type, the order or the backend is of another kind.
    """
    return TorchFunction(function, dtype, order, backend)


class TorchFunction:
    """A batched, differentiable torch function; machine code is made when it is first needed.

    Notes
    -----
    Call it with one tensor of shape (..., n) per named input. Leading shapes are broadcast; inputs of shape
    (n,) are shared by the whole batch and cost nothing per sample. The result is a dict of tensors (..., m)
    by output name. Gradients are exact: CasADi's vector-Jacobian product, compiled like the function itself;
    it can be differentiated in turn where `order` is 2. Large batches are shared among as many threads as
    `torch.get_num_threads()` allows. Calls from several threads are safe and run at the same time.
    `torch.func` transforms (`grad`, `vjp`, `jacrev`, `vmap`) apply.
    """

    def __init__(self, function: ca.Function, dtype: torch.dtype, order: int, backend: str) -> None:
        if dtype not in SCALARS:
            raise InputError(
                "The number type is not supported.",
                expected="torch.float64 or torch.float32",
                found=str(dtype),
                fix="choose one of these",
            )
        if not isinstance(order, int) or order < 0:
            raise InputError(
                "The order of differentiation is not a whole number.",
                where="argument 'order'",
                expected="0, 1 or 2",
                found=str(order),
                fix="1 is enough to train; 2 gives Hessians",
            )
        source = Source(function)
        check_backend(backend)
        self.dtype = dtype
        self.input_names = tuple(function.name_in())
        self.output_names = tuple(function.name_out())
        self.output_sizes, self._input_sizes = source.output_sizes, source.input_sizes
        self._made_from = {"dtype": dtype, "order": order, "backend": backend}
        self._function = function
        self._kernel = Kernel(source, dtype, order, backend)

    def __call__(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Evaluate the function; see the class."""
        tensors = self._checked(inputs)
        batches = {tensor.shape[:-1] for tensor in tensors if tensor.dim() > 1}
        if not batches:
            outputs = [output[0] for output in self._kernel(1, tensors)]
        elif len(batches) == 1 and len(batch := batches.pop()) == 1:
            outputs = self._kernel(batch[0], tensors)
        else:
            outputs = self._broadcast(tensors)
        return dict(zip(self.output_names, outputs, strict=True))

    def __getstate__(self) -> dict:
        """Leave machine code behind: it is made again where the function arrives."""
        return {"function": self._function.serialize(), **self._made_from}

    def __setstate__(self, state: dict) -> None:
        """Rebuild from `__getstate__`."""
        self.__init__(**{**state, "function": ca.Function.deserialize(state["function"])})

    def _broadcast(self, tensors: list[torch.Tensor]) -> list[torch.Tensor]:
        batch = self._batch(tensors)
        samples = batch.numel()
        flat = [t if t.dim() == 1 else t.expand(*batch, -1).reshape(samples, t.shape[-1]) for t in tensors]
        return [output.reshape(*batch, output.shape[-1]) for output in self._kernel(samples, flat)]

    def _checked(self, inputs: dict[str, torch.Tensor]) -> list[torch.Tensor]:
        try:
            tensors = [inputs[name] for name in self.input_names]
        except KeyError:
            raise self._other_names(inputs) from None
        if len(inputs) > len(tensors):
            raise self._other_names(inputs)
        for name, tensor, size in zip(self.input_names, tensors, self._input_sizes, strict=True):
            if not self._fits(tensor, size):
                raise self._other_value(name, tensor, size)
        return tensors

    def _fits(self, value: Any, size: int) -> bool:
        try:
            right_kind = value.dtype is self.dtype and value.layout is torch.strided
            return right_kind and value.is_cpu and value.shape[-1] == size
        except (AttributeError, IndexError):
            return False

    def _other_names(self, inputs: Iterable[str]) -> InputError:
        unknown = [name for name in inputs if name not in self.input_names]
        missing = [name for name in self.input_names if name not in inputs]
        return InputError(
            f"'{self._function.name()}' was called with other inputs than it has.",
            where=f"argument '{(unknown or missing)[0]}'",
            expected=", ".join(self.input_names),
            found=", ".join(inputs) or "none",
            fix=(nearest(unknown[0], missing) if unknown else "") or "give each input once, by its name",
        )

    def _other_value(self, name: str, value: object, size: int) -> InputError:
        tensor = isinstance(value, torch.Tensor)
        return InputError(
            f"The input '{name}' of '{self._function.name()}' does not fit.",
            expected=f"a dense tensor of shape (..., {size}) and {self.dtype} on the CPU",
            found=f"{tuple(value.shape)}, {value.dtype}, {value.device}, {value.layout}"
            if tensor
            else type(value).__name__,
            fix="convert it before the call; nothing is converted silently",
        )

    def _batch(self, tensors: list[torch.Tensor]) -> torch.Size:
        shapes = [tensor.shape[:-1] for tensor in tensors]
        try:
            return torch.Size(np.broadcast_shapes(*shapes))  # torch's own imports SymPy
        except ValueError:
            named = zip(self.input_names, shapes, strict=True)
            raise InputError(
                f"The inputs of '{self._function.name()}' have batches that do not go together.",
                expected="leading shapes that are equal, or 1 where they differ",
                found=", ".join(f"{name} {tuple(shape)}" for name, shape in named),
                fix="give every input the same leading shape, or one value of shape (n,)",
            ) from None
