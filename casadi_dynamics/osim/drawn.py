"""Shapes that a model file hangs on its bodies for the eye: files of meshes, balls, bricks, cylinders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Frame
from casadi_dynamics.model.types import Vector3
from casadi_dynamics.osim.components import collect
from casadi_dynamics.osim.document import read_document
from casadi_dynamics.osim.frames import FrameTable
from casadi_dynamics.osim.xml import Element

#: OpenSim's class -> the property that holds its measures, and how many these are.
_MEASURES = {
    "Sphere": (("radius", 1),),
    "Ellipsoid": (("radii", 3),),
    "Brick": (("half_lengths", 3),),
    "Cylinder": (("radius", 1), ("half_height", 1)),
}


@dataclass(frozen=True)
class DrawnShape:
    """A shape as the file states it.

    Attributes
    ----------
    kind : str
        'Mesh', 'Sphere', 'Ellipsoid', 'Brick' or 'Cylinder' (about the y axis), OpenSim's classes.
    frame : Frame
        Where it hangs on its body.
    scale : tuple of 3 floats
        Factors along the axes of the frame.
    file : str
        Of a mesh, as the model file names it.
    measures : tuple of float
        m: radius; three radii; three half lengths; radius and half height.
    """

    kind: str
    frame: Frame
    scale: Vector3
    file: str = ""
    measures: tuple[float, ...] = ()


def read_drawn_shapes(path: Path) -> tuple[tuple[DrawnShape, ...], tuple[str, ...]]:
    """Return the visible shapes of a model file that `read_model` reads, and what cannot be drawn, in words.

    Raises
    ------
    InputError
        If the file is not an OpenSim model of a version that is read directly.
    """
    components, _ = collect(read_document(Path(path)))
    frames = FrameTable(components)
    shapes, notes = [], []
    for component in components:
        if component.kind not in ("body", "frame"):
            continue
        for item in component.element.children("attached_geometry"):
            if item.tag not in ("Mesh", *_MEASURES):
                continue
            try:
                if _visible(item):
                    shapes.append(_shape(item, frames.at(component.address), frames))
            except InputError as error:
                notes.append(error.what)
    return tuple(shapes), tuple(notes)


def _visible(item: Element) -> bool:
    for look in item.children("Appearance"):
        text = (look.node.text or "").strip()
        if (look.tag == "visible" and text.lower() == "false") or (
            look.tag == "opacity" and text in ("0", "0.0")
        ):
            return False
    return True


def _shape(item: Element, own: Frame, frames: FrameTable) -> DrawnShape:
    socket = item.text("socket_frame", "..")
    frame = own if socket == ".." else frames.resolve(item, socket)
    scale = item.numbers("scale_factors", 3, default=(1.0, 1.0, 1.0))
    if item.tag == "Mesh":
        return DrawnShape("Mesh", frame, scale, file=item.text("mesh_file"))
    measures = tuple(x for tag, size in _MEASURES[item.tag] for x in item.numbers(tag, size))
    return DrawnShape(item.tag, frame, scale, measures=measures)
