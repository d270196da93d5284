"""Standard deviations: what seeds share, where they differ, and the units of each."""

import numpy as np
import pytest

from sspinn_opensim.estimation.ground import GroundForces
from sspinn_opensim.estimation.offline import Estimate
from sspinn_opensim.estimation.uncertainty import Calibration, standard_deviations

SHARED = Calibration(0.05, 0.02, 0.01, force_bw=(0.05, 0.1, 0.0), spread=2.0)


def estimate(angle, length, moment, force):
    frames = 4
    ground = GroundForces(("foot_r",), *(np.full((frames, 1, 3), value) for value in (force, 0.3, 5.0)))
    q = np.tile([angle, length], (frames, 1))
    return Estimate(
        np.arange(frames) / 100, ("knee", "ty"), q, ("knee",), np.full((frames, 1), moment), ground
    )


def test_one_seed_has_what_all_share():
    found = standard_deviations([estimate(1.0, 0.9, 50.0, 700.0)], [True, False], 800.0, 1.75, SHARED)
    np.testing.assert_allclose(found.q, [[0.05, 0.02]] * 4)
    np.testing.assert_allclose(found.moments, 0.01 * 800.0 * 1.75)
    np.testing.assert_allclose(found.force, np.tile([40.0, 80.0, 0.0], (4, 1, 1)))
    np.testing.assert_allclose(found.point, 0.02)
    assert found.feet == ("foot_r",) and found.force.shape == (4, 1, 3)
    assert found.q.strides[0] == found.force.strides[0] == 0  # however long the recording is
    assert found.coordinates == ("knee", "ty") and found.actuated == ("knee",)


def test_seeds_that_differ_add_their_deviation():
    seeds = [estimate(a, 0.9, m, 700.0) for a, m in ((1.0, 40.0), (1.1, 50.0), (1.2, 60.0))]
    found = standard_deviations(seeds, [True, False], 800.0, 1.75, SHARED)
    np.testing.assert_allclose(found.q[:, 0], np.hypot(2 * 0.1, 0.05))
    np.testing.assert_allclose(found.q[:, 1], 0.02)
    np.testing.assert_allclose(found.moments, np.hypot(2 * 10.0, 14.0))


def test_the_band_covers_as_often_as_it_says():
    """Errors drawn as the band says they are lie within it as often as a normal distribution's do."""
    random = np.random.default_rng(0)
    truth, shared = 1.0, Calibration(0.05, 0.02, 0.01, (0.1, 0.1, 0.1), spread=0.0)
    off = truth + 0.05 * random.standard_normal(20_000)
    deviation = standard_deviations(
        [estimate(off[0], 0.9, 50.0, 700.0)], [True, False], 800.0, 1.75, shared
    ).q[0, 0]
    assert np.mean(np.abs(off - truth) < 1.96 * deviation) == pytest.approx(0.95, abs=0.005)
