"""Files that many write at once: whole, none lost, nothing left behind."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim import files
from sspinn_opensim.files import draft_of, drafts, read_json, remove_drafts, write_atomically

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


def test_a_draft_is_no_name_that_another_can_prepare(tmp_path, monkeypatch):
    """A link laid where a draft would go is not written through."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    monkeypatch.setattr(files.secrets, "token_hex", lambda n: "00" * n)
    with draft_of(tmp_path / "x.txt") as draft:
        name = draft.name
    (tmp_path / name).symlink_to(victim)
    with pytest.raises(InputError, match="Cannot write"):
        write_atomically(tmp_path / "x.txt", "theirs")
    assert victim.read_text() == "mine"


def test_drafts_of_killed_commands_are_known_by_name_and_links_are_not_followed(tmp_path):
    folder, outside = tmp_path / "results", tmp_path / "outside"
    (folder / "seeds" / ".draft_a").mkdir(parents=True)
    (folder / "seeds" / ".draft_a" / "big").touch()
    outside.mkdir()
    (outside / ".draft_b").touch()
    (outside / "kept").touch()
    (folder / ".draft_link").symlink_to(outside)
    (folder / "linked").symlink_to(outside)
    (folder / "mine.txt").touch()
    assert {path.name for path in drafts(folder)} == {".draft_a", ".draft_link"}
    remove_drafts(folder)
    assert {path.name for path in folder.rglob("*")} == {"seeds", "linked", "mine.txt"}
    assert {path.name for path in outside.iterdir()} == {".draft_b", "kept"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1]",
        "{" + '"a":{' * 5000,
        "[" * 5000,
        '{"n": 1e999}',
        '{"n": NaN}',
        '{"n": ' + "9" * 400 + "}",
        '{"n": ' + "9" * 5000 + "}",
        '{"n": true}',
        '{"n": "1"}',
        '{"m": {"a": [1, "x"]}}',
        '{"m": [1]}',
        "\ud800",
        '{"o": 1}',
        '{"m": {"b": {"c": 1}}}',
        '{"other": "\\ud800"}',
    ],
)
def test_a_json_file_of_another_shape_is_refused(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError, match=r"(?s)Cannot read a\.json.*fix: do it"):
        read_json(path, {"n?": float, "m?": {str: [int]}, "o?": (str, None)}, "do it")


def test_a_json_file_of_its_shape_is_read(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"n": 1e3, "m": {"b": []}, "o": null, "other": [1]}')
    assert read_json(path, {"n?": float, "m?": {str: [int]}, "o?": (str, None)}, "")["n"] == 1000


def test_a_json_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "manifest.json"
    path.touch()
    os.truncate(path, 200_000_000)
    with pytest.raises(InputError, match="manifest.json is too large") as caught:
        read_json(path, {}, "do it")
    assert (caught.value.expected, caught.value.found, caught.value.fix) == (
        "at most 20 MB",
        "200 MB",
        "do it",
    )
