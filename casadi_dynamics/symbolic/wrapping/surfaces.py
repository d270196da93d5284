"""The function of each kind of surface: from the ends of a line to how it wraps."""

from __future__ import annotations

from functools import cache

import casadi as ca

from casadi_dynamics.model.muscles import WrapObject
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
