"""A picture of the body with the places of its sensors, as an SVG file of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from casadi_dynamics.model import Model
from casadi_dynamics.symbolic import BodyFunctions
from sspinn_opensim.report.figures import BLUE, FAINT, GREY, ORANGE, SOFT, svg
from sspinn_opensim.viewer.links import Station, body_links

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Half axes of the ellipse that holds 95 % of a normal distribution in the plane, in standard deviations.
_ELLIPSE = 2.4477
#: m on paper: room for the labels of a side, and distance between two of them.
_LABELS_M, _LINE_M = 0.75, 0.05
_INCHES_PER_M = 4.4
#: Length in m of the axes of a sensor that are drawn: x and y.
_AXES_M = (0.06, 0.035)
_LEGEND = (
    "\u25cf found, with 95 % ellipse and axes (x long, y short)   \u25cb as given   "
    "orange: not observable, left as given"
)


@dataclass(frozen=True)
class Mark:
    """One sensor to draw.

    Attributes
    ----------
    body, label : str
        What it sits on, and the text beside it.
    position, given : (3,) ndarrays
        Where it was found and where it was thought to be, in axes of `body`, m; `given` may be None.
    covariance : (3, 3) ndarray
        Of `position`, m^2.
    seen : bool
        Whether the signals say where it is; else its place is the given one.
    axes : (3, 3) ndarray
        Columns are the sensor's axes in the body.
    """

    body: str
    label: str
    position: np.ndarray
    given: np.ndarray | None
    covariance: np.ndarray
    seen: bool
    axes: np.ndarray


def placement_figure(
    model: Model,
    functions: BodyFunctions,
    q: np.ndarray,
    marks: Sequence[Mark],
    title: str,
    legend: str = _LEGEND,
) -> str:
    """Return an SVG of the body in the sagittal plane with its sensors.

    Parameters
    ----------
    model, functions : Model, BodyFunctions
        The body.
    q : (n, c) ndarray
        Postures; of some fifty of them, the one whose limbs are furthest apart is drawn.
    marks : sequence of Mark
        The sensors.
    title : str
        Above the picture.
    legend : str
        Below it.
    """
    chosen = q[:: max(len(q) // 50, 1)]
    still = np.zeros(q.shape[1])
    moved = functions.at("kinematics", q=chosen, u=still, udot=still)
    positions = moved["position"].reshape(len(chosen), -1, 3)
    rotations = moved["rotation"].reshape(len(chosen), -1, 3, 3)
    number = {body: i for i, body in enumerate(functions.bodies)}

    def track(end: Station) -> np.ndarray:
        body = number[end.body]
        return (positions[:, body] + rotations[:, body] @ np.array(end.location))[:, :2]

    rods = np.array([[track(link.start), track(link.end)] for link in body_links(model)])
    widest = int(np.argmax(np.ptp(rods[:, :, :, 0], axis=(0, 1))))
    rods = rods[:, :, widest]
    origins = dict(zip(functions.bodies, positions[widest], strict=True))
    turns = dict(zip(functions.bodies, rotations[widest], strict=True))
    spots = [origins[mark.body] + turns[mark.body] @ mark.position for mark in marks]
    everything = np.array([*rods.reshape(-1, 2), *(spot[:2] for spot in spots)])
    low, high = everything.min(axis=0) - 0.1, everything.max(axis=0) + 0.1
    left, right = low[0] - _LABELS_M, high[0] + _LABELS_M

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.set(xlim=(left, right), ylim=(low[1], high[1]), aspect="equal")
        axes.set_axis_off()
        for rod in rods:
            axes.plot(*rod.T, color=GREY, lw=4, solid_capstyle="round")
        for mark, spot in zip(marks, spots, strict=True):
            _draw_sensor(axes, mark, spot, turns[mark.body])
        middle = float(np.mean([spot[0] for spot in spots]))
        for side in (-1, 1):
            here = [(s, m.label) for s, m in zip(spots, marks, strict=True) if (s[0] >= middle) == (side > 0)]
            _draw_labels(axes, here, side, high[0] if side > 0 else low[0])
        figure.text(0.01, 0.01, legend, color=SOFT, fontsize=8)

    inches = (_INCHES_PER_M * (right - left), _INCHES_PER_M * (high[1] - low[1]) + 0.8)
    return svg(draw, inches=inches, title=title)


def _draw_sensor(axes: Axes, mark: Mark, spot: np.ndarray, turn: np.ndarray) -> None:
    from matplotlib.patches import Ellipse

    if mark.given is not None and np.linalg.norm(mark.given - mark.position) > 1e-3:
        given = spot + turn @ (mark.given - mark.position)
        axes.plot([given[0], spot[0]], [given[1], spot[1]], color=SOFT, lw=1.2)
        axes.plot(*given[:2], "o", mfc="none", mec=SOFT, ms=8)
    if not mark.seen:
        axes.plot(*spot[:2], "o", mfc="white", mec=ORANGE, mew=2, ms=7)
        return
    values, vectors = np.linalg.eigh((turn @ mark.covariance @ turn.T)[:2, :2])
    width, height = 2 * _ELLIPSE * np.sqrt(np.maximum(values, 0.0))
    angle = float(np.degrees(np.arctan2(vectors[1, 0], vectors[0, 0])))
    axes.add_patch(
        Ellipse((spot[0], spot[1]), width, height, angle=angle, fc=(0, 0.45, 0.7, 0.15), ec=BLUE, lw=0.8)
    )
    for axis, length in zip(mark.axes.T, _AXES_M, strict=False):
        end = spot + length * (turn @ axis)
        axes.plot([spot[0], end[0]], [spot[1], end[1]], color=BLUE, lw=1.6)
    axes.plot(*spot[:2], "o", color=BLUE, ms=6)


def _draw_labels(axes: Axes, marks: Sequence[tuple[np.ndarray, str]], side: int, edge: float) -> None:
    """Stand the labels of one side below one another, none closer than a line."""
    last = np.inf
    for spot, label in sorted(marks, key=lambda item: -item[0][1]):
        last = min(spot[1], last - _LINE_M)
        axes.plot([spot[0], edge], [spot[1], last], color=FAINT, lw=0.8, zorder=0)
        axes.text(edge + 0.02 * side, last, label, va="center", ha="left" if side > 0 else "right")
