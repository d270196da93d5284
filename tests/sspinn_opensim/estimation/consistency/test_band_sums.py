"""Hessians by the motion onto the band of the coefficients, against whole matrices."""

import numpy as np
import pytest

from sspinn_opensim.estimation.consistency import knots

#: Of the largest entry: some dozens of products are summed in another order.
TOLERANCE = 1e-14


@pytest.mark.parametrize("c", [1, 3, 8, 11])
def test_hessians_by_motion_are_those_by_the_coefficients(c):
    n, weights = 7, knots.derivative_weights(0.01)
    hessian = np.random.default_rng(c).normal(size=(n, 3 * c, 3 * c))
    hessian += hessian.swapaxes(1, 2)
    expected = np.zeros([(n + knots.MORE) * c] * 2)
    for k, own in enumerate(hessian):
        by_window = np.kron(weights, np.eye(c))
        place = slice(k * c, (k + knots.WIDTH) * c)
        expected[place, place] += by_window.T @ own @ by_window
    band, half = knots.Band(n + knots.MORE, c), np.arange(3)
    band.add_motion(hessian, weights, np.arange(n))
    band.add_motion(-hessian[half], weights, half)
    band.add_motion(2 * hessian[half[::-1]], weights, half[::-1])  # some, in any order
    band.add_motion(hessian[3:], weights, np.arange(3, n))
    found = [band.times(one.reshape(-1, c)).ravel() for one in np.eye(len(expected))]
    assert np.abs(np.array(found) - 2 * expected).max() < TOLERANCE * np.abs(expected).max()
