"""Benchmark of contact: when feet of one recording load and unload on several models, and how they stand.

Run ``python -m benchmarks.contact RECORDING RESULTS RESULTS ... --data ../shared/data`` on results folders
that were made of one of the recordings of ``benchmarks.people``. The first folder, say with the built-in
feet, is what the others are compared with. Labels are read here, afterwards.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.people.recordings import RECORDINGS
from benchmarks.people.references import Measured
from casadi_dynamics.model import Model
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic.posture import posture
from sspinn_opensim.anatomy import side_of
from sspinn_opensim.evaluation.curves import Curves, read_estimate
from sspinn_opensim.gait import Contact, contacts
from sspinn_opensim.opensim_io.tables.storage import Table as Motion
from sspinn_opensim.opensim_io.tables.storage import read_storage
from sspinn_opensim.recording.signals.runs import true_runs
from sspinn_opensim.recording.units import GRAVITY
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.training.signals import WEIGHT_SHIFT_S

#: A strike belongs to the one of another curve that is this near, s: steps are 0.25 s apart and more.
_NEAR_S = 0.12


@dataclass(frozen=True)
class Feet:
    """What the feet of one estimate, or of a laboratory, do.

    Parameters
    ----------
    contacts : dict of str to list of Contact
        By side.
    force : dict of str to pair of ndarray
        By side: times in s, vertical force in N.
    """

    contacts: dict[str, list[Contact]]
    force: dict[str, tuple[np.ndarray, np.ndarray]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.contact", description=__doc__)
    parser.add_argument("recording", choices=RECORDINGS)
    parser.add_argument("results", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    recorded = RECORDINGS[options.recording]
    measured = recorded.measured(options.data / recorded.reference)
    rows = compare(options.results, measured, recorded.mass_kg)
    if options.json:
        print(json.dumps(rows, indent=1))
        return 0
    table = Table(options.recording, *(str(folder) for folder in options.results), box=None)
    for key in dict.fromkeys(key for row in rows for key in row):
        table.add_row(key, *(f"{row[key]:.3g}" if key in row else "" for row in rows))
    Console(width=200).print(table)
    return 0


def compare(folders: Sequence[Path], measured: Measured, mass_kg: float) -> list[dict[str, float]]:
    """Return what the feet of each results folder do, beside the laboratory and the first folder.

    Returns
    -------
    list of dict of str to float
        `onset_ms`, `toe_off_ms` and their `*_of_first_ms`: mean by which a foot loads and unloads later than
        it does in the laboratory, and in the first folder; `force_up`, and by how much it is beyond the first
        folder's: root mean square error of vertical forces, percent of body weight, mean over sides;
        `standing_force_SIDE` and `standing_speed_SIDE`: the same of a foot, and the root mean square speed of
        its contact points, m/s, while the person stands still, where the estimate has such a time.
    """
    weight_n = mass_kg * GRAVITY
    laboratory = _feet(
        {side: (t, force[:, 1]) for side, (t, force) in measured.ground_force.items()}, weight_n
    )
    rows, first = [], None
    for folder in folders:
        model = read_model(ResultsFolder(folder).subject)
        estimate = read_estimate(folder, model)
        own = _feet(
            {side: (estimate.time_s, force[:, 1]) for side, force in estimate.ground_force.items()}, weight_n
        )
        first = first or own
        rows.append(
            _later(own, laboratory, "ms")
            | _later(own, first, "of_first_ms")
            | {"force_up": force_error(own, laboratory, weight_n)}
            | standing(folder, model, estimate, laboratory, weight_n)
        )
        rows[-1]["force_up_beyond_first"] = rows[-1]["force_up"] - rows[0]["force_up"]
    return rows


def _feet(force: dict[str, tuple[np.ndarray, np.ndarray]], weight_n: float) -> Feet:
    return Feet({side: contacts(t, f, weight_n) for side, (t, f) in force.items()}, force)


def _later(own: Feet, other: Feet, unit: str) -> dict[str, float]:
    """Return by how much feet load and unload later than others', mean over strikes and sides, ms."""
    found = {}
    for name, seen, at in (("onset", "begins", "strike_s"), ("toe_off", "ends", "toe_off_s")):
        later = []
        for side in set(own.contacts) & set(other.contacts):
            mine, theirs = (
                np.array([getattr(c, at) for c in feet.contacts[side] if getattr(c, seen)])
                for feet in (own, other)
            )
            if len(mine) and len(theirs):
                nearest = np.abs(mine[:, None] - theirs[None]).argmin(axis=0)
                apart = mine[nearest] - theirs
                later += apart[np.abs(apart) < _NEAR_S].tolist()
        if later:
            found[f"{name}_{unit}"] = 1000.0 * float(np.mean(later))
    return found


def force_error(own: Feet, other: Feet, weight_n: float) -> float:
    """Return the root mean square error of vertical forces, percent of body weight, mean over sides."""
    errors = []
    for side, (time_s, force) in other.force.items():
        at_s, mine = own.force[side]
        inside = (time_s >= at_s[0]) & (time_s <= at_s[-1]) & np.isfinite(force)
        errors.append(np.sqrt(np.mean((np.interp(time_s[inside], at_s, mine) - force[inside]) ** 2)))
    return 100.0 * float(np.mean(errors)) / weight_n


def standing(
    folder: Path, model: Model, estimate: Curves, laboratory: Feet, weight_n: float
) -> dict[str, float]:
    """Return how feet stand while the person stands still, as `compare` does."""
    results, time_s = ResultsFolder(folder), estimate.time_s
    still = np.zeros(len(time_s), bool)
    for phase in json.loads(results.spatiotemporal.read_text()).get("phases", []):
        if phase["kind"] == "standing":
            # Beside a step people shift their weight; where the recording ends, nobody steps.
            from_s = phase["from_s"] + (WEIGHT_SHIFT_S if phase["from_s"] > 0.0 else 0.0)
            to_s = phase["to_s"] - (WEIGHT_SHIFT_S if phase["to_s"] < time_s[-1] - 0.02 else 0.0)
            still |= (time_s >= from_s) & (time_s <= to_s)
    if still.sum() < 2:
        return {}
    found, motion = {}, read_storage(results.kinematics)
    for side, (at_s, force) in laboratory.force.items():
        belt = np.interp(time_s[still], at_s, force)
        error = estimate.ground_force[side][still, 1] - belt
        found[f"standing_force_{side}"] = 100.0 * float(np.sqrt(np.mean(error**2))) / weight_n
        found[f"standing_speed_{side}"] = _speed(model, motion, side, still)
    return found


def _speed(model: Model, motion: Motion, side: str, still: np.ndarray) -> float:
    """Return the root mean square speed of the contact points of a side, m/s."""
    turning = {c.name for c in model.coordinates if c.motion == "rotational"}
    spheres = [s for s in model.contact_spheres if side_of(s.body) == side]
    squared = []
    for first, last in true_runs(still):
        # With the frame before and the one after, for central differences.
        rows = slice(max(first - 1, 0), min(last + 1, len(still)))
        places = []
        for row in motion.values[rows]:
            values = dict(zip(motion.names, row, strict=True))
            there = posture(
                model, {n: float(np.radians(v) if n in turning else v) for n, v in values.items()}
            )
            places.append([there.in_ground(sphere.body, sphere.location) for sphere in spheres])
        velocity = np.gradient(np.array(places), motion.time_s[rows], axis=0)
        squared.append((velocity**2).sum(-1)[still[rows]].ravel())
    return float(np.sqrt(np.concatenate(squared).mean()))


if __name__ == "__main__":
    raise SystemExit(main())
