"""Static optimization on an estimate."""

from __future__ import annotations

import logging
from pathlib import Path

from sspinn_opensim.muscles import FastOptimizer
from sspinn_opensim.opensim_io.static_optimization import run as static_optimization
from sspinn_opensim.opensim_io.static_optimization import setup as muscle_setup
from sspinn_opensim.opensim_io.static_optimization.verdict import Verdict
from sspinn_opensim.recording import Recording, output_window
from sspinn_opensim.report.muscle_charts import write_group_figures
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.study_record import records
from sspinn_opensim.study import OutputChoice, Study
from sspinn_opensim.verbs.estimate import SETTLED_S
from sspinn_opensim.verbs.prepared import Prepared, prepare, require

log = logging.getLogger(__name__)


@records
def muscles(
    study: Study,
    out: Path,
    *,
    workers: int | None = None,
    fast: bool = False,
    prepared: Prepared | None = None,
) -> Verdict:
    """Run static optimization on the estimate; write muscle forces, activations, figures and the verdict.

    A `fast` run does without OpenSim's optimizer.
    """
    log.info("muscles", extra={"heading": True})
    require(ResultsFolder(out).kinematics, "run sspinn estimate first")
    settings = muscle_setup.Settings(
        lowpass_hz=study.muscles.lowpass_hz, muscle_physiology=study.muscles.physiology
    )
    prepared = prepared or prepare(study, out)
    recording, subject = prepared.recording, prepared.subject
    held = {name: subject.fixed[name] for name in subject.fixed if not subject.model.coordinate(name).locked}
    muscle_setup.prepare(
        out, window=_muscle_window(recording, study.output, settings), settings=settings, held=held
    )
    if held:
        log.info(
            f"{len(held)} coordinates that were not estimated are locked: no muscle is asked to hold them"
        )
    optimizer = FastOptimizer(settings, [out], log.info) if fast or study.muscles.fast else None
    verdict = static_optimization.run(
        out, workers=workers, unit_is_stated=True, measured=False, optimizer=optimizer
    )
    log.info(verdict.summary())
    tables = ResultsFolder.muscle_forces.name, ResultsFolder.muscle_activations.name
    write_group_figures(out, ResultsFolder.subject.name, *tables)
    return verdict


def _muscle_window(
    recording: Recording, choice: OutputChoice, settings: muscle_setup.Settings
) -> tuple[float, float]:
    """Return the part to analyse; an end that the study leaves open leaves the filter its margin."""
    from_s, to_s = output_window(recording, choice)
    margin = settings.margin_s + 3 / recording.sampling_rate_hz
    if choice.from_s is None:
        from_s = max(from_s, float(recording.time_s[0]) + SETTLED_S + margin)
    if choice.to_s is None:
        to_s = min(to_s, float(recording.time_s[-1]) - margin)
    return from_s, to_s
