"""Sets of a study's sensors: all, some by name, or a sparse set by the segments they sit on.

The sparse sets are those of SSPINNpose (arXiv 2506.11786), named by their segments: F(eet), T(highs),
S(hanks), P(elvis). A segment is recognised by the name of the body, in the words that models and sensor
makers use.
"""

from __future__ import annotations

from collections.abc import Sequence

from casadi_dynamics.errors import InputError, nearest
from sspinn_opensim.anatomy import MIDDLE, segment_of
from sspinn_opensim.recording.choices import ALL_SENSORS as ALL
from sspinn_opensim.recording.choices import SensorChoice

#: Set -> segments that carry its sensors, both sides of those that have sides.
PRESETS = {
    "FT": ("foot", "thigh"),
    "FS": ("foot", "shank"),
    "TS": ("thigh", "shank"),
    "SP": ("shank", "pelvis"),
    "F": ("foot",),
}


def select(
    sensors: Sequence[SensorChoice], chosen: str | Sequence[str], *, where: str
) -> tuple[SensorChoice, ...]:
    """Return the sensors of a set, in the order of the study.

    Parameters
    ----------
    chosen : str or sequence of str
        ``all``, a name in `PRESETS`, or names of sensors; of a segment with one sensor any name will do:
        ``thigh_l`` and ``femur_l`` are the same.

    Returns
    -------
    tuple of SensorChoice
        All the sensors on the segments of a preset: of two on one foot, both.
    """
    if chosen == ALL:
        return tuple(sensors)
    if not isinstance(chosen, str):
        return _named(sensors, chosen, where)
    if chosen not in PRESETS:
        known = (ALL, *PRESETS)
        is_sensor = any(sensor.name == chosen for sensor in sensors)
        raise InputError(
            f"There is no sensor set '{chosen}'.",
            where=where,
            expected="one of " + ", ".join(known) + ", or a list of names of sensors",
            fix=f'for this sensor alone write ["{chosen}"]' if is_sensor else nearest(chosen, known),
        )
    return _preset(sensors, chosen, where)


def _named(sensors: Sequence[SensorChoice], chosen: Sequence[str], where: str) -> tuple[SensorChoice, ...]:
    known = [sensor.name for sensor in sensors]
    chosen = [name if name in known else _named_otherwise(sensors, name) for name in chosen]
    for name in chosen:
        if name not in known:
            raise InputError(
                f"The study has no sensor '{name}'.",
                where=where,
                expected=f"names among {', '.join(known)}; or one of the sets {', '.join((ALL, *PRESETS))}",
                fix=nearest(name, (*known, ALL, *PRESETS)),
            )
    if len(set(chosen)) < len(chosen):
        raise InputError("A sensor is named twice.", where=where, found=", ".join(chosen))
    return tuple(sensor for sensor in sensors if sensor.name in chosen)


def _named_otherwise(sensors: Sequence[SensorChoice], name: str) -> str:
    """Return the name of the only sensor on the segment and side that a name tells; else the name itself."""
    told = segment_of(name)
    whole = told is not None and (told[1] or told[0] in MIDDLE)
    there = [sensor.name for sensor in sensors if whole and _place(sensor) == told]
    return there[0] if len(there) == 1 else name


def _preset(sensors: Sequence[SensorChoice], preset: str, where: str) -> tuple[SensorChoice, ...]:
    places = [_place(sensor) for sensor in sensors]
    for segment in PRESETS[preset]:
        for side in ("",) if segment in MIDDLE else ("left", "right"):
            if (segment, side) not in places:
                raise InputError(
                    f"The sensor set {preset} needs a sensor on the {f'{side} {segment}'.strip()}.",
                    where=where,
                    found=", ".join(
                        f"{s.name} ({_in_words(p)})" for s, p in zip(sensors, places, strict=True)
                    ),
                    fix="add it to the study, give its body a name that tells segment and side, or list the "
                    "sensors to use by name",
                )
    wanted = PRESETS[preset]
    # A sensor whose side is unknown is left out: the set's sensors of both sides are there without it.
    return tuple(
        sensor
        for sensor, place in zip(sensors, places, strict=True)
        if place and place[0] in wanted and (place[1] or place[0] in MIDDLE)
    )


def _place(sensor: SensorChoice) -> tuple[str, str] | None:
    """Read the IMU frame, which decides where a sensor sits; what it does not tell is left to the body."""
    told = [segment_of(name) for name in (sensor.imu_frame, sensor.body) if name]
    whole = [place for place in told if place and (place[1] or place[0] in MIDDLE)]
    return next(iter(whole or filter(None, told)), None)


def _in_words(place: tuple[str, str] | None) -> str:
    if place is None:
        return "segment unknown"
    segment, side = place
    return f"{side} {segment}" if side else segment if segment in MIDDLE else f"{segment}, side unknown"
