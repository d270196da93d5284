"""Frames of an `.osim` file: a socket's path resolved to a body with an offset."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from posixpath import normpath

import numpy as np

from casadi_dynamics.errors import nearest
from casadi_dynamics.model import Frame
from casadi_dynamics.model.types import GROUND, Matrix3, Vector3
from casadi_dynamics.osim.components import Component
from casadi_dynamics.osim.xml import Element

#: Points of a `StationDefinedFrame`, and its axes by OpenSim's names: column and sign.
_STATIONS = ("point_a", "point_b", "point_c", "origin_point")
_AXES = {f"{sign}{axis}": (i, float(f"{sign}1")) for sign in ("", "+", "-") for i, axis in enumerate("xyz")}

IDENTITY: Matrix3 = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def rotation_from_xyz(angles: Sequence[float] | np.ndarray) -> np.ndarray:
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

    def named(self, item: Element, name: str) -> Frame:
        """Return the frame that OpenSim finds by a path from the model, or a body by its name alone."""
        address = normpath(f"/{name.lstrip('/')}")
        return self.resolve(item, address if address in self._frames or "/" in name else f"/bodyset/{name}")

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
        """Resolve the frames, each after those it hangs on."""
        pending = {c.address: (c.element, _hangs_on(c.element)) for c in components}
        while pending:
            ready = [a for a, (_, needs) in pending.items() if not needs & pending.keys()]
            if not ready:
                element, _ = next(iter(pending.values()))
                raise element.error(
                    f"The offset frame '{element.label}' hangs on itself.",
                    fix="correct its <socket_parent>"
                    if element.has("socket_parent")
                    else "correct its points",
                )
            for address in ready:
                element, _ = pending.pop(address)
                if element.tag == "StationDefinedFrame":
                    self._frames[address] = self._through_stations(element)
                else:
                    parent = self.resolve(element, element.text("socket_parent"))
                    self._frames[address] = self._offset(parent, element)

    def _offset(self, parent: Frame, element: Element) -> Frame:
        translation = element.numbers("translation", 3, default=(0.0, 0.0, 0.0))
        angles = element.numbers("orientation", 3, default=(0.0, 0.0, 0.0))
        rotation = np.array(parent.rotation) @ rotation_from_xyz(angles)
        return Frame(parent.body, self.place(parent, translation), _rows(rotation))

    def _through_stations(self, element: Element) -> Frame:
        """Return OpenSim's frame through points a, b, c of a body: one axis along ab, one along ab x ac."""
        a, b, c, origin = (self._station(element, name) for name in _STATIONS)
        if len({body for body, _ in (a, b, c, origin)}) > 1:
            raise element.refusal("its points are on different bodies; take points of one")
        along, across = (
            element.text(tag, usual) for tag, usual in (("ab_axis", "+x"), ("ab_x_ac_axis", "+y"))
        )
        normal = np.cross(b[1] - a[1], c[1] - a[1])
        if not {along, across} <= _AXES.keys() or along[-1:] == across[-1:] or not normal.any():
            raise element.error(
                f"{element} has no axes.",
                expected="<ab_axis> and <ab_x_ac_axis> +x, -x, +y ... of two letters, points not on one line",
                found=f"{along} and {across}",
                fix="correct its axes or its points in the model file",
            )
        rotation = np.zeros((3, 3))
        for name, way in ((along, b[1] - a[1]), (across, normal)):
            axis, sign = _AXES[name]
            rotation[:, axis] = sign * way / np.linalg.norm(way)
        last = 3 - _AXES[along][0] - _AXES[across][0]
        rotation[:, last] = np.cross(rotation[:, (last + 1) % 3], rotation[:, (last + 2) % 3])
        return Frame(a[0], tuple(float(x) for x in origin[1]), _rows(rotation))

    def _station(self, element: Element, name: str) -> tuple[str, np.ndarray]:
        """Return the body of a station of a frame, and its place in the axes of that body."""
        station = _station_element(element, name)
        frame = self.resolve(station, station.text("socket_parent_frame"))
        return frame.body, np.array(
            self.place(frame, station.numbers("location", 3, default=(0.0, 0.0, 0.0)))
        )


def _hangs_on(element: Element) -> set[str]:
    """Return the addresses of the frames that a frame is given in."""
    if element.tag != "StationDefinedFrame":
        return {absolute(element, element.text("socket_parent"))}
    stations = [_station_element(element, name) for name in _STATIONS]
    return {absolute(station, station.text("socket_parent_frame")) for station in stations}


def _station_element(element: Element, name: str) -> Element:
    socket = element.text(f"socket_{name}")
    address = absolute(element, socket)
    points = (Element(element.path, node) for node in element.node.getroottree().iter("Station", "Marker"))
    found = next((point for point in points if point.address == address), None)
    if found is None:
        raise element.error(
            f"{element} goes through '{socket}', which is no station or marker of the model.",
            expected=f"the path of a Station or Marker in <socket_{name}>",
            found=socket,
            fix=f"correct its <socket_{name}>",
        )
    return found


def _rows(rotation: np.ndarray) -> Matrix3:
    first, second, third = (tuple(float(x) for x in row) for row in rotation)
    return first, second, third


def absolute(item: Element, socket: str) -> str:
    """Return the absolute path that `socket` of element `item` means."""
    path = socket if socket.startswith("/") else f"{item.address}/{socket}"
    return normpath("/" + path.lstrip("/"))
