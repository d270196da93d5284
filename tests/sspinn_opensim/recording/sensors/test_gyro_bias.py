import numpy as np
import pytest

from sspinn_opensim.recording.sensors.gyro_bias import describe_biases, gyro_biases

RATE_HZ = 100.0
BIAS = np.radians([0.8, -1.2, 0.3])


def person(standing_s=6.0, walking_s=6.0, bias=BIAS, sway_deg=0.3, ends_standing=False, later=0.0, seed=0):
    """Return time and signals of one sensor on a person who stands, swaying a little, and walks."""
    rng = np.random.default_rng(seed)
    parts = [(standing_s, False), (walking_s, True), *([(standing_s, False)] if ends_standing else [])]
    rate, force = [], []
    for number, (duration_s, moving) in enumerate(parts):
        time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
        wave = np.sin(2 * np.pi * 0.4 * time_s[:, None] + rng.uniform(0, 6, 3)) * 2 * np.pi * 0.4
        turning = 2.0 * np.sin(2 * np.pi * 0.9 * time_s)[:, None] if moving else 0.0
        rate.append(bias + (later if number == 2 else 0.0) + np.radians(sway_deg) * wave + turning)
        shaking = 3.0 * np.sin(2 * np.pi * 1.8 * time_s)[:, None] if moving else 0.0
        force.append(np.array([0.0, 9.81, 0.0]) + shaking + 0.02 * rng.normal(size=(len(time_s), 3)))
    rate = np.concatenate(rate) + 0.002 * rng.normal(size=(sum(map(len, rate)), 3))
    return np.arange(len(rate)) / RATE_HZ, np.concatenate(force)[:, None], rate[:, None]


def bias_of(*signals, **options):
    return gyro_biases(["shank"], *signals, **options)


@pytest.mark.parametrize("seed", range(5))
def test_the_bias_is_found_within_what_is_stated_of_it(seed):
    (found,) = bias_of(*person(seed=seed))
    miss = np.abs(found.bias_rad_s - BIAS) / found.deviation_rad_s
    assert np.all(miss < 3) and np.degrees(np.max(found.deviation_rad_s)) < 0.3
    assert found.subtracted and found.drift_rad_s is None and 5.5 < found.still_s < 6.3
    assert "'shank' 1.4" in describe_biases([found])[0] or "'shank' 1.5" in describe_biases([found])[0]


def test_who_never_rests_has_no_bias():
    assert bias_of(*person(standing_s=0.6)) == ()


def test_who_sways_says_too_little_to_subtract():
    (found,) = bias_of(*person(standing_s=1.5, sway_deg=0.9))
    assert not found.subtracted and np.degrees(np.max(found.deviation_rad_s)) > 0.3
    assert describe_biases([found]) == []


def test_a_good_gyroscope_is_left_alone():
    (found,) = bias_of(*person(bias=np.zeros(3), standing_s=10.0))
    assert not found.subtracted


def test_the_time_of_standing_may_be_stated():
    """Someone who sways more than a rest is found in, but stands for long."""
    time_s, force, rate = person(standing_s=60.0, sway_deg=3.0)
    assert bias_of(time_s, force, rate) == ()
    (found,) = bias_of(time_s, force, rate, standing_s=(0.0, 60.0))
    assert np.all(np.abs(found.bias_rad_s - BIAS) < 3 * np.array(found.deviation_rad_s))


def test_a_bias_that_changes_is_said():
    later = np.radians([0.0, 0.7, 0.0])
    (found,) = bias_of(*person(standing_s=8.0, ends_standing=True, later=later))
    np.testing.assert_allclose(found.drift_rad_s, later, atol=np.radians(0.15))
    assert any("changes by 0." in note for note in describe_biases([found]))
    (steady,) = bias_of(*person(standing_s=8.0, ends_standing=True))
    np.testing.assert_array_equal(steady.drift_rad_s, 0.0)


def test_what_fills_a_gap_is_no_rest():
    time_s, acceleration, rate = (signal.copy() for signal in person(standing_s=0.0))
    gap = time_s > time_s[-1] - 2.0
    acceleration[gap], rate[gap] = acceleration[~gap][-1], 0.05
    assert bias_of(time_s, acceleration, rate)
    assert bias_of(time_s, acceleration, rate, usable=~gap) == ()
    stated = {"standing_s": (float(time_s[gap][0]), float(time_s[-1])), "usable": ~gap}
    assert bias_of(time_s, acceleration, rate, **stated) == ()
