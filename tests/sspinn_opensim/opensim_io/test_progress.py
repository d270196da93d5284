"""Lines that tell how far OpenSim is."""

import itertools
import re

import pytest

from sspinn_opensim.opensim_io.progress import Progress

FRAME = re.compile(r"^time = \S+", re.MULTILINE)


@pytest.fixture
def told(caplog):
    """Return a function: seconds and lines of OpenSim to what is told, with the second it is told at."""

    def run(progress_of, *, until_s, lines_a_second):
        now_s = [0.0]
        progress, found = progress_of(lambda: now_s[0]), []
        with caplog.at_level("INFO", "sspinn_opensim"):
            for second in range(1, until_s + 1):
                now_s[0] = float(second)
                caplog.clear()
                progress("time = 1 Performance = 2\n" * lines_a_second)
                found += [(second, record.getMessage()) for record in caplog.records]
        return found

    return run


def test_frames_and_the_time_left_are_told_now_and_then(told):
    def progress_of(clock):
        return Progress("static optimization", 300, FRAME, clock)

    found = told(progress_of, until_s=70, lines_a_second=4)
    assert [second for second, _ in found] == [10, 20, 30, 40, 54]
    assert found[0][1] == "static optimization: 40 of 300 frames after 0:10, about 1:05 left"
    assert found[-1][1] == "static optimization: 216 of 300 frames after 0:54, about 0:21 left"


def test_what_tells_no_frames_has_its_time_told(told):
    found = told(lambda clock: Progress("joint reactions", 966, None, clock), until_s=1000, lines_a_second=1)
    assert found[0] == (10, "joint reactions: 966 frames, 0:10 so far")
    assert found[-1][1] == "joint reactions: 966 frames, 15:48 so far"
    seconds = [second for second, _ in found]
    assert max(b - a for a, b in itertools.pairwise(seconds)) == 60 and len(seconds) < 30
