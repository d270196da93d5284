"""Draft of a study for a recording as a vendor exported it: all that is known, and guesses marked as such."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import tomlkit

import osim_models
from casadi_dynamics.model import Model
from casadi_dynamics.model.types import GROUND
from sspinn_opensim.anatomy import segment_of
from sspinn_opensim.anatomy.sagittal import sagittal_coordinates
from sspinn_opensim.study.placed_sensors import Placed
from sspinn_opensim.text import toml_table

#: Model of a study that is no file.
BUILTIN = "builtin:"
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
    alignment_method : str
        As a study says it; that of no study is left out.
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
    alignment_method: str = "auto"


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
            "# The training takes the speed from the foot sensors; if you know it better, say it:",
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
    if draft.alignment_method != "auto":
        lines += [
            "",
            "[alignment]",
            "# guess: most sensors feel gravity far from y, so the table is along their own axes",
            f"method = {_text(draft.alignment_method)}",
        ]
    lines += _sensors(draft.sensors)
    if draft.left_out:
        lines += ["", f"# Not used: {', '.join(draft.left_out)}"]
    lines += _coordinates(draft)
    return "\n".join(lines) + "\n"


def _sensors(sensors: Sequence[Placed]) -> list[str]:
    lines: list[str] = []
    for sensor in sensors:
        lines += ["", toml_table("sensors", sensor.name)]
        if sensor.told_by:
            lines.append(f"# {sensor.told_by}")
        lines += [f"# {other} sits on it, too: it could be the source instead" for other in sensor.beside]
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


def _path(path: str, study: Path) -> str:
    if path.startswith(BUILTIN):
        return path
    return Path(os.path.relpath(Path(path).absolute(), study.absolute().parent)).as_posix()


def _text(value: str) -> str:
    return tomlkit.item(value).as_string()


def model_file(model: str) -> Path:
    """Return the file of a model as a study names it."""
    name = model.removeprefix(BUILTIN)
    return Path(osim_models.path(name)) if model.startswith(BUILTIN) else Path(model)
