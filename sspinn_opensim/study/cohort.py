"""The cohort file: studies whose people train one network, and studies of people whom it never saw."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from casadi_dynamics.errors import InputError
from sspinn_opensim.settings import Location, load, read_tables
from sspinn_opensim.study.checks import check_seeds
from sspinn_opensim.study.format import Study, TrainingChoice
from sspinn_opensim.study.read import read_study

#: Optimizer steps where a cohort file states none: people share them.
_STEPS = 600


@dataclass(frozen=True)
class _CohortTable:
    """The keys of the file."""

    members: tuple[Path, ...]
    unseen: tuple[Path, ...] = ()
    name: str = ""
    training: TrainingChoice = field(default_factory=TrainingChoice)


@dataclass(frozen=True)
class CohortStudy:
    """All a user says about a network of many people.

    Parameters
    ----------
    path : Path
        The cohort file.
    name : str
        Default: name of the file without its ending.
    members : tuple of Study
        People the network is trained on.
    unseen : tuple of Study
        People it is only tried on.
    training : TrainingChoice
        How it is trained; what the studies say of training does not count.
    """

    path: Path
    name: str
    members: tuple[Study, ...]
    unseen: tuple[Study, ...]
    training: TrainingChoice

    @property
    def people(self) -> tuple[Study, ...]:
        """All studies, members first."""
        return (*self.members, *self.unseen)


def is_cohort(path: str | Path) -> bool:
    """Say whether a file is a cohort file: TOML with the key `members`."""
    try:
        return "members" in load(Path(path))[1]
    except InputError:  # what is wrong with it is said by whoever reads it as what it should be
        return False


def read_cohort(path: str | Path, *, sensors: str | Iterable[str] | None = None) -> CohortStudy:
    """Read and check a cohort file and the studies it names.

    Parameters
    ----------
    sensors : str or iterable of str, optional
        The sensors to use, instead of each study's choice.

    Raises
    ------
    InputError
        If the file or a study cannot be used, or two studies share a name.
    """
    path = Path(path).absolute()
    table = read_tables(path, _CohortTable, "cohort file")

    def studies(files: Iterable[Path]) -> tuple[Study, ...]:
        return tuple(read_study(file, sensors=sensors) for file in files)

    training = table.training if table.training.steps else replace(table.training, steps=_STEPS)
    cohort = CohortStudy(
        path, table.name or path.stem, studies(table.members), studies(table.unseen), training
    )
    _check_names(cohort)
    _check_apart(cohort)
    return cohort


def _check_apart(cohort: CohortStudy) -> None:
    """Refuse a recording on both sides: an error on what was trained on must not count as one on unseen."""
    seen = {study.recording.file: study for study in cohort.members}
    for study in cohort.unseen:
        if study.recording.file in seen:
            raise InputError(
                f"The recording of '{study.name}' is both trained on and unseen.",
                where=str(cohort.path),
                found=f"{study.recording.file}, also of '{seen[study.recording.file].name}'",
                fix="name it under members or under unseen",
            )
    check_seeds(cohort.training, Location(cohort.path, keys=("training", "seeds")))


def _check_names(cohort: CohortStudy) -> None:
    taken: dict[str, Path] = {}
    for study in cohort.people:
        if study.name in taken:
            raise InputError(
                f"Two studies of the cohort are called '{study.name}'.",
                where=str(cohort.path),
                found=f"{taken[study.name]} and {study.path}",
                fix='give them different names: name = "..." at the top of the study',
            )
        if study.name in (".", "..") or "/" in study.name or "\\" in study.name:
            raise InputError(
                f"The name '{study.name}' cannot be that of a folder.", where=str(study.path), fix="rename it"
            )
        taken[study.name] = study.path
    alone = {study.name for study in cohort.people if not study.person.id}
    for study in cohort.people:
        if study.person.id in alone:
            raise InputError(
                f"The person '{study.person.id}' is called like another study, which is of its own person.",
                where=f"{study.path}, person.id",
                found=str(taken[study.person.id]),
                fix="give both the same [person] id, or one of them another name",
            )
