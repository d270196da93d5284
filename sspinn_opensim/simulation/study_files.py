"""The files of a virtual recording: its signals, the truth about its sensors, and a study that runs on it."""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import tomlkit

from sspinn_opensim.recording.formats.column_options import KINDS, column_names
from sspinn_opensim.recording.signals.rotations import angles_from_rotation
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.simulation.settings import SimulationSettings
from sspinn_opensim.simulation.virtual import VirtualRecording
from sspinn_opensim.simulation.walk import Walk, scored_window
from sspinn_opensim.study import ModelChoice, Person

#: Slower than this nobody walks: the speed is then left out of the study, m/s.
_STANDS_M_S = 0.05


def recording_csv(recording: VirtualRecording) -> str:
    """Return time and signals as a table with a column for each channel."""
    names = [name for s in recording.sensors for kind in KINDS for name in column_names(s.name, kind)]
    signals = np.stack([recording.acceleration, recording.angular_rate], axis=2)
    text = io.StringIO()
    rows = np.column_stack([recording.time_s, signals.reshape(len(recording.time_s), -1)])
    np.savetxt(text, rows, fmt="%.7g", delimiter=",", header=",".join(["time", *names]), comments="")
    return text.getvalue()


def truth_json(
    walk: Walk,
    recording: VirtualRecording,
    settings: SimulationSettings,
    signs: Mapping[str, int],
    model: Path,
    motion: Path,
) -> str:
    """Return where each sensor really sits, what is wrong with it, and how the motion was made."""
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
    truth = {
        "model": model.name,
        "motion": motion.name,
        "settings": json.loads(json.dumps(asdict(settings), default=lambda path: path.name)),
        "starts_at_s_of_the_motion": walk.from_s,
        "turned_about_vertical_deg": float(np.degrees(walk.turned_rad)),
        "heading_change_deg": _heading_change_deg(walk),
        "stride_s": walk.motion.stride_s,
        "speed_m_s": walk.speed_m_s,
        "coordinate_signs": dict(signs),
        "coordinates_at_default": list(walk.samples.missing),
        "sensors": sensors,
    }
    return json.dumps(truth, indent=1) + "\n"


def _heading_change_deg(walk: Walk) -> float:
    """Return by how much the person turns to the left on the path, degrees."""
    if walk.course is None:
        return 0.0
    return float(np.degrees(np.diff(walk.course([walk.from_s, walk.to_s]))[0]))


def _rms(vectors: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.sum(vectors**2, axis=1))))


def study_toml(
    walk: Walk,
    recording: VirtualRecording,
    *,
    name: str,
    model: ModelChoice,
    person: Person,
    placed: Mapping[str, tuple[str, np.ndarray]],
    references: Collection[str],
    estimate: str,
) -> str:
    """Return the study of a virtual recording.

    Parameters
    ----------
    name : str
        Of study and recording.
    placed : mapping of str to (str, (3,) ndarray)
        Body of the study's model, and place on it, of each sensor, m.
    references : collection of str
        Files of the reference.
    estimate : str
        Which coordinates are estimated.
    """
    said = {sensor.name: sensor for sensor in recording.sensors}
    study = {
        "name": name,
        "model": {"file": str(model.file), "scaled": model.scaled},
        "person": {
            "name": person.name,
            **({"id": person.id} if person.id else {}),
            "height_m": _rounded(person.height_m),
            "mass_kg": _rounded(person.mass_kg),
        },
        "recording": {"format": "csv", "file": ResultsFolder.recording.name, "name": name},
        "sensors": {},
    }
    if walk.start is not None:  # feet glide on the way into the motion: nobody is to be trained on that
        study["recording"]["from_s"] = round(walk.from_s - walk.begins_s, 6)
    if walk.speed_m_s > _STANDS_M_S:
        study["recording"]["speed_m_s"] = round(walk.speed_m_s, 4)
    for sensor, (body, position) in placed.items():
        study["sensors"][sensor] = {"body": body, "position": _micro(position)}
        angles = np.degrees(angles_from_rotation(np.array(said[sensor].rotation)))
        if np.any(np.abs(angles) > 1e-9):
            study["sensors"][sensor]["orientation_deg"] = _micro(angles)
    if estimate != "all":
        study["coordinates"] = {"estimate": estimate}
    if references:
        files = {key: getattr(ResultsFolder, key).name for key in references}
        study["reference"] = {"format": "opensim", **files}
    if window := scored_window(walk):
        study["output"] = {"from_s": round(window[0], 6), "to_s": round(window[1], 6)}
    return tomlkit.dumps(study)


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def _micro(values: np.ndarray) -> list[float]:
    return [round(float(value), 6) + 0.0 for value in values]
