"""All stages, from a study or a cohort to the report."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sspinn_opensim.lock import owned
from sspinn_opensim.opensim_io.static_optimization.verdict import Verdict
from sspinn_opensim.results.record import refuse_other_study
from sspinn_opensim.study import Study
from sspinn_opensim.study.cohort import CohortStudy
from sspinn_opensim.training.settings import Progress
from sspinn_opensim.verbs.convert import Conversion, convert
from sspinn_opensim.verbs.evaluate import Evaluation, PeopleEvaluation, evaluate
from sspinn_opensim.verbs.inputs import CheckedRecording, check_inputs
from sspinn_opensim.verbs.muscles import muscles
from sspinn_opensim.verbs.on_study import as_study, people_of, person_folder
from sspinn_opensim.verbs.prepared import prepare
from sspinn_opensim.verbs.scale import Scaling, scale

if TYPE_CHECKING:
    from sspinn_opensim.estimation import Estimate
    from sspinn_opensim.verbs.estimate import Estimation
    from sspinn_opensim.verbs.train import Training

log = logging.getLogger(__name__)
Result = TypeVar("Result")
#: What a training needs and scaling does not, so that two threads never wait for each other's imports:
#: PyTorch, our optimizer, and what any optimizer loads. It takes two seconds.
_OF_TRAININGS = ("torch", "pytorch_optimizer", "torch._dynamo")


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

    @property
    def exit_status(self) -> int:
        """Status that the command ends with."""
        return self.estimation.exit_status

    def __str__(self) -> str:
        verdict, _, why = str(self.estimation.fit).partition("\n")
        return f"{self.evaluation}\n{verdict}{': see above, and fit.json' if why else ''}"


def run(
    study: Study | CohortStudy | str | Path,
    out: str | Path,
    *,
    restart: bool = False,
    strict: bool = False,
    progress: Callable[[Progress], None] | None = None,
    inputs: Mapping[str, CheckedRecording] | None = None,
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
    strict : bool
        As for `estimate`: what follows is done all the same.
    progress : callable, optional
        Told of each step of the training.
    inputs : mapping of str to CheckedRecording, optional
        What a first look returned; who is not among them is checked.

    Raises
    ------
    InputError
        Something that the study names cannot be used; what is written by then is complete.
    """
    known, out = as_study(study), Path(out).absolute()
    assert isinstance(known, Study | CohortStudy)
    with owned(out, "sspinn run"):
        refuse_other_study(out, study=known, restart=restart)
        if isinstance(known, CohortStudy):
            return _run_cohort(known, out, restart, strict, progress, inputs or {})
        return _run_study(known, out, restart, strict, progress, inputs or {})


def _run_study(
    study: Study,
    out: Path,
    restart: bool,
    strict: bool,
    progress: Callable[[Progress], None] | None,
    known: Mapping[str, CheckedRecording],
) -> Run:
    checked = known.get(study.name) or check_inputs(study)
    with _loading_beside():
        scaling = _told(scale(study, out), Scaling)
        conversion = _told(convert(study, out), Conversion)
    from sspinn_opensim.verbs.estimate import Estimation, estimate
    from sspinn_opensim.verbs.train import Training, train

    prepared = prepare(study, out, checked.recording, checked.alignment, checked.said)
    training = _told(train(study, out, restart=restart, progress=progress, prepared=prepared), Training)
    estimation = _told(estimate(study, out, strict=strict, prepared=prepared), Estimation)
    verdict = _told(muscles(study, out, prepared=prepared), Verdict)
    evaluation = evaluate(study, out, prepared=prepared)
    assert isinstance(evaluation, Evaluation)
    return Run(out, scaling, conversion, training, estimation, verdict, evaluation)


def _run_cohort(
    cohort: CohortStudy,
    out: Path,
    restart: bool,
    strict: bool,
    progress: Callable[[Progress], None] | None,
    known: Mapping[str, CheckedRecording],
) -> PeopleEvaluation:
    people = [study for study, _ in people_of(cohort)]
    checked = {person.name: known.get(person.name) or check_inputs(person) for person in people}
    with _loading_beside():
        scale(cohort, out)
    from sspinn_opensim.verbs.estimate import estimate
    from sspinn_opensim.verbs.train import Training, train

    prepared = {}
    for person in people:
        own = checked[person.name]
        folder = person_folder(out, person)
        prepared[person.name] = prepare(person, folder, own.recording, own.alignment, own.said)
    _told(train(cohort, out, restart=restart, progress=progress, prepared=prepared), Training)
    people_estimated = estimate(cohort, out, strict=strict, prepared=prepared)
    evaluation = evaluate(cohort, out)
    assert isinstance(evaluation, PeopleEvaluation)
    return replace(evaluation, exit_status=people_estimated.exit_status)


@contextmanager
def _loading_beside() -> Iterator[None]:
    """Load the libraries of trainings beside what waits for OpenSim; one that fails is met again later."""
    with ThreadPoolExecutor(1) as beside:
        for module in _OF_TRAININGS:
            beside.submit(importlib.import_module, module)
        yield


def _told(result: object, kind: type[Result]) -> Result:
    """Log what a stage came to; that of one person is of one kind."""
    assert isinstance(result, kind)
    log.info(result)
    return result
