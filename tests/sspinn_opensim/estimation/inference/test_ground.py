import dataclasses

import numpy as np
import pytest

from sspinn_opensim.estimation.inference.ground import LEAST_LOAD, ground_forces

FLOOR_M = 0.25


@pytest.fixture(scope="module")
def on_a_step(walker):
    """Return the subject on a floor that is not at zero."""
    (floor,) = walker.model.half_spaces
    raised = dataclasses.replace(floor, location=(0.0, FLOOR_M, 0.0))
    model = dataclasses.replace(walker.model, half_spaces=(raised,))
    return dataclasses.replace(walker.subject, model=model)


def wrench(force, point, about):
    """Return the sum of forces and of their moments about a point."""
    return force.sum(-2), np.cross(point - about, force).sum(-2)


def random_contacts(seed=0, shape=(200,)):
    random = np.random.default_rng(seed)
    position = random.uniform(-0.5, 0.5, (*shape, 4, 3))
    position[..., 1] = FLOOR_M + random.uniform(-0.02, 0.05, (*shape, 4))
    force = random.uniform(-200, 200, (*shape, 4, 3))
    force[..., 1] = random.uniform(0, 500, (*shape, 4))
    return position, force


@pytest.mark.parametrize("load", [1.0, 1e-3, 0.0], ids=["loaded", "hardly loaded", "in the air"])
def test_a_foot_feels_the_same_wrench(on_a_step, load):
    """Forces and moments about any point are those of the contact points, loaded or not."""
    position, force = random_contacts()
    force[..., :2, :] *= load
    ground = ground_forces(on_a_step, position, force)
    assert ground.feet == ("foot_r", "foot_l")
    about = np.random.default_rng(1).uniform(-1, 1, 3)
    for i, points in enumerate((slice(0, 2), slice(2, 4))):
        total, moment = wrench(force[..., points, :], position[..., points, :], about)
        np.testing.assert_allclose(ground.force[:, i], total, atol=1e-10)
        found = np.cross(ground.point[:, i] - about, ground.force[:, i]) + ground.torque[:, i]
        np.testing.assert_allclose(found, moment, atol=1e-9)


def test_under_load_the_point_is_the_centre_of_pressure(on_a_step):
    position, force = random_contacts()
    force[..., 1] += 50
    ground = ground_forces(on_a_step, position, force)
    assert (ground.point[..., 1] == FLOOR_M).all()
    np.testing.assert_allclose(ground.torque[..., [0, 2]], 0, atol=1e-10)


def test_points_on_the_floor_share_as_on_a_scale(on_a_step):
    """Two vertical forces of 3 : 1 act at three quarters of the way."""
    position, force = np.zeros((4, 3)), np.zeros((4, 3))
    position[:, 1], position[1, 0] = FLOOR_M, 0.2
    force[0, 1], force[1, 1] = 100, 300
    ground = ground_forces(on_a_step, position, force)
    np.testing.assert_allclose(ground.point[0], [0.15, FLOOR_M, 0])
    np.testing.assert_allclose(ground.torque, 0, atol=1e-12)


def test_an_unloaded_foot_has_its_point_in_its_middle(on_a_step):
    position, force = random_contacts()
    force[..., :2, :] = 0
    ground = ground_forces(on_a_step, position, force)
    np.testing.assert_allclose(ground.point[:, 0, [0, 2]], position[:, :2, :].mean(1)[:, [0, 2]])
    assert (ground.point[:, 0, 1] == FLOOR_M).all()
    assert not ground.force[:, 0].any() and not ground.torque[:, 0].any()


def test_no_point_flies_away_at_little_load(on_a_step):
    """The centre of pressure is a quotient: near zero load it could be anywhere."""
    position, force = random_contacts()
    force[..., 0, 1], force[..., 1, 1] = 1e-9, 0.4 * LEAST_LOAD * on_a_step.body_weight
    ground = ground_forces(on_a_step, position, force)
    assert np.abs(ground.point[:, 0]).max() <= 0.5


def test_one_frame_is_as_many(on_a_step):
    position, force = random_contacts()
    many, one = (ground_forces(on_a_step, p, f) for p, f in ((position, force), (position[7], force[7])))
    for name in ("force", "point", "torque"):
        np.testing.assert_array_equal(getattr(one, name), getattr(many, name)[7])
