"""What differs between subjects is an input: one program serves all subjects of one generic model."""

from dataclasses import replace

import numpy as np
import pytest

from casadi_dynamics.compiled.tape import record
from casadi_dynamics.model import Linear, Multiplier
from casadi_dynamics.symbolic import build


def scaled(model, size, mass):
    """Scale a model as OpenSim does: lengths by `size`, masses by `mass`."""

    def longer(vector):
        return tuple(size * x for x in vector)

    def axis(part):
        if part.coordinate is None:
            return part
        return replace(part, function=Multiplier(size, part.function))

    return replace(
        model,
        bodies=tuple(
            replace(
                b,
                mass=b.mass * mass,
                mass_center=longer(b.mass_center),
                inertia=tuple(mass * size**2 * x for x in b.inertia),
            )
            for b in model.bodies
        ),
        joints=tuple(
            replace(
                j,
                parent=replace(j.parent, translation=longer(j.parent.translation)),
                child=replace(j.child, translation=longer(j.child.translation)),
                translations=tuple(map(axis, j.translations)),
            )
            for j in model.joints
        ),
        contact_spheres=tuple(
            replace(s, location=longer(s.location), radius=size * s.radius) for s in model.contact_spheres
        ),
    )


@pytest.mark.parametrize("name", ["dynamics", "kinematics", "contact"])
def test_two_subjects_share_one_program(planar, name):
    model = planar[0]
    small, tall = (build(scaled(model, *factors), model.imu_frames) for factors in ((0.93, 0.8), (1.11, 1.3)))
    assert small.parameter_names == tall.parameter_names
    assert not np.allclose(small.parameters, tall.parameters)
    assert record(getattr(small, name)) == record(getattr(tall, name))


def test_parameters_carry_the_subject(planar):
    model, generic, answers = planar
    heavy = build(scaled(model, 1.0, 2.0), model.imu_frames)
    state = {"q": answers["q"][0], "u": answers["qd"][0], "udot": answers["qdd"][0]}
    state |= {"contact_force": np.zeros(12), "sensor_position": np.zeros(21)}
    light = generic.dynamics(**state, parameters=generic.parameters)["tau"]
    np.testing.assert_allclose(
        heavy.dynamics(**state, parameters=heavy.parameters)["tau"], 2 * light, rtol=1e-12
    )


def test_parameters_have_one_name_each_and_the_models_values(planar):
    model, functions, _ = planar
    named = dict(zip(functions.parameter_names, functions.parameters, strict=True))
    assert len(named) == len(functions.parameter_names) == functions.dynamics.numel_in("parameters")
    for body in model.bodies:
        assert named[f"{body.name}.mass"] == body.mass
    for sphere in model.contact_spheres:
        assert named[f"{sphere.name}.radius"] == sphere.radius


def test_scale_factors_of_joint_functions_are_parameters(planar):
    model = planar[0]
    functions = build(scaled(model, 1.2, 1.0))
    factors = [
        v for n, v in zip(functions.parameter_names, functions.parameters, strict=True) if ".scale" in n
    ]
    assert factors == [1.2, 1.2]  # forward and upward translation of the pelvis
    doubled = functions.parameters.copy()
    doubled[[".scale" in name for name in functions.parameter_names]] = 2.4
    n = len(model.coordinates)
    q = np.full(n, 0.3)

    def pelvis(parameters):
        still = np.zeros(n)
        return np.array(functions.kinematics(q=q, u=still, udot=still, parameters=parameters)["position"])[
            :2, 0
        ]

    np.testing.assert_allclose(pelvis(doubled), 2 * pelvis(functions.parameters), rtol=1e-14)


def test_nested_scale_factors_are_told_apart(planar):
    model = planar[0]
    root = model.joints[0]
    nested = Multiplier(2.0, Multiplier(3.0, Linear(1.0, 0.0)))
    axis = replace(root.translations[0], function=nested)
    joint = replace(root, translations=(axis, *root.translations[1:]))
    functions = build(replace(model, joints=(joint, *model.joints[1:])))
    factors = [
        v for n, v in zip(functions.parameter_names, functions.parameters, strict=True) if ".scale" in n
    ]
    assert factors == [2.0, 3.0]
