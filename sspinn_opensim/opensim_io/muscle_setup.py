"""Write what OpenSim's static optimization needs beside an estimate, so that the folder can be moved.

Three files: the subject's model with its contact forces switched off, actuators for what muscles do not
carry, and a set-up file whose paths are relative to its own folder.

Every free coordinate gets one actuator, named for its role. *Residuals* act on the joint with ground,
which no muscle crosses: they balance what kinematics, ground forces and masses leave unexplained.
*Torques* drive joints that no muscle crosses. *Reserves* help muscles out; their optimal force of 1 N m
makes them so dear that they act only where muscles cannot.
"""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
from lxml import etree

from casadi_dynamics.errors import InputError
from sspinn_opensim.opensim_io.external_loads import OPENSIM_DOCUMENT_VERSION, read_document, to_xml
from sspinn_opensim.opensim_io.files import write_atomically
from sspinn_opensim.opensim_io.jobs import run_job
from sspinn_opensim.opensim_io.model_file import (
    CoordinateFacts,
    child_text,
    coordinate_facts,
    muscle_names,
    read_model_tree,
    switch_contact_off,
    write_model_tree,
)
from sspinn_opensim.opensim_io.storage import read_storage

SETUP_FILE = "static_optimization_setup.xml"
MODEL_FILE = "subject_static_optimization.osim"
ACTUATORS_FILE = "static_optimization_actuators.xml"
RAW_FOLDER = "static_optimization"
FORCES_FILE = "muscle_forces.sto"
ACTIVATIONS_FILE = "muscle_activations.sto"
VERDICT_FILE = "static_optimization.json"
TOOL_NAME = "subject"

RESIDUAL, TORQUE, RESERVE = "residual", "torque", "reserve"
_RESERVE_OPTIMAL_FORCE = 1.0
_TORQUE_OPTIMAL_FORCE = 100.0
# Residual moments are scaled by body weight at a lever of 0.1 m, about the largest that gait analysis meets.
_RESIDUAL_LEVER_M = 0.1
_EDGE_FRAMES = 3


@dataclasses.dataclass(frozen=True)
class Settings:
    """Choices of static optimization.

    Parameters
    ----------
    lowpass_hz : float
        Cut-off of OpenSim's low-pass filter on the coordinates, Hz; 0 or less filters nothing. 6 Hz is
        the common choice for walking.
    muscle_physiology : bool
        Whether force depends on fibre length and velocity. OpenSim takes the tendon as rigid here, so in fast
        push-off fibres seem to shorten at a speed that in life the Achilles tendon has; without, a muscle
        gives up to its maximal isometric force.
    activation_exponent : float
        The sum of activations to this power is minimised.
    convergence : float
        Criterion at which the optimizer stops.
    max_iterations : int
        Iterations allowed for each frame.
    """

    lowpass_hz: float = 6.0
    muscle_physiology: bool = True
    activation_exponent: float = 2.0
    convergence: float = 1e-4
    max_iterations: int = 200

    @property
    def margin_s(self) -> float:
        """Time the filter needs on either side of the analysed window, s (half a period of the cut-off)."""
        return 0.5 / self.lowpass_hz if self.lowpass_hz > 0 else 0.0


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
    model: str = "subject.osim",
    kinematics: str = "kinematics.mot",
    external_loads: str = "external_loads.xml",
    window: tuple[float, float] | None = None,
    settings: Settings | None = None,
) -> Path:
    """Write model, actuators and set-up file of static optimization into a results folder.

    The outcome of an earlier run is removed: it belonged to another set-up.

    Parameters
    ----------
    results : Path
        The folder; the files named below are in it.
    model, kinematics, external_loads : str
        Files in `results`.
    window : (float, float), optional
        From and to, s; by default all of the kinematics less the margin the filter needs.
    settings : Settings, optional
        Choices of the optimization.

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
    results, settings = Path(results), settings or Settings()
    tree = read_model_tree(results / model)
    muscle_names(tree)
    facts = coordinate_facts(tree)
    described = run_job("describe_model", {"model": results / model}, timeout_s=120.0).values
    body_weight = described["total_mass_kg"] * float(np.linalg.norm(described["gravity"]))
    if window is None:
        time_s = read_storage(results / kinematics).time_s
        margin = max(settings.margin_s, _EDGE_FRAMES * (time_s[-1] - time_s[0]) / max(len(time_s) - 1, 1))
        window = (float(time_s[0] + margin), float(time_s[-1] - margin))
    if not window[0] < window[1]:
        raise InputError(
            "no time is left to analyse",
            where=str(results / kinematics),
            expected=f"more than {2 * settings.margin_s:g} s of motion",
            found=f"from {window[0]:g} s to {window[1]:g} s",
            fix="give a longer recording or another window",
        )
    _remove_outcome(results)
    switch_contact_off(tree)
    write_model_tree(results / MODEL_FILE, tree)
    write_atomically(results / ACTUATORS_FILE, _actuators(facts, described["motions"], body_weight))
    return write_atomically(results / SETUP_FILE, _setup(kinematics, external_loads, window, settings))


@dataclasses.dataclass(frozen=True)
class Setup:
    """What a set-up file says; paths are absolute."""

    file: Path
    model: Path
    kinematics: Path
    external_loads: Path
    raw_folder: Path
    tool_name: str
    from_s: float
    to_s: float
    lowpass_hz: float

    @property
    def margin_s(self) -> float:
        """Time the filter needs on either side of the window, s."""
        return Settings(lowpass_hz=self.lowpass_hz).margin_s


def read_setup(file: Path) -> Setup:
    """Read back a set-up file, also one edited in OpenSim's GUI.

    Raises
    ------
    InputError
        It is missing, is no AnalyzeTool set-up, or leaves out what static optimization needs.
    """
    file = Path(file)
    tool = read_document(file, "AnalyzeTool")

    def text(tag: str) -> str:
        found = child_text(tool, tag)
        if not found:
            raise InputError(f"the set-up has no <{tag}>", where=str(file), fix="prepare the set-up again")
        return found

    return Setup(
        file=file.absolute(),
        model=file.parent / text("model_file"),
        kinematics=file.parent / text("coordinates_file"),
        external_loads=file.parent / text("external_loads_file"),
        raw_folder=file.parent / text("results_directory"),
        tool_name=tool.get("name", ""),
        from_s=float(text("initial_time")),
        to_s=float(text("final_time")),
        lowpass_hz=float(text("lowpass_cutoff_frequency_for_coordinates")),
    )


def _remove_outcome(results: Path) -> None:
    for name in (FORCES_FILE, ACTIVATIONS_FILE, VERDICT_FILE):
        (results / name).unlink(missing_ok=True)
    shutil.rmtree(results / RAW_FOLDER, ignore_errors=True)


def _actuators(facts: tuple[CoordinateFacts, ...], motions: dict[str, str], body_weight: float) -> bytes:
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


def _setup(kinematics: str, external_loads: str, window: tuple[float, float], settings: Settings) -> bytes:
    document = etree.Element("OpenSimDocument", Version=OPENSIM_DOCUMENT_VERSION)
    tool = etree.SubElement(document, "AnalyzeTool", name=TOOL_NAME)
    lowpass = settings.lowpass_hz if settings.lowpass_hz > 0 else -1.0
    for tag, text in (
        ("model_file", MODEL_FILE),
        ("replace_force_set", "false"),
        ("force_set_files", ACTUATORS_FILE),
        ("results_directory", RAW_FOLDER),
        ("output_precision", "12"),
        ("initial_time", repr(float(window[0]))),
        ("final_time", repr(float(window[1]))),
        ("solve_for_equilibrium_for_auxiliary_states", "false"),
        ("external_loads_file", external_loads),
        ("coordinates_file", kinematics),
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
        ("use_muscle_physiology", str(settings.muscle_physiology).lower()),
        ("optimizer_convergence_criterion", repr(float(settings.convergence))),
        ("optimizer_max_iterations", str(int(settings.max_iterations))),
    ):
        etree.SubElement(optimization, tag).text = text
    return to_xml(document)
