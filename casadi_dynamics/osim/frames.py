"""Frames of an `.osim` file: a socket's path resolved to a body with an offset."""

from __future__ import annotations

from collections.abc import Iterable
from posixpath import normpath
from typing import Any

import numpy as np

from casadi_dynamics.errors import nearest
from casadi_dynamics.model import Frame
from casadi_dynamics.model.types import GROUND, Matrix3, Vector3
from casadi_dynamics.osim.components import Component
from casadi_dynamics.osim.xml import Element

IDENTITY: Matrix3 = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def rotation_from_xyz(angles) -> np.ndarray:
    """Return Rx(a) Ry(b) Rz(c), OpenSim's body-fixed orientation angles (rad), as (3, 3)."""
    (ca, cb, cc), (sa, sb, sc) = np.cos(angles), np.sin(angles)
    rx = np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]])
    ry = np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
    rz = np.array([[cc, -sc, 0], [sc, cc, 0], [0, 0, 1]])
    return rx @ ry @ rz


class FrameTable:
    """The bodies and offset frames of a model by address, each as an offset from its body.

    Parameters
    ----------
    components : iterable of Component
        Those of the model; bodies and frames are used.
    """

    def __init__(self, components: Iterable[Component]) -> None:
        components = list(components)
        origin = (0.0, 0.0, 0.0)
        self._frames = {f"/{GROUND}": Frame(GROUND, origin, IDENTITY)}
        self._frames |= {c.address: Frame(c.name, origin, IDENTITY) for c in components if c.kind == "body"}
        self._hang_up([c for c in components if c.kind == "frame"])

    def resolve(self, item: Element, socket: str) -> Frame:
        """Return the frame at the path `socket` of element `item`, as OpenSim finds it: by the whole path."""
        address = absolute(item, socket)
        if address in self._frames:
            return self._frames[address]
        known = {known.rsplit("/", 1)[-1]: known for known in self._frames}
        name = address.rsplit("/", 1)[-1]
        fix = f"did you mean '{known[name]}'?" if name in known else nearest(name, known)
        raise item.error(
            f"{item} is attached to '{name}', which the model does not have there.",
            expected="the path of a body, ground or an offset frame of this model",
            found=socket,
            fix=fix or "correct the socket in the model file",
        )

    def at(self, address: str) -> Frame:
        """Return the frame at an absolute address."""
        return self._frames[address]

    def place(self, frame: Frame, point: Vector3) -> Vector3:
        """Return a point of `frame` in the axes of its body."""
        moved = np.array(frame.translation) + np.array(frame.rotation) @ np.array(point)
        return tuple(float(x) for x in moved)

    def turn(self, frame: Frame, angles: Vector3, axis: int) -> Vector3:
        """Return one axis of a frame turned by `angles` (body-fixed XYZ, rad) in `frame`, in body axes."""
        turned = np.array(frame.rotation) @ rotation_from_xyz(angles)
        return tuple(float(x) for x in turned[:, axis])

    def _hang_up(self, components: list[Component]) -> None:
        """Resolve the offset frames, each after the frame it hangs on."""
        pending: dict[str, Any] = {c.address: c.element for c in components}
        hanging_on: dict[str, list[str]] = {}
        ready = []
        for address, element in pending.items():
            parent = absolute(element, element.text("socket_parent"))
            (hanging_on.setdefault(parent, []) if parent in pending else ready).append(address)
        while ready:
            address = ready.pop()
            element = pending.pop(address)
            parent = self.resolve(element, element.text("socket_parent"))
            self._frames[address] = self._offset(parent, element)
            ready += hanging_on.get(address, [])
        if pending:
            element = next(iter(pending.values()))
            raise element.error(
                f"The offset frame '{element.label}' hangs on itself.",
                fix="correct its <socket_parent>",
            )

    def _offset(self, parent: Frame, element: Element) -> Frame:
        translation = element.numbers("translation", 3, default=(0.0, 0.0, 0.0))
        angles = element.numbers("orientation", 3, default=(0.0, 0.0, 0.0))
        rotation = np.array(parent.rotation) @ rotation_from_xyz(angles)
        rows = tuple(tuple(float(x) for x in row) for row in rotation)
        return Frame(parent.body, self.place(parent, translation), rows)


def absolute(item: Element, socket: str) -> str:
    """Return the absolute path that `socket` of element `item` means."""
    path = socket if socket.startswith("/") else f"{item.address}/{socket}"
    return normpath("/" + path.lstrip("/"))
