"""``sspinn open``: what to do in OpenSim's GUI with a folder, and whether its files are as written."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from casadi_dynamics.errors import InputError
from sspinn_opensim.opensim_io.tables.staging import check_files
from sspinn_opensim.results.contents import FILES
from sspinn_opensim.results.gui_steps import Contents, contents, gui_steps
from sspinn_opensim.results.manifest import Comparison, compare_with_manifest, read_manifest

log = logging.getLogger(__name__)

#: Folders inside a results folder whose files are parts of it.
_OWN = {Path(file.name).name for file in FILES if file.name.endswith("/")}
#: What `sspinn run` does; other verbs are extra.
_STAGES = ("scale", "convert", "train", "estimate", "muscles", "evaluate")
_MOST_NAMES = 12


def open_folder(folder: Path, check: bool = False) -> int:
    """Print the steps in OpenSim's GUI for what a folder holds, and what changed or is missing.

    Parameters
    ----------
    folder : Path
        A results folder, or any folder with files for OpenSim.
    check : bool
        Also let OpenSim read every table and load every set-up.

    Returns
    -------
    int
        0, or 1 where a file changed since it was written, is missing or cannot be used.

    Raises
    ------
    InputError
        There is no such folder, or nothing in it for OpenSim; the manifest is damaged.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError("There is no such folder.", where=str(folder), fix="give a folder of results")
    held, inside = contents(folder), _results_inside(folder)
    steps = gui_steps(held)
    if not steps and not inside:
        raise InputError(
            "The folder holds nothing for OpenSim.",
            where=str(folder),
            expected="a model (.osim), a motion (.mot, .sto) or a set-up (.xml)",
            fix="give the --out folder of an earlier command",
        )
    manifest = read_manifest(folder)
    log.info(manifest.get("title", folder.name), extra={"heading": True})
    for number, step in enumerate(steps, start=1):
        log.info(f"{number}. {step}")
    for name in inside:
        log.info(f"more in {name}: sspinn open {folder / name}")
    if "versions" in manifest:
        found = manifest["versions"]
        log.info(
            f"written by sspinn_opensim {found.get('sspinn_opensim')} with OpenSim {found.get('opensim')}"
        )
    faults = [*_changes(compare_with_manifest(folder)), *_defects(held), *_not_there(folder, manifest)]
    for fault in faults:
        log.info(fault)
    if check:
        files = [setup.path for setup in held.setups]
        tables = held.motions + held.ground_forces + held.tables
        check_files([*files, *(folder / name for name in tables)])
        log.info(f"OpenSim reads all {len(tables)} tables and loads all {len(files)} set-ups")
    return int(any(not fault.startswith(("ok", "not yet", "note")) for fault in faults))


def _changes(found: Comparison | None) -> list[str]:
    if found is None:
        return ["note: no hashes were recorded for this folder, so changes cannot be seen"]
    lines = []
    if not found.changed and not found.missing:
        lines.append(f"ok: all {len(found.same)} files are as they were written")
    for what, names in (
        ("changed since it was written", found.changed),
        ("missing", found.missing),
        ("note: not written by sspinn, or before it kept hashes", found.added),
        ("note: an input has changed since", found.inputs_changed),
        ("note: an input is no longer there", found.inputs_missing),
    ):
        if names:
            lines.append(f"{what}: {_listed(names)}")
    return lines


def _defects(held: Contents) -> list[str]:
    lines = [f"cannot be read: {text}" for text in held.unreadable]
    return lines + [f"{setup.path.name}: {text}" for setup in held.setups for text in setup.missing()]


def _not_there(folder: Path, manifest: dict) -> list[str]:
    """Return the stages of a study that have not run yet, with what they write."""
    lines = []
    for stage in _STAGES if "study" in manifest else ():
        names = [file.name for file in FILES if file.verb == stage]
        if not any((folder / name).exists() or name in manifest.get("files", {}) for name in names):
            lines.append(f"not yet there: {_listed(names)} (sspinn {stage})")
    return lines


def _results_inside(folder: Path) -> list[str]:
    """Return folders inside, and inside those, that hold something for the GUI and are no part of another."""
    found = []
    for path in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        if path.name not in _OWN:
            here = [path.name] if gui_steps(contents(path)) else []
            found += here or [f"{path.name}/{name}" for name in _results_inside(path)]
    return found


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
