"""A walking-like motion of a few harmonics, its sensors, and a results folder wrong by known amounts."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import osim_models
from casadi_dynamics.osim import read_model
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage, write_storage
from sspinn_opensim.recording import Recording, Sensor
from sspinn_opensim.report.movement import Movement
from sspinn_opensim.study import (
    ModelChoice,
    Person,
    RecordingChoice,
    ReferenceChoice,
    Study,
    TrainingChoice,
)
from sspinn_opensim.viewer import FrameMaker, make_scene

MODEL = osim_models.path("planar_gait.osim")
CYCLE_S = 1.1
RATE_HZ = 100.0
CYCLES = 6
GRAVITY = 9.80665
PERSON = Person(height_m=1.75, mass_kg=70.0, name="Test <person>")
#: Offset of each seed's angles from the reference, degrees.
SEED_OFFSET_DEG = {0: 1.0, 1: 3.0, 2: 2.0}


def segment_angles(time_s, cycle_s=CYCLE_S):
    """Angles of the segments about +z, rad: smooth, periodic, with offsets that integration cannot see."""
    phase = 2 * np.pi * np.asarray(time_s) / cycle_s

    def wave(mean, first, second, shift):
        angle = mean + first * np.cos(phase - shift) + second * np.cos(2 * (phase - shift) + 0.5)
        return np.radians(angle)

    angles = {"pelvis": wave(-3, 0, 1.5, 0.0), "torso": wave(-2, 0, 1.0, 0.3)}
    for side, shift in (("r", 0.0), ("l", np.pi)):
        angles[f"femur_{side}"] = wave(8, 21, 3, 0.2 + shift)
        angles[f"tibia_{side}"] = wave(-14, 33, 9, -0.9 + shift)
        angles[f"foot_{side}"] = wave(-16, 38, 16, -1.1 + shift)
    return angles


def joint_angles(time_s, cycle_s=CYCLE_S):
    """Coordinates of the planar model, rad; the knee's straightest frame is at 5 degrees of flexion."""
    segment = segment_angles(time_s, cycle_s)
    straightest = segment_angles(np.linspace(0, cycle_s, 2001), cycle_s)
    angles = {"pelvis_tilt": segment["pelvis"], "lumbar_extension": segment["torso"] - segment["pelvis"]}
    for side in "rl":
        knee = segment[f"tibia_{side}"] - segment[f"femur_{side}"]
        most = (straightest[f"tibia_{side}"] - straightest[f"femur_{side}"]).max()
        angles[f"hip_flexion_{side}"] = segment[f"femur_{side}"] - segment["pelvis"]
        angles[f"knee_angle_{side}"] = knee - most + np.radians(-5)
        angles[f"ankle_angle_{side}"] = segment[f"foot_{side}"] - segment[f"tibia_{side}"]
    return angles


def make_recording(cycle_s=CYCLE_S, cycle_known=True, seconds=CYCLES * CYCLE_S):
    """Sensors on the segments: exact rates, and an acceleration that averages to zero over a cycle."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    step = 1e-5
    later, sooner = segment_angles(time_s + step, cycle_s), segment_angles(time_s - step, cycle_s)
    acceleration, rate, sensors = [], [], []
    phase = 2 * np.pi * time_s / cycle_s
    for name, angle in segment_angles(time_s, cycle_s).items():
        if name == "torso":
            continue
        ground = np.column_stack([3 * np.sin(phase), GRAVITY + 4 * np.cos(2 * phase)])
        c, s = np.cos(angle), np.sin(angle)
        x, y = c * ground[:, 0] + s * ground[:, 1], -s * ground[:, 0] + c * ground[:, 1]
        acceleration.append(np.column_stack([x, y, 0 * x]))
        rate.append(np.column_stack([0 * x, 0 * x, (later[name] - sooner[name]) / (2 * step)]))
        sensors.append(Sensor(name=name, body=name))
    available = np.ones((len(sensors), 3), bool)
    variance = np.zeros((len(sensors), 3))
    return Recording(
        name="walk",
        time_s=time_s,
        sensors=tuple(sensors),
        acceleration=np.stack(acceleration, axis=1),
        angular_rate=np.stack(rate, axis=1),
        acceleration_available=available,
        angular_rate_available=available,
        acceleration_variance=variance,
        angular_rate_variance=variance,
        speed_m_s=1.3,
        cycle_s=cycle_s if cycle_known else None,
    )


def moments(time_s):
    """Some joint moments, N m."""
    return {name: 60 * np.sin(angle * 3) for name, angle in joint_angles(time_s).items()}


def ground_forces(time_s):
    """Some ground forces by side, N, shape (n, 3)."""
    forces = {}
    for side, shift in (("r", 0.0), ("l", 0.5)):
        phase = np.mod(time_s / CYCLE_S + shift, 1.0)
        stance = np.where(phase < 0.6, np.sin(np.pi * phase / 0.6), 0.0)
        up = PERSON.mass_kg * GRAVITY * stance * (1 + 0.25 * np.cos(4 * np.pi * phase / 0.6))
        forces[side] = np.column_stack([-0.15 * up * np.cos(np.pi * phase / 0.6), up, 0 * up])
    return forces


def write_motion(folder: Path, model, time_s, *, angle_offset_deg=0.0, moment_offset=0.0, force_factor=1.0):
    """Write the three files of one estimate (or of a reference)."""
    folder.mkdir(parents=True, exist_ok=True)
    angles = joint_angles(time_s)
    columns = []
    for coordinate in model.coordinates:
        if coordinate.name in angles:
            columns.append(np.degrees(angles[coordinate.name]) + angle_offset_deg)
        else:
            columns.append(0.9 + 0 * time_s)
    write_storage(
        folder / "kinematics.mot", Table(model.coordinate_names, time_s, np.column_stack(columns), True)
    )
    curves = moments(time_s)
    names = tuple(f"{name}_moment" for name in curves)
    values = np.column_stack(list(curves.values())) + moment_offset
    write_storage(folder / "moments.sto", Table(names, time_s, values))
    names, columns = [], []
    for side, force in ground_forces(time_s).items():
        names += [f"foot_{side}_ground_force_v{axis}" for axis in "xyz"]
        columns.append(force * force_factor)
    write_storage(folder / "grf.mot", Table(tuple(names), time_s, np.hstack(columns)))


def write_band(folder: Path, model, time_s, *, angle_deg=2.0, moment=5.0, force=30.0):
    """Write the standard deviations of one estimate, the same at all times."""
    for name, suffix, deviation in (
        ("kinematics", "mot", angle_deg),
        ("moments", "sto", moment),
        ("grf", "mot", force),
    ):
        table = read_storage(folder / f"{name}.{suffix}")
        values = np.full_like(table.values, deviation)
        write_storage(folder / f"{name}_sd.{suffix}", Table(table.names, time_s, values, table.in_degrees))


@pytest.fixture(scope="session")
def gait():
    """Return the functions and numbers of the motion, for tests that need another length or a part of it."""
    return SimpleNamespace(
        cycle_s=CYCLE_S,
        gravity=GRAVITY,
        person=PERSON,
        seed_offset_deg=SEED_OFFSET_DEG,
        model_file=MODEL,
        joint_angles=joint_angles,
        moments=moments,
        ground_forces=ground_forces,
        make_recording=make_recording,
        write_motion=write_motion,
        write_band=write_band,
    )


@pytest.fixture(scope="session")
def model():
    return read_model(MODEL)


@pytest.fixture(scope="session")
def recording():
    return make_recording()


@pytest.fixture
def study(tmp_path, model, recording):
    """A study whose reference is the motion itself."""
    folder = tmp_path / "reference"
    write_motion(folder, model, recording.time_s)
    return Study(
        path=tmp_path / "study.toml",
        model=ModelChoice(MODEL),
        person=PERSON,
        recording=RecordingChoice("csv", tmp_path / "walk.csv", "walk"),
        sensors=(),
        name="test",
        reference=ReferenceChoice(
            "opensim",
            kinematics=folder / "kinematics.mot",
            moments=folder / "moments.sto",
            grf=folder / "grf.mot",
        ),
        training=TrainingChoice(seeds=tuple(SEED_OFFSET_DEG)),
    )


@pytest.fixture
def results(tmp_path, model, recording):
    """A finished results folder: three seeds, wrong by known offsets, everything else that a report shows."""
    folder = tmp_path / "results"
    for seed, offset in SEED_OFFSET_DEG.items():
        write_motion(
            folder / "seeds" / f"seed_{seed}",
            model,
            recording.time_s,
            angle_offset_deg=offset,
            moment_offset=12.0,
            force_factor=1.1,
        )
        history = folder / "training" / f"seed_{seed}" / "history.csv"
        history.parent.mkdir(parents=True)
        lines = [f"{k},{10 / (k + 1)},{3 / (k + 1)},{0.5 * 0.9**k}" for k in range(0, 100, 5)]
        history.write_text("step,total,acceleration,root_force\n" + "\n".join(lines) + "\n")
    shutil.copy(MODEL, folder / "subject.osim")
    muscles = ("soleus_r", "vasti_r", "soleus_l")
    force = np.column_stack([500 + 300 * np.sin(recording.time_s * k) for k in (3, 5, 7)])
    write_storage(folder / "muscle_forces.sto", Table(muscles, recording.time_s, force))
    write_storage(folder / "muscle_activations.sto", Table(muscles, recording.time_s, force / 1000))
    verdict = {
        "ok": True,
        "frames": 110,
        "failed_frames": 0,
        "worst_reserve_percent": 1.5,
        "muscles": {
            name: {"peak_force_n": 800.0, "peak_activation": 0.5, "saturated_frames": 0} for name in muscles
        },
        "reserves": {"knee_angle_r": {"peak": 0.5, "peak_moment": 60.0, "percent": 0.8}},
        "residuals": {"pelvis_ty": {"peak": 20.0, "rms": 9.0, "percent": 2.5}},
        "failures": [],
        "warnings": ["look <here>"],
    }
    (folder / "static_optimization.json").write_text(json.dumps(verdict))
    scaling = {
        "height_m": 1.75,
        "mass_kg": 70.0,
        "generic_height_m": 1.8,
        "generic_mass_kg": 75.0,
        "factors": {"pelvis": [0.97, 0.97, 0.97]},
        "body_mass_kg": {"pelvis": [11.0, 10.3]},
    }
    (folder / "scaling.json").write_text(json.dumps(scaling))
    return folder


@pytest.fixture
def movement(recording, model):
    """The walk-like motion with a force under the right foot."""
    time_s = recording.time_s[:110]
    angles = joint_angles(time_s) | {"pelvis_tx": 1.3 * time_s}
    q = np.column_stack([angles.get(c.name, np.full_like(time_s, 0.9)) for c in model.coordinates])
    point = np.column_stack([1.3 * time_s, 0 * time_s, 0 * time_s])[:, None]
    force = np.broadcast_to([0.0, 700.0, 0.0], point.shape)
    scene = make_scene(model, forces=["foot_r"])
    return Movement(time_s, scene, FrameMaker(model, scene).frames(q, point=point, force=force))
