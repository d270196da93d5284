"""A picture of the body with the places of its sensors, as an SVG file of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from sspinn_opensim.estimation.figure import stick_figure
from sspinn_opensim.estimation.ground import GroundForces
from sspinn_opensim.estimation.offline import Estimate
from sspinn_opensim.training.subject import Subject

_SCALE, _MARGIN, _LABELS = 420.0, 40.0, 250.0
#: Half axes of the ellipse that holds 95 % of a normal distribution in the plane, in standard deviations.
_ELLIPSE = 2.4477
_STYLE = """
svg { background: #fff; font: 13px system-ui, sans-serif; }
.bone { stroke: #9aa4af; stroke-width: 5; stroke-linecap: round; }
.doubt { fill: #0072b2; fill-opacity: .15; stroke: #0072b2; stroke-width: 1; }
.found { fill: #0072b2; } .kept { fill: #fff; stroke: #d55e00; stroke-width: 2.5; }
.given { fill: none; stroke: #5b6673; stroke-width: 1.5; } .shift { stroke: #5b6673; stroke-width: 1.5; }
.axis { stroke: #0072b2; stroke-width: 2; } .lead { stroke: #dde3e9; }
text { fill: #1c2530; } .soft { fill: #5b6673; }
"""


@dataclass(frozen=True)
class Mark:
    """One sensor to draw.

    Attributes
    ----------
    position, given : (3,) ndarrays
        Where it was found and where it was thought to be, in axes of `body`, m; `given` may be None.
    covariance : (3, 3) ndarray
        Of `position`.
    seen : bool
        Whether the signals say where it is; else its place is the given one.
    axes : (3, 3) ndarray
        Columns are the sensor's axes in the body.
    """

    name: str
    body: str
    label: str
    position: np.ndarray
    given: np.ndarray | None
    covariance: np.ndarray
    seen: bool
    axes: np.ndarray


def placement_figure(subject: Subject, q: np.ndarray, marks: Sequence[Mark], title: str) -> str:
    """Return an SVG of the body in the sagittal plane with its sensors.

    Parameters
    ----------
    q : (n, c) ndarray
        Postures; the one whose limbs are furthest apart is drawn.
    """
    posture = _widest(subject, q)
    figure = stick_figure(subject, _still(subject, posture[None]))
    points = {name: xy[0] for name, xy in figure["points"].items()}
    functions = subject.functions
    zeros = np.zeros(len(posture))
    moved = functions.kinematics(q=posture, u=zeros, udot=zeros, parameters=functions.parameters)
    origins = np.array(moved["position"]).reshape(-1, 3)
    turns = np.array(moved["rotation"]).reshape(-1, 3, 3)
    index = {body: i for i, body in enumerate(functions.bodies)}

    def in_ground(mark: Mark, station) -> np.ndarray:
        return (origins[index[mark.body]] + turns[index[mark.body]] @ station)[:2]

    spots = [in_ground(mark, mark.position) for mark in marks]
    everything = np.array([*points.values(), *spots])
    low, high = everything.min(axis=0), everything.max(axis=0)
    drawn = (high - low) * _SCALE
    width, height = drawn[0] + 2 * _MARGIN + 2 * _LABELS, drawn[1] + 2 * _MARGIN + 40

    def pixel(xy) -> tuple[float, float]:
        x, y = (np.asarray(xy) - low) * _SCALE
        return float(x + _MARGIN + _LABELS), float(drawn[1] - y + _MARGIN)

    parts = [f"<title>{escape(title)}</title><style>{_STYLE}</style>"]
    parts += [_line("bone", pixel(points[a]), pixel(points[b])) for a, b in figure["segments"]]
    middle = float(np.mean([pixel(spot)[0] for spot in spots]))
    sides = {side: [] for side in (-1, 1)}
    for mark, spot in zip(marks, spots, strict=True):
        parts += _symbol(mark, spot, in_ground, pixel, turns[index[mark.body]])
        sides[1 if pixel(spot)[0] >= middle else -1].append((pixel(spot), mark))
    for side, group in sides.items():
        parts += _labels(side, group, width)
    legend = (
        "● found, with 95 % ellipse and axes (x long, y short)   ○ as given   "
        "orange: not observable, left as given"
    )
    parts.append(f'<text class="soft" x="{_MARGIN}" y="{height - 14:.0f}">{escape(legend)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" role="img">' + "".join(parts) + "</svg>\n"
    )


def _symbol(mark: Mark, spot, in_ground, pixel, turn) -> list[str]:
    x, y = pixel(spot)
    parts = []
    if mark.given is not None and np.linalg.norm(mark.given - mark.position) > 1e-3:
        gx, gy = pixel(in_ground(mark, mark.given))
        parts.append(_line("shift", (gx, gy), (x, y)))
        parts.append(f'<circle class="given" cx="{gx:.1f}" cy="{gy:.1f}" r="6"/>')
    if not mark.seen:
        return [*parts, f'<circle class="kept" cx="{x:.1f}" cy="{y:.1f}" r="5"/>']
    values, vectors = np.linalg.eigh((turn @ mark.covariance @ turn.T)[:2, :2])
    rx, ry = _ELLIPSE * _SCALE * np.sqrt(np.maximum(values, 0.0))
    angle = -np.degrees(np.arctan2(vectors[1, 0], vectors[0, 0]))
    parts.append(
        f'<ellipse class="doubt" cx="{x:.1f}" cy="{y:.1f}" rx="{rx:.1f}" ry="{ry:.1f}" '
        f'transform="rotate({angle:.1f} {x:.1f} {y:.1f})"/>'
    )
    for axis, length in ((0, 0.06), (1, 0.035)):
        parts.append(_line("axis", (x, y), pixel(spot + length * (turn @ mark.axes[:, axis])[:2])))
    return [*parts, f'<circle class="found" cx="{x:.1f}" cy="{y:.1f}" r="5"/>']


def _labels(side: int, group: list, width: float) -> list[str]:
    """Stand the labels of one side below one another, none closer than a line."""
    parts, last = [], -np.inf
    for (x, y), mark in sorted(group, key=lambda item: item[0][1]):
        row = max(y, last + 19.0)
        last = row
        at, anchor = (width - _LABELS + 15, "start") if side > 0 else (_LABELS - 15, "end")
        parts.append(_line("lead", (x + 8 * side, y), (at - 6 * side, row)))
        parts.append(
            f'<text x="{at:.1f}" y="{row + 4:.1f}" text-anchor="{anchor}">{escape(mark.label)}</text>'
        )
    return parts


def _line(kind: str, one, other) -> str:
    return (
        f'<line class="{kind}" x1="{one[0]:.1f}" y1="{one[1]:.1f}" x2="{other[0]:.1f}" y2="{other[1]:.1f}"/>'
    )


def _still(subject: Subject, q: np.ndarray) -> Estimate:
    nothing = np.zeros((len(q), 0, 3))
    ground = GroundForces((), nothing, nothing, nothing)
    names = subject.model.coordinate_names
    return Estimate(np.arange(len(q), dtype=float), names, q, (), np.zeros((len(q), 0)), ground)


def _widest(subject: Subject, q: np.ndarray) -> np.ndarray:
    """Return the posture, of some fifty, that covers most ground."""
    chosen = q[:: max(len(q) // 50, 1)]
    points = stick_figure(subject, _still(subject, chosen))["points"]
    along = np.array([xy[:, 0] for xy in points.values()])
    return chosen[int(np.argmax(along.max(axis=0) - along.min(axis=0)))]
