"""Tensors of every layout and size, entry by entry: numbers so whole that every result is exact."""

import ctypes
import mmap

import casadi as ca
import numpy as np
import pytest
import torch

from casadi_dynamics.compiled import compile_torch
from casadi_dynamics.compiled.llvm import text as llvm_text
from casadi_dynamics.compiled.llvm.program import load_program
from casadi_dynamics.compiled.tape import record

SIZES = (1, 7, 8, 9, 15, 16, 17)
BATCHES = (0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33)
DTYPES = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])


def transposed(rows):
    return rows.T.contiguous().T


def with_steps(rows):
    wide = torch.full((2 * rows.shape[0] + 1, 3 * rows.shape[1]), float("nan"), dtype=rows.dtype)
    wide[1::2, ::3] = rows
    return wide[1::2, ::3]


def off_the_start(rows):
    memory = torch.full((rows.numel() + 3,), float("nan"), dtype=rows.dtype)
    memory[3:] = rows.reshape(-1)
    return memory[3:].view(rows.shape)


def inner_columns(rows):
    wide = torch.full((rows.shape[0], rows.shape[1] + 5), float("nan"), dtype=rows.dtype)
    wide[:, 2:-3] = rows
    return wide[:, 2:-3]


def overlapping(rows):
    """Return windows: sample after sample begins one entry further."""
    samples, size = rows.shape
    return torch.arange(samples + size, dtype=rows.dtype).as_strided((samples, size), (1, 1))


def one_row(rows):
    return torch.arange(rows.shape[1], dtype=rows.dtype).expand(rows.shape)


def one_column(rows):
    return torch.arange(rows.shape[0], dtype=rows.dtype)[:, None].expand(rows.shape)


def one_number(rows):
    return torch.full((), 3.0, dtype=rows.dtype).expand(rows.shape)


def to_be_negated(rows):
    """Return a tensor that torch keeps as the opposite of its memory."""
    view = torch.complex(rows, rows).conj().imag
    assert view.is_neg() or not rows.numel()
    return view


LAYOUTS = (
    torch.clone, transposed, with_steps, off_the_start, inner_columns,
    overlapping, one_row, one_column, one_number, to_be_negated,
)  # fmt: skip


def turned(size):
    """Return a function that tells every entry apart, of its own input and of a second, sparsely read one."""
    x, w = ca.SX.sym("x", size), ca.SX.sym("w", 3 * size)
    turned = ca.vertcat(*ca.vertsplit(x)[::-1])
    outputs = [2 * turned + ca.DM(range(size)) + w[2], x[: size // 2 + 1]]
    return ca.Function("turned", [x, w], outputs, ["x", "w"], ["turned", "first"])


def expected(x, w):
    size = x.shape[-1]
    straight = torch.arange(size, dtype=x.dtype)
    return {"turned": 2 * x.flip(-1) + straight + w[..., 2:3], "first": x[..., : size // 2 + 1]}


@DTYPES
@pytest.mark.parametrize("size", SIZES)
def test_every_layout_and_batch(size, dtype):
    function = compile_torch(turned(size), dtype)
    for samples in BATCHES:
        rows = torch.arange(samples * size, dtype=dtype).view(samples, size)
        second = 1000 + torch.arange(samples * 3 * size, dtype=dtype).view(samples, 3 * size)
        for k, layout in enumerate(LAYOUTS):
            x, w = layout(rows), LAYOUTS[k - 3](second)
            x_before, w_before = x.clone(), w.clone()
            for shared in (w, w[-1] if samples else second.new_ones(3 * size)):
                found = function(x=x, w=shared)
                for name, value in expected(x, shared).items():
                    assert found[name].dtype is dtype and found[name].is_contiguous()
                    assert torch.equal(found[name], value), (layout.__name__, samples, name)
            assert torch.equal(x, x_before) and torch.equal(w, w_before)


@DTYPES
def test_gradients_of_every_layout(dtype):
    size = 9
    function = compile_torch(turned(size), dtype)
    for samples in (0, 1, 8, 17):
        rows = torch.arange(samples * size, dtype=dtype).view(samples, size)
        weights = torch.arange(samples * size, dtype=dtype).view(samples, size) + 1
        for layout in LAYOUTS:
            x = layout(rows).detach().requires_grad_()
            w = torch.ones(3 * size, dtype=dtype, requires_grad=True)
            for cotangent in (weights, transposed(weights), with_steps(weights), to_be_negated(weights)):
                found = torch.autograd.grad(function(x=x, w=w)["turned"], (x, w), cotangent)
                assert torch.equal(found[0], 2 * cotangent.flip(-1))
                total = torch.zeros_like(w).index_fill(0, torch.tensor(2), cotangent.sum().item())
                assert torch.equal(found[1], total)


@DTYPES
def test_nothing_is_read_or_written_beyond_the_tensors(dtype):
    kind = "double" if dtype is torch.float64 else "float"
    number = np.dtype(kind if kind == "double" else "float32")
    for size in (1, 9, 17):
        function = turned(size)
        program = load_program(f"turned {size}", lambda function=function: record(function), kind)
        for samples in (1, 9, 17):
            with Guarded(samples * size, number) as x, Guarded(3 * size, number) as w:
                x.numbers[:] = range(samples * size)
                w.numbers[:] = 1.0
                outputs = [np.full((samples + 2, m), -77.0, number) for m in (size, size // 2 + 1)]
                inputs = (ctypes.c_int64 * 6)(x.address, size, 1, w.address, 0, 1)
                rows = (ctypes.c_int64 * 2)(*[o.ctypes.data + o.strides[0] for o in outputs])
                program.run(inputs, rows, 0, samples)
                whole = expected(torch.from_numpy(x.numbers.reshape(samples, size)), torch.ones(3 * size))
                for output, value in zip(outputs, whole.values(), strict=True):
                    np.testing.assert_array_equal(output[1:-1], value.numpy())
                    assert (output[[0, -1]] == -77).all()


class Guarded:
    """Memory that ends where reading on is an error of the process."""

    def __init__(self, count, number):
        page = mmap.PAGESIZE
        pages = -(-count * number.itemsize // page)
        self._memory = mmap.mmap(-1, (pages + 1) * page)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        end = start + pages * page
        self.address = end - count * number.itemsize
        held = (ctypes.c_char * (count * number.itemsize)).from_address(self.address)
        self.numbers = np.frombuffer(held, number)
        self._protect = lambda mode: ctypes.CDLL(None).mprotect(
            ctypes.c_void_p(end), ctypes.c_size_t(page), mode
        )

    def __enter__(self):
        assert self._protect(0) == 0
        return self

    def __exit__(self, *_):
        assert self._protect(3) == 0


@DTYPES
def test_much_memory_does_not_come_from_the_stack(monkeypatch, dtype):
    monkeypatch.setenv("CASADI_DYNAMICS_CACHE", "off")
    monkeypatch.setattr(llvm_text, "LARGEST_STACK", 0)
    kind = "double" if dtype is torch.float64 else "float"
    assert "alloca" not in llvm_text.module_text(record(turned(17)), kind)
    function = compile_torch(turned(17), dtype)
    rows = torch.arange(33 * 17, dtype=dtype).view(33, 17)
    w = torch.ones(51, dtype=dtype)
    for name, value in expected(rows, w).items():
        for _ in range(3):
            assert torch.equal(function(x=rows, w=w)[name], value)
