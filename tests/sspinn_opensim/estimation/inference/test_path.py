"""Heading and path by integration, frame by frame."""

from types import SimpleNamespace

import numpy as np
import pytest

from sspinn_opensim.estimation.inference.path import FOLLOWS_S, Remembered, path_function

TURNS, STAYS = (SimpleNamespace(heading=h, roles=SimpleNamespace(steps=(3, 4, 5))) for h in (object(), None))
STEP_S = 0.01


def walked(subject, velocity, yaw_rate, rate=None, pause=None):
    """Return heading and place of all frames; a gyroscope sits on a root that does not turn in its frame."""
    function = path_function(subject, STEP_S, follows=rate is not None)
    before, heading, place = np.zeros(Remembered.SIZE), [], []
    for k in range(len(velocity)):
        before = Remembered.paused(before) if k == pause else before
        gyroscope = {} if rate is None else {"rotation": np.eye(3), "rate": rate[k]}
        found = function(velocity=velocity[k], yaw_rate=yaw_rate[k], before=before, **gyroscope)
        before = found["after"].full().ravel()
        heading.append(float(found["heading"]))
        place.append(found["place"].full().ravel())
    return np.array(heading), np.array(place)


def test_a_circle_closes():
    """Six seconds ahead at 1 m/s while turning once: back where it began, but for the trapezoids."""
    rate = 2 * np.pi / 6.0
    velocity, yaw_rate = np.tile([1.0, 0.0, 0.0], (601, 1)), np.full((601, 1), rate)
    heading, place = walked(TURNS, velocity, yaw_rate)
    assert heading[-1] == pytest.approx(2 * np.pi)
    np.testing.assert_allclose(place[-1], 0.0, atol=1e-9)
    # To the left of x is -z: the circle lies there, two radii wide.
    assert place[:, 2].min() == pytest.approx(-2 / rate, rel=1e-4) and place[:, 2].max() < 1e-9


def test_who_keeps_the_heading_goes_straight_on():
    velocity = np.random.default_rng(0).normal(size=(60, 3))
    heading, place = walked(STAYS, velocity, np.zeros((60, 0)))
    way = np.cumsum(0.5 * STEP_S * (velocity[1:] + velocity[:-1]), axis=0)
    assert not heading.any() and not place[:, 1].any() and not place[0].any()
    np.testing.assert_allclose(place[1:, [0, 2]], way[:, [0, 2]], atol=1e-14)


@pytest.mark.parametrize("subject", [TURNS, STAYS])
def test_a_pause_adds_nothing(subject):
    random = np.random.default_rng(0)
    velocity, yaw_rate = random.normal(size=(60, 3)), random.normal(size=(60, int(subject is TURNS)))
    heading, place = walked(subject, velocity, yaw_rate, pause=30)
    assert heading[30] == heading[29] and (place[30] == place[29]).all() and (place[31] != place[30]).any()


def test_the_heading_follows_what_is_measured_without_its_shaking():
    """A yaw rate that is off by 0.1 rad/s ends within rate times time constant; at 8 Hz a low pass of 1 s
    leaves a fiftieth of the shaking, 1 / (2 pi 8)."""
    time_s = STEP_S * np.arange(3000)
    rate, w, shaking = np.zeros((3000, 3)), 2 * np.pi * 8.0, 0.01
    rate[:, 1] = 0.6 + shaking * w * np.cos(w * time_s)
    heading, _ = walked(TURNS, np.zeros((3000, 3)), np.full((3000, 1), 0.5), rate)
    truth = 0.6 * time_s
    np.testing.assert_allclose(heading[1000:], truth[1000:] - 0.1 * FOLLOWS_S, atol=0.01)
    assert np.ptp((heading - truth)[2000:]) < 0.025 * 2 * shaking
