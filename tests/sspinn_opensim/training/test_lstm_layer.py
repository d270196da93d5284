"""The LSTM layer in machine code is torch's own, with its gradients, on any number of threads."""

import math

import pytest
import torch

from sspinn_opensim.training.networks import lstm_layer as module
from sspinn_opensim.training.networks.lstm_code import GATES
from sspinn_opensim.training.networks.lstm_layer import is_supported, lstm_layer, shared_by

#: Blocks of processors with wide vectors, with few registers, and with many narrow ones.
BLOCKS = [(16, 6), (8, 2), (4, 6)]


@pytest.fixture(params=BLOCKS, ids=str)
def block(request, monkeypatch):
    """Work in blocks of another kind of processor; LLVM splits or joins their vectors for this one."""
    monkeypatch.setattr(module, "_block", lambda: request.param)
    return request.param


def given(frames, batch, inputs, width, seed=0):
    """Return the arguments of a layer, each wanting a gradient."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(frames, batch, inputs), (batch, width), (batch, width)]
    weights = [(GATES * width, inputs), (GATES * width, width), (GATES * width,)]
    arrays = [torch.randn(shape, generator=generator) for shape in shapes]
    arrays += [torch.randn(shape, generator=generator) / width**0.5 for shape in weights]
    return [array.requires_grad_() for array in arrays]


def of_torch(signals, hidden, cell, to_gates, over_time, bias):
    """Return what torch's own cells make of it, frame by frame in double precision."""
    outputs = []
    for frame in signals:
        hidden, cell = torch.lstm_cell(
            frame, (hidden, cell), to_gates, over_time, bias, torch.zeros_like(bias)
        )
        outputs.append(hidden)
    return torch.stack(outputs), cell


def gradients(outputs, arrays):
    """Return the gradients of a sum of outputs that weighs each of them differently."""
    generator = torch.Generator().manual_seed(9)
    weights = [torch.randn(o.shape, generator=generator).to(o.dtype) for o in outputs]
    return torch.autograd.grad(outputs, arrays, weights)


@pytest.mark.parametrize(
    ("frames", "batch", "inputs", "width"),
    [(1, 1, 1, 16), (5, 7, 16, 16), (40, 13, 33, 96), (300, 2, 96, 48)],
)
def test_values_and_gradients_are_those_of_torch(block, frames, batch, inputs, width):
    """To single precision, relative to the largest entry: sums over frames lose the smallest digits."""
    arrays = given(frames, batch, inputs, width)
    precise = [array.detach().double().requires_grad_() for array in arrays]
    found, expected = lstm_layer(*arrays), of_torch(*precise)
    for one, other in zip(
        (*found, *gradients(found, arrays)), (*expected, *gradients(expected, precise)), strict=True
    ):
        assert one.shape == other.shape
        assert (one - other).abs().max() < 1e-5 * max(other.abs().max(), 1e-2)


@pytest.mark.parametrize("batch", [6, 24, 25])
def test_threads_change_no_bit(batch):
    results = []
    for threads in (1, 2, 3):
        arrays = given(20, batch, 20, 96)
        with shared_by(threads):
            outputs = lstm_layer(*arrays)
            results.append((*outputs, *gradients(outputs, arrays)))
    for others in results[1:]:
        assert all(torch.equal(one, other) for one, other in zip(results[0], others, strict=True))


def test_signals_need_not_lie_in_order(block):
    arrays = given(9, 4, 6, 32)
    turned = arrays[0].detach().transpose(0, 1).contiguous().transpose(0, 1)
    assert not turned.is_contiguous()
    assert torch.equal(lstm_layer(turned, *arrays[1:])[0], lstm_layer(*arrays)[0])


@pytest.mark.parametrize("value", [float("nan"), 1e30, -1e30])
def test_no_number_stays_none_and_large_ones_saturate(block, value):
    """A training that diverges must be seen to; a large signal only closes or opens gates."""
    arrays = given(3, 2, 4, 16)
    with torch.no_grad():
        arrays[0][1, 0] = value
        outputs, cell = lstm_layer(*arrays)
    is_number = not math.isnan(value)
    whole = outputs.isfinite().all(-1)
    assert whole[0].all() and whole[:, 1].all()
    assert bool(whole[1, 0]) == bool(whole[2, 0]) == bool(cell[0].isfinite().all()) == is_number
    if is_number:
        assert (outputs.abs() <= 1).all()


def test_what_has_no_machine_code():
    signals = torch.zeros(2, 3, 4)
    assert is_supported(signals, 96)
    assert not is_supported(signals.double(), 96)
    assert not is_supported(signals, 97)
    assert not is_supported(signals[:, :0], 96)
