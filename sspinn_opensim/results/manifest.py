"""``manifest.json`` of a results folder, read, and held against the files that are there now."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from sspinn_opensim import __version__
from sspinn_opensim.files import read_json, sha256, walk
from sspinn_opensim.results.folder import ResultsFolder

_FILE = {"sha256": str, "bytes": int}
_SHAPE = {
    "title?": str,
    "versions?": {str: str},
    "settings?": {str: {str: object}},
    "inputs?": {str: _FILE | {"path": str}},
    "files?": {str: _FILE | {"verb": str}},
    "study?": {str: object},
    "stages?": {str: {"settings": {str: object}, "inputs": {str: str}, "files": {str: str}}},
    "notes?": {str: [str]},
}
_PACKAGES = ("opensim", "casadi", "torch", "numpy", "scipy", "llvmlite")


@dataclasses.dataclass(frozen=True)
class FolderChanges:
    """A folder beside its manifest; names are relative to the folder.

    Parameters
    ----------
    same, changed, missing : tuple of str
        Files that are as they were written, differ, or are gone.
    added : tuple of str
        Files that no verb has recorded.
    inputs_changed, inputs_missing : tuple of str
        Inputs that differ from those used, or are no longer at the same place relative to the folder.
    """

    same: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    inputs_changed: tuple[str, ...] = ()
    inputs_missing: tuple[str, ...] = ()


def versions() -> dict[str, str]:
    """Return the versions of this project, Python and the libraries that results depend on."""
    found = {name: metadata.version(name) for name in _PACKAGES}
    return {"sspinn_opensim": __version__, "python": sys.version.split()[0], **found}


def read_manifest(folder: Path) -> dict:
    """Return the manifest of a folder; empty where there is none.

    Raises
    ------
    InputError
        It is damaged.
    """
    path = ResultsFolder(Path(folder)).manifest
    if not path.exists():
        return {}
    return read_json(path, _SHAPE, "run the last verb again, which writes it anew")


def compare_with_manifest(folder: Path) -> FolderChanges | None:
    """Compare every file with its hash; None where no hashes were recorded."""
    folder = Path(folder)
    manifest = read_manifest(folder)
    if "files" not in manifest:
        return None
    there = set(stamps(folder))
    groups: dict[str, list[str]] = {field.name: [] for field in dataclasses.fields(FolderChanges)}
    for name, entry in sorted(manifest["files"].items()):
        state = "missing" if name not in there else _state(folder / name, entry)
        groups[state].append(name)
    groups["added"] = sorted(there - set(manifest["files"]))
    for role, entry in sorted(manifest.get("inputs", {}).items()):
        path = folder / entry["path"]
        if "/" not in entry["path"]:  # told by its name alone, or moved into the folder
            continue
        state = _state(path, entry) if path.is_file() else "missing"
        if state != "same":
            groups[f"inputs_{state}"].append(f"{role} ({entry['path']})")
    return FolderChanges(**{name: tuple(values) for name, values in groups.items()})


def stamps(folder: Path) -> dict[str, tuple]:
    """Return what identifies the present version of each file of a folder, by its name relative to it.

    Hidden files, the manifest, and folders with a manifest of their own are left out.
    """
    stamps = {}
    for place, folders, files in walk(folder):  # also while another verb makes and removes folders
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and not ResultsFolder(Path(place, name)).manifest.is_file()
        ]
        for path in (Path(place, name) for name in files if not name.startswith(".")):
            name = path.relative_to(folder).as_posix()
            if name != ResultsFolder.manifest.name and path.is_file():
                with contextlib.suppress(FileNotFoundError):
                    status = path.stat()
                    stamps[name] = status.st_ino, status.st_size, status.st_mtime_ns
    return stamps


def _state(path: Path, entry: Mapping) -> str:
    """Compare a file with its entry; one of another size needs no hash, and may be endless."""
    if path.stat().st_size != entry["bytes"]:
        return "changed"
    return "same" if same(entry_of(path), entry) else "changed"


def same(entry: Mapping, known: Mapping | None) -> bool:
    """Return whether two entries of a file, one of which may be missing, are of the same content."""
    return known is not None and entry["sha256"] == known.get("sha256")


def entry_of(path: Path) -> dict:
    """Return what a manifest says of a file: hash and size."""
    return {"sha256": sha256(path), "bytes": path.stat().st_size}
