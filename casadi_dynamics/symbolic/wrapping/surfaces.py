"""The function of each kind of surface: from the ends of a line to how it wraps."""

from __future__ import annotations

from functools import cache

import casadi as ca
import numpy as np

from casadi_dynamics.model.muscles import WrapObject
from casadi_dynamics.symbolic.wrapping.algebra import across, unit
from casadi_dynamics.symbolic.wrapping.cylinder import cylinder, cylinder_among_others
from casadi_dynamics.symbolic.wrapping.ellipsoid import ellipsoid
from casadi_dynamics.symbolic.wrapping.sphere import sphere
from casadi_dynamics.symbolic.wrapping.torus import torus


def wrap_function(surface: WrapObject, method: str, *, alone: bool) -> ca.Function:
    """Return the function of a line's `start` and `end` (3, in the frame of a surface) and its `dimensions`.

    Outputs are those of `Wrapping`: `action`, `found`, `near`, `far` (3) and `length`. Cylinders that are
    alone on their path and spheres are SX functions, which become part of what calls them.

    Parameters
    ----------
    method : str
        As in `PathWrap`.
    alone : bool
        Whether the path has no other surface.
    """
    if surface.kind == "WrapSphere":
        alone = True
    return _function(surface.kind, len(surface.dimensions), surface.quadrant, method, alone)


@cache
def _function(kind: str, count: int, quadrant: str, method: str, alone: bool) -> ca.Function:
    sizes = {"start": 3, "end": 3, "dimensions": count}
    names = ["action", "found", "near", "far", "length"]
    if kind == "WrapSphere" or (kind == "WrapCylinder" and alone):
        start, end, dimensions = symbols = [ca.SX.sym(name, size) for name, size in sizes.items()]
        if kind == "WrapSphere":
            touch = sphere(start, end, dimensions, quadrant)
        else:
            touch, _ = cylinder(start, end, dimensions, quadrant)
        return ca.Function(kind, symbols, touch.parts, list(sizes), names)
    start, end, dimensions = inputs = [ca.MX.sym(name, size) for name, size in sizes.items()]
    if kind == "WrapEllipsoid":
        parts = ellipsoid(start, end, dimensions, quadrant, method)
    elif kind == "WrapTorus":
        parts = torus(start, end, dimensions, quadrant, alone)
    else:
        parts = cylinder_among_others(start, end, dimensions, quadrant)
    return ca.Function(kind, inputs, list(parts), list(sizes), names)


def along_arc(kind: str, dimensions: ca.SX, near: ca.SX, far: ca.SX, length: ca.SX, share: float) -> ca.SX:
    """Return the point of an arc at a share of its way, (3,) in the frame of its surface.

    Parameters
    ----------
    dimensions : SX
        As `wrap_function` takes them.
    near, far : (3,) SX
        Its ends.
    length : SX
        As of `wrap_function`: it tells the long way round a cylinder from the short one, and its sign that
        round a sphere.
    """
    if kind == "WrapCylinder":
        turn = ca.atan2(ca.dot(across(near), far[:2]), ca.dot(near[:2], far[:2]))
        rise = far[2] - near[2]
        long = length * length - rise * rise > (np.pi * dimensions[0]) ** 2
        turn = share * ca.if_else(long, turn - ca.if_else(turn < 0, -2 * np.pi, 2 * np.pi), turn)
        place = ca.cos(turn) * near[:2] + ca.sin(turn) * across(near)
        return ca.vertcat(place, near[2] + share * rise)
    if kind == "WrapTorus":
        return near + share * (far - near)
    # An ellipsoid is a sphere in the units of its radii.
    first, second = unit(near / dimensions), unit(far / dimensions)
    turn = ca.atan2(ca.norm_2(ca.cross(first, second)), ca.dot(first, second))
    sideways = unit(second - ca.dot(first, second) * first)
    turn = share * ca.if_else(length < 0, turn - 2 * np.pi, turn)
    return dimensions * (ca.cos(turn) * first + ca.sin(turn) * sideways)
