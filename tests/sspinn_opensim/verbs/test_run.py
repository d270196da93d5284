"""The whole chain on a few seconds of the built-in recording, and what happens out of order."""

import csv
import dataclasses
import importlib
import json
import runpy
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import sspinn_opensim as so
from casadi_dynamics.errors import InputError
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.osim import read_model
from sspinn_opensim.opensim_io.tables.storage import read_storage
from sspinn_opensim.opensim_io.worker.tools import static_optimization
from sspinn_opensim.recording.formats import text_layout
from sspinn_opensim.results.manifest import read_manifest
from sspinn_opensim.study import override, read_study
from sspinn_opensim.study import read as study_reader
from sspinn_opensim.training import coordinates, subject
from sspinn_opensim.training.networks.causal import CausalNetwork
from sspinn_opensim.verbs import axes, convert, estimate, evaluate, muscles, run, train
from sspinn_opensim.verbs.inputs import first_look
from sspinn_opensim.verbs.open import open as open_folder

STEPS, SECONDS = 6, 3.5
FROM_S, TO_S = 2.0, 2.3

#: What a results folder holds; a seed's folders beside.
FILES = {
    "subject.osim",
    "scaling.json",
    "reading.json",
    "conversion.json",
    "kinematics.mot",
    "moments.sto",
    "grf.mot",
    "kinematics_sd.mot",
    "moments_sd.sto",
    "grf_sd.mot",
    "external_loads.xml",
    "strides.csv",
    "gait_cycles.csv",
    "spatiotemporal.json",
    "fit.json",
    "consistency.json",
    "static_optimization_setup.xml",
    "static_optimization_actuators.xml",
    "subject_static_optimization.osim",
    "muscle_forces.sto",
    "muscle_activations.sto",
    "static_optimization.json",
    "static_optimization_frames.sto",
    "metrics.json",
    "report.html",
    "manifest.json",
    "README.txt",
    "training/seed_0/checkpoint.pt",
    "training/seed_0/history.csv",
    "seeds/seed_0/kinematics.mot",
    "seeds/seed_0/moments.sto",
    "seeds/seed_0/grf.mot",
}


@pytest.fixture(scope="module")
def whole(study, tmp_path_factory):
    """Return what a whole run returns, and how often it did what takes long."""
    out, counts = tmp_path_factory.mktemp("finished") / "new" / "results", Counter()

    def counted(function, what, counts_as=lambda *arguments: True):
        def call(*arguments, **settings):
            counts[what] += counts_as(*arguments)
            return function(*arguments, **settings)

        return call

    def of_recording(network, signals, state=None):
        return signals.shape[1] == round(SECONDS * 100)

    with pytest.MonkeyPatch.context() as patch:
        for module, name, what in (
            (text_layout, "read_sheet", "tables of signals"),
            (study_reader, "load", "study files"),
            (subject, "make_subject", "subjects"),
            (evaluate, "read_evaluation_data", "evaluations"),
            (axes, "find_faults", "checks of signals"),
        ):
            patch.setattr(module, name, counted(getattr(module, name), what))
        forward = CausalNetwork.forward
        patch.setattr(CausalNetwork, "forward", counted(forward, "passes", of_recording))
        known = read_study(study.path)
        return run.run(known, out, inputs=first_look("run", known, out)), counts


@pytest.fixture(scope="module")
def finished(whole):
    """Return the results folder of a whole run."""
    return whole[0].folder


@pytest.fixture
def out(scaled, tmp_path):
    """Return a scaled results folder that a test may spoil."""
    return Path(shutil.copytree(scaled, tmp_path / "results"))


@pytest.fixture
def without_opensim(monkeypatch):
    """Leave out OpenSim's reading of what was written, which takes seconds."""
    monkeypatch.setattr("sspinn_opensim.opensim_io.tables.staging.check_files", lambda files: None)


def files(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


def test_a_run_leaves_all_files_and_nothing_else(finished, only_files_of_the_table):
    folders = ("static_optimization/", "muscle_groups/")
    found = {name for name in files(finished) if not name.startswith(folders)}
    assert found == FILES
    assert any(finished.joinpath("static_optimization").glob("*force.sto"))
    stages = ("scale", "convert", "train", "estimate", "muscles", "evaluate")
    only_files_of_the_table(finished, *stages)


def test_a_run_does_once_what_takes_long(whole):
    """Signals, study and the evaluation's data are read, the subject is built, the network is run: once.

    So are signals checked, at the first look.
    """
    _, counts = whole
    once = ("tables of signals", "study files", "subjects", "evaluations", "passes", "checks of signals")
    assert counts == dict.fromkeys(once, 1)


def test_a_run_returns_what_it_wrote(whole, study):
    result, _ = whole
    written = read_storage(result.folder / "kinematics.mot")
    knee = result.estimate.coordinates.index("knee_angle_r")
    np.testing.assert_array_equal(np.degrees(result.estimate.q[:, knee]), written.column("knee_angle_r"))
    assert result.metrics == json.loads((result.folder / "metrics.json").read_text())
    assert [seed.steps for seed in result.training.seeds] == [STEPS] and result.verdict.ok
    assert study.recording.name in str(result) and "report.html" in str(result)
    assert "fit: " not in str(result)  # told by the estimate already


def test_what_is_held_is_decided_once_and_read(finished, study, monkeypatch):
    """Whoever asks later reads the decision; another choice, other sensors or another model decide anew."""
    model = read_model(finished / "subject.osim")
    asked = finished, study.coordinates, study.sensors, model
    decided = coordinates.held_by_choice(*asked[1:])
    assert json.loads((finished / "scaling.json").read_text())["held_coordinates"]["held"] == decided
    other = dataclasses.replace(
        study.coordinates, estimate=("pelvis_tilt", "pelvis_tx", "pelvis_ty", "knee_angle_r")
    )
    anew = coordinates.held_by_choice(other, study.sensors, model)
    assert coordinates.held_in(finished, other, study.sensors, model) == anew != decided
    monkeypatch.setattr(coordinates, "held_by_choice", None)
    assert coordinates.held_in(*asked) == decided == {"lumbar_extension": 0.0}
    with pytest.raises(TypeError):
        coordinates.held_in(finished, study.coordinates, study.sensors, dataclasses.replace(model, name="b"))


@pytest.mark.usefixtures("without_opensim")
def test_the_example_in_python_runs(finished, study, repository, tmp_path, capsys):
    out = Path(shutil.copytree(finished, tmp_path / "results"))
    example = runpy.run_path(str(repository / "examples" / "python_api.py"))
    example["main"](study.path, out)
    printed = capsys.readouterr().out
    assert "the same numbers: True" in printed and "right knee: " in printed
    assert "kinematics.mot" in printed and "joint angles within" in printed


def test_a_trained_folder_estimates_recordings_of_its_sensors_only(finished, study):
    estimator = so.Estimator.load(finished)
    other = so.read_recording(read_study(study.path, sensors="FT"))
    with pytest.raises(so.InputError, match="another 'sensors'"):
        estimator.estimate(other)
    with pytest.raises(so.InputError, match="There is no trained network"):
        so.Estimator.load(finished, seed=7)


def test_no_file_for_opensim_knows_where_it_lies(finished, study):
    for name in FILES - {"report.html", "manifest.json", "metrics.json", "training/seed_0/checkpoint.pt"}:
        text = (finished / name).read_text()
        assert str(finished) not in text and str(study.path.parent) not in text, name


def test_the_folder_can_be_moved(finished, tmp_path):
    """Elsewhere, with the old place gone, every set-up loads and OpenSim repeats the muscle forces."""
    first = Path(shutil.copytree(finished, tmp_path / "first"))
    moved = first.rename(tmp_path / "another place")
    found = open_folder(moved, check=True)
    printed = str(found)
    assert found.ok
    assert "files are as they were written" in printed and "loads all 3 set-ups" in printed
    raw = next(moved.joinpath("static_optimization").glob("*force.sto"))
    before = read_storage(raw)
    raw.unlink()
    setup = moved / "static_optimization_setup.xml"
    run_job(static_optimization, {"setup": setup}, timeout_s=300, outputs=[raw])
    again = read_storage(raw)
    assert again.names == before.names and not first.exists()
    np.testing.assert_allclose(again.values, before.values, rtol=1e-6, atol=1e-6)  # of an optimizer


def test_the_estimate_covers_the_recording_from_its_first_sample(finished, study):
    table = read_storage(finished / "kinematics.mot")
    assert (table.time_s[0], table.time_s[-1]) == (0.0, pytest.approx(SECONDS - 0.01))
    assert (finished / "seeds/seed_0/grf.mot").read_text().splitlines()[1:] == (
        (finished / "grf.mot").read_text().splitlines()[1:]
    )


def test_the_fixed_coordinate_is_written_too(finished):
    table = read_storage(finished / "kinematics.mot")
    assert (table.column("lumbar_extension") == 0).all() and len(table.names) == 10


def test_static_optimization_of_the_estimate_converges(finished):
    verdict = json.loads((finished / "static_optimization.json").read_text())
    assert verdict["ok"] is True and verdict["failed_frames"] == 0
    forces = read_storage(finished / "muscle_forces.sto")
    assert len(forces.names) == 18 and np.isfinite(forces.values).all()
    assert (forces.time_s[0], forces.time_s[-1]) == pytest.approx((FROM_S, TO_S), abs=0.011)


def test_what_is_reported(finished, study):
    metrics = json.loads((finished / "metrics.json").read_text())
    median = metrics["trials"][study.recording.name]["median"]
    names = ("angle_rmsd_deg", "moment_rmsd_bwbh", "grf_vertical_rmsd_bw")
    assert all(np.isfinite(median[name]) and median[name] > 0 for name in names)
    manifest = json.loads((finished / "manifest.json").read_text())
    assert manifest["versions"].keys() >= {"sspinn_opensim", "python", "opensim", "torch", "casadi"}
    assert manifest["study"]["training"]["steps"] == STEPS
    conversion = json.loads((finished / "conversion.json").read_text())
    assert max(conversion["largest_relative_error"].values()) <= convert.LARGEST_CONVERSION_ERROR
    assert (finished / "report.html").read_text().lstrip().lower().startswith("<!doctype html>")


def test_the_loss_history_has_a_row_a_step(finished):
    with (finished / "training/seed_0/history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(1, STEPS + 1))
    assert {"acceleration", "root_residual", "total"} <= rows[0].keys()


@pytest.mark.usefixtures("without_opensim")
def test_going_on_from_a_finished_training_changes_nothing(finished, study, tmp_path):
    out = Path(shutil.copytree(finished, tmp_path / "elsewhere"))
    before = {name: (out / name).read_bytes() for name in FILES - {"manifest.json"}}
    recorded = read_manifest(out)
    assert f"already trained, {STEPS} steps" in str(train.train(study, out))
    estimate.estimate(study, out)
    assert {name: (out / name).read_bytes() for name in before} == before
    assert read_manifest(out)["files"] == recorded["files"]


@pytest.mark.parametrize(
    ("stage", "fix"),
    [("convert", "sspinn scale"), ("train", "sspinn scale"), ("estimate", "sspinn scale")],
)
def test_a_stage_before_scaling(study, tmp_path, stage, fix):
    with pytest.raises(InputError, match="earlier stage is missing") as error:
        getattr(importlib.import_module(f"sspinn_opensim.verbs.{stage}"), stage)(study, tmp_path)
    assert fix in error.value.fix and files(tmp_path) == set()


def test_an_estimate_before_training(study, out):
    before = files(out)
    with pytest.raises(InputError, match="no trained network") as error:
        estimate.estimate(study, out)
    assert "sspinn train" in error.value.fix and files(out) == before


def test_muscles_before_an_estimate(study, out):
    with pytest.raises(InputError) as error:
        muscles.muscles(study, out)
    assert "kinematics.mot" in str(error.value) and error.value.fix
    assert not (out / "muscle_forces.sto").exists()


def test_an_evaluation_before_an_estimate(study, out):
    before = files(out)
    with pytest.raises(InputError) as error:
        evaluate.evaluate(study, out)
    assert error.value.fix and files(out) == before


@pytest.mark.usefixtures("without_opensim")
def test_an_interrupted_training_goes_on(study, out, monkeypatch):
    """Interrupted at step 5 with a checkpoint every 2 steps: the same network as without."""
    import torch

    run = train.Trainer.run
    monkeypatch.setattr(train.Trainer, "run", lambda *a: run(*a, every=2))
    whole = Path(shutil.copytree(out, out.with_name("whole")))
    train.train(study, whole)

    def interrupted(progress):
        if progress.step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train.train(study, out, progress=interrupted)
    assert files(out) - files(whole) == set()
    with pytest.raises(InputError, match="not finished") as error:
        estimate.estimate(study, out)
    assert error.value.found == "4 steps"
    steps = []
    train.train(study, out, progress=lambda progress: steps.append(progress.step))
    assert steps == [5, 6]
    one, other = (torch.load(f / "training/seed_0/checkpoint.pt", weights_only=True) for f in (out, whole))
    assert one["state"]["history"] == other["state"]["history"]
    for name, value in one["state"]["network"].items():
        assert torch.equal(value, other["state"]["network"][name]), name
    assert (out / "training/seed_0/history.csv").read_bytes() == (
        whole / "training/seed_0/history.csv"
    ).read_bytes()


def test_a_training_with_other_settings_does_not_go_on_but_starts_over(study, out):
    train.train(override(study, steps=2), out)
    with pytest.raises(InputError, match=r"another 'settings\.steps'") as error:
        train.train(override(study, steps=3), out)
    assert "--restart" in error.value.fix
    train.train(override(study, steps=3), out, restart=True)
    train.train(override(study, steps=3), out)


def test_a_weight_of_no_term_is_refused_before_training(study, out):
    training = dataclasses.replace(study.training, weights={"friktion": 1.0})
    with pytest.raises(InputError, match="friktion") as error:
        train.train(dataclasses.replace(study, training=training), out)
    assert "friction" in error.value.fix and "training" not in {file.name for file in out.iterdir()}


@pytest.mark.usefixtures("without_opensim")
def test_each_seed_has_its_own_estimate_and_the_first_is_opensim_s(study, out):
    train.train(override(study, steps=2, seeds=(3, 1)), out)
    estimate.estimate(override(study, steps=2, seeds=(3, 1)), out)
    first, second, chosen = (
        read_storage(out / name / "kinematics.mot").values for name in ("seeds/seed_3", "seeds/seed_1", ".")
    )
    np.testing.assert_array_equal(chosen, first)
    assert not np.array_equal(first, second)


def test_motion_and_forces_agree_unless_the_study_does_not_want_it(finished, study, tmp_path):
    """Static optimization needs nothing at the pelvis; without the step there is no account of it."""
    told = json.loads((finished / "consistency.json").read_text())
    assert max(r["after_percent"] for r in told["residuals"].values()) < 1
    assert max(r["before_percent"] for r in told["residuals"].values()) > 5
    assert "Agreement of motion and forces" in (finished / "report.html").read_text()
    residuals = json.loads((finished / "static_optimization.json").read_text())["residuals"]
    # Static optimization differentiates twice by a spline, inverse dynamics once: a percent of difference.
    assert max(r["percent"] for r in residuals.values()) < 5
    raw = dataclasses.replace(study, output=dataclasses.replace(study.output, consistent=False))
    out = Path(shutil.copytree(finished, tmp_path / "results"))
    with pytest.raises(InputError, match="does not belong to this study as it is now"):
        muscles.muscles(raw, out)
    again = estimate.estimate(raw, out)
    assert again.correction is None and not (out / "consistency.json").exists()
    assert not np.array_equal(again.seeds[0].q, read_back(finished, again))


def read_back(folder, estimate):
    table = read_storage(folder / "kinematics.mot")
    return np.radians(table.values) if len(table.time_s) == len(estimate.seeds[0].q) else table.values


def test_the_libraries_of_trainings_load_beside_scaling_and_not_before(repository):
    code = (
        "import sys; from sspinn_opensim.verbs import run\n"
        "found = lambda: set(run._OF_TRAININGS) & set(sys.modules)\n"
        "print(*found())\n"
        "with run._loading_beside(): pass\n"
        "print(len(found()) == len(run._OF_TRAININGS))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, timeout=120, check=True
    )
    assert answer.stdout.split("\n")[:2] == ["", "True"]
