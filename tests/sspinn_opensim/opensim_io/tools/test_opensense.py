"""OpenSense on orientations of a known motion: OpenSim's tool is the oracle, the motion the answer."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from casadi_dynamics.errors import InputError
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import build
from casadi_dynamics.symbolic.posture import without_forces
from osim_models import path
from sspinn_opensim.opensim_io.tools.opensense import facing_forward, inverse_kinematics
from sspinn_opensim.results.folder import ResultsFolder

BODIES = ("pelvis", "femur_r", "tibia_r", "foot_r")
COORDINATES = ("pelvis_tilt", "hip_flexion_r", "knee_angle_r", "ankle_angle_r")
#: OpenSim's assembler ends once its goal changes by less than its accuracy, 1e-5: a square of angles, whose
#: root is 0.2 degrees.
DEGREES = 0.2
#: From a world with z up to one with y up.
Y_UP = Rotation.from_euler("x", -90.0, degrees=True)


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """Return a results folder, times, angles in degrees, and body orientations in ground (n, 4 bodies)."""
    out = tmp_path_factory.mktemp("opensense")
    ResultsFolder(out).subject.write_bytes(path("planar_gait").read_bytes())
    model = read_model(ResultsFolder(out).subject)
    time_s = np.arange(40) / 100
    swing = np.where(time_s < 0.1, 0.0, np.sin(7.0 * (time_s - 0.1)))
    angles = {name: scale * swing for name, scale in zip(COORDINATES, (5.0, 30.0, -40.0, 12.0), strict=True)}
    functions = build(without_forces(model))
    q = np.zeros((len(model.coordinates), len(time_s)))
    for k, name in enumerate(model.coordinate_names):
        q[k] = np.radians(angles.get(name, 0.0 * time_s))
    still = np.zeros(len(q))
    out_q = functions.kinematics(q=q, u=still, udot=still, parameters=functions.parameters)
    rotation = np.array(out_q["rotation"]).T.reshape(len(time_s), -1, 3, 3)
    orientations = [Rotation.from_matrix(rotation[:, functions.bodies.index(body)]) for body in BODIES]
    return out, time_s, angles, orientations


def test_angles_come_back_whatever_worlds_and_mountings_the_sensors_have(walk):
    """Each sensor has a world of its own heading, and misses the axes of its body by a few degrees."""
    out, time_s, angles, bodies = walk
    drawn = np.random.default_rng(3)
    quaternions = np.empty((len(time_s), len(bodies), 4))
    for k, body in enumerate(bodies):
        heading = Rotation.from_euler("z", drawn.uniform(-np.pi, np.pi))
        # About its own z alone: a sensor that is turned in heading would not face as its segment does.
        mounting = Rotation.from_euler("z", drawn.uniform(-0.2, 0.2))
        quaternions[:, k] = (heading * Y_UP.inv() * body * mounting).as_quat(scalar_first=True)
    standing = time_s < 0.1
    found = inverse_kinematics(out, BODIES, time_s, facing_forward(quaternions, standing), standing)
    assert np.array_equal(np.round(found.time_s, 9), np.round(time_s, 9))
    for name, angle in angles.items():
        assert np.abs(found.column(name) - angle).max() < DEGREES, name


def test_two_sensors_on_a_body_are_refused(walk):
    out, time_s, _, bodies = walk
    both = np.stack([body.as_quat(scalar_first=True) for body in bodies[:2]], axis=1)
    with pytest.raises(InputError, match="one sensor a body"):
        inverse_kinematics(out, ("pelvis", "pelvis"), time_s, both, time_s < 0.1)


def test_facing_forward_keeps_the_inclination_and_takes_the_heading():
    still = Rotation.from_euler("y", 0.7) * Rotation.from_euler("z", 0.2)
    quaternion = (Y_UP.inv() * still).as_quat(scalar_first=True)[None, None]
    found = Rotation.from_quat(facing_forward(quaternion, np.array([True]))[0, 0], scalar_first=True)
    assert np.allclose((Rotation.from_euler("z", 0.2).inv() * found).magnitude(), 0.0, atol=1e-12)
