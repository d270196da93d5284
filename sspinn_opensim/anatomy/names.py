"""Segments and sides that names of bodies, joints, muscles and columns tell."""

from __future__ import annotations

import re

#: Segment -> what the name of a body, an IMU frame or a sensor says of it, as a regular expression.
WORDS = {
    "thigh": "femur|thigh|upper_?leg",
    "shank": "tibia|shank|shin|lower_?leg",
    "foot": "foot|feet|calcn|calcaneus|talus|toes?",
    "pelvis": "pelvis|pelvic|sacrum",
    "trunk": "torso|trunk|thorax|lumbar|abdomen|spine|sternum|chest",
    "upper_arm": "humerus|upper_?arm",
    "forearm": "ulna|radius|fore_?arm|lower_?arm",
    "hand": "hand|wrist|carp",
}
#: Bones beside the long one of a segment: they are scaled with it, but no joint of the leg leads to them.
_BESIDE = {"thigh": "patella", "shank": "fibula"}
#: Segments without a side.
MIDDLE = ("pelvis", "trunk")
#: Letter -> side in words.
SIDES = {"r": "right", "l": "left"}

#: Segment that a joint leads to -> the joint.
_JOINTS = {"thigh": "hip", "shank": "knee", "foot": "ankle"}
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_HEAD_OR_TAIL = re.compile(r"(?P<head>[RrLl])_(?P<of_head>.+)|(?P<of_tail>.+)_(?P<tail>[rRlL])")


def segment_of(name: str, *, beside: bool = False) -> tuple[str, str] | None:
    """Read segment and side from the name of a body, an IMU frame or a sensor.

    Parameters
    ----------
    name : str
        Such as ``calcn_r``, ``RightLowerLeg``, ``lfemur`` or ``pelvis_imu``.
    beside : bool
        Whether kneecap and fibula belong to thigh and shank.

    Returns
    -------
    tuple of 2 str, or None
        A key of `WORDS`; and ``left``, ``right``, or nothing where the name tells no side. None where it
        tells no segment, or more than one.
    """
    plain = re.sub(r"[^a-z0-9]+", "_", _CAMEL.sub("_", name).lower())
    told = {s: f"{words}|{_BESIDE[s]}" if beside and s in _BESIDE else words for s, words in WORDS.items()}
    found = [segment for segment, words in told.items() if re.search(words, plain)]
    if len(found) != 1:
        return None
    rest = re.sub(told[found[0]], "_", plain)
    return found[0], "" if found[0] in MIDDLE else SIDES.get(side_of(rest), "")


def side_of(name: str) -> str:
    """Return ``r`` or ``l`` for the one side that the words of a name tell, else nothing.

    Words are split by whatever is no letter, and where capitals start: ``calcn_r``, ``RightFoot``,
    ``ground.l.vx``.
    """
    words = re.split("[^a-z]+", _CAMEL.sub("_", name).lower())
    sides = {word[0] for word in words if word in ("r", "l", "rt", "lt", "right", "left")}
    return sides.pop() if len(sides) == 1 else ""


def without_side(name: str) -> tuple[str, str]:
    """Return a name without the letter of its side before or after it, and the letter, small: ``r`` or ``l``.

    ``soleus_r`` and ``R_soleus`` are both ``soleus`` of the right; of other names the letter is empty.
    """
    match = _HEAD_OR_TAIL.fullmatch(name)
    if not match:
        return name, ""
    return match["of_head"] or match["of_tail"], (match["head"] or match["tail"]).lower()


def readable(name: str) -> str:
    """Turn ``knee_angle_r`` into ``Knee angle, right``."""
    base, side = without_side(name)
    words = base.replace("_", " ")
    return words[:1].upper() + words[1:] + (f", {SIDES[side]}" if side else "")


def other_side(name: str) -> str:
    """Return the name of the same thing on the other side: ``calcn_l`` of ``calcn_r``; else the same."""

    def swap(match: re.Match) -> str:
        word = match[0]
        other = {"r": "l", "l": "r", "right": "left", "left": "right"}[word.lower()]
        return other.upper() if word.isupper() else other.capitalize() if word.istitle() else other

    return re.sub(r"(?<![a-zA-Z])[rRlL](?![a-zA-Z])|[Rr]ight|[Ll]eft|RIGHT|LEFT", swap, name)


def joint_of_leg(child: str, parent: str) -> str:
    """Return ``hip_r``, ``knee_l`` and so on for the joint between two bodies, as far as their names tell.

    Within one segment there is no joint of the leg: talus to calcaneus.
    """
    outer, inner = segment_of(child), segment_of(parent)
    if outer is None or (inner is not None and inner[0] == outer[0]):
        return ""
    joint = _JOINTS.get(outer[0], "")
    return f"{joint}_{outer[1][0]}" if joint and outer[1] else joint
