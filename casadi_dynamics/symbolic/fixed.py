"""Coordinates that stay at a value: taken out of a model, so that its functions are smaller."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

import casadi as ca

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import FixedCoordinate, Model
from casadi_dynamics.model.constraints import couplers_in_order
from casadi_dynamics.symbolic.functions import evaluate_several


def fix_coordinates(model: Model, values: Mapping[str, float]) -> Model:
    """Return the model with some coordinates held at a value.

    They are no longer among its coordinates, so they vanish from `q`, `u`, `udot` and `tau` of its functions,
    where their motion is constants. Coordinates that a coupler ties to a fixed one are fixed where the
    coupler puts them. Forces that act on a fixed coordinate alone move nothing and are left out.

    Parameters
    ----------
    values : mapping of str to float
        For each coordinate to fix its value, rad or m.

    Raises
    ------
    InputError
        If the model has no such coordinate, a value is not finite, a coordinate follows one that is free, or
        only some of the angles of a joint are fixed whose speeds are an angular velocity.
    """
    held = {model.coordinate(name).name: float(value) for name, value in values.items()}
    for name, value in held.items():
        if not math.isfinite(value):
            raise InputError(
                f"The coordinate '{name}' cannot be fixed there.",
                where=f"model '{model.name}'",
                expected="a finite value in rad or m",
                found=str(value),
                fix="give another value",
            )
    for coupler in couplers_in_order(model.constraints):
        known = {c.name: c.value for c in model.fixed} | held
        if known.keys() >= set(coupler.independent):
            at = [ca.SX(known[name]) for name in coupler.independent]
            held[coupler.dependent] = float(evaluate_several(coupler.function, at)[0])
        elif coupler.dependent in held:
            followed = ", ".join(coupler.independent)
            raise InputError(
                f"The coordinate '{coupler.dependent}' cannot be fixed: it follows '{followed}'.",
                where=f"model '{model.name}', coupler '{coupler.name}'",
                fix=f"fix '{followed}' instead",
            )
    _refuse_half_fixed_joints(model, held)
    taken = [
        FixedCoordinate(c.name, c.joint, held[c.name], c.range) for c in model.coordinates if c.name in held
    ]
    return replace(
        model,
        coordinates=tuple(c for c in model.coordinates if c.name not in held),
        constraints=tuple(c for c in model.constraints if getattr(c, "dependent", None) not in held),
        forces=tuple(f for f in model.forces if getattr(f, "coordinate", None) not in held),
        fixed=(*model.fixed, *taken),
    )


def keep_coordinates(model: Model, names: Iterable[str], values: Mapping[str, float] | None = None) -> Model:
    """Return the model with all coordinates fixed but those named and what follows them.

    Parameters
    ----------
    names : iterable of str
        Coordinates that stay free.
    values : mapping of str to float, optional
        Where the others are held, rad or m; by default at their default values.

    Raises
    ------
    InputError
        As `fix_coordinates`; or a coordinate is to be kept and held at once.
    """
    kept = {model.coordinate(name).name for name in names}
    values = dict(values or {})
    both = sorted(kept & set(values))
    if both:
        raise InputError(
            f"The coordinate '{both[0]}' is to be kept free and held at {values[both[0]]:g}.",
            where=f"model '{model.name}'",
            fix="name it in one of the two places",
        )
    following = {c.dependent for c in couplers_in_order(model.constraints)}
    others = [c for c in model.coordinates if c.name not in kept | following]
    return fix_coordinates(model, {c.name: c.default for c in others} | values)


def _refuse_half_fixed_joints(model: Model, held: Mapping[str, float]) -> None:
    for joint in model.joints:
        angles = [axis.coordinate or "" for axis in joint.rotations]
        free = [name for name in angles if name not in held]
        if joint.speeds == "angular velocity" and free and len(free) < len(angles):
            raise InputError(
                f"Only some of the angles of {joint.kind} '{joint.name}' are fixed.",
                where=f"model '{model.name}'",
                expected=f"all or none of {', '.join(angles)}: its speeds are an angular velocity",
                found=f"{', '.join(free)} free",
                fix="fix all three, or replace the joint by a CustomJoint",
            )
