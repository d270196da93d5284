"""Balance of a body at an instant: what motion and forces on the feet give, and how sums of it change."""

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


class Balance:
    """The compiled functions of one subject.

    The motion of an instant is one vector: the coordinates that move, their speeds, their accelerations.
    Moments are those of the estimated coordinates.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        roles, modelled = subject.roles, subject.modelled
        #: Places among all of the coordinates that move.
        self.free = tuple(sorted({*roles.posture, *roles.steps}))
        turns = [c.motion == "rotational" for c in subject.model.coordinates]
        whole = [subject.moment_scale if turns[i] else subject.body_weight for i in roles.root]
        #: What root residuals and readings are told over.
        self.root_scale = np.array(whole)
        channels = int(modelled.acceleration.sum()), int(modelled.angular_rate.sum())
        self.reading_scale = np.repeat([ACCELERATION_M_S2, RATE_RAD_S], channels)
        #: Root residuals, moments, readings, components of the places of contact points.
        self.sizes = (
            len(roles.root),
            len(roles.actuated),
            sum(channels),
            3 * len(subject.functions.contact_points),
        )

    def compile(self) -> None:
        """Make the functions now, so that several threads can share them."""
        _ = self._plain, self._pulled

    def values(self, motion: np.ndarray, force: np.ndarray) -> Values:
        """Return what motions (n, k) and forces (n, p, 3) in N give."""
        value = self._plain(**self._given(motion, force))["value"]
        root, moment, reading, position = np.split(value, np.cumsum(self.sizes[:3]), axis=1)
        return Values(
            root=root / self.root_scale,
            moment=moment,
            reading=reading / self.reading_scale,
            position=position.reshape(len(value), -1, 3),
        )

    def slopes(self, motion: np.ndarray, force: np.ndarray, pull: Values) -> tuple[np.ndarray, np.ndarray]:
        """Return derivatives, (n, k) by the motion and (n, p, 3) by the forces, of a sum over all values.

        Parameters
        ----------
        pull : Values
            What each value is multiplied by in the sum.
        """
        pulls = [pull.root / self.root_scale, pull.moment, pull.reading / self.reading_scale]
        pulls.append(pull.position.reshape(len(motion), -1))
        found = self._pulled(**self._given(motion, force), pull=np.concatenate(pulls, axis=1))
        return found["by_motion"], found["by_force"].reshape(force.shape)

    def _given(self, motion: np.ndarray, force: np.ndarray) -> dict[str, np.ndarray]:
        return {"motion": motion, "force": force.reshape(len(motion), -1), **self.constants}

    @property
    def constants(self) -> dict[str, np.ndarray]:
        """Inputs that are the same at all instants."""
        subject = self.subject
        return {
            "sensor_position": subject.sensor_position,
            "parameters": subject.functions.parameters,
        }

    @cached_property
    def expressions(self) -> tuple[dict[str, ca.SX], ca.SX]:
        """Inputs, and all values below one another, in the model's units."""
        subject, free = self.subject, list(self.free)
        sizes = {
            "motion": 3 * len(free),
            "force": self.sizes[3],
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
        out = subject.dynamics(**whole, contact_force=given["force"], **places)
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
        given, values = self.expressions
        return compile_numpy(ca.Function("balance", list(given.values()), [values], list(given), ["value"]))

    @cached_property
    def _pulled(self) -> Callable[..., dict[str, np.ndarray]]:
        given, values = self.expressions
        pull = ca.SX.sym("pull", values.numel())
        total = ca.dot(pull, values)
        outputs = {f"by_{name}": ca.gradient(total, given[name]) for name in ("motion", "force")}
        dense = ca.cse([ca.densify(value) for value in outputs.values()])
        named = {**given, "pull": pull}
        return compile_numpy(
            ca.Function("balance_slopes", list(named.values()), dense, list(named), list(outputs))
        )
