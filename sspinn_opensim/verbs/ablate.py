"""Ablation of the loss terms: the training repeated with one term switched off at a time.

Training sees the study without its reference; scores come from the evaluation afterwards. What needs no
reference is told for every study: the force that would have to hold the pelvis from outside, the sum of the
other losses, and the term that was switched off.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import BodyFunctions, build
from sspinn_opensim.dynamics.inverse_dynamics import trial_forces
from sspinn_opensim.evaluation import evaluate as evaluate_results
from sspinn_opensim.evaluation import read_evaluation_data, write_metrics
from sspinn_opensim.files import sha256, write_atomically, write_json
from sspinn_opensim.opensim_io.tables.external_loads import write_external_loads
from sspinn_opensim.opensim_io.tables.storage import read_storage
from sspinn_opensim.recording import Recording, output_window
from sspinn_opensim.report.ablation import (
    FULL,
    MEASURES,
    Ablation,
    Arm,
    as_csv,
    as_markdown,
    as_svg,
    progress_line,
)
from sspinn_opensim.report.sections import read_histories
from sspinn_opensim.results.folder import ResultsFolder, seed_name
from sspinn_opensim.results.read_back import read_arm
from sspinn_opensim.results.record import recorded
from sspinn_opensim.study import Person, Study
from sspinn_opensim.training.loss_terms import lasting_weights, to_switch_off
from sspinn_opensim.training.objective import TrainingDivergedError
from sspinn_opensim.training.settings import settings_of
from sspinn_opensim.verbs import scale
from sspinn_opensim.verbs.estimate import estimate_seeds
from sspinn_opensim.verbs.on_study import on_study
from sspinn_opensim.verbs.prepared import Prepared, prepare
from sspinn_opensim.verbs.train import train_seeds

log = logging.getLogger(__name__)

#: History of a training: its columns by name.
History = Mapping[str, Sequence[float]]

#: Share of the steps, at the end, over which losses are averaged.
FINAL_SHARE = 0.1


@dataclass(frozen=True)
class AblationFiles:
    """What an ablation found, and where.

    Attributes
    ----------
    found : Ablation
        Numbers of every arm.
    table, plot : Path
        The same as a text and as a picture.
    """

    found: Ablation
    table: Path
    plot: Path

    def __str__(self) -> str:
        zero = ", ".join(self.found.silent)
        left_out = [f"left out, because they are zero throughout here: {zero}"] if zero else []
        return "\n".join([*left_out, f"table: {self.table}", f"plot: {self.plot}"])


@on_study()
def ablate(
    study: Study, out: Path, terms: Sequence[str] | None = None, *, restart: bool = False
) -> AblationFiles:
    """Train with every loss term and with each one off; write ``ablation.csv``, ``.md`` and ``.svg``.

    Parameters
    ----------
    study : Study, str or Path
        A path is that of a study file. Its seeds are the repetitions, its weights those of the full set.
    out : str or Path
        Folder of the result; arms lie in ``arms/``. Finished ones are kept, an unfinished one goes on.
    terms : sequence of str, optional
        Terms to switch off. Default: all that have a weight.
    restart : bool
        Train every arm from the start.

    Raises
    ------
    InputError
        A term is unknown or has no weight, an arm was trained with other settings, or the training with
        every term diverged.
    """
    active = lasting_weights(study.training.weights)
    terms = to_switch_off(terms, active)
    out.mkdir(parents=True, exist_ok=True)
    files = ResultsFolder(out)
    if not files.subject.is_file():
        log.info(scale.scale(study, out))
    prepared = prepare(_arm_study(study, FULL), out)
    functions = build(read_model(files.subject))
    log.info("ablate", extra={"heading": True})
    started = time.monotonic()
    found = Ablation(
        title=f"{study.name}: what each loss term is worth",
        steps=_steps(study),
        seeds=len(study.training.seeds),
        scored=study.reference is not None,
        weights=active,
        arms=(),
    )
    full: dict[str, History] = {}
    for name in (FULL, *terms):
        if name in found.silent:
            continue
        folder, numbers = files.without_term(name).path, {}
        failure = _train_arm(_arm_study(study, name), prepared, files.subject, folder, restart)
        if failure and name == FULL:
            raise InputError(f"With every loss term: {failure}", where=folder, fix="try other seeds")
        if not failure:
            histories = _histories(study, folder)
            if name == FULL:
                full = histories
                found = replace(found, silent=_always_zero(terms, full))
            numbers = _measured(study, name, folder, prepared.recording, functions)
            numbers |= _losses(name, histories, full, active)
        found = replace(found, arms=(*found.arms, Arm(name, numbers, failure)))
        done, count = len(found.arms), 1 + len(terms) - len(found.silent)
        log.info(progress_line(found, count, (time.monotonic() - started) / done * (count - done)))
        write_atomically(files.ablation_table, as_csv(found))
        write_atomically(files.ablation_text, as_markdown(found))
        write_atomically(files.ablation_plot, as_svg(found))
    return AblationFiles(found, files.ablation_text, files.ablation_plot)


# --- running ---


def _steps(study: Study) -> int:
    return settings_of(study.training, 0).steps


def _arm_study(study: Study, name: str) -> Study:
    """Return the study of an arm, without the reference.

    It starts from random numbers: the shipped network was trained with every term.
    """
    off = {} if name == FULL else {name: 0.0}
    weights = dict(study.training.weights) | off
    training = replace(study.training, weights=weights, start="random", steps=_steps(study))
    return replace(study, training=training, reference=None, name=f"{study.name}, {Arm(name, {}).title}")


def _train_arm(study: Study, prepared: Prepared, subject: Path, folder: Path, restart: bool) -> str:
    """Train and estimate what is not there; return why the training diverged, or nothing."""
    note = ResultsFolder(folder).arm
    belongs_to = _fingerprint(study, subject)
    if restart:
        note.unlink(missing_ok=True)
    done: dict[str, Any] = read_arm(ResultsFolder(folder)) or {"seeds": []}
    if done.setdefault("belongs_to", belongs_to) != belongs_to:
        raise InputError(
            "This arm was trained with other settings, sensors, recording or model.",
            where=folder,
            fix="repeat with --restart, or name another --out",
        )
    if set(study.training.seeds) <= set(done["seeds"]):
        return done["failure"]
    folder.mkdir(parents=True, exist_ok=True)
    with recorded(folder, "scale", study=study):
        shutil.copy(subject, ResultsFolder(folder).subject)
    failure = ""
    try:
        with recorded(folder, "train", study=study):
            for _ in train_seeds(study, prepared, folder, restart=restart):
                pass
        with recorded(folder, "estimate", study=study):
            # As the networks give it: what is left at the root is one of the measures.
            estimate_seeds(replace(study, output=replace(study.output, consistent=False)), prepared, folder)
    except TrainingDivergedError as error:
        failure = f"{error.what} ({error.where})"
    seeds = sorted({*done["seeds"], *study.training.seeds})
    content = {"belongs_to": belongs_to, "seeds": seeds, "failure": failure}
    with recorded(folder, "ablate", study=study):
        write_json(note, content)
    return failure


def _fingerprint(study: Study, subject: Path) -> str:
    """Return a hash of all that an arm's networks come from, but for the seeds."""
    kept = asdict(replace(study, training=replace(study.training, seeds=())))
    for key in ("path", "name", "model", "reference", "muscles", "output"):
        del kept[key]
    # The files count by what they hold, sensors by where they sit.
    for key in ("file", "name", "sensors"):
        del kept["recording"][key]
    del kept["person"]["name"]
    files = [sha256(subject), sha256(study.recording.file)]
    return hashlib.sha256(json.dumps([kept, files], sort_keys=True, default=str).encode()).hexdigest()


# --- measuring ---


def _measured(
    study: Study, name: str, folder: Path, recording: Recording, functions: BodyFunctions
) -> dict[str, dict[str, float]]:
    """Return what an arm's estimates are worth, by measure and seed."""
    with recorded(folder, "ablate", study=_arm_study(study, name)):
        return _scores(study, folder, recording) | _root_residuals(study, folder, recording, functions)


def _scores(study: Study, folder: Path, recording: Recording) -> dict[str, dict[str, float]]:
    """Return the errors against the reference by measure and seed; nothing without a reference."""
    if study.reference is None:
        return {}
    metrics = evaluate_results(study, read_evaluation_data(study, folder, recording))
    write_metrics(folder, metrics)
    seeds = metrics["trials"][study.recording.name]["seeds"]
    numbers = {}
    for measure in MEASURES:
        if measure.from_reference:
            values = {seed: scores[measure.key] for seed, scores in seeds.items()}
            if None not in values.values():
                numbers[measure.key] = values
    return numbers


def _root_residuals(
    study: Study, folder: Path, recording: Recording, functions: BodyFunctions
) -> dict[str, dict[str, float]]:
    """Return what inverse dynamics leaves at the root over the output, by measure and seed."""
    found = {
        seed_name(seed): root_residual(
            ResultsFolder(folder).seed(seed).path,
            functions,
            study.person,
            output_window(recording, study.output),
        )
        for seed in study.training.seeds
    }
    return {
        "root_force_bw": {seed: force for seed, (force, _) in found.items()},
        "root_moment_bwbh": {seed: moment for seed, (_, moment) in found.items()},
    }


def root_residual(
    folder: Path, functions: BodyFunctions, person: Person, window_s: tuple[float, float]
) -> tuple[float, float]:
    """Return the force and the moment that would have to hold an estimate's root from outside.

    Parameters
    ----------
    folder : Path
        Of one estimate: ``kinematics.mot`` and ``grf.mot``; ``external_loads.xml`` is written beside them.
    functions : BodyFunctions
        Of the scaled model.
    window_s : tuple of 2 float
        From and to, s; the outermost 0.1 s of the estimate, where a spline is poor, never count.

    Returns
    -------
    tuple of 2 float
        Root mean square magnitude in percent of body weight, and of body weight times height.
    """
    model = functions.tree.model
    columns = read_storage(ResultsFolder(folder).grf).names
    feet = [name.removesuffix("_ground_force_vx") for name in columns if name.endswith("_ground_force_vx")]
    loads = write_external_loads(ResultsFolder(folder).external_loads, feet, ResultsFolder.grf.name)
    time_s, tau = trial_forces(functions, ResultsFolder(folder).kinematics, loads, passive=False)
    root = set(model.root_coordinates())
    places = {
        kind: [i for i, c in enumerate(model.coordinates) if c.name in root and c.motion == kind]
        for kind in ("translational", "rotational")
    }
    from_s, to_s = max(window_s[0], time_s[0] + 0.1), min(window_s[1], time_s[-1] - 0.1)
    frames = (time_s >= from_s) & (time_s < to_s)
    force, moment = (
        float(np.sqrt(np.mean(np.sum(tau[frames][:, places[kind]] ** 2, axis=1))))
        for kind in ("translational", "rotational")
    )
    weight_n = person.body_weight_n
    return 100 * force / weight_n, 100 * moment / (weight_n * person.height_m)


def _losses(
    name: str, histories: Mapping[str, History], full: Mapping[str, History], active: Mapping[str, float]
) -> dict[str, dict[str, float]]:
    """Return an arm's final losses over those of the full set: of the other terms, and of its own."""
    if name == FULL:
        return {"other_losses": dict.fromkeys(full, 1.0)}
    numbers: dict[str, dict[str, float]] = {"other_losses": {}, "own_loss": {}}
    others = [term for term in active if term != name]
    for seed in histories:
        here, there = final_losses(histories[seed]), final_losses(full[seed])
        before = sum(active[term] * there[term] for term in others)
        if before > 0:
            numbers["other_losses"][seed] = sum(active[term] * here[term] for term in others) / before
        if there[name] > 0:
            numbers["own_loss"][seed] = here[name] / there[name]
    return numbers


def _always_zero(terms: Sequence[str], full: Mapping[str, History]) -> tuple[str, ...]:
    """Return the terms that are zero throughout the trainings with every term."""
    return tuple(term for term in terms if not any(max(columns[term]) > 0 for columns in full.values()))


def final_losses(history: History) -> dict[str, float]:
    """Return the mean of every column over the last steps (`FINAL_SHARE`)."""
    last = {name: max(round(FINAL_SHARE * len(values)), 1) for name, values in history.items()}
    return {name: fmean(values[-last[name] :]) for name, values in history.items()}


def _histories(study: Study, folder: Path) -> dict[str, History]:
    """Return the histories of the study's seeds; an earlier ablation may have left more."""
    wanted = [seed_name(seed) for seed in study.training.seeds]
    return {seed: columns for seed, columns in read_histories(folder).items() if seed in wanted}
