"""Each verb as one function: a study and a folder in, files in the folder out."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Model
from casadi_dynamics.model.path_fits import dump_fits, fits_file
from casadi_dynamics.osim import read_model
from casadi_dynamics.simbody_defect import with_defect
from casadi_dynamics.symbolic import build
from casadi_dynamics.verify import compare
from sspinn_opensim import __version__
from sspinn_opensim.console import say
from sspinn_opensim.estimation import Estimate, write_estimate
from sspinn_opensim.estimation import estimate as estimate_recording
from sspinn_opensim.estimation.figure import stick_figure
from sspinn_opensim.estimation.uncertainty import band
from sspinn_opensim.estimation.write import window
from sspinn_opensim.evaluation import evaluate as evaluate_results
from sspinn_opensim.evaluation import format_table, read_histories, write_report
from sspinn_opensim.opensim_io import muscle_setup, static_optimization
from sspinn_opensim.opensim_io.external_loads import write_external_loads
from sspinn_opensim.opensim_io.files import write_atomically
from sspinn_opensim.opensim_io.jobs import run_job
from sspinn_opensim.opensim_io.path_fits import (
    LENGTH_M,
    MOMENT_ARM_M,
    fit_wrapped_paths,
    worst_fit,
)
from sspinn_opensim.opensim_io.scaling import copy_scaled, scale_by_height_and_mass
from sspinn_opensim.opensim_io.shoes import put_on_shoes
from sspinn_opensim.opensim_io.upgraded_model import current_file
from sspinn_opensim.readme_file import readme
from sspinn_opensim.recording import (
    Recording,
    check_placement,
    describe_doubts,
    output_window,
    read_recording,
)
from sspinn_opensim.seeds import checkpoint_file, settings_of, train_seed
from sspinn_opensim.study import OutputChoice, Study, examples_folder, read_study
from sspinn_opensim.training.checkpoint import identity, load_estimator
from sspinn_opensim.training.cohort import alone
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


def scale(study: Study, out: Path) -> None:
    """Write `subject.osim` and `scaling.json`."""
    say("scale", heading=True)
    out.mkdir(parents=True, exist_ok=True)
    choice, subject = study.model, out / "subject.osim"
    with tempfile.TemporaryDirectory(prefix="upgraded_model_") as folder:
        file = current_file(choice.file, Path(folder))
        if choice.scaled:
            report = copy_scaled(file, subject, study.person)
        else:
            report = scale_by_height_and_mass(
                file, subject, study.person, generic_height_m=choice.generic_height_m
            )
    write_atomically(out / "scaling.json", json.dumps(report.to_json(), indent=1) + "\n")
    say(report.table())
    soles = study.person.shoe_heel_mm, study.person.shoe_forefoot_mm
    if any(soles):
        moved = put_on_shoes(subject, *soles)
        say(f"shoes: {soles[0]:g} mm under the heel, {soles[1]:g} mm in front; lowered {', '.join(moved)}")


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
        say("note: without contact points on the feet the model can be checked, but not trained")
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


def train(study: Study, out: Path, restart: bool = False) -> None:
    """Train one network per seed on the IMU signals alone; goes on from the last checkpoint of each."""
    say("train", heading=True)
    recording, subject, signals = prepare(study, out)
    for doubt in describe_doubts(recording):
        say(f"note: {doubt}")
    for seed in study.training.seeds:
        settings = settings_of(study.training, seed)
        belongs_to = identity(subject, recording, settings)
        train_seed(alone(subject, signals), settings, belongs_to, out, restart)


def estimate(study: Study, out: Path) -> None:
    """Write motion and forces of every seed, and the first seed's as the files that OpenSim loads."""
    say("estimate", heading=True)
    recording, subject, signals = prepare(study, out)
    write_results(study, out, subject, lambda seed: _estimate(study, out, seed, recording, subject, signals))
    _check_readable(out)
    say("wrote kinematics.mot, moments.sto, grf.mot, each with its deviations (_sd), and external_loads.xml")


def write_results(study: Study, out: Path, subject: Subject, estimate_of: Callable[[int], Estimate]) -> None:
    """Write the estimate of every seed, and the first seed's, with its uncertainty, for OpenSim."""
    results = {seed: estimate_of(seed) for seed in study.training.seeds}
    for seed, result in results.items():
        write_estimate(result, subject.model, out / "seeds" / f"seed_{seed}", f"{study.name} seed {seed}")
    first, *_ = results.values()
    write_estimate(first, subject.model, out, study.name)
    write_external_loads(out / "external_loads.xml", first.ground.feet, "grf.mot")
    rotational = [c.motion == "rotational" for c in subject.model.coordinates]
    deviations = band(list(results.values()), rotational, subject.body_weight, subject.height_m)
    write_estimate(deviations, subject.model, out, f"{study.name} standard deviations", suffix="_sd")
    write_atomically(out / "README.txt", readme(study))


def muscles(study: Study, out: Path) -> None:
    """Run static optimization on the estimate; write muscle forces, activations and the verdict."""
    say("muscles", heading=True)
    require(out, "kinematics.mot", "run sspinn estimate first")
    settings = muscle_setup.Settings(
        lowpass_hz=study.muscles.lowpass_hz, muscle_physiology=study.muscles.physiology
    )
    muscle_setup.prepare(
        out, window=_muscle_window(read_recording(study), study.output, settings), settings=settings
    )
    say(static_optimization.run(out).summary())


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
    versions = _versions()
    settings = {"study": json.loads(json.dumps(asdict(study), default=lambda path: path.name))}
    report = write_report(
        out,
        study,
        metrics=metrics,
        stick_figure=stick_figure(subject, window(shown, from_s, to_s)),
        histories=read_histories(out),
        versions=versions,
        settings=settings,
        recording=recording,
    )
    manifest = {"versions": versions, "model": subject.model.content_hash, **settings}
    write_atomically(out / "manifest.json", json.dumps(manifest, indent=1) + "\n")
    say(f"report: {report}")
    say("in OpenSim: open subject.osim, then load motion kinematics.mot; README.txt says more")


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
    recording = read_recording(study)
    check_placement(recording.sensors, model, str(study.path))
    subject = make_subject(model, recording, study.coordinates.fixed, height_m=study.person.height_m)
    return recording, subject, make_signals(recording, subject)


def _estimate(study: Study, out: Path, seed: int, recording: Recording, subject, signals) -> Estimate:
    belongs_to = identity(subject, recording, settings_of(study.training, seed))
    estimator = load_estimator(checkpoint_file(out, seed), subject, signals, belongs_to)
    return settled(estimator, subject, signals, recording)


def settled(estimator: Estimator, subject: Subject, signals: Signals, recording: Recording) -> Estimate:
    """Return the estimate of a recording without its start, where the network still settles."""
    whole = estimate_recording(estimator, subject, signals, recording.time_s)
    return window(whole, float(recording.time_s[0]) + SETTLED_S, float(recording.time_s[-1]))


def _check_readable(out: Path) -> None:
    """Let both of OpenSim's readers read what was written: either can be silent about what it misread."""
    for name in ("kinematics.mot", "moments.sto", "grf.mot"):
        run_job("read_storage", {"path": out / name}, timeout_s=120)


def _versions() -> dict[str, str]:
    packages = ("opensim", "casadi", "torch", "lightning", "numpy", "scipy", "llvmlite")
    found = {name: metadata.version(name) for name in packages}
    return {"sspinn_opensim": __version__, "python": sys.version.split()[0], **found}
