import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import RecordingChoice
from sspinn_opensim.recording.formats.folders import head_of
from sspinn_opensim.recording.formats.opensense import is_opensense, read_opensense

HEADER = "DataRate=100.000000\nDataType=Quaternion\nversion=3\nOpenSimVersion=4.1\nendheader\n"
TURNS = Rotation.random(8, random_state=0).as_quat(scalar_first=True).reshape(4, 2, 4)


def table(turns=TURNS, labels="time\tpelvis_imu\tfoot_imu"):
    rows = [
        "\t".join([f"{180 + 0.01 * k:g}", *(",".join(map(repr, q)) for q in row.tolist())])
        for k, row in enumerate(turns)
    ]
    return "\n".join([labels, *rows]) + "\n"


@pytest.fixture
def write(tmp_path):
    def _write(text):
        path = tmp_path / "walk.sto"
        path.write_text(text)
        return path

    return _write


def read(path):
    return read_opensense(RecordingChoice("opensense", path))


@pytest.mark.parametrize("header", [HEADER, "\n" + HEADER, HEADER.replace("\n", "\r\n"), HEADER + "\n"])
def test_orientations_are_read(write, header):
    path = write(header + table())
    assert is_opensense(path, head_of(path))
    streams = read(path)
    assert [(s.name, s.segment, s.rate_hz) for s in streams] == [
        ("pelvis_imu", "pelvis_imu", 100.0),
        ("foot_imu", "foot_imu", 100.0),
    ]
    for k, stream in enumerate(streams):
        np.testing.assert_allclose(stream.orientation, TURNS[:, k], rtol=1e-15)
        np.testing.assert_allclose(stream.time_s, 180 + np.arange(4) / 100)
        assert stream.acceleration is None and stream.angular_rate is None and stream.lacks


def test_a_rate_may_be_absent_and_a_row_alone(write):
    (stream, _) = read(write(HEADER.partition("\n")[2] + table(TURNS[:1])))
    assert stream.rate_hz is None and len(stream) == 1


def test_numbers_that_are_no_rotations_are_left_out(write):
    (stream, _) = read(write(HEADER + table(2 * TURNS)))
    assert stream.orientation is None and "no rotations" in stream.notes[0]


@pytest.mark.parametrize(
    ("change", "what", "line"),
    [
        (("endheader\n", ""), "no orientations", ""),
        (("DataType=Quaternion", "DataType=double"), "no orientations", ""),
        (("time\t", "t\t"), "line of names", "line 6"),
        (("foot_imu", "pelvis_imu"), "line of names", "line 6"),
        (("180.01\t", "180.01\t\t"), "does not match", "line 8"),
        (("180.01\t", "180.01,"), "does not match", "line 8"),
        (("180.01\t", "x\t"), "not a number", "line 8"),
    ],
)
def test_a_damaged_file_is_refused(write, change, what, line):
    with pytest.raises(InputError) as caught:
        read(write((HEADER + table()).replace(*change)))
    assert what in caught.value.what and "walk.sto" in caught.value.where and line in caught.value.where
