"""The study file: one TOML file that names model, person, recording, sensors, reference and settings.

The dataclasses below are the format. Field name = key, annotation = what a value may be, default = the value
of a key left out; `docs/study.md` describes every key. Paths are relative to the study file;
``builtin:planar_gait`` names a model that comes with this project. Units are in the names of the keys.
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
import tomllib
import types
import typing
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import osim_models
from casadi_dynamics.errors import InputError, nearest
from sspinn_opensim import sensor_sets


@dataclass(frozen=True)
class Bounds:
    """Closed interval a number must lie in; `low` itself is excluded if `open_low`."""

    low: float
    high: float = math.inf
    hint: str = ""
    open_low: bool = False

    def holds(self, value: float) -> bool:
        """Say whether `value` lies inside."""
        return (value > self.low if self.open_low else value >= self.low) and value <= self.high

    def __str__(self) -> str:
        if math.isinf(self.high):
            return f"a number {'above' if self.open_low else 'not below'} {self.low:g}"
        return f"a number from {self.low:g} to {self.high:g}"


Positive = Annotated[float, Bounds(0.0, open_low=True)]
NonNegative = Annotated[float, Bounds(0.0)]
Count = Annotated[int, Bounds(1)]
Seed = Annotated[int, Bounds(0)]
# From a small child to a very tall or heavy adult: outside, the unit is wrong.
Height = Annotated[float, Bounds(0.5, 2.5, "give the height in metres")]
Mass = Annotated[float, Bounds(10.0, 300.0, "give the mass in kilograms")]
Sole = Annotated[float, Bounds(0.0, 100.0, "give the thickness in millimetres")]
Length = Annotated[float, Bounds(0.02, 1.5, "give lengths in metres")]
Girth = Annotated[float, Bounds(0.05, 2.0, "give circumferences in metres")]
Rate = Annotated[float, Bounds(20.0, 10_000.0, "give the rate in samples a second; walking needs about 100")]
# A longer lag is no latency of sensors but another time axis.
Lag = Annotated[
    float, Bounds(-0.2, 0.2, "give the lag in seconds; a file of another time axis must be shifted")
]
Vector = tuple[float, float, float]
Names = tuple[str, str, str]


@dataclass(frozen=True)
class ModelChoice:
    """``[model]``: the OpenSim model to start from.

    Parameters
    ----------
    file : Path
        Generic model (``.osim``), or ``builtin:NAME``.
    scaled : bool
        True: the model already has the size and mass of the person and is used as it is.
    generic_height_m : float or None
        Height in m of a person the model fits as it is; known for the built-in model and OpenSim's gait
        models.
    contact : {'auto', 'model'}
        ``auto``: a model without contact spheres gets some under its feet. ``model``: it is left as it is.
    """

    file: Path
    scaled: bool = False
    generic_height_m: Height | None = None
    contact: Literal["auto", "model"] = "auto"


@dataclass(frozen=True)
class Person:
    """``[person]``: who was recorded.

    Parameters
    ----------
    height_m, mass_kg : float
        Height in m and mass in kg.
    name : str
        A label for reports.
    shoe_heel_mm, shoe_forefoot_mm : float
        Thickness of the shoes' soles under heel and forefoot, mm.
    """

    height_m: Height
    mass_kg: Mass
    name: str = "subject"
    shoe_heel_mm: Sole = 0.0
    shoe_forefoot_mm: Sole = 0.0


@dataclass(frozen=True)
class MeasurementChoice:
    """``[scaling.measurements.NAME]``: distances between markers that scale bodies.

    Parameters
    ----------
    name : str
        The NAME of the table.
    pairs : tuple of (str, str)
        Pairs of markers; the factor is the mean over pairs of distance measured over distance in the model.
    bodies : tuple of str
        Bodies it scales.
    axes : str
        Axes of the bodies it scales, some of ``xyz``.
    """

    name: str
    pairs: tuple[tuple[str, str], ...]
    bodies: tuple[str, ...]
    axes: str = "xyz"


@dataclass(frozen=True)
class SegmentChoice:
    """``[scaling.segments.NAME]``: a segment measured with a tape.

    Parameters
    ----------
    name : str
        The NAME of the table: a known segment, or one of the user's own with `between` and `bodies`.
    length_m, circumference_m : float or None
        Its length and mean girth, m.
    between : tuple of 2 str or None
        Joints, bodies or markers of the model whose distance the length corresponds to.
    bodies : tuple of str
        Bodies it scales; default: those of the segment.
    axes : str
        Axes the length scales, some of ``xyz``; default: all, across the pelvis one.
    """

    name: str
    length_m: Length | None = None
    circumference_m: Girth | None = None
    between: tuple[str, str] | None = None
    bodies: tuple[str, ...] = ()
    axes: str = ""


@dataclass(frozen=True)
class ScalingChoice:
    """``[scaling]``: how the model becomes the person's, where height and mass are not all that is known.

    Parameters
    ----------
    method : {'height', 'markers', 'segments'} or None
        Left out: what the other keys are for, else ``height``.
    setup : Path or None
        The laboratory's own set-up of OpenSim's ScaleTool (markers).
    static : Path or None
        Static marker trial, ``.trc`` (markers).
    markers : Path or None
        Marker set to put on the model (markers).
    from_s, to_s : float or None
        Part of the static trial to use, s (markers).
    measurements : tuple of MeasurementChoice
        Instead of a set-up (markers).
    weights : dict of str to float
        Weights of markers in the static pose that differ from 1; 0 leaves a marker out (markers).
    place_markers : bool or None
        Whether the model's markers move to where they were measured (markers).
    segments : tuple of SegmentChoice
        What a tape measured (segments).
    preserve_mass_distribution : bool or None
        Whether each body keeps its share of the mass, or gets one by its volume.
    """

    method: Literal["height", "markers", "segments"] | None = None
    setup: Path | None = None
    static: Path | None = None
    markers: Path | None = None
    from_s: NonNegative | None = None
    to_s: NonNegative | None = None
    measurements: tuple[MeasurementChoice, ...] = ()
    weights: dict[str, NonNegative] = dataclasses.field(default_factory=dict)
    place_markers: bool | None = None
    segments: tuple[SegmentChoice, ...] = ()
    preserve_mass_distribution: bool | None = None


@dataclass(frozen=True)
class RecordingChoice:
    """``[recording]``: the IMU file and how to read it.

    Parameters
    ----------
    format : {'csv', 'dorschky2019'}
        Which reader.
    file : Path
        The recording.
    name : str
        Name of the trial in reports and in ``metrics.json``; default: name of the file without its ending.
    speed_m_s : float or None
        Mean forward speed in m/s; overrides the speed stored in the file.
    sampling_rate_hz : float or None
        Rate to resample to, Hz. Left out: a CSV keeps its own rate, dorschky2019 is read at 100 Hz.
    cycles : int
        How often the one stored cycle is repeated (dorschky2019 only).
    sensors : str or tuple of str
        Which of the study's sensors are used: ``all``, a set of `sensor_sets.PRESETS`, or names.
    time_column : str
        Column that holds time in s (CSV only).
    acceleration_unit : {'m/s^2', 'g'}
        Unit of the accelerations in the file (CSV only).
    angular_rate_unit : {'rad/s', 'deg/s'}
        Unit of the angular rates in the file (CSV only).
    """

    format: Literal["csv", "dorschky2019"]
    file: Path
    name: str = ""
    speed_m_s: Positive | None = None
    sampling_rate_hz: Rate | None = None
    cycles: Count = 20
    sensors: str | tuple[str, ...] = sensor_sets.ALL
    time_column: str = "time"
    acceleration_unit: Literal["m/s^2", "g"] = "m/s^2"
    angular_rate_unit: Literal["rad/s", "deg/s"] = "rad/s"


@dataclass(frozen=True)
class SensorChoice:
    """``[sensors.NAME]``: one sensor, its place on the model and its columns in the file.

    Parameters
    ----------
    name : str
        The NAME of the table.
    body : str
        Body that carries it; default: NAME.
    position : tuple of 3 float or None
        Position in m along the body's axes, from `origin`. Left out for dorschky2019: taken from the file.
    origin : str
        Joint of the model from whose centre `position` is measured; empty: the origin of the body.
    imu_frame : str
        IMU frame of the model that says where the sensor sits; then `position`, `origin` and a rotation are
        left out.
    axes : tuple of 3 str or None
        For each of the sensor's x, y, z the body axis it points along, such as ``["-z", "y", "x"]``.
    orientation_deg : tuple of 3 float or None
        Instead of `axes`: body-fixed XYZ angles in degrees of the sensor's axes in the body.
    acceleration_columns, angular_rate_columns : tuple of 3 str or None
        Columns of the sensor's x, y, z signal (CSV only); ``""`` = not measured. Default: those of
        ``NAME_acc_x`` ... ``NAME_gyro_z`` that the file has.
    """

    name: str
    body: str = ""
    position: Vector | None = None
    origin: str = ""
    imu_frame: str = ""
    axes: Names | None = None
    orientation_deg: Vector | None = None
    acceleration_columns: Names | None = None
    angular_rate_columns: Names | None = None


@dataclass(frozen=True)
class ReferenceChoice:
    """``[reference]``: measured truth, opened by the evaluation only.

    Parameters
    ----------
    format : {'opensim', 'dorschky2019'}
        Storage files of OpenSim, or one file of the data set.
    file : Path or None
        The file (dorschky2019).
    kinematics, moments, grf, muscle_forces : Path or None
        Storage files (opensim), columns named as in the results folder; at least one.
    lag_s : float or None
        How long the sensors lag the reference, s, declared before any scoring; 0 declares none. Left out:
        known for dorschky2019, else none.
    """

    format: Literal["opensim", "dorschky2019"]
    file: Path | None = None
    kinematics: Path | None = None
    moments: Path | None = None
    grf: Path | None = None
    muscle_forces: Path | None = None
    lag_s: Lag | None = None


@dataclass(frozen=True)
class TrainingChoice:
    """``[training]``: length and repetitions of the training.

    Parameters
    ----------
    steps : int
        Optimizer steps.
    seeds : tuple of int
        One training for each seed; the first one's estimate is the one written for OpenSim.
    weights : dict of str to float
        Weights of loss terms that differ from the default, by name of the term.
    patience : int
        Stop early when the mean total loss of this many steps is not below that of as many before; 0: never.
    devices : int
        Processes that train together.
    adaptation_steps : int
        Optimizer steps when a network trained on others is adapted to this person.
    network : {'lstm', 'gated'}
        Kind of network.
    """

    steps: Count = 1500
    seeds: tuple[Seed, ...] = (0,)
    weights: dict[str, NonNegative] = dataclasses.field(default_factory=dict)
    patience: Annotated[int, Bounds(0)] = 0
    devices: Count = 1
    adaptation_steps: Annotated[int, Bounds(0)] = 300
    network: Literal["lstm", "gated"] = "lstm"


@dataclass(frozen=True)
class CoordinateChoice:
    """``[coordinates]``: which coordinates of the model are estimated.

    Parameters
    ----------
    fixed : dict of str to float
        Coordinate and the value it keeps, in rad or m.
    estimate : str or tuple of str
        ``all``; ``observed``: those that move a sensor or a foot; ``planar``: of these the ones in the
        sagittal plane; or names. The others are held at their default.
    """

    fixed: dict[str, float] = dataclasses.field(default_factory=dict)
    estimate: str | tuple[str, ...] = "all"


@dataclass(frozen=True)
class MuscleChoice:
    """``[muscles]``: static optimization.

    Parameters
    ----------
    lowpass_hz : float
        Cut-off of OpenSim's low-pass filter on the coordinates, Hz: 6 is usual for walking, 15 for running;
        0 filters nothing.
    physiology : bool
        Whether muscle force depends on fibre length and velocity. OpenSim takes tendons as rigid here, which
        robs fast push-off of its strength: false for running.
    fast : bool
        Whether the same program is solved here instead of in OpenSim, hundreds of times faster.
    """

    lowpass_hz: NonNegative = 6.0
    physiology: bool = True
    fast: bool = False


@dataclass(frozen=True)
class OutputChoice:
    """``[output]``: the part of the recording that is written and analysed for muscle forces.

    Parameters
    ----------
    from_s, to_s : float or None
        Start and end in s of the recording's time. Left out: one late cycle of a tiled recording, else
        everything after the first second.
    """

    from_s: NonNegative | None = None
    to_s: Positive | None = None


@dataclass(frozen=True)
class Study:
    """All a user says about one estimate. Every path is absolute and exists.

    Parameters
    ----------
    path : Path
        The study file.
    model, person, recording : ModelChoice, Person, RecordingChoice
        What is estimated from what.
    sensors : tuple of SensorChoice
        The sensors that are used (`RecordingChoice.sensors`), in the order of the file.
    name : str
        Name of the study; default: name of the file without its ending.
    reference : ReferenceChoice or None
        What the result is compared with, if anything.
    scaling : ScalingChoice
        How the model becomes the person's.
    training, coordinates, muscles, output : TrainingChoice, CoordinateChoice, MuscleChoice, OutputChoice
        Settings.
    """

    path: Path
    model: ModelChoice
    person: Person
    recording: RecordingChoice
    sensors: tuple[SensorChoice, ...]
    name: str = ""
    reference: ReferenceChoice | None = None
    scaling: ScalingChoice = ScalingChoice()
    training: TrainingChoice = TrainingChoice()
    coordinates: CoordinateChoice = CoordinateChoice()
    muscles: MuscleChoice = MuscleChoice()
    output: OutputChoice = OutputChoice()


@dataclass(frozen=True)
class ScalingStudy:
    """A study without a recording: all that scaling a model needs.

    Parameters
    ----------
    path, model, person, scaling, name
        As in `Study`.
    """

    path: Path
    model: ModelChoice
    person: Person
    scaling: ScalingChoice = ScalingChoice()
    name: str = ""


def read_study(path: str | Path, *, sensors: str | Iterable[str] | None = None) -> Study:
    """Read and check a study file.

    Parameters
    ----------
    path : str or Path
        The TOML file.
    sensors : str or iterable of str, optional
        The sensors to use, instead of the study's choice: ``all``, a set such as ``FT``, or names.

    Returns
    -------
    Study

    Raises
    ------
    InputError
        If the file is missing or not TOML, a key is unknown, missing or of the wrong kind, a number is out of
        bounds, a file it names does not exist, settings contradict each other, or the study lacks a sensor of
        the chosen set.
    """
    path = Path(path).absolute()
    text, table = _load(path)
    place = _Place(path, text)
    study = _parse(Study, table, place, path=path)
    named = dataclasses.replace(
        study,
        name=study.name or path.stem,
        recording=dataclasses.replace(
            study.recording, name=study.recording.name or study.recording.file.stem
        ),
        sensors=tuple(
            dataclasses.replace(sensor, body=sensor.body or sensor.name) for sensor in study.sensors
        ),
    )
    _check_sensors(named, place)
    _check_reference(named, place)
    _check_settings(named, place)
    scaling_method(named)
    if sensors is None:
        return _with_sensors(named, named.recording.sensors, str(place / "recording" / "sensors"))
    return _with_sensors(named, sensors, "--sensors")


def read_tables(path: str | Path, kind: type) -> Any:
    """Read a TOML file whose format is another dataclass, by the rules of a study; errors as `read_study`."""
    path = Path(path).absolute()
    text, table = _load(path)
    return _parse(kind, table, _Place(path, text))


def read_scaling(path: str | Path) -> Study | ScalingStudy:
    """Read a study, or one that ends with the scaling and has no recording; errors as `read_study`."""
    path = Path(path).absolute()
    text, table = _load(path)
    if "recording" in table or "sensors" in table:
        return read_study(path)
    study = _parse(ScalingStudy, table, _Place(path, text), path=path)
    scaling_method(study)
    return dataclasses.replace(study, name=study.name or path.stem)


def scaling_method(study: Study | ScalingStudy) -> str:
    """Return how a study scales its model: ``scaled`` (not at all), ``height``, ``markers`` or ``segments``.

    Raises
    ------
    InputError
        If keys of two methods are given, or none of those that the stated method needs.
    """
    place, choice = _Place(study.path, _load(study.path)[0]) / "scaling", study.scaling
    of_method = {
        "markers": "setup static markers from_s to_s measurements weights place_markers".split(),
        "segments": ["segments"],
        "height": [],
    }
    unset = ScalingChoice()
    given = {
        method: [key for key in keys if getattr(choice, key) != getattr(unset, key)]
        for method, keys in of_method.items()
    }
    stated = [f"method = '{choice.method}'"] if choice.method else []
    found = {method: keys for method, keys in given.items() if keys}
    if choice.method:
        found[choice.method] = stated + given[choice.method]
    if study.model.scaled:
        found["scaled"] = ["[model] scaled = true"]
        if choice.preserve_mass_distribution is not None:
            found["scaling"] = ["preserve_mass_distribution"]
    if len(found) > 1:
        raise place.error(
            "The study scales the model in two ways.",
            expected="keys of one method",
            found="; ".join(", ".join(keys) for keys in found.values()),
            fix="keep one of them",
        )
    method = next(iter(found), "height")
    if method == "markers":
        _check_marker_scaling(choice, place)
    if method == "segments" and not choice.segments:
        raise place.error("No segment is measured.", fix="add a table [scaling.segments.thigh] with length_m")
    return method


def override(study: Study, *, steps: int | None = None, seeds: Iterable[int] | None = None) -> Study:
    """Return the study with another number of steps or other seeds.

    Parameters
    ----------
    study : Study
    steps : int, optional
        Optimizer steps, at least 1.
    seeds : iterable of int, optional
        At least one, none negative, no two equal.

    Raises
    ------
    InputError
        If a value is out of bounds.
    """
    training = study.training
    if steps is not None:
        if steps < 1:
            raise InputError("The number of steps must be at least 1.", where="--steps", found=str(steps))
        training = dataclasses.replace(training, steps=steps)
    if seeds is not None:
        seeds = tuple(seeds)
        if not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
            raise InputError(
                "Seeds must be different whole numbers, none negative.",
                where="--seeds",
                expected="such as 0,1,2",
                found=",".join(map(str, seeds)) or "none",
            )
        training = dataclasses.replace(training, seeds=seeds)
    return dataclasses.replace(study, training=training)


def examples_folder() -> Path:
    """Return the folder of the example studies: in the installed package, else at the repository's root."""
    here = Path(__file__).resolve().parent
    installed = here / "examples"
    return installed if installed.is_dir() else here.parent / "examples"


# --- reading ---


@dataclass(frozen=True)
class _Place:
    """A table or key of the study file, for messages."""

    path: Path
    text: str
    keys: tuple[str, ...] = ()

    def __truediv__(self, key: str) -> _Place:
        return dataclasses.replace(self, keys=(*self.keys, key))

    def __str__(self) -> str:
        line = self._line()
        return (
            str(self.path)
            + (f", line {line}" if line else "")
            + (f", {'.'.join(self.keys)}" if self.keys else "")
        )

    def _line(self) -> int | None:
        """Line of the key or of its table; None where a simple search does not find it."""
        lines = self.text.splitlines()
        for depth in range(len(self.keys), 0, -1):
            table, key = ".".join(self.keys[: depth - 1]), re.escape(self.keys[depth - 1])
            header = re.compile(rf"\s*\[{re.escape('.'.join(self.keys[:depth]))}\]")
            current = ""
            for number, line in enumerate(lines, 1):
                if header.match(line):
                    return number
                if found := re.match(r"\s*\[([^\[\]]+)\]", line):
                    current = found[1].strip()
                elif current == table and re.match(rf"\s*\"?{key}\"?\s*[=.]", line):
                    return number
        return None

    def error(self, what: str, **parts: str) -> InputError:
        return InputError(what, where=str(self), **parts)


def _load(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        return text, tomllib.loads(text)
    except FileNotFoundError:
        beside = [file.name for file in path.parent.glob("*.toml")] if path.parent.is_dir() else []
        raise InputError(
            "The study file does not exist.", where=path, fix=nearest(path.name, beside)
        ) from None
    except OSError as error:
        raise InputError(f"The study file cannot be read: {error.strerror}.", where=path) from error
    except UnicodeDecodeError as error:
        raise InputError("The study file is not UTF-8 text.", where=path, fix="save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(
            f"The study file is not valid TOML: {error}.",
            where=path,
            fix="text needs quotes, a table starts with [name], Windows paths need 'single quotes' or \"/\"",
        ) from error


def _parse(kind: type, table: Any, place: _Place, **given: Any) -> Any:
    """Build the dataclass `kind` from a TOML table; `given` fields do not come from the table."""
    if not isinstance(table, dict):
        raise place.error(
            "This must be a table.", expected=f"[{'.'.join(place.keys)}]", found=_describe(table)
        )
    fields = {field.name: field for field in dataclasses.fields(kind) if field.name not in given}
    for key in table:
        if key not in fields:
            raise (place / key).error(
                f"Unknown key '{key}'.", expected="one of " + ", ".join(fields), fix=nearest(key, fields)
            )
    hints = typing.get_type_hints(kind, include_extras=True)
    values = {key: _convert(table[key], hints[key], place / key) for key in fields if key in table}
    for key, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and key not in table:
            raise place.error(f"The key '{key}' is missing.", expected=_wanted(hints[key], key))
    return kind(**given, **values)


def _convert(value: Any, hint: Any, place: _Place) -> Any:
    """Check a TOML value against an annotation and return it in that type."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        parts = [part for part in typing.get_args(hint) if part is not type(None)]
        listed = isinstance(value, list)
        hint = next((part for part in parts if (typing.get_origin(part) is tuple) == listed), parts[0])
    if typing.get_origin(hint) is Annotated:
        base, bounds = typing.get_args(hint)
        number = _convert(value, base, place)
        if not bounds.holds(number):
            raise place.error(
                "The value is out of bounds.", expected=str(bounds), found=f"{number:g}", fix=bounds.hint
            )
        return number
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        return _parse(hint, value, place)
    if origin is Literal:
        return _choose(value, arguments, place)
    if origin is dict:
        _require(isinstance(value, dict), value, "a table of names and numbers", place)
        return {key: _convert(entry, arguments[1], place / key) for key, entry in value.items()}
    if origin is tuple and dataclasses.is_dataclass(arguments[0]):
        _require(isinstance(value, dict), value, f"tables [{place.keys[-1]}.NAME]", place)
        return tuple(_parse(arguments[0], entry, place / name, name=name) for name, entry in value.items())
    if origin is tuple:
        return _convert_list(value, arguments, place)
    return _convert_scalar(value, hint, place)


def _convert_list(value: Any, arguments: tuple[Any, ...], place: _Place) -> tuple[Any, ...]:
    _require(isinstance(value, list), value, "a list in [ ]", place)
    if arguments[-1] is Ellipsis:
        _require(len(value) > 0, value, "at least one entry", place)
        arguments = (arguments[0],) * len(value)
    _require(len(value) == len(arguments), value, f"{len(arguments)} entries", place)
    return tuple(_convert(entry, hint, place) for entry, hint in zip(value, arguments, strict=True))


def _convert_scalar(value: Any, hint: type, place: _Place) -> Any:
    if hint is Path:
        _require(isinstance(value, str), value, "a path in quotes", place)
        return _resolve(value, place)
    if hint is float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        _require(number and math.isfinite(value), value, "a number", place)
        return float(value)
    if hint is int:
        _require(isinstance(value, int) and not isinstance(value, bool), value, "a whole number", place)
        return value
    expected = {str: "text in quotes", bool: "true or false"}[hint]
    _require(isinstance(value, hint), value, expected, place)
    return value


def _choose(value: Any, choices: tuple[str, ...], place: _Place) -> str:
    if value not in choices:
        expected = "one of " + ", ".join(f'"{choice}"' for choice in choices)
        raise place.error(
            "The value is not one of the choices.",
            expected=expected,
            found=_describe(value),
            fix=nearest(value, choices) if isinstance(value, str) else "",
        )
    return value


def _resolve(text: str, place: _Place) -> Path:
    if text.startswith("builtin:"):
        try:
            return osim_models.path(text.removeprefix("builtin:").removesuffix(".osim") + ".osim")
        except InputError as error:
            what = f"There is no built-in model '{text.removeprefix('builtin:')}'."
            raise place.error(what, expected=error.expected, fix=error.fix) from None
    # normpath, not resolve: a study reached through a link names files beside the link.
    file = Path(os.path.normpath(place.path.parent / Path(text).expanduser()))
    if not file.is_file():
        beside = [entry.name for entry in file.parent.iterdir()] if file.parent.is_dir() else []
        fix = nearest(file.name, beside) or "paths are relative to the study file"
        raise place.error("The file does not exist.", found=str(file), fix=fix)
    return file


def _require(holds: bool, value: Any, expected: str, place: _Place) -> None:
    if not holds:
        raise place.error("The value is of the wrong kind.", expected=expected, found=_describe(value))


def _describe(value: Any) -> str:
    kinds = {bool: "true/false", str: "text", list: "a list", dict: "a table", int: "number", float: "number"}
    return f"{value!r} ({kinds.get(type(value), type(value).__name__)})"


def _wanted(hint: Any, key: str) -> str:
    if dataclasses.is_dataclass(hint):
        return f"a table [{key}]"
    if typing.get_origin(hint) is tuple:
        return f"at least one table [{key}.NAME]"
    if typing.get_origin(hint) is Literal:
        return f"{key} = one of " + ", ".join(f'"{choice}"' for choice in typing.get_args(hint))
    if typing.get_origin(hint) is Annotated:
        return f"{key} = {typing.get_args(hint)[1]}"
    return f"{key} = ..."


# --- settings that must agree with each other ---


def _check_sensors(study: Study, place: _Place) -> None:
    if not study.sensors:
        raise (place / "sensors").error(
            "The study names no sensor.", fix="add a table [sensors.NAME] for each IMU"
        )
    for sensor in study.sensors:
        here = place / "sensors" / sensor.name
        if sensor.imu_frame:
            own = [key for key in ("position", "origin", "axes", "orientation_deg") if getattr(sensor, key)]
            if own:
                raise here.error(
                    f"Sensor '{sensor.name}' is placed twice: by imu_frame and by {', '.join(own)}.",
                    fix="keep imu_frame, or the others",
                )
        elif sensor.position is None and study.recording.format == "csv":
            raise here.error(
                f"Sensor '{sensor.name}' has no place on the model.",
                expected='position = [x, y, z] in m, or imu_frame = "name of an IMU frame of the model"',
            )
        if sensor.axes is not None and sensor.orientation_deg is not None:
            raise here.error(
                f"Sensor '{sensor.name}' is rotated twice: by axes and by orientation_deg.",
                fix="keep one of them",
            )
        if study.recording.format != "csv" and (sensor.acceleration_columns or sensor.angular_rate_columns):
            raise here.error("Columns are named only for a CSV recording.", fix="remove them")


def _with_sensors(study: Study, chosen: str | Iterable[str], where: str) -> Study:
    chosen = chosen if isinstance(chosen, str) else tuple(chosen)
    sensors = sensor_sets.select(study.sensors, chosen, where=where)
    return dataclasses.replace(
        study, recording=dataclasses.replace(study.recording, sensors=chosen), sensors=sensors
    )


def _check_reference(study: Study, place: _Place) -> None:
    reference = study.reference
    if reference is None:
        return
    here = place / "reference"
    tables = ("kinematics", "moments", "grf", "muscle_forces")
    given = [key for key in tables if getattr(reference, key) is not None]
    if reference.format == "opensim" and (reference.file or not given):
        raise here.error(
            "A reference of format 'opensim' names its tables.",
            expected="one or more of " + ", ".join(tables),
        )
    if reference.format == "dorschky2019" and (given or not reference.file):
        raise here.error(
            "A reference of format 'dorschky2019' is one file.",
            expected='file = "..."',
            found=", ".join(given),
        )


def _check_marker_scaling(choice: ScalingChoice, place: _Place) -> None:
    if choice.setup and (choice.measurements or choice.weights):
        own = [key for key in ("measurements", "weights") if getattr(choice, key)]
        raise place.error(
            "A set-up of ScaleTool has measurements and weights of its own.",
            found=f"setup and {', '.join(own)}",
            fix="keep one of them",
        )
    if not choice.setup and not choice.measurements:
        raise place.error(
            "Nothing says which distances between markers scale which bodies.",
            expected="setup = a set-up of OpenSim's ScaleTool, or tables [scaling.measurements.NAME]",
        )
    if not choice.setup and not choice.static:
        raise place.error("The static marker trial is missing.", expected='static = "static.trc"')
    if choice.from_s is not None and choice.to_s is not None and choice.from_s > choice.to_s:
        raise place.error("The part of the static trial ends before it starts.", expected="from_s <= to_s")


def _check_settings(study: Study, place: _Place) -> None:
    seeds, output = study.training.seeds, study.output
    if len(set(seeds)) < len(seeds):
        raise (place / "training" / "seeds").error("A seed is repeated.", found=str(list(seeds)))
    if output.from_s is not None and output.to_s is not None and output.from_s >= output.to_s:
        raise (place / "output").error(
            "The output ends before it starts.",
            expected="from_s < to_s",
            found=f"{output.from_s:g} to {output.to_s:g} s",
        )
