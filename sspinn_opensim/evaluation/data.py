"""The curves that one evaluation compares, read once from a results folder and put on the same frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Model
from casadi_dynamics.osim import read_model
from sspinn_opensim.evaluation.baseline import (
    constant_posture,
    sagittal_joints,
    segment_angle_baseline,
)
from sspinn_opensim.evaluation.curves import Curves, read_deviations, read_estimate
from sspinn_opensim.evaluation.reference import Reference, ReferenceAt, read_reference
from sspinn_opensim.evaluation.strides import strides_of
from sspinn_opensim.gait import Strides
from sspinn_opensim.recording import (
    FORMATS,
    Phase,
    Recording,
    on_model,
    output_window,
    phases,
)
from sspinn_opensim.recording.movement.sagittal import sagittal_signals
from sspinn_opensim.results.folder import ResultsFolder, seed_name
from sspinn_opensim.study import ReferenceChoice, Study
from sspinn_opensim.training.coordinates import held_in


@dataclass(frozen=True)
class EvaluationData:
    """Everything an evaluation compares, on the same frames.

    Attributes
    ----------
    recording : Recording
        The whole recording, with its sensors on the bodies of `model`.
    model : Model
        The scaled model.
    frames_s : ndarray, shape (n,)
        The evaluated times.
    cycles : int or None
        How many whole gait cycles they are; None where the cycle is unknown or longer than the output.
    seeds : mapping of str to Curves
        Estimates by seed, the first seed first.
    deviations : mapping of str to Curves
        Standard deviations by seed, for the seeds that have them.
    baseline, posture : Curves
        The label-free baseline and the constant posture (angles only).
    joints : tuple of str
        Coordinates that may be scored: rotational, estimated, not of the root joint.
    reference, lagged_reference : Reference or None
        The reference at zero time shift, and as sensors with the declared lag would see it.
    lag_s : float or None
        The declared lag.
    phases : tuple of Phase
        What the person does in the recording.
    strides : Strides
        Those of the first seed's estimate.
    """

    recording: Recording
    model: Model
    frames_s: np.ndarray
    cycles: int | None
    seeds: Mapping[str, Curves]
    deviations: Mapping[str, Curves]
    baseline: Curves
    posture: Curves
    joints: tuple[str, ...]
    reference: Reference | None
    lagged_reference: Reference | None
    lag_s: float | None
    phases: tuple[Phase, ...]
    strides: Strides

    @property
    def first(self) -> tuple[Curves, Curves | None]:
        """The estimate that OpenSim gets, and its standard deviations where it has them."""
        seed, curves = next(iter(self.seeds.items()))
        return curves, self.deviations.get(seed)


def read_evaluation_data(study: Study, results: Path, recording: Recording) -> EvaluationData:
    """Read what a finished results folder holds and what it is compared with.

    Parameters
    ----------
    study : Study
        Names the seeds, the part to evaluate and the reference.
    results : Path
        Folder with ``subject.osim`` and ``seeds/seed_<k>/`` for every seed of the study.
    recording : Recording
        The study's, along the axes of the bodies: the baseline takes its signals as they are.

    Returns
    -------
    EvaluationData
        Frames are those of the estimate inside the study's output window, cut to whole gait cycles.

    Raises
    ------
    InputError
        A file is missing or malformed, seeds have different times, or no estimate lies in the window.
    """
    results = Path(results)
    model = read_model(ResultsFolder(results).subject)
    recording = on_model(recording, model)
    seeds = {seed_name(k): ResultsFolder(results).seed(k).path for k in study.training.seeds}
    whole = {name: read_estimate(folder, model) for name, folder in seeds.items()}
    time_s = _common_time(whole, results)
    frames, cycles = _evaluated_frames(time_s, recording, study)
    frames_s = time_s[frames]
    deviations = {name: read_deviations(folder, model, time_s) for name, folder in seeds.items()}
    # Those beside the files for OpenSim belong to the first seed's estimate.
    first = next(iter(seeds))
    deviations[first] = deviations[first] or read_deviations(results, model, time_s)

    signals = sagittal_signals(recording, model)
    baseline = segment_angle_baseline(signals, sagittal_joints(model, signals.rate))
    every_joint = sagittal_joints(model, [body.name for body in model.bodies])
    reference_at = _periodic(read_reference(study, model, joints=every_joint), study, recording)
    lag_s = _declared_lag_s(study.reference)
    told = phases(recording)
    return EvaluationData(
        recording=recording,
        model=model,
        frames_s=frames_s,
        cycles=cycles,
        seeds={name: curves.select(frames) for name, curves in whole.items()},
        deviations={name: d.select(frames) for name, d in deviations.items() if d is not None},
        baseline=baseline.angles_at(frames_s),
        posture=constant_posture(frames_s, every_joint),
        joints=_scored_joints(results, model, study, recording),
        reference=reference_at and reference_at(frames_s),
        lagged_reference=reference_at(frames_s - lag_s) if reference_at and lag_s else None,
        lag_s=lag_s,
        phases=told,
        strides=strides_of(whole[first], study.person, recording, told),
    )


def _periodic(reference_at: ReferenceAt | None, study: Study, recording: Recording) -> ReferenceAt | None:
    """Return a reference of one mean stride, repeated as the stride of the recording is."""
    cycle_s, start_s = study.recording.cycle_s, float(recording.time_s[0])
    if reference_at is None or cycle_s is None:
        return reference_at

    def repeated(time_s: np.ndarray) -> Reference:
        within = reference_at(start_s + np.mod(time_s - start_s, cycle_s))
        return replace(within, time_s=time_s, cycle_s=cycle_s)

    return repeated


def _declared_lag_s(reference: ReferenceChoice | None) -> float | None:
    if reference is None:
        return None
    own = FORMATS.get(reference.format)
    declared = own and own.laboratory_lag_s if reference.lag_s is None else reference.lag_s
    return declared or None


def _common_time(estimates: Mapping[str, Curves], results: Path) -> np.ndarray:
    first, *others = estimates.values()
    for other in others:
        if len(other.time_s) != len(first.time_s) or np.abs(other.time_s - first.time_s).max() > 1e-6:
            raise InputError(
                "The estimates of the seeds have different times.",
                where=str(ResultsFolder(results).seeds),
                fix="run `sspinn estimate` again for all seeds",
            )
    return first.time_s


def _evaluated_frames(time_s: np.ndarray, recording: Recording, study: Study) -> tuple[slice, int | None]:
    """Frames of the output window that the estimate covers, cut to whole cycles where that leaves any."""
    from_s, to_s = output_window(recording, study.output)
    step_s = 1.0 / recording.sampling_rate_hz
    from_s, to_s = max(from_s, time_s[0]), min(to_s, time_s[-1] + step_s)
    cycles = None
    if recording.cycle_s is not None:
        cycles = int((to_s - from_s) / recording.cycle_s + 0.25 * step_s) or None
        if cycles:
            to_s = from_s + cycles * recording.cycle_s
    frames = (time_s > from_s - 0.25 * step_s) & (time_s < to_s - 0.25 * step_s)
    if not frames.any():
        raise InputError(
            "The estimate holds no frame of the output window.",
            where=str(study.path),
            expected=f"{from_s:g} to {to_s:g} s",
            found=f"{time_s[0]:g} to {time_s[-1]:g} s",
        )
    first, last = np.flatnonzero(frames)[[0, -1]]
    return slice(int(first), int(last) + 1), cycles


def _scored_joints(results: Path, model: Model, study: Study, recording: Recording) -> tuple[str, ...]:
    held = held_in(results, study.coordinates, recording.sensors, model)
    kept = set(model.root_coordinates()) | set(held)
    return tuple(c.name for c in model.coordinates if c.motion == "rotational" and c.name not in kept)
