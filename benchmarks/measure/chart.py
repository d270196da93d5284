"""Speed over batch size as an SVG: one panel per model and direction, one line per route."""

from __future__ import annotations

from html import escape
from math import floor, log10

_PANEL = (300, 210)
_MARGIN = (62, 34)
_LEGEND_HEIGHT = 30
#: Colours that colour-blind readers tell apart (Okabe and Ito, "Color Universal Design", 2008).
_COLORS = ("#000000", "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00")


def chart(rows: list[dict]) -> str:
    """Return evaluations per second over batch size, both logarithmic; float32 is dashed."""
    models, directions, routes = ([*dict.fromkeys(row[k] for row in rows)] for k in _KEYS)
    colors = dict(zip(routes, _COLORS, strict=False))
    x_range = _decades([row["batch"] for row in rows])
    y_range = _decades([row["evaluations_per_s"] for row in rows])
    width = len(models) * (_PANEL[0] + _MARGIN[0]) + 20
    height = len(directions) * (_PANEL[1] + 2 * _MARGIN[1]) + _LEGEND_HEIGHT
    parts = []
    for column, model in enumerate(models):
        for line, direction in enumerate(directions):
            own = [row for row in rows if (row["model"], row["direction"]) == (model, direction)]
            left = column * (_PANEL[0] + _MARGIN[0]) + _MARGIN[0]
            top = line * (_PANEL[1] + 2 * _MARGIN[1]) + _MARGIN[1]
            title = f"{model}, {direction.replace('_', ' + ')}"
            panel = _panel(title, own, colors, x_range, y_range)
            parts.append(f'<g transform="translate({left} {top})">{panel}</g>')
    for place, (route, color) in enumerate(colors.items()):
        x, y = _MARGIN[0] + 110 * place, height - 12
        parts.append(f'<path d="M{x} {y - 4}h18" stroke="{color}" stroke-width="2"/>')
        parts.append(f'<text x="{x + 23}" y="{y}">{escape(route)}</text>')
    if any(row["dtype"] == "float32" for row in rows):
        x = _MARGIN[0] + 110 * len(colors)
        parts.append(f'<text x="{x}" y="{height - 12}">dashed: float32</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="11" fill="none">'
        f'<rect width="{width}" height="{height}" fill="#fff"/><g fill="#222">{"".join(parts)}</g></svg>\n'
    )


_KEYS = ("model", "direction", "route")


def _panel(title: str, rows: list[dict], colors: dict[str, str], x_range, y_range) -> str:
    width, height = _PANEL

    def x(batch: float) -> float:
        return _share(batch, x_range) * width

    def y(speed: float) -> float:
        return (1 - _share(speed, y_range)) * height

    parts = [f'<text x="0" y="-8" font-weight="bold">{escape(title)}</text>']
    for power in range(y_range[0], y_range[1] + 1):
        at = y(10.0**power)
        parts.append(f'<path d="M0 {at:.1f}H{width}" stroke="#ddd"/>')
        parts.append(f'<text x="-6" y="{at + 4:.1f}" text-anchor="end">{_power(power)}/s</text>')
    for power in range(x_range[0], x_range[1] + 1):
        at = x(10.0**power)
        parts.append(f'<path d="M{at:.1f} 0V{height}" stroke="#ddd"/>')
        parts.append(f'<text x="{at:.1f}" y="{height + 15}" text-anchor="middle">{_power(power)}</text>')
    parts.append(f'<text x="{width / 2}" y="{height + 29}" text-anchor="middle">batch</text>')
    for route, dtype in dict.fromkeys((row["route"], row["dtype"]) for row in rows):
        own = sorted(
            (row["batch"], row["evaluations_per_s"])
            for row in rows
            if (row["route"], row["dtype"]) == (route, dtype)
        )
        points = " ".join(f"{x(batch):.1f},{y(speed):.1f}" for batch, speed in own)
        dashes = ' stroke-dasharray="4 3"' if dtype == "float32" else ""
        style = f'fill="none" stroke="{colors[route]}" stroke-width="2"{dashes}'
        parts.append(f'<polyline points="{points}" {style}/>')
        dots = (f'<circle cx="{x(b):.1f}" cy="{y(s):.1f}" r="2.5" fill="{colors[route]}"/>' for b, s in own)
        parts.extend(dots)
    return "".join(parts)


def _decades(values: list[float]) -> tuple[int, int]:
    """Return the powers of ten around all values, at least one apart."""
    low, high = floor(log10(min(values))), floor(log10(max(values))) + 1
    return low, max(high, low + 1)


def _share(value: float, decades: tuple[int, int]) -> float:
    return (log10(value) - decades[0]) / (decades[1] - decades[0])


def _power(power: int) -> str:
    return "10" + str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
