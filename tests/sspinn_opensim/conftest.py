"""A body in motion on our planar model, and what its sensors would read: exact, small and fast."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import osim_models
from casadi_dynamics.model import TransformAxis
from casadi_dynamics.model.functions import Linear
from casadi_dynamics.osim import read_model
from sspinn_opensim.recording import Recording, Sensor
from sspinn_opensim.results.folder import file_of
from sspinn_opensim.results.manifest import compare_with_manifest, read_manifest

BODIES = ("pelvis", "femur_r", "tibia_r", "foot_r", "femur_l", "tibia_l", "foot_l")
RATE_HZ = 100.0
SPEED_M_S = 1.2
#: Motion, external loads and their data of the laboratory's trial.
LUNGE = ("lunge.mot", "lunge_loads.xml", "lunge_forces.mot")


@pytest.fixture(scope="session")
def planar_model():
    """Return our planar model."""
    return read_model(osim_models.path("planar_gait.osim"))


@pytest.fixture(scope="session")
def spatial_model(planar_model):
    """Return our model on a root that goes and turns everywhere, as gait2392's does; legs are hinges."""
    return _spatial(planar_model)


@pytest.fixture(scope="session")
def record():
    """Return a function that records an analytic motion (`make_motion`) with one sensor per IMU frame."""
    return _record


@pytest.fixture(scope="session")
def make_motion():
    """Return a function: times to (q, u, udot), each (n, coordinates), of a planar, walking-like motion."""
    return _motion


@pytest.fixture(scope="session")
def only_files_of_the_table():
    """Return a check: all that lies in a results folder was recorded and is in the table under its verb.

    Files that the test itself put there are named in `given`.
    """

    def check(folder: Path, *verbs: str, given: tuple[str, ...] = ()) -> None:
        assert set(verbs) <= read_manifest(folder)["settings"].keys()
        for manifest in folder.rglob("manifest.json"):
            for name, entry in read_manifest(manifest.parent)["files"].items():
                row = file_of(name)
                assert row is not None and row.written_by(entry["verb"]), (name, entry["verb"])
            found = compare_with_manifest(manifest.parent)
            assert set(found.added) <= set(given) and not found.missing, (manifest, found)

    return check


@pytest.fixture(scope="session")
def in_opensim():
    """Return a function that runs a script where OpenSim can be imported, and returns what it prints."""

    def run(script: str, *arguments) -> dict:
        command = [sys.executable, "-c", script, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.fixture(scope="session")
def walker(planar_model):
    """Return the model, a recording of 3 s, the subject and its signals."""
    from sspinn_opensim.training.signals import make_signals
    from sspinn_opensim.training.subject import make_subject

    recording = _record(planar_model)
    subject = make_subject(planar_model, recording, {}, height_m=1.8)
    signals = make_signals(recording, subject)
    return SimpleNamespace(model=planar_model, recording=recording, subject=subject, signals=signals)


@pytest.fixture(scope="session")
def lunge(tmp_path_factory) -> Path:
    """A laboratory's folder: swaying in a lunge, with the ground forces on each foot that this takes."""
    from casadi_dynamics.opensim_process.jobs import run_job
    from casadi_dynamics.opensim_process.worker.models import describe_model
    from sspinn_opensim.opensim_io.tables.external_loads import read_external_loads, write_external_loads
    from sspinn_opensim.opensim_io.tables.motion_files import ground_forces_table, kinematics_table
    from sspinn_opensim.opensim_io.tables.storage import write_storage
    from sspinn_opensim.opensim_io.trials.survey import survey

    folder = tmp_path_factory.mktemp("lunge")
    model = osim_models.path("planar_gait.osim")
    shutil.copy(model, folder / "model.osim")
    motions = run_job(describe_model, {"model": model}, timeout_s=60).values["motions"]
    time_s = np.arange(0.0, 1.2, 0.01)
    sway = np.sin(2 * np.pi * 1.5 * time_s)
    posture = {
        "pelvis_tx": 0.012 * sway,
        "pelvis_ty": 0.85 + 0.02 * np.cos(2 * np.pi * 2.2 * time_s),
        "hip_flexion_r": 0.7 + 0.05 * sway,
        "knee_angle_r": -0.7 - 0.1 * sway,
        "ankle_angle_r": 0.1 + 0.05 * sway,
        "hip_flexion_l": -0.3 + 0.05 * sway,
        "knee_angle_l": -0.5 + 0.1 * sway,
        "ankle_angle_l": 0.2 - 0.05 * sway,
    }
    q = np.column_stack([posture.get(name, 0 * time_s) for name in motions])
    table = kinematics_table(list(motions), list(motions.values()), time_s, q)
    write_storage(folder / LUNGE[0], table)
    feet = ("foot_r", "foot_l")
    zero = np.zeros((len(time_s), 2, 3))
    write_storage(folder / LUNGE[2], ground_forces_table(feet, time_s, zero, zero, zero))
    loads = read_external_loads(write_external_loads(folder / LUNGE[1], feet, LUNGE[2]))
    seen = survey(model, table, loads, lowpass_hz=0.0)
    along, upward, tilt = (
        seen.tau_free[:, seen.column(name)] for name in ("pelvis_tx", "pelvis_ty", "pelvis_tilt")
    )
    # The moment about the pelvis says where the sum acts on the floor; the feet share it like two supports.
    centre = posture["pelvis_tx"] + (tilt - posture["pelvis_ty"] * along) / upward
    right, left = seen.body_position[:, 0, 0], seen.body_position[:, 1, 0]
    share = (centre - left) / (right - left)
    assert share.min() > 0.1 and share.max() < 0.9, "the feet must stand on either side"
    force, point = zero.copy(), zero.copy()
    for foot, (part, place) in enumerate(((share, right), (1 - share, left))):
        force[:, foot, 0], force[:, foot, 1], point[:, foot, 0] = part * along, part * upward, place
    write_storage(folder / LUNGE[2], ground_forces_table(feet, time_s, force, point, zero))
    return folder


@pytest.fixture
def trial(lunge, tmp_path) -> Path:
    """Return a fresh copy of the laboratory's folder."""
    return Path(shutil.copytree(lunge, tmp_path / "laboratory"))


def _spatial(model):
    (root,) = (joint for joint in model.joints if joint.parent.body == "ground")
    axes = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}
    turns = (("pelvis_tilt", "z"), ("pelvis_list", "x"), ("pelvis_rotation", "y"))
    moves = (("pelvis_tx", "x"), ("pelvis_ty", "y"), ("pelvis_tz", "z"))
    rotations, translations = (
        tuple(TransformAxis(axes[axis], name, Linear(1.0, 0.0)) for name, axis in part)
        for part in (turns, moves)
    )
    free = dataclasses.replace(root, kind="CustomJoint", rotations=rotations, translations=translations)
    known = {c.name: c for c in model.coordinates}
    new = tuple(
        dataclasses.replace(known[like], name=name, joint=root.name, default=0.0)
        for name, like in (
            ("pelvis_list", "pelvis_tilt"),
            ("pelvis_rotation", "pelvis_tilt"),
            ("pelvis_tz", "pelvis_tx"),
        )
    )
    return dataclasses.replace(
        model,
        joints=tuple(free if joint is root else joint for joint in model.joints),
        coordinates=(*model.coordinates, *new),
    )


def _motion(model, time_s):
    """Coordinates that swing about a slightly bent posture, one hertz, with derivatives by hand."""
    time_s, w = np.asarray(time_s), 2 * np.pi
    mean = {"hip_flexion": 0.2, "knee_angle": -0.45, "ankle_angle": 0.05, "pelvis_ty": 0.93}
    swing = {
        "hip_flexion": 0.4,
        "knee_angle": 0.35,
        "ankle_angle": 0.15,
        "pelvis_ty": 0.02,
        "pelvis_tilt": 0.03,
    }
    q, u, udot = (np.zeros((len(time_s), len(model.coordinates))) for _ in range(3))
    for i, coordinate in enumerate(model.coordinates):
        joint = coordinate.name.removesuffix("_r").removesuffix("_l")
        a = swing.get(joint, 0.0)
        phase = w * time_s + (np.pi if coordinate.name.endswith("_l") else 0.0)
        q[:, i] = mean.get(joint, 0.0) + a * np.sin(phase)
        u[:, i], udot[:, i] = a * w * np.cos(phase), -a * w**2 * np.sin(phase)
        if joint == "pelvis_tx":
            q[:, i], u[:, i], udot[:, i] = SPEED_M_S * time_s, SPEED_M_S, 0.0
    return q, u, udot


def _record(model, seconds=3.0, bodies=BODIES, rate_hz=RATE_HZ, **changes) -> Recording:
    from casadi_dynamics.symbolic import build
    from casadi_dynamics.symbolic.build import sensor_positions

    frames = tuple(next(f for f in model.imu_frames if f.body == body) for body in bodies)
    functions = build(model, frames)
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    q, u, udot = _motion(model, time_s)
    answers = functions.dynamics(
        q=q.T,
        u=u.T,
        udot=udot.T,
        contact_force=np.zeros(functions.dynamics.numel_in("contact_force")),
        sensor_position=sensor_positions(frames),
        parameters=functions.parameters,
    )
    shape = (len(time_s), len(bodies), 3)
    available = np.ones(shape[1:], bool)
    recording = {
        "name": "analytic",
        "time_s": time_s,
        "sensors": tuple(Sensor(f.body, f.body, imu_frame=f.name) for f in frames),
        "acceleration": np.array(answers["imu_acceleration"]).T.reshape(shape),
        "angular_rate": np.array(answers["imu_angular_rate"]).T.reshape(shape),
        "acceleration_available": available,
        "angular_rate_available": available,
        "acceleration_variance": np.full(shape[1:], 0.3),
        "angular_rate_variance": np.full(shape[1:], 0.02),
        "speed_m_s": SPEED_M_S,
    }
    return Recording(**(recording | changes))
