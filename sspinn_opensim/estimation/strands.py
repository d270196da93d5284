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
from sspinn_opensim.training.networks.state import State

#: Strands side by side: with more, what lies between the layers leaves the cache.
_STRANDS = 16
#: Frames in which a network is to forget that it began without a memory.
_FORGOTTEN = 1024
#: Fewer frames than this are not worth an early start of each strand.
_FEWEST = 2 * _FORGOTTEN * _STRANDS
#: Memories are the same if no number differs by more; they are of the size of one.
_SAME = 1e-12
#: Frames of each strand that the network takes at once: memory does not grow with the recording.
_AT_ONCE = 512


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
            return self._one(seen, state)
        length = len(seen) // _STRANDS
        starts = range(0, _STRANDS * length, length)
        early = torch.stack([seen[start - _FORGOTTEN : start] for start in starts[1:]])
        settled = self._network.settle(early)
        begun = tuple(torch.cat(both) for both in zip(state, settled, strict=True))
        parts, ended = [], begun
        for first in range(0, length, _AT_ONCE):
            last = min(first + _AT_ONCE, length)
            outputs, ended = self._network(
                torch.stack([seen[start + first : start + last] for start in starts]), ended
            )
            parts.append(outputs)
        found, again = [*torch.cat(parts, dim=1)], 0
        for k, start in enumerate(starts):
            if all(_same(own, part[k]) for own, part in zip(state, begun, strict=True)):
                state = tuple(part[k : k + 1] for part in ended)
            else:
                found[k], state = self._one(seen[start : start + length], state)
                again += 1
        self._forgets = again < _STRANDS // 2
        if rest := len(seen) - starts.stop:
            outputs, state = self._one(seen[-rest:], state)
            found.append(outputs)
        return torch.cat(found), state

    def _one(self, seen: Tensor, state: State) -> tuple[Tensor, State]:
        outputs, state = self._network(seen[None], state)
        return outputs[0], state


def _same(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() <= _SAME)
