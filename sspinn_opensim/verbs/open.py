"""``sspinn open``: what to do in OpenSim's GUI with a folder, and whether its files are as written."""

from __future__ import annotations

import enum
import logging
import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from casadi_dynamics.errors import InputError
from sspinn_opensim.files import drafts
from sspinn_opensim.lock import owner_of
from sspinn_opensim.opensim_io.tables.staging import check_files
from sspinn_opensim.results.folder import FILES, ResultsFolder
from sspinn_opensim.results.gui_steps import OpenSimFiles, gui_steps, opensim_files
from sspinn_opensim.results.manifest import FolderChanges, compare_with_manifest, read_manifest

log = logging.getLogger(__name__)

#: Folders in folders in which results are looked for: nobody keeps them deeper.
_DEEPEST = 50
#: Folders inside a results folder whose files are parts of it, unless they are results folders themselves.
_PARTS = {file.name for file in FILES if file.label.endswith("/")}
#: What `sspinn run` does; other verbs are extra.
_STAGES = ("scale", "convert", "train", "estimate", "muscles", "evaluate")
_MOST_NAMES = 12


class Severity(enum.Enum):
    """How much a finding matters; the value stands before its text."""

    OK = "ok: "
    NOTE = "note: "
    NOT_YET = "not yet there: "
    FAULT = ""


@dataclass(frozen=True)
class Finding:
    """One thing that was found in a folder."""

    severity: Severity
    text: str

    def __str__(self) -> str:
        return f"{self.severity.value}{self.text}"


@dataclass(frozen=True)
class OpenedFolder:
    """A folder as `open` found it.

    Parameters
    ----------
    folder : Path
        As it was given.
    title : str
        What it is, by its manifest; else its name.
    steps : tuple of str
        What to do in OpenSim's GUI, in order.
    inside : tuple of str
        Results folders in it, relative to it.
    findings : tuple of Finding
        Whether its files are as written, there, and usable.
    versions : dict of str to str
        Of the project and of OpenSim, that wrote it; empty where nothing was recorded.
    read : str
        What OpenSim was asked to read, where it was.
    """

    folder: Path
    title: str
    steps: tuple[str, ...]
    inside: tuple[str, ...]
    findings: tuple[Finding, ...]
    versions: dict[str, str]
    read: str = ""

    @property
    def ok(self) -> bool:
        """Whether no file changed since it was written, is missing or cannot be used."""
        return all(finding.severity is not Severity.FAULT for finding in self.findings)

    def __str__(self) -> str:
        lines = [f"{number}. {step}" for number, step in enumerate(self.steps, start=1)]
        lines += [
            f"more in {name}: sspinn open {shlex.quote(str(self.folder / name))}" for name in self.inside
        ]
        if self.versions:
            ours, opensim = (self.versions.get(name) for name in ("sspinn_opensim", "opensim"))
            lines.append(f"written by sspinn_opensim {ours} with OpenSim {opensim}")
        return "\n".join([*lines, *map(str, self.findings), *filter(None, [self.read])])


def open(folder: str | Path, *, check: bool = False) -> OpenedFolder:
    """Say the steps in OpenSim's GUI for what a folder holds, and what changed or is missing.

    Parameters
    ----------
    folder : str or Path
        A results folder, or any folder with files for OpenSim.
    check : bool
        Also let OpenSim read every table and load every set-up.

    Raises
    ------
    InputError
        There is no such folder, or nothing in it for OpenSim; the manifest is damaged.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(
            "This is a file." if folder.exists() else "There is no such folder.",
            where=str(folder),
            expected="a folder",
            fix=f"sspinn open {shlex.quote(str(folder.parent))}" if folder.exists() else "check the path",
        )
    files, inside = opensim_files(folder), _results_inside(folder)
    steps, manifest = gui_steps(files), read_manifest(folder)
    if not steps and not inside:
        raise InputError(
            "The folder holds nothing for OpenSim.",
            where=str(folder),
            expected="a model (.osim), a motion (.mot, .sto) or a set-up (.xml)",
            found="\n".join(finding.text for finding in _unfinished(folder)),
            fix="give the --out folder of an earlier command",
        )
    title = manifest.get("title", folder.absolute().name)
    log.info(title, extra={"heading": True})
    findings = (
        *_unfinished(folder),
        *_changes(compare_with_manifest(folder)),
        *_defects(files),
        *_not_yet(folder, manifest),
    )
    read = ""
    if check:
        setups = [setup.path for setup in files.setups]
        tables = files.motions + files.ground_forces + files.tables
        check_files([*setups, *(folder / name for name in tables)])
        read = f"OpenSim reads all {len(tables)} tables and loads all {len(setups)} set-ups"
    return OpenedFolder(
        folder, title, tuple(steps), tuple(inside), findings, manifest.get("versions", {}), read
    )


def _unfinished(folder: Path) -> Iterator[Finding]:
    """Say who is at work in the folder, or what a command that was killed has left."""
    if owner := owner_of(folder):
        yield Finding(Severity.NOTE, f"at work here: {owner}")
    elif left := [path.relative_to(folder).as_posix() for path in drafts(folder)]:
        yield Finding(
            Severity.NOTE, f"left by a command that was killed, removed by the next one: {_listed(left)}"
        )


def _changes(found: FolderChanges | None) -> Iterator[Finding]:
    if found is None:
        yield Finding(Severity.NOTE, "no hashes were recorded for this folder, so changes cannot be seen")
        return
    if not found.changed and not found.missing:
        yield Finding(Severity.OK, f"all {len(found.same)} files are as they were written")
    for severity, what, names in (
        (Severity.FAULT, "changed since it was written", found.changed),
        (Severity.FAULT, "missing", found.missing),
        (Severity.NOTE, "not written by sspinn, or before it kept hashes", found.added),
        (Severity.NOTE, "an input has changed since", found.inputs_changed),
        (Severity.NOTE, "an input is no longer there", found.inputs_missing),
    ):
        if names:
            yield Finding(severity, f"{what}: {_listed(names)}")


def _defects(files: OpenSimFiles) -> Iterator[Finding]:
    for text in files.unreadable:
        yield Finding(Severity.FAULT, f"cannot be read: {text}")
    for text in files.unread_models:  # OpenSim itself may read what is another version here
        yield Finding(Severity.NOTE, f"a model cannot be read, and its motions are not told apart: {text}")
    for setup in files.setups:
        for text in setup.missing():
            yield Finding(Severity.FAULT, f"{setup.path.name}: {text}")


def _not_yet(folder: Path, manifest: dict) -> Iterator[Finding]:
    """Give the stages of a study that have not run yet, with what they write."""
    for stage in _STAGES if "study" in manifest else ():
        names = [file.label for file in FILES if file.verbs.split()[0] == stage and not file.when]
        if not any((folder / name).exists() or name in manifest.get("files", {}) for name in names):
            yield Finding(Severity.NOT_YET, f"{_listed(names)} (sspinn {stage})")


def _results_inside(folder: Path, of_a_part: bool = False, deep: int = 0) -> list[str]:
    """Return folders inside, and inside those, that hold something for the GUI and are no part of another."""
    found = []
    for path in _folders(folder) if deep < _DEEPEST else ():
        part = of_a_part or path.name in _PARTS
        itself = not part or ResultsFolder(path).manifest.is_file()
        here = [path.name] if itself and gui_steps(opensim_files(path)) else []
        found += here or [f"{path.name}/{name}" for name in _results_inside(path, part, deep + 1)]
    return found


def _folders(folder: Path) -> list[Path]:
    """Return the folders in a folder that can be looked into; a link could lead out of it, or back."""
    inside = (path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())
    inside = (path for path in inside if os.access(path, os.R_OK | os.X_OK))
    return sorted(path for path in inside if not path.name.startswith("."))


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
