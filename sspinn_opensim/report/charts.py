"""Line charts as small inline SVG, drawn with classes only: the page's style sheet decides every colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

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
        CSS class that gives colour and stroke, such as ``estimate`` or ``reference``.
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
    """

    x: np.ndarray
    low: np.ndarray
    high: np.ndarray


def line_chart(  # noqa: C901 (one figure from top to bottom)
    lines: Sequence[Line],
    *,
    title: str,
    unit: str,
    x_label: str,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
    note: str = "",
    log: bool = False,
    cursor: bool = False,
    band: Band | None = None,
) -> str:
    """Draw curves over a common axis.

    Parameters
    ----------
    lines : sequence of Line
        Drawn in order, the last on top; at least one with a finite point.
    title, unit, note : str
        Caption, unit of the vertical axis (shown with the title) and a remark beside the title.
    x_range : tuple of 2 floats, optional
        By default what the lines span.
    y_range : tuple of 2 floats, optional
        Values the vertical axis holds besides those of the lines, so that charts can share it.
    log : bool
        Logarithmic vertical axis; values that are not positive are left out.
    cursor : bool
        Whether the page's animation moves a time mark through the chart.
    band : Band, optional
        Area about one of the lines, on a linear axis.

    Returns
    -------
    str
        A ``<figure>``; empty when there is nothing to draw.
    """
    drawn = [(_thin(line), line.role) for line in lines]
    if log:
        drawn = [((x, np.log10(np.where(y > 0, y, np.nan))), role) for (x, y), role in drawn]
    finite = [y[np.isfinite(y)] for (_, y), _ in drawn]
    if not any(len(y) for y in finite):
        return ""
    if band is not None:
        finite += [band.low, band.high]
    if y_range is not None:
        finite.append(np.array(y_range))
    low, high = min(y.min() for y in finite if len(y)), max(y.max() for y in finite if len(y))
    y_ticks = _decades(low, high) if log else _nice_ticks(low, high)
    low, high = min(low, y_ticks[0]), max(high, y_ticks[-1])
    if x_range is None:
        x_range = min(x.min() for (x, _), _ in drawn), max(x.max() for (x, _), _ in drawn)
    x_ticks = [tick for tick in _nice_ticks(*x_range) if x_range[0] - 1e-9 <= tick <= x_range[1] + 1e-9]

    def px(x):
        return LEFT + (x - x_range[0]) / ((x_range[1] - x_range[0]) or 1.0) * (WIDTH - LEFT - RIGHT)

    def py(y):
        return HEIGHT - BOTTOM - (y - low) / ((high - low) or 1.0) * (HEIGHT - TOP - BOTTOM)

    parts = []
    for tick in y_ticks:
        kind = "zero" if tick == 0 and not log and low < 0 else "grid"
        parts.append(
            f'<line class="{kind}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{py(tick):.1f}" y2="{py(tick):.1f}"/>'
        )
        label = _power(tick) if log else _number(tick)
        parts.append(f'<text class="tick end" x="{LEFT - 5}" y="{py(tick) + 3.5:.1f}">{label}</text>')
    for tick in x_ticks:
        parts.append(
            f'<text class="tick mid" x="{px(tick):.1f}" y="{HEIGHT - BOTTOM + 13}">{_number(tick)}</text>'
        )
    middle = LEFT + (WIDTH - LEFT - RIGHT) / 2
    parts.append(f'<text class="axis mid" x="{middle:.0f}" y="{HEIGHT - 6}">{escape(x_label)}</text>')
    if band is not None:
        (x, upper), (_, lower) = _thin(Line(band.x, band.high, "")), _thin(Line(band.x, band.low, ""))
        edge = _path(px(np.append(x, x[::-1])), py(np.append(upper, lower[::-1])))
        parts.append(f'<path class="band" d="{edge}Z"/>')
    parts += [f'<path class="line {role}" d="{_path(px(x), py(y))}"/>' for (x, y), role in drawn]
    if cursor:
        parts.append(f'<line class="cursor" x1="-9" x2="-9" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
    data = f' data-from="{x_range[0]:.6g}" data-to="{x_range[1]:.6g}"' if cursor else ""
    remark = f'<span class="note">{escape(note)}</span>' if note else ""
    return (
        f"<figure><figcaption><b>{escape(title)}</b> <span class=unit>{escape(unit)}</span>{remark}"
        "</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title, quote=True)}"{data}>'
        + "".join(parts)
        + "</svg></figure>"
    )


def _thin(line: Line) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(line.x, float), np.asarray(line.y, float)
    step = -(-len(x) // MOST_POINTS)
    return x[::step], y[::step]


def _path(px: np.ndarray, py: np.ndarray) -> str:
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


def _power(exponent: float) -> str:
    if -3 <= exponent <= 3:
        return f"{10.0**exponent:g}"
    return f"10<tspan dy='-4' font-size='7'>{_number(exponent)}</tspan>"
