"""Channels by their names: which sensor, quantity, axis and unit a column or analog channel is of.

Vendors put the same four words in many orders of dots, blanks and underscores: ``foot_r_acc_x``,
``IM EMG1.ACC X``, ``Sensor 2.GYRO.Z (deg/s)``, ``Upper/Angular Velocity/Y``, ``ACCX1``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import units
from sspinn_opensim.recording.types import AXES

#: Quantity of a channel; the first two are what a stream holds. Free acceleration is without gravity.
ACCELERATION, ANGULAR_RATE, FREE_ACCELERATION = "acceleration", "angular_rate", "free_acceleration"
#: Units of each quantity that a stream holds, as factors to SI.
UNITS = {ACCELERATION: units.ACCELERATION, ANGULAR_RATE: units.ANGULAR_RATE}

_FREE = r"(?:free|lin(?:ear)?|user|dynamic|gravity[ _.-]?free)[\s_.-]*acc(?:el(?:eration)?)?"
_FORCE = r"acc(?:el(?:eration|ero?meters?)?)?"
_RATE = (
    r"gyr(?:o(?:scopes?)?)?|ang(?:ular)?[\s_.-]*(?:vel(?:ocity)?|rate)|rotation[\s_.-]*rate"
    r"|rate[\s_.-]*of[\s_.-]*turn"
)
_GAP = r"[\s_.:/-]*"
#: Something before, the quantity, the axis, and no more than numbers after either. The quantity is not the
#: end of another word, unless a capital sets it off.
_CHANNEL = re.compile(
    rf"(?P<before>.*?)(?-i:(?<![A-Za-z])|(?<=[a-z])(?=[A-Z]))"
    rf"(?:(?P<free>{_FREE})|(?P<force>{_FORCE})|(?P<rate>{_RATE}))(?:[\s_.-]*sensor)?"
    rf"(?:\s*(?P<number>\d+))?{_GAP}(?P<axis>[ag]?[xyz])(?:[\s_-]?axis)?(?:{_GAP}(?P<after>\d+))?",
    re.IGNORECASE,
)
#: Other orders of quantity, axis and sensor, each for a whole table.
_BREAK = r"[\s_.:/-]+"
_KIND = rf"(?:(?P<force>{_FORCE})|(?P<rate>{_RATE}))"
_ORDERS = [
    re.compile(order, re.IGNORECASE)
    for order in (
        rf"{_KIND}{_GAP}(?P<axis>[xyz]){_BREAK}(?P<sensor>.+)",
        rf"{_KIND}{_BREAK}(?P<sensor>.+?){_BREAK}(?P<axis>[xyz])",
        rf"(?P<sensor>.+?){_BREAK}(?P<axis>[xyz]){_GAP}{_KIND}",
        rf"(?P<axis>[xyz]){_BREAK}{_KIND}(?:{_BREAK}(?P<sensor>.+))?",
        rf"(?:(?P<force>a)|(?P<rate>[gw]))_?(?P<axis>[xyz]){_BREAK}(?P<sensor>.+)",
    )
]
#: The shortest names: ``ax``, ``pelvis_gz``, ``a_x``; ``wx`` stands for omega.
_LETTERS = re.compile(r"(?P<before>(?:.*[\s_.:/-])?)(?P<kind>[agw])_?(?P<axis>[xyz])", re.IGNORECASE)
#: Angular speed as WitMotion calls it; its unit must say that it is.
_SPEED = re.compile(r"(?P<before>(?:.*[\s_.:/-])?)as[\s_]?(?P<axis>[xyz])", re.IGNORECASE)
_UNIT = re.compile(r"(?P<name>.*?)\s*(?:\((?P<round>[^()]*)\)|\[(?P<square>[^\[\]]*)\])\s*")
#: Signals along other axes than the sensor's are no signals of a sensor.
_OTHER_AXES = re.compile(r"(?:^|[\s_.:/-])(?:global|world|earth|lab|ned|enu|nwu)$", re.IGNORECASE)


@dataclass(frozen=True)
class Channel:
    """What the name of a column says.

    Parameters
    ----------
    sensor : str
        What stands before the quantity, and the number after the axis; empty: the file is of one sensor.
    quantity : str
        `ACCELERATION`, `ANGULAR_RATE` or `FREE_ACCELERATION`.
    axis : int
        0, 1, 2 for x, y, z.
    unit : str
        Unit in brackets in the name, as it is spelt; empty: none.
    """

    sensor: str
    quantity: str
    axis: int
    unit: str = ""


def without_unit(name: str) -> tuple[str, str]:
    """Return a name without the brackets at its end, and what stands in them; ``""`` if there are none."""
    match = _UNIT.fullmatch(name)
    if match is None:
        return name.strip(), ""
    return match["name"].strip(), (match["round"] or match["square"] or "").strip()


def channel_of(name: str) -> Channel | None:
    """Return what a name says; None if it names no channel of an inertial sensor."""
    plain, unit = without_unit(name)
    match = _CHANNEL.fullmatch(plain)
    if match is None and units.unit_of(unit) in units.ANGULAR_RATE and (speed := _SPEED.fullmatch(plain)):
        axis = "xyz".index(speed["axis"].lower())
        return Channel(speed["before"].strip(" _.:/-"), ANGULAR_RATE, axis, unit)
    if match is None or _OTHER_AXES.search(match["before"].rstrip(" _.:/-")):
        return None
    quantity = FREE_ACCELERATION if match["free"] else ACCELERATION if match["force"] else ANGULAR_RATE
    sensor, number = match["before"].strip(" _.:/-"), match["number"] or match["after"] or ""
    sensor = sensor if sensor.endswith(number) else f"{sensor} {number}".strip()
    return Channel(sensor, quantity, "xyz".index(match["axis"][-1].lower()), unit)


def channels_by_letters(names: Sequence[str]) -> dict[int, Channel]:
    """Return the channels of a table that calls both kinds of them by letters, by their places."""
    found = {}
    for place, name in enumerate(names):
        plain, unit = without_unit(name)
        if match := _LETTERS.fullmatch(plain):
            quantity = ACCELERATION if match["kind"].lower() == "a" else ANGULAR_RATE
            axis = "xyz".index(match["axis"].lower())
            found[place] = Channel(match["before"].strip(" _.:/-"), quantity, axis, unit)
    return found if len({channel.quantity for channel in found.values()}) == 2 else {}


def channels_by_order(names: Sequence[str]) -> dict[int, Channel]:
    """Return the channels of a table that names sensor, quantity and axis in another order, by their places.

    An order counts if it finds accelerations and angular rates of the same sensors: "acc_pelvis_x" beside
    "gyro_pelvis_x", but not beside "acc_filtered_x".
    """
    orders = ({k: own for k, name in enumerate(names) if (own := _in_order(name, o))} for o in _ORDERS)
    whole = [
        found
        for found in orders
        if found and _sensors_with(found, ACCELERATION) == _sensors_with(found, ANGULAR_RATE)
    ]
    return max(whole, key=len, default={})


def _in_order(name: str, order: re.Pattern[str]) -> Channel | None:
    plain, unit = without_unit(name)
    match = order.fullmatch(plain)
    sensor = match["sensor"] or "" if match else ""
    if match is None or _OTHER_AXES.search(sensor):
        return None
    quantity = ACCELERATION if match["force"] else ANGULAR_RATE
    return Channel(sensor, quantity, "xyz".index(match["axis"].lower()), unit)


def _sensors_with(channels: Mapping[int, Channel], quantity: str) -> set[str]:
    return {channel.sensor for channel in channels.values() if channel.quantity == quantity}


@dataclass(frozen=True)
class SensorChannels:
    """Columns of one sensor by their places in a file.

    Parameters
    ----------
    name : str
        The sensor.
    places : mapping of str to tuple of 3 int or None
        For each quantity the columns of x, y, z; None where an axis was not measured.
    factors : mapping of str to float
        To SI, for each quantity.
    """

    name: str
    places: Mapping[str, tuple[int | None, ...]]
    factors: Mapping[str, float]

    @property
    def columns(self) -> tuple[int, ...]:
        """All columns of the sensor."""
        return tuple(place for own in self.places.values() for place in own if place is not None)

    def signal(self, quantity: str, column: Mapping[int, np.ndarray]) -> np.ndarray | None:
        """Return a quantity (n, 3) in SI, NaN where an axis was not measured; None if none was."""
        places = self.places.get(quantity, ())
        known = [place for place in places if place is not None]
        if not known:
            return None
        missing = np.full(len(column[known[0]]), np.nan)
        parts = [missing if place is None else column[place] for place in places]
        with np.errstate(invalid="ignore"):  # damaged bytes may be a NaN that signals
            return self.factors[quantity] * np.stack(parts, axis=1)


def sensors_of(
    channels: Mapping[int, Channel], stated: Mapping[str, str], where: str, keys: str
) -> tuple[SensorChannels, ...]:
    """Return the sensors of a file, in the order in which the file names them.

    Parameters
    ----------
    channels : mapping of int to Channel
        What each column is, by its place.
    stated : mapping of str to str
        Units of quantities that the study states; a quantity left out or empty: it states none.
    where : str
        File and line of the names, for messages.
    keys : str
        Table of the study that has the keys of units, for messages.

    Raises
    ------
    InputError
        If two columns are one channel, a sensor has only free acceleration, or units contradict each other.
    """
    found: dict[str, dict[str, list[int | None]]] = {}
    for place, channel in channels.items():
        own = found.setdefault(channel.sensor, {}).setdefault(channel.quantity, [None, None, None])
        other = own[channel.axis]
        if other is not None:
            raise InputError(
                f"Two columns are the {channel.quantity.replace('_', ' ')} {AXES[channel.axis]}"
                + (f" of '{channel.sensor}'." if channel.sensor else "."),
                where=where,
                found=f"columns {other + 1} and {place + 1}",
                fix="remove or rename one of them",
            )
        own[channel.axis] = place
    sensors = []
    for name, own in found.items():
        if FREE_ACCELERATION in own and ACCELERATION not in own:
            raise free_acceleration_only(name, where)
        places = {quantity: tuple(axes) for quantity, axes in own.items() if quantity in UNITS}
        factors = {
            quantity: _factor(
                quantity,
                {channels[place].unit for place in axes if place is not None} - {""},
                stated.get(quantity, ""),
                f"{where}, sensor '{name}'",
                keys,
            )
            for quantity, axes in places.items()
        }
        sensors.append(SensorChannels(name, places, factors))
    return tuple(sensors)


def free_acceleration_only(sensor: str, where: str | Path) -> InputError:
    """Return the refusal of a sensor whose file holds no acceleration but one without gravity."""
    return InputError(
        f"Gravity is missing: of '{sensor}' the file holds free acceleration only.",
        where=where,
        expected="the accelerometer's own signal, which reads 9.8 m/s^2 at rest",
        fix="export the acceleration with gravity (often called Acc, not FreeAcc or linear acceleration)",
    )


def _factor(quantity: str, spelt: set[str], stated: str, where: str, keys: str) -> float:
    known = UNITS[quantity]
    named = {units.unit_of(text): text for text in spelt}
    unknown = [text for unit, text in named.items() if unit not in known]
    if unknown and not stated:
        raise InputError(
            f"Unknown unit '{unknown[0]}' of the {quantity.replace('_', ' ')}.",
            where=where,
            expected=", ".join(known),
            fix=f"convert the file to one of these, or state the unit: {quantity}_unit under {keys}",
        )
    found = [unit for unit in named if unit in known]
    if len(found) > 1 or (found and stated and found[0] != stated):
        raise InputError(
            f"The unit of the {quantity.replace('_', ' ')} is stated twice, and differently.",
            where=where,
            expected=f'{quantity}_unit = "{found[0]}", as the file says',
            found=f'{quantity}_unit = "{stated}" in the study' if len(found) == 1 else ", ".join(spelt),
            fix=f"leave {quantity}_unit out of {keys}" if len(found) == 1 else "convert the file to one unit",
        )
    return known[found[0] if found else stated or next(iter(known))]
