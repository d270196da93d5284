"""The verbs for many people: one network trained on some, tried on all."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from sspinn_opensim.evaluation import PersonTrial, summarize_people
from sspinn_opensim.evaluation import evaluate as evaluate_results
from sspinn_opensim.files import write_atomically
from sspinn_opensim.recording import describe_doubts, output_window, read_recording
from sspinn_opensim.report.people import people_markdown, write_people
from sspinn_opensim.results.study_record import recorded_for
from sspinn_opensim.study import Person, Study
from sspinn_opensim.study.cohort import CohortStudy
from sspinn_opensim.training.checkpoint import (
    checkpoint_file,
    cohort_identity,
    identity,
    load_member,
    versions,
)
from sspinn_opensim.training.cohort import Cohort, Member
from sspinn_opensim.training.losses import weights
from sspinn_opensim.training.settings import settings_of
from sspinn_opensim.verbs import estimate as person_estimate
from sspinn_opensim.verbs import prepared
from sspinn_opensim.verbs import scale as person_scale
from sspinn_opensim.verbs.console import say
from sspinn_opensim.verbs.train import train_seed


def run(cohort: CohortStudy, out: Path, restart: bool = False) -> None:
    """Scale, train, estimate and score."""
    for study in cohort.people:
        output_window(read_recording(study), study.output)
    weights(cohort.training.weights)
    scale(cohort, out)
    train(cohort, out, restart=restart)
    estimate(cohort, out)
    evaluate(cohort, out)


def person_folder(out: Path, study: Study) -> Path:
    """Return the results folder of one person of a cohort."""
    return out / "people" / study.name


def scale(cohort: CohortStudy, out: Path) -> None:
    """Write the scaled model of everyone."""
    for study in cohort.people:
        person_scale.scale(study, person_folder(out, study))


def train(cohort: CohortStudy, out: Path, restart: bool = False) -> None:
    """Train one network per seed on all members; goes on from the last checkpoint of each."""
    say(f"train on {len(cohort.members)} people", heading=True)
    members, identities = [], {}
    for study in cohort.members:
        recording, subject, signals = prepared.prepare(study, person_folder(out, study))
        for doubt in describe_doubts(recording):
            say(f"note: {study.name}: {doubt}")
        members.append(Member(study.name, subject, signals, _person(study)))
        identities[study.name] = identity(subject, recording, settings_of(cohort.training, 0))
    people = Cohort(tuple(members))
    for seed in cohort.training.seeds:
        settings = settings_of(cohort.training, seed)
        train_seed(people, settings, cohort_identity(identities, settings), out, restart)


def estimate(cohort: CohortStudy, out: Path) -> None:
    """Write motion and forces of everyone; people the network never saw are taken as they are described."""
    say("estimate", heading=True)
    for study, seen in _people(cohort):
        folder = person_folder(out, study)
        recording, subject, signals = prepared.prepare(study, folder)

        def estimated(
            seed: int, study=study, seen=seen, recording=recording, subject=subject, signals=signals
        ):
            belongs_to = identity(subject, recording, settings_of(cohort.training, seed))
            name = study.name if seen else None
            estimator = load_member(checkpoint_file(out, seed), subject, signals, belongs_to, name)
            return person_estimate.settled(estimator, subject, signals, recording)

        with recorded_for(study, folder, "estimate"):
            person_estimate.write_results(study, folder, subject, estimated)
        say(f"{study.name}: {'trained on' if seen else 'never seen'}, {folder.relative_to(out)}")


def evaluate(cohort: CohortStudy, out: Path) -> None:
    """Score everyone with a reference; write `people.json`, `.md` and `.html`: seen and unseen apart."""
    say("evaluate", heading=True)
    trials = []
    for study, seen in _people(cohort):
        folder = person_folder(out, study)
        for seed in cohort.training.seeds:
            prepared.require(folder, f"seeds/seed_{seed}/kinematics.mot", "run sspinn estimate first")
        recording = read_recording(study)
        scores = evaluate_results(study, folder, recording)["trials"].get(study.recording.name)
        if scores is None:
            say(f"{study.name}: no reference, not scored")
            continue
        group = "seen" if seen else "unseen"
        trials.append(PersonTrial(_person(study), study.name, group, scores, recording.speed_m_s))
    if trials:
        summary = summarize_people(trials)
        page = write_people(summary, out, cohort.name)
        say(people_markdown(summary).partition("\n## ")[0])
        say(f"by person, speed and joint: {page}")
    manifest = {
        "versions": versions(),
        "cohort": cohort.name,
        "members": [study.name for study in cohort.members],
        "unseen": [study.name for study in cohort.unseen],
        "training": dataclasses.asdict(cohort.training),
    }
    write_atomically(out / "manifest.json", json.dumps(manifest, indent=1) + "\n")


def _person(study: Study) -> str:
    """Return whose trial it is: trials whose studies give one name are of one person."""
    return study.name if study.person.name == Person.name else study.person.name


def _people(cohort: CohortStudy) -> list[tuple[Study, bool]]:
    """Return everyone with the cohort's settings, and whether the network was trained on them."""
    seen = len(cohort.members)
    return [
        (dataclasses.replace(study, training=cohort.training), place < seen)
        for place, study in enumerate(cohort.people)
    ]
