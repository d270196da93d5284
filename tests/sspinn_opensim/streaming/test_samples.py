import json
import math
import socket

import numpy as np
import pytest

from sspinn_opensim.streaming.samples import (
    LARGEST_MESSAGE,
    RefusedError,
    Sample,
    SampleClock,
    message_of,
    read_message,
)
from sspinn_opensim.streaming.sources import UdpSource, columns_of

NAMES = ("pelvis", "shank_r")
PLACES = {name: k for k, name in enumerate(NAMES)}
GOOD = {
    "sensor": "shank_r",
    "time_s": 1.5,
    "counter": 7,
    "acceleration_m_s2": [0.1, 9.8, None],
    "angular_rate_rad_s": [0, -1, 2.5],
}


def test_a_message_says_what_was_measured():
    (sample,) = read_message(json.dumps(GOOD | {"battery": 3}).encode(), PLACES)
    assert (sample.sensor, sample.time_s, sample.counter) == (1, 1.5, 7)
    np.testing.assert_array_equal(sample.signals, [0.1, 9.8, math.nan, 0, -1, 2.5])


def test_what_is_sent_is_what_is_read():
    signals = np.random.default_rng(0).normal(size=(2, 6))
    signals[1, 4] = np.nan
    sent = [Sample(k, 0.1 + k, own, k) for k, own in enumerate(signals)]
    for some in (sent, sent[1:]):
        read = read_message(message_of(some, NAMES), PLACES)
        for one, other in zip(some, read, strict=True):
            assert (one.sensor, one.time_s, one.counter) == (other.sensor, other.time_s, other.counter)
            np.testing.assert_array_equal(one.signals, other.signals)


@pytest.mark.parametrize(
    "changed",
    [
        {"sensor": "knee"},
        {"sensor": ["pelvis"]},
        {"time_s": None},
        {"time_s": True},
        {"time_s": 1e300},
        {"time_s": 10**400},
        {"counter": 1.5},
        {"counter": 2**70},
        {"acceleration_m_s2": [1, 2]},
        {"acceleration_m_s2": [1, 2, "3"]},
        {"acceleration_m_s2": [1, 2, 6000]},
        {"angular_rate_rad_s": [0, 0, -200]},
        {"angular_rate_rad_s": None},
        {"samples": {}},
        {"samples": [1]},
        {"samples": [GOOD] * 65},
    ],
)
def test_what_is_no_message_is_refused(changed):
    with pytest.raises(RefusedError):
        read_message(json.dumps(GOOD | changed).encode(), PLACES)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"3",
        b"{",
        b'{"time_s": NaN}',
        b'{"a":' * 20_000,
        b"[" * 60_000,
        b"9" * 60_000,
        b" " * (LARGEST_MESSAGE + 1),
    ],
)
def test_bytes_that_are_no_message_are_refused(data):
    with pytest.raises(RefusedError):
        read_message(data, PLACES)


def mutated(random):
    """Return bytes that are nearly a message, or nothing like one."""
    data = bytearray(message_of([Sample(1, 1.0, random.normal(size=6), 3)], NAMES))
    kind = random.integers(4)
    if kind == 0:
        return random.bytes(int(random.integers(1, 300)))
    if kind == 1:
        return bytes(data[: random.integers(len(data))])
    for _ in range(int(random.integers(1, 6))):
        place = int(random.integers(len(data)))
        if kind == 2:
            data[place] = random.integers(256)
        else:
            data[place:place] = random.choice([b"9e999", b"null", b"{", b"[", b'"', b"-", b"1e308", b"NaN"])
    return bytes(data)


def test_ten_thousand_damaged_messages_stop_nothing(make_live):
    """What can be read is read, all else is counted, and a good message is read after it."""
    source, random = UdpSource(NAMES), np.random.default_rng(3)
    live = make_live(clock=SampleClock(shared=False))
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    read = 0
    for start in range(0, 10_000, 100):
        for _ in range(start, start + 100):
            sender.sendto(mutated(random), source.address)
        for sample, arrived_s in source.receive(0.1):
            read += 1
            live.take(sample, arrived_s)
            live.advance(arrived_s)
    assert read + sum(source.refused.values()) == 10_000
    assert 0 < read < 5_000 and len(source.refused) <= 12
    sender.sendto(json.dumps(GOOD).encode(), source.address)
    ((sample, _),) = source.receive(1.0)
    assert sample.counter == 7
    source.close()
    sender.close()


def test_channels_of_a_stream_are_found_by_their_labels():
    labels = [
        (f"shank_r_{kind}_{axis}", unit) for kind, unit in (("gyro", "deg/s"), ("acc", "g")) for axis in "xyz"
    ]
    columns, factors = columns_of([("counter", ""), *labels], NAMES, "anything")
    assert list(columns) == [1] and columns[1].tolist() == [4, 5, 6, 1, 2, 3]
    np.testing.assert_allclose(factors[1], [9.80665] * 3 + [math.pi / 180] * 3, rtol=1e-15)
    columns, factors = columns_of([("acc_x", ""), ("gyro_z", "")], NAMES, "pelvis")
    assert columns[0].tolist() == [0, -1, -1, -1, -1, 1] and factors[0].tolist() == [1.0] * 6
    assert columns_of([("acc_x", "")], NAMES, "other") == ({}, {})
