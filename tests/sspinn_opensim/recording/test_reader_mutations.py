"""Damaged recordings are read or refused; `benchmarks/reader_mutations.py` does the same for thousands."""

from random import Random

import numpy as np
import pytest

from benchmarks import reader_mutations
from benchmarks.reader_mutations import MUTATIONS, run
from sspinn_opensim.recording import recognise

COUNT = 50
TABLE = [f"foot_{kind}_{axis}" for kind in ("acc", "gyro") for axis in "xyz"]
LABELS = ",".join(f"Foot/{name}/{axis}" for name in ("Acceleration", "Angular Velocity") for axis in "XYZ")
UNITS = "m/s^2,m/s^2,m/s^2,rad/s,rad/s,rad/s"
LINES = "Format=7,5718,,,Foot,,\nTime,Accelerometer,,,Gyroscope,,\n,X,Y,Z,X,Y,Z\n"
ARM = "DataType=double\nversion=3\nendheader\ntime,arm_q1,arm_q2,arm_q3,arm_q4,arm_ax,arm_ay,arm_az,"
ARM += "arm_gx,arm_gy,arm_gz\n"
XIO = ",".join(
    f"{name} {axis} ({unit})"
    for name, unit in (("Gyroscope", "deg/s"), ("Accelerometer", "g"))
    for axis in "XYZ"
)


def rows(*columns, mark="\t"):
    return "".join(mark.join(row) + "\n" for row in zip(*columns, strict=True))


def numbers(count, n=30):
    values = np.random.default_rng(0).normal(size=(count, n)) + 5
    return [[f"{x:.6f}" for x in column] for column in values]


def texts():
    """Return a small recording in each layout, by the name of its file."""
    count = [str(k) for k in range(30)]
    signals = numbers(6)
    names = "Acc_X Acc_Y Acc_Z Gyr_X Gyr_Y Gyr_Z".split()
    mt = "// DeviceId: 00B40001\n// Update Rate: 100.0Hz\n" + "\t".join(["PacketCounter", *names]) + "\n"
    dot = "sep=,\nDeviceTag:,foot\nOutputRate:,60Hz\n\n" + ",".join(
        ["PacketCounter", "SampleTimeFine", *names]
    )
    clock = [str(16667 * k) for k in range(30)]
    unit = ["1.000000,0.000000,0.000000,0.000000"] * 30
    seconds, micro = [f"{k / 100:.2f}" for k in range(30)], [str(10_000 * k) for k in range(30)]
    sto = "DataRate=100\nDataType=Quaternion\nversion=3\nendheader\ntime\tpelvis_imu\tfoot_imu\n"
    frames = "".join(
        f'<frame time="{10 * k}" index="{k}" type="normal">\n'
        f"<sensorAcceleration>{' '.join(row[:3])}</sensorAcceleration>\n"
        f"<sensorAngularVelocity>{' '.join(row[3:])}</sensorAngularVelocity>\n</frame>\n"
        for k, row in enumerate(zip(*signals, strict=True))
    )
    suit = '<mvnx>\n<subject frameRate="100">\n<sensors>\n<sensor label="Pelvis"/>\n</sensors>\n<frames>\n'
    return {
        "walk_00B40001.txt": mt + rows(count, *signals),
        "foot.csv": dot + "\n" + rows(count, clock, *signals, mark=","),
        "walk.sto": sto + rows([f"{k / 100}" for k in range(30)], unit, unit),
        "table.csv": f"time,{','.join(TABLE)}\n" + rows(seconds, *signals, mark=","),
        "labels.csv": f"Sample Rate:,100,Hz\nTime,{LABELS}\ns,{UNITS}\n" + rows(seconds, *signals, mark=","),
        "lines.csv": LINES + rows(micro, *signals, mark=","),
        "arm.csv": ARM + rows(seconds, *4 * [["0.5"] * 30], *signals, mark=","),
        "short_walk.csv": f"Time (s),{XIO}\n" + rows(seconds, *signals, mark=","),
        "walk.mvnx": suit + frames + "</frames>\n</subject>\n</mvnx>\n",
    }


def write_npz(path, signals):
    time_s = np.arange(len(signals)) / 100
    np.savez(path, time_s=time_s, foot_acc=signals[:, :3], foot_gyro=signals[:, 3:])


def write_h5(path, signals):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file["Sensors/1234/Time"] = 1_550_879_504_438_281 + 10_000 * np.arange(len(signals))
        file["Sensors/1234/Accelerometer"] = signals[:, :3]
        file["Sensors/1234/Gyroscope"] = signals[:, 3:]


def write_parquet(path, signals):
    pa = pytest.importorskip("pyarrow", reason="the extra 'parquet' is not installed")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = dict(zip(TABLE, signals.T, strict=True))
    parquet.write_table(pa.table({"time": np.arange(len(signals)) / 100, **columns}), path)


def write_c3d(path, signals):
    ezc3d = pytest.importorskip("ezc3d", reason="ezc3d is not installed")
    content = ezc3d.c3d()
    parameters = content["parameters"]
    parameters["POINT"]["RATE"]["value"] = parameters["ANALOG"]["RATE"]["value"] = [100]
    parameters["POINT"]["LABELS"]["value"] = ["heel"]
    parameters["ANALOG"]["LABELS"]["value"] = TABLE
    parameters["ANALOG"]["UNITS"]["value"] = UNITS.split(",")
    content["data"]["points"] = np.zeros((4, 1, len(signals)))
    content["data"]["analogs"] = signals.T[None]
    content.write(str(path))


@pytest.mark.parametrize("write", [write_npz, write_h5, write_parquet, write_c3d])
def test_damaged_files_that_are_no_text_are_read_or_refused(tmp_path, write):
    path = tmp_path / f"walk.{write.__name__.removeprefix('write_')}"
    write(path, np.random.default_rng(0).normal(size=(200, 6)))
    counts, faults = run([path], COUNT, seed=0)
    assert not faults, "\n".join(faults)
    form = recognise(path).name
    assert counts.total() == COUNT and counts[f"{form} refused"] > 5


@pytest.mark.parametrize("name", texts())
def test_damaged_recordings_are_read_or_refused(tmp_path, name):
    (tmp_path / name).write_text(texts()[name])
    counts, faults = run([tmp_path / name], COUNT, seed=0)
    assert not faults, "\n".join(faults)
    form = recognise(tmp_path / name).name
    assert counts.total() == COUNT
    assert counts[f"{form} refused"] > 5 and counts[f"{form} read the same"] > 5


@pytest.mark.parametrize("kind", MUTATIONS)
def test_every_mutation_changes_a_file(kind):
    data = texts()["walk_00B40001.txt"].encode()
    assert any(MUTATIONS[kind](data, Random(f"{kind} {i}")) != data for i in range(8))


def test_other_numbers_after_a_change_of_nothing_are_a_fault(tmp_path, monkeypatch):
    path = tmp_path / "walk_00B40001.txt"
    path.write_text(texts()[path.name])
    for label, what in (("blank lines", "nothing was changed"), ("lost cell", "wrong columns")):
        monkeypatch.setattr(
            reader_mutations, "mutate", lambda data, _, k=label: ([k], data.replace(b"4.", b"3."))
        )
        counts, faults = run([path], 1, seed=0)
        assert counts == {"xsens_mt fault": 1} and what in faults[0]


def test_a_traceback_is_a_fault(tmp_path, monkeypatch):
    path = tmp_path / "walk_00B40001.txt"
    path.write_text(texts()[path.name])
    monkeypatch.setattr(reader_mutations, "outcome", lambda *_: 1 / 0)
    assert "ZeroDivisionError" in run([path], 1, seed=0)[1][0]
