"""A subject whose model has couplers, and what training cannot use."""

import dataclasses

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Frame, Linear
from casadi_dynamics.model.constraints import CoordinateCouplerConstraint, PointConstraint
from casadi_dynamics.osim import read_model
from sspinn_opensim.estimation.inference.frame import frame_function
from sspinn_opensim.estimation.inference.path import Remembered
from sspinn_opensim.recording import Sensor
from sspinn_opensim.study import CoordinateChoice
from sspinn_opensim.training.coordinates import held_by_choice
from sspinn_opensim.training.motion import Decoder, differentiate
from sspinn_opensim.training.subject import make_subject

FOLLOWS = CoordinateCouplerConstraint("upright", "lumbar_extension", ("pelvis_tilt",), Linear(-0.5, 0.1))


@pytest.fixture(scope="module")
def subject(planar_model, walker):
    """Return the planar subject whose trunk follows the tilt of the pelvis."""
    model = dataclasses.replace(planar_model, constraints=(FOLLOWS,))
    return make_subject(model, walker.recording, {}, height_m=1.8)


@pytest.fixture(scope="module")
def rajagopal(repository, planar_model, walker):
    """Return a function that makes a subject of a public model, given contact points it does not have."""
    path = repository.parent / "shared" / "models" / "Rajagopal2016.osim"
    if not path.is_file():
        pytest.skip("the public models are not beside this checkout (../shared/models)")
    spheres = tuple(
        dataclasses.replace(sphere, name=f"{sphere.name}_{side}", body=f"calcn_{side}")
        for side in "rl"
        for sphere in planar_model.contact_spheres[:2]
    )
    model = dataclasses.replace(
        read_model(path), contact_spheres=spheres, half_spaces=planar_model.half_spaces, forces=(), muscles=()
    )
    bodies = ("pelvis", *(f"{body}_{side}" for side in "rl" for body in ("femur", "tibia", "calcn")))
    recording = dataclasses.replace(walker.recording, sensors=tuple(Sensor(body, body) for body in bodies))

    def make(fixed=None, estimate="all", **changes):
        changed = dataclasses.replace(model, **changes)
        held = held_by_choice(CoordinateChoice(fixed or {}, estimate), recording.sensors, changed)
        return make_subject(changed, recording, held, height_m=1.8)

    return make


def test_a_dependent_coordinate_plays_no_other_part(subject):
    roles, name = subject.roles, subject.model.coordinate_names.index("lumbar_extension")
    assert roles.dependent == (name,)
    assert name not in {*roles.posture, *roles.steps, *roles.actuated, *roles.root, *roles.fixed}


def test_the_dynamics_drive_it_from_the_one_it_follows(subject, walker):
    names = subject.model.coordinate_names
    back, tilt = names.index("lumbar_extension"), names.index("pelvis_tilt")
    q, u, udot = np.random.default_rng(1).uniform(-0.5, 0.5, (3, len(names)))
    force = np.random.default_rng(2).uniform(-300, 300, subject.dynamics.numel_in("contact_force"))
    shared = {
        "contact_force": force,
        "sensor_position": subject.sensor_position,
        "parameters": subject.functions.parameters,
    }
    found = subject.dynamics(q=q, u=u, udot=udot, **shared)
    q[back], u[back], udot[back] = 0.1 - 0.5 * q[tilt], -0.5 * u[tilt], -0.5 * udot[tilt]
    parameters = {**shared, "parameters": walker.subject.functions.parameters}
    expected = walker.subject.functions.dynamics(q=q, u=u, udot=udot, **parameters)
    tau = np.array(expected["tau"]).ravel()
    tau[tilt] -= 0.5 * tau[back]
    tau[back] = 0.0
    np.testing.assert_allclose(np.array(found["tau"]).ravel(), tau, rtol=1e-12, atol=1e-10)
    for name in ("imu_acceleration", "imu_angular_rate", "contact_position"):
        np.testing.assert_allclose(np.array(found[name]), np.array(expected[name]), rtol=1e-12, atol=1e-12)


def estimated(subject, outputs):
    """Return the coordinates (n, c) of an estimate from outputs of a network (n, size)."""
    frame = frame_function(subject, Decoder(subject, None), None, 0.01, 1)
    found = frame(outputs=outputs.T, angular_rate=0, before=np.zeros(Remembered.SIZE))
    return found["q"].full().T


def test_coordinates_that_leave_an_estimate_are_complete(subject):
    import torch

    decoder = Decoder(subject, None)
    outputs = np.random.default_rng(0).normal(size=(5, decoder.size))
    whole, told = estimated(subject, outputs), decoder(torch.as_tensor(outputs, dtype=torch.float32))
    names = subject.model.coordinate_names
    back, tilt = names.index("lumbar_extension"), names.index("pelvis_tilt")
    assert np.ptp(whole[:, tilt]) > 0.1
    np.testing.assert_allclose(whole[:, back], 0.1 - 0.5 * whole[:, tilt], rtol=1e-12)
    np.testing.assert_allclose(whole[:, list(subject.roles.posture)], told.posture, atol=1e-5)
    np.testing.assert_allclose(subject.completed(whole), whole, atol=1e-12)


def test_frames_can_be_differentiated(subject):
    import torch

    decoder = Decoder(subject, None)
    raw = decoder(torch.randn(1, 5, decoder.size))
    motion = differentiate(raw, subject, 0.01)
    assert motion.q.shape == (1, 3, len(subject.model.coordinates))


def test_a_public_model_with_couplers_is_ready_for_training(rajagopal):
    subject = rajagopal({"pelvis_tz": 0.0})
    names = subject.model.coordinate_names
    assert [names[i] for i in subject.roles.dependent] == ["knee_angle_r_beta", "knee_angle_l_beta"]
    assert subject.segment_map().shape[0] == len(subject.roles.posture)


def test_a_dependent_coordinate_cannot_be_fixed(rajagopal):
    with pytest.raises(InputError, match="a coupler sets it") as refused:
        rajagopal({"knee_angle_r_beta": 0.1})
    assert "follows" in refused.value.fix


def test_constraints_between_bodies_are_refused(rajagopal):
    frame = Frame("pelvis", (0.0, 0.0, 0.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
    with pytest.raises(InputError, match="constraint 'pinned'") as refused:
        rajagopal(constraints=(PointConstraint("pinned", frame, frame),))
    assert "isEnforced" in refused.value.fix


def test_angles_whose_speeds_are_no_rates_are_refused_unless_fixed(rajagopal):
    joints = rajagopal().model.joints
    hip = next(joint for joint in joints if joint.name == "hip_r")
    spun = tuple(dataclasses.replace(j, speeds="angular velocity") if j is hip else j for j in joints)
    with pytest.raises(InputError, match="hip_flexion_r") as refused:
        rajagopal(joints=spun)
    assert "GimbalJoint" in refused.value.fix
    rajagopal({axis.coordinate: 0.0 for axis in hip.rotations}, joints=spun)


PLANAR = ["pelvis_tilt", "pelvis_tx", "pelvis_ty"] + [
    f"{joint}_{side}" for side in "rl" for joint in ("hip_flexion", "knee_angle", "ankle_angle")
]


def test_held_coordinates_are_constants_of_the_program(rajagopal):
    """The part that is estimated gives what the whole model gives, with fewer instructions."""
    held = {"pelvis_tz": 0.1, "hip_adduction_r": -0.1}
    part = rajagopal(held, estimate=tuple(PLANAR))
    free = tuple(dataclasses.replace(c, locked=False) for c in part.model.coordinates)
    whole = rajagopal(coordinates=free)
    names = part.functions.coordinates
    assert part.dynamics.name_in() == whole.dynamics.name_in()
    assert part.dynamics.n_instructions() < 0.8 * whole.dynamics.n_instructions()
    random = np.random.default_rng(0)
    q, u, udot = random.uniform(-0.5, 0.5, (3, len(names)))
    for name, value in part.fixed.items():
        q[names.index(name)], u[names.index(name)], udot[names.index(name)] = value, 0.0, 0.0
    force = random.uniform(-500, 500, part.dynamics.numel_in("contact_force"))
    inputs = {"q": q, "u": u, "udot": udot, "contact_force": force}
    placed = {"sensor_position": part.sensor_position, "parameters": part.functions.parameters}
    expected, found = whole.dynamics(**inputs, **placed), part.dynamics(**inputs, **placed)
    held = [names.index(name) for name in part.fixed]
    moving = [i for i in range(len(names)) if i not in held]
    for name, value in expected.items():
        ours, theirs = np.array(found[name]).ravel(), np.array(value).ravel()
        rows = moving if name == "tau" else slice(None)
        np.testing.assert_allclose(
            ours[rows], theirs[rows], rtol=0, atol=1e-11 * np.abs(theirs).max(), err_msg=name
        )
    assert not np.array(found["tau"]).ravel()[held].any(), "nothing is asked of what does not move"
    # What the inputs say of held coordinates is not used.
    q[held], u[held] = 9.0, 9.0
    again = part.dynamics(**{**inputs, "q": q, "u": u}, **placed)
    np.testing.assert_array_equal(np.array(again["imu_acceleration"]), np.array(found["imu_acceleration"]))


def test_one_program_serves_all_people_of_a_generic_model(rajagopal):
    """Masses and sizes stay parameters; a value that is held is part of the program."""
    base = rajagopal(estimate="planar")
    bodies = base.model.bodies
    lighter = tuple(dataclasses.replace(b, mass=0.9 * b.mass) for b in bodies)
    other = rajagopal(estimate="planar", bodies=lighter)
    assert other.dynamics.serialize() == base.dynamics.serialize()
    assert (other.functions.parameters != base.functions.parameters).any()
    bent = rajagopal({"lumbar_extension": -0.1}, estimate="planar")
    assert bent.dynamics.serialize() != base.dynamics.serialize()


def test_a_planar_estimate_of_a_model_in_space(rajagopal):
    """Sideways nothing is measured or pushed, though knees and ankles are a little off the plane."""
    subject = rajagopal(estimate="planar")
    names = subject.functions.coordinates
    assert subject.planar and not rajagopal().planar
    assert {names[i] for i in (*subject.roles.posture, *subject.roles.steps)} == set(PLANAR)
    assert (subject.modelled.acceleration == [True, True, False]).all()
    assert (subject.modelled.angular_rate == [False, False, True]).all()
    assert (subject.modelled.force == [True, True, False]).all()
    assert "9 of 39 coordinates are estimated" in subject.describe()
    assert "2 driven by couplers" in subject.describe()


def test_toes_that_are_held_are_part_of_their_foot(rajagopal):
    base = rajagopal(estimate="planar").model.contact_spheres
    toe = dataclasses.replace(base[0], name="tip_r", body="toes_r")
    rigid = rajagopal(estimate="planar", contact_spheres=(*base, toe))
    assert rigid.feet == (*tuple(sphere.body for sphere in base), "calcn_r")
    unlocked = tuple(dataclasses.replace(c, locked=False) for c in rigid.model.coordinates)
    rolling = rajagopal({"subtalar_angle_r": 0.0}, contact_spheres=(*base, toe), coordinates=unlocked)
    assert rolling.feet[-1] == "toes_r"


def test_kneecaps_follow_in_what_a_planar_estimate_writes(rajagopal):
    subject = rajagopal(estimate="planar")
    whole = estimated(subject, np.random.default_rng(0).normal(size=(5, Decoder(subject, None).size)))
    names = subject.functions.coordinates
    for side in "rl":
        knee, kneecap = (names.index(f"knee_angle_{side}{end}") for end in ("", "_beta"))
        assert np.ptp(whole[:, knee]) > 0.01
        np.testing.assert_allclose(whole[:, kneecap], whole[:, knee], atol=1e-6)
    for name, value in subject.fixed.items():
        np.testing.assert_allclose(whole[:, names.index(name)], value, atol=1e-6)
