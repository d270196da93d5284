"""Calibration of the verdict after training: levels of good recordings, and whether they tell good from bad.

Run ``python -m benchmarks.fit_levels PEOPLE_FOLDER ...``: every ``fit.json`` below these folders is of a good
recording. It prints for each recording what levels made of all other people find in it, and writes
``sspinn_opensim/estimation/verdict/fit_levels.json`` with ``--write``. With ``--faults FOLDER``, where
`benchmarks.fit_faults` has put trainings of faults, it prints what is found in each.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import t as student

from benchmarks.people.errors import person_of, recording_of
from sspinn_opensim.estimation.verdict.fit import Fit
from sspinn_opensim.estimation.verdict.judgement import LEVELS_FILE, Level, judge, measures, read_levels
from sspinn_opensim.files import write_json

#: Chance that a measure of a good recording is beyond the limit that is told, and beyond the bad one.
UNUSUAL, BAD = 0.02, 0.002
#: Nothing is known more exactly than this, whatever few people say: smallest deviation of a logarithm.
LEAST_DEVIATION = 0.35


def levels_of(fits: Sequence[Fit]) -> dict[str, Level]:
    """Return the level of every measure, a prediction interval of the logarithms.

    Loss terms follow a power of how violently the sensors move, as walking and running differ in it by far;
    all else is relative already.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for fit in fits:
        for measure in measures(fit):
            found.setdefault(measure.level, []).append(
                (float(np.log(fit.intensity_m_s2)), float(np.log(measure.value)))
            )
    return {name: _level(name, np.array(own)) for name, own in found.items() if len(own) >= 3}


def _level(name: str, points: np.ndarray) -> Level:
    x, y = points.T
    power = 0.0
    if name.startswith("term.") and np.ptp(x) > 0.5:
        # Not negative, and no steeper than a square: an energy.
        power = float(np.clip(np.polyfit(x, y, 1)[0], 0.0, 2.0))
    rest = y - power * x
    degrees = len(rest) - (2 if power else 1)
    deviation = max(float(np.std(rest, ddof=len(rest) - degrees)), LEAST_DEVIATION)
    deviation *= np.sqrt(1 + 1 / len(rest))
    unusual, bad = (float(np.exp(deviation * student.isf(chance, degrees))) for chance in (UNUSUAL, BAD))
    return Level(float(np.exp(rest.mean())), power, unusual, bad)


def read_fits(folder: Path) -> dict[str, Fit]:
    """Return the first seed's fit of every recording below a folder: others are no more people."""
    found: dict[str, Fit] = {}
    for file in sorted(folder.rglob("fit.json")):
        seeds = json.loads(file.read_text())["seeds"]
        found.setdefault(recording_of(file.parents[1]), Fit.from_json(next(iter(seeds.values()))))
    return found


def left_out(fits: Mapping[str, Fit]) -> dict[str, Sequence[str]]:
    """Return what levels made of all other people find in each recording."""
    found = {}
    for name, fit in fits.items():
        others = [own for other, own in fits.items() if person_of(other) != person_of(name)]
        found[name] = judge({0: fit}, levels_of(others)).notes()
    return found


def main(arguments: list[str] | None = None) -> int:
    """Print what is found in good and in bad recordings; write the levels if asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fit_levels", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--faults", type=Path)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args(arguments)
    fits = {name: fit for folder in options.folders for name, fit in read_fits(folder).items()}
    for name, notes in left_out(fits).items():
        print(f"{name}, levels of the others:", *(notes or ["nothing"]), sep="\n    ")
    levels = levels_of(list(fits.values()))
    if options.write:
        made = {"made_from": sorted(fits), "levels": {name: vars(level) for name, level in levels.items()}}
        write_json(LEVELS_FILE, made)
        levels = read_levels(LEVELS_FILE)
    for file in sorted(options.faults.rglob("*.json")) if options.faults else ():
        verdict = judge({0: Fit.from_json(json.loads(file.read_text()))}, levels)
        name = f"{file.parent.name}, {file.stem.replace('_', ' ')}"
        print(f"{name}: {'ok' if verdict.ok else 'BAD'}", *verdict.notes(), sep="\n    ")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
