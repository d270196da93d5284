"""The ablation of loss terms: arms that differ in one weight, kept when finished, scored afterwards."""

import csv
import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch

import osim_models
from casadi_dynamics.errors import InputError
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import build
from sspinn_opensim.opensim_io.tables.storage import read_storage, write_storage
from sspinn_opensim.results.record import recorded
from sspinn_opensim.study import examples_folder, override, read_study
from sspinn_opensim.training import loss_terms
from sspinn_opensim.training.objective import TrainingDivergedError
from sspinn_opensim.verbs import ablate as ablation
from sspinn_opensim.verbs import scale, train
from sspinn_opensim.verbs.ablate import ablate, final_losses, root_residual

STEPS = 4
TERMS = ("torque", "friction")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Return the built-in study, of the recording's first seconds and a few steps."""
    folder = tmp_path_factory.mktemp("study")
    shutil.copytree(examples_folder() / "demo", folder / "demo")
    imu = folder / "demo" / "imu.csv"
    imu.write_text("".join(imu.read_text().splitlines(keepends=True)[:400]))
    text = (examples_folder() / "demo.toml").read_text().partition("[output]")[0]
    (folder / "tiny.toml").write_text(text + "[output]\nfrom_s = 2.0\nto_s = 3.0\n")
    return override(read_study(folder / "tiny.toml"), steps=STEPS, seeds=(0, 1))


@pytest.fixture(scope="module", autouse=True)
def without_opensim():
    """Leave out OpenSim's reading of what was written, which takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sspinn_opensim.opensim_io.tables.staging.check_files", lambda files: None)
        yield


def scaled(out, study):
    """Return a folder with a model, so that nothing has to be scaled."""
    out.mkdir(parents=True)
    with recorded(out, "scale", study=study):
        shutil.copy(osim_models.path("planar_gait.osim"), out / "subject.osim")
    return out


@pytest.fixture(scope="module")
def finished(study, tmp_path_factory):
    out = scaled(tmp_path_factory.mktemp("ablation") / "out", study)
    ablate(study, out, TERMS)
    return out


def rows(out) -> dict:
    with (out / "ablation.csv").open(newline="") as file:
        return {row["off"]: row for row in csv.DictReader(file)}


def network(folder, seed=0) -> dict:
    """Return every learnt tensor of a checkpoint by its place."""
    state = torch.load(folder / "training" / f"seed_{seed}" / "checkpoint.pt", weights_only=True)["state"]
    people = {f"person.{name}": tensor for own in state["people"].values() for name, tensor in own.items()}
    return {**state["network"], **people}


def test_every_arm_is_trained_estimated_and_scored(finished, only_files_of_the_table):
    only_files_of_the_table(finished, "ablate", given=("subject.osim",))
    table = rows(finished)
    # No step of these four pulls beyond what friction holds.
    assert set(table) == {"", "torque"}
    for row in table.values():
        assert row["seeds"] == "2" and float(row["angle_rmsd_deg"]) > 0 and float(row["root_force_bw"]) > 0
        assert (
            float(row["angle_rmsd_deg_low"])
            <= float(row["angle_rmsd_deg"])
            <= float(row["angle_rmsd_deg_high"])
        )
    assert table[""]["other_losses"] == "1" and float(table["torque"]["other_losses"]) > 0
    assert "zero throughout here: friction" in (finished / "ablation.md").read_text()
    assert "<svg " in (finished / "ablation.svg").read_text()


def test_the_full_arm_is_the_training_of_the_study_itself(finished, study, tmp_path):
    out = scaled(tmp_path / "out", study)
    train.train(study, out)
    for seed in study.training.seeds:
        ours, theirs = network(finished / "arms" / "full", seed), network(out, seed)
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_term_that_is_off_teaches_nothing_but_is_watched(finished, study, tmp_path):
    """Bit for bit the network of the weight 0."""
    out = scaled(tmp_path / "out", study)
    training = dataclasses.replace(study.training, weights={"torque": 0.0})
    train.train(dataclasses.replace(study, training=training), out)
    ours, zero = network(finished / "arms" / "torque"), network(out)
    assert all(torch.equal(ours[name], zero[name]) for name in zero)
    full = network(finished / "arms" / "full")
    assert not all(torch.equal(ours[name], full[name]) for name in full)
    header = (
        (finished / "arms" / "torque" / "training" / "seed_0" / "history.csv").read_text().splitlines()[0]
    )
    assert "torque" in header.split(",")


def test_finished_arms_are_kept_and_others_added(finished, study, tmp_path, monkeypatch, caplog):
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    trained = []

    def noted(study, prepared, out, **settings):
        trained.append(out.name)
        return train.train_seeds(study, prepared, out, **settings)

    monkeypatch.setattr(ablation, "train_seeds", noted)
    ablate(study, out, ("torque", "angular_rate"))
    assert trained == ["angular_rate"]
    lines = [line for line in "\n".join(caplog.messages).splitlines() if "/3 " in line]
    assert [line.split(":")[0].strip() for line in lines] == [
        "1/3 every term",
        "2/3 without torque",
        "3/3 without angular_rate",
    ]
    trained.clear()
    ablate(override(study, seeds=(0,)), out, ("torque",))
    assert trained == [] and rows(out)["torque"]["seeds"] == "1"
    ablate(override(study, seeds=(0, 2)), out, ("torque",))
    assert trained == ["full", "torque"]
    ablate(override(study, seeds=(0,)), out, ("torque",), restart=True)
    assert trained == ["full", "torque"] * 2


def test_an_interrupted_arm_goes_on(finished, study, tmp_path, monkeypatch):
    """Stopped between training and estimate: the networks stay, the arm is not taken for finished."""
    out = scaled(tmp_path / "out", study)

    def interrupt(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ablation, "estimate_seeds", interrupt)
        with pytest.raises(KeyboardInterrupt):
            ablate(study, out, ("torque",))
    new = []

    def noted(study, prepared, out, **settings):
        for seed in train.train_seeds(study, prepared, out, **settings):
            new.append((out.name, seed.new))
            yield seed

    monkeypatch.setattr(ablation, "train_seeds", noted)
    ablate(study, out, ("torque",))
    assert set(new) == {("full", False), ("torque", True)}
    same = ("angle_rmsd_deg", "root_force_bw", "other_losses")
    assert [rows(out)["torque"][key] for key in same] == [rows(finished)["torque"][key] for key in same]


@pytest.mark.parametrize("change", ["steps", "weights", "recording", "sensors"])
def test_arms_of_another_training_are_refused(finished, study, tmp_path, change):
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    if change == "steps":
        other = override(study, steps=STEPS + 1)
    elif change == "weights":
        other = dataclasses.replace(
            study, training=dataclasses.replace(study.training, weights={"angular_rate": 2.0})
        )
    elif change == "sensors":
        other = read_study(study.path, sensors="FT")
        other = dataclasses.replace(other, training=study.training)
    else:
        imu = tmp_path / "imu.csv"
        imu.write_text("".join(study.recording.file.read_text().splitlines(keepends=True)[:-1]))
        other = dataclasses.replace(study, recording=dataclasses.replace(study.recording, file=imu))
    with pytest.raises(InputError, match="trained with other settings"):
        ablate(other, out, ("torque",))


def test_another_reference_or_output_trains_nothing_anew(finished, study, tmp_path, monkeypatch):
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    monkeypatch.setattr(ablation, "train_seeds", None)
    ablate(dataclasses.replace(study, reference=None), out, ("torque",))
    table = rows(out)["torque"]
    assert "angle_rmsd_deg" not in table and float(table["root_force_bw"]) > 0
    assert float(table["own_loss"]) > 0 and "names no reference" in (out / "ablation.md").read_text()


def test_training_never_gets_the_reference(study, tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(ablation, "train_seeds", lambda s, *_, **__: given.append(s.reference) or _stop())
    with pytest.raises(KeyboardInterrupt):
        ablate(study, scaled(tmp_path / "out", study), ("torque",))
    assert study.reference is not None and given == [None]


def _stop():
    raise KeyboardInterrupt


def test_a_training_that_diverges_is_a_result(finished, study, tmp_path, monkeypatch):
    out = tmp_path / "out"
    shutil.copytree(finished, out)

    def diverge(arm, prepared, folder, **settings):
        if folder.name == "angular_rate":
            raise TrainingDivergedError("The term 'torque' diverged.", where="step 3, seed 0")
        return train.train_seeds(arm, prepared, folder, **settings)

    monkeypatch.setattr(ablation, "train_seeds", diverge)
    ablate(study, out, ("angular_rate", "torque"))
    assert "diverged" in rows(out)["angular_rate"]["failure"] and rows(out)["torque"]["failure"] == ""
    assert json.loads((out / "arms" / "angular_rate" / "arm.json").read_text())["failure"]
    ablate(study, out, ("angular_rate",))
    assert "diverged" in rows(out)["angular_rate"]["failure"], "kept"


def test_any_other_error_of_an_arm_is_one(study, tmp_path, monkeypatch):
    def fail(*arguments, **settings):
        raise InputError("The training diverged from the disk: it is full.")

    monkeypatch.setattr(ablation, "train_seeds", fail)
    with pytest.raises(InputError, match="it is full"):
        ablate(study, scaled(tmp_path / "out", study), ("torque",))


@pytest.mark.parametrize(
    ("terms", "weights", "what"),
    [
        (("torqe",), {}, "no loss term 'torqe'"),
        (("torque",), {"torque": 0.0}, "off already"),
    ],
)
def test_terms_that_cannot_be_switched_off(study, tmp_path, terms, weights, what):
    study = dataclasses.replace(study, training=dataclasses.replace(study.training, weights=weights))
    with pytest.raises(InputError, match=what):
        ablate(study, tmp_path / "out", terms)
    assert not (tmp_path / "out").exists()


def test_a_single_term_cannot_be_taken_away(study, tmp_path):
    others = {name: 0.0 for name in loss_terms.TERMS if name != "acceleration"}
    study = dataclasses.replace(study, training=dataclasses.replace(study.training, weights=others))
    with pytest.raises(InputError, match="single loss term"):
        ablate(study, tmp_path / "out")


def test_final_losses_are_those_of_the_last_steps():
    assert final_losses({"a": [5.0] * 90 + [1.0] * 10, "b": [3.0]}) == {"a": 1.0, "b": 3.0}


def test_the_root_residual_is_what_holds_the_body(study, tmp_path):
    """The truth of the demo needs no hand from outside; without ground forces it needs its weight."""
    demo = examples_folder() / "demo"
    model = read_model(scaled_model(tmp_path))
    functions = build(model)
    folder = tmp_path / "estimate"
    folder.mkdir()
    shutil.copy(demo / "reference_kinematics.mot", folder / "kinematics.mot")
    shutil.copy(demo / "reference_grf.mot", folder / "grf.mot")
    time_s = read_storage(folder / "grf.mot").time_s
    window = float(time_s[0]), float(time_s[-1])
    force, moment = root_residual(folder, functions, study.person, window)
    assert force < 2.0 and moment < 1.0
    table = read_storage(folder / "grf.mot")
    write_storage(folder / "grf.mot", dataclasses.replace(table, values=np.zeros_like(table.values)))
    assert root_residual(folder, functions, study.person, window)[0] > 95


def scaled_model(folder):
    """Return the built-in model scaled to the person of the demo."""
    study = read_study(examples_folder() / "demo.toml")
    scale.scale(study, folder / "scaled")
    return folder / "scaled" / "subject.osim"
