"""Wrap objects of an `.osim` file, and where paths may wrap around them."""

from __future__ import annotations

import numpy as np

from casadi_dynamics.errors import InputError, nearest
from casadi_dynamics.model import Frame
from casadi_dynamics.model.muscles import PathWrap, WrapObject
from casadi_dynamics.model.types import GROUND, Vector3
from casadi_dynamics.osim.context import Context
from casadi_dynamics.osim.frames import rotation_from_xyz
from casadi_dynamics.osim.xml import Element

#: Class -> what its dimensions are called; a missing one counts as 1 m for OpenSim.
_DIMENSIONS = {
    "WrapCylinder": ("radius", "length"),
    "WrapSphere": ("radius",),
    "WrapEllipsoid": ("dimensions",),
    "WrapTorus": ("inner_radius", "outer_radius"),
}
_CARRIERS = ("Body", "Ground", "PhysicalOffsetFrame")
_METHODS = ("hybrid", "midpoint", "axial")


def read_wrap(item: Element, context: Context) -> PathWrap:
    """Return a `PathWrap` element with the surface that it names.

    Raises
    ------
    InputError
        If no body carries the surface, or a number or word of either cannot be used.
    """
    wanted = item.text("wrap_object")
    surfaces: dict[str, tuple[Element, Element]] = {}
    for node in item.node.getroottree().iter(*_DIMENSIONS):
        carriers = [e for e in node.iterancestors() if e.tag in _CARRIERS]
        if carriers:  # a surface among the defaults has none; of a name OpenSim takes the first
            surfaces.setdefault(node.get("name"), (Element(item.path, node), Element(item.path, carriers[0])))
    if item.tag != "PathWrap" or wanted not in surfaces:
        raise item.error(
            f"{item} names the surface '{wanted}', which no body carries.",
            expected=f"a PathWrap with one of {', '.join(filter(None, surfaces)) or 'no surface'}",
            found=wanted,
            fix=nearest(wanted, filter(None, surfaces)) or "correct its <wrap_object>",
        )
    method = item.text("method", "hybrid")
    word = "hybrid" if method == "Unassigned" else method.lower()
    if word not in _METHODS or method not in ("Unassigned", word, word.upper(), word.capitalize()):
        raise _unknown(item, "method", ", ".join(_METHODS), method)
    span = item.text("range", "-1 -1").split()
    if len(span) != 2 or not all(end.lstrip("+-").isdigit() for end in span):
        raise _unknown(item, "range", "the numbers of two points, or -1 for an end", " ".join(span))
    surface, carrier = surfaces[wanted]
    return PathWrap(_read_surface(surface, carrier, context), word, (int(span[0]), int(span[1])))


def _read_surface(item: Element, carrier: Element, context: Context) -> WrapObject:
    at = carrier.address if carrier.tag != "Ground" else f"/{GROUND}"
    base = context.frames.at(at)
    turned = np.array(base.rotation) @ rotation_from_xyz(_three(item, "xyz_body_rotation"))
    first, second, third = ((float(x), float(y), float(z)) for x, y, z in turned)
    place = context.frames.place(base, _three(item, "translation"))
    frame = Frame(base.body, place, (first, second, third))
    tags = _DIMENSIONS[item.tag]
    if item.tag == "WrapEllipsoid":
        dimensions = item.numbers(tags[0], 3)
    else:
        dimensions = tuple(item.number(tag, 1.0) for tag in tags)
    if min(dimensions) < 0 or (item.tag == "WrapTorus" and dimensions[0] >= dimensions[1]):
        expected = "lengths above 0 m, of a torus the inner_radius below the outer_radius"
        raise _unknown(item, tags[0], expected, " ".join(f"{value:g}" for value in dimensions))
    return WrapObject(item.label, item.tag, frame, dimensions, _quadrant(item), item.flag("active", True))


def _quadrant(item: Element) -> str:
    found = item.text("quadrant", "all")
    if found in ("all", "ALL", "All", "Unassigned"):
        return ""
    sign, axis = ("-" if found[0] == "-" else "+"), found.lstrip("+-").lower()
    if axis not in ("x", "y", "z") or len(found) > 2:
        raise _unknown(item, "quadrant", "all, or an axis with its sign such as -x", found)
    return sign + axis


def _three(item: Element, tag: str) -> Vector3:
    x, y, z = item.numbers(tag, 3, default=(0.0, 0.0, 0.0))
    return x, y, z


def _unknown(item: Element, tag: str, expected: str, found: str) -> InputError:
    return item.error(
        f"<{tag}> of {item} cannot be used.",
        expected=expected,
        found=found,
        fix="correct the value in the model file",
    )
