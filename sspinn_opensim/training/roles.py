"""Roles of the coordinates of a model in a training, and what no training can estimate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Model
from casadi_dynamics.model.constraints import CoordinateCouplerConstraint
from casadi_dynamics.model.functions import Linear
from casadi_dynamics.model.types import GROUND
from casadi_dynamics.symbolic.constraints import independent_coordinates
from casadi_dynamics.symbolic.posture import posture

#: A held root may face so far beside x of ground, rad: forward is along it within 0.5 %.
_TURNED_RAD = 0.1
#: Steps are told from turns of the root joint by their direction: this close to an axis of ground counts.
ALIGNED = 0.99


@dataclass(frozen=True)
class Roles:
    """Indices of coordinates by the part they play.

    Attributes
    ----------
    posture : tuple of int
        Angles that the network gives.
    steps : tuple of int
        Translations of the root, in the order forward, up, right as far as the model has them.
    actuated : tuple of int
        Estimated coordinates that a muscle can drive: all but the root's.
    root : tuple of int
        Estimated coordinates of the root: whatever force is left there is a residual.
    fixed : dict of int to float
        Coordinates that are held, and their values (rad or m).
    dependent : tuple of int
        Coordinates that couplers set from others.
    """

    posture: tuple[int, ...]
    steps: tuple[int, ...]
    forward: int
    vertical: int
    actuated: tuple[int, ...]
    root: tuple[int, ...]
    fixed: dict[int, float]
    dependent: tuple[int, ...]


def roles_of(model: Model, fixed: Mapping[str, float]) -> Roles:
    """Return which coordinate plays which part.

    Parameters
    ----------
    fixed : mapping of str to float
        Coordinates that are held and their values, rad or m.

    Raises
    ------
    InputError
        The root cannot move forward and up, or a free coordinate is a translation inside the body.
    """
    index = {name: i for i, name in enumerate(model.coordinate_names)}
    independent = independent_coordinates(model)
    free = [c for c in model.coordinates if c.name not in fixed and c.name in independent]
    root = model.root_coordinates()
    along = {}
    for joint in model.joints:
        if joint.parent.body != GROUND:
            continue
        for axis in joint.translations:
            direction = np.array(joint.parent.rotation) @ np.array(axis.axis)
            if axis.coordinate is None or axis.coordinate in fixed or axis.function != Linear(1.0, 0.0):
                continue
            if direction.max() > ALIGNED:
                along[int(direction.argmax())] = index[axis.coordinate]
    if 0 not in along or 1 not in along:
        raise InputError(
            "The model's root cannot move forward and up.",
            where=f"model '{model.name}', joint on ground",
            expected="free coordinates that translate along x and y of ground, by 1 m for each m",
            found=", ".join(root) or "a welded root",
            fix="free these coordinates, or use a model with a floating pelvis",
        )
    other = [c.name for c in free if c.motion != "rotational" and index[c.name] not in along.values()]
    if other:
        raise InputError(
            f"The coordinate '{other[0]}' is no angle but moves inside the body, which is not estimated.",
            where=f"model '{model.name}'",
            fix=f"fix it in the study: [coordinates] fixed = {{ {other[0]} = value }}",
        )
    return Roles(
        posture=tuple(index[c.name] for c in free if c.motion == "rotational"),
        steps=tuple(along[k] for k in sorted(along)),
        forward=along[0],
        vertical=along[1],
        actuated=tuple(index[c.name] for c in free if c.name not in root),
        root=tuple(index[c.name] for c in free if c.name in root),
        fixed={index[name]: value for name, value in fixed.items()},
        dependent=tuple(index[name] for name in model.coordinate_names if name not in independent),
    )


def refuse_followers(model: Model, fixed: Mapping[str, float]) -> None:
    """Refuse to hold a coordinate that a coupler sets from another one."""
    independent = independent_coordinates(model)
    follows = [name for name in fixed if name not in independent]
    if follows:
        raise InputError(
            f"The coordinate '{follows[0]}' cannot be fixed: a coupler sets it from another one.",
            where=f"model '{model.name}'",
            expected=f"coordinates among {', '.join(independent)}",
            found=follows[0],
            fix="fix the coordinate it follows, or remove it from [coordinates] fixed",
        )


def refuse_untrainable(model: Model, held: Mapping[str, float]) -> None:
    """Refuse a model, or a choice of held coordinates, that training cannot use.

    Parameters
    ----------
    held : mapping of str to float
        Coordinates that are not estimated and their values, rad or m; the locked ones among them.

    Raises
    ------
    InputError
        A constraint between two bodies, speeds that are no rates of angles, or no joint that is estimated.
    """
    _refuse_constraints_and_speeds(model, held)
    _refuse_root_alone(model, held)


def facing_ahead(model: Model) -> Model:
    """Return a model whose root faces along x of ground by default.

    A model that OpenSim scaled faces by default as in its static trial, whichever way that was. Postures of
    training are seen from the side, and nothing else depends on a heading.
    """
    turned = _headings(model, {c.name for c in model.coordinates if c.default != 0.0})
    if not turned:
        return model
    coordinates = (replace(c, default=0.0) if c.name in turned else c for c in model.coordinates)
    return replace(model, coordinates=tuple(coordinates))


def refuse_turned_root(model: Model, held: Mapping[str, float]) -> None:
    """Refuse a root that is held so that it faces another way than x of ground, along which people walk."""
    turned = _headings(model, {name for name, value in held.items() if abs(value) > _TURNED_RAD})
    for name in turned:
        raise InputError(
            f"The model is held facing another way than it walks: '{name}'.",
            where=f"[coordinates] of the study, model '{model.name}'",
            expected="0 rad, which faces along x of ground",
            found=f"{held[name]:.3g} rad",
            fix=f"hold it at 0: fixed = {{ {name} = 0.0 }} in the study or, where the model locks it, its "
            "default value there",
        )


def _headings(model: Model, among: set[str]) -> list[str]:
    """Return those of some coordinates that turn an upright root about the vertical."""
    turns = [c.name for c in model.coordinates if c.name in among and c.motion == "rotational"]
    turns = [name for name in turns if name in model.root_coordinates()]
    axes = posture(model).axis if turns else {}
    return [name for name in turns if name in axes and abs(axes[name][1]) > ALIGNED]


def _refuse_root_alone(model: Model, fixed: Mapping[str, float]) -> None:
    root = model.root_coordinates()
    free = [name for name in independent_coordinates(model) if name not in fixed]
    if not set(free) - set(root):
        joints = [name for name in independent_coordinates(model) if name not in root]
        raise InputError(
            "No joint is estimated: a body that moves as one has no joint moments.",
            where=f"[coordinates] of the study, model '{model.name}'",
            expected="at least one coordinate beside those of the root, such as " + ", ".join(joints[:3]),
            found=", ".join(free) or "none",
            fix="name more coordinates in estimate, or hold fewer with fixed",
        )


def _refuse_constraints_and_speeds(model: Model, fixed: Mapping[str, float]) -> None:
    welded = [c for c in model.constraints if not isinstance(c, CoordinateCouplerConstraint)]
    if welded:
        raise InputError(
            f"Training cannot keep to the constraint '{welded[0].name}' between two bodies.",
            where=f"model '{model.name}'",
            found=type(welded[0]).__name__,
            fix="switch its isEnforced off in the model file, or use a model without it",
        )
    for joint in (joint for joint in model.joints if joint.speeds != "rates"):
        turning = [axis.coordinate for axis in joint.rotations]
        free = [name for name in turning if name not in fixed]
        if free:
            raise InputError(
                f"Training cannot estimate '{free[0]}': the speeds of its joint are not rates of angles.",
                where=f"model '{model.name}', {joint.kind} '{joint.name}'",
                fix="make it a GimbalJoint or CustomJoint in the model file, or fix its three angles",
            )
