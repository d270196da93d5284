"""Groups of muscles: those of the model, or families by name; right beside left."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

from sspinn_opensim.anatomy import SIDES, without_side
from sspinn_opensim.opensim_io.documents import child_text
from sspinn_opensim.opensim_io.model.model_file import read_model_tree

#: A group with more of the muscles than this is a limb, not a function.
_LARGEST_SHARE = 0.4
_OTHERS = "others"


@dataclasses.dataclass(frozen=True)
class Group:
    """Muscles that are shown together.

    Parameters
    ----------
    name : str
        Without side; fit for a file name.
    sides : dict
        Muscles by ``right``, ``left`` or, where a group has no side, ``""``.
    """

    name: str
    sides: dict[str, tuple[str, ...]]


def groups_of(model: Path, muscles: Sequence[str]) -> tuple[Group, ...]:
    """Return groups that together hold every muscle; a muscle may be in several.

    Parameters
    ----------
    model : Path
        ``.osim`` file, whose ObjectGroups are used where it has any.
    """
    tree, found = read_model_tree(model), {}
    for element in tree.iterfind("Model/ForceSet/groups/ObjectGroup"):
        members = tuple(name for name in child_text(element, "members").split() if name in muscles)
        if members and len(members) <= max(_LARGEST_SHARE * len(muscles), 1):
            base, side = _without_side(element.get("name", ""))
            found.setdefault(base, {})[side] = members
    grouped = {name for sides in found.values() for members in sides.values() for name in members}
    rest = [name for name in muscles if name not in grouped]
    families = _families(rest)
    if found and len(families) > 1 and len(rest) < len(muscles) / 2:
        families = {_OTHERS: _by_side(rest)}
    return tuple(Group(name, sides) for name, sides in {**found, **families}.items())


def _without_side(name: str) -> tuple[str, str]:
    """Return a name without its side, and the side: ``right``, ``left`` or empty."""
    base, side = without_side(name)
    return base, SIDES.get(side, "")


def _families(muscles: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Join the parts of one muscle, which differ in a number: ``glut_med1``, ``glut_med2``, ``glut_med3``."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for name in muscles:
        base, side = _without_side(name)
        sides = found.setdefault(re.sub(r"_?\d+$", "", base) or base, {})
        sides[side] = (*sides.get(side, ()), name)
    return found


def _by_side(muscles: Sequence[str]) -> dict[str, tuple[str, ...]]:
    sides: dict[str, tuple[str, ...]] = {}
    for name in muscles:
        side = _without_side(name)[1]
        sides[side] = (*sides.get(side, ()), name)
    return sides
