"""Recordings of x-io's devices: NGIMU and x-IMU3."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import RecordingChoice, recognised
from sspinn_opensim.recording.clocks.common import on_one_clock
from sspinn_opensim.recording.formats.ngimu import read_ngimu
from sspinn_opensim.recording.formats.x_imu3 import read_x_imu3
from sspinn_opensim.recording.formats.xio_tables import at_times

QUANTITIES = {"Gyroscope": "deg/s", "Accelerometer": "g"}
NAMES = ",".join(f"{name} {axis} ({unit})" for name, unit in QUANTITIES.items() for axis in "XYZ")
NAMES_UT = ",".join(f"Magnetometer {axis} (uT)" for axis in "XYZ")
N = 40
#: A sensor that lies turned about its y axis, and reads gravity accordingly.
TURN = Rotation.from_euler("y", 30, degrees=True)
FORCE_G = TURN.inv().apply([0.0, 0.0, 1.0])


def table(head, rows):
    return "\n".join([head, *(",".join(f"{x:.9g}" for x in row) for row in rows)]) + "\n"


def sensors(clock, extra=()):
    return [[t, 1.0, 2.0, 3.0 + k, *FORCE_G, *extra] for k, t in enumerate(clock)]


def quaternions(clock, turn):
    x, y, z, w = turn.as_quat()
    return [[t, w, x, y, z] for t in clock]


@pytest.fixture
def session(tmp_path):
    """Return a session of two NGIMU."""
    clock = 0.02 * np.arange(N)
    for name in ("Blue - 0029D0B4", "Red - 0029B94A"):
        folder = tmp_path / "My Session" / name
        folder.mkdir(parents=True)
        names = (
            f"Time (s),{NAMES},Magnetometer X (uT),Magnetometer Y (uT),Magnetometer Z (uT),Barometer (hPa)"
        )
        (folder / "sensors.csv").write_text(table(names, sensors(clock, (1, 2, 3, 1013))))
        (folder / "quaternion.csv").write_text(table("Time (s),W,X,Y,Z", quaternions(clock, TURN.inv())))
        (folder / "battery.csv").write_text("Time (s),Percentage (%)\n0,90\n")
    (tmp_path / "My Session" / "Session.xml").write_text("<Session/>")
    return tmp_path / "My Session"


@pytest.fixture
def logged(tmp_path):
    """Return what one x-IMU3 logged, some rows twice."""
    folder = tmp_path / "Logged Data" / "x-IMU3 673B204B (UDP)"
    folder.mkdir(parents=True)
    clock = 34_290_905 + 2500 * np.arange(N)
    rows = sensors(clock)
    rows = [*rows[:7], *rows[6:]]
    (folder / "Inertial.csv").write_text(table(f"Timestamp (us),{NAMES}", rows))
    (folder / "Quaternion.csv").write_text(table("Timestamp (us),W,X,Y,Z", quaternions(clock[3:-3:4], TURN)))
    (folder / "LinearAcceleration.csv").write_text(table("Timestamp (us),X (g),Y (g),Z (g)", [[1, 0, 0, 0]]))
    return folder.parent


def up(stream):
    """Return the specific force turned by the orientation of a stream."""
    known = ~np.isnan(stream.orientation[:, 0])
    turn = Rotation.from_quat(stream.orientation[known], scalar_first=True)
    return turn.apply(stream.acceleration[known])


def test_a_session_of_ngimu_is_read(session):
    found = recognised(session)
    assert found.format.name == "ngimu" and [file.name for file in found.files] == 2 * ["sensors.csv"]
    streams = read_ngimu(RecordingChoice("ngimu", session))
    assert [stream.name for stream in streams] == ["Blue - 0029D0B4", "Red - 0029B94A"]
    np.testing.assert_allclose(streams[1].angular_rate[5], np.radians([1, 2, 8]), rtol=1e-9)
    np.testing.assert_allclose(streams[0].acceleration[0], 9.80665 * FORCE_G, rtol=1e-8)
    np.testing.assert_allclose(up(streams[0]), np.tile([0, 0, 9.80665], (N, 1)), atol=1e-6)
    device = session / "Red - 0029B94A"
    assert recognised(device).format.name == "ngimu"
    assert [s.name for s in read_ngimu(RecordingChoice("ngimu", device))] == ["Red - 0029B94A"]


def test_a_table_of_several_ngimu_is_read(tmp_path):
    x, y, z, w = TURN.inv().as_quat().tolist()
    names = [f"arm_{n}" for n in ("q1", "q2", "q3", "q4", "ax", "ay", "az", "gx", "gy", "gz", "linAcc_x")]
    rows = [[1_613_732_333.4 + k / 40, w, x, y, z, *FORCE_G.tolist(), 1, 2, 3, 0] for k in range(N)]
    lines = [",".join(map(repr, row)) for row in rows]
    path = tmp_path / "arm.csv"
    head = "DataType=double\nversion=3\nendheader\n" + ",".join(["time", *names])
    path.write_text("\n".join([head, *lines]))
    assert recognised(path).format.name == "ngimu"
    (arm,) = read_ngimu(RecordingChoice("ngimu", path))
    np.testing.assert_allclose(up(arm), np.tile([0, 0, 9.80665], (N, 1)), atol=1e-9)
    np.testing.assert_allclose(arm.angular_rate[0], np.radians([1, 2, 3]))
    assert arm.name == "arm"
    folder = RecordingChoice("ngimu", tmp_path)
    (of_folder,) = read_ngimu(folder)
    np.testing.assert_array_equal(of_folder.acceleration, arm.acceleration)
    (tmp_path / "leg.csv").write_text(path.read_text())
    with pytest.raises(InputError, match="(?s)several recordings.*arm.csv, leg.csv"):
        read_ngimu(folder)


def test_what_an_x_imu3_logged_is_read(logged):
    found = recognised(logged)
    assert found.format.name == "x_imu3" and [file.name for file in found.files] == ["Inertial.csv"]
    (stream,) = read_x_imu3(RecordingChoice("x_imu3", logged))
    assert stream.name == "x-IMU3 673B204B (UDP)" and len(stream) == N + 1
    known = ~np.isnan(stream.orientation[:, 0])
    assert known.sum() >= N - 8 and not known[0]
    turned = up(stream)
    np.testing.assert_allclose(turned, np.tile([0, 0, 9.80665], (len(turned), 1)), atol=1e-6)
    common = on_one_clock([stream], RecordingChoice("x_imu3", logged))
    assert len(common.time_s) == N and 1 / np.diff(common.time_s).mean() == pytest.approx(400.0)


def test_orientations_are_found_between_their_times():
    angles = np.linspace(0.0, 400.0, 21)
    turns = Rotation.from_euler("z", angles[:, None], degrees=True).as_quat(scalar_first=True)
    turns[7:] *= -1.0  # the same rotations
    at = np.array([-1.0, 0.25, 7.5, 19.5, 21.0])
    found = at_times(np.arange(21.0), turns, at)
    assert np.isnan(found[[0, -1]]).all()
    exact = Rotation.from_euler("z", 20 * at[1:4, None], degrees=True)
    error = (Rotation.from_quat(found[1:4], scalar_first=True) * exact.inv()).magnitude()
    assert np.degrees(error).max() < 0.1  # as it says, for neighbours 20 degrees apart


@pytest.mark.parametrize("read", [read_ngimu, read_x_imu3])
def test_a_folder_without_recordings_is_refused(tmp_path, read):
    with pytest.raises(InputError, match="holds no"):
        read(RecordingChoice("any", tmp_path))
