"""Rehearsals in the pauses of a stream change nothing that is streamed."""

import numpy as np
import pytest

from sspinn_opensim.streaming.rehearsal import Rehearsal


def played(live, arrivals, *, rehearse):
    """Return the frames of a stream, and how often was rehearsed; time is made, in steps of 0.2 ms."""
    rehearsal, frames, rehearsed = Rehearsal(live), [], 0
    arrivals = sorted(arrivals, key=lambda pair: pair[0])
    now = arrivals[0][0]
    for arrived, sample in arrivals:
        while now < arrived:
            frames += [found for found in live.advance(now) if hasattr(found, "estimate")]
            if rehearse:
                rehearsal.taken(now)
                rehearsed += rehearsal.rehearse(now) > 0
            now += 0.0002
        live.take(sample, arrived)
    return frames, rehearsed


@pytest.mark.parametrize("with_muscles", [False, True])
def test_not_a_bit_of_a_stream_changes(make_live, make_muscles, arrivals, with_muscles):
    """With lost samples, of which some are held, and a sensor that is away for a while."""
    found = []
    for rehearse in (False, True):
        live = make_live(muscles=make_muscles() if with_muscles else None)
        sent = arrivals(to_row=400, loss=0.03, jitter_s=0.003, dead=[(2, 1.5, 2.0)])
        found.append(played(live, sent, rehearse=rehearse))
    (plain, none), (beside, often) = found
    assert none == 0 and often > 200 and len(plain) == len(beside) > 300
    for one, other in zip(plain, beside, strict=True):
        assert (one.time_s, one.held, one.late) == (other.time_s, other.held, other.late)
        for name in ("q", "moments"):
            np.testing.assert_array_equal(getattr(one.estimate, name), getattr(other.estimate, name))
        np.testing.assert_array_equal(one.estimate.ground.force, other.estimate.ground.force)
        if with_muscles and one.muscles is not None and other.muscles is not None:
            np.testing.assert_array_equal(one.muscles.activations, other.muscles.activations)


def test_it_is_rehearsed_shortly_before_a_sample_is_due(make_live, arrivals, play_to):
    live = make_live()
    play_to(live, arrivals(to_row=100), until_s=0.0)
    rehearsal = Rehearsal(live)
    assert rehearsal.wait_s(0.0, 0.005) == 0.005 and rehearsal.rehearse(0.0) == 0.0  # nothing is due
    sent = arrivals(from_row=100, to_row=101)
    for arrived, sample in sent:
        live.take(sample, arrived)
    now = sent[-1][0] + 0.001
    assert live.advance(now)
    rehearsal.taken(now)
    assert rehearsal.rehearse(now + 0.002) == 0.0 and 0.0 < rehearsal.wait_s(now + 0.002, 0.1) < 0.008
    assert rehearsal.rehearse(now + 0.0095) > 0.0
    # What does not come is not rehearsed for for long.
    assert rehearsal.rehearse(now + 0.025) == 0.0 and rehearsal.wait_s(now + 0.025, 0.005) == 0.005
