"""A long recording through a causal network, as strands of it side by side.

Frame after frame a network's matrices meet one vector at a time, and most of the time goes into the calls. A
trained network forgets what is some seconds ago. So it begins in several places at once, each time some
seconds early, without a memory. Where a strand ends, the memory is compared with the one that the next strand
began with: where they are not the same, that strand is done again from there.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sspinn_opensim.training.networks import CausalNetwork
from sspinn_opensim.training.networks.cores import shared_in_ranges
from sspinn_opensim.training.networks.state import State

#: Strands, and so many of them side by side on one core: with more, what lies between the layers leaves the
#: cache.
_STRANDS, _TOGETHER = 16, 8
#: Frames in which a network is to forget that it began without a memory.
_FORGOTTEN = 1024
#: Fewer frames than this are not worth an early start of each strand.
_FEWEST = 2 * _FORGOTTEN * _STRANDS
#: Memories are the same if no number differs by more; they are of the size of one.
_SAME = 1e-12
#: Frames of each strand that the network takes at once: what lies between the layers is small enough to be
#: kept for the next ones (`training.memory`).
_AT_ONCE = 128


class Strands:
    """A network that is given a recording part by part.

    Parameters
    ----------
    network : CausalNetwork
        In double precision.
    """

    def __init__(self, network: CausalNetwork) -> None:
        self._network, self._forgets = network, True

    def __call__(self, seen: Tensor, state: State) -> tuple[Tensor, State]:
        """Return outputs (n, outputs) for what is seen (n, inputs), and the state (1, ...) after the last.

        Parameters
        ----------
        seen : (n, inputs) Tensor
        state : tuple of Tensors
            (1, ...), after the frame before the first.
        """
        if len(seen) < _FEWEST or not self._forgets:
            outputs, state = self._network(seen[None], state)
            return outputs[0], state
        length = len(seen) // _STRANDS
        starts = range(0, _STRANDS * length, length)
        outputs = seen.new_empty(len(seen), self._network.head.outputs)
        given, found = (whole[: starts.stop].unflatten(0, (_STRANDS, length)) for whole in (seen, outputs))
        begun, ended = [state] * _STRANDS, [state] * _STRANDS

        def run(first: int, last: int) -> None:
            some = slice(first, last)
            # The first strand of all goes on from the part before.
            early = torch.stack([seen[start - _FORGOTTEN : start] for start in starts[some] if start])
            settled = self._network.start(early)
            for each in early.split(_AT_ONCE, dim=1):
                settled = self._network.remember(each, settled)[1]
            if first == 0:
                settled = tuple(torch.cat(both) for both in zip(state, settled, strict=True))
            begun[some] = _one_by_one(settled)
            ended[some] = _one_by_one(self._run(given[some], settled, found[some]))

        shared_in_ranges(run, _STRANDS, _TOGETHER)
        again = 0
        for k in range(_STRANDS):
            if all(_same(own, early) for own, early in zip(state, begun[k], strict=True)):
                state = ended[k]
            else:
                state = self._run(given[k, None], state, found[k, None])
                again += 1
        self._forgets = again < _STRANDS // 2
        if starts.stop < len(seen):
            state = self._run(seen[None, starts.stop :], state, outputs[None, starts.stop :])
        return outputs, state

    def _run(self, seen: Tensor, state: State, outputs: Tensor) -> State:
        """Put what the network gives of strands (strands, frames, ...) into outputs; return the state."""
        for given, found in zip(seen.split(_AT_ONCE, dim=1), outputs.split(_AT_ONCE, dim=1), strict=True):
            found[:], state = self._network(given.contiguous(), state)
        return state


def _one_by_one(state: State) -> list[State]:
    """Return the states (1, ...) of strands, of all of them (strands, ...)."""
    return list(zip(*(part.split(1) for part in state), strict=True))


def _same(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() <= _SAME)
