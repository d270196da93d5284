"""`sspinn inverse-dynamics`: OpenSim's joint moments of a trial, beside others."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sspinn_opensim.dynamics import moment_table
from sspinn_opensim.dynamics.moment_comparison import compared
from sspinn_opensim.files import write_json
from sspinn_opensim.opensim_io.tables.storage import read_storage
from sspinn_opensim.opensim_io.tools import inverse_dynamics as tool
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.read_back import read_scaling_report
from sspinn_opensim.results.record import recorded
from sspinn_opensim.verbs.trial_of_folder import AnalysedPart, Laboratory, prepared, title_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class InverseDynamics:
    """Joint moments by OpenSim beside others.

    Attributes
    ----------
    rows : tuple of Row
        One for each coordinate.
    compared_with : tuple of str
        Names of the others.
    summary : dict
        What `inverse_dynamics.json` holds.
    """

    rows: tuple[moment_table.Row, ...]
    compared_with: tuple[str, ...]
    summary: dict[str, Any]

    def __str__(self) -> str:
        (from_s, to_s), lowpass_hz = self.summary["window_s"], self.summary["lowpass_hz"]
        filtered = f"filtered at {lowpass_hz:g} Hz" if lowpass_hz > 0 else "unfiltered"
        return "\n".join(
            [
                f"{self.summary['frames']} frames from {from_s:.3f} to {to_s:.3f} s, {filtered}",
                moment_table.as_text(self.rows, self.compared_with),
                *(f"warning: {warning}" for warning in self.summary["warnings"]),
                "wrote inverse_dynamics.sto and .json, and inverse_dynamics_setup.xml for the GUI",
            ]
        )


def inverse_dynamics(
    folder: Path,
    laboratory: Laboratory | None = None,
    *,
    part: AnalysedPart | None = None,
    moments: Path | None = None,
    height_m: float | None = None,
) -> InverseDynamics:
    """Run OpenSim's inverse dynamics in a folder and compare it, coordinate by coordinate.

    It is compared with the folder's `moments.sto` or another table of moments, if there is one, and with the
    inverse dynamics of the converted model on the same filtered motion. Writes `inverse_dynamics.sto`,
    `inverse_dynamics.json` and the set-up.

    Parameters
    ----------
    folder : Path
        Results, or where those of the laboratory's files go.
    moments : Path, optional
        Table with columns ``<coordinate>_moment`` or ``_force``.
    height_m : float, optional
        For moments in percent of body weight times height; by default from `scaling.json`.
    """
    log.info("inverse dynamics", extra={"heading": True})
    if moments is not None:
        read_storage(moments)  # what is wrong with it comes before the work
    with recorded(folder, "inverse-dynamics", title=title_of(laboratory), laboratory=laboratory, part=part):
        trial = prepared(folder, laboratory, part or AnalysedPart())
        result = tool.run(folder, trial)
        height_m = height_m or _height_m(folder)
        table, names, notes = compared(folder, result, moments, height_m)
        summary = {
            "window_s": [trial.from_s, trial.to_s],
            "lowpass_hz": trial.lowpass_hz,
            "frames": len(result.moments.time_s),
            "body_weight_n": result.survey.body_weight_n,
            "height_m": height_m,
            "warnings": [*result.warnings, *notes],
            "coordinates": {row.coordinate: asdict(row) for row in table},
        }
        write_json(ResultsFolder(folder).inverse_dynamics_comparison, summary)
    return InverseDynamics(tuple(table), tuple(names), summary)


def _height_m(folder: Path) -> float | None:
    return read_scaling_report(ResultsFolder(folder)).get("height_m")
