"""Sensor-to-segment alignment of people whose segments are known by cameras, by hand or by construction.

``python -m benchmarks.alignment --data ../shared/data`` prints a row for each sensor of ``kuopio2024_walk``
and ``gaittoolbox_walk`` against their ``sensor_to_segment.json``, of ``capsense_walk`` against axes set by
hand, and the errors over 200 virtual recordings (``--virtual N``) whose sensors are turned at random, with a
second of standing and without. ``--usual-gait FILE`` writes the usual movement of people anew. See
benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from benchmarks.alignment_people import Person, people, usual_without, write_usual_gait
from casadi_dynamics.errors import InputError
from sspinn_opensim.alignment.align import align
from sspinn_opensim.alignment.types import words
from sspinn_opensim.alignment.usual import QUIET_STANDING, Lean, Site, UsualGait
from sspinn_opensim.anatomy import segment_of
from sspinn_opensim.recording import Recording, RecordingChoice, Sensor, SensorChoice, read_recording

#: Right of the person along the axes of the sensor, as capsense's own notes say how sensors were worn.
_BY_HAND = {
    ("thigh", "right"): (0.0, 0.0, 1.0),
    ("thigh", "left"): (0.0, 0.0, -1.0),
    ("shank", "right"): (0.0, 0.0, 1.0),
    ("shank", "left"): (0.0, 0.0, -1.0),
    ("foot", "right"): (0.0, 1.0, 0.0),
    ("foot", "left"): (0.0, 1.0, 0.0),
}
#: Standing of virtual people: its length and transition, s; how far they stand from their static trial,
#: degrees; sway of the sensors, m/s^2 and rad/s.
_STANDING_S, _AGAIN_DEG, _SWAY = 1.0, 1.5, (0.05, 0.01)
#: Constant errors of virtual sensors, as in `sspinn simulate-imu`: m/s^2 and rad/s.
_BIAS = (0.05, 0.005)


@dataclass(frozen=True)
class _Recorded:
    """A recording and its sensors, as far as reading goes."""

    recording: RecordingChoice
    sensors: tuple[SensorChoice, ...]


@dataclass(frozen=True)
class Error:
    """How far the alignment of one sensor is off.

    Attributes
    ----------
    recording, sensor : str
    sagittal_deg, frontal_deg, heading_deg : float
        Of the segment's upright axis in the sagittal and in the frontal plane, and of its axis to the right
        about the vertical.
    sd_deg : tuple of 3 float
        What the alignment says of itself, about x, y and z.
    facing : bool
        Whether it faces forward.
    found : str
        Segment and side on which it most probably sits.
    right_site : bool
        Whether that is where it sits.
    probability : float
        Of that.
    """

    recording: str
    sensor: str
    sagittal_deg: float
    frontal_deg: float
    heading_deg: float
    sd_deg: tuple[float, float, float]
    facing: bool
    found: str
    right_site: bool
    probability: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alignment", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the public recordings")
    parser.add_argument("--virtual", type=int, default=200, metavar="N", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of turns and postures; default: %(default)s")
    parser.add_argument("--usual-gait", type=Path, metavar="FILE", help="write the usual movement of people")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    try:
        if options.usual_gait:
            write_usual_gait(people(options.data), options.usual_gait)
            return 0
        found = [error for recording, truth in real(options.data) for error in errors(recording, truth)]
        virtual = virtual_errors(options.data, options.virtual, options.seed) if options.virtual else {}
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    if options.json:
        rows = {name: list(map(asdict, some)) for name, some in virtual.items()}
        print(json.dumps({"real": list(map(asdict, found)), "virtual": rows}))
        return 0
    print(table(found))
    for name, some in virtual.items():
        print(f"\n{name}")
        print(summary(some))
    return 0


def real(data: Path) -> list[tuple[Recording, dict[str, np.ndarray | None]]]:
    """Return the recordings of real sensors, and the rotation from sensor to segment where it is known."""
    found: list[tuple[Recording, dict[str, np.ndarray | None]]] = []
    for name in ("kuopio2024_walk", "gaittoolbox_walk"):
        folder = data / name
        if folder.is_dir():
            segments = json.loads((folder / "sensor_to_segment.json").read_text(encoding="utf-8"))["segments"]
            serials = {sensor: values["sensor"] for sensor, values in segments.items()}
            choice = RecordingChoice("xsens_mt", folder / "imu", name, recorded_rate_hz=100.0)
            truth = {sensor: np.array(v["R_segment_from_sensor"]) for sensor, v in segments.items()}
            found.append((_read(choice, serials), dict(truth)))
    for file in sorted((data / "capsense_walk").glob("*_CS*.npz")):
        with np.load(file) as arrays:
            names = [str(name) for name in arrays["segments"]]
        recording = _read(RecordingChoice("npz", file, file.stem), {name: name for name in names})
        found.append((recording, {name: _by_hand(recording, k) for k, name in enumerate(names)}))
    return found


def _read(choice: RecordingChoice, sources: Mapping[str, str]) -> Recording:
    """Return a recording of sensors on the segments that their names tell, by their names in the file."""
    sensors = tuple(SensorChoice(name, _body(name), source) for name, source in sources.items())
    return read_recording(_Recorded(choice, sensors))


def _body(name: str) -> str:
    return name.replace("ankle", "tibia").replace("toes", "calcn")


def errors(
    recording: Recording,
    truth: dict[str, np.ndarray | None],
    gaits: Sequence[UsualGait] | None = None,
    postures: Mapping[str, Lean] | None = None,
) -> list[Error]:
    """Return how far the sensors of a recording are off; nan where the truth is not known."""
    found = []
    for own in align(recording, gaits=gaits, postures=postures).sensors:
        known = truth[own.name]
        off, facing = np.full(3, np.nan), True
        if known is not None:
            turn = own.rotation @ known.T
            up, right = turn[:, 1], turn[:, 2]
            off = np.degrees(np.arctan2([up[0], up[2], right[0]], [up[1], up[1], right[2]]))
            facing = bool(right[2] > 0 and up[1] > 0)
        found.append(
            Error(
                recording=recording.name,
                sensor=own.name,
                sagittal_deg=float(off[0]),
                frontal_deg=float(off[1]),
                heading_deg=float(off[2]),
                sd_deg=own.sd_deg,
                facing=facing,
                found=words(own.found) if own.found else "?",
                right_site=own.found == own.site,
                probability=own.probability,
            )
        )
    return found


def virtual_errors(data: Path, count: int, seed: int) -> dict[str, list[Error]]:
    """Return the errors of virtual recordings, by kind of gait, with and without standing."""
    everyone = people(data)
    usual = {name: usual_without(everyone, name) for name in {person.name for person in everyone}}
    rng = np.random.default_rng(seed)
    found: dict[str, list[Error]] = {}
    for number in range(count):
        person = everyone[number % len(everyone)]
        gaits, postures = usual[person.name]
        for standing in (True, False):
            recording, truth = virtual(person, rng, standing=standing)
            key = f"{person.kind}, {'a second of standing' if standing else 'no standing'}"
            found.setdefault(key, []).extend(errors(recording, truth, gaits=gaits, postures=postures))
    return found


def virtual(
    person: Person, rng: np.random.Generator, *, standing: bool
) -> tuple[Recording, dict[str, np.ndarray | None]]:
    """Return a recording of a person whose sensors are turned at random, perhaps after standing.

    Someone with a static trial stands as in it, within `_AGAIN_DEG`; someone else as people usually do, with
    their deviations.
    """
    force, rate = person.acceleration, person.angular_rate
    if standing:
        n = round(_STANDING_S / (person.time_s[1] - person.time_s[0]))
        still = np.array([9.81 * _stands(person, site, rng) for site in person.sites])
        before = still + _SWAY[0] * rng.standard_normal((n, *still.shape))
        force = np.concatenate([before, force])
        rate = np.concatenate([_SWAY[1] * rng.standard_normal(before.shape), rate])
    turns = Rotation.random(len(person.sites), rng).as_matrix()
    streams = {}
    for k, (segment, side) in enumerate(person.sites):
        streams[f"{segment}_{side[:1]}".rstrip("_")] = [
            signal[:, k] @ turns[k] + bias * rng.standard_normal(3)
            for signal, bias in zip((force, rate), _BIAS, strict=True)
        ]
    rate_hz = 1 / (person.time_s[1] - person.time_s[0])
    return _recording(person.trial, streams, rate_hz), dict(zip(streams, turns, strict=True))


def _stands(person: Person, site: Site, rng: np.random.Generator) -> np.ndarray:
    """Return up in the axes of a segment of someone who stands."""
    lean = QUIET_STANDING[site[0]]
    if person.standing is None:
        forward, outward = rng.normal((lean.forward, lean.outward), (lean.forward_sd, lean.outward_sd))
    else:
        forward, outward = rng.normal(person.standing[site], _AGAIN_DEG)
    return Lean(forward, outward, 0.0, 0.0).up(site[1])


def table(found: Iterable[Error]) -> str:
    """Return a row for each sensor of real recordings."""
    columns = ("sagittal", "frontal", "heading", "sd", "sd", "sd")
    lines = [f"{'':24}{'sensor':10}" + "".join(f"{name:>9}" for name in columns) + "  facing  moves like"]
    some = list(found)
    for e in some:
        x, y, z = e.sd_deg
        numbers = "".join(f"{v:9.1f}" for v in (e.sagittal_deg, e.frontal_deg, e.heading_deg, z, x, y))
        facing = f"{'yes' if e.facing else 'NO':6}"
        site = f"{e.found} ({e.probability:.3f}){'' if e.right_site else '  NO'}"
        lines.append(f"{e.recording:24}{e.sensor:10}{numbers}  {facing}  {site}")
    for name in dict.fromkeys(e.recording for e in some):
        lines.append(f"{name}: {summary([e for e in some if e.recording == name])}")
    return "\n".join(lines)


def summary(found: Sequence[Error]) -> str:
    """Return medians, the worst and shares in one line; for many sensors a line for each segment too."""
    known = [e for e in found if np.isfinite(e.sagittal_deg)]
    off = np.abs([(e.sagittal_deg, e.frontal_deg, e.heading_deg) for e in known]).reshape(-1, 3)
    sd = np.array([e.sd_deg for e in known]).reshape(-1, 3)
    median, most, worst = np.median(off, axis=0), np.quantile(off, 0.95, axis=0), off.max(axis=0)
    surprise = np.sqrt(np.mean((off / sd[:, [2, 0, 1]]) ** 2, axis=0))
    text = (
        f"{len(found)} sensors; sagittal median {median[0]:.1f}, 95 % {most[0]:.1f}, worst {worst[0]:.1f}; "
        f"frontal {median[1]:.1f}, {most[1]:.1f}, {worst[1]:.1f}; heading {median[2]:.1f}, {most[2]:.1f}, "
        f"{worst[2]:.1f}; rms over stated sd {surprise[0]:.2f}, {surprise[1]:.2f}, {surprise[2]:.2f}; facing "
        f"right {sum(e.facing for e in known)}/{len(known)}; "
        f"sites right {sum(e.right_site for e in found)}/{len(found)}"
    )
    if len(found) > 100:
        for segment in QUIET_STANDING:
            of = np.array(
                [abs(e.sagittal_deg) for e in known if (segment_of(e.sensor) or ("",))[0] == segment]
            )
            text += f"\n  {segment:8} sagittal median {np.median(of):.1f}, worst {of.max():.1f} deg"
    return text


def _recording(name: str, streams: dict, rate_hz: float = 100.0) -> Recording:
    """Return a recording of sensors whose axes are not known."""
    signals = np.stack([np.stack(pair, axis=1) for pair in streams.values()], axis=1)  # (n, k, 2, 3)
    n, k = signals.shape[:2]
    sensors = tuple(Sensor(name, _body(name), axes_known=False) for name in streams)
    return Recording(
        name=name,
        time_s=np.arange(n) / rate_hz,
        sensors=sensors,
        acceleration=signals[:, :, 0],
        angular_rate=signals[:, :, 1],
        acceleration_available=np.ones((k, 3), bool),
        angular_rate_available=np.ones((k, 3), bool),
        acceleration_variance=np.zeros((k, 3)),
        angular_rate_variance=np.zeros((k, 3)),
    )


def _by_hand(recording: Recording, k: int) -> np.ndarray | None:
    """Return the rotation set by hand: up from the first half second, right from how the sensor was worn."""
    site = segment_of(recording.sensors[k].body)
    if site not in _BY_HAND:
        return None
    up = recording.acceleration[:50, k].mean(axis=0)
    up = up / np.linalg.norm(up)
    right = np.array(_BY_HAND[site]) - up * (up @ np.array(_BY_HAND[site]))
    right = right / np.linalg.norm(right)
    return np.stack([np.cross(up, right), up, right])


if __name__ == "__main__":
    sys.exit(main())
