import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import RecordingChoice
from sspinn_opensim.recording.formats.folders import head_of
from sspinn_opensim.recording.formats.mvnx import MvnxOptions, is_mvnx, read_mvnx
from sspinn_opensim.recording.formats.xsens_columns import GRAVITY

FILE = """<?xml version="1.0" encoding="UTF-8"?>
{top}<mvnx xmlns="http://www.xsens.com/mvn/mvnx" version="4"><mvn version="2022"/>
<subject label="S" frameRate="{rate}" segmentCount="2"><segments><segment label="Pelvis" id="1"/></segments>
<sensors>{sensors}</sensors>
<frames segmentCount="1" sensorCount="2">
<frame time="0" index="" type="identity"><orientation>1 0 0 0</orientation></frame>
<frame time="0" index="" type="tpose"><sensorOrientation>1 0 0 0 1 0 0 0</sensorOrientation></frame>
{frames}</frames></subject>{more}</mvnx>
"""
SENSORS = ("Pelvis", "RightFoot")
N, RATE_HZ = 40, 100


def motion():
    """Return specific force and angular rate (n, 2, 3) and quaternions (n, 2, 4) of two sensors that turn."""
    chance = np.random.default_rng(0)
    rate = chance.normal(size=(N, 2, 3))
    turns = [Rotation.identity(2)]
    for k in range(1, N):  # the turn over the interval that ends at frame k
        turns.append(turns[-1] * Rotation.from_rotvec(rate[k] / RATE_HZ))
    quaternions = np.stack([turn.as_quat(scalar_first=True) for turn in turns])
    acceleration = chance.normal(size=(N, 2, 3)) + np.array([0, 0, GRAVITY])
    force = np.stack([turn.inv().apply(a) for turn, a in zip(turns, acceleration, strict=True)])
    return force, rate, quaternions


def blocks(*kinds):
    force, rate, quaternions = motion()
    turns = Rotation.from_quat(quaternions.reshape(-1, 4), scalar_first=True)
    free = turns.apply(force.reshape(-1, 3)).reshape(N, 2, 3) - [0, 0, GRAVITY]
    known = {
        "sensorAcceleration": force,
        "sensorAngularVelocity": rate,
        "sensorFreeAcceleration": free,
        "sensorOrientation": quaternions,
        "position": force,
    }
    return {kind: known[kind] for kind in kinds}


@pytest.fixture
def write(tmp_path):
    def _write(data, *changes, index=None, rate=RATE_HZ, top="", more="", sensors=SENSORS):
        index = np.arange(N) if index is None else index
        frames = "".join(
            f'<frame time="{10 * k}" index="{index[k]}" ms="1" type="normal">\n'
            + "".join(
                f"<{kind}>{' '.join(f'{x:.9f}' for x in values[k].ravel())}</{kind}>\n"
                for kind, values in data.items()
            )
            + "</frame>\n"
            for k in range(N)
        )
        labels = "".join(f'<sensor label="{name}"/>' for name in sensors)
        text = FILE.format(top=top, rate=rate, sensors=labels, frames=frames, more=more)
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        path = tmp_path / "walk.mvnx"
        path.write_text(text)
        return path

    return _write


MEASURED = ("sensorAcceleration", "sensorAngularVelocity", "sensorOrientation")


def read(path, **options):
    return read_mvnx(RecordingChoice("mvnx", path, options=MvnxOptions(**options)))


def refused(path) -> InputError:
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(path) in caught.value.where
    return caught.value


def test_what_was_measured_is_read(write):
    path = write(blocks("position", *MEASURED))
    assert is_mvnx(path, head_of(path))
    streams, (force, rate, quaternions) = read(path), motion()
    assert [(s.name, s.segment, s.rate_hz) for s in streams] == [(name, name, 100.0) for name in SENSORS]
    for k, stream in enumerate(streams):
        np.testing.assert_allclose(stream.acceleration, force[:, k], atol=1e-8)  # nine decimals
        np.testing.assert_allclose(stream.angular_rate, rate[:, k], atol=1e-8)
        np.testing.assert_allclose(stream.orientation, quaternions[:, k], atol=1e-8)
        assert stream.time_s is None and not stream.notes and stream.counter.tolist() == list(range(N))
        assert stream.lines[0] == 8 and stream.lines[1] == 14


def test_more_frames_than_are_kept_at_once_are_read(write, monkeypatch):
    monkeypatch.setattr("sspinn_opensim.recording.formats.mvnx._FRAMES", 7)
    monkeypatch.setattr("sspinn_opensim.recording.formats.mvnx._CHUNK", 100)
    stream = read(write(blocks(*MEASURED)))[1]
    np.testing.assert_allclose(stream.angular_rate, motion()[1][:, 1], atol=1e-8)


def test_free_acceleration_without_gyroscope_has_its_reason(write):
    stream = read(write(blocks("sensorFreeAcceleration", "sensorOrientation")))[0]
    assert stream.acceleration is None and stream.angular_rate is None and stream.orientation is not None
    assert "sensorAngularVelocity" in stream.lacks[0] and "without gravity" in stream.lacks[1]


def test_turns_are_the_angular_rate_if_the_study_says_so(write):
    path = write(blocks("sensorFreeAcceleration", "sensorOrientation"))
    force, rate, _ = motion()
    stream = read(path, angular_rate="orientation")[1]
    # Nine decimals of a quaternion, twice, times 100 Hz.
    np.testing.assert_allclose(stream.angular_rate, rate[1:, 1], atol=1e-6)
    np.testing.assert_allclose(stream.acceleration, force[1:, 1], atol=1e-7)
    assert stream.counter[0] == 1 and len(stream.notes) == 2 and stream.lines[0] == 12


def test_lost_frames_leave_a_hole(write):
    index = np.arange(N) + (np.arange(N) > 20)
    assert np.diff(read(write(blocks(*MEASURED), index=index))[0].counter).max() == 2
    # The turn over the hole is that of two frames: no rate is made of it.
    path = write(blocks("sensorFreeAcceleration", "sensorOrientation"), index=index)
    turned = read(path, angular_rate="orientation")[0].angular_rate
    assert np.flatnonzero(np.isnan(turned).any(axis=1)).tolist() == [20]


def test_without_a_rate_there_are_the_times(write):
    stream = read(write(blocks(*MEASURED), rate=""))[0]
    assert stream.rate_hz is None
    np.testing.assert_allclose(stream.time_s, np.arange(N) / RATE_HZ, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (("</frames></subject>", "</frames>"), "not XML"),
        (("<sensorAcceleration>", "<sensorAcceleration>x "), "does not match"),
        (("<sensorAcceleration>", "<sensorAcceleration>1 "), "does not match"),
        (("<sensorOrientation>1.0", "<sensorOrientation>1.0.0"), "not a number"),
        (('index="7"', 'index="6"'), "does not go forward"),
        (('index="7"', 'index="b"'), "no whole number"),
        (('index="7"', 'index="99999999999999999999"'), "no whole number"),
        (('<sensor label="Pelvis"/>', ""), "does not match"),
        (("</frames></subject>", '</frames></subject><subject label="T"/>'), "several people"),
        (('frameRate="100"', 'frameRate="100"\x01'), "not XML"),
    ],
)
def test_a_damaged_file_is_refused(write, change, what):
    assert what in refused(write(blocks(*MEASURED), change)).what


def test_frames_that_differ_are_refused(write):
    path = write(blocks(*MEASURED))
    head, _, tail = path.read_text().rpartition("<sensorAcceleration>")
    for changed, what in (
        (head + tail.partition("</sensorAcceleration>")[2], "differ"),
        (
            head + "<sensorAcceleration></sensorAcceleration>" + tail.partition("</sensorAcceleration>")[2],
            "is empty",
        ),
        (head + "<sensorOrientation>1</sensorOrientation><sensorAcceleration>" + tail, "twice"),
    ):
        path.write_text(changed)
        error = refused(path)
        assert what in error.what and "line " in error.where


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9])
def test_a_file_that_was_cut_off_is_said_to_be(write, part):
    path = write(blocks(*MEASURED))
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    error = refused(path)
    assert "ends too early" in error.what and "cut off" in error.fix


def test_entities_are_refused(write):
    bomb = '<!DOCTYPE mvnx [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>\n'
    assert "entities" in refused(write(blocks(*MEASURED), top=bomb)).what


def test_a_file_of_segments_alone_is_refused_with_what_it_holds(write):
    error = refused(write(blocks("position")))
    assert "no data of sensors" in error.what and "segments only" in error.found
