"""Files that many write at once: whole, none lost, nothing left behind."""

import multiprocessing
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim import files
from sspinn_opensim.files import draft_of, locked, write_atomically

LENGTH = 200_000


def write_often(path) -> None:
    """Write one file from six threads, each its own letter."""
    with ThreadPoolExecutor(6) as pool:
        for _ in pool.map(lambda k: write_atomically(path, "abcdef"[k % 6] * LENGTH), range(120)):
            pass


def test_threads_and_processes_write_one_file_whole(tmp_path):
    path = tmp_path / "file.txt"
    call = f"import runpy; runpy.run_path({__file__!r})['write_often']({str(path)!r})"
    processes = [subprocess.Popen([sys.executable, "-c", call]) for _ in range(2)]
    write_often(path)
    assert [process.wait() for process in processes] == [0, 0]
    content = path.read_text()
    assert len(content) == LENGTH and len(set(content)) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_has_the_mode_of_a_new_file_and_no_link_is_followed(tmp_path):
    (tmp_path / "usual").touch()
    path = write_atomically(tmp_path / "x.json", "{}")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)
    with draft_of(path) as one, draft_of(path) as other:
        assert one != other and one.suffix == ".json" and one.name.startswith(".")


def test_a_draft_that_fails_leaves_the_old_file(tmp_path):
    path = write_atomically(tmp_path / "subject.osim", "old")
    with pytest.raises(RuntimeError), draft_of(path) as draft:
        draft.write_text("new")
        raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
    with pytest.raises(InputError, match=r"Cannot write x\.txt"):
        write_atomically(tmp_path / "none" / "x.txt", "")


def count(folder, times: int = 50) -> None:
    """Add to a number in a file, read, changed and written."""
    for _ in range(times):
        with locked(folder):
            value = int((folder / "number").read_text())
            (folder / "number").write_text(str(value + 1))


@pytest.mark.parametrize("by_file", [False, True])
def test_a_lock_keeps_threads_and_processes_apart(tmp_path, monkeypatch, by_file):
    if by_file:  # as where there is no fcntl; forked processes have it so too
        monkeypatch.setattr(files, "fcntl", None)
    (tmp_path / "number").write_text("0")
    others = [multiprocessing.get_context("fork").Process(target=count, args=(tmp_path,)) for _ in "ab"]
    others += [threading.Thread(target=count, args=(tmp_path,)) for _ in "ab"]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert (tmp_path / "number").read_text() == "200"
    assert [path.name for path in tmp_path.iterdir()] == ["number"]


def test_a_lock_that_stays_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "fcntl", None)
    monkeypatch.setattr(files, "LONGEST_WAIT_S", 0.05)
    (tmp_path / ".lock").touch()
    start = time.monotonic()
    with (
        pytest.raises(InputError, match="(?s)Another command.*delete this"),
        locked(tmp_path),
    ):
        pass
    assert time.monotonic() - start < 5 and (tmp_path / ".lock").exists()
