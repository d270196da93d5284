"""Segments and joint centres of any model, found by the names of its bodies and the joints between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from casadi_dynamics.errors import InputError, nearest
from sspinn_opensim.anatomy import SIDES, WORDS, segment_of

#: Segment that has sides -> the segment its far joint leads to; a foot and a hand end freely.
NEXT = {"thigh": "shank", "shank": "foot", "foot": "", "upper_arm": "forearm", "forearm": "hand"}
#: Hip to ankle over body height: thigh 0.245 and shank 0.246 (Winter 2009, Biomechanics and Motor Control of
#: Human Movement, figure 4.1, after Drillis and Contini 1966).
_LEG_PER_HEIGHT = 0.491
#: OpenSim's own gait models are 7 % short of it.
_LEG_DEPARTURE = 0.15


class Anatomy:
    """A generic model's bodies by segment and side, and the places of its joints."""

    def __init__(self, anatomy: Mapping, where: str) -> None:
        self.anatomy, self.where = anatomy, where
        self.bodies: Mapping = anatomy["bodies"]
        self._segments = {body: segment_of(body, beside=True) for body in self.bodies}
        self._parent = {joint["child"]: joint["parent"] for joint in anatomy["joints"].values()}

    def group(self, kind: str, side: str = "") -> tuple[str, ...]:
        """Return the bodies of a segment; none found raises."""
        found = tuple(body for body, said in self._segments.items() if said == (kind, SIDES.get(side, "")))
        if not found:
            words = WORDS[kind].replace("_?", "").split("|")
            raise InputError(
                f"the model has no body that is called {(SIDES.get(side, '') + ' ' + kind).strip()}",
                where=self.where,
                expected=f"one named like {', '.join(words[:3])}" + (f", with _{side}" if side else ""),
                found=", ".join(self.bodies),
                fix="state between = [A, B] (joints, bodies or markers) and bodies = [...] for this segment",
            )
        return found

    def near_joint(self, kind: str, side: str) -> np.ndarray:
        """Return the centre of the joint that a segment hangs on."""
        group = self.group(kind, side)
        entries = [
            joint
            for joint in self.anatomy["joints"].values()
            if joint["child"] in group and joint["parent"] not in group
        ]
        if not entries:
            raise InputError(
                f"no joint carries the bodies {', '.join(group)}",
                where=self.where,
                fix="state between = [A, B] (joints, bodies or markers) for this segment",
            )
        first = min(entries, key=lambda joint: self._depth(joint["child"]))
        return np.array(first["center"])

    def place(self, name: str) -> np.ndarray:
        """Return where a joint, body or marker is."""
        for things, key in (("joints", "center"), ("bodies", "origin"), ("markers", "place")):
            if name in self.anatomy[things]:
                return np.array(self.anatomy[things][name][key])
        known = [name for things in ("joints", "bodies", "markers") for name in self.anatomy[things]]
        raise InputError(
            f"the model has no joint, body or marker '{name}'",
            where=self.where,
            expected=f"such as {', '.join(known[:8])}",
            fix=nearest(name, known),
        )

    def mass_kg(self, bodies: Sequence[str]) -> float:
        """Return the mass of some bodies together."""
        return sum(self.bodies[body]["mass_kg"] for body in bodies)

    def axis_along(self, body: str, direction: np.ndarray) -> int:
        """Return the body's own axis that runs most along a direction of ground."""
        return int(np.abs(np.array(self.bodies[body]["rotation"]).T @ direction).argmax())

    def _depth(self, body: str) -> int:
        depth = 0
        while body in self._parent and depth <= len(self._parent):
            body, depth = self._parent[body], depth + 1
        return depth


def leg_doubts(anatomy: Mapping, height_m: float | None) -> list[str]:
    """Return a doubt where the legs of a scaled model cannot be those of a person of this height."""
    model = Anatomy(anatomy, "")
    try:
        hip, knee, ankle = (model.near_joint(kind, "r") for kind in ("thigh", "shank", "foot"))
    except InputError:  # bodies with other names: nothing can be said
        return []
    leg = float(np.linalg.norm(hip - knee) + np.linalg.norm(knee - ankle))
    if height_m is None or abs(leg / height_m / _LEG_PER_HEIGHT - 1) <= _LEG_DEPARTURE:
        return []
    return [
        f"hip to ankle is {leg:.3f} m in the scaled model; with a height of {height_m:.2f} m it is usually "
        f"{_LEG_PER_HEIGHT * height_m:.2f} m"
    ]
