"""Calibration of the verdict after training: levels of good recordings, and whether they tell good from bad.

Run ``python -m benchmarks.fit_levels PEOPLE_FOLDER ...``: every ``fit.json`` below these folders is of a good
recording, in the plane or in space. It prints for each recording what levels made of all other people find
in it, and writes ``sspinn_opensim/estimation/verdict/fit_levels.json`` with ``--write``, where levels of
which no recording was given stay. With ``--faults FOLDER``, where `benchmarks.fit_faults` has put trainings
of faults, it prints what is found in each.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import t as student

from benchmarks.people.errors import person_of, recording_of
from sspinn_opensim.estimation.verdict.fit import Fit
from sspinn_opensim.estimation.verdict.judgement import (
    LEVELS_FILE,
    Level,
    judge,
    kind_of,
    known_levels,
    measures,
    read_levels,
)
from sspinn_opensim.files import write_json

#: Chance that a measure of a good recording is beyond the limit that is told, and beyond the bad one.
UNUSUAL, BAD = 0.02, 0.002
#: Nothing is known more exactly than this, whatever few people say: smallest deviation of a logarithm.
LEAST_DEVIATION = 0.35


def levels_of(fits: Iterable[Fit]) -> dict[str, dict[str, Level]]:
    """Return the levels of every measure in the plane and in space: prediction intervals of the logarithms.

    Loss terms follow a power of how violently the sensors move, as walking and running differ in it by far;
    all else is relative already. Each kind has its own middle and power; how far people are from it they
    share, as people are few.
    """
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for fit in fits:
        for measure in measures(fit):
            points = found.setdefault(measure.level, {}).setdefault(kind_of(fit), [])
            points.append((float(np.log(fit.intensity_m_s2)), float(np.log(measure.value))))
    levels: dict[str, dict[str, Level]] = {}
    for name, by_kind in found.items():
        enough = {kind: np.array(points) for kind, points in by_kind.items() if len(points) >= 3}
        for kind, level in _levels(name, enough).items():
            levels.setdefault(kind, {})[name] = level
    return levels


def _levels(name: str, by_kind: Mapping[str, np.ndarray]) -> dict[str, Level]:
    """Return the level of a measure for each kind, of points (n, 2): logarithms of intensity and measure."""
    middles, squares, degrees = {}, 0.0, {}
    for kind, points in by_kind.items():
        x, y = points.T
        power = 0.0
        if name.startswith("term.") and np.ptp(x) > 0.5:
            # Not negative, and no steeper than a square: an energy.
            power = float(np.clip(np.polyfit(x, y, 1)[0], 0.0, 2.0))
        rest = y - power * x
        middles[kind] = float(np.exp(rest.mean())), power
        squares += len(rest) * np.var(rest)
        degrees[kind] = len(rest) - (2 if power else 1)
    if not middles:
        return {}
    deviation = max(np.sqrt(squares / sum(degrees.values())), LEAST_DEVIATION)
    # Most people are of both kinds: what is known of the deviation is what the larger one says.
    unlikely = student.isf((UNUSUAL, BAD), max(degrees.values()))
    found = {}
    for kind, (middle, power) in middles.items():
        of_another = deviation * np.sqrt(1 + 1 / len(by_kind[kind]))
        found[kind] = Level(middle, power, *np.exp(of_another * unlikely).tolist())
    return found


def read_fits(folder: Path) -> dict[tuple[str, str], Fit]:
    """Return the first seed's fit of every recording below a folder, by recording and kind.

    Others are no more people.
    """
    found: dict[tuple[str, str], Fit] = {}
    for file in sorted(folder.rglob("fit.json")):
        fit = Fit.from_json(next(iter(json.loads(file.read_text())["seeds"].values())))
        found.setdefault((recording_of(file.parents[1]), kind_of(fit)), fit)
    return found


def left_out(fits: Mapping[tuple[str, str], Fit]) -> dict[tuple[str, str], Sequence[str]]:
    """Return what levels made of all other people find in each recording."""
    found = {}
    for (name, kind), fit in fits.items():
        others = [own for (other, _), own in fits.items() if person_of(other) != person_of(name)]
        found[name, kind] = judge({0: fit}, levels_of(others)[kind]).notes()
    return found


def main(arguments: list[str] | None = None) -> int:
    """Print what is found in good and in bad recordings; write the levels if asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fit_levels", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--faults", type=Path)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args(arguments)
    fits = {key: fit for folder in options.folders for key, fit in read_fits(folder).items()}
    for (name, kind), notes in left_out(fits).items():
        print(f"{name} in {kind}, levels of the others:", *(notes or ["nothing"]), sep="\n    ")
    levels = {kind: known_levels(kind) for kind in read_levels()} | levels_of(fits.values())
    made = dict(read_levels())
    for kind in {kind for _, kind in fits}:
        own = {name: vars(level) for name, level in levels[kind].items()}
        made[kind] = {"made_from": sorted(name for name, of in fits if of == kind), "levels": own}
    if options.write:
        write_json(LEVELS_FILE, made)
    for file in sorted(options.faults.rglob("*.json")) if options.faults else ():
        fit = Fit.from_json(json.loads(file.read_text()))
        verdict = judge({0: fit}, levels[kind_of(fit)])
        name = f"{file.parent.name}, {file.stem.replace('_', ' ')}"
        print(f"{name}: {'ok' if verdict.ok else 'BAD'}", *verdict.notes(), sep="\n    ")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
