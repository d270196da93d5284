"""Inverse dynamics, virtual IMUs and foot points by hand in torch, one operation per step of the algorithm.

What one writes without a compiler: recursive Newton-Euler (Featherstone, "Rigid Body Dynamics Algorithms",
2008, section 5.3) over the bodies of a model, the batch on the leading axis, all vectors in ground. Gradients
come from autograd.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Joint, Model, TransformAxis
from casadi_dynamics.model.functions import Constant, Linear, Multiplier, SimmSpline
from casadi_dynamics.model.types import GROUND
from casadi_dynamics.symbolic.functions import forsythe_coefficients

Tensor = torch.Tensor
Scalar = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]


@dataclass(frozen=True)
class _Motion:
    """Rotation (batch, 3, 3), position, omega, velocity, alpha, acceleration (batch, 3), in ground."""

    rotation: Tensor
    position: Tensor
    omega: Tensor
    velocity: Tensor
    alpha: Tensor
    acceleration: Tensor


class NewtonEuler:
    """The dynamics of a model on batches of tensors.

    Parameters
    ----------
    model : Model
        A tree of joints whose axes are driven by constants, lines, splines and multiples of them; sensors and
        contact spheres are those it carries.
    dtype : torch.dtype

    Raises
    ------
    InputError
        If a joint is of another kind.
    """

    def __init__(self, model: Model, dtype: torch.dtype) -> None:
        self.model = model
        self._dtype = dtype
        self._index = {c.name: i for i, c in enumerate(model.coordinates)}
        self._joints = [self._read(joint) for joint in model.joints]
        self._gravity = self._tensor(model.gravity)
        self._mass = {body.name: body.mass for body in model.bodies}
        self._center = {body.name: self._tensor(body.mass_center) for body in model.bodies}
        self._inertia = {body.name: self._tensor(_matrix(body.inertia)) for body in model.bodies}
        self._sensor_axes = [self._tensor(frame.rotation) for frame in model.imu_frames]
        self._spheres = [
            (s.body, self._tensor(s.location), self._tensor((0.0, -s.radius, 0.0)))
            for s in model.contact_spheres
        ]

    def __call__(
        self, q: Tensor, u: Tensor, udot: Tensor, contact_force: Tensor, sensor_position: Tensor
    ) -> dict[str, Tensor]:
        """Return the outputs of `BodyFunctions.dynamics`.

        Parameters
        ----------
        q, u, udot : (batch, n) tensors
        contact_force : (batch, 3 per contact sphere) tensor
            N, in ground.
        sensor_position : (3 per sensor,) tensor
            m, in body axes.
        """
        columns = tuple(zip(q.unbind(1), u.unbind(1), udot.unbind(1), strict=True))
        motions, directions = self._motions(columns, len(q))
        points = [self._lowest(motions, *sphere) for sphere in self._spheres]
        forces = contact_force.unflatten(1, (-1, 3)).unbind(1) if points else ()
        tau = self._forces(motions, directions, points, forces)
        readings = [
            self._read_sensor(motions[frame.body], axes, place)
            for frame, axes, place in zip(
                self.model.imu_frames, self._sensor_axes, sensor_position.unflatten(0, (-1, 3)), strict=True
            )
        ]
        return {
            "tau": torch.stack(tau, 1),
            "imu_acceleration": torch.cat([acceleration for acceleration, *_ in readings], 1),
            "imu_angular_rate": torch.cat([rate for _, rate, *_ in readings], 1),
            "imu_velocity": torch.cat([velocity for *_, velocity, _ in readings], 1),
            "imu_up": torch.cat([up for *_, up in readings], 1),
            "contact_position": torch.cat([position for _, _, position, _ in points], 1),
            "contact_velocity": torch.cat([velocity for _, _, _, velocity in points], 1),
        }

    def _motions(self, columns, batch: int):
        """Return the motion of all bodies, and per joint the directions of its coordinates."""
        still = torch.zeros(batch, 3, dtype=self._dtype)
        eye = torch.eye(3, dtype=self._dtype).expand(batch, 3, 3)
        motions = {GROUND: _Motion(eye, still, still, still, still, still)}
        directions = []
        for joint in self._joints:
            motion, moved = joint.carry(motions[joint.parent], columns)
            motions[joint.child] = motion
            directions.append(moved)
        return motions, directions

    def _forces(self, motions, directions, points, pushes) -> list[Tensor]:
        """Return tau, one (batch,) tensor per coordinate, from the tips of the tree to ground."""
        force, moment = {}, {}
        for name, mass in self._mass.items():
            motion, center = motions[name], self._center[name]
            arm = motion.rotation @ center
            spin = _cross(motion.omega, arm)
            acceleration = motion.acceleration + _cross(motion.alpha, arm) + _cross(motion.omega, spin)
            force[name] = mass * (acceleration - self._gravity)
            inertia = motion.rotation @ self._inertia[name] @ motion.rotation.mT
            turning = _times(inertia, motion.alpha) + _cross(motion.omega, _times(inertia, motion.omega))
            moment[name] = turning + _cross(arm, force[name])
        for (body, arm, _, _), push in zip(points, pushes, strict=True):
            force[body] = force[body] - push
            moment[body] = moment[body] - _cross(arm, push)
        tau: list = [0.0] * len(self._index)
        for joint, moved in zip(reversed(self._joints), reversed(directions), strict=True):
            child = joint.child
            for place, (angular, linear, origin) in moved.items():
                power = (linear * force[child]).sum(1) if linear is not None else 0.0
                if angular is not None:
                    about = moment[child] + _cross(motions[child].position - origin, force[child])
                    power = power + (angular * about).sum(1)
                tau[place] = tau[place] + power
            if joint.parent != GROUND:
                arm = motions[child].position - motions[joint.parent].position
                force[joint.parent] = force[joint.parent] + force[child]
                moment[joint.parent] = moment[joint.parent] + moment[child] + _cross(arm, force[child])
        return tau

    def _lowest(self, motions, body: str, center: Tensor, down: Tensor):
        """Return body, arm from its origin, position and velocity of the lowest point of a sphere."""
        motion = motions[body]
        arm = motion.rotation @ center + down
        return body, arm, motion.position + arm, motion.velocity + _cross(motion.omega, arm)

    def _read_sensor(self, motion: _Motion, axes: Tensor, place: Tensor):
        """Return specific force and angular rate in sensor axes, velocity in ground, up in sensor axes."""
        arm = motion.rotation @ place
        turning = _cross(motion.alpha, arm) + _cross(motion.omega, _cross(motion.omega, arm))
        to_sensor = (motion.rotation @ axes).mT
        felt = motion.acceleration + turning - self._gravity
        up = (-self._gravity / self._gravity.norm()).expand_as(arm)
        return (
            _times(to_sensor, felt),
            _times(to_sensor, motion.omega),
            motion.velocity + _cross(motion.omega, arm),
            _times(to_sensor, up),
        )

    def _read(self, joint: Joint) -> _Joint:
        if joint.speeds != "rates" or joint.radii or joint.winging or joint.reversed:
            raise InputError(
                f"The joint '{joint.name}' is not of the kinds that the torch code by hand knows.",
                expected="a joint whose speeds are the rates of its coordinates, not reversed",
                found=joint.kind,
                fix="leave the route out for this model",
            )
        return _Joint(
            parent=joint.parent.body,
            child=joint.child.body,
            offset=self._tensor(joint.parent.translation),
            axes=self._tensor(joint.parent.rotation),
            back=-self._tensor(joint.child.translation),
            child_axes=self._tensor(joint.child.rotation).T,
            rotations=[axis for axis in map(self._axis, joint.rotations) if axis],
            translations=[axis for axis in map(self._axis, joint.translations) if axis],
        )

    def _axis(self, axis: TransformAxis) -> _Axis | None:
        """Return an axis ready for use; None if nothing ever moves along it."""
        if axis.coordinate is None and _at_zero(axis.function) == 0:
            return None
        vector = self._tensor(axis.axis)
        place = None if axis.coordinate is None else self._index[axis.coordinate]
        cross = torch.linalg.cross(vector.expand(3, 3), torch.eye(3, dtype=self._dtype)).T
        return _Axis(vector, cross, cross @ cross, place, _function(axis.function, self._dtype))

    def _tensor(self, values) -> Tensor:
        return torch.tensor(values, dtype=self._dtype)


@dataclass(frozen=True)
class _Axis:
    """An axis (3,) in F, its cross-product matrix and the square of that, and what drives it."""

    vector: Tensor
    cross: Tensor
    cross_squared: Tensor
    place: int | None
    function: Scalar

    def drive(self, columns) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor | None]:
        """Return displacement, slope, rate and its rate, each (batch,); None where it does not move."""
        if self.place is None:
            value, _, _ = self.function(columns[0][0])
            return value, None, None, None
        q, u, udot = columns[self.place]
        value, slope, bend = self.function(q)
        rate_dot = slope * udot if bend is None else bend * u * u + slope * udot
        return value, slope, slope * u, rate_dot


@dataclass(frozen=True)
class _Joint:
    """A joint with its frames as tensors."""

    parent: str
    child: str
    offset: Tensor
    axes: Tensor
    back: Tensor
    child_axes: Tensor
    rotations: list[_Axis]
    translations: list[_Axis]

    def carry(self, parent: _Motion, columns) -> tuple[_Motion, Mapping[int, tuple]]:
        """Return the child's motion, and (angular, linear, M's origin) for each coordinate, in ground."""
        frame = parent.rotation @ self.axes
        arm = parent.rotation @ self.offset
        moved: dict[int, list] = {}
        slid = slid_acceleration = None
        for axis in self.translations:
            value, slope, rate, rate_dot = axis.drive(columns)
            direction = frame @ axis.vector
            arm = arm + direction * value[:, None]
            if rate is None:
                continue
            slid = _add(slid, direction * rate[:, None])
            slid_acceleration = _add(slid_acceleration, direction * rate_dot[:, None])
            entry = moved.setdefault(axis.place, [None, None])
            entry[1] = _add(entry[1], direction * slope[:, None])
        origin = parent.position + arm
        spin = _cross(parent.omega, arm)
        velocity = _add(parent.velocity + spin, slid)
        acceleration = parent.acceleration + _cross(parent.alpha, arm) + _cross(parent.omega, spin)
        if slid is not None:
            acceleration = acceleration + 2 * _cross(parent.omega, slid) + slid_acceleration
        rotation, omega, alpha = frame, parent.omega, parent.alpha
        for axis in self.rotations:
            value, slope, rate, rate_dot = axis.drive(columns)
            if rate is not None:
                direction = rotation @ axis.vector
                turn = direction * rate[:, None]
                # The axis turns with everything before it, hence the cross product.
                alpha = alpha + direction * rate_dot[:, None] + _cross(omega, turn)
                omega = omega + turn
                entry = moved.setdefault(axis.place, [None, None])
                entry[0] = _add(entry[0], direction * slope[:, None])
            sine, cosine = value.sin()[:, None, None], value.cos()[:, None, None]
            eye = torch.eye(3, dtype=frame.dtype)
            rotation = rotation @ (eye + sine * axis.cross + (1 - cosine) * axis.cross_squared)
        rotation = rotation @ self.child_axes
        arm = rotation @ self.back
        spin = _cross(omega, arm)
        child = _Motion(
            rotation,
            origin + arm,
            omega,
            velocity + spin,
            alpha,
            acceleration + _cross(alpha, arm) + _cross(omega, spin),
        )
        return child, {place: (*entry, origin) for place, entry in moved.items()}


def _function(function, dtype: torch.dtype) -> Scalar:
    """Return a function of (batch,) tensors that gives value, slope and second derivative (None if zero)."""
    if isinstance(function, Constant):
        return lambda x: (torch.full_like(x, function.value), None, None)
    if isinstance(function, Linear):
        slope = torch.tensor(function.slope, dtype=dtype)
        return lambda x: (function.slope * x + function.intercept, slope.expand(len(x)), None)
    if isinstance(function, Multiplier):
        inner = _function(function.function, dtype)
        return lambda x: tuple(None if part is None else function.scale * part for part in inner(x))
    if isinstance(function, SimmSpline):
        return _spline(function, dtype)
    raise InputError(
        "A function of a joint is not of the kinds that the torch code by hand knows.",
        expected="Constant, Linear, Multiplier or SimmSpline",
        found=type(function).__name__,
        fix="leave the route out for this model",
    )


def _spline(spline: SimmSpline, dtype: torch.dtype) -> Scalar:
    """Look up the piece of each x; straight lines outside the points."""
    x = np.array(spline.x)
    powers = np.column_stack(forsythe_coefficients(x, np.array(spline.y)))
    straight = powers * (1, 1, 0, 0)
    pieces = torch.tensor(np.vstack([straight[0], powers[:-1], straight[-1]]), dtype=dtype)
    breaks, origins = (torch.tensor(values, dtype=dtype) for values in (x, [x[0], *x[:-1], x[-1]]))

    def evaluate(at: Tensor):
        piece = torch.bucketize(at.detach().contiguous(), breaks, right=True)
        t = at - origins[piece]
        a, b, c, d = pieces[piece].unbind(1)
        return a + t * (b + t * (c + t * d)), b + t * (2 * c + 3 * t * d), 2 * c + 6 * t * d

    return evaluate


def _at_zero(function) -> float:
    return float(_function(function, torch.float64)(torch.zeros(1, dtype=torch.float64))[0])


def _matrix(inertia):
    xx, yy, zz, xy, xz, yz = inertia
    return [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]


def _add(before: Tensor | None, more: Tensor | None) -> Tensor | None:
    return more if before is None else before if more is None else before + more


def _times(matrix: Tensor, vector: Tensor) -> Tensor:
    """Multiply (batch, 3, 3) with (batch, 3)."""
    return (matrix @ vector[..., None])[..., 0]


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return torch.linalg.cross(a, b)
