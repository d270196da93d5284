"""The verbs for many people: one network trained on some, tried on all."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable
from pathlib import Path

from sspinn_opensim.evaluation import PersonTrial, read_evaluation_data, summarize_people, write_metrics
from sspinn_opensim.evaluation import evaluate as evaluate_results
from sspinn_opensim.files import write_atomically
from sspinn_opensim.recording import output_window, read_recording
from sspinn_opensim.report.people import people_markdown, write_people
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.study_record import recorded_for
from sspinn_opensim.study import Study
from sspinn_opensim.study.cohort import CohortStudy
from sspinn_opensim.training.checkpoint import (
    cohort_identity,
    identity,
    load_member,
    versions,
)
from sspinn_opensim.training.cohort import Cohort, Member
from sspinn_opensim.training.losses import weights
from sspinn_opensim.training.settings import Progress, settings_of
from sspinn_opensim.verbs import estimate as person_estimate
from sspinn_opensim.verbs import scale as person_scale
from sspinn_opensim.verbs.prepared import prepare, require
from sspinn_opensim.verbs.train import train_seed

log = logging.getLogger(__name__)


def run(
    cohort: CohortStudy, out: Path, restart: bool = False, progress: Callable[[Progress], None] | None = None
) -> None:
    """Scale, train, estimate and score."""
    for study in cohort.people:
        output_window(read_recording(study), study.output)
    weights(cohort.training.weights)
    scale(cohort, out)
    train(cohort, out, restart=restart, progress=progress)
    estimate(cohort, out)
    evaluate(cohort, out)


def scale(cohort: CohortStudy, out: Path) -> None:
    """Write the scaled model of everyone."""
    for study in cohort.people:
        person_scale.scale(study, ResultsFolder(out).person(study.name).path)


def train(
    cohort: CohortStudy, out: Path, restart: bool = False, progress: Callable[[Progress], None] | None = None
) -> None:
    """Train one network per seed on all members; goes on from the last checkpoint of each."""
    log.info(f"train on {len(cohort.members)} people", extra={"heading": True})
    members, identities = [], {}
    for study in cohort.members:
        prepared = prepare(study, ResultsFolder(out).person(study.name).path)
        for note in prepared.notes:
            log.info(f"{study.name}: {note}")
        members.append(Member(study.name, prepared.subject, prepared.signals, study.person_id))
        settings = settings_of(cohort.training, 0)
        identities[study.name] = identity(prepared.subject, prepared.recording, settings)
    people = Cohort(tuple(members))
    for seed in cohort.training.seeds:
        settings = settings_of(cohort.training, seed)
        belongs_to = cohort_identity(identities, settings)
        log.info(train_seed(people, settings, belongs_to, out, restart, progress=progress))


def estimate(cohort: CohortStudy, out: Path) -> None:
    """Write motion and forces of everyone; people the network never saw are taken as they are described."""
    log.info("estimate", extra={"heading": True})
    for study, seen in _people(cohort):
        folder = ResultsFolder(out).person(study.name).path
        prepared = prepare(study, folder)

        def estimated(seed: int, study=study, seen=seen, prepared=prepared):
            subject, settings = prepared.subject, settings_of(cohort.training, seed)
            belongs_to = identity(subject, prepared.recording, settings)
            name = study.name if seen else None
            file = ResultsFolder(out).checkpoint(seed)
            estimator = load_member(file, subject, prepared.signals, belongs_to, name)
            return person_estimate.settled(estimator, prepared)

        with recorded_for(study, folder, "estimate"):
            person_estimate.write_results(study, folder, prepared.subject, estimated)
        log.info(f"{study.name}: {'trained on' if seen else 'never seen'}, {folder.relative_to(out)}")


def evaluate(cohort: CohortStudy, out: Path) -> None:
    """Score everyone with a reference; write `people.json`, `.md` and `.html`: seen and unseen apart."""
    log.info("evaluate", extra={"heading": True})
    trials = []
    for study, seen in _people(cohort):
        folder = ResultsFolder(out).person(study.name).path
        for seed in cohort.training.seeds:
            require(ResultsFolder(folder).seed(seed).kinematics, "run sspinn estimate first")
        recording = read_recording(study)
        metrics = evaluate_results(study, read_evaluation_data(study, folder, recording))
        write_metrics(folder, metrics)
        scores = metrics["trials"].get(study.recording.name)
        if scores is None:
            log.info(f"{study.name}: no reference, not scored")
            continue
        group = "seen" if seen else "unseen"
        trials.append(PersonTrial(study.person_id, study.name, group, scores, recording.speed_m_s))
    if trials:
        summary = summarize_people(trials)
        page = write_people(summary, out, cohort.name)
        log.info(people_markdown(summary).partition("\n## ")[0])
        log.info(f"by person, speed and joint: {page}")
    manifest = {
        "versions": versions(),
        "cohort": cohort.name,
        "members": [study.name for study in cohort.members],
        "unseen": [study.name for study in cohort.unseen],
        "training": dataclasses.asdict(cohort.training),
    }
    write_atomically(ResultsFolder(out).manifest, json.dumps(manifest, indent=1) + "\n")


def _people(cohort: CohortStudy) -> list[tuple[Study, bool]]:
    """Return everyone with the cohort's settings, and whether the network was trained on them."""
    seen = len(cohort.members)
    return [
        (dataclasses.replace(study, training=cohort.training), place < seen)
        for place, study in enumerate(cohort.people)
    ]
