"""Static optimization on an estimate."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.files import require
from sspinn_opensim.gait import STRIDE_S, mean_cycles, most_typical
from sspinn_opensim.gait.files import read_strides, write_cycles
from sspinn_opensim.opensim_io.static_optimization import preparation
from sspinn_opensim.opensim_io.static_optimization import run as static_optimization
from sspinn_opensim.opensim_io.static_optimization.verdict import Verdict
from sspinn_opensim.opensim_io.tables.storage import read_storage
from sspinn_opensim.recording import Recording, output_window, phases
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.study import OutputChoice, Study
from sspinn_opensim.verbs.on_study import on_study

if TYPE_CHECKING:
    from sspinn_opensim.verbs.laboratory_muscles import LaboratoryTrials, MuscleComparison
    from sspinn_opensim.verbs.prepared import Prepared

log = logging.getLogger(__name__)


@on_study()
def muscles(
    study: Study | LaboratoryTrials | Sequence[Path],
    out: Path,
    *,
    workers: int | None = None,
    fast: bool = False,
    whole: bool = False,
    prepared: Prepared | None = None,
) -> Verdict | MuscleComparison:
    """Run static optimization on the estimate; write muscle forces, activations, figures and the verdict.

    Parameters
    ----------
    study : Study, str, Path, LaboratoryTrials or sequence of Path
        Says which part of the estimate is analysed, and with which filter; a path is that of a study file.
        Or a laboratory's own trials; or folders with muscle forces, to be compared.
    out : str or Path
        Results folder, after `estimate`; of trials or a comparison it need not be there.
    workers : int, optional
        Processes at once; by default as many as fit.
    fast : bool
        Solve here instead of in OpenSim.
    whole : bool
        Analyse all of a study's recording, not typical strides alone.
    prepared : Prepared, optional
        What `prepare` returned for the study; else it is called.

    Raises
    ------
    InputError
        There is no estimate, or static optimization cannot use it.
    """
    # It brings much along, and others ask this module only for the window.
    from sspinn_opensim.verbs.laboratory_muscles import LaboratoryTrials, analyse_trials, compare_folders

    if workers is not None and workers < 1:
        raise InputError("workers is no number of processes.", expected="1 or more", found=str(workers))
    if isinstance(study, LaboratoryTrials):
        return analyse_trials(study, out, workers=workers, fast=fast)
    if not isinstance(study, Study):
        return compare_folders(study, out)
    return _of_estimate(study, out, workers=workers, fast=fast, whole=whole, prepared=prepared)


def _of_estimate(
    study: Study, out: Path, *, workers: int | None, fast: bool, whole: bool, prepared: Prepared | None
) -> Verdict:
    """Run static optimization on the estimate in a folder; see `muscles`."""
    from sspinn_opensim.muscles import FastOptimizer
    from sspinn_opensim.report.muscle_charts import write_group_figures
    from sspinn_opensim.verbs.prepared import prepare

    log.info("muscles", extra={"heading": True})
    require(ResultsFolder(out).kinematics, "run sspinn estimate first")
    settings = muscle_settings(study)
    prepared = prepared or prepare(study, out)
    recording, subject = prepared.recording, prepared.subject
    held = {name: value for name, value in subject.fixed.items() if not subject.model.coordinate(name).locked}
    fast = fast or settings.fast
    window = muscle_window(recording, study.output, settings)
    chosen = (study.output.from_s, study.output.to_s, recording.cycle_s) != (None, None, None)
    if settings.strides and not (chosen or whole or fast):
        window = _typical_part(out, recording, settings.strides, window)
    preparation.prepare(out, window=window, settings=settings, held=held)
    if held:
        log.info(
            f"locked, so that no muscle is asked to hold them: {len(held)} of the coordinates, which were "
            "not estimated"
        )
    optimizer = FastOptimizer(settings) if fast else None
    verdict = static_optimization.run(
        out, workers=workers, unit_is_stated=True, measured=False, optimizer=optimizer
    )
    write_group_figures(out)
    _write_cycles(ResultsFolder(out))
    return verdict


def muscle_settings(study: Study) -> preparation.Settings:
    """Return the settings of static optimization on the estimate of a study."""
    return preparation.settings_of_estimate(study.muscles, consistent=study.output.consistent)


def muscle_window(
    recording: Recording, choice: OutputChoice, settings: preparation.Settings
) -> tuple[float, float]:
    """Return the part to analyse; an end that the study leaves open leaves the filter its margin."""
    from_s, to_s = output_window(recording, choice)
    margin = settings.margin_s + 3 / recording.sampling_rate_hz
    if choice.from_s is None:
        from_s = max(from_s, float(recording.time_s[0]) + margin)
    if choice.to_s is None:
        to_s = min(to_s, float(recording.time_s[-1]) - margin)
    first = float(recording.time_s[0]) + settings.margin_s
    last = float(recording.time_s[-1]) - settings.margin_s
    rounding = 0.5 / recording.sampling_rate_hz
    if not first - rounding <= from_s < to_s <= last + rounding:
        raise InputError(
            "The output window leaves the filter no time beside it.",
            where="[output] of the study",
            expected=f"a part of {first:.3f} to {last:.3f} s, {settings.margin_s:.3f} s from both ends",
            found=f"{from_s:.3f} to {to_s:.3f} s",
            fix="change from_s and to_s, or give a longer recording",
        )
    return from_s, to_s


def _typical_part(
    out: Path, recording: Recording, number: int, within: tuple[float, float]
) -> tuple[float, float]:
    """Return the successive strides closest to the median of all; without a stride, the time of so many."""
    files = ResultsFolder(out)
    strides = ()
    if files.strides.is_file():
        motion = read_storage(files.kinematics)
        curves = (column for column in motion.values.T if np.ptp(column) > 0)
        strides = most_typical(motion.time_s, curves, read_strides(files.strides), number, within)
    if not strides:
        return _moving_part(recording, number, within)
    part = _to_samples(recording.time_s, strides[0].from_s, strides[-1].to_s)
    log.info(
        f"{len(strides)} successive strides closest to the median, {part[0]:.2f} to {part[1]:.2f} s; "
        "--all takes everything"
    )
    return part


def _moving_part(recording: Recording, number: int, within: tuple[float, float]) -> tuple[float, float]:
    """Return the middle of the longest movement, as long as some strides; all, if that is no longer.

    Where the person does not walk or run these are strides of the slowest gait. A turn, whose estimate is
    worse, and standing are taken if there is nothing else.
    """
    longest = max(
        phases(recording),
        key=lambda phase: (
            phase.kind not in ("standing", "turning"),
            min(phase.to_s, within[1]) - max(phase.from_s, within[0]),
        ),
    )
    length_s = number * (longest.stride_s or STRIDE_S[1])
    if within[1] - within[0] <= length_s:
        return within
    from_s = (longest.from_s + longest.to_s - length_s) / 2
    from_s = min(max(from_s, within[0]), within[1] - length_s)
    part = _to_samples(recording.time_s, from_s, from_s + length_s)
    kind = "movement" if longest.kind == "other" else longest.kind
    log.info(
        f"no stride was found: {part[0]:.2f} to {part[1]:.2f} s are analysed, the middle of the longest "
        f"{kind}; from_s and to_s under [output] choose another part, --all takes everything"
    )
    return part


def _to_samples(time_s: np.ndarray, from_s: float, to_s: float) -> tuple[float, float]:
    """Return the samples between which a part lies."""
    first = max(int(np.searchsorted(time_s, from_s, "right")) - 1, 0)
    return float(time_s[first]), float(time_s[min(int(np.searchsorted(time_s, to_s)), len(time_s) - 1)])


def _write_cycles(files: ResultsFolder) -> None:
    """Write mean muscle forces over the gait cycle, if whole strides were analysed."""
    files.muscle_cycles.unlink(missing_ok=True)
    if not files.strides.is_file():
        return
    forces = read_storage(files.muscle_forces)
    curves = dict(zip(forces.names, forces.values.T, strict=True))
    if cycles := mean_cycles(forces.time_s, curves, read_strides(files.strides)):
        write_cycles(files.muscle_cycles, cycles)
