"""Search for the places of sensors with trained networks that are left as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Model
from sspinn_opensim.placement.bodies import Assignment, assign, moving_bodies, starting_orders, whole_body
from sspinn_opensim.placement.fit import Guess, Place, locate, misfit
from sspinn_opensim.placement.motion import (
    Readings,
    Segment,
    SegmentMotion,
    frozen_motion,
    period,
    segment_motions,
)
from sspinn_opensim.recording import Recording, Sensor
from sspinn_opensim.training.estimator import PersonNetwork
from sspinn_opensim.training.signals import Signals, make_signals
from sspinn_opensim.training.subject import Subject

#: The motion is taken from a network without a lead-in: the first second is left out.
SETTLING_S = 1.0
#: No less than this is enough to tell a place from.
LEAST_S = 2.0
#: A training with wrong places bends the motion towards them: by this part of the shift found, as measured on
#: the virtual walk of the demo with places 7 cm wrong.
TRAINING_PULL = 0.4
_MOST_ROUNDS = 6


@dataclass(frozen=True)
class LocatedSensor:
    """One sensor's place.

    Attributes
    ----------
    sensor : Sensor
        As the recording states it.
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
class SensorOrder:
    """The order of sensors that a network is consistent with.

    Attributes
    ----------
    sensors : tuple of int
        For each input of the network the sensor that goes there.
    margin : float
        By how many times residuals are larger in the next best order.
    tried : int
        Orders that were tried.
    """

    sensors: tuple[int, ...]
    margin: float
    tried: int


@dataclass(frozen=True)
class SearchResult:
    """What the search for sensors found.

    Attributes
    ----------
    sensors : tuple of LocatedSensor
        In the order of the recording.
    candidates : dict of str to tuple of str
        Bodies that move on their own, each with all that move as one with it.
    assignment : Assignment or None
        How well each sensor fits each body, where the bodies were unknown.
    order : SensorOrder or None
        The order that was searched for, where it was unknown.
    q : (n, c) ndarray
        Coordinates by the first network, rad and m.
    """

    sensors: tuple[LocatedSensor, ...]
    candidates: dict[str, tuple[str, ...]]
    assignment: Assignment | None
    order: SensorOrder | None
    q: np.ndarray

    def leader(self, body: str) -> str:
        """Return the body of `candidates` that a body moves as one with."""
        return next(leader for leader, group in self.candidates.items() if body in group)


def search(networks: FrozenNetworks, *, bodies_known: bool, trained_elsewhere: bool) -> SearchResult:
    """Find where sensors sit.

    Parameters
    ----------
    networks : FrozenNetworks
        Say how the body moves.
    bodies_known : bool
        Whether sensors sit on the bodies that the study gives; else these are found too.
    trained_elsewhere : bool
        Whether the networks come from recordings whose sensors were labelled correctly: then an unknown order
        of the sensors is searched for, and no training has bent the motion towards the given places.

    Raises
    ------
    InputError
        If no order of the sensors agrees with the network.
    """
    subject, count = networks.subject, len(networks.recording.sensors)
    candidates = moving_bodies(subject.model, subject.fixed, [f.body for f in subject.functions.imu_frames])
    order = None if bodies_known or not trained_elsewhere else _search_order(networks)
    motions = networks.motions(order.sensors if order else range(count))
    assignment = None if bodies_known else _assign(networks, motions[0], candidates)
    bodies = assignment.bodies if assignment else [None] * count
    found = [_find(networks, motions, k, body) for k, body in enumerate(bodies)]
    if not trained_elsewhere:
        found = with_training_doubt(found)
    return SearchResult(tuple(found), candidates, assignment, order, motions[0].q)


@dataclass(frozen=True)
class SeedMotion:
    """Motion by one seed's network without its start.

    Attributes
    ----------
    q : (n, c) ndarray
        Coordinates, rad and m.
    segments : dict of str to Segment
        Motion of every body.
    """

    q: np.ndarray
    segments: dict[str, Segment]


class FrozenNetworks:
    """The trained networks of a study, and the recording they are asked about.

    Parameters
    ----------
    recording : Recording
        Of at least `SETTLING_S + LEAST_S`.
    subject : Subject
        The body, with the sensors where the study puts them.
    seeds : sequence of int
        One network each.
    estimator_of : callable
        Takes a seed, the recording and its signals, and returns the trained estimator.
    """

    def __init__(
        self,
        recording: Recording,
        subject: Subject,
        seeds: Sequence[int],
        estimator_of: Callable[[int, Recording, Signals], PersonNetwork],
    ) -> None:
        length = float(recording.time_s[-1] - recording.time_s[0])
        if length < SETTLING_S + LEAST_S:
            raise InputError(
                "The recording is too short to locate sensors.",
                where=f"recording '{recording.name}'",
                expected=f"at least {SETTLING_S + LEAST_S:g} s",
                found=f"{length:g} s",
                fix="give a longer recording",
            )
        self.recording, self.subject = recording, subject
        self._seeds, self._estimator_of = seeds, estimator_of
        self.step_s = 1.0 / recording.sampling_rate_hz
        # Central differences lose the first and the last frame.
        self.rows = slice(round(SETTLING_S / self.step_s), len(recording.time_s) - 1)
        everything = np.concatenate([recording.acceleration, recording.angular_rate], axis=2)[self.rows]
        self.stride_s = recording.cycle_s or period(everything.reshape(len(everything), -1), self.step_s)

    def motions(self, order: Sequence[int], first: bool = False) -> list[SeedMotion]:
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
        return [self._motion(fed, signals, seed) for seed in self._seeds[: 1 if first else None]]

    def _motion(self, fed: Recording, signals: Signals, seed: int) -> SeedMotion:
        estimator = self._estimator_of(seed, fed, signals)
        q, u, udot = frozen_motion(estimator, self.subject, signals)
        motions = segment_motions(self.subject.functions, q, u, udot)
        after = slice(self.rows.start - 1, None)
        segments = {
            body: Segment(SegmentMotion(*(x[after] for x in vars(motion).values())), self.step_s)
            for body, motion in motions.items()
        }
        return SeedMotion(q[after], segments)

    def readings(self, sensor: int) -> Readings:
        """Return the signals of a sensor without their start."""
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


def _assign(
    networks: FrozenNetworks, moved: SeedMotion, candidates: Mapping[str, tuple[str, ...]]
) -> Assignment:
    sensors = [frame.body for frame in networks.subject.functions.imu_frames]
    room = {b: max(1, sum(s in group for s in sensors)) for b, group in candidates.items()}
    recording = networks.recording
    channels = (recording.acceleration_available.sum(1) + recording.angular_rate_available.sum(1)).astype(int)
    guesses = {body: whole_body(networks.subject.model, body) for body in candidates}
    misfits = [
        [misfit(moved.segments[body], networks.readings(k), guess) for body, guess in guesses.items()]
        for k in range(len(recording.sensors))
    ]
    return assign(np.array(misfits), list(candidates), channels, room)


def _search_order(networks: FrozenNetworks) -> SensorOrder:
    """Return the order of sensors that a network trained on others finds consistent with itself.

    From several starts: the network is fed, the sensors are assigned to the motion it sees, and it is fed
    again in the order found, until nothing changes. Of the orders that repeat themselves the one that
    explains the signals best wins.

    Raises
    ------
    InputError
        If no order repeats itself: the network does not know this movement.
    """
    functions, model = networks.subject.functions, networks.subject.model
    slots = [frame.body for frame in functions.imu_frames]
    rate = np.sqrt(np.mean(np.sum(networks.recording.angular_rate[networks.rows] ** 2, axis=2), axis=0))
    guesses = [networks.given(slot)[1] for slot in range(len(slots))]
    totals: dict[tuple[int, ...], float] = {}
    tried: set[tuple[int, ...]] = set()
    for start in starting_orders(rate, [_depth(model, body) for body in slots]):
        order = start
        for _ in range(_MOST_ROUNDS):
            if order in tried:
                break
            tried.add(order)
            segments = networks.motions(order, first=True)[0].segments
            misfits = np.array(
                [
                    [
                        misfit(segments[body], networks.readings(k), guess, np.eye(3)[None])
                        for body, guess in zip(slots, guesses, strict=True)
                    ]
                    for k in range(len(slots))
                ]
            )
            found = assign(misfits, slots, np.ones(len(slots)))
            free = {body: [k for k, b in enumerate(found.bodies) if b == body] for body in set(slots)}
            following = tuple(free[body].pop(0) for body in slots)
            if following == order:
                totals[order] = float(sum(misfits[k, slot] for slot, k in enumerate(order)))
            order = following
    if not totals:
        raise InputError(
            "No order of the sensors agrees with the network.",
            where=f"recording '{networks.recording.name}'",
            expected="a network trained on the same kind of movement, with the same sensors",
            found=f"{len(tried)} orders tried",
            fix="train on more people and speeds, and name that folder with --network",
        )
    ranked = sorted(totals, key=totals.__getitem__)
    channels = (
        networks.recording.acceleration_available.sum() + networks.recording.angular_rate_available.sum()
    )
    margin = np.exp((totals[ranked[1]] - totals[ranked[0]]) / channels) if len(ranked) > 1 else np.inf
    return SensorOrder(ranked[0], float(margin), len(tried))


def _depth(model: Model, body: str) -> int:
    depth = 0
    while body != "ground":
        body, depth = model.joint_of(body).parent.body, depth + 1
    return depth


def _find(networks: FrozenNetworks, motions: Sequence[SeedMotion], k: int, body: str | None) -> LocatedSensor:
    sensor = networks.recording.sensors[k]
    given_body, given = networks.given(k)
    body = given_body if body is None else body
    kept = body == given_body
    guess = given if kept else whole_body(networks.subject.model, body)
    places = [
        locate(m.segments[body], networks.readings(k), guess, stride_s=networks.stride_s) for m in motions
    ]
    place = combine(places, guess)
    return LocatedSensor(sensor, body, place, given if kept else None, place.rotation @ sensor.rotation)


def with_training_doubt(found: Sequence[LocatedSensor]) -> list[LocatedSensor]:
    """Return the places with the doubt that comes from a training that took the given ones for right.

    The motion was fitted to the given places of all sensors, so all share the doubt: `TRAINING_PULL` times
    the root mean square shift of a component.
    """
    doubt = TRAINING_PULL * mean_shift(found)
    out = []
    for f in found:
        more = np.where(f.place.observable[:3], doubt**2, 0.0)
        covariance = f.place.covariance + np.diag(np.append(more, np.zeros(3)))
        out.append(replace(f, place=replace(f.place, covariance=covariance)))
    return out


def mean_shift(found: Sequence[LocatedSensor]) -> float:
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
