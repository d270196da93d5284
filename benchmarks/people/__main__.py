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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.machine import processor
from benchmarks.people import references, virtual
from benchmarks.people.errors import curve_errors, write_errors
from benchmarks.people.scores import accelerometer_delay, baseline_scores, scores
from benchmarks.virtual_imu import Trial
from sspinn_opensim import cli, estimate, scale, train
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.study import Study, read_study
from sspinn_opensim.study.read import override
from sspinn_opensim.verbs.prepared import Prepared, prepare


@dataclass(frozen=True)
class Recorded:
    """A public recording and what to say of it to ``sspinn check``.

    Parameters
    ----------
    path : str
        File or folder below the data folder; or a study of the folder `examples`, used as it is.
    measured : callable
        Reads the reference from the file or folder `reference`.
    options : tuple of str
        Further options of ``sspinn check``.
    """

    path: str
    mass_kg: float
    height_m: float
    measured: Callable[[Path], references.Measured]
    reference: str
    options: tuple[str, ...] = ()


_NEURA = {
    "pelvis": "00B40B91",
    "femur_r": "00B40C3C",
    "femur_l": "00B40C45",
    "tibia_r": "00B40C35",
    "tibia_l": "00B40BA5",
    "foot_r": "00B40C48",
    "foot_l": "00B40C55",
}
RECORDINGS: Mapping[str, Recorded] = {
    "kuopio": Recorded(
        "kuopio2024_walk/imu", 75.53, 1.75, references.kuopio, "kuopio2024_walk", ("--rate", "100")
    ),
    "gaittoolbox": Recorded(
        "gaittoolbox_walk/imu",
        63.0,
        1.70,
        references.gaittoolbox,
        "gaittoolbox_walk",
        ("--rate", "100", "--where", *(f"{sensor}={place}" for place, sensor in _NEURA.items())),
    ),
    **{
        name: Recorded(
            f"capsense_walk/{file}.npz",
            mass,
            height,
            references.capsense,
            f"capsense_walk/{file}.npz",
            ("--speed", speed),
        )
        for name, file, mass, height, speed in (
            ("capsense_sub01", "Sub01_CSBaseline", 66.7, 1.81, "0.769"),
            ("capsense_sub01_stiff", "Sub01_CSStiffKnee", 66.7, 1.81, "0.769"),
            ("capsense_sub02", "Sub02_CSBaseline", 56.0, 1.65, "0.735"),
            ("capsense_sub03", "Sub03_CSBaseline", 78.6, 1.87, "0.775"),
        )
    },
    **{
        f"p01_{kind}": Recorded(study, 73.0, 1.73, references.dorschky, f"dorschky2019/{file}")
        for kind, study, file in (
            ("walk", "dorschky2019_walk.toml", "P01_normwalking.mat"),
            ("run", "dorschky2019_run.toml", "P01_normrunning.mat"),
        )
    },
}
#: Columns of a table that fit beside each other.
_BESIDE = 6
_EXAMPLES = Path(__file__).parents[2] / "examples"


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
        choices=("stated", "aligned"),
        default=["stated"],
        help="turned sensors whose axes count as stated, or that are aligned by their signals",
    )
    parser.add_argument("--model", default="builtin:planar_gait")
    parser.add_argument("--steps", type=int, default=1000)
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

    for name in RECORDINGS if options.only is None else options.only:
        keep(run(name, options))
    levels = [(level, axes) for level in options.virtual for axes in options.virtual_axes]
    people = 13 if options.virtual_all else options.virtual_people
    for trial in virtual.chosen_trials(options.data, people, options.virtual_all) if levels else ():
        for level, axes in levels:
            keep(run_virtual(trial, level, axes, options))
    means = virtual.means(rows, [_level(*level) for level in levels])
    show([*rows, *means], options)
    return 0


def study_of(folder: Path) -> Study:
    """Return the study of a recording that was run in a folder of its name."""
    return read_study(_study_file(folder))


def _study_file(folder: Path) -> Path:
    path = RECORDINGS[folder.name].path
    return _EXAMPLES / path if path.endswith(".toml") else folder / "study.toml"


def run(name: str, options: argparse.Namespace) -> list[dict]:
    """Go the user's way with one recording; a row a seed."""
    recorded, folder = RECORDINGS[name], options.out / name
    folder.mkdir(exist_ok=True)
    study_file = _study_file(folder)
    if not study_file.exists():
        known = [
            "--height",
            str(recorded.height_m),
            "--mass",
            str(recorded.mass_kg),
            "--model",
            options.model,
        ]
        path = options.data / recorded.path
        cli.main(["check", str(path), "--study", str(study_file), *known, *recorded.options])
    measured = recorded.measured(options.data / recorded.reference)
    return _rows(name, read_study(study_file), folder / "results", lambda _: measured, options)


def run_virtual(trial: Trial, level_deg: float, axes: str, options: argparse.Namespace) -> list[dict]:
    """Train on a virtual recording, and score it; a row a seed."""
    folder = options.out / "virtual" / f"{trial.name}_{level_deg:g}"
    file = virtual.write_study(trial, level_deg, folder)
    study = virtual.read_virtual(file, align=axes == "aligned")

    def measured(prepared: Prepared) -> references.Measured:
        return virtual.reference(study, ResultsFolder(results).subject, prepared.recording.time_s)

    results, level = folder / f"results_{axes}", _level(level_deg, axes)
    about = {"kind": trial.kind, "person": trial.person, "level": level}
    return [about | row for row in _rows(f"{trial.name}@{level}", study, results, measured, options)]


def _level(level_deg: float, axes: str) -> str:
    return f"{level_deg:g}" + (" aligned" if axes == "aligned" else "")


def _rows(
    name: str,
    study: Study,
    results: Path,
    measured_of: Callable[[Prepared], references.Measured],
    options: argparse.Namespace,
) -> list[dict]:
    """Train without labels, then read them: a row of errors for each seed, and those of the baseline."""
    study = override(study, steps=options.steps, seeds=tuple(options.seeds))
    chosen = {term: float(weight) for term, weight in (each.split("=") for each in options.weights)}
    weights = {**study.training.weights, **chosen}
    training = replace(study.training, weights=weights, start=options.start)
    study = replace(study, training=training)
    started = time.monotonic()
    scale(study, results)
    prepared = prepare(study, results)
    if not options.network:
        train(study, results, prepared=prepared)
    estimate(study, results, network=options.network, prepared=prepared)
    took_s = time.monotonic() - started
    measured = measured_of(prepared)
    rows, about = [], (study.person.mass_kg, study.person.height_m)
    write_errors(curve_errors(results, measured, *about), results)
    for seed in options.seeds:
        of_seed = results if len(options.seeds) == 1 else results / "seeds" / f"seed_{seed}"
        found = scores(of_seed, measured, *about)
        found |= baseline_scores(of_seed, measured, prepared.recording)
        found |= accelerometer_delay(prepared.recording, measured, study.person.mass_kg)
        serious = sum(note.startswith("serious") for note in prepared.notes)
        rows.append({"recording": name, "seed": seed, "took_s": took_s, "serious": float(serious), **found})
    return rows


def show(rows: list[dict], options: argparse.Namespace) -> None:
    """Print a column for each recording and seed, some beside each other."""
    console = Console(width=200)
    console.print(
        f"{processor()}, {os.cpu_count()} cores; {options.model}; {options.steps} steps; zero time shift"
    )
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
