"""Factors that a set-up of ScaleTool means, found out before it runs.

ScaleTool passes over much in silence: a measurement that lacks one marker of one pair leaves its bodies at
factor one, a body it does not know is skipped, a factor of zero is taken. All of that is named here. The
factors are also computed here by ScaleTool's own rule, since the file it writes them to holds six digits.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from lxml import etree

from casadi_dynamics.errors import InputError, nearest
from sspinn_opensim.files import write_atomically
from sspinn_opensim.opensim_io.documents import OPENSIM_DOCUMENT_VERSION, child_text
from sspinn_opensim.opensim_io.scaling.report import Factors
from sspinn_opensim.opensim_io.scaling.setup import AppliedMeasurement, ScaleSetup

_AXES = "XYZ"


def check_names(setup: ScaleSetup, anatomy: Mapping, coordinates: Iterable[str]) -> list[str]:
    """Compare the bodies and coordinates that a set-up names with those of the model.

    Returns
    -------
    list of str
        What ScaleTool passes over although the rest of it can be done.
    """
    bodies, notes = list(anatomy["bodies"]), []
    for measurement in setup.measurements():
        where = f"{setup.where}, measurement '{measurement.name}'"
        if not measurement.bodies or not measurement.pairs:
            raise InputError("a measurement needs pairs of markers and bodies", where=where)
        for body, axes in measurement.bodies.items():
            if not axes or set(axes) - set(_AXES) or len(set(axes)) < len(axes):
                raise InputError(
                    f"the axes of '{body}' are not clear", where=where, expected="some of X Y Z", found=axes
                )
        unknown = [body for body in measurement.bodies if body not in bodies]
        if len(unknown) == len(measurement.bodies):
            raise InputError(
                "a measurement scales no body of the model",
                where=where,
                expected=f"some of {', '.join(bodies)}",
                found=", ".join(unknown),
                fix=nearest(unknown[0], bodies),
            )
        notes += [f"measurement '{measurement.name}': the model has no body '{body}'" for body in unknown]
    for body in setup.manual_factors():
        if body not in bodies:
            raise InputError(
                "a stated scale factor is for a body that the model does not have",
                where=setup.where,
                expected=f"one of {', '.join(bodies)}",
                found=body,
                fix=nearest(body, bodies) or "remove it from the ScaleSet, or set its apply to false",
            )
    known = list(coordinates)
    notes += [
        f"placement: the model has no coordinate '{name}', its task does nothing"
        for name in setup.coordinate_tasks()
        if name not in known
    ]
    return notes


def usable_measurements(
    setup: ScaleSetup, model_markers: Iterable[str], trial_markers: Iterable[str]
) -> tuple[tuple[AppliedMeasurement, ...], list[str]]:
    """Return the measurements with the pairs that both model and trial know, and what was left out."""
    model_markers, trial_markers = list(model_markers), list(trial_markers)
    kept, notes = [], []
    for measurement in setup.measurements():
        missing = _missing(measurement.pairs, model_markers, trial_markers)
        pairs = tuple(pair for pair in measurement.pairs if not set(pair) & set(missing))
        if not pairs:
            first = next(iter(missing))
            lists = trial_markers if "trial" in missing[first] else model_markers
            raise InputError(
                f"measurement '{measurement.name}' cannot be taken",
                where=setup.where,
                expected="at least one pair of markers that both the trial and the model have",
                found="; ".join(f"{name} is not in {place}" for name, place in missing.items()),
                fix=nearest(first, lists) or "rename the markers, add them to the marker set, or remove it",
            )
        notes += [
            f"measurement '{measurement.name}': {name} is not in {place}, its pair is left out"
            for name, place in missing.items()
        ]
        kept.append(dataclasses.replace(measurement, pairs=pairs))
    return tuple(kept), notes


def scale_factors(
    setup: ScaleSetup,
    measurements: Sequence[AppliedMeasurement],
    bodies: Iterable[str],
    in_model: Callable[[str, str], float],
    measured: Callable[[str, str], float],
) -> tuple[Factors, dict[str, float]]:
    """Return the factors of all bodies as ScaleTool finds them, and those of the measurements.

    Parameters
    ----------
    setup : ScaleSetup
        Says in which order factors by hand and measurements act.
    measurements : sequence of AppliedMeasurement
        Of the set-up, as far as they can be taken.
    bodies : iterable of str
        All bodies of the model.
    in_model, measured : callable
        Two markers -> their distance in the model, and its mean over the trial, m.
    """
    factors = {body: [1.0, 1.0, 1.0] for body in bodies}
    found: dict[str, float] = {}
    for method in setup.order:
        if method == "manualScale":
            for body, xyz in setup.manual_factors().items():
                factors[body] = list(xyz)
            continue
        for measurement in measurements:
            ratios = []
            for pair in measurement.pairs:
                model, person = in_model(*pair), measured(*pair)
                if not (model > 0 and person > 0):
                    raise InputError(
                        f"the markers {' and '.join(pair)} lie at one place",
                        where=f"{setup.where}, measurement '{measurement.name}'",
                        found=f"{1000 * model:.3g} mm in the model, {1000 * person:.3g} mm in the trial",
                    )
                ratios.append(person / model)
            found[measurement.name] = float(np.mean(ratios))
            for body in measurement.bodies:
                for axis in measurement.bodies[body] if body in factors else "":
                    factors[body][_AXES.index(axis)] = found[measurement.name]
    return {body: tuple(xyz) for body, xyz in factors.items()}, found


def read_scale_set(path: Path) -> Factors:
    """Return the factors of a file that ScaleTool wrote: six digits, every frame of the model."""
    scales = etree.parse(str(path)).getroot().iterfind("ScaleSet/objects/Scale")
    return {
        child_text(scale, "segment"): tuple(float(text) for text in child_text(scale, "scales").split())
        for scale in scales
    }


def write_scale_set(path: Path, factors: Factors) -> None:
    """Write the factors with all digits, as a ScaleSet that OpenSim loads."""
    root = etree.Element("OpenSimDocument", Version=OPENSIM_DOCUMENT_VERSION)
    scales = etree.SubElement(etree.SubElement(root, "ScaleSet", name="factors"), "objects")
    for body, xyz in factors.items():
        scale = etree.SubElement(scales, "Scale")
        etree.SubElement(scale, "scales").text = " ".join(repr(float(x)) for x in xyz)
        etree.SubElement(scale, "segment").text = body
        etree.SubElement(scale, "apply").text = "true"
    data = etree.tostring(root.getroottree(), encoding="UTF-8", xml_declaration=True, pretty_print=True)
    write_atomically(path, data)


def _missing(pairs, model_markers: Sequence[str], trial_markers: Sequence[str]) -> dict[str, str]:
    missing = {}
    for name in dict.fromkeys(name for pair in pairs for name in pair):
        places = [
            place
            for place, names in (("the trial", trial_markers), ("the model", model_markers))
            if name not in names
        ]
        if places:
            missing[name] = " nor in ".join(places)
    return missing
