"""Dynamic consistency: the smallest correction after which motion, ground forces and masses agree.

Unknown are the estimated coordinates, as the spline by which OpenSim differentiates them (`knots`), and
forces at the contact points of feet that carry load, each a sum of directions along the cone of friction with
amounts of zero and more: so no foot pulls, or is held by more than friction, or is pushed beside its sole.
What would have to hold the root is zero at every sample, by the exact functions of the model (`balance`).
Among all such motions and forces the one is taken whose squared changes, over the estimate's own standard
deviations, have the least sum: of coordinates, ground forces, where they act, and joint moments; weakly, of
what the sensors would read; and motions that shake cost too. Where it is said what the gyroscopes measured,
the motion follows them as far as they are slow. Each round linearises (Gauss and Newton) and solves a
quadratic program; multipliers make the balance exact (Nocedal and Wright 2006, Numerical Optimization,
chapter 17). Near the end the gradient alone is made anew, exactly, and the Hessian stays.
"""

from __future__ import annotations

import itertools
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from casadi_dynamics.cores import usable_cores
from sspinn_opensim.dynamics.trial import natural_quintic
from sspinn_opensim.estimation import knots
from sspinn_opensim.estimation.balance import RATE_RAD_S, Balance, Values
from sspinn_opensim.estimation.between import forces_between, motion_between, samples_apart, thinned
from sspinn_opensim.estimation.ground import LEAST_LOAD, GroundForces, ground_forces
from sspinn_opensim.estimation.gyroscopes import Gyroscopes
from sspinn_opensim.estimation.hessians import Hessians
from sspinn_opensim.estimation.offline import Estimate
from sspinn_opensim.estimation.quadratic import Curvature, QuadraticProgram
from sspinn_opensim.estimation.uncertainty import Deviations
from sspinn_opensim.recording.filters import low_pass
from sspinn_opensim.recording.runs import true_runs
from sspinn_opensim.training.memory import memory_kept
from sspinn_opensim.training.subject import Subject

log = logging.getLogger(__name__)

#: Coordinates (n, c), and forces at the contact points (n, p, 3), N.
_Found = tuple[np.ndarray, np.ndarray]

#: Of the training (`friction` in its losses).
FRICTION = 0.6
#: A foot is loaded for so long or not at all, s: what an estimate leaves on a foot in the air is shorter.
SHORTEST_LOAD_S = 0.06
#: Fourth derivative of a coordinate that costs as much as one deviation, rad/s^4 and m/s^4: of an
#: acceleration of 10 rad/s^2 at 16 Hz. Without it forces would balance noise that no filter takes away.
SNAP = 1e5
#: What is faster in the gyroscopes, Hz, is more of tissue than of the motion.
GYROSCOPES_HZ = 6.0
#: What is faster in a network's forces and moments, Hz, is more of its noise, and of tissue that shakes the
#: sensors of pelvis and trunk, half of the body, than of the ground.
FORCES_HZ = 8.0
#: Fewer frames have no second derivative worth balancing.
FEWEST_FRAMES = 6
#: Directions of the cone of friction in space: its flat sides hold 0.87 of it and more.
_DIRECTIONS = 6
#: Below this load, body weights, the point of a force has the lever that it would have with it.
_LEAST_LEVER = 0.1
#: What the square of a root residual of one body weight costs beside squares of deviations.
_STIFFNESS = 1e6
#: Deviation, body weights, of the force at each point of a foot: it decides between equals alone.
_SHARE = 0.5
#: Rounds end at this root residual, body weights (times height), and after so many.
_BALANCED, _ROUNDS = 1e-6, 15
#: From here on the linearisation is good enough for multipliers.
_NEARLY = 1e-2
#: Above this a motion is too wild to be made to agree, and is left alone.
_GIVEN_UP = 0.05
#: The Hessian stays once a round leaves less than this, and so small a part of what the round before left.
_CLOSE, _FAST = 1e-3, 0.1
#: But for the first rounds, in which forces and motion are far from each other.
_FULL_ROUNDS = 2
#: Share of the samples whose bounds may still be wrong before that: the next round mends them.
_FEW = 0.01
#: Parts of a step that are tried, until the residual falls.
_LENGTHS = (1.0, 0.5, 0.25)
#: How closely the first program, which is only a start, and the others are solved.
_ROUGHLY, _CLOSELY = 1e-4, 1e-7
#: Frames whose Hessians are made at once, so that they stay in the second cache.
_AT_ONCE = 256
#: Frames solved together, and how far they reach into their neighbours, s: corrections are forgotten before.
_PIECE, _OVERLAP_S = 3000, 2.5


def consistent(
    estimate: Estimate, subject: Subject, deviations: Deviations, gyroscopes: Gyroscopes | None = None
) -> Estimate:
    """Return an estimate whose motion, ground forces and masses agree, with the moments that follow from it.

    Parameters
    ----------
    estimate : Estimate
        At evenly spaced times.
    deviations : Deviations
        Standard deviations of its numbers, at its times.
    gyroscopes : Gyroscopes, optional
        What was measured at its times, which the motion follows; by default it stays near the estimate's own.

    Returns
    -------
    Estimate
        Held coordinates are as they were. An estimate of less than `FEWEST_FRAMES`, or too wild to be made
        to agree, is returned as it is.
    """
    time_s, frames = estimate.time_s, len(estimate.time_s)
    if frames < FEWEST_FRAMES:
        return estimate
    balance = Balance(subject)
    step_s = float(time_s[-1] - time_s[0]) / (frames - 1)
    every = min(samples_apart(1.0 / step_s), (frames - 1) // (FEWEST_FRAMES - 1))
    some = (
        (estimate, deviations, gyroscopes) if every == 1 else thinned(estimate, deviations, gyroscopes, every)
    )
    found = _solved(balance, *some, every * step_s)
    if found is None:  # half a correction would be worse than none; the account of it says what is left
        return estimate
    q, force = found
    spline = knots.coefficients(q) if every == 1 else natural_quintic(some[0].time_s, q)
    whole, moments = estimate.q.copy(), np.empty_like(estimate.moments)
    ground = {name: np.empty_like(estimate.ground.force) for name in ("force", "point", "torque")}
    for start in range(0, frames, _PIECE * every):
        part = slice(start, min(start + _PIECE * every, frames))
        if isinstance(spline, np.ndarray):
            motion = knots.at_knots(spline[start : part.stop + knots.MORE], knots.derivative_weights(step_s))
            whole[part, list(balance.free)], forces = q[part], force[part]
        else:
            motion = motion_between(spline, time_s[part])
            whole[part, list(balance.free)] = motion[:, : q.shape[1]]
            solved = force[start // every : start // every + _PIECE + 1]
            forces = forces_between(balance, motion, solved, _directions(subject), every)
        values = balance.values(motion, forces)
        moments[part] = values.moment
        on_feet = ground_forces(subject, values.position, forces)
        for name, own in ground.items():
            own[part] = getattr(on_feet, name)
    on_feet = GroundForces(estimate.ground.feet, **ground)
    return replace(estimate, q=subject.completed(whole), moments=moments, ground=on_feet)


def without_shaking(estimate: Estimate, subject: Subject) -> Estimate:
    """Return the estimate of a network without what is faster than `FORCES_HZ` in its forces and moments.

    Feet without load stay without, so that no filter makes them strike earlier or leave later.
    """
    time_s, ground = estimate.time_s, estimate.ground
    if len(time_s) < FEWEST_FRAMES:
        return estimate
    rate_hz = (len(time_s) - 1) / float(time_s[-1] - time_s[0])
    force, torque, moments = (
        low_pass(values, FORCES_HZ, rate_hz) for values in (ground.force, ground.torque, estimate.moments)
    )
    loaded = ground.force[..., 1:2] > LEAST_LOAD * subject.body_weight
    kept = {
        name: np.where(loaded, new, getattr(ground, name))
        for name, new in (("force", force), ("torque", torque))
    }
    return replace(estimate, moments=moments, ground=replace(ground, **kept))


def _solved(
    balance: Balance,
    estimate: Estimate,
    deviations: Deviations,
    gyroscopes: Gyroscopes | None,
    step_s: float,
) -> _Found | None:
    """Return coordinates and forces at the contact points of all frames; None where some have no answer."""
    subject, frames = balance.subject, len(estimate.time_s)
    loaded = loaded_feet(estimate.ground.force[..., 1], subject.body_weight, step_s)
    q, force = np.zeros((frames, len(balance.free))), np.zeros((frames, len(subject.feet), 3))
    pieces = list(_pieces(frames, round(_OVERLAP_S / step_s)))
    balance.compile()
    hessians = Hessians(balance, _directions(subject), _STIFFNESS, *_told_of_feet(subject))

    def solved(part: slice) -> _Found | None:
        followed = gyroscopes.part(part) if gyroscopes else None
        try:
            return _Problem(estimate, deviations, loaded, balance, hessians, part, step_s, followed).solve()
        except np.linalg.LinAlgError:  # what digits can no longer tell
            return None

    for (part, share), found in zip(pieces, _in_order(solved, [part for part, _ in pieces]), strict=True):
        if found is None:
            return None
        values, forces = found
        q[part] += share[:, None] * values
        force[part] += share[:, None, None] * forces
        if len(pieces) > 1:
            log.info(f"motion and forces made to agree: {part.stop} of {frames} frames")
    return q, force


def _in_order(solved: Callable[[slice], _Found | None], parts: Sequence[slice]) -> Iterator[_Found | None]:
    """Give what is found of each part, in order, as many at a time as there are cores."""
    from threadpoolctl import threadpool_limits  # looks through all libraries, and few need it

    cores = min(usable_cores(), len(parts))
    # Matrices are small: threads of BLAS wait for each other, and take the cores from the other pieces.
    with memory_kept(), threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(cores) as pool:
        waiting = deque(pool.submit(solved, part) for part in parts)
        try:
            while waiting:  # none is held when it has been given
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def loaded_feet(vertical_n: np.ndarray, body_weight_n: float, step_s: float) -> np.ndarray:
    """Return where feet carry load, (n, feet) bool, of upward forces (n, feet)."""
    loaded = np.zeros(vertical_n.shape, bool)
    for k, column in enumerate(vertical_n.T):
        for first, last in true_runs(column > LEAST_LOAD * body_weight_n):
            whole = first > 0 and last < len(column)
            loaded[first:last, k] = not whole or (last - first) * step_s >= SHORTEST_LOAD_S
    return loaded


def _pieces(frames: int, overlap: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Give what is solved together, and its share in each frame: neighbours fade into one another.

    Both agree there but for what is not forgotten yet; a jump would be an acceleration.
    """
    count = max(round(frames / _PIECE), 1)
    edges = np.linspace(0, frames, count + 1).round().astype(int).tolist()
    for first, last in itertools.pairwise(edges):
        part = slice(max(first - overlap, 0), min(last + overlap, frames))
        at = np.arange(part.start, part.stop)
        share = _fade((at - first) / (overlap / 2)) if first > 0 else np.ones(len(at))
        yield part, share - (_fade((at - last) / (overlap / 2)) if last < frames else 0.0)


def _fade(x: np.ndarray) -> np.ndarray:
    """Return what goes from 0 to 1 as x goes from -1 to 1, with two derivatives of zero at both ends."""
    x = np.clip((x + 1) / 2, 0.0, 1.0)
    return x**3 * (10 - 15 * x + 6 * x**2)


@dataclass(frozen=True)
class _Aims:
    """What a motion is held to beside the estimate.

    Attributes
    ----------
    reading : (n, s) ndarray
        Readings of the virtual sensors.
    followed : (n, c) ndarray
        Those of gyroscopes that are followed, rad/s.
    held : (n, r) ndarray
        Multipliers of the root residuals.
    """

    reading: np.ndarray
    followed: np.ndarray
    held: np.ndarray


class _Problem:
    """The correction of some frames of an estimate."""

    def __init__(
        self,
        estimate: Estimate,
        deviations: Deviations,
        loaded: np.ndarray,
        balance: Balance,
        hessians: Hessians,
        part: slice,
        step_s: float,
        gyroscopes: Gyroscopes | None,
    ) -> None:
        subject, free, ground = balance.subject, list(balance.free), estimate.ground
        self._balance, self._subject, self._gyroscopes = balance, subject, gyroscopes
        self._rate_hz = 1.0 / step_s
        self._weights = knots.derivative_weights(step_s)
        self._stiffness = (SNAP * step_s**4) ** -2
        self._q, self._q_scale = estimate.q[part][:, free], deviations.q[part][:, free]
        self._moment, self._moment_scale = estimate.moments[part], deviations.moments[part]
        self._force, self._point, self._torque = (
            values[part] for values in (ground.force, ground.point, ground.torque)
        )
        self._force_scale = deviations.force[part]
        load = np.maximum(self._force[..., 1], _LEAST_LEVER * subject.body_weight)
        self._torque_scale = deviations.point[part] * load[..., None]
        #: For each contact point the place of its foot.
        self._feet = np.array([ground.feet.index(foot) for foot in subject.feet])
        self._on = loaded[part][:, self._feet]
        self._hessians, self._directions = hessians, _directions(subject)
        self._axes, self._turns = _told_of_feet(subject)
        shares = np.full((len(self._q), self._on.shape[1] * self._directions.shape[1]), _SHARE)
        of_feet = self._force_scale[..., self._axes], self._torque_scale[..., self._turns]
        scales = [self._q_scale, shares, self._moment_scale, *(x.reshape(len(x), -1) for x in of_feet)]
        self._precision = np.concatenate(scales, axis=1) ** -2.0

    def solve(self) -> _Found | None:
        """Return coordinates (n, c) and forces at the contact points (n, p, 3), N; None if there are none."""
        coefficients = knots.coefficients(self._q)
        motion = knots.at_knots(coefficients, self._weights)
        amount = self._first_amounts()
        zero, bound = amount <= 0, np.zeros_like(amount)
        held = np.zeros((len(self._q), len(self._subject.roles.root)))
        reading = self._balance.values(motion, self._forces(amount)).reading
        aims, last, before = _Aims(reading, self._followed(reading), held), np.inf, np.inf
        curvature, by_guesses = self._curvature(motion, amount, zero), True
        for round_ in range(_ROUNDS):
            if round_ and (round_ < _FULL_ROUNDS or last > min(_CLOSE, _FAST * before)):
                program = curvature = None  # large arrays: not twice at once
                curvature = self._curvature(motion, amount, zero)
            program = self._program(curvature, coefficients, motion, amount, aims)
            few = _FEW if last > _CLOSE else 0.0
            found = program.solve_by_guesses(zero, few) if by_guesses else None
            if found is not None:
                step, aim, zero = found
            else:
                by_guesses, few, zero = False, 0.0, np.ones_like(zero)  # it holds them all
                step, aim, bound = program.solve(amount, bound, _CLOSELY if round_ else _ROUGHLY)
            before = last
            for length in _LENGTHS:
                motion = knots.at_knots(coefficients + length * step, self._weights)
                between = amount + length * (aim - amount)
                left = self._balance.values(motion, self._forces(between)).root
                if np.abs(left).max() < max(last, _NEARLY):
                    break
            coefficients, amount, last = coefficients + length * step, between, float(np.abs(left).max())
            if last < _BALANCED and not few:
                break
            if last < _NEARLY:
                aims = replace(aims, held=aims.held + _STIFFNESS * left)
        if not last < _GIVEN_UP:
            return None
        return motion[:, : self._q.shape[1]], self._forces(np.maximum(amount, 0.0))

    def _forces(self, amount: np.ndarray) -> np.ndarray:
        each = amount.reshape(*self._on.shape, -1) @ self._directions.T
        return each * self._on[..., None]

    def _first_amounts(self) -> np.ndarray:
        """Return amounts of which each point of a foot, and each direction, carries as much."""
        ways = self._directions.shape[1]
        sharing = np.bincount(self._feet)[self._feet] * ways * self._subject.body_weight
        return np.repeat(self._on * self._force[:, self._feet, 1] / sharing, ways, axis=1)

    def _program(
        self,
        curvature: Curvature,
        coefficients: np.ndarray,
        motion: np.ndarray,
        amount: np.ndarray,
        aims: _Aims,
    ) -> QuadraticProgram:
        """Return the problem with a Hessian from here or nearby; steps are from here, amounts from zero."""
        by_motion, by_amount = self._slopes(motion, amount, aims)
        return QuadraticProgram(
            curvature,
            motion_slope=by_motion - np.einsum("nij,ni->nj", curvature.mixed, amount),
            amount_slope=by_amount - np.einsum("nij,nj->ni", curvature.amount, amount),
            spline_slope=self._stiffness * knots.bending(coefficients),
        )

    def _curvature(self, motion: np.ndarray, amount: np.ndarray, zero: np.ndarray) -> Curvature:
        frames, count = self._q.shape
        found = Curvature(frames, count, amount.shape[1], self._weights, self._stiffness)
        for first in range(0, frames, _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            followed = self._gyroscopes.part(part) if self._gyroscopes else None
            known = motion[part], amount[part], self._on[part], self._point[part], self._precision[part]
            found.put(first, **self._hessians.at(*known, followed), zero=zero[part])
        return found

    def _slopes(self, motion: np.ndarray, amount: np.ndarray, aims: _Aims) -> tuple[np.ndarray, np.ndarray]:
        """Return the gradient of all but the fourth differences, (n, 3 c) by motion and (n, a) by amounts."""
        force, count = self._forces(amount), self._q.shape[1]
        here = self._balance.values(motion, force)
        reading = here.reading - aims.reading
        gyroscopes = self._gyroscopes
        if gyroscopes is not None:
            rates = slice(-len(gyroscopes.turn), None)
            off = RATE_RAD_S * here.reading[:, rates] @ gyroscopes.turn - aims.followed
            off *= (gyroscopes.measured[:, None] / gyroscopes.deviation) ** 2
            reading[:, rates] += RATE_RAD_S * off @ gyroscopes.turn.T
        on_force, on_position = np.zeros_like(force), np.zeros_like(force)
        lever = here.position - self._point[:, self._feet]
        for k in range(self._force.shape[1]):
            on = np.flatnonzero(self._feet == k)
            total, turn = np.zeros((len(force), 3)), np.zeros((len(force), 3))
            off = force[:, on].sum(1) - self._force[:, k]
            total[:, self._axes] = (off / self._force_scale[:, k] ** 2)[:, self._axes]
            off = np.cross(lever[:, on], force[:, on]).sum(1) - self._torque[:, k]
            turn[:, self._turns] = (off / self._torque_scale[:, k] ** 2)[:, self._turns]
            on_force[:, on] = total[:, None] + np.cross(turn[:, None], lever[:, on])
            on_position[:, on] = np.cross(force[:, on], turn[:, None])
        pull = Values(
            root=_STIFFNESS * here.root + aims.held,
            moment=(here.moment - self._moment) / self._moment_scale**2,
            reading=reading,
            position=on_position,
        )
        by_motion, by_force = self._balance.slopes(motion, force, pull)
        by_motion[:, :count] += (motion[:, :count] - self._q) / self._q_scale**2
        by_amount = ((by_force + on_force) @ self._directions) * self._on[..., None]
        return by_motion, by_amount.reshape(amount.shape) + amount / _SHARE**2

    def _followed(self, reading: np.ndarray) -> np.ndarray:
        """Return the readings (n, c) that the motion follows, rad/s, of those (n, s) of the estimate."""
        gyroscopes = self._gyroscopes
        if gyroscopes is None:
            return reading[:, :0]
        own = RATE_RAD_S * reading[:, -len(gyroscopes.turn) :] @ gyroscopes.turn
        off = np.where(gyroscopes.measured[:, None], gyroscopes.angular_rate - own, 0.0)
        return own + low_pass(off, GYROSCOPES_HZ, self._rate_hz)


def _directions(subject: Subject) -> np.ndarray:
    """Return the directions (3, g) whose amounts are unknown, N."""
    return subject.body_weight * cone(planar=subject.planar).T


def _told_of_feet(subject: Subject) -> tuple[list[int], list[int]]:
    """Return the components of a foot's force and moment that an estimate tells."""
    # In the plane nothing speaks of forces sideways, nor of moments but about z.
    return ([0, 1], [2]) if subject.planar else ([0, 1, 2], [0, 1, 2])


def cone(*, planar: bool) -> np.ndarray:
    """Return directions (g, 3) whose sums are the forces that friction holds, each with one unit upward."""
    if planar:
        return np.array([[FRICTION, 1.0, 0.0], [-FRICTION, 1.0, 0.0]])
    angle = 2 * np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS
    return np.stack([FRICTION * np.cos(angle), np.ones(_DIRECTIONS), FRICTION * np.sin(angle)], axis=1)
