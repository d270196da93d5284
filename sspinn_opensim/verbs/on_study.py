"""Verbs on a study: a path is read, the folder is made absolute, and what is done to it is recorded."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from casadi_dynamics.errors import InputError
from sspinn_opensim.files import require
from sspinn_opensim.recording import Recording
from sspinn_opensim.recording import read_recording as read_recording_of
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.record import recorded
from sspinn_opensim.study import ScalingStudy, Study, read_scaling, read_study
from sspinn_opensim.study.cohort import CohortStudy, is_cohort, read_cohort
from sspinn_opensim.verbs.axes import as_chosen

Result = TypeVar("Result")
T = TypeVar("T")
P = ParamSpec("P")
_Verb = Callable[Concatenate[Any, Path, P], Result]
_Called = Callable[Concatenate[Any, str | Path, P], Result]


class OfPeople(dict[str, Result]):
    """What a verb came to for everyone of a cohort, by name."""

    @property
    def exit_status(self) -> int:
        """Status that the command ends with: the highest of all people's."""
        return max((getattr(found, "exit_status", 0) for found in self.values()), default=0)

    def __str__(self) -> str:
        return f"{len(self)} people: {', '.join(self)}"


def person_folder(out: Path, study: Study) -> Path:
    """Return the results folder of one person of a cohort."""
    return ResultsFolder(out).person(study.name).path


def subject_file(out: Path) -> Path:
    """Return the scaled model of a results folder; one that is missing raises `InputError`."""
    return require(ResultsFolder(out).subject, "run sspinn scale first; sspinn run does all stages")


def people_of(cohort: CohortStudy) -> list[tuple[Study, bool]]:
    """Return everyone with the cohort's settings, and whether the network was trained on them."""
    seen = len(cohort.members)
    return [(replace(study, training=cohort.training), k < seen) for k, study in enumerate(cohort.people)]


def as_study(
    study: str | Path | T, *, scaling: bool = False, unrecorded: bool = False, models: bool = False
) -> T | Path | Study | ScalingStudy | CohortStudy:
    """Return the study or the cohort of a file; what is read already stays as it is.

    Parameters
    ----------
    study : str, Path or object
        What a verb was given; text is a path.
    scaling : bool
        Whether the study may end with the scaling, without a recording.
    unrecorded : bool
        Whether a study with sensors may lack a recording.
    models : bool
        Whether the path of a model stays as it is; else it is refused as no study.
    """
    if not isinstance(study, str | Path):
        return study
    path = Path(study)
    if models and path.suffix.lower() == ".osim":
        return path
    if is_cohort(path):
        return read_cohort(path)
    return read_scaling(path) if scaling else read_study(path, unrecorded=unrecorded)


def read_recording(study: Study | str | Path) -> Recording:
    """Read the recording that a study, or the study file of a path, names.

    SI units, along the axes of the bodies; for sensors that have to be aligned by their signals, their own.
    """
    known = study if isinstance(study, Study) else read_study(study)
    return as_chosen(known, read_recording_of(known))


def on_study(
    *, cohorts: bool = False, scaling: bool = False, unrecorded: bool = False, models: bool = False
) -> Callable[[_Verb[P, Result]], _Called[P, Result]]:
    """Return a decorator that lets a verb take the path of its study, and records what it does to a folder.

    Parameters
    ----------
    cohorts : bool
        Whether the verb works on a `CohortStudy` too; else that is refused.
    scaling : bool
        Whether it works on a study that ends with the scaling.
    unrecorded : bool
        Whether it works on a study with sensors and without a recording.
    models : bool
        Whether it works on the path of a model, without a study.
    """
    reading = {"scaling": scaling, "unrecorded": unrecorded, "models": models}

    def decorated(verb: _Verb[P, Result]) -> _Called[P, Result]:
        @functools.wraps(verb)
        def called(study: Any, out: str | Path, *arguments: P.args, **settings: P.kwargs) -> Result:
            study, out = as_study(study, **reading), Path(out).absolute()
            if isinstance(study, CohortStudy) and not cohorts:
                raise InputError(
                    f"'{verb.__name__}' is for one person.",
                    where=study.path,
                    expected="a study file",
                    found="a cohort file",
                    fix="give one of its studies, with --out FOLDER/people/NAME",
                )
            name, title = verb.__name__.replace("_", "-"), ""
            if isinstance(study, Path):
                title = f"{study.name}, by sspinn {name}"
            elif not isinstance(study, Study | CohortStudy):  # it records what it is given itself
                return verb(study, out, *arguments, **settings)
            with recorded(out, name, title=title, study=study, **settings) as keep:
                done = verb(study, out, *arguments, **settings)
                keep(getattr(done, "notes", ()))
                return done

        return called

    return decorated
