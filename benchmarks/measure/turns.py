"""Routes timed in turns, so that a machine that slows down slows all of them."""

from __future__ import annotations

import gc
import math
from dataclasses import dataclass
from statistics import median

from benchmarks.peers.route import Seconds, Work

#: A call that takes longer than this is measured in fewer rounds.
_SLOW_S = 0.5
_FEWEST_ROUNDS = 3


@dataclass(frozen=True)
class Effort:
    """How much to measure: rounds over all routes, and the least time of each turn, s."""

    rounds: int
    turn_s: float


THOROUGH, QUICK = Effort(rounds=9, turn_s=0.05), Effort(rounds=3, turn_s=0.005)


def take_turns(works: dict[str, Work], effort: Effort) -> dict[str, Seconds]:
    """Return the median time of one call of each work.

    Parameters
    ----------
    works : dict of str to Work
        Called in this order in every round, each as often as fills a turn.
    effort : Effort
    """
    calls, rounds = {}, {}
    for name, work in works.items():
        work.run(1)  # what is made at the first call is not timed here
        once = max(work.run(1).wall, 1e-7)
        calls[name] = math.ceil(effort.turn_s / once)
        rounds[name] = effort.rounds if once < _SLOW_S else min(effort.rounds, _FEWEST_ROUNDS)
    taken: dict[str, list[Seconds]] = {name: [] for name in works}
    gc.collect()
    for number in range(effort.rounds):
        for name, work in works.items():
            if number < rounds[name]:
                taken[name].append(work.run(calls[name]) / calls[name])
    return {
        name: Seconds(median(each.cpu for each in turns), median(each.wall for each in turns))
        for name, turns in taken.items()
    }
