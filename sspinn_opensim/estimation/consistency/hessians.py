"""Hessians of what a correction costs at an instant (Gauss and Newton), as one compiled function.

Derivatives of a tree of bodies are mostly zeros: written out, the products of those that are not take a tenth
of the time that products of whole matrices do.
"""

from __future__ import annotations

import casadi as ca
import numpy as np

from casadi_dynamics import compile_numpy
from sspinn_opensim.estimation.consistency.balance import Balance
from sspinn_opensim.estimation.consistency.gyroscopes import Gyroscopes


class Hessians:
    """The compiled function of one subject; what it is made of are its attributes.

    Parameters
    ----------
    balance : Balance
        What motion and forces give.
    directions : (3, g) ndarray
        Of the forces at a contact point, whose amounts are not negative, N.
    stiffness : float
        What the square of a root residual costs.
    axes, turns : list of int
        Components of each foot's force, and of its moment, that are told.
    """

    def __init__(
        self, balance: Balance, directions: np.ndarray, stiffness: float, axes: list[int], turns: list[int]
    ) -> None:
        self.balance, self.directions, self.stiffness = balance, directions, stiffness
        self.axes, self.turns = axes, turns
        self._compiled = compile_numpy(self._function())

    def at(
        self,
        motion: np.ndarray,
        amount: np.ndarray,
        on: np.ndarray,
        point: np.ndarray,
        precision: np.ndarray,
        gyroscopes: Gyroscopes | None,
    ) -> dict[str, np.ndarray]:
        """Return Hessians at n instants by motion (n, k, k), by amounts (n, a, a), and by both (n, a, k).

        Parameters
        ----------
        motion, amount : (n, k) and (n, a) ndarrays
        on : (n, p) bool ndarray
            Which contact points may push.
        point : (n, f, 3) ndarray
            About which the moment of each foot is told, m.
        precision : (n, ...) ndarray
            Of coordinates, amounts, joint moments, and of each foot's force and of each foot's moment, one
            over squares of deviations.
        gyroscopes : Gyroscopes or None
            What the motion follows.
        """
        frames, rates = len(motion), self.balance.sizes[2] - self._accelerations
        follow, measured = np.zeros((rates, rates)), np.zeros((frames, 1))
        if gyroscopes is not None:
            follow = (gyroscopes.turn / gyroscopes.deviation**2) @ gyroscopes.turn.T
            measured[:, 0] = gyroscopes.measured
        found = self._compiled(
            motion=motion,
            amount=amount,
            on=on.astype(float),
            point=point.reshape(frames, -1),
            precision=precision,
            measured=measured,
            follow=follow[self._same_sensor],
            **self.balance.constants,
        )
        states, amounts = motion.shape[1], amount.shape[1]
        return {
            "motion": found["by_motion"].reshape(frames, states, states),
            "amount": found["by_amount"].reshape(frames, amounts, amounts),
            "mixed": found["by_both"].reshape(frames, amounts, states),
        }

    @property
    def _accelerations(self) -> int:
        return int(self.balance.subject.modelled.acceleration.sum())

    @property
    def _same_sensor(self) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of angular rates that a gyroscope mixes."""
        rates = self.balance.subject.modelled.angular_rate
        sensor = np.repeat(np.arange(len(rates)), rates.sum(axis=1))
        rows, columns = np.nonzero(sensor[:, None] == sensor)
        return rows, columns

    def _function(self) -> ca.Function:
        balance, subject = self.balance, self.balance.subject
        known, values = balance.expressions
        motion, force, given = (
            known["motion"],
            known["force"],
            {name: known[name] for name in balance.constants},
        )
        root, moment, reading, position = ca.vertsplit(values, np.cumsum([0, *balance.sizes]).tolist())
        feet, points, ways = len(set(subject.feet)), len(subject.feet), self.directions.shape[1]
        amount, on = ca.SX.sym("amount", points * ways), ca.SX.sym("on", points)
        point, measured = ca.SX.sym("point", 3 * feet), ca.SX.sym("measured")
        rows, columns = self._same_sensor
        follow = ca.SX.sym("follow", len(rows))
        on_feet = self._of_feet(ca.reshape(force, 3, -1), ca.reshape(position, 3, -1), point)
        sizes = [len(balance.free), amount.numel(), moment.numel(), on_feet.numel()]
        precision = ca.SX.sym("precision", sum(sizes))
        of_q, of_amounts, of_moments, of_feet = ca.vertsplit(precision, np.cumsum([0, *sizes]).tolist())

        # Forces are amounts along directions, where the point may push.
        cone = ca.SX(ca.diagcat(*[ca.DM(self.directions)] * points))
        cone = cone @ ca.diag(ca.vec(ca.repmat(on.T, ways, 1)))
        told, weight = ca.vertcat(root, moment, reading, on_feet), self.stiffness / balance.root_scale**2
        slopes = ca.jacobian(told, ca.vertcat(motion, force))
        slopes = ca.substitute(slopes, force, cone @ amount)
        weights = ca.diag(ca.vertcat(weight, of_moments, balance.reading_scale**-2.0, of_feet))
        first = root.numel() + moment.numel() + self._accelerations
        for k, (row, column) in enumerate(zip(rows, columns, strict=True)):
            weights[first + int(row), first + int(column)] += measured * follow[k]
        (slopes,) = ca.cse([slopes])
        by_motion, by_amount = slopes[:, : motion.numel()], slopes[:, motion.numel() :] @ cone
        weighted = weights @ by_motion
        of_motion = by_motion.T @ weighted
        count = len(balance.free)
        of_motion[:count, :count] += ca.diag(of_q)
        outputs = {
            "by_motion": _mirrored(of_motion),
            "by_amount": _mirrored(by_amount.T @ weights @ by_amount + ca.diag(of_amounts)),
            "by_both": weighted.T @ by_amount,  # columns are rows to numpy
        }
        inputs = {
            "motion": motion,
            "amount": amount,
            "on": on,
            "point": point,
            "precision": precision,
            "measured": measured,
            "follow": follow,
            **given,
        }
        dense = [ca.vec(ca.densify(value)) for value in outputs.values()]
        return ca.Function("hessians", list(inputs.values()), dense, list(inputs), list(outputs))

    def _of_feet(self, force: ca.SX, position: ca.SX, point: ca.SX) -> ca.SX:
        """Return the told components of each foot's force, and then of each foot's moment about its point."""
        subject, forces, moments = self.balance.subject, [], []
        for k, foot in enumerate(dict.fromkeys(subject.feet)):
            total, turning = ca.SX.zeros(3), ca.SX.zeros(3)
            for i in (i for i, own in enumerate(subject.feet) if own == foot):
                total += force[:, i]
                turning += ca.cross(position[:, i] - point[3 * k : 3 * k + 3], force[:, i])
            forces.append(total[self.axes])
            moments.append(turning[self.turns])
        return ca.vertcat(*forces, *moments)


def _mirrored(matrix: ca.SX) -> ca.SX:
    """Return a symmetric matrix whose upper triangle is the lower one."""
    lower = ca.tril(matrix)
    return lower + ca.tril(matrix, False).T
