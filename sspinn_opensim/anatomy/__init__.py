"""Sides, segments, feet and the sagittal plane: how a model's bodies and coordinates relate to a person's.

What names tell is here; what the tree of a model tells is in `anatomy.feet`, `anatomy.joint_centres` and
`anatomy.sagittal`, which import CasADi.
"""

from sspinn_opensim.anatomy.names import (
    MIDDLE,
    SIDES,
    WORDS,
    joint_of_leg,
    other_side,
    readable,
    segment_of,
    side_of,
    without_side,
)

__all__ = [
    "MIDDLE",
    "SIDES",
    "WORDS",
    "joint_of_leg",
    "other_side",
    "readable",
    "segment_of",
    "side_of",
    "without_side",
]
