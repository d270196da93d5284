"""Steps in OpenSim's GUI with the files of a folder, in order, and its README.txt.

Files are told by what they hold, not by their names, so that laboratory folders get their steps too. A tool
of the GUI works on the current model, whatever its set-up names: the model is opened first.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from casadi_dynamics.errors import InputError
from sspinn_opensim.opensim_io.model.model_file import (
    active_ground_forces,
    coordinate_facts,
    read_model_tree,
)
from sspinn_opensim.opensim_io.tables.storage import storage_labels
from sspinn_opensim.opensim_io.tables.tool_files import SetupFile, read_setup_file
from sspinn_opensim.results.folder import FILES, ResultsFolder
from sspinn_opensim.text import printable

#: Menu entry by what a set-up holds; an AnalyzeTool goes by its analysis.
_MENU = {
    "StaticOptimization": "Static Optimization",
    "InverseDynamicsTool": "Inverse Dynamics",
    "InverseKinematicsTool": "Inverse Kinematics",
    "ScaleTool": "Scale Model",
    "AnalyzeTool": "Analyze",
}
#: What each is run for, in the order of a workflow.
_PURPOSE = {
    "ScaleTool": "the scaling",
    "InverseKinematicsTool": "the inverse kinematics",
    "InverseDynamicsTool": "the joint moments",
    "StaticOptimization": "the muscle forces",
    "JointReaction": "the joint reactions",
}
#: Name of a column of ground forces.
GROUND_COLUMN = re.compile(r".*(force|torque|moment).*[xyz]")


@dataclasses.dataclass(frozen=True)
class OpenSimFiles:
    """The files of a folder by what the GUI does with them; names are relative to it.

    Models on which the ground acts by itself, through contact or forces that they were saved with, are among
    `models` and in `in_contact`.
    """

    models: tuple[str, ...] = ()
    in_contact: tuple[str, ...] = ()
    motions: tuple[str, ...] = ()
    ground_forces: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    setups: tuple[SetupFile, ...] = ()
    unreadable: tuple[str, ...] = ()
    unread_models: tuple[str, ...] = ()


def opensim_files(folder: Path) -> OpenSimFiles:
    """Return what a folder holds for OpenSim, files in folders inside it left out."""
    folder = Path(folder)
    found: dict[str, list] = {field.name: [] for field in dataclasses.fields(OpenSimFiles)}
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    found["models"] = [path.name for path in files if path.suffix == ".osim"]
    coordinates = set()
    for name in found["models"]:
        try:
            tree = read_model_tree(folder / name)
            coordinates |= {fact.name for fact in coordinate_facts(tree)}
            found["in_contact"] += [name] if active_ground_forces(tree) else []
        except InputError as error:
            found["unread_models"].append(f"{name}: {error.what}")
    for path in files:
        try:
            if path.suffix == ".xml":
                if (setup := read_setup_file(path)) is not None:
                    found["setups"].append(setup)
            elif path.suffix in (".mot", ".sto"):
                found[_kind(path, storage_labels(path), coordinates)].append(path.name)
        except InputError as error:
            found["unreadable"].append(f"{path.name}: {error.what}")
    return OpenSimFiles(**{name: tuple(values) for name, values in found.items()})


def gui_steps(files: OpenSimFiles) -> list[str]:
    """Return the steps, one sentence each, for exactly what a folder holds."""
    steps, shown = [], _shown_model(files)
    if shown:
        steps.append(f"File > Open Model: {shown}")
    for motion in files.motions:
        steps.append(f"File > Load Motion: {motion}")
    for ground in files.ground_forces:
        steps.append(
            "To see the ground forces: right-click the motion in the Navigator > Associate Motion Data: "
            + ground
        )
    if files.ground_forces and shown in files.in_contact:
        steps.append(_once(shown, [name for name in files.models if name not in files.in_contact]))
    current, opened = shown, {shown, ""}
    for setup in sorted((setup for setup in files.setups if _menu(setup)), key=_order):
        model = "".join(setup.reads.get("model_file", ())[:1])
        steps.append(_tool_step(setup, _open_first(model, current, opened)))
        current = model or current
        opened.add(current)
    if files.tables:
        steps.append(f"Tools > Plot > Y-Quantity > Load File: {', '.join(files.tables)}")
    return steps


def _shown_model(files: OpenSimFiles) -> str:
    """Return the model that motions are looked at with: the subject's, else one that no set-up claims."""
    if ResultsFolder.subject.name in files.models:
        return ResultsFolder.subject.name
    claimed = {name for setup in files.setups for name in setup.reads.get("model_file", ())}
    free = [name for name in files.models if name not in claimed]
    return (free or list(files.models) or [""])[0]


def _once(shown: str, without: Sequence[str]) -> str:
    """Return how tools that are given the ground forces find the ground once."""
    way = (
        f"File > Open Model: {without[0]}, in which it is off"
        if without
        else "sspinn inverse-dynamics writes a model in which it is off, and a set-up"
    )
    return (
        "Any tool with the ground forces as external loads, such as Inverse Dynamics: "
        f"not with {shown}, whose own contact would act besides them and count the ground twice; {way}"
    )


def _open_first(model: str, current: str, opened: Collection[str]) -> str:
    """Return what makes a model the current one, with a semicolon behind; empty where it is."""
    if model in ("", current):
        return ""
    if model in opened:
        return f"right-click {model} in the Navigator > Make Current; "
    return f"File > Open Model: {model}, which becomes the current model; "


def _tool_step(setup: SetupFile, first: str) -> str:
    purpose = _PURPOSE.get(_kind_of_setup(setup), "the analysis")
    written = [name for names in setup.writes.values() for name in names if name not in ("", ".", "./")]
    result = f"; it writes {', '.join(written)}" if written else ""
    return f"To repeat {purpose}: {first}Tools > {_menu(setup)} > Load: {setup.path.name}, then Run{result}"


def _order(setup: SetupFile) -> tuple[int, str]:
    """Return the place of a set-up in a workflow: each needs what those before it write."""
    kinds = list(_PURPOSE)
    kind = _kind_of_setup(setup)
    return kinds.index(kind) if kind in kinds else len(kinds), setup.path.name


def _kind_of_setup(setup: SetupFile) -> str:
    known = [analysis for analysis in setup.analyses if analysis in _PURPOSE]
    return known[0] if known else setup.tool


def _menu(setup: SetupFile) -> str:
    return _MENU.get(_kind_of_setup(setup)) or _MENU.get(setup.tool, "")


def _kind(path: Path, labels: Sequence[str], coordinates: set[str]) -> str:
    plain = {label.split("/")[-2] if label.endswith("/value") else label for label in labels}
    if plain & coordinates and not path.stem.endswith("_sd"):
        return "motions"
    if labels and all(GROUND_COLUMN.fullmatch(label) for label in labels) and not path.stem.endswith("_sd"):
        return "ground_forces"
    return "tables"


def readme(title: str, folder: Path) -> str:
    """Return the text for what a results folder holds now: the steps in OpenSim's GUI, and its files."""
    numbered = enumerate(gui_steps(opensim_files(folder)), start=1)
    steps = "\n".join(f"  {number}. {step}" for number, step in numbered)
    there = [*ResultsFolder(folder).files(), ResultsFolder.manifest, ResultsFolder.readme]
    there = [file for file in FILES if file in there]
    width = max(len(file.label) for file in there) + 2
    listed = "\n".join(f"  {file.label:{width}}{file.says}" for file in there)
    return printable(
        f"{title}\n\n"
        f"In the OpenSim GUI\n{steps or '  nothing to open yet'}\n\n"
        f"Files\n{listed}\n\n"
        "The folder can be moved: no file in it holds an absolute path.\n"
        "`sspinn open FOLDER` prints these steps and says which files have changed since they were written.\n"
    )
