"""Mistakes planted in real recordings: whether each is named, by the right sensor, before training.

``python -m benchmarks.planted_sensors --data ../shared/data`` turns, mirrors and exchanges sensors of eight
recordings of people, and looks at each by the functions that ``sspinn run`` calls before training. A sensor's
axes are either stated (it was aligned, the mistake came after), or its own, and the alignment has to find
them; then a turn is no mistake, and the aligned signals must be those of the sensor that was not turned. See
benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.spatial.transform import Rotation

from benchmarks.people.recordings import RECORDINGS, write_study
from sspinn_opensim.alignment.types import Alignment
from sspinn_opensim.recording import Finding, Recording, read_recording, unaccepted
from sspinn_opensim.recording.sensors.placement import site_of
from sspinn_opensim.study import Study, read_study
from sspinn_opensim.verbs.axes import along_segments, as_chosen, objections

#: Sensors that are turned and mirrored, one at a time, where there are such.
_SITES = (("trunk", ""), ("pelvis", ""), ("thigh", "right"), ("shank", "right"), ("foot", "left"))
_SWAPS = {
    "thighs": [(("thigh", "right"), ("thigh", "left"))],
    "shanks": [(("shank", "right"), ("shank", "left"))],
    "feet": [(("foot", "right"), ("foot", "left"))],
    "thigh and shank": [(("thigh", "left"), ("shank", "left"))],
    "shank and foot": [(("shank", "right"), ("foot", "right"))],
    "legs": [((part, "right"), (part, "left")) for part in ("thigh", "shank", "foot")],
}
_TURNED = ("upside_down", "gravity_direction")
_MIRRORED = ("mirrored", *_TURNED)
_SWAPPED = ("swapped_sides", "swapped_segments")
#: Sagittal channels: specific force forward and up, angular rate to the right.
PLANAR = {"acceleration": (True, True, False), "angular_rate": (False, False, True)}


@dataclass(frozen=True, eq=False)
class Plant:
    """A mistake: matrices on specific force and angular rate of one sensor, or pairs that are exchanged."""

    kind: str
    what: str
    sensors: tuple[int, ...]
    named_by: tuple[str, ...]
    force: np.ndarray
    rate: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """What became of one planted mistake.

    Attributes
    ----------
    recording, axes, kind, what, sensor : str
        Where, whether axes are ``stated``, ``planar`` (stated, sagittal channels alone) or ``own``; what was
        planted in which sensor.
    outcome : str
        ``named``, ``refused`` (the right sensor, for something else), ``wrong`` (another sensor), ``missed``;
        of a turn that is to be undone, ``undone`` or ``not undone``.
    found : tuple of str
        Keys of the serious findings.
    off_deg : float
        Of a turn that is undone: by how much the alignment differs from that of the sensor as it was.
    """

    recording: str
    axes: str
    kind: str
    what: str
    sensor: str
    outcome: str
    found: tuple[str, ...]
    off_deg: float = 0.0


def main(arguments: list[str] | None = None) -> int:
    """Plant all mistakes and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planted_sensors", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=RECORDINGS, default=list(RECORDINGS))
    parser.add_argument(
        "--axes", nargs="+", choices=("stated", "planar", "own"), default=["stated", "planar", "own"]
    )
    parser.add_argument("--seconds", type=float, default=25.0, help="of each recording; default: %(default)s")
    parser.add_argument("--out", type=Path, help="write every case as JSON")
    parser.add_argument(
        "--all", action="store_true", help="print every case, not only those that are not named"
    )
    options = parser.parse_args(arguments)
    outcomes: list[Outcome] = []
    clean = []
    for name in options.only:
        study = study_of(name, options.data)
        recording = beginning(as_chosen(study, read_recording(study)), options.seconds)
        aligned, _ = along_segments(study, recording, refuse=False)
        forms = {"stated": aligned, "planar": aligned, "own": _own(aligned, recording)}
        for axes in options.axes:
            findings, alignment = looked(study, _cut(forms[axes], axes))
            before = {f.key for f in findings}
            clean.append((name, axes, tuple(sorted(before))))
            for plant in plants(forms[axes]):
                outcome = _outcome(study, name, axes, forms[axes], plant, before, alignment)
                outcomes += [outcome] if outcome else []
    show(outcomes, clean, everything=options.all)
    if options.out:
        options.out.write_text(json.dumps([asdict(each) for each in outcomes], indent=1) + "\n")
    return 0


def study_of(name: str, data: Path) -> Study:
    """Return the study of a recording as ``sspinn check`` writes it."""
    with tempfile.TemporaryDirectory() as folder:
        return read_study(write_study(name, data.absolute(), Path(folder), "builtin:planar_gait"))


def looked(study: Study, recording: Recording) -> tuple[tuple[Finding, ...], Alignment | None]:
    """Return what a run would be refused for, and the alignment."""
    along, alignment = along_segments(study, recording, refuse=False)
    return unaccepted(objections(along, alignment), study.recording.accepted), alignment


def plants(recording: Recording) -> Iterator[Plant]:
    """Return all mistakes that can be made with a recording."""
    at = {site_of(sensor): k for k, sensor in enumerate(recording.sensors)}
    one = np.eye(3)
    for site in (site for site in _SITES if site in at):
        who = (at[site],)
        for about, degrees in itertools.product("xyz", (180, 90)):
            turn = np.round(Rotation.from_euler(about, degrees, degrees=True).as_matrix())
            yield Plant("turned", f"{degrees} about {about}", who, _TURNED, turn, turn)
        for flipped in ("x", "y", "z", "xyz"):
            mirror = np.diag([-1.0 if axis in flipped else 1.0 for axis in "xyz"])
            yield Plant("accelerometer", f"-{flipped}", who, _MIRRORED, mirror, one)
            yield Plant("gyroscope", f"-{flipped}", who, _MIRRORED, one, mirror)
            if flipped != "xyz":
                yield Plant("left-handed", f"-{flipped}", who, _MIRRORED, mirror, mirror)
    for what, pairs in _SWAPS.items():
        if all(site in at for pair in pairs for site in pair):
            yield Plant(
                "swapped", what, tuple(at[site] for pair in pairs for site in pair), _SWAPPED, one, one
            )


def planted(recording: Recording, plant: Plant) -> Recording:
    """Return a recording with a mistake."""
    signals = {"acceleration": recording.acceleration.copy(), "angular_rate": recording.angular_rate.copy()}
    for name, matrix in (("acceleration", plant.force), ("angular_rate", plant.rate)):
        if plant.kind == "swapped":
            for a, b in zip(plant.sensors[::2], plant.sensors[1::2], strict=True):
                signals[name][:, [a, b]] = signals[name][:, [b, a]]
        else:
            k = plant.sensors[0]
            signals[name][:, k] = signals[name][:, k] @ matrix.T
    return replace(recording, **signals)


def _outcome(
    study: Study,
    name: str,
    axes: str,
    recording: Recording,
    plant: Plant,
    before: set[str],
    alignment: Alignment | None,
) -> Outcome | None:
    """Return what becomes of a mistake; None where it changes nothing."""
    # Channels are left out after the mistake: a turn brings others into the plane.
    right, wrong = _cut(recording, axes), _cut(planted(recording, plant), axes)
    same = all(
        np.array_equal(getattr(wrong, signal), getattr(right, signal))
        for signal in ("acceleration", "angular_rate")
    )
    if same:  # of an axis that the recording does not have
        return None
    found, now = looked(study, wrong)
    names = [recording.sensors[k].name for k in plant.sensors]
    new = [f for f in found if f.key not in before]
    off_deg = 0.0
    if axes == "own" and plant.kind == "turned":
        assert now is not None and alignment is not None
        k = plant.sensors[0]
        turn = now.sensors[k].rotation @ plant.force @ alignment.sensors[k].rotation.T
        off_deg = float(np.degrees(Rotation.from_matrix(turn).magnitude()))
        outcome = "undone" if off_deg < max(alignment.sensors[k].sd_deg) and not new else "not undone"
    elif all(any(f.sensor == who and f.kind in plant.named_by for f in new) for who in names):
        outcome = "named"
    elif any(f.sensor in names for f in new):
        outcome = "refused"
    else:
        outcome = "wrong" if new else "missed"
    others = [f.key for f in new if f.sensor not in names]
    if outcome == "named" and others:
        outcome = "named, and others"
    keys = tuple(sorted(f.key for f in new))
    return Outcome(name, axes, plant.kind, plant.what, " ".join(names), outcome, keys, off_deg)


def _cut(recording: Recording, axes: str) -> Recording:
    """Return a recording with the sagittal channels alone, where axes are ``planar``; else as it is."""
    if axes != "planar":
        return recording
    cut = {name: getattr(recording, name) * np.array(known) for name, known in PLANAR.items()}
    known = {
        f"{name}_available": np.tile(known, (len(recording.sensors), 1)) for name, known in PLANAR.items()
    }
    sensors = tuple(replace(sensor, axes_known=True) for sensor in recording.sensors)
    return replace(recording, sensors=sensors, **cut, **known)


def _own(aligned: Recording, recording: Recording) -> Recording:
    """Return a recording along the sensors' own axes: as it is, or turned in some way if it was stated."""
    if not all(sensor.axes_known for sensor in recording.sensors):
        return recording
    turns = Rotation.random(len(aligned.sensors), np.random.default_rng(0)).as_matrix()
    signals = {
        name: np.einsum("kij,nkj->nki", turns, getattr(aligned, name))
        for name in ("acceleration", "angular_rate")
    }
    return replace(aligned, sensors=tuple(replace(s, axes_known=False) for s in aligned.sensors), **signals)


def beginning(recording: Recording, seconds: float) -> Recording:
    """Return the beginning of a recording."""
    n = int(np.searchsorted(recording.time_s - recording.time_s[0], seconds))
    names = ("time_s", "acceleration", "angular_rate", "usable")
    return replace(recording, **{name: getattr(recording, name)[:n].copy() for name in names})


def show(outcomes: list[Outcome], clean: list[tuple[str, str, tuple[str, ...]]], *, everything: bool) -> None:
    """Print what was found in the recordings as they are, counts by kind, and the cases not named."""
    console = Console(width=170)
    for name, axes, keys in clean:
        console.print(f"{name}, axes {axes}, untouched: {', '.join(keys) or 'nothing serious'}")
    for axes in dict.fromkeys(each.axes for each in outcomes):
        own = [each for each in outcomes if each.axes == axes]
        columns = list(dict.fromkeys(each.outcome for each in own))
        table = Table(f"axes {axes}", "segment", "cases", *columns, box=None)
        for kind in dict.fromkeys(each.kind for each in own):
            groups = dict.fromkeys(_segment(each) for each in own if each.kind == kind)
            for segment in groups:
                some = Counter(e.outcome for e in own if e.kind == kind and _segment(e) == segment)
                table.add_row(kind, segment, str(some.total()), *(str(some[c] or "") for c in columns))
        every = Counter(each.outcome for each in own)
        table.add_row("all", "", str(every.total()), *(str(every[c]) for c in columns))
        console.print(table)
    for each in outcomes:
        if everything or each.outcome not in ("named", "undone"):
            console.print(
                f"{each.recording:21}{each.axes:8}{each.kind:14}{each.what:16}{each.sensor:18}{each.outcome:18}"
                f"{' '.join(each.found)}",
                highlight=False,
            )


def _segment(each: Outcome) -> str:
    return (
        each.what
        if each.kind == "swapped"
        else each.sensor.split("_")[0].replace("toes", "foot").replace("calcn", "foot")
    )


if __name__ == "__main__":
    raise SystemExit(main())
