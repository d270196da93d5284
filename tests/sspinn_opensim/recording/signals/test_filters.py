import numpy as np
import pytest
from scipy import ndimage, signal

from sspinn_opensim.recording.signals.filters import both_ways, butterworth, mean_around

#: Corners in Hz of signals at 100 Hz, and the order.
FILTERS = (((8.0,), 2), ((10.0, 40.0), 2), ((0.6, 1.5), 2), ((3.0,), 6), ((0.5,), 2), ((49.0,), 4))


@pytest.mark.parametrize(("corners_hz", "order"), FILTERS)
def test_filters_are_those_of_scipy(corners_hz, order):
    kind = "lowpass" if len(corners_hz) == 1 else "bandpass"
    expected = signal.butter(order, np.squeeze(corners_hz), kind, fs=100.0, output="sos")
    own = butterworth(*corners_hz, rate_hz=100.0, order=order)
    assert own.shape == expected.shape
    at = np.exp(1j * np.pi * np.linspace(0.001, 0.999, 50))
    np.testing.assert_allclose(_response(own, at), _response(expected, at), rtol=1e-9, atol=1e-12)

    samples = np.random.default_rng(0).normal(size=(1000, 3, 2)).cumsum(axis=0) + 50.0
    filtered = both_ways(own, samples, 200)
    np.testing.assert_allclose(filtered, signal.sosfiltfilt(expected, samples, axis=0, padlen=200), atol=1e-9)


def _response(sections, at):
    numerator, denominator = sections[:, :3], sections[:, 3:]
    power = at[:, None] ** -np.arange(3)
    return np.prod((power @ numerator.T) / (power @ denominator.T), axis=1)


@pytest.mark.parametrize("count", [2, 63, 64, 65, 129])
def test_signals_may_be_of_any_length(count):
    samples = np.random.default_rng(count).normal(size=count)
    sections = butterworth(8.0, rate_hz=100.0)
    expected = signal.sosfiltfilt(sections, samples, padlen=count - 1)
    np.testing.assert_allclose(both_ways(sections, samples, count - 1), expected, atol=1e-12)


@pytest.mark.parametrize("width", [1, 2, 5, 8])
@pytest.mark.parametrize(("wraps", "mode"), [(False, "nearest"), (True, "wrap")])
def test_means_around_samples_are_those_of_scipy(width, wraps, mode):
    samples = np.random.default_rng(0).normal(size=(40, 3))
    expected = ndimage.uniform_filter1d(samples, width, axis=0, mode=mode)
    np.testing.assert_allclose(mean_around(samples, width, wraps=wraps), expected, atol=1e-13)
