"""Results that do not belong together are refused before anything is written, with what has to run again."""

import dataclasses
import hashlib
import shutil
from pathlib import Path

import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.opensim_io.tables.storage import read_storage, write_storage
from sspinn_opensim.results.manifest import compare_with_manifest, read_manifest
from sspinn_opensim.results.record import recorded
from sspinn_opensim.study import ScalingStudy, override, read_study
from sspinn_opensim.study.cohort import CohortStudy
from sspinn_opensim.training.coverage import Uncovered
from sspinn_opensim.verbs import adapt, estimate, evaluate, inverse_dynamics, muscles, run, scale, train
from sspinn_opensim.verbs.inputs import first_look
from sspinn_opensim.verbs.prepared import prepare


@pytest.fixture(scope="module")
def estimated(study, scaled, tmp_path_factory):
    """Return a results folder after `estimate`."""
    out = Path(shutil.copytree(scaled, tmp_path_factory.mktemp("estimated") / "results"))
    train.train(study, out)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sspinn_opensim.opensim_io.tables.staging.check_files", lambda files: None)
        estimate.estimate(study, out)
    return out


@pytest.fixture
def out(estimated, tmp_path):
    """Return a copy that a test may spoil; files keep their times."""
    return Path(shutil.copytree(estimated, tmp_path / "results"))


def content(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def refused(verb, study, out, *arguments, **settings) -> InputError:
    """Return the error of a verb, which must have left the folder as it was."""
    before = content(out)
    with pytest.raises(InputError) as error:
        verb(study, out, *arguments, **settings)
    assert content(out) == before
    return error.value


def person(study, **changes):
    return dataclasses.replace(study, person=dataclasses.replace(study.person, **changes))


@pytest.mark.parametrize("verb", [train.train, estimate.estimate, muscles.muscles, evaluate.evaluate])
def test_a_person_who_changed_after_scaling(verb, study, out):
    error = refused(verb, person(study, mass_kg=90.0), out)
    assert "person.mass_kg was 68.0 and is 90.0" in error.found and "run sspinn scale again" in error.fix


def test_a_label_may_change(study, out):
    train.train(person(study, name="another name"), out)


def test_a_model_whose_file_changed_after_scaling(study, scaled, tmp_path):
    model = tmp_path / "generic.osim"
    shutil.copy(study.model.file, model)
    own = dataclasses.replace(study, model=dataclasses.replace(study.model, file=model, generic_height_m=1.8))
    out = tmp_path / "results"
    scale.scale(own, out)
    model.write_text(model.read_text() + "<!-- another -->")
    assert "generic.osim (model.file) holds something else" in refused(train.train, own, out).found


def test_another_recording_than_the_one_trained_on(study, out, tmp_path):
    lines = study.recording.file.read_text().splitlines(keepends=True)
    other = tmp_path / "imu.csv"
    other.write_text("".join(lines[:-20]))
    own = dataclasses.replace(study, recording=dataclasses.replace(study.recording, file=other))
    error = refused(estimate.estimate, own, out)
    assert "imu.csv (recording.file) holds something else" in error.found and "sspinn train" in error.fix
    manifest = read_manifest(out)
    assert "imu.csv" in str(manifest["inputs"]["recording.file"]["path"])
    with pytest.raises(
        InputError, match="another 'recording'"
    ):  # the network itself knows what it was trained on
        estimate.estimate_seeds(own, prepare(own, out), out)


def test_other_steps_than_the_network_was_trained_with(study, out):
    error = refused(estimate.estimate, override(study, steps=7), out)
    assert "training.steps was 6 and is 7" in error.found
    assert "state training.steps in the study, or give --steps, as then" in error.fix
    own = override(study, steps=7)
    with pytest.raises(InputError, match=r"another 'settings\.steps'"):
        estimate.estimate_seeds(own, prepare(own, out), out)


@pytest.mark.parametrize("manifest", ["", '{"format": 1}', "{"])
def test_files_of_which_nothing_is_known(manifest, study, out):
    """Without its manifest a folder may be anybody's: here the model weighs 68 kg and the study says 90."""
    (out / "manifest.json").write_text(manifest) if manifest else (out / "manifest.json").unlink()
    error = refused(train.train, person(study, mass_kg=90.0), out)
    assert "Nothing says what" in error.what and "run sspinn scale again" in error.fix
    scale.scale(study, out)
    assert "run sspinn train again" in refused(estimate.estimate, study, out).fix
    checkpoint = (out / "training" / "seed_0" / "checkpoint.pt").read_bytes()
    assert not train.train(study, out).seeds[0].new
    assert (out / "training" / "seed_0" / "checkpoint.pt").read_bytes() == checkpoint
    assert read_manifest(out)["files"]["training/seed_0/checkpoint.pt"]["verb"] == "train"
    assert "run sspinn estimate again" in refused(evaluate.evaluate, study, out).fix


def test_a_history_that_a_killed_command_left_behind_its_network(study, out):
    history = out / "training" / "seed_0" / "history.csv"
    whole = history.read_text()
    history.unlink()
    train.train(study, out)
    assert history.read_text() == whole
    evaluate.evaluate(study, out)  # of the same network as before


def test_a_network_that_was_trained_anew(study, out):
    """Old curves beside a new history would be scored else."""
    train.train(override(study, seeds=[0]), out, restart=True)
    other = dataclasses.replace(study, training=dataclasses.replace(study.training, patience=1))
    train.train(other, out, restart=True)
    for verb in (evaluate.evaluate, muscles.muscles):
        assert "training.patience was 0 and is 1" in refused(verb, other, out).found
    train.train(dataclasses.replace(study, training=study.training), out, restart=True)
    evaluate.evaluate(study, out)  # the very same network again: nothing is mixed up


def test_a_network_whose_bits_differ(study, out):
    with recorded(out, "train", study=study):
        file = out / "training" / "seed_0" / "history.csv"
        file.write_text(file.read_text() + "\n")
    error = refused(evaluate.evaluate, study, out)
    assert "training/seed_0/history.csv was made anew since" in error.found
    assert "run sspinn estimate again" in error.fix


@pytest.mark.parametrize("name", ["kinematics.mot", "seeds/seed_0/kinematics.mot", "subject.osim"])
def test_a_file_that_was_changed_by_hand(name, study, out):
    path = out / name
    if path.suffix == ".mot":
        table = read_storage(path)
        write_storage(path, dataclasses.replace(table, values=0.5 * table.values))
    else:
        path.write_text(path.read_text() + " ")
    for verb in (evaluate.evaluate, muscles.muscles):
        assert f"{name} was changed since it was written" in refused(verb, study, out).found
    before = content(out)
    with pytest.raises(InputError, match="was changed since"):
        inverse_dynamics.inverse_dynamics(out)
    assert content(out) == before


def test_a_folder_of_another_study_is_not_filled(study, out):
    other = dataclasses.replace(study, name="other")
    for restart in (False, True):
        error = refused(run.run, other, out, restart=restart)
        assert "results of the study 'demo'" in error.found and "--out" in error.fix
    error = refused(run.run, person(study, mass_kg=90.0), out)
    assert "person.mass_kg" in error.found and "--restart" in error.fix
    before = content(out)
    with pytest.raises(InputError, match="would be overwritten"):
        adapt.adapt(study, out, out)
    assert content(out) == before


def test_the_model_of_another_study_is_not_replaced(study, out):
    """Nor its networks, by `train`, which would take the model of the other as it is."""
    other = dataclasses.replace(study, name="other")
    alone = ScalingStudy(study.path, study.model, study.person, name="other")
    cohort = CohortStudy(study.path, "all", (other,), (), study.training)
    options = scale.ModelScaling(study.model.file, mass_kg=90.0, height_m=1.8)
    for given in (other, alone, cohort, options):
        error = refused(scale.scale, given, out)
        assert error.found == f"results of the study '{study.name}'" and "--out" in error.fix
    for restart in (False, True):
        assert "results of the study" in refused(train.train, other, out, restart=restart).found
    for verb in ("run", "scale", "train", "adapt"):
        with pytest.raises(InputError, match="holds other results"):
            first_look(verb, other, out)
    scale.scale(person(study, mass_kg=90.0), out)  # the same, changed
    assert "run sspinn train again" in refused(estimate.estimate, person(study, mass_kg=90.0), out).fix


def test_a_model_that_was_scaled_alone_is_not_replaced_by_another(study, tmp_path):
    alone = ScalingStudy(study.path, study.model, study.person, name="anna")
    scale.scale(alone, tmp_path / "anna")
    scale.scale(person(alone, mass_kg=70.0), tmp_path / "anna")
    options = scale.ModelScaling(study.model.file, mass_kg=70.0, height_m=1.8)
    scale.scale(options, tmp_path / "model")
    scale.scale(dataclasses.replace(options, mass_kg=80.0), tmp_path / "model")
    for given in (study, dataclasses.replace(alone, name="bea"), options):
        assert "the study 'anna'" in refused(scale.scale, given, tmp_path / "anna").found
    for given in (study, alone):
        assert "without a study" in refused(scale.scale, given, tmp_path / "model").found


def test_a_source_that_is_a_link_to_itself_has_no_network(study, tmp_path):
    source = tmp_path / "loop"
    source.symlink_to(source)
    for verb in (lambda: adapt.adapt(study, source, tmp_path / "out"), lambda: first_look_at(study, source)):
        with pytest.raises(InputError, match="no network of seed 0"):
            verb()


def first_look_at(study, source):
    first_look("adapt", study, source.with_name("out"), source=source)


def test_a_link_out_of_the_folder_is_not_followed(study, out, tmp_path):
    """Pictures of old muscle groups are removed before new ones are drawn: in this folder, not elsewhere."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "mine.svg").write_text("mine")
    (out / "muscle_groups").symlink_to(outside)
    error = refused(muscles.muscles, study, out)
    assert "link that leads out" in error.what and error.where.endswith("muscle_groups")
    assert (outside / "mine.svg").read_text() == "mine"
    (out / "muscle_groups").unlink()
    (out / "kinematics.mot").rename(tmp_path / "kinematics.mot")
    (out / "kinematics.mot").symlink_to(tmp_path / "kinematics.mot")
    assert "link that leads out" in refused(estimate.estimate, study, out).what


def test_spans_that_are_not_covered_stand_in_the_manifest_while_they_are(study, out, monkeypatch):
    monkeypatch.setattr("sspinn_opensim.opensim_io.tables.staging.check_files", lambda files: None)
    prepared = prepare(study, out)
    turn = Uncovered(1.5, 2.0, "the person turns")
    estimate.estimate(study, out, prepared=dataclasses.replace(prepared, uncovered=(turn,)))
    notes = read_manifest(out)["notes"]["estimate"]
    assert [note for note in notes if note.startswith("1.50 to 2.00 s: the person turns")]
    with pytest.raises(ZeroDivisionError), recorded(out, "estimate", study=study):
        (out / "strides.csv").touch()
        raise ZeroDivisionError
    assert read_manifest(out)["notes"]["estimate"] == notes
    estimate.estimate(study, out, prepared=prepared)
    # What is said of the fit remains: three steps of training fit nothing.
    assert not [note for note in read_manifest(out)["notes"]["estimate"] if "turns" in note]


def test_notes_and_no_names_of_users_stand_in_the_manifest(study, out, monkeypatch, tmp_path):
    manifest = read_manifest(out)
    assert any("coordinates are estimated" in note for note in manifest["notes"]["train"])
    assert "/" in manifest["inputs"]["recording.file"]["path"]
    monkeypatch.setattr(Path, "home", lambda: Path("/") / study.recording.file.parent.parent.name)
    with recorded(out, "estimate", study=study):
        pass
    assert read_manifest(out)["inputs"]["recording.file"]["path"] == study.recording.file.name
    assert not compare_with_manifest(out).inputs_missing
    assert str(tmp_path) not in (out / "manifest.json").read_text()


def test_a_study_is_read_again_as_it_was(study, out):
    """What is compared does not depend on where the study lies, nor on what read it."""
    estimate_again = read_study(study.path)
    evaluate.evaluate(estimate_again, out)


def test_the_list_of_files_is_made_anew_without_harm(study, out):
    """README.txt names what there is, so any verb may change it; no stage is made from it."""
    with recorded(out, "scale", study=study):  # as a command leaves it that was killed before the training
        (out / "README.txt").write_text("another list")
    train.train(study, out)
    with recorded(out, "convert", study=study):
        (out / "conversion.json").write_text("{}")
    estimate.estimate(study, out)
    evaluate.evaluate(study, out)
