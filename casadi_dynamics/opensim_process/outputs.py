"""The files a job leaves: written beside their place, looked through, then moved there, or not at all.

OpenSim's tools report success also when the disk was full and a file ends in the middle of a number.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

#: How the names of files and folders begin that are not whole yet; a killed process leaves them.
DRAFT = ".draft_"
_TABLES, _DOCUMENTS = (".sto", ".mot"), (".osim", ".xml")


class Outputs:
    """The files a job must write, and where it is told to write them.

    An argument that names such a file, or a folder it lies in, is replaced by a path in a temporary folder
    beside it. A file that no argument leads to, such as one that a set-up file names, is written in place,
    and must then differ from what lay there before.

    Parameters
    ----------
    files : sequence of Path
        What the job must have written when it ends.
    arguments : mapping
        Of the job. A folder among them that holds one of `files` is one the job only writes to.
    """

    def __init__(self, files: Sequence[Path], arguments: Mapping) -> None:
        self._files = [Path(file).absolute() for file in files]
        self._arguments = {
            key: Path(value).absolute() if isinstance(value, Path) else value
            for key, value in arguments.items()
        }
        self._targets = {key: path for key, path in self._paths() if self._held_by(path)}
        self._staged: dict[str, Path] = {}
        self._before = {file: _stamp(file) for file in self._files}

    @contextlib.contextmanager
    def staged(self) -> Iterator[tuple[dict, list[str]]]:
        """Make the temporary folders; give the arguments that point into them, and the folders."""
        with contextlib.ExitStack() as stack:
            folders = []
            for key, target in self._targets.items():
                place = tempfile.TemporaryDirectory(
                    prefix=DRAFT, dir=target.parent, ignore_cleanup_errors=True
                )
                folders.append(stack.enter_context(place))
                self._staged[key] = Path(folders[-1], target.name)
                if target not in self._files:
                    self._staged[key].mkdir()
            yield self._arguments | self._staged, folders

    def missing(self) -> list[tuple[Path, str]]:
        """Return the files that were not written, or not whole, each with what is wrong."""
        found = []
        for file in self._files:
            staged = self._staged_path(file)
            stamp = _stamp(staged)
            if stamp is None or (staged == file and stamp == self._before[file]):
                found.append((file, "not written"))
            elif defect := incomplete(staged):
                found.append((file, defect))
        return found

    def move_into_place(self) -> None:
        """Move everything that was written beside its place."""
        for key, target in self._targets.items():
            if target in self._files:
                self._staged[key].replace(target)
                continue
            for file in sorted(path for path in self._staged[key].rglob("*") if path.is_file()):
                place = target / file.relative_to(self._staged[key])
                place.parent.mkdir(parents=True, exist_ok=True)
                file.replace(place)

    def _paths(self) -> Iterator[tuple[str, Path]]:
        for key, value in self._arguments.items():
            if isinstance(value, str) and Path(value).is_absolute():
                yield key, Path(value)
            elif isinstance(value, Path):
                yield key, value

    def _held_by(self, path: Path) -> bool:
        return any(path == file or path in file.parents for file in self._files)

    def _staged_path(self, file: Path) -> Path:
        for key, target in self._targets.items():
            if file == target or target in file.parents:
                return self._staged[key] / file.relative_to(target)
        return file


def incomplete(path: Path) -> str:
    """Return what shows that a file was cut short, or an empty string."""
    if path.stat().st_size == 0:
        return "empty"
    if path.suffix in _TABLES:
        return _cut_table(path)
    if path.suffix in _DOCUMENTS:
        text = path.read_bytes()
        root = re.search(rb"<(\w+)", text)  # a declaration starts with <? and a comment with <!
        if root is None or not text.rstrip().endswith(b"</" + root[1] + b">"):
            return "cut short: its root element does not end"
    if path.suffix == ".npz" and not zipfile.is_zipfile(path):
        return "cut short: its table of contents is missing"
    return ""


def _cut_table(path: Path) -> str:
    """Return what shows that a table of OpenSim ends early; what is cut is missing from its end."""
    text = path.read_text(encoding="utf-8", errors="replace")
    head, mark, body = text.partition("endheader")
    lines = body.strip("\r\n").splitlines()
    if not mark or len(lines) < 2:
        return "cut short: it has no rows"
    if not text.endswith("\n"):
        return "cut short: its last line does not end"
    labels, rows = lines[0].split("\t"), lines[1:]
    stated = [line.partition("=")[2] for line in head.splitlines() if line.lower().startswith("nrows=")]
    if stated and stated[0].strip() != str(len(rows)):
        return f"cut short: {len(rows)} rows where its header states {stated[0].strip()}"
    cells = len(rows[-1].split())
    return "" if cells == len(labels) else f"row {len(rows)} has {cells} cells for {len(labels)} labels"


def _stamp(path: Path) -> tuple[int, int] | None:
    """Identify one version of a file: a rewritten file differs in inode or in time of change."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
