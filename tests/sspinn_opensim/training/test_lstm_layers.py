"""LSTM layers in machine code are torch's own, with their gradients, on any number of threads."""

import math

import pytest
import torch

from sspinn_opensim.training.networks import lstm_layers as module
from sspinn_opensim.training.networks.cores import shared_by
from sspinn_opensim.training.networks.lstm_code import GATES
from sspinn_opensim.training.networks.lstm_layers import is_supported, lstm_layers

#: Blocks of processors with wide vectors, with few registers, and with many narrow ones.
BLOCKS = [(16, 6), (8, 2), (4, 6)]


@pytest.fixture(params=BLOCKS, ids=str)
def block(request, monkeypatch):
    """Work in blocks of another kind of processor; LLVM splits or joins their vectors for this one."""
    monkeypatch.setattr(module, "_block", lambda: request.param)
    return request.param


def given(frames, batch, inputs, width, layers=1, seed=0):
    """Return signals, then hidden and cell of each layer, then its weights, each wanting a gradient."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(frames, batch, inputs)] + [(batch, width)] * (2 * layers)
    arrays = [torch.randn(shape, generator=generator) for shape in shapes]
    for layer in range(layers):
        seen = width if layer else inputs
        for shape in ((GATES * width, seen), (GATES * width, width), (GATES * width,)):
            arrays.append(torch.randn(shape, generator=generator) / width**0.5)
    return [array.requires_grad_() for array in arrays]


def parted(arrays):
    """Return signals, state and weights of layers."""
    layers = len(arrays) // 5
    weights = arrays[1 + 2 * layers :]
    return arrays[0], arrays[1 : 1 + 2 * layers], list(zip(*[iter(weights)] * 3, strict=True))


def of_layers(arrays, unread=0):
    """Return the hidden states that are read and the state after the last frame, in one tuple."""
    read, after = lstm_layers(*parted(arrays), unread)
    return read, *after


def of_torch(arrays, unread=0):
    """Return what torch's own cells make of it, frame by frame in double precision."""
    seen, state, weights = parted(arrays)
    after = []
    for layer, (to_gates, over_time, bias) in enumerate(weights):
        hidden, cell = state[2 * layer : 2 * layer + 2]
        outputs = []
        for frame in seen:
            hidden, cell = torch.lstm_cell(
                frame, (hidden, cell), to_gates, over_time, bias, torch.zeros_like(bias)
            )
            outputs.append(hidden)
        seen = torch.stack(outputs)
        after += [hidden, cell]
    return seen[unread:], *after


def gradients(outputs, arrays, **options):
    """Return the gradients of a sum of outputs that weighs each of them differently."""
    generator = torch.Generator().manual_seed(9)
    weights = [torch.randn(o.shape, generator=generator).to(o.dtype) for o in outputs]
    return torch.autograd.grad(outputs, arrays, weights, **options)


@pytest.mark.parametrize(
    ("frames", "batch", "inputs", "width", "layers", "unread"),
    [
        (1, 1, 1, 16, 1, 0),
        (5, 7, 16, 16, 3, 4),
        (40, 13, 33, 96, 2, 15),
        (300, 2, 96, 48, 1, 0),
        (9, 6, 5, 32, 2, 9),
    ],
)
def test_values_and_gradients_are_those_of_torch(block, frames, batch, inputs, width, layers, unread):
    """To single precision, relative to the largest entry: sums over frames lose the smallest digits."""
    arrays = given(frames, batch, inputs, width, layers)
    precise = [array.detach().double().requires_grad_() for array in arrays]
    found, expected = of_layers(arrays, unread), of_torch(precise, unread)
    for one, other in zip(
        (*found, *gradients(found, arrays)), (*expected, *gradients(expected, precise)), strict=True
    ):
        assert one.shape == other.shape
        if one.numel():
            assert (one - other).abs().max() < 1e-5 * max(other.abs().max(), 1e-2)


def test_what_nothing_depends_on_has_no_gradient():
    """A training reads hidden states alone, others the state alone."""
    arrays = given(12, 5, 8, 32, layers=2)
    precise = [array.detach().double().requires_grad_() for array in arrays]
    for picked in (slice(0, 1), slice(1, 2), slice(2, 3), slice(4, 5)):
        one = gradients(of_layers(arrays, 3)[picked], arrays[:6])
        other = gradients(of_torch(precise, 3)[picked], precise[:6], allow_unused=True)
        for a, b in zip(one, other, strict=True):
            expected = torch.zeros_like(a) if b is None else b
            assert (a - expected).abs().max() < 1e-5 * max(expected.abs().max(), 1e-2)


@pytest.mark.parametrize("batch", [6, 24, 25])
def test_threads_change_no_bit(batch):
    results = []
    for threads in (1, 2, 3):
        arrays = given(20, batch, 20, 96, layers=2)
        with shared_by(threads):
            outputs = of_layers(arrays, 7)
            results.append((*outputs, *gradients(outputs, arrays)))
    for others in results[1:]:
        assert all(torch.equal(one, other) for one, other in zip(results[0], others, strict=True))


def test_signals_need_not_lie_in_order(block):
    arrays = given(9, 4, 6, 32)
    turned = arrays[0].detach().transpose(0, 1).contiguous().transpose(0, 1)
    assert not turned.is_contiguous()
    assert torch.equal(of_layers([turned, *arrays[1:]])[0], of_layers(arrays)[0])


@pytest.mark.parametrize("value", [float("nan"), 1e30, -1e30])
def test_no_number_stays_none_and_large_ones_saturate(block, value):
    """A training that diverges must be seen to; a large signal only closes or opens gates."""
    arrays = given(3, 2, 4, 16)
    with torch.no_grad():
        arrays[0][1, 0] = value
        outputs, _, cell = of_layers(arrays)
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
