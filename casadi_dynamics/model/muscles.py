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
    name, body : str
    location : tuple of 3 floats
        m, in body axes.
    coordinate : str
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
    name : str
    frame : Frame
    location : tuple of 3 functions
        m, of the value of the coordinate.
    coordinates : tuple of 3 str or None
        None is a coordinate that is always zero.
    """

    name: str
    frame: Frame
    location: tuple[Function, Function, Function]
    coordinates: tuple[str | None, str | None, str | None]

    @property
    def body(self) -> str:
        """The body that carries the point."""
        return self.frame.body


Point = PathPoint | ConditionalPathPoint | MovingPathPoint


@dataclass(frozen=True)
class WrapObject:
    """A surface that a path may wrap around; `kind` is OpenSim's class."""

    name: str
    kind: str
    body: str


@dataclass(frozen=True)
class GeometryPath:
    """Straight lines through points, and around the surfaces `wraps` where those are in the way."""

    points: tuple[Point, ...]
    wraps: tuple[WrapObject, ...] = ()

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
    path : GeometryPath
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
