import tomllib
from pathlib import Path

import numpy as np
import pytest

from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.symbolic.build import build, sensor_positions
from sspinn_opensim.opensim_io.model.model_file import (
    read_model_tree,
    switch_ground_forces_off,
    write_model_tree,
)
from sspinn_opensim.opensim_io.tables.external_loads import write_external_loads
from sspinn_opensim.opensim_io.tables.motion_files import coordinates_of
from sspinn_opensim.opensim_io.tables.storage import read_storage
from sspinn_opensim.opensim_io.worker.tools import inverse_dynamics
from sspinn_opensim.simulation.demo import recording, write
from sspinn_opensim.simulation.demo.gait_curves import ANGLES, CLEARANCE, SOURCES, VERTICAL_FORCE, Curve
from sspinn_opensim.simulation.demo.walk import CYCLE_S, KNOTS
from sspinn_opensim.simulation.optimal_gait import driven_by_contact
from sspinn_opensim.simulation.periodic import closed_basis, periodic_motion

FOLDER = Path(__file__).parents[3] / write.FOLDER
CYCLE = slice(KNOTS, 2 * KNOTS)  # of the samples
FEET = ("foot_r", "foot_l")
# The files keep 10 decimals of a metre and 6 of N. Twice differentiated at 100 Hz the first leave 1e-5 m/s^2,
# times 68 kg; the walk itself obeys the dynamics to 1e-6 N.
ROUNDING = 1e-3
#: Another machine rounds otherwise on the way to the same optimum: this part of the largest value of a file,
#: a hundredth of a degree of 50.
REPEATED = 2e-4


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    return tmp_path_factory.mktemp("demo") / "subject.osim"


@pytest.fixture(scope="module")
def model(subject):
    return write.scaled_model(subject)


@pytest.fixture(scope="module")
def reference():
    files = ("kinematics.mot", "moments.sto", "grf.mot", "muscle_forces.sto")
    return {file.split(".")[0]: read_storage(FOLDER / f"reference_{file}") for file in files}


@pytest.fixture(scope="module")
def motion(model, reference):
    """Return q, u, udot of the reference over one cycle: the closed quintic spline through its samples."""
    table = reference["kinematics"]
    q = coordinates_of(table, model.coordinate_names, [c.motion for c in model.coordinates])
    travel = (q[CYCLE.stop] - q[CYCLE.start]) / CYCLE_S
    samples = np.arange(KNOTS) / KNOTS
    at_knots = [closed_basis(samples, KNOTS, order) / CYCLE_S**order for order in range(3)]
    coefficients = np.linalg.solve(at_knots[0], q[CYCLE] - np.outer(samples * CYCLE_S, travel))
    return q[CYCLE], at_knots[1] @ coefficients + travel, at_knots[2] @ coefficients


@pytest.fixture(scope="module")
def forces(reference):
    """Return the ground force on each foot over one cycle, (m, 2, 3)."""
    columns = [f"{foot}_ground_force_v{axis}" for foot in FEET for axis in "xyz"]
    values = np.column_stack([reference["grf"].column(name) for name in columns])
    return values[CYCLE].reshape(-1, 2, 3)


def weight(model):
    return -model.gravity[1] * model.total_mass


def degrees(reference, name):
    return reference["kinematics"].column(name)[CYCLE]


def test_the_study_of_the_demo_scales_to_the_walker():
    study = tomllib.loads((FOLDER.parent / "demo.toml").read_text())
    person = write.PERSON
    assert study["person"] == {"name": person.name, "height_m": person.height_m, "mass_kg": person.mass_kg}


def test_files_are_small_and_cover_the_same_time(reference):
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 800e3
    assert (FOLDER / "imu.csv").stat().st_size < 400e3
    expected = np.arange(1200) / 100
    for name in ("kinematics", "moments", "grf"):
        np.testing.assert_allclose(reference[name].time_s, expected, atol=1e-9)


def test_the_command_writes_the_committed_files_again(tmp_path):
    write.main([str(tmp_path)])
    assert {file.name for file in tmp_path.iterdir()} == {file.name for file in FOLDER.iterdir()}
    for file in FOLDER.iterdir():
        again, committed = (
            np.loadtxt(path, delimiter=",", skiprows=1)
            if path.suffix == ".csv"
            else read_storage(path).values
            for path in (tmp_path / file.name, file)
        )
        largest = np.abs(committed).max()
        np.testing.assert_allclose(again, committed, rtol=0, atol=REPEATED * largest, err_msg=file.name)


def test_moments_and_ground_forces_follow_from_the_motion_by_the_models_own_contact_law(
    model, reference, motion, forces
):
    tau, force, _, _ = (out.full().T for out in driven_by_contact(model).map(KNOTS)(*(x.T for x in motion)))
    np.testing.assert_allclose(tau, reference["moments"].values[CYCLE], atol=ROUNDING)
    sides = [
        [i for i, law in enumerate(model.contact_forces) if law.name.endswith(foot[-2:])] for foot in FEET
    ]
    own = np.stack([force.reshape(KNOTS, -1, 3)[:, side].sum(axis=1) for side in sides], axis=1)
    np.testing.assert_allclose(own, forces, atol=ROUNDING)


def test_nothing_but_the_ground_holds_the_pelvis(model, reference):
    moments = reference["moments"]
    for name in model.root_coordinates():
        kind = "moment" if name == "pelvis_tilt" else "force"
        assert np.abs(moments.column(f"{name}_{kind}")).max() < 1e-5


@pytest.mark.parametrize("contact", ["of the model", "of the table"])
def test_opensim_agrees(contact, subject, reference, tmp_path):
    """OpenSim's inverse dynamics of the files, its contact on or replaced by the table of ground forces."""
    tree = read_model_tree(subject)
    arguments = {}
    if contact == "of the table":
        switch_ground_forces_off(tree)
        (tmp_path / "grf.mot").write_bytes((FOLDER / "reference_grf.mot").read_bytes())
        arguments["external_loads"] = write_external_loads(tmp_path / "loads.xml", FEET)
    write_model_tree(tmp_path / "subject.osim", tree)
    output = tmp_path / "moments.sto"
    run_job(
        inverse_dynamics,
        {
            "model": tmp_path / "subject.osim",
            "kinematics": FOLDER / "reference_kinematics.mot",
            "output": output,
            "from_s": CYCLE_S,
            "to_s": 2 * CYCLE_S,
            **arguments,
        },
        timeout_s=60,
        outputs=[output],
    )
    answer, moments = read_storage(output), reference["moments"]
    for name in moments.names:
        expected = np.interp(answer.time_s, moments.time_s, moments.column(name))
        np.testing.assert_allclose(answer.column(name), expected, atol=10 * ROUNDING, err_msg=name)


def test_sensors_read_the_motion_and_their_stated_noise(model, motion):
    rows = np.genfromtxt(FOLDER / "imu.csv", delimiter=",", names=True)
    functions = build(model, model.imu_frames)
    constants = [sensor_positions(model.imu_frames), functions.parameters]
    force = np.zeros((3 * len(functions.contact_points), KNOTS))
    constants = [np.tile(value[:, None], KNOTS) for value in constants]
    _, acceleration, rate, *_ = functions.dynamics.map(KNOTS)(*(x.T for x in motion), force, *constants)
    acceleration, rate = acceleration.full(), rate.full()
    white, offsets = [], []
    for i, sensor in enumerate(functions.sensors):
        body = sensor.removesuffix("_imu")
        for k, axis in enumerate("xy"):
            white.append(rows[f"{body}_acc_{axis}"][CYCLE] - acceleration[3 * i + k])
        error = rows[f"{body}_gyro_z"][CYCLE] - rate[3 * i + 2]
        offsets.append(error.mean())
        assert np.std(error) == pytest.approx(recording.RATE_NOISE_RAD_S, rel=0.25)
    assert np.std(white) == pytest.approx(recording.ACCELERATION_NOISE_M_S2, rel=0.1)
    assert abs(np.mean(white)) < 0.01
    assert 0 < np.abs(offsets).max() < 4 * recording.RATE_OFFSET_RAD_S


def test_ground_forces_look_like_walking(model, forces):
    vertical = forces[:, 0, 1] / weight(model)
    assert forces[:, :, 1].sum(axis=1).mean() == pytest.approx(weight(model), rel=1e-2)
    percent = 100 * np.arange(KNOTS) / KNOTS
    first, valley, second = (
        vertical[(percent >= low) & (percent < high)] for low, high in ((5, 25), (25, 40), (40, 58))
    )
    assert 1.0 < first.max() < 1.25 and 1.0 < second.max() < 1.25 and 0.65 < valley.min() < 0.9
    assert vertical[(percent > 66) & (percent < 95)].max() < 0.01
    assert np.sqrt(np.mean((vertical - VERTICAL_FORCE(percent)) ** 2)) < 0.05
    assert forces[:, 0, 0].min() < -0.1 * weight(model) and forces[:, 0, 0].max() > 0.1 * weight(model)


@pytest.mark.parametrize(("joint", "rms_deg"), [("hip_flexion", 3), ("knee_angle", 3), ("ankle_angle", 5)])
def test_angles_follow_the_mean_curves(reference, joint, rms_deg):
    percent = 100 * np.arange(KNOTS) / KNOTS
    for side, late in (("r", 0), ("l", 50)):
        deviation = degrees(reference, f"{joint}_{side}") - ANGLES[joint](percent + late)
        assert np.sqrt(np.mean(deviation**2)) < rms_deg


def test_the_swinging_foot_clears_the_floor_and_the_standing_one_stays_in_it(model, motion):
    depth = driven_by_contact(model).map(KNOTS)(*(x.T for x in motion))[3].full()
    assert 0.005 < depth.max() < 0.025  # soft tissue and sole: the contact law yields two centimetres
    phase = 100 * np.arange(KNOTS) / KNOTS
    for law, sphere_depth in zip(model.contact_forces, depth, strict=True):
        part, side = law.sphere.rsplit("_", 1)
        first, last, height = CLEARANCE[part]
        swing = np.mod(phase + (50 if side == "l" else 0), 100)
        assert sphere_depth[(swing >= first) & (swing <= last)].max() < -height + 1e-4


def test_moments_are_of_human_size(model, reference):
    ankle = reference["moments"].column("ankle_angle_r_moment")[CYCLE] / model.total_mass
    assert -2.0 < ankle.min() < -1.2  # push-off
    for joint in ("hip_flexion", "knee_angle", "lumbar_extension"):
        name = joint if joint == "lumbar_extension" else f"{joint}_r"
        assert np.abs(reference["moments"].column(f"{name}_moment")[CYCLE]).max() < 1.2 * model.total_mass


def test_muscle_forces_cover_one_late_cycle(reference):
    table = reference["muscle_forces"]
    assert (table.time_s[0], table.time_s[-1]) == pytest.approx(write.MUSCLE_WINDOW_S, abs=1e-3)
    assert table.values.min() >= 0
    soleus = table.column("soleus_r")
    push_off = np.interp(8 * CYCLE_S + 0.5 * CYCLE_S, table.time_s, soleus)
    assert push_off > 500 > soleus[np.searchsorted(table.time_s, 8.8 * CYCLE_S)]


def test_curves_pass_their_landmarks_and_name_known_sources():
    for curve in (*ANGLES.values(), VERTICAL_FORCE):
        np.testing.assert_allclose(curve(np.array(curve.percent) + 300), curve.values, atol=1e-12)
        assert set(curve.sources) <= set(SOURCES)
        assert min(curve.values) <= curve(np.linspace(0, 100, 777)).min()
    assert Curve((0, 50), (1, 3), ())(25) == pytest.approx(2)


def test_the_splines_derivatives_are_those_of_the_motion():
    names, times, step = ("pelvis_tx", "knee_angle_r", "knee_angle_l"), np.array([0.13, 0.77]), 1e-5
    unknowns = np.random.default_rng(0).standard_normal(1 + 10 + 20)
    here = periodic_motion(names, 2.0, 20, times)
    before, after = (periodic_motion(names, 2.0, 20, times + shift) for shift in (-step, step))
    for lower, upper in (("q", "u"), ("u", "udot"), ("udot", "jerk")):
        slope = (getattr(after, lower) - getattr(before, lower)) @ unknowns / (2 * step)
        np.testing.assert_allclose(getattr(here, upper) @ unknowns, slope, rtol=1e-5, atol=1e-4)


def test_the_left_leg_does_what_the_right_one_did_half_a_cycle_ago():
    names = ("pelvis_tx", "knee_angle_r", "knee_angle_l")
    unknowns = np.random.default_rng(1).standard_normal(1 + 10 + 20)
    now, later = ((periodic_motion(names, 2.0, 20, [t]).q @ unknowns).reshape(3) for t in (0.3, 1.3))
    np.testing.assert_allclose(later, [now[0] + unknowns[0], now[2], now[1]], atol=1e-12)


def test_a_spline_through_samples_recovers_a_smooth_motion():
    phase = np.arange(40) / 40
    coefficients = np.linalg.solve(closed_basis(phase, 40), np.sin(2 * np.pi * phase))
    between = phase + 1 / 80
    np.testing.assert_allclose(
        closed_basis(between, 40) @ coefficients, np.sin(2 * np.pi * between), atol=1e-6
    )
    acceleration = closed_basis(between, 40, 2) @ coefficients / (2 * np.pi) ** 2
    np.testing.assert_allclose(acceleration, -np.sin(2 * np.pi * between), atol=1e-4)
