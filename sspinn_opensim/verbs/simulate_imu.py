"""`sspinn simulate-imu`: a model and its motion in; a virtual recording, its study and the truth out."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import osim_models
from casadi_dynamics.errors import InputError
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import BodyFunctions, build
from sspinn_opensim.files import write_atomically
from sspinn_opensim.opensim_io.tables.external_loads import read_external_loads
from sspinn_opensim.opensim_io.tables.storage import read_storage, write_storage
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.record import records
from sspinn_opensim.simulation import laboratory, places
from sspinn_opensim.simulation.reference_tables import reference_tables
from sspinn_opensim.simulation.settings import (
    PERFECT,
    SimulationSettings,
    StudySettings,
    changed,
    check,
    read_settings,
)
from sspinn_opensim.simulation.study_files import recording_csv, study_toml, truth_json
from sspinn_opensim.simulation.walk import Walk, build_current, read_walk, record_walk
from sspinn_opensim.study import ModelChoice, Person

BUILTIN = "planar_gait"


@dataclass(frozen=True)
class Simulation:
    """A virtual recording that was written."""

    study: Path

    def __str__(self) -> str:
        study, results = (shlex.quote(str(path)) for path in (self.study, self.study.parent / "results"))
        return f"wrote {self.study}\nnext: sspinn run {study} --out {results}"


def settings_for(
    file: Path | None, changes: Mapping[str, object], *, perfect: bool = False
) -> SimulationSettings:
    """Return the settings of a file, or the defaults, with some of them replaced."""
    settings = SimulationSettings() if file is None else read_settings(file)
    if perfect:
        settings = replace(settings, errors=PERFECT)
    return changed(settings, changes)


@records("simulate-imu", "A virtual recording of {motion.stem}")
def simulate_imu(
    model: str | Path,
    motion: str | Path,
    out: str | Path,
    settings: SimulationSettings | str | Path | None = None,
    *,
    perfect: bool = False,
    changes: Mapping[str, object] | None = None,
) -> Simulation:
    """Write `recording.csv`, `truth.json`, `study.toml` and the reference tables.

    Parameters
    ----------
    model, motion : str or Path
        OpenSim model, and a ``.mot`` or ``.sto`` file of its coordinates.
    out : str or Path
        Folder; made if it is not there.
    settings : SimulationSettings, str or Path, optional
        All settings, or the TOML file of some; by default those of `SimulationSettings`.
    perfect : bool
        Whether the sensors are without any error, unless all settings are given.
    changes : mapping of str to object, optional
        Settings to replace in the file's, by their keys in it, such as ``study.height_m``.

    Raises
    ------
    InputError
        If anything cannot be used; nothing is written then.
    """
    model, motion, out = Path(model), Path(motion), Path(out).absolute()
    results = ResultsFolder(out)
    if results.study.is_file() and not results.truth.is_file():
        raise InputError(
            "The folder holds a study that is none of a simulation, which would be lost.",
            where=results.study,
            fix="choose another --out, or move the study",
        )
    if not isinstance(settings, SimulationSettings):
        file = None if settings is None else Path(settings)
        settings = settings_for(file, changes or {}, perfect=perfect)
    height_m = _usable(settings)
    walk = read_walk(model, motion, settings)
    sensors = places.virtual_sensors(walk.functions, settings.sensors)
    recording = record_walk(walk, sensors, settings)
    study_model, chosen = _study_model(model, walk, settings.study.model)
    placed = {s.name: places.on_study(walk.functions, study_model, s) for s in sensors}
    placed = {name: place for name, place in placed.items() if place is not None}
    if not placed:
        raise InputError(
            "The model of the study has none of the bodies that carry sensors.",
            where=str(chosen.file),
            expected=", ".join(sorted({s.body for s in sensors})),
            found=", ".join(study_model.bodies),
        )
    carriers = {body for body, _ in placed.values()}
    signs = laboratory.shared_coordinates(walk.functions, study_model, carriers)
    tables = reference_tables(walk, signs, settings)

    out.mkdir(parents=True, exist_ok=True)
    for key, table in tables.items():
        write_storage(getattr(ResultsFolder(out), key), table)
    write_atomically(ResultsFolder(out).recording, recording_csv(recording))
    write_atomically(ResultsFolder(out).truth, truth_json(walk, recording, settings, signs, model, motion))
    study = study_toml(
        walk,
        recording,
        name=settings.study.name or motion.stem,
        model=chosen,
        person=Person(
            height_m=height_m,
            mass_kg=settings.study.mass_kg or walk.functions.tree.model.total_mass,
            name=settings.study.person,
            id="" if settings.study.person == StudySettings.person else settings.study.person,
        ),
        placed=placed,
        references=tables,
        estimate=settings.study.estimate,
    )
    return Simulation(write_atomically(ResultsFolder(out).study, study))


def _usable(settings: SimulationSettings) -> float:
    """Refuse settings that cannot be used before any work; return the height of the person, m."""
    check(settings)
    if settings.study.height_m is None:
        raise InputError(
            "The height of the person is not known: a model does not state it.",
            where="settings",
            expected="[study] height_m, or --height",
            fix="give the height in metres",
        )
    if settings.laboratory.external_loads is not None:
        read_external_loads(settings.laboratory.external_loads)
    if settings.laboratory.moments is not None:
        read_storage(settings.laboratory.moments)
    return settings.study.height_m


def _study_model(model: Path, walk: Walk, chosen: Path | None) -> tuple[BodyFunctions, ModelChoice]:
    """Return the functions of the study's model, and the model as the study names it."""
    own = chosen is not None and chosen.absolute() == model.absolute()
    if own or (chosen is None and walk.functions.tree.model.contact_spheres):
        return walk.functions, ModelChoice(model.absolute(), scaled=True)
    if chosen is None or chosen == osim_models.path(f"{BUILTIN}.osim"):
        return build(read_model(osim_models.path(f"{BUILTIN}.osim"))), ModelChoice(Path(f"builtin:{BUILTIN}"))
    return build_current(chosen), ModelChoice(chosen.absolute())
