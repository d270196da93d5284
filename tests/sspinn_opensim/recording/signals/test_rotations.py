import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sspinn_opensim.recording.sensors.mounting import rotation_from_axes
from sspinn_opensim.recording.signals.rotations import (
    angles_from_rotation,
    rotate,
    rotation_from_angles,
    rotations_from_vectors,
    vectors_from_rotations,
)
from sspinn_opensim.recording.types import Sensor


def test_angles_are_body_fixed_xyz():
    """As OpenSim says it: about x, then about the y that was carried along, then about that z."""
    for angles in np.random.default_rng(0).uniform(-1.5, 1.5, (20, 3)):
        about_x, about_y, about_z = np.eye(3) * np.cos(angles)[:, None, None]
        for k, about in enumerate((about_x, about_y, about_z)):
            i, j = (k + 1) % 3, (k + 2) % 3
            about[k, k], about[j, i], about[i, j] = 1.0, np.sin(angles[k]), -np.sin(angles[k])
        expected = about_x @ about_y @ about_z
        np.testing.assert_allclose(rotation_from_angles(tuple(angles)), expected, atol=1e-14)
        np.testing.assert_allclose(angles_from_rotation(expected), angles, atol=1e-12)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 0.1, 1.5, 3.0, np.pi - 1e-6])
def test_rotation_vectors_and_matrices_are_those_of_scipy(angle):
    directions = np.random.default_rng(0).normal(size=(20, 5, 3))
    vectors = angle * directions / np.linalg.norm(directions, axis=-1, keepdims=True)
    expected = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(20, 5, 3, 3)
    np.testing.assert_allclose(rotations_from_vectors(vectors), expected, atol=1e-15)
    np.testing.assert_allclose(vectors_from_rotations(expected), vectors, atol=1e-14)


@pytest.mark.parametrize("axis", range(3))
def test_half_a_turn_about_an_axis_is_along_it(axis):
    signs = -np.ones(3)
    signs[axis] = 1.0
    np.testing.assert_allclose(np.abs(vectors_from_rotations(np.diag(signs))), np.pi * np.eye(3)[axis])


@pytest.mark.parametrize("middle", [np.pi / 2, -np.pi / 2])
def test_angles_at_gimbal_lock_give_the_same_rotation(middle):
    rotation = rotation_from_angles((0.3, middle, 0.5))
    np.testing.assert_allclose(rotation_from_angles(angles_from_rotation(rotation)), rotation, atol=1e-7)


def test_a_rotated_axis_needs_all_axes_it_is_made_of():
    signal = np.array([[1.0, 2.0, 0.0]])
    available = np.array([True, True, False])
    swapped, flags = rotate(signal, available, rotation_from_axes(("y", "-x", "z"), "here"))
    np.testing.assert_array_equal(swapped, [[-2, 1, 0]])
    np.testing.assert_array_equal(flags, [True, True, False])
    tilted, flags = rotate(signal, available, rotation_from_angles((0.1, 0.0, 0.0)))
    np.testing.assert_array_equal(flags, [True, False, False])
    np.testing.assert_array_equal(tilted, [[1, 0, 0]])


def test_a_sensor_tells_its_axes_in_the_body():
    sensor = Sensor("s", body="b", orientation=(0.0, 0.0, np.pi / 2))
    np.testing.assert_allclose(sensor.rotation @ [1, 0, 0], [0, 1, 0], atol=1e-15)
