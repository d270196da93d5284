"""Constraints between bodies or coordinates: frozen dataclasses named like OpenSim's classes, in SI units."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from casadi_dynamics.model.functions import Function
from casadi_dynamics.model.types import Frame, Vector3


@dataclass(frozen=True)
class CoordinateCouplerConstraint:
    """The coordinate `dependent` equals `function` of the coordinates `independent`; rad or m."""

    name: str
    dependent: str
    independent: tuple[str, ...]
    function: Function


@dataclass(frozen=True)
class WeldConstraint:
    """Frame 2 does not move in frame 1: three equations for its axes, three for its origin."""

    name: str
    frame1: Frame
    frame2: Frame


@dataclass(frozen=True)
class PointConstraint:
    """The origins of the frames coincide: three equations."""

    name: str
    frame1: Frame
    frame2: Frame


@dataclass(frozen=True)
class PointOnLineConstraint:
    """The origin of frame 2 stays on a line through the origin of frame 1: two equations.

    Attributes
    ----------
    direction : tuple of 3 floats
        Unit vector along the line, in frame 1.
    """

    name: str
    frame1: Frame
    frame2: Frame
    direction: Vector3


@dataclass(frozen=True)
class ConstantDistanceConstraint:
    """The origins of the frames stay `distance` (m) apart: one equation."""

    name: str
    frame1: Frame
    frame2: Frame
    distance: float


BodyConstraint = WeldConstraint | PointConstraint | PointOnLineConstraint | ConstantDistanceConstraint
Constraint = CoordinateCouplerConstraint | BodyConstraint


def couplers_in_order(constraints: Iterable[Constraint]) -> list[CoordinateCouplerConstraint]:
    """Return the couplers among `constraints`, each after those that its independent coordinates obey.

    Couplers that go round in a circle are left out.
    """
    pending = [c for c in constraints if isinstance(c, CoordinateCouplerConstraint)]
    ordered: list[CoordinateCouplerConstraint] = []
    while pending:
        unknown = {coupler.dependent for coupler in pending}
        ready = [coupler for coupler in pending if unknown.isdisjoint(coupler.independent)]
        if not ready:
            break
        ordered += ready
        pending = [coupler for coupler in pending if coupler not in ready]
    return ordered
