"""A generic model scaled to a person by body height and mass.

OpenSim scales bodies, joints, muscles and the frames attached to bodies, and sets the total mass; it
leaves contact geometry where it was. That is scaled here, with the body that carries it.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from lxml import etree

import osim_models
from casadi_dynamics.errors import InputError
from sspinn_opensim.opensim_io.files import write_atomically
from sspinn_opensim.opensim_io.jobs import run_job
from sspinn_opensim.opensim_io.model_file import (
    child_text,
    contact_geometry,
    read_model_tree,
    write_model_tree,
)

_TIMEOUT_S = 120.0
_MASS_TOLERANCE = 1e-9
_HEIGHT_RANGE_M, _MASS_RANGE_KG = (0.5, 2.5), (10.0, 300.0)
# Gait 2392 and 2354: "about 1.8 m tall", 75.16 kg (OpenSim documentation, "Gait 2392 and 2354 Models");
# gait10dof18musc is their planar reduction with the same bodies and total mass.
_GENERIC_HEIGHT_M = {
    "planar_gait": osim_models.GENERIC_HEIGHT_M,
    "3DGaitModel2392": 1.80,
    "3DGaitModel2354": 1.80,
    "gait10dof18musc": 1.80,
    "gait10dof18musc.osim": 1.80,
}


class Person(Protocol):
    """Whom to scale to.

    Parameters
    ----------
    name : str
        Name of the scaled model.
    height_m, mass_kg : float
        Body height, m, and mass, kg.
    """

    name: str
    height_m: float
    mass_kg: float


@dataclasses.dataclass(frozen=True)
class ScalingReport:
    """What scaling did, read back from the written model.

    Parameters
    ----------
    name : str
        The person.
    height_m, mass_kg : float
        Height as given, m; total mass as read back from the scaled model, kg.
    generic_height_m : float or None
        Height the generic model stands for, m; None when the model came already scaled.
    generic_mass_kg : float
        Total mass of the generic model, kg.
    factors : Mapping of str to tuple of 3 floats
        Scale factor of each body along its x, y, z.
    body_mass_kg : Mapping of str to (float, float)
        Mass of each body before and after, kg.
    contact : tuple of str
        Contact geometry that was scaled with its body.
    warnings : tuple of str
        What OpenSim warned of while scaling.
    """

    name: str
    height_m: float
    mass_kg: float
    generic_height_m: float | None
    generic_mass_kg: float
    factors: Mapping[str, tuple[float, float, float]]
    body_mass_kg: Mapping[str, tuple[float, float]]
    contact: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    def table(self) -> str:
        """Return the factors and masses of all bodies as text for printing."""
        generic = "as given" if self.generic_height_m is None else f"generic {self.generic_height_m:.3f} m"
        width = max(map(len, ["body", *self.factors]))
        lines = [
            f"{self.name}: {self.height_m:.3f} m ({generic}), "
            f"{self.mass_kg:.3f} kg (generic {self.generic_mass_kg:.3f} kg)",
            f"{'body':<{width}}  factor x  factor y  factor z  mass before  mass after (kg)",
        ]
        for body, (x, y, z) in self.factors.items():
            before, after = self.body_mass_kg[body]
            lines.append(f"{body:<{width}}  {x:8.4f}  {y:8.4f}  {z:8.4f}  {before:11.4f}  {after:10.4f}")
        if self.contact:
            lines.append(f"contact scaled with its body: {', '.join(self.contact)}")
        return "\n".join(lines)

    def to_json(self) -> dict:
        """Return the report as JSON values."""
        return dataclasses.asdict(self)


def scale_by_height_and_mass(
    generic: Path, subject: Path, person: Person, *, generic_height_m: float | None = None
) -> ScalingReport:
    """Scale every body by height over generic height, and the total mass to the person's.

    Mass distribution is preserved: each body keeps its share of the total. Contact geometry is moved and
    resized with its body; the parameters of contact forces stay.

    Parameters
    ----------
    generic : Path
        Model to scale, saved by OpenSim 4.
    subject : Path
        Where to write the scaled model.
    person : Person
        Name, height in m, mass in kg.
    generic_height_m : float, optional
        Height of a person the generic model fits as it is, m. Known for the project's planar model,
        gait2392, gait2354 and gait10dof18musc; needed for any other.

    Returns
    -------
    ScalingReport
        Factors and masses, checked against the written model.

    Raises
    ------
    InputError
        Implausible height or mass; unknown generic height; contact geometry that cannot be scaled; a
        model OpenSim cannot load; a scaled model that does not read back as it should.
    """
    generic, subject = Path(generic), Path(subject)
    _check_person(person)
    tree = read_model_tree(generic)
    if generic_height_m is None:
        generic_height_m = _known_height(tree, generic)
    _check_range("the generic model's height", generic_height_m, _HEIGHT_RANGE_M, "m", "generic_height_m")
    factor = person.height_m / generic_height_m
    bodies = [body.get("name") for body in tree.iterfind("Model/BodySet/objects/Body")]
    return scale_bodies(
        generic, subject, person, {body: (factor,) * 3 for body in bodies}, generic_height_m=generic_height_m
    )


def scale_bodies(
    generic: Path,
    subject: Path,
    person: Person,
    factors: Mapping[str, tuple[float, float, float]],
    *,
    generic_height_m: float | None = None,
) -> ScalingReport:
    """Scale each body by its own factors, and the total mass to the person's.

    Parameters
    ----------
    generic, subject, person
        As in `scale_by_height_and_mass`.
    factors : Mapping of str to 3 floats
        Factors along x, y, z of every body of the model.
    generic_height_m : float, optional
        Only reported.

    Returns
    -------
    ScalingReport
        As `scale_by_height_and_mass`, whose errors it shares.
    """
    generic, subject = Path(generic), Path(subject)
    _check_person(person)
    _check_contact_can_scale(generic)
    before = run_job("describe_model", {"model": generic}, timeout_s=_TIMEOUT_S)
    unknown = set(factors) ^ set(before.values["body_mass_kg"])
    if unknown:
        raise InputError(
            "factors and bodies of the model differ", where=str(generic), found=", ".join(sorted(unknown))
        )
    subject.parent.mkdir(parents=True, exist_ok=True)
    draft = subject.with_name(f".{subject.stem}.{os.getpid()}.osim")
    try:
        job = run_job(
            "scale",
            {
                "model": generic,
                "output": draft,
                "name": person.name,
                "mass_kg": person.mass_kg,
                "factors": dict(factors),
            },
            timeout_s=_TIMEOUT_S,
            outputs=[draft],
        )
        tree = read_model_tree(draft)
        contact = _scale_contact(tree, factors)
        write_model_tree(draft, tree)
        after = run_job("describe_model", {"model": draft}, timeout_s=_TIMEOUT_S)
        report = ScalingReport(
            name=person.name,
            height_m=person.height_m,
            mass_kg=after.values["total_mass_kg"],
            generic_height_m=generic_height_m,
            generic_mass_kg=before.values["total_mass_kg"],
            factors={body: tuple(map(float, xyz)) for body, xyz in factors.items()},
            body_mass_kg={
                body: (mass, after.values["body_mass_kg"][body])
                for body, mass in before.values["body_mass_kg"].items()
            },
            contact=contact,
            warnings=tuple(job.log_warnings),
        )
        _verify(report, person, before.values, after.values, read_model_tree(generic), tree)
        os.replace(draft, subject)
    finally:
        draft.unlink(missing_ok=True)
    return report


def copy_scaled(model: Path, subject: Path, person: Person) -> ScalingReport:
    """Take over a model that is already scaled to the person, after checking its mass.

    Parameters
    ----------
    model, subject : Path
        The scaled model and where to copy it.
    person : Person
        Whose mass the model must have, within 5 %.

    Returns
    -------
    ScalingReport
        All factors one.

    Raises
    ------
    InputError
        The model's mass is not the person's, or it cannot be read.
    """
    model, subject = Path(model), Path(subject)
    _check_person(person)
    tree = read_model_tree(model)
    values = run_job("describe_model", {"model": model}, timeout_s=_TIMEOUT_S).values
    mass = values["total_mass_kg"]
    if abs(mass - person.mass_kg) > 0.05 * person.mass_kg:
        raise InputError(
            "the model said to be scaled has another mass than the person",
            where=str(model),
            expected=f"{person.mass_kg:g} kg",
            found=f"{mass:g} kg",
            fix="let the model be scaled, or correct the person's mass",
        )
    subject.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(subject, model.read_bytes())
    return ScalingReport(
        name=person.name,
        height_m=person.height_m,
        mass_kg=mass,
        generic_height_m=None,
        generic_mass_kg=mass,
        factors={body: (1.0, 1.0, 1.0) for body in values["body_mass_kg"]},
        body_mass_kg={body: (kg, kg) for body, kg in values["body_mass_kg"].items()},
        contact=tuple(g.get("name", "") for body, g in contact_geometry(tree) if body != "ground"),
    )


def _check_person(person: Person) -> None:
    _check_range("the person's height", person.height_m, _HEIGHT_RANGE_M, "m", "height_m")
    _check_range("the person's mass", person.mass_kg, _MASS_RANGE_KG, "kg", "mass_kg")


def _check_range(what: str, value: float, allowed: tuple[float, float], unit: str, where: str) -> None:
    low, high = allowed
    if not low <= value <= high:  # also catches NaN
        divisor = {"m": "100 (was it given in cm?)", "kg": "1000 (was it given in g?)"}[unit]
        raise InputError(
            f"{what} is implausible",
            where=where,
            expected=f"{low:g} to {high:g} {unit}",
            found=f"{value:g} {unit}",
            fix=f"divide it by {divisor}" if value > high else f"give it in {unit}",
        )


def _known_height(tree, generic: Path) -> float:
    name = tree.find("Model").get("name", "")
    if name in _GENERIC_HEIGHT_M:
        return _GENERIC_HEIGHT_M[name]
    raise InputError(
        f"the body height that the generic model '{name}' stands for is not known",
        where=str(generic),
        expected=f"one of {', '.join(_GENERIC_HEIGHT_M)}",
        fix="state generic_height_m under [model] of the study: the height of a person whom the model fits "
        "unscaled; or scaled = true if the model is the person's already",
    )


def _check_contact_can_scale(generic: Path) -> None:
    for body, geometry in contact_geometry(read_model_tree(generic)):
        if body != "ground" and geometry.tag != "ContactSphere":
            raise InputError(
                f"{geometry.tag} '{geometry.get('name')}' on body '{body}' cannot be scaled",
                where=str(generic),
                expected="contact spheres on bodies",
                fix="replace it by contact spheres, or scale the model yourself and mark it as scaled",
            )


def _scale_contact(tree, factors: Mapping) -> tuple[str, ...]:
    """Scale spheres on bodies: centre per axis, radius by the geometric mean, so that volume scales alike."""
    scaled = []
    for body, geometry in contact_geometry(tree):
        if body not in factors:
            continue
        xyz = np.asarray(factors[body], float)
        _multiply(geometry, "location", xyz)
        _multiply(geometry, "radius", np.cbrt(xyz.prod()))
        scaled.append(geometry.get("name", ""))
    return tuple(scaled)


def _multiply(element: etree._Element, tag: str, factor) -> None:
    numbers = np.array(child_text(element, tag).split(), float)
    if numbers.size:
        element.find(tag).text = " ".join(map(repr, (numbers * factor).tolist()))


def _verify(report: ScalingReport, person: Person, before: dict, after: dict, generic_tree, tree) -> None:
    """Compare the written model with what scaling by `factors` means."""
    _expect("the total mass", report.mass_kg, person.mass_kg)
    ratio = person.mass_kg / report.generic_mass_kg
    for body, xyz in report.factors.items():
        _expect(f"the mass of '{body}'", after["body_mass_kg"][body], before["body_mass_kg"][body] * ratio)
        expected = np.multiply(before["body_mass_center"][body], xyz)
        _expect(f"the mass centre of '{body}'", after["body_mass_center"][body], expected)
    old, new = _frame_places(generic_tree, report.factors), _frame_places(tree, report.factors)
    for key in old:
        body, name = key
        expected = np.multiply(old[key], report.factors[body])
        _expect(f"the place of '{name}' on '{body}'", new.get(key, np.nan), expected)


def _frame_places(tree, factors: Mapping) -> dict[tuple[str, str], np.ndarray]:
    """Return the translation of each offset frame fixed directly to a body, and the centre of each sphere."""
    places = {}
    for joint in tree.iterfind("Model/JointSet/objects/*"):
        for frame in joint.iterfind("frames/PhysicalOffsetFrame"):
            places[
                child_text(frame, "socket_parent").split("/")[-1], f"{joint.get('name')}/{frame.get('name')}"
            ] = frame
    for body in tree.iterfind("Model/BodySet/objects/Body"):
        for frame in body.iterfind("components/PhysicalOffsetFrame"):
            if child_text(frame, "socket_parent") == "..":
                places[body.get("name"), frame.get("name")] = frame
    translations = {
        key: np.array((child_text(frame, "translation") or "0 0 0").split(), float)
        for key, frame in places.items()
    }
    for body, geometry in contact_geometry(tree):
        translations[body, geometry.get("name")] = np.array(
            (child_text(geometry, "location") or "0 0 0").split(), float
        )
    return {key: place for key, place in translations.items() if key[0] in factors}


def _expect(what: str, found, expected) -> None:
    found, expected = np.asarray(found, float), np.asarray(expected, float)
    scale = max(float(np.abs(expected).max()), 1e-6)  # micrometres and milligrams count as zero
    if not np.all(np.abs(found - expected) <= _MASS_TOLERANCE * scale):
        raise InputError(
            f"the scaled model does not read back as it should: {what}",
            expected=str(expected),
            found=str(found),
            fix="report this model: its scaling needs a look",
        )
