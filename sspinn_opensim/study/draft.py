"""Draft of a study for a recording as a vendor exported it: all that is known, and guesses marked as such."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import tomlkit

import osim_models
from casadi_dynamics.errors import InputError, nearest
from casadi_dynamics.model import Model
from casadi_dynamics.model.types import GROUND
from sspinn_opensim.anatomy import MIDDLE, WORDS, segment_of
from sspinn_opensim.anatomy.sagittal import sagittal_coordinates
from sspinn_opensim.recording.placement import body_of_segment
from sspinn_opensim.recording.streams import Stream, stream_of

#: Model of a study that is no file.
BUILTIN = "builtin:"
#: What says where a sensor sits, if the vendor's files do.
_FILES, _NAME = "the files say where it sits", "guess: its name tells"
#: Probability from which a place is guessed by how a sensor moves.
_SURE, _SURE_MIDDLE = 0.9, 0.5
#: Segments of the legs.
_LEG = ("thigh", "shank", "foot")
#: Coordinate of the trunk against the pelvis in the sagittal plane, in the built-in model and OpenSim's.
_TRUNK = ("lumbar_extension", "lumbar_flexion")


@dataclass(frozen=True)
class NewStudy:
    """What a user says of a study that is to be written.

    Parameters
    ----------
    file : Path
        The study to write.
    model : str
        Path of a model, or ``builtin:NAME``.
    height_m, mass_kg : float
        Of the person.
    speed_m_s : float or None
        Mean forward speed, m/s.
    generic_height_m : float or None
        Height of a person the model fits, m.
    scaled : bool
        Whether the model is the person's already.
    force : bool
        Whether a study that is there already is replaced.
    """

    file: Path
    model: str
    height_m: float
    mass_kg: float
    speed_m_s: float | None = None
    generic_height_m: float | None = None
    scaled: bool = False
    force: bool = False


@dataclass(frozen=True)
class Placed:
    """A sensor with the body that carries it.

    Attributes
    ----------
    name : str
        Of the sensor in the study.
    source : str
        Of the sensor in the file.
    body : str
        Of the model.
    told_by : str
        What says so, in words; empty: the user did.
    """

    name: str
    source: str
    body: str
    told_by: str = ""


@dataclass(frozen=True)
class Draft:
    """All that goes into a study.

    Attributes
    ----------
    format, file : str, Path
        The recording.
    model : str
        Path, or ``builtin:NAME``.
    height_m, mass_kg : float
        Of the person.
    sensors : tuple of Placed
        Those that are used.
    left_out : tuple of str
        Sensors of the file that are not.
    planar : bool
        Whether the model itself stays in the sagittal plane.
    fixed : tuple of str
        Coordinates that nothing observes.
    recorded_rate_hz, speed_m_s : float or None
        What the user says, Hz, m/s.
    options : dict of str to object
        Those of the format that were chosen.
    measured_speed_m_s : float or None
        Estimate from the foot sensors, m/s; written as a comment.
    standing_s : pair of float or None
        When the person seems to stand, s; written as a comment.
    accepted : mapping of str to str
        Serious findings that are taken as they are, by key, with what they say.
    generic_height_m : float or None
        Height of a person the model fits, m.
    scaled : bool
        Whether the model is the person's already.
    """

    format: str
    file: Path
    model: str
    height_m: float
    mass_kg: float
    sensors: tuple[Placed, ...]
    left_out: tuple[str, ...] = ()
    planar: bool = True
    fixed: tuple[str, ...] = ()
    recorded_rate_hz: float | None = None
    speed_m_s: float | None = None
    options: dict[str, object] = field(default_factory=dict)
    measured_speed_m_s: float | None = None
    standing_s: tuple[float, float] | None = None
    accepted: Mapping[str, str] = field(default_factory=dict)
    generic_height_m: float | None = None
    scaled: bool = False


def place_streams(
    streams: Sequence[Stream],
    where: Mapping[str, str],
    model: Model,
    by_movement: Callable[[], Mapping[str, tuple[str, str, float]]] = dict,
) -> tuple[Placed, ...]:
    """Return the sensors whose place is known: by the user, by the file, by their names, or by how they move.

    Parameters
    ----------
    where : mapping of str to str
        Name of a sensor in the file, or a part of it, to the segment or body that carries it.
    model : Model
        Whose bodies are meant.
    by_movement : callable
        Returns segment, side and probability of sensors by their names; asked if nothing else says a place.

    Raises
    ------
    InputError
        The user names a sensor, segment or body that there is not, or two sensors for one name; or no sensor
        has a place.
    """
    placed = _placed_by_user(streams, where, model)
    taken = {p.source for p in placed}
    for stream in streams:
        # Who lists sensors leaves out those of which the files say nothing.
        if stream.name in taken or (where and not stream.segment):
            continue
        said = stream.segment or stream.name
        body = _body(said, model)
        if body is not None and all(p.body != body or not p.told_by for p in placed):
            placed.append(Placed(_plain(said), stream.name, body, _FILES if stream.segment else _NAME))
    if not placed:
        placed = _placed_by_movement(by_movement(), model)
    _refuse_none(placed, streams)
    names = [p.name for p in placed]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"Two sensors are called '{name}'.",
                where="--where",
                found=", ".join(p.source for p in placed if p.name == name),
                fix="leave one of them out, or name their segments in two ways (tibia_r, shank_r)",
            )
    return tuple(placed)


def _placed_by_user(streams: Sequence[Stream], where: Mapping[str, str], model: Model) -> list[Placed]:
    by_user = {stream_called(name, streams).name: segment for name, segment in where.items()}
    placed = []
    for name, said in by_user.items():
        body = _body(said, model)
        if body is None:
            raise InputError(
                f"The model '{model.name}' has no body for '{said}'.",
                where=f"--where {name}={said}",
                expected="a segment such as pelvis, thigh_r, shank_l, foot_r, trunk; or a body: "
                + ", ".join(body.name for body in model.bodies),
                fix=nearest(said, [body.name for body in model.bodies]),
            )
        placed.append(Placed(_plain(said), name, body))
    return placed


def check_segments(where: Mapping[str, str]) -> None:
    """Refuse words for where sensors sit that tell no segment, or not its side, where there is no model."""
    for name, said in where.items():
        told = segment_of(said, beside=True)
        if told is None or (not told[1] and told[0] not in MIDDLE):
            sides = {segment: ("",) if segment in MIDDLE else ("right", "left") for segment in WORDS}
            known = [segment_name((segment, side)) for segment in WORDS for side in sides[segment]]
            raise InputError(
                f"No segment is called '{said}'.",
                where=f"--where {name}={said}",
                expected="one of " + ", ".join(known),
                fix=nearest(said, known),
            )


def is_sure(segment: str, probability: float) -> bool:
    """Return whether a place that a sensor's movement tells may be guessed.

    Pelvis and trunk move alike, but have no side that could be mistaken.
    """
    return probability >= (_SURE_MIDDLE if segment in MIDDLE else _SURE)


def segment_name(place: tuple[str, str]) -> str:
    """Return a name of a segment and side as a sensor may have it: ``thigh_r``, ``pelvis``."""
    segment, side = place
    return f"{segment}_{side[0]}" if side else segment


def _placed_by_movement(told: Mapping[str, tuple[str, str, float]], model: Model) -> list[Placed]:
    """Return sensors on the bodies they most probably sit on, the surest of each body."""
    placed: dict[str, Placed] = {}
    middle = sum(segment in MIDDLE for segment, _, _ in told.values())
    for name, (found, side, probability) in sorted(told.items(), key=lambda item: -item[1][2]):
        # Pelvis and trunk move alike: a single sensor on one of them is usually that on the pelvis.
        alone = found in MIDDLE and middle == 1
        segment = "pelvis" if alone else found
        body = body_of_segment(model, (segment, side))
        if body is not None and body not in placed and (alone or is_sure(segment, probability)):
            words = "pelvis or the trunk" if alone else " ".join((side, segment)).strip()
            sure = "" if alone else f" (probability {probability:.2f})"
            placed[body] = Placed(body, name, body, f"guess: it moves like a sensor on the {words}{sure}")
    return list(placed.values())


def unobserved_trunk(model: Model, sensors: Sequence[Placed]) -> tuple[str, ...]:
    """Return the coordinates that bend the trunk against the pelvis, if no sensor sits above the pelvis."""
    above = [p for p in sensors if (segment_of(p.body) or ("", ""))[0] not in ("", "pelvis", *_LEG)]
    return () if above else tuple(c.name for c in model.coordinates if c.name in _TRUNK)


def is_planar(model: Model) -> bool:
    """Return whether a model moves in the sagittal plane alone."""
    root = [joint for joint in model.joints if joint.parent.body == GROUND]
    turning = [c.name for c in model.coordinates if c.motion == "rotational" and not c.locked]
    return bool(root) and set(turning) <= set(sagittal_coordinates(model))


def study_text(draft: Draft, study: Path) -> str:
    """Return a study file.

    Parameters
    ----------
    study : Path
        Where it will stand: paths in it are relative to that.
    """
    lines = [
        f"# Study of {draft.file.name}, written by sspinn check. What it guessed is marked with `# guess:`;",
        "# every key is described in docs/study.md.",
        "",
        "[model]",
        f"file = {_text(_path(draft.model, study))}",
    ]
    lines += ["scaled = true"] if draft.scaled else []
    lines += [f"generic_height_m = {draft.generic_height_m:g}"] if draft.generic_height_m else []
    lines += ["", "[person]", f"height_m = {draft.height_m:g}", f"mass_kg = {draft.mass_kg:g}"]
    lines += [
        "# guess: the feet are bare; soles of shoes are shoe_heel_mm and shoe_forefoot_mm",
        "",
        "[recording]",
        f"format = {_text(draft.format)}",
        f"file = {_text(_path(str(draft.file), study))}",
    ]
    if draft.recorded_rate_hz:
        lines.append(f"recorded_rate_hz = {draft.recorded_rate_hz:g}  # the file does not say it")
    if draft.speed_m_s:
        lines.append(f"speed_m_s = {draft.speed_m_s:g}")
    elif draft.measured_speed_m_s:
        lines += [
            "# The training takes the speed from the foot sensors; if you know it better than",
            f"# speed_m_s = {draft.measured_speed_m_s:.2f}",
        ]
    if draft.standing_s:
        start, end = draft.standing_s
        lines += [
            f"# guess: the person stands still from {start:.2f} to {end:.2f} s; if not, say when:",
            f"# standing_s = [{start:.2f}, {end:.2f}]",
        ]
    if draft.accepted:
        lines += [f"# guess: {said}; it is taken as found" for said in draft.accepted.values()]
        lines.append(f"accepted = [{', '.join(map(_text, draft.accepted))}]")
    if draft.options:
        values = {
            key: _path(str(value), study) if isinstance(value, Path) else value
            for key, value in draft.options.items()
        }
        lines += ["", f"[recording.{draft.format}]"]
        lines += [f"{key} = {tomlkit.item(value).as_string()}" for key, value in values.items()]
    lines += _sensors(draft.sensors)
    if draft.left_out:
        lines += ["", f"# Not used: {', '.join(draft.left_out)}"]
    lines += _coordinates(draft)
    return "\n".join(lines) + "\n"


def _sensors(sensors: Sequence[Placed]) -> list[str]:
    lines: list[str] = []
    for sensor in sensors:
        lines += ["", f"[sensors.{_key(sensor.name)}]"]
        if sensor.told_by:
            lines.append(f"# {sensor.told_by}")
        if sensor.body != sensor.name:
            lines.append(f"body = {_text(sensor.body)}")
        if sensor.source != sensor.name:
            lines.append(f"source = {_text(sensor.source)}")
    return lines


def _coordinates(draft: Draft) -> list[str]:
    lines = []
    if not draft.planar:
        lines += [
            '# guess: the sagittal plane; "observed" estimates in space what moves a sensor or a foot',
            'estimate = "planar"',
        ]
    elif draft.fixed:
        fixed = ", ".join(f"{name} = 0.0" for name in draft.fixed)
        lines += [
            "# guess: no sensor is on the trunk above the pelvis, so it moves with the pelvis",
            f"fixed = {{ {fixed} }}",
        ]
    return ["", "[coordinates]", *lines] if lines else []


def _refuse_none(placed: Sequence[Placed], streams: Sequence[Stream]) -> None:
    if not placed:
        raise InputError(
            "Nothing says where the sensors sit.",
            where=streams[0].file,
            expected=f"names that tell a segment ({', '.join(WORDS)}), or a mapping file",
            found=", ".join(stream.name for stream in streams),
            fix=f"say it: --where {streams[0].name}=pelvis ..., one for each sensor that is to be used",
        )


def stream_called(name: str, streams: Sequence[Stream]) -> Stream:
    """Return the sensor that ``--where`` names; what is none is refused as `stream_of` does."""
    return stream_of(streams, name, "--where", nearest(name, [s.name for s in streams]))


def _body(said: str, model: Model) -> str | None:
    """Return the body that a segment or body is, by its name; None if it tells none."""
    if any(body.name == said for body in model.bodies):
        return said
    told = segment_of(said)
    if told is None or (not told[1] and told[0] not in MIDDLE):
        return None
    return body_of_segment(model, told)


def _plain(name: str) -> str:
    """Return the name of a segment without what OpenSim puts at the end of frames."""
    return name.removesuffix("_imu")


def _path(path: str, study: Path) -> str:
    if path.startswith(BUILTIN):
        return path
    return Path(os.path.relpath(Path(path).absolute(), study.absolute().parent)).as_posix()


def _text(value: str) -> str:
    return tomlkit.item(value).as_string()


def _key(name: str) -> str:
    return tomlkit.key(name).as_string()


def model_file(model: str) -> Path:
    """Return the file of a model as a study names it."""
    name = model.removeprefix(BUILTIN)
    return Path(osim_models.path(name)) if model.startswith(BUILTIN) else Path(model)
