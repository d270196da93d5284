import numpy as np
import pytest

from sspinn_opensim.estimation import estimate, write_estimate
from sspinn_opensim.estimation.write import window
from sspinn_opensim.opensim_io.tables.motion_files import coordinates_of
from sspinn_opensim.opensim_io.tables.storage import read_storage
from sspinn_opensim.report import stick_figure
from sspinn_opensim.report.stick_figure import read_stick_figure
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
def figure(folder, walker):
    return read_stick_figure(ResultsFolder(folder), walker.model, 1.0, 1.5)


def test_the_stick_figure_of_the_files_is_the_body(result, walker, figure):
    ends = {name for segment in figure.segments for name in segment}
    assert ends <= set(figure.points)
    assert all(p.shape == (51, 2) and np.isfinite(p).all() for p in figure.points.values())
    for i, foot in enumerate(result.ground.feet):
        side = foot[-1]
        lines = {frozenset(s) for s in figure.segments if f"heel_{side}" in s or f"toe_{side}" in s}
        assert len(lines) == 3
        point, force = figure.forces[foot]
        np.testing.assert_array_equal(point, result.ground.point[:, i, :2])
        np.testing.assert_array_equal(force, result.ground.force[:, i, :2])
    functions = walker.subject.functions
    still = np.zeros(result.q.shape[1])
    moved = functions.at("kinematics", q=result.q, u=still, udot=still)["position"]
    origins = moved.reshape(51, len(functions.bodies), 3)
    np.testing.assert_allclose(
        figure.points["foot_r"], origins[:, functions.bodies.index("foot_r"), :2], atol=1e-9
    )


def test_of_a_long_part_the_stick_figure_shows_the_end(folder, walker, monkeypatch):
    monkeypatch.setattr(stick_figure, "LONGEST_S", 0.4)
    monkeypatch.setattr(stick_figure, "MOST_FRAMES", 20)
    shown = read_stick_figure(ResultsFolder(folder), walker.model, 1.0, 1.5).time_s
    assert (shown[0], shown[-1], len(shown)) == (pytest.approx(1.31), pytest.approx(1.5), 20)


def test_bones_reach_from_joint_to_joint(walker, figure):
    """A thigh ends where the shank begins, also where the knee moves along it (gait2392, Rajagopal)."""
    joined = {frozenset(segment) for segment in figure.segments}
    assert {frozenset(("femur_r", "tibia_r")), frozenset(("tibia_r", "foot_r"))} <= joined
    thigh = figure.points["femur_r"] - figure.points["tibia_r"]
    length = np.linalg.norm(walker.model.joint("knee_r").parent.translation)
    np.testing.assert_allclose(np.linalg.norm(thigh, axis=1), length, rtol=1e-9)
