"""`sspinn inverse-dynamics` and `sspinn joint-reactions`: OpenSim's tools on the files of a folder."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from casadi_dynamics.errors import InputError
from sspinn_opensim.dynamics import moment_table
from sspinn_opensim.dynamics.moment_comparison import compared
from sspinn_opensim.files import write_atomically
from sspinn_opensim.opensim_io.static_optimization.setup import Settings
from sspinn_opensim.opensim_io.static_optimization.setup_file import SETUP_FILE, read_setup
from sspinn_opensim.opensim_io.static_optimization.trial_files import KINEMATICS, LOADS, MODEL, bring_in
from sspinn_opensim.opensim_io.tables.storage import read_storage, write_storage
from sspinn_opensim.opensim_io.tools import inverse_dynamics as inverse_dynamics_tool
from sspinn_opensim.opensim_io.tools import joint_reactions
from sspinn_opensim.opensim_io.tools.joint_reactions import Choices, Reactions, Sources
from sspinn_opensim.opensim_io.tools.setups import Trial
from sspinn_opensim.results.manifest import read_manifest, recorded
from sspinn_opensim.verbs.console import say

#: Names under which a laboratory's own static optimization is kept.
_FORCES, _ACTUATORS = "given_forces.sto", "given_actuators_{}.xml"
_USUAL_LOWPASS_HZ = 6.0


@dataclass(frozen=True)
class Laboratory:
    """Files of a laboratory that are to be analysed in a folder of their own.

    Parameters
    ----------
    model, motion : Path
    external_loads : Path, optional
    unit : {'degrees', 'radians'}, optional
        Of the motion, where its header does not say.
    forces : Path, optional
        Forces of a static optimization of its own, of all muscles and actuators.
    actuators : tuple of Path
        Force sets with the reserve and residual actuators of that optimization.
    """

    model: Path
    motion: Path
    external_loads: Path | None = None
    unit: str | None = None
    forces: Path | None = None
    actuators: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Part:
    """The part of a motion to analyse, and the filter.

    Parameters
    ----------
    from_s, to_s : float, optional
        s; by default as far as motion and loads go, less the margin of the filter.
    lowpass_hz : float, optional
        Of OpenSim's filter on the coordinates, Hz; 0 filters nothing. By default that of the muscle forces in
        the folder, else 6 Hz.
    """

    from_s: float | None = None
    to_s: float | None = None
    lowpass_hz: float | None = None


def inverse_dynamics(
    folder: Path,
    laboratory: Laboratory | None = None,
    *,
    part: Part | None = None,
    moments: Path | None = None,
    height_m: float | None = None,
) -> tuple[moment_table.Row, ...]:
    """Run OpenSim's inverse dynamics in a folder and compare it, coordinate by coordinate.

    It is compared with the folder's `moments.sto` or another table of moments, if there is one, and with the
    inverse dynamics of the converted model on the same filtered motion. Writes `inverse_dynamics.sto`,
    `inverse_dynamics.json` and the set-up.

    Parameters
    ----------
    folder : Path
        Results, or where those of the laboratory's files go.
    laboratory : Laboratory, optional
    part : Part, optional
    moments : Path, optional
        Table with columns ``<coordinate>_moment`` or ``_force``.
    height_m : float, optional
        For moments in percent of body weight times height; by default from `scaling.json`.

    Raises
    ------
    InputError
        An input cannot be used, or the tool did not deliver.
    """
    say("inverse dynamics", heading=True)
    with _recorded(folder, "inverse-dynamics", laboratory):
        trial = _prepared(folder, laboratory, part or Part())
        result = inverse_dynamics_tool.run(folder, trial)
        height_m = height_m or _height_m(folder)
        table, names, notes = compared(folder, result, moments, height_m)
        summary = {
            "window_s": [trial.from_s, trial.to_s],
            "lowpass_hz": trial.lowpass_hz,
            "frames": len(result.moments.time_s),
            "body_weight_n": result.survey.body_weight_n,
            "height_m": height_m,
            "warnings": [*result.warnings, *notes],
            "coordinates": {row.coordinate: asdict(row) for row in table},
        }
        write_atomically(folder / "inverse_dynamics.json", json.dumps(summary, indent=1) + "\n")
    say(
        f"{summary['frames']} frames from {trial.from_s:.3f} to {trial.to_s:.3f} s, "
        + (f"filtered at {trial.lowpass_hz:g} Hz" if trial.lowpass_hz > 0 else "unfiltered")
    )
    say(moment_table.as_text(table, names))
    for warning in summary["warnings"]:
        say(f"warning: {warning}")
    say("wrote inverse_dynamics.sto, inverse_dynamics.json and inverse_dynamics_setup.xml for the GUI")
    return table


def joint_reaction_forces(
    folder: Path,
    laboratory: Laboratory | None = None,
    *,
    part: Part | None = None,
    choices: Choices | None = None,
) -> Reactions:
    """Run OpenSim's joint reactions on muscle forces; print the peaks.

    Writes `joint_reactions.sto`, `joint_reactions.json`, the table of actuator forces and the set-up.

    Parameters
    ----------
    folder : Path
        Results with muscle forces of OpenSim's static optimization, or where the laboratory's files go.
    laboratory : Laboratory, optional
        With its own muscle forces.
    part : Part, optional
        With the laboratory's files: what its muscle forces were computed with.
    choices : Choices, optional

    Raises
    ------
    InputError
        There are no muscle forces, they belong to other files, or the tool did not deliver.
    """
    say("joint reactions", heading=True)
    choices = choices or Choices()
    with _recorded(folder, "joint-reactions", laboratory):
        sources = (
            _sources(folder, laboratory, part or Part())
            if laboratory is not None
            else joint_reactions.sources_of(folder)
        )
        trial = joint_reactions.prepare(folder, sources, choices)
        result = joint_reactions.run(folder, trial, inverse_dynamics_tool.evaluate(folder, trial))
        summary = {
            "window_s": [trial.from_s, trial.to_s],
            "lowpass_hz": trial.lowpass_hz,
            "on": choices.on,
            "expressed_in": choices.expressed_in,
            "warnings": list(result.warnings),
            "joints": result.joints,
        }
        write_atomically(folder / "joint_reactions.json", json.dumps(summary, indent=1) + "\n")
    width = max(map(len, result.joints)) + 2
    say(f"{'':{width}}{'peak force':>12}{'':>10}{'at':>10}{'peak moment':>14}")
    for joint, peak in result.joints.items():
        say(
            f"{joint:{width}}{peak['peak_force_n']:10.0f} N{peak['peak_force_bw']:7.2f} BW"
            f"{peak['peak_time_s']:8.3f} s{peak['peak_moment_nm']:10.1f} N m  "
            f"on {peak['on']}, in {peak['in']}"
        )
    for warning in result.warnings:
        say(f"warning: {warning}")
    say("wrote joint_reactions.sto, joint_reactions.json and joint_reactions_setup.xml for the GUI")
    return result


def _recorded(folder: Path, verb: str, laboratory: Laboratory | None):
    inputs = {}
    if laboratory is not None:
        given = {"model": laboratory.model, "motion": laboratory.motion}
        given |= {"external loads": laboratory.external_loads, "muscle forces": laboratory.forces}
        inputs = {role: path for role, path in given.items() if path is not None and path.is_file()}
    title = laboratory.motion.stem if laboratory else read_manifest(folder).get("title", folder.name)
    return recorded(folder, verb, title, inputs=inputs)


def _prepared(folder: Path, laboratory: Laboratory | None, part: Part) -> Trial:
    part = _completed(folder, part)
    window = _gathered(folder, laboratory, part) if laboratory else _window(folder, part)
    loads = LOADS if (folder / LOADS).is_file() else ""
    return inverse_dynamics_tool.prepare(
        folder, external_loads=loads, window=window, lowpass_hz=part.lowpass_hz
    )


def _sources(folder: Path, laboratory: Laboratory, part: Part) -> Sources:
    if laboratory.forces is None:
        raise InputError(
            "joint reactions need muscle forces",
            where=str(laboratory.motion),
            expected="--forces FILE, of static optimization",
            fix="run sspinn muscles on these files, then sspinn joint-reactions on its folder",
        )
    trial = _prepared(folder, laboratory, part)
    write_storage(folder / _FORCES, replace(read_storage(laboratory.forces), in_degrees=False))
    names = [_ACTUATORS.format(k) for k in range(len(laboratory.actuators))]
    for file, name in zip(laboratory.actuators, names, strict=True):
        shutil.copyfile(file, folder / name)
    return Sources(trial, tuple(names), _FORCES)


def _gathered(folder: Path, laboratory: Laboratory, part: Part) -> tuple[float, float]:
    """Bring the laboratory's files into the folder; return what is to be analysed."""
    if (folder / "training").exists():
        raise InputError(
            "the folder holds an estimate, whose files would be replaced",
            where=str(folder),
            fix="choose another --out",
        )
    folder.mkdir(parents=True, exist_ok=True)
    trial = bring_in(
        laboratory.model,
        laboratory.motion,
        laboratory.external_loads,
        folder,
        settings=Settings(lowpass_hz=part.lowpass_hz),
        from_s=part.from_s,
        to_s=part.to_s,
        unit=laboratory.unit,
        needs_muscles=False,
    )
    for note in trial.notes:
        say(f"note: {note}")
    return trial.window


def _completed(folder: Path, part: Part) -> Part:
    if part.lowpass_hz is not None:
        return part
    known = (
        read_setup(folder / SETUP_FILE).lowpass_hz if (folder / SETUP_FILE).is_file() else _USUAL_LOWPASS_HZ
    )
    return Part(part.from_s, part.to_s, max(known, 0.0))


def _window(folder: Path, part: Part) -> tuple[float, float] | None:
    for name in (MODEL, KINEMATICS):
        if not (folder / name).is_file():
            raise InputError(
                "the folder holds no motion to analyse",
                where=str(folder / name),
                fix="run sspinn estimate first, or give MODEL MOTION --external-loads XML --out FOLDER",
            )
    if part.from_s is None and part.to_s is None:
        return None
    time_s = read_storage(folder / KINEMATICS).time_s
    margin = 0.5 / part.lowpass_hz if part.lowpass_hz else 0.0
    return (
        time_s[0] + margin if part.from_s is None else part.from_s,
        time_s[-1] - margin if part.to_s is None else part.to_s,
    )


def _height_m(folder: Path) -> float | None:
    file = folder / "scaling.json"
    return json.loads(file.read_text(encoding="utf-8")).get("height_m") if file.is_file() else None
