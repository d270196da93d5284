"""What a second thread gains."""

from __future__ import annotations

from dataclasses import replace

import torch

from benchmarks.measure.turns import Effort, take_turns
from benchmarks.peers.route import Seconds, Work

BATCH = 8192
_TURN_S = 0.02


def two_threads_gain(work: Work, effort: Effort) -> float:
    """Return how many times faster two threads of torch are than one, by the time that passes."""
    # Short turns would measure how threads start.
    effort = replace(effort, turn_s=max(effort.turn_s, _TURN_S))
    times = take_turns({count: _with_threads(work, count) for count in (1, 2)}, effort)
    return times[1].wall / times[2].wall


def _with_threads(work: Work, count: int) -> Work:
    def run(calls: int) -> Seconds:
        before = torch.get_num_threads()
        torch.set_num_threads(count)
        try:
            return work.run(calls)
        finally:
            torch.set_num_threads(before)

    return Work(work.evaluations, run)
