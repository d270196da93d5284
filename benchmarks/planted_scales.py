"""Wrong scales and offsets planted in recordings: whether each is told, of the right sensor, before training.

``python -m benchmarks.planted_scales --data ../shared/data`` multiplies the readings of the gyroscope or the
accelerometer of one sensor, or of all, adds an offset to one axis of one accelerometer, and looks at each
recording by the functions that ``sspinn run`` calls before training: of real people, and of virtual ones
whose sensors are turned and sit on soft tissue.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.people.recordings import RECORDINGS
from benchmarks.people.virtual import chosen_trials, read_virtual
from benchmarks.people.virtual import write_study as write_virtual
from benchmarks.planted_sensors import beginning, study_of
from casadi_dynamics.model import Model
from casadi_dynamics.osim import read_model
from sspinn_opensim.recording import Finding, Recording, on_model, read_recording
from sspinn_opensim.recording.sensors.placement import site_of
from sspinn_opensim.recording.sensors.rest import corrected_at_rest
from sspinn_opensim.study import Study
from sspinn_opensim.verbs.axes import along_segments, as_chosen, objections

#: Standard deviation of the angles by which virtual sensors are turned, degrees.
_TURNED_DEG = 8.0
_ALL = "all"


@dataclass(frozen=True, eq=False)
class Plant:
    """A fault: factors on specific force and angular rate, and an offset, of sensors."""

    what: str
    sensors: tuple[int, ...]
    force: float = 1.0
    rate: float = 1.0
    offset: tuple[float, ...] = (0.0, 0.0, 0.0)


def main(arguments: list[str] | None = None) -> int:
    """Plant all faults and print what becomes of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planted_scales", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="*", choices=RECORDINGS, default=list(RECORDINGS))
    parser.add_argument(
        "--virtual", type=int, default=9, metavar="N", help="walkers and runners; default: %(default)s"
    )
    parser.add_argument(
        "--rates",
        type=float,
        nargs="*",
        default=[1.3, 0.7],
        help="factors on gyroscopes; default: %(default)s",
    )
    parser.add_argument("--forces", type=float, nargs="*", default=[1.15, 0.85], help="on accelerometers")
    parser.add_argument("--seconds", type=float, default=25.0, help="of each recording; default: %(default)g")
    parser.add_argument("--offset", type=float, default=3.0, help="m/s^2, either way; default: %(default)s")
    options = parser.parse_args(arguments)
    console, counts = Console(width=150), Counter()
    for name, who, study, model, whole in people(options.data, options.only, options.virtual):
        recording = beginning(whole, options.seconds)
        before = looked(study, model, recording)
        said = sorted(f"{f.severity} {f.key}" for f in before if f.severity != "note")
        console.print(f"{name}, untouched: {', '.join(said) or 'nothing'}", highlight=False)
        for plant in plants(recording, options.rates, options.forces, options.offset):
            found = looked(study, model, planted(recording, plant))
            every = len(plant.sensors) > 1
            site = site_of(recording.sensors[plant.sensors[0]])
            segment = _ALL if every else site[0] if site else "other"
            names = {recording.sensors[k].name for k in plant.sensors} | ({""} if every else set())
            counts[plant.what, segment, who, outcome(before, found, names)] += 1
    columns = ("refused", "told", "another", "missed")
    table = Table("fault", "sensor", "people", "planted", *columns, box=None)
    for what, segment, who in dict.fromkeys(key[:3] for key in counts):
        many = [counts[what, segment, who, column] for column in columns]
        table.add_row(what, segment, who, str(sum(many)), *(str(each or "") for each in many))
    console.print(table)
    return 0


def people(data: Path, names: list[str], virtual: int) -> Iterator[tuple[str, str, Study, Model, Recording]]:
    """Return recordings as they were read: name, kind of people, study, model, recording."""
    for name in names:
        study = study_of(name, data)
        model = read_model(study.model.file)
        recording = as_chosen(study, on_model(read_recording(study), model))
        yield name, "running" if name.endswith("_run") else "walking", study, model, recording
    for trial in chosen_trials(data, virtual, every=False):
        with tempfile.TemporaryDirectory() as folder:
            file = write_virtual(trial, _TURNED_DEG, Path(folder) / trial.name)
            study = read_virtual(file, "stated")
            model = read_model(study.model.file)
            kind = "running" if "runner" in trial.name else "walking"
            yield trial.name, f"virtual, {kind}", study, model, on_model(read_recording(study), model)


def looked(study: Study, model: Model, recording: Recording) -> tuple[Finding, ...]:
    """Return all that is said of a recording before a training."""
    at_rest = corrected_at_rest(recording, study.recording.rest_correction)
    along, alignment = along_segments(study, at_rest, model, refuse=False)
    return objections(along, alignment, model, study.person)


def plants(recording: Recording, rates: list[float], forces: list[float], offset: float) -> Iterator[Plant]:
    """Return all faults that are planted in a recording, in one sensor or in all."""
    everyone = tuple(range(len(recording.sensors)))
    for sensors in (*((k,) for k in everyone), everyone):
        yield from (Plant(f"angular rates times {rate:g}", sensors, rate=rate) for rate in rates)
        yield from (Plant(f"accelerations times {force:g}", sensors, force=force) for force in forces)
        for axis in np.eye(3) if len(sensors) == 1 else ():
            for sign in (1, -1):
                # Along one of its own axes: which of them lies how, differs from recording to recording.
                yield Plant(f"offset of {offset:g} m/s^2", sensors, offset=tuple(sign * offset * axis))


def planted(recording: Recording, plant: Plant) -> Recording:
    """Return a recording with a fault."""
    acceleration, angular_rate = recording.acceleration.copy(), recording.angular_rate.copy()
    which = list(plant.sensors)
    acceleration[:, which] = plant.force * acceleration[:, which] + np.array(plant.offset)
    angular_rate[:, which] *= plant.rate
    acceleration *= recording.acceleration_available
    return replace(recording, acceleration=acceleration, angular_rate=angular_rate)


def outcome(before: tuple[Finding, ...], found: tuple[Finding, ...], names: set[str]) -> str:
    """Return what became of a fault of sensors: what is new, and whether it is of them."""
    known = {(f.key, f.severity) for f in before}
    new = [f for f in found if f.severity != "note" and (f.key, f.severity) not in known]
    right = [f for f in new if f.sensor in names]
    if any(f.is_serious for f in right):
        return "refused"
    return "told" if right else "another" if new else "missed"


if __name__ == "__main__":
    raise SystemExit(main())
