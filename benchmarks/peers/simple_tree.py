"""A model as links on revolute and prismatic joints: what robot libraries take."""

from __future__ import annotations

from dataclasses import dataclass

import casadi as ca
import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Body, Joint, Model, TransformAxis
from casadi_dynamics.model.functions import Linear
from casadi_dynamics.model.types import GROUND, Frame
from casadi_dynamics.symbolic.functions import evaluate


@dataclass(frozen=True)
class Transform:
    """Axes (columns of `rotation`) and origin of a frame in another."""

    rotation: np.ndarray
    translation: np.ndarray

    def __matmul__(self, other: Transform) -> Transform:
        turned = self.rotation @ other.translation
        return Transform(self.rotation @ other.rotation, self.translation + turned)

    @property
    def inverse(self) -> Transform:
        """The other frame in this one."""
        return Transform(self.rotation.T, -self.rotation.T @ self.translation)


@dataclass(frozen=True)
class Inertia:
    """Mass (kg), mass centre (3,) and inertia about it (3, 3)."""

    mass: float
    center: np.ndarray
    about_center: np.ndarray

    def __add__(self, other: Inertia) -> Inertia:
        mass = self.mass + other.mass
        if mass == 0:
            return self
        center = (self.mass * self.center + other.mass * other.center) / mass
        return Inertia(mass, center, self._about(center) + other._about(center))

    def seen_from(self, frame: Transform) -> Inertia:
        """Return it in the frame that `frame` is given in."""
        turned = frame.rotation @ self.about_center @ frame.rotation.T
        return Inertia(self.mass, frame.translation + frame.rotation @ self.center, turned)

    def _about(self, point: np.ndarray) -> np.ndarray:
        arm = self.center - point
        return self.about_center + self.mass * (arm @ arm * np.eye(3) - np.outer(arm, arm))


@dataclass(frozen=True)
class Axis:
    """A 'revolute' or 'prismatic' joint along a unit `direction` in the link; `place` is its coordinate."""

    kind: str
    direction: np.ndarray
    place: int


@dataclass
class Link:
    """A rigid body of the simple tree.

    Attributes
    ----------
    parent : int
        Index of the link it hangs on, -1 for ground.
    frame : Transform
        Of this link in its parent where all its coordinates are zero.
    axes : tuple of Axis
        From the parent outwards; prismatic ones first.
    inertia : Inertia
        Of the body and all that is welded to it.
    """

    parent: int
    frame: Transform
    axes: tuple[Axis, ...]
    inertia: Inertia


@dataclass(frozen=True)
class SimpleTree:
    """Links, parents first.

    Attributes
    ----------
    links : tuple of Link
    coordinates : int
    exact : bool
        Whether the model has no other joints than these: forces are then equal to the model's own.
    """

    links: tuple[Link, ...]
    coordinates: int
    exact: bool


def simplify(model: Model) -> SimpleTree:
    """Return the model on simple joints, one per coordinate; welded bodies become one.

    A coordinate that drives several axes keeps the one it moves in proportion to, else the first; all
    displacements that are not proportional to a coordinate stay what they are at its default.

    Raises
    ------
    InputError
        If a joint's speeds are not the rates of its coordinates, or its sides are reversed.
    """
    links: list[Link] = []
    # Body -> the link it is part of, and its frame in that link.
    parts = {GROUND: (-1, _transform(Frame(GROUND, (0.0, 0.0, 0.0), np.eye(3))))}
    exact = True
    for joint in model.joints:
        if joint.speeds != "rates" or joint.radii or joint.winging or joint.reversed:
            raise InputError(
                f"The joint '{joint.name}' has no likeness among simple joints.",
                expected="a joint whose speeds are the rates of its coordinates, not reversed",
                found=joint.kind,
                fix="leave the route out for this model",
            )
        axes, resting, is_exact = _chain(joint, model)
        exact &= is_exact
        link, in_link = parts[joint.parent.body]
        frame = in_link @ _transform(joint.parent) @ resting
        on_child = _transform(joint.child).inverse
        inertia = _inertia(model.body(joint.child.body))
        if axes:
            parts[joint.child.body] = len(links), on_child
            links.append(Link(link, frame, axes, inertia.seen_from(on_child)))
        else:
            parts[joint.child.body] = link, frame @ on_child
            if link >= 0:
                links[link].inertia = links[link].inertia + inertia.seen_from(frame @ on_child)
    return SimpleTree(tuple(links), len(model.coordinates), exact)


def _chain(joint: Joint, model: Model) -> tuple[tuple[Axis, ...], Transform, bool]:
    """Return the axes of a joint, where its child rests, and whether that is the joint itself."""
    everything = [("prismatic", axis) for axis in joint.translations]
    everything += [("revolute", axis) for axis in joint.rotations]
    driven = {axis.coordinate for _, axis in everything if axis.coordinate}
    kept = {}
    for name in driven:
        own = [pair for pair in everything if pair[1].coordinate == name]
        kept[name] = next((pair for pair in own if _is_proportional(pair[1])), own[-1])
    chosen = [pair for pair in everything if pair[1].coordinate and pair is kept[pair[1].coordinate]]
    resting, exact, axes = Transform(np.eye(3), np.zeros(3)), True, []
    for pair in everything:
        kind, axis = pair
        direction = np.array(axis.axis)
        if any(pair is one for one in chosen):
            exact &= _is_proportional(axis)
            sign = axis.function.slope if _is_proportional(axis) else 1.0
            axes.append(Axis(kind, sign * direction, model.coordinate_names.index(axis.coordinate)))
            continue
        value = _at_default(axis, model)
        if kind == "prismatic":
            resting = resting @ Transform(np.eye(3), value * direction)
        elif value or axis.coordinate:
            exact = False  # a turn that stays, between turns that move, is left out
        exact &= axis.coordinate is None
    return tuple(axes), resting, exact


def _is_proportional(axis: TransformAxis) -> bool:
    function = axis.function
    return isinstance(function, Linear) and abs(function.slope) == 1 and function.intercept == 0


def _at_default(axis: TransformAxis, model: Model) -> float:
    x = model.coordinate(axis.coordinate).default if axis.coordinate else 0.0
    return float(ca.evalf(evaluate(axis.function, ca.SX(x))[0]))


def _transform(frame: Frame) -> Transform:
    return Transform(np.array(frame.rotation, float), np.array(frame.translation, float))


def _inertia(body: Body) -> Inertia:
    xx, yy, zz, xy, xz, yz = body.inertia
    about_center = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    return Inertia(body.mass, np.array(body.mass_center), about_center)
