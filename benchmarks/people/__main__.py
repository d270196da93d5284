"""Benchmark of real people nobody tuned on: raw files in, errors against their laboratories out.

Run ``python -m benchmarks.people --data ../shared/data --out FOLDER``, with ``--only NAME ...`` for some.
Every recording goes the way of a user: ``sspinn check`` writes the study, the sensors are aligned by their
own signals, a network is trained on the signals alone. Labels are read here, afterwards.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.machine import processor
from benchmarks.people import references
from benchmarks.people.scores import scores
from sspinn_opensim import cli, estimate, scale, train
from sspinn_opensim.study import read_study
from sspinn_opensim.study.read import override


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
_EXAMPLES = Path(__file__).parents[2] / "examples"


def main(arguments: list[str] | None = None) -> int:
    """Run the recordings and print the table; write ``people.json`` beside the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.people", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=RECORDINGS, default=list(RECORDINGS))
    parser.add_argument("--model", default="builtin:planar_gait")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    rows: list[dict] = []
    for name in options.only:
        rows += run(name, options)
        (options.out / "people.json").write_text(json.dumps(rows, indent=1) + "\n")
    show(rows, options)
    return 0


def run(name: str, options: argparse.Namespace) -> list[dict]:
    """Go the user's way with one recording; a row a seed."""
    recorded, folder = RECORDINGS[name], options.out / name
    folder.mkdir(exist_ok=True)
    given = recorded.path.endswith(".toml")
    study_file = _EXAMPLES / recorded.path if given else folder / "study.toml"
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
    study = override(read_study(study_file), steps=options.steps, seeds=tuple(options.seeds))
    started = time.monotonic()
    results = folder / "results"
    scale(study, results)
    train(study, results)
    estimate(study, results)
    took_s = time.monotonic() - started
    measured = recorded.measured(options.data / recorded.reference)
    rows = []
    for seed in options.seeds:
        of_seed = results / "seeds" / f"seed_{seed}"
        found = scores(
            results if len(options.seeds) == 1 else of_seed, measured, recorded.mass_kg, recorded.height_m
        )
        rows.append({"recording": name, "seed": seed, "took_s": took_s, **found})
    return rows


def show(rows: list[dict], options: argparse.Namespace) -> None:
    """Print a row for each recording and seed."""
    console = Console(width=200)
    console.print(
        f"{processor()}, {os.cpu_count()} cores; {options.model}; {options.steps} steps; zero time shift"
    )
    table = Table("", *(f"{row['recording']} {row['seed']}" for row in rows), box=None)
    for key in dict.fromkeys(key for row in rows for key in row if key not in ("recording", "seed")):
        table.add_row(key, *(f"{row[key]:.3g}" if key in row else "" for row in rows))
    console.print(table)


if __name__ == "__main__":
    raise SystemExit(main())
