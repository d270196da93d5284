"""Strikes and toe-offs: of forces made here to the sample, and of force plates with published events."""

import numpy as np
import pytest

from sspinn_opensim.gait import Contact, contacts
from sspinn_opensim.gait.events import overlap_s

#: The load passes the threshold of 5 % after 5 % of its rise of 40 ms.
RISE_S = 0.05 * 0.04
#: Linear interpolation between samples 5 ms apart, of a force with a corner.
EVENT_S = 2e-3


def test_events_lie_where_the_force_crosses_the_threshold(made):
    time_s = np.arange(600) / made.rate_hz
    (found,) = contacts(time_s, made.force_of(time_s, [(1.0013, 1.6027)]), made.body_weight_n)
    assert (found.strike_s, found.toe_off_s) == pytest.approx((1.0013 + RISE_S, 1.6027 - RISE_S), abs=EVENT_S)
    assert found.begins and found.ends


def test_what_data_cut_is_marked(made):
    time_s = np.arange(400) / made.rate_hz
    force = made.force_of(time_s, [(-0.3, 0.4), (1.7, 2.5)])
    first, last = contacts(time_s, force, made.body_weight_n)
    assert (first.begins, first.ends, last.begins, last.ends) == (False, True, True, False)
    force[90:110] = np.nan  # nothing was measured, though the foot may be down
    assert [c.ends for c in contacts(time_s, force, made.body_weight_n)] == [True, False]


def test_scuffs_and_dips_are_no_events(made):
    time_s = np.arange(600) / made.rate_hz
    force = made.force_of(time_s, [(1.0, 1.7)])
    force[(time_s > 1.3) & (time_s < 1.36)] = 0.0  # shorter than any swing
    force[(time_s > 0.5) & (time_s < 0.53)] = 100.0  # shorter than any stance
    force[np.abs(time_s - 2.2) < 0.2] = 30.0  # a plate that drifts
    assert len(contacts(time_s, force, made.body_weight_n)) == 1


def test_overlap(made):
    right, left = [Contact(0.0, 0.6), Contact(1.0, 1.6)], [Contact(0.5, 1.1)]
    assert overlap_s(right, left, 0.0, 1.0) == pytest.approx(0.1)
    assert overlap_s(right, left, 0.0, 2.0) == pytest.approx(0.2)


def plates(file):
    """Return the vertical forces of a laboratory's file, by side."""
    from sspinn_opensim.evaluation.curves import ground_force_of
    from sspinn_opensim.opensim_io.tables.storage import read_storage

    table = read_storage(file)
    return table.time_s, {s: f[:, 1] for s, f in ground_force_of(table, where=str(file)).items()}


def test_strikes_on_plates_as_their_notes_have_them(shared):
    weight_n = 75.6 * 9.81
    time_s, up = plates(shared / "data/kuopio2024_walk/walk_grf.mot")
    found = {side: contacts(time_s, force, weight_n) for side, force in up.items()}
    noted = {"l": [(5.548, 6.120), (6.422, 7.003)], "r": [(5.989, 6.554)]}
    for side, events in noted.items():
        seen = [(c.strike_s, c.toe_off_s) for c in found[side]]
        # Theirs count from 20 N, half of the threshold here: 1 to 6 ms in a rise of 10 N a millisecond.
        np.testing.assert_allclose(seen, events, atol=0.007)
