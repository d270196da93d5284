"""A model loaded in OpenSim to be asked at many states, and the random states themselves.

OpenSim objects whose children are used stay in named variables, as a child dangles when its parent is
collected.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

#: Half-width of the random speeds, rad/s and m/s.
SPEED_RAD_S = 3.0
_ACCELERATION_RAD_S2 = 20.0
#: Half-widths of the random root position (m), so that states lie near the origin.
_TRANSLATION_M = 1.0


def load(opensim, path: str) -> SimpleNamespace:
    """Load a model twice: with its forces, and with all of them disabled for inverse dynamics."""
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
    coordinates = bare.getCoordinateSet()
    n = coordinates.getSize()
    loaded = SimpleNamespace(opensim=opensim, model=model, state=state, bare=bare, bare_state=bare_state)
    loaded.path = path
    loaded.coordinates = [coordinates.get(k) for k in range(n)]
    loaded.coordinate_names = [coordinate.getName() for coordinate in loaded.coordinates]
    loaded.keep_alive = coordinates
    loaded.bodies = components(opensim.Body, bare)  # also those outside the BodySet
    loaded.body_names = [body.getName() for body in loaded.bodies]
    loaded.place = _places_in_tree(loaded)
    loaded.matter = bare.getMatterSubsystem()
    frames = components(opensim.PhysicalOffsetFrame, bare)
    loaded.imus = [frame for frame in frames if frame.getName().endswith("_imu")]
    loaded.contacts = components(opensim.SmoothSphereHalfSpaceForce, model)
    return loaded


def components(kind, model) -> list:
    """Return all components of a class, wherever in the model they are, in the order of OpenSim's list."""
    found = (kind.safeDownCast(component) for component in model.getComponentsList())
    return [component for component in found if component is not None]


def _places_in_tree(loaded) -> np.ndarray:
    """Index in OpenSim's speed vector of each coordinate of the CoordinateSet, found by unique speeds."""
    state = loaded.bare_state
    for k, coordinate in enumerate(loaded.coordinates):
        coordinate.setSpeedValue(state, float(k + 1))
    speeds = array(state.getU())
    places = np.array([int(np.flatnonzero(speeds == k + 1)[0]) for k in range(len(loaded.coordinates))])
    for coordinate in loaded.coordinates:
        coordinate.setSpeedValue(state, 0.0)
    return places


def random_states(loaded, samples: int, random) -> dict[str, np.ndarray]:
    """Return ``q``, ``qd`` and ``qdd`` (N, n) within the ranges of the coordinates."""
    low, high = sampled_range(loaded)
    shape = (samples, len(low))
    return {
        "q": random.uniform(low, high, shape),
        "qd": random.uniform(-SPEED_RAD_S, SPEED_RAD_S, shape),
        "qdd": random.uniform(-_ACCELERATION_RAD_S2, _ACCELERATION_RAD_S2, shape),
    }


def sampled_range(loaded) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest values that coordinates are drawn from."""
    low = np.array([coordinate.getRangeMin() for coordinate in loaded.coordinates])
    high = np.array([coordinate.getRangeMax() for coordinate in loaded.coordinates])
    translational = 2  # OpenSim's Coordinate::Translational
    slides = np.array([coordinate.getMotionType() == translational for coordinate in loaded.coordinates])
    return np.where(slides, -_TRANSLATION_M, low), np.where(slides, _TRANSLATION_M, high)


def set_state(coordinates, state, q: np.ndarray, qd: np.ndarray) -> None:
    """Set coordinates and speeds without assembling."""
    do_not_assemble = False
    for coordinate, value, speed in zip(coordinates, q, qd, strict=True):
        coordinate.setValue(state, float(value), do_not_assemble)
        coordinate.setSpeedValue(state, float(speed))


def array(vector) -> np.ndarray:
    """Return a vector of Simbody as an array."""
    return np.array([vector.get(k) for k in range(vector.size())])


def rotation(rotation) -> np.ndarray:
    """Return a rotation of Simbody as a (3, 3) array."""
    return np.array([[rotation.get(i, j) for j in range(3)] for i in range(3)])
