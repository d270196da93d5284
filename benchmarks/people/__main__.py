"""Benchmark of people nobody tuned on, real and virtual: signals in, errors against their laboratories out.

Run ``python -m benchmarks.people --data ../shared/data --out FOLDER``, with ``--only NAME ...`` for some real
people, and ``--virtual LEVEL ...`` for virtual ones whose sensors are turned. Every real recording goes the
way of a user: ``sspinn check`` writes the study, the sensors are aligned by their own signals, a network is
trained on the signals alone. Labels are read here, afterwards.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import alignment_people
from benchmarks.alignment_people import Person
from benchmarks.machine import processor
from benchmarks.people import references, virtual
from benchmarks.people.errors import curve_errors, write_errors
from benchmarks.people.recordings import IN_SPACE, RECORDINGS, write_study
from benchmarks.people.scores import accelerometer_delay, baseline_scores, scores
from benchmarks.people.space import angle_scores, read_angles, space_scores, space_table
from benchmarks.virtual_imu import Trial
from casadi_dynamics.errors import InputError
from casadi_dynamics.osim import read_model
from sspinn_opensim import estimate, opensense, scale, train
from sspinn_opensim.alignment.types import Alignment
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.study import Study, read_study
from sspinn_opensim.study.read import override
from sspinn_opensim.verbs.prepared import Prepared, prepare

#: Columns of a table that fit beside each other.
_BESIDE = 6


def main(arguments: list[str] | None = None) -> int:
    """Run the recordings and print the table; write ``people.json`` beside the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.people", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="*", choices=RECORDINGS, help="real people; none: virtual alone")
    parser.add_argument(
        "--virtual",
        nargs="*",
        type=float,
        metavar="DEG",
        help="levels of turned sensors, degrees; default: 8, and none with --only",
    )
    parser.add_argument(
        "--virtual-people", type=int, default=3, metavar="N", help="walkers and runners each; default: 3"
    )
    parser.add_argument("--virtual-all", action="store_true", help="all trials of all 13 virtual people")
    parser.add_argument(
        "--virtual-axes",
        nargs="+",
        choices=("stated", "refined", "aligned"),
        default=["stated"],
        help="turned sensors whose axes count as stated, are refined by the signals, or found by them alone",
    )
    parser.add_argument(
        "--virtual-standing", type=float, default=0.0, metavar="S", help="so long virtual people stand first"
    )
    parser.add_argument("--model", default="builtin:planar_gait", help="of estimates in the plane")
    parser.add_argument("--space", action="store_true", help="estimate everyone's own model in space")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument(
        "--start", choices=("builtin", "random"), default="random", help="what trainings start from"
    )
    parser.add_argument(
        "--network", choices=("builtin",), help="the network that is shipped, as it is: nothing is trained"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument(
        "--weights", nargs="+", default=[], metavar="TERM=WEIGHT", help="other weights of loss terms"
    )
    options = parser.parse_args(arguments)
    if options.virtual is None:
        options.virtual = [8.0] if options.only is None else []
    options.out.mkdir(parents=True, exist_ok=True)
    rows: list[dict] = []

    def keep(found: list[dict]) -> None:
        rows.extend(found)
        (options.out / "people.json").write_text(json.dumps(rows, indent=1) + "\n")

    known = IN_SPACE if options.space else tuple(RECORDINGS)
    for name in known if options.only is None else options.only:
        if name not in known:
            parser.error(f"{name} has signals of the sagittal plane alone; in space: {', '.join(known)}")
        keep(run(name, options))
    levels = [(level, axes) for level in options.virtual for axes in options.virtual_axes]
    by_signals = any(axes != "stated" for _, axes in levels)
    everyone = alignment_people.people(options.data) if by_signals else []
    people = 13 if options.virtual_all else options.virtual_people
    for trial in virtual.chosen_trials(options.data, people, options.virtual_all) if levels else ():
        for level, axes in levels:
            keep(run_virtual(trial, level, axes, everyone, options))
    means = virtual.means(rows, [_level(*level) for level in levels])
    show([*rows, *means], options)
    return 0


def run(name: str, options: argparse.Namespace) -> list[dict]:
    """Go the user's way with one recording; a row a seed."""
    recorded, folder = RECORDINGS[name], options.out / name
    folder.mkdir(exist_ok=True)
    study = read_study(write_study(name, options.data, folder, options.model, space=options.space))
    measured = recorded.measured(options.data / recorded.reference)
    if options.space:
        study = replace(study, coordinates=replace(study.coordinates, estimate="observed"))
    return _rows(name, study, folder / "results", lambda *_: measured, options)


def run_virtual(
    trial: Trial, level_deg: float, axes: str, everyone: list[Person], options: argparse.Namespace
) -> list[dict]:
    """Train on a virtual recording, and score it; a row a seed.

    Parameters
    ----------
    everyone : list of Person
        The alignment leans on how all of them but this person move and stand.
    """
    folder = options.out / "virtual" / f"{trial.name}_{level_deg:g}"
    stands_s = options.virtual_standing
    file = virtual.write_study(trial, level_deg, folder, space=options.space, standing_s=stands_s)
    study = virtual.read_virtual(file, axes)
    alignment = virtual.alignment_by_others(study, everyone, trial.person)

    def measured(prepared: Prepared, results: Path) -> references.Measured:
        return virtual.reference(study, ResultsFolder(results).subject, prepared.recording.time_s)

    level = _level(level_deg, axes)
    results = (folder if axes == "stated" else folder / f"{folder.name}_{axes}") / "results"
    about = {"kind": trial.kind, "person": trial.person, "level": level}
    return [
        about | row for row in _rows(f"{trial.name}@{level}", study, results, measured, options, alignment)
    ]


def _level(level_deg: float, axes: str) -> str:
    return f"{level_deg:g}" + (f" {axes}" if axes != "stated" else "")


def _rows(
    name: str,
    study: Study,
    results: Path,
    measured_of: Callable[[Prepared, Path], references.Measured],
    options: argparse.Namespace,
    alignment: Alignment | None = None,
) -> list[dict]:
    """Return a row for each seed, which has a results folder of its own."""
    if len(options.seeds) == 1:
        return [_row(name, study, results, measured_of, options.seeds[0], options, alignment)]
    own = {seed: results.parent / f"seed_{seed}" / results.name for seed in options.seeds}
    for folder in own.values():
        folder.parent.mkdir(exist_ok=True)
    return [_row(name, study, own[seed], measured_of, seed, options, alignment) for seed in options.seeds]


def _row(
    name: str,
    study: Study,
    results: Path,
    measured_of: Callable[[Prepared, Path], references.Measured],
    seed: int,
    options: argparse.Namespace,
    alignment: Alignment | None = None,
) -> dict:
    """Train without labels, then read them: the errors, and those of the baseline."""
    study = override(study, steps=options.steps, seeds=(seed,))
    chosen = {term: float(weight) for term, weight in (each.split("=") for each in options.weights)}
    weights = {**study.training.weights, **chosen}
    training = replace(study.training, weights=weights, start=options.start)
    study = replace(study, training=training)
    started = time.monotonic()
    scale(study, results)
    prepared = prepare(study, results, alignment=alignment)
    if not options.network:
        train(study, results, prepared=prepared)
    estimate(study, results, network=options.network, prepared=prepared)
    took_s = time.monotonic() - started
    everything = measured_of(prepared, results)
    measured = everything.sagittal
    # A model that is scaled already says what its person weighs.
    about = (study.person.mass_kg or prepared.subject.model.total_mass, study.person.height_m)
    write_errors(curve_errors(results, measured, *about), results)
    serious = sum(note.startswith("serious") for note in prepared.notes)
    row = {"recording": name, "seed": seed, "took_s": took_s, "serious": float(serious)}
    row |= scores(results, measured, *about) | baseline_scores(results, measured, prepared.recording)
    row |= accelerometer_delay(prepared.recording, measured, about[0])
    if options.space:
        baseline = _opensense(study, results, prepared, everything)
        row |= {"space": space_scores(results, everything, *about), "opensense": baseline}
        if everything.lag_s:
            row["space_in_time"] = space_scores(results, everything, *about, everything.lag_s)
    return row


def _opensense(study: Study, results: Path, prepared: Prepared, measured: references.Measured) -> dict:
    """Return the scores of OpenSim's OpenSense by groups of angles; none where it cannot be used."""
    try:
        done = opensense(study, results, prepared=prepared)
    except InputError as error:  # nobody stands still, for one
        print(f"{study.name}: no OpenSense: {str(error).splitlines()[0]}")
        return {}
    return angle_scores(read_angles(done.motion, read_model(ResultsFolder(results).subject)), measured)


def show(rows: list[dict], options: argparse.Namespace) -> None:
    """Print a column for each recording and seed, some beside each other."""
    console = Console(width=200)
    model = "own models in space" if options.space else options.model
    console.print(f"{processor()}, {os.cpu_count()} cores; {model}; {options.steps} steps; zero time shift")
    for row in rows if options.space else ():
        if "space" in row:
            beside = {f"{options.steps} steps": row["space"]}
            if "space_in_time" in row:
                beside["at the lag that the data set states"] = row["space_in_time"]
            beside["OpenSense"] = row["opensense"]
            console.print(space_table(f"{row['recording']} {row['seed']}", beside))
    keys = dict.fromkeys(key for row in rows for key, value in row.items() if isinstance(value, float))
    for first in range(0, len(rows), _BESIDE):
        part = rows[first : first + _BESIDE]
        heads = (f"{row['recording']} {row.get('seed', '')}".strip() for row in part)
        table = Table("", *heads, box=None)
        for key in keys:
            table.add_row(key, *(f"{row[key]:.3g}" if key in row else "" for row in part))
        console.print(table)


if __name__ == "__main__":
    raise SystemExit(main())
