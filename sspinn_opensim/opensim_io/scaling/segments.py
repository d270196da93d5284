"""A generic model scaled from a tape: lengths and girths of segments, and the body height for the rest.

A length is held against a distance in the model's default pose: between joint centres, or between two places
the user names. A circumference is held against the girth the model implies by its mass:
a cylinder of the segment's mass, length and tissue density.

Sources
-------
Winter DA (2009) Biomechanics and Motor Control of Human Movement, 4th ed.: segments from joint to joint and
their densities (table 4.1), foot length over body height (figure 4.1, after Drillis and Contini 1966).
Harrington ME et al. (2007) J Biomech 40:595-602: hip joint centres from the width between the anterior
superior iliac spines.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError, nearest
from sspinn_opensim.anatomy import SIDES, without_side
from sspinn_opensim.opensim_io.scaling.anatomy import NEXT, Anatomy
from sspinn_opensim.opensim_io.scaling.choices import GIRTH, LENGTH, PersonSize, Segment
from sspinn_opensim.opensim_io.scaling.finish import describe
from sspinn_opensim.opensim_io.scaling.report import ScalingReport
from sspinn_opensim.opensim_io.scaling.scale import height_factor, scale_bodies
from sspinn_opensim.settings.bounds import Bounds

#: Foot length over body height (Winter 2009, figure 4.1).
_FOOT_PER_HEIGHT = 0.152
#: Density of limb segments, kg/m^3 (Winter 2009, table 4.1).
_DENSITY = {"thigh": 1050.0, "shank": 1090.0, "upper_arm": 1070.0, "forearm": 1130.0}
#: Lateral place of a hip centre from the middle, m, over the width between the iliac spines, m:
#: 0.33 times the width + 7.3 mm (Harrington et al. 2007).
_HIP_PER_WIDTH, _HIP_OFFSET_M = 0.33, 0.0073
#: Measures without sides -> the segment they scale.
_MIDDLE = {"pelvis_width": "pelvis", "asis_width": "pelvis", "trunk": "trunk"}


def known_segments() -> tuple[str, ...]:
    """Return the names that need neither places nor bodies."""
    return (*NEXT, *_MIDDLE)


def scale_by_segments(
    generic: Path,
    subject: Path,
    person: PersonSize,
    segments: Sequence[Segment],
    *,
    generic_height_m: float | None = None,
    preserve_mass_distribution: bool = True,
) -> ScalingReport:
    """Scale the bodies of measured segments by what was measured, the others by body height.

    Parameters
    ----------
    generic, subject, person, generic_height_m
        As in `scale_by_height_and_mass`.
    segments : sequence of Segment
        At least one.
    preserve_mass_distribution : bool
        False: the mass of a body follows its volume, which is of use where girths were measured.

    Raises
    ------
    InputError
        As `scale_by_height_and_mass`; a segment the model does not have, or whose joints are not found; a
        length no person has; two measures for one axis of a body.
    """
    factor, generic_height_m = height_factor(Path(generic), person, generic_height_m)
    model = Anatomy(describe(Path(generic)), str(generic))
    _check(segments, model)
    factors = {body: [factor] * 3 for body in model.bodies}
    taken: dict[tuple[str, int], str] = {}
    words: dict[str, str] = {}
    for segment in segments:
        for one in _sides(segment, model, generic_height_m):
            for body, axis, value in _factors(one, model, words):
                if (body, axis) in taken:
                    raise InputError(
                        f"two measurements scale '{body}' along {'xyz'[axis]}",
                        found=f"{taken[body, axis]} and {segment.name}",
                        fix="leave one out, or state its axes",
                    )
                taken[body, axis] = segment.name
                factors[body][axis] = value
    rest = [body for body in model.bodies if not any((body, axis) in taken for axis in range(3))]
    if rest:
        words["body height"] = f"{factor:.4f} for {', '.join(rest)}"
    return scale_bodies(
        generic,
        subject,
        person,
        {body: tuple(xyz) for body, xyz in factors.items()},
        generic_height_m=generic_height_m,
        preserve_mass_distribution=preserve_mass_distribution,
        method="measured segments",
        measured=words,
    )


@dataclasses.dataclass(frozen=True)
class _One:
    """A segment on one side: its bodies, the two places in the model, and what was measured."""

    segment: Segment
    kind: str
    side: str
    label: str
    bodies: tuple[str, ...]
    ends: tuple[np.ndarray, np.ndarray] | None
    model_length_m: float


def _check(segments: Sequence[Segment], model: Anatomy) -> None:
    names = [segment.name for segment in segments]
    for segment in segments:
        base, side = _base(segment.name)
        where = f"segment '{segment.name}'"
        if side and base in names:
            raise InputError(
                f"'{base}' stands for both sides and is given beside '{segment.name}'", where=where
            )
        if base not in NEXT and segment.name not in _MIDDLE and not (segment.between and segment.bodies):
            raise InputError(
                f"the segment '{segment.name}' is not known",
                where=where,
                expected=f"one of {', '.join(known_segments())}, or between and bodies for one of your own",
                fix=nearest(segment.name, known_segments()),
            )
        if segment.length_m is None and segment.circumference_m is None:
            raise InputError(
                "a segment without a measure", where=where, expected="length_m or circumference_m"
            )
        if segment.circumference_m is not None and base not in _DENSITY:
            raise InputError(
                f"a circumference cannot be used for '{segment.name}'",
                where=where,
                expected=f"one of {', '.join(_DENSITY)}",
                fix="give its length, or leave it to the body height",
            )
        _check_size("length_m", segment.length_m, LENGTH, where)
        _check_size("circumference_m", segment.circumference_m, GIRTH, where)
        for body in segment.bodies:
            if body not in model.bodies:
                fix = nearest(body, list(model.bodies))
                raise InputError(
                    f"the model has no body '{body}'", where=where, expected=", ".join(model.bodies), fix=fix
                )
        if set(segment.axes) - set("xyz"):
            raise InputError("axes are some of x, y, z", where=where, found=segment.axes)


def _check_size(what: str, value: float | None, allowed: Bounds, where: str) -> None:
    if value is not None and not allowed.holds(value):
        raise InputError(
            f"no person's {what}",
            where=where,
            expected=f"{allowed.low:g} to {allowed.high:g} m",
            found=f"{value:g} m",
        )


def _sides(segment: Segment, model: Anatomy, height_m: float) -> list[_One]:
    """Return the segment once for every side it stands for."""
    base, side = _base(segment.name)
    if base in NEXT:
        sides = [side] if side or segment.between else list(SIDES)
        return [_one(segment, base, one, model, height_m) for one in sides]
    return [_one(segment, _MIDDLE.get(segment.name, ""), "", model, height_m)]


def _one(segment: Segment, kind: str, side: str, model: Anatomy, height_m: float) -> _One:
    sides = [side] if side or kind not in NEXT else list(SIDES)
    bodies = segment.bodies or tuple(body for one in sides for body in model.group(kind, one))
    if kind == "foot" and not segment.between:
        label = f"{_FOOT_PER_HEIGHT:g} of the generic height"
        return _One(segment, kind, side, label, bodies, None, _FOOT_PER_HEIGHT * height_m)
    label, ends = _ends(segment, kind, side, model)
    length = float(np.linalg.norm(ends[1] - ends[0]))
    if length < LENGTH.low:
        raise InputError(
            f"in the model '{segment.name}' has no length",
            where=model.where,
            found=f"{1000 * length:.3g} mm ({label})",
            fix="a planar model has no width; for another segment name other places with between",
        )
    return _One(segment, kind, side, label, bodies, ends, length)


def _ends(
    segment: Segment, kind: str, side: str, model: Anatomy
) -> tuple[str, tuple[np.ndarray, np.ndarray]]:
    if segment.between:
        a, b = segment.between
        return f"{a} to {b}", (model.place(a), model.place(b))
    if kind == "pelvis":
        return "between the hip centres", (model.near_joint("thigh", "r"), model.near_joint("thigh", "l"))
    if kind == "trunk":
        hips, shoulders = (
            np.mean([model.near_joint(limb, one) for one in SIDES], axis=0) for limb in ("thigh", "upper_arm")
        )
        return "hip centres to shoulder centres", (hips, shoulders)
    return "joint to joint", (
        model.near_joint(kind, side),
        model.near_joint(NEXT[kind], side),
    )


def _factors(one: _One, model: Anatomy, words: dict[str, str]) -> list[tuple[str, int, float]]:
    """Return (body, axis, factor) of a segment, and note it in words."""
    segment, found, said = one.segment, [], []
    # A foot points forward; every other segment along the line between its ends.
    direction = np.array([1.0, 0.0, 0.0]) if one.ends is None else one.ends[1] - one.ends[0]
    along = {body: model.axis_along(body, direction) for body in one.bodies}
    if segment.length_m is not None:
        length = segment.length_m
        if segment.name == "asis_width":
            length = 2 * (_HIP_PER_WIDTH * length + _HIP_OFFSET_M)
        factor = length / one.model_length_m
        said.append(
            f"{length:.4f} m, in the model {one.model_length_m:.4f} m ({one.label}): factor {factor:.4f}"
        )
        for body, axis in along.items():
            if segment.axes:
                axes = ["xyz".index(letter) for letter in dict.fromkeys(segment.axes)]
            else:
                single = one.kind == "pelvis" or segment.circumference_m is not None
                axes = [axis] if single else [0, 1, 2]
            found += [(body, axis, factor) for axis in axes]
    if segment.circumference_m is not None:
        area = model.mass_kg(one.bodies) / (_DENSITY[one.kind] * one.model_length_m)
        implied = 2 * math.sqrt(math.pi * area)
        factor = segment.circumference_m / implied
        said.append(
            f"girth {segment.circumference_m:.4f} m, in the model {implied:.4f} m: factor {factor:.4f}"
        )
        found += [
            (body, other, factor) for body, axis in along.items() for other in range(3) if other != axis
        ]
    name = "_".join(filter(None, [_base(segment.name)[0], one.side]))
    words[name] = f"{'; '.join(said)}; {', '.join(one.bodies)}"
    return found


def _base(name: str) -> tuple[str, str]:
    """Return a name without its side, and the side."""
    base, side = without_side(name)
    return (base, side) if base in NEXT else (name, "")
