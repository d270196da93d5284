"""Sources and sinks on the loopback of this machine, and the two verbs."""

import json
import socket
import threading
import time
from importlib.util import find_spec

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.opensim_io.tables.storage import read_storage
from sspinn_opensim.streaming.addresses import address_of
from sspinn_opensim.streaming.channels import channels_of_estimate
from sspinn_opensim.streaming.lsl import THIS_MACHINE, channels_of, lsl
from sspinn_opensim.streaming.replay import LslPlayer, UdpPlayer, play
from sspinn_opensim.streaming.run import run
from sspinn_opensim.streaming.samples import SampleClock
from sspinn_opensim.streaming.sinks import LslSink, RollingFiles, UdpSink
from sspinn_opensim.streaming.sources import LslSource, RecordingSource, UdpSource


@pytest.fixture
def pylsl():
    if find_spec("pylsl") is None:
        pytest.skip("pylsl is not installed: pip install pylsl")
    return lsl()


@pytest.fixture
def channels(person):
    from sspinn_opensim.estimation import StreamingEstimator

    estimator = StreamingEstimator(person.estimator, person.subject, person.signals)
    motions = [coordinate.motion for coordinate in person.subject.model.coordinates]
    return channels_of_estimate(estimator.coordinates, motions, estimator.actuated, estimator.feet)


def in_background(function, *arguments):
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    return thread


def test_nothing_is_announced_beyond_this_machine():
    """What liblsl reads says so; a process that has loaded it otherwise is refused."""
    text = THIS_MACHINE.read_text()
    for line in ("ResolveScope = machine", "KnownPeers = {127.0.0.1}", "IPv6 = disable"):
        assert line in text


def test_another_scope_in_one_process_is_refused(pylsl):
    with pytest.raises(InputError, match="reaches otherwise"):
        lsl("network")


def test_by_lsl_from_replay_to_outlets(pylsl, person, make_live, channels):
    """All the way on loopback: what the outlets say is the estimate, at the times of the samples."""
    names = person.sensors.names
    player = LslPlayer(names, 100.0)
    source, sink = LslSource(names, stream="sspinn_replay"), LslSink(channels, 100.0)
    live = make_live(clock=SampleClock(of_machine=True))
    (info,) = pylsl.resolve_byprop("name", "sspinn_moments", minimum=1, timeout=5.0)
    inlet = pylsl.StreamInlet(info)
    described = channels_of(inlet.info(timeout=5.0))
    assert described == [(name, "N m") for name in channels.moments]
    inlet.open_stream(timeout=5.0)
    time_s, sent = person.recording.time_s[:300], person.sent[:300]
    opened = in_background(lambda: player.wait(10.0) and play(player, time_s, sent))
    summary = run(source, live, [sink], seconds=6.0)
    opened.join(5.0)
    rows, times = inlet.pull_chunk(timeout=2.0, max_samples=1000)
    assert summary.estimated >= 250 and len(rows) == summary.estimated and not summary.refused
    step = np.diff(times)
    assert np.median(step) == pytest.approx(0.01, abs=1e-4)
    assert set(summary.latency_ms) == {
        "waiting",
        "alignment",
        "network",
        "physics",
        "output",
        "path",
        "total",
    }


def test_by_udp_from_replay_to_a_socket(person, make_live, channels):
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    receiver.settimeout(2.0)
    source = UdpSource(person.sensors.names)
    player = UdpPlayer(person.sensors.names, *source.address)
    live = make_live(clock=SampleClock(shared=False))
    sink = UdpSink(channels, *receiver.getsockname())
    sent = in_background(play, player, person.recording.time_s[:200], person.sent[:200])
    got = []
    reading = in_background(lambda: [got.append(receiver.recv(65_535)) for _ in range(100)])
    summary = run(source, live, [sink], seconds=3.0)
    sent.join(5.0)
    reading.join(5.0)
    assert not reading.is_alive()
    messages = [json.loads(data) for data in got]
    assert messages[0]["event"] == "began" and summary.estimated > 100
    frame = messages[1]
    assert frame["coordinates"].keys() == set(channels.coordinates) and frame["late"] is True
    assert len(frame["ground_forces"]) == 18
    receiver.close()


def test_files_are_whole_at_any_moment(tmp_path, person, make_live, channels):
    """While the stream runs, whatever lies there is read by the strict reader; the oldest go."""
    source = RecordingSource(person.recording, person.sent, speed=20.0)
    files = RollingFiles(tmp_path / "stream", channels, "walker", part_s=2.0, kept_s=8.0)
    read = []

    class Watching:
        def take(self, frame):
            if len(read) % 100 == 0:
                for file in (tmp_path / "stream").rglob("*.*o*"):
                    read_storage(file)
            read.append(frame)

        def tell(self, event):
            pass

        def close(self):
            pass

    summary = run(source, make_live(), [files, Watching()])
    assert summary.estimated == len(read) == len(person.recording.time_s)
    parts = sorted(path.name for path in (tmp_path / "stream").iterdir())
    assert parts == ["0009", "0010", "0011", "0012"]
    table = read_storage(tmp_path / "stream" / "0009" / "kinematics.mot")
    assert table.in_degrees and table.names == channels.coordinates and len(table.time_s) == 200
    assert table.time_s[0] == pytest.approx(16.0)
    knee = channels.coordinates.index("knee_angle_r")
    assert np.radians(table.values[0, knee]) == pytest.approx(read[1600].estimate.q[knee], rel=1e-12)
    moments = read_storage(tmp_path / "stream" / "0012" / "moments.sto")
    np.testing.assert_array_equal(moments.values[-1], read[-1].estimate.moments)
    forces = read_storage(tmp_path / "stream" / "0012" / "grf.mot")
    assert forces.names == channels.forces


def test_files_that_cannot_be_written_do_not_stop_the_stream(tmp_path, person, make_live, channels, caplog):
    files = RollingFiles(tmp_path / "stream", channels, "walker", part_s=2.0)
    (tmp_path / "stream" / "0001").write_text("in the way")
    summary = run(RecordingSource(person.recording, person.sent, speed=50.0), make_live(), [files])
    assert summary.estimated == len(person.recording.time_s) and "is not written" in caplog.text
    assert (tmp_path / "stream" / "0002" / "grf.mot").is_file()


def test_lsl_streams_of_odd_shape_are_passed_over(pylsl, person):
    """A stream of another unit, one without labels, samples that are no numbers: all the rest goes on."""
    from sspinn_opensim.streaming.lsl import stream_info

    random, names = np.random.default_rng(1), person.sensors.names
    labels = [f"{names[0]}_{kind}_{axis}" for kind in ("acc", "gyro") for axis in "xyz"]
    odd = pylsl.StreamOutlet(stream_info(pylsl, "odd", "ODD", labels, ["furlong"] * 6, 100.0))
    bare = pylsl.StreamOutlet(pylsl.StreamInfo("bare", "ODD", 3, 100.0, pylsl.cf_double64, "bare"))
    good = pylsl.StreamOutlet(stream_info(pylsl, "good", "ODD", labels, [""] * 6, 100.0))
    source = LslSource(names, kind="ODD")
    until = time.monotonic() + 10.0
    while not good.have_consumers() and time.monotonic() < until:
        source.receive(0.1)
    values = random.choice([0.0, 1.0, 9.8, np.nan, np.inf, -1e300, 1e12], size=(10_000, 6))
    got, until = 0, time.monotonic() + 30.0
    for start in range(0, 10_000, 500):  # LSL keeps ten seconds, a thousand samples
        for row in values[start : start + 500]:
            good.push_sample(row.tolist())
        while got + sum(source.refused.values()) < start + 500 and time.monotonic() < until:
            got += len(source.receive(0.05))
    fits = (np.isnan(values) | (np.abs(values) < [5000] * 3 + [175] * 3)).all(axis=1)
    assert got == fits.sum() and source.refused == {"no sensor measures as much": int((~fits).sum())}
    source.close()
    del odd, bare


@pytest.mark.parametrize("text", ["", "5005", ":5005", "host:", "host:a", "host:99999", "host:-1", "host:²"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(InputError, match="no address"):
        address_of(text)


def test_addresses():
    assert address_of("127.0.0.1:5005") == ("127.0.0.1", 5005) and address_of("[::1]:1") == ("::1", 1)


def test_a_port_that_is_taken_is_refused(person):
    source = UdpSource(person.sensors.names)
    with pytest.raises(InputError, match="cannot be listened"):
        UdpSource(person.sensors.names, *source.address)
    source.close()
