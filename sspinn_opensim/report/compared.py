"""Curves and errors of one report: charts of an estimate beside its reference and rivals, and tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

import numpy as np

from sspinn_opensim.anatomy import SIDES, readable
from sspinn_opensim.evaluation.curves import Curves
from sspinn_opensim.evaluation.data import EvaluationData
from sspinn_opensim.evaluation.metrics import BAND_DEVIATIONS, QUANTITIES, mean_key
from sspinn_opensim.report.axis import Axis
from sspinn_opensim.report.charts import Band, Chart, Line
from sspinn_opensim.report.page import Table
from sspinn_opensim.study import Study
from sspinn_opensim.text import fixed, signed

_Convert = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Compared:
    """What the sections of one report show.

    Attributes
    ----------
    study : Study
        Names the person.
    data : EvaluationData
        The curves.
    trial : mapping or None
        This recording's entry of the metrics; None without a reference.
    axis : Axis
        Of every chart over time.
    """

    study: Study
    data: EvaluationData
    trial: Mapping[str, Any] | None
    axis: Axis

    def chart(
        self, lines: Iterable[tuple[np.ndarray, np.ndarray, str]], band: Band | None = None, **text: Any
    ) -> Chart:
        """Return a chart of (time_s, values, role) curves, and of a band over time, on the report's axis."""
        drawn = []
        for time_s, values, role in lines:
            frames, x = self.axis.of_times(time_s)
            drawn.append(Line(x, np.asarray(values)[frames], role))
        if band is not None:
            frames, x = self.axis.of_times(band.x)
            band = Band(x, band.low[frames], band.high[frames])
        span, label = self.axis.span, self.axis.label
        bands = () if band is None else (band,)
        return Chart(tuple(drawn), x_label=label, x_range=span, bands=bands, cursor=True, **text)

    def curves(
        self, kind: Literal["angles", "moments", "ground_force"], name: str, convert: _Convert, **text: str
    ) -> Chart:
        """Return a chart of one curve: reference, baseline, every seed, and the first one's band on top."""
        data, lines = self.data, []
        for source, role in ((data.reference, "reference"), (data.baseline, "baseline")):
            if source and name in getattr(source, kind):
                lines.append((data.frames_s, convert(getattr(source, kind)[name]), role))
        first, *others = data.seeds.values()
        for curves, role in (*((curves, "seed") for curves in others), (first, "estimate")):
            lines.append((curves.time_s, convert(getattr(curves, kind)[name]), role))
        deviations = getattr(data.first[1] or Curves(first.time_s), kind)
        band = None
        if name in deviations:
            middle = convert(getattr(first, kind)[name])
            half = BAND_DEVIATIONS * np.abs(convert(deviations[name]))
            band = Band(first.time_s, middle - half, middle + half)
        return self.chart(lines, band, **text)

    def note(self, quantity: str, name: str) -> str:
        """Return the error of one curve in words; nothing where it is not scored."""
        group, suffix, _ = QUANTITIES[quantity]
        score = self.trial and self.trial["median"][group].get(name)
        if not score:
            return ""
        unit = {"deg": "\u00b0", "bwbh": " BWBH%", "bw": " %BW"}[suffix]
        return f"RMSD {score['rmsd']:.{_digits(quantity)}f}{unit}"

    def joints_first(self, names: Iterable[str]) -> list[str]:
        """Sort coordinates: joints that can be scored first, then the others, the root's last."""
        data, reference = self.data, self.data.reference
        roots = set(data.model.root_coordinates())
        known = {*reference.angles, *reference.moments} if reference else set()
        return sorted(names, key=lambda name: (name in roots, name not in data.joints, name not in known))

    def legend(self, baseline: bool = False) -> list[tuple[str, str]]:
        """Return (role, meaning) of the lines."""
        data, several = self.data, len(self.data.seeds) > 1
        entries = {
            "estimate": "estimate (first seed)" if several else "estimate",
            "seed": "other seeds" if several else "",
            "band": "95 % band of the estimate" if data.first[1] else "",
            "reference": "reference" if data.reference else "",
            "baseline": "baseline: gyroscopes and gravity" if baseline and data.baseline.angles else "",
        }
        return [(role, text) for role, text in entries.items() if text]

    def errors(self, quantity: str) -> Iterator[tuple[str, Table]]:
        """Give heading and table of the errors of a quantity; nothing where it is not scored."""
        group, _, unit = QUANTITIES[quantity]
        trial = self.trial
        if not trial or not trial["median"][group]:
            return
        digits, rivals = _digits(quantity), _rivals(trial, group)
        banded = trial["median"][mean_key(quantity, "coverage")] is not None
        columns = ["", "RMSD", "bias", "spread", "correlation"]
        columns += ["in 95 % band (%)", "band, \u00b1"] if banded else []
        columns += [f"RMSD, {name}" for name in rivals]

        def row(
            label: str, numbers: Mapping[str, Any], bias: str, others: Iterable[float | None]
        ) -> list[str]:
            cells = [label, fixed(numbers["rmsd"], digits), bias, fixed(numbers["spread"], digits)]
            cells.append(fixed(numbers["correlation"], 3))
            if banded:
                coverage = numbers["coverage"]
                cells.append(fixed(None if coverage is None else 100 * coverage, 0))
                cells.append(fixed(numbers["half_width"], digits))
            return [*cells, *(fixed(value, digits) for value in others)]

        rows = []
        for name, score in trial["median"][group].items():
            label = f"{SIDES[name]} foot" if name in SIDES else readable(name)
            others = ((scores[group].get(name) or {}).get("rmsd") for scores in rivals.values())
            rows.append(row(label, score, signed(score["bias"], digits), others))
        if several := len(rows) > 1:
            names = ("rmsd", "bias", "spread", "correlation", "coverage", "half_width")
            mean = {number: trial["median"][mean_key(quantity, number)] for number in names}
            others = (scores[mean_key(quantity, "rmsd")] for scores in rivals.values())
            rows.append(row("mean", mean, f"|{fixed(mean['bias'], digits)}|", others))
        kind = {"grf_vertical": "Vertical force", "grf_horizontal": "Fore-aft force"}.get(quantity, "Errors")
        yield f"{kind}, {unit}", Table(columns, rows, bold_last=several)


def _rivals(trial: Mapping[str, Any], group: str) -> dict[str, Mapping[str, Any]]:
    """Return the scores that stand beside those of the estimate, by the name of their column."""
    rivals = {"baseline": trial["baseline"], "constant posture": trial["constant_posture"]}
    rivals = {name: scores for name, scores in rivals.items() if scores[group]}
    if len(trial["seeds"]) > 1:
        rivals |= {seed.replace("_", " "): scores for seed, scores in trial["seeds"].items()}
    if lag := trial["declared_lag"]:
        rivals[f"lag {1000 * lag['lag_s']:.0f} ms"] = lag["median"]
    return rivals


def _digits(quantity: str) -> int:
    return 2 if quantity == "moment" else 1
