"""Calibration of the bands of uncertainty: how often a 95 % band holds what a person's laboratory measured.

Run ``python -m benchmarks.band_coverage PEOPLE_FOLDER ...``, folders of `benchmarks.people`. For everyone the
bands are made of all other people, and the table says how often they hold. ``--write`` makes the bands of
everyone those of the package, ``sspinn_opensim/estimation/bands.json``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.optimize import nnls
from scipy.stats import t as student

from benchmarks.people.errors import person_of, read_errors
from sspinn_opensim.estimation.uncertainty import CALIBRATION_FILE, Band, Calibration, joint_of
from sspinn_opensim.evaluation.metrics import BAND_DEVIATIONS
from sspinn_opensim.files import write_json

Errors = Mapping[str, Mapping[str, np.ndarray]]
#: Part of what a band is to hold.
HELD = 0.95
#: Where nothing moves, no laboratory knows better: zeros of angles by markers, moments by the place of a
#: force, how someone who stands shares load between the feet (rad, body weight times height, body weight).
LEAST = {"angle": np.radians(1.5), "moment": 0.003, "force": 0.03}
_ROUNDS = 20
_UNITS = {"angle": np.degrees(1.0), "moment": 100.0, "force": 100.0}


def bands_of(errors: Errors) -> Calibration:
    """Return the bands of people whose errors are known.

    A mean square error is explained by a constant and by the mean square rate, neither negative. Its own
    deviation is in proportion to what is expected of it, so recordings are weighted by that, found in a few
    rounds. As the people are few, both numbers grow by how much Student's t with as many degrees of freedom
    is wider than a normal distribution.
    """
    points: dict[str, list[tuple[str, float, float]]] = {}
    for recording, curves in errors.items():
        for name, (error, rate) in _by_band(curves):
            points.setdefault(name, []).append(
                (person_of(recording), float(np.mean(error**2)), float(np.mean(rate)))
            )
    return Calibration({name: _band(own, LEAST[_kind(name)]) for name, own in sorted(points.items())})


def _by_band(curves: Mapping[str, np.ndarray]) -> Iterable[tuple[str, np.ndarray]]:
    """Give both sides of a person together, by the name of their band."""
    sides: dict[str, list[np.ndarray]] = {}
    for name, values in curves.items():
        kind, _, curve = name.partition(".")
        sides.setdefault(f"{kind}.{joint_of(curve)}", []).append(values)
    return ((name, np.concatenate(values, axis=1)) for name, values in sides.items())


def _band(points: list[tuple[str, float, float]], least: float) -> Band:
    people = len({person for person, _, _ in points})
    error, rate = (np.array(values) for values in zip(*((e, r) for _, e, r in points), strict=True))
    terms, expected = np.stack([np.ones_like(rate), rate], axis=1), np.full(len(error), error.mean())
    constant = timing = 0.0
    for _ in range(_ROUNDS):
        (constant, timing), _ = nnls(terms / expected[:, None], error / expected)
        expected = terms @ (constant, timing)
    constant = max(constant, least**2)
    wider = student.ppf(0.5 + HELD / 2, people) / BAND_DEVIATIONS
    return Band(float(wider * np.sqrt(constant)), float(wider * np.sqrt(timing)))


def coverage(errors: Mapping[str, np.ndarray], bands: Calibration) -> dict[str, tuple[float, float]]:
    """Return for each band of a person the share of frames it holds, and its mean half width."""
    found = {}
    for name, (error, rate) in _by_band(errors):
        kind, _, curve = name.partition(".")
        half = BAND_DEVIATIONS * bands.of(kind, curve).deviation(rate)
        found[name] = (float(np.mean(np.abs(error) <= half)), float(np.mean(half)))
    return found


def left_out(errors: Errors) -> dict[str, dict[str, tuple[float, float]]]:
    """Return the coverage of every recording by bands made of all other people."""
    found = {}
    for recording, own in errors.items():
        others = {name: curves for name, curves in errors.items() if person_of(name) != person_of(recording)}
        found[recording] = coverage(own, bands_of(others))
    return found


def main(arguments: list[str] | None = None) -> int:
    """Print the coverage of everyone left out; write the bands if asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.band_coverage", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args(arguments)
    errors = {name: own for folder in options.folders for name, own in read_errors(folder).items()}
    found, bands = left_out(errors), bands_of(errors)
    show(found, bands)
    if options.write:
        content = {name: vars(band) for name, band in bands.bands.items()}
        write_json(CALIBRATION_FILE, {"made_from": sorted(errors), "bands": content})
    return 0


def show(found: Mapping[str, Mapping[str, tuple[float, float]]], bands: Calibration) -> None:
    """Print a row for each recording: percent of the frames held, and half the band's width."""
    console = Console(width=220)
    console.print(
        "percent of the frames inside the 95 % band made of all other people (half its width: degrees, "
        "BWBH%, %BW)"
    )
    names = list(bands.bands)
    table = Table("", *names, box=None)
    for recording, own in found.items():
        cells = (
            f"{100 * own[name][0]:.0f} ({_UNITS[_kind(name)] * own[name][1]:.1f})" if name in own else ""
            for name in names
        )
        table.add_row(recording, *cells)
    people = {name: _mean_over_people(found, name) for name in names}
    table.add_row("mean over people", *(f"{100 * people[name]:.0f}" for name in names))
    table.add_row("constant", *(f"{_UNITS[_kind(n)] * band.constant:.2g}" for n, band in bands.bands.items()))
    table.add_row("timing, ms", *(f"{1000 * band.timing_s:.0f}" for band in bands.bands.values()))
    console.print(table)


def _kind(name: str) -> str:
    return name.partition(".")[0]


def _mean_over_people(found: Mapping[str, Mapping[str, tuple[float, float]]], name: str) -> float:
    held: dict[str, list[float]] = {}
    for recording, own in found.items():
        if name in own:
            held.setdefault(person_of(recording), []).append(own[name][0])
    return float(np.mean([np.mean(values) for values in held.values()]))


if __name__ == "__main__":
    raise SystemExit(main())
