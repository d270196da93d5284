"""Scores against a reference, and the report."""

from __future__ import annotations

import logging
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from casadi_dynamics.osim import read_model
from sspinn_opensim.evaluation import PersonTrial, read_evaluation_data, summarize_people, write_metrics
from sspinn_opensim.evaluation import evaluate as evaluate_results
from sspinn_opensim.files import require
from sspinn_opensim.recording import Recording, on_model, output_window, read_recording
from sspinn_opensim.report.movement import read_movement
from sspinn_opensim.report.people import people_markdown, write_people
from sspinn_opensim.report.report import write_report
from sspinn_opensim.report.scores import score_table
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.manifest import read_manifest, versions
from sspinn_opensim.results.record import recorded
from sspinn_opensim.study import Study
from sspinn_opensim.study.cohort import CohortStudy
from sspinn_opensim.verbs.axes import along_segments
from sspinn_opensim.verbs.on_study import on_study, people_of, person_folder

if TYPE_CHECKING:
    from sspinn_opensim.verbs.prepared import Prepared

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluation:
    """Scores of one study's estimates.

    Attributes
    ----------
    folder : Path
        Results folder.
    metrics : dict
        What `metrics.json` holds: units and, by trial, errors in degrees and percent of body weight.
    report : Path
        The page with everything.
    """

    folder: Path
    metrics: dict[str, Any]
    report: Path

    def __str__(self) -> str:
        return (
            f"{score_table(self.metrics)}\nreport: {self.report}\n"
            f"what to open in OpenSim: sspinn open {shlex.quote(str(self.folder))}, or README.txt in it"
        )


@dataclass(frozen=True)
class PeopleEvaluation:
    """Scores of everyone of a cohort who has a reference.

    Attributes
    ----------
    folder : Path
        Results folder of the cohort.
    summary : dict or None
        What `people.json` holds: errors of the people seen in training and of the others; None where nobody
        has a reference.
    page : Path or None
        The same by person, speed and joint.
    exit_status : int
        Status that the command ends with.
    """

    folder: Path
    summary: dict[str, Any] | None
    page: Path | None
    exit_status: int = 0

    def __str__(self) -> str:
        if self.summary is None:
            return "nobody has a reference: nothing is scored"
        table = people_markdown(self.summary).partition("\n## ")[0]
        return f"{table}\nby person, speed and joint: {self.page}"


@on_study(cohorts=True)
def evaluate(
    study: Study | CohortStudy, out: Path, *, prepared: Prepared | None = None
) -> Evaluation | PeopleEvaluation:
    """Compare with the reference, if the study names one, and write `metrics.json` and `report.html`.

    Parameters
    ----------
    study : Study, CohortStudy, str or Path
        Names the reference. For a cohort everyone with a reference is scored, and `people.json`, `.md` and
        `.html` tell the people it was trained on and the others apart.
    out : str or Path
        Results folder, after `estimate`.
    prepared : Prepared, optional
        What `prepare` returned for the study, whose recording is taken; else that is read.

    Raises
    ------
    InputError
        There is no estimate, or the reference cannot be used.
    """
    log.info("evaluate", extra={"heading": True})
    if isinstance(study, CohortStudy):
        return _evaluate_people(study, out)
    _require_estimates(study, out)
    recording = prepared.recording if prepared else _as_estimated(study, out)
    data = read_evaluation_data(study, out, recording)
    metrics = evaluate_results(study, data) | {"notes": read_manifest(out).get("notes", {})}
    write_metrics(out, metrics)
    files, window = ResultsFolder(out), output_window(data.recording, study.output)
    first = files.seed(study.training.seeds[0])
    meshes = [folder for folder in (study.model.file.parent, study.model.geometry) if folder]
    movement = read_movement(first, files, data.model, *window, mesh_folders=meshes)
    report = write_report(study, out, data, metrics, movement=movement, versions=versions())
    return Evaluation(out, metrics, report)


def _as_estimated(study: Study, out: Path) -> Recording:
    """Return the recording of a study along the axes of the bodies, as its estimate had it."""
    model = read_model(ResultsFolder(out).subject)
    return along_segments(study, on_model(read_recording(study), model), model, out, refuse=False)[0]


def _require_estimates(study: Study, out: Path) -> None:
    for seed in study.training.seeds:
        require(ResultsFolder(out).seed(seed).kinematics, "run sspinn estimate first")


def _evaluate_people(cohort: CohortStudy, out: Path) -> PeopleEvaluation:
    trials = []
    for study, seen in people_of(cohort):
        folder = person_folder(out, study)
        _require_estimates(study, folder)
        networks = [ResultsFolder(out).checkpoint(seed) for seed in cohort.training.seeds]
        with recorded(folder, "evaluate", study=study, networks=networks):
            recording = _as_estimated(study, folder)
            metrics = evaluate_results(study, read_evaluation_data(study, folder, recording))
            metrics |= {"notes": read_manifest(folder).get("notes", {})}
            write_metrics(folder, metrics)
        scores = metrics["trials"].get(study.recording.name)
        if scores is None:
            log.info(f"{study.name}: no reference, not scored")
            continue
        group = "seen" if seen else "unseen"
        trials.append(PersonTrial(study.person_id, study.name, group, scores, recording.speed_m_s))
    summary = summarize_people(trials) if trials else None
    page = write_people(summary, out, cohort.name) if summary else None
    return PeopleEvaluation(out, summary, page)
