import json
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from casadi_dynamics.opensim_process.jobs import run_job
from sspinn_opensim.opensim_io.static_optimization.preparation import Settings, prepare
from sspinn_opensim.opensim_io.static_optimization.run import peak_moments, run
from sspinn_opensim.opensim_io.static_optimization.setup_file import read_setup
from sspinn_opensim.opensim_io.tables.staging import check_files
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage, write_storage
from sspinn_opensim.opensim_io.worker.tools import static_optimization

FROM_S, TO_S = 0.3, 0.6
OUTPUTS = ("muscle_forces.sto", "muscle_activations.sto", "static_optimization.json")


def edit(path, pattern, replacement):
    text = path.read_text()
    changed = re.sub(pattern, replacement, text)
    assert changed != text
    path.write_text(changed)


def rewrite(path, change):
    """Write a table again after `change` has returned the fields to replace."""
    table = read_storage(path)
    fields = {"names": table.names, "time_s": table.time_s, "values": table.values.copy()}
    write_storage(path, Table(in_degrees=table.in_degrees, **(fields | change(table))))


def scaled_columns(path, word, factor):
    def change(table):
        chosen = [word in name for name in table.names]
        return {"values": table.values * np.where(chosen, factor, 1.0)}

    rewrite(path, change)


@pytest.fixture(scope="module")
def solved(tmp_path_factory, _prepared):
    folder = shutil.copytree(_prepared, tmp_path_factory.mktemp("solved") / "results")
    return folder, run(folder)


def test_a_consistent_motion_needs_neither_reserves_nor_residuals(solved):
    _, verdict = solved
    assert verdict.ok and not verdict.warnings
    assert verdict.frames == 31 and verdict.failed_frames == 0
    assert verdict.time_range_s == pytest.approx((FROM_S, TO_S))
    assert set(verdict.reserves) == {
        f"{j}_{s}" for j in ("hip_flexion", "knee_angle", "ankle_angle") for s in "rl"
    }
    assert verdict.worst_reserve_percent < 0.1
    assert verdict.reserves["knee_angle_r"]["peak_moment"] > 40
    # Ground forces were computed from this motion, so what remains is the rounding of OpenSim's files.
    assert set(verdict.residuals) == {"pelvis_tilt", "pelvis_tx", "pelvis_ty"}
    assert all(residual["peak"] < 1e-3 for residual in verdict.residuals.values())
    assert verdict.max_constraint_violation < 1e-6


def test_peaks_of_what_muscles_drive_are_those_in_the_window(tmp_path):
    """Of a trunk with muscles as of a leg; a joint without muscles and what is held have none."""

    def fact(name, *, muscle=True, free=True):
        return SimpleNamespace(name=name, is_free=free, spanned_by_muscle=muscle, is_root=False)

    coordinates = (fact("lumbar_bending"), fact("knee"), fact("wrist", muscle=False), fact("toe", free=False))
    inputs = SimpleNamespace(
        coordinates=coordinates, motions=dict.fromkeys(("lumbar_bending", "knee"), "rotational")
    )
    setup, file = SimpleNamespace(from_s=0.1, to_s=0.2), tmp_path / "moments.sto"
    values = np.array([[90.0, 90.0], [-3.0, 1.0], [2.0, 5.0], [90.0, 90.0]])
    names = ("lumbar_bending_moment", "knee_moment")
    table = Table(names, np.array([0.0, 0.1, 0.2, 0.3]), values, in_degrees=False)
    write_storage(file, table)
    assert peak_moments(file, setup, inputs) == {"lumbar_bending": 3.0, "knee": 5.0}
    write_storage(file, Table(names[1:], table.time_s, values[:, 1:], in_degrees=False))
    with pytest.raises(InputError, match="lumbar_bending_moment"):
        peak_moments(file, setup, inputs)
    with pytest.raises(InputError, match="do not cover"):
        peak_moments(file, SimpleNamespace(from_s=0.4, to_s=0.5), inputs)


def test_a_joint_without_muscles_is_driven_by_a_torque_and_no_reserve(solved):
    folder, verdict = solved
    moments = read_storage(folder / "moments.sto")
    inside = (moments.time_s >= FROM_S - 1e-9) & (moments.time_s <= TO_S + 1e-9)
    peak = np.abs(moments.column("lumbar_extension_moment")[inside]).max()
    assert verdict.torques == {"lumbar_extension": {"peak": pytest.approx(peak, rel=1e-5)}}


def test_muscle_tables_hold_the_muscles_alone(solved):
    folder, verdict = solved
    forces, activations = (read_storage(folder / name) for name in OUTPUTS[:2])
    assert len(forces.names) == 18 and forces.names == activations.names
    assert verdict.muscles["vasti_r"]["peak_force_n"] == forces.column("vasti_r").max()
    assert np.all(activations.values >= 0.0099) and np.all(activations.values < 0.5)
    np.testing.assert_allclose(forces.column("vasti_r"), forces.column("vasti_l"), rtol=1e-4)


def test_the_verdict_is_written_and_printable(solved):
    folder, verdict = solved
    written = json.loads((folder / "static_optimization.json").read_text())
    assert written["ok"] is True and written["frames"] == 31 and written["failures"] == []
    assert "31 frames, 0 failed" in str(verdict) and "residual pelvis_ty" in str(verdict)


def test_outputs_read_in_both_opensim_readers(solved):
    folder, _ = solved
    names = ("muscle_forces.sto", "kinematics.mot", "grf.mot", "moments.sto")
    check_files([folder / name for name in names])  # raises where one of them reads another number


def test_the_folder_can_be_moved_and_gives_the_same_forces(solved, tmp_path, monkeypatch):
    folder, _ = solved
    moved = shutil.copytree(folder, tmp_path / "else where" / "moved")
    shutil.rmtree(moved / "static_optimization")
    monkeypatch.chdir(tmp_path)
    raw = moved / "static_optimization" / "subject_StaticOptimization_force.sto"
    run_job(
        static_optimization, {"setup": moved / "static_optimization_setup.xml"}, timeout_s=60, outputs=[raw]
    )
    original = read_storage(folder / "static_optimization" / raw.name)
    again = read_storage(raw)
    assert again.names == original.names
    np.testing.assert_array_equal(again.values, original.values)
    for file in ("static_optimization_setup.xml", "static_optimization_actuators.xml", "external_loads.xml"):
        assert str(folder) not in (moved / file).read_text()


def test_settings_reach_the_set_up(crouch):
    settings = Settings(lowpass_hz=8.0, activation_exponent=3.0, convergence=1e-5, max_iterations=50)
    prepare(crouch, settings=settings)
    setup = read_setup(crouch / "static_optimization_setup.xml")
    assert setup.lowpass_hz == 8.0 and setup.margin_s == settings.margin_s
    assert (setup.from_s, setup.to_s) == pytest.approx((0.0625, 0.89 - 0.0625))
    text = (crouch / "static_optimization_setup.xml").read_text()
    assert "<activation_exponent>3.0<" in text and "<optimizer_max_iterations>50<" in text
    verdict = run(crouch)
    assert verdict.ok and verdict.lowpass_hz == 8.0


def test_a_new_set_up_removes_the_outcome_of_the_old_one(solved, tmp_path):
    folder = shutil.copytree(solved[0], tmp_path / "again")
    assert all((folder / name).exists() for name in (*OUTPUTS, "static_optimization"))
    prepare(folder, window=(FROM_S, TO_S))
    assert not any((folder / name).exists() for name in (*OUTPUTS, "static_optimization"))


def test_prepare_refuses_a_motion_shorter_than_its_margins(crouch):
    with pytest.raises(InputError, match="no time is left to analyse"):
        prepare(crouch, settings=Settings(lowpass_hz=0.5))
    assert not (crouch / "static_optimization_setup.xml").exists()


def test_actuators_have_roles(prepared):
    text = (prepared / "static_optimization_actuators.xml").read_text()
    assert (
        re.findall(r'CoordinateActuator name="(\w+?)_', text)
        == ["residual"] * 3 + ["torque"] + ["reserve"] * 6
    )
    assert text.count("-Inf") == 10


# What OpenSim would swallow without a word.


def silent(name, message):
    return pytest.param(name, message, id=name)


SILENT_FAILURES = {
    "degrees flag wrong": lambda r: edit(r / "kinematics.mot", "inDegrees=yes", "inDegrees=no"),
    "degrees flag missing": lambda r: edit(r / "kinematics.mot", "inDegrees=yes\n", ""),
    "coordinate missing": lambda r: rewrite(
        r / "kinematics.mot", lambda t: {"names": t.names[1:], "values": t.values[:, 1:]}
    ),
    "not a number": lambda r: edit(r / "kinematics.mot", r"\n0\.5\t\S+", r"\n0.5\tnan"),
    "motion ends early": lambda r: rewrite(
        r / "kinematics.mot", lambda t: {"time_s": t.time_s[:50], "values": t.values[:50]}
    ),
    "locked coordinate": lambda r: edit(
        r / "subject_static_optimization.osim",
        r'(?s)(<Coordinate name="knee_angle_r">.*?)<locked>false',
        r"\1<locked>true",
    ),
    "contact acts": lambda r: edit(
        r / "subject_static_optimization.osim", "<appliesForce>false", "<appliesForce>true"
    ),
    "force upside down": lambda r: scaled_columns(r / "grf.mot", "force_vy", -1.0),
    "force in body weights": lambda r: scaled_columns(r / "grf.mot", "force_v", 1 / 735.0),
    "force ends early": lambda r: rewrite(
        r / "grf.mot", lambda t: {"time_s": t.time_s[:50], "values": t.values[:50]}
    ),
    "force starts late": lambda r: rewrite(
        r / "grf.mot", lambda t: {"time_s": t.time_s[40:], "values": t.values[40:]}
    ),
    "one foot": lambda r: edit(
        r / "external_loads.xml", r'(?s)<ExternalForce name="ground_on_foot_l">.*?</ExternalForce>', ""
    ),
    "wrong body": lambda r: edit(r / "external_loads.xml", ">foot_l<", ">fot_l<"),
    "wrong identifier": lambda r: edit(
        r / "external_loads.xml", "foot_l_ground_force_v<", "left_ground_force_v<"
    ),
    "moments of another time": lambda r: rewrite(r / "moments.sto", lambda t: {"time_s": t.time_s + 10}),
    "no set-up": lambda r: (r / "static_optimization_setup.xml").unlink(),
    "no external loads": lambda r: edit(
        r / "static_optimization_setup.xml", "<external_loads_file>.*</external_loads_file>", ""
    ),
    "no ground forces": lambda r: (r / "grf.mot").unlink(),
}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        silent("degrees flag wrong", "turns implausibly far"),
        silent("degrees flag missing", "does not say whether it is in degrees"),
        silent("coordinate missing", "lacks coordinates of the model: pelvis_tilt"),
        silent("not a number", "not a finite number"),
        silent("motion ends early", "the motion does not cover"),
        silent("locked coordinate", "'knee_angle_r' is locked"),
        silent("contact acts", "contact forces act"),
        silent("force upside down", "ground pulls on 'foot_r'"),
        silent("force in body weights", "do not fit the body weight"),
        silent("force ends early", "the ground force does not cover"),
        silent("force starts late", "the ground force does not cover"),
        silent("one foot", "one foot only"),
        silent("wrong body", "(?s)body the model lacks.*did you mean 'foot_l'"),
        silent("wrong identifier", "lack a column"),
        silent("moments of another time", "moments do not cover"),
        silent("no set-up", "it does not exist"),
        silent("no external loads", "no <external_loads_file>"),
        silent("no ground forces", "data file of the external loads is not there"),
    ],
)
def test_silent_failures_are_refused_before_the_run(prepared, name, message):
    SILENT_FAILURES[name](prepared)
    with pytest.raises(InputError, match=message):
        run(prepared)
    assert not (prepared / "static_optimization").exists()
    assert not any((prepared / output).exists() for output in OUTPUTS)


def test_frames_the_optimizer_gave_up_are_a_failure(prepared):
    """One iteration solves nothing: OpenSim returns True, and only its log tells."""
    edit(
        prepared / "static_optimization_setup.xml",
        "<optimizer_max_iterations>200<",
        "<optimizer_max_iterations>1<",
    )
    edit(prepared / "static_optimization_setup.xml", "<final_time>0.6<", "<final_time>0.32<")
    verdict = run(prepared)
    assert not verdict.ok and verdict.failed_frames == verdict.frames == 3
    assert verdict.failed_times_s == pytest.approx((0.30, 0.31, 0.32))
    assert "found no solution in 3 of 3 frames, at 0.300, 0.310, 0.320 s" in str(verdict)
    assert json.loads((prepared / "static_optimization.json").read_text())["ok"] is False
    frames = read_storage(prepared / "static_optimization_frames.sto")
    np.testing.assert_array_equal(frames.column("failed"), 1.0)


def test_the_verdict_stands_frame_by_frame(solved):
    folder, verdict = solved
    frames = read_storage(folder / "static_optimization_frames.sto")
    assert len(frames.time_s) == verdict.frames and not frames.column("failed").any()
    assert not frames.column("later_attempt").any()
    assert frames.column("constraint_violation").max() == verdict.max_constraint_violation
    assert frames.column("largest_activation").max() == max(
        muscle["peak_activation"] for muscle in verdict.muscles.values()
    )
    peak = np.abs(frames.column("residual_pelvis_ty")).max()
    assert peak == pytest.approx(verdict.residuals["pelvis_ty"]["peak"])


def test_muscles_too_weak_lean_on_reserves_and_fail(prepared):
    edit(
        prepared / "subject_static_optimization.osim",
        r"<max_isometric_force>([^<]*)<",
        lambda found: f"<max_isometric_force>{float(found.group(1)) / 50}<",
    )
    edit(prepared / "static_optimization_setup.xml", "<final_time>0.6<", "<final_time>0.35<")
    verdict = run(prepared)
    assert not verdict.ok and verdict.failed_frames == 0
    assert any("reserve at 'knee_angle_r'" in failure for failure in verdict.failures)
    assert any("fully activated" in warning and "vasti_r" in warning for warning in verdict.warnings)


def test_ground_forces_that_do_not_fit_show_as_residuals(prepared):
    scaled_columns(prepared / "grf.mot", "force_vy", 0.8)
    verdict = run(prepared)
    assert verdict.residuals["pelvis_ty"]["peak"] > 100
    assert any("residual at 'pelvis_ty'" in warning for warning in verdict.warnings)
