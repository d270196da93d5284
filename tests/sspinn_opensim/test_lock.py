"""A folder that one command has at a time, in threads and processes, also after a kill."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim import lock
from sspinn_opensim.lock import owned, owner_of

HOLD = """
import sys, time
from pathlib import Path
from sspinn_opensim.lock import owned
with owned(Path(sys.argv[1]), "sspinn train"):
    Path(sys.argv[1], ".draft_half").mkdir()
    print("has it", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """Return a process that has the folder."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "results")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "has it\n"
    yield process
    process.kill()
    process.communicate()


def test_others_are_told_who_has_a_folder(other, tmp_path):
    folder = tmp_path / "results"
    with pytest.raises(InputError, match="at work in the folder") as error, owned(folder, "sspinn run"):
        pass
    assert f"sspinn train, process {other.pid} on " in error.value.found
    assert f"process {other.pid}" in owner_of(folder) and (folder / ".draft_half").exists()
    other.communicate()
    with owned(folder, "sspinn run"):
        assert not (folder / ".draft_half").exists(), "what a process leaves is removed by the next one"
    assert not list(folder.iterdir()) and owner_of(folder) == ""
    with owned(folder / "a" / "b", "sspinn run"):
        pass
    assert not list(folder.iterdir()), "folders made for nothing are removed"


def test_a_killed_command_has_nothing_any_more(other, tmp_path):
    folder = tmp_path / "results"
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    assert owner_of(folder) == "" and (folder / ".lock").exists()
    (folder / "kinematics.mot").touch()
    with owned(folder, "sspinn run"):
        assert f"process {os.getpid()} on" in (folder / ".lock").read_text()
    assert [path.name for path in folder.iterdir()] == ["kinematics.mot"]


def test_of_four_processes_one_works_at_a_time(tmp_path):
    """Each that gets the folder finds nobody else in it."""
    work = """
import sys, time
from pathlib import Path
from casadi_dynamics.errors import InputError
from sspinn_opensim.lock import owned
folder, done, refused = Path(sys.argv[1]), 0, 0
until = time.monotonic() + 2
while time.monotonic() < until:
    try:
        with owned(folder, "count"):
            (folder / "here").open("x").close()
            done += 1
            (folder / "here").unlink()
    except InputError:
        refused += 1
print(done, refused)
"""
    (tmp_path / "kept").touch()
    command = [sys.executable, "-c", work, str(tmp_path)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    told = [process.communicate()[0].split() for process in processes]
    assert all(process.returncode == 0 for process in processes)
    assert all(int(done) > 0 for done, _ in told) and any(int(refused) > 0 for _, refused in told)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_blocks_of_one_thread_nest_and_another_thread_is_refused(tmp_path):
    refused = []

    def elsewhere() -> None:
        try:
            with owned(tmp_path, "b"):
                pass
        except InputError as error:
            refused.append(error.found)

    with owned(tmp_path, "a"), owned(tmp_path / ".." / tmp_path.name, "inner"):
        assert (tmp_path / ".lock").read_text().startswith("a, ")
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert refused == ["another thread of this process"] and not list(tmp_path.iterdir())


def test_a_lock_that_is_a_link_is_not_written_through(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    for number, link in enumerate((os.symlink, os.link)):
        folder = tmp_path / str(number)
        folder.mkdir()
        link(victim, folder / ".lock")
        with pytest.raises(InputError, match="is a link"), owned(folder, "a"):
            pass
    assert victim.read_text() == "mine"


def test_without_locks_of_the_system_the_file_is_the_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "fcntl", None)
    (tmp_path / ".lock").write_text("sspinn train, process 1")
    with pytest.raises(InputError, match=r"(?s)at work.*process 1.*delete"), owned(tmp_path, "a"):
        pass
    (tmp_path / ".lock").unlink()
    with owned(tmp_path, "a"):
        assert owner_of(tmp_path).startswith("a, ")
    assert not list(tmp_path.iterdir())
