"""Frames, coordinates and geometry to which forces, muscles and constraints of a file refer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from casadi_dynamics.errors import nearest
from casadi_dynamics.model import ContactSphere, Coordinate, Frame, HalfSpace
from casadi_dynamics.osim.frames import FrameTable, absolute
from casadi_dynamics.osim.xml import Element


@dataclass(frozen=True)
class Context:
    """The parts of a model that were read before what acts on them.

    Attributes
    ----------
    coordinates : mapping of str to Coordinate
        By OpenSim's absolute path, in the order of the model.
    geometry : mapping of str to ContactSphere or HalfSpace
        By OpenSim's absolute path.
    """

    frames: FrameTable
    coordinates: Mapping[str, Coordinate]
    geometry: Mapping[str, ContactSphere | HalfSpace]

    def frame(self, item: Element, socket: str) -> Frame:
        """Return the frame that child element `socket` (such as `socket_frame`) of an element names."""
        return self.frames.resolve(item, item.text(socket))

    def two_frames(self, item: Element) -> tuple[Frame, Frame]:
        """Return the frames that an element between two holds in `socket_frame1` and `socket_frame2`."""
        return self.frame(item, "socket_frame1"), self.frame(item, "socket_frame2")

    def coordinate(self, item: Element, given: str) -> Coordinate:
        """Return the coordinate that an element names, by its own name or by a socket's path."""
        named = [c for c in self.coordinates.values() if c.name == given]
        return named[0] if named else self.lookup(self.coordinates, item, given, "coordinate")

    def lookup(self, known: Mapping, item: Element, socket: str, kind: str) -> Any:
        """Return what is `known` at the path `socket` of an element; `kind` is for messages."""
        address = absolute(item, socket)
        if address in known:
            return known[address]
        raise item.error(
            f"{item} names the {kind} '{socket}', which is not in the model.",
            expected=f"one of {', '.join(known) or 'none'}",
            found=socket,
            fix=nearest(address, known) or "correct the name in the model file",
        )
