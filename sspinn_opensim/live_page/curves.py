"""Curves of the live page: which charts there are, which are shown at first, and the numbers of a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from sspinn_opensim.anatomy import SIDES, readable, side_of, without_side
from sspinn_opensim.streaming.channels import Channels, numbers_of
from sspinn_opensim.streaming.live import LiveFrame

#: Coordinates without their side that are shown at first, where a model has them.
_SHOWN = ("hip_flexion", "knee_angle", "ankle_angle")
#: Otherwise so many of those that both legs have.
_FEW = 3
#: Muscles that are shown at first, one for each row of words in names.
_MUSCLES = (("soleus",), ("tib_ant", "tibant"), ("vasti", "vas_lat", "vaslat", "vas_int", "vasint"))
_FORCE, _VERTICAL = "_ground_force_v", "y"
#: Short enough for a third of the page; ways are those at the start.
_AXES = {"y": "Up (y)", "x": "Forward (x)", "z": "Right (z)"}


@dataclass(frozen=True)
class Curve:
    """One curve: ``right``, ``left`` or nothing, and its place among the numbers of a frame."""

    side: str
    column: int


@dataclass(frozen=True)
class Chart:
    """Curves on the same axes.

    Attributes
    ----------
    key, title, unit : str
        Name among the charts of its group; what stands above.
    curves : tuple of Curve
        Both sides of the same thing.
    least_span : float
        The axis spans at least so much: noise is not blown up to a curve.
    shown : bool
        Whether it is there before anyone chooses.
    mark : float or None
        A value with a line of its own.
    mark_label : str
        What that is.
    """

    key: str
    title: str
    unit: str
    curves: tuple[Curve, ...]
    least_span: float
    shown: bool = False
    mark: float | None = None
    mark_label: str = ""


@dataclass(frozen=True)
class Group:
    """Charts of one kind under a heading."""

    key: str
    title: str
    charts: tuple[Chart, ...]

    def to_json(self) -> dict:
        """Return plain values."""
        return asdict(self)


def groups_of(channels: Channels, body_weight_n: float) -> tuple[Group, ...]:
    """Return the charts of all angles, moments and ground forces."""
    count, drives = len(channels.coordinates), len(channels.moments)
    units = [
        "deg" if motion == "rotational" else unit
        for motion, unit in zip(channels.motions, channels.units[0], strict=True)
    ]
    driven = [name.rpartition("_")[0] for name in channels.moments]
    angles = _paired(channels.coordinates, units, 0, {"deg": 10.0, "m": 0.05})
    moments = _paired(driven, channels.units[1], count, {"N m": 10.0, "N": 50.0})
    forces = _forces(channels, count + drives, body_weight_n)
    found = [
        Group("angles", "Joint angles", _with_shown(angles)),
        Group("moments", "Joint moments", _with_shown(moments)),
        Group("forces", "Ground forces, forward as at the start", forces),
    ]
    if channels.muscles:
        first = count + drives + len(channels.forces)
        units = [""] * len(channels.muscles)
        activations = _paired(channels.muscles, units, first, {"": 0.2})
        found.append(Group("activations", "Muscle activations (0 to 1)", _some_muscles(activations)))
    return tuple(found)


def numbers(channels: Channels, frame: LiveFrame) -> np.ndarray:
    """Return the numbers of a frame in the order of the columns.

    Angles in deg, moments in N m, forces in N and where they act in m; activations, NaN where muscles were
    not solved.
    """
    q, moments, forces = numbers_of(frame.estimate)
    muscles = frame.muscles
    activations = np.full(len(channels.muscles), np.nan) if muscles is None else muscles.activations
    return np.concatenate([q * channels.degrees_per_unit, moments, forces, activations])


def _paired(
    names: Sequence[str], units: Sequence[str], first: int, spans: dict[str, float]
) -> tuple[Chart, ...]:
    """Return a chart for each name without its side."""
    found: dict[str, Chart] = {}
    for place, (name, unit) in enumerate(zip(names, units, strict=True)):
        base, side = without_side(name)
        curve = Curve(SIDES.get(side, ""), first + place)
        if base in found:
            found[base] = replace(found[base], curves=(*found[base].curves, curve))
        else:
            found[base] = Chart(base, readable(base), unit, (curve,), spans.get(unit, 1e-3))
    return tuple(found.values())


def _with_shown(charts: tuple[Chart, ...]) -> tuple[Chart, ...]:
    known = [chart.key for chart in charts if chart.key in _SHOWN]
    shown = known or [chart.key for chart in charts if len(chart.curves) > 1][:_FEW]
    return tuple(replace(chart, shown=chart.key in shown) for chart in charts)


def _some_muscles(charts: tuple[Chart, ...]) -> tuple[Chart, ...]:
    """Show one muscle of each of a few kinds at first, as far as names tell."""
    shown = set()
    for words in _MUSCLES:
        shown.update([chart.key for chart in charts if any(word in chart.key for word in words)][:1])
    return tuple(replace(chart, shown=chart.key in shown) for chart in charts)


def _forces(channels: Channels, first: int, body_weight_n: float) -> tuple[Chart, ...]:
    found = []
    for axis, title in _AXES.items():
        ends = [name for name in channels.forces if name.endswith(_FORCE + axis)]
        curves = tuple(
            Curve(
                SIDES.get(side_of(name.removesuffix(_FORCE + axis)), ""),
                first + channels.forces.index(name),
            )
            for name in ends
        )
        chart = Chart(axis, title, "N", curves, 100.0, shown=axis in "xy")
        if axis == _VERTICAL:
            chart = replace(chart, mark=body_weight_n, mark_label="body weight")
        found.append(chart)
    return tuple(found)
