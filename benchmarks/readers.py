"""How fast recordings of an hour are read, beside pandas and NumPy on the same files.

``python -m benchmarks.readers --minutes 60`` writes a recording in each vendor's layout, with the columns
that vendors write by default, reads it, and prints megabytes, seconds of computing, and how much faster than
real time all sensors of a recording are read. Peers read the numbers of the same table and nothing else:
pandas with its parser in C, NumPy's `loadtxt`. They check no counters and know no units or rotations.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.machine import processor
from sspinn_opensim.recording import RecordingChoice, recognise

RATE_HZ = 100
#: Samples that are written again and again: only counters and clocks go on.
_BLOCK = 1000
_SEGMENTS, _SUIT = 23, 17
#: Where clocks that count from 1970 start, ms.
_START_MS = 1_661_351_820_000
#: Sensors of a file that holds several.
_SENSORS = 8


@dataclass(frozen=True)
class Layout:
    """A file in a vendor's layout: what comes before and after the rows, and the rows from one sample on.

    A file that is no text is written by `binary` instead, with so many samples.
    """

    name: str
    suffix: str
    sensors: int
    head: str
    rows: Callable[[int], str]
    tail: str = ""
    binary: Callable[[Path, int], None] | None = None


def _signals(columns: int) -> list[str]:
    numbers = np.random.default_rng(0).normal(size=(_BLOCK, columns))
    return ["\t".join(f"{x:.6f}" for x in row) for row in numbers]


def _unit(count: int) -> np.ndarray:
    numbers = np.random.default_rng(1).normal(size=(_BLOCK, count, 4))
    return numbers / np.linalg.norm(numbers, axis=-1, keepdims=True)


def _xsens_mt() -> Layout:
    force, turns = _signals(9), _unit(1)[:, 0]
    names = "Acc_X Acc_Y Acc_Z Gyr_X Gyr_Y Gyr_Z Mag_X Mag_Y Mag_Z Quat_q0 Quat_q1 Quat_q2 Quat_q3".split()
    cells = [f"{a}\t" + "\t".join(f"{x:.6f}" for x in q) for a, q in zip(force, turns, strict=True)]
    head = "// DeviceId: 00B40001\n// Update Rate: 100.0Hz\n" + "\t".join(
        ["PacketCounter", "SampleTimeFine", *names]
    )
    return Layout(
        "xsens_mt",
        ".txt",
        1,
        head + "\n",
        lambda first: "".join(f"{(first + k) % 65536:05d}\t\t{cell}\n" for k, cell in enumerate(cells)),
    )


def _movella_dot() -> Layout:
    force, turns = _signals(6), _unit(1)[:, 0]
    names = "Quat_W Quat_X Quat_Y Quat_Z Acc_X Acc_Y Acc_Z Gyr_X Gyr_Y Gyr_Z".split()
    cells = [
        ",".join(f"{x:.6f}" for x in q) + "," + a.replace("\t", ",")
        for a, q in zip(force, turns, strict=True)
    ]
    head = "sep=,\nDeviceTag:,foot\n\n" + ",".join(["PacketCounter", "SampleTimeFine", *names])
    return Layout(
        "movella_dot",
        ".csv",
        1,
        head + "\n",
        lambda first: "".join(
            f"{first + k},{(first + k) * 10_000 % 2**32},{cell}\n" for k, cell in enumerate(cells)
        ),
    )


def _mvnx() -> Layout:
    widths = {
        "orientation": 4 * _SEGMENTS,
        **dict.fromkeys(("position", "velocity", "acceleration", "angularVelocity"), 3 * _SEGMENTS),
        **dict.fromkeys(("sensorAcceleration", "sensorAngularVelocity", "sensorMagneticField"), 3 * _SUIT),
        **dict.fromkeys(("jointAngle", "jointAngleXZY"), 3 * (_SEGMENTS - 1)),
    }
    rows = {name: [row.replace("\t", " ") for row in _signals(width)] for name, width in widths.items()}
    rows["sensorOrientation"] = [" ".join(f"{x:.6f}" for x in row.ravel()) for row in _unit(_SUIT)]
    frames = [
        "".join(f"<{name}>{texts[k]}</{name}>\n" for name, texts in rows.items()) for k in range(_BLOCK)
    ]
    labels = "".join(f'<sensor label="s{k}"/>' for k in range(_SUIT))
    return Layout(
        "mvnx",
        ".mvnx",
        _SUIT,
        f'<mvnx><subject frameRate="{RATE_HZ}"><sensors>{labels}</sensors><frames>\n',
        lambda first: "".join(
            f'<frame time="{10 * (first + k)}" index="{first + k}" type="normal">\n{frame}</frame>\n'
            for k, frame in enumerate(frames)
        ),
        "</frames></subject></mvnx>\n",
    )


def _opensense() -> Layout:
    names = [f"s{k}_imu" for k in range(8)]
    cells = ["\t".join(",".join(map(repr, q)) for q in row) for row in _unit(8).tolist()]
    head = "DataRate=100.000000\nDataType=Quaternion\nversion=3\nendheader\n" + "\t".join(["time", *names])
    return Layout(
        "opensense",
        ".sto",
        8,
        head + "\n",
        lambda first: "".join(f"{(first + k) / RATE_HZ}\t{cell}\n" for k, cell in enumerate(cells)),
    )


def _commas(count: int) -> list[str]:
    return [row.replace("\t", ",") for row in _signals(count)]


def _csv() -> Layout:
    cells = _commas(6 * _SENSORS)
    names = [f"s{k}_{kind}_{axis}" for k in range(_SENSORS) for kind in ("acc", "gyro") for axis in "xyz"]
    return Layout(
        "csv",
        ".csv",
        _SENSORS,
        ",".join(["time", *names]) + "\n",
        lambda first: "".join(f"{(first + k) / RATE_HZ},{cell}\n" for k, cell in enumerate(cells)),
    )


def _apdm() -> Layout:
    parts = ["Acceleration/X", "Acceleration/Y", "Acceleration/Z"]
    parts += ["Angular Velocity/X", "Angular Velocity/Y", "Angular Velocity/Z"]
    parts += ["Magnetic Field/X", "Magnetic Field/Y", "Magnetic Field/Z"]
    cells = _commas(9 * _SENSORS)
    units = _SENSORS * [*3 * ["m/s^2"], *3 * ["rad/s"], *3 * ["uT"]]
    names = [f"s{k}/{part}" for k in range(_SENSORS) for part in parts]
    return Layout(
        "apdm",
        ".csv",
        _SENSORS,
        f"Sample Rate:,{RATE_HZ},Hz\n{','.join(['Time', *names])}\n{','.join(['s', *units])}\n",
        lambda first: "".join(f"{(first + k) / RATE_HZ},{cell}\n" for k, cell in enumerate(cells)),
    )


def _xio(name: str, more: tuple[str, ...]) -> Layout:
    names = [f"Gyroscope {axis} (deg/s)" for axis in "XYZ"] + [f"Accelerometer {axis} (g)" for axis in "XYZ"]
    cells = _commas(6 + len(more))
    return Layout(
        name,
        ".csv",
        1,
        ",".join(["Time (s)", *names, *more]) + "\n",
        lambda first: "".join(f"{(first + k) / RATE_HZ:.9f},{cell}\n" for k, cell in enumerate(cells)),
    )


def _ngimu() -> Layout:
    return _xio(
        "ngimu", ("Magnetometer X (uT)", "Magnetometer Y (uT)", "Magnetometer Z (uT)", "Barometer (hPa)")
    )


def _x_imu3() -> Layout:
    return _xio("x_imu3", ())


def _blue_trident() -> Layout:
    cells = _commas(6)
    names = ["unix_timestamp_microsec", "time_s", *(f"a{axis}_m/s/s" for axis in "xyz")]
    return Layout(
        "blue_trident",
        "_lowg.csv",
        1,
        ",".join([*names, *(f"g{axis}_deg/s" for axis in "xyz")]) + "\n",
        lambda first: "".join(
            f"{_START_MS * 1000 + (first + k) * 10_000},{(first + k) / RATE_HZ},{cell}\n"
            for k, cell in enumerate(cells)
        ),
    )


def _shimmer() -> Layout:
    kinds = [f"{kind}_{axis}_CAL" for kind in ("Accel_LN", "Accel_WR", "Gyro") for axis in "XYZ"]
    names = [f"Shimmer_8665_{name}" for name in ("Timestamp_Unix_CAL", *kinds)]
    units = ["ms", *6 * ["m/(s^2)"], *3 * ["deg/s"]]
    cells = _signals(9)
    return Layout(
        "shimmer",
        ".txt",
        1,
        "\t".join(names) + "\n" + "\t".join(units) + "\n",
        lambda first: "".join(f"{_START_MS + (first + k) * 10}\t{cell}\n" for k, cell in enumerate(cells)),
    )


def _noraxon() -> Layout:
    cells = _commas(6 * _SENSORS)
    names = []
    for k in range(_SENSORS):
        names += [f"Part {k} Accel Sensor {axis} (mG)" for axis in "XYZ"]
        names += [f"Noraxon MyoMotion-Segments-Part {k}-Gyroscope-{axis} (deg/s)" for axis in "xyz"]
    return Layout(
        "noraxon",
        ".csv",
        _SENSORS,
        ",".join(["time", *names]) + "\n",
        lambda first: "".join(f"{(first + k) / RATE_HZ},{cell}\n" for k, cell in enumerate(cells)),
    )


def _delsys() -> Layout:
    cells = [row.split("\t") for row in _signals(6 * _SENSORS)]
    names = [
        f'X[s],"Avanti sensor {k}: {what}.{axis} {k} [{unit}]"'
        for k in range(_SENSORS)
        for what, unit in (("ACC", "g"), ("GYRO", "deg/s"))
        for axis in "XYZ"
    ]

    def rows(first: int) -> str:
        times = (f"{(first + k) / RATE_HZ}" for k in range(_BLOCK))
        return "".join(
            ",".join(f"{t},{cell}" for cell in row) + "\n" for t, row in zip(times, cells, strict=True)
        )

    return Layout("delsys", ".csv", _SENSORS, ",".join(names) + "\n", rows)


def _repeated(samples: int, *shape: int) -> np.ndarray:
    """Return signals (n, ...) of so many samples."""
    block = np.random.default_rng(0).normal(size=(_BLOCK, *shape))
    return np.concatenate([block] * -(-samples // _BLOCK))


def write_npz(path: Path, samples: int) -> None:
    """Write the signals of 8 sensors, stacked."""
    force, rate = (_repeated(samples, _SENSORS, 3) for _ in range(2))
    names = np.array([f"s{k}" for k in range(_SENSORS)])
    np.savez_compressed(path, t_imu=np.arange(len(force)) / RATE_HZ, segments=names, acc=force, gyr=rate)


def write_parquet(path: Path, samples: int) -> None:
    """Write the signals of 8 sensors, a column each."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [f"s{k}_{kind}_{axis}" for k in range(_SENSORS) for kind in ("acc", "gyro") for axis in "xyz"]
    signals = _repeated(samples, len(names))
    columns = dict(zip(names, signals.T, strict=True))
    pq.write_table(pa.table({"time": np.arange(len(signals)) / RATE_HZ, **columns}), path)


def write_hdf5(path: Path, samples: int) -> None:
    """Write the signals of 8 Opals, as Mobility Lab does."""
    import h5py

    with h5py.File(path, "w") as file:
        for k in range(_SENSORS):
            sensor = file.create_group(f"Sensors/{1000 + k}")
            sensor.create_group("Configuration").attrs["Label 0"] = np.bytes_(f"s{k}")
            sensor["Accelerometer"] = sensor["Gyroscope"] = _repeated(samples, 3)
            count = len(sensor["Accelerometer"])
            sensor["Time"] = (1_550_879_504_438_281 + np.arange(count) * 10**6 // RATE_HZ).astype(np.uint64)


def write_c3d(path: Path, samples: int) -> None:
    """Write the signals of 8 sensors as analog channels beside a marker."""
    import ezc3d

    content = ezc3d.c3d()
    quantities = {"ACC": "g", "GYRO": "deg/s"}
    signals = _repeated(samples, 6 * _SENSORS)
    parameters = content["parameters"]
    parameters["POINT"]["RATE"]["value"], parameters["ANALOG"]["RATE"]["value"] = [RATE_HZ], [RATE_HZ]
    parameters["POINT"]["LABELS"]["value"] = ["heel"]
    parameters["ANALOG"]["LABELS"]["value"] = [
        f"IM EMG{k}.{name} {axis}" for k in range(_SENSORS) for name in quantities for axis in "XYZ"
    ]
    parameters["ANALOG"]["UNITS"]["value"] = _SENSORS * [
        unit for unit in quantities.values() for _ in range(3)
    ]
    content["data"]["points"] = np.zeros((4, 1, len(signals)))
    content["data"]["analogs"] = signals.T[None]
    content.write(str(path))


def _no_text(name: str, suffix: str, binary: Callable[[Path, int], None]) -> Callable[[], Layout]:
    return lambda: Layout(name, suffix, _SENSORS, "", lambda _: "", binary=binary)


LAYOUTS = (
    _xsens_mt,
    _movella_dot,
    _mvnx,
    _opensense,
    _csv,
    _apdm,
    _ngimu,
    _x_imu3,
    _blue_trident,
    _shimmer,
    _noraxon,
    _delsys,
    _no_text("apdm", ".h5", write_hdf5),
    _no_text("npz", ".npz", write_npz),
    _no_text("parquet", ".parquet", write_parquet),
    _no_text("c3d", ".c3d", write_c3d),
)


def write(layout: Layout, folder: Path, samples: int) -> Path:
    """Write a recording of so many samples, rounded up to whole blocks."""
    path = folder / f"walk{layout.suffix}"
    if layout.binary is not None:
        layout.binary(path, samples)
        return path
    with path.open("w") as file:
        file.write(layout.head)
        for first in range(0, samples, _BLOCK):
            file.write(layout.rows(first))
        file.write(layout.tail)
    return path


def _timed(read: Callable[[], object]) -> float:
    """Return the seconds that the process computed, which others on a busy machine do not change."""
    start = time.process_time()
    read()
    return time.process_time() - start


def peers(path: Path, layout: Layout) -> Iterator[tuple[str, float]]:
    """Read the numbers of a table with other libraries, and give the seconds of each."""
    if layout.tail or layout.binary is not None:
        return
    import pandas as pd

    mark = "," if path.suffix == ".csv" else "\t"
    body = path.read_bytes()[len(layout.head) :]
    if layout.name == "opensense":
        body = body.replace(b",", b"\t")
    yield "pandas", _timed(lambda: pd.read_csv(io.BytesIO(body), sep=mark, header=None))
    filled = body.replace(b"\t\t", b"\tnan\t")
    yield "numpy", _timed(lambda: np.loadtxt(io.BytesIO(filled), delimiter=mark))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument(
        "--sensors", type=int, default=8, help="files of one sensor each that a recording has"
    )
    options = parser.parse_args()
    samples = int(60 * options.minutes * RATE_HZ)
    print(processor())
    print("format        MB a file    s a file    times real time, all sensors    peers, s a file")
    for make in LAYOUTS:
        layout = make()
        with tempfile.TemporaryDirectory(prefix="readers_") as folder:
            path = write(layout, Path(folder), samples)
            form = recognise(path)
            assert form.name == layout.name and form.streams is not None
            choice = RecordingChoice(form.name, path)
            seconds = min(_timed(lambda: form.streams(choice)) for _ in range(2))  # noqa: B023
            files = options.sensors if layout.sensors == 1 else 1
            recorded = -(-samples // _BLOCK) * _BLOCK / RATE_HZ
            others = ", ".join(f"{name} {spent:.2f}" for name, spent in peers(path, layout))
            size = path.stat().st_size / 1e6
            faster = recorded / seconds / files
            print(f"{layout.name:12s} {size:10.1f} {seconds:11.2f} {faster:31.0f}    {others}")


if __name__ == "__main__":
    main()
