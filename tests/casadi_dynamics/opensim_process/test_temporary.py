"""Temporary folders: gone after the block, and after the next process where one was killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from casadi_dynamics.opensim_process import temporary
from casadi_dynamics.opensim_process.temporary import PREFIX, temporary_folder

HOLDING = """
import time
from casadi_dynamics.opensim_process.temporary import temporary_folder
with temporary_folder("held") as folder:
    open(folder + "/half", "w").write("half")
    print(folder, flush=True)
    time.sleep(120)
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Let temporary folders lie in a place of their own, where nothing was removed yet."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    temporary._remove_left.cache_clear()
    return tmp_path


@pytest.fixture
def holder(place):
    """Return a process that holds a folder there, and the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(place)},
    )
    yield process, Path(process.stdout.readline().strip())
    process.kill()
    process.communicate()


def test_a_folder_is_one_s_own_and_gone_afterwards(place):
    with temporary_folder("one") as one, temporary_folder("one") as other:
        assert one != other and Path(one).parent == place and not list(Path(one).iterdir())
        Path(one, "deep").mkdir()
        Path(one, "deep", "file").touch()
    with pytest.raises(ZeroDivisionError), temporary_folder("one"):
        raise ZeroDivisionError
    assert not list(place.iterdir())


def test_what_a_killed_process_left_is_removed_by_the_next(place, holder):
    process, folder = holder
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (folder / "half").is_file()
    with temporary_folder("next"):
        assert not folder.exists()


def test_the_folder_of_a_process_that_lives_is_let_alone(place, holder):
    _, folder = holder
    with temporary_folder("next"):
        assert (folder / "half").is_file()


def test_nothing_else_is_removed(place):
    """Folders of other names, files, and what a link leads to."""
    outside = place / "outside"
    outside.mkdir()
    (outside / "mine").touch()
    (place / f"{PREFIX}link").symlink_to(outside)
    (place / f"{PREFIX}file").touch()
    before = sorted(place.rglob("*"))
    with temporary_folder("next"):
        pass
    assert sorted(place.rglob("*")) == before
