"""Times that each part of the way of a sample takes, as percentiles, in memory that does not grow."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

import numpy as np

#: Bins from a microsecond to a hundred seconds; neighbours are 2.3 % apart.
_EDGES_S = np.geomspace(1e-6, 1e2, 800).tolist()
PERCENTILES = (50, 95, 99)
_KEYS = tuple(f"p{p}" for p in PERCENTILES)
#: For feedback to someone who walks a frame should be out after so long, s: the limit of the field.
FEEDBACK_LIMIT_S = 0.075
#: Parts of the way, in their order, and what each is.
PARTS = {
    "waiting": "from the time of a frame until all of it has come",
    "alignment": "one clock and one frame of all samples",
    "network": "signals to the network's outputs",
    "physics": "outputs to coordinates, moments and ground forces",
    "muscles": "coordinates and moments to activations and forces of muscles",
    "adaptation": "samples kept to learn from, and a new network that follows them",
    "output": "files and senders",
    "path": "alignment to output: the last sample in, results out",
    "total": "from the time of a frame until its results are out",
}
#: Those from the last sample in to results out, which make up `path`.
PATH = ("alignment", "network", "physics", "muscles", "adaptation", "output")


class Latency:
    """Counts how long each part took."""

    def __init__(self) -> None:
        self._counts = {name: np.zeros(len(_EDGES_S) + 1, int) for name in PARTS}
        self._largest = dict.fromkeys(PARTS, 0.0)

    def add(self, **seconds: float) -> None:
        """Count how long parts took, s."""
        for name, value in seconds.items():
            self._counts[name][bisect_left(_EDGES_S, value)] += 1
            self._largest[name] = max(self._largest[name], value)

    def percentiles_ms(self) -> dict[str, dict[str, float]]:
        """Return 50th, 95th and 99th percentile and the largest time of every part that was counted, ms."""
        found = {}
        for name, counts in self._counts.items():
            if not counts.any():
                continue
            sums = counts.cumsum()
            places = [int(sums.searchsorted(p / 100 * sums[-1])) for p in PERCENTILES]
            ends = [min(_EDGES_S[min(i, len(_EDGES_S) - 1)], self._largest[name]) for i in places]
            values = {f"p{p}": 1000 * float(end) for p, end in zip(PERCENTILES, ends, strict=True)}
            found[name] = values | {"largest": 1000 * self._largest[name]}
        return found


def described(percentiles_ms: Mapping[str, Mapping[str, float]]) -> str:
    """Return percentiles in one line."""
    return ", ".join(
        f"{name} {' / '.join(f'{values[key]:.2g}' for key in _KEYS)}"
        for name, values in percentiles_ms.items()
    )
