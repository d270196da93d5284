"""``sspinn muscles`` on a laboratory's own motion and forces, through the checks that estimates go through.

Several motions make a folder each, and one more page that compares them. A trial that cannot be used is
named, and the others go on.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from casadi_dynamics.errors import InputError
from sspinn_opensim.muscles import FastOptimizer
from sspinn_opensim.opensim_io.static_optimization import run as static_optimization
from sspinn_opensim.opensim_io.static_optimization.comparison import muscle_comparison, write_comparison
from sspinn_opensim.opensim_io.static_optimization.preparation import Settings, prepare
from sspinn_opensim.opensim_io.static_optimization.trial_files import import_trial
from sspinn_opensim.opensim_io.static_optimization.verdict import Verdict
from sspinn_opensim.opensim_io.tables.staging import written_together
from sspinn_opensim.report.muscle_page import write_comparison_page, write_trial_page
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.record import recorded, records

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrialFiles:
    """What a laboratory has of one trial.

    Parameters
    ----------
    name : str
        Of its folder among several.
    external_loads : Path or None
        None where nothing touches the body.
    from_s, to_s : float or None
        Part to analyse, s; by default all that motion and forces explain.
    """

    name: str
    motion: Path
    external_loads: Path | None
    from_s: float | None = None
    to_s: float | None = None


@dataclass(frozen=True)
class LaboratoryTrials:
    """A laboratory's trials with one model, to be analysed.

    Attributes
    ----------
    model : Path
        The subject's model.
    trials : tuple of TrialFiles
        One or more; several are compared afterwards.
    settings : Settings
        Of static optimization.
    unit : {'degrees', 'radians'} or None
        Of the angles, instead of what the headers say.
    """

    model: Path
    trials: tuple[TrialFiles, ...]
    settings: Settings = field(default_factory=Settings)
    unit: str | None = None


@dataclass(frozen=True)
class MuscleComparison:
    """Muscle forces of several trials beside each other.

    Attributes
    ----------
    verdicts : dict of str to dict
        What `static_optimization.json` says of each trial.
    page : Path or None
        Their comparison; None of a single trial.
    """

    verdicts: Mapping[str, Mapping]
    page: Path | None = None

    def __str__(self) -> str:
        ok = sum(bool(verdict.get("ok")) for verdict in self.verdicts.values())
        where = f"; comparison: {self.page}" if self.page else ""
        return f"{len(self.verdicts)} trials, {ok} to be trusted{where}"


def settings_of(lowpass_hz: float | None, *, physiology: bool = True) -> Settings:
    """Return the usual settings with another filter, Hz, or with muscles that ignore length and speed."""
    chosen = Settings(physiology=physiology)
    return chosen if lowpass_hz is None else replace(chosen, lowpass_hz=lowpass_hz)


def trials_of(
    motions: Sequence[Path],
    external_loads: Sequence[Path],
    from_s: Sequence[float] = (),
    to_s: Sequence[float] = (),
) -> list[TrialFiles]:
    """Join what was given for each motion; one value holds for all, none for none."""
    given = {"--external-loads": external_loads, "--from": from_s, "--to": to_s}
    for option, values in given.items():
        if len(values) > 1 and len(values) != len(motions):
            raise InputError(
                f"{option} does not fit the motions",
                expected=f"one value, or {len(motions)} in the order of the motions",
                found=str(len(values)),
            )
    names = _names(motions)
    spread = [v if len(v) > 1 else [*v, None][:1] * len(motions) for v in given.values()]
    return [TrialFiles(*row) for row in zip(names, motions, *spread, strict=True)]


def _names(motions: Sequence[Path]) -> list[str]:
    """Return a name for each motion: its file's, with its folder's where files are called alike."""
    names = [motion.stem for motion in motions]
    if len(set(names)) < len(names):
        names = [f"{motion.absolute().parent.name}_{motion.stem}" for motion in motions]
    if len(set(names)) < len(names):
        raise InputError("two motions have the same name", found=", ".join(map(str, motions)))
    return names


def analyse_trials(
    laboratory: LaboratoryTrials, out: Path, *, workers: int | None = None, fast: bool = False
) -> MuscleComparison:
    """Run static optimization of a laboratory's trials.

    One trial goes to `out` itself; several go to a folder each, and their comparison to `out`. A `fast` run
    does without OpenSim's optimizer.

    Raises
    ------
    InputError
        The only trial cannot be used, or, once the others are done, some of several.
    """
    model, trials, settings = laboratory.model, laboratory.trials, laboratory.settings
    optimizer = FastOptimizer(settings) if fast else None
    options = {"unit": laboratory.unit, "workers": workers, "optimizer": optimizer}
    if len(trials) == 1:
        verdict = analyse_trial(model, trials[0], out, settings, **options)
        return MuscleComparison({trials[0].name: verdict.to_json()})
    verdicts, refused = {}, {}
    for trial in trials:
        try:
            verdict = analyse_trial(model, trial, out / trial.name, settings, **options)
            verdicts[trial.name] = verdict.to_json()
        except InputError as error:
            refused[trial.name] = error
            log.info(f"{trial.name}: {error}")
    found = MuscleComparison(verdicts)
    if len(verdicts) > 1:
        found = compare_trials({name: out / name for name in verdicts}, out, "Muscle forces over trials")
    if refused:
        done = f"{len(verdicts)} of {len(trials)} trials are done"
        raise InputError(
            f"{len(refused)} of {len(trials)} trials cannot be used: {', '.join(refused)}",
            where=str(out),
            found="; ".join(f"{name}: {error.what}" for name, error in refused.items()),
            fix=f"see what was said of each above; {done}",
        )
    return found


def analyse_trial(
    model: Path,
    trial: TrialFiles,
    out: Path,
    settings: Settings,
    *,
    unit: str | None = None,
    workers: int | None = None,
    optimizer: FastOptimizer | None = None,
) -> Verdict:
    """Run static optimization of one trial and write its page.

    Raises
    ------
    InputError
        A file cannot be used, or would lead to wrong forces without a word from OpenSim. The folder is then
        as it was before.
    """
    log.info(f"muscles: {trial.name}", extra={"heading": True})
    title, fast = f"Muscle forces of {trial.name}", optimizer is not None
    try:
        with (
            recorded(out, "muscles", title=title, model=model, trial=trial, settings=settings, fast=fast),
            written_together(out) as folder,
            _naming_the_laboratorys_files(folder, model, trial),
        ):
            brought = import_trial(
                model,
                trial.motion,
                trial.external_loads,
                folder,
                settings=settings,
                from_s=trial.from_s,
                to_s=trial.to_s,
                unit=unit,
            )
            for note in brought.notes:
                log.info(f"note: {note}")
            from_s, to_s = brought.window
            filtered = f"coordinates filtered at {settings.lowpass_hz:g} Hz"
            log.info(f"analysed from {from_s:.3f} to {to_s:.3f} s, {filtered}")
            prepare(
                folder,
                external_loads=brought.external_loads,
                window=brought.window,
                settings=settings,
                seen=brought.seen,
            )
            verdict = static_optimization.run(
                folder,
                workers=workers,
                unit_is_stated=unit is not None,
                seen=brought.seen,
                optimizer=optimizer,
            )
            log.info(verdict)
            facts = [
                f"model {model.name}",
                f"motion {trial.motion.name}",
                f"{from_s:.3f} to {to_s:.3f} s",
                f"filter {settings.lowpass_hz:g} Hz" if settings.lowpass_hz > 0 else "no filter",
            ]
            write_trial_page(folder, f"Muscle forces, {trial.name}", facts, brought.notes)
    except BaseException:
        with suppress(OSError):  # there before, or with files in it
            out.rmdir()
        raise
    log.info(f"report: {ResultsFolder(out).report}")
    return verdict


@records("muscles", "{title}")
def compare_trials(folders: dict[str, Path], out: Path, title: str) -> MuscleComparison:
    """Compare the muscle forces of several folders, estimates or laboratory trials."""
    log.info("comparison of trials", extra={"heading": True})
    comparison = muscle_comparison(folders)
    out.mkdir(parents=True, exist_ok=True)
    write_comparison(comparison, out)
    model = ResultsFolder(next(iter(folders.values()))).subject
    page = write_comparison_page(comparison, model, out, title)
    return MuscleComparison(comparison.verdicts, page)


def compare_folders(folders: Sequence[Path], out: Path) -> MuscleComparison:
    """Compare the muscle forces of finished folders under their names."""
    named = {folder.absolute().name: folder for folder in folders}
    if len(named) < len(folders):
        named = {f"{f.absolute().parent.name}_{f.absolute().name}": f for f in folders}
    if len(named) < len(folders):
        raise InputError("Two folders have the same name.", found=", ".join(map(str, folders)))
    return compare_trials(named, out, "Muscle forces over trials")


@contextmanager
def _naming_the_laboratorys_files(folder: Path, model: Path, trial: TrialFiles) -> Iterator[None]:
    """Let an error name the file that the laboratory gave, not the copy that nobody will find."""
    files = ResultsFolder(folder)
    given = {files.kinematics: trial.motion, files.subject: model, files.static_optimization_model: model}
    if trial.external_loads is not None:
        given |= {files.external_loads: trial.external_loads, files.grf: f"data of {trial.external_loads}"}
    try:
        yield
    except InputError as error:
        if own := given.get(Path(error.where)):
            raise error.at(own) from error
        raise
