"""Filter and derivatives against OpenSim's `Storage`, and on motions whose derivatives are known."""

import numpy as np
import pytest
import scipy.signal

from casadi_dynamics.errors import InputError
from sspinn_opensim.dynamics.trial import _butterworth, analyzed, differentiated
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage, write_storage

SCRIPT = """
import os, sys
import opensim
opensim.Logger.setLevelString("Off")
storage = opensim.Storage(sys.argv[1])
storage.pad(storage.getSize() // 2)
storage.lowpassIIR(float(sys.argv[2]))
storage.printResult(storage, "filtered", sys.argv[3], -1, ".sto")
print("{}")
sys.stdout.flush()
os._exit(0)
"""


def noisy(time_s):
    random = np.random.default_rng(3)
    waves = np.column_stack([np.sin(6 * time_s), np.cos(11 * time_s + 1), 0.3 * time_s**2])
    return waves + 0.02 * random.standard_normal(waves.shape)


@pytest.mark.parametrize("decimals", [8, 2])
@pytest.mark.parametrize("frames", [61, 62])
def test_the_filter_is_opensims(in_opensim, tmp_path, decimals, frames):
    """With two decimals the steps of 60 Hz are 0.01 and 0.02 s, so OpenSim resamples first."""
    time_s = np.round(np.arange(frames) / 60, decimals)
    write_storage(tmp_path / "raw.sto", Table(("a", "b", "c"), time_s, noisy(time_s), False, "raw"))
    in_opensim(SCRIPT, tmp_path / "raw.sto", 6.0, tmp_path)
    expected = read_storage(tmp_path / "filtered.sto")
    ours = analyzed(time_s, noisy(time_s), 6.0, (time_s[0], time_s[-1]))
    inside = (expected.time_s > time_s[0] - 1e-6) & (expected.time_s < time_s[-1] + 1e-6)
    printed = 1e-7  # eight decimals
    np.testing.assert_allclose(ours.time_s, expected.time_s[inside], atol=printed)
    np.testing.assert_allclose(ours.q, expected.values[inside], atol=printed)


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.98])
def test_the_filter_has_the_coefficients_of_butterworths(share):
    expected = scipy.signal.butter(3, share)
    for ours, theirs in zip(_butterworth(share), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)  # rounding of sums of order one


def test_without_filter_derivatives_are_those_of_the_motion():
    time_s = np.linspace(0, 2, 201)
    q = np.column_stack([np.sin(3 * time_s), time_s**3])
    moved = analyzed(time_s, q, 0.0)
    inner = slice(30, -30)  # at its ends the natural spline has no third derivative
    np.testing.assert_array_equal(moved.q, q)
    np.testing.assert_allclose(moved.qdot[inner, 0], 3 * np.cos(3 * time_s[inner]), atol=1e-8)
    np.testing.assert_allclose(moved.qddot[inner, 0], -9 * np.sin(3 * time_s[inner]), atol=1e-5)
    np.testing.assert_allclose(moved.qddot[inner, 1], 6 * time_s[inner], atol=1e-4)


def test_a_slow_motion_passes_the_filter():
    time_s = np.linspace(0, 4, 401)
    q = np.sin(2 * np.pi * 0.5 * time_s)[:, None]
    moved = analyzed(time_s, q, 10.0, (1.0, 3.0))
    assert len(moved.time_s) == 201
    # Both passes of the filter together take (0.5 / 10)^6 of the amplitude.
    np.testing.assert_allclose(moved.q[:, 0], np.sin(np.pi * moved.time_s), atol=1e-6)


def test_the_window_takes_the_frames_that_opensim_takes():
    """From the last frame at or before the start to the last at or before the end."""
    time_s = np.linspace(0, 1, 101)
    moved = analyzed(time_s, noisy(time_s), 0.0, (0.203, 0.309))
    assert moved.time_s[0] == pytest.approx(0.20) and moved.time_s[-1] == pytest.approx(0.30)
    early = analyzed(time_s, noisy(time_s), 0.0, (-0.5, 0.055))
    assert early.time_s[0] == 0 and early.time_s[-1] == pytest.approx(0.05)


@pytest.mark.parametrize("lowpass_hz", [0.0, 6.0])
def test_accelerations_by_speeds_are_those_of_the_analyze_tool(lowpass_hz):
    time_s = np.arange(101) / 64  # steps without rounding: nothing is resampled
    tool = analyzed(time_s, noisy(time_s), lowpass_hz)
    ours = differentiated(time_s, noisy(time_s), lowpass_hz, by_speeds=True)
    largest = np.abs(tool.qddot).max()
    np.testing.assert_allclose(ours.qddot, tool.qddot, atol=1e-9 * largest)
    by_coordinates = differentiated(time_s, noisy(time_s), lowpass_hz).qddot
    assert np.abs(by_coordinates - tool.qddot).max() > 1e-6 * largest


@pytest.mark.parametrize(
    ("time_s", "window", "message"),
    [
        (np.linspace(0, 1, 5), None, "too short"),
        (np.array([0, 1, 2, 2, 3, 4, 5.0]), None, "do not rise"),
        (np.linspace(0, 1, 11), (-2.0, -1.0), "No frame"),
        (np.linspace(0, 1, 11), (0.9, 0.2), "No frame"),
    ],
)
def test_motions_that_cannot_be_used_are_refused(time_s, window, message):
    with pytest.raises(InputError, match=message):
        analyzed(time_s, np.zeros((len(time_s), 2)), 0.0, window)
