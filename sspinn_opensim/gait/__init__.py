"""Gait of a motion with ground forces: events, strides, spatiotemporal values, curves over the gait cycle.

Only NumPy is needed, and nothing here knows where forces and motion come from: estimated ones, a
laboratory's plates and the belts of a treadmill are read alike.
"""

from sspinn_opensim.gait.cycles import Cycle, mean_cycles, most_typical
from sspinn_opensim.gait.events import Contact, contacts
from sspinn_opensim.gait.spatiotemporal import StrideValues, measured, summary, symmetry_index
from sspinn_opensim.gait.strides import STRIDE_S, Stride, Strides, find_strides

__all__ = [
    "STRIDE_S",
    "Contact",
    "Cycle",
    "Stride",
    "StrideValues",
    "Strides",
    "contacts",
    "find_strides",
    "mean_cycles",
    "measured",
    "most_typical",
    "summary",
    "symmetry_index",
]
