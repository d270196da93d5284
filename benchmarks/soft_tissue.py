"""Soft tissue under real sensors: what they felt beyond what cameras saw of the bones, by segment.

Run ``python -m benchmarks.soft_tissue --data ../shared/data``. Two people walked with inertial sensors in
front of cameras. Bones move as the cameras say; a sensor is put where it fits best (a place, a small turn and
an offset, below 5 Hz). What is left up to 12 Hz is soft tissue, markers' own included; above, cameras see
nothing, and what sensors feel is compared with what virtual sensors on soft tissue do. After each strike of
the own foot the accelerations ring: one damped oscillation, common to all strikes and axes, is fitted.
Labels are read here; nothing that trains imports this module.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.signal import butter, find_peaks, sosfiltfilt
from scipy.spatial.transform import Rotation

from benchmarks.alignment import real
from sspinn_opensim.recording.units import GRAVITY
from sspinn_opensim.simulation.places import CARRIERS
from sspinn_opensim.simulation.settings import ErrorSettings, MotionSettings, SimulationSettings
from sspinn_opensim.simulation.virtual import body_signals, turned_by_sliding, wobble
from sspinn_opensim.simulation.walk import read_walk

SEGMENTS = ("pelvis", "femur", "tibia", "foot")
#: Bands of what is left, Hz. Cameras see the first two.
BANDS = ((0.3, 5.0), (5.0, 12.0), (12.0, 25.0), (25.0, 45.0))
_RATE_HZ, _BONES_HZ, _PLACE_HZ = 100.0, 12.0, 5.0
#: Ringing is looked for above this, from a strike on for so long.
_RINGING_HZ, _RINGING_S = 8.0, 0.15
_UPPER = {"femur": "HJC", "tibia": "KJC", "foot": "AJC"}
_FREQUENCIES_HZ, _DAMPING = np.arange(8.0, 40.0, 0.5), np.arange(0.04, 0.5, 0.04)
#: Samples about the end of swing within which the shock comes.
_SHOCK = (-3, 11)
_ON_FOOT_AND_SHANK = {side: ((f"foot_{side}", f"calcn_{side}"), (f"tibia_{side}",)) for side in "rl"}
#: The shortest stride, s.
_STRIDE_S = 0.7


@dataclass(frozen=True)
class Bone:
    """A segment by cameras, in its own axes at its origin, on the clock of the sensors.

    Attributes
    ----------
    force, rate : (n, 3) array
        Specific force (m/s^2) and angular rate (rad/s).
    walks : (n,) array of bool
        Where the person walks straight.
    """

    time_s: np.ndarray
    force: np.ndarray
    rate: np.ndarray
    walks: np.ndarray


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table by segment, and the table that virtual sensors are made from."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soft_tissue", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--json", action="store_true", help="print JSON, sensor by sensor")
    options = parser.parse_args(arguments)
    rows = list(measured(options.data))
    if not rows:
        print(f"Neither kuopio2024_walk nor gaittoolbox_walk is in {options.data}.", file=sys.stderr)
        return 2
    print(json.dumps(rows, default=np.ndarray.tolist) if options.json else table(rows))
    return 0


def measured(data: Path) -> Iterator[dict]:
    """Give a row for each sensor."""
    bones_of: dict[str, Callable[[Path], dict[str, Bone]]] = {
        "kuopio2024_walk": kuopio_bones,
        "gaittoolbox_walk": gaittoolbox_bones,
    }
    for recording, truth in real(data):
        if recording.name not in bones_of:
            continue
        bones = bones_of[recording.name](data / recording.name)
        strikes, names = {}, recording.sensor_names
        for side in "rl":
            foot, shank = (next(n for n in own if n in names) for own in _ON_FOOT_AND_SHANK[side])
            rate = recording.angular_rate[:, names.index(shank)] @ np.asarray(truth[shank])[2]
            strikes[side] = strikes_of(recording.time_s, rate, recording.acceleration[:, names.index(foot)])
        strikes["both"] = np.sort(np.concatenate([strikes["r"], strikes["l"]]))
        for k, sensor in enumerate(recording.sensors):
            name = sensor.name.replace("calcn", "foot")
            if name not in bones:
                continue
            turn = np.asarray(truth[sensor.name])
            acceleration, rate = (s[:, k] @ turn.T for s in (recording.acceleration, recording.angular_rate))
            own = strikes[name[-1] if name[-2:] in ("_r", "_l") else "both"]
            yield {"recording": recording.name, "sensor": name} | of_sensor(
                recording.time_s, acceleration, rate, bones[name], own, name.partition("_")[0]
            )


def kuopio_bones(folder: Path) -> dict[str, Bone]:
    """Return the segments of the overground walk, by inverse kinematics on the person's model."""
    choice = SimulationSettings(motion=MotionSettings(lowpass_hz=_BONES_HZ, heading_deg=0.0))
    walk = read_walk(folder / "subject.osim", folder / "walk_ik.mot", choice)
    motion_s = np.arange(walk.from_s, walk.to_s, 1.0 / _RATE_HZ)
    q, u, udot = walk.motion(motion_s)
    bodies = {"pelvis": "pelvis"}
    for side in "rl":
        bodies |= {
            f"{own}_{side}": f"{body}_{side}"
            for own, body in (("femur",) * 2, ("tibia",) * 2, ("foot", "calcn"))
        }
    still = np.zeros((len(motion_s), len(bodies), 3))
    force, rate = body_signals(walk.functions, list(bodies.values()), {"q": q, "u": u, "udot": udot}, still)
    everywhere = np.ones(len(motion_s), bool)
    return {
        name: Bone(motion_s + 0.008, force[:, k], rate[:, k], everywhere) for k, name in enumerate(bodies)
    }


def gaittoolbox_bones(folder: Path) -> dict[str, Bone]:
    """Return the segments of the walk there and back, by orientations and joint centres."""
    with np.load(folder / "vicon.npz") as file:
        found = {key: file[key] for key in file.files}
    time_s, names = found["t"].astype(float), [str(name) for name in found["segments"]]
    places = dict(zip(map(str, found["joint_centres"]), found["positions"], strict=True))
    filtered = np.asarray(butter(2, _BONES_HZ, output="sos", fs=_RATE_HZ))
    walks = ((time_s > 11.3) & (time_s < 14.0)) | ((time_s > 16.6) & (time_s < 20.0))
    bones = {}
    for k, name in enumerate(names):
        turn = _rotations(found["quat_wxyz"][k], filtered)
        segment, _, side = name.partition("_")
        upper = places[side.upper() + _UPPER[segment]] if side else 0.5 * (places["RHJC"] + places["LHJC"])
        centre = sosfiltfilt(filtered, upper.astype(float), axis=0)
        acceleration = np.gradient(np.gradient(centre, time_s, axis=0), time_s, axis=0)
        force = turn.inv().apply(acceleration + np.array([0.0, GRAVITY, 0.0]))
        step = (turn[:-1].inv() * turn[1:]).as_rotvec() * _RATE_HZ
        rate = np.vstack([step[:1], 0.5 * (step[:-1] + step[1:]), step[-1:]])
        bones[name] = Bone(time_s + 0.022, force, rate, walks)
    return bones


def _rotations(wxyz: np.ndarray, filtered: np.ndarray) -> Rotation:
    """Return orientations, low-passed, from quaternions (n, 4)."""
    matrices = Rotation.from_quat(wxyz[:, [1, 2, 3, 0]]).as_matrix()
    return Rotation.from_matrix(sosfiltfilt(filtered, matrices, axis=0))


def strikes_of(time_s: np.ndarray, shank_rate: np.ndarray, foot: np.ndarray) -> np.ndarray:
    """Return when the shocks of a foot's strikes were highest.

    The shank swings forward until shortly before the strike (Salarian et al. 2004, IEEE Trans Biomed Eng
    51:1434-1443); the highest high-passed acceleration of the foot about that time is the shock.

    Parameters
    ----------
    shank_rate : (n,) array
        Sagittal rate of the shank, forward swing positive, rad/s.
    foot : (n, 3) array
        Acceleration of the foot's sensor, m/s^2.
    """
    high = sosfiltfilt(butter(2, _RINGING_HZ, "high", output="sos", fs=_RATE_HZ), foot, axis=0)
    size, slow = (
        np.linalg.norm(high, axis=1),
        sosfiltfilt(butter(2, 6.0, output="sos", fs=_RATE_HZ), shank_rate),
    )
    swings, _ = find_peaks(slow, distance=round(_STRIDE_S * _RATE_HZ), height=0.5 * slow.max())
    found = []
    for swing in swings:
        stops = np.flatnonzero(slow[swing:] < 0.0)
        if len(stops) and swing + stops[0] + _SHOCK[1] < len(size):
            first = swing + stops[0] + _SHOCK[0]
            found.append(first + np.argmax(size[first : swing + stops[0] + _SHOCK[1]]))
    return time_s[found]


def of_sensor(
    time_s: np.ndarray,
    acceleration: np.ndarray,
    angular_rate: np.ndarray,
    bone: Bone,
    strikes_s: np.ndarray,
    segment: str,
) -> dict:
    """Return what one sensor felt beyond its bone.

    Parameters
    ----------
    acceleration, angular_rate : (n, 3) array
        Along the axes of the segment, by a rotation that is good to some degrees.
    """
    at = CubicSpline(time_s, np.hstack([acceleration, angular_rate]))(bone.time_s)
    place, seen = _put(at[:, :3], at[:, 3:], bone)
    fitted = bone.force + _lever(bone) @ place
    moved = wobble(fitted, bone.time_s, CARRIERS[segment][1], ErrorSettings().wobble_damping, 1.0)
    felt = moved.acceleration + 2.0 * np.cross(bone.rate, moved.velocity)
    turned = turned_by_sliding(moved.velocity, place)
    return {
        "place_m": np.round(place, 3).tolist(),
        "acceleration_m_s2": _bands(seen[0], bone.walks),
        "virtual_acceleration_m_s2": _bands(felt, bone.walks),
        "sagittal_rate_rad_s": _bands(seen[1][:, 2:], bone.walks),
        "virtual_sagittal_rate_rad_s": _bands(turned[:, 2:], bone.walks),
        "acceleration_after_strikes": after_strikes(time_s, acceleration, strikes_s),
        "rate_after_strikes": after_strikes(time_s, angular_rate, strikes_s),
    }


def _lever(bone: Bone) -> np.ndarray:
    """Return what turns a place into its acceleration against the origin, (n, 3, 3)."""
    speeding = np.gradient(bone.rate, bone.time_s, axis=0)
    across = _cross(bone.rate)
    return _cross(speeding) + across @ across


def _cross(vectors: np.ndarray) -> np.ndarray:
    x, y, z = vectors.T
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)


def _put(
    acceleration: np.ndarray, angular_rate: np.ndarray, bone: Bone
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the place at which a sensor fits best, and what is left of both its signals.

    Unknown are place, a small turn of the sensor and an offset of each channel; they are found below 5 Hz.
    """
    low = butter(2, _PLACE_HZ, output="sos", fs=_RATE_HZ)
    n, eye = len(bone.time_s), np.tile(np.eye(3), (len(bone.time_s), 1, 1))
    # A sensor turned by phi reads v - phi x v = v + [v] phi.
    of_force = np.concatenate([_lever(bone), _cross(bone.force), eye, np.zeros((n, 3, 3))], axis=2)
    of_rate = np.concatenate([np.zeros((n, 3, 3)), _cross(bone.rate), np.zeros((n, 3, 3)), eye], axis=2)
    pairs = ((of_force, acceleration - bone.force, 1.0), (of_rate, angular_rate - bone.rate, 0.3))
    rows = [sosfiltfilt(low, design, axis=0)[bone.walks].reshape(-1, 12) / size for design, _, size in pairs]
    values = [sosfiltfilt(low, left, axis=0)[bone.walks].ravel() / size for _, left, size in pairs]
    found = np.linalg.lstsq(np.vstack(rows), np.concatenate(values), rcond=None)[0]
    return found[:3], [left - design @ found for design, left, _ in pairs]


def _bands(signal: np.ndarray, walks: np.ndarray) -> list[float]:
    """Return the root mean square in each band while walking, of the vector."""
    filters = [butter(2, band, "band", output="sos", fs=_RATE_HZ) for band in BANDS]
    parts = [sosfiltfilt(one, signal, axis=0)[walks] for one in filters]
    return [round(float(np.sqrt((part**2).sum(axis=1).mean())), 4) for part in parts]


def after_strikes(time_s: np.ndarray, signal: np.ndarray, strikes_s: np.ndarray) -> np.ndarray:
    """Return the high-passed signal (n, 3) after each strike, (samples, strikes, 3)."""
    high = sosfiltfilt(butter(2, _RINGING_HZ, "high", output="sos", fs=_RATE_HZ), signal, axis=0)
    samples = round(_RINGING_S * _RATE_HZ)
    starts = [i for i in np.searchsorted(time_s, strikes_s) if i + samples <= len(time_s)]
    return np.stack([high[i : i + samples] for i in starts], axis=1)


def ringing(pieces: Sequence[np.ndarray]) -> dict:
    """Return the damped oscillation that explains most of what sensors do after strikes.

    Parameters
    ----------
    pieces : sequence of (samples, strikes, 3) array
        One for each sensor; sensors count alike.

    Returns
    -------
    dict
        ``frequency_hz`` and ``damping`` (its ratio), common to all; ``explained``, the share of the energy;
        and ``amplitude``, the root mean square over strikes along x, y and z just after the strike.
    """
    samples = len(pieces[0])
    flat = [piece.reshape(samples, -1) for piece in pieces]
    whole = np.hstack([piece / np.linalg.norm(piece) for piece in flat])
    after_s = np.arange(samples) / _RATE_HZ
    best: tuple = (0.0,)
    for frequency in _FREQUENCIES_HZ:
        for damping in _DAMPING:
            w = 2.0 * np.pi * frequency
            decay, phase = np.exp(-damping * w * after_s), w * np.sqrt(1.0 - damping**2) * after_s
            basis = decay[:, None] * np.stack([np.cos(phase), np.sin(phase)], axis=1)
            left = whole - basis @ np.linalg.lstsq(basis, whole, rcond=None)[0]
            explained = 1.0 - (left**2).sum() / len(pieces)
            if explained > best[0]:
                best = explained, frequency, damping, basis
    explained, frequency, damping, basis = best
    waves = [np.linalg.lstsq(basis, piece, rcond=None)[0] for piece in flat]
    square = [(wave**2).sum(axis=0).reshape(-1, 3).mean(axis=0) for wave in waves]
    return {
        "frequency_hz": float(frequency),
        "damping": round(float(damping), 2),
        "explained": round(float(explained), 2),
        "amplitude": np.round(np.sqrt(np.mean(square, axis=0)), 2).tolist(),
    }


def table(rows: Sequence[dict]) -> str:
    """Return the measurements by segment, means over sensors of both people."""
    bands = "  ".join(f"{low:g}-{high:g}" for low, high in BANDS)
    lines = [f"root mean square left, in bands of {bands} Hz, real / virtual"]
    named = (("acceleration_m_s2", "m/s^2"), ("sagittal_rate_rad_s", "rad/s"))
    for segment in SEGMENTS:
        own = [row for row in rows if row["sensor"].startswith(segment)]
        for name, unit in named:
            pair = zip(_mean(own, name), _mean(own, f"virtual_{name}"), strict=True)
            lines.append(f"{segment:7}{unit:7}" + "".join(f"{a:9.2f} /{b:5.2f}" for a, b in pair))
    lines.append("after a strike of the own foot: frequency Hz, damping, explained, amplitude along x y z")
    for segment in SEGMENTS:
        own = [row for row in rows if row["sensor"].startswith(segment)]
        for name, unit in (("acceleration", "m/s^2"), ("rate", "rad/s")):
            ring = ringing([row[f"{name}_after_strikes"] for row in own])
            size = " ".join(f"{value:6.2f}" for value in ring["amplitude"])
            numbers = f"{ring['frequency_hz']:6.1f}{ring['damping']:6.2f}{ring['explained']:6.2f}"
            lines.append(f"{segment:7}{unit:7}{numbers}   {size}")
    return "\n".join(lines)


def _mean(rows: Sequence[dict], name: str) -> np.ndarray:
    return np.sqrt(np.mean([np.square(row[name]) for row in rows], axis=0))


if __name__ == "__main__":
    sys.exit(main())
