"""IMU frames in a model file: a `PhysicalOffsetFrame` on a body for every sensor."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from casadi_dynamics.errors import InputError, nearest
from sspinn_opensim.opensim_io.documents import child_text
from sspinn_opensim.opensim_io.model.model_file import read_model_tree, write_model_tree


@dataclass(frozen=True)
class FramePlace:
    """A frame to write.

    Attributes
    ----------
    position : tuple of 3 floats
        m, in body axes.
    orientation : tuple of 3 floats
        Body-fixed XYZ angles of its axes in the body, rad.
    """

    name: str
    body: str
    position: tuple[float, float, float]
    orientation: tuple[float, float, float]


def frame_names(sensors: Sequence[str]) -> tuple[str, ...]:
    """Return a name `<sensor>_imu` for the frame of each sensor that may stand in OpenSim's paths."""
    names: list[str] = []
    for sensor in sensors:
        name = base = re.sub(r"[\s*+/\\]", "_", sensor)
        number = 1
        while f"{name}_imu" in names:
            number += 1
            name = f"{base}_{number}"
        names.append(f"{name}_imu")
    return tuple(names)


def write_imu_frames(model: Path, output: Path, frames: Sequence[FramePlace]) -> Path:
    """Write a copy of a model with frames on its bodies; frames of the same names are replaced.

    Returns
    -------
    Path
        `output`.

    Raises
    ------
    InputError
        If the model has no such body, or something is attached to a frame that would have to leave its body.
    """
    tree = read_model_tree(model)
    bodies = {body.get("name"): body for body in tree.iter("Body")}
    for frame in frames:
        if frame.body not in bodies:
            raise InputError(
                f"The model has no body named '{frame.body}'.",
                where=str(model),
                expected=f"one of {', '.join(bodies)}",
                found=frame.body,
                fix=nearest(frame.body, bodies) or "name a body of this model",
            )
        element = _taken_over(tree, bodies, frame, model)
        _set(element, "socket_parent", "..")
        _set(element, "translation", _numbers(frame.position))
        _set(element, "orientation", _numbers(frame.orientation))
    return write_model_tree(output, tree)


def _taken_over(tree: etree._ElementTree, bodies: dict, frame: FramePlace, model: Path) -> etree._Element:
    """Return the frame's element on its body: the one that is there, or a new one."""
    for name, body in bodies.items():
        for element in body.iterfind("components/PhysicalOffsetFrame"):
            if element.get("name") != frame.name:
                continue
            if name == frame.body and child_text(element, "socket_parent") == "..":
                return element
            _refuse_if_used(tree, frame, name, model)
            element.getparent().remove(element)
    body = bodies[frame.body]
    components = body.find("components")
    if components is None:
        components = etree.Element("components")
        body.insert(0, components)
    return etree.SubElement(components, "PhysicalOffsetFrame", name=frame.name)


def _refuse_if_used(tree: etree._ElementTree, frame: FramePlace, body: str, model: Path) -> None:
    for other in tree.iter():
        socket = isinstance(other.tag, str) and other.tag.startswith("socket_")
        if socket and (other.text or "").strip().rstrip("/").endswith(f"{body}/{frame.name}"):
            raise InputError(
                f"The frame '{frame.name}' would move from '{body}' to '{frame.body}', but is in use.",
                where=str(model),
                found=f"{other.tag} of {other.getparent().get('name')}",
                fix="give the sensor another name in the study",
            )


def _set(element: etree._Element, tag: str, text: str) -> None:
    child = element.find(tag)
    if child is None:
        child = etree.SubElement(element, tag)
    child.text = text


def _numbers(values: Iterable[float]) -> str:
    return " ".join(repr(float(value)) for value in values)
