"""``manifest.json`` of a results folder: versions, settings, and a hash of every input and output."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from casadi_dynamics.errors import InputError
from sspinn_opensim import __version__
from sspinn_opensim.files import locked, sha256, write_atomically
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.gui_steps import readme

_FORMAT = 1
_PACKAGES = ("opensim", "casadi", "torch", "numpy", "scipy", "llvmlite")


@dataclasses.dataclass(frozen=True)
class Comparison:
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


@contextlib.contextmanager
def recorded(
    folder: Path,
    verb: str,
    title: str,
    *,
    inputs: Mapping[str, Path] | None = None,
    settings: Mapping | None = None,
) -> Iterator[None]:
    """Record what a verb does to a results folder; when the block ends, write README.txt and the manifest.

    Only files that the block wrote get a new hash: what was changed by hand before stays known as changed.
    After an error, files already written are recorded too.

    Parameters
    ----------
    folder : Path
        Made by the block if it is not there.
    verb : str
        Verb of ``sspinn``.
    title : str
        First line of README.txt.
    inputs : mapping, optional
        Files the results come from, by what they are.
    settings : mapping, optional
        JSON values that stand in the manifest beside the rest, such as ``study``.
    """
    folder = Path(folder)
    before = _stamps(folder)
    try:
        yield
    except BaseException:
        if _stamps(folder) != before:
            with contextlib.suppress(InputError, OSError):
                _record(folder, verb, title, before, inputs or {}, settings or {})
        raise
    _record(folder, verb, title, before, inputs or {}, settings or {})


def read_manifest(folder: Path) -> dict:
    """Return the manifest of a folder; empty where there is none.

    Raises
    ------
    InputError
        It is damaged.
    """
    path = ResultsFolder(Path(folder)).manifest
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("no JSON object")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        fix = "run the last verb again, which writes it anew"
        raise InputError("cannot read the manifest", where=str(path), found=str(error), fix=fix) from error
    return found


def compare_with_manifest(folder: Path) -> Comparison | None:
    """Compare every file with its hash; None where no hashes were recorded.

    Raises
    ------
    InputError
        The manifest is damaged.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    if "files" not in manifest:
        return None
    there = set(_stamps(folder))
    groups: dict[str, list[str]] = {field.name: [] for field in dataclasses.fields(Comparison)}
    for name, entry in sorted(manifest["files"].items()):
        state = "missing" if name not in there else _state(folder / name, entry)
        groups[state].append(name)
    groups["added"] = sorted(there - set(manifest["files"]))
    for role, entry in sorted(manifest.get("inputs", {}).items()):
        path = folder / entry["path"]
        state = _state(path, entry) if path.is_file() else "missing"
        if state != "same":
            groups[f"inputs_{state}"].append(f"{role} ({entry['path']})")
    return Comparison(**{name: tuple(values) for name, values in groups.items()})


def _record(folder: Path, verb: str, title: str, before: dict, inputs: Mapping, settings: Mapping) -> None:
    if folder.is_dir():
        with locked(folder):  # another verb may end at the same time
            _record_alone(folder, verb, title, before, inputs, settings)


def _record_alone(
    folder: Path, verb: str, title: str, before: dict, inputs: Mapping, settings: Mapping
) -> None:
    try:
        manifest = read_manifest(folder)
    except InputError:  # damaged: every file counts as of unknown origin, and is hashed as it is now
        manifest = {}
    known = manifest.get("files", {})
    file, text = ResultsFolder(folder).readme, readme(title, folder).encode()
    if not file.is_file() or file.read_bytes() != text:
        write_atomically(file, text)
    files = {}
    for name, stamp in _stamps(folder).items():
        if name in known and before.get(name) == stamp:
            files[name] = known[name]
        elif before.get(name) != stamp:
            with contextlib.suppress(FileNotFoundError):  # gone again: another verb is at work
                entry = _entry(folder / name)
                files[name] = known[name] if _same(entry, known.get(name)) else entry | {"verb": verb}
    # What lay there unrecorded before is not this project's; what was deleted by hand stays known as missing.
    files |= {name: entry for name, entry in known.items() if name not in files and name not in before}
    given = {role: {"path": _relative(path, folder)} | _entry(path) for role, path in inputs.items()}
    manifest |= {
        "format": _FORMAT,
        "title": title,
        "versions": versions(),
        **settings,
        "inputs": dict(sorted((manifest.get("inputs", {}) | given).items())),
        "files": dict(sorted(files.items())),
    }
    write_atomically(ResultsFolder(folder).manifest, json.dumps(manifest, indent=1) + "\n")


def _stamps(folder: Path) -> dict[str, tuple]:
    """Return what identifies the present version of each file, hidden ones and the manifest left out."""
    stamps = {}
    for place, folders, files in os.walk(folder):  # also while another verb makes and removes folders
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(place, name) for name in files if not name.startswith(".")):
            name = path.relative_to(folder).as_posix()
            if name != ResultsFolder.manifest.name and path.is_file():
                with contextlib.suppress(FileNotFoundError):
                    status = path.stat()
                    stamps[name] = status.st_ino, status.st_size, status.st_mtime_ns
    return stamps


def _state(path: Path, entry: Mapping) -> str:
    return "same" if _same(_entry(path), entry) else "changed"


def _same(entry: Mapping, known: Mapping | None) -> bool:
    return known is not None and entry["sha256"] == known.get("sha256")


def _entry(path: Path) -> dict:
    return {"sha256": sha256(path), "bytes": path.stat().st_size}


def _relative(path: Path, folder: Path) -> str:
    """Return the way from the folder to an input, so that both can move together."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive on Windows
        return Path(path).name
