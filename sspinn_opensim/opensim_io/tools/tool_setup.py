"""Set-up files of OpenSim's inverse dynamics and joint reactions, with paths relative to their folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from lxml import etree

from sspinn_opensim.dynamics.trial import filter_margin_s
from sspinn_opensim.opensim_io.documents import OPENSIM_DOCUMENT_VERSION, to_xml

TOOL_NAME = "subject"
#: OpenSim's word for a file that is not given.
UNASSIGNED = "Unassigned"


@dataclasses.dataclass(frozen=True)
class ToolInputs:
    """The files a tool reads, named relative to the set-up's folder, and the part of them it analyses.

    Parameters
    ----------
    model, kinematics, external_loads : str
        There are no external loads if the last is empty.
    from_s, to_s : float
        s.
    lowpass_hz : float
        Cut-off of OpenSim's filter on the coordinates, Hz; 0 or less filters nothing.
    """

    model: str
    kinematics: str
    external_loads: str
    from_s: float
    to_s: float
    lowpass_hz: float

    @property
    def margin_s(self) -> float:
        """Time the filter needs on either side of the analysed part, s (half a period of the cut-off)."""
        return filter_margin_s(self.lowpass_hz)


def inverse_dynamics_setup(trial: ToolInputs, output: str) -> bytes:
    """Return the set-up of an InverseDynamicsTool that writes `output` beside itself."""
    document = _document(
        "InverseDynamicsTool",
        (
            ("results_directory", "."),
            ("model_file", trial.model),
            ("time_range", f"{trial.from_s!r} {trial.to_s!r}"),
            ("forces_to_exclude", "Muscles Actuators"),
            ("external_loads_file", trial.external_loads or UNASSIGNED),
            ("coordinates_file", trial.kinematics),
            ("lowpass_cutoff_frequency_for_coordinates", _lowpass(trial)),
            ("output_gen_force_file", output),
        ),
    )
    return to_xml(document)


def joint_reactions_setup(
    trial: ToolInputs,
    *,
    actuators: Sequence[str],
    forces: str,
    joints: Sequence[str],
    on: str,
    expressed_in: str,
    folder: str,
) -> bytes:
    """Return the set-up of an AnalyzeTool with a JointReaction analysis.

    Parameters
    ----------
    actuators : sequence of str
        Files of force sets that are added to the model.
    forces : str
        Table with the force of every actuator.
    on : str
        ``child`` or ``parent``: the body the reaction acts on.
    expressed_in : str
        ``child``, ``parent``, ``ground`` or the name of a body: the axes of the vectors.
    folder : str
        What it writes to.
    """
    document = _document(
        "AnalyzeTool",
        (
            ("model_file", trial.model),
            ("replace_force_set", "false"),
            ("force_set_files", " ".join(actuators)),
            ("results_directory", folder),
            ("output_precision", "12"),
            ("initial_time", repr(trial.from_s)),
            ("final_time", repr(trial.to_s)),
            ("solve_for_equilibrium_for_auxiliary_states", "false"),
            ("external_loads_file", trial.external_loads or UNASSIGNED),
            ("coordinates_file", trial.kinematics),
            ("lowpass_cutoff_frequency_for_coordinates", _lowpass(trial)),
        ),
    )
    analyses = etree.SubElement(document[0], "AnalysisSet", name="Analyses")
    reaction = etree.SubElement(etree.SubElement(analyses, "objects"), "JointReaction", name="JointReaction")
    for tag, text in (
        ("on", "true"),
        ("step_interval", "1"),
        ("in_degrees", "true"),
        ("forces_file", forces),
        ("joint_names", " ".join(joints)),
        ("apply_on_bodies", on),
        ("express_in_frame", expressed_in),
    ):
        etree.SubElement(reaction, tag).text = text
    return to_xml(document)


def _document(tool: str, entries) -> etree._Element:
    document = etree.Element("OpenSimDocument", Version=OPENSIM_DOCUMENT_VERSION)
    element = etree.SubElement(document, tool, name=TOOL_NAME)
    for tag, text in entries:
        etree.SubElement(element, tag).text = text
    return document


def _lowpass(trial: ToolInputs) -> str:
    return repr(float(trial.lowpass_hz)) if trial.lowpass_hz > 0 else "-1.0"
