"""A model loaded in OpenSim to be asked at many states, and the random states themselves.

OpenSim objects whose children are used stay in named variables, as a child dangles when its parent is
collected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

#: Half-width of the random speeds, rad/s and m/s.
SPEED_RAD_S = 3.0
_ACCELERATION_RAD_S2 = 20.0
#: Half-widths of the random root position (m), so that states lie near the origin.
_TRANSLATION_M = 1.0


@dataclass(frozen=True)
class LoadedModel:
    """A model loaded twice: with its forces, and bare, with all of them disabled for inverse dynamics.

    Attributes
    ----------
    path : str
        Its file.
    model, state
        With forces; `contacts` belong to it.
    bare, bare_state
        Without; all else belongs to it.
    coordinate_set : CoordinateSet
        What keeps the `coordinates` alive.
    bodies : list of Body
        Also those outside the BodySet.
    place : (n,) ndarray
        Index in OpenSim's speed vector of each coordinate.
    imus : list of PhysicalOffsetFrame
        Frames whose name ends in ``_imu``.
    """

    opensim: ModuleType
    path: str
    model: Any
    state: Any
    bare: Any
    bare_state: Any
    matter: Any
    coordinate_set: Any
    coordinates: list[Any]
    coordinate_names: list[str]
    bodies: list[Any]
    body_names: list[str]
    place: np.ndarray
    imus: list[Any]
    contacts: list[Any]


def load(opensim: ModuleType, path: str) -> LoadedModel:
    """Load a model; its coordinates take any value."""
    model, bare = opensim.Model(path), opensim.Model(path)
    for force in components(opensim.Force, bare):  # also those outside the ForceSet
        force.set_appliesForce(False)
    for loaded_model in (model, bare):
        for coordinate in components(opensim.Coordinate, loaded_model):  # each is to take any value
            coordinate.set_locked(False)
            coordinate.set_clamped(False)
            coordinate.set_prescribed(False)
        loaded_model.finalizeFromProperties()
    state, bare_state = model.initSystem(), bare.initSystem()
    coordinate_set = bare.getCoordinateSet()
    coordinates = [coordinate_set.get(k) for k in range(coordinate_set.getSize())]
    bodies, frames = components(opensim.Body, bare), components(opensim.PhysicalOffsetFrame, bare)
    return LoadedModel(
        opensim=opensim,
        path=path,
        model=model,
        state=state,
        bare=bare,
        bare_state=bare_state,
        matter=bare.getMatterSubsystem(),
        coordinate_set=coordinate_set,
        coordinates=coordinates,
        coordinate_names=[coordinate.getName() for coordinate in coordinates],
        bodies=bodies,
        body_names=[body.getName() for body in bodies],
        place=_places_in_tree(coordinates, bare_state),
        imus=[frame for frame in frames if frame.getName().endswith("_imu")],
        contacts=components(opensim.SmoothSphereHalfSpaceForce, model),
    )


def components(kind: Any, model: Any) -> list[Any]:
    """Return all components of a class, wherever in the model they are, in the order of OpenSim's list."""
    found = (kind.safeDownCast(component) for component in model.getComponentsList())
    return [component for component in found if component is not None]


def _places_in_tree(coordinates: Sequence[Any], state: Any) -> np.ndarray:
    """Index in OpenSim's speed vector of each coordinate of the CoordinateSet, found by unique speeds."""
    for k, coordinate in enumerate(coordinates):
        coordinate.setSpeedValue(state, float(k + 1))
    speeds = array(state.getU())
    places = np.array([int(np.flatnonzero(speeds == k + 1)[0]) for k in range(len(coordinates))])
    for coordinate in coordinates:
        coordinate.setSpeedValue(state, 0.0)
    return places


def random_states(loaded: LoadedModel, samples: int, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Return ``q``, ``qd`` and ``qdd`` (N, n) within the ranges of the coordinates."""
    low, high = sampled_range(loaded)
    shape = (samples, len(low))
    return {
        "q": random.uniform(low, high, shape),
        "qd": random.uniform(-SPEED_RAD_S, SPEED_RAD_S, shape),
        "qdd": random.uniform(-_ACCELERATION_RAD_S2, _ACCELERATION_RAD_S2, shape),
    }


def sampled_range(loaded: LoadedModel) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest values that coordinates are drawn from."""
    low = np.array([coordinate.getRangeMin() for coordinate in loaded.coordinates])
    high = np.array([coordinate.getRangeMax() for coordinate in loaded.coordinates])
    translational = 2  # OpenSim's Coordinate::Translational
    slides = np.array([coordinate.getMotionType() == translational for coordinate in loaded.coordinates])
    return np.where(slides, -_TRANSLATION_M, low), np.where(slides, _TRANSLATION_M, high)


def set_state(coordinates: Sequence[Any], state: Any, q: np.ndarray, qd: np.ndarray) -> None:
    """Set coordinates and speeds without assembling."""
    do_not_assemble = False
    for coordinate, value, speed in zip(coordinates, q, qd, strict=True):
        coordinate.setValue(state, float(value), do_not_assemble)
        coordinate.setSpeedValue(state, float(speed))


def array(vector: Any) -> np.ndarray:
    """Return a vector of Simbody as an array."""
    return np.array([vector.get(k) for k in range(vector.size())])


def rotation(rotation: Any) -> np.ndarray:
    """Return a rotation of Simbody as a (3, 3) array."""
    return np.array([[rotation.get(i, j) for j in range(3)] for i in range(3)])
