"""Hessians by the motion onto the band of the coefficients, against whole matrices."""

import numpy as np
import pytest

from sspinn_opensim.estimation import knots

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
    band = knots.Band(n + knots.MORE, c)
    band.add_motion(hessian, weights)
    band.add_motion(hessian, weights)  # adds to what is there
    size = knots.WIDTH * c
    found = np.zeros_like(expected)
    for column, numbers in enumerate(band._columns):
        rows = min(size - column % c, len(found) - column)  # of a knot and the next ones
        found[column : column + rows, column] = numbers[:rows]
    assert np.abs(found - 2 * np.tril(expected)).max() < TOLERANCE * np.abs(expected).max()
