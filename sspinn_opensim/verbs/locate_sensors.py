"""`sspinn locate-sensors`: the places of the sensors as a table, a picture and a model."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from scipy.spatial.transform import Rotation

from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.opensim_process.worker.answers import model_answers
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import build
from casadi_dynamics.verify import compare
from sspinn_opensim.files import draft_folder, draft_of, write_atomically, write_json
from sspinn_opensim.opensim_io.model.imu_frames import FramePlace, frame_names, write_imu_frames
from sspinn_opensim.placement.bodies import AMBIGUOUS, Assignment
from sspinn_opensim.placement.search import FrozenNetworks, LocatedSensor, SearchResult, mean_shift, search
from sspinn_opensim.recording import Recording
from sspinn_opensim.recording.signals.rotations import angles_from_rotation
from sspinn_opensim.report.placement import Mark, placement_figure
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.study import Study
from sspinn_opensim.training.checkpoint import identity, load_estimator, load_member
from sspinn_opensim.training.estimator import PersonNetwork
from sspinn_opensim.training.settings import settings_of
from sspinn_opensim.training.signals import Signals
from sspinn_opensim.verbs.axes import OF_PLACES
from sspinn_opensim.verbs.on_study import on_study
from sspinn_opensim.verbs.prepared import prepare

log = logging.getLogger(__name__)

#: Half-width of a 95 % interval in standard deviations.
INTERVAL = 1.96
#: What a written model may differ by from what was to be written, relative to the largest value.
_READ_BACK = 1e-9
#: Shifts beyond this, m, are worth another training with the places found.
WORTH_TRAINING_M = 0.02
_AXES = ("x", "y", "z")


@dataclass(frozen=True)
class SensorPlaces:
    """Where the sensors of a study were found.

    Attributes
    ----------
    sensors : tuple of LocatedSensor
        In the order of the study.
    assignment : Assignment or None
        How well each sensor fits each body, where the bodies were unknown.
    notes : tuple of str
        What a reader of the places should know.
    """

    sensors: tuple[LocatedSensor, ...]
    assignment: Assignment | None
    notes: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(
            [
                table(self.sensors, self.assignment),
                *(f"note: {note}" for note in self.notes),
                "wrote sensor_places.json, sensor_places.svg, sensor_places.osim",
            ]
        )


@on_study()
def locate_sensors(
    study: Study,
    out: Path,
    *,
    segments: Literal["given", "unknown"] = "given",
    network: str | Path | None = None,
) -> SensorPlaces:
    """Find where the sensors of a study sit; write `sensor_places.json`, `.svg` and `.osim`.

    Parameters
    ----------
    study : Study, str or Path
        Whose sensors; a path is that of a study file.
    out : str or Path
        Results of `sspinn scale`, and of `sspinn train` unless another network is given.
    segments : {'given', 'unknown'}
        Where unknown, the body of each sensor is found too, whatever the study says. With a network of others
        the order of the sensors is unknown to begin with and is searched for.
    network : str or Path, optional
        Results folder of another training with the same bodies and channels, whose sensors were labelled
        correctly.

    Raises
    ------
    InputError
        If there is no trained network, the recording is too short, or no order of the sensors agrees with
        the network.
    """
    log.info("locate sensors", extra={"heading": True})
    # Which sensor is where is what is asked: movement, speed of feet, lags by joints and places say nothing.
    accepted = (*study.recording.accepted, *OF_PLACES)
    prepared = prepare(replace(study, recording=replace(study.recording, accepted=accepted)), out)
    subject = prepared.subject

    def estimator_of(seed: int, recording: Recording, signals: Signals) -> PersonNetwork:
        belongs_to = identity(subject, recording, settings_of(study.training, seed))
        if network is None:
            return load_estimator(ResultsFolder(out).checkpoint(seed), subject, signals, belongs_to)
        checkpoint = ResultsFolder(Path(network).absolute()).checkpoint(seed)
        return load_member(checkpoint, subject, signals, belongs_to, None)

    networks = FrozenNetworks(prepared.trained_on, subject, study.training.seeds, estimator_of)
    result = search(networks, bodies_known=segments == "given", trained_elsewhere=network is not None)
    notes = _notes(result)
    _write(study, out, networks, result, notes)
    return SensorPlaces(result.sensors, result.assignment, tuple(notes))


def _write(study: Study, out: Path, networks: FrozenNetworks, result: SearchResult, notes: list[str]) -> None:
    subject, found = networks.subject, result.sensors
    names = frame_names([f.sensor.name for f in found])
    frames = []
    for f, name in zip(found, names, strict=True):
        x, y, z = map(float, f.place.position)
        frames.append(FramePlace(name, f.body, (x, y, z), angles_from_rotation(f.own_axes)))
    _write_model(out, frames)
    report = _report(study, networks, result, notes)
    write_json(ResultsFolder(out).sensor_places, report)
    marks = [
        Mark(
            f.body,
            _label(f),
            f.place.position,
            None if f.given is None else f.given.position,
            f.place.covariance[:3, :3],
            bool(f.place.observable[:3].any()),
            f.own_axes,
        )
        for f in found
    ]
    title = f"{study.name}: where the sensors sit"
    q = subject.completed(result.q)
    svg = placement_figure(subject.model, subject.functions, q, marks, title)
    write_atomically(ResultsFolder(out).sensor_places_picture, svg)


def _write_model(out: Path, frames: Sequence[FramePlace]) -> None:
    """Write the model with the places as frames, once OpenSim reads it as our reader does."""
    with draft_of(ResultsFolder(out).sensor_places_model) as draft, draft_folder(out) as folder:
        answers_file = Path(folder) / "answers.npz"
        write_imu_frames(ResultsFolder(out).subject, draft, frames)
        model = read_model(draft)
        arguments = {"model": draft, "samples": 2, "seed": 0, "output": answers_file}
        run_job(model_answers, arguments, timeout_s=300, outputs=[answers_file])
        with np.load(answers_file, allow_pickle=False) as stored:
            errors = compare(model, build(model, model.imu_frames), dict(stored))
        sensed = {name: value for name, value in errors.items() if name.startswith("imu")}
        worst = max(sensed, key=sensed.__getitem__)
        if not sensed[worst] <= _READ_BACK:
            difference = f"{worst} differs by {sensed[worst]:.3g}"
            raise RuntimeError(f"OpenSim does not read the places as they were written: {difference}")


def _notes(result: SearchResult) -> list[str]:
    """Return what a reader of the places should know."""
    found, assignment, order, notes = result.sensors, result.assignment, result.order, []
    if order is None and mean_shift(found) > WORTH_TRAINING_M:
        notes.append(
            "the network was trained with other places than these; a training with the frames of "
            "sensor_places.osim, and another search, would come closer"
        )
    if order is not None:
        notes.append(f"{order.tried} orders of the sensors were tried")
        if order.margin < AMBIGUOUS:
            notes.append(
                f"another order of all sensors, such as left for right, fits as well: residuals "
                f"{order.margin:.2f} times as large"
            )
    if assignment is not None:
        facts = zip(found, assignment.ambiguous, assignment.second, assignment.margin, strict=True)
        for f, doubtful, other, margin in facts:
            if doubtful:
                notes.append(
                    f"'{f.sensor.name}' may as well sit on '{other}': residuals {margin:.2f} times as large"
                )
            group = result.candidates[result.leader(f.body)]
            if len(group) > 1:
                notes.append(f"'{f.sensor.name}': {', '.join(group)} move as one")
            if f.given is None:
                notes.append(f"'{f.sensor.name}' sits on '{f.body}', not where the study says")
    return notes


def _report(study: Study, networks: FrozenNetworks, result: SearchResult, notes: list[str]) -> dict:
    found, assignment = result.sensors, result.assignment
    names = frame_names([f.sensor.name for f in found])
    sensors = {}
    for k, f in enumerate(found):
        place, deviation = f.place, f.place.deviation
        entry = {
            "segment": f.body,
            "segment_in_study": networks.given(k)[0],
            "position_m": _list(place.position),
            "position_deviation_m": _list(deviation[:3]),
            "position_interval_95_m": [
                _list(place.position + sign * INTERVAL * deviation[:3]) for sign in (-1, 1)
            ],
            "position_observable": dict(zip(_AXES, map(bool, place.observable[:3]), strict=True)),
            "orientation_deg": _list(np.degrees(angles_from_rotation(f.own_axes))),
            "turn_deviation_deg": _list(np.degrees(deviation[3:])),
            "turn_observable": dict(zip(_AXES, map(bool, place.observable[3:]), strict=True)),
            "covariance": [_list(row) for row in place.covariance],
            "acceleration_residual_m_s2": place.acceleration_residual,
            "angular_rate_residual_rad_s": place.rate_residual,
            "imu_frame": names[k],
        }
        if f.given is not None:
            entry["given_position_m"] = _list(f.given.position)
            entry["shift_m"] = _list(place.position - f.given.position)
            turned = Rotation.from_matrix(place.rotation @ f.given.rotation.T).as_rotvec()
            entry["turn_deg"] = _list(np.degrees(turned))
        if assignment is not None:
            margin = float(assignment.margin[k])
            entry["segment_margin"] = margin if np.isfinite(margin) else None
            entry["next_segment"] = assignment.second[k]
            entry["segment_ambiguous"] = bool(assignment.ambiguous[k])
        sensors[f.sensor.name] = entry
    return {
        "study": study.name,
        "seeds": list(study.training.seeds),
        "stride_s": networks.stride_s,
        "sensors": sensors,
        "notes": notes,
    }


def table(found: Sequence[LocatedSensor], assignment: Assignment | None) -> str:
    """Return the places as text: cm and degrees, half-widths of 95 % intervals, `=` where left as given."""
    axes = [f"{name:>{width}}" for name, width in (("position cm: x", 18), ("y", 16), ("z", 16))]
    axes += [f"{name:>{width}}" for name, width in (("turned deg: x", 18), ("y", 14), ("z", 14))]
    head = f"{'sensor':<10}{'segment':<10}{''.join(axes)}"
    rows = [head + ("   fits elsewhere" if assignment else "")]
    for k, f in enumerate(found):
        place = f.place
        reference = np.eye(3) if f.given is None else f.given.rotation
        turned = np.degrees(Rotation.from_matrix(place.rotation @ reference.T).as_rotvec())
        half = INTERVAL * place.deviation
        cells = [
            _cell(100 * x, 100 * h, seen, 16)
            for x, h, seen in zip(place.position, half[:3], place.observable[:3], strict=True)
        ]
        cells += [
            _cell(x, np.degrees(h), seen, 14)
            for x, h, seen in zip(turned, half[3:], place.observable[3:], strict=True)
        ]
        row = f"{f.sensor.name:<10}{f.body:<10}  {cells[0]}{cells[1]}{cells[2]}    {''.join(cells[3:])}"
        if assignment:
            other = assignment.second[k] or "nowhere"
            row += f"   {other} x {assignment.margin[k]:.2f}" + (" ?" if assignment.ambiguous[k] else "")
        rows.append(row)
        if f.given is not None and np.any(place.observable[:3]):
            shift = 100 * (place.position - f.given.position)
            rows.append(
                f"{'':<20}  shift {np.linalg.norm(shift):.1f} cm ({', '.join(f'{s:+.1f}' for s in shift)})"
            )
    rows.append("± 95 % interval; = left as given, because the signals do not tell")
    return "\n".join(rows)


def _cell(value: float, half: float, seen: bool, width: int) -> str:
    return f"{f'{value:.1f} ± {half:.1f}' if seen else f'{value:.1f} ='}".rjust(width)


def _label(f: LocatedSensor) -> str:
    doubt = 100 * INTERVAL * f.place.deviation[:3][f.place.observable[:3]]
    on = f.sensor.name if f.sensor.name == f.body else f"{f.sensor.name} on {f.body}"
    return f"{on} ± {doubt.max():.1f} cm" if doubt.size else f"{on}: not observable"


def _list(values: Iterable[float]) -> list[float]:
    return [float(x) for x in values]
