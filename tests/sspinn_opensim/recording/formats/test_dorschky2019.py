"""The reader against the files themselves, read once more with the bare library."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import (
    OutputChoice,
    RecordingChoice,
    SensorChoice,
    output_window,
    read_recording,
)
from sspinn_opensim.recording.formats import matlab_tables
from sspinn_opensim.recording.formats.dorschky2019 import KINDS, Dorschky2019Options, read_dorschky2019
from sspinn_opensim.recording.formats.matlab_tables import read_rows
from sspinn_opensim.study import read_study


@pytest.fixture(scope="module", params=["walking", "running"])
def file(dorschky2019, request):
    return dorschky2019 / f"P01_norm{request.param}.mat"


def sensors(*names):
    return [SensorChoice(name, body=name) for name in names]


def read(file, *choices, cycles=20, **fields):
    choice = RecordingChoice("dorschky2019", file, "trial", options=Dorschky2019Options(cycles), **fields)
    return read_dorschky2019(choice, choices)


def test_the_samples_are_those_of_the_file(file):
    """At the file's own 100 samples a cycle, the recording is the stored cycle, repeated."""
    rows = read_rows(file, {"acc", "gyro", "dur"})
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
    rows = read_rows(file, {"acc"})
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
    rows = [row for row in read_rows(file, KINDS) if row.name == "femur_r"]
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
    table = matlab_tables._load(file).copy()
    wanted = [str(np.ravel(kind)[0]) in {"acc", "gyro", "dur", "speed"} for kind in table["type"]]
    assert wanted.count(False) == 8
    for column in ("mean", "var", "name", "unit"):
        table[column] = [
            value if keep else object() for value, keep in zip(table[column], wanted, strict=True)
        ]
    expected = read(file, *sensors("pelvis"), cycles=1)
    monkeypatch.setattr(matlab_tables, "_load", lambda _: table)
    np.testing.assert_array_equal(
        read(file, *sensors("pelvis"), cycles=1).acceleration, expected.acceleration
    )


def test_the_first_event_is_the_start_of_the_cycle(file):
    from matio import load_from_mat

    events = load_from_mat(str(file))["dataStruct"]["movementEvents"].flat[0]["index"]
    assert int(events.iloc[0]) == 1 and int(events.iloc[-1]) == 101


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


@pytest.fixture
def changed(dorschky2019, tmp_path):
    """Return a function that writes a copy of a file after its structure and its table were changed."""
    from matio import load_from_mat, save_to_mat

    def _changed(change) -> Path:
        structure = load_from_mat(str(dorschky2019 / "P01_normwalking.mat"))["dataStruct"]
        fields = {name: structure[name].flat[0] for name in structure.dtype.names}
        change(fields, fields["variables"])
        copy = np.empty((1, 1), dtype=[(name, object) for name in fields])
        for name, value in fields.items():
            copy[name][0, 0] = value
        save_to_mat(str(tmp_path / "changed.mat"), {"dataStruct": copy})
        return tmp_path / "changed.mat"

    return _changed


def of(table, kind):
    """Return the rows of a kind."""
    return [index for index, value in enumerate(table["type"]) if value[0] == kind]


def put(table, column, rows, value):
    """Put one value into some cells of a column, whatever the column holds."""
    cells = list(table[column])
    for row in rows:
        cells[row] = value
    table[column] = pd_series(cells)


def pd_series(cells):
    import pandas as pd

    return pd.Series(cells, dtype=object)


#: What may stand where a number is expected.
NOTHING = {
    "empty": np.zeros((0, 0)),
    "NaN": np.array([[np.nan]]),
    "text": np.array(["unknown"]),
}


@pytest.mark.parametrize("field", ["participantHeight", "participantMass", "movementEvents"])
@pytest.mark.parametrize("how", ["absent", *NOTHING])
def test_what_a_file_says_of_the_person_is_not_needed(dorschky2019, changed, field, how):
    """Height and mass are those of the study."""

    def change(fields, _):
        if how == "absent":
            del fields[field]
        else:
            fields[field] = NOTHING[how]

    recording = read(changed(change), *sensors("pelvis"), cycles=1)
    expected = read(dorschky2019 / "P01_normwalking.mat", *sensors("pelvis"), cycles=1)
    np.testing.assert_array_equal(recording.acceleration, expected.acceleration)


@pytest.mark.parametrize("how", ["absent", *NOTHING, "negative"])
@pytest.mark.parametrize("kind", ["speed", "dur"])
def test_a_number_that_the_file_lacks_is_the_studys(changed, kind, how):
    def change(fields, table):
        if how == "absent":
            fields["variables"] = table.drop(index=of(table, kind)).reset_index(drop=True)
        else:
            put(table, "mean", of(table, kind), NOTHING.get(how, np.array([[-1.0]])))

    file = changed(change)
    if kind == "dur":
        with pytest.raises(InputError, match="one positive row of type 'dur'"):
            read(file, *sensors("pelvis"), cycles=1)
        return
    assert read(file, *sensors("pelvis"), cycles=1).speed_m_s is None
    assert read(file, *sensors("pelvis"), cycles=1, speed_m_s=1.5).speed_m_s == 1.5


@pytest.mark.parametrize("how", ["absent", *NOTHING])
def test_a_position_that_the_file_lacks_is_the_studys(changed, how):
    def change(fields, table):
        for axis in "123":
            if how == "absent":
                del table[f"position_{axis}"]
            else:
                put(table, f"position_{axis}", range(len(table)), NOTHING[how])

    file = changed(change)
    assert read(file, *sensors("pelvis"), cycles=1).sensors[0].position is None
    placed = SensorChoice("pelvis", body="pelvis", position=(0.1, 0.2, 0.3))
    assert read(file, placed, cycles=1).sensors[0].position == (0.1, 0.2, 0.3)


@pytest.mark.parametrize("how", ["absent", *NOTHING])
def test_variances_that_the_file_lacks_are_unknown(changed, how):
    def change(fields, table):
        if how == "absent":
            del table["var"]
        else:
            put(table, "var", of(table, "acc"), NOTHING[how])

    recording = read(changed(change), *sensors("pelvis"), cycles=1)
    assert not recording.acceleration_variance.any()
    assert recording.angular_rate_variance.any() == (how != "absent")


@pytest.mark.parametrize("column", ["mean", "unit", "name", "direction_1"])
@pytest.mark.parametrize("how", NOTHING)
def test_what_is_needed_and_nowhere_is_one_clear_error(changed, column, how):
    def change(fields, table):
        put(table, column, of(table, "acc") + of(table, "gyro"), NOTHING[how])

    with pytest.raises(InputError) as caught:
        read(changed(change), *sensors("pelvis"), cycles=1)
    assert caught.value.what


def test_a_library_tells_the_user_nothing(dorschky2019, monkeypatch, recwarn):
    """The library warns of every object that it leaves in its own form."""
    import matio
    from matio.utils.matclass import MatConvertWarning

    load = matio.load_from_mat

    def warning(path):
        warnings.warn("Conversion of a timetable failed", MatConvertWarning, stacklevel=2)
        return load(path)

    monkeypatch.setattr(matio, "load_from_mat", warning)
    read(dorschky2019 / "P01_normwalking.mat", *sensors("pelvis"), cycles=1)
    assert not recwarn.list


@pytest.mark.parametrize("damage", ["cut", "zeros", "noise"])
def test_a_damaged_file_is_refused_or_read_as_it_was(dorschky2019, tmp_path, damage):
    whole = dorschky2019 / "P01_normwalking.mat"
    content, refused = bytearray(whole.read_bytes()), 0
    expected = read(whole, *sensors("pelvis"), cycles=1)
    rng = np.random.default_rng(1)
    for k in range(12):
        copy, start = bytearray(content), int(rng.integers(100, len(content) - 600))
        if damage == "cut":
            del copy[start:]
        else:
            copy[start : start + 400] = bytes(400) if damage == "zeros" else rng.bytes(400)
        file = tmp_path / f"{k}.mat"
        file.write_bytes(copy)
        try:
            found = read(file, *sensors("pelvis"), cycles=1)
        except InputError:
            refused += 1
            continue
        np.testing.assert_array_equal(found.acceleration, expected.acceleration)
        np.testing.assert_array_equal(found.angular_rate, expected.angular_rate)
    assert refused
