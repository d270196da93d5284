"""Strands of a recording side by side: what the network gives frame after frame, forgetting or not."""

import pytest
import torch

from sspinn_opensim.estimation.inference import strands
from sspinn_opensim.estimation.inference.strands import Strands
from sspinn_opensim.training.networks import LstmNetwork

INPUTS, FRAMES = 5, 1243
#: Sums of few and of many rows are made in another order.
ROUNDING = 1e-12


class Counted(LstmNetwork):
    """A network that counts frames it is given alone."""

    alone = 0

    def forward(self, signals, state=None, unread=0):
        """Count."""
        self.alone += signals.shape[1] if len(signals) == 1 else 0
        return super().forward(signals, state, unread)


@pytest.fixture
def short(monkeypatch):
    """Let strands be short."""
    monkeypatch.setattr(strands, "_FORGOTTEN", 64)
    monkeypatch.setattr(strands, "_FEWEST", 1000)
    monkeypatch.setattr(strands, "_AT_ONCE", 30)


def network(forget: float) -> Counted:
    """Return a network whose gates keep more of their memory the larger a number is."""
    torch.manual_seed(0)
    made = Counted(INPUTS, outputs=3, width=8).double().eval()
    for name, bias in made.recurrent.named_parameters():
        if name.startswith("bias_ih"):
            bias.data[8:16] = forget
    return made


def both(made: Counted, parts: int):
    """Return outputs and state of a recording in one go, the same by strands, and the frames taken alone."""
    seen = torch.randn(parts * FRAMES, INPUTS, dtype=torch.double)
    with torch.inference_mode():
        whole, state = made(seen[None])
        side_by_side, at, found = Strands(made), made.start(seen[None]), []
        made.alone = 0
        for part in seen.split(FRAMES):
            outputs, at = side_by_side(part, at)
            found.append(outputs)
    return (whole[0], *state), (torch.cat(found), *at), made.alone


def test_a_network_that_forgets_is_given_strands(short):
    expected, found, alone = both(network(forget=-2.0), parts=2)
    for one, other in zip(expected, found, strict=True):
        torch.testing.assert_close(other, one, rtol=0, atol=ROUNDING)
    assert alone == 2 * (FRAMES % 16)


def test_what_a_network_remembers_is_not_lost(short):
    expected, found, alone = both(network(forget=6.0), parts=3)
    for one, other in zip(expected, found, strict=True):
        torch.testing.assert_close(other, one, rtol=0, atol=ROUNDING)
    # The first strand begins with the right memory; after that part nothing is done twice.
    assert alone == 3 * FRAMES - FRAMES // 16


def test_a_short_part_is_not_cut(short):
    made = network(forget=-2.0)
    seen = torch.randn(999, INPUTS, dtype=torch.double)
    with torch.inference_mode():
        outputs, _ = Strands(made)(seen, made.start(seen[None]))
        assert torch.equal(outputs, made(seen[None])[0][0])
