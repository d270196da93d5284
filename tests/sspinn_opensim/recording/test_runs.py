import numpy as np

from sspinn_opensim.recording.runs import runs_of, true_runs


def test_runs_cover_a_series_and_true_ones_are_among_them():
    flags = np.array([True, True, False, True, False, False, True])
    assert runs_of(flags) == [(0, 2), (2, 3), (3, 4), (4, 6), (6, 7)]
    assert true_runs(flags) == [(0, 2), (3, 4), (6, 7)]
    assert true_runs(~flags) == [(2, 3), (4, 6)]
    assert true_runs(np.zeros(3, bool)) == [] == true_runs(np.zeros(0, bool))
    assert runs_of(np.array([2, 2, 0])) == [(0, 2), (2, 3)]
