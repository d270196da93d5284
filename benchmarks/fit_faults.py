"""Benchmark of the verdict after training: faults planted in good recordings, and trained on.

Run ``python -m benchmarks.fit_faults PEOPLE_FOLDER/NAME ... --out FOLDER``: folders of `benchmarks.people`
with a scaled model in ``results``, with ``--space`` if they are of estimates in space. Each fault is put into
the signals as they stand in the axes of the bodies, after alignment, so that nothing before the training can
mend it. What the verdict says of each is printed by `benchmarks.fit_levels`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from benchmarks.people.recordings import study_of
from sspinn_opensim.estimation.verdict.fit import Fit, fit_of
from sspinn_opensim.recording import Recording
from sspinn_opensim.recording.sensors.placement import site_of
from sspinn_opensim.study.read import override
from sspinn_opensim.training.cohort import single_person_cohort
from sspinn_opensim.training.estimator import PersonNetwork
from sspinn_opensim.training.settings import settings_of
from sspinn_opensim.training.signals import make_signals
from sspinn_opensim.training.trainer import Trainer
from sspinn_opensim.verbs.prepared import prepare


def turned(recording: Recording, segments: tuple[str, ...], axis: str, degrees: float) -> Recording:
    """Return a recording whose sensors on some segments of the right leg sit turned about an axis."""
    turn = Rotation.from_euler(axis, degrees, degrees=True).as_matrix()
    acceleration, rate = recording.acceleration.copy(), recording.angular_rate.copy()
    for k in (_on(recording, segment) for segment in segments):
        acceleration[:, k], rate[:, k] = acceleration[:, k] @ turn, rate[:, k] @ turn
    return replace(recording, acceleration=acceleration, angular_rate=rate)


def mirrored(recording: Recording, segment: str) -> Recording:
    """Return a recording in which one gyroscope counts the other way round."""
    rate = recording.angular_rate.copy()
    rate[:, _on(recording, segment)] *= -1
    return replace(recording, angular_rate=rate)


def swapped(recording: Recording, segment: str) -> Recording:
    """Return a recording in which the sensors of both legs are mistaken for each other."""
    a, b = _on(recording, segment), _on(recording, segment, "left")
    order = np.arange(len(recording.sensors))
    order[[a, b]] = b, a
    return replace(
        recording,
        acceleration=recording.acceleration[:, order],
        angular_rate=recording.angular_rate[:, order],
    )


def late(recording: Recording, segment: str, by_s: float) -> Recording:
    """Return a recording in which the clock of one sensor is late."""
    k, samples = _on(recording, segment), round(by_s * recording.sampling_rate_hz)
    acceleration, rate = recording.acceleration.copy(), recording.angular_rate.copy()
    for values in (acceleration, rate):
        values[samples:, k] = values[:-samples, k].copy()
    return replace(recording, acceleration=acceleration, angular_rate=rate)


def _on(recording: Recording, segment: str, side: str = "right") -> int:
    """Return which sensor sits on a segment, whatever the model calls its body."""
    return [site_of(sensor) for sensor in recording.sensors].index((segment, side))


FAULTS: Mapping[str, Callable[[Recording], Recording]] = {
    "none": lambda r: r,
    "thigh and shank turned by 180 deg": lambda r: turned(r, ("thigh", "shank"), "y", 180.0),
    "mirrored foot": lambda r: mirrored(r, "foot"),
    "swapped shanks": lambda r: swapped(r, "shank"),
    "thigh 15 deg off": lambda r: turned(r, ("thigh",), "z", 15.0),
    "shank 50 ms late": lambda r: late(r, "shank", 0.05),
    "foot 50 ms late": lambda r: late(r, "foot", 0.05),
    "speed half as high again": lambda r: replace(r, speed_m_s=1.5 * (r.speed_m_s or 1.3)),
}


def train_with(folder: Path, fault: str, steps: int, *, space: bool = False, seed: int = 0) -> Fit:
    """Return the fit of a network that was trained on a recording with a fault."""
    study = override(study_of(folder), steps=steps, seeds=(seed,))
    if space:
        study = replace(study, coordinates=replace(study.coordinates, estimate="observed"))
    prepared = prepare(study, folder / "results")
    signals = make_signals(FAULTS[fault](prepared.trained_on), prepared.subject, prepared.phases)
    settings = settings_of(study.training, seed)
    trainer = Trainer(single_person_cohort(prepared.subject, signals), settings)
    trainer.run(lambda _: None, lambda _: None)
    network = PersonNetwork(prepared.subject, signals, kind=settings.network)
    network.load_state_dict(trainer.estimators[0].state_dict())
    fit = fit_of(network, prepared.subject, signals, settings)
    assert fit is not None, "a recording that was trained on has a window"
    return fit


def main(arguments: list[str] | None = None) -> int:
    """Train with each fault, and write a fit for each; those that are there are kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fit_faults", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS))
    parser.add_argument("--space", action="store_true", help="the folders are of estimates in space")
    parser.add_argument("--steps", type=int, default=400)
    options = parser.parse_args(arguments)
    for folder in options.folders:
        for fault in options.faults:
            file = options.out / folder.name / f"{fault.replace(' ', '_')}.json"
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                fit = train_with(folder, fault, options.steps, space=options.space)
                file.write_text(json.dumps(fit.to_json(), indent=1) + "\n")
            print(folder.name, fault, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
