"""A generic model scaled from a static marker trial by OpenSim's ScaleTool, with marker placement.

What ScaleTool reads is prepared in one folder that stays with the results, so that the same set-up can be
loaded in OpenSim: the generic model, the marker set, the frames of the trial that were used, and the set-up.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from lxml import etree

from casadi_dynamics.errors import InputError
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.osim.xml import fit_for_name
from sspinn_opensim.files import draft_folder, draft_of
from sspinn_opensim.opensim_io.documents import child_text
from sspinn_opensim.opensim_io.model.model_file import read_model_tree, write_model_tree
from sspinn_opensim.opensim_io.scaling.anatomy import leg_doubts
from sspinn_opensim.opensim_io.scaling.case import Case, prepare
from sspinn_opensim.opensim_io.scaling.choices import PersonSize, ScalingChoice
from sspinn_opensim.opensim_io.scaling.factors import read_scale_set, write_scale_set
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
    MarkerErrors,
    ScalingReport,
    factor_doubts,
    mass_doubts,
)
from sspinn_opensim.opensim_io.scaling.scale import body_masses, known_height
from sspinn_opensim.opensim_io.worker.scaling import marker_errors, scale_tool
from sspinn_opensim.results.folder import ResultsFolder

_SCALE_TOOL_DIGITS = 2e-5  # it writes six digits


def scale_from_markers(
    generic: Path,
    subject: Path,
    person: PersonSize,
    choice: ScalingChoice,
    *,
    generic_height_m: float | None = None,
    fallback_factor: float | None = None,
) -> ScalingReport:
    """Scale a model by distances between markers, and move its markers to where they were measured.

    Parameters
    ----------
    generic, subject : Path
        Model to scale, saved by OpenSim 4, and where to write it; `scaling/` is written beside it.
    person : PersonSize
        Name, mass in kg and, if known, height in m. What is empty or None is taken from the set-up.
    choice : ScalingChoice
        Trial and measurements.
    generic_height_m : float, optional
        Height the generic model stands for, m: with the person's it says which factors are plausible.
    fallback_factor : float, optional
        Without a set-up: factor of bodies, and of axes of bodies, that no measurement scales.

    Returns
    -------
    ScalingReport
        Factors and masses, checked against the written model; marker errors of the static pose.

    Raises
    ------
    InputError
        A file is missing or damaged; measurements name markers or bodies that are not there; the trial has
        no usable frame; OpenSim fails, or its model does not read back as it should.
    """
    generic, subject = Path(generic), Path(subject)
    check_contact_can_scale(generic)
    subject.parent.mkdir(parents=True, exist_ok=True)
    with draft_folder(subject.parent) as temporary:
        work = Path(temporary) / ResultsFolder.scale_tool.name
        work.mkdir()
        case = prepare(generic, work, person, choice, fallback_factor)
        generic_height_m = generic_height_m or known_height(generic)
        report = _run(case, work, subject, generic_height_m)
        target = subject.with_name(ResultsFolder.scale_tool.name)
        if target.exists():
            target.replace(Path(temporary) / "replaced")
        work.replace(target)
    return report


def _run(case: Case, work: Path, subject: Path, generic_height_m: float | None) -> ScalingReport:
    scaled, placed, pose = (work / name for name in ("scaled_only.osim", "scaled.osim", "static_pose.mot"))
    arguments = {"setup": work / "setup.xml", "move_markers": case.moves}
    outputs = [scaled, placed, pose, work / "scale_set.xml"]
    job = run_job(scale_tool, arguments, timeout_s=TIMEOUT_S, outputs=outputs)
    _check_applied(read_scale_set(work / "scale_set.xml"), case)
    tree, generic_tree = read_model_tree(scaled), read_model_tree(work / "generic.osim")
    moved = _move_markers(tree, read_model_tree(placed)) if case.moves else {}
    fit = run_job(
        marker_errors, {"model": scaled, "pose": pose, "measured": dict(case.places)}, timeout_s=TIMEOUT_S
    ).values
    errors = MarkerErrors(fit["errors_m"], case.weights, moved, fit["pose"])
    tree.find("Model").set("name", fit_for_name(case.person.name))
    contact = scale_contact(tree, case.factors)
    write_scale_set(work / "scale_set.xml", case.factors)
    scaled.unlink()
    placed.unlink()
    with draft_of(subject) as draft:
        write_model_tree(draft, tree)
        after = describe(draft)
        verify(
            case.factors,
            case.setup.mass_kg,
            case.setup.preserves_mass_distribution,
            case.before,
            after,
            generic_tree,
            tree,
        )
        height_m = case.person.height_m
        ratio = height_m / generic_height_m if height_m and generic_height_m else None
        return ScalingReport(
            name=case.person.name,
            height_m=height_m,
            mass_kg=after["total_mass_kg"],
            generic_height_m=generic_height_m,
            generic_mass_kg=case.before["total_mass_kg"],
            factors=case.factors,
            body_mass_kg=body_masses(case.before, after),
            contact=contact,
            warnings=telling(job.log_warnings),
            method="markers of a static trial (OpenSim's ScaleTool)",
            measured=case.measured,
            changes=changes(case.before, after, generic_tree, tree),
            markers=errors,
            doubts=(
                *case.notes,
                *factor_doubts(case.factors, ratio),
                *mass_doubts(case.factors, body_masses(case.before, after)),
                *leg_doubts(after, height_m),
                *errors.doubts(),
            ),
        )


def _check_applied(applied: Factors, case: Case) -> None:
    """Compare the factors ScaleTool used with those that its set-up means."""
    for body, expected in case.factors.items():
        found = applied.get(body, (np.nan,) * 3)
        if not np.allclose(found, expected, rtol=_SCALE_TOOL_DIGITS, atol=0):
            raise InputError(
                f"ScaleTool scaled '{body}' by other factors than its set-up says",
                where=case.where,
                expected=" ".join(f"{x:.6g}" for x in expected),
                found=" ".join(f"{x:.6g}" for x in found),
                fix="report this set-up: it needs a look",
            )


def _move_markers(tree: etree._ElementTree, placed: etree._ElementTree) -> dict[str, float]:
    """Take over the places of the markers that ScaleTool moved; return how far each went, m.

    ScaleTool also deletes markers that the trial lacks. They stay here: joint centres, for instance, are of
    use later.
    """
    new = {marker.get("name"): child_text(marker, "location") for marker in _markers(placed)}
    moved = {}
    for marker in _markers(tree):
        name, old = marker.get("name"), child_text(marker, "location")
        if name in new and new[name] != old:
            marker.find("location").text = new[name]
            one, other = (np.array(text.split(), float) for text in (old, new[name]))
            moved[name] = float(np.linalg.norm(one - other))
    return moved


def _markers(tree: etree._ElementTree) -> list[etree._Element]:
    return tree.findall("Model/MarkerSet/objects/Marker")
