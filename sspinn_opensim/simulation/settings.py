"""The settings of a simulated recording: a TOML file whose format is the dataclasses below.

As in a study, the name of a field is the key, its annotation what a value may be, its default the value of a
key left out, and paths are relative to the file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from casadi_dynamics.errors import InputError
from sspinn_opensim.settings import Location, read_tables, replaced
from sspinn_opensim.settings.bounds import (
    LARGEST,
    Angles,
    Bounds,
    Height,
    Mass,
    NonNegative,
    Place,
    Rate,
    Seed,
)

Angle = Annotated[float, Bounds(0.0, 45.0, "give the standard deviation in degrees")]
Length = Annotated[float, Bounds(0.0, 0.2, "give the standard deviation in metres")]
Frequency = Annotated[float, Bounds(1.0, 200.0, "give the frequency in Hz")]
Damping = Annotated[float, Bounds(0.02, 2.0)]
Heading = Annotated[float, Bounds(-360.0, 360.0)]
Strides = Annotated[int, Bounds(3, 10_000)]
Belt = Annotated[float, Bounds(-15.0, 15.0, "give the speed in metres a second")]
Distance = Annotated[float, Bounds(0.3, 1000.0, "give the length in metres")]
Standing = Annotated[float, Bounds(0.0, 60.0, "give the time in seconds")]
Time = Annotated[float, Bounds(-LARGEST, LARGEST)]
Delay = Annotated[float, Bounds(-0.5, 0.5, "give the time in seconds")]


@dataclass(frozen=True)
class MotionSettings:
    """``[motion]``: how the file becomes a motion.

    Parameters
    ----------
    lowpass_hz : float
        Cut-off (-3 dB) of a Butterworth filter of fourth order without lag on the coordinates, Hz; 0: none.
    unit : {'degrees', 'radians'} or None
        Unit of rotational coordinates where the file does not say.
    heading_deg : float or None
        Angle about the vertical by which the motion is turned so that the walk leads along x; left out, it is
        found from the way travelled, or, on a treadmill, from where the pelvis faces.
    belt_speed_m_s : float
        Speed of the treadmill's belt. The study is told the sum of it and of the way travelled in the file.
    strides : int or None
        One stride of the motion is repeated this often; left out, the motion is used as it is.
    keep_from_s, keep_to_s : float or None
        With `strides`: the part of the file that stays as it is, on the clock of the file. The rest of the
        stride is bent to close it.
    path : {'straight', 'circle', 'back_and_forth'}
        What the walk is laid along, to the left. Back and forth: straight, half a circle, and so on.
    radius_m, straight_m : float
        Of the circle or its halves, and length of the straight parts.
    standing_s : float
        So long the person stands still before the motion, and then starts within a second.
    standing : Path or None
        Motion file of the person who stands: its mean posture is held; left out: the model's default posture.
    """

    lowpass_hz: NonNegative = 12.0
    unit: Literal["degrees", "radians"] | None = None
    heading_deg: Heading | None = None
    belt_speed_m_s: Belt = 0.0
    strides: Strides | None = None
    keep_from_s: Time | None = None
    keep_to_s: Time | None = None
    path: Literal["straight", "circle", "back_and_forth"] = "straight"
    radius_m: Distance = 2.0
    straight_m: Distance = 5.0
    standing_s: Standing = 0.0
    standing: Path | None = None


@dataclass(frozen=True)
class ErrorSettings:
    """``[errors]``: what is wrong with the sensors. Zero switches an error off.

    The defaults of the noise are those of a wearable MEMS sensor (Xsens MTw Awinda data sheet:
    200 ug/sqrt(Hz) and 0.01 deg/s/sqrt(Hz)). All others are choices of this project.

    Parameters
    ----------
    acceleration_noise, angular_rate_noise : float
        Density of the white noise, m/s^2/sqrt(Hz) and rad/s/sqrt(Hz).
    acceleration_bias, angular_rate_bias : float
        Standard deviation of the constant bias of each axis, m/s^2 and rad/s.
    misalignment_deg : float
        Standard deviation of each of the three angles by which a sensor's axes miss those stated, degrees.
    position_m : float
        Standard deviation along each axis by which a sensor misses the place stated, m.
    wobble : float
        How far sensors move on soft tissue: 1 moves them as a mass on a spring that swings at the sensor's
        `wobble_hz`, 0.5 half as far, 0 not at all.
    wobble_damping : float
        Damping ratio of that spring.
    ringing : float
        How strongly sensors ring after foot strikes: 1 as was measured on walking people, 0 not at all.
    """

    acceleration_noise: NonNegative = 0.00196
    angular_rate_noise: NonNegative = 0.000175
    acceleration_bias: NonNegative = 0.05
    angular_rate_bias: NonNegative = 0.005
    misalignment_deg: Angle = 3.0
    position_m: Length = 0.01
    wobble: NonNegative = 1.0
    wobble_damping: Damping = 0.3
    ringing: NonNegative = 0.0


@dataclass(frozen=True)
class VirtualSensorChoice:
    """``[sensors.NAME]``: one virtual sensor; without any, there is one on each segment of pelvis and legs.

    Parameters
    ----------
    name : str
        The NAME of the table.
    body : str
        Body of the model that carries it; default: NAME.
    position : tuple of 3 float or None
        From the body's origin, along its axes, m; left out: in the middle of the segment, on its surface.
    orientation_deg : tuple of 3 float
        Body-fixed XYZ angles of the sensor's axes in the body, degrees.
    wobble_hz : float or None
        Natural frequency of the sensor on the soft tissue; left out: by the kind of the segment.
    """

    name: str
    body: str = ""
    position: Place | None = None
    orientation_deg: Angles = (0.0, 0.0, 0.0)
    wobble_hz: Frequency | None = None


@dataclass(frozen=True)
class LaboratorySettings:
    """``[laboratory]``: what was measured beside the motion; it becomes the reference of the study.

    Parameters
    ----------
    moments : Path or None
        Inverse dynamics of the motion, ``.sto`` of OpenSim's tool. Left out, they are worked out from the
        motion as it is recorded and the ground forces.
    external_loads : Path or None
        ExternalLoads ``.xml`` with the ground forces.
    forces_late_s : float
        By how much the ground forces lag behind the motion on the clock of their files, s. They are moved by
        it, so moments must be worked out from them and not be given.
    """

    moments: Path | None = None
    external_loads: Path | None = None
    forces_late_s: Delay = 0.0


@dataclass(frozen=True)
class StudySettings:
    """``[study]``: the study that is written beside the recording.

    Parameters
    ----------
    model : Path or None
        Model of the study; left out: the model of the motion if it has contact points, else the built-in
        planar model.
    estimate : str
        Coordinates that the study estimates: "all", "observed" or "planar"; left out: all.
    name : str
        Name of the study.
    person : str
        Label of the person and, where it is not the default, their `id`.
    height_m, mass_kg : float or None
        Of the person. The mass is that of the model if it is left out.
    """

    model: Path | None = None
    estimate: Literal["all", "observed", "planar"] = "all"
    name: str = ""
    person: str = "subject"
    height_m: Height | None = None
    mass_kg: Mass | None = None


@dataclass(frozen=True)
class SimulationSettings:
    """All settings of a simulated recording.

    Parameters
    ----------
    sampling_rate_hz : float
        Rate of the recording, Hz.
    seed : int
        Seed of everything random.
    """

    sampling_rate_hz: Rate = 100.0
    seed: Seed = 0
    motion: MotionSettings = MotionSettings()
    errors: ErrorSettings = ErrorSettings()
    sensors: tuple[VirtualSensorChoice, ...] = ()
    study: StudySettings = StudySettings()
    laboratory: LaboratorySettings = LaboratorySettings()


#: Sensors without error.
PERFECT = ErrorSettings(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def read_settings(path: Path) -> SimulationSettings:
    """Read a settings file."""
    return read_tables(path, SimulationSettings, "settings file")


def changed(settings: SimulationSettings, changes: Mapping[str, object]) -> SimulationSettings:
    """Return the settings with some values replaced and all checked; a key is 'seed' or 'table.key'."""
    for key, value in changes.items():
        table, _, name = key.rpartition(".")
        owner = replaced(getattr(settings, table) if table else settings, {name: value}, Location(name))
        settings = dataclasses.replace(settings, **{table: owner}) if table else owner
    check(settings)
    return settings


def check(settings: SimulationSettings) -> None:
    """Refuse settings that contradict each other."""
    motion = settings.motion
    from_s, to_s = motion.keep_from_s, motion.keep_to_s
    if (from_s is None) != (to_s is None) or (from_s is not None and not motion.strides):
        raise InputError(
            "The part to keep needs both ends, and a number of strides.",
            where="[motion] of the settings",
            expected="keep_from_s, keep_to_s and strides, or none of the first two",
        )
    if from_s is not None and to_s is not None and not from_s < to_s:
        raise InputError(
            "The part to keep ends before it starts.",
            where="[motion] of the settings",
            expected="keep_from_s < keep_to_s",
            found=f"{from_s:g} to {to_s:g} s",
        )
    if motion.standing is not None and not motion.standing_s:
        raise InputError(
            "A posture of standing is given, but nobody stands.",
            where="[motion] of the settings",
            expected="standing_s, how long the person stands, s, beside standing",
            fix="add standing_s = 2.0, or leave standing out",
        )
    given = settings.laboratory
    if motion.path != "straight" and (given.moments is not None or given.external_loads is not None):
        raise InputError(
            "Forces of a straight walk are not those of one that turns.",
            where="[laboratory] of the settings",
            expected=f'no moments and no external_loads with path = "{motion.path}"',
            fix='leave them out, or set path = "straight"',
        )
    if given.forces_late_s and given.moments is not None:
        raise InputError(
            "Moments that were worked out with late ground forces cannot be moved in time.",
            where="[laboratory] of the settings",
            expected="moments or forces_late_s, not both",
            fix="leave out moments: they are then worked out from the motion and the forces",
        )
