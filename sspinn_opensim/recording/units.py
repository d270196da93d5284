"""Factors from the units of files to SI, and the spellings that units have in files."""

from __future__ import annotations

import math

from casadi_dynamics.errors import InputError, nearest

#: Standard acceleration of gravity, m/s^2, exactly (BIPM, SI brochure, 9th ed.; 3rd CGPM 1901): the unit g,
#: whatever the gravity of a model. On the ground gravity is 9.78 to 9.83.
GRAVITY = 9.80665
#: To m/s^2.
ACCELERATION = {"m/s^2": 1.0, "g": GRAVITY, "mg": GRAVITY / 1000}
#: To rad/s.
ANGULAR_RATE = {"rad/s": 1.0, "deg/s": math.pi / 180.0}
#: To s.
TIME = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}

#: Spelling in files, without blanks and in small letters -> unit.
_SPELLINGS = {
    "m/s^2": "m/s^2 m/s2 m/s² m/s/s m/sec^2 m/sec2 m.s^-2 m.s-2 ms^-2 ms-2 m*s^-2 m·s^-2 m·s⁻² ms⁻² m/(s^2) "
    "meter/second^2 meters/second^2 metres/second^2",
    "g": "g g's gs gravity",
    "mg": "mg millig milli-g",
    "rad/s": "rad/s rad/sec rads/s radian/s radians/s rad.s^-1 rad.s-1 rad·s^-1 rads^-1 rads-1 rad*s^-1 rps "
    "radians/second rad/second",
    "deg/s": "deg/s deg/sec deg/second degree/s degrees/s degrees/second degree/second °/s °/sec º/s dps "
    "deg.s^-1 deg.s-1 degs^-1 °s^-1",
    "s": "s sec secs second seconds",
    "ms": "ms msec milliseconds millisecond",
    "us": "us µs μs usec microseconds microsecond",
    "ns": "ns nsec nanoseconds nanosecond",
}
_UNITS = {spelling: unit for unit, line in _SPELLINGS.items() for spelling in line.split()}


def unit_of(text: str) -> str | None:
    """Return the unit that a text spells, a key of `ACCELERATION`, `ANGULAR_RATE` or `TIME`, or None."""
    return _UNITS.get("".join(text.lower().split()))


def factor(unit: str, known: dict[str, float], where: str) -> float:
    """Return the factor of a unit; raise `InputError` naming the known ones if it is none of them."""
    if unit not in known:
        raise InputError(
            f"Unknown unit '{unit}'.", where=where, expected=", ".join(known), fix=nearest(unit, known)
        )
    return known[unit]
