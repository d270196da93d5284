"""A CasADi function as a batched torch function with gradients."""

from __future__ import annotations

import casadi as ca
import torch

from casadi_dynamics.compiled.llvm import Program, compile_tape
from casadi_dynamics.compiled.tape import record, vector_jacobian
from casadi_dynamics.errors import InputError, nearest

_SCALARS = {torch.float64: "double", torch.float32: "float"}


def compile_torch(function: ca.Function, dtype: torch.dtype = torch.float64) -> TorchFunction:
    """Compile a CasADi function of vectors into a torch function.

    Parameters
    ----------
    function : casadi.Function
        An SX function whose inputs and outputs are dense columns.
    dtype : torch.dtype
        float64 or float32.

    Returns
    -------
    TorchFunction
    """
    return TorchFunction(function, dtype)


class TorchFunction:
    """A batched, differentiable torch function; machine code is made at the first call of each kind.

    Parameters
    ----------
    function : casadi.Function
    dtype : torch.dtype

    Notes
    -----
    Call it with one tensor of shape (..., n) per named input. Leading shapes are broadcast; inputs of shape
    (n,) are shared by the whole batch and cost nothing per sample. The result is a dict of tensors (..., m) by
    output name. Gradients are exact: CasADi's vector-Jacobian product, compiled like the function itself.
    """

    def __init__(self, function: ca.Function, dtype: torch.dtype) -> None:
        if dtype not in _SCALARS:
            raise InputError(
                "The number type is not supported.",
                expected="torch.float64 or torch.float32",
                found=str(dtype),
                fix="choose one of these",
            )
        self.dtype = dtype
        self.input_names = tuple(function.name_in())
        self.output_names = tuple(function.name_out())
        self.output_sizes = tuple(function.numel_out(i) for i in range(function.n_out()))
        self._input_sizes = tuple(function.numel_in(i) for i in range(function.n_in()))
        self._function = function
        self._programs: dict[tuple, Program] = {}

    def __call__(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Evaluate the function; see the class."""
        tensors = self._checked(inputs)
        batch = torch.broadcast_shapes(*(t.shape[:-1] for t in tensors))
        uniform = tuple(i for i, t in enumerate(tensors) if t.dim() == 1)
        flat = [t if t.dim() == 1 else t.expand(*batch, t.shape[-1]).reshape(-1, t.shape[-1]) for t in tensors]
        outputs = _Evaluate.apply(self, uniform, batch.numel(), *flat)
        return {
            name: output.reshape(*batch, output.shape[-1])
            for name, output in zip(self.output_names, outputs, strict=True)
        }

    def __getstate__(self) -> dict:
        """Leave machine code behind: it is made again where the function arrives."""
        return {"function": self._function.serialize(), "dtype": self.dtype}

    def __setstate__(self, state: dict) -> None:
        """Rebuild from `__getstate__`."""
        self.__init__(ca.Function.deserialize(state["function"]), state["dtype"])

    def _checked(self, inputs: dict[str, torch.Tensor]) -> list[torch.Tensor]:
        for name in (*inputs, *self.input_names):
            if name not in self.input_names or name not in inputs:
                raise InputError(
                    f"The inputs of '{self._function.name()}' are not complete.",
                    where=f"argument '{name}'",
                    expected=", ".join(self.input_names),
                    found=", ".join(inputs),
                    fix=nearest(name, self.input_names),
                )
        tensors = [inputs[name] for name in self.input_names]
        for name, tensor, size in zip(self.input_names, tensors, self._input_sizes, strict=True):
            if tensor.dim() < 1 or tensor.shape[-1] != size or tensor.dtype != self.dtype or tensor.device.type != "cpu":
                raise InputError(
                    f"The input '{name}' of '{self._function.name()}' does not fit.",
                    expected=f"a CPU tensor of shape (..., {size}) and {self.dtype}",
                    found=f"{tuple(tensor.shape)}, {tensor.dtype}, {tensor.device}",
                    fix="convert it before the call; nothing is converted silently",
                )
        return tensors

    def _program(self, uniform: tuple[int, ...], wrt: tuple[int, ...] | None) -> Program:
        """Return the program of the function, or with `wrt` of its gradients; compiled once."""
        key = (uniform, wrt)
        if key not in self._programs:
            function = self._function if wrt is None else vector_jacobian(self._function, wrt)
            self._programs[key] = compile_tape(record(function), uniform, _SCALARS[self.dtype])
        return self._programs[key]


def _run(program: Program, inputs: list[torch.Tensor], samples: int, rows: int) -> torch.Tensor:
    """Return the outputs (rows, samples) of a program; buffers hold one row per entry, padded to full blocks."""
    row = -(-samples // program.lanes) * program.lanes
    varying = [inputs[i] for i in program.varying]
    dtype = inputs[0].dtype
    packed = torch.empty(sum(t.shape[1] for t in varying), row, dtype=dtype)
    start = 0
    for tensor in varying:
        packed[start : start + tensor.shape[1], :samples] = tensor.T
        start += tensor.shape[1]
    packed[:, samples:] = 0
    shared = torch.cat([inputs[i] for i in program.uniform]) if program.uniform else packed.new_empty(1)
    outputs = torch.empty(rows, row, dtype=dtype)
    program.run(packed.data_ptr(), shared.data_ptr(), outputs.data_ptr(), row)
    return outputs[:, :samples]


class _Evaluate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, compiled: TorchFunction, uniform, samples: int, *inputs):
        ctx.compiled, ctx.uniform, ctx.samples = compiled, uniform, samples
        ctx.save_for_backward(*inputs)
        sizes = compiled.output_sizes
        plain = [t.detach() for t in inputs]
        stacked = _run(compiled._program(uniform, None), plain, samples, sum(sizes))
        return tuple(part.T for part in stacked.split(sizes))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, *cotangents):
        compiled, uniform, samples = ctx.compiled, ctx.uniform, ctx.samples
        inputs = [t.detach() for t in ctx.saved_tensors]
        wrt = tuple(i for i in range(len(inputs)) if ctx.needs_input_grad[3 + i])
        sizes = [compiled._input_sizes[i] for i in wrt]
        program = compiled._program(uniform, wrt)
        stacked = _run(program, [*inputs, *cotangents], samples, sum(sizes))
        gradients: list[torch.Tensor | None] = [None] * len(inputs)
        for i, part in zip(wrt, stacked.split(sizes), strict=True):
            gradients[i] = part.sum(1) if i in uniform else part.T
        return None, None, None, *gradients
