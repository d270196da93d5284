import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.mounting import (
    angles_from_rotation,
    mounting_rotation,
    place_sensor,
    rotate,
    rotation_from_angles,
    rotation_from_axes,
)
from sspinn_opensim.study import SensorChoice


def test_angles_are_body_fixed_xyz():
    """Against another implementation: capital letters are rotations about the axes carried along."""
    for angles in np.random.default_rng(0).uniform(-1.5, 1.5, (20, 3)):
        expected = Rotation.from_euler("XYZ", angles).as_matrix()
        np.testing.assert_allclose(rotation_from_angles(tuple(angles)), expected, atol=1e-14)
        np.testing.assert_allclose(angles_from_rotation(expected), angles, atol=1e-12)


@pytest.mark.parametrize("middle", [np.pi / 2, -np.pi / 2])
def test_angles_at_gimbal_lock_give_the_same_rotation(middle):
    rotation = rotation_from_angles((0.3, middle, 0.5))
    np.testing.assert_allclose(rotation_from_angles(angles_from_rotation(rotation)), rotation, atol=1e-7)


def test_axes_say_where_each_sensor_axis_points():
    rotation = rotation_from_axes(("y", "-x", "z"), "here")
    np.testing.assert_array_equal(rotation @ [1, 0, 0], [0, 1, 0])
    np.testing.assert_array_equal(rotation @ [0, 1, 0], [-1, 0, 0])


@pytest.mark.parametrize(
    ("axes", "what"),
    [
        (("x", "y", "w"), "Unknown axis 'w'"),
        (("x", "y", "--z"), "Unknown axis"),
        (("x", "y", ""), "Unknown axis"),
        (("x", "y", "-y"), "named twice"),
        (("x", "y", "-z"), "left-handed"),
    ],
)
def test_impossible_axes_are_refused(axes, what):
    with pytest.raises(InputError, match=what):
        rotation_from_axes(axes, "here")


def test_a_rotated_axis_needs_all_axes_it_is_made_of():
    signal = np.array([[1.0, 2.0, 0.0]])
    available = np.array([True, True, False])
    swapped, flags = rotate(signal, available, rotation_from_axes(("y", "-x", "z"), "here"))
    np.testing.assert_array_equal(swapped, [[-2, 1, 0]])
    np.testing.assert_array_equal(flags, [True, True, False])
    tilted, flags = rotate(signal, available, rotation_from_angles((0.1, 0.0, 0.0)))
    np.testing.assert_array_equal(flags, [True, False, False])
    np.testing.assert_array_equal(tilted, [[1, 0, 0]])


def test_a_sensor_is_placed_as_the_study_says():
    by_axes = SensorChoice("s", body="b", position=(1.0, 2.0, 3.0), origin="hip", axes=("y", "-x", "z"))
    by_angles = SensorChoice("s", body="b", orientation_deg=(0.0, 0.0, 90.0))
    np.testing.assert_allclose(mounting_rotation(by_axes), mounting_rotation(by_angles), atol=1e-15)
    sensor = place_sensor(by_axes, position=(9.0, 9.0, 9.0))
    assert (sensor.position, sensor.origin) == ((1.0, 2.0, 3.0), "hip")
    np.testing.assert_allclose(sensor.orientation, (0, 0, np.pi / 2), atol=1e-15)
    assert place_sensor(by_angles, position=(9.0, 9.0, 9.0)).position == (9.0, 9.0, 9.0)
    framed = place_sensor(SensorChoice("s", body="b", imu_frame="f"), position=(9.0, 9.0, 9.0))
    assert framed.imu_frame == "f"
    turned = place_sensor(SensorChoice("s", body="b", imu_frame="f", orientation_deg=(0.0, 0.0, 90.0)))
    np.testing.assert_allclose(turned.orientation, (0, 0, np.pi / 2), atol=1e-15)
    assert place_sensor(SensorChoice("s", body="b")).position is None
