"""Frames of an `.osim` file: a socket's path resolved to a body with an offset."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError, nearest
from casadi_dynamics.model import Frame
from casadi_dynamics.model.types import GROUND, Matrix3, Vector3
from casadi_dynamics.osim.support import IGNORED, advice
from casadi_dynamics.osim.xml import child_value, children, locate, numbers, refuse, unique_names

_IDENTITY: Matrix3 = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def rotation_from_xyz(angles) -> np.ndarray:
    """Return Rx(a) Ry(b) Rz(c), OpenSim's body-fixed orientation angles (rad), as (3, 3)."""
    (ca, cb, cc), (sa, sb, sc) = np.cos(angles), np.sin(angles)
    rx = np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]])
    ry = np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
    rz = np.array([[cc, -sc, 0], [sc, cc, 0], [0, 0, 1]])
    return rx @ ry @ rz


class FrameTable:
    """The frames of a model by name.

    Parameters
    ----------
    path : Path
        For messages.
    model : lxml element
        The `<Model>`.

    Attributes
    ----------
    on_bodies : dict of str to Frame
        Offset frames that bodies (or ground) carry as components.
    ignored : list of str
        Their other components, each with the reason why inverse dynamics does not need it.
    """

    def __init__(self, path: Path, model) -> None:
        self._path = path
        bodies = children(model.find("BodySet"), "objects")
        self._bodies = {GROUND, *(body.get("name") for body in bodies)}
        self.on_bodies: dict[str, Frame] = {}
        self.ignored: list[str] = []
        carried = [(owner, self._carried(owner)) for owner in [*model.findall("Ground"), *bodies]]
        # A socket is resolved by the last name of its path, so that name must say which frame is meant.
        unique_names(path, [*bodies, *(frame for _, frames in carried for frame in frames)], "body or frame")
        for owner, elements in carried:
            self.on_bodies.update(self.local_frames(elements, owner=owner.get("name")))

    def local_frames(self, elements, owner: str | None = None) -> dict[str, Frame]:
        """Return offset frames by name; a parent `..` is the `owner`, others may be any known frame."""
        unique_names(self._path, elements, "frame")
        pending, known = {e.get("name"): e for e in elements}, {}
        while pending:
            ready = [n for n, e in pending.items() if _frame_name(self._parent_path(e, owner)) not in pending]
            if not ready:
                name, element = next(iter(pending.items()))
                raise InputError(
                    f"The offset frame '{name}' hangs on itself.",
                    where=locate(self._path, element),
                    fix="correct its <socket_parent>",
                )
            for name in ready:
                element = pending.pop(name)
                parent = self.resolve(element, self._parent_path(element, owner), known)
                known[name] = self._offset(parent, element)
        return known

    def resolve(self, item, socket: str, local: dict[str, Frame] | None = None) -> Frame:
        """Return the frame that the path `socket` of element `item` ends in."""
        name = socket.rstrip("/").rsplit("/", 1)[-1]
        if local and _frame_name(socket) in local:
            return local[name]
        if name in self._bodies:
            return Frame(name, (0.0, 0.0, 0.0), _IDENTITY)
        if name in self.on_bodies:
            return self.on_bodies[name]
        known = [*self._bodies, *self.on_bodies, *(local or {})]
        raise InputError(
            f"{item.tag} '{item.get('name')}' is attached to '{name}', which the model does not have.",
            where=locate(self._path, item),
            expected="a body, ground or an offset frame of this model",
            found=socket,
            fix=nearest(name, known) or "correct the socket in the model file",
        )

    def place(self, frame: Frame, point: Vector3) -> Vector3:
        """Return a point of `frame` in the axes of its body."""
        moved = np.array(frame.translation) + np.array(frame.rotation) @ np.array(point)
        return tuple(float(x) for x in moved)

    def turn(self, frame: Frame, angles: Vector3, axis: int) -> Vector3:
        """Return one axis of a frame turned by `angles` (body-fixed XYZ, rad) in `frame`, in body axes."""
        turned = np.array(frame.rotation) @ rotation_from_xyz(angles)
        return tuple(float(x) for x in turned[:, axis])

    def _carried(self, owner) -> list:
        """Return the offset frames among an owner's components; refuse what could exert a force or move."""
        frames = []
        for item in children(owner, "components"):
            if item.tag == "PhysicalOffsetFrame":
                frames.append(item)
            elif item.tag in IGNORED:
                self.ignored.append(f"{item.tag} '{item.get('name')}': {IGNORED[item.tag]}")
            else:
                raise refuse(self._path, item, advice(item.tag))
        return frames

    def _parent_path(self, element, owner: str | None) -> str:
        path = child_value(self._path, element, "socket_parent")
        return f"/bodyset/{owner}" if path.rstrip("/").endswith("..") and owner else path

    def _offset(self, parent: Frame, element) -> Frame:
        translation = numbers(self._path, element, "translation", 3, default=(0.0, 0.0, 0.0))
        angles = numbers(self._path, element, "orientation", 3, default=(0.0, 0.0, 0.0))
        rotation = np.array(parent.rotation) @ rotation_from_xyz(angles)
        rows = tuple(tuple(float(x) for x in row) for row in rotation)
        return Frame(parent.body, self.place(parent, translation), rows)


def _frame_name(socket: str) -> str:
    """Return the last name of a path, or nothing if the path says that it is a body's."""
    *above, name = socket.strip("/").split("/")
    return "" if above[-1:] == ["bodyset"] else name
