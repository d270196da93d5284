"""`sspinn simulate-imu`: a model and its motion in; a virtual recording, its study and the truth out."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

import osim_models
from casadi_dynamics.errors import InputError
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import BodyFunctions, build
from sspinn_opensim.files import write_atomically
from sspinn_opensim.opensim_io.model.upgraded_model import current_file
from sspinn_opensim.opensim_io.tables.motion_files import kinematics_table, moments_table
from sspinn_opensim.opensim_io.tables.storage import Table, write_storage
from sspinn_opensim.recording.resample import uniform_clock
from sspinn_opensim.recording.rotation import angles_from_rotation
from sspinn_opensim.simulation import heading, laboratory, places
from sspinn_opensim.simulation.motion import (
    Motion,
    Samples,
    filtered,
    read_motion,
    repeat_stride,
    stride_time,
    through,
)
from sspinn_opensim.simulation.settings import PERFECT, Settings, changed, check, read_settings
from sspinn_opensim.simulation.states import completed
from sspinn_opensim.simulation.virtual import VirtualRecording, VirtualSensor, oversampling, record

BUILTIN = "planar_gait"
_CHANNELS = ("acc", "gyro")


@dataclass(frozen=True)
class Walk:
    """A motion ready to be recorded.

    Attributes
    ----------
    functions : BodyFunctions
        Of its model.
    motion : Motion
    samples : Samples
        What was read.
    from_s, to_s : float
        The part that is recorded, on the clock of the motion.
    turned_rad : float
        Angle about the vertical by which the motion was turned to lead along x.
    speed_m_s : float
        Mean forward speed, belt included.
    keep_s : tuple of 2 float or None
        The untouched part of a repeated stride, on the clock of the motion.
    """

    functions: BodyFunctions
    motion: Motion
    samples: Samples
    from_s: float
    to_s: float
    turned_rad: float
    speed_m_s: float
    keep_s: tuple[float, float] | None = None


def settings_for(file: Path | None, changes: Mapping[str, object], *, perfect: bool = False) -> Settings:
    """Return the settings of a file, or the defaults, with some of them replaced.

    Raises
    ------
    InputError
        See `read_settings` and `changed`.
    """
    settings = Settings() if file is None else read_settings(file)
    if perfect:
        settings = replace(settings, errors=PERFECT)
    return changed(settings, changes)


def simulate_imu(model: Path, motion: Path, out: Path, settings: Settings) -> Path:
    """Write `recording.csv`, `truth.json`, `study.toml` and the reference tables.

    Parameters
    ----------
    model, motion : Path
        OpenSim model, and a ``.mot`` or ``.sto`` file of its coordinates.
    out : Path
        Folder; made if it is not there.
    settings : Settings

    Returns
    -------
    Path
        The study.

    Raises
    ------
    InputError
        If anything cannot be used; nothing is written then.
    """
    check(settings)
    walk = prepare(model, motion, settings)
    sensors = places.virtual_sensors(walk.functions, settings.sensors)
    recording = record_walk(walk, sensors, settings)
    study_model, entry, scaled = _study_model(model, walk, settings)
    height_m, mass_kg = _person(walk, settings)
    placed = {s.name: places.on_study(walk.functions, study_model, s) for s in sensors}
    placed = {name: place for name, place in placed.items() if place is not None}
    if not placed:
        raise InputError(
            "The model of the study has none of the bodies that carry sensors.",
            where=entry,
            expected=", ".join(sorted({s.body for s in sensors})),
            found=", ".join(study_model.bodies),
        )
    carriers = {body for body, _ in placed.values()}
    signs = laboratory.shared_coordinates(walk.functions, study_model, carriers)
    tables = reference_tables(walk, study_model, signs, settings)

    out.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        write_storage(out / name, table)
    write_atomically(out / "recording.csv", _csv(recording))
    truth = _truth(walk, recording, settings, signs, model, motion)
    write_atomically(out / "truth.json", json.dumps(truth, indent=1) + "\n")
    name = settings.study.name or motion.stem
    lines = _study_lines(name, entry, scaled, height_m, mass_kg, walk, placed, recording, tables, settings)
    return write_atomically(out / "study.toml", "\n".join(lines) + "\n")


def prepare(model: Path, motion: Path, settings: Settings) -> Walk:
    """Return the motion of a model as it will be recorded: filtered, turned, perhaps one stride repeated.

    Without repetition, half a period of the filter is left out at either end, where derivatives are poor.
    """
    with tempfile.TemporaryDirectory(prefix="upgraded_model_") as folder:
        functions = build(read_model(current_file(model, Path(folder))))
    choice = settings.motion
    samples = read_motion(motion, functions.tree.model, choice.unit)
    duration = samples.time_s[-1] - samples.time_s[0]
    if choice.heading_deg is not None:
        turn = float(np.radians(choice.heading_deg))
    else:
        turn = -heading.heading(functions, samples.q, duration)
    samples = filtered(samples, choice.lowpass_hz)
    # A planar model knows no other heading than its own.
    if abs(turn) > 1e-9:
        samples = replace(samples, q=heading.turned(functions, samples.q, turn))
    moving = through(samples)
    keep = None
    if choice.strides:
        stride_s = stride_time(moving, _felt(functions, settings), samples.source)
        first = moving.from_s if choice.keep_from_s is None else choice.keep_from_s
        keep = first, first + 0.6 * stride_s if choice.keep_to_s is None else choice.keep_to_s
        moving = repeat_stride(moving, stride_s, keep, _travelling(functions), choice.strides)
        from_s, to_s = moving.from_s, moving.to_s
    else:
        margin = 0.5 / choice.lowpass_hz if choice.lowpass_hz else 0.0
        from_s, to_s = moving.from_s + margin, moving.to_s - margin
        if to_s - from_s < 0.2:
            raise InputError(
                "The motion is too short to be recorded.",
                where=str(motion),
                expected=f"more than {2 * margin + 0.2:g} s at this low-pass cut-off",
                found=f"{duration:g} s",
            )
    ends = moving(np.array([from_s, to_s]))[0]
    way = np.diff(heading.root_pose(functions, ends)[0], axis=0)[0]
    speed = float(way[0]) / (to_s - from_s) + choice.belt_speed_m_s
    return Walk(functions, moving, samples, from_s, to_s, turn, speed, keep)


def record_walk(walk: Walk, sensors: tuple[VirtualSensor, ...], settings: Settings) -> VirtualRecording:
    """Return what the sensors record of a walk; time starts at zero."""
    every = oversampling(settings.sampling_rate_hz, settings.errors)
    time_s = uniform_clock(walk.to_s - walk.from_s, every * settings.sampling_rate_hz)
    time_s = time_s[: (len(time_s) - 1) // every * every + 1]
    state = completed(walk.functions, *walk.motion(walk.from_s + time_s))
    return record(walk.functions, state, time_s, sensors, settings.errors, settings.seed, every)


def reference_tables(
    walk: Walk, study: BodyFunctions, signs: Mapping[str, int], settings: Settings
) -> dict[str, Table]:
    """Return the reference by name of its file, in the conventions of the study's model, on its clock.

    Of a repeated stride the moments and forces of the kept part are given, in the last stride but one.
    """
    given = settings.laboratory
    time_s = uniform_clock(walk.to_s - walk.from_s, settings.sampling_rate_hz)
    q = completed(walk.functions, *walk.motion(walk.from_s + time_s))["q"]
    names = list(signs)
    columns = [signs[name] * q[:, walk.functions.coordinates.index(name)] for name in names]
    tables = {}
    if names:
        turning = ["rotational"] * len(names)
        tables["kinematics.mot"] = kinematics_table(names, turning, time_s, np.column_stack(columns))
    turn = heading.about_vertical(walk.turned_rad)
    if given.moments is not None or given.external_loads is not None:
        if given.moments is not None:
            at_s, tau = laboratory.moments(given.moments, walk.functions, walk.motion)
        else:
            at_s, tau = laboratory.inverse_dynamics(
                given.external_loads,
                walk.functions,
                walk.motion,
                turn,
                settings.sampling_rate_hz,
                given.forces_late_s,
            )
        rows, clock = _on_clock(at_s, walk)
        shared = [name for name in names if name in tau]
        values = np.column_stack([signs[name] * tau[name][rows] for name in shared])
        tables["moments.sto"] = moments_table(shared, ["rotational"] * len(shared), clock, values)
    if given.external_loads is not None:
        rate = settings.sampling_rate_hz
        at_s, sides = laboratory.ground_forces(given.external_loads, walk.motion, rate, given.forces_late_s)
        rows, clock = _on_clock(at_s, walk)
        labels, values = [], []
        for side, parts in sides.items():
            labels += [f"ground_force_{side}_{kind}{axis}" for kind in "vp" for axis in "xyz"]
            labels += [f"ground_torque_{side}_{axis}" for axis in "xyz"]
            values.append((parts[rows] @ turn.T).reshape(len(clock), 9))
        tables["grf.mot"] = Table(tuple(labels), clock, np.hstack(values), False, "ground forces")
    return tables


def scored_window(walk: Walk) -> tuple[float, float] | None:
    """Return the last stride but one of a repeated stride on the clock of the recording, else None."""
    stride_s = walk.motion.stride_s
    if stride_s is None:
        return None
    from_s = (round((walk.to_s - walk.from_s) / stride_s) - 2) * stride_s
    return from_s, from_s + stride_s


def _on_clock(at_s: np.ndarray, walk: Walk) -> tuple[np.ndarray, np.ndarray]:
    """Return which of the laboratory's times count, and those on the clock of the recording."""
    if walk.keep_s is None:
        rows = at_s > walk.from_s - 1e-6
        return rows, at_s[rows] - walk.from_s
    rows = (at_s > walk.keep_s[0] - 1e-6) & (at_s < walk.keep_s[1] + 1e-6)
    if rows.sum() < 2:
        raise InputError(
            "The laboratory measured nothing in the part of the stride that is kept.",
            expected=f"{walk.keep_s[0]:g} to {walk.keep_s[1]:g} s",
            found=f"{at_s[0]:g} to {at_s[-1]:g} s",
            fix="keep the part where it did: keep_from_s, keep_to_s",
        )
    return rows, at_s[rows] - walk.keep_s[0] + scored_window(walk)[0]


def _felt(functions: BodyFunctions, settings: Settings) -> list[int]:
    """Return the angles that move sensors against the root: what has to repeat with a stride."""
    model = functions.tree.model
    joints = places.moving_joints(
        model, (s.body for s in places.virtual_sensors(functions, settings.sensors))
    )
    root = set(model.root_coordinates())
    return [
        i
        for i, c in enumerate(model.coordinates)
        if c.motion == "rotational" and c.joint in joints and c.name not in root
    ]


def _travelling(functions: BodyFunctions) -> list[int]:
    """Return the coordinates that carry the root along the floor."""
    model = functions.tree.model
    joint = model.joint_of(heading.root_body(functions))
    frame = np.array(joint.parent.rotation)
    level = [a.coordinate for a in joint.translations if a.coordinate and abs((frame @ a.axis)[1]) < 0.5]
    return [functions.coordinates.index(name) for name in level]


def _study_model(model: Path, walk: Walk, settings: Settings) -> tuple[BodyFunctions, str, bool]:
    """Return the functions of the study's model, how the study names it, and whether it fits the person."""
    chosen = settings.study.model
    own = chosen is not None and chosen.absolute() == model.absolute()
    if own or (chosen is None and walk.functions.tree.model.contact_spheres):
        return walk.functions, str(model.absolute()), True
    if chosen is None or chosen == osim_models.path(f"{BUILTIN}.osim"):
        return build(read_model(osim_models.path(f"{BUILTIN}.osim"))), f"builtin:{BUILTIN}", False
    with tempfile.TemporaryDirectory(prefix="upgraded_model_") as folder:
        return build(read_model(current_file(chosen, Path(folder)))), str(chosen.absolute()), False


def _person(walk: Walk, settings: Settings) -> tuple[float, float]:
    if settings.study.height_m is None:
        raise InputError(
            "The height of the person is not known: a model does not state it.",
            where="settings",
            expected="[study] height_m, or --height",
            fix="give the height in metres",
        )
    return settings.study.height_m, settings.study.mass_kg or walk.functions.tree.model.total_mass


def _csv(recording: VirtualRecording) -> str:
    names = [f"{s.name}_{kind}_{axis}" for s in recording.sensors for kind in _CHANNELS for axis in "xyz"]
    signals = np.stack([recording.acceleration, recording.angular_rate], axis=2)
    text = io.StringIO()
    rows = np.column_stack([recording.time_s, signals.reshape(len(recording.time_s), -1)])
    np.savetxt(text, rows, fmt="%.7g", delimiter=",", header=",".join(["time", *names]), comments="")
    return text.getvalue()


def _truth(walk: Walk, recording: VirtualRecording, settings: Settings, signs, model: Path, motion: Path):
    sensors = {}
    for sensor, truth in zip(recording.sensors, recording.truth, strict=True):
        stated = np.array(sensor.rotation)
        missed = np.degrees(angles_from_rotation(stated.T @ truth.rotation))
        sensors[sensor.name] = {
            "body": sensor.body,
            "position_m": truth.position.tolist(),
            "stated_position_m": list(sensor.position),
            "orientation_deg": np.degrees(angles_from_rotation(truth.rotation)).tolist(),
            "stated_orientation_deg": np.degrees(angles_from_rotation(stated)).tolist(),
            "misalignment_deg": missed.tolist(),
            "acceleration_bias_m_s2": truth.acceleration_bias.tolist(),
            "angular_rate_bias_rad_s": truth.angular_rate_bias.tolist(),
            "wobble_hz": sensor.wobble_hz,
            "wobble_rms_m": _rms(truth.displacement),
            "wobble_peak_m": float(np.linalg.norm(truth.displacement, axis=1).max()),
            "wobble_rms_deg": np.degrees(_rms(truth.turn)).item(),
        }
    return {
        "model": model.name,
        "motion": motion.name,
        "settings": json.loads(json.dumps(asdict(settings), default=lambda path: path.name)),
        "starts_at_s_of_the_motion": walk.from_s,
        "turned_about_vertical_deg": float(np.degrees(walk.turned_rad)),
        "stride_s": walk.motion.stride_s,
        "speed_m_s": walk.speed_m_s,
        "coordinate_signs": dict(signs),
        "coordinates_at_default": list(walk.samples.missing),
        "sensors": sensors,
    }


def _rms(vectors: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.sum(vectors**2, axis=1))))


def _study_lines(
    name, entry, scaled, height_m, mass_kg, walk: Walk, placed, recording, tables, settings: Settings
) -> list[str]:
    said = {sensor.name: sensor for sensor in recording.sensors}
    lines = [
        f"name = {_text(name)}",
        "",
        "[model]",
        f"file = {_text(entry)}",
        f"scaled = {str(scaled).lower()}",
        "",
        "[person]",
        f"name = {_text(settings.study.person)}",
        f"height_m = {height_m:.6g}",
        f"mass_kg = {mass_kg:.6g}",
        "",
        "[recording]",
        'format = "csv"',
        'file = "recording.csv"',
        f"name = {_text(name)}",
    ]
    if walk.speed_m_s > 0.05:
        lines.append(f"speed_m_s = {walk.speed_m_s:.4f}")
    for sensor, (body, position) in placed.items():
        lines += [
            "",
            f"[sensors.{_key(sensor)}]",
            f"body = {_text(body)}",
            f"position = {_numbers(position)}",
        ]
        angles = np.degrees(angles_from_rotation(np.array(said[sensor].rotation)))
        if np.any(np.abs(angles) > 1e-9):
            lines.append(f"orientation_deg = {_numbers(angles)}")
    if settings.study.estimate != "all":
        lines += ["", "[coordinates]", f"estimate = {_text(settings.study.estimate)}"]
    if tables:
        keys = {"kinematics.mot": "kinematics", "moments.sto": "moments", "grf.mot": "grf"}
        lines += ["", "[reference]", 'format = "opensim"']
        lines += [f"{key} = {_text(file)}" for file, key in keys.items() if file in tables]
    window = scored_window(walk)
    if window is not None:
        lines += ["", "[output]", f"from_s = {window[0]:.6f}", f"to_s = {window[1]:.6f}"]
    return lines


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else _text(name)


def _numbers(values) -> str:
    return "[" + ", ".join(f"{value + 0.0:.6f}" for value in values) + "]"
