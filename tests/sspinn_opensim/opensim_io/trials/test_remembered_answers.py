"""What OpenSim has answered before is not asked for again, and is asked anew when anything differs."""

import dataclasses
import shutil

import numpy as np
import pytest

from casadi_dynamics.opensim_process.jobs import run_job
from sspinn_opensim.opensim_io.tables import staging
from sspinn_opensim.opensim_io.tables.external_loads import read_external_loads
from sspinn_opensim.opensim_io.tables.storage import read_storage, write_storage
from sspinn_opensim.opensim_io.trials import joint_moments, survey

MODEL, MOTION, LOADS, DATA = "model.osim", "lunge.mot", "lunge_loads.xml", "lunge_forces.mot"


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Return a list that grows by one for each job, with a cache that is empty at first."""
    monkeypatch.setenv("CASADI_DYNAMICS_CACHE", str(tmp_path / "cache"))
    jobs = []

    def run(job, *arguments, **options):
        jobs.append(job)
        return run_job(job, *arguments, **options)

    for module in (staging, joint_moments, survey):
        monkeypatch.setattr(module, "run_job", run)
    return jobs


def seen(folder):
    motion, loads = read_storage(folder / MOTION), read_external_loads(folder / LOADS)
    return survey.survey(folder / MODEL, motion, loads, lowpass_hz=6.0)


def moments(folder):
    files = (folder / name for name in (MODEL, MOTION, LOADS))
    return joint_moments.joint_moments(*files, (0.2, 0.8), 6.0)


def change(file):
    """Change a file of a trial by a little."""
    if file.suffix == ".osim":
        text = file.read_text()
        assert "<mass>" in text
        file.write_text(text.replace("<mass>", "<mass>1", 1))
        return
    table = read_storage(file)
    write_storage(file, dataclasses.replace(table, values=table.values + 1e-3))


@pytest.mark.parametrize("ask", [seen, moments])
def test_a_question_is_asked_once(trial, tmp_path, asked, ask):
    first = ask(trial)
    second = ask(shutil.copytree(trial, tmp_path / "elsewhere"))
    assert len(asked) == 1
    for name in ("tau", "held") if ask is seen else ("values", "time_s"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


@pytest.mark.parametrize("ask", [seen, moments])
def test_another_question_is_asked(trial, asked, ask):
    ask(trial)
    for count, name in enumerate((MODEL, MOTION, DATA), 2):
        change(trial / name)
        ask(trial)
        assert len(asked) == count


def test_files_that_opensim_has_read_are_not_read_again(trial, asked):
    files = [trial / MOTION, trial / LOADS]
    for _ in range(2):
        staging.check_files(files)
    assert len(asked) == 1
    change(trial / DATA)  # which the set-up names
    staging.check_files(files)
    assert len(asked) == 2
