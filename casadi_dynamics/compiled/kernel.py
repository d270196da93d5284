"""A source on flat batches of tensors, with gradients of any order that was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from struct import Struct
from threading import Lock
from typing import Any

import torch

from casadi_dynamics.compiled.backends import program_of
from casadi_dynamics.compiled.program import Program, run
from casadi_dynamics.compiled.source import Source
from casadi_dynamics.errors import InputError

#: Numbers, of all outputs together, from which on they share one block of memory.
_LARGE = 100_000
SCALARS = {torch.float64: "double", torch.float32: "float"}


class Kernel:
    """Evaluates a source on batches; its program is made when it is first needed.

    Parameters
    ----------
    order : int
        How often results can be differentiated.
    backend : str
        'llvm' or 'numpy'.
    """

    def __init__(self, source: Source, dtype: torch.dtype, order: int, backend: str) -> None:
        self.source, self._dtype, self._order, self._backend = source, dtype, order, backend
        self._program: Program | None = None
        self._gradients: dict[tuple[int, ...], Kernel] = {}
        self._making = Lock()
        self._pack_inputs = Struct(f"{3 * len(source.input_sizes)}q").pack
        self._pack_outputs = Struct(f"{len(source.output_sizes)}q").pack

    def __call__(self, samples: int, tensors: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """Return the outputs (samples, m); differentiable where the tensors are.

        Parameters
        ----------
        tensors : sequence of torch.Tensor
            Per input (samples, n), or (n,) for all samples.
        """
        if torch._C._are_functorch_transforms_active():
            return _Transformed.apply(self, samples, *tensors)
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
            return _Evaluate.apply(self, samples, *tensors)
        return self.evaluate(samples, tensors)

    def evaluate(self, samples: int, tensors: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """Return the outputs (samples, m), whatever gradients are wanted."""
        like = tensors[0] if tensors else torch.empty(0, dtype=self._dtype)
        program = self._program or self._make_program()
        outputs = _new(like, samples, self.source.output_sizes)
        places: list[int] = []
        for tensor in tensors:
            if tensor.is_neg():  # the opposite of what its memory holds, as the imaginary part of a conjugate
                return self.evaluate(samples, [tensor.resolve_neg() for tensor in tensors])
            strides = tensor.stride()
            places += (tensor.data_ptr(), *(strides if len(strides) == 2 else (0, *strides)))
        results = self._pack_outputs(*[output.data_ptr() for output in outputs])
        run(program, self._pack_inputs(*places), results, samples, torch.get_num_threads())
        return outputs

    def gradient(self, wrt: tuple[int, ...]) -> Kernel:
        """Return the kernel of the vector-Jacobian product to the inputs `wrt`."""
        if wrt in self._gradients:
            return self._gradients[wrt]
        if self._order == 0:
            raise InputError(
                "The result was differentiated more often than it was compiled for.",
                expected="as many derivatives as the argument 'order' of compile_torch says",
                found="one more",
                fix="call compile_torch(function, dtype, order=2)",
            )
        with self._making:
            if wrt not in self._gradients:
                source = self.source.gradient(wrt)
                self._gradients[wrt] = Kernel(source, self._dtype, self._order - 1, self._backend)
            return self._gradients[wrt]

    def _make_program(self) -> Program:
        with self._making:
            if self._program is None:
                self._program = program_of(self.source, SCALARS[self._dtype], self._backend)
            return self._program


def _new(like: torch.Tensor, samples: int, sizes: tuple[int, ...]) -> tuple[torch.Tensor, ...]:
    """Return new tensors (samples, size)."""
    total = sum(sizes)
    if samples * total < _LARGE:
        return tuple([like.new_empty(samples, size) for size in sizes])
    # The C library keeps one large block for the next call, but gives several back to the system, and to get
    # fresh pages from there takes longer than to fill them.
    memory, starts = like.new_empty(samples * total).untyped_storage(), accumulate(sizes, initial=0)
    return tuple(
        [
            like.new_empty(0).set_(memory, samples * start, (samples, size), (size, 1))
            for start, size in zip(starts, sizes, strict=False)
        ]
    )


class _Evaluate(torch.autograd.Function):
    """The usual way through autograd."""

    @staticmethod
    def forward(ctx: Any, kernel: Kernel, samples: int, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        _remember(ctx, kernel, samples, tensors)
        return kernel.evaluate(samples, tensors)

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor | None) -> tuple[torch.Tensor | None, ...]:
        tensors, wanted = ctx.saved_tensors, ctx.needs_input_grad[2:]
        wrt = tuple([i for i, needed in enumerate(wanted) if needed])
        given = [
            tensors[0].new_zeros(size) if cotangent is None else cotangent
            for cotangent, size in zip(cotangents, ctx.kernel.source.output_sizes, strict=True)
        ]
        gradients: list[torch.Tensor | None] = [None] * len(tensors)
        for i, part in zip(wrt, ctx.kernel.gradient(wrt)(ctx.samples, (*tensors, *given)), strict=True):
            # What all samples share gets the sum of their gradients.
            gradients[i] = part.sum(0) if tensors[i].dim() == 1 else part
        return None, None, *gradients


class _Transformed(torch.autograd.Function):
    """The way that `torch.func` can transform; it takes longer."""

    @staticmethod
    def forward(kernel: Kernel, samples: int, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return kernel.evaluate(samples, tensors)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[torch.Tensor, ...]) -> None:  # noqa: ARG004 (torch names it)
        kernel, samples, *tensors = inputs
        _remember(ctx, kernel, samples, tensors)

    backward = _Evaluate.backward

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], kernel: Kernel, samples: int, *tensors: torch.Tensor
    ) -> tuple[tuple[torch.Tensor, ...], tuple[int, ...]]:
        """Make the mapped axis part of the batch."""
        size = info.batch_size
        flat = []
        for tensor, axis in zip(tensors, in_dims[2:], strict=True):
            if axis is None and tensor.dim() == 1:
                flat.append(tensor)
                continue
            every = tensor.expand(size, *tensor.shape) if axis is None else tensor.movedim(axis, 0)
            each = every if every.dim() == 3 else every[:, None].expand(size, samples, -1)
            flat.append(each.reshape(size * samples, each.shape[-1]))
        outputs = kernel(size * samples, flat)
        return tuple(o.reshape(size, samples, -1) for o in outputs), (0,) * len(outputs)


def _remember(ctx: Any, kernel: Kernel, samples: int, tensors: Sequence[torch.Tensor]) -> None:
    ctx.kernel, ctx.samples = kernel, samples
    ctx.save_for_backward(*tensors)
    ctx.set_materialize_grads(False)  # an output that nothing uses has no cotangent
