import dataclasses

import numpy as np
import pytest

from sspinn_opensim.recording import Recording, Sensor, resample
from sspinn_opensim.recording.resample import uniform_clock
from sspinn_opensim.recording.signals.filters import low_pass


def tone(frequency_hz: float, rate_hz: float, duration_s: float = 4.0) -> Recording:
    time_s = 10.0 + uniform_clock(duration_s, rate_hz)
    signal = np.sin(2 * np.pi * frequency_hz * time_s)[:, None, None] * np.ones((1, 1, 3))
    known = np.ones((1, 3), dtype=bool)
    nothing = np.zeros((1, 3))
    return Recording("tone", time_s, (Sensor("s", "b"),), signal, signal, known, known, nothing, nothing)


def middle(recording: Recording) -> tuple[np.ndarray, np.ndarray]:
    keep = (recording.time_s > 11) & (recording.time_s < 13)
    return recording.time_s[keep], recording.acceleration[keep, 0, 0]


@pytest.mark.parametrize(("old", "new"), [(60.0, 100.0), (148.0, 100.0), (1000.0, 100.0), (128.0, 100.0)])
def test_what_the_new_rate_can_hold_is_kept_without_lag(old, new):
    result = resample(tone(5.0, old), new)
    time_s, signal = middle(result)
    assert result.sampling_rate_hz == pytest.approx(new)
    # A spline at 12 samples a period (the worst case here) is off by less than half a percent.
    np.testing.assert_allclose(signal, np.sin(2 * np.pi * 5.0 * time_s), atol=5e-3)


def test_what_the_new_rate_cannot_hold_is_removed_and_not_folded():
    _, signal = middle(resample(tone(90.0, 1000.0), 100.0))
    assert np.max(np.abs(signal)) < 1e-3


def test_the_same_rate_changes_nothing():
    recording = tone(5.0, 100.0)
    assert resample(recording, 100.0) is recording


def test_the_clock_stays_inside_the_recording():
    result = resample(tone(1.0, 64.0), 100.0)
    assert result.time_s[0] == 10.0 and result.time_s[-1] == pytest.approx(14.0)
    np.testing.assert_array_equal(uniform_clock(0.025, 100.0), [0.0, 0.01, 0.02])


@pytest.mark.parametrize(("order", "cutoff_hz"), [(2, 6.0), (2, 12.0), (6, 32.5)])
def test_the_low_pass_takes_three_decibels_at_its_cut_off_and_has_no_lag(order, cutoff_hz):
    time_s = np.arange(2000) / 200
    wave = np.sin(2 * np.pi * cutoff_hz * time_s)
    found = low_pass(wave, cutoff_hz, 200.0, order=order)[500:-500]
    np.testing.assert_allclose(found, wave[500:-500] / np.sqrt(2), atol=2e-3)
    slow = np.sin(2 * np.pi * cutoff_hz / 10 * time_s)
    np.testing.assert_allclose(
        low_pass(slow, cutoff_hz, 200.0, order=order)[500:-500], slow[500:-500], atol=2e-3
    )


def test_a_few_samples_can_be_resampled():
    assert resample(tone(1.0, 100.0, duration_s=0.05), 50.0).time_s.size == 3


def test_what_is_not_usable_stays_so_at_another_rate():
    """The stretch grows to the samples around it, and never shrinks."""
    made = tone(1.0, 100.0)
    usable = (made.time_s < 11.995) | (made.time_s > 12.505)
    result = resample(dataclasses.replace(made, usable=usable), 60.0)
    lost = result.time_s[~result.usable]
    assert 11.98 < lost[0] <= 12.0 + 1 / 60 and 12.5 - 1 / 60 <= lost[-1] < 12.52
