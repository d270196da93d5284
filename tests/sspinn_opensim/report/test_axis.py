"""The part of a recording that charts over time show: its last seconds of gait."""

from types import SimpleNamespace

import numpy as np
import pytest

from sspinn_opensim.recording import Phase
from sspinn_opensim.report.axis import Axis
from sspinn_opensim.report.summary import shown_hint

STANDING = Phase("standing", 0.0, 11.0), Phase("standing", 21.0, 25.0)


@pytest.mark.parametrize(
    ("gait", "part", "span"),
    [
        ((Phase("walking", 11.0, 14.0), Phase("walking", 16.0, 21.0)), (0.0, 25.0), (16.0, 21.0)),
        ((Phase("walking", 1.0, 3.0),), (0.0, 25.0), (0.0, 5.0)),
        ((Phase("running", 11.0, 21.0),), (0.0, 15.0), (10.0, 15.0)),
        ((Phase("walking", 1.0, 3.0),), (4.0, 25.0), (20.0, 25.0)),
        ((), (0.0, 25.0), (20.0, 25.0)),
        ((Phase("walking", 1.0, 3.0),), (1.0, 4.0), (1.0, 4.0)),
    ],
)
def test_charts_show_the_last_seconds_of_gait(gait, part, span):
    frames_s = np.linspace(*part, 101)
    recording = SimpleNamespace(time_s=np.linspace(0.0, 25.0, 101), cycle_s=None)
    phases = (*STANDING, *gait)
    data = SimpleNamespace(frames_s=frames_s, recording=recording, cycles=None, phases=phases)
    axis = Axis.of(data)  # pyright: ignore[reportArgumentType]
    assert axis.span == pytest.approx(span)
    hint = shown_hint(axis, data)  # pyright: ignore[reportArgumentType]
    whole = span == part
    assert bool(hint) != whole and (whole or f"show {span[0]:.1f} to {span[1]:.1f} s" in hint[0])


def test_charts_show_the_gait_whose_muscles_were_analysed():
    """Three strides in the middle of a long walk, not its end, where the person stops."""
    recording = SimpleNamespace(time_s=np.linspace(0.0, 70.0, 701), cycle_s=None)
    walk = (Phase("walking", 1.0, 69.0),)
    data = SimpleNamespace(frames_s=recording.time_s, recording=recording, cycles=None, phases=walk)
    spans = [Axis.of(data, to_s).span for to_s in (33.0, 2.0, 69.9, None)]  # pyright: ignore[reportArgumentType]
    assert spans == [(28.0, 33.0), (0.0, 5.0), (64.0, 69.0), (64.0, 69.0)]
