"""A laboratory's files to muscle forces, through the command line."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim import cli
from sspinn_opensim.opensim_io.tables.storage import read_storage, write_storage
from sspinn_opensim.results.manifest import compare_with_manifest
from sspinn_opensim.verbs.laboratory_muscles import trials_of

MOTION, LOADS = "lunge.mot", "lunge_loads.xml"


@pytest.fixture(scope="module")
def done(lunge, tmp_path_factory) -> Path:
    """Two trials of a laboratory, of which the second has its ground forces upside down."""
    folder = tmp_path_factory.mktemp("several")
    laboratory = Path(shutil.copytree(lunge, folder / "laboratory"))
    for file in (MOTION, LOADS, "lunge_forces.mot"):
        shutil.copy(laboratory / file, laboratory / file.replace("lunge", "second"))
        shutil.copy(laboratory / file, laboratory / file.replace("lunge", "third"))
    for name, sign in (("second", 1.0), ("third", -1.0)):
        loads = laboratory / f"{name}_loads.xml"
        loads.write_text(loads.read_text().replace("lunge_forces", f"{name}_forces"))
        table = read_storage(laboratory / f"{name}_forces.mot")
        upward = np.array([name.endswith("vy") for name in table.names])
        table.values[:, upward] *= sign
        write_storage(laboratory / f"{name}_forces.mot", table)
    return folder


@pytest.fixture(scope="module")
def status(done) -> int:
    names = ("lunge", "second", "third")
    motions, loads = (
        [str(done / "laboratory" / f"{name}{end}") for name in names] for end in (".mot", "_loads.xml")
    )
    window = ["--from", "0.4", "--to", "0.6", "0.55", "0.6", "--lowpass", "0"]
    model = str(done / "laboratory" / "model.osim")
    return cli.main(
        ["muscles", model, *motions, "--external-loads", *loads, *window, "--out", str(done / "out")]
    )


def test_a_trial_that_cannot_be_used_is_named_and_the_others_are_done(done, status, capsys):
    assert status == 2
    assert not (done / "out" / "third").exists()
    for name, last in (("lunge", 0.6), ("second", 0.55)):
        verdict = json.loads((done / "out" / name / "static_optimization.json").read_text())
        # The flexors of the hip behind are too weak for so deep a lunge, and the verdict says so.
        assert verdict["failed_frames"] == 0 and not verdict["ok"]
        assert [text.split("'")[1] for text in verdict["failures"]] == ["hip_flexion_l"]
        assert verdict["window_s"] == pytest.approx([0.4, last])
        # Ground forces were computed from the motion, so nothing is left to the residuals.
        assert max(row["peak"] for row in verdict["residuals"].values()) < 0.1


def test_the_folder_of_a_trial_is_complete(done, status, only_files_of_the_table):
    only_files_of_the_table(done / "out", "muscles")
    folder = done / "out" / "lunge"
    for name in (
        "muscle_forces.sto",
        "muscle_activations.sto",
        "static_optimization_frames.sto",
        "README.txt",
    ):
        assert (folder / name).is_file()
    assert len(list((folder / "muscle_groups").glob("*.svg"))) == 9
    page = (folder / "report.html").read_text()
    assert (
        "Not to be trusted" in page
        and "hip_flexion_l" in page
        and 'class="line m0"' in page
        and "not a medical device" in page
    )
    assert str(done) not in page
    compared = compare_with_manifest(folder)
    assert not (compared.changed or compared.missing or compared.inputs_changed)


def test_trials_are_compared(done, status):
    out = done / "out"
    rows = (out / "trials.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["trial", "lunge", "second"]
    mean = np.genfromtxt(out / "muscle_forces_mean_sd.csv", delimiter=",", names=True)
    forces = (
        read_storage(out / "lunge" / "muscle_forces.sto"),
        read_storage(out / "second" / "muscle_forces.sto"),
    )
    first = [table.column("vasti_r")[0] for table in forces]
    assert mean["vasti_r_mean"][0] == pytest.approx(np.mean(first), rel=1e-4)
    assert "lunge" in (out / "report.html").read_text()


def test_finished_folders_are_compared(done, status, tmp_path):
    folders = [str(done / "out" / name) for name in ("lunge", "second")]
    assert cli.main(["muscles", *folders, "--out", str(tmp_path / "both")]) == 0
    assert (tmp_path / "both" / "muscle_forces_mean_sd.csv").is_file()


def test_a_refused_trial_leaves_nothing_that_could_be_run(done, tmp_path, capsys):
    laboratory, out = done / "laboratory", tmp_path / "out"
    arguments = ["--external-loads", str(laboratory / "third_loads.xml"), "--lowpass", "0", "--out", str(out)]
    assert (
        cli.main(["muscles", str(laboratory / "model.osim"), str(laboratory / "third.mot"), *arguments]) == 2
    )
    said = capsys.readouterr().err
    assert "pulls on" in said and f"where: data of {laboratory / 'third_loads.xml'}" in said
    assert not out.exists()


def test_a_refused_trial_leaves_earlier_results_as_they_were(done, status, tmp_path):
    out, laboratory = Path(shutil.copytree(done / "out" / "lunge", tmp_path / "out")), done / "laboratory"
    before = {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    arguments = ["--external-loads", str(laboratory / "third_loads.xml"), "--lowpass", "0", "--out", str(out)]
    assert (
        cli.main(["muscles", str(laboratory / "model.osim"), str(laboratory / "third.mot"), *arguments]) == 2
    )
    assert {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["model.osim"], "There is no motion"),
        (["model.osim", "walk.mot"], "external loads are not clear"),
        (
            ["model.osim", "walk.mot", "--external-loads", "l.xml", "--no-external-loads"],
            "external loads are not clear",
        ),
        (["study.toml", "--lowpass", "0"], "without its model"),
        (["study.toml", "other.toml"], "files to analyse are not clear"),
    ],
)
def test_what_is_asked_for_must_be_clear(arguments, message, tmp_path, capsys):
    assert cli.main(["muscles", *arguments, "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_one_value_holds_for_all_motions_and_several_must_match():
    motions = [Path("a/walk.mot"), Path("b/walk.mot")]
    trials = trials_of(motions, [Path("loads.xml")], [0.1], [1.0, 2.0])
    assert [trial.name for trial in trials] == ["a_walk", "b_walk"]
    assert [(t.external_loads, t.from_s, t.to_s) for t in trials] == [
        (Path("loads.xml"), 0.1, 1.0),
        (Path("loads.xml"), 0.1, 2.0),
    ]
    with pytest.raises(InputError, match="--from does not fit"):
        trials_of([*motions, Path("c.mot")], [], [0.1, 0.2])


@pytest.mark.parametrize("side", ["as published", "feet exchanged"])
def test_a_published_run_goes_through_the_set_up(side, shared, tmp_path, capsys):
    """Running on a treadmill, 92 muscles; four frames of stance."""
    source = shared / "data" / "hamner2013_running" / "subject01"
    if not source.is_dir():
        pytest.skip("needs ../shared/data/hamner2013_running")
    loads = source / "Run_3_grf.xml"
    if side == "feet exchanged":
        text = loads.read_text().replace("calcn_l<", "calcn_x<").replace("calcn_r<", "calcn_l<")
        shutil.copy(source / "Run_3_grf.mot", tmp_path)
        loads = tmp_path / "Run_3_grf.xml"
        loads.write_text(text.replace("calcn_x<", "calcn_r<"))
    arguments = ["--external-loads", str(loads), "--from", "0.56", "--to", "0.59", "--lowpass", "15"]
    model, motion, out = source / "subject01_scaled.osim", source / "Run_3_ik.mot", tmp_path / "out"
    status = cli.main(["muscles", str(model), str(motion), *arguments, "--out", str(out)])
    if side == "feet exchanged":
        assert status == 2 and "feet are exchanged" in capsys.readouterr().err
        return
    verdict = json.loads((out / "static_optimization.json").read_text())
    assert status == 0 and verdict["failed_frames"] == 0 and verdict["frames"] == 4
    assert verdict["muscles"]["soleus_r"]["peak_force_n"] > 500
    groups = {path.stem for path in (out / "muscle_groups").glob("*.svg")}
    assert {"hip_ext", "knee_ext", "ankle_pf"} <= groups
