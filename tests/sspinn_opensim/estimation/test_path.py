"""Heading and path by integration."""

from types import SimpleNamespace

import numpy as np
import pytest

from sspinn_opensim.estimation.path import FOLLOWS_S, Path

TURNS, STAYS = (SimpleNamespace(heading=h, roles=SimpleNamespace(steps=(3, 4, 5))) for h in (object(), None))


def extended(subject, velocity, yaw_rate, pieces):
    path, found = Path(subject, 0.01), []
    for part in np.split(np.arange(len(velocity)), pieces):
        found.append(path.extend(velocity[part], yaw_rate[part]))
    return np.concatenate([h for h, _ in found]), np.concatenate([p for _, p in found])


def test_a_circle_closes():
    """Six seconds ahead at 1 m/s while turning once: back where it began, but for the trapezoids."""
    rate = 2 * np.pi / 6.0
    velocity, yaw_rate = np.tile([1.0, 0.0, 0.0], (601, 1)), np.full((601, 1), rate)
    heading, place = Path(TURNS, 0.01).extend(velocity, yaw_rate)
    assert heading[-1] == pytest.approx(2 * np.pi)
    np.testing.assert_allclose(place[-1], 0.0, atol=1e-9)
    # To the left of x is -z: the circle lies there, two radii wide.
    assert place[:, 2].min() == pytest.approx(-2 / rate, rel=1e-4) and place[:, 2].max() < 1e-9


@pytest.mark.parametrize("subject", [TURNS, STAYS])
def test_pieces_change_nothing(subject):
    velocity, yaw_rate = np.random.default_rng(0).normal(size=(2, 60, 3))
    yaw_rate = yaw_rate[:, : 1 if subject is TURNS else 0]
    whole = extended(subject, velocity, yaw_rate, 1)
    for pieces in ([1, 7, 8, 30], list(range(1, 60))):
        for found, expected in zip(extended(subject, velocity, yaw_rate, pieces), whole, strict=True):
            np.testing.assert_array_equal(found, expected)
    assert (np.ptp(whole[0]) > 0.01) == (subject is TURNS) and np.ptp(whole[1][:, 2]) > 0.01


def test_the_heading_follows_what_is_measured_without_its_shaking():
    """A yaw rate that is off by 0.1 rad/s ends within rate times time constant; noise is filtered away."""
    frames = 3000
    velocity, yaw_rate = np.zeros((frames, 3)), np.full((frames, 1), 0.5)
    noise = 0.01 * np.random.default_rng(0).standard_normal(frames)
    measured = np.full(frames, 0.6 * 0.01) + np.diff(noise, prepend=0.0)
    measured[0] = np.nan
    heading, _ = Path(TURNS, 0.01).extend(velocity, yaw_rate, measured)
    truth = 0.6 * 0.01 * np.arange(frames)
    np.testing.assert_allclose(heading[1000:], truth[1000:] - 0.1 * FOLLOWS_S, atol=0.01)
    assert np.diff(heading - truth)[1000:].std() < 0.02 * np.diff(noise).std()
    path, pieces = Path(TURNS, 0.01), []
    for part in np.split(np.arange(frames), [1, 2, 3, 700]):
        pieces.append(path.extend(velocity[part], yaw_rate[part], measured[part])[0])
    np.testing.assert_allclose(np.concatenate(pieces), heading, atol=1e-12)
