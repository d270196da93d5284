"""A program shared among threads: every sample once, and no thread left behind."""

import ctypes
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from casadi_dynamics import cores
from casadi_dynamics.compiled.program import run
from casadi_dynamics.cores import side_by_side

NOTHING = (ctypes.c_int64 * 0)()


@dataclass
class Recorded:
    """Stands in for a program: notes who computed what."""

    operations: int = 10**9
    before: object = lambda: None
    ranges: list = field(default_factory=list)

    def run(self, inputs, outputs, first, last):
        self.before()
        self.ranges.append((first, last, threading.get_ident()))


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("samples", [1, 63, 64, 65, 1000, 8192, 8193])
def test_every_sample_is_computed_once(samples, threads):
    noted = Recorded()
    run(noted, NOTHING, NOTHING, samples, threads)
    ranges = sorted(r[:2] for r in noted.ranges)
    assert ranges[0][0] == 0 and ranges[-1][1] == samples
    assert all(before[1] == after[0] for before, after in itertools.pairwise(ranges))
    # Blocks of lanes begin where they do without threads, so results do not depend on how many there are.
    assert all(first % 64 == 0 and first < last for first, last in ranges)


def test_threads_share_the_work_and_no_more_than_allowed():
    noted = Recorded(before=lambda: time.sleep(0.01))
    run(noted, NOTHING, NOTHING, 64 * 8, 2)
    assert len({thread for _, _, thread in noted.ranges}) == 2


@pytest.mark.parametrize(("operations", "samples"), [(10, 1000), (10**9, 0)])
def test_little_work_stays_on_one_thread(operations, samples):
    noted = Recorded(operations)
    run(noted, NOTHING, NOTHING, samples, 8)
    assert noted.ranges == [(0, samples, threading.get_ident())]


def test_an_interruption_waits_for_the_other_threads():
    # The memory that they write to is given up as soon as the call ends.
    main, running = threading.get_ident(), threading.Event()
    ended = []

    def interrupted():
        if threading.get_ident() == main:
            assert running.wait(10)
            raise KeyboardInterrupt
        running.set()
        time.sleep(0.1)
        ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        run(Recorded(before=interrupted), NOTHING, NOTHING, 64 * 8, 2)
    assert len(ended) > 0
    count = len(ended)
    time.sleep(0.15)
    assert len(ended) == count


def test_an_error_of_another_thread_is_raised():
    main = threading.get_ident()

    def fails():
        if threading.get_ident() != main:
            raise MemoryError
        time.sleep(0.05)

    with pytest.raises(MemoryError):
        run(Recorded(before=fails), NOTHING, NOTHING, 64 * 8, 2)


def test_where_no_more_threads_can_be_had_one_does_it_all(monkeypatch):
    # So it is for a thread that outlives the main one.
    ended = ThreadPoolExecutor(1)
    ended.shutdown()
    monkeypatch.setattr(cores, "_pool", lambda: ended)
    noted = Recorded()
    run(noted, NOTHING, NOTHING, 1000, 3)
    assert sum(last - first for first, last, _ in noted.ranges) == 1000


def test_a_pool_is_made_once():
    assert cores._pool() is cores._pool()


@pytest.mark.parametrize("count", [1, 3])
def test_what_is_found_side_by_side_is_in_order(count, monkeypatch):
    monkeypatch.setattr(cores, "usable_cores", lambda: count)
    waits_s = [0.02, 0.0, 0.01, 0.0]
    assert side_by_side(lambda k: (time.sleep(waits_s[k]), k)[1], range(4)) == [0, 1, 2, 3]
    assert side_by_side(str, []) == []
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda k: 1 // k, [2, 1, 0, 3])


def test_work_within_work_within_work_ends(monkeypatch):
    """No thread waits for work that has no thread to begin it."""
    pool = ThreadPoolExecutor(2)
    monkeypatch.setattr(cores, "_pool", lambda: pool)
    monkeypatch.setattr(cores, "usable_cores", lambda: 2)

    def depth(left):
        time.sleep(0.01)
        return 1 + sum(side_by_side(depth, [left - 1] * 2)) if left else 1

    found = []
    thread = threading.Thread(target=lambda: found.append(depth(4)), daemon=True)
    thread.start()
    thread.join(20)
    assert found == [31]
