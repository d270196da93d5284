"""Motion and forces of a recording by a trained network, as OpenSim's files."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from casadi_dynamics.errors import InputError
from sspinn_opensim.alignment.types import Alignment
from sspinn_opensim.builtin_network.beginning import begin
from sspinn_opensim.builtin_network.known_model import BUILTIN
from sspinn_opensim.builtin_network.shipped import FILE, is_as_shipped
from sspinn_opensim.estimation import Estimate, write_estimate
from sspinn_opensim.estimation.consistency.consistent import consistent, without_shaking
from sspinn_opensim.estimation.consistency.correction import Correction, correction_of
from sspinn_opensim.estimation.consistency.gyroscopes import Gyroscopes
from sspinn_opensim.estimation.gait import Gait, gait_of, write_gait
from sspinn_opensim.estimation.inference.offline import at_times
from sspinn_opensim.estimation.segment_inclination import estimate_by_sensors
from sspinn_opensim.estimation.uncertainty import Deviations, deviations_of
from sspinn_opensim.estimation.verdict.fit import Fit, fit_of
from sspinn_opensim.estimation.verdict.judgement import (
    ADVICE,
    ADVICE_AS_SHIPPED,
    FitVerdict,
    judge,
    write_fit,
)
from sspinn_opensim.estimation.write import write_deviations
from sspinn_opensim.files import sha256, write_json
from sspinn_opensim.opensim_io.tables.external_loads import write_external_loads
from sspinn_opensim.opensim_io.tables.staging import written_together
from sspinn_opensim.opensim_io.tables.storage import write_under_title
from sspinn_opensim.recording import Phase
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.record import recorded
from sspinn_opensim.study import Study
from sspinn_opensim.study.cohort import CohortStudy
from sspinn_opensim.training.checkpoint import adapted_from, identity, load_estimator, load_member
from sspinn_opensim.training.cohort import member_topology, single_person_cohort
from sspinn_opensim.training.coverage import Uncovered
from sspinn_opensim.training.estimator import PersonNetwork
from sspinn_opensim.training.memory import hand_over
from sspinn_opensim.training.settings import settings_of, settings_of_cohort
from sspinn_opensim.training.subject import Subject
from sspinn_opensim.verbs.adapt import adapt
from sspinn_opensim.verbs.on_study import OfPeople, on_study, people_of, person_folder
from sspinn_opensim.verbs.prepared import Prepared, prepare, write_reading

log = logging.getLogger(__name__)

#: Exit status of the command where the verdict on a training is bad, if it was told to be strict.
BAD_FIT = 3
#: Said in the files of the deviations: nothing in them tells a right estimate from a wrong one.
_OF_ONE_SEED = " (one seed: of other people at such speeds, not of this recording)"


@dataclass(frozen=True)
class Estimation:
    """The estimates of a study.

    Attributes
    ----------
    folder : Path
        Results folder; the first seed's files for OpenSim lie in it, every seed's in ``seeds/seed_<k>/``.
    seeds : dict of int to Estimate
        Motion and forces by seed, the first seed first.
    deviations : Deviations
        Standard deviation of each number of the first seed's.
    gait : Gait
        Strides of the first seed's, their spatiotemporal values and mean curves.
    fit : FitVerdict
        Whether the trainings came out as those of good recordings do.
    notes : tuple of str
        What the verdict says, what moved far, and spans that the method does not cover.
    correction : Correction or None
        What made the first seed's motion and ground forces agree; None where the study wants them as the
        network gives them.
    strict : bool
        Whether a bad verdict ends the command with status 3.
    """

    folder: Path
    seeds: dict[int, Estimate]
    deviations: Deviations
    gait: Gait
    fit: FitVerdict
    notes: tuple[str, ...] = ()
    correction: Correction | None = None
    strict: bool = False

    @property
    def trusted(self) -> bool:
        """Whether the stages that follow are worth their time."""
        return self.fit.ok

    @property
    def exit_status(self) -> int:
        """Status that the command ends with."""
        return BAD_FIT if self.strict and not self.fit.ok else 0

    def __str__(self) -> str:
        files = "kinematics.mot, moments.sto, grf.mot, each with its deviations (_sd), and external_loads.xml"
        agreed = f"\n{self.correction}" if self.correction else ""
        return f"wrote {files}\n{self._strides()}{agreed}\n{self.fit}"

    def _strides(self) -> str:
        kinds = [(kind, self.gait.told[kind]) for kind in self.gait.strides.kinds]
        told = [
            f"{table['both']['strides']} strides of {kind}, {table['cadence_steps_per_min']:.1f} steps/min "
            "from strike to strike, starts and stops included"
            for kind, table in kinds
        ]
        return (
            "; ".join(told) or "no stride was found"
        ) + ": strides.csv, gait_cycles.csv, spatiotemporal.json"


@on_study(cohorts=True)
def estimate(
    study: Study | CohortStudy,
    out: Path,
    *,
    network: str | None = None,
    strict: bool = False,
    prepared: Prepared | Mapping[str, Prepared] | None = None,
) -> Estimation | OfPeople[Estimation]:
    """Write motion and forces of every seed, and the first seed's as the files that OpenSim loads.

    Parameters
    ----------
    study : Study, CohortStudy, str or Path
        Whose recording. People of a cohort whom the network never saw are taken as they are described.
    network : {'builtin'}, optional
        The network that is shipped, as it is: the model is scaled, and nothing needs to be trained before.
    strict : bool
        Whether the command ends with status 3 where a training did not come out as those of good recordings
        do; all files are written all the same.
    prepared : Prepared or mapping of str to Prepared, optional
        As for `train`.

    Raises
    ------
    InputError
        There is no finished network of a seed, or it belongs to another model or other sensors; the shipped
        network does not fit, or the folder holds another one.
    """
    if network is not None:
        prepared = _take_builtin(study, out, network)
    log.info("estimate", extra={"heading": True})
    hand_over()
    if isinstance(study, CohortStudy):
        known = prepared if isinstance(prepared, Mapping) else {}
        people = _estimate_people(study, known, out)
        return OfPeople({name: replace(found, strict=strict) for name, found in people})
    if isinstance(prepared, Prepared):
        return replace(estimate_seeds(study, prepared, out), strict=strict)
    # What nobody holds here goes as soon as it has been estimated.
    return replace(estimate_seeds(study, prepare(study, out), out), strict=strict)


def _take_builtin(study: Study | CohortStudy, out: Path, network: str) -> Prepared | None:
    """Scale the model and put the shipped network into the folder, as an adaptation without steps does.

    Returns
    -------
    Prepared or None
        What was made of the recording for that.
    """
    if isinstance(study, CohortStudy):
        raise InputError(
            "The built-in network is for one person.",
            where=study.path,
            expected="a study file",
            found="a cohort file",
            fix="give one of its studies",
        )
    if network != BUILTIN:
        raise InputError(
            "There is no such network.",
            where="--network",
            expected=BUILTIN,
            found=network,
            fix=f"--network {BUILTIN}",
        )
    for seed in study.training.seeds:
        file = ResultsFolder(out).checkpoint(seed)
        if file.is_file() and adapted_from(file) != sha256(FILE):
            raise InputError(
                "The folder holds a network that was trained, which would be lost.",
                where=file,
                fix="choose another --out, or estimate without --network",
            )
    return adapt(study, BUILTIN, out, steps=0).prepared


def _estimate_people(
    cohort: CohortStudy, prepared: Mapping[str, Prepared], out: Path
) -> Iterator[tuple[str, Estimation]]:
    for study, seen in people_of(cohort):
        folder = person_folder(out, study)
        own = prepared.get(study.name) or prepare(study, folder)
        network_of = partial(_network_of_cohort, cohort, own, out, study.name if seen else None)
        networks = [ResultsFolder(out).checkpoint(seed) for seed in cohort.training.seeds]
        with recorded(folder, "estimate", study=study, networks=networks) as keep:
            write_reading(own, folder)
            found = _write_results(study, folder, _estimated(study, own, network_of))
            keep(found.notes)
        log.info(f"{study.name}: {'trained on' if seen else 'never seen'}, {folder.relative_to(out)}")
        yield study.name, found


def _network_of_cohort(
    cohort: CohortStudy, prepared: Prepared, out: Path, member: str | None, seed: int
) -> PersonNetwork:
    """Return the network of a cohort for one of its people; `member` is None if it never saw the person."""
    subject, recording = prepared.subject, prepared.trained_on
    belongs_to = identity(subject, recording, settings_of_cohort(cohort.training, seed))
    file = ResultsFolder(out).checkpoint(seed)
    return load_member(file, subject, prepared.signals, belongs_to, member, same_training=True)


def estimate_seeds(study: Study, prepared: Prepared, out: Path) -> Estimation:
    """Write the estimates of the networks that were trained in a folder."""
    shipped = any(is_as_shipped(ResultsFolder(out).checkpoint(seed)) for seed in study.training.seeds)
    found = _estimated(study, prepared, partial(_network_of, study, prepared, out))
    del prepared  # a long recording takes as much memory as what follows
    hand_over()
    return _write_results(study, out, found, ADVICE_AS_SHIPPED if shipped else ADVICE)


def _network_of(study: Study, prepared: Prepared, out: Path, seed: int) -> PersonNetwork:
    subject, recording = prepared.subject, prepared.trained_on
    topology = member_topology(single_person_cohort(subject, prepared.signals).members[0])
    settings = begin(study.training, seed, topology, subject).settings
    belongs_to = identity(subject, recording, settings)
    file = ResultsFolder(out).checkpoint(seed)
    return load_estimator(file, subject, prepared.signals, belongs_to, same_training=True)


@dataclass(frozen=True)
class _Estimated:
    """What networks make of a recording, which nothing in here holds."""

    subject: Subject
    alignment: Alignment | None
    phases: tuple[Phase, ...]
    uncovered: tuple[Uncovered, ...]
    estimates: dict[int, Estimate]
    gyroscopes: dict[int, Gyroscopes]
    fits: dict[int, Fit | None]


def _estimated(study: Study, prepared: Prepared, network_of: Callable[[int], PersonNetwork]) -> _Estimated:
    """Return the estimate of every seed, as the networks give them."""
    subject, estimates, fits, gyroscopes = prepared.subject, {}, {}, {}
    hand_over()
    for seed in study.training.seeds:
        network = network_of(seed)
        estimates[seed] = _estimate_of(network, prepared)
        gyroscopes[seed] = Gyroscopes.of(prepared.recording, subject, network.mounting)
        fits[seed] = fit_of(network, subject, prepared.signals, settings_of(study.training, seed))
    of_recording = prepared.alignment, prepared.phases, prepared.uncovered
    return _Estimated(subject, *of_recording, estimates, gyroscopes, fits)


def _write_results(study: Study, out: Path, found: _Estimated, advice: str = ADVICE) -> Estimation:
    """Write the estimate of every seed, and the first seed's, with its uncertainty and gait, for OpenSim."""
    subject, results, fits = found.subject, found.estimates, found.fits
    verdict = replace(judge(fits), advice=advice)
    raw, *_ = results.values()
    deviations = deviations_of(list(results.values()), subject, found.alignment)
    hand_over()
    correction = None
    if study.output.consistent:
        results = {
            seed: consistent(without_shaking(result, subject), subject, deviations, found.gyroscopes[seed])
            for seed, result in results.items()
        }
        correction = correction_of(raw, next(iter(results.values())), deviations, subject)
    first, *_ = results.values()
    gait = gait_of(first, subject, found.phases, found.uncovered)
    with written_together(out) as folder:
        for seed, result in results.items():
            name = f"{study.name} seed {seed}"
            write_estimate(result, subject.model, ResultsFolder(folder).seed(seed).estimate, name)
        written = ResultsFolder(folder).seed(next(iter(results))).estimate
        for file, own in zip(ResultsFolder(folder).estimate, written, strict=True):
            write_under_title(file, own, study.name)
        write_external_loads(ResultsFolder(folder).external_loads, first.ground.feet, ResultsFolder.grf.name)
        title = f"{study.name} standard deviations{_OF_ONE_SEED if len(results) == 1 else ''}"
        write_deviations(deviations, subject.model, ResultsFolder(folder).deviations, title)
        write_gait(gait, folder)
        write_fit(fits, verdict, ResultsFolder(folder).fit)
        if correction:
            write_json(ResultsFolder(folder).consistency, correction.to_json())
    if not correction:
        ResultsFolder(out).consistency.unlink(missing_ok=True)
    notes = (*verdict.notes(), *(correction.notes if correction else ()), *map(str, found.uncovered))
    return Estimation(out, results, deviations, gait, verdict, notes, correction)


def _estimate_of(estimator: PersonNetwork, prepared: Prepared) -> Estimate:
    subject, recording = prepared.subject, prepared.trained_on
    estimate = estimate_by_sensors(estimator, subject, prepared.signals, recording, prepared.alignment)
    return at_times(estimate, subject, prepared.recording.time_s)
