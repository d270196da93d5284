"""The numbers of a model that differ between subjects, as one named vector."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import casadi as ca
import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import ContactForce, Joint, Model, Multiplier
from casadi_dynamics.model.forces import Force, Material
from casadi_dynamics.model.functions import Function
from casadi_dynamics.model.muscles import GeometryPath, MovingPathPoint
from casadi_dynamics.model.types import Frame

#: A force of any kind.
Acting = TypeVar("Acting", bound=Force | ContactForce)


class Parameters:
    """Symbols for the masses, lengths, scale factors and force constants of a model.

    They are masses, mass centres, inertias, joint offsets, the factors of `MultiplierFunction`s, places of
    IMUs, contact geometry, path points, wrap objects and springs on bodies, and the constants of muscles,
    springs and contact. Orientations, ranges and the points of functions are numbers of the program: scaling
    leaves them alone and multiplies the function around them.

    Numbers that are zero in the model stay zero: scaling multiplies, so it cannot change them, and the
    program stays small. Two subjects scaled from one generic model therefore share one program.

    Parameters
    ----------
    kept : sequence of str, optional
        Names that become parameters even where the number is zero.

    Attributes
    ----------
    names : list of str
        One per entry of the vector, e.g. ``femur_r.mass``.
    values : (n,) ndarray
        The model's own numbers.
    vector : casadi.SX
        The symbols.

    Raises
    ------
    InputError
        If two elements of the model have one name and both carry a number of the same kind.
    """

    def __init__(self, model: Model, kept: Sequence[str] = ()) -> None:
        self._kept = frozenset(kept)
        self._model = model.name
        self.names: list[str] = []
        self._values: list[float] = []
        self._symbols: list[ca.SX] = []
        self._known: dict[str, ca.SX] = {}
        self._scales: dict[str, tuple[ca.SX, ...]] = {}
        for body in model.bodies:
            self._scalar(f"{body.name}.mass", body.mass)
            self._column(f"{body.name}.mass_center", body.mass_center)
            self._column(f"{body.name}.inertia", body.inertia)
        for joint in model.joints:
            self._joint(joint)
        for frame in model.imu_frames:
            self._column(f"{frame.name}.position", frame.position)
        for sphere in model.contact_spheres:
            self._column(f"{sphere.name}.location", sphere.location)
            self._scalar(f"{sphere.name}.radius", sphere.radius)
        for half_space in model.half_spaces:
            self._column(f"{half_space.name}.location", half_space.location)
        for item in (*model.constraints, *model.contact_forces, *model.forces, *model.muscles):
            self._fields(item.name, item)
        self.values = np.array(self._values)
        self.vector = ca.vertcat(*self._symbols) if self._symbols else ca.SX.zeros(0)

    def __getitem__(self, name: str) -> ca.SX:
        """Return the symbol, or column of symbols, called `name`."""
        return self._known[name]

    def offset(self, joint: Joint, side: str) -> ca.SX:
        """Return the origin of the joint's 'parent' or 'child' frame in the axes of that body."""
        return self[f"{joint.name}.{side}_offset"]

    def scales(self, owner: Joint | Force, place: str) -> tuple[ca.SX, ...]:
        """Return the scale factors, outermost first, of a function of an element, e.g. 'translation1'."""
        return self._scales[f"{owner.name}.{place}"]

    def stand_in(self, force: Acting) -> Acting:
        """Return a force with symbols for its numbers; functions and paths stay as they are."""
        return self._stand_in(force.name, force)

    def scales_at(self, place: str) -> tuple[ca.SX, ...]:
        """Return the scale factors, outermost first, of the function at a full name."""
        return self._scales[place]

    def _joint(self, joint: Joint) -> None:
        self._column(f"{joint.name}.parent_offset", joint.parent.translation)
        self._column(f"{joint.name}.child_offset", joint.child.translation)
        for kind, axes in (("rotation", joint.rotations), ("translation", joint.translations)):
            for i, axis in enumerate(axes):
                self._multipliers(f"{joint.name}.{kind}{i + 1}", axis.function)
        if joint.radii is not None:
            self._column(f"{joint.name}.radii", joint.radii)

    def _fields(self, name: str, item: object) -> None:
        """Take in all numbers of an element; those of its field `x` are called `name`.x."""
        for field, value in vars(item).items():
            self._value(f"{name}.{field}", value)

    def _stand_in(self, name: str, item: Any) -> Any:
        return replace(item, **{k: self._symbolic(f"{name}.{k}", value) for k, value in vars(item).items()})

    def _symbolic(self, name: str, value: Any) -> Any:
        if isinstance(value, float):
            return self[name]
        if isinstance(value, Frame):
            return replace(value, translation=tuple(ca.vertsplit(self[name])))
        if isinstance(value, Material):
            return self._stand_in(name, value)
        if isinstance(value, tuple) and value and all(isinstance(x, float) for x in value):
            return tuple(ca.vertsplit(self[name]))
        if isinstance(value, tuple) and value and isinstance(value[0], tuple):
            return tuple((part, self._symbolic(f"{name}[{part}]", inner)) for part, inner in value)
        return value

    def _value(self, name: str, value: Any) -> None:
        if isinstance(value, float):
            self._scalar(name, value)
        elif isinstance(value, Frame):
            self._column(name, value.translation)
        elif isinstance(value, GeometryPath):
            self._path(name.rpartition(".")[0], value)
        elif isinstance(value, Material):
            self._fields(name, value)
        elif isinstance(value, tuple) and value and all(isinstance(x, float) for x in value):
            self._column(name, value)
        elif isinstance(value, tuple):
            for i, part in enumerate(value):
                if isinstance(part, tuple):
                    self._value(f"{name}[{part[0]}]", part[1])
                else:
                    self._value(f"{name}{i + 1}", part)
        elif not isinstance(value, str | None | bool):
            self._multipliers(name, value)

    def _path(self, name: str, path: GeometryPath) -> None:
        for point in path.points:
            if isinstance(point, MovingPathPoint):
                self._column(f"{name}.{point.name}.frame", point.frame.translation)
                for axis, function in zip("xyz", point.location, strict=True):
                    self._multipliers(f"{name}.{point.name}.{axis}", function)
            else:
                self._column(f"{name}.{point.name}.location", point.location)
        for surface in (wrap.surface for wrap in path.wraps):
            if f"{surface.name}.dimensions" not in self._known:  # several paths may wrap around one surface
                self._column(f"{surface.name}.dimensions", surface.dimensions)
                self._column(f"{surface.name}.frame", surface.frame.translation)

    def _multipliers(self, place: str, function: Function) -> None:
        factors = []
        while isinstance(function, Multiplier):
            suffix = str(len(factors)) if factors else ""
            factors.append(self._scalar(f"{place}.scale{suffix}", function.scale))
            function = function.function
        self._scales[place] = tuple(factors)

    def _column(self, name: str, values: Iterable[float]) -> None:
        parts = [self._scalar(f"{name}[{i}]", value) for i, value in enumerate(values)]
        self._known[name] = ca.vertcat(*parts)

    def _scalar(self, name: str, value: float) -> ca.SX:
        if name in self._known:
            raise InputError(
                f"Two elements of the model are called '{name.rpartition('.')[0]}'.",
                where=f"model '{self._model}'",
                expected="names that tell the numbers of the model apart",
                found=f"two numbers called '{name}'",
                fix="rename one of the elements in OpenSim",
            )
        symbol = ca.SX(0)
        if value != 0 or name in self._kept:
            symbol = ca.SX.sym(name)
            self.names.append(name)
            self._values.append(float(value))
            self._symbols.append(symbol)
        self._known[name] = symbol
        return symbol
