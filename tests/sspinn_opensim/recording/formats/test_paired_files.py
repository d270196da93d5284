from pathlib import Path

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import RecordingChoice, recognise
from sspinn_opensim.recording.formats.channels import ACCELERATION, ANGULAR_RATE
from sspinn_opensim.recording.formats.paired_files import signal_file
from sspinn_opensim.recording.reading.missing import files_not_read
from sspinn_opensim.recording.units import GRAVITY

EPOCH_MS = 1_542_714_335_134


@pytest.mark.parametrize(
    ("stem", "quantity", "sensor"),
    [
        ("LeftThigh_2018-11-20T11.45.35.134_C8B5_Accelerometer_100.000Hz_1.4.5", ACCELERATION, None),
        ("LeftThigh_2018-11-20T11.45.35.134_C8B5_Gyroscope_100.000Hz_1.4.5", ANGULAR_RATE, None),
        ("20220131T073200Z_174630000192_acc_stream", ACCELERATION, "20220131T073200Z_174630000192"),
        ("20220131T073200Z_174630000192_gyro_stream", ANGULAR_RATE, "20220131T073200Z_174630000192"),
        ("TotalAcceleration", ACCELERATION, ""),
        ("hip_acc", ACCELERATION, "hip"),
        ("gyr hip", ANGULAR_RATE, "hip"),
        ("Angular velocity", ANGULAR_RATE, ""),
    ],
)
def test_names_of_files_tell_their_signal(stem, quantity, sensor):
    found = signal_file(Path(f"{stem}.csv"))
    sensor = "LeftThigh_2018-11-20T11.45.35.134_C8B5" if sensor is None else sensor
    assert (found.quantity, found.sensor) == (quantity, sensor)


@pytest.mark.parametrize(
    "stem",
    [
        "Linear Accelerometer",
        "Linear Acceleration_100Hz",
        "user_acceleration",
        "Gravity",
        "GyroscopeUncalibrated",
        "magnetometer",
        "hip_acc_gyro",
        "accurate",
        "pelvis",
    ],
)
def test_names_of_other_files_tell_none(stem):
    assert signal_file(Path(f"{stem}.csv")) is None


def write(path, names, times, signal, spell="{:.6f}".format):
    rows = [",".join([time, *map(spell, row)]) for time, row in zip(times, signal, strict=True)]
    path.write_text("\n".join([",".join(names), *rows]) + "\n")


def acceleration(time_s, k=0):
    return np.stack([np.sin(3 * time_s + k), 1 + 0.1 * np.cos(5 * time_s), 0.2 * np.sin(time_s)], axis=1)


def rate(time_s, k=0):
    return np.stack([10 * np.cos(2 * time_s), 30 * np.sin(4 * time_s + k), 5 * np.cos(time_s)], axis=1)


@pytest.fixture
def metabase(tmp_path):
    """MetaBase's layout: the gyroscope starts 23.4 ms later, and each file counts seconds of its own."""

    def make(names=("LeftThigh", "RightThigh"), later_s=0.0234, rates_hz=(100.0, 100.0)):
        for k, name in enumerate(names):
            for start_s, rate_hz, kind, unit, signal in (
                (0.0, rates_hz[0], "Accelerometer", "g", acceleration),
                (later_s, rates_hz[1], "Gyroscope", "deg/s", rate),
            ):
                elapsed_s = np.arange(int(3 * rate_hz)) / rate_hz
                at_ms = EPOCH_MS + 1000 * (elapsed_s + start_s)
                times = [
                    f"{ms:.3f},2018-11-20T12.45.35.134,{s:.3f}"
                    for ms, s in zip(at_ms, elapsed_s, strict=True)
                ]
                columns = ["epoc (ms)", "timestamp (+0100)", "elapsed (s)"]
                columns += [f"{axis}-axis ({unit})" for axis in "xyz"]
                file = f"{name}_2018-11-20T11.45.35.1{k}4_C8B5{k}_{kind}_{rate_hz:.3f}Hz_1.4.5.csv"
                write(tmp_path / file, columns, times, signal(elapsed_s + start_s, k))
        return tmp_path

    return make


def read(path, **changes):
    form = recognise(path)
    return form.streams(RecordingChoice(form.name, path, "walk", **changes))


def since_start(stream):
    return stream.time_s - stream.time_s[0]


def test_both_files_of_each_sensor_are_one_sensor(metabase):
    streams = read(metabase())
    assert [stream.name for stream in streams] == ["LeftThigh_C8B50", "RightThigh_C8B51"]
    for k, stream in enumerate(streams):
        time_s = since_start(stream) + 0.03  # the first sample that both have
        assert len(stream) == 297
        np.testing.assert_allclose(stream.acceleration, GRAVITY * acceleration(time_s, k), atol=1e-5)
        # Cubic splines of 4 rad/s at 100 Hz are within 0.04^4 / 100 of the amplitude; times are in us.
        np.testing.assert_allclose(stream.angular_rate, np.deg2rad(rate(time_s, k)), atol=1e-4)
        assert any("have files of their own" in note for note in stream.notes)
    assert files_not_read(streams, RecordingChoice("csv", streams[0].file.parent, "walk")) == []


def test_the_faster_signal_keeps_its_samples(metabase):
    stream, _ = read(metabase(rates_hz=(50.0, 200.0)))
    time_s = since_start(stream) + 0.0234
    assert time_s[-1] == pytest.approx(2.9784) and len(stream) == 592
    np.testing.assert_allclose(stream.angular_rate, np.deg2rad(rate(time_s)), atol=1e-5)
    np.testing.assert_allclose(stream.acceleration, GRAVITY * acceleration(time_s), atol=1e-3)


def test_a_gap_of_one_file_stays_a_gap(metabase):
    path = metabase(later_s=0.0034)
    file = next(path.glob("Left*Gyroscope*"))
    lines = file.read_text().splitlines()
    file.write_text("\n".join(lines[:101] + lines[131:]) + "\n")
    stream, whole = read(path)
    assert np.flatnonzero(np.isnan(stream.angular_rate).any(axis=1)).tolist() == list(range(99, 130))
    assert np.isfinite(whole.angular_rate).all() and np.isfinite(stream.acceleration).all()


def test_times_without_a_common_origin_are_refused(metabase):
    with pytest.raises(InputError, match="no clock in common") as caught:
        read(metabase(later_s=100.0))
    assert "100" in caught.value.found and "acc_x ... gyro_z" in caught.value.fix


def test_a_file_of_another_signal_than_its_name_is_refused(tmp_path):
    for name in ("hip_acc", "hip_gyro"):
        (tmp_path / f"{name}.csv").write_text("time,acc_x,gyro_x\n0,9.5,1\n0.01,8.5,2\n")
    with pytest.raises(InputError, match="another signal than its columns"):
        read(tmp_path)


def test_equal_times_need_no_interpolation(tmp_path):
    force, turn = "time,acc_x\n0,9.5\n0.01,8.5\n", "time,gyro_x\n0,0.5\n0.01,0.75\n"
    for name in ("hip", "foot"):
        (tmp_path / f"{name}_acc.csv").write_text(force)
        (tmp_path / f"{name}_gyro.csv").write_text(turn)
    streams = read(tmp_path)
    assert [stream.name for stream in streams] == ["foot", "hip"]
    assert [stream.angular_rate[1, 0] for stream in streams] == [0.75, 0.75]


def test_rows_without_times_follow_the_stated_rate(tmp_path):
    (tmp_path / "hip_acc.csv").write_text("acc_x\n9.5\n8.5\n")
    (tmp_path / "hip_gyro.csv").write_text("gyro_x\n0.5\n0.75\n")
    (stream,) = read(tmp_path, recorded_rate_hz=100.0)
    assert stream.name == "hip" and stream.angular_rate[1, 0] == 0.75
    (tmp_path / "hip_gyro.csv").write_text("gyro_x\n0.5\n0.75\n0.5\n")
    with pytest.raises(InputError, match="no clock in common"):
        read(tmp_path, recorded_rate_hz=100.0)


def test_two_tables_of_all_sensors_are_one_recording(tmp_path):
    (tmp_path / "acc.csv").write_text("time,hip_acc_x,foot_acc_x\n0,9.5,1\n0.01,8.5,2\n")
    (tmp_path / "gyro.csv").write_text("time,hip_gyro_x,foot_gyro_x\n0,0.5,3\n0.01,0.75,4\n")
    streams = read(tmp_path)
    assert [(s.name, s.acceleration[1, 0], s.angular_rate[1, 0]) for s in streams] == [
        ("hip", 8.5, 0.75),
        ("foot", 2.0, 4.0),
    ]


def test_a_phone_is_a_sensor_called_as_its_folder(tmp_path):
    """Loggers of phones count ns since 1970, write z first, and acceleration without gravity as well."""
    folder = tmp_path / "pelvis"
    folder.mkdir()
    elapsed_s = np.arange(200) / 100
    start_ns = 1_700_000_000_000_000_000
    for name, later_ns, signal in (
        ("Accelerometer", 0, 0 * acceleration(elapsed_s)),
        ("TotalAcceleration", 0, 9.81 * acceleration(elapsed_s)),
        ("Gyroscope", 1_000_000, np.deg2rad(rate(elapsed_s + 1e-3))),
        ("Gravity", 0, 0 * acceleration(elapsed_s)),
    ):
        times = [f"{start_ns + later_ns + 10_000_000 * i},{0.01 * i:.2f}" for i in range(200)]
        columns = ["time", "seconds_elapsed", "z", "y", "x"]
        write(folder / f"{name}.csv", columns, times, signal[:, ::-1])
    (stream,) = read(folder)
    assert stream.name == "pelvis" and len(stream) == 199
    np.testing.assert_allclose(stream.acceleration, 9.81 * acceleration(elapsed_s[1:]), atol=1e-5)
    np.testing.assert_allclose(stream.angular_rate, np.deg2rad(rate(elapsed_s[1:])), atol=1e-5)
    assert any("'Accelerometer.csv' is left out" in note for note in stream.notes)
    assert any("ns from 1970" in note for note in stream.notes)
