"""Two people train together, a third is tried unseen and then adapted: a few seconds, a few steps."""

import dataclasses
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim import cli
from sspinn_opensim.opensim_io.tables.storage import read_storage
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.study import examples_folder, override, read_study
from sspinn_opensim.study.cohort import read_cohort
from sspinn_opensim.training.checkpoint import network_kind
from sspinn_opensim.training.settings import settings_of, settings_of_cohort
from sspinn_opensim.verbs import estimate, evaluate, train
from sspinn_opensim.verbs.adapt import adapt
from sspinn_opensim.verbs.inputs import first_look

#: Height in m and mass in kg.
PEOPLE = {"anna": (1.72, 68.0), "ben": (1.85, 80.0), "carla": (1.6, 55.0)}
PERSON_FILES = {
    "reading.json",
    "subject.osim",
    "scaling.json",
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
    "README.txt",
    "manifest.json",
    "metrics.json",
    "seeds/seed_0/kinematics.mot",
    "seeds/seed_0/moments.sto",
    "seeds/seed_0/grf.mot",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with three studies of the built-in recording's first seconds, and a cohort file."""
    folder, examples = tmp_path_factory.mktemp("cohort"), examples_folder()
    text = (examples / "demo.toml").read_text()
    text = re.sub(r"\[output\][^\[]*", "", text) + "\n[output]\nfrom_s = 1.5\nto_s = 2.6\n"
    for name, (height_m, mass_kg) in PEOPLE.items():
        shutil.copytree(examples / "demo", folder / name)
        imu = folder / name / "imu.csv"
        lines = imu.read_text().splitlines(keepends=True)
        header = next(i for i, line in enumerate(lines) if line.startswith("time"))
        imu.write_text("".join(lines[: header + 301]))
        own = text.replace('"demo"', f'"{name}"').replace('"demo/', f'"{name}/')
        own = own.replace("1.72", str(height_m)).replace("68.0", str(mass_kg))
        (folder / f"{name}.toml").write_text(own)
    (folder / "all.toml").write_text(
        'members = ["anna.toml", "ben.toml"]\nunseen = ["carla.toml"]\n'
        '[training]\nsteps = 3\nnetwork = "gated"\n'
    )
    return folder


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory):
    """Return the results of `sspinn run` on the cohort file."""
    out = tmp_path_factory.mktemp("finished") / "results"
    assert cli.main(["run", str(folder / "all.toml"), "--out", str(out)]) == 0
    return out


def files(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


def test_a_run_leaves_a_folder_for_everyone_and_one_network(finished, only_files_of_the_table):
    everyone = {f"people/{name}/{file}" for name in PEOPLE for file in PERSON_FILES}
    own = {"training/seed_0/checkpoint.pt", "training/seed_0/history.csv", "manifest.json", "README.txt"}
    assert files(finished) == everyone | own | {"people.json", "people.md", "people.html"}
    only_files_of_the_table(finished, "scale", "train", "estimate", "evaluate")


def test_seen_and_unseen_people_are_scored_apart(finished):
    groups = json.loads((finished / "people.json").read_text())["groups"]
    assert {name: set(group["people"]) for name, group in groups.items()} == {
        "seen": {"anna", "ben"},
        "unseen": {"carla"},
    }
    assert groups["unseen"]["all"]["means"]["angle_rmsd_deg"]["median"] > 0
    manifest = json.loads((finished / "manifest.json").read_text())
    cohort = manifest["cohort"]
    assert cohort["members"] == ["anna", "ben"] and cohort["training"]["steps"] == 3
    assert {"torch", "casadi"} <= manifest["versions"].keys()
    assert {"cohort", "people.anna", "people.carla"} <= manifest["inputs"].keys()
    assert manifest["files"]["people.json"]["verb"] == "evaluate"
    assert manifest["files"]["training/seed_0/checkpoint.pt"]["verb"] == "train"
    assert not [name for name in manifest["files"] if name.startswith("people/")]  # in theirs
    anna = json.loads((finished / "people" / "anna" / "manifest.json").read_text())
    assert anna["files"]["metrics.json"]["verb"] == "evaluate"


def test_everyone_is_scaled_to_their_own_size(finished):
    for name, (height_m, _) in PEOPLE.items():
        scaling = json.loads((finished / "people" / name / "scaling.json").read_text())
        assert scaling["height_m"] == height_m


def test_a_finished_cohort_is_not_trained_again(finished, folder):
    before = (finished / "training/seed_0/checkpoint.pt").read_bytes()
    done = train.train(read_cohort(folder / "all.toml"), finished)
    assert str(done) == "seed 0: already trained, 3 steps"
    assert (finished / "training/seed_0/checkpoint.pt").read_bytes() == before


def test_a_cohort_goes_on_from_settings_of_its_own(finished, folder):
    """Those of one person's training are others: a step of people who share it has more windows."""
    cohort = read_cohort(folder / "all.toml")
    assert settings_of_cohort(cohort.training, 0).batch > settings_of(cohort.training, 0).batch
    first_look("run", cohort, finished)
    changed = dataclasses.replace(cohort, training=dataclasses.replace(cohort.training, steps=5))
    with pytest.raises(InputError) as error:
        first_look("run", changed, finished)
    assert "--restart" in error.value.fix


def test_a_cohort_with_another_member_does_not_go_on(finished, folder):
    (folder / "other.toml").write_text('members = ["anna.toml", "carla.toml"]\n[training]\nsteps = 3\n')
    with pytest.raises(InputError, match=r"another 'people\.carla'") as error:
        train.train(read_cohort(folder / "other.toml"), finished)
    assert "--restart" in error.value.fix


def test_a_member_that_does_not_fit_is_named(finished, folder, tmp_path):
    out = Path(shutil.copytree(finished, tmp_path / "results"))
    text = (folder / "ben.toml").read_text().replace('"ben"', '"stiff"')
    held = "lumbar_extension = 0.0"
    assert held in text
    stiff = text.replace(held, f"{held}, ankle_angle_r = 0.0")
    meant = '[recording]\naccepted = ["held_joint:foot_r"]'
    (folder / "stiff.toml").write_text(stiff.replace("[recording]", meant))
    shutil.copytree(out / "people/ben", out / "people/stiff")
    (folder / "mixed.toml").write_text('members = ["anna.toml", "stiff.toml"]\n[training]\nsteps = 3\n')
    with pytest.raises(InputError, match="'stiff' cannot share a network with 'anna': "):
        train.train(read_cohort(folder / "mixed.toml"), out, restart=True)


def test_members_may_be_recorded_at_different_rates(finished, folder, tmp_path):
    """All are trained on at one rate."""
    out = Path(shutil.copytree(finished, tmp_path / "results"))
    text = (folder / "ben.toml").read_text().replace('"ben"', '"slow"')
    (folder / "slow.toml").write_text(text.replace("[recording]", "[recording]\nsampling_rate_hz = 50.0"))
    shutil.copytree(out / "people/ben", out / "people/slow")
    (folder / "rates.toml").write_text('members = ["anna.toml", "slow.toml"]\n[training]\nsteps = 1\n')
    assert train.train(read_cohort(folder / "rates.toml"), out, restart=True).seeds[0].steps == 1


@pytest.mark.parametrize("stage", ["convert", "muscles"])
def test_a_verb_for_one_person_says_so(stage, folder, tmp_path, capsys):
    assert cli.main([stage, str(folder / "all.toml"), "--out", str(tmp_path)]) == 2
    assert "is for one person" in capsys.readouterr().err


@pytest.mark.parametrize(("ids", "people"), [(("", ""), 2), (("S7", "S7"), 1), (("S7", "S8"), 2)])
def test_only_one_id_shares_what_is_learnt_of_the_sensors(folder, tmp_path, monkeypatch, ids, people):
    """Two Annas are two people; the label has no say."""
    cohort = read_cohort(folder / "all.toml")
    members = tuple(
        dataclasses.replace(study, person=dataclasses.replace(study.person, name="Anna", id=own))
        for study, own in zip(cohort.members, ids, strict=True)
    )
    trained = []
    prepared = SimpleNamespace(recording=None, trained_on=None, subject=None, signals=None, notes=())
    monkeypatch.setattr(train, "write_reading", lambda *_: None)
    monkeypatch.setattr(train, "prepare", lambda *_: prepared)
    monkeypatch.setattr(train, "identity", lambda *_: {})
    monkeypatch.setattr(train, "cohort_identity", lambda *_: {})
    monkeypatch.setattr(train, "Cohort", tuple)
    monkeypatch.setattr(train, "train_seed", lambda people, *_, **__: trained.append(people))
    train.train(dataclasses.replace(cohort, members=members), tmp_path)
    assert len({member.person for member in trained[0]}) == people


# --- a new person ---


@pytest.fixture(scope="module")
def adapted(finished, folder, tmp_path_factory):
    """Return the results folder of the third person after a few steps of adaptation."""
    out = tmp_path_factory.mktemp("adapted") / "carla"
    arguments = ["adapt", str(folder / "carla.toml"), "--from", str(finished), "--out", str(out)]
    assert cli.main([*arguments, "--steps", "2"]) == 0
    return out


@pytest.fixture
def without_opensim(monkeypatch):
    """Leave out OpenSim's reading of what was written, which takes seconds."""
    monkeypatch.setattr("sspinn_opensim.opensim_io.tables.staging.check_files", lambda files: None)


@pytest.mark.usefixtures("without_opensim")
def test_the_network_stays_of_its_kind(finished, adapted, folder, only_files_of_the_table):
    """Whatever the study of the person says."""
    only_files_of_the_table(adapted, "scale", "adapt")
    assert read_study(folder / "carla.toml").training.network != "gated"
    for out in (finished, adapted):
        assert network_kind(ResultsFolder(out).checkpoint(0)) == "gated"


def test_an_adapted_person_is_estimated_and_scored_like_any(adapted, folder):
    study = read_study(folder / "carla.toml")
    estimate.estimate(study, adapted)
    evaluate.evaluate(study, adapted)
    assert {"metrics.json", "report.html", "training/seed_0/history.csv"} <= files(adapted)


@pytest.mark.usefixtures("without_opensim")
def test_no_steps_give_the_estimate_of_the_unseen(finished, folder, tmp_path):
    study = read_study(folder / "carla.toml")
    adapt(study, finished, tmp_path, steps=0)
    estimate.estimate(study, tmp_path)
    one, other = (read_storage(f / "kinematics.mot") for f in (tmp_path, finished / "people/carla"))
    np.testing.assert_array_equal(one.values, other.values)


def test_an_adaptation_goes_on_from_the_same_network_only(adapted, finished, folder, tmp_path):
    study = read_study(folder / "carla.toml")
    out = Path(shutil.copytree(adapted, tmp_path / "again"))
    done = adapt(study, finished, out, steps=2)
    assert str(done) == "seed 0: already trained, 2 steps"
    retrained = Path(shutil.copytree(finished, tmp_path / "retrained"))
    train.train(override(read_cohort(folder / "all.toml"), steps=4), retrained, restart=True)
    with pytest.raises(InputError, match="another 'adapted_from'"):
        adapt(study, retrained, out, steps=2)
    adapt(study, retrained, out, steps=2, restart=True)
    with pytest.raises(InputError, match="made with another"):
        train.train(study, out)


def test_what_cannot_be_adapted(finished, folder, tmp_path):
    study = read_study(folder / "carla.toml")
    with pytest.raises(InputError, match="no network of seed 5") as error:
        adapt(override(study, seeds=(5,)), finished, tmp_path)
    assert error.value.found == "seed_0" and "--seeds" in error.value.fix
    with pytest.raises(InputError, match="no network") as error:
        adapt(study, tmp_path, tmp_path)
    assert "--out of a training" in error.value.fix
    with pytest.raises(InputError, match="negative"):
        adapt(study, finished, tmp_path, steps=-1)
    assert files(tmp_path) == set()
    fewer = read_study(folder / "carla.toml", sensors=["pelvis", "foot_r"])
    with pytest.raises(InputError, match=r"another 'network\.sensors'"):
        adapt(fewer, finished, tmp_path / "fewer")
