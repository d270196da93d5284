"""State of a causal network."""

from __future__ import annotations

from torch import Tensor

#: Memory after a frame, (batch, width) each; how many and what for is the network's own business.
State = tuple[Tensor, ...]
