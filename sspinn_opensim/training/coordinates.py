"""Choice of the coordinates that are estimated; all others are held at a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from casadi_dynamics.errors import InputError, nearest
from casadi_dynamics.model import Model
from casadi_dynamics.model.types import GROUND, Coordinate
from casadi_dynamics.symbolic.constraints import independent_coordinates
from casadi_dynamics.symbolic.posture import moving_coordinates
from sspinn_opensim.anatomy.sagittal import sagittal_coordinates
from sspinn_opensim.recording import bodies_of
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.read_back import read_scaling_report
from sspinn_opensim.study import CoordinateChoice
from sspinn_opensim.training.roles import facing_ahead

#: Choices that need no list: every coordinate; those that move a sensor or a foot; of these the sagittal.
ALL, OBSERVED, PLANAR = "all", "observed", "planar"
CHOICES = (ALL, OBSERVED, PLANAR)
#: Ranges of models are rounded: an angle may be held so far beyond one, rad.
_BEYOND = 0.1


def held_coordinates(
    model: Model, estimate: str | Sequence[str], fixed: Mapping[str, float], bodies: Iterable[str]
) -> dict[str, float]:
    """Return the coordinates that are not estimated and the value each keeps.

    Parameters
    ----------
    estimate : str or sequence of str
        One of `CHOICES`, or the names of the coordinates to estimate.
    fixed : mapping of str to float
        Values of coordinates that are held, rad or m; those left out are held at their default, but for the
        heading of the root, which is `facing_ahead`.
    bodies : iterable of str
        Bodies with a sensor or a contact point.

    Returns
    -------
    dict of str to float
        Without those that couplers set. Coordinates that are locked in the model are always held.

    Raises
    ------
    InputError
        A name is unknown, is both held and to be estimated, follows another one or is locked; an angle is
        held where the model says that it never is; the root is held on its way; or there is no such choice.
    """
    for name, value in fixed.items():
        _refuse_out_of_range(model.coordinate(name), value, model)
    independent = independent_coordinates(model)
    if isinstance(estimate, str):
        kept = _chosen(model, estimate, bodies)
    else:
        kept = _named(model, estimate, fixed, independent)
    held = [c for c in model.coordinates if c.name in independent and (c.locked or c.name not in kept)]
    _refuse_still_root(model, {*fixed, *(c.name for c in held)}, bodies)
    ahead = facing_ahead(model)
    defaults = {c.name: (c if c.locked else ahead.coordinate(c.name)).default for c in held}
    return defaults | dict(fixed)


def held_by_choice(choice: CoordinateChoice, sensors: Sequence, model: Model) -> dict[str, float]:
    """Return the coordinates that a study holds of a model and the value each keeps, rad or m."""
    return held_coordinates(model, choice.estimate, choice.fixed, _observed(sensors, model))


def to_store(choice: CoordinateChoice, sensors: Sequence, model: Model) -> dict[str, Any]:
    """Return `held_by_choice` with what it was decided from, for `scaling.json`; `held_in` reads it."""
    return _decided_from(choice, sensors, model) | {"held": held_by_choice(choice, sensors, model)}


def held_in(folder: Path, choice: CoordinateChoice, sensors: Sequence, model: Model) -> dict[str, float]:
    """Return the coordinates that were held when the model of a results folder was scaled.

    Returns
    -------
    dict of str to float
        Value of each, rad or m. Where study, sensors or model changed since, or nothing is stored, it is
        decided anew.
    """
    stored = read_scaling_report(ResultsFolder(folder)).get("held_coordinates")
    if stored and stored | _decided_from(choice, sensors, model) == stored:
        return stored["held"]
    return held_by_choice(choice, sensors, model)


def _decided_from(choice: CoordinateChoice, sensors: Sequence, model: Model) -> dict[str, Any]:
    estimate = choice.estimate if isinstance(choice.estimate, str) else list(choice.estimate)
    bodies = sorted(set(_observed(sensors, model)))
    return {"estimate": estimate, "fixed": dict(choice.fixed), "bodies": bodies, "model": model.content_hash}


def _observed(sensors: Sequence, model: Model) -> list[str]:
    """Return the bodies with a sensor or a contact point."""
    return [*bodies_of(sensors, model), *(sphere.body for sphere in model.contact_spheres)]


def _chosen(model: Model, estimate: str, bodies: Iterable[str]) -> set[str]:
    if estimate not in CHOICES:
        known = (*CHOICES, *model.coordinate_names)
        raise InputError(
            f"There is no choice '{estimate}' of coordinates.",
            where="[coordinates] estimate of the study",
            expected=f"one of {', '.join(CHOICES)}, or a list of coordinates",
            found=estimate,
            fix=nearest(estimate, known),
        )
    if estimate == ALL:
        return set(model.coordinate_names)
    observed = moving_coordinates(model, bodies)
    if estimate == OBSERVED:
        return observed
    return observed & (set(sagittal_coordinates(model)) | _steps_in_plane(model))


def _steps_in_plane(model: Model) -> set[str]:
    roots = [joint for joint in model.joints if joint.parent.body == GROUND]
    # The third row of a frame's axes is what they have along z of ground.
    return {
        axis.coordinate
        for joint in roots
        for axis in joint.translations
        if axis.coordinate and abs(np.dot(joint.parent.rotation[2], axis.axis)) < 0.5
    }


def _refuse_out_of_range(coordinate: Coordinate, value: float, model: Model) -> None:
    low, high = coordinate.range
    if coordinate.motion == "rotational" and low < high and not low - _BEYOND <= value <= high + _BEYOND:
        raise InputError(
            f"The coordinate '{coordinate.name}' is held out of its range.",
            where=f"[coordinates] fixed of the study, model '{model.name}'",
            expected=f"{low:.4g} to {high:.4g} rad",
            found=f"{value:g} rad, which are {np.degrees(value):.4g} degrees",
            fix="give the angle in rad, or widen the range in the model",
        )


def _refuse_still_root(model: Model, held: set[str], bodies: Iterable[str]) -> None:
    """Refuse to hold the steps of a root that walks: nobody's pelvis stays at a place, or at a height."""
    steps = _steps_in_plane(model) & held
    still = [c.name for c in model.coordinates if c.name in steps and not c.locked]
    if still and not moving_coordinates(model, bodies).isdisjoint(still):
        raise InputError(
            f"The model cannot travel: '{still[0]}' is held.",
            where=f"[coordinates] of the study, model '{model.name}'",
            expected="the steps of the root forward and up are estimated, as nobody walks without them",
            found=", ".join(still),
            fix="take them out of fixed, and into the list of estimate if there is one",
        )


def _named(
    model: Model, estimate: Sequence[str], fixed: Mapping[str, float], independent: Sequence[str]
) -> set[str]:
    for name in estimate:
        coordinate = model.coordinate(name)
        what = fix = ""
        if name in fixed:
            what = f"The coordinate '{name}' is to be estimated and held at {fixed[name]:g}."
            fix = "name it in one of the two places"
        elif name not in independent:
            what = f"The coordinate '{name}' cannot be chosen: a coupler sets it."
            fix = "choose the coordinate it follows"
        elif coordinate.locked:
            what = f"The coordinate '{name}' is locked in the model: OpenSim's tools would not see it move."
            fix = "unlock it in the model, or leave it out"
        if what:
            where = f"[coordinates] estimate of the study, model '{model.name}'"
            raise InputError(what, where=where, found=name, fix=fix)
    return set(estimate)
