"""Scaling a model to a person: from a study, from a study without a recording, or from options alone."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from casadi_dynamics.errors import InputError
from casadi_dynamics.osim import read_model
from sspinn_opensim.files import write_atomically
from sspinn_opensim.opensim_io.model.contact import put_under_feet
from sspinn_opensim.opensim_io.model.free_root import free_the_way
from sspinn_opensim.opensim_io.model.shoes import put_on_shoes
from sspinn_opensim.opensim_io.model.upgraded_model import current_file
from sspinn_opensim.opensim_io.scaling.choices import PersonSize, ScalingChoice
from sspinn_opensim.opensim_io.scaling.inputs import open_setup
from sspinn_opensim.opensim_io.scaling.markers import scale_from_markers
from sspinn_opensim.opensim_io.scaling.report import ScalingReport
from sspinn_opensim.opensim_io.scaling.scale import (
    copy_scaled,
    height_factor,
    known_height,
    scale_by_height_and_mass,
)
from sspinn_opensim.opensim_io.scaling.segments import scale_by_segments
from sspinn_opensim.recording import bodies_of
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.manifest import recorded
from sspinn_opensim.results.study_record import records
from sspinn_opensim.study import ScalingStudy, Study
from sspinn_opensim.training.coordinates import held_coordinates

log = logging.getLogger(__name__)


@records
def scale(study: Study, out: Path) -> None:
    """Write `subject.osim` and `scaling.json`."""
    log.info("scale", extra={"heading": True})
    out.mkdir(parents=True, exist_ok=True)
    scale_subject(study, out)
    subject = ResultsFolder(out).subject
    freed = free_the_way(subject)
    if freed:
        log.info(f"no longer clamped, so that a walk may leave their range: {', '.join(freed)}")
    spheres = put_under_feet(subject, _held(study, subject)) if study.model.contact == "auto" else ()
    if spheres:
        feet = ", ".join(f"{sphere.name} on {sphere.body}" for sphere in spheres)
        log.info(f"contact: the model has no spheres on its feet; added {feet}, and a floor if it has none")
    soles = study.person.shoe_heel_mm, study.person.shoe_forefoot_mm
    if any(soles):
        moved = put_on_shoes(subject, *soles)
        log.info(
            f"shoes: {soles[0]:g} mm under the heel, {soles[1]:g} mm in front; lowered {', '.join(moved)}"
        )


def _held(study: Study, subject: Path) -> dict[str, float]:
    """Return the coordinates that the study does not estimate, before there are contact points."""
    model, chosen = read_model(subject), study.coordinates
    return held_coordinates(model, chosen.estimate, chosen.fixed, bodies_of(study.sensors, model))


@dataclass(frozen=True)
class Options:
    """What the command line says of a scaling without a study.

    Parameters
    ----------
    model : Path or None
        Model to scale; None: the one that the set-up names.
    setup, static, markers : Path or None
        Set-up of ScaleTool, static trial and marker set; the latter two replace those of the set-up.
    mass_kg, height_m, generic_height_m : float or None
        Mass and height of the person, and the height the model stands for.
    scaled : bool
        The model is the person's already.
    name : str
        Name of the scaled model; empty: that of the set-up, or ``subject``.
    """

    model: Path | None = None
    setup: Path | None = None
    static: Path | None = None
    markers: Path | None = None
    mass_kg: float | None = None
    height_m: float | None = None
    generic_height_m: float | None = None
    scaled: bool = False
    name: str = ""


def scale_subject(study: Study | ScalingStudy, out: Path) -> ScalingReport:
    """Write the scaled model of a study as `subject.osim`, and `scaling.json`; print the report.

    Raises
    ------
    InputError
        As `copy_scaled`, `scale_by_height_and_mass`, `scale_by_segments` or `scale_from_markers`.
    """
    choice, scaling, person = study.model, study.scaling, study.person
    with tempfile.TemporaryDirectory(prefix="upgraded_model_") as folder:
        file, subject = current_file(choice.file, Path(folder)), ResultsFolder(out).subject
        known = {"generic_height_m": choice.generic_height_m}
        preserve = {"preserve_mass_distribution": scaling.preserve_mass_distribution is not False}
        if choice.scaled:
            report = copy_scaled(file, subject, person)
        elif scaling.method == "segments":
            report = scale_by_segments(file, subject, person, scaling.segments, **known, **preserve)
        elif scaling.method == "markers":
            rest = _rest_factor(study, file)
            report = scale_from_markers(file, subject, person, scaling, fallback_factor=rest, **known)
        else:
            report = scale_by_height_and_mass(file, subject, person, **known, **preserve)
    return _finish(report, out)


def scale_only(study: ScalingStudy, out: Path) -> None:
    """Scale the model of a study that has no recording."""
    log.info("scale", extra={"heading": True})
    scaling, person = study.scaling, study.person
    files = {"setup": scaling.setup, "static": scaling.static, "markers": scaling.markers}
    inputs = {"study": study.path, "model": study.model.file, **files}
    with _recorded(out, person.name, inputs):
        scale_subject(study, out)
        soles = person.shoe_heel_mm, person.shoe_forefoot_mm
        if any(soles):
            moved = put_on_shoes(ResultsFolder(out).subject, *soles)
            log.info(
                f"shoes: {soles[0]:g} mm under the heel, {soles[1]:g} mm in front; lowered {', '.join(moved)}"
            )
    _say_where(out)


def scale_model(options: Options, out: Path) -> None:
    """Scale a model as the command line says, without any study.

    Raises
    ------
    InputError
        As `scale_subject`; or options contradict each other, or do not suffice.
    """
    markers = [name for name in ("setup", "static", "markers") if getattr(options, name)]
    if options.scaled and markers:
        raise InputError(
            "the model cannot be scaled already and by markers", found=f"--scaled and --{markers[0]}"
        )
    if markers and not options.setup:
        raise InputError(
            "nothing says which distances between markers scale which bodies",
            found=", ".join(f"--{name}" for name in markers),
            fix="give --setup SCALE.xml, or a study with [scaling.measurements.NAME] (docs/scaling.md)",
        )
    log.info("scale", extra={"heading": True})
    model = _model_of(options)
    inputs = {name: getattr(options, name) for name in ("setup", "static", "markers")}
    with _recorded(out, options.name or "a person", {"model": model, **inputs}):
        with tempfile.TemporaryDirectory(prefix="upgraded_model_") as folder:
            _finish(_scaled(options, current_file(model, Path(folder)), ResultsFolder(out).subject), out)
    _say_where(out)


def _scaled(options: Options, file: Path, subject: Path) -> ScalingReport:
    name = options.name if options.setup else options.name or "subject"
    person = PersonSize(options.height_m, options.mass_kg, name)
    known = {"generic_height_m": options.generic_height_m}
    if options.setup:
        choice = ScalingChoice(setup=options.setup, static=options.static, markers=options.markers)
        return scale_from_markers(file, subject, person, choice, **known)
    if options.scaled:
        return copy_scaled(file, subject, person)
    if person.mass_kg is None or person.height_m is None:
        raise InputError(
            "the person is not known",
            expected="--height and --mass, or --setup with a static trial, or --scaled",
            fix="for lengths of segments write a study (docs/scaling.md)",
        )
    return scale_by_height_and_mass(file, subject, person, **known)


def _recorded(out: Path, name: str, inputs: dict[str, Path | None]) -> AbstractContextManager[None]:
    given = {key: path for key, path in inputs.items() if path is not None and path.is_file()}
    return recorded(out, "scale", f"A model scaled to {name}", inputs=given)


def _finish(report: ScalingReport, out: Path) -> ScalingReport:
    scale_tool = ResultsFolder(out).scale_tool
    if report.markers is None and (scale_tool / "setup.xml").is_file():
        shutil.rmtree(scale_tool)  # of an earlier scaling, by markers
    write_atomically(ResultsFolder(out).scaling, json.dumps(report.to_json(), indent=1) + "\n")
    log.info(report.table())
    return report


def _say_where(out: Path) -> None:
    log.info(f"wrote {ResultsFolder(out).subject} and scaling.json")
    scale_tool = ResultsFolder(out).scale_tool
    if (scale_tool / "setup.xml").is_file():
        log.info(f"ScaleTool's files: {scale_tool}; its setup.xml loads in OpenSim, Tools > Scale Model")


def _model_of(options: Options) -> Path:
    """Return the model to scale, which may be named by the set-up only."""
    if options.model is not None:
        file, where = options.model, ""
    else:
        file = open_setup(options.setup).file("model_file", "GenericModelMaker")
        where = str(options.setup)
        if file is None:
            raise InputError(
                "the set-up names no model", where=where, fix="give MODEL.osim --setup SCALE.xml"
            )
    if not file.is_file():
        raise InputError(
            "the model is not there", where=where, found=str(file), fix="give MODEL.osim --setup SCALE.xml"
        )
    return file


def _rest_factor(study: Study | ScalingStudy, generic: Path) -> float | None:
    """Return the factor of what no measurement of markers scales: by body height, where it is known."""
    height_m = study.model.generic_height_m or known_height(generic)
    return None if study.scaling.setup or not height_m else height_factor(generic, study.person, height_m)[0]
