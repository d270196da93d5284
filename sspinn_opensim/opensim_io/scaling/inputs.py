"""Files and times of a scaling from markers: the user's or the set-up's."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from casadi_dynamics.errors import InputError, nearest
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.opensim_process.temporary import temporary_folder
from sspinn_opensim.files import write_atomically
from sspinn_opensim.opensim_io.documents import child_text, read_root, to_xml
from sspinn_opensim.opensim_io.scaling.choices import ScalingChoice
from sspinn_opensim.opensim_io.scaling.finish import TIMEOUT_S
from sspinn_opensim.opensim_io.scaling.setup import ScaleSetup, read_setup
from sspinn_opensim.opensim_io.worker.scaling import upgrade_scale_setup


def open_setup(path: Path) -> ScaleSetup:
    """Read a set-up of ScaleTool of any version."""
    path = Path(path)
    if not path.is_file():
        raise InputError("the set-up of ScaleTool is not there", where=str(path))
    with temporary_folder("scale_setup") as folder:
        whole, current = Path(folder) / "whole.xml", Path(folder) / "setup.xml"
        root = read_root(path, "the set-up is not a valid XML file")
        if root.tag != "OpenSimDocument" or root.find("ScaleTool") is None:
            found = ", ".join(str(child.tag) for child in root) or root.tag
            raise InputError(
                "not a set-up of OpenSim's ScaleTool", where=str(path), expected="<ScaleTool>", found=found
            )
        write_atomically(whole, to_xml(root))
        arguments = {"setup": whole, "output": current}
        run_job(upgrade_scale_setup, arguments, timeout_s=TIMEOUT_S, outputs=[current])
        return read_setup(current, path)


def take_marker_set(
    setup: ScaleSetup | None, choice: ScalingChoice, work: Path, bodies: Collection[str]
) -> Path | None:
    """Copy the marker set to the folder ScaleTool reads from, if there is one."""
    file = choice.markers or (setup.file("marker_set_file", "GenericModelMaker") if setup else None)
    if file is None:
        return None
    require(file, "marker set", "--markers, or markers in the study")
    root = read_root(file, "the marker set is not a valid XML file")
    markers = root.findall("MarkerSet/objects/Marker")
    if not markers:
        raise InputError("not a marker set", where=str(file), expected="<MarkerSet> with markers")
    for marker in markers:
        # A path to a body, or to a frame on one; before OpenSim 4 the name of a body.
        *folders, name = (child_text(marker, "socket_parent_frame") or child_text(marker, "body")).split("/")
        if name not in (*bodies, "ground") and folders[-1:] in ([], ["bodyset"]):
            raise InputError(
                f"marker '{marker.get('name')}' is on a body that the model does not have",
                where=str(file),
                expected=f"one of {', '.join(bodies)}",
                found=name,
                fix=nearest(name, list(bodies)) or "take the marker set that goes with this model",
            )
    return write_atomically(work / "markers.xml", to_xml(root))


def trial_files(setup: ScaleSetup | None, choice: ScalingChoice) -> tuple[Path, Path]:
    """Return the trials for scaling and for placing markers, mostly one."""
    named = [
        setup.file("marker_file", section) if setup else None for section in ("ModelScaler", "MarkerPlacer")
    ]
    scaling, placing = (choice.static or file for file in named)
    scaling, placing = scaling or placing, placing or scaling
    if scaling is None or placing is None:
        raise InputError(
            "no static marker trial is named",
            where=setup.where if setup else "",
            fix="name it: static in the study, --static on the command line",
        )
    for file in dict.fromkeys((scaling, placing)):
        require(file, "static marker trial", "--static, or static in the study")
    return scaling, placing


def require(file: Path, what: str, option: str) -> None:
    """Refuse a file that is not there."""
    if not file.is_file():
        raise InputError(f"the {what} is not there", where=str(file), fix=f"name another one with {option}")


def time_range(setup: ScaleSetup, section: str, choice: ScalingChoice) -> tuple[float | None, float | None]:
    """Return the part of a trial that ``ModelScaler`` or ``MarkerPlacer`` uses, s; None for an open end."""
    if choice.from_s is not None or choice.to_s is not None:
        return choice.from_s, choice.to_s
    return setup.time_range(section)
