"""`sspinn locate-sensors`: where each sensor sits, from a trained network that is left as it is."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from scipy.spatial.transform import Rotation

from casadi_dynamics.errors import InputError
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.opensim_process.worker.answers import model_answers
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import build
from casadi_dynamics.verify import compare
from sspinn_opensim.files import write_atomically
from sspinn_opensim.opensim_io.model.imu_frames import FramePlace, frame_names, write_imu_frames
from sspinn_opensim.placement.bodies import (
    AMBIGUOUS,
    Assignment,
    assign,
    moving_bodies,
    starting_orders,
    whole_body,
)
from sspinn_opensim.placement.figure import Mark, placement_figure
from sspinn_opensim.placement.fit import (
    Guess,
    Place,
    locate,
    misfit,
)
from sspinn_opensim.placement.motion import Readings, Segment, frozen_motion, period, segment_motions
from sspinn_opensim.recording import Recording, Sensor
from sspinn_opensim.recording.mounting import angles_from_rotation, rotation_from_angles
from sspinn_opensim.recording.window import SETTLING_S
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.study import Study, read_study
from sspinn_opensim.training.checkpoint import identity, load_estimator, load_member
from sspinn_opensim.training.settings import settings_of
from sspinn_opensim.training.signals import Signals, make_signals
from sspinn_opensim.training.subject import Subject
from sspinn_opensim.verbs.prepared import prepare

log = logging.getLogger(__name__)

#: No less than this is enough to tell a place from.
LEAST_S = 2.0
#: Half-width of a 95 % interval in standard deviations.
INTERVAL = 1.96
#: What a written model may differ by from what was to be written, relative to the largest value.
_READ_BACK = 1e-9
#: A training with wrong places bends the motion towards them: by this part of the shift found, as measured on
#: the virtual walk of the demo with places 7 cm wrong.
BENT = 0.4
#: Shifts beyond this, m, are worth another training with the places found.
WORTH_TRAINING_M = 0.02
_MOST_ROUNDS = 6
_AXES = ("x", "y", "z")


@dataclass(frozen=True)
class Found:
    """One sensor's place.

    Attributes
    ----------
    sensor : Sensor
    body : str
        Where it sits.
    place : Place
        In the axes of `body`; its rotation is that of the recorded signals' axes.
    given : Guess or None
        Where the study puts it; None on another body.
    own_axes : (3, 3) ndarray
        The sensor's own axes in the body as found.
    """

    sensor: Sensor
    body: str
    place: Place
    given: Guess | None
    own_axes: np.ndarray


@dataclass(frozen=True)
class SensorPlaces:
    """Where the sensors of a study were found.

    Attributes
    ----------
    sensors : tuple of Found
        In the order of the study.
    assignment : Assignment or None
        How well each sensor fits each body, where the bodies were unknown.
    notes : tuple of str
        What a reader of the places should know.
    """

    sensors: tuple[Found, ...]
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


def locate_sensors(
    study: Study | str | Path,
    out: str | Path,
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
        If there is no trained network, the recording is too short, or the written model does not read back.
    """
    log.info("locate sensors", extra={"heading": True})
    study = study if isinstance(study, Study) else read_study(study)
    out, network = Path(out).absolute(), None if network is None else Path(network).absolute()
    prepared = prepare(study, out)
    recording, subject = prepared.recording, prepared.subject
    _check_length(recording)
    frozen = _Frozen(study, out, network, recording, subject)
    candidates = moving_bodies(subject.model, subject.fixed, [f.body for f in subject.functions.imu_frames])
    assignment = order = None
    as_given = tuple(range(len(recording.sensors)))
    if segments == "unknown" and network is not None:
        order = _search_order(frozen)
    motions = frozen.motions(order.sensors if order else as_given)
    if segments == "unknown":
        assignment = _assign(frozen, motions[0], candidates)
    found = [
        _find(frozen, motions, k, assignment.bodies[k] if assignment else None)
        for k in range(len(recording.sensors))
    ]
    if network is None:
        found = bent(found)
    notes = _notes(found, assignment, order, candidates)
    _write(study, out, frozen, motions[0].q, found, assignment, notes)
    return SensorPlaces(tuple(found), assignment, tuple(notes))


@dataclass(frozen=True)
class _Moved:
    """One seed's motion: coordinates (n, c) and how every body moves, settled."""

    q: np.ndarray
    segments: dict[str, Segment]


class _Frozen:
    """The networks of a study, and the recording they are asked about."""

    def __init__(
        self, study: Study, out: Path, network: Path | None, recording: Recording, subject: Subject
    ) -> None:
        self.recording, self.subject = recording, subject
        self._study, self._out, self._network = study, out, network
        self.step_s = 1.0 / recording.sampling_rate_hz
        # Central differences lose the first and the last frame.
        self.rows = slice(round(SETTLING_S / self.step_s), len(recording.time_s) - 1)
        everything = np.concatenate([recording.acceleration, recording.angular_rate], axis=2)[self.rows]
        self.stride_s = recording.cycle_s or period(everything.reshape(len(everything), -1), self.step_s)

    def motions(self, order: Sequence[int], first: bool = False) -> list[_Moved]:
        """Return the motion by every seed's network (or the first's), fed with sensor `order[i]` as i."""
        order = list(order)
        recording = self.recording
        arrays = ("acceleration", "angular_rate")
        flags = [f"{n}_{kind}" for n in arrays for kind in ("available", "variance")]
        fed = replace(
            recording,
            **{name: getattr(recording, name)[:, order] for name in arrays},
            **{name: getattr(recording, name)[order] for name in flags},
        )
        signals = make_signals(fed, self.subject)
        seeds = self._study.training.seeds[: 1 if first else None]
        return [self._motion(fed, signals, seed) for seed in seeds]

    def _motion(self, fed: Recording, signals: Signals, seed: int) -> _Moved:
        belongs_to = identity(self.subject, fed, settings_of(self._study.training, seed))
        if self._network is None:
            file = ResultsFolder(self._out).checkpoint(seed)
            estimator = load_estimator(file, self.subject, signals, belongs_to)
        else:
            file = ResultsFolder(self._network).checkpoint(seed)
            estimator = load_member(file, self.subject, signals, belongs_to, None)
        q, u, udot = frozen_motion(estimator, self.subject, signals)
        motions = segment_motions(self.subject.functions, q, u, udot)
        settled = slice(self.rows.start - 1, None)
        segments = {
            body: Segment(
                replace(
                    motion,
                    force=motion.force[settled],
                    rate=motion.rate[settled],
                    acceleration=motion.acceleration[settled],
                ),
                self.step_s,
            )
            for body, motion in motions.items()
        }
        return _Moved(q[settled], segments)

    def readings(self, sensor: int) -> Readings:
        """Return the settled signals of a sensor."""
        r = self.recording
        return Readings(
            r.acceleration[self.rows, sensor],
            r.angular_rate[self.rows, sensor],
            r.acceleration_available[sensor],
            r.angular_rate_available[sensor],
        )

    def given(self, sensor: int) -> tuple[str, Guess]:
        """Return the body and place that the study gives a sensor."""
        frame = self.subject.functions.imu_frames[sensor]
        spread = whole_body(self.subject.model, frame.body).deviation_m
        return frame.body, Guess(np.array(frame.position), spread, np.array(frame.rotation))


def _check_length(recording: Recording) -> None:
    length = float(recording.time_s[-1] - recording.time_s[0])
    if length < SETTLING_S + LEAST_S:
        raise InputError(
            "The recording is too short to locate sensors.",
            where=f"recording '{recording.name}'",
            expected=f"at least {SETTLING_S + LEAST_S:g} s",
            found=f"{length:g} s",
            fix="give a longer recording",
        )


def _misfits(frozen: _Frozen, moved: _Moved, candidates) -> np.ndarray:
    """Return the misfit of every sensor on every body; nobody knows where on it."""
    model = frozen.subject.model
    guesses = {body: whole_body(model, body) for body in candidates}
    return np.array(
        [
            [misfit(moved.segments[body], frozen.readings(k), guesses[body]) for body in candidates]
            for k in range(len(frozen.recording.sensors))
        ]
    )


def _assign(frozen: _Frozen, moved: _Moved, candidates) -> Assignment:
    sensors = [frame.body for frame in frozen.subject.functions.imu_frames]
    room = {b: max(1, sum(s in group for s in sensors)) for b, group in candidates.items()}
    recording = frozen.recording
    channels = (recording.acceleration_available.sum(1) + recording.angular_rate_available.sum(1)).astype(int)
    return assign(_misfits(frozen, moved, candidates), list(candidates), channels, room)


def _search_order(frozen: _Frozen) -> _Order:
    """Return the order of sensors that a network trained on others finds consistent with itself.

    From several starts: the network is fed, the sensors are assigned to the motion it sees, and it is fed
    again in the order found, until nothing changes. Of the orders that repeat themselves the one that
    explains the signals best wins.

    Raises
    ------
    InputError
        If no order repeats itself: the network does not know this movement.
    """
    functions, model = frozen.subject.functions, frozen.subject.model
    slots = [frame.body for frame in functions.imu_frames]
    rate = np.sqrt(np.mean(np.sum(frozen.recording.angular_rate[frozen.rows] ** 2, axis=2), axis=0))
    guesses = [frozen.given(slot)[1] for slot in range(len(slots))]
    totals: dict[tuple[int, ...], float] = {}
    tried: set[tuple[int, ...]] = set()
    for start in starting_orders(rate, [_depth(model, body) for body in slots]):
        order = start
        for _ in range(_MOST_ROUNDS):
            if order in tried:
                break
            tried.add(order)
            segments = frozen.motions(order, first=True)[0].segments
            misfits = np.array(
                [
                    [
                        misfit(segments[body], frozen.readings(k), guess, np.eye(3)[None])
                        for body, guess in zip(slots, guesses, strict=True)
                    ]
                    for k in range(len(slots))
                ]
            )
            found = assign(misfits, slots, np.ones(len(slots)))
            following = tuple(_sensors_in_slots(found.bodies, slots))
            if following == order:
                totals[order] = float(sum(misfits[k, slot] for slot, k in enumerate(order)))
            order = following
    if not totals:
        raise InputError(
            "No order of the sensors agrees with the network.",
            where=f"recording '{frozen.recording.name}'",
            expected="a network trained on the same kind of movement, with the same sensors",
            found=f"{len(tried)} orders tried",
            fix="train on more people and speeds, and name that folder with --network",
        )
    ranked = sorted(totals, key=lambda order: totals[order])
    channels = frozen.recording.acceleration_available.sum() + frozen.recording.angular_rate_available.sum()
    margin = np.exp((totals[ranked[1]] - totals[ranked[0]]) / channels) if len(ranked) > 1 else np.inf
    return _Order(ranked[0], float(margin), len(tried))


@dataclass(frozen=True)
class _Order:
    """Which sensor goes into which slot of the network, and by how much the next best order fits worse."""

    sensors: tuple[int, ...]
    margin: float
    tried: int


def _sensors_in_slots(bodies: Sequence[str], slots: Sequence[str]) -> list[int]:
    """Return for each slot a sensor that was assigned to its body."""
    free = {body: [k for k, b in enumerate(bodies) if b == body] for body in set(slots)}
    return [free[body].pop(0) for body in slots]


def _depth(model, body: str) -> int:
    depth = 0
    while body != "ground":
        body, depth = model.joint_of(body).parent.body, depth + 1
    return depth


def _leader(candidates, body: str) -> str:
    return next(leader for leader, group in candidates.items() if body in group)


def _find(frozen: _Frozen, motions: Sequence[_Moved], k: int, body: str | None) -> Found:
    sensor = frozen.recording.sensors[k]
    given_body, given = frozen.given(k)
    body = given_body if body is None else body
    kept = body == given_body
    guess = given if kept else whole_body(frozen.subject.model, body)
    places = [locate(m.segments[body], frozen.readings(k), guess, stride_s=frozen.stride_s) for m in motions]
    place = combine(places, guess)
    mounted = np.eye(3) if sensor.imu_frame else rotation_from_angles(sensor.orientation)
    return Found(sensor, body, place, given if kept else None, place.rotation @ mounted)


def bent(found: Sequence[Found]) -> list[Found]:
    """Return the places with the doubt that comes from a training that took the given ones for right.

    The motion was fitted to the given places of all sensors, so all share the doubt: `BENT` times the root
    mean square shift of a component.
    """
    doubt = BENT * _mean_shift(found)
    out = []
    for f in found:
        more = np.where(f.place.observable[:3], doubt**2, 0.0)
        covariance = f.place.covariance + np.diag(np.append(more, np.zeros(3)))
        out.append(replace(f, place=replace(f.place, covariance=covariance)))
    return out


def _mean_shift(found: Sequence[Found]) -> float:
    """Return the root mean square shift of the observable components, m."""
    shifts = [
        (f.place.position - f.given.position)[f.place.observable[:3]] for f in found if f.given is not None
    ]
    every = np.concatenate(shifts) if shifts else np.zeros(0)
    return float(np.sqrt(np.mean(every**2))) if every.size else 0.0


def combine(places: Sequence[Place], guess: Guess) -> Place:
    """Return the mean of several networks' answers; what they differ by is part of its covariance."""
    if len(places) == 1:
        return places[0]
    first = places[0]
    turns = Rotation.from_matrix([place.rotation @ first.rotation.T for place in places]).as_rotvec()
    answers = np.hstack([np.array([place.position for place in places]), turns])
    observable = np.all([place.observable for place in places], axis=0)
    mean = answers.mean(axis=0)
    between = np.cov(answers.T) * np.outer(observable, observable)
    within = np.mean([place.covariance for place in places], axis=0)
    position = np.where(observable[:3], mean[:3], guess.position)
    # A direction that one network cannot tell is as uncertain as it is to that one.
    worst = np.max([np.diag(place.covariance) for place in places], axis=0)
    within[~observable] = within[:, ~observable] = 0.0
    within[np.diag_indices(6)] = np.where(observable, np.diag(within), worst)
    return replace(
        first,
        position=position,
        rotation=Rotation.from_rotvec(mean[3:]).as_matrix() @ first.rotation,
        covariance=within + between,
        observable=observable,
        acceleration_bias=np.mean([p.acceleration_bias for p in places], axis=0),
        rate_bias=np.mean([p.rate_bias for p in places], axis=0),
        acceleration_residual=float(np.mean([p.acceleration_residual for p in places])),
        rate_residual=float(np.mean([p.rate_residual for p in places])),
    )


def _write(study, out: Path, frozen: _Frozen, q, found, assignment, notes) -> None:
    subject = frozen.subject
    names = frame_names([f.sensor.name for f in found])
    frames = []
    for f, name in zip(found, names, strict=True):
        x, y, z = map(float, f.place.position)
        frames.append(FramePlace(name, f.body, (x, y, z), angles_from_rotation(f.own_axes)))
    _write_model(out, frames)
    report = _report(study, frozen, found, assignment, notes)
    write_atomically(ResultsFolder(out).sensor_places, json.dumps(report, indent=1) + "\n")
    marks = [
        Mark(
            f.sensor.name,
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
    svg = placement_figure(subject, subject.completed(q), marks, f"{study.name}: where the sensors sit")
    write_atomically(ResultsFolder(out).sensor_places_picture, svg)


def _write_model(out: Path, frames: Sequence[FramePlace]) -> None:
    """Write the model with the places as frames, once OpenSim reads it as our reader does."""
    draft, answers_file = out / ".sensor_places.osim", out / ".sensor_places.npz"
    try:
        write_imu_frames(ResultsFolder(out).subject, draft, frames)
        model = read_model(draft)
        arguments = {"model": draft, "samples": 2, "seed": 0, "output": answers_file}
        run_job(model_answers, arguments, timeout_s=300, outputs=[answers_file])
        with np.load(answers_file, allow_pickle=False) as stored:
            errors = compare(model, build(model, model.imu_frames), dict(stored))
        sensed = {name: value for name, value in errors.items() if name.startswith("imu")}
        worst = max(sensed, key=lambda name: sensed[name])
        if not sensed[worst] <= _READ_BACK:
            raise InputError(
                "OpenSim does not read the places as they were found.",
                where=f"{ResultsFolder(out).sensor_places_model}, {worst}",
                expected=f"a relative difference of at most {_READ_BACK:g}",
                found=f"{sensed[worst]:.3g}",
                fix="report the model to the project",
            )
        draft.replace(ResultsFolder(out).sensor_places_model)
    finally:
        draft.unlink(missing_ok=True)
        answers_file.unlink(missing_ok=True)


def _notes(found, assignment: Assignment | None, order: _Order | None, candidates) -> list[str]:
    """Return what a reader of the places should know."""
    notes = []
    if order is None and _mean_shift(found) > WORTH_TRAINING_M:
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
            group = candidates[_leader(candidates, f.body)]
            if len(group) > 1:
                notes.append(f"'{f.sensor.name}': {', '.join(group)} move as one")
            if f.given is None:
                notes.append(f"'{f.sensor.name}' sits on '{f.body}', not where the study says")
    return notes


def _report(study, frozen: _Frozen, found, assignment, notes) -> dict:
    names = frame_names([f.sensor.name for f in found])
    sensors = {}
    for k, f in enumerate(found):
        place, deviation = f.place, f.place.deviation
        entry = {
            "segment": f.body,
            "segment_in_study": frozen.given(k)[0],
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
        "stride_s": frozen.stride_s,
        "sensors": sensors,
        "notes": notes,
    }


def table(found: Sequence[Found], assignment: Assignment | None) -> str:
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


def _label(f: Found) -> str:
    doubt = 100 * INTERVAL * f.place.deviation[:3][f.place.observable[:3]]
    on = f.sensor.name if f.sensor.name == f.body else f"{f.sensor.name} on {f.body}"
    return f"{on} ± {doubt.max():.1f} cm" if doubt.size else f"{on}: not observable"


def _list(values) -> list[float]:
    return [float(x) for x in values]
