"""Scores against a reference, and the report."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from pathlib import Path

from sspinn_opensim.estimation.figure import stick_figure
from sspinn_opensim.estimation.write import window
from sspinn_opensim.evaluation import evaluate as evaluate_results
from sspinn_opensim.evaluation import read_evaluation_data, write_metrics
from sspinn_opensim.recording import output_window
from sspinn_opensim.report.report import read_histories, write_report
from sspinn_opensim.report.scores import score_table
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.manifest import versions
from sspinn_opensim.results.study_record import records
from sspinn_opensim.study import Study
from sspinn_opensim.verbs.estimate import estimate_of_seed
from sspinn_opensim.verbs.prepared import Prepared, prepare, require

log = logging.getLogger(__name__)


@records
def evaluate(study: Study, out: Path, *, prepared: Prepared | None = None) -> None:
    """Compare with the reference, if the study names one, and write `metrics.json` and `report.html`."""
    log.info("evaluate", extra={"heading": True})
    for seed in study.training.seeds:
        require(ResultsFolder(out).seed(seed).kinematics, "run sspinn estimate first")
    prepared = prepared or prepare(study, out)
    recording, subject = prepared.recording, prepared.subject
    data = read_evaluation_data(study, out, recording)
    metrics = evaluate_results(study, data)
    write_metrics(out, metrics)
    log.info(score_table(metrics))
    from_s, to_s = output_window(recording, study.output)
    shown = estimate_of_seed(study, prepared, out, study.training.seeds[0])
    found = versions()
    settings = {"study": json.loads(json.dumps(asdict(study), default=lambda path: path.name))}
    report = write_report(
        out,
        study,
        data=data,
        metrics=metrics,
        stick_figure=stick_figure(subject, window(shown, from_s, to_s)),
        histories=read_histories(out),
        versions=found,
        settings=settings,
    )
    log.info(f"report: {report}")
    log.info(f"what to open in OpenSim: sspinn open {out}, or README.txt in it")
