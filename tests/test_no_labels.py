"""No label reaches training: with the reference opened, scrambled or gone, the same network is learnt.

That no module of these rooms imports or names a reader of references is held by `test_architecture.py`; here
the running program is watched.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import osim_models
from casadi_dynamics.osim import read_model
from sspinn_opensim.recording import dorschky2019, matlab_tables, read_recording
from sspinn_opensim.study import examples_folder, read_study

REFERENCE = ("reference_kinematics.mot", "reference_moments.sto", "reference_grf.mot")

#: Trains and estimates in its own process, which reports every file that Python opens: first as it is, then
#: with a planted leak, a function of training that opens the file named last.
_WATCHED = """
import json, sys
from pathlib import Path

study_file, out, leak = sys.argv[1:]
opened = []
sys.addaudithook(lambda event, arguments: opened.append(str(arguments[0])) if event == "open" else None)

from sspinn_opensim import workflows
from sspinn_opensim.study import override, read_study
from sspinn_opensim.training import trainer

# OpenSim's own reading of what was written is a process each, and no part of what is watched.
workflows._check_readable = lambda out: None
study = override(read_study(study_file), steps=2)


def watched():
    del opened[:]
    workflows.train(study, Path(out), restart=True)
    workflows.estimate(study, Path(out))
    return list(opened)


as_it_is = watched()
honest = trainer.draw_windows


def draw_windows(*arguments):
    Path(leak).read_bytes()
    return honest(*arguments)


trainer.draw_windows = draw_windows
print("OPENED " + json.dumps([as_it_is, watched()]))
"""


@pytest.fixture
def study(tmp_path) -> Path:
    """Return a copy of the built-in study that a test may spoil."""
    examples = examples_folder()
    shutil.copytree(examples / "demo", tmp_path / "study" / "demo")
    return Path(shutil.copy(examples / "demo.toml", tmp_path / "study"))


@pytest.fixture
def out(tmp_path) -> Path:
    """Return a results folder with a scaled model (scaling changes nothing here)."""
    folder = tmp_path / "results"
    folder.mkdir()
    shutil.copy(osim_models.path("planar_gait.osim"), folder / "subject.osim")
    return folder


def names(opened: list[str]) -> set[str]:
    """Return the names of the study's data files among those that were opened."""
    return {Path(name).name for name in opened if "demo" in Path(name).parts}


def learnt(out: Path) -> dict:
    import torch

    state = torch.load(out / "training" / "seed_0" / "checkpoint.pt", weights_only=True)["state"]
    return state["estimator"] | {"history": state["history"]}


def assert_same(one: dict, other: dict) -> None:
    import torch

    assert one.keys() == other.keys() and one["history"] == other["history"]
    for name in one.keys() - {"history"}:
        assert torch.equal(one[name], other[name]), name


def test_the_study_names_a_reference(study):
    """Otherwise nothing here would test anything."""
    files = {file.name for file in vars(read_study(study).reference).values() if isinstance(file, Path)}
    assert set(REFERENCE) <= files and all((study.parent / "demo" / name).is_file() for name in REFERENCE)


def test_training_and_estimating_open_no_reference(study, out):
    """Every file that Python opens is seen; a planted leak, in the same process, shows that it would be."""
    leak = study.parent / "demo" / REFERENCE[1]
    answer = subprocess.run(
        [sys.executable, "-c", _WATCHED, str(study), str(out), str(leak)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=Path(__file__).resolve().parents[1],
    )
    assert answer.returncode == 0, answer.stderr
    line = next(line for line in answer.stdout.splitlines() if line.startswith("OPENED "))
    as_it_is, leaking = (names(opened) for opened in json.loads(line.removeprefix("OPENED ")))
    assert as_it_is == {"imu.csv"}
    assert leaking == {"imu.csv", leak.name}


@pytest.mark.parametrize("spoil", ["scrambled", "gone"])
def test_the_reference_changes_nothing_that_is_learnt(study, out, spoil, monkeypatch):
    from sspinn_opensim import workflows
    from sspinn_opensim.study import override

    monkeypatch.setattr(workflows, "_check_readable", lambda out: None)
    chosen = override(read_study(study), steps=3)
    workflows.train(chosen, out)
    honest = learnt(out)
    for name in REFERENCE:
        file = study.parent / "demo" / name
        file.write_bytes(os.urandom(5000)) if spoil == "scrambled" else file.unlink()
    workflows.train(chosen, out, restart=True)
    workflows.estimate(chosen, out)
    assert len(honest["history"]) == 3
    assert_same(learnt(out), honest)


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
def test_of_a_file_with_labels_only_signals_are_read(repository, kinds_read, out, monkeypatch):
    """The data set keeps sensors, angles, moments and forces in one table; the latter stay untouched."""
    from sspinn_opensim import workflows
    from sspinn_opensim.study import override

    monkeypatch.setattr(workflows, "_check_readable", lambda out: None)
    study = override(read_study(repository / "examples" / "dorschky2019_walk.toml"), steps=2, seeds=(0,))
    workflows.train(study, out)
    workflows.estimate(study, out)
    asked, read = kinds_read
    assert asked == read == {"acc", "gyro", "dur", "speed"}


@pytest.mark.usefixtures("dorschky2019")
def test_the_spy_sees_a_reader_of_labels(repository, kinds_read):
    """A planted leak: the evaluation's own reader, called where it must not be, shows."""
    from sspinn_opensim.evaluation.reference import read_reference

    study = read_study(repository / "examples" / "dorschky2019_walk.toml")
    model = read_model(osim_models.path("planar_gait.osim"))
    read_reference(study, read_recording(study).time_s, model)
    assert kinds_read[1] - {"acc", "gyro", "dur", "speed"}
