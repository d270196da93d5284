"""A CasADi function as a batched torch function with gradients."""

from __future__ import annotations

from threading import Lock

import casadi as ca
import torch

from casadi_dynamics.compiled.llvm import Program, compile_tape
from casadi_dynamics.compiled.tape import check_columns, record, vector_jacobian
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

    Raises
    ------
    InputError
        If the function or the number type is of another kind.
    """
    return TorchFunction(function, dtype)


class TorchFunction:
    """A batched, differentiable torch function; machine code is made at the first call of each kind.

    Parameters
    ----------
    function : casadi.Function
    dtype : torch.dtype

    Attributes
    ----------
    dtype : torch.dtype
    input_names, output_names : tuple of str
    output_sizes : tuple of int

    Notes
    -----
    Call it with one tensor of shape (..., n) per named input. Leading shapes are broadcast; inputs of shape
    (n,) are shared by the whole batch and cost nothing per sample. The result is a dict of tensors (..., m)
    by output name. Gradients are exact: CasADi's vector-Jacobian product, compiled like the function itself;
    they cannot be differentiated again. Calls from several threads are safe and run at the same time.
    """

    def __init__(self, function: ca.Function, dtype: torch.dtype) -> None:
        check_columns(function)
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
        self._compiling = Lock()

    def __call__(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Evaluate the function; see the class."""
        tensors = self._checked(inputs)
        uniform = tuple(i for i, tensor in enumerate(tensors) if tensor.dim() == 1)
        batch = self._batch(tensors) if len(uniform) < len(tensors) else torch.Size()
        samples = batch.numel()
        flat = [t if t.dim() == 1 else t.expand(*batch, -1).reshape(samples, t.shape[-1]) for t in tensors]
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in flat):
            outputs = _Evaluate.apply(self, uniform, samples, *flat)
        else:
            outputs = self._evaluate(uniform, samples, flat)
        named = zip(self.output_names, outputs, strict=True)
        return {name: output.reshape(*batch, output.shape[-1]) for name, output in named}

    def __getstate__(self) -> dict:
        """Leave machine code behind: it is made again where the function arrives."""
        return {"function": self._function.serialize(), "dtype": self.dtype}

    def __setstate__(self, state: dict) -> None:
        """Rebuild from `__getstate__`."""
        self.__init__(ca.Function.deserialize(state["function"]), state["dtype"])

    def _checked(self, inputs: dict[str, torch.Tensor]) -> list[torch.Tensor]:
        if inputs.keys() != set(self.input_names):
            raise self._other_names(inputs)
        tensors = [inputs[name] for name in self.input_names]
        for name, tensor, size in zip(self.input_names, tensors, self._input_sizes, strict=True):
            fits = isinstance(tensor, torch.Tensor) and tensor.dim() > 0 and tensor.shape[-1] == size
            if not fits or tensor.dtype != self.dtype or not tensor.is_cpu:
                raise self._other_value(name, tensor, size)
        return tensors

    def _other_names(self, inputs) -> InputError:
        unknown = [name for name in inputs if name not in self.input_names]
        missing = [name for name in self.input_names if name not in inputs]
        return InputError(
            f"'{self._function.name()}' was called with other inputs than it has.",
            where=f"argument '{(unknown or missing)[0]}'",
            expected=", ".join(self.input_names),
            found=", ".join(inputs) or "none",
            fix=(unknown and nearest(unknown[0], missing)) or "give each input once, by its name",
        )

    def _other_value(self, name: str, value, size: int) -> InputError:
        tensor = isinstance(value, torch.Tensor)
        return InputError(
            f"The input '{name}' of '{self._function.name()}' does not fit.",
            expected=f"a CPU tensor of shape (..., {size}) and {self.dtype}",
            found=f"{tuple(value.shape)}, {value.dtype}, {value.device}" if tensor else type(value).__name__,
            fix="convert it before the call; nothing is converted silently",
        )

    def _batch(self, tensors: list[torch.Tensor]) -> torch.Size:
        shapes = [tensor.shape[:-1] for tensor in tensors]
        try:
            return torch.broadcast_shapes(*shapes)
        except RuntimeError:
            named = zip(self.input_names, shapes, strict=True)
            raise InputError(
                f"The inputs of '{self._function.name()}' have batches that do not go together.",
                expected="leading shapes that are equal, or 1 where they differ",
                found=", ".join(f"{name} {tuple(shape)}" for name, shape in named),
                fix="give every input the same leading shape, or one value of shape (n,)",
            ) from None

    def _program(self, uniform: tuple[int, ...], wrt: tuple[int, ...] | None) -> Program:
        """Return the program of the function, or with `wrt` of its gradients; compiled once."""
        key = (uniform, wrt)
        with self._compiling:  # CasADi expressions must not be touched by two threads at once
            if key not in self._programs:
                function = self._function if wrt is None else vector_jacobian(self._function, wrt)
                self._programs[key] = compile_tape(record(function), uniform, _SCALARS[self.dtype])
        return self._programs[key]

    def _evaluate(self, uniform: tuple[int, ...], samples: int, flat) -> list[torch.Tensor]:
        """Return the outputs (samples, size) for inputs (samples, size), or (size,) where uniform."""
        program = self._program(uniform, None)
        plain = [tensor.detach() for tensor in flat]
        stacked = _run(program, plain, samples, sum(self.output_sizes), self.dtype)
        return [part.T for part in stacked.split(self.output_sizes)]

    def _gradients(self, uniform: tuple[int, ...], samples: int, flat, cotangents, wrt) -> list[torch.Tensor]:
        """Return the gradients to the inputs `wrt`, shaped like them."""
        sizes = [self._input_sizes[i] for i in wrt]
        program = self._program(uniform, wrt)
        stacked = _run(program, [*flat, *cotangents], samples, sum(sizes), self.dtype)
        parts = zip(wrt, stacked.split(sizes), strict=True)
        return [part.sum(1) if i in uniform else part.T for i, part in parts]


def _run(program: Program, inputs, samples: int, rows: int, dtype: torch.dtype) -> torch.Tensor:
    """Return the outputs (rows, samples); buffers hold one row per entry, padded to full blocks."""
    row = -(-samples // program.lanes) * program.lanes
    outputs = torch.empty(rows, row, dtype=dtype)
    packed = shared = outputs  # any address will do where nothing is read
    if program.varying:
        varying = [inputs[i].T for i in program.varying]
        packed = torch.empty(sum(len(part) for part in varying), row, dtype=dtype)
        torch.cat(varying, out=packed[:, :samples])
        packed[:, samples:] = 0  # left-over bits could be numbers that the processor is slow with
    if program.uniform:
        shared = torch.cat([inputs[i] for i in program.uniform])
    program.run(packed.data_ptr(), shared.data_ptr(), outputs.data_ptr(), row)
    return outputs[:, :samples]


class _Evaluate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, compiled: TorchFunction, uniform, samples: int, *inputs):
        ctx.compiled, ctx.uniform, ctx.samples = compiled, uniform, samples
        ctx.save_for_backward(*inputs)
        return tuple(compiled._evaluate(uniform, samples, inputs))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, *cotangents):
        inputs = [tensor.detach() for tensor in ctx.saved_tensors]
        wrt = tuple(i for i in range(len(inputs)) if ctx.needs_input_grad[3 + i])
        parts = ctx.compiled._gradients(ctx.uniform, ctx.samples, inputs, cotangents, wrt)
        gradients = dict(zip(wrt, parts, strict=True))
        return None, None, None, *(gradients.get(i) for i in range(len(inputs)))
