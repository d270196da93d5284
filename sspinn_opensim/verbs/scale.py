"""Scaling a model to a person: from a study, from a study without a recording, or from options alone."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from casadi_dynamics.errors import InputError
from casadi_dynamics.opensim_process.temporary import temporary_folder
from casadi_dynamics.osim import read_model
from sspinn_opensim.files import write_json
from sspinn_opensim.opensim_io.model.contact import put_under_feet
from sspinn_opensim.opensim_io.model.free_root import free_the_way
from sspinn_opensim.opensim_io.model.gravity import check_gravity, gravity_of_file
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
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.record import recorded, refuse_other_study
from sspinn_opensim.study import ScalingStudy, Study
from sspinn_opensim.study.cohort import CohortStudy
from sspinn_opensim.training.coordinates import held_by_choice, to_store
from sspinn_opensim.verbs.on_study import OfPeople, on_study, person_folder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelScaling:
    """The scaling of a model without a study.

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

    def __post_init__(self) -> None:
        markers = [name for name in ("setup", "static", "markers") if getattr(self, name)]
        if self.scaled and markers:
            raise InputError(
                "The model cannot be scaled already and by markers.", found=f"--scaled and --{markers[0]}"
            )
        if not self.model and not self.setup:
            raise InputError("There is no model to scale.", fix="give MODEL.osim, or a set-up that names one")
        if markers and not self.setup:
            raise InputError(
                "Nothing says which distances between markers scale which bodies.",
                found=", ".join(f"--{name}" for name in markers),
                fix="give --setup SCALE.xml, or a study with [scaling.measurements.NAME] (docs/scaling.md)",
            )


@dataclass(frozen=True)
class Scaling:
    """What a scaling wrote.

    Attributes
    ----------
    folder : Path
        With `subject.osim` and `scaling.json`.
    report : ScalingReport
        Factors and masses, read back from the model.
    notes : tuple of str
        What was changed beside the sizes, and where ScaleTool's files are.
    """

    folder: Path
    report: ScalingReport
    notes: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([self.report.table(), *self.notes])


@on_study(cohorts=True, scaling=True)
def scale(study: Study | ScalingStudy | CohortStudy | ModelScaling, out: Path) -> Scaling | OfPeople[Scaling]:
    """Write the scaled model, `subject.osim`, and what scaling did, `scaling.json`.

    Parameters
    ----------
    study : Study, ScalingStudy, CohortStudy, ModelScaling, str or Path
        Whom to scale which model to; a path is that of a study or of a cohort file.
    out : str or Path
        Results folder; of a cohort the people's folders are in it.

    Raises
    ------
    InputError
        The model or the person cannot be used; see `copy_scaled`, `scale_by_height_and_mass`,
        `scale_by_segments` and `scale_from_markers`. The folder holds results of another study.
    """
    # The same study may have changed: what was made from the model that is replaced is known to be stale.
    given = {"options" if isinstance(study, ModelScaling) else "study": study}
    refuse_other_study(out, restart=True, **given)
    if isinstance(study, CohortStudy):
        people = OfPeople()
        for person in study.people:
            people[person.name] = scale(person, person_folder(out, person))
            log.info(people[person.name])
        return people
    log.info("scale", extra={"heading": True})
    out.mkdir(parents=True, exist_ok=True)
    if isinstance(study, Study):
        return _for_training(study, out)
    if isinstance(study, ModelScaling):
        model = _model_of(study)
        title = f"A model scaled to {study.name or 'a person'}"
        with recorded(out, "scale", title=title, options=study, model=model):
            report = _write(lambda file: _scaled(study, file, ResultsFolder(out).subject), model, out)
        return Scaling(out, report, _where(out))
    with recorded(out, "scale", title=f"A model scaled to {study.person.name}", study=study):
        report = _scale_subject(study, out)
        shoes = _shoes(study, ResultsFolder(out).subject)
    return Scaling(out, report, (*shoes, *_where(out)))


def _for_training(study: Study, out: Path) -> Scaling:
    """Scale, and give the model what a training needs: a free root, contact under the feet, shoes."""
    report, subject, notes = _scale_subject(study, out), ResultsFolder(out).subject, []
    freed = free_the_way(subject)
    if freed:
        notes.append(f"no longer clamped, so that a walk may leave their range: {', '.join(freed)}")
    if study.model.contact == "auto":
        spheres = put_under_feet(
            subject, held_by_choice(study.coordinates, study.sensors, read_model(subject))
        )
        if spheres:
            feet = ", ".join(f"{sphere.name} on {sphere.body}" for sphere in spheres)
            notes.append(
                f"contact: the model has no spheres on its feet; added {feet}, and a floor if it has none"
            )
    notes += _shoes(study, subject)
    _write_report(
        out, report, held_coordinates=to_store(study.coordinates, study.sensors, read_model(subject))
    )
    return Scaling(out, report, tuple(notes))


def _shoes(study: Study | ScalingStudy, subject: Path) -> list[str]:
    heel, forefoot = study.person.shoe_heel_mm, study.person.shoe_forefoot_mm
    if not heel and not forefoot:
        return []
    moved = put_on_shoes(subject, heel, forefoot)
    return [f"shoes: {heel:g} mm under the heel, {forefoot:g} mm in front; lowered {', '.join(moved)}"]


def _scale_subject(study: Study | ScalingStudy, out: Path) -> ScalingReport:
    choice, scaling, person, subject = study.model, study.scaling, study.person, ResultsFolder(out).subject
    height_m, preserve = choice.generic_height_m, scaling.preserve_mass_distribution is not False

    def scaled(file: Path) -> ScalingReport:
        check_gravity(gravity_of_file(file), str(choice.file))
        if choice.scaled:
            return copy_scaled(file, subject, person)
        if scaling.method == "segments":
            return scale_by_segments(
                file,
                subject,
                person,
                scaling.segments,
                generic_height_m=height_m,
                preserve_mass_distribution=preserve,
            )
        if scaling.method == "markers":
            rest = _rest_factor(study, file)
            return scale_from_markers(
                file, subject, person, scaling, fallback_factor=rest, generic_height_m=height_m
            )
        return scale_by_height_and_mass(
            file, subject, person, generic_height_m=height_m, preserve_mass_distribution=preserve
        )

    return _write(scaled, choice.file, out)


def _scaled(options: ModelScaling, file: Path, subject: Path) -> ScalingReport:
    name = options.name if options.setup else options.name or "subject"
    person = PersonSize(options.height_m, options.mass_kg, name)
    height_m = options.generic_height_m
    if options.setup:
        choice = ScalingChoice(setup=options.setup, static=options.static, markers=options.markers)
        return scale_from_markers(file, subject, person, choice, generic_height_m=height_m)
    if options.scaled:
        return copy_scaled(file, subject, person)
    if person.mass_kg is None or person.height_m is None:
        raise InputError(
            "The person is not known.",
            expected="--height and --mass, or --setup with a static trial, or --scaled",
            fix="for lengths of segments write a study (docs/scaling.md)",
        )
    return scale_by_height_and_mass(file, subject, person, generic_height_m=height_m)


def _write(scaled: Callable[[Path], ScalingReport], model: Path, out: Path) -> ScalingReport:
    """Scale a model of any version of OpenSim; write the report."""
    with temporary_folder("upgraded_model") as folder:
        report = scaled(current_file(model, Path(folder)))
    scale_tool = ResultsFolder(out).scale_tool
    if report.markers is None and (scale_tool / "setup.xml").is_file():
        shutil.rmtree(scale_tool)  # of an earlier scaling, by markers
    _write_report(out, report)
    return report


def _write_report(out: Path, report: ScalingReport, **more: object) -> None:
    write_json(ResultsFolder(out).scaling, report.to_json() | more)


def _where(out: Path) -> tuple[str, ...]:
    """Return where the files of a scaling without a training are."""
    written = f"wrote {ResultsFolder(out).subject} and scaling.json"
    scale_tool = ResultsFolder(out).scale_tool
    if not (scale_tool / "setup.xml").is_file():
        return (written,)
    return (written, f"ScaleTool's files: {scale_tool}; its setup.xml loads in OpenSim, Tools > Scale Model")


def _model_of(options: ModelScaling) -> Path:
    """Return the model to scale, which may be named by the set-up only."""
    if options.setup is None or options.model is not None:
        file, where = options.model, ""
    else:
        file = open_setup(options.setup).file("model_file", "GenericModelMaker")
        where = str(options.setup)
        if file is None:
            raise InputError(
                "The set-up names no model.", where=where, fix="give MODEL.osim --setup SCALE.xml"
            )
    if file is None or not file.is_file():
        raise InputError(
            "The model is not there.", where=where, found=str(file), fix="give MODEL.osim --setup SCALE.xml"
        )
    return file


def _rest_factor(study: Study | ScalingStudy, generic: Path) -> float | None:
    """Return the factor of what no measurement of markers scales: by body height, where it is known."""
    height_m = study.model.generic_height_m or known_height(generic)
    return None if study.scaling.setup or not height_m else height_factor(generic, study.person, height_m)[0]
