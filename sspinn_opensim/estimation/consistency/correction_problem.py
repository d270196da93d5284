"""The correction of one piece of an estimate, as a sequence of quadratic programs.

Unknown are the estimated coordinates, as the spline by which OpenSim differentiates them (`knots`), and
forces at the contact points of feet that carry load, each a sum of directions along the cone of friction with
amounts of zero and more: so no foot pulls, or is held by more than friction, or is pushed beside its sole.
What would have to hold the root is zero at every sample, by the exact functions of the model (`balance`).
Among all such motions and forces the one is taken whose squared changes, over the estimate's own standard
deviations, have the least sum: of coordinates, ground forces, where they act, and joint moments; weakly, of
what the sensors would read; and motions that shake cost too. Where it is said what the gyroscopes measured,
the motion follows them as far as they are slow. Each round linearises (Gauss and Newton) and solves a
quadratic program; multipliers, which are those of the program, make the balance exact (Nocedal and Wright
2006, Numerical Optimization, chapters 17 and 18). Near the end the gradient alone is made anew, exactly, and
the Hessian stays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sspinn_opensim.estimation.consistency import knots
from sspinn_opensim.estimation.consistency.balance import RATE_RAD_S, Values
from sspinn_opensim.estimation.consistency.gyroscopes import Gyroscopes
from sspinn_opensim.estimation.consistency.hessians import Hessians
from sspinn_opensim.estimation.consistency.quadratic import Curvature, QuadraticProgram
from sspinn_opensim.estimation.inference.offline import Estimate
from sspinn_opensim.estimation.uncertainty import Deviations
from sspinn_opensim.recording.signals.filters import low_pass
from sspinn_opensim.training.losses import FRICTION
from sspinn_opensim.training.subject import Subject

#: What the square of a root residual of one body weight costs beside squares of deviations.
STIFFNESS = 1e6
#: Fourth derivative of a coordinate that costs as much as one deviation, rad/s^4 and m/s^4: of an
#: acceleration of 10 rad/s^2 at 16 Hz. Without it forces would balance noise that no filter takes away.
SNAP = 1e5
#: What is faster in the gyroscopes, Hz, is more of tissue than of the motion.
GYROSCOPES_HZ = 6.0
#: Rounds end at this root residual, body weights (times height), and after so many.
BALANCED, _ROUNDS = 1e-6, 15
#: But not before one moves no coordinate farther, rad or m: balance says little of what costs least.
_SETTLED = 2e-5
#: Directions of the cone of friction in space: its flat sides hold 0.87 of it and more.
_DIRECTIONS = 6
#: Below this load, body weights, the point of a force has the lever that it would have with it.
_LEAST_LEVER = 0.1
#: Deviation, body weights, of the force at each point of a foot: it decides between equals alone.
_SHARE = 0.5
#: Up to here root residuals may grow in a round.
_NEARLY = 1e-2
#: Above this a motion is too wild to be made to agree, and is left alone.
_GIVEN_UP = 0.05
#: The Hessian stays after a round that moves no coordinate farther, rad or m.
_NEARBY = 1e-3
#: Share of the samples whose bounds may still be wrong after the first round: the next one mends them.
_FEW = 0.05
#: Part of a step after which values have changed as their derivatives say.
_LITTLE = 1e-5
#: Parts of a step that are tried, until the residual falls.
_LENGTHS = (1.0, 0.5, 0.25)
#: How closely the first program, which is only a start, and the others are solved.
_ROUGHLY, _CLOSELY = 1e-4, 1e-7
#: Frames whose Hessians are made at once, so that they stay in the second cache.
_AT_ONCE = 256


@dataclass(frozen=True)
class Corrected:
    """What a correction finds.

    Attributes
    ----------
    q : (n, c) ndarray
        The coordinates that move, in the order of `Balance.free`, rad and m.
    force : (n, p, 3) ndarray
        At the contact points, in ground, N.
    """

    q: np.ndarray
    force: np.ndarray


@dataclass(frozen=True)
class _Point:
    """A motion with forces, where a round begins or ends.

    Attributes
    ----------
    coefficients : (n + 4, c) ndarray
        Of the spline of the coordinates.
    motion : (n, 3 c) ndarray
        Its values, speeds and accelerations at the samples.
    amount : (n, a) ndarray
        Of the forces, along the directions of the cone at each contact point.
    values : Values
        What they give.
    """

    coefficients: np.ndarray
    motion: np.ndarray
    amount: np.ndarray
    values: Values


@dataclass(frozen=True)
class _Aims:
    """What a motion is held to beside the estimate.

    Attributes
    ----------
    reading : (n, s) ndarray
        Readings of the virtual sensors.
    followed : (n, c) ndarray
        Those of gyroscopes that are followed, rad/s.
    multiplier : (n, r) ndarray
        Of the root residuals.
    """

    reading: np.ndarray
    followed: np.ndarray
    multiplier: np.ndarray


class CorrectionProblem:
    """The smallest correction of a piece of an estimate after which it is balanced.

    Parameters
    ----------
    hessians : Hessians
        Of the subject, with its functions (`Hessians.balance`) and the cone of friction.
    estimate : Estimate
        At evenly spaced times.
    deviations : Deviations
        Standard deviations of its numbers.
    loaded : (n, feet) bool ndarray
        Where feet may carry load.
    gyroscopes : Gyroscopes or None
        What the motion follows.
    step_s : float
        From frame to frame, s.
    """

    def __init__(
        self,
        hessians: Hessians,
        estimate: Estimate,
        deviations: Deviations,
        loaded: np.ndarray,
        gyroscopes: Gyroscopes | None,
        step_s: float,
    ) -> None:
        balance, ground = hessians.balance, estimate.ground
        subject, free = balance.subject, list(balance.free)
        self._hessians, self._balance, self._subject = hessians, balance, subject
        self._directions, self._axes, self._turns = hessians.directions, hessians.axes, hessians.turns
        self._gyroscopes, self._rate_hz = gyroscopes, 1.0 / step_s
        self._weights = knots.derivative_weights(step_s)
        self._snap_stiffness = (SNAP * step_s**4) ** -2
        self._q, self._q_scale = estimate.q[:, free], deviations.q[:, free]
        self._moment, self._moment_scale = estimate.moments, deviations.moments
        self._force, self._centre, self._torque = ground.force, ground.point, ground.torque
        self._force_scale = deviations.force
        load = np.maximum(self._force[..., 1], _LEAST_LEVER * subject.body_weight)
        self._torque_scale = deviations.point * load[..., None]
        #: For each contact point the place of its foot.
        self._feet = np.array([ground.feet.index(foot) for foot in subject.feet])
        #: Which contact points may push, (n, p).
        self._on = loaded[:, self._feet]
        shares = np.full((len(self._q), self._on.shape[1] * self._directions.shape[1]), _SHARE)
        of_feet = self._force_scale[..., self._axes], self._torque_scale[..., self._turns]
        scales = [self._q_scale, shares, self._moment_scale, *(x.reshape(len(x), -1) for x in of_feet)]
        self._precision = np.concatenate(scales, axis=1) ** -2.0

    def solve(self) -> Corrected | None:
        """Return the corrected coordinates and forces; None if the motion cannot be made to agree."""
        here = self._start()
        zero, bound = here.amount <= 0, np.zeros_like(here.amount)
        aims, curvature, at, by_guesses = self._first_aims(here), None, here, True
        last, moved, count = np.inf, np.inf, self._q.shape[1]
        for round_ in range(_ROUNDS):
            if curvature is None or moved > _NEARBY:
                program = curvature = None  # large arrays: not twice at once
                curvature, at = self._curvature(here, zero), here
            program = self._program(curvature, here, aims)
            few = 0.0 if round_ else _FEW
            found = program.solve_by_guesses(zero, few) if by_guesses else None
            if found is not None:
                step, amount, zero = found
            else:
                by_guesses, few, zero = False, 0.0, np.ones_like(zero)  # it holds them all
                step, amount, bound = program.solve(here.amount, bound, _CLOSELY if round_ else _ROUGHLY)
            # What bends away from the linearisation says nothing of the multipliers.
            root = here.values.root + self._root_along(at, step, amount - here.amount)
            aims = replace(aims, multiplier=aims.multiplier + self._hessians.stiffness * root)
            before, here = here, self._ahead(here, step, amount, max(last, _NEARLY))
            last = float(np.abs(here.values.root).max())
            moved = float(np.abs(here.motion[:, :count] - before.motion[:, :count]).max())
            if last < BALANCED and moved < _SETTLED and not few:
                break
        if not last < _GIVEN_UP:
            return None
        return Corrected(here.motion[:, :count], self._forces(np.maximum(here.amount, 0.0)))

    def _start(self) -> _Point:
        """Return the estimate; each point of a foot, and each direction, carries as much of its load."""
        coefficients = knots.coefficients(self._q)
        ways = self._directions.shape[1]
        sharing = np.bincount(self._feet)[self._feet] * ways * self._subject.body_weight
        amount = np.repeat(self._on * self._force[:, self._feet, 1] / sharing, ways, axis=1)
        return self._point(coefficients, amount)

    def _point(self, coefficients: np.ndarray, amount: np.ndarray) -> _Point:
        motion = knots.at_knots(coefficients, self._weights)
        return _Point(coefficients, motion, amount, self._balance.values(motion, self._forces(amount)))

    def _first_aims(self, here: _Point) -> _Aims:
        """Return what the motion is held to: the readings of the estimate, and slow ones of gyroscopes."""
        reading = here.values.reading
        multiplier, gyroscopes = np.zeros((len(reading), len(self._subject.roles.root))), self._gyroscopes
        if gyroscopes is None:
            return _Aims(reading, reading[:, :0], multiplier)
        own = RATE_RAD_S * reading[:, -len(gyroscopes.turn) :] @ gyroscopes.turn
        off = np.where(gyroscopes.measured[:, None], gyroscopes.angular_rate - own, 0.0)
        return _Aims(reading, own + low_pass(off, GYROSCOPES_HZ, self._rate_hz), multiplier)

    def _root_along(self, here: _Point, step: np.ndarray, more: np.ndarray) -> np.ndarray:
        """Return by how much steps of coefficients and amounts change root residuals (n, r), linearised."""
        motion = here.motion + _LITTLE * knots.at_knots(step, self._weights)
        nearby = self._balance.values(motion, self._forces(here.amount + _LITTLE * more))
        return (nearby.root - here.values.root) / _LITTLE

    def _ahead(self, here: _Point, step: np.ndarray, amount: np.ndarray, below: float) -> _Point:
        """Return the point along a step of coefficients to new amounts where root residuals keep to a bound.

        It is the farthest of `_LENGTHS` that does, else the nearest.
        """
        for length in _LENGTHS:
            more = length * (amount - here.amount)
            there = self._point(here.coefficients + length * step, here.amount + more)
            if np.abs(there.values.root).max() < below:
                break
        return there

    def _forces(self, amount: np.ndarray) -> np.ndarray:
        """Return forces at the contact points (n, p, 3), N, of amounts (n, a)."""
        each = amount.reshape(*self._on.shape, -1) @ self._directions.T
        return each * self._on[..., None]

    def _program(self, curvature: Curvature, here: _Point, aims: _Aims) -> QuadraticProgram:
        """Return the problem with a Hessian from here or nearby; steps are from here, amounts from zero."""
        by_motion, by_amount = self._slopes(here, aims)
        return QuadraticProgram(
            curvature,
            motion_slope=by_motion - np.einsum("nij,ni->nj", curvature.mixed, here.amount),
            amount_slope=by_amount - np.einsum("nij,nj->ni", curvature.amount, here.amount),
            spline_slope=self._snap_stiffness * knots.bending(here.coefficients),
        )

    def _curvature(self, here: _Point, zero: np.ndarray) -> Curvature:
        """Return the Hessian here, with amounts (n, a), bool, held at zero."""
        frames, count = self._q.shape
        found = Curvature(frames, count, here.amount.shape[1], self._weights, self._snap_stiffness)
        for first in range(0, frames, _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            followed = self._gyroscopes.part(part) if self._gyroscopes else None
            known = (
                here.motion[part],
                here.amount[part],
                self._on[part],
                self._centre[part],
                self._precision[part],
            )
            found.put(first, **self._hessians.at(*known, followed), zero=zero[part])
        return found

    def _slopes(self, here: _Point, aims: _Aims) -> tuple[np.ndarray, np.ndarray]:
        """Return the gradient of all but the fourth differences, (n, 3 c) by motion and (n, a) by amounts."""
        force, count = self._forces(here.amount), self._q.shape[1]
        values, gyroscopes = here.values, self._gyroscopes
        reading = values.reading - aims.reading
        if gyroscopes is not None:
            rates = slice(-len(gyroscopes.turn), None)
            off = RATE_RAD_S * values.reading[:, rates] @ gyroscopes.turn - aims.followed
            off *= (gyroscopes.measured[:, None] / gyroscopes.deviation) ** 2
            reading[:, rates] += RATE_RAD_S * off @ gyroscopes.turn.T
        on_force, on_position = self._slopes_of_feet(force, values.position)
        pull = Values(
            root=self._hessians.stiffness * values.root + aims.multiplier,
            moment=(values.moment - self._moment) / self._moment_scale**2,
            reading=reading,
            position=on_position,
        )
        by_motion, by_force = self._balance.slopes(here.motion, force, pull)
        by_motion[:, :count] += (here.motion[:, :count] - self._q) / self._q_scale**2
        by_amount = ((by_force + on_force) @ self._directions) * self._on[..., None]
        return by_motion, by_amount.reshape(here.amount.shape) + here.amount / _SHARE**2

    def _slopes_of_feet(self, force: np.ndarray, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the gradients, (n, p, 3) each, of what changed forces and moments of feet cost.

        They are by the forces and by the positions of the contact points.
        """
        on_force, on_position = np.zeros_like(force), np.zeros_like(force)
        lever = position - self._centre[:, self._feet]
        for k in range(self._force.shape[1]):
            on = np.flatnonzero(self._feet == k)
            total, turn = np.zeros((len(force), 3)), np.zeros((len(force), 3))
            off = force[:, on].sum(1) - self._force[:, k]
            total[:, self._axes] = (off / self._force_scale[:, k] ** 2)[:, self._axes]
            off = np.cross(lever[:, on], force[:, on]).sum(1) - self._torque[:, k]
            turn[:, self._turns] = (off / self._torque_scale[:, k] ** 2)[:, self._turns]
            on_force[:, on] = total[:, None] + np.cross(turn[:, None], lever[:, on])
            on_position[:, on] = np.cross(force[:, on], turn[:, None])
        return on_force, on_position


def cone_of_friction(subject: Subject) -> np.ndarray:
    """Return directions (3, g), each with one body weight upward, whose sums are what friction holds, N."""
    if subject.planar:
        cone = np.array([[FRICTION, 1.0, 0.0], [-FRICTION, 1.0, 0.0]])
    else:
        angle = 2 * np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS
        cone = np.stack([FRICTION * np.cos(angle), np.ones(_DIRECTIONS), FRICTION * np.sin(angle)], axis=1)
    return subject.body_weight * cone.T


def told_of_feet(subject: Subject) -> tuple[list[int], list[int]]:
    """Return the components of a foot's force and moment that an estimate tells."""
    # In the plane nothing speaks of forces sideways, nor of moments but about z.
    return ([0, 1], [2]) if subject.planar else ([0, 1, 2], [0, 1, 2])
