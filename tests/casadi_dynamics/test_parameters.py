"""What differs between subjects is an input: one program serves all subjects of one generic model."""

from dataclasses import replace

import casadi as ca
import numpy as np
import pytest

from casadi_dynamics.compiled.tape import record
from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Linear, Multiplier
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import build
from casadi_dynamics.symbolic.paths import muscle_paths


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


@pytest.fixture(scope="module")
def subjects(repository):
    """Return a function that reads the models of a data set kept beside the repository."""
    folder = repository.parent / "shared" / "data"

    def read(pattern):
        files = sorted(folder.glob(pattern))
        if not files:
            pytest.skip(f"the data are not beside this checkout (../shared/data/{pattern})")
        return [build(read_model(file)) for file in files]

    return read


@pytest.mark.parametrize(
    ("pattern", "people"),
    [("hamner2013_running/subject0*/*.osim", 4), ("schreiber2019_walking/201400*/*.osim", 3)],
)
def test_subjects_scaled_from_one_model_share_one_program(subjects, pattern, people):
    functions = subjects(pattern)
    assert len(functions) == people
    assert len({each.program_hash for each in functions}) == 1
    assert len({each.mass_matrix.serialize() for each in functions}) == 1
    assert len({each.parameter_names for each in functions}) == 1
    values = np.array([each.parameters for each in functions])
    assert len(np.unique(values, axis=0)) == people
    masses = ["mass" in name.rpartition(".")[2] for name in functions[0].parameter_names]
    assert (np.ptp(values[:, masses], axis=0) > 0).all()


def test_one_program_with_the_numbers_of_the_other_is_the_other(subjects):
    one, other = subjects("hamner2013_running/subject0[12]/*.osim")
    n = len(one.coordinates)
    state = dict(zip(("q", "u", "udot"), np.random.default_rng(3).uniform(-0.5, 0.5, (3, n)), strict=True))
    ours = one.inverse_dynamics()(**state, parameters=other.parameters)["tau"]
    theirs = other.inverse_dynamics()(**state, parameters=other.parameters)["tau"]
    np.testing.assert_array_equal(ours, theirs)


def test_a_number_that_is_zero_in_one_subject_only_can_be_a_parameter_of_both(planar):
    model = planar[0]
    body = model.bodies[1]
    central = replace(body, mass_center=(0.0, body.mass_center[1], 0.0))
    offset = replace(body, mass_center=(0.01, body.mass_center[1], 0.0))
    one, other = (
        replace(model, bodies=(model.bodies[0], each, *model.bodies[2:])) for each in (central, offset)
    )
    assert build(one).program_hash != build(other).program_hash
    names = build(other).parameter_names
    both = build(one, parameter_names=names), build(other, parameter_names=names)
    assert both[0].program_hash == both[1].program_hash
    assert both[0].parameter_names == both[1].parameter_names == names
    assert both[0].parameters[names.index(f"{body.name}.mass_center[0]")] == 0


def test_gradients_to_parameters_are_those_of_finite_differences(planar):
    model, functions, answers = planar
    p = ca.SX.sym("p", len(functions.parameters))
    state = {"q": answers["q"][0], "u": answers["qd"][0], "udot": answers["qdd"][0]}
    contact = {"q": answers["c_q"][0], "u": answers["c_qd"][0]}
    outputs = ca.vertcat(
        functions.inverse_dynamics()(**state, parameters=p)["tau"],
        functions.imus(**state, parameters=p)["imu_acceleration"],
        functions.contact(**contact, parameters=p)["force"],
        functions.passive_forces(**contact, parameters=p)["total"],
        muscle_paths(functions.tree, [m.name for m in model.muscles])(**contact, parameters=p)["length"],
    )
    value = ca.Function("value", [p], [outputs])
    jacobian = np.array(ca.Function("jacobian", [p], [ca.jacobian(outputs, p)])(functions.parameters))
    size = np.maximum(np.abs(functions.parameters), 1e-3)
    differences = []
    for i, step in enumerate(1e-6 * size):
        ahead, behind = functions.parameters.copy(), functions.parameters.copy()
        ahead[i] += step
        behind[i] -= step
        differences.append((np.array(value(ahead)) - np.array(value(behind))).ravel() / (2 * step))
    # Rounding of a difference is eps |value| / step, where the step is 1e-6 of the number's size.
    scale = np.abs(np.array(value(functions.parameters))).max() / size
    assert (np.abs(jacobian - np.transpose(differences)) / scale).max() < 1e-7
    named = zip(functions.parameter_names, np.abs(jacobian).max(axis=0), strict=True)
    felt = {name.rpartition(".")[2].partition("[")[0] for name, slope in named if slope > 0}
    assert felt >= set("mass mass_center inertia parent_offset position location radius stiffness".split())


def test_two_elements_with_one_name_are_refused(planar):
    model = planar[0]
    with pytest.raises(InputError, match="Two elements"):
        build(replace(model, bodies=(*model.bodies, model.bodies[0])))
