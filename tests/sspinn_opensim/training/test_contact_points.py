"""Contact points: partners, levers and slopes, by hand."""

import numpy as np
import pytest

from sspinn_opensim.training.contact_points import farthest_on_foot, levers, slopes_of_soles

FEET = ("r", "r", "r", "l", "l", "toe")


def test_the_farthest_contact_point_is_on_the_same_foot():
    places = np.array([(0, 0, 0), (0.1, 0, 0), (0.3, 0, 0), (0, 0, 1), (0.2, 0, 1), (5, 0, 0)])
    assert farthest_on_foot(places, FEET) == (2, 2, 0, 4, 3, 5)


def test_levers_keep_the_sum_and_the_moment_of_a_foot():
    """Any forces at any points, as two a foot; out of the plane the moment sideways is a third."""
    places = np.array(
        [(0.1, 0, 0), (0.2, 0, 0.04), (0.4, 0, -0.03), (0.5, 0, 1.0), (0.2, 0, 1.1), (3.0, 0, 0)]
    )
    force = np.array([0.3, 0.5, 0.1, 0.7, 0.2, 0.9])
    two = levers(places, FEET, planar=True) @ force
    assert two.shape == (6,)
    for chosen, (rear, front), ends in (
        ([0, 1, 2], two[:2], (0.1, 0.4)),
        ([3, 4], two[2:4], (0.2, 0.5)),
        ([5], two[4:], (3.0, 3.0)),
    ):
        assert rear + front == pytest.approx(force[chosen].sum())
        assert rear * ends[0] + front * ends[1] == pytest.approx(force[chosen] @ places[chosen, 0])

    three = levers(places, FEET, planar=False) @ force
    assert three.shape == (8,)
    np.testing.assert_allclose(three[[0, 1, 3, 4, 6, 7]], two)
    sideways = force[:3] @ (places[:3, 2] - places[:3, 2].mean())
    assert three[2] * 0.3 == pytest.approx(sideways)


def test_a_sole_slopes_as_the_line_through_its_points():
    """Of any heights the slope is that of numpy's line; only feet that have a length slope."""
    places = np.array([(0.1, 0, 0), (0.2, 0, 0), (0.4, 0, 0), (0.5, 0, 1), (0.2, 0, 1), (3.0, 0, 0)])
    heights = np.array([0.01, 0.03, 0.02, 0.05, 0.0, 0.07])
    slopes = slopes_of_soles(places, FEET, ("l", "shank", "r", "toe")) @ heights
    line = np.polyfit(places[:3, 0], heights[:3], 1)[0]
    np.testing.assert_allclose(slopes, [0.05 / 0.3, 0.0, line, 0.0], atol=1e-12)


def test_soles_of_a_walkers_sensors_are_under_its_feet(walker):
    subject = walker.subject
    bodies = [frame.body for frame in subject.functions.imu_frames]
    slopes = slopes_of_soles(subject.contact_in_default_posture, subject.feet, subject.feet_of_sensors)
    for body, row in zip(bodies, slopes, strict=True):
        assert set(np.array(subject.feet)[row != 0]) == ({body} if body.startswith("foot") else set())
