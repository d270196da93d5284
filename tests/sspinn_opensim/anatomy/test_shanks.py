"""Shanks of a model, and where they are as the legs move."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from sspinn_opensim.anatomy.shanks import shanks
from sspinn_opensim.training.loss_inputs import BodyConstants, ankles_and_lean


@pytest.fixture(scope="module")
def subject(walker):
    """Return the walker, whose feet are in one plane."""
    return walker.subject


def places(subject, **angles) -> np.ndarray:
    """Return ankle and knee of both shanks, (2, 2, 3) m, at some angles, the others at their defaults."""
    q = np.array([angles.get(c.name, c.default) for c in subject.model.coordinates])
    return subject.ends_of_shanks(q).full().reshape(2, 2, 3)


def test_ends_of_a_standing_models_shanks(subject):
    for ankle, knee in places(subject):
        assert knee[1] - ankle[1] == pytest.approx(0.43, rel=0.1)  # of gait2392's tibia, scaled
        assert knee[[0, 2]] == pytest.approx(ankle[[0, 2]], abs=1e-9)  # its shanks are upright


def test_each_shank_has_its_own_foot_and_points(subject):
    assert [one.body for one in shanks(subject.model)] == ["tibia_r", "tibia_l"]
    bodies = np.array([sphere.body for sphere in subject.model.contact_spheres])
    for one, below in zip(subject.shanks, subject.points_below_shanks, strict=True):
        assert set(bodies[below > 0]) <= set(one.foot) and below.sum() == 2


@pytest.mark.parametrize("lean", [-0.3, 0.0, 0.2])
def test_shanks_lean_with_the_body(subject, lean):
    names = subject.model.coordinate_names
    q = torch.zeros(1, 1, len(names), dtype=torch.float64)
    q[..., names.index("pelvis_tilt")] = -lean
    constants = BodyConstants.of(subject, torch.float64)
    ahead, found = ankles_and_lean(constants.ends_of_shanks, q)
    np.testing.assert_allclose(ahead[0, 0], places(subject, pelvis_tilt=-lean)[:, 0, 0], atol=1e-9)
    np.testing.assert_allclose(found[0, 0], lean, atol=1e-9)


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
    assert shanks(alone) == ()
