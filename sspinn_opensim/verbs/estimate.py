"""Motion and forces of a recording by a trained network, as OpenSim's files."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from sspinn_opensim.estimation import Estimate, write_estimate
from sspinn_opensim.estimation import estimate as estimate_recording
from sspinn_opensim.estimation.uncertainty import band
from sspinn_opensim.estimation.write import window
from sspinn_opensim.opensim_io.tables.external_loads import write_external_loads
from sspinn_opensim.opensim_io.tables.staging import written_together
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.study_record import records
from sspinn_opensim.study import Study
from sspinn_opensim.training.checkpoint import identity, load_estimator
from sspinn_opensim.training.estimator import Estimator
from sspinn_opensim.training.settings import settings_of
from sspinn_opensim.training.subject import Subject
from sspinn_opensim.verbs.prepared import Prepared, prepare

log = logging.getLogger(__name__)

#: A network needs this long before its estimate can be trusted; earlier frames are not written.
SETTLED_S = 1.0


@records
def estimate(study: Study, out: Path, *, prepared: Prepared | None = None) -> None:
    """Write motion and forces of every seed, and the first seed's as the files that OpenSim loads."""
    log.info("estimate", extra={"heading": True})
    estimate_seeds(study, prepared or prepare(study, out), out)
    log.info(
        "wrote kinematics.mot, moments.sto, grf.mot, each with its deviations (_sd), and external_loads.xml"
    )


def estimate_seeds(study: Study, prepared: Prepared, out: Path) -> None:
    """Write the estimates of the networks that were trained in a folder."""
    write_results(study, out, prepared.subject, lambda seed: estimate_of_seed(study, prepared, out, seed))


def estimate_of_seed(study: Study, prepared: Prepared, out: Path, seed: int) -> Estimate:
    """Return the estimate by one seed's network."""
    subject, settings = prepared.subject, settings_of(study.training, seed)
    belongs_to = identity(subject, prepared.recording, settings)
    file = ResultsFolder(out).checkpoint(seed)
    return settled(load_estimator(file, subject, prepared.signals, belongs_to), prepared)


def write_results(study: Study, out: Path, subject: Subject, estimate_of: Callable[[int], Estimate]) -> None:
    """Write the estimate of every seed, and the first seed's, with its uncertainty, for OpenSim."""
    results = {seed: estimate_of(seed) for seed in study.training.seeds}
    first, *_ = results.values()
    rotational = [c.motion == "rotational" for c in subject.model.coordinates]
    deviations = band(list(results.values()), rotational, subject.body_weight, subject.height_m)
    with written_together(out) as folder:
        for seed, result in results.items():
            name = f"{study.name} seed {seed}"
            write_estimate(result, subject.model, ResultsFolder(folder).seed(seed).estimate, name)
        write_estimate(first, subject.model, ResultsFolder(folder).estimate, study.name)
        write_external_loads(ResultsFolder(folder).external_loads, first.ground.feet, ResultsFolder.grf.name)
        title = f"{study.name} standard deviations"
        write_estimate(deviations, subject.model, ResultsFolder(folder).deviations, title)


def settled(estimator: Estimator, prepared: Prepared) -> Estimate:
    """Return the estimate of a recording without its start, where the network still settles."""
    time_s = prepared.recording.time_s
    whole = estimate_recording(estimator, prepared.subject, prepared.signals, time_s)
    return window(whole, float(time_s[0]) + SETTLED_S, float(time_s[-1]))
