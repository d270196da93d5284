"""Start of a stream: the body and the sensors of the person, and the network, made where they are missing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Model
from casadi_dynamics.osim import read_model
from sspinn_opensim.alignment.align import align, aligned
from sspinn_opensim.alignment.files import check_sensors, read_alignment
from sspinn_opensim.builtin_network.known_model import BUILTIN
from sspinn_opensim.builtin_network.shipped import FILE, is_as_shipped, network_for, read_network
from sspinn_opensim.opensim_io.model.gravity import check_gravity
from sspinn_opensim.recording import Recording, check_placement, on_model
from sspinn_opensim.recording.sensors.mounting import place_sensor
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.streaming.aligning import Unaligned
from sspinn_opensim.study import Study
from sspinn_opensim.training.checkpoint import body_identity, load_estimator, network_kind
from sspinn_opensim.training.cohort import member_topology, single_person_cohort
from sspinn_opensim.training.coordinates import held_in
from sspinn_opensim.training.estimator import PersonNetwork
from sspinn_opensim.training.signals import make_signals
from sspinn_opensim.training.subject import make_subject
from sspinn_opensim.verbs import scale
from sspinn_opensim.verbs.axes import as_chosen
from sspinn_opensim.verbs.on_study import subject_file
from sspinn_opensim.verbs.prepared import Prepared, prepare

log = logging.getLogger(__name__)

#: Networks by the names that the command line gives them.
ADAPTED = "adapted"
NETWORKS = (BUILTIN, ADAPTED)
_AS_SHIPPED = "the built-in network as it is"


@dataclass(frozen=True)
class Start:
    """What a stream starts from.

    Attributes
    ----------
    prepared : Prepared
        Body, sensors and the channels of the network.
    network : PersonNetwork
        That estimates.
    told : str
        Which one it is, for the user.
    file : Path
        Where it is from.
    kind : {'lstm', 'gated'}
        Kind of network.
    """

    prepared: Prepared
    network: PersonNetwork
    told: str
    file: Path
    kind: Literal["lstm", "gated"]


def start_of(study: Study, out: Path, network: str | None = None) -> Start:
    """Return what a stream starts from.

    Parameters
    ----------
    study : Study
        With or without a recording.
    out : Path
        Results folder. For the network that is shipped, the model is scaled if it is not there.
    network : {'builtin', 'adapted'}, optional
        By default the one that was trained in the folder. Without a recording, where there is none, the one
        that an earlier stream adapted, else the one that is shipped.

    Raises
    ------
    InputError
        There is no such network, or it does not fit.
    """
    if network is not None and network not in NETWORKS:
        raise InputError(
            "There is no such network.", where="--network", expected=", ".join(NETWORKS), found=network
        )
    seed, *_ = study.training.seeds
    trained, adapted = ResultsFolder(out).checkpoint(seed), adapted_folder(out).checkpoint(seed)
    if network is None and not study.recording.there and not trained.is_file():
        network = ADAPTED if adapted.is_file() else BUILTIN
    shipped, checkpoint = network == BUILTIN, adapted if network == ADAPTED else trained
    if shipped and not ResultsFolder(out).subject.is_file():
        log.info(scale.scale(study, out))
    prepared = prepare(study, out) if study.recording.there else without_recording(study, out)
    if network == ADAPTED and unaligned(study, prepared) is not None:
        raise InputError(
            "The adapted network is of sensors of which it was known how they sat.",
            where=study.path,
            expected="axes or orientation_deg of each sensor, or file under [alignment]",
            fix="--network builtin, or name under [alignment] the alignment.toml of the stream that made it",
        )
    if shipped:
        return Start(prepared, _shipped(study, prepared), _AS_SHIPPED, FILE, read_network().kind)
    belongs_to = {"body": body_identity(prepared.subject, prepared.trained_on)}
    found = load_estimator(checkpoint, prepared.subject, prepared.signals, belongs_to)
    told = "the network that was trained in the folder"
    if network == ADAPTED:
        told = "the network that an earlier stream adapted to the person"
    elif is_as_shipped(checkpoint):
        told = _AS_SHIPPED
    return Start(prepared, found, told, checkpoint, network_kind(checkpoint))


def adapted_folder(out: Path) -> ResultsFolder:
    """Return where the network lies that a stream adapted, with its model."""
    return ResultsFolder(ResultsFolder(out).adapted)


def _shipped(study: Study, prepared: Prepared) -> PersonNetwork:
    subject, signals, kind = prepared.subject, prepared.signals, read_network().kind
    topology = member_topology(single_person_cohort(subject, signals).members[0])
    state = network_for(kind, topology, subject, str(study.path))
    return PersonNetwork(subject, signals, kind=kind).load(state, None).eval()


def unaligned(study: Study, prepared: Prepared) -> Unaligned | None:
    """Return the sensors of a stream where nothing says how one of them sits, for the stream to find it."""
    like = prepared.recording
    if all(sensor.axes_known for sensor in like.sensors):
        return None
    # Those that are nearly known are found with the others, of the same standing and walking.
    nearly = (replace(s, axes_known=s.axes_known and s.stated_within_deg is None) for s in like.sensors)
    return Unaligned(replace(like, sensors=tuple(nearly)), study.alignment, study.recording.accepted)


def inclination(study: Study, prepared: Prepared) -> Callable[[np.ndarray, np.ndarray], np.ndarray] | None:
    """Return what tells from standing how sensors sit whose axes are stated within a deviation.

    Returns
    -------
    callable or None
        Given acceleration and angular rate (n, k, 3) it returns the turns (k, 3, 3) that sensors need yet: to
        where people usually feel up when they stand, and no further than the study says that it may be off.
        None where there is no such sensor, or all are found later, see `unaligned`.
    """
    like = prepared.recording
    exact = all(sensor.stated_within_deg is None for sensor in like.sensors)
    if exact or not all(sensor.axes_known for sensor in like.sensors):
        return None
    sensors = tuple(replace(s, axes_known=s.stated_within_deg is None) for s in like.sensors)

    def turns(acceleration: np.ndarray, angular_rate: np.ndarray) -> np.ndarray:
        time_s = np.arange(len(acceleration)) / like.sampling_rate_hz
        still = replace(
            like,
            time_s=time_s,
            sensors=sensors,
            acceleration=acceleration,
            angular_rate=angular_rate,
            usable=np.ones(len(time_s), bool),
        )
        found = align(still, study.alignment, standing_s=((0.0, float(time_s[-1])),))
        return np.array([own.rotation for own in found.sensors])

    return turns


def without_recording(study: Study, out: Path) -> Prepared:
    """Return body and sensors of a study without a recording: nothing but the study says how they sit.

    Every sensor is taken to measure all six channels, and the speed is not known. Where the study does not
    say how a sensor sits, `Sensor.axes_known` is false: see `unaligned`.
    """
    model = read_model(subject_file(out))
    check_gravity(model.gravity, str(subject_file(out)))
    recording = _sensors(study, model)
    held = held_in(out, study.coordinates, recording.sensors, model)
    subject = make_subject(model, recording, held, height_m=study.person.height_m)
    return Prepared(recording, recording, subject, make_signals(recording, subject, ()), (), (), ())


def _sensors(study: Study, model: Model) -> Recording:
    """Return two samples of nothing, of the sensors of a study along the axes of their bodies."""
    count = len(study.sensors)
    nothing, all_six = np.zeros((2, count, 3)), np.ones((count, 3), bool)
    recording = Recording(
        name=study.name,
        time_s=np.arange(2) / study.training.rate_hz,
        sensors=tuple(place_sensor(sensor, segment_axes=False) for sensor in study.sensors),
        acceleration=nothing,
        angular_rate=nothing,
        acceleration_available=all_six,
        angular_rate_available=all_six,
        acceleration_variance=nothing[0],
        angular_rate_variance=nothing[0],
    )
    recording = on_model(as_chosen(study, recording), model)
    check_placement(recording.sensors, model, str(study.path))
    file = study.alignment.file
    if file is not None:
        found = read_alignment(file)
        check_sensors(found, recording, file)
        return aligned(recording, found)
    # What is nearly known counts as known, until the person stands; see `inclination`.
    return replace(
        recording,
        sensors=tuple(
            replace(s, axes_known=s.axes_known or s.stated_within_deg is not None) for s in recording.sensors
        ),
    )
