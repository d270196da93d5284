"""Circles that shanks roll on: where they touch the floor, by trigonometry of a leg that leans."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from sspinn_opensim.anatomy.rolling import AHEAD, RADIUS, circles
from sspinn_opensim.training.loss_inputs import MOST_LEAN_RAD, BodyConstants, rolls_over

HEIGHT_M = 1.8


@pytest.fixture(scope="module")
def subject(walker):
    """Return the walker, 1.8 m tall, whose feet are in one plane."""
    return walker.subject


def places(subject, **angles) -> np.ndarray:
    """Return ankle and top of both circles, (2, 2, 3) m, at some angles, the others at their defaults."""
    q = np.array([angles.get(c.name, c.default) for c in subject.model.coordinates])
    return subject.on_circles(q).full().reshape(2, 2, 3)


def test_a_standing_leg_has_the_centre_a_radius_above_the_floor(subject):
    ankle, top = places(subject, pelvis_ty=0.0)[0]
    floor = subject.contact_in_default_posture[:, 1].min()
    assert top[1] - floor == pytest.approx(RADIUS * HEIGHT_M, abs=1e-9)
    assert top[[0, 2]] == pytest.approx(ankle[[0, 2]], abs=1e-9)  # its shanks are upright


def test_each_foot_has_its_own_circle(subject):
    assert [one.shank for one in circles(subject.model, HEIGHT_M)] == ["tibia_r", "tibia_l"]
    bodies = np.array([sphere.body for sphere in subject.model.contact_spheres])
    for one, on in zip(subject.circles, subject.points_on_circles, strict=True):
        assert set(bodies[on > 0]) <= set(one.foot) and on.sum() == 2


@pytest.mark.parametrize("lean", [-0.3, 0.0, 0.2, MOST_LEAN_RAD - 0.01, MOST_LEAN_RAD + 0.01])
def test_forces_roll_ahead_as_the_shank_leans(subject, lean):
    """A circle that rolls touches the floor under its centre: ahead of the ankle with sine and cosine."""
    names = subject.model.coordinate_names
    q = torch.zeros(1, 1, len(names), dtype=torch.float64)
    q[..., names.index("pelvis_tilt")] = -lean
    found = rolls_over(subject, BodyConstants.of(subject, torch.float64), q)[0, 0].numpy()
    if lean > MOST_LEAN_RAD:
        assert np.isnan(found).all()
        return
    standing_ankle, top = places(subject, pelvis_ty=0.0)[0]
    ankle = places(subject, pelvis_tilt=-lean)[:, 0, 0]
    above = top[1] - standing_ankle[1]
    expected = ankle + above * np.sin(lean) + AHEAD * HEIGHT_M * np.cos(lean)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_held_coordinates_are_where_they_are_held(subject):
    bent = replace(subject, fixed={"knee_angle_r": -0.4})
    np.testing.assert_allclose(places(bent), places(subject, knee_angle_r=-0.4), atol=1e-12)
    np.testing.assert_allclose(places(bent, knee_angle_r=1.0), places(bent), atol=0)


def test_models_without_legs_have_none(subject):
    model = subject.model
    joints = tuple(joint for joint in model.joints if joint.child.body == "pelvis")
    alone = replace(
        model,
        bodies=tuple(body for body in model.bodies if body.name == "pelvis"),
        joints=joints,
        coordinates=tuple(c for c in model.coordinates if c.joint == joints[0].name),
    )
    assert circles(alone, HEIGHT_M) == ()
