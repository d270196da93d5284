"""OpenSim's lengths and moment arms of muscles at given postures.

OpenSim objects whose children are used stay in named variables, as a child dangles when its parent is
collected.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np


def muscle_paths(
    opensim: ModuleType,
    model: str,
    muscles: dict,
    coordinates: list,
    postures: str,
    output: str,
    speeds: str = "",
) -> dict:
    """Save lengths, moment arms and lengthening speeds of muscles.

    Coordinates that are not given stay at their default, those that a coupler drives follow it. The postures
    are visited in the order given.

    Parameters
    ----------
    opensim : module
        The imported ``opensim``.
    model : str
        File of the model.
    muscles : dict of str to list of str
        For each muscle the coordinates whose moment arms are wanted.
    postures : str
        ``.npy`` file of their values (N, k), rad and m.
    output : str
        ``.npz`` file of ``length`` (N, m), m, and ``moment_arm`` (N, m, k), m per rad or m per m: zero where
        not wanted; and, with `speeds`, ``speed`` (N, m), m/s.
    speeds : str
        ``.npy`` file of their speeds (N, k), rad/s and m/s, if the muscles' are wanted.
    """
    values, rates = np.load(postures), np.load(speeds) if speeds else None
    length = np.full((len(values), len(muscles)), np.nan)
    arm = np.zeros((*length.shape, len(coordinates)))
    speed: dict[str, Any] = {} if rates is None else {"speed": np.full(length.shape, np.nan)}
    loaded = _Loaded(opensim, model, muscles, coordinates)
    for i, posture in enumerate(values):
        loaded.pose(posture)
        length[i], arm[i] = loaded.paths()
        if rates is not None:
            speed["speed"][i] = loaded.speeds(rates[i])
        if not (np.isfinite(length[i]).all() and np.isfinite(arm[i]).all()):
            # Once a path is not a number it stays so at all later postures of this model.
            loaded = _Loaded(opensim, model, muscles, coordinates)
    with Path(output).open("wb") as file:
        np.savez(file, length=length, moment_arm=arm, **speed)
    return {"muscles": list(muscles)}


class _Loaded:
    """A model, its state, and the muscles and coordinates of the samples."""

    def __init__(
        self, opensim: ModuleType, model_path: str, muscles: dict[str, list[str]], names: list[str]
    ) -> None:
        self._model = opensim.Model(model_path)
        self._state = self._model.initSystem()
        coordinate_set, muscle_set = self._model.getCoordinateSet(), self._model.getMuscles()
        self._keep_alive = coordinate_set, muscle_set
        self._coordinates = [coordinate_set.get(name) for name in names]
        for coordinate in self._coordinates:
            coordinate.setLocked(self._state, False)
        self._couplers = _couplers(opensim, self._model, coordinate_set)
        self._paths = [
            (muscle_set.get(name), [names.index(coordinate) for coordinate in wanted])
            for name, wanted in muscles.items()
        ]
        self._vector = opensim.Vector

    def pose(self, values: np.ndarray) -> None:
        """Set the coordinates, and those that follow them."""
        state, do_not_assemble = self._state, False
        for coordinate, value in zip(self._coordinates, values, strict=True):
            coordinate.setValue(state, float(value), do_not_assemble)
        for dependent, function, drivers, scale in self._couplers:
            at = self._vector([driver.getValue(state) for driver in drivers])
            dependent.setValue(state, scale * function.calcValue(at), do_not_assemble)
        self._model.realizePosition(state)

    def speeds(self, values: np.ndarray) -> np.ndarray:
        """Return the lengthening speeds (m,) at speeds of the coordinates."""
        for coordinate, value in zip(self._coordinates, values, strict=True):
            coordinate.setSpeedValue(self._state, float(value))
        self._model.realizeVelocity(self._state)
        return np.array([muscle.getLengtheningSpeed(self._state) for muscle, _ in self._paths])

    def paths(self) -> tuple[np.ndarray, np.ndarray]:
        """Return lengths (m,) and moment arms (m, k)."""
        length = np.array([muscle.getLength(self._state) for muscle, _ in self._paths])
        arm = np.zeros((len(self._paths), len(self._coordinates)))
        for row, (muscle, wanted) in zip(arm, self._paths, strict=True):
            for k in wanted:
                row[k] = muscle.computeMomentArm(self._state, self._coordinates[k])
        return length, arm


def _couplers(opensim: ModuleType, model: Any, coordinate_set: Any) -> list[tuple]:
    """Return the enforced couplers as (dependent coordinate, function, driving coordinates, scale)."""
    constraint_set, found = model.getConstraintSet(), []
    for k in range(constraint_set.getSize()):
        coupler = opensim.CoordinateCouplerConstraint.safeDownCast(constraint_set.get(k))
        if coupler is not None and coupler.get_isEnforced():
            names = coupler.getIndependentCoordinateNames()
            drivers = [coordinate_set.get(names.get(i)) for i in range(names.getSize())]
            dependent = coordinate_set.get(coupler.getDependentCoordinateName())
            scale = opensim.PropertyHelper.getValueDouble(coupler.getPropertyByName("scale_factor"))
            found.append((dependent, coupler.getFunction(), drivers, scale))
    return found
