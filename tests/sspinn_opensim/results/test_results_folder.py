"""The manifest, the steps in OpenSim's GUI and README.txt, for folders of studies and of laboratories."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import osim_models
from casadi_dynamics.errors import InputError
from sspinn_opensim import cli
from sspinn_opensim.opensim_io.model.model_file import (
    read_model_tree,
    switch_ground_forces_off,
    write_model_tree,
)
from sspinn_opensim.opensim_io.tables.external_loads import write_external_loads
from sspinn_opensim.opensim_io.tables.storage import Table, write_storage
from sspinn_opensim.results import stages
from sspinn_opensim.results.folder import FILES
from sspinn_opensim.results.gui_steps import gui_steps, opensim_files, readme
from sspinn_opensim.results.manifest import compare_with_manifest, read_manifest
from sspinn_opensim.results.record import recorded
from sspinn_opensim.study import examples_folder, read_study
from sspinn_opensim.verbs.open import Severity
from sspinn_opensim.verbs.open import open as open_folder

TIME = np.arange(12) / 100
#: In the order of a workflow.
SETUPS = ("scale", "ik", "id", "so", "reactions")


def write_table(path: Path, *names: str) -> None:
    write_storage(path, Table(names, TIME, np.ones((12, len(names))), in_degrees=path.suffix == ".mot"))


@pytest.fixture
def folder(tmp_path) -> Path:
    """Return a small folder as `sspinn estimate` leaves it."""
    folder = tmp_path / "results"
    folder.mkdir()
    shutil.copy(osim_models.path("planar_gait.osim"), folder / "subject.osim")
    with recorded(folder, "estimate", title="a walk", recording=osim_models.path("planar_gait.osim")):
        write_table(folder / "kinematics.mot", "pelvis_tilt", "knee_angle_r")
        write_table(folder / "kinematics_sd.mot", "pelvis_tilt", "knee_angle_r")
        write_table(folder / "moments.sto", "knee_angle_r_moment")
        write_table(
            folder / "grf.mot", *(f"foot_r_ground_force_{part}{axis}" for part in "vp" for axis in "xyz")
        )
        write_external_loads(folder / "external_loads.xml", ["foot_r"])
    return folder


def setup(folder: Path, name: str, tool: str, model: str, inside: str = "") -> None:
    folder.joinpath(name).write_text(
        f'<OpenSimDocument Version="40600"><{tool} name="subject"><model_file>{model}</model_file>'
        f"<coordinates_file>kinematics.mot</coordinates_file>"
        f"<results_directory>out</results_directory>{inside}</{tool}></OpenSimDocument>"
    )


def analysis(kind: str) -> str:
    return f'<AnalysisSet><objects><{kind} name="x"><on>true</on></{kind}></objects></AnalysisSet>'


def test_the_manifest_holds_the_hash_of_every_file_and_input(folder):
    manifest = read_manifest(folder)
    there = {path.name for path in folder.iterdir()} - {"manifest.json", "subject.osim"}
    assert set(manifest["files"]) == there and "README.txt" in there
    for name, entry in manifest["files"].items():
        data = (folder / name).read_bytes()
        assert entry["sha256"] == hashlib.sha256(data).hexdigest() and entry["bytes"] == len(data)
        assert entry["verb"] == "estimate"
    model = osim_models.path("planar_gait.osim")
    assert manifest["inputs"]["recording"]["sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert (folder / manifest["inputs"]["recording"]["path"]).resolve() == model.resolve()
    assert manifest["versions"]["opensim"] == "4.6"


def test_changes_are_named_and_a_later_verb_does_not_hide_them(folder, monkeypatch):
    found = compare_with_manifest(folder)
    assert (found.changed, found.missing, found.inputs_changed) == ((), (), ())
    assert found.added == ("subject.osim",) and "grf.mot" in found.same
    with open(folder / "grf.mot", "a") as file:
        file.write(" ")
    (folder / "moments.sto").unlink()
    with pytest.raises(InputError, match="was changed since"), recorded(folder, "muscles", title="a walk"):
        pass
    monkeypatch.setattr(stages, "check", lambda *given: None)
    with recorded(folder, "muscles", title="a walk"):
        (folder / "static_optimization").mkdir()
        write_table(folder / "muscle_forces.sto", "soleus_r")
        write_table(folder / "static_optimization" / "raw.sto", "soleus_r")
    found = compare_with_manifest(folder)
    assert found.changed == ("grf.mot",) and found.missing == ("moments.sto",)
    assert {"muscle_forces.sto", "static_optimization/raw.sto"} <= set(found.same)
    with recorded(folder, "estimate", title="a walk"):
        write_table(folder / "grf.mot", "foot_r_ground_force_vx")
        (folder / "muscle_forces.sto").unlink()
    found = compare_with_manifest(folder)
    assert found.changed == () and found.missing == ("moments.sto",)
    assert "muscle_forces.sto" not in read_manifest(folder)["files"]


def test_a_verb_that_fails_is_recorded_only_where_it_wrote(folder, tmp_path):
    before = (folder / "manifest.json").read_bytes()
    with pytest.raises(InputError), recorded(folder, "muscles", title="a walk"):
        raise InputError("no")
    assert (folder / "manifest.json").read_bytes() == before
    with pytest.raises(InputError), recorded(folder, "muscles", title="a walk"):
        write_table(folder / "muscle_forces.sto", "soleus_r")
        raise InputError("no")
    assert "muscle_forces.sto" in compare_with_manifest(folder).same
    with pytest.raises(InputError), recorded(tmp_path / "never", "scale", title="a walk"):
        raise InputError("no")
    assert not (tmp_path / "never").exists()


def test_while_one_verb_works_others_are_refused(folder):
    """Nothing of a folder is read or written by a verb that another has begun before."""
    refused = """
import sys
from pathlib import Path
from casadi_dynamics.errors import InputError
from sspinn_opensim.results.record import recorded
try:
    with recorded(Path(sys.argv[1]), "muscles", title="a walk"):
        print("at work")
except InputError as error:
    print(error.found)
"""
    command = [sys.executable, "-c", refused, str(folder)]
    before = (folder / "manifest.json").read_bytes()
    with recorded(folder, "estimate", title="a walk"):
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert told.startswith("sspinn estimate, process ")
        assert (folder / "manifest.json").read_bytes() == before
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "at work\n"
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_what_a_killed_command_left_is_named(folder, capsys):
    (folder / ".draft_5f").mkdir()
    assert cli.main(["open", str(folder)]) == 0
    assert "left by a command that was killed, removed by the next one: .draft_5f" in capsys.readouterr().out
    with recorded(folder, "estimate", title="a walk"):
        assert "at work here: sspinn estimate, process" in str(open_folder(folder))
    assert not (folder / ".draft_5f").exists()


def test_an_input_that_changed_or_moved_is_named(folder, tmp_path):
    recording = tmp_path / "walk.csv"
    recording.write_text("1")
    with recorded(folder, "train", title="a walk", recording={"file": recording}):
        pass
    recording.write_text("2")
    assert compare_with_manifest(folder).inputs_changed == ("recording.file (../walk.csv)",)
    recording.unlink()
    assert compare_with_manifest(folder).inputs_missing == ("recording.file (../walk.csv)",)


def test_a_damaged_manifest(folder):
    (folder / "manifest.json").write_text('{"files": ')
    with pytest.raises(InputError, match="Cannot read manifest"):
        open_folder(folder)
    with recorded(folder, "estimate", title="a walk"):
        pass
    assert compare_with_manifest(folder).changed == ()


def test_the_steps_are_those_of_what_the_folder_holds(folder):
    shutil.copy(folder / "subject.osim", folder / "subject_static_optimization.osim")
    optimization = "subject_static_optimization.osim"
    setup(folder, "so.xml", "AnalyzeTool", optimization, analysis("StaticOptimization"))
    setup(folder, "reactions.xml", "AnalyzeTool", "subject.osim", analysis("JointReaction"))
    setup(folder, "id.xml", "InverseDynamicsTool", "subject.osim")
    setup(folder, "ik.xml", "InverseKinematicsTool", "subject.osim")
    setup(folder, "scale.xml", "ScaleTool", "generic.osim")
    steps = gui_steps(opensim_files(folder))
    assert steps[:3] == [
        "File > Open Model: subject.osim",
        "File > Load Motion: kinematics.mot",
        "To see the ground forces: right-click the motion in the Navigator > Associate Motion Data: grf.mot",
    ]
    text = "\n".join(steps)
    order = [next(k for k, step in enumerate(steps) if f"Load: {name}.xml" in step) for name in SETUPS]
    assert order == sorted(order)
    assert f"File > Open Model: {optimization}, which becomes the current model; Tools > Static Opti" in text
    for line in (
        "To repeat the joint reactions: right-click subject.osim in the Navigator > Make Current; Tools > "
        "Analyze > Load: reactions.xml, then Run; it writes out",
        "To repeat the joint moments: Tools > Inverse Dynamics > Load: id.xml, then Run; it writes out",
        "Tools > Inverse Kinematics > Load: ik.xml",
        "Tools > Scale Model > Load: scale.xml",
        "Tools > Plot > Y-Quantity > Load File: kinematics_sd.mot, moments.sto",
    ):
        assert line in text
    assert "external_loads.xml" not in text  # set-ups load it; the GUI has no step for it


def test_the_ground_is_counted_once(folder):
    """With contact besides the loads OpenSim's inverse dynamics finds 8 kN at the pelvis of a demo."""
    twice = [step for step in gui_steps(opensim_files(folder)) if "count the ground twice" in step]
    assert len(twice) == 1 and "not with subject.osim" in twice[0] and "sspinn inverse-dynamics" in twice[0]
    tree = read_model_tree(folder / "subject.osim")
    switch_ground_forces_off(tree)
    write_model_tree(folder / "subject_inverse_dynamics.osim", tree)
    (step,) = (step for step in gui_steps(opensim_files(folder)) if "count the ground twice" in step)
    assert step.endswith("File > Open Model: subject_inverse_dynamics.osim, in which it is off")
    shutil.copy(folder / "subject_inverse_dynamics.osim", folder / "subject.osim")
    assert "twice" not in readme("a walk", folder)


def test_a_laboratorys_folder_gets_its_steps_too(shared):
    steps = gui_steps(opensim_files(shared / "data" / "schreiber2019_walking" / "2014001"))
    assert steps[0] == "File > Open Model: 2014001_scaledModelAdjusted.osim"
    assert "File > Load Motion: C4_05_ik.mot" in steps
    assert any(step.endswith("Associate Motion Data: 2014001_C4_05_grf.mot") for step in steps)
    assert steps[-1].startswith("Tools > Plot") and "C4_05_id.sto" in steps[-1]


def test_open_says_what_is_well(folder, capsys):
    with recorded(folder, "scale", title="a walk"):
        shutil.copy(osim_models.path("planar_gait.osim"), folder / "subject.osim")
    assert cli.main(["open", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert "1. File > Open Model: subject.osim\n2. File > Load Motion: kinematics.mot\n3. " in printed
    assert "ok: all 7 files are as they were written" in printed and "with OpenSim 4.6" in printed


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "grf.mot").write_text("x"), "changed since it was written: grf.mot"),
        (lambda f: (f / "grf.mot").unlink(), "missing: grf.mot"),
        (lambda f: (f / "grf.mot").unlink(), "external_loads.xml: <datafile> names a file that is not there"),
        (
            lambda f: setup(f, "id.xml", "InverseDynamicsTool", "/home/a/b.osim"),
            "<model_file> holds an absolute",
        ),
        (lambda f: (f / "id.xml").write_text("<OpenSimDoc"), "cannot be read: id.xml"),
    ],
)
def test_open_says_what_is_wrong(folder, capsys, spoil, said):
    spoil(folder)
    assert cli.main(["open", str(folder)]) == 1
    assert said in capsys.readouterr().out


def test_open_lets_opensim_read_everything(folder, capsys):
    with recorded(folder, "estimate", title="a walk"):
        (folder / "external_loads.xml").unlink()
        write_table(folder / "grf.mot", *(f"foot_r_ground_{what}" for what in FORCE))
        write_external_loads(folder / "external_loads.xml", ["foot_r"])
    assert cli.main(["open", str(folder), "--check"]) == 0
    assert "OpenSim reads all 4 tables and loads all 1 set-ups" in capsys.readouterr().out


FORCE = [f"force_{part}{axis}" for part in "vp" for axis in "xyz"] + [f"torque_{axis}" for axis in "xyz"]


def test_a_study_that_is_not_finished(folder, place_model):
    study = read_study(examples_folder() / "demo.toml")
    place_model(study, folder)
    with recorded(folder, "train", study=study):
        pass
    found = open_folder(folder)
    printed = "\n".join(map(str, found.findings))
    assert found.ok and "not yet there: report.html, metrics.json (sspinn evaluate)" in printed
    assert "(sspinn muscles)" in printed and "(sspinn estimate)" not in printed


def test_a_finding_counts_by_its_severity_not_by_its_words(folder):
    """Files whose names begin like a harmless finding are faults all the same."""
    with recorded(folder, "estimate", title="a walk"):
        pass
    setup(folder, "ok.xml", "InverseDynamicsTool", "/home/a/b.osim")
    (folder / "old.osim").write_text("<OpenSimDoc")
    found = open_folder(folder)
    faults = [f for f in found.findings if f.severity is Severity.FAULT]
    assert not found.ok and len(faults) == 1 and str(faults[0]).startswith("ok.xml: <model_file>")
    assert any("old.osim" in str(f) for f in found.findings if f.severity is Severity.NOTE)


def test_folders_in_a_folder_are_named(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "people").mkdir()
    shutil.copytree(folder, tmp_path / "people" / "anna")
    (folder / "seeds").mkdir()
    shutil.copy(folder / "kinematics.mot", folder / "seeds")
    assert open_folder(tmp_path).inside == ("people/anna", "results")
    assert open_folder(folder).inside == ()  # the estimates of single seeds are parts of the folder


def test_open_without_anything(tmp_path, capsys):
    assert cli.main(["open", str(tmp_path)]) == 2 and "holds nothing for OpenSim" in capsys.readouterr().err
    assert cli.main(["open", str(tmp_path / "none")]) == 2 and "no such folder" in capsys.readouterr().err
    (tmp_path / "my walk").mkdir()
    (tmp_path / "my walk" / "walk.mot").write_text("")
    assert cli.main(["open", str(tmp_path / "my walk" / "walk.mot")]) == 2
    message = capsys.readouterr().err
    assert "This is a file." in message and f"sspinn open '{tmp_path / 'my walk'}'" in message


def test_open_quotes_what_is_inside_and_passes_over_what_may_not_be_read(folder, tmp_path, monkeypatch):
    for name in ("my walk", "of others"):
        shutil.copytree(folder, tmp_path / name)
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: "others" not in str(path) and access(path, mode))
    monkeypatch.chdir(tmp_path)
    found = open_folder(".")
    assert found.inside == ("my walk", "results") and "sspinn open 'my walk'" in str(found)
    assert found.title == tmp_path.name


def test_the_readme_lists_what_is_there_and_where_it_does_not_matter(folder):
    text = (folder / "README.txt").read_text()
    assert text == readme("a walk", folder) and text.startswith("a walk\n")
    assert "1. File > Open Model: subject.osim" in text and "muscle_forces.sto" not in text
    listed = [line.split()[0] for line in text.partition("\nFiles\n")[2].partition("\n\n")[0].splitlines()]
    assert listed == [file.label for file in FILES if (folder / file.name).exists()]
    moved = folder.rename(folder.with_name("elsewhere"))
    assert readme("a walk", moved) == text
    assert str(folder.parent) not in text + json.dumps(read_manifest(moved)["files"])
