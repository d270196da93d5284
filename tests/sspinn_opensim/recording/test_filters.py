"""Filters: those of scipy.signal, which the package does without."""

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

from sspinn_opensim.recording.filters import both_ways, butterworth


@pytest.mark.parametrize(("corners_hz", "order"), [((8.0,), 2), ((3.3,), 6), ((45.0,), 4), ((0.6, 1.5), 2)])
@pytest.mark.parametrize("shape", [(300,), (300, 2, 3)])
def test_filters_are_those_of_scipy(corners_hz, order, shape):
    signal = np.random.default_rng(0).normal(size=shape) + 9.81
    kind, corners = ("lowpass", corners_hz[0]) if len(corners_hz) == 1 else ("bandpass", corners_hz)
    expected = sosfiltfilt(butter(order, corners, kind, fs=100.0, output="sos"), signal, axis=0, padlen=40)
    found = both_ways(butterworth(*corners_hz, rate_hz=100.0, order=order), signal, 40)
    # Rounding, which a filter of six poles far below the rate enlarges.
    np.testing.assert_allclose(found, expected, atol=1e-11)


def test_complex_signals_are_filtered_in_both_parts():
    signal = np.random.default_rng(0).normal(size=(200, 2)) @ [1.0, 1.0j]
    lowpass = butterworth(5.0, rate_hz=100.0)
    found = both_ways(lowpass, signal, 20)
    np.testing.assert_allclose(found.real, both_ways(lowpass, signal.real, 20), atol=1e-13)
    np.testing.assert_allclose(found.imag, both_ways(lowpass, signal.imag, 20), atol=1e-13)
