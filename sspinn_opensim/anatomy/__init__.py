"""Sides, segments, feet and the sagittal plane: how a model's bodies and coordinates relate to a person's."""

from sspinn_opensim.anatomy.names import MIDDLE, SIDES, WORDS, segment_of, side_of, without_side

__all__ = ["MIDDLE", "SIDES", "WORDS", "segment_of", "side_of", "without_side"]
