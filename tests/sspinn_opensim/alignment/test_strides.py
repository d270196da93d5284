import numpy as np
import pytest
from scipy.signal import hilbert

from sspinn_opensim.alignment.strides import _phase


@pytest.mark.parametrize("count", [200, 201])
def test_the_phase_of_a_swing_is_that_of_hilberts_transform(count):
    at = np.arange(count) / 40.0
    swing = (1 + 0.3 * np.sin(0.4 * at)) * np.sin(2 * np.pi * at + 0.5 * np.sin(at))
    np.testing.assert_allclose(_phase(swing), np.unwrap(np.angle(hilbert(swing))), atol=1e-9)
