"""The reader against the files themselves, read once more with the bare library."""

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import matlab_tables, output_window, read_recording
from sspinn_opensim.recording.dorschky2019 import KINDS, read_dorschky2019
from sspinn_opensim.recording.matlab_tables import read_rows
from sspinn_opensim.study import OutputChoice, RecordingChoice, SensorChoice, read_study


@pytest.fixture(scope="module", params=["walking", "running"])
def file(dorschky2019, request):
    return dorschky2019 / f"P01_norm{request.param}.mat"


def sensors(*names):
    return [SensorChoice(name, body=name) for name in names]


def read(file, *choices, **fields):
    return read_dorschky2019(RecordingChoice("dorschky2019", file, name="trial", **fields), choices)


def test_the_samples_are_those_of_the_file(file):
    """At the file's own 100 samples a cycle, the recording is the stored cycle, repeated."""
    rows = read_rows(file, {"acc", "gyro", "dur"}).rows
    cycle_s = next(row.mean[0] for row in rows if row.kind == "dur")
    recording = read(file, *sensors("foot_l", "pelvis"), cycles=3, sampling_rate_hz=100 / cycle_s)
    assert recording.time_s.size == 300 and recording.cycle_s == cycle_s
    for kind, signal in (("acc", recording.acceleration), ("gyro", recording.angular_rate)):
        stored = np.stack([row.mean for row in rows if (row.kind, row.name) == (kind, "foot_l")], axis=1)
        np.testing.assert_allclose(signal[:, 0], np.tile(stored, (3, 1)), atol=1e-9)


def test_the_library_read_by_hand_gives_the_same(file):
    from matio import load_from_mat

    table = load_from_mat(str(file))["dataStruct"]["variables"].flat[0]
    by_hand = [np.ravel(row["mean"]) for _, row in table.iterrows() if row["type"][0] == "acc"]
    rows = read_rows(file, {"acc"}).rows
    assert len(rows) == 21 and {row.unit for row in rows} == {"m/s^2"}
    for row, expected in zip(rows, by_hand, strict=True):
        np.testing.assert_array_equal(row.mean, expected)


def test_the_recording_is_periodic_at_any_rate(file):
    recording = read(file, *sensors("tibia_r"), cycles=4, sampling_rate_hz=100.0)
    assert recording.sampling_rate_hz == pytest.approx(100.0)
    duration = recording.time_s[-1] + 0.01
    assert 4 * recording.cycle_s <= duration < 4 * recording.cycle_s + 0.01
    moved = np.interp(
        recording.time_s[:50] + recording.cycle_s, recording.time_s, recording.angular_rate[:, 0, 2]
    )
    # Linear interpolation between 100 Hz samples of a shank that swings at 10 rad/s.
    np.testing.assert_allclose(moved, recording.angular_rate[:50, 0, 2], atol=0.5)


def test_default_rate_variance_and_position(file):
    recording = read(file, *sensors("femur_r"), cycles=2)
    assert recording.sampling_rate_hz == pytest.approx(100.0)
    rows = [row for row in read_rows(file, KINDS).rows if row.name == "femur_r"]
    expected = [row.variance.mean() for row in rows if row.kind == "acc"]
    np.testing.assert_allclose(recording.acceleration_variance[0], expected)
    assert recording.sensors[0].position == (0.0, -0.21, 0.07)


def test_the_study_overrides_position_and_speed(file):
    choice = SensorChoice("femur_r", body="femur_r", position=(0.1, 0.2, 0.3), origin="hip_r")
    recording = read(file, choice, cycles=1, speed_m_s=2.0)
    assert recording.sensors[0].position == (0.1, 0.2, 0.3) and recording.sensors[0].origin == "hip_r"
    assert recording.speed_m_s == 2.0


def test_a_sensor_mounted_otherwise_is_rotated_with_its_variance(file):
    plain = read(file, *sensors("foot_r"), cycles=1)
    turned = read(file, SensorChoice("foot_r", body="foot_r", axes=("y", "-x", "z")), cycles=1)
    np.testing.assert_allclose(turned.acceleration[:, 0, 1], plain.acceleration[:, 0, 0])
    np.testing.assert_allclose(turned.acceleration_variance[0, 1], plain.acceleration_variance[0, 0])


def test_no_reference_row_is_looked_at(file, monkeypatch):
    """Poison every row but those of the sensors: the reader must not notice."""
    loaded = matlab_tables._load(file)
    table = loaded["variables"].copy()
    wanted = [str(np.ravel(kind)[0]) in {"acc", "gyro", "dur", "speed"} for kind in table["type"]]
    assert wanted.count(False) == 8
    for column in ("mean", "var", "name", "unit"):
        table[column] = [
            value if keep else object() for value, keep in zip(table[column], wanted, strict=True)
        ]
    expected = read(file, *sensors("pelvis"), cycles=1)
    monkeypatch.setattr(matlab_tables, "_load", lambda _: loaded | {"variables": table})
    np.testing.assert_array_equal(
        read(file, *sensors("pelvis"), cycles=1).acceleration, expected.acceleration
    )


def test_the_first_event_is_the_start_of_the_cycle(file):
    recording = read_rows(file, ())
    assert recording.events[0][1] == 1 and recording.events[-1][1] == 101
    assert (recording.height_m, recording.mass_kg) == (1.73, 73.0)


def test_an_unknown_sensor_is_refused(file):
    with pytest.raises(InputError) as caught:
        read(file, *sensors("femur"))
    assert (
        "'femur'" in caught.value.what and "femur_" in caught.value.fix and "pelvis" in caught.value.expected
    )


def test_another_file_is_refused(tmp_path):
    (tmp_path / "other.mat").write_bytes(b"no matlab here")
    with pytest.raises(InputError, match="not a MATLAB file"):
        read(tmp_path / "other.mat", *sensors("pelvis"))
    from scipy.io import savemat

    savemat(tmp_path / "other.mat", {"x": 1.0})
    with pytest.raises(InputError, match="lacks"):
        read(tmp_path / "other.mat", *sensors("pelvis"))


@pytest.mark.parametrize(("example", "speed", "cycle"), [("walk", 1.292, 1.2135), ("run", 3.474, 0.7335)])
def test_the_example_studies_read(dorschky2019, repository, example, speed, cycle):
    study = read_study(repository / "examples" / f"dorschky2019_{example}.toml")
    recording = read_recording(study)
    assert recording.name == example and len(recording.sensors) == 7
    assert recording.speed_m_s == pytest.approx(speed, abs=1e-3)
    assert output_window(recording, OutputChoice()) == pytest.approx((18 * cycle, 19 * cycle))
