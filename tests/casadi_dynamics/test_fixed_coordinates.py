"""Coordinates held at a value: the rest of the motion is that of the whole model at the same state."""

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import build, fix_coordinates, keep_coordinates

CLOSE = 1e-12


def random_motion(model, held, seed=0):
    """Return q, u, udot (n,) of the whole model at a random state, `held` coordinates at rest."""
    random = np.random.default_rng(seed)
    q, u, udot = random.uniform(-0.5, 0.5, (3, len(model.coordinates)))
    for name, value in held.items():
        place = model.coordinate_names.index(name)
        q[place], u[place], udot[place] = value, 0.0, 0.0
    return q, u, udot


def values(function, functions, q, u, udot, places=slice(None)):
    """Evaluate a function that takes q, u, udot, with no contact force and sensors at the body origins."""
    inputs = {"q": q[places], "u": u[places], "udot": udot[places], "parameters": functions.parameters}
    rest = {name: np.zeros(function.numel_in(name)) for name in function.name_in() if name not in inputs}
    return {name: np.array(value) for name, value in function(**inputs, **rest).items()}


def assert_same_motion(model, held):
    """The functions of the smaller model give what those of the whole one give."""
    smaller = fix_coordinates(model, held)
    kept = [model.coordinate_names.index(name) for name in smaller.coordinate_names]
    whole, part = build(model), build(smaller)
    assert part.dynamics.numel_in("q") == len(kept) == len(model.coordinates) - len(smaller.fixed)
    assert part.dynamics.n_instructions() < whole.dynamics.n_instructions()
    fixed_at = {c.name: c.value for c in smaller.fixed}
    motion = random_motion(model, fixed_at)
    expected, found = (
        values(whole.kinematics, whole, *motion),
        values(part.kinematics, part, *motion, places=kept),
    )
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=0, atol=CLOSE * np.abs(value).max(), err_msg=name)
    tau = values(whole.dynamics, whole, *motion)["tau"][kept]
    ours = values(part.dynamics, part, *motion, places=kept)["tau"]
    np.testing.assert_allclose(ours, tau, rtol=0, atol=CLOSE * np.abs(tau).max())
    return smaller


def test_fixed_coordinates_leave_the_motion_of_the_others(planar):
    smaller = assert_same_motion(planar[0], {"lumbar_extension": 0.2, "pelvis_ty": 0.9})
    assert "lumbar_extension" not in smaller.coordinate_names
    assert smaller.content_hash != planar[0].content_hash


def test_a_planar_part_of_a_model_in_space(public_models):
    model = read_model(public_models / "gait2392_thelen2003.osim")
    planar = ["pelvis_tilt", "pelvis_tx", "pelvis_ty"]
    planar += [f"{name}_{side}" for side in "rl" for name in ("hip_flexion", "knee_angle", "ankle_angle")]
    smaller = keep_coordinates(model, planar, {"lumbar_extension": -0.1})
    assert set(smaller.coordinate_names) == set(planar)
    held = {c.name: c.value for c in smaller.fixed}
    assert held["lumbar_extension"] == -0.1
    assert held["hip_adduction_r"] == model.coordinate("hip_adduction_r").default
    assert_same_motion(model, held)


def test_coordinates_that_follow_a_fixed_one_are_fixed_where_they_follow_it(public_models):
    model = read_model(public_models / "Rajagopal2016.osim")
    smaller = fix_coordinates(model, {"knee_angle_r": 0.7})
    held = {c.name: c.value for c in smaller.fixed}
    assert held == {"knee_angle_r": 0.7, "knee_angle_r_beta": 0.7}
    assert {c.dependent for c in smaller.constraints} == {"knee_angle_l_beta"}
    assert_same_motion(model, {"knee_angle_r": 0.7})
    with pytest.raises(InputError, match="it follows 'knee_angle_l'"):
        fix_coordinates(model, {"knee_angle_l_beta": 0.1})
    kept = keep_coordinates(model, ["knee_angle_l"])
    assert kept.coordinate_names == ("knee_angle_l", "knee_angle_l_beta")


def test_muscles_that_span_fixed_coordinates(public_models):
    model = read_model(public_models / "gait2354_subject01.osim")
    smaller = fix_coordinates(model, {"knee_angle_r": -1.0, "hip_rotation_r": 0.1})
    whole, part = build(model), build(smaller)
    kept = [model.coordinate_names.index(name) for name in smaller.coordinate_names]
    q, u, _ = random_motion(model, {"knee_angle_r": -1.0, "hip_rotation_r": 0.1})
    expected = whole.muscles()(q=q, u=u, parameters=whole.parameters)
    found = part.muscles()(q=q[kept], u=u[kept], parameters=part.parameters)
    np.testing.assert_allclose(np.array(found["length"]), np.array(expected["length"]), rtol=CLOSE)


def test_all_or_none_of_the_angles_of_a_free_joint(osim, read):
    model = read(osim.document(joints=osim.joint("FreeJoint", names=tuple("abcdef"))))
    with pytest.raises(InputError, match="all or none of a, b, c"):
        fix_coordinates(model, {"b": 0.1})
    assert_same_motion(model, {"a": 0.1, "b": -0.2, "c": 0.3})
    assert_same_motion(model, {"d": 0.1, "f": -0.2})
    everything = fix_coordinates(model, dict.fromkeys("abcdef", 0.1))
    assert build(everything).kinematics.numel_in("q") == 0


def test_impossible_wishes_are_refused(planar):
    model = planar[0]
    with pytest.raises(InputError, match="did you mean 'pelvis_tilt'"):
        fix_coordinates(model, {"pelvis_tild": 0.0})
    with pytest.raises(InputError, match="finite value"):
        fix_coordinates(model, {"pelvis_tilt": np.nan})
    with pytest.raises(InputError, match="kept free and held"):
        keep_coordinates(model, ["pelvis_tilt"], {"pelvis_tilt": 0.0})
