import numpy as np

from sspinn_opensim.recording.signals.runs import runs_of, true_runs, windows_within


def test_runs_cover_a_series_and_true_ones_are_among_them():
    flags = np.array([True, True, False, True, False, False, True])
    assert runs_of(flags) == [(0, 2), (2, 3), (3, 4), (4, 6), (6, 7)]
    assert true_runs(flags) == [(0, 2), (3, 4), (6, 7)]
    assert true_runs(~flags) == [(2, 3), (4, 6)]
    assert true_runs(np.zeros(3, bool)) == [] == true_runs(np.zeros(0, bool))
    assert runs_of(np.array([2, 2, 0])) == [(0, 2), (2, 3)]


def test_windows_within_are_those_of_numpy():
    random = np.random.default_rng(1)
    for _ in range(50):
        flags = random.random(random.integers(1, 30)) < 0.8
        width = int(random.integers(1, len(flags) + 1))
        expected = np.lib.stride_tricks.sliding_window_view(flags, width).all(axis=1)
        np.testing.assert_array_equal(windows_within(flags, width), expected)
