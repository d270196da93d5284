"""One recording at several sampling rates: what each training sees, and the errors of its estimate.

``python -m benchmarks.sampling_rates --out DIR`` makes the recording of the built-in demo (``--study``: of
another) one at 1000 Hz, with noise up to half of that, decimates it by a filter that is not the project's own
to each rate, and goes the user's way with each. Rows that differ are what the rate of a recording does to its
answer.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.interpolate import CubicSpline
from scipy.signal import resample_poly

from sspinn_opensim import estimate, evaluate, scale, train
from sspinn_opensim.recording import Recording, read_recording
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.study import Study, examples_folder, read_study
from sspinn_opensim.study.read import override
from sspinn_opensim.verbs.prepared import prepare

RATES_HZ = (60, 100, 250, 500, 1000)
FINEST_HZ = 1000
#: White noise of a sample at 1000 Hz, m/s^2 and rad/s; of the same density as the demo's at 100 Hz.
NOISE = (0.25, 0.0126)
#: Rows of ``metrics.json`` that are shown, by what they are called here.
ERRORS = {
    "angle_rmsd_deg": "angles, deg",
    "moment_rmsd_bwbh": "moments, BWBH%",
    "grf_vertical_rmsd_bw": "GRF up, %BW",
    "grf_horizontal_rmsd_bw": "GRF forward, %BW",
}


def finest(recording: Recording, seed: int = 0) -> Recording:
    """Return a recording as if its sensors had sampled at 1000 Hz: splines, and noise of their own."""
    noise = np.random.default_rng(seed)
    duration_s = recording.time_s[-1] - recording.time_s[0]
    time_s = recording.time_s[0] + np.arange(int(duration_s * FINEST_HZ + 1e-6) + 1) / FINEST_HZ
    signals = [
        CubicSpline(recording.time_s, signal, axis=0)(time_s)
        + deviation * noise.normal(size=(len(time_s), *shape))
        for signal, deviation in zip((recording.acceleration, recording.angular_rate), NOISE, strict=True)
        for shape in (signal.shape[1:],)
    ]
    return _replaced(recording, time_s, *signals)


def at_rate(recording: Recording, rate_hz: int) -> Recording:
    """Return a recording at 1000 Hz as at another rate: by SciPy's polyphase filter, as sensors decimate."""
    part = Fraction(rate_hz, FINEST_HZ)
    if part == 1:
        return recording
    signals = [
        resample_poly(signal, part.numerator, part.denominator, axis=0, padtype="line")
        for signal in (recording.acceleration, recording.angular_rate)
    ]
    count = int((recording.time_s[-1] - recording.time_s[0]) * rate_hz + 1e-6) + 1
    time_s = recording.time_s[0] + np.arange(count) / rate_hz
    return _replaced(recording, time_s, *(signal[:count] for signal in signals))


def _replaced(
    recording: Recording, time_s: np.ndarray, acceleration: np.ndarray, rate: np.ndarray
) -> Recording:
    usable = np.interp(time_s, recording.time_s, recording.usable) > 1.0 - 1e-6
    return replace(
        recording, time_s=time_s, acceleration=acceleration, angular_rate=rate, usable=usable, clocks=None
    )


def run(study: Study, recording: Recording, out: Path) -> dict[str, float]:
    """Go the user's way with a recording; return the losses of the first and last steps, and the errors."""
    scale(study, out)
    prepared = prepare(study, out, recording)
    train(study, out, prepared=prepared, restart=True)
    estimate(study, out, prepared=prepared)
    metrics = evaluate(study, out, prepared=prepared).metrics
    with ResultsFolder(out).history(study.training.seeds[0]).open(newline="") as file:
        totals = [float(row["total"]) for row in csv.DictReader(file)]
    scores = metrics["trials"][study.recording.name]["median"]
    return {
        "first loss": totals[0],
        "last losses": float(np.mean(totals[-20:])),
        **{shown: scores[name] for name, shown in ERRORS.items() if scores.get(name) is not None},
    }


def table(rows: dict[int, dict[str, float]]) -> Table:
    """Return the rows of rates, and below how far they are apart: largest over smallest, less one."""
    names = list(next(iter(rows.values())))
    shown = Table("rate, Hz", *names, box=None)
    for rate_hz, row in rows.items():
        shown.add_row(str(rate_hz), *(f"{row[name]:.4g}" for name in names))
    values = {name: [row[name] for row in rows.values()] for name in names}
    shown.add_row("apart", *(f"{100 * (max(each) / min(each) - 1):.1f} %" for each in values.values()))
    return shown


def main(arguments: list[str] | None = None) -> int:
    """Train at every rate and print the table; write ``sampling_rates.json`` into the folder."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sampling_rates", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--study", type=Path, default=examples_folder() / "demo.toml", help="one with a reference"
    )
    parser.add_argument("--rates", type=int, nargs="+", default=RATES_HZ)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="errors are those of the median")
    parser.add_argument(
        "--training-rate", type=float, help="of `[training] rate_hz`; 0: that of the recording"
    )
    options = parser.parse_args(arguments)
    study = override(read_study(options.study), steps=options.steps, seeds=tuple(options.seeds))
    recording, rows = finest(read_recording(study)), {}
    for rate_hz in options.rates:
        own = study
        if options.training_rate is not None:
            trained_at = options.training_rate or float(rate_hz)
            own = replace(study, training=replace(study.training, rate_hz=trained_at))
        rows[rate_hz] = run(own, at_rate(recording, rate_hz), options.out / f"{rate_hz}_hz")
        (options.out / "sampling_rates.json").write_text(json.dumps(rows, indent=1) + "\n")
    Console(width=140).print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
