import shutil

import numpy as np
import pytest

import osim_models
from sspinn_opensim.estimation import estimate, write_estimate
from sspinn_opensim.estimation.write import window
from sspinn_opensim.opensim_io.tables.motion_files import coordinates_of
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage, write_storage
from sspinn_opensim.report import movement
from sspinn_opensim.report.movement import read_movement
from sspinn_opensim.results.folder import ResultsFolder


@pytest.fixture(scope="module")
def result(walker, estimator):
    whole = estimate(estimator, walker.subject, walker.signals, walker.recording.time_s)
    return window(whole, 1.0, 1.5)


@pytest.fixture(scope="module")
def folder(result, walker, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "new" / "folder"
    write_estimate(result, walker.model, ResultsFolder(folder).estimate, "a walk")
    return folder


def test_window_has_both_ends(result, walker):
    assert len(result.time_s) == 51
    np.testing.assert_array_equal(result.time_s, walker.recording.time_s[100:151])
    assert {len(x) for x in (result.q, result.moments, result.ground.force, result.ground.point)} == {51}


def test_window_is_not_moved_by_rounding(walker, estimator):
    whole = estimate(estimator, walker.subject, walker.signals, walker.recording.time_s)
    part = window(whole, 1.0 + 1e-9, 1.5 - 1e-9)
    assert (part.time_s[0], part.time_s[-1]) == (whole.time_s[100], whole.time_s[150])


def test_files_and_nothing_else(folder):
    assert sorted(file.name for file in folder.iterdir()) == ["grf.mot", "kinematics.mot", "moments.sto"]


def test_kinematics_come_back_in_degrees(result, folder, walker):
    table = read_storage(folder / "kinematics.mot")
    assert table.names == walker.model.coordinate_names and table.in_degrees
    motions = [c.motion for c in walker.model.coordinates]
    np.testing.assert_allclose(coordinates_of(table, table.names, motions), result.q, rtol=1e-14, atol=1e-14)
    np.testing.assert_array_equal(table.time_s, result.time_s)
    knee, height = (walker.model.coordinate_names.index(name) for name in ("knee_angle_r", "pelvis_ty"))
    np.testing.assert_allclose(table.values[:, knee], np.degrees(result.q[:, knee]))
    np.testing.assert_array_equal(table.values[:, height], result.q[:, height])


def test_moments_come_back(result, folder):
    table = read_storage(folder / "moments.sto")
    assert table.names == tuple(f"{name}_moment" for name in result.actuated)
    np.testing.assert_array_equal(table.values, result.moments)


def test_ground_forces_come_back(result, folder):
    table = read_storage(folder / "grf.mot")
    for i, foot in enumerate(result.ground.feet):
        parts = {"ground_force_v": "force", "ground_force_p": "point", "ground_torque_": "torque"}
        for prefix, field in parts.items():
            for axis, letter in enumerate("xyz"):
                found = table.column(f"{foot}_{prefix}{letter}")
                np.testing.assert_array_equal(found, getattr(result.ground, field)[:, i, axis])


@pytest.fixture(scope="module")
def files(folder, tmp_path_factory):
    """The estimate beside a model's file."""
    files = ResultsFolder(tmp_path_factory.mktemp("shown"))
    shutil.copytree(folder, files.path, dirs_exist_ok=True)
    shutil.copy(osim_models.path("planar_gait.osim"), files.subject)
    return files


@pytest.fixture(scope="module")
def shown(files, walker):
    return read_movement(files, files, walker.model, 1.0, 1.5)


def test_the_movement_of_the_files_is_the_body(result, walker, shown):
    """Places and forces of the frames, to the digits of float32 some metres from the origin."""
    scene, frames = shown.scene, shown.frames
    bodies, feet = len(scene.bodies), len(scene.forces)
    every = frames[:, 7 * bodies : 7 * bodies + 6 * feet].reshape(len(frames), feet, 6)
    np.testing.assert_allclose(every[..., :3], result.ground.point[::2], atol=1e-6)
    np.testing.assert_allclose(every[..., 3:], result.ground.force[::2], rtol=1e-6)
    functions = walker.subject.functions
    still = np.zeros(result.q.shape[1])
    moved = functions.at("kinematics", q=result.q, u=still, udot=still)["position"]
    origins = moved.reshape(51, len(functions.bodies), 3)[::2]
    np.testing.assert_allclose(frames[:, : 7 * bodies].reshape(-1, bodies, 7)[..., :3], origins, atol=1e-6)


def test_of_a_long_part_the_end_is_shown_in_few_frames(files, walker, monkeypatch):
    """At 100 Hz and 50 frames a second every second frame, the last of all among them."""
    monkeypatch.setattr(movement, "LONGEST_S", 0.4)
    time_s = read_movement(files, files, walker.model, 1.0, 1.5).time_s
    assert (time_s[0], time_s[-1], len(time_s)) == (pytest.approx(1.1), pytest.approx(1.5), 21)
    monkeypatch.setattr(movement, "MOST_BYTES", 4000)
    few = read_movement(files, files, walker.model, 1.0, 1.5)
    assert few.frames.nbytes <= 4000 and few.time_s[-1] == pytest.approx(1.5)


def test_of_a_long_part_the_muscles_that_were_analysed_are_shown(files, walker, monkeypatch, tmp_path):
    """As much as is shown, up to their end; where all of the part is shown, it is."""
    analysed = ResultsFolder(shutil.copytree(files.path, tmp_path / "analysed"))
    muscle = walker.model.muscles[0].name
    half = Table((muscle,), np.arange(120, 131) / 100, np.full((11, 1), 0.5), in_degrees=False)
    write_storage(analysed.muscle_activations, half)
    monkeypatch.setattr(movement, "LONGEST_S", 0.2)
    shown = read_movement(files, analysed, walker.model, 1.0, 1.5)
    assert (shown.time_s[0], shown.time_s[-1]) == (pytest.approx(1.1), pytest.approx(1.3))
    monkeypatch.setattr(movement, "LONGEST_S", 30.0)
    assert read_movement(files, analysed, walker.model, 1.0, 1.5).time_s[-1] == pytest.approx(1.5)


def test_rods_reach_from_joint_to_joint(walker, shown):
    """A thigh ends where the shank begins, also where the knee moves along it (gait2392, Rajagopal)."""
    scene = shown.scene
    thigh = next(link for link in scene.links if (link.body, link.end.body) == ("femur_r", "tibia_r"))
    ends = [
        [scene.place(f, end.body, end.location) for end in (thigh.start, thigh.end)] for f in shown.frames
    ]
    length = np.linalg.norm(walker.model.joint("knee_r").parent.translation)
    np.testing.assert_allclose(np.linalg.norm(np.diff(ends, axis=1)[:, 0], axis=1), length, rtol=1e-5)
