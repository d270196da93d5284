"""Inputs of all stages of a study, checked before the first of them works."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from casadi_dynamics.errors import InputWarning
from casadi_dynamics.model import Model
from casadi_dynamics.osim import is_older, read_model
from sspinn_opensim.alignment.types import Alignment
from sspinn_opensim.builtin_network.known_model import refuse_other_model
from sspinn_opensim.evaluation import read_reference
from sspinn_opensim.files import require
from sspinn_opensim.lock import owned
from sspinn_opensim.opensim_io.model.gravity import check_gravity
from sspinn_opensim.opensim_io.scaling.choices import require_mass
from sspinn_opensim.recording import (
    Finding,
    Recording,
    check_placement,
    on_model,
    read_recording,
    refuse_serious,
)
from sspinn_opensim.recording.sensors.places import place
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.record import refuse_other_study, refuse_own_network, refuse_stale, require_seed
from sspinn_opensim.study import Study
from sspinn_opensim.study.cohort import CohortStudy
from sspinn_opensim.training.checkpoint_checks import (
    SAME_NETWORK,
    START_OVER,
    compare,
    compare_network,
    require_finished,
)
from sspinn_opensim.training.checkpoint_file import read_outline
from sspinn_opensim.training.coordinates import held_by_choice, held_in
from sspinn_opensim.training.coverage import refuse_short
from sspinn_opensim.training.loss_terms import lasting_weights, to_switch_off, weights
from sspinn_opensim.training.roles import refuse_untrainable, roles_of
from sspinn_opensim.training.settings import settings_from_network, settings_of, settings_of_cohort
from sspinn_opensim.verbs.axes import OF_PLACES, along_segments, objections, without_joints
from sspinn_opensim.verbs.muscles import muscle_settings, muscle_window
from sspinn_opensim.verbs.on_study import people_of, person_folder, subject_file

#: The first look takes recordings of so many bytes in all, a minute of a suit's XML; larger ones are read
#: once, when a stage works.
_QUICKLY_READ = 50_000_000
_SCALED = ("subject", "run sspinn scale first; sspinn run does all stages")
#: File of the results folder that a verb cannot begin without, and how one gets it.
_NEEDED = {
    "convert": _SCALED,
    "train": _SCALED,
    "estimate": _SCALED,
    "evaluate": _SCALED,
    "locate-sensors": _SCALED,
    "opensense": _SCALED,
    "stream": _SCALED,
    "muscles": ("kinematics", "run sspinn estimate first"),
}
#: Verbs that begin with the networks of a training.
_OF_NETWORKS = ("estimate", "locate-sensors", "stream")
#: Verbs that begin a folder, or replace what a study made in it.
_BEGINNING = ("run", "scale", "train", "adapt")
_OF_COHORTS = ("run", "scale", "train", "estimate", "evaluate")
_ON_MODELS = ("scale", "convert")
#: Verbs that take a first look, before libraries load that take longer than it.
LOOKING = (*_OF_COHORTS, *_ON_MODELS, "muscles", "locate-sensors", "opensense", "stream", "adapt", "ablate")


@dataclass(frozen=True)
class CheckedRecording:
    """The recording of a study, checked; `prepare` goes on from it.

    Attributes
    ----------
    recording : Recording
        As it was read.
    alignment : Alignment or None
        Of its sensors, where they had to be aligned.
    said : tuple of Finding or None
        As of `without_joints`; None where no model said how its IMU frames are turned.
    """

    recording: Recording
    alignment: Alignment | None
    said: tuple[Finding, ...] | None


def first_look(
    verb: str,
    study: Study | CohortStudy,
    out: Path,
    *,
    begins: bool = False,
    restart: bool = False,
    source: Path | None = None,
    shipped: bool = False,
    terms: Sequence[str] | None = None,
) -> dict[str, CheckedRecording]:
    """Refuse in a moment what can be seen of a study and a folder before a verb loads and works.

    Of a large recording that is left to `check_inputs` and the stages themselves.

    Parameters
    ----------
    verb : str
        One of `LOOKING`.
    begins : bool
        Whether it needs nothing of earlier stages this time.
    restart : bool
        Whether it trains from the start.
    source : Path, optional
        Results whose networks are taken, where they are not those in the folder.
    shipped : bool
        Whether the network is taken that is shipped.
    terms : sequence of str, optional
        Loss terms to switch off.

    Returns
    -------
    dict of str to CheckedRecording
        By person, as far as `run` need not check them again.

    Raises
    ------
    InputError
        Another command has the folder; a file of an earlier stage is missing there or was made from something
        else; a network is missing, damaged or of another model; a loss term is unknown, or a name is none of
        the model's; the shipped network does not know the model; a recording, a reference or an output
        window cannot be used; or the movement contradicts what the study says of a sensor.
    """
    if isinstance(study, CohortStudy) and verb not in _OF_COHORTS:
        return {}  # refused by the verb
    people = [one for one, _ in people_of(study)] if isinstance(study, CohortStudy) else [study]
    active = lasting_weights(study.training.weights)
    if verb == "ablate":
        to_switch_off(terms, active)
    networks = _given_networks(verb, source, out, study.training.seeds)
    with owned(out, f"sspinn {verb}"):
        if verb in _NEEDED and not begins:
            name, fix = _NEEDED[verb]
            for person in people:
                folder = person_folder(out, person) if isinstance(study, CohortStudy) else out
                require(getattr(ResultsFolder(folder), name), fix)
        if verb in _OF_NETWORKS and not begins and source is None:
            _networks(out, study.training.seeds[: 1 if verb == "stream" else None])
        _refuse_others(verb, study, out, begins=begins, restart=restart)
    for person in people:
        _look_at_model(person, verb, shipped=shipped)
    if verb in _ON_MODELS or (isinstance(study, Study) and not study.recording.there):
        return {}
    quick = sum(map(_bytes_of, (person.recording.file for person in people))) <= _QUICKLY_READ
    found = {}
    for person in people if quick else ():
        folder = person_folder(out, person) if isinstance(study, CohortStudy) else out
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)  # they are told when it is read to be used
            scaled = folder if verb in _NEEDED and not begins else None
            found[person.name] = _look_at(person, verb, networks, scaled)
    return found if verb == "run" else {}


def _look_at_model(person: Study, verb: str, *, shipped: bool) -> None:
    """Refuse what can be seen of a model alone, to be scaled or for the shipped network."""
    if verb == "scale" and (model := _model_of(person)) is not None:
        held_by_choice(person.coordinates, person.sensors, model)
    if shipped:
        refuse_other_model(person.model.file, str(person.path))


def _look_at(
    person: Study,
    verb: str,
    networks: Mapping[Path, dict] | None = None,
    scaled: Path | None = None,
    known: Alignment | None = None,
) -> CheckedRecording:
    """Return the recording of a study and its alignment; refuse what cannot be used for a verb.

    Parameters
    ----------
    networks : mapping of Path to dict, optional
        Outlines of networks that must be of the same sensors and coordinates.
    scaled : Path, optional
        Results folder whose model is taken, where that of the study is scaled already.
    known : Alignment, optional
        One that was made already.
    """
    model, recording = _model_of(person), read_recording(person)
    if verb != "opensense":  # no network
        refuse_short(recording, str(person.path))
    placed = _placed(person, recording, model, verb)
    if networks and model is not None:
        now = {
            "sensors": [place(sensor, model).body for sensor in placed.sensors],
            "coordinates": [coordinate.name for coordinate in model.coordinates],
        }
        for file, content in networks.items():
            compare_network(file, content, content["identity"]["network"] | now, SAME_NETWORK)
    if scaled is not None:
        model = read_model(subject_file(scaled))
        placed = on_model(recording, model)
    if verb == "locate-sensors":
        accepted = (*person.recording.accepted, *OF_PLACES)
        person = replace(person, recording=replace(person.recording, accepted=accepted))
    along, alignment = along_segments(person, placed, model, scaled, known=known)
    held = {}
    if model is not None:
        chosen = person.coordinates, along.sensors, model
        held = held_by_choice(*chosen) if scaled is None else held_in(scaled, *chosen)
    said = without_joints(along, alignment, model, person.person)
    found = objections(along, alignment, model, person.person, held, said)
    refuse_serious(found, person.recording.accepted, str(person.path))
    return CheckedRecording(recording, alignment, None if model is None else said)


def _given_networks(verb: str, source: Path | None, out: Path, seeds: Sequence[int]) -> dict[Path, dict]:
    """Return the outlines of the networks that an adaptation starts from; refuse what cannot be used."""
    if source is None:
        return {}
    if verb == "adapt":
        refuse_own_network(source, out)
    found = _networks(source, seeds, given=True)
    return found if verb == "adapt" else {}


def _networks(folder: Path, seeds: Sequence[int], *, given: bool = False) -> dict[Path, dict]:
    """Return the outlines of the finished networks in results, given or the command's own, by their files."""
    found = {}
    for seed in seeds:
        if given:
            require_seed(folder, seed)
        checkpoint = ResultsFolder(folder).checkpoint(seed)
        found[checkpoint] = read_outline(checkpoint)
        require_finished(checkpoint, found[checkpoint])
    return found


def _refuse_others(verb: str, study: Study | CohortStudy, out: Path, *, begins: bool, restart: bool) -> None:
    """Refuse results of another study or training, and those a verb needs that are of something else."""
    if verb in _BEGINNING or (verb == "estimate" and begins):
        # Settings that changed matter to `run` alone here: of others it is stale results that are refused.
        refuse_other_study(out, study=study, restart=restart or verb != "run")
    if isinstance(study, Study) and not begins and verb != "run":
        refuse_stale(out, verb, study=study)
    if verb in ("run", "train") and not restart:
        _refuse_other_settings(out, study)


def _refuse_other_settings(out: Path, study: Study | CohortStudy) -> None:
    """Refuse to go on from the checkpoints of a training with other settings."""
    anew = settings_of_cohort if isinstance(study, CohortStudy) else settings_of
    for seed in study.training.seeds:
        checkpoint = ResultsFolder(out).checkpoint(seed)
        if checkpoint.is_file():
            found = read_outline(checkpoint)["identity"]["training"]["settings"]
            begun = settings_from_network if found.get("start") == "builtin" else anew
            own = begun(study.training, seed).stated()
            compare(checkpoint, {"settings": found}, {"settings": own}, START_OVER)


def check_inputs(study: Study, known: Alignment | None = None) -> CheckedRecording:
    """Return the recording of a study whose every input can be used, and its alignment if it has one.

    No stage has to work for it.

    Parameters
    ----------
    known : Alignment, optional
        One that was made already; it is used if it is of the same signals and choices.

    Raises
    ------
    InputError
        A loss term, a body, an IMU frame or a coordinate is unknown; the recording or its output window
        cannot be used, or its movement contradicts what the study says of its sensors; height and mass are
        hardly those of one person; the model said to be scaled has another mass; the reference is no table. A
        model of an older version is not looked at: only OpenSim reads it.
    """
    weights(study.training.weights)
    return _look_at(study, "run", known=known)


def _model_of(study: Study) -> Model | None:
    """Return the model that a study starts from; None where it is of an older version."""
    if is_older(study.model.file):
        return None
    model = read_model(study.model.file)
    if study.model.scaled:
        require_mass(study.model.file, model.total_mass, study.person.mass_kg)
    return model


def _placed(study: Study, recording: Recording, model: Model | None, verb: str) -> Recording:
    """Return a recording whose sensors sit on bodies, if all that the study names for a verb can be used."""
    if verb in ("run", "muscles"):
        muscle_window(recording, study.output, muscle_settings(study))
    if model is None:
        return recording
    placed = on_model(recording, model)
    check_gravity(model.gravity, str(study.model.file))
    check_placement(placed.sensors, model, str(study.path))
    held = held_by_choice(study.coordinates, placed.sensors, model)
    if verb != "opensense":  # no network
        refuse_untrainable(model, held)
        roles_of(model, held)
    if verb in ("run", "evaluate"):  # no other may open the reference
        read_reference(study, model)
    return placed


def _bytes_of(recording: Path) -> int:
    files: Sequence[Path] = [*recording.rglob("*")] if recording.is_dir() else [recording]
    return sum(file.stat().st_size for file in files if file.is_file())
