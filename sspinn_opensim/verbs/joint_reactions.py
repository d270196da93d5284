"""`sspinn joint-reactions`: joint contact forces from the muscle forces of a trial."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from casadi_dynamics.errors import InputError
from sspinn_opensim.files import write_atomically, write_json
from sspinn_opensim.opensim_io.tables.storage import read_storage, write_storage
from sspinn_opensim.opensim_io.tools import inverse_dynamics
from sspinn_opensim.opensim_io.tools import joint_reactions as tool
from sspinn_opensim.opensim_io.tools.joint_reactions import Choices, Reactions, Sources
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.record import recorded
from sspinn_opensim.verbs.trial_of_folder import AnalysedPart, Laboratory, prepared, title_of

log = logging.getLogger(__name__)


def joint_reactions(
    folder: Path,
    laboratory: Laboratory | None = None,
    *,
    part: AnalysedPart | None = None,
    choices: Choices | None = None,
) -> Reactions:
    """Run OpenSim's joint reactions on muscle forces.

    Writes `joint_reactions.sto`, `joint_reactions.json`, the table of actuator forces and the set-up.

    Parameters
    ----------
    folder : Path
        Results with muscle forces of OpenSim's static optimization, or where the laboratory's files go.
    laboratory : Laboratory, optional
        With its own muscle forces.
    part : AnalysedPart, optional
        With the laboratory's files: what its muscle forces were computed with.

    Raises
    ------
    InputError
        There are no muscle forces, they belong to other files, or the tool did not deliver.
    """
    log.info("joint reactions", extra={"heading": True})
    choices = choices or Choices()
    with recorded(folder, "joint-reactions", title=title_of(laboratory), laboratory=laboratory, part=part):
        sources = (
            _sources(folder, laboratory, part or AnalysedPart())
            if laboratory is not None
            else tool.sources_of(folder)
        )
        trial = tool.prepare(folder, sources, choices)
        seen, _ = inverse_dynamics.checked(folder, trial)
        result = tool.run(folder, trial, seen)
        summary = {
            "window_s": [trial.from_s, trial.to_s],
            "lowpass_hz": trial.lowpass_hz,
            "on": choices.on,
            "expressed_in": choices.expressed_in,
            "warnings": list(result.warnings),
            "joints": result.joints,
        }
        write_json(ResultsFolder(folder).joint_reactions_peaks, summary)
    return result


def _sources(folder: Path, laboratory: Laboratory, part: AnalysedPart) -> Sources:
    if laboratory.forces is None:
        raise InputError(
            "joint reactions need muscle forces",
            where=str(laboratory.motion),
            expected="--forces FILE, of static optimization",
            fix="run sspinn muscles on these files, then sspinn joint-reactions on its folder",
        )
    trial = prepared(folder, laboratory, part)
    forces = replace(read_storage(laboratory.forces), in_degrees=False)
    write_storage(ResultsFolder(folder).given_forces, forces)
    pattern = ResultsFolder.given_actuators.name
    names = [pattern.replace("*", str(k)) for k in range(len(laboratory.actuators))]
    for file, name in zip(laboratory.actuators, names, strict=True):
        write_atomically(folder / name, file.read_bytes())
    return Sources(trial, tuple(names), ResultsFolder.given_forces.name)
