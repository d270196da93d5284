"""No label reaches training: with the reference opened, scrambled or gone, the same network is learnt.

That no module of these rooms imports or names a reader of references is held by `test_architecture.py`; here
the running program is watched.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import osim_models
from casadi_dynamics.osim import read_model
from sspinn_opensim.recording.formats import dorschky2019, matlab_tables
from sspinn_opensim.study import examples_folder, read_study

REFERENCE = ("reference_kinematics.mot", "reference_moments.sto", "reference_grf.mot")


@pytest.fixture
def study(tmp_path) -> Path:
    """Return a copy of the built-in study that a test may spoil."""
    examples = examples_folder()
    shutil.copytree(examples / "demo", tmp_path / "study" / "demo")
    return Path(shutil.copy(examples / "demo.toml", tmp_path / "study"))


@pytest.fixture
def out(tmp_path) -> Path:
    """Return a results folder to be."""
    return tmp_path / "results"


def write_unaligned(study: Path) -> Path:
    """Write a copy of the built-in study in which nothing is said of how its sensors sit."""
    text = study.read_text(encoding="utf-8")
    text = re.sub(r'imu_frame = "(\w+)_imu"', r'body = "\1"', text)
    path = study.with_name("unaligned.toml")
    path.write_text(text + '\n[alignment]\nmethod = "signals"\n', encoding="utf-8")
    return path


def learnt(out: Path) -> dict:
    """Return all that a checkpoint holds: networks, what is a person's own, optimizer, history."""
    import torch

    return torch.load(out / "training" / "seed_0" / "checkpoint.pt", weights_only=True)["state"]


def differences(one, other, place: str = "") -> list[str]:
    """Return where two nested states differ, by a single bit."""
    import torch

    if isinstance(one, dict) and isinstance(other, dict):
        names = sorted({*one, *other}, key=str)
        return [d for n in names for d in differences(one.get(n), other.get(n), f"{place}/{n}")]
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        return [
            d
            for n, pair in enumerate(zip(one, other, strict=True))
            for d in differences(*pair, f"{place}/{n}")
        ]
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return [] if one.dtype == other.dtype and torch.equal(one, other) else [place]
    return [] if type(one) is type(other) and one == other else [place]


def test_the_study_names_a_reference(study):
    """Otherwise nothing here would test anything."""
    files = {file.name for file in vars(read_study(study).reference).values() if isinstance(file, Path)}
    assert set(REFERENCE) <= files and all((study.parent / "demo" / name).is_file() for name in REFERENCE)


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict[str, list[str]]:
    """Return what the guard saw of a training, and of trainings with planted leaks."""
    folder = tmp_path_factory.mktemp("guarded")
    examples = examples_folder()
    shutil.copytree(examples / "demo", folder / "demo")
    here = Path(__file__).resolve().parent
    study = Path(shutil.copy(examples / "demo.toml", folder))
    answer = subprocess.run(
        [sys.executable, here / "label_guard.py", study, write_unaligned(study), folder / "results"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=here.parent,
        env=os.environ | {"PYTHONPATH": str(here.parent)},
    )
    assert answer.returncode == 0, answer.stderr
    line = next(line for line in answer.stdout.splitlines() if line.startswith("FOUND "))
    return json.loads(line.removeprefix("FOUND "))


@pytest.mark.parametrize("run", ["as it is", "check as it is", "as it is again"])
def test_checking_training_adapting_and_estimating_reach_for_no_reference(found, run):
    assert found[run] == []


#: Planted leak -> what the guard must say of it.
LEAKS = {
    "loss, file": f"open {REFERENCE[0]}",
    "loss, low level": f"open {REFERENCE[0]}",
    "loss, link": f"open {REFERENCE[0]}",
    "loss, folder": "os.listdir demo",
    "loss, process": f"subprocess.Popen {REFERENCE[0]}",
    "loss, shell": f"os.system {REFERENCE[0]}",
    "recording, file": f"open {REFERENCE[0]}",
    "estimate, file": f"open {REFERENCE[0]}",
    "gait, file": f"open {REFERENCE[0]}",
    "alignment, file": f"open {REFERENCE[0]}",
    "check, file": f"open {REFERENCE[0]}",
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_planted_leak_is_caught(found, leak):
    assert LEAKS[leak] in found[leak]


def test_every_planted_leak_is_asked_about(found):
    assert set(found) == {*LEAKS, "as it is", "check as it is", "as it is again"}


def spoil(study: Path, how: str) -> None:
    """Scramble the reference, take it away, or take its name out of the study."""
    for name in REFERENCE:
        file = study.parent / "demo" / name
        file.write_bytes(os.urandom(5000)) if how == "scrambled" else file.unlink()
    if how == "unnamed":
        study.write_text(re.sub(r"\[reference\][^\[]*", "", study.read_text()))


@pytest.mark.parametrize("how", ["scrambled", "gone", "unnamed"])
def test_the_reference_changes_nothing_that_is_learnt(study, out, how, place_model, monkeypatch):
    from sspinn_opensim.study import override
    from sspinn_opensim.verbs import estimate, train

    monkeypatch.setattr("sspinn_opensim.opensim_io.tables.staging.check_files", lambda files: None)
    chosen = override(read_study(study), steps=3)
    place_model(chosen, out)
    train.train(chosen, out)
    estimate.estimate(chosen, out)
    honest, motion = learnt(out), (out / "kinematics.mot").read_bytes()
    spoil(study, how)
    if how == "unnamed":
        chosen = override(read_study(study), steps=3)
        assert chosen.reference is None
    train.train(chosen, out, restart=True)
    estimate.estimate(chosen, out)
    assert len(honest["history"]) == 3
    assert differences(learnt(out), honest) == [] and (out / "kinematics.mot").read_bytes() == motion


@pytest.mark.parametrize("how", ["scrambled", "unnamed"])  # a study whose reference is gone is refused
def test_the_reference_changes_nothing_that_is_checked_or_aligned(study, how):
    from sspinn_opensim.verbs.check import check

    unaligned = write_unaligned(study)
    honest = check(unaligned).to_json()
    assert len(honest["alignment"]) == len(read_study(study).sensors)
    spoil(unaligned, how)
    assert check(unaligned).to_json() == honest


def test_a_leak_that_no_guard_sees_changes_what_is_learnt(study, out, place_model, monkeypatch):
    """Torch maps a file without asking Python: only the comparison of what is learnt can tell."""
    import torch

    from sspinn_opensim.study import override
    from sspinn_opensim.training.losses import FUNCTIONS
    from sspinn_opensim.verbs import train

    monkeypatch.setattr("sspinn_opensim.opensim_io.tables.staging.check_files", lambda files: None)
    file = study.parent / "demo" / REFERENCE[0]
    torque = FUNCTIONS["torque"]

    def leaking(*given):
        content = torch.from_file(str(file), size=2000, dtype=torch.uint8)
        return torque(*given) * (1 + content.float().mean())

    monkeypatch.setitem(FUNCTIONS, "torque", leaking)
    chosen = override(read_study(study), steps=2)
    place_model(chosen, out)
    train.train(chosen, out)
    before = learnt(out)
    spoil(study, "scrambled")
    train.train(chosen, out, restart=True)
    assert any("/network/" in place for place in differences(learnt(out), before))


@pytest.fixture
def kinds_read(monkeypatch):
    """Return two sets of kinds of rows: asked for, and turned into values (the file holds labels too)."""
    asked, read = set(), set()
    read_rows, row = matlab_tables.read_rows, matlab_tables._row

    def spied_rows(path, kinds):
        asked.update(kinds)
        return read_rows(path, kinds)

    def spied_row(cells):
        found = row(cells)
        read.add(found.kind)
        return found

    monkeypatch.setattr(dorschky2019, "read_rows", spied_rows)
    monkeypatch.setattr(matlab_tables, "read_rows", spied_rows)
    monkeypatch.setattr(matlab_tables, "_row", spied_row)
    return asked, read


@pytest.mark.usefixtures("dorschky2019")
def test_of_a_file_with_labels_only_signals_are_read(repository, kinds_read, out, place_model, monkeypatch):
    """The data set keeps sensors, angles, moments and forces in one table; the latter stay untouched."""
    from sspinn_opensim.study import override
    from sspinn_opensim.verbs import estimate, train

    monkeypatch.setattr("sspinn_opensim.opensim_io.tables.staging.check_files", lambda files: None)
    study = override(read_study(repository / "examples" / "dorschky2019_walk.toml"), steps=2, seeds=(0,))
    place_model(study, out)
    train.train(study, out)
    estimate.estimate(study, out)
    asked, read = kinds_read
    assert asked == read == {"acc", "gyro", "dur", "speed"}


@pytest.mark.usefixtures("dorschky2019")
def test_the_spy_sees_a_reader_of_labels(repository, kinds_read):
    """A planted leak: the evaluation's own reader, called where it must not be, shows."""
    from sspinn_opensim.evaluation.reference import read_reference

    study = read_study(repository / "examples" / "dorschky2019_walk.toml")
    model = read_model(osim_models.path("planar_gait.osim"))
    read_reference(study, model)
    assert kinds_read[1] - {"acc", "gyro", "dur", "speed"}
