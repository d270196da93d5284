"""Benchmark of stated axes that are off: by how much in the sagittal plane, before and after refinement.

``python -m benchmarks.stated_axes --data ../shared/data`` turns virtual sensors of walkers and runners, who
do not stand still, and real ones with cameras, by random angles about each axis. What is stated is that they
are not turned; `stated_within_deg` lets the signals refine that, by six channels of each sensor and by those
of the sagittal plane alone. The usual gait is that of all others. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.spatial.transform import Rotation

from benchmarks.alignment import real
from benchmarks.alignment_people import Person, people, usual_without
from sspinn_opensim.alignment.align import align, unaligned
from sspinn_opensim.alignment.choices import AlignmentChoice
from sspinn_opensim.alignment.identify import SAGITTAL
from sspinn_opensim.alignment.usual import Lean, UsualGait
from sspinn_opensim.anatomy import segment_of
from sspinn_opensim.recording import Recording, Sensor

#: Sensors on these segments, as most sets have them.
_SEGMENTS = ("pelvis", "thigh", "shank", "foot")
#: Constant errors of virtual sensors, as in `sspinn simulate-imu`: m/s^2 and rad/s.
_BIAS = (0.05, 0.005)
CHANNELS = ("six", "sagittal")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table for walkers, for runners and for each real recording."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stated_axes", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the public recordings")
    parser.add_argument("--levels", nargs="+", type=float, default=[0.0, 3.0, 8.0, 15.0], metavar="DEG")
    parser.add_argument("--within", nargs="+", type=float, default=[3.0, 5.0, 8.0], metavar="DEG")
    parser.add_argument("--seed", type=int, default=0, help="of the turns; default: %(default)s")
    options = parser.parse_args(arguments)
    everyone = people(options.data)
    usual = {name: usual_without(everyone, name) for name in {person.name for person in everyone}}
    groups = virtual_recordings(everyone, options.seed)
    found = {
        kind: [each for recording, name in own for each in errors(recording, options, *usual[name])]
        for kind, own in groups.items()
    }
    for recording, truth in real(options.data):
        if known := {name: turn for name, turn in truth.items() if turn is not None}:
            along = _along_segments(recording, known)
            found[recording.name] = errors(along, options)
    console = Console(width=150)
    for name, rows in found.items():
        console.print(table(name, rows))
    return 0


def virtual_recordings(everyone: Sequence[Person], seed: int) -> dict[str, list[tuple[Recording, str]]]:
    """Return recordings along the axes of the segments, with names of the people, by kind of gait."""
    rng = np.random.default_rng(seed)
    found: dict[str, list[tuple[Recording, str]]] = {}
    for person in everyone:
        chosen = [k for k, (segment, _) in enumerate(person.sites) if segment in _SEGMENTS]
        names = ["_".join(part for part in person.sites[k] if part) for k in chosen]
        signals = [
            signal[:, chosen] + bias * rng.standard_normal((len(chosen), 3))
            for signal, bias in zip((person.acceleration, person.angular_rate), _BIAS, strict=True)
        ]
        recording = _recording(person.trial, person.time_s, names, *signals)
        found.setdefault(person.kind, []).append((recording, person.name))
    return found


def errors(
    recording: Recording,
    options: argparse.Namespace,
    gaits: Sequence[UsualGait] | None = None,
    postures: Mapping[str, Lean] | None = None,
) -> list[dict]:
    """Return how far each sensor of a recording along the segments is off in the sagittal plane, degrees.

    Returns
    -------
    list of dict
        ``channels``, ``level``, ``within`` (0: as stated), ``segment``, ``error`` and ``sd`` of each sensor.
    """
    found = []
    for channels in CHANNELS:
        for level in options.levels:
            rng = np.random.default_rng([options.seed, *map(ord, recording.name)])
            about = np.radians(level) * rng.standard_normal((len(recording.sensors), 3))
            turns = Rotation.from_rotvec(about).as_matrix()
            turned = _turned(recording, turns, channels)
            for within in (0.0, *options.within):
                choice = AlignmentChoice(stated_within_deg=within or None)
                chosen = unaligned(turned, choice, turned.sensor_names)
                own = align(chosen, choice, gaits=gaits, postures=postures) if within else None
                for k, sensor in enumerate(recording.sensors):
                    rotation = np.eye(3) if own is None else own.sensors[k].rotation
                    x, y, _ = (rotation @ turns[k].T)[:, 1]
                    found.append(
                        {
                            "channels": channels,
                            "level": level,
                            "within": within,
                            "segment": (segment_of(sensor.name) or ("",))[0],
                            "error": float(np.degrees(np.arctan2(x, y))),
                            "sd": own.sensors[k].sd_deg[2] if own else np.nan,
                        }
                    )
    return found


def table(name: str, rows: Sequence[dict]) -> Table:
    """Return root mean squares by how far sensors are turned, and those of errors in their deviations."""
    withins = list(dict.fromkeys(row["within"] for row in rows))
    heads = ("stated" if not within else f"within {within:g}" for within in withins)
    shown = Table(f"{name}: channels", "turned by", "segment", *heads, box=None)
    for channels in CHANNELS:
        for level in dict.fromkeys(row["level"] for row in rows):
            for segment in ("", *_SEGMENTS):
                some = [r for r in rows if (r["channels"], r["level"]) == (channels, level)]
                some = [r for r in some if segment in ("", r["segment"])]
                cells = []
                for within in withins:
                    error = np.array([r["error"] for r in some if r["within"] == within])
                    sd = np.array([r["sd"] for r in some if r["within"] == within])
                    over = f" ({np.sqrt(np.mean((error / sd) ** 2)):.2f} sd)" if within else ""
                    cells.append(f"{np.sqrt(np.mean(error**2)):.1f}{over}")
                shown.add_row(channels, f"{level:g}", segment or "all", *cells)
    return shown


def _turned(recording: Recording, turns: np.ndarray, channels: str) -> Recording:
    """Return a recording of turned sensors, v_segment = turn v_sensor, with some of their channels."""
    signals = {"acceleration": "force", "angular_rate": "rate"}
    keep = {name: SAGITTAL[kind] if channels == "sagittal" else np.ones(3) for name, kind in signals.items()}
    fields = {
        name: np.einsum("kji,nkj->nki", turns, getattr(recording, name)) * axes for name, axes in keep.items()
    }
    fields |= {f"{name}_available": np.tile(axes > 0, (len(turns), 1)) for name, axes in keep.items()}
    return replace(recording, **fields)


def _along_segments(recording: Recording, truth: Mapping[str, np.ndarray]) -> Recording:
    """Return the sensors of a recording whose turn is known, along the axes of their segments."""
    chosen = [k for k, sensor in enumerate(recording.sensors) if sensor.name in truth]
    turns = np.stack([truth[recording.sensors[k].name] for k in chosen])
    signals = (
        np.einsum("kij,nkj->nki", turns, signal[:, chosen])
        for signal in (recording.acceleration, recording.angular_rate)
    )
    names = [recording.sensors[k].name for k in chosen]
    return _recording(recording.name, recording.time_s, names, *signals)


def _recording(
    name: str, time_s: np.ndarray, names: Sequence[str], force: np.ndarray, rate: np.ndarray
) -> Recording:
    k = len(names)
    return Recording(
        name=name,
        time_s=time_s,
        sensors=tuple(Sensor(each, each) for each in names),
        acceleration=force,
        angular_rate=rate,
        acceleration_available=np.ones((k, 3), bool),
        angular_rate_available=np.ones((k, 3), bool),
        acceleration_variance=np.zeros((k, 3)),
        angular_rate_variance=np.zeros((k, 3)),
    )


if __name__ == "__main__":
    raise SystemExit(main())
