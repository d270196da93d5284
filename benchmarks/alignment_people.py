"""People whose segments are known: virtual sensors on laboratories' motions, and how they stand and move."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.static_trials import markers_of, seen_markers
from benchmarks.virtual_imu import Trial, settings_of, trials
from sspinn_opensim.alignment.strides import HARMONICS, Strides, find_strides
from sspinn_opensim.alignment.usual import (
    QUIET_STANDING,
    UNITS,
    Lean,
    Site,
    UsualGait,
    gait_of,
    mirrored,
    size_of,
)
from sspinn_opensim.anatomy import segment_of, side_of
from sspinn_opensim.recording.movement.phases import phases_of_signals
from sspinn_opensim.simulation import places
from sspinn_opensim.simulation.settings import LaboratorySettings, VirtualSensorChoice
from sspinn_opensim.simulation.walk import read_walk, record_walk

SEGMENTS = ("pelvis", "trunk", "thigh", "shank", "foot")
_BODIES = {"pelvis": "pelvis", "trunk": "torso", "thigh": "femur", "shank": "tibia", "foot": "calcn"}


@dataclass(frozen=True, eq=False)
class Person:
    """Signals of sensors along the axes of the segments, and how the person stands.

    Attributes
    ----------
    name, kind, trial : str
        The person; ``walking`` or ``running``; the trial.
    sites : tuple of k (str, str)
        Segment and side.
    time_s : (n,) array
    acceleration, angular_rate : (n, k, 3) array
        m/s^2 and rad/s.
    strides : Strides
        What `find_strides` makes of them.
    standing : mapping of (str, str) to (float, float), or None
        Inclination forward and outward in the static trial, degrees, where there is one.
    """

    name: str
    kind: str
    trial: str
    sites: tuple[Site, ...]
    time_s: np.ndarray
    acceleration: np.ndarray
    angular_rate: np.ndarray
    strides: Strides
    standing: Mapping[Site, tuple[float, float]] | None


def people(data: Path) -> list[Person]:
    """Return everyone of two laboratories, with virtual sensors that have all errors but misalignment."""
    found = []
    for trial in trials(data):
        settings = settings_of(trial, sum(map(ord, trial.name)))
        errors = replace(settings.errors, misalignment_deg=0.0)
        sensors = tuple(
            VirtualSensorChoice(segment + side, _BODIES[segment] + side)
            for segment in SEGMENTS
            for side in (("",) if segment in ("pelvis", "trunk") else ("_r", "_l"))
        )
        settings = replace(settings, errors=errors, sensors=sensors, laboratory=LaboratorySettings())
        walk = read_walk(trial.model, trial.motion, settings)
        recorded = record_walk(walk, places.virtual_sensors(walk.functions, sensors), settings)
        signals = recorded.time_s, recorded.acceleration, recorded.angular_rate
        strides = find_strides(*signals, phases_of_signals(*signals))
        if strides is not None:
            sites = tuple(segment_of(sensor.name) or ("", "") for sensor in recorded.sensors)
            found.append(
                Person(trial.person, trial.kind, trial.name, sites, *signals, strides, _standing(trial))
            )
    return found


def usual_gait(of: Sequence[Person], kind: str) -> dict[str, Any]:
    """Return the usual gait of people, as an entry of ``usual_gait.json``."""
    chosen = [person for person in of if person.kind == kind]
    each = [_right_side(person) for person in chosen]
    mean = each[0]
    shifted: list[dict[tuple[str, str], np.ndarray]] = []
    for _ in range(4):
        shifted = [_like(one, mean) for one in each]
        mean = {key: np.mean([one[key] for one in shifted], axis=0) for key in mean}
    sizes = np.array([_size(one) for one in each]) / np.mean([_size(one) for one in each])
    size = np.mean([_size(one) for one in each]) / _size(mean)
    entry = {}
    for segment in SEGMENTS:
        leans = np.array([_lean(person, segment) for person in chosen])
        middle = segment in ("pelvis", "trunk")
        if middle:
            leans[:, 1] -= leans[:, 1].mean()
        per_size, forward = np.polyfit(sizes - 1.0, leans[:, 0], 1)
        # In running legs lean with the speed. In walking people who are left out gain nothing by it.
        if middle or kind != "running":
            per_size, forward = 0.0, leans[:, 0].mean()
        forward_sd = np.std(leans[:, 0] - per_size * (sizes - 1.0))
        outward, outward_sd = leans[:, 1].mean(), leans[:, 1].std()
        values: dict[str, Any] = {
            "lean_deg": _rounded([forward, forward_sd, outward, outward_sd, per_size], 2)
        }
        for signal in UNITS:
            curve = size * mean[segment, signal]
            deviations = np.array([size * one[segment, signal] for one in shifted]) - curve
            values[signal] = _rounded(np.stack([curve.real, curve.imag], axis=-1), 4)
            values[f"{signal}_sd"] = _rounded(np.sqrt((np.abs(deviations) ** 2).mean(axis=(0, 2))), 4)
        entry[segment] = values
    return entry


def write_usual_gait(of: Sequence[Person], file: Path) -> None:
    """Write ``usual_gait.json``."""
    about = (
        "Harmonics of the stride (real, imaginary) of angular rate (rad/s) and specific force (m/s^2) in the "
        "axes of the segment, right side; deviations over people; mean inclination over the stride, degrees: "
        "forward with deviation, outward with deviation, forward by size of the movement. Virtual sensors "
        "with soft tissue on 17 walks of 9 people (Schreiber and Moissenet 2019, 0.9 to 2.2 m/s) and 16 runs "
        "of 4 people (Hamner and Delp 2013, 2 to 5 m/s). Made by python -m benchmarks.alignment --usual-gait "
        "FILE."
    )
    gaits = {kind: usual_gait(of, kind) for kind in ("walking", "running")}
    file.write_text(json.dumps({"about": about, "gaits": gaits}) + "\n", encoding="utf-8")


def usual_without(everyone: Sequence[Person], name: str) -> tuple[tuple[UsualGait, ...], dict[str, Lean]]:
    """Return gait and standing of all people but one: nobody is measured by what was learnt from them."""
    gaits, postures = gaits_without(everyone, name), {}
    for segment, lean in QUIET_STANDING.items():
        values = [
            v
            for person in {p.name: p for p in everyone}.values()
            if person.name != name and person.standing is not None
            for site, v in person.standing.items()
            if site[0] == segment
        ]
        forward, outward = np.mean(values, axis=0)
        middle = segment in ("pelvis", "trunk")
        postures[segment] = replace(lean, forward=float(forward), outward=0.0 if middle else float(outward))
    return gaits, postures


def gaits_without(of: Sequence[Person], name: str) -> tuple[UsualGait, ...]:
    """Return the usual gaits of all people but one."""
    rest = [person for person in of if person.name != name]
    return tuple(gait_of(kind, usual_gait(rest, kind)) for kind in ("walking", "running"))


def lean_of(up: np.ndarray, site: Site) -> tuple[float, float]:
    """Return how far a segment leans forward and outward, degrees, from up in its axes."""
    outward = -np.arctan2(up[2], up[1]) * (-1.0 if site[1] == "left" else 1.0)
    return float(np.degrees(-np.arctan2(up[0], up[1]))), float(np.degrees(outward))


def _rounded(values: Any, digits: int) -> Any:
    return np.round(np.asarray(values, dtype=float), digits).tolist()


def _lean(person: Person, segment: str) -> np.ndarray:
    """Return the mean inclination of a segment over the strides, both sides, degrees: forward, outward."""
    own = [k for k, site in enumerate(person.sites) if site[0] == segment]
    return np.mean([lean_of(person.strides.up[k], person.sites[k]) for k in own], axis=0)


def _right_side(person: Person) -> dict[tuple[str, str], np.ndarray]:
    """Return the harmonics by segment and signal: the mean of the right side and of the mirrored left one."""
    found = {}
    for segment in SEGMENTS:
        for signal in UNITS:
            harmonics = getattr(person.strides, signal)
            of = {site[1]: harmonics[k] for k, site in enumerate(person.sites) if site[0] == segment}
            right, left = of.get("right", of.get("")), of.get("left", of.get(""))
            assert right is not None and left is not None
            found[segment, signal] = (right + mirrored(left, signal)) / 2
    return found


def _like(one: dict, mean: dict) -> dict:
    """Return the harmonics of one person at the phase and size that are nearest to the mean."""
    order = np.arange(1, HARMONICS + 1)[:, None]
    phases = np.radians(np.arange(0, 360, 2))
    weights = {signal: unit**-2 for signal, unit in UNITS.items()}
    match = [
        sum(weights[k[1]] * (mean[k].conj() * one[k] * np.exp(1j * order * phase)).sum().real for k in mean)
        for phase in phases
    ]
    best = int(np.argmax(match))
    size = match[best] / sum(weights[k[1]] * (np.abs(one[k]) ** 2).sum() for k in one)
    return {key: size * value * np.exp(1j * order * phases[best]) for key, value in one.items()}


def _size(one: dict) -> float:
    return size_of((signal, harmonics) for (_, signal), harmonics in one.items())


def _standing(trial: Trial) -> dict[Site, tuple[float, float]] | None:
    """Return the inclinations in the static trial of a walker, by the markers of the scaled model."""
    seen = seen_markers(trial)
    if seen is None:
        return None
    places_of, found = markers_of(trial), {}
    for segment, stem in _BODIES.items():
        for body in (stem,) if segment in ("pelvis", "trunk") else (f"{stem}_r", f"{stem}_l"):
            names = [name for name in places_of.get(body, ()) if name in seen]
            if len(names) >= 3:
                side = {"r": "right", "l": "left"}.get(side_of(body), "")
                turn = _turn([places_of[body][n] for n in names], [seen[n] for n in names])
                found[segment, side] = lean_of(turn[1], (segment, side))
    return found


def _turn(own: Sequence[np.ndarray], there: Sequence[np.ndarray]) -> np.ndarray:
    """Return the rotation that brings points of a body to where they were seen."""
    a, b = (np.array(points) - np.mean(points, axis=0) for points in (own, there))
    u, _, v = np.linalg.svd(a.T @ b)
    return v.T @ np.diag([1, 1, np.sign(np.linalg.det(v.T @ u.T))]) @ u.T
