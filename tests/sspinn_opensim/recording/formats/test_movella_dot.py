import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import RecordingChoice
from sspinn_opensim.recording.formats.folders import head_of
from sspinn_opensim.recording.formats.movella_dot import (
    MovellaDotOptions,
    is_movella_dot,
    read_movella_dot,
)
from sspinn_opensim.recording.formats.xsens_columns import GRAVITY

ACC, GYR = ("Acc_X", "Acc_Y", "Acc_Z"), ("Gyr_X", "Gyr_Y", "Gyr_Z")
QUAT, FREE = ("Quat_W", "Quat_X", "Quat_Y", "Quat_Z"), ("FreeAcc_X", "FreeAcc_Y", "FreeAcc_Z")
EULER = ("Euler_X", "Euler_Y", "Euler_Z")
#: Preambles of the app in 2021, of the data exporter in 2021, of an app of 2023, and none.
APP = "sep=,\nDeviceTag:,{tag}\nOutputRate:,60Hz\nStartTime: ,2021-08-20_20:21:13_829 GMT+8\n\u00a9 Xsens\n\n"
EXPORTER = "sep=,\nDeviceTag:,{tag}\nFirmwareVersion:,1.6.0\nStartTime: ,2021-08-30\n\u00a9 Xsens\n\n"
LATER = (
    "sep=,\nDeviceTag:,{tag},,,,,,\nOutputRate:,60Hz,,,,,,\nMovella Technologies B. V. 2005-2023,,,,,,,\n\n"
)
N, RATE_HZ = 60, 60


@pytest.fixture
def write(tmp_path):
    def _write(columns, name="thigh_D4CA6EF17860_20210830_170505", preamble=APP, tag="thigh"):
        time = (2**32 - 70_000 + np.round(1e6 / RATE_HZ * np.arange(N))) % 2**32
        table = {"PacketCounter": np.arange(N), "SampleTimeFine": time} | columns
        rows = "\n".join(
            ",".join(f"{x:.9f}".rstrip("0").rstrip(".") for x in row)
            for row in np.stack(list(table.values()), axis=1)
        )
        path = tmp_path / f"{name}.csv"
        path.write_text(preamble.format(tag=tag) + ",".join(table) + "\n" + rows + "\n", encoding="utf-8")
        return path

    return _write


def motion():
    chance = np.random.default_rng(0)
    rate = chance.normal(size=(N, 3))
    turns = Rotation.from_rotvec(np.cumsum(rate, axis=0) / RATE_HZ)
    return turns.inv().apply(chance.normal(size=(N, 3)) + np.array([0, 0, GRAVITY])), rate, turns


def signals():
    force, rate, _ = motion()
    return dict(zip(ACC, force.T, strict=True)) | dict(zip(GYR, np.degrees(rate).T, strict=True))


def read(path, **options):
    return read_movella_dot(RecordingChoice("movella_dot", path, options=MovellaDotOptions(**options)))


@pytest.mark.parametrize("preamble", [APP, EXPORTER, LATER, "sep=,\n", ""])
def test_signals_are_read_with_any_preamble(write, preamble):
    path = write(signals(), preamble=preamble)
    assert is_movella_dot(path, head_of(path))
    (stream,) = read(path)
    force, rate, _ = motion()
    np.testing.assert_allclose(stream.acceleration, force, atol=1e-8)  # nine decimals
    np.testing.assert_allclose(stream.angular_rate, rate, atol=1e-8)
    assert stream.name == "thigh" and stream.segment == ""
    assert stream.rate_hz == (60.0 if "OutputRate" in preamble else None)
    # The clock counts whole microseconds, and wraps after four samples.
    np.testing.assert_allclose(stream.time_s, np.arange(N) / RATE_HZ, atol=1e-6)


def test_the_zeros_of_the_first_sample_are_left_out(write):
    columns = {name: np.concatenate([[0.0], values[1:]]) for name, values in signals().items()}
    (stream,) = read(write(columns))
    assert len(stream) == N - 1 and stream.counter[0] == 1 and next(iter(stream.lines)) == 9
    assert "zeros" in stream.notes[0]


def test_clocks_of_synchronized_sensors_keep_their_origin(write, tmp_path):
    """The second sensor began three samples later: it is not put at the start of the first."""
    write(signals(), name="thigh_D4CA6EF17860_20210830_170505", tag="thigh")
    late = write(signals(), name="shank_D4CA6EF17861_20210830_170505", tag="shank")
    lines = late.read_text(encoding="utf-8").splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith("PacketCounter")) + 1
    late.write_text("\n".join(lines[:first] + lines[first + 3 :]) + "\n", encoding="utf-8")
    streams = {stream.name: stream for stream in read(tmp_path)}
    assert streams["thigh"].time_s[0] == 0.0
    assert streams["shank"].time_s[0] == pytest.approx(3 / RATE_HZ, abs=1e-6)


@pytest.mark.parametrize("form", ["quaternion", "angles"])
def test_orientation_is_read(write, form):
    turns = motion()[2]
    quat, euler = turns.as_quat(scalar_first=True), turns.as_euler("ZYX", degrees=True)[:, ::-1]
    rotation = zip(QUAT, quat.T, strict=True) if form == "quaternion" else zip(EULER, euler.T, strict=True)
    (stream,) = read(write(signals() | dict(rotation)))
    found = Rotation.from_quat(stream.orientation, scalar_first=True)
    assert (found * turns.inv()).magnitude().max() < 1e-7


def test_a_mode_without_gyroscope_has_its_reason(write):
    turns = motion()[2].as_quat(scalar_first=True)
    (stream,) = read(write(dict(zip(QUAT, turns.T, strict=True)) | {name: np.zeros(N) for name in FREE}))
    assert stream.acceleration is None and stream.angular_rate is None and stream.orientation is not None
    assert "removed gravity" in stream.lacks[0]


def test_increments_and_free_acceleration_become_the_signals(write):
    force, rate, turns = motion()
    turned = Rotation.from_rotvec(rate / RATE_HZ).as_quat(scalar_first=True)
    fidelity = dict(zip(("dq_W", "dq_X", "dq_Y", "dq_Z"), turned.T, strict=True))
    fidelity |= dict(zip(("dv[1]", "dv[2]", "dv[3]"), force.T / RATE_HZ, strict=True))
    free = dict(zip(EULER, turns.as_euler("ZYX", degrees=True)[:, ::-1].T, strict=True))
    free |= dict(zip(FREE, (turns.apply(force) - [0, 0, GRAVITY]).T, strict=True))
    free |= dict(zip(GYR, np.degrees(rate).T, strict=True))
    for columns in (fidelity, free):
        (stream,) = read(write(columns))
        np.testing.assert_allclose(stream.acceleration, force, atol=1e-6)
        np.testing.assert_allclose(stream.angular_rate, rate, atol=1e-6)
        assert stream.notes


def test_sensors_of_a_folder_have_names_that_differ(write, tmp_path):
    for leg in "LR":
        write(
            signals(),
            f"{leg}Tibia_D4CA6EF1786{leg.replace('L', '0').replace('R', '1')}_20210830_170505",
            tag="Xsens DOT",
        )
    assert [s.name for s in read(tmp_path)] == ["D4CA6EF17860", "D4CA6EF17861"]
    for file in tmp_path.glob("*.csv"):
        file.unlink()
    for leg in "LR":
        write(signals(), f"{leg}Tibia_20210830_170505", tag="Xsens DOT")
    assert [s.name for s in read(tmp_path)] == ["LTibia", "RTibia"]
    for leg in "LR":
        write(signals(), f"{leg}Tibia_20210830_170505", tag=f"tag {leg}")
    assert [(s.name, s.segment) for s in read(tmp_path)] == [("tag L", "LTibia"), ("tag R", "RTibia")]


def test_the_file_of_the_server_holds_all_sensors(tmp_path):
    force, rate, _ = motion()
    head = "sep=,\nMeasurement Mode:,Rate quantities (with mag)\nStartTime:,Fri\n\u00a9 Xsens\n\n"
    names = "Timestamp,Address,Acc_x,Acc_y,Acc_z,Gyr_x,Gyr_y,Gyr_z\n"
    addresses = ("d4:ca:6e:f1:82:8c", "d4:ca:6e:f1:85:58")
    rows = [
        f"{339398117167.25 + 16670.33 * k:.4f},{address},"
        + ",".join(f"{x:.9f}" for x in (*(force[k] + d), *np.degrees(rate[k])))
        for k in range(N)
        for d, address in enumerate(addresses)
    ]
    path = tmp_path / "2020-06-12-06-22-28.csv"
    path.write_text(head + names + "\n".join(rows), encoding="utf-8")
    assert is_movella_dot(path, head_of(path))
    streams = read(path)
    assert [(s.name, s.segment, s.rate_hz) for s in streams] == [(name, "", None) for name in addresses]
    for d, stream in enumerate(streams):
        np.testing.assert_allclose(stream.acceleration, force + d, atol=1e-8)
        np.testing.assert_allclose(stream.angular_rate, rate, atol=1e-8)
        np.testing.assert_allclose(stream.time_s, 0.01667033 * np.arange(N), atol=1e-9)
        assert list(stream.lines)[:2] == [7 + d, 9 + d]


def test_of_several_trials_one_is_chosen(write, tmp_path):
    for start in ("170505", "180000"):
        write(signals(), f"thigh_20210830_{start}")
    with pytest.raises(InputError, match="2 files of the folder are of sensor 'thigh'"):
        read(tmp_path)
    assert [s.file.stem for s in read(tmp_path, trial="_180000")] == ["thigh_20210830_180000"]
    with pytest.raises(InputError, match="(?s)'nine'.*20210830_170505, 20210830_180000"):
        read(tmp_path, trial="nine")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "// a\nPacketCounter,Quat_W,Quat_X,Quat_Y\n",
        "PacketCounter,SampleTimeFine,Acc_X,Acc_Y,Acc_Z\n0,10,1,2,3\n1,110,1,2,3\n",
        "time,a,b\n",
    ],
)
def test_other_files_are_not_taken_for_it(tmp_path, text):
    assert not is_movella_dot(tmp_path / "a.csv", text.encode())
