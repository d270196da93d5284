"""The whole verb: files in, a study that can be run out."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim import cli
from sspinn_opensim.evaluation.metrics import evaluate_curves
from sspinn_opensim.evaluation.reference import read_reference
from sspinn_opensim.opensim_io.tables.external_loads import read_external_loads
from sspinn_opensim.opensim_io.tables.storage import read_storage, write_storage
from sspinn_opensim.recording import read_recording
from sspinn_opensim.simulation import heading, laboratory, places
from sspinn_opensim.simulation.settings import changed
from sspinn_opensim.simulation.states import completed
from sspinn_opensim.simulation.walk import read_walk, record_walk, scored_window
from sspinn_opensim.study import read_study
from sspinn_opensim.verbs.simulate_imu import settings_for, simulate_imu

HEIGHT = {"study.height_m": 1.66}


def settings(perfect=False, **changes):
    return settings_for(None, HEIGHT | {k.replace("__", "."): v for k, v in changes.items()}, perfect=perfect)


def walking_settings(walker, **changes):
    kept = {"motion__keep_from_s": walker.valid_s[0], "motion__keep_to_s": walker.valid_s[1]}
    loads = {"laboratory__external_loads": walker.loads}
    return settings(motion__strides=4, motion__lowpass_hz=6.0, **(kept | loads | changes))


def test_the_study_holds_the_recording_its_sensors_and_the_reference(planar_files, planar_model, tmp_path):
    study = read_study(simulate_imu(planar_files.model, planar_files.motion, tmp_path, settings(True)).study)
    assert study.model.scaled and study.recording.speed_m_s == pytest.approx(1.2, abs=1e-3)
    recording = read_recording(study)
    assert recording.sampling_rate_hz == pytest.approx(100.0) and recording.time_s[0] == 0.0
    assert set(recording.sensor_names) == {
        "pelvis",
        *(f"{s}_{x}" for s in ("femur", "tibia", "foot") for x in "rl"),
    }
    reference = read_reference(study, planar_model)(recording.time_s)
    truth = json.loads((tmp_path / "truth.json").read_text())
    shift = truth["starts_at_s_of_the_motion"]
    lab = np.interp(recording.time_s + shift, planar_files.time_s, planar_files.q[:, 5])
    name = planar_model.coordinate_names[5]
    # The filter takes a little of what swings at 1 Hz: (1 / 12)^4.
    np.testing.assert_allclose(reference.angles[name], lab, atol=2e-3)
    for sensor in study.sensors:
        assert truth["sensors"][sensor.name]["position_m"] == pytest.approx(sensor.position, abs=1e-6)
        assert truth["sensors"][sensor.name]["misalignment_deg"] == pytest.approx([0.0, 0.0, 0.0])


def test_the_same_seed_writes_the_same_bytes(planar_files, tmp_path):
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        simulate_imu(planar_files.model, planar_files.motion, tmp_path / folder, settings(seed=seed))
    first, same, other = ((tmp_path / folder / "recording.csv").read_bytes() for folder in "abc")
    assert first == same != other


def test_a_study_of_somebody_else_is_not_overwritten(tmp_path):
    (tmp_path / "study.toml").write_text("# mine\n")
    with pytest.raises(InputError, match="which would be lost"):
        simulate_imu(Path("a.osim"), Path("walk.mot"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["study.toml"]


def test_a_walk_is_turned_to_lead_along_x_and_its_signals_stay(walker3d, tmp_path):
    functions = walker3d.functions
    straight = read_walk(walker3d.model, walker3d.motion, settings(True, motion__lowpass_hz=6.0))
    turned = read_walk(
        walker3d.model, walker3d.motion, settings(True, motion__lowpass_hz=6.0, motion__heading_deg=140.0)
    )
    q = turned.motion(np.array([turned.from_s, turned.to_s]))[0]
    way = np.diff(heading.root_pose(functions, q)[0], axis=0)[0]
    assert np.degrees(np.arctan2(-way[2], way[0])) == pytest.approx(
        140.0 - np.degrees(straight.turned_rad), abs=1
    )
    q = straight.motion(np.array([straight.from_s, straight.to_s]))[0]
    way = np.diff(heading.root_pose(functions, q)[0], axis=0)[0]
    assert abs(way[2]) < 0.01 * way[0]
    sensors = places.virtual_sensors(functions, ())
    first, second = (record_walk(walk, sensors, settings(True)) for walk in (straight, turned))
    # Splines through other angles of the root.
    assert np.abs(first.acceleration - second.acceleration).max() < 2e-3
    assert np.abs(first.angular_rate - second.angular_rate).max() < 1e-4


def test_a_planar_model_cannot_be_turned(planar_files):
    with pytest.raises(InputError, match="cannot be turned"):
        read_walk(planar_files.model, planar_files.motion, settings(motion__heading_deg=30.0))


def test_conventions_of_the_planar_model_are_kept(walker3d, planar, tmp_path):
    """The knee counts flexion the other way; scored against the reference, the own motion is exact."""
    chosen = walking_settings(walker3d)
    study = read_study(simulate_imu(walker3d.model, walker3d.motion, tmp_path, chosen).study)
    recording = read_recording(study)
    reference = read_reference(study, planar.tree.model)(recording.time_s)
    assert (
        reference.angles["knee_angle_r"].min() < np.radians(-50)
        and reference.angles["knee_angle_r"].max() < 0.1
    )
    walk = read_walk(walker3d.model, walker3d.motion, chosen)
    q = completed(walk.functions, *walk.motion(walk.from_s + recording.time_s))["q"]
    signs = json.loads((tmp_path / "truth.json").read_text())["coordinate_signs"]
    assert signs == {
        f"{joint}_{side}": sign
        for side in "rl"
        for joint, sign in (("hip_flexion", 1), ("knee_angle", -1), ("ankle_angle", 1))
    }
    own = {name: sign * q[:, walk.functions.coordinates.index(name)] for name, sign in signs.items()}
    scores = evaluate_curves(replace(reference, angles=own), reference, study.person)
    assert scores["angle_rmsd_deg"] < 1e-6 and scores["moment_rmsd_bwbh"] == 0.0
    # Moments and forces are known only where the plates saw whole feet, within the stride that is scored.
    known = recording.time_s[np.isfinite(reference.moments["knee_angle_r"])]
    from_s, to_s = scored_window(walk)
    assert from_s - 1e-6 <= known[0] and known[-1] < to_s
    assert known[-1] - known[0] == pytest.approx(walker3d.valid_s[1] - walker3d.valid_s[0], abs=0.03)
    assert (study.output.from_s, study.output.to_s) == pytest.approx((from_s, to_s), abs=1e-5)
    # The ankle pushes off: plantarflexion is negative, a tenth of body weight times height and more.
    bwbh = study.person.mass_kg * 9.80665 * study.person.height_m
    assert -0.12 < np.nanmin(reference.moments["ankle_angle_r"]) / bwbh < -0.06
    up = reference.ground_force["r"][:, 1]
    assert 0.9 < np.nanmax(up) / (study.person.mass_kg * 9.80665) < 1.6


def test_own_inverse_dynamics_agree_with_the_laboratorys_inside_the_trial(walker3d):
    """The shipped moments were filtered on the cut motion: they differ at the ends, not in the middle."""
    walk = read_walk(
        walker3d.model, walker3d.motion, settings(motion__lowpass_hz=6.0, motion__heading_deg=0.0)
    )
    shipped_s, shipped = laboratory.moments(walker3d.moments, walk.functions, walk.motion)
    own_s, own = laboratory.inverse_dynamics(walker3d.loads, walk.functions, walk.motion, np.eye(3), 100.0)
    middle = (shipped_s > 0.24) & (shipped_s < 0.56)
    per_bwbh = 100 / (67 * 9.80665 * 1.66)
    for name in ("hip_flexion_r", "knee_angle_r", "ankle_angle_r", "knee_angle_l", "ankle_angle_l"):
        error = np.interp(shipped_s, own_s, own[name]) - shipped[name]
        assert np.sqrt(np.mean(error[middle] ** 2)) * per_bwbh < 0.25, name


def test_sensors_sit_on_the_planar_model_as_far_from_their_joints(walker3d, planar):
    sensors = {s.name: s for s in places.virtual_sensors(walker3d.functions, ())}
    assert sensors["foot_r"].body == "calcn_r"
    body, position = places.on_study(walker3d.functions, planar, sensors["foot_r"])
    assert body == "foot_r" and 0.04 < position[0] < 0.09 and abs(position[1]) < 0.04
    body, position = places.on_study(walker3d.functions, planar, sensors["pelvis"])
    assert body == "pelvis" and position == pytest.approx([-0.1, 0.08, 0.0], abs=1e-9)
    # Right and left mirror each other.
    left = places.on_study(walker3d.functions, planar, sensors["foot_l"])[1]
    right = places.on_study(walker3d.functions, planar, sensors["foot_r"])[1]
    np.testing.assert_allclose(left[:2], right[:2], atol=0.01)
    assert left[2] == pytest.approx(-right[2], abs=0.01)


def test_default_sensors_are_on_the_right_side_of_the_body(walker3d):
    functions = walker3d.functions
    q = np.array([[c.default for c in functions.tree.model.coordinates]])
    sensors = places.virtual_sensors(functions, ())
    zeros = np.zeros_like(q)
    station = np.array([s.position for s in sensors]).reshape(1, -1)
    state = completed(functions, q, zeros, zeros)
    found = functions.at(functions.stations([s.body for s in sensors]), **state, station=station)
    found = dict(zip([s.name for s in sensors], found["position"].reshape(-1, 3), strict=True))
    assert found["femur_r"][2] > 0.1 > -0.1 > found["femur_l"][2]
    assert found["pelvis"][1] > found["femur_r"][1] > found["tibia_r"][1] > found["foot_r"][1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"study.height_m": 18.0}, "out of bounds"),
        ({"motion.unit": "degree"}, "did you mean 'degrees'"),
        ({"motion.lowpass_hz": float("nan")}, "wrong kind"),
        ({"motion.belt_speed_m_s": float("inf")}, "a number"),
        ({"laboratory.moments": None or __import__("pathlib").Path("nowhere.sto")}, "does not exist"),
        ({"motion.keep_from_s": 1.0}, "needs both ends"),
        ({"motion.strides": 4, "motion.keep_from_s": 1.0, "motion.keep_to_s": 0.5}, "before it starts"),
        ({"seed": -1}, "out of bounds"),
    ],
)
def test_settings_that_cannot_be_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        changed(settings(), change)


def test_a_settings_file_is_read_and_its_errors_name_the_line(tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text('seed = 4\n[errors]\nwobble = 0.5\n[sensors.shank]\nbody = "tibia_r"\n', encoding="utf-8")
    found = settings_for(file, HEIGHT)
    assert found.seed == 4 and found.errors.wobble == 0.5 and found.sensors[0].body == "tibia_r"
    file.write_text("[errors]\nwoble = 0.5\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"line 2.*\n.*\n.*did you mean 'wobble'"):
        settings_for(file, {})


def run(*arguments):
    return cli.main(["simulate-imu", *map(str, arguments)])


def test_the_command_writes_and_says_what_is_next(planar_files, tmp_path, capsys, only_files_of_the_table):
    out = tmp_path / "virtual"
    assert run(planar_files.model, planar_files.motion, "--out", out, "--height", 1.8, "--perfect") == 0
    assert "next: sspinn run" in capsys.readouterr().out
    names = {"recording.csv", "truth.json", "study.toml", "kinematics.mot", "manifest.json", "README.txt"}
    assert {file.name for file in out.iterdir()} == names
    only_files_of_the_table(out, "simulate-imu")
    assert "hip_flexion_r" in read_storage(out / "kinematics.mot").names


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--height", "0"], "out of bounds"),
        ([], "height of the person is not known"),
        (["--height", "1.8", "--lowpass", "80"], "too high"),
        (["--height", "1.8", "--settings", "nowhere.toml"], "does not exist"),
        (["--height", "1.8", "--external-loads", "nowhere.xml"], "does not exist"),
    ],
)
def test_bad_input_is_one_clear_error_and_nothing_is_written(
    planar_files, tmp_path, capsys, changes, message
):
    out = tmp_path / "virtual"
    assert run(planar_files.model, planar_files.motion, "--out", out, *changes) == 2
    assert message in capsys.readouterr().err and not out.exists()


def test_a_sensor_on_an_unknown_body_is_refused(planar_files, tmp_path, capsys):
    file = tmp_path / "settings.toml"
    file.write_text('[sensors.arm]\nbody = "femur_rr"\n', encoding="utf-8")
    arguments = ("--out", tmp_path / "o", "--height", 1.8, "--settings", file)
    assert run(planar_files.model, planar_files.motion, *arguments) == 2
    assert "did you mean 'femur_r'" in capsys.readouterr().err


def test_late_ground_forces_are_moved_to_the_clock_of_the_motion(walker3d, tmp_path):
    """The reference with forces 20 ms late is that of a file whose times were 20 ms earlier, moments too."""
    table = read_storage(walker3d.loads.parent / read_external_loads(walker3d.loads).datafile)
    early = tmp_path / "early"
    early.mkdir()
    (early / "loads.xml").write_text(
        walker3d.loads.read_text().replace(read_external_loads(walker3d.loads).datafile.name, "early.mot")
    )
    write_storage(early / "early.mot", replace(table, time_s=table.time_s - 0.02))
    found = {}
    for name, changes in (
        ("moved", {"laboratory__forces_late_s": 0.02}),
        ("early", {"laboratory__external_loads": early / "loads.xml"}),
        ("given", {}),
    ):
        simulate_imu(walker3d.model, walker3d.motion, tmp_path / name, walking_settings(walker3d, **changes))
        found[name] = [read_storage(tmp_path / name / file) for file in ("grf.mot", "moments.sto")]
    for moved, expected, given in zip(*found.values(), strict=True):
        np.testing.assert_allclose(moved.values, expected.values, atol=1e-6)
        assert moved.values.shape != given.values.shape or np.abs(moved.values - given.values).max() > 1.0


def test_given_moments_cannot_be_moved_in_time(walker3d, tmp_path):
    with pytest.raises(InputError, match="cannot be moved in time"):
        walking_settings(walker3d, laboratory__forces_late_s=0.02, laboratory__moments=walker3d.loads)
