"""The numbers of a model that differ between subjects, as one named vector."""

from __future__ import annotations

import casadi as ca
import numpy as np

from casadi_dynamics.model import Joint, Model, Multiplier


class Parameters:
    """Symbols for masses, mass centres, inertias, joint offsets, scale factors and contact geometry.

    Numbers that are zero in the model stay zero: scaling multiplies, so it cannot change them, and the
    program stays small. Two subjects scaled from one generic model therefore share one program.

    Parameters
    ----------
    model : Model

    Attributes
    ----------
    names : list of str
        One per entry of the vector, e.g. ``femur_r.mass``.
    values : (n,) ndarray
        The model's own numbers.
    vector : casadi.SX
        The symbols.
    """

    def __init__(self, model: Model) -> None:
        self.names: list[str] = []
        self._values: list[float] = []
        self._symbols: list[ca.SX] = []
        self._known: dict[str, ca.SX] = {}
        self._scales: dict[str, tuple[ca.SX, ...]] = {}
        for body in model.bodies:
            self._scalar(f"{body.name}.mass", body.mass)
            self._vector(f"{body.name}.mass_center", body.mass_center)
            self._vector(f"{body.name}.inertia", body.inertia)
        for joint in model.joints:
            self._vector(f"{joint.name}.parent_offset", joint.parent.translation)
            self._vector(f"{joint.name}.child_offset", joint.child.translation)
            for kind, axes in (("rotation", joint.rotations), ("translation", joint.translations)):
                for i, axis in enumerate(axes):
                    self._multipliers(f"{joint.name}.{kind}{i + 1}", axis.function)
        for sphere in model.contact_spheres:
            self._vector(f"{sphere.name}.location", sphere.location)
            self._scalar(f"{sphere.name}.radius", sphere.radius)
        self.values = np.array(self._values)
        self.vector = ca.vertcat(*self._symbols) if self._symbols else ca.SX.zeros(0)

    def __getitem__(self, name: str) -> ca.SX:
        """Return the symbol, or column of symbols, called `name`."""
        return self._known[name]

    def offset(self, joint: Joint, side: str) -> ca.SX:
        """Return the origin of the joint's 'parent' or 'child' frame in the axes of that body."""
        return self[f"{joint.name}.{side}_offset"]

    def scales(self, joint: Joint, place: str) -> tuple[ca.SX, ...]:
        """Return the scale factors, outermost first, of the function at `place`, e.g. 'translation1'."""
        return self._scales[f"{joint.name}.{place}"]

    def _multipliers(self, place: str, function) -> None:
        factors = []
        while isinstance(function, Multiplier):
            suffix = str(len(factors)) if factors else ""
            factors.append(self._scalar(f"{place}.scale{suffix}", function.scale))
            function = function.function
        self._scales[place] = tuple(factors)

    def _vector(self, name: str, values) -> None:
        parts = [self._scalar(f"{name}[{i}]", value) for i, value in enumerate(values)]
        self._known[name] = ca.vertcat(*parts)

    def _scalar(self, name: str, value: float) -> ca.SX:
        if value == 0:
            symbol = ca.SX(0)
        else:
            symbol = ca.SX.sym(name)
            self.names.append(name)
            self._values.append(float(value))
            self._symbols.append(symbol)
        self._known[name] = symbol
        return symbol
