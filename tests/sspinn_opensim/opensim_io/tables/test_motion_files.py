import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.opensim_io.tables.motion_files import (
    coordinates_of,
    ground_forces_table,
    kinematics_table,
    moments_table,
)
from sspinn_opensim.opensim_io.tables.storage import Table

NAMES = ("pelvis_tilt", "pelvis_tx", "knee_angle_r_beta")
MOTIONS = ("rotational", "translational", "coupled")
TIME = np.array([0.0, 0.1])
Q = np.array([[np.pi, 1.5, 0.8], [-np.pi / 2, 2.0, 0.9]])


def test_only_rotational_coordinates_become_degrees():
    table = kinematics_table(NAMES, MOTIONS, TIME, Q)
    assert table.in_degrees is True and table.names == NAMES
    np.testing.assert_allclose(table.values, [[180, 1.5, 0.8], [-90, 2.0, 0.9]], rtol=1e-15)


def test_coordinates_come_back_in_radians_in_the_order_asked_for():
    table = kinematics_table(NAMES, MOTIONS, TIME, Q)
    np.testing.assert_allclose(coordinates_of(table, NAMES[::-1], MOTIONS[::-1]), Q[:, ::-1], rtol=1e-15)
    radians = Table(NAMES, TIME, Q, False)
    np.testing.assert_array_equal(coordinates_of(radians, NAMES, MOTIONS), Q)
    with pytest.raises(InputError, match="does not say whether it is in degrees"):
        coordinates_of(Table(NAMES, TIME, Q, None), NAMES, MOTIONS)


def test_state_paths_are_coordinates_too():
    paths = tuple(f"/jointset/joint/{name}/value" for name in NAMES)
    table = Table((*paths, "/jointset/joint/pelvis_tilt/speed"), TIME, np.column_stack([Q, Q[:, 0]]), False)
    np.testing.assert_array_equal(coordinates_of(table, NAMES, MOTIONS), Q)
    twice = Table((paths[0], "pelvis_tilt"), TIME, Q[:, :2], False)
    with pytest.raises(InputError, match="'pelvis_tilt' stands twice"):
        coordinates_of(twice, NAMES[:1], MOTIONS[:1])


def test_moments_carry_opensims_names():
    table = moments_table(NAMES, MOTIONS, TIME, Q)
    assert table.names == ("pelvis_tilt_moment", "pelvis_tx_force", "knee_angle_r_beta_force")
    np.testing.assert_array_equal(table.values, Q)


def test_unknown_motion_is_refused():
    with pytest.raises(InputError, match="did you mean 'rotational'"):
        kinematics_table(NAMES, ("rotation", "translational", "coupled"), TIME, Q)
    with pytest.raises(InputError, match="differ in number"):
        moments_table(NAMES, MOTIONS[:2], TIME, Q)


def test_ground_forces_stand_in_the_columns_of_their_foot():
    force, point, torque = np.arange(3 * 2 * 2 * 3).reshape(3, 2, 2, 3).astype(float)
    table = ground_forces_table(("foot_r", "foot_l"), TIME, force, point, torque)
    assert len(table.names) == 18
    np.testing.assert_array_equal(table.column("foot_l_ground_force_vy"), force[:, 1, 1])
    np.testing.assert_array_equal(table.column("foot_r_ground_force_pz"), point[:, 0, 2])
    np.testing.assert_array_equal(table.column("foot_l_ground_torque_x"), torque[:, 1, 0])
    with pytest.raises(InputError, match="ground point has the wrong shape"):
        ground_forces_table(("foot_r", "foot_l"), TIME, force, point[:, :1], torque)
