"""The set-up file of static optimization, read back as OpenSim will read it, and cut into slices of time."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

from casadi_dynamics.errors import InputError
from sspinn_opensim.dynamics.trial import filter_margin_s
from sspinn_opensim.files import write_atomically
from sspinn_opensim.opensim_io.documents import child_text, read_document, to_xml

#: OpenSim's word for a file that is not given.
UNASSIGNED = "Unassigned"


@dataclasses.dataclass(frozen=True)
class Setup:
    """What a set-up file says; paths are absolute.

    ``external_loads`` is None where the file says that there are none; ``states`` is empty unless the motion
    is to come from a file of states.
    """

    file: Path
    model: Path
    kinematics: Path
    external_loads: Path | None
    actuators: tuple[Path, ...]
    replaces_forces: bool
    states: str
    raw_folder: Path
    tool_name: str
    from_s: float
    to_s: float
    lowpass_hz: float
    muscle_physiology: bool

    @property
    def margin_s(self) -> float:
        """Time the filter needs on either side of the window, s."""
        return filter_margin_s(self.lowpass_hz)


def read_setup(file: Path) -> Setup:
    """Read back a set-up file, also one edited in OpenSim's GUI.

    Raises
    ------
    InputError
        It is missing, is no AnalyzeTool set-up with static optimization, or leaves out what that needs.
    """
    file = Path(file)
    tool = read_document(file, "AnalyzeTool")

    def text(tag: str) -> str:
        found = child_text(tool, tag)
        if not found:
            raise InputError(f"the set-up has no <{tag}>", where=str(file), fix="prepare the set-up again")
        return found

    def number(tag: str) -> float:
        try:
            return float(text(tag))
        except ValueError:
            raise InputError(f"<{tag}> is no number", where=str(file), found=text(tag)) from None

    analysis = tool.find("AnalysisSet/objects/StaticOptimization")
    if analysis is None or child_text(analysis, "on") == "false":
        raise InputError(
            "the set-up does no static optimization", where=str(file), fix="prepare the set-up again"
        )
    loads = text("external_loads_file")
    states = child_text(tool, "states_file")
    return Setup(
        file=file.absolute(),
        model=file.parent / text("model_file"),
        kinematics=file.parent / text("coordinates_file"),
        external_loads=None if loads == UNASSIGNED else file.parent / loads,
        actuators=tuple(file.parent / name for name in child_text(tool, "force_set_files").split()),
        replaces_forces=child_text(tool, "replace_force_set") == "true",
        states="" if states == UNASSIGNED else states,
        raw_folder=file.parent / text("results_directory"),
        tool_name=tool.get("name", ""),
        from_s=number("initial_time"),
        to_s=number("final_time"),
        lowpass_hz=number("lowpass_cutoff_frequency_for_coordinates"),
        muscle_physiology=child_text(analysis, "use_muscle_physiology") != "false",
    )


def write_slice(
    setup: Setup, file: Path, folder: Path, from_s: float, to_s: float, looser: float = 1.0
) -> Path:
    """Write a set-up like another one, for a part of its time, that may stand in any folder of its own.

    Parameters
    ----------
    file : Path
        Destination.
    folder : Path
        For OpenSim's results.
    from_s, to_s : float
        s.
    looser : float
        Factor on the criterion at which the optimizer stops.

    Returns
    -------
    Path
        `file`.
    """
    tool = read_document(setup.file, "AnalyzeTool")
    # A list of files is split at blanks, so these must stand beside the set-up under plain names.
    copies = [f"actuators_{k}.xml" for k in range(len(setup.actuators))]
    for source, copy in zip(setup.actuators, copies, strict=True):
        shutil.copyfile(source, file.parent / copy)
    for tag, value in {
        "model_file": setup.model,
        "coordinates_file": setup.kinematics,
        "external_loads_file": setup.external_loads or UNASSIGNED,
        "force_set_files": " ".join(copies),
        "results_directory": folder,
        "initial_time": repr(float(from_s)),
        "final_time": repr(float(to_s)),
    }.items():
        tool.find(tag).text = str(value.absolute()) if isinstance(value, Path) else value
    criterion = tool.find("AnalysisSet/objects/StaticOptimization/optimizer_convergence_criterion")
    if criterion is not None:
        criterion.text = repr(looser * float(criterion.text))
    return write_atomically(file, to_xml(tool.getparent()))
