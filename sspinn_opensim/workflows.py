"""Each verb as one function: a study and a folder in, files in the folder out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Model
from casadi_dynamics.model.path_fits import dump_fits, fits_file
from casadi_dynamics.osim import read_model
from casadi_dynamics.simbody_defect import with_defect
from casadi_dynamics.symbolic import build
from casadi_dynamics.verify import compare
from sspinn_opensim.console import say
from sspinn_opensim.estimation import Estimate, write_estimate
from sspinn_opensim.estimation import estimate as estimate_recording
from sspinn_opensim.estimation.figure import stick_figure
from sspinn_opensim.estimation.uncertainty import band
from sspinn_opensim.estimation.write import window
from sspinn_opensim.evaluation import evaluate as evaluate_results
from sspinn_opensim.evaluation import format_table, read_histories, write_report
from sspinn_opensim.evaluation.muscle_charts import write_group_figures
from sspinn_opensim.manifest import versions
from sspinn_opensim.muscles import FastOptimizer
from sspinn_opensim.opensim_io.files import write_atomically
from sspinn_opensim.opensim_io.model.contact import put_under_feet
from sspinn_opensim.opensim_io.model.free_root import free_the_way
from sspinn_opensim.opensim_io.model.path_fits import (
    LENGTH_M,
    MOMENT_ARM_M,
    fit_wrapped_paths,
    worst_fit,
)
from sspinn_opensim.opensim_io.model.shoes import put_on_shoes
from sspinn_opensim.opensim_io.model.upgraded_model import current_file
from sspinn_opensim.opensim_io.process.jobs import run_job
from sspinn_opensim.opensim_io.static_optimization import run as static_optimization
from sspinn_opensim.opensim_io.static_optimization import setup as muscle_setup
from sspinn_opensim.opensim_io.tables.external_loads import write_external_loads
from sspinn_opensim.opensim_io.tables.staging import written_together
from sspinn_opensim.recording import (
    Recording,
    bodies_of,
    check_placement,
    describe_doubts,
    moved_sensors,
    on_model,
    output_window,
    read_recording,
)
from sspinn_opensim.scale import scale_subject
from sspinn_opensim.seeds import checkpoint_file, settings_of, train_seed
from sspinn_opensim.study import OutputChoice, Study, examples_folder, read_study
from sspinn_opensim.study_record import records
from sspinn_opensim.training.checkpoint import identity, load_estimator
from sspinn_opensim.training.cohort import alone
from sspinn_opensim.training.coordinates import held_coordinates
from sspinn_opensim.training.estimator import Estimator
from sspinn_opensim.training.losses import weights as loss_weights
from sspinn_opensim.training.signals import Signals, make_signals
from sspinn_opensim.training.subject import Subject, make_subject

#: Largest relative difference from OpenSim that a conversion may show; double precision leaves about 1e-14.
LARGEST_CONVERSION_ERROR = 1e-9
#: A network needs this long before its estimate can be trusted; earlier frames are not written.
SETTLED_S = 1.0


def run(study: Study, out: Path, restart: bool = False) -> None:
    """Do all stages, from scaling to the report."""
    # What cannot be used should say so before OpenSim and the training have run.
    output_window(read_recording(study), study.output)
    loss_weights(study.training.weights)
    scale(study, out)
    convert(study, out)
    train(study, out, restart=restart)
    estimate(study, out)
    muscles(study, out)
    evaluate(study, out)


def demo(out: Path) -> None:
    """Run the built-in example."""
    study = read_study(examples_folder() / "demo.toml")
    say("The built-in example: about a minute of training on a simulated walk with known answers.")
    run(study, out)


@records
def scale(study: Study, out: Path) -> None:
    """Write `subject.osim` and `scaling.json`."""
    say("scale", heading=True)
    out.mkdir(parents=True, exist_ok=True)
    scale_subject(study, out)
    subject = out / "subject.osim"
    freed = free_the_way(subject)
    if freed:
        say(f"no longer clamped, so that a walk may leave their range: {', '.join(freed)}")
    spheres = put_under_feet(subject, _held(study, subject)) if study.model.contact == "auto" else ()
    if spheres:
        feet = ", ".join(f"{sphere.name} on {sphere.body}" for sphere in spheres)
        say(f"contact: the model has no spheres on its feet; added {feet}, and a floor if it has none")
    soles = study.person.shoe_heel_mm, study.person.shoe_forefoot_mm
    if any(soles):
        moved = put_on_shoes(subject, *soles)
        say(f"shoes: {soles[0]:g} mm under the heel, {soles[1]:g} mm in front; lowered {', '.join(moved)}")


def _held(study: Study, subject: Path) -> dict[str, float]:
    """Return the coordinates that the study does not estimate, before there are contact points."""
    model, chosen = read_model(subject), study.coordinates
    return held_coordinates(model, chosen.estimate, chosen.fixed, bodies_of(study.sensors, model))


@records
def convert(study: Study | Path, out: Path, paths: bool = False) -> None:
    """Convert the subject's model, or any `.osim`, check it against a live OpenSim; write `conversion.json`.

    With `paths` the muscles that wrap around surfaces are fitted, which takes minutes for a large model; the
    fits are stored as `<name of the model>.paths.json`.

    Raises
    ------
    InputError
        If the model cannot be converted, or any quantity differs from OpenSim's.
    """
    say("convert", heading=True)
    out.mkdir(parents=True, exist_ok=True)
    given = _subject_file(out) if isinstance(study, Study) else Path(study)
    path = current_file(given, out)
    if path != given:
        say(f"OpenSim upgraded the model to its newest version: {path.name}")
    model = read_model(path)
    for note in _not_used(model.ignored):
        say(f"not used: {note}")
    answers_file = out / ".opensim_answers.npz"
    try:
        arguments = {"model": path, "samples": 10, "seed": 0, "output": answers_file}
        run_job("model_answers", arguments, timeout_s=300, outputs=[answers_file])
        with np.load(answers_file, allow_pickle=False) as answers:
            functions, defect = with_defect(build(model, model.imu_frames))
            errors = compare(model, functions, answers)
    finally:
        answers_file.unlink(missing_ok=True)
    worst = max(errors, key=errors.get)
    summary = {
        "model": model.name,
        "hash": model.content_hash,
        "largest_relative_error": errors,
        "simbody_defect_added_in": defect,
    }
    write_atomically(out / "conversion.json", json.dumps(summary, indent=1) + "\n")
    if not errors[worst] <= LARGEST_CONVERSION_ERROR:
        raise InputError(
            "The converted model does not agree with OpenSim.",
            where=f"{path}, {worst}",
            expected=f"a relative difference of at most {LARGEST_CONVERSION_ERROR:g}",
            found=f"{errors[worst]:.3g}",
            fix="do not use this conversion; report the model to the project",
        )
    counts = len(model.bodies), len(model.coordinates), len(model.contact_spheres)
    say("{} bodies, {} coordinates, {} contact points".format(*counts))
    if not model.contact_spheres:
        say("note: no contact points; `sspinn scale` puts some under the feet before a training")
    say(f"agrees with OpenSim at random states: largest relative difference {errors[worst]:.1e} ({worst})")
    if defect:
        say(f"for this comparison only, Simbody's known error was added in {', '.join(defect)}")
    wrapped = sum(bool(muscle.path.wraps) for muscle in model.muscles)
    if wrapped and paths:
        _fit_paths(path, model, out)
    elif wrapped:
        say(f"{wrapped} muscles wrap around surfaces; `sspinn convert --paths` fits their paths")


def _not_used(notes: Sequence[str]) -> list[str]:
    """Return one line for every class and reason, with the number of elements where there are several."""
    groups: dict[tuple[str, str], list[str]] = {}
    for note in notes:
        element, _, reason = note.partition(": ")
        groups.setdefault((element.partition(" ")[0], reason), []).append(element)
    return [
        f"{members[0] if len(members) == 1 else f'{len(members)} {kind}s'}: {reason}"
        for (kind, reason), members in groups.items()
    ]


def _fit_paths(path: Path, model: Model, out: Path) -> None:
    fits = fit_wrapped_paths(path, model)
    target = fits_file(out / path.name)
    write_atomically(target, dump_fits(model, fits))
    worst = worst_fit(fits)
    say(f"{len(fits)} wrapped muscles fitted, stored as {target.name}")
    say(
        f"largest difference from OpenSim within physiological ranges: {worst.muscle}, "
        f"length {1000 * worst.length_error:.2f} mm, moment arm {1000 * worst.moment_arm_error:.2f} mm; "
        f"at 99 of 100 postures at most {1000 * worst.usual_length_error:.2f} mm "
        f"and {1000 * worst.usual_moment_arm_error:.2f} mm"
    )
    missed = [f"{fit.muscle} ({fit.beyond:.1%})" for fit in fits if fit.beyond]
    say(
        f"share of postures with more than {1000 * LENGTH_M:g} mm of length or {1000 * MOMENT_ARM_M:g} mm "
        f"of moment arm (OpenSim's own paths jump at some): {', '.join(missed) or 'none'}"
    )


@records
def train(study: Study, out: Path, restart: bool = False) -> None:
    """Train one network per seed on the IMU signals alone; goes on from the last checkpoint of each."""
    say("train", heading=True)
    recording, subject, signals = prepare(study, out)
    for doubt in describe_doubts(recording):
        say(f"note: {doubt}")
    for moved in moved_sensors(read_recording(study), subject.model):
        say(moved)
    say(subject.describe())
    for seed in study.training.seeds:
        settings = settings_of(study.training, seed)
        belongs_to = identity(subject, recording, settings)
        train_seed(alone(subject, signals), settings, belongs_to, out, restart)


@records
def estimate(study: Study, out: Path) -> None:
    """Write motion and forces of every seed, and the first seed's as the files that OpenSim loads."""
    say("estimate", heading=True)
    recording, subject, signals = prepare(study, out)
    write_results(study, out, subject, lambda seed: _estimate(study, out, seed, recording, subject, signals))
    say("wrote kinematics.mot, moments.sto, grf.mot, each with its deviations (_sd), and external_loads.xml")


def write_results(study: Study, out: Path, subject: Subject, estimate_of: Callable[[int], Estimate]) -> None:
    """Write the estimate of every seed, and the first seed's, with its uncertainty, for OpenSim."""
    results = {seed: estimate_of(seed) for seed in study.training.seeds}
    first, *_ = results.values()
    rotational = [c.motion == "rotational" for c in subject.model.coordinates]
    deviations = band(list(results.values()), rotational, subject.body_weight, subject.height_m)
    with written_together(out) as folder:
        for seed, result in results.items():
            name = f"{study.name} seed {seed}"
            write_estimate(result, subject.model, folder / "seeds" / f"seed_{seed}", name)
        write_estimate(first, subject.model, folder, study.name)
        write_external_loads(folder / "external_loads.xml", first.ground.feet, "grf.mot")
        write_estimate(deviations, subject.model, folder, f"{study.name} standard deviations", suffix="_sd")


@records
def muscles(study: Study, out: Path, workers: int | None = None, fast: bool = False) -> None:
    """Run static optimization on the estimate; write muscle forces, activations, figures and the verdict.

    A `fast` run does without OpenSim's optimizer.
    """
    say("muscles", heading=True)
    require(out, "kinematics.mot", "run sspinn estimate first")
    settings = muscle_setup.Settings(
        lowpass_hz=study.muscles.lowpass_hz, muscle_physiology=study.muscles.physiology
    )
    recording, subject, _ = prepare(study, out)
    held = {name: subject.fixed[name] for name in subject.fixed if not subject.model.coordinate(name).locked}
    muscle_setup.prepare(
        out, window=_muscle_window(recording, study.output, settings), settings=settings, held=held
    )
    if held:
        say(f"{len(held)} coordinates that were not estimated are locked: no muscle is asked to hold them")
    optimizer = FastOptimizer(settings, [out], say) if fast or study.muscles.fast else None
    verdict = static_optimization.run(
        out, workers=workers, unit_is_stated=True, measured=False, optimizer=optimizer
    )
    say(verdict.summary())
    write_group_figures(out, "subject.osim", muscle_setup.FORCES_FILE, muscle_setup.ACTIVATIONS_FILE)


@records
def evaluate(study: Study, out: Path) -> None:
    """Compare with the reference, if the study names one, and write `metrics.json` and `report.html`."""
    say("evaluate", heading=True)
    for seed in study.training.seeds:
        require(out, f"seeds/seed_{seed}/kinematics.mot", "run sspinn estimate first")
    recording, subject, signals = prepare(study, out)
    metrics = evaluate_results(study, out, recording)
    say(format_table(metrics))
    from_s, to_s = output_window(recording, study.output)
    shown = _estimate(study, out, study.training.seeds[0], recording, subject, signals)
    found = versions()
    settings = {"study": json.loads(json.dumps(asdict(study), default=lambda path: path.name))}
    report = write_report(
        out,
        study,
        metrics=metrics,
        stick_figure=stick_figure(subject, window(shown, from_s, to_s)),
        histories=read_histories(out),
        versions=found,
        settings=settings,
        recording=recording,
    )
    say(f"report: {report}")
    say(f"what to open in OpenSim: sspinn open {out}, or README.txt in it")


def require(out: Path, name: str, fix: str) -> Path:
    """Return the path of a file of an earlier stage; one that is missing raises `InputError`."""
    path = out / name
    if not path.is_file():
        raise InputError("A file of an earlier stage is missing.", where=path, fix=fix)
    return path


def _subject_file(out: Path) -> Path:
    return require(out, "subject.osim", "run sspinn scale first")


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


def prepare(study: Study, out: Path) -> tuple[Recording, Subject, Signals]:
    """Return the recording of a study, the body in its results folder with the sensors, and the signals."""
    model: Model = read_model(_subject_file(out))
    recording = on_model(read_recording(study), model)
    check_placement(recording.sensors, model, str(study.path))
    chosen = study.coordinates
    subject = make_subject(
        model, recording, chosen.fixed, height_m=study.person.height_m, estimate=chosen.estimate
    )
    return recording, subject, make_signals(recording, subject)


def _estimate(study: Study, out: Path, seed: int, recording: Recording, subject, signals) -> Estimate:
    belongs_to = identity(subject, recording, settings_of(study.training, seed))
    estimator = load_estimator(checkpoint_file(out, seed), subject, signals, belongs_to)
    return settled(estimator, subject, signals, recording)


def settled(estimator: Estimator, subject: Subject, signals: Signals, recording: Recording) -> Estimate:
    """Return the estimate of a recording without its start, where the network still settles."""
    whole = estimate_recording(estimator, subject, signals, recording.time_s)
    return window(whole, float(recording.time_s[0]) + SETTLED_S, float(recording.time_s[-1]))
