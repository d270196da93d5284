"""Analog channels of C3D files, against ezc3d on the same files."""

import struct

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import RecordingChoice, recognise
from sspinn_opensim.recording.formats.c3d_analog import C3dOptions, read_c3d
from sspinn_opensim.recording.formats.c3d_file import read_c3d_file
from sspinn_opensim.recording.formats.column_options import SensorColumns

RNG = np.random.default_rng(0)
LABELS = [f"IM EMG{k}.{name} {axis}" for k in (1, 2) for name in ("ACC", "GYRO") for axis in "XYZ"]
UNITS = 2 * (3 * ["g"] + 3 * ["deg/s"])
FRAMES, SAMPLES = 15, 4
ANALOG = RNG.integers(-2000, 2000, size=(FRAMES, SAMPLES, len(LABELS) + 1))
#: Single precision: 2^-24 of numbers up to 2000 x 0.01.
ROUNDING = 2e-6


def group(number, name, order):
    return struct.pack("<bb", len(name), -number) + name.encode() + struct.pack(f"{order}hB", 3, 0)


def parameter(number, name, kind, shape, body, order):
    value = struct.pack("bB", kind, len(shape)) + bytes(shape) + body + b"\x00"
    head = struct.pack("<bb", len(name), number) + name.encode()
    return head + struct.pack(f"{order}h", len(value) + 2) + value


def texts(number, name, words, order):
    width = max(map(len, words))
    body = b"".join(word.encode("utf-8").ljust(width) for word in words)
    return parameter(number, name, -1, (width, len(words)), body, order)


def dec(numbers):
    """Return floats as DEC stores them: four times as large, with their halves exchanged."""
    halves = (4 * np.asarray(numbers, "<f4")).view("<u2").reshape(-1, 2)[:, ::-1]
    return halves.tobytes()


def c3d(path, processor=84, *, floats=False, unsigned=False, labels=LABELS, units=UNITS, frames=FRAMES):
    """Write a file of one marker and the channels, each scaled, and a force plate's, as old systems do."""
    order = ">" if processor == 86 else "<"

    def real(*numbers):
        return dec(numbers) if processor == 85 else np.array(numbers, f"{order}f4").tobytes()

    def whole(*numbers):
        return np.array(numbers, f"{order}i2").tobytes()

    count, offset = len(labels) + 1, 32768 if unsigned else 100
    section = b"".join(
        [
            group(1, "POINT", order),
            parameter(1, "USED", 2, (), whole(1), order),
            parameter(1, "SCALE", 4, (), real(-0.1 if floats else 0.1), order),
            parameter(1, "RATE", 4, (), real(50.0), order),
            group(2, "ANALOG", order),
            parameter(2, "USED", 2, (), whole(count), order),
            texts(2, "LABELS", [*labels, "Fz1"], order),
            texts(2, "UNITS", [*units, "N"], order) if units else b"",
            texts(2, "FORMAT", ["UNSIGNED" if unsigned else "SIGNED"], order),
            parameter(2, "GEN_SCALE", 4, (), real(0.5), order),
            parameter(2, "SCALE", 4, (count,), real(*[0.01] * count), order),
            parameter(2, "OFFSET", 2, (count,), np.array([offset] * count, f"{order}u2").tobytes(), order),
            parameter(2, "RATE", 4, (), real(50.0 * SAMPLES), order),
            b"\x00\x00",
        ]
    )
    blocks = -(-(len(section) + 4) // 512)
    head = np.zeros(256, f"{order}u2")
    head[1:5] = 1, count * SAMPLES, 1, FRAMES
    head[8], head[9] = 2 + blocks, SAMPLES
    header = bytearray(head.tobytes())
    header[:2] = b"\x02\x50"
    header[12:16], header[20:24] = real(-0.1 if floats else 0.1), real(50.0)
    stored = ANALOG + offset
    data = bytearray()
    for frame in range(frames):
        numbers = np.concatenate([[1, 2, 3, 0], stored[frame].ravel()])
        if floats:
            data += real(*numbers)
        else:
            data += numbers.astype(f"{order}{'u2' if unsigned else 'i2'}").tobytes()
    section = (struct.pack("BBBB", 1, 0x50, blocks, processor) + section).ljust(512 * blocks, b"\x00")
    path.write_bytes(bytes(header) + section + bytes(data).ljust(-(-len(data) // 512) * 512, b"\x00"))
    return path


VALUES = ANALOG.reshape(-1, len(LABELS) + 1) * 0.01 * 0.5


def read(path, **options):
    choice = RecordingChoice("c3d", path, options=C3dOptions(**options))
    return {stream.name: stream for stream in read_c3d(choice)}


def refused(path, **options) -> InputError:
    with pytest.raises(InputError) as caught:
        read(path, **options)
    assert str(path) in caught.value.where
    return caught.value


@pytest.mark.parametrize("processor", [84, 85, 86])
@pytest.mark.parametrize("kind", [{}, {"floats": True}, {"unsigned": True}])
def test_channels_are_read(tmp_path, processor, kind):
    path = c3d(tmp_path / "walk.c3d", processor, **kind)
    found = read(path)
    assert list(found) == ["IM EMG1", "IM EMG2"] and recognise(path).name == "c3d"
    second = found["IM EMG2"]
    np.testing.assert_allclose(second.acceleration, 9.80665 * VALUES[:, 6:9], atol=9.81 * ROUNDING)
    np.testing.assert_allclose(second.angular_rate, np.radians(VALUES[:, 9:12]), atol=ROUNDING)
    assert second.rate_hz == pytest.approx(200.0) and second.time_s is None


@pytest.mark.parametrize(("processor", "kind"), [(84, {}), (84, {"floats": True}), (85, {})])
def test_another_reader_reads_the_same(tmp_path, processor, kind):
    ezc3d = pytest.importorskip("ezc3d", reason="ezc3d is not installed")
    path = c3d(tmp_path / "walk.c3d", processor, **kind)
    theirs = ezc3d.c3d(str(path))
    ours = read_c3d_file(path)
    np.testing.assert_allclose(ours.analog(range(13)), theirs["data"]["analogs"][0], atol=ROUNDING)
    assert ours.texts("ANALOG:LABELS") == tuple(theirs["parameters"]["ANALOG"]["LABELS"]["value"])


def test_what_another_writer_writes_is_read(tmp_path):
    ezc3d = pytest.importorskip("ezc3d", reason="ezc3d is not installed")
    content, signals = ezc3d.c3d(), RNG.normal(size=(1, 300, 120))
    content["parameters"]["POINT"]["RATE"]["value"] = [100]
    content["parameters"]["POINT"]["LABELS"]["value"] = ["heel"]
    content["parameters"]["ANALOG"]["RATE"]["value"] = [400]
    names = [f"EMG{k}" for k in range(288)] + LABELS  # those of the sensors stand in a second parameter
    content["parameters"]["ANALOG"]["LABELS"]["value"] = names
    content["data"]["points"], content["data"]["analogs"] = np.zeros((4, 1, 30)), signals
    content.write(str(tmp_path / "walk.c3d"))
    assert "'not stated'" in refused(tmp_path / "walk.c3d").what
    stated = {"acceleration_unit": "g", "angular_rate_unit": "deg/s"}
    found = read(tmp_path / "walk.c3d", **stated)["IM EMG1"]
    np.testing.assert_allclose(found.acceleration.T, 9.80665 * signals[0, 288:291], atol=1e-5)
    assert found.rate_hz == 400.0


def test_channels_are_named_in_the_study(tmp_path):
    labels = [f"Sensor {k}IM ACC {word}" for k in range(4) for word in ("Pitch", "Roll", "Yaw")]
    path = c3d(tmp_path / "walk.c3d", labels=labels, units=None)
    assert "no column" in refused(path).what
    named = SensorColumns("shank", tuple(labels[3:6]))
    found = read(path, acceleration_unit="g", columns=(named,))["shank"]
    np.testing.assert_allclose(found.acceleration, 9.80665 * VALUES[:, 3:6], atol=9.81 * ROUNDING)


def test_a_unit_that_is_none_is_refused(tmp_path):
    path = c3d(tmp_path / "walk.c3d", units=12 * ["V"])
    error = refused(path)
    assert "Unknown unit 'V'" in error.what and "acceleration_unit" in error.fix
    assert list(read(path, acceleration_unit="g", angular_rate_unit="deg/s")) == ["IM EMG1", "IM EMG2"]


def test_damaged_files_are_refused(tmp_path):
    path = c3d(tmp_path / "walk.c3d", frames=FRAMES - 8)
    assert "frames" in refused(path).found
    whole = c3d(path).read_bytes()
    for data, found in (
        (b"", "empty"),
        (whole[:700], "header"),
        (b"\x02\x51" + whole[2:], "header"),
        (whole[:515] + b"\x00" + whole[516:], "parameters"),
    ):
        path.write_bytes(data)
        assert found in refused(path).found
