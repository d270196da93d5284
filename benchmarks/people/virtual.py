"""Virtual people of two laboratories, with sensors that are turned, misplaced and shaken as real ones are.

A person's motion on their own model in space gives the signals; the estimate uses the built-in planar model,
as it does for real people. Levels are standard deviations of each of the three angles by which a sensor is
turned against the axes that the study states; the same person and trial draw the same turn at each level,
times the level.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.alignment_people import Person, usual_without
from benchmarks.people.references import Measured
from benchmarks.static_trials import write_standing
from benchmarks.virtual_imu import RUNNING, WALKING, Trial, people_of, settings_of, trials
from casadi_dynamics.osim import read_model
from sspinn_opensim.alignment.align import align
from sspinn_opensim.alignment.choices import AlignmentChoice
from sspinn_opensim.alignment.types import Alignment
from sspinn_opensim.evaluation.reference import read_reference
from sspinn_opensim.recording import read_recording
from sspinn_opensim.recording.findings import KINDS
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.simulation.settings import SimulationSettings
from sspinn_opensim.study import Study, read_study
from sspinn_opensim.verbs.axes import as_chosen
from sspinn_opensim.verbs.simulate_imu import simulate_imu

#: Standard deviation along each axis by which a sensor misses its place, m: four of five are then 0.9 to 3.0
#: cm off.
POSITION_M = 0.012
#: What a study says of sensors that were strapped on by eye.
STATED_WITHIN_DEG = 8.0
#: Runners have a trial at 2, 3, 4 and 5 m/s each; with one trial a person, the first three run at these.
_ONE_SPEED_M_S = (3, 5, 4, 2)


def chosen_trials(data: Path, people: int, every: bool) -> list[Trial]:
    """Return the trials of the first walkers and runners.

    Parameters
    ----------
    people : int
        So many walkers, and so many runners (there are nine and four).
    every : bool
        Whether all trials of a person are taken; else one: walkers at their preferred and at their fast speed
        in turn, runners at 3, 5, 4 and 2 m/s.
    """
    found = trials(data)
    chosen = []
    for dataset in (WALKING, RUNNING):
        for k, person in enumerate(people_of(found, dataset)[:people]):
            own = [trial for trial in found if trial.person == person]
            if not every and dataset == WALKING:
                own = own[k % len(own) :][:1]
            elif not every:
                speed = _ONE_SPEED_M_S[k % len(_ONE_SPEED_M_S)]
                own = [trial for trial in own if trial.belt_speed_m_s == speed] or own[:1]
            chosen += own
    return chosen


def misaligned(
    trial: Trial,
    level_deg: float,
    *,
    space: bool = False,
    standing_s: float = 0.0,
    standing: Path | None = None,
) -> SimulationSettings:
    """Return how a trial is recorded by sensors that are turned by a level, degrees.

    Parameters
    ----------
    standing_s : float
        So long the person stands first, s.
    standing : Path or None
        Motion file of the posture; None: the default posture of the model.
    """
    settings = settings_of(trial, sum(map(ord, trial.name)), space=space)
    errors = dataclasses.replace(
        settings.errors, misalignment_deg=level_deg, position_m=POSITION_M, ringing=1.0
    )
    motion = dataclasses.replace(settings.motion, standing_s=standing_s, standing=standing)
    return dataclasses.replace(settings, errors=errors, motion=motion)


def write_study(
    trial: Trial, level_deg: float, folder: Path, *, space: bool = False, standing_s: float = 0.0
) -> Path:
    """Write a virtual recording with its study and reference; what is there is kept.

    Parameters
    ----------
    space : bool
        Whether everyone's own model is estimated in space, else the built-in one in the plane.
    standing_s : float
        So long the person stands first, as in their static trial; runners have none, and stand straight.
    """
    file = ResultsFolder(folder).study
    if file.exists():
        return file
    standing = write_standing(trial, folder / "standing.mot") if standing_s else None
    settings = misaligned(trial, level_deg, space=space, standing_s=standing_s, standing=standing)
    return simulate_imu(trial.model, trial.motion, folder, settings).study


def read_virtual(file: Path, axes: str) -> Study:
    """Return the study of a virtual recording.

    Nothing that is found wrong with the recording stops it: turned sensors are what is measured.

    Parameters
    ----------
    axes : {'stated', 'refined', 'aligned'}
        As the study states them, so that training alone can find the turn; the same within
        `STATED_WITHIN_DEG`, so that the signals refine them; or by the signals alone.
    """
    study, alignment = read_study(file), study_alignment(axes)
    recording = dataclasses.replace(study.recording, accepted=tuple(KINDS))
    return dataclasses.replace(study, alignment=alignment, recording=recording)


def study_alignment(axes: str) -> AlignmentChoice:
    """Return how sensors are aligned."""
    if axes == "aligned":
        return AlignmentChoice(method="signals")
    return AlignmentChoice(stated_within_deg=STATED_WITHIN_DEG if axes == "refined" else None)


def alignment_by_others(study: Study, people: Sequence[Person], name: str) -> Alignment | None:
    """Return how the sensors of a person sit, by how all others move and stand; None if axes are known."""
    recording = as_chosen(study, read_recording(study, whole=True))
    if all(sensor.axes_known for sensor in recording.sensors):
        return None
    part = study.recording.standing_s
    gaits, postures = usual_without(people, name)
    choice, standing_s = study.alignment, (part,) if part else ()
    return align(recording, choice, standing_s=standing_s, gaits=gaits, postures=postures)


def reference(study: Study, model: Path, time_s: np.ndarray) -> Measured:
    """Return what the laboratory measured in the part of a virtual recording that is scored.

    Parameters
    ----------
    model : Path
        Model of the estimate.
    time_s : (n,) array
        Clock of the recording, s.
    """
    at = read_reference(study, read_model(model))
    if at is None:
        raise ValueError("a virtual recording of a laboratory has a reference")
    first, last = study.output.from_s, study.output.to_s
    inside = time_s[
        (time_s >= (-np.inf if first is None else first)) & (time_s <= (np.inf if last is None else last))
    ]
    found = at(inside)
    return Measured(
        {name: (inside, angle) for name, angle in found.angles.items()},
        {name: (inside, moment) for name, moment in found.moments.items()},
        {side: (inside, force) for side, force in found.ground_force.items()},
    )


def means(rows: Sequence[dict], levels: Iterable[str]) -> list[dict]:
    """Return a row of means over people for walking and running at each level.

    Parameters
    ----------
    rows : sequence of dict
        Each with ``kind``, ``level`` and numbers; people count alike, with the mean over their rows.
    """
    found = []
    for kind in ("walking", "running"):
        for level in levels:
            own = [row for row in rows if row.get("kind") == kind and row.get("level") == level]
            people = sorted({row["person"] for row in own})
            numbers = [key for row in own for key in row if isinstance(row[key], float)]
            if not own:
                continue
            mean: dict[str, str | float] = {"recording": f"{kind}@{level} ({len(people)} people)"}
            for key in dict.fromkeys(numbers):
                each = [[row[key] for row in own if row["person"] == one and key in row] for one in people]
                mean[key] = float(np.mean([np.mean(values) for values in each if values]))
            found.append(mean)
    return found
