"""Memory that a step gives back is there for the next, and the system's again after the training."""

import platform
import statistics

import pytest
import torch

from sspinn_opensim.training.memory import hand_over, memory_kept

resource = pytest.importorskip("resource", reason="the system counts no pages")
pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library is left alone")
#: Sizes of blocks, MB, as a step asks for them: all of them at once, then none.
SIZES_MB = (6, 1, 6, 24, 2)


def step() -> int:
    """Return how many new pages a step takes from the system."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [torch.zeros(size << 18) for size in SIZES_MB]
    assert all(block[-1] == 0 for block in blocks)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def in_use_kb() -> int:
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def test_steps_take_no_new_pages():
    with memory_kept():
        taken = [step() for _ in range(20)]
    # Of 10000 pages in each step. How many of the first steps still find places for their blocks depends on
    # what else lies in the memory of the process: up to five were seen.
    assert statistics.median(taken) < 100


@pytest.mark.skipif(platform.system() != "Linux", reason="the system does not tell what is in use")
def test_memory_is_given_back_in_the_end():
    before = in_use_kb()
    with memory_kept():
        step()
        during = in_use_kb()
    assert during - before > 20 * 1024  # of 39 MB: some was lying there
    assert in_use_kb() - before < 10 * 1024


@pytest.mark.skipif(platform.system() != "Linux", reason="the system does not tell what is in use")
def test_large_blocks_go_back_from_between_others():
    with memory_kept():
        step()
    hand_over()
    # What earlier work left between blocks in use would hold some of them: it is filled first.
    filled = [torch.ones(6 << 18) for _ in range(20)]
    before = in_use_kb()
    blocks = [torch.ones(6 << 18) for _ in range(20)]
    del blocks[::2]
    assert in_use_kb() - before < 70 * 1024  # of 126 MB half
    del filled
