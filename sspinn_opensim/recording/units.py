"""Factors from the units of files to SI."""

from __future__ import annotations

import math

from casadi_dynamics.errors import InputError, nearest

#: To m/s^2. The unit g is the standard acceleration of gravity, 9.80665 m/s^2 exactly (BIPM, SI brochure, 9th
#: ed., 3rd CGPM 1901), whatever the gravity of a model.
ACCELERATION = {"m/s^2": 1.0, "g": 9.80665}
#: To rad/s.
ANGULAR_RATE = {"rad/s": 1.0, "deg/s": math.pi / 180.0}


def factor(unit: str, known: dict[str, float], where: str) -> float:
    """Return the factor of a unit; raise `InputError` naming the known ones if it is none of them."""
    if unit not in known:
        raise InputError(
            f"Unknown unit '{unit}'.", where=where, expected=", ".join(known), fix=nearest(unit, known)
        )
    return known[unit]
