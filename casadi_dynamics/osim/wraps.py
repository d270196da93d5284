"""Wrap objects of an `.osim` file, and where paths may wrap around them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError, nearest
from casadi_dynamics.model import Frame
from casadi_dynamics.model.muscles import PathWrap, WrapObject
from casadi_dynamics.model.types import GROUND
from casadi_dynamics.osim.context import Context
from casadi_dynamics.osim.frames import rotation_from_xyz
from casadi_dynamics.osim.xml import address_of, child_value, flag, locate, number, numbers

#: Class -> what its dimensions are called; a missing one counts as 1 m for OpenSim.
_DIMENSIONS = {
    "WrapCylinder": ("radius", "length"),
    "WrapSphere": ("radius",),
    "WrapEllipsoid": ("dimensions",),
    "WrapTorus": ("inner_radius", "outer_radius"),
}
_CARRIERS = ("Body", "Ground", "PhysicalOffsetFrame")
_METHODS = ("hybrid", "midpoint", "axial")


def read_wrap(path: Path, item, context: Context) -> PathWrap:
    """Return a `PathWrap` element with the surface that it names.

    Raises
    ------
    InputError
        If no body carries the surface, or a number or word of either cannot be used.
    """
    wanted = child_value(path, item, "wrap_object")
    surfaces = {}
    for surface in item.getroottree().iter(*_DIMENSIONS):
        carriers = [e for e in surface.iterancestors() if e.tag in _CARRIERS]
        if carriers:  # a surface among the defaults has none; of a name OpenSim takes the first
            surfaces.setdefault(surface.get("name"), (surface, carriers[0]))
    if item.tag != "PathWrap" or wanted not in surfaces:
        raise InputError(
            f"{item.tag} '{item.get('name', '')}' names the surface '{wanted}', which no body carries.",
            where=locate(path, item),
            expected=f"a PathWrap with one of {', '.join(filter(None, surfaces)) or 'no surface'}",
            found=wanted,
            fix=nearest(wanted, filter(None, surfaces)) or "correct its <wrap_object>",
        )
    method = child_value(path, item, "method", "hybrid")
    word = "hybrid" if method == "Unassigned" else method.lower()
    if word not in _METHODS or method not in ("Unassigned", word, word.upper(), word.capitalize()):
        raise _unknown(path, item, "method", ", ".join(_METHODS), method)
    span = child_value(path, item, "range", "-1 -1").split()
    if len(span) != 2 or not all(end.lstrip("+-").isdigit() for end in span):
        raise _unknown(path, item, "range", "the numbers of two points, or -1 for an end", " ".join(span))
    return PathWrap(_read_surface(path, *surfaces[wanted], context), word, (int(span[0]), int(span[1])))


def _read_surface(path: Path, item, carrier, context: Context) -> WrapObject:
    at = address_of(carrier) if carrier.tag != "Ground" else f"/{GROUND}"
    base = context.frames.at(at)
    turned = np.array(base.rotation) @ rotation_from_xyz(_three(path, item, "xyz_body_rotation"))
    frame = Frame(
        base.body,
        context.frames.place(base, _three(path, item, "translation")),
        tuple(tuple(float(x) for x in row) for row in turned),
    )
    tags = _DIMENSIONS[item.tag]
    if item.tag == "WrapEllipsoid":
        dimensions = numbers(path, item, *tags, 3)
    else:
        dimensions = tuple(number(path, item, tag, 1.0) for tag in tags)
    if min(dimensions) < 0 or (item.tag == "WrapTorus" and dimensions[0] >= dimensions[1]):
        expected = "lengths above 0 m, of a torus the inner_radius below the outer_radius"
        raise _unknown(path, item, tags[0], expected, " ".join(f"{value:g}" for value in dimensions))
    return WrapObject(
        item.get("name"), item.tag, frame, dimensions, _quadrant(path, item), flag(path, item, "active", True)
    )


def _quadrant(path: Path, item) -> str:
    found = child_value(path, item, "quadrant", "all")
    if found in ("all", "ALL", "All", "Unassigned"):
        return ""
    sign, axis = ("-" if found[0] == "-" else "+"), found.lstrip("+-").lower()
    if axis not in ("x", "y", "z") or len(found) > 2:
        raise _unknown(path, item, "quadrant", "all, or an axis with its sign such as -x", found)
    return sign + axis


def _three(path: Path, item, tag: str) -> tuple[float, ...]:
    return numbers(path, item, tag, 3, default=(0.0, 0.0, 0.0))


def _unknown(path: Path, item, tag: str, expected: str, found: str) -> InputError:
    return InputError(
        f"<{tag}> of {item.tag} '{item.get('name', '')}' cannot be used.",
        where=locate(path, item),
        expected=expected,
        found=found,
        fix="correct the value in the model file",
    )
