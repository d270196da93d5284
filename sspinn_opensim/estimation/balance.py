"""Balance of a body at an instant: what motion and forces on the feet give, with exact derivatives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import casadi as ca
import numpy as np

from casadi_dynamics import compile_numpy
from sspinn_opensim.training.subject import Subject

#: Changes of what the sensors would read that cost as much as one deviation: ten times the scales of
#: training, as accelerations of an estimate are second differences of a network's outputs, mostly noise.
ACCELERATION_M_S2, RATE_RAD_S = 20.0, 1.0


@dataclass(frozen=True)
class Values:
    """What a motion and forces at the contact points give, at n instants.

    Attributes
    ----------
    root : (n, r) ndarray
        What would have to hold the root, in body weights and body weight times height.
    moment : (n, a) ndarray
        Of the actuated coordinates, N m.
    reading : (n, s) ndarray
        Of the virtual sensors, over `ACCELERATION_M_S2` and `RATE_RAD_S`.
    position : (n, p, 3) ndarray
        Of the contact points in ground, m.
    """

    root: np.ndarray
    moment: np.ndarray
    reading: np.ndarray
    position: np.ndarray


@dataclass(frozen=True)
class Balanced(Values):
    """The same with its derivatives by the motion, k numbers an instant, and by the forces at p points.

    Attributes
    ----------
    root_by_motion, moment_by_motion, reading_by_motion : (n, ..., k) ndarrays
    root_by_force, moment_by_force : (n, ..., 3 p) ndarrays
    position_by_coordinate : (n, p, 3, k / 3) ndarray
    """

    root_by_motion: np.ndarray
    root_by_force: np.ndarray
    moment_by_motion: np.ndarray
    moment_by_force: np.ndarray
    reading_by_motion: np.ndarray
    position_by_coordinate: np.ndarray


class Balance:
    """The compiled functions of one subject, whose trunk sways (`Subject.swaying`).

    The motion of an instant is one vector: the coordinates that move, their speeds, their accelerations.
    Moments are those of the estimated coordinates.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        roles, modelled, moving = subject.roles, subject.modelled, subject.swaying.roles
        #: Places among all of the coordinates that move.
        self.free = tuple(sorted({*moving.posture, *moving.steps}))
        turns = [c.motion == "rotational" for c in subject.model.coordinates]
        whole = [subject.moment_scale if turns[i] else subject.body_weight for i in roles.root]
        self._root_scale = np.array(whole)
        channels = int(modelled.acceleration.sum()), int(modelled.angular_rate.sum())
        self._reading_scale = np.repeat([ACCELERATION_M_S2, RATE_RAD_S], channels)
        #: Root residuals, moments, readings, components of the places of contact points.
        self._sizes = (
            len(roles.root),
            len(roles.actuated),
            sum(channels),
            3 * len(subject.functions.contact_points),
        )

    def compile(self) -> None:
        """Make the functions now, so that several threads can share them."""
        _ = self._plain, self._derivatives, self._pulled

    def values(self, motion: np.ndarray, force: np.ndarray) -> Values:
        """Return what motions (n, k) and forces (n, p, 3) in N give."""
        return Values(**self._parts(self._plain(**self._given(motion, force))["value"]))

    def at(self, motion: np.ndarray, force: np.ndarray) -> Balanced:
        """Return the same with derivatives."""
        frames, states = motion.shape
        found = self._derivatives(**self._given(motion, force))
        root, moment, reading, points = self._sizes
        by_motion = found["by_motion"].reshape(frames, states, -1).swapaxes(1, 2)
        by_force = found["by_force"].reshape(frames, points, -1).swapaxes(1, 2)
        position = found["position_by"].reshape(frames, states // 3, -1, 3).transpose(0, 2, 3, 1)
        forced = root + moment
        return Balanced(
            **self._parts(found["value"]),
            root_by_motion=by_motion[:, :root] / self._root_scale[:, None],
            root_by_force=by_force[:, :root] / self._root_scale[:, None],
            moment_by_motion=by_motion[:, root:forced],
            moment_by_force=by_force[:, root:],
            reading_by_motion=by_motion[:, forced : forced + reading] / self._reading_scale[:, None],
            position_by_coordinate=position,
        )

    def slopes(self, motion: np.ndarray, force: np.ndarray, pull: Values) -> tuple[np.ndarray, np.ndarray]:
        """Return derivatives, (n, k) by the motion and (n, p, 3) by the forces, of a sum over all values.

        Parameters
        ----------
        pull : Values
            What each value is multiplied by in the sum.
        """
        pulls = [pull.root / self._root_scale, pull.moment, pull.reading / self._reading_scale]
        pulls.append(pull.position.reshape(len(motion), -1))
        found = self._pulled(**self._given(motion, force), pull=np.concatenate(pulls, axis=1))
        return found["by_motion"], found["by_force"].reshape(force.shape)

    def _parts(self, value: np.ndarray) -> dict[str, np.ndarray]:
        root, moment, reading, position = np.split(value, np.cumsum(self._sizes[:3]), axis=1)
        return {
            "root": root / self._root_scale,
            "moment": moment,
            "reading": reading / self._reading_scale,
            "position": position.reshape(len(value), -1, 3),
        }

    def _given(self, motion: np.ndarray, force: np.ndarray) -> dict[str, np.ndarray]:
        return {
            "motion": motion,
            "force": force.reshape(len(motion), -1),
            "sensor_position": self.subject.sensor_position,
            "parameters": self.subject.functions.parameters,
        }

    @cached_property
    def _expressions(self) -> tuple[dict[str, ca.SX], ca.SX]:
        """Inputs, and all values below one another."""
        subject, free = self.subject, list(self.free)
        sizes = {
            "motion": 3 * len(free),
            "force": self._sizes[3],
            "sensor_position": len(subject.sensor_position),
            "parameters": len(subject.functions.parameters),
        }
        given = {name: ca.SX.sym(name, size) for name, size in sizes.items()}
        whole = {}
        for name, part in zip(("q", "u", "udot"), ca.vertsplit(given["motion"], len(free)), strict=True):
            # The dynamics put held and dependent coordinates in their places.
            whole[name] = ca.SX.zeros(len(subject.model.coordinates))
            whole[name][free] = part
        places = {name: given[name] for name in ("sensor_position", "parameters")}
        out = subject.swaying.dynamics(**whole, contact_force=given["force"], **places)
        roles, modelled = subject.roles, subject.modelled
        rows = (
            out["tau"][list(roles.root)],
            out["tau"][list(roles.actuated)],
            out["imu_acceleration"][np.flatnonzero(modelled.acceleration).tolist()],
            out["imu_angular_rate"][np.flatnonzero(modelled.angular_rate).tolist()],
            out["contact_position"],
        )
        return given, ca.densify(ca.vertcat(*rows))

    @cached_property
    def _plain(self) -> Callable[..., dict[str, np.ndarray]]:
        given, values = self._expressions
        return compile_numpy(ca.Function("balance", list(given.values()), [values], list(given), ["value"]))

    @cached_property
    def _derivatives(self) -> Callable[..., dict[str, np.ndarray]]:
        given, values = self._expressions
        root, moment, reading, _ = self._sizes
        told = root + moment + reading
        position_by = ca.jacobian(values[told:], given["motion"])[:, : len(self.free)]
        outputs = {
            "value": values,
            "by_motion": ca.jacobian(values[:told], given["motion"]),
            "by_force": ca.jacobian(values[: root + moment], given["force"]),
            "position_by": position_by,
        }
        dense = ca.cse([ca.vec(ca.densify(value)) for value in outputs.values()])
        return compile_numpy(
            ca.Function("balance_derivatives", list(given.values()), dense, list(given), list(outputs))
        )

    @cached_property
    def _pulled(self) -> Callable[..., dict[str, np.ndarray]]:
        given, values = self._expressions
        pull = ca.SX.sym("pull", values.numel())
        total = ca.dot(pull, values)
        outputs = {f"by_{name}": ca.gradient(total, given[name]) for name in ("motion", "force")}
        dense = ca.cse([ca.densify(value) for value in outputs.values()])
        named = {**given, "pull": pull}
        return compile_numpy(
            ca.Function("balance_slopes", list(named.values()), dense, list(named), list(outputs))
        )
