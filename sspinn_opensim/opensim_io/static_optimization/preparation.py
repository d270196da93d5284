"""Write what OpenSim's static optimization needs beside an estimate, so that the folder can be moved.

Three files: the subject's model with its contact forces switched off, actuators for what muscles do not
carry, and a set-up file whose paths are relative to its own folder.

External loads replace every ground force the model has of its own: its contact, and external or prescribed
forces that were saved with it, stop acting.

Every free coordinate gets one actuator, named for its role. *Residuals* act on the joint with ground,
which no muscle crosses: they balance what kinematics, ground forces and masses leave unexplained.
*Torques* drive joints that no muscle crosses, nor any joint that follows them through couplers. *Reserves*
help muscles out; their optimal force of 1 N m makes them so dear that they act only where muscles cannot.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from lxml import etree

from casadi_dynamics.errors import InputError
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.opensim_process.worker.models import describe_model
from sspinn_opensim.dynamics.trial import USUAL_LOWPASS_HZ, filter_margin_s
from sspinn_opensim.files import write_atomically
from sspinn_opensim.opensim_io.documents import OPENSIM_DOCUMENT_VERSION, child_text, to_xml
from sspinn_opensim.opensim_io.model.model_file import (
    CoordinateFacts,
    check_mass,
    coordinate_facts,
    muscle_names,
    read_model_tree,
    switch_ground_forces_off,
    write_model_tree,
)
from sspinn_opensim.opensim_io.static_optimization.choices import MuscleChoice
from sspinn_opensim.opensim_io.static_optimization.setup_file import (
    UNASSIGNED,
)
from sspinn_opensim.opensim_io.tables.storage import read_storage
from sspinn_opensim.opensim_io.trials.survey import Survey
from sspinn_opensim.results.folder import ResultsFolder

TOOL_NAME = "subject"

RESIDUAL, TORQUE, RESERVE = "residual", "torque", "reserve"
_RESERVE_OPTIMAL_FORCE = 1.0
_TORQUE_OPTIMAL_FORCE = 100.0
# Residual moments are scaled by body weight at a lever of 0.1 m, about the largest that gait analysis meets.
_RESIDUAL_LEVER_M = 0.1
_EDGE_FRAMES = 3


@dataclasses.dataclass(frozen=True)
class Settings(MuscleChoice):
    """All choices of static optimization: those of a study, and the optimizer's.

    Without `physiology` a muscle gives up to its maximal isometric force: in fast push-off, with a rigid
    tendon, fibres seem to shorten at a speed that in life the Achilles tendon has.

    Parameters
    ----------
    activation_exponent : float
        The sum of activations to this power is minimised.
    convergence : float
        Criterion at which the optimizer stops.
    max_iterations : int
        Iterations allowed for each frame.
    """

    lowpass_hz: float = USUAL_LOWPASS_HZ  # pyright: ignore[reportIncompatibleVariableOverride]
    activation_exponent: float = 2.0
    convergence: float = 1e-4
    max_iterations: int = 200

    @property
    def margin_s(self) -> float:
        """Time the filter needs on either side of the analysed window, s (half a period of the cut-off)."""
        return filter_margin_s(self.lowpass_hz)


def settings_of_estimate(choice: MuscleChoice, *, consistent: bool) -> Settings:
    """Return the settings of static optimization on an estimate.

    Parameters
    ----------
    choice : MuscleChoice
        That of the study.
    consistent : bool
        Whether motion and ground forces are made to agree: filtered coordinates would no longer belong to the
        ground forces.
    """
    if choice.lowpass_hz is None:
        choice = dataclasses.replace(choice, lowpass_hz=0.0 if consistent else USUAL_LOWPASS_HZ)
    return Settings(**dataclasses.asdict(choice))


def role(coordinate: CoordinateFacts) -> str:
    """Return the role of a coordinate's actuator."""
    if coordinate.spanned_by_muscle:
        return RESERVE
    return RESIDUAL if coordinate.is_root else TORQUE


def actuator_name(coordinate: CoordinateFacts) -> str:
    """Return the name of the actuator added for a coordinate."""
    return f"{role(coordinate)}_{coordinate.name}"


def prepare(
    results: Path,
    *,
    external_loads: str | None = ResultsFolder.external_loads.name,
    window: tuple[float, float] | None = None,
    settings: Settings | None = None,
    held: Mapping[str, float] | None = None,
    seen: Survey | None = None,
) -> Path:
    """Write model, actuators and set-up file of static optimization into a results folder.

    The outcome of an earlier run is removed: it belonged to another set-up.

    Parameters
    ----------
    results : Path
        The folder, with `subject.osim` and `kinematics.mot`.
    external_loads : str or None
        File in it; None where nothing touches the body (an arm, a flight phase).
    window : (float, float), optional
        From and to, s; by default all of the kinematics less the margin the filter needs.
    settings : Settings, optional
        Choices of the optimization.
    held : mapping of str to float, optional
        Coordinates that the motion keeps at a value because they were not estimated, rad or m. They are
        locked there in the model of the optimization: what holds them is not known, so no muscle is asked for
        it.
    seen : Survey, optional
        Of the motion with this model, if it has been made.

    Returns
    -------
    Path
        The set-up file; it runs from any place, in OpenSim's GUI and command line too.

    Raises
    ------
    InputError
        The model cannot be used or has no muscles in its ForceSet, the motion is too short, or the folder
        cannot be written to. The other inputs are checked when the optimization runs.
    """
    files, settings = ResultsFolder(results), settings or Settings()
    tree = _analysed_model(files.subject, held or {})
    if seen is None:
        described = run_job(describe_model, {"model": files.subject}, timeout_s=120.0).values
        motions = described["motions"]
        body_weight = described["total_mass_kg"] * float(np.linalg.norm(described["gravity"]))
    else:
        motions, body_weight = seen.motions, seen.body_weight_n
    if window is None:
        time_s = read_storage(files.kinematics).time_s
        margin = max(settings.margin_s, _EDGE_FRAMES * (time_s[-1] - time_s[0]) / max(len(time_s) - 1, 1))
        window = (float(time_s[0] + margin), float(time_s[-1] - margin))
    if not window[0] < window[1]:
        raise InputError(
            "no time is left to analyse",
            where=str(files.kinematics),
            expected=f"more than {2 * settings.margin_s:g} s of motion",
            found=f"from {window[0]:g} s to {window[1]:g} s",
            fix="give a longer recording or another window",
        )
    _remove_outcome(files)
    _write_model(files, tree, motions, body_weight)
    setup = _setup(external_loads, window, settings)
    return write_atomically(files.static_optimization_setup, setup)


def write_model(
    model: Path, folder: Path, *, motions: Mapping[str, str], body_weight_n: float, held: Mapping[str, float]
) -> tuple[Path, Path]:
    """Write the model and the actuators of static optimization alone, where no motion is analysed yet.

    Parameters
    ----------
    model : Path
        With muscles in its ForceSet.
    folder : Path
        Where they are written.
    motions : mapping of str to str
        ``rotational`` or ``translational`` for each coordinate.
    held : mapping of str to float
        As in `prepare`.

    Returns
    -------
    model, actuators : Path

    Raises
    ------
    InputError
        As `prepare`.
    """
    files = ResultsFolder(folder)
    _write_model(files, _analysed_model(model, held), motions, body_weight_n)
    return files.static_optimization_model, files.static_optimization_actuators


def _analysed_model(model: Path, held: Mapping[str, float]) -> etree._ElementTree:
    """Return a model that static optimization can use, its held coordinates locked."""
    tree = read_model_tree(model)
    usable_muscles(tree, model)
    check_mass(tree, model)
    lock(tree, held)
    unclamp(tree)
    return tree


def _write_model(
    files: ResultsFolder, tree: etree._ElementTree, motions: Mapping[str, str], body_weight: float
) -> None:
    facts = coordinate_facts(tree)
    switch_ground_forces_off(tree)
    write_model_tree(files.static_optimization_model, tree)
    write_atomically(files.static_optimization_actuators, _actuators(facts, motions, body_weight))


def lock(tree: etree._ElementTree, values: Mapping[str, float]) -> None:
    """Lock coordinates of a model at values, rad or m."""
    for coordinate in tree.iter("Coordinate"):
        if coordinate.get("name") not in values:
            continue
        for tag, text in (("default_value", repr(float(values[coordinate.get("name")]))), ("locked", "true")):
            element = coordinate.find(tag)
            if element is None:
                element = etree.SubElement(coordinate, tag)
            element.text = text


def unclamp(tree: etree._ElementTree) -> None:
    """Let every coordinate of a model leave its range.

    In a model with couplers OpenSim assembles every frame anew and then keeps clamped coordinates inside
    their range without a word: a walk of 27 m stood at 5 m, the ground forces 22 m away from the feet. Ranges
    stay what they are: path points of muscles depend on them.
    """
    for clamped in tree.iterfind("Model/JointSet/objects/*/coordinates/Coordinate/clamped"):
        clamped.text = "false"


def usable_muscles(tree: etree._ElementTree, where: Path) -> tuple[str, ...]:
    """Return the muscles that static optimization uses: all of the model's, or none is used.

    Raises
    ------
    InputError
        Some muscle stands outside the ForceSet, where OpenSim's tools overlook it, or is switched off.
    """
    names = muscle_names(tree)
    pulling = [path.getparent() for path in tree.iter("GeometryPath")]
    muscles = [e for e in pulling if "Muscle" in e.tag and e.get("name") != "default"]
    elsewhere = [e.get("name", "") for e in muscles if e.get("name") not in names]
    if elsewhere:
        raise InputError(
            "muscles stand outside the ForceSet, where static optimization overlooks them",
            where=str(where),
            found=", ".join(elsewhere),
            fix="move them from <ComponentSet> or <components> into <ForceSet><objects>, or delete them",
        )
    off = [e.get("name", "") for e in muscles if child_text(e, "appliesForce") == "false"]
    if off:
        raise InputError(
            "muscles are switched off in the model",
            where=str(where),
            found=", ".join(off),
            fix="set appliesForce to true, or delete them from the model",
        )
    return names


def _remove_outcome(files: ResultsFolder) -> None:
    for file in (files.muscle_forces, files.muscle_activations, files.static_optimization_frames):
        file.unlink(missing_ok=True)
    files.static_optimization_verdict.unlink(missing_ok=True)
    shutil.rmtree(files.static_optimization, ignore_errors=True)


def _actuators(facts: tuple[CoordinateFacts, ...], motions: Mapping[str, str], body_weight: float) -> bytes:
    document = etree.Element("OpenSimDocument", Version=OPENSIM_DOCUMENT_VERSION)
    objects = etree.SubElement(etree.SubElement(document, "ForceSet", name="added_actuators"), "objects")
    for coordinate in facts:
        if not coordinate.is_free:
            continue
        optimal_force = {
            RESERVE: _RESERVE_OPTIMAL_FORCE,
            TORQUE: _TORQUE_OPTIMAL_FORCE,
            RESIDUAL: body_weight * (_RESIDUAL_LEVER_M if motions[coordinate.name] == "rotational" else 1.0),
        }[role(coordinate)]
        actuator = etree.SubElement(objects, "CoordinateActuator", name=actuator_name(coordinate))
        for tag, text in (
            ("min_control", "-Inf"),
            ("max_control", "Inf"),
            ("coordinate", coordinate.name),
            ("optimal_force", repr(optimal_force)),
        ):
            etree.SubElement(actuator, tag).text = text
    return to_xml(document)


def _setup(external_loads: str | None, window: tuple[float, float], settings: Settings) -> bytes:
    document = etree.Element("OpenSimDocument", Version=OPENSIM_DOCUMENT_VERSION)
    tool = etree.SubElement(document, "AnalyzeTool", name=TOOL_NAME)
    lowpass = settings.lowpass_hz if settings.lowpass_hz > 0 else -1.0
    for tag, text in (
        ("model_file", ResultsFolder.static_optimization_model.name),
        ("replace_force_set", "false"),
        ("force_set_files", ResultsFolder.static_optimization_actuators.name),
        ("results_directory", ResultsFolder.static_optimization.name),
        ("output_precision", "12"),
        ("initial_time", repr(float(window[0]))),
        ("final_time", repr(float(window[1]))),
        ("solve_for_equilibrium_for_auxiliary_states", "false"),
        ("external_loads_file", external_loads or UNASSIGNED),
        ("coordinates_file", ResultsFolder.kinematics.name),
        ("lowpass_cutoff_frequency_for_coordinates", repr(float(lowpass))),
    ):
        etree.SubElement(tool, tag).text = text
    analyses = etree.SubElement(etree.SubElement(tool, "AnalysisSet", name="Analyses"), "objects")
    optimization = etree.SubElement(analyses, "StaticOptimization", name="StaticOptimization")
    for tag, text in (
        ("on", "true"),
        ("step_interval", "1"),
        ("in_degrees", "true"),
        ("use_model_force_set", "true"),
        ("activation_exponent", repr(float(settings.activation_exponent))),
        ("use_muscle_physiology", str(settings.physiology).lower()),
        ("optimizer_convergence_criterion", repr(float(settings.convergence))),
        ("optimizer_max_iterations", str(int(settings.max_iterations))),
    ):
        etree.SubElement(optimization, tag).text = text
    return to_xml(document)
