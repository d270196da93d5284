"""Mistakes whose right verdict is known: values that must matter, changed until they are absurd.

``python -m benchmarks.silent_mistakes --count 500`` plants mistakes of units, clocks, columns, places and
files in the study and the recording of the demo, one at a time and of random size, and looks at each as
``sspinn run`` does before it works. A mistake is refused, told (a doubt that the command prints), or silent;
a recording that is only written otherwise must be accepted.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.osim import read_model
from sspinn_opensim.recording.signals.filters import both_ways, butterworth
from sspinn_opensim.study import examples_folder, read_study
from sspinn_opensim.verbs.axes import objections
from sspinn_opensim.verbs.inputs import check_inputs

#: Columns of the demo by their names, (n,) each, and the text of its study.
Table = dict[str, np.ndarray]
Change = Callable[[Table, str, random.Random], tuple[Table, str]]

_SENSORS = ("pelvis", "femur_r", "tibia_r", "foot_r", "femur_l", "tibia_l", "foot_l")
_LEGS = _SENSORS[1:]
_LOWER = ("tibia_r", "foot_r", "tibia_l", "foot_l")
#: What becomes of a mistake.
REFUSED, TOLD, SILENT, ACCEPTED = "refused", "told", "silent", "accepted"


def _of_table(change: Callable[[Table, random.Random], Table]) -> Change:
    return lambda table, text, chance: (change(table, chance), text)


def _of_study(old: str, new: Callable[[random.Random], str]) -> Change:
    def changed(table: Table, text: str, chance: random.Random) -> tuple[Table, str]:
        assert old in text, old
        return table, text.replace(old, new(chance), 1)

    return changed


def _columns(table: Table, sensor: str = "", kind: str = "") -> list[str]:
    return [name for name in table if name != "time" and name.startswith(sensor) and kind in name]


def _scaled(kind: str, low: float, high: float, sensors: tuple[str, ...] = ("",)) -> Change:
    """Return a change of the scale of one sensor, or of all (an empty name)."""

    def changed(table: Table, chance: random.Random) -> Table:
        sensor, factor = chance.choice(sensors), np.exp(chance.uniform(np.log(low), np.log(high)))
        return table | {name: factor * table[name] for name in _columns(table, sensor, kind)}

    return _of_table(changed)


def _negative(kind: str, sensors: tuple[str, ...]) -> Change:
    def changed(table: Table, chance: random.Random) -> Table:
        return table | {name: -table[name] for name in _columns(table, chance.choice(sensors), kind)}

    return _of_table(changed)


def _clock(low: float, high: float) -> Change:
    def changed(table: Table, text: str, chance: random.Random) -> tuple[Table, str]:
        factor = np.exp(chance.uniform(np.log(low), np.log(high)))
        return table | {"time": factor * table["time"]}, text.split("[output]", maxsplit=1)[0]

    return changed


def _exchanged(table: Table, chance: random.Random) -> Table:
    one, other = chance.sample(_SENSORS, 2)
    names = {name: name.replace(one, other) for name in _columns(table, one)}
    return table | {a: table[b] for a, b in names.items()} | {b: table[a] for a, b in names.items()}


def _copied(table: Table, chance: random.Random) -> Table:
    one, other = chance.sample(_LEGS, 2)
    noise = np.random.default_rng(chance.randrange(10**6)).normal(0.0, 1e-4, len(table["time"]))
    return table | {name: table[name.replace(other, one)] + noise for name in _columns(table, other)}


def _stopped(value: Callable[[float], float]) -> Change:
    def changed(table: Table, chance: random.Random) -> Table:
        sensor, first = chance.choice(_LEGS), chance.randrange(100, 1000)
        last = first + chance.randrange(30, 200)
        held = {name: table[name].copy() for name in _columns(table, sensor)}
        for column in held.values():
            column[first:last] = value(float(column[first]))
        return table | held

    return _of_table(changed)


def _slipped(table: Table, chance: random.Random) -> Table:
    """Return the recording with a sensor turned in the sagittal plane from somewhere in the middle on."""
    sensor, angle = chance.choice(_SENSORS), np.radians(chance.choice((-1, 1)) * chance.uniform(25.0, 60.0))
    first = chance.randrange(len(table["time"]) * 2 // 5, len(table["time"]) * 3 // 5)
    x, y = (table[f"{sensor}_acc_{axis}"].copy() for axis in "xy")
    turned = (x + 1j * y)[first:] * np.exp(1j * angle)
    x[first:], y[first:] = turned.real, turned.imag
    return table | {f"{sensor}_acc_x": x, f"{sensor}_acc_y": y}


def _fallen(table: Table, chance: random.Random) -> Table:
    """Return the recording with a sensor that lies on the floor from the middle on."""
    first, noise = len(table["time"]) // 2, np.random.default_rng(chance.randrange(10**6))
    lying = {name: table[name].copy() for name in _columns(table, chance.choice(_LEGS))}
    for name, column in lying.items():
        column[first:] = 9.81 * name.endswith("acc_x") + noise.normal(0.0, 0.02, len(column) - first)
    return table | lying


def _late(low_s: float, high_s: float) -> Change:
    """Return a change of the clock of one sensor, by whole samples."""

    def changed(table: Table, chance: random.Random) -> Table:
        step_s = float(table["time"][1] - table["time"][0])
        steps = round(chance.choice((-1, 1)) * chance.uniform(low_s, high_s) / step_s)
        return table | {
            name: np.roll(table[name], steps) for name in _columns(table, chance.choice(_SENSORS))
        }

    return _of_table(changed)


def _gyroscope_late(table: Table, chance: random.Random) -> Table:
    """Return the recording with the gyroscope of a shank or foot behind, or before, its accelerometer."""
    steps = chance.choice((-1, 1)) * round(
        chance.uniform(0.03, 0.05) / float(table["time"][1] - table["time"][0])
    )
    return table | {
        name: np.roll(table[name], steps) for name in _columns(table, chance.choice(_LOWER), "gyro")
    }


def _smoothed(table: Table, chance: random.Random) -> Table:
    """Return the recording with a sensor that went through a low-pass filter, as its vendor may have it."""
    rate_hz = 1 / float(table["time"][1] - table["time"][0])
    lowpass = butterworth(chance.uniform(2.0, 4.0), rate_hz=rate_hz)
    columns = _columns(table, chance.choice(_SENSORS))
    return table | {name: both_ways(lowpass, table[name][:, None], 9)[:, 0] for name in columns}


def _dropped(table: Table, chance: random.Random) -> Table:
    """Return the recording without some frames of its gait, with its clock counted anew."""
    rate_hz = 1 / float(table["time"][1] - table["time"][0])
    first, count = chance.randrange(400, 1000), round(chance.uniform(0.15, 0.5) * rate_hz)
    left = {name: np.delete(column, slice(first, first + count)) for name, column in table.items()}
    return left | {"time": table["time"][: len(left["time"])]}


def _spiked(table: Table, chance: random.Random) -> Table:
    name = chance.choice(_columns(table))
    spiked = table[name].copy()
    spiked[chance.randrange(len(spiked))] = chance.choice((-1, 1)) * 10 ** chance.uniform(3.5, 9.0)
    return table | {name: spiked}


def _backwards(table: Table, _chance: random.Random) -> Table:
    return table | {name: table[name][::-1] for name in _columns(table)}


def _repeated(table: Table, chance: random.Random) -> Table:
    every = chance.randrange(2, 5)
    rows = np.arange(len(table["time"])) // every * every
    return table | {name: table[name][rows] for name in _columns(table)}


def _place(x: float, y: float, z: float) -> Change:
    return _places("tibia_l", lambda _: (x, y, z))


def _places(body: str, of: Callable[[random.Random], tuple[float, float, float]]) -> Change:
    """Return a change of the place of the sensor on a body, m."""
    return _of_study(
        f'imu_frame = "{body}_imu"',
        lambda chance: f'body = "{body}"\nposition = [{", ".join(f"{value:g}" for value in of(chance))}]',
    )


def _held(name: str) -> Change:
    return _of_study(_FIXED, lambda chance: f"{_FIXED}, {name} = {chance.uniform(0.0, 1.0):.3f}")


def _own_columns(force: str, rate: str) -> Change:
    table = f"[recording.csv.columns.foot_r]\nacceleration = {force}\nangular_rate = {rate}\n"
    return lambda columns, text, _: (columns, f"{text}\n{table}")


def _person(chance: random.Random, low: float, high: float, mass: float) -> str:
    """Return height and mass of a person with a body mass index between two, with the mass in a unit."""
    height_m = chance.uniform(1.5, 1.95)
    return f"height_m = {height_m:.3f}\nmass_kg = {mass * chance.uniform(low, high) * height_m**2:.1f}"


_SPEED, _FIXED, _SIZE = "speed_m_s = 1.26", "lumbar_extension = 0.0", "height_m = 1.72\nmass_kg = 68.0"
#: Mistake -> change, and whether it must be refused (else a doubt will do).
MISTAKES: dict[str, tuple[Change, bool]] = {
    "acceleration in g": (_scaled("acc", 0.05, 0.3), True),
    "acceleration too small": (_scaled("acc", 0.35, 0.7), True),
    "acceleration of one sensor in another unit": (_scaled("acc", 0.02, 0.4, _SENSORS), True),
    "acceleration of one sensor too large": (_scaled("acc", 1.5, 3.0, _SENSORS), True),
    "accelerometer of another range": (_scaled("acc", 1.15, 1.5, _SENSORS), False),
    "accelerations of another range": (_scaled("acc", 1.1, 1.5), True),
    "angular rate in degrees": (_scaled("gyro", 50.0, 60.0), True),
    "angular rate of one sensor in degrees": (_scaled("gyro", 50.0, 60.0, _SENSORS), True),
    "gyroscopes of a larger range": (_scaled("gyro", 1.3, 4.0), True),
    "gyroscopes of a smaller range": (_scaled("gyro", 0.25, 0.7), True),
    "gyroscope of a shank or foot of a larger range": (_scaled("gyro", 1.4, 4.0, _LOWER), False),
    "gyroscope of a shank or foot of a smaller range": (_scaled("gyro", 0.25, 0.7, _LOWER), False),
    "angular rate of the pelvis taken as degrees": (_scaled("gyro", 0.01, 0.02, ("pelvis",)), True),
    "sensor that slips": (_of_table(_slipped), True),
    "sensor that falls off": (_of_table(_fallen), True),
    "angular rate taken as degrees": (_scaled("gyro", 0.01, 0.02), True),
    "gyroscope with the wrong sign": (_negative("gyro", _LEGS), True),
    "all gyroscopes with the wrong sign": (_negative("gyro", ("",)), True),
    "sensor upside down": (_negative("acc", _SENSORS), True),
    "clock far too fast": (_clock(0.05, 0.5), True),
    "clock too slow": (_clock(1.5, 3.0), True),
    "sensors exchanged": (_of_table(_exchanged), True),
    "one file exported twice": (_of_table(_copied), True),
    "sensor frozen": (_stopped(lambda value: value), False),
    "gap filled with zeros": (_stopped(lambda _: 0.0), False),
    "gap marked by a number": (_stopped(lambda _: -9999.0), True),
    "damaged sample": (_of_table(_spiked), True),
    "time runs backwards": (_of_table(_backwards), True),
    "samples repeated": (_of_table(_repeated), False),
    "speed in km/h": (_of_study(_SPEED, lambda chance: f"speed_m_s = {chance.uniform(3.8, 6.0)}"), True),
    "speed in other units": (
        _of_study(_SPEED, lambda chance: f"speed_m_s = {chance.uniform(50, 2e3)}"),
        True,
    ),
    "speed too small": (_of_study(_SPEED, lambda chance: f"speed_m_s = {chance.uniform(0.01, 0.7)}"), True),
    "angle in degrees": (
        _of_study(_FIXED, lambda chance: f"lumbar_extension = {chance.uniform(3, 90)}"),
        True,
    ),
    "height and mass of two people": (
        _of_study(_SIZE, lambda chance: f"height_m = {chance.uniform(2.1, 2.5)}\nmass_kg = 12"),
        True,
    ),
    "mass in pounds": (
        _of_study(_SIZE, lambda chance: _person(chance, low=20.5, high=30.0, mass=1 / 0.45359237)),
        True,
    ),
    "digits of the height exchanged": (
        _of_study("height_m = 1.72", lambda chance: f"height_m = 1.{chance.choice((17, 20, 25, 27, 28))}"),
        True,
    ),
    "height of another person": (
        _of_study("height_m = 1.72", lambda chance: f"height_m = {chance.uniform(2.1, 2.2):.2f}"),
        False,
    ),
    "one sensor late or early": (_late(0.04, 0.08), True),
    "gyroscope late or early": (_of_table(_gyroscope_late), False),
    "sensor smoothed": (_of_table(_smoothed), False),
    "frames dropped, time counted anew": (_of_table(_dropped), False),
    "root that cannot travel": (_held("pelvis_tx"), True),
    "root that cannot rise": (_held("pelvis_ty"), True),
    "place on the wrong side": (
        _places("tibia_l", lambda chance: (0.0, chance.uniform(-0.3, -0.1), chance.uniform(0.12, 0.3))),
        True,
    ),
    "place of a thigh on the wrong side": (
        _places("femur_r", lambda chance: (0.0, chance.uniform(-0.3, -0.1), -chance.uniform(0.12, 0.3))),
        True,
    ),
    "place in front of the shank": (
        _places("tibia_l", lambda chance: (chance.uniform(0.17, 0.3), chance.uniform(-0.3, -0.1), 0.0)),
        True,
    ),
    "height in other units": (
        _of_study("height_m = 1.72", lambda chance: f"height_m = {chance.choice((5.8, 68, 172, 1720))}"),
        True,
    ),
    "mass in newton": (
        _of_study("mass_kg = 68.0", lambda chance: f"mass_kg = {chance.uniform(310, 900)}"),
        True,
    ),
    "place in millimetres": (_place(0.0, -200.0, 55.0), True),
    "place in decimetres": (_place(0.0, -1.4, 0.0), True),
    "sensor 120 m away": (_place(120.0, 0.0, 0.0), True),
    "two sensors in one place": (
        _of_study('imu_frame = "tibia_l_imu"', lambda _: 'imu_frame = "femur_l_imu"'),
        True,
    ),
    "column used twice": (
        _own_columns('["foot_r_acc_x", "foot_r_acc_x", ""]', '["", "", "foot_r_gyro_z"]'),
        True,
    ),
    "column of another sensor": (
        _own_columns('["foot_l_acc_x", "foot_r_acc_y", ""]', '["", "", "foot_r_gyro_z"]'),
        True,
    ),
    "time as a signal": (_own_columns('["foot_r_acc_x", "foot_r_acc_y", ""]', '["", "", "time"]'), True),
}
#: The same recording written otherwise.
HARMLESS: dict[str, Change] = {
    "as it is": lambda table, text, _: (table, text),
    "from another time on": _of_table(
        lambda table, chance: table | {"time": table["time"] + chance.choice((0.0, 1e-4))}
    ),
    "columns in another order": _of_table(
        lambda table, chance: {
            "time": table["time"],
            **{n: table[n] for n in chance.sample(_columns(table), 21)},
        }
    ),
    "with a column more": _of_table(lambda table, _: table | {"temperature": 0.0 * table["time"] + 30}),
    "with noise": _of_table(
        lambda table, _: {
            name: column + (name != "time") * np.random.default_rng(1).normal(0.0, 0.02, len(column))
            for name, column in table.items()
        }
    ),
}


def outcome_of(change: Change, folder: Path, chance: random.Random) -> str:
    """Return what becomes of a changed demo before a stage works; anything but an `InputError` is raised."""
    known = np.genfromtxt(examples_folder() / "demo" / "imu.csv", delimiter=",", names=True)
    assert known.dtype.names is not None
    text = (examples_folder() / "demo.toml").read_text().partition("# Opened by the evaluation")
    table, study = change(
        {name: known[name] for name in known.dtype.names},
        text[0] + "[output]" + text[2].split("[output]")[1],
        chance,
    )
    rows = np.column_stack(list(table.values()))
    (folder / "demo").mkdir(exist_ok=True)
    np.savetxt(folder / "demo" / "imu.csv", rows, "%.6f", ",", header=",".join(table), comments="")
    (folder / "study.toml").write_text(study)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            read = read_study(folder / "study.toml")
            seen, model = check_inputs(read), read_model(read.model.file)
            said = objections(seen.recording, seen.alignment, model, read.person, said=seen.said)
        except InputError:
            return REFUSED
    return TOLD if any(f.severity == "doubt" for f in said) else SILENT


def run(count: int, seed: int) -> dict[str, Counter[str]]:
    """Plant mistakes in turn; return how often each came to what. Harmless changes are `ACCEPTED`."""
    found: dict[str, Counter[str]] = {name: Counter() for name in (*MISTAKES, *HARMLESS)}
    changes = {name: change for name, (change, _) in MISTAKES.items()} | HARMLESS
    with tempfile.TemporaryDirectory(prefix="silent_") as temporary:
        for number in range(count):
            name = list(changes)[number % len(changes)]
            outcome = outcome_of(changes[name], Path(temporary), random.Random(f"{seed}/{number}"))
            found[name][ACCEPTED if name in HARMLESS and outcome == SILENT else outcome] += 1
            shutil.rmtree(Path(temporary, "demo"))
    return found


def wrong(found: dict[str, Counter[str]]) -> dict[str, int]:
    """Return how often the verdict was not the right one."""
    return {
        name: sum(counts.values()) - counts[ACCEPTED]
        if name in HARMLESS
        else counts[SILENT] + (counts[TOLD] if MISTAKES[name][1] else 0)
        for name, counts in found.items()
    }


def main() -> int:
    """Plant mistakes as the command line asks, and print what became of them."""
    parser = argparse.ArgumentParser(description="Mistakes with a known right verdict.")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    start = time.perf_counter()
    found = run(options.count, options.seed)
    off = wrong(found)
    for name, counts in found.items():
        print(f"{name:45s} {dict(counts)}" + (f"  WRONG {off[name]}" if off[name] else ""))
    silent = sum(counts[SILENT] for counts in found.values())
    took_s = time.perf_counter() - start
    print(f"{options.count} in {took_s:.0f} s: {silent} silent, {sum(off.values())} with another verdict")
    return 1 if any(off.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
