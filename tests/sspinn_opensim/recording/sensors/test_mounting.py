import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.sensors.mounting import mounting_rotation, place_sensor, rotation_from_axes
from sspinn_opensim.study import SensorChoice


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
