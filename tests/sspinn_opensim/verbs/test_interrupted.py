"""Commands in processes of their own that are told to end, or killed: what they say, leave and go on from."""

import functools
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from sspinn_opensim.files import write_atomically
from sspinn_opensim.lock import owned

#: Steps of a training that does not end by itself while a test looks.
MANY = 100_000


@pytest.fixture
def out(scaled, tmp_path):
    """Return a scaled results folder of one's own."""
    return Path(shutil.copytree(scaled, tmp_path / "results"))


@pytest.fixture
def start(study, out):
    """Return a function that starts a verb and waits until the folder says so; ends what it started."""
    started = []

    def begin(verb: str, *options: str, wait_for, study=study.path) -> subprocess.Popen:
        command = [sys.executable, "-m", "sspinn_opensim", verb, str(study), "--out", str(out), *options]
        # A session of its own, as in a queue: no terminal, and signals to its group reach nobody else.
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        started.append(process)
        until = time.monotonic() + 120
        while not wait_for() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        assert process.poll() is None, process.communicate()
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def steps_of(folder: Path) -> int:
    checkpoint = folder / "training" / "seed_0" / "checkpoint.pt"
    return torch.load(checkpoint, weights_only=True)["state"]["step"]


@pytest.mark.parametrize(("name", "devices"), [("SIGINT", 1), ("SIGTERM", 1), ("SIGHUP", 1), ("SIGTERM", 2)])
def test_a_training_that_is_told_to_end_keeps_its_last_step(start, out, study, name, devices):
    """No step is lost, though checkpoints are made every hundred only."""
    if devices > 1:
        text = study.path.read_text().replace("[training]", f"[training]\ndevices = {devices}")
        start = functools.partial(start, study=write_atomically(study.path.with_name("two.toml"), text))
    number = getattr(signal, name)
    checkpoint = out / "training" / "seed_0" / "checkpoint.pt"
    process = start("train", "--steps", str(MANY), wait_for=checkpoint.parent.exists)
    time.sleep(3)  # compiling, and some steps
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 128 + number, said
    assert said.startswith(f"Interrupted ({name}). What is written is complete") and said.count("\n") == 1
    if checkpoint.exists():  # on a slow machine it may not have begun
        assert steps_of(out) > 0
        assert (out / "training" / "seed_0" / "history.csv").read_text().count("\n") == steps_of(out) + 1
    assert not [path.name for path in out.rglob(".*")]


def test_two_interruptions_in_a_row_leave_no_traceback(start, out):
    process = start("train", "--steps", str(MANY), wait_for=(out / "training" / "seed_0").exists)
    for _ in range(2):
        os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 130 and "Traceback" not in said
    assert not [path.name for path in out.rglob(".*")]


#: A command that is half through a file; what runs in OpenSim's process would be removed by its own guard.
HALF_WRITTEN = """
import sys, time
from pathlib import Path
from sspinn_opensim.files import draft_of
from sspinn_opensim.lock import owned
out = Path(sys.argv[1])
with owned(out, "sspinn scale"), draft_of(out / "subject.osim") as draft:
    draft.write_text("half")
    print("written", flush=True)
    time.sleep(120)
"""


def test_the_next_command_removes_what_a_killed_one_left(out):
    """Killed while it writes: the half is named by `open`, and gone after the next command."""
    process = subprocess.Popen(
        [sys.executable, "-c", HALF_WRITTEN, str(out)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "written\n"
    process.kill()
    process.communicate()
    (left,) = [path.name for path in out.glob(".draft_*")]
    command = [sys.executable, "-m", "sspinn_opensim", "open", str(out)]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    assert "left by a command that was killed" in said and left in said
    with owned(out, "the next"):
        pass
    assert not [path.name for path in out.rglob(".*")]


def test_a_second_command_is_told_who_has_the_folder(start, out, study):
    process = start("train", "--steps", str(MANY), wait_for=(out / "training" / "seed_0").exists)
    command = [sys.executable, "-m", "sspinn_opensim", "scale", str(study.path), "--out", str(out)]
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode == 2
    assert "Another command is at work" in second.stderr and f"process {process.pid} on" in second.stderr
