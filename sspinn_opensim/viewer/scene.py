"""A scene: what of a body is to be drawn, as plain data; `sspinn_opensim.viewer` says what a page gets."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from casadi_dynamics.model import ContactSphere, ImuFrame, Model
from casadi_dynamics.model.muscles import Muscle, PathPoint
from casadi_dynamics.model.types import GROUND
from casadi_dynamics.symbolic import posture
from casadi_dynamics.symbolic.paths import points_of_way
from casadi_dynamics.symbolic.posture import Posture
from sspinn_opensim.anatomy import side_of
from sspinn_opensim.viewer.bones import Bones
from sspinn_opensim.viewer.links import Link, Station, body_links

FORMAT = 1
_GRAVITY_M_S2 = 9.80665


@dataclass(frozen=True, eq=False)
class Scene:
    """What is drawn of a model, and how its frames are laid out.

    Attributes
    ----------
    bodies : tuple of str
        In the order of the frames.
    root : str
        The body that the camera follows.
    box : (2, 3) ndarray
        Corners of the person in the upright posture, in ground, m.
    floor_m : float
        Height of the floor.
    weight_n : float
        Of the person.
    links : tuple of Link
        Rods of all bodies; those of bodies with bones are not drawn in space.
    bones : Bones
        And what of them is not drawn.
    forces : tuple of str
        Names of the forces on the body.
    muscles : tuple of Muscle
        In the order of the frames.
    """

    name: str
    bodies: tuple[str, ...]
    root: str
    box: np.ndarray
    floor_m: float
    weight_n: float
    links: tuple[Link, ...]
    bones: Bones = field(default_factory=Bones)
    spheres: tuple[ContactSphere, ...] = ()
    sensors: tuple[ImuFrame, ...] = ()
    forces: tuple[str, ...] = ()
    muscles: tuple[Muscle, ...] = ()

    @cached_property
    def moving_muscles(self) -> tuple[str, ...]:
        """Muscles some of whose points are not fixed to a body, or not always on their path.

        So are those that run around surfaces.
        """
        return tuple(
            muscle.name
            for muscle in self.muscles
            if muscle.path.wraps or not all(isinstance(p, PathPoint) for p in muscle.path.points)
        )

    @property
    def path_points(self) -> int:
        """Points of the paths of these."""
        moving = set(self.moving_muscles)
        return sum(points_of_way(muscle.path) for muscle in self.muscles if muscle.name in moving)

    @property
    def frame_floats(self) -> int:
        """Numbers of a frame."""
        return 7 * len(self.bodies) + 6 * len(self.forces) + len(self.muscles) + 3 * self.path_points

    def to_json(self) -> dict[str, Any]:
        """Return the scene as JSON values; `sspinn_opensim.viewer` has the table of its keys."""
        return {
            "format": FORMAT,
            "name": self.name,
            "bodies": list(self.bodies),
            "root": self._number(self.root),
            "box": _rounded(self.box),
            "floor_m": self.floor_m,
            "weight_n": self.weight_n,
            "links": [self._link(link) for link in self.links if link.body not in self._with_bones],
            "bones": [
                {
                    "body": self._number(bone.body),
                    "side": side_of(bone.body),
                    "points": _base64(bone.mesh.points, "<f4"),
                    "triangles": _base64(bone.mesh.triangles, "<u4"),
                }
                for bone in self.bones.bones
            ],
            "spheres": [
                {
                    "body": self._number(sphere.body),
                    "center": _rounded(sphere.location),
                    "radius": sphere.radius,
                    "side": side_of(sphere.body),
                }
                for sphere in self.spheres
            ],
            "sensors": [
                {
                    "name": sensor.name,
                    "body": self._number(sensor.body),
                    "position": _rounded(sensor.position),
                    "rotation": _rounded(Rotation.from_matrix(np.array(sensor.rotation)).as_quat()),
                }
                for sensor in self.sensors
            ],
            "forces": list(self.forces),
            "muscles": self._muscles(),
            "path_points": self.path_points,
            "frame_floats": self.frame_floats,
        }

    def place(self, frame: np.ndarray, body: str, location: Sequence[float]) -> np.ndarray:
        """Return where a point of a body is in a frame, (3,), in ground."""
        if body == GROUND:
            return np.asarray(location, float)
        moved = frame[7 * self._number(body) :][:7].astype(float)
        return moved[:3] + Rotation.from_quat(moved[3:]).apply(location)

    @cached_property
    def _with_bones(self) -> set[str]:
        return {bone.body for bone in self.bones.bones}

    def _number(self, body: str) -> int:
        return -1 if body == GROUND else self.bodies.index(body)

    def _station(self, body: str, location: Sequence[float]) -> list:
        return [self._number(body), *_rounded(location)]

    def _link(self, link: Link) -> dict[str, Any]:
        ends = {"from": link.start, "to": link.end}
        drawn: dict[str, Any] = {key: self._station(end.body, end.location) for key, end in ends.items()}
        return drawn | {"side": side_of(link.body)}

    def _muscles(self) -> list[dict[str, Any]]:
        moving, made, next_point = set(self.moving_muscles), [], 0
        for muscle in self.muscles:
            points = muscle.path.points
            if muscle.name in moving:
                way: list = list(range(next_point, next_point + points_of_way(muscle.path)))
                next_point += len(way)
            else:
                way = [self._station(p.body, p.location) for p in points if isinstance(p, PathPoint)]
            made.append({"name": muscle.name, "points": way})
        return made


def make_scene(
    model: Model,
    *,
    bones: Bones | None = None,
    sensors: Sequence[ImuFrame] = (),
    forces: Sequence[str] = (),
    muscles: Sequence[str] = (),
) -> Scene:
    """Return the scene of a model.

    Parameters
    ----------
    model : Model
        The body.
    bones : Bones, optional
        From `sspinn_opensim.viewer.bones.read_bones` of its file; a body without any is drawn as rods.
    sensors : sequence of ImuFrame
        What is worn, and where.
    forces : sequence of str
        Names of the forces that frames hold, such as feet.
    muscles : sequence of str
        Muscles to draw, in this order.

    Raises
    ------
    KeyError
        The model has no such muscle.
    """
    bones = bones or Bones()
    known_muscles = {muscle.name: muscle for muscle in model.muscles}
    known = {body.name for body in model.bodies}
    kept = Bones(tuple(bone for bone in bones.bones if bone.body in known), bones.notes)
    links = body_links(model)
    standing = posture(model)
    floors = [plane.location[1] for plane in model.half_spaces if plane.body == GROUND]
    return Scene(
        model.name,
        tuple(body.name for body in model.bodies),
        next(joint.child.body for joint in model.joints if joint.parent.body == GROUND),
        _box(standing, links, kept),
        floors[0] if floors else 0.0,
        model.total_mass * _GRAVITY_M_S2,
        links,
        kept,
        model.contact_spheres,
        tuple(sensors),
        tuple(forces),
        tuple(known_muscles[name] for name in muscles),
    )


def _box(standing: Posture, links: Sequence[Link], bones: Bones) -> np.ndarray:
    def placed(end: Station) -> np.ndarray:
        return standing.in_ground(end.body, end.location)

    points = [placed(end) for link in links for end in (link.start, link.end)]
    for bone in bones.bones:
        turned = bone.mesh.points @ standing.rotation[bone.body].T + standing.position[bone.body]
        points += [turned.min(axis=0), turned.max(axis=0)]
    if not points:
        points = list(standing.position.values())
    return np.array([np.min(points, axis=0), np.max(points, axis=0)])


def _rounded(values: ArrayLike) -> list:
    return np.round(np.asarray(values, float), 6).tolist()


def _base64(values: np.ndarray, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, kind).tobytes()).decode()
