"""Several processes that train together."""

import dataclasses
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from casadi_dynamics.errors import InputError
from sspinn_opensim.study import examples_folder, read_study
from sspinn_opensim.training import processes
from sspinn_opensim.training.batches import WindowSource
from sspinn_opensim.training.cohort import Cohort
from sspinn_opensim.training.settings import TrainingSettings
from sspinn_opensim.training.trainer import Trainer

SETTINGS = TrainingSettings(steps=3, batch=2, window_s=0.4, unscored_s=0.1, members=1, devices=2)


@pytest.fixture
def crowd(pair):
    return Cohort(tuple(dataclasses.replace(pair[0].members[i % 2], name=f"p{i}") for i in range(3)))


@pytest.mark.slow
def test_two_processes_train_one_network_on_windows_of_their_own(crowd, tmp_path, capfd):
    together, again, lonely = (
        Trainer(crowd, dataclasses.replace(SETTINGS, devices=devices)) for devices in (2, 2, 1)
    )
    saved = tmp_path / "saved"
    together.run(lambda p: print("step", p.step), lambda t: saved.write_text(str(t.step)))
    shown = capfd.readouterr()
    again.run(lambda _: None, lambda _: None)
    lonely.run(lambda _: None, lambda _: None)
    assert together.finished and saved.read_text() == "3"
    assert shown.out.splitlines() == ["step 1", "step 2", "step 3"] and shown.err == ""
    assert [row["total"] for row in together.history] == [row["total"] for row in again.history]
    assert together.history[0]["total"] != lonely.history[0]["total"]
    for name, value in together.estimators.state_dict().items():
        assert torch.equal(value, again.estimators.state_dict()[name]), name


@pytest.mark.slow
def test_what_one_of_them_cannot_use_is_one_clear_error(crowd, capfd):
    """A sample that only the second process draws is no number: the first one says so, and nobody waits."""
    source = WindowSource(crowd, SETTINGS)
    (first,), (second,) = (source.draw(0, rank) for rank in (0, 1))
    signals = crowd.members[first.member].signals
    rows = [_rows(part.windows.acceleration, signals.acceleration) for part in (first, second)]
    only = sorted(rows[1] - rows[0])
    assert first.member == second.member and only
    acceleration = signals.acceleration.clone()
    acceleration[only] = float("nan")
    spoilt = dataclasses.replace(signals, acceleration=acceleration)
    members = list(crowd.members)
    members[first.member] = dataclasses.replace(members[first.member], signals=spoilt)
    with pytest.raises(InputError, match="'acceleration' is nan") as error:
        Trainer(Cohort(tuple(members)), SETTINGS).run(lambda _: None, lambda _: None)
    assert error.value.where == "step 1, seed 0"
    assert capfd.readouterr().err == "" and multiprocessing.active_children() == []


def _rows(windows, signal) -> set[int]:
    """Return the frames of a signal that stand in windows of it."""
    found = set()
    for window in windows:
        starts = [i for i in range(len(signal) - len(window) + 1) if torch.equal(signal[i], window[0])]
        found |= {start + k for start in starts for k in range(len(window))}
    return found


@pytest.mark.slow
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interruption_ends_all_of_them(crowd, error, capfd):
    def interrupt(progress):
        raise error

    with pytest.raises(error):
        Trainer(crowd, SETTINGS).run(interrupt, lambda _: None)
    assert multiprocessing.active_children() == [] and not torch.distributed.is_initialized()


@pytest.mark.slow
@pytest.mark.parametrize("when", ["at the start", "in a step"])
def test_a_process_that_is_killed_is_one_clear_error_and_nobody_waits(crowd, monkeypatch, when):
    """As the system does where memory is short."""

    def kill(_) -> None:
        for process in multiprocessing.active_children():
            process.kill()

    if when == "at the start":
        monkeypatch.setattr(processes, "_other", os._exit)  # called with what is no exit status
    with pytest.raises(InputError, match="process that trained along has ended"):
        Trainer(crowd, SETTINGS).run(kill, lambda _: None)
    assert multiprocessing.active_children() == [] and not torch.distributed.is_initialized()


def test_more_processes_than_a_machine_can_run_are_refused(crowd):
    settings = dataclasses.replace(SETTINGS, devices=1000)
    with pytest.raises(InputError, match="in each other's way") as error:
        Trainer(crowd, settings).run(lambda _: None, lambda _: None)
    assert "devices" in error.value.where and multiprocessing.active_children() == []


def test_a_number_of_processes_that_is_not_the_settings(crowd, monkeypatch):
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "3", "LOCAL_WORLD_SIZE": "3"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match="another number of processes") as error:
        Trainer(crowd, SETTINGS).run(lambda _: None, lambda _: None)
    assert (error.value.expected, error.value.found) == ("2 processes", "3")


@pytest.mark.slow
def test_processes_that_torchrun_started_train_together(tmp_path, place_model):
    examples = examples_folder()
    shutil.copytree(examples / "demo", tmp_path / "demo")
    text = (examples / "demo.toml").read_text().replace("steps = 300", "steps = 2\ndevices = 2")
    (tmp_path / "study.toml").write_text(text)
    place_model(read_study(tmp_path / "study.toml"), tmp_path)
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    start = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--master-port",
        str(port),
    ]
    train = ["-m", "sspinn_opensim", "train", str(tmp_path / "study.toml"), "--out", str(tmp_path)]
    answer = subprocess.run(
        [*start, *train],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=Path(__file__).resolve().parents[3],
    )
    assert answer.returncode == 0, answer.stderr
    content = torch.load(tmp_path / "training/seed_0/checkpoint.pt", weights_only=True)
    assert content["state"]["finished"] and len(content["state"]["history"]) == 2
    assert answer.stdout.count("step 2 of 2") == 1
