"""Line charts: what they show, and the geometry of the small inline SVG that a page makes of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

WIDTH, HEIGHT = 320, 196
LEFT, RIGHT, TOP, BOTTOM = 42, 10, 10, 34
#: More points than this in one line are not visible at the size of these charts.
MOST_POINTS = 600


@dataclass(frozen=True)
class Line:
    """One curve of a chart.

    Attributes
    ----------
    x, y : ndarray, shape (n,)
        NaN breaks the line.
    role : str
        Gives colour and stroke, such as ``estimate`` or ``reference``: a class of the page's style sheet.
    """

    x: np.ndarray
    y: np.ndarray
    role: str


@dataclass(frozen=True)
class Band:
    """An area between two curves, drawn below all lines.

    Attributes
    ----------
    x, low, high : ndarray, shape (n,)
        Finite.
    role : str
        Gives its colour, as that of a `Line`; by default that of the estimate.
    """

    x: np.ndarray
    low: np.ndarray
    high: np.ndarray
    role: str = ""


@dataclass(frozen=True)
class Tick:
    """A mark on an axis.

    Attributes
    ----------
    at : float
        Pixels from the left or from the top.
    label, power : str
        What stands beside it; its exponent, where the label is the base of a power.
    zero : bool
        Whether it is the zero line of an axis that goes below.
    """

    at: float
    label: str
    power: str = ""
    zero: bool = False


@dataclass(frozen=True)
class Drawing:
    """The geometry of a chart in pixels.

    Attributes
    ----------
    x_range : tuple of 2 floats
        Values at the ends of the horizontal axis.
    x_ticks, y_ticks : list of Tick
        From the left, and from the bottom.
    lines : list of (str, str)
        Role and SVG path of each line, in drawing order.
    bands : list of (str, str)
        Class and SVG path of each area.
    """

    x_range: tuple[float, float]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    lines: list[tuple[str, str]]
    bands: list[tuple[str, str]]
    width, height, left, top = WIDTH, HEIGHT, LEFT, TOP
    right, bottom, middle = WIDTH - RIGHT, HEIGHT - BOTTOM, LEFT + (WIDTH - LEFT - RIGHT) // 2


@dataclass(frozen=True)
class Chart:
    """Curves over a common axis.

    Attributes
    ----------
    lines : sequence of Line
        Drawn in order, the last on top.
    title, unit, x_label, note : str
        Caption, unit of the vertical axis (shown with the title), label of the horizontal axis, and a remark
        beside the title.
    x_range : tuple of 2 floats or None
        None: what the lines span.
    y_range : tuple of 2 floats or None
        Values the vertical axis holds besides those of the lines, so that charts can share it.
    log : bool
        Logarithmic vertical axis; values that are not positive are left out.
    cursor : bool
        Whether the page's animation moves a time mark through the chart.
    bands : sequence of Band
        Areas about lines, on a linear axis.
    """

    lines: tuple[Line, ...]
    title: str
    unit: str = ""
    x_label: str = "time (s)"
    note: str = ""
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    log: bool = False
    cursor: bool = False
    bands: tuple[Band, ...] = ()

    @cached_property
    def drawing(self) -> Drawing | None:
        """The geometry; None when there is nothing to draw."""
        drawn = [(_thinned(line.x), _thinned(line.y), line.role) for line in self.lines]
        if self.log:
            drawn = [(x, np.log10(np.where(y > 0, y, np.nan)), role) for x, y, role in drawn]
        values = [y[np.isfinite(y)] for _, y, _ in drawn]
        if not any(len(y) for y in values):
            return None
        areas = [(b.role, [_thinned(curve) for curve in (b.x, b.low, b.high)]) for b in self.bands]
        values += [np.array(self.y_range or ()), *(edge for _, area in areas for edge in area[1:])]
        low, high = min(y.min() for y in values if len(y)), max(y.max() for y in values if len(y))
        y_ticks = _decades(low, high) if self.log else _nice_ticks(low, high)
        low, high = min(low, y_ticks[0]), max(high, y_ticks[-1])
        start, end = self.x_range or (min(x.min() for x, _, _ in drawn), max(x.max() for x, _, _ in drawn))

        def px(x: Any) -> Any:
            return LEFT + (x - start) / ((end - start) or 1.0) * (WIDTH - LEFT - RIGHT)

        def py(y: Any) -> Any:
            return HEIGHT - BOTTOM - (y - low) / ((high - low) or 1.0) * (HEIGHT - TOP - BOTTOM)

        bands = [
            (
                f"band {role}".strip(),
                _path(px(np.append(x, x[::-1])), py(np.append(upper, lower[::-1]))) + "Z",
            )
            for role, (x, lower, upper) in areas
        ]
        x_ticks = [tick for tick in _nice_ticks(start, end) if start - 1e-9 <= tick <= end + 1e-9]
        return Drawing(
            x_range=(float(start), float(end)),
            x_ticks=[Tick(px(tick), _number(tick)) for tick in x_ticks],
            y_ticks=[
                Tick(py(tick), *_power(tick))
                if self.log
                else Tick(py(tick), _number(tick), zero=tick == 0 and low < 0)
                for tick in y_ticks
            ],
            lines=[(role, _path(px(x), py(y))) for x, y, role in drawn],
            bands=bands,
        )


def _thinned(curve: np.ndarray) -> np.ndarray:
    return np.asarray(curve, float)[:: max(-(-len(curve) // MOST_POINTS), 1)]


def _path(px: Iterable[float], py: Iterable[float]) -> str:
    """Straight segments between finite points; a new ``M`` after every gap."""
    commands, pen_down = [], False
    for x, y in zip(px, py, strict=True):
        if np.isfinite(y):
            commands.append(f"{'L' if pen_down else 'M'}{x:.1f} {y:.1f}")
        pen_down = bool(np.isfinite(y))
    return "".join(commands)


def _nice_ticks(low: float, high: float) -> list[float]:
    """At most seven round numbers in equal steps, the outer ones enclosing nearly everything."""
    span = high - low
    if span <= 1e-9 * max(abs(low), abs(high), 1e-9):
        low, high = low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(high) or 1.0)
        span = high - low
    rough = span / 4
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(f * power for f in (1, 2, 2.5, 5, 10) if f * power >= rough * 0.999)
    first, last = np.floor(low / step + 0.15), np.ceil(high / step - 0.15)
    return [float(round(k * step, 12)) for k in np.arange(first, last + 1)]


def _decades(low: float, high: float) -> list[float]:
    first, last = int(np.floor(low)), int(np.ceil(high))
    stride = max(1, -(-(last - first) // 5))
    return [float(k) for k in range(first, max(last, first + 1) + 1, stride)]


def _number(value: float) -> str:
    return f"{value:g}".replace("-", "\u2212")


def _power(exponent: float) -> tuple[str, str]:
    return (f"{10.0**exponent:g}", "") if -3 <= exponent <= 3 else ("10", _number(exponent))
