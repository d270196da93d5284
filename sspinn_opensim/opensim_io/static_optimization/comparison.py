"""Muscle forces of several trials over the same share of their windows: mean, deviation, peaks, verdicts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.files import write_atomically
from sspinn_opensim.opensim_io.tables.storage import read_storage
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.read_back import read_verdict
from sspinn_opensim.text import csv_table

_PERCENT = np.linspace(0.0, 100.0, 101)
_TABLES = {
    "muscle_forces": ResultsFolder.muscle_forces.name,
    "muscle_activations": ResultsFolder.muscle_activations.name,
}


@dataclasses.dataclass(frozen=True)
class MuscleComparison:
    """Trials with the same muscles.

    Parameters
    ----------
    percent : ndarray, shape (101,)
        Of each trial's analysed window.
    curves : dict
        By ``muscle_forces`` (N) or ``muscle_activations``, then by trial and muscle, shape (101,).
    verdicts : dict
        The verdict of each trial as its file holds it.
    """

    percent: np.ndarray
    muscles: tuple[str, ...]
    curves: dict[str, dict[str, dict[str, np.ndarray]]]
    verdicts: dict[str, dict]


def muscle_comparison(trials: Mapping[str, Path]) -> MuscleComparison:
    """Read the muscle forces of several folders.

    Raises
    ------
    InputError
        A folder holds no muscle forces, or the trials have different muscles.
    """
    curves: dict[str, dict[str, dict[str, np.ndarray]]] = {key: {} for key in _TABLES}
    verdicts, muscles = {}, None
    for name, folder in trials.items():
        for key, file in _TABLES.items():
            if not (folder / file).is_file():
                raise InputError(
                    "a folder holds no muscle forces",
                    where=str(folder),
                    expected=file,
                    fix="give the --out folders of `sspinn muscles` or `sspinn run`",
                )
            table = read_storage(folder / file)
            muscles = muscles or table.names
            if set(table.names) != set(muscles):
                different = sorted(set(table.names) ^ set(muscles))
                raise InputError(
                    "the trials have different muscles",
                    where=str(folder),
                    found=", ".join(different[:8]) + (" and more" if len(different) > 8 else ""),
                    fix="compare trials of models with the same muscles",
                )
            share = 100 * (table.time_s - table.time_s[0]) / max(np.ptp(table.time_s), 1e-9)
            curves[key][name] = {m: np.interp(_PERCENT, share, table.column(m)) for m in muscles}
        verdicts[name] = read_verdict(ResultsFolder(folder))
    if muscles is None:
        raise InputError("there is nothing to compare", expected="at least one folder with muscle forces")
    return MuscleComparison(_PERCENT, muscles, curves, verdicts)


def write_comparison(comparison: MuscleComparison, out: Path) -> list[Path]:
    """Write mean and standard deviation over trials of every muscle, and a table of the trials.

    ``muscle_forces_mean_sd.csv`` (N) and ``muscle_activations_mean_sd.csv`` hold a row for each percent of
    the window; ``trials.csv`` a row for each trial: verdict, then the peak force of every muscle, N. The
    deviation is that of a sample (n - 1), and zero for a single trial.
    """
    written = []
    for key, trials in comparison.curves.items():
        columns, labels = [comparison.percent], ["percent"]
        for muscle in comparison.muscles:
            values = np.array([curves[muscle] for curves in trials.values()])
            deviation = values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1])
            columns += [values.mean(axis=0), deviation]
            labels += [f"{muscle}_mean", f"{muscle}_sd"]
        rows = [[f"{value:.6g}" for value in row] for row in np.column_stack(columns)]
        written.append(write_atomically(out / f"{key}_mean_sd.csv", csv_table([labels, *rows])))
    rows = [["trial", *VERDICT_COLUMNS, *(f"peak_{muscle}_n" for muscle in comparison.muscles)]]
    for name in comparison.verdicts:
        peaks = [f"{curve.max():.6g}" for curve in comparison.curves["muscle_forces"][name].values()]
        rows.append([name, *verdict_row(comparison.verdicts[name]), *peaks])
    written.append(write_atomically(ResultsFolder(out).trials, csv_table(rows)))
    return written


VERDICT_COLUMNS = (
    "trusted",
    "from_s",
    "to_s",
    "frames",
    "failed_frames",
    "largest_reserve_percent",
    "largest_residual_force_percent",
    "saturated_muscles",
    "why_not",
)


def verdict_row(verdict: Mapping) -> list[str]:
    """Return a verdict as texts, in the order of `VERDICT_COLUMNS`."""
    if not verdict:
        return [""] * len(VERDICT_COLUMNS)
    residuals = [row["percent"] for row in verdict["residuals"].values()]
    saturated = sum(row["saturated_frames"] > 0 for row in verdict["muscles"].values())
    return [
        "yes" if verdict["ok"] else "no",
        *(f"{time:.3f}" for time in verdict["window_s"]),
        str(verdict["frames"]),
        str(verdict["failed_frames"]),
        f"{verdict['worst_reserve_percent']:.2f}",
        f"{max(residuals, default=0.0):.2f}",
        str(saturated),
        "; ".join(verdict["failures"]),
    ]
