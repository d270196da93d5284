"""Scores of one evaluation as a table for the console."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sspinn_opensim.evaluation.evaluate import FEWEST_SEEDS
from sspinn_opensim.evaluation.metrics import QUANTITIES, mean_key
from sspinn_opensim.text import text_table

_COLUMNS = ("", "RMSD", "bias", "spread", "r", "seeds", "baseline", "constant", "lag", "in band")


def score_table(metrics: Mapping[str, Any]) -> str:
    """Return the scores that `evaluate` gave as text of at most 100 columns, ready to print."""
    if not metrics["trials"]:
        return f"Reference: {metrics['reference']}."
    lines = []
    for name, trial in metrics["trials"].items():
        seeds = len(trial["seeds"])
        columns = _COLUMNS if _has_band(trial) else _COLUMNS[:-1]
        lines += [
            f"{name}: estimate against {metrics['reference']}, zero time shift, "
            + (f"median of {seeds} seeds" if seeds > 1 else "one seed"),
            text_table(columns, (row[: len(columns)] for row in _rows(trial))),
            *(f"  {note}" for note in _notes(trial)),
        ]
    return "\n".join(lines)


def _rows(trial: Mapping[str, Any]) -> Iterator[list[str]]:
    """Give a row for the mean of every quantity, and one for each of its joints or sides."""
    for quantity, (group, _, _) in QUANTITIES.items():
        if trial["median"][mean_key(quantity, "rmsd")] is None:
            continue
        unit = {"angle": "deg", "moment": "BWBH%"}.get(quantity, "%BW")

        def of_mean(scores: Mapping[str, Any], number: str, quantity: str = quantity) -> Any:
            return scores[mean_key(quantity, number)]

        yield _row(trial, f"{quantity.replace('grf_', 'GRF ')} [{unit}]", of_mean, bias=".2f")
        for name in trial["median"][group]:

            def of_joint(scores: Mapping[str, Any], number: str, group: str = group, name: str = name) -> Any:
                return (scores[group].get(name) or {}).get(number)

            yield _row(trial, f"  {name}", of_joint, bias="+.2f")


def _row(
    trial: Mapping[str, Any], label: str, number_of: Callable[[Mapping[str, Any], str], Any], bias: str
) -> list[str]:
    """Return one row; `number_of` takes the scores of an estimate or of a rival, and the number's name."""
    median, lag = trial["median"], trial["declared_lag"]

    def text(scores: Mapping[str, Any] | None, number: str, style: str = ".2f") -> str:
        value = None if scores is None else number_of(scores, number)
        return "" if value is None else f"{value:{style}}"

    seeds = number_of(trial["range_over_seeds"], "rmsd")
    return [
        f"  {label}",
        text(median, "rmsd"),
        text(median, "bias", bias),
        text(median, "spread"),
        text(median, "correlation"),
        f"{seeds[0]:.2f} - {seeds[1]:.2f}" if len(trial["seeds"]) > 1 else "",
        text(trial["baseline"], "rmsd"),
        text(trial["constant_posture"], "rmsd"),
        text(lag and lag["median"], "rmsd"),
        text(median, "coverage", ".0%"),
    ]


def _notes(trial: Mapping[str, Any]) -> list[str]:
    lag, baseline, joints = trial["declared_lag"], trial["baseline"], len(trial["median"]["angles"])
    notes = [
        "bias: mean error (of several joints: mean of its size); spread: deviation of the error about it",
        "baseline: RMSD of gyro integration and mean gravity; constant: of a posture that never moves",
    ]
    if 0 < len(baseline["angles"]) < joints:
        notes.append(
            f"these sensors give the baseline {len(baseline['angles'])} of {joints} joints; "
            f"there the estimate has {baseline['estimate_on_same_joints_deg']:.2f}"
        )
    notes.append(
        f"lag: RMSD against the reference delayed by {1000 * lag['lag_s']:g} ms, declared, not fitted"
        if lag
        else "lag: none is declared between sensors and reference"
    )
    if single := trial["per_stride"]:
        notes.append(f"over single strides: {', '.join(_single_strides(single))}")
    if _has_band(trial):
        notes.append("in band: share of frames whose reference lies in the 95 % band")
    if len(trial["seeds"]) < FEWEST_SEEDS:
        notes.append(
            f"fewer than {FEWEST_SEEDS} seeds: chance is not told apart from effect; --seeds 0,1,2 does"
        )
    return notes


def _single_strides(scores: Mapping[str, Any]) -> Iterator[str]:
    """Give mean and deviation over strides of each quantity, in words."""
    for quantity in QUANTITIES:
        key = mean_key(quantity, "rmsd")
        if scores[key] is not None:
            spread = scores[f"{key}_sd"]
            unit = {"angle": "deg", "moment": "BWBH%"}.get(quantity, "%BW")
            more = "" if spread is None else f" \u00b1 {spread:.2f}"
            yield f"{quantity.replace('grf_', 'GRF ')} {scores[key]:.2f}{more} {unit}"


def _has_band(trial: Mapping[str, Any]) -> bool:
    return any(trial["median"][mean_key(quantity, "coverage")] is not None for quantity in QUANTITIES)
