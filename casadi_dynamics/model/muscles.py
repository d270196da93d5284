"""Muscles and their paths as plain numbers, named like OpenSim's classes; SI units and radians."""

from __future__ import annotations

from dataclasses import dataclass

from casadi_dynamics.model.functions import Function
from casadi_dynamics.model.types import Frame, Vector3


@dataclass(frozen=True)
class PathPoint:
    """A point that a path always runs through: `location` (m) in the axes of `body`."""

    name: str
    body: str
    location: Vector3


@dataclass(frozen=True)
class ConditionalPathPoint:
    """A point that a path runs through only while `coordinate` is within `range`, ends included.

    Attributes
    ----------
    location : tuple of 3 floats
        m, in body axes.
    range : tuple of 2 floats
        rad or m.
    """

    name: str
    body: str
    location: Vector3
    coordinate: str
    range: tuple[float, float]


@dataclass(frozen=True)
class MovingPathPoint:
    """A point that moves along the axes of `frame`, each by a function of one coordinate.

    Attributes
    ----------
    location : tuple of 3 functions
        m, of the value of the coordinate.
    coordinates : tuple of 3 str or None
        None is a coordinate that is always zero.
    """

    name: str
    frame: Frame
    location: tuple[Function, ...]
    coordinates: tuple[str | None, ...]

    @property
    def body(self) -> str:
        """The body that carries the point."""
        return self.frame.body


Point = PathPoint | ConditionalPathPoint | MovingPathPoint


@dataclass(frozen=True)
class WrapObject:
    """A surface that a path may wrap around.

    Attributes
    ----------
    name, kind : str
        `kind` is OpenSim's class: WrapCylinder (about the z axis of its frame), WrapSphere, WrapEllipsoid or
        WrapTorus (about the z axis).
    frame : Frame
        Of the surface on its body.
    dimensions : tuple of float
        m: radius and length of a cylinder; radius of a sphere; three radii of an ellipsoid; of a torus the
        radius of the tube and of the circle in its middle (OpenSim's inner_radius and outer_radius).
    quadrant : str
        Half of the surface that may be touched: '' for all of it, or one of '+x', '-x', '+y' ...
    active : bool
        Whether it is in the way at all.
    """

    name: str
    kind: str
    frame: Frame
    dimensions: tuple[float, ...]
    quadrant: str = ""
    active: bool = True

    @property
    def body(self) -> str:
        """The body that carries the surface."""
        return self.frame.body


@dataclass(frozen=True)
class PathWrap:
    """A surface in the way of a path.

    Attributes
    ----------
    method : str
        How the plane of an ellipsoid's wrap is found: 'hybrid', 'midpoint' or 'axial'.
    range : tuple of 2 int
        First and last point of the path between which it may wrap, counted from 1; below 1, the path's ends.
    """

    surface: WrapObject
    method: str = "hybrid"
    range: tuple[int, int] = (-1, -1)

    @property
    def body(self) -> str:
        """The body that carries the surface."""
        return self.surface.body


@dataclass(frozen=True)
class GeometryPath:
    """Straight lines through points, and around the surfaces of `wraps` where those are in the way."""

    points: tuple[Point, ...]
    wraps: tuple[PathWrap, ...] = ()

    @property
    def bodies(self) -> tuple[str, ...]:
        """The bodies that carry the points and surfaces, each once."""
        return tuple(dict.fromkeys(part.body for part in (*self.points, *self.wraps)))


@dataclass(frozen=True)
class Muscle:
    """A muscle-tendon unit.

    Attributes
    ----------
    name, kind : str
        `kind` is the OpenSim class it was read from.
    max_isometric_force : float
        N.
    optimal_fiber_length, tendon_slack_length : float
        m.
    pennation_angle : float
        At optimal fibre length, rad.
    max_contraction_velocity : float
        Optimal fibre lengths per second.
    """

    name: str
    kind: str
    path: GeometryPath
    max_isometric_force: float
    optimal_fiber_length: float
    tendon_slack_length: float
    pennation_angle: float
    max_contraction_velocity: float
