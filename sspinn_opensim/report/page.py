"""Data that the parts of one report share, and the horizontal axis of every chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any

import numpy as np

from sspinn_opensim.evaluation.data import EvaluationData
from sspinn_opensim.report.charts import Band, Line, line_chart

#: s shown of a recording without a known gait cycle.
SHOWN_S = 5.0


@dataclass(frozen=True)
class Section:
    """A titled part of the page."""

    key: str
    title: str
    body: str

    @property
    def html(self) -> str:
        """The part as HTML, with an anchor."""
        return f'<section id="{self.key}"><h2>{escape(self.title)}</h2>\n{self.body}</section>'


@dataclass(frozen=True)
class Page:
    """What the sections of one report share.

    Attributes
    ----------
    trial : dict or None
        This recording's entry of the metrics; None without a reference.
    """

    study: Any
    data: EvaluationData
    trial: Mapping[str, Any] | None

    @cached_property
    def cycle_s(self) -> float | None:
        """Period of the horizontal axis, s, if the charts run over a gait cycle."""
        return self.data.recording.cycle_s if self.data.cycles else None

    @cached_property
    def x_label(self) -> str:
        """Label of the horizontal axis."""
        return "gait cycle (%)" if self.cycle_s else "time (s)"

    @cached_property
    def x_range(self) -> tuple[float, float]:
        """Limits of the horizontal axis."""
        if self.cycle_s:
            return 0.0, 100.0
        last = float(self.data.frames_s[-1])
        return max(float(self.data.frames_s[0]), last - SHOWN_S), last

    def axis(self, time_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (frames, x): which frames of a table the charts show, in drawing order, and where."""
        time_s = np.asarray(time_s)
        if not self.cycle_s:
            frames = np.flatnonzero((time_s >= self.x_range[0] - 1e-9) & (time_s <= self.x_range[1] + 1e-9))
            return frames, time_s[frames]
        evaluated = self.data.frames_s
        step = evaluated[1] - evaluated[0] if len(evaluated) > 1 else self.cycle_s
        end = evaluated[-1] + 0.5 * step
        frames = np.flatnonzero((time_s > end - self.cycle_s) & (time_s < end))
        phase = (time_s[frames] - self.data.recording.time_s[0]) / self.cycle_s
        phase = 100.0 * np.mod(phase + 1e-9, 1.0)
        order = np.argsort(phase)
        return frames[order], phase[order]

    def chart(
        self,
        lines: Sequence[tuple[np.ndarray, np.ndarray, str]],
        band: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
        **text: str,
    ) -> str:
        """Draw (time_s, values, role) curves, and a (time_s, low, high) band, on the page's axis."""
        drawn, area = [], None
        for time_s, values, role in lines:
            frames, x = self.axis(time_s)
            drawn.append(Line(x, np.asarray(values)[frames], role))
        if band is not None:
            frames, x = self.axis(band[0])
            area = Band(x, np.asarray(band[1])[frames], np.asarray(band[2])[frames])
        return line_chart(drawn, band=area, x_label=self.x_label, x_range=self.x_range, cursor=True, **text)
