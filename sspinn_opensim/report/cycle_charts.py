"""Charts of mean curves over the gait cycle: both sides in one chart, each with its deviation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sspinn_opensim.anatomy import readable, without_side
from sspinn_opensim.gait import Cycle
from sspinn_opensim.gait.cycles import PERCENT
from sspinn_opensim.report.charts import Band, Chart, Line

#: Roles and meanings of the lines.
LEGEND = [("estimate", "right, from its strikes"), ("left", "left, from its strikes")]


def cycle_charts(cycles: Sequence[Cycle], names: Iterable[str], unit: str, scale: float) -> Iterator[Chart]:
    """Give a chart for each curve of both sides, each over the cycle of its own side.

    Parameters
    ----------
    cycles : sequence of Cycle
        Of one kind of gait.
    names : iterable of str
        Curves of the cycles.
    unit : str
        Shown.
    scale : float
        From the unit of the curves to that one.
    """
    pairs: dict[str, dict[str, str]] = {}
    for name in names:
        base, side = _split(name)
        pairs.setdefault(base, {})[side] = name
    by_side = {cycle.side: cycle for cycle in cycles}
    for base, sided in pairs.items():
        lines, bands = [], []
        for side, name in sided.items():
            cycle = by_side.get(side or "r")
            if cycle is None:
                continue
            role = "left" if side == "l" else "estimate"
            mean, sd = scale * cycle.mean[name], scale * cycle.sd[name]
            lines.append(Line(PERCENT, mean, role))
            bands.append(Band(PERCENT, mean - sd, mean + sd, "left" if side == "l" else ""))
        if lines:
            yield Chart(
                tuple(lines),
                readable(base.removesuffix("_moment")),
                unit,
                "gait cycle (%)",
                x_range=(0.0, 100.0),
                bands=tuple(bands),
            )


def _split(name: str) -> tuple[str, str]:
    """Return a curve's name without its side, and the side; columns of forces are put into words."""
    for axis, words in (("y", "vertical"), ("x", "fore-aft"), ("z", "sideways")):
        ending = f"_ground_force_v{axis}"
        if name.endswith(ending):
            foot, side = without_side(name.removesuffix(ending))
            return f"{foot}, {words}", side
    base, side = without_side(name.removesuffix("_moment"))
    return base, side
