"""A generic model scaled to a person: by body height and mass, by factors of each body, or scaled already.

`segments` finds the factors from measured lengths, `markers` from a static marker trial.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import osim_models
from casadi_dynamics.errors import InputError, nearest
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.osim.xml import fit_for_name
from sspinn_opensim.files import draft_of, write_atomically
from sspinn_opensim.opensim_io.model.model_file import contact_geometry, read_model_tree, write_model_tree
from sspinn_opensim.opensim_io.scaling.anatomy import leg_doubts
from sspinn_opensim.opensim_io.scaling.choices import PersonSize, implausible_build, require_mass
from sspinn_opensim.opensim_io.scaling.finish import (
    TIMEOUT_S,
    changes,
    check_contact_can_scale,
    describe,
    scale_contact,
    telling,
    verify,
)
from sspinn_opensim.opensim_io.scaling.report import (
    Factors,
    ScalingReport,
    check_range,
    factor_doubts,
    mass_doubts,
)
from sspinn_opensim.opensim_io.worker.scaling import scale
from sspinn_opensim.settings.bounds import HEIGHT, MASS

_FACTOR_RANGE = (0.1, 10.0)
# Gait 2392 and 2354: "about 1.8 m tall", 75.16 kg (OpenSim documentation, "Gait 2392 and 2354 Models");
# gait10dof18musc is their planar reduction with the same bodies and total mass.
_GENERIC_HEIGHT_M = {
    "planar_gait": osim_models.GENERIC_HEIGHT_M,
    "3DGaitModel2392": 1.80,
    "3DGaitModel2354": 1.80,
    "gait10dof18musc": 1.80,
    "gait10dof18musc.osim": 1.80,
}


def scale_by_height_and_mass(
    generic: Path,
    subject: Path,
    person: PersonSize,
    *,
    generic_height_m: float | None = None,
    preserve_mass_distribution: bool = True,
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
    person : PersonSize
        Name, height in m, mass in kg.
    generic_height_m : float, optional
        Height of a person the generic model fits as it is, m. Known for the project's planar model,
        gait2392, gait2354 and gait10dof18musc; needed for any other.
    preserve_mass_distribution : bool
        False: the mass of a body follows its volume, which for one factor of all bodies is the same.

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
    generic = Path(generic)
    factor, generic_height_m = height_factor(generic, person, generic_height_m)
    bodies = [body.get("name") for body in read_model_tree(generic).iterfind("Model/BodySet/objects/Body")]
    return scale_bodies(
        generic,
        subject,
        person,
        {body: (factor,) * 3 for body in bodies},
        generic_height_m=generic_height_m,
        preserve_mass_distribution=preserve_mass_distribution,
    )


def scale_bodies(
    generic: Path,
    subject: Path,
    person: PersonSize,
    factors: Factors,
    *,
    generic_height_m: float | None = None,
    preserve_mass_distribution: bool = True,
    method: str = "height and mass",
    measured: Mapping[str, str] | None = None,
) -> ScalingReport:
    """Scale each body by its own factors, and the total mass to the person's.

    Parameters
    ----------
    generic, subject, person
        As in `scale_by_height_and_mass`.
    factors : Mapping of str to 3 floats
        Factors along x, y, z of every body of the model.
    generic_height_m : float, optional
        What factors are held against; else only reported.
    preserve_mass_distribution : bool
        False: the mass of a body follows its volume.
    method, measured
        Where the factors come from, for the report.

    Returns
    -------
    ScalingReport
        As `scale_by_height_and_mass`, whose errors it shares; a factor that no person has raises too.
    """
    generic, subject = Path(generic), Path(subject)
    check_person(person)
    if person.mass_kg is None:
        raise InputError("the person's mass is needed", where="mass_kg", expected="a mass in kg")
    check_contact_can_scale(generic)
    before = describe(generic)
    _check_factors(factors, before["bodies"], generic)
    subject.parent.mkdir(parents=True, exist_ok=True)
    with draft_of(subject) as draft:
        job = run_job(
            scale,
            {
                "model": generic,
                "output": draft,
                "name": fit_for_name(person.name),
                "mass_kg": person.mass_kg,
                "factors": dict(factors),
                "preserve_mass_distribution": preserve_mass_distribution,
            },
            timeout_s=TIMEOUT_S,
            outputs=[draft],
        )
        tree, generic_tree = read_model_tree(draft), read_model_tree(generic)
        contact = scale_contact(tree, factors)
        write_model_tree(draft, tree)
        after = describe(draft)
        verify(factors, person.mass_kg, preserve_mass_distribution, before, after, generic_tree, tree)
        height_ratio = _ratio(person.height_m, generic_height_m)
        return ScalingReport(
            name=person.name,
            height_m=person.height_m,
            mass_kg=after["total_mass_kg"],
            generic_height_m=generic_height_m,
            generic_mass_kg=before["total_mass_kg"],
            factors={body: tuple(map(float, xyz)) for body, xyz in factors.items()},
            body_mass_kg=body_masses(before, after),
            contact=contact,
            warnings=telling(job.log_warnings),
            method=method,
            measured=measured or {},
            changes=changes(before, after, generic_tree, tree),
            doubts=(
                *factor_doubts(factors, height_ratio),
                *mass_doubts(factors, body_masses(before, after)),
                *leg_doubts(after, person.height_m),
            ),
        )


def copy_scaled(model: Path, subject: Path, person: PersonSize) -> ScalingReport:
    """Take over a model that is already scaled to the person, after checking its mass.

    Parameters
    ----------
    model, subject : Path
        The scaled model and where to copy it.
    person : PersonSize
        Whose mass the model must have, within 5 %, where it is given.

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
    check_person(person)
    tree = read_model_tree(model)
    found = describe(model)
    mass = found["total_mass_kg"]
    if person.mass_kg is not None:
        require_mass(model, mass, person.mass_kg)
    subject.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(subject, model.read_bytes())
    return ScalingReport(
        name=person.name,
        height_m=person.height_m,
        mass_kg=mass,
        generic_height_m=None,
        generic_mass_kg=mass,
        factors={body: (1.0, 1.0, 1.0) for body in found["bodies"]},
        body_mass_kg=body_masses(found, found),
        contact=tuple(g.get("name", "") for body, g in contact_geometry(tree) if body != "ground"),
        method="nothing: the model came scaled",
        doubts=tuple(leg_doubts(found, person.height_m)),
    )


def height_factor(generic: Path, person: PersonSize, generic_height_m: float | None) -> tuple[float, float]:
    """Return height over generic height, and the generic height, m."""
    check_person(person)
    if person.height_m is None:
        raise InputError("the person's height is needed", where="height_m", expected="a height in m")
    if generic_height_m is None:
        generic_height_m = known_height(generic)
    if generic_height_m is None:
        name = read_model_tree(generic).find("Model").get("name", "")
        raise InputError(
            f"the body height that the generic model '{name}' stands for is not known",
            where=str(generic),
            expected=f"one of {', '.join(_GENERIC_HEIGHT_M)}",
            fix="state generic_height_m under [model] of the study: the height of a person whom the model "
            "fits unscaled; or scaled = true if the model is the person's already",
        )
    check_range("the generic model's height", generic_height_m, HEIGHT, "m", "generic_height_m")
    return person.height_m / generic_height_m, generic_height_m


def known_height(generic: Path) -> float | None:
    """Return the body height a model stands for, m, by the name of the model; None if it is not known."""
    return _GENERIC_HEIGHT_M.get(read_model_tree(generic).find("Model").get("name", ""))


def check_person(person: PersonSize) -> None:
    """Refuse a height or mass that no person has."""
    if person.height_m is not None:
        check_range("the person's height", person.height_m, HEIGHT, "m", "height_m")
    if person.mass_kg is not None:
        check_range("the person's mass", person.mass_kg, MASS, "kg", "mass_kg")
    if found := implausible_build(person.height_m, person.mass_kg):
        raise InputError(
            "height and mass cannot be one person's",
            where="height_m, mass_kg",
            expected="a body mass index of 8 to 120 kg/m^2",
            found=found,
        )


def body_masses(before: dict, after: dict) -> dict[str, tuple[float, float]]:
    """Return the mass of each body before and after, kg."""
    return {
        body: (values["mass_kg"], after["bodies"][body]["mass_kg"])
        for body, values in before["bodies"].items()
    }


def _check_factors(factors: Factors, bodies: Mapping, generic: Path) -> None:
    unknown = sorted(set(factors) ^ set(bodies))
    if unknown:
        raise InputError(
            "factors and bodies of the model differ",
            where=str(generic),
            found=", ".join(unknown),
            fix=nearest(unknown[0], list(bodies)),
        )
    low, high = _FACTOR_RANGE
    for body, xyz in factors.items():
        if not all(low <= factor <= high for factor in xyz):  # also catches NaN
            raise InputError(
                f"the scale factors of '{body}' cannot be a person's",
                where=str(generic),
                expected=f"{low:g} to {high:g}",
                found=" ".join(f"{factor:g}" for factor in xyz),
                fix="check units: lengths are in metres, heights in metres",
            )


def _ratio(height_m: float | None, generic_height_m: float | None) -> float | None:
    return height_m / generic_height_m if height_m and generic_height_m else None
