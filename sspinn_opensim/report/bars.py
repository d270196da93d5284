"""Bar charts as one SVG file: a row for each variant, a panel for each number, whiskers over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from statistics import median

_PANEL, _GAP, _ROW, _TOP, _BOTTOM = 170, 22, 22, 72, 16
#: Room for the names of the rows: at least this much, or so much for every letter of the longest.
_LABEL, _LETTER = 130, 7.4
_BAR = 12
#: A bar longer than so many times the middle one is cut: it would leave the others without length.
_LONGEST = 6.0
_STYLE = (
    "text{font:12px system-ui,'Segoe UI',Helvetica,Arial,sans-serif;fill:#1c2530}.head{font-weight:600}"
    ".soft{fill:#5b6673;font-size:11px;paint-order:stroke;stroke:#ffffff;stroke-width:3px}.end{text-anchor:end}.bar{fill:#0072b2;opacity:.75}"
    ".first{fill:#1c2530;opacity:.8}.range{stroke:#1c2530;stroke-width:1.4}"
    ".mark{stroke:#d55e00;stroke-width:1.2;stroke-dasharray:4 3}"
)


@dataclass(frozen=True)
class Panel:
    """One number of every variant.

    Attributes
    ----------
    bars : mapping of variant to (middle, lowest, highest)
        None of them negative; a variant without the number is left out.
    """

    title: str
    unit: str
    bars: Mapping[str, tuple[float, float, float]]


def bar_panels(variants: Sequence[str], panels: Sequence[Panel], *, title: str) -> str:
    """Draw panels side by side over common rows.

    Parameters
    ----------
    variants : sequence of str
        Rows from top to bottom; a dashed line carries the first one's value through all others.
    panels : sequence of Panel
        Those without a bar are left out.

    Returns
    -------
    str
        A complete SVG document.
    """
    panels = [panel for panel in panels if panel.bars]
    height = _TOP + _ROW * len(variants) + _BOTTOM
    label = max([_LABEL, *(20 + round(_LETTER * len(variant)) for variant in variants)])
    width = label + (_PANEL + _GAP) * len(panels)
    parts = [f'<text class="head" x="10" y="20">{escape(title)}</text>']
    for row, variant in enumerate(variants):
        parts.append(_text("end", label - 10, _middle(row) + 4, variant))
    for column, panel in enumerate(panels):
        parts += _panel(panel, variants, label + column * (_PANEL + _GAP))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="{escape(title, quote=True)}"><style>{_STYLE}</style>'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{"".join(parts)}</svg>\n'
    )


def _panel(panel: Panel, variants: Sequence[str], left: float) -> list[str]:
    usual = median(middle for middle, _, _ in panel.bars.values())
    longest = max(high for _, _, high in panel.bars.values())
    longest = min(longest, _LONGEST * usual) if usual > 0 else longest
    # The number stands behind the whisker; the longest bar leaves it room.
    room = _PANEL - 44

    def px(value: float) -> float:
        return min(value / longest, 1.0) * room if longest > 0 else 0.0

    numbers = []
    parts = [_text("head", left, _TOP - 24, panel.title), _text("soft", left, _TOP - 10, panel.unit)]
    for row, variant in enumerate(variants):
        if variant not in panel.bars:
            continue
        value = panel.bars[variant][0]
        middle, low, high = (left + px(x) for x in panel.bars[variant])
        y, cut = _middle(row), panel.bars[variant][2] > longest
        kind = "bar first" if row == 0 else "bar"
        parts.append(
            f'<rect class="{kind}" x="{left:.1f}" y="{y - _BAR / 2:.1f}" width="{middle - left:.1f}" '
            f'height="{_BAR}"/>'
        )
        if high > low:
            parts.append(_line("range", low, y, high, y))
            parts += [_line("range", x, y - 4, x, y + 4) for x in ((low,) if cut else (low, high))]
        numbers.append(_text("soft", high + 5, y + 4, f"{value:.3g}" + (" \u2192" if cut else "")))
    if variants and variants[0] in panel.bars:
        x = left + px(panel.bars[variants[0]][0])
        parts.append(_line("mark", x, _TOP, x, _TOP + _ROW * len(variants)))
    return parts + numbers


def _middle(row: int) -> float:
    return _TOP + _ROW * (row + 0.5)


def _text(kind: str, x: float, y: float, text: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
