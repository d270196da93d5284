"""Magnitudes against NumPy's."""

import numpy as np
import pytest

from sspinn_opensim.recording.signals.magnitude import magnitudes


@pytest.mark.parametrize("shape", [(3,), (50, 3), (40, 4, 3)])
def test_magnitudes_are_those_of_numpy_to_the_bit(shape):
    vectors = np.random.default_rng(0).normal(size=shape)
    np.testing.assert_array_equal(magnitudes(vectors), np.linalg.norm(vectors, axis=-1))
