"""The root turned about the vertical: the same body, seen from another side."""

import dataclasses
import itertools

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Body, Coordinate, Frame, Joint, Model, TransformAxis
from casadi_dynamics.model.functions import Linear
from casadi_dynamics.symbolic import build
from casadi_dynamics.symbolic.heading import about, root_heading

STRAIGHT = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
AXES = dict(zip("xyz", STRAIGHT, strict=True)) | {"-y": (0.0, -1.0, 0.0), "-x": (-1.0, 0.0, 0.0)}
#: gait2392, Rajagopal2016, Hamner2010; rotation first, as Baker (2001) counts; others that a file may have.
ORDERS = (
    ("z", "x", "y"),
    ("y", "x", "z"),
    ("x", "z", "y"),
    ("y", "z", "x"),
    ("-y", "-x", "z"),
    ("z", "-x", "-y"),
)


def block(order, **changes):
    """Return a body on a joint that turns about axes in an order, its frame off its origin."""
    turns = [TransformAxis(AXES[axis], f"r{k}", Linear(1.0, 0.0)) for k, axis in enumerate(order)]
    moves = [TransformAxis(AXES[axis], f"t{axis}", Linear(1.0, 0.0)) for axis in "xyz"]
    frames = Frame("ground", (0.0, 0.0, 0.0), STRAIGHT), Frame("block", (0.1, -0.2, 0.05), STRAIGHT)
    joint = Joint("root", "CustomJoint", *frames, tuple(turns), tuple(moves))
    coordinates = tuple(
        Coordinate(axis.coordinate, "root", motion, 0.0, (-9.0, 9.0), False, False)
        for axes, motion in ((turns, "rotational"), (moves, "translational"))
        for axis in axes
    )
    body = Body("block", 3.0, (0.0, 0.1, 0.0), (0.1, 0.2, 0.3, 0.0, 0.0, 0.0))
    model = Model("block", (0.0, -9.81, 0.0), (body,), (joint,), coordinates, (), (), (), (), ())
    return dataclasses.replace(model, **changes)


def moved(model, q, u, udot):
    functions = build(model)
    found = functions.kinematics(q=q.T, u=u.T, udot=udot.T, parameters=functions.parameters)
    return {name: np.array(value).T for name, value in found.items()}


def tilted(n, seed=0):
    """Return postures of up to 60 degrees about each axis, anywhere."""
    return np.random.default_rng(seed).uniform(-1.0, 1.0, (n, 6))


@pytest.mark.parametrize("order", ORDERS)
def test_a_turned_body_has_the_same_posture_seen_from_elsewhere(order):
    model, q = block(order), tilted(200)
    heading = np.linspace(-20.0, 20.0, len(q))
    root = root_heading(model)
    out = root.turned(q, heading)
    zero = np.zeros_like(q)
    before, after = moved(model, q, zero, zero), moved(model, out, zero, zero)
    rotation = before["rotation"].reshape(-1, 3, 3)
    np.testing.assert_allclose(
        after["rotation"].reshape(-1, 3, 3), about(np.array([0.0, 1.0, 0.0]), heading) @ rotation, atol=1e-12
    )
    np.testing.assert_array_equal(out[:, 3:], q[:, 3:])
    np.testing.assert_allclose(root.turned(q, 0 * heading), q, atol=1e-12)


@pytest.mark.parametrize("order", ORDERS)
def test_angles_are_continuous_over_many_turns(order):
    time_s = np.linspace(0.0, 30.0, 3001)
    q = 0.3 * np.sin(time_s[:, None] * np.arange(1.0, 7.0))
    heading = 2.0 * time_s
    root = root_heading(block(order))
    out = root.turned(q, heading)
    assert np.abs(np.diff(out[:, :3], axis=0)).max() < 0.1
    vertical, sign = root.vertical
    assert sign * (out[-1, vertical] - out[0, vertical]) > 9 * 2 * np.pi


@pytest.mark.parametrize("order", ORDERS)
def test_speeds_and_accelerations_are_those_of_the_composed_motion(order):
    """Against eighth-order differences of it: steps of 1 ms leave rounding, 1e-16 / 1e-6 s^2, alone."""
    step_s = 1e-3
    time_s = step_s * np.arange(-4, 5)
    place = 0.4 * np.sin(time_s[:, None] * np.array([7.0, 5.0, 3.0, 0.0, 0.0, 0.0]) + np.arange(6.0))
    yaw_rate, yaw_acceleration = 2.5, -4.0
    heading = yaw_rate * time_s + 0.5 * yaw_acceleration * time_s**2
    root = root_heading(block(order))
    turns = list(root.turns)
    ground = root.turned(place, heading)[:, turns]
    first = np.array([1 / 280, -4 / 105, 1 / 5, -4 / 5, 0, 4 / 5, -1 / 5, 4 / 105, -1 / 280]) / step_s
    second = (
        np.array([-1 / 560, 8 / 315, -1 / 5, 8 / 5, -205 / 72, 8 / 5, -1 / 5, 8 / 315, -1 / 560]) / step_s**2
    )
    told = place[:, turns]
    found = root.rates(told[4], first @ told, second @ told, yaw_rate, yaw_acceleration)
    np.testing.assert_allclose(np.array(found[0]).ravel(), first @ ground, atol=1e-9)
    np.testing.assert_allclose(np.array(found[1]).ravel(), second @ ground, atol=1e-7)


def test_a_root_that_is_held_somewhere_keeps_its_heading():
    model = block(("z", "x", "y"))
    assert root_heading(model, {"r2"}) is None and root_heading(model, {"tz"}) is None
    assert root_heading(model, {"elsewhere"}) is not None


@pytest.mark.parametrize("order", [o for o in itertools.permutations("xyz") if o[1] == "y"])
def test_a_root_whose_middle_angle_would_reach_its_singularity_is_refused(order):
    with pytest.raises(InputError, match="cannot turn about the vertical") as refused:
        root_heading(block(order))
    assert "r1 about (0, 1, 0)" in refused.value.found and "pelvis_list" in refused.value.fix
    assert root_heading(block(("z", "x", "y"))) is not None


def test_other_roots_that_cannot_turn_are_refused():
    model = block(("z", "x", "y"))
    (joint,) = model.joints
    twice = dataclasses.replace(joint.rotations[2], function=Linear(2.0, 0.0))
    for changed in (
        dataclasses.replace(joint, speeds="angular velocity"),
        dataclasses.replace(joint, rotations=(*joint.rotations[:2], twice)),
        dataclasses.replace(joint, reversed=True),
    ):
        with pytest.raises(InputError, match="cannot turn about the vertical"):
            root_heading(dataclasses.replace(model, joints=(changed,)))
