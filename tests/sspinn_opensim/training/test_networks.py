"""Every kind of network is causal, carries its past along, and says one thing at once or frame by frame."""

import copy
import io
import math
import pickle
import typing

import numpy as np
import pytest
import torch

from sspinn_opensim.study import TrainingChoice
from sspinn_opensim.training.networks import DEFAULT, NETWORKS, make_network
from sspinn_opensim.training.networks.cores import shared_by
from sspinn_opensim.training.networks.gated import LONGEST, SHORTEST, GatedBlock
from sspinn_opensim.training.networks.head import ReadingHead
from sspinn_opensim.training.networks.one_frame import memory_of
from sspinn_opensim.training.networks.recurrence import linear_recurrence

INPUTS, OUTPUTS = 9, 7


@pytest.fixture(params=NETWORKS)
def network(request):
    """Return a network with random weights whose outputs are of the order of one."""
    with torch.random.fork_rng():
        torch.manual_seed(2)
        network = make_network(request.param, INPUTS, OUTPUTS)
        with torch.no_grad():
            network.head[-1].weight *= 10
    return network


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def assert_near(found, expected, tolerance=1e-6):
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


def stepped(network, signals, state=None):
    """Return outputs and state, frame by frame, of each of a batch by itself."""
    step, found = network.one_frame(), []
    state = network.start(signals) if state is None else state
    for k, own in enumerate(signals.double().numpy()):
        memory, outputs = memory_of([part[k : k + 1] for part in state]), []
        for frame in own:
            output, memory = step(frame, memory)
            outputs.append(output)
        found.append((np.array(outputs), *memory))
    outputs, *memory = (torch.from_numpy(np.array(part)) for part in zip(*found, strict=True))
    return outputs, tuple(memory)


def test_frame_by_frame_is_all_at_once(network):
    signals = random(2, 200, INPUTS)
    with torch.no_grad():
        outputs, state = network(signals)
        found, last = stepped(network, signals)
        assert outputs.std() > 0.03
        assert_near(found, outputs.double())
        assert_near(last, tuple(part.double() for part in state))
        precise = copy.deepcopy(network).double()
        assert_near(stepped(precise, signals.double())[0], precise(signals.double())[0], 1e-13)


def test_the_future_changes_nothing(network):
    signals = random(2, 100, INPUTS)
    other = signals.clone()
    other[:, 60:] = 30 * random(2, 40, INPUTS, seed=1)
    with torch.no_grad():
        one, another = network(signals)[0], network(other)[0]
    assert torch.equal(one[:, :60], another[:, :60]) and not torch.equal(one[:, 60], another[:, 60])


def test_the_past_is_remembered(network):
    signals = random(1, 100, INPUTS)
    other = signals.clone()
    other[:, :10] += 1.0
    with torch.no_grad():
        apart = (network(signals)[0] - network(other)[0]).abs()
    assert apart[:, 15].max() > 1e-4


def test_a_sequence_in_pieces_is_the_whole(network):
    """Also when a piece is taken frame by frame: the state is the same."""
    signals = random(3, 90, INPUTS)
    with torch.no_grad():
        whole, end = network(signals)
        first, state = network(signals[:, :30])
        second, state = stepped(network, signals[:, 30:60], state)
        second, state = second.float(), tuple(part.float() for part in state)
        third, state = network(signals[:, 60:], state)
    assert_near(torch.cat([first, second, third], 1), whole)
    assert_near(state, end)


def test_people_in_a_batch_do_not_meet(network):
    signals = random(3, 40, INPUTS)
    with torch.no_grad():
        assert_near(network(signals[1:2])[0], network(signals)[0][1:2])


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_gradients_of_a_long_window_are_finite(network, scale):
    signals = (scale * random(1, 3000, INPUTS)).requires_grad_()
    network(signals)[0].square().mean().backward()
    for value in [signals, *network.parameters()]:
        assert value.grad.isfinite().all() and value.grad.abs().max() > 0


def test_it_survives_pickling_and_saving(network):
    signals = random(1, 30, INPUTS)
    content = io.BytesIO()
    torch.save(network.state_dict(), content)
    content.seek(0)
    saved = type(network)(INPUTS, OUTPUTS)
    saved.load_state_dict(torch.load(content, weights_only=True))
    for other in (pickle.loads(pickle.dumps(network)), saved):
        assert torch.equal(other(signals)[0], network(signals)[0])


def test_the_first_estimate_is_near_the_default_posture(network):
    outputs = type(network)(INPUTS, OUTPUTS)(random(4, 50, INPUTS))[0]
    assert outputs.abs().max() < 0.5


def test_the_study_knows_the_networks():
    kinds = typing.get_type_hints(TrainingChoice)["network"]
    assert set(typing.get_args(kinds)) == set(NETWORKS) and TrainingChoice().network == DEFAULT


def test_the_gradient_of_the_recurrence():
    keep, new, before = (random(*shape).double() for shape in ((6, 2, 3), (6, 2, 3), (2, 3)))
    inputs = [x.requires_grad_() for x in (keep.sigmoid(), new, before)]
    assert torch.autograd.gradcheck(linear_recurrence, inputs)
    assert torch.autograd.gradcheck(linear_recurrence, [x[:1] for x in inputs[:2]] + [before])


def test_the_recurrence_may_keep_nothing_or_everything():
    new = random(500, 2, 3)
    before = random(2, 3, seed=1)
    assert torch.equal(linear_recurrence(torch.zeros_like(new), new, before), new)
    kept = linear_recurrence(torch.ones_like(new), new, before)
    assert_near(kept, before + new.cumsum(0), 1e-4)


def test_memories_last_from_frames_to_strides_before_training():
    block = GatedBlock(8, 16)
    keep = block.into.bias[:16].sigmoid()
    assert_near(keep[[0, -1]], torch.tensor([math.exp(-1 / SHORTEST), math.exp(-1 / LONGEST)]), 1e-5)


def test_settling_gives_the_state_with_its_gradient(network):
    signals = random(2, 40, INPUTS)
    _, expected = network(signals)
    found = network.settle(signals)
    assert_near(found, expected)
    assert all(part.requires_grad for part in found)
    assert_near(network.settle(signals[:, :0]), network.start(signals))


def test_frames_that_are_not_read_count_all_the_same(network):
    """Values and gradients are those of outputs that are thrown away."""
    signals = random(2, 40, INPUTS)
    read, state = network(signals, unread=25)
    whole, end = network(signals)
    assert_near(read, whole[:, 25:])
    assert_near(state, end)
    weights = list(network.parameters())
    found, expected = (torch.autograd.grad(x.square().sum(), weights) for x in (read, whole[:, 25:]))
    assert_near(found, expected, 1e-5)


def test_a_head_shares_rows_and_changes_nothing():
    """Rows in ranges and in one piece, on one thread and on three; gradients to rounding of sums."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        head = ReadingHead(20, 5, 6, 70)
    found = []
    for threads in (1, 3):
        seen = random(3, 300, 25).requires_grad_()
        with shared_by(threads):
            outputs = head(seen)
            gradients = torch.autograd.grad(outputs.square().sum(), [seen, *head.parameters()])
        found.append((outputs, *gradients))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
    with shared_by(3), torch.inference_mode():  # as estimates are made
        assert torch.equal(head(random(3, 300, 25)), found[0][0])
    double = copy.deepcopy(head).double()
    seen = random(3, 300, 25).double().requires_grad_()
    outputs = torch.nn.Sequential(*double)(seen)
    expected = torch.autograd.grad(outputs.square().sum(), [seen, *double.parameters()])
    for one, other in zip(found[0], (outputs, *expected), strict=True):
        assert (one - other).abs().max() < 1e-5 * max(other.abs().max(), 1e-2)


def test_cores_share_a_long_sequence_that_wants_no_gradient(network):
    """In inference mode other threads write into the caller's tensors."""
    inputs = random(1, 900, INPUTS)
    with torch.inference_mode():
        alone, together = [], []
        for threads, found in ((1, alone), (3, together)):
            with shared_by(threads):
                found += [network(inputs)[0], network.double()(inputs.double())[0]]
            network.float()
    for one, many in zip(alone, together, strict=True):
        assert torch.equal(one, many)
