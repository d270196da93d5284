"""All stages, from a study or a cohort to the report."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sspinn_opensim.estimation import Estimate
from sspinn_opensim.opensim_io.static_optimization.verdict import Verdict
from sspinn_opensim.recording import output_window, read_recording
from sspinn_opensim.study import Study
from sspinn_opensim.study.cohort import CohortStudy
from sspinn_opensim.training.losses import weights as loss_weights
from sspinn_opensim.training.settings import Progress
from sspinn_opensim.verbs.convert import Conversion, convert
from sspinn_opensim.verbs.estimate import Estimation, estimate
from sspinn_opensim.verbs.evaluate import Evaluation, PeopleEvaluation, evaluate
from sspinn_opensim.verbs.muscles import muscles
from sspinn_opensim.verbs.on_study import as_study, person_folder
from sspinn_opensim.verbs.prepared import prepare
from sspinn_opensim.verbs.scale import Scaling, scale
from sspinn_opensim.verbs.train import Training, train

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """What all stages came to for one study.

    Attributes
    ----------
    folder : Path
        Results folder.
    scaling, conversion, training, estimation, verdict, evaluation
        What the verb of each stage returned; the verdict is that on the muscle forces.
    """

    folder: Path
    scaling: Scaling
    conversion: Conversion
    training: Training
    estimation: Estimation
    verdict: Verdict
    evaluation: Evaluation

    @property
    def estimate(self) -> Estimate:
        """Motion and forces by the first seed's network, SI units, radians, in ground."""
        return next(iter(self.estimation.seeds.values()))

    @property
    def metrics(self) -> dict[str, Any]:
        """Scores against the reference, as in `metrics.json`."""
        return self.evaluation.metrics

    def __str__(self) -> str:
        return str(self.evaluation)


def run(
    study: Study | CohortStudy | str | Path,
    out: str | Path,
    *,
    restart: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Run | PeopleEvaluation:
    """Do all stages, from scaling to the report.

    Parameters
    ----------
    study : Study, CohortStudy, str or Path
        A path is that of a study or of a cohort file.
    out : str or Path
        Results folder; made if it is not there.
    restart : bool
        Train from the start, not from the last checkpoint.
    progress : callable, optional
        Told of each step of the training.

    Raises
    ------
    InputError
        Something that the study names cannot be used; what is written by then is complete.
    """
    study, out = as_study(study), Path(out).absolute()
    people = study.people if isinstance(study, CohortStudy) else (study,)
    # What cannot be used should say so before OpenSim and the training have run.
    recordings = {person.name: read_recording(person) for person in people}
    for person in people:
        output_window(recordings[person.name], person.output)
    loss_weights(study.training.weights)
    scaling = scale(study, out)
    if isinstance(study, CohortStudy):
        shared = {
            person.name: prepare(person, person_folder(out, person), recordings[person.name])
            for person in people
        }
        log.info(train(study, out, restart=restart, progress=progress, prepared=shared))
        estimate(study, out, prepared=shared)
        return evaluate(study, out)
    log.info(scaling)
    log.info(conversion := convert(study, out))
    prepared = prepare(study, out, recordings[study.name])
    log.info(training := train(study, out, restart=restart, progress=progress, prepared=prepared))
    log.info(estimation := estimate(study, out, prepared=prepared))
    log.info(verdict := muscles(study, out, prepared=prepared))
    evaluation = evaluate(study, out, prepared=prepared)
    return Run(out, scaling, conversion, training, estimation, verdict, evaluation)
