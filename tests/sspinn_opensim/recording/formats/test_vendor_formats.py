"""Files of vendors, kept beside the repository, against what a plain script of others reads from them."""

import json

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import RecordingChoice, recognise, recognised
from sspinn_opensim.recording.reading.missing import refuse_without_signals
from sspinn_opensim.recording.streams import stream_of

#: The answers have six decimals.
TOLERANCE = 1e-6
#: Why files without signals are refused, by their folder; and one among the text files of MT Manager.
REASONS = {"movella_dot": "removed gravity", "opensense": "orientations"}
ORIENTATION_ONLY = "sit_to_stand"
FOLDERS = {"xsens_mt", "xsens_mt_long", "xsens_mt_synthetic", "movella_dot", "mvnx", "opensense"}


@pytest.fixture(scope="module")
def vendor_formats(shared):
    folder = shared / "data" / "vendor_formats"
    if not folder.is_dir():
        pytest.skip("the vendors' files are not beside this checkout (../shared/data/vendor_formats)")
    return folder


def expected(vendor_formats, *folders):
    files = json.loads((vendor_formats / "expected.json").read_text())["files"]
    return [file for file in files if file["file"].partition("/")[0] in folders]


def streams_of(path):
    form = recognise(path)
    return form, {s.name: s for s in form.streams(RecordingChoice(form.name, path))}


def same(answer, signal):
    """Return whether the first row of a signal is the answer; null stands for what was not measured."""
    if answer is None or signal is None:
        return answer is None and signal is None
    numbers = np.array([np.nan if number is None else number for number in answer])
    return np.allclose(signal[0], numbers, rtol=0.0, atol=TOLERANCE, equal_nan=True)


def rate_of(stream):
    if stream.rate_hz or stream.time_s is None or len(stream) < 2:
        return stream.rate_hz
    return 1 / np.median(np.diff(stream.time_s))


def complaints(answer, stream, path):
    """Return what differs between a stream and what was read by others."""
    # The authors of one file called free acceleration Acc.
    force = None if "XSDot" in path.name else answer["acc_first_m_s2"]
    rate, counter = rate_of(stream), stream.counter
    several = len(stream) > 1
    lost = None if counter is None else counter[-1] - counter[0] + 1 - len(stream)
    right = {
        "acceleration": same(force, stream.acceleration),
        "angular rate": same(answer["gyr_first_rad_s"], stream.angular_rate),
        "orientation": same(answer.get("first_quaternion_wxyz"), stream.orientation)
        or "first_quaternion_wxyz" not in answer,
        "samples": len(stream) == answer["samples"],
        "rate": not several or rate == answer["rate_Hz"] or rate == pytest.approx(answer["rate_Hz"] or -1.0),
        "lost packets": "lost" not in answer or lost == answer["lost"],
        "counter": "first_counter" not in answer or counter[0] == answer["first_counter"],
    }
    return [f"{path.name}, {answer['name']}: {what}" for what, holds in right.items() if not holds]


def test_every_file_is_read_as_expected(vendor_formats):
    seen, wrong = set(), []
    for file in expected(vendor_formats, *FOLDERS):
        path = vendor_formats / file["file"]
        if path.suffix == ".xml":
            with pytest.raises(InputError):
                recognise(path)
            continue
        form, streams = streams_of(path)
        seen.add(form.name)
        for answer in file["sensors"]:
            wrong += complaints(answer, streams[answer["name"]], path)
    assert not wrong and seen == {"xsens_mt", "movella_dot", "mvnx", "opensense"}


def test_files_of_other_vendors_are_read_as_expected(vendor_formats):
    seen = []
    for file in expected(vendor_formats, "apdm", "ngimu", "x_imu3"):
        form, streams = streams_of(vendor_formats / file["file"])
        assert list(streams) == [answer["name"] for answer in file["sensors"]]
        for answer in file["sensors"]:
            stream = streams[answer["name"]]
            assert len(stream) == answer["samples"]
            assert same(answer["acc_first_m_s2"], stream.acceleration)
            assert same(answer["gyr_first_rad_s"], stream.angular_rate)
            mean = np.linalg.norm(stream.acceleration[:50], axis=1).mean()
            assert mean == pytest.approx(answer["acc_norm_mean_first_50"], abs=5e-4)  # of three decimals
            rate = (len(stream) - 1) / (stream.time_s[-1] - stream.time_s[0])
            assert rate == pytest.approx(answer["rate_Hz"], abs=0.05)  # of one decimal
            repeated = np.count_nonzero(np.diff(stream.time_s) == 0)
            assert repeated == answer.get("repeated_times", 0)
        seen.append((form.name, len(streams)))
    assert sorted(seen) == [("apdm", 4), ("apdm", 6), ("ngimu", 3), ("x_imu3", 1)]


def test_orientations_of_other_vendors_turn_the_specific_force_upwards(vendor_formats):
    """As they are, or inverted where the vendor turns the earth into the sensor; in mean, also in motion."""
    for name in ("apdm/imuData01.csv", "ngimu/ngimu_data.csv"):
        for stream in streams_of(vendor_formats / name)[1].values():
            w, xyz, force = stream.orientation[:, :1], stream.orientation[:, 1:], stream.acceleration
            mean = (force + 2 * np.cross(xyz, np.cross(xyz, force) + w * force)).mean(axis=0)
            assert np.hypot(*mean[:2]) < 0.6 and 9.6 < mean[2] < 10.0, (name, stream.name, mean)


def test_files_without_signals_are_refused_with_their_reason(vendor_formats):
    refused = 0
    for file in expected(vendor_formats, *FOLDERS):
        path = vendor_formats / file["file"]
        if path.suffix == ".xml":
            continue
        form, streams = streams_of(path)
        mute = [s for s in streams.values() if s.acceleration is None and s.angular_rate is None]
        reason = (
            "free acceleration" if "XSDot" in path.name else REASONS.get(path.parent.name, "orientation only")
        )
        assert bool(mute) == (path.parent.name in REASONS or ORIENTATION_ONLY in path.name), path
        if not mute:
            refuse_without_signals(form, list(streams.values()))
            continue
        refused += 1
        assert all(stream.orientation is not None for stream in mute)
        with pytest.raises(InputError) as caught:
            refuse_without_signals(form, list(streams.values()))
        assert reason in caught.value.found and caught.value.fix == form.export and caught.value.where
    assert refused == 13


def test_all_forms_of_a_rotation_in_one_file_agree(vendor_formats):
    """Those of MT Manager: quaternion, matrix and angles of the same five samples."""
    name = "MT2022_ACC_GYRO_ROT_{}_00B42D4{}.txt"
    (first,) = streams_of(vendor_formats / "xsens_mt" / name.format("ALL_TAB_NAN", "B"))[1].values()
    for form in ("MAT_COMMA", "MAT_SEMICOLON", "MAT_SPACE"):
        (other,) = streams_of(vendor_formats / "xsens_mt" / name.format(form, "B"))[1].values()
        difference = np.minimum(
            abs(first.orientation - other.orientation), abs(first.orientation + other.orientation)
        )
        assert difference.max() < 2e-6  # of six decimals


def test_orientations_turn_the_specific_force_of_a_walk_upwards(shared):
    """The mean specific force of a walk that begins and ends at rest is 9.8 m/s^2 upwards, in any axes."""
    for name, tilt_m_s2 in (("kuopio2024_walk", 0.4), ("gaittoolbox_walk", 0.2)):
        folder = shared / "data" / name / "imu"
        if not folder.is_dir():
            pytest.skip(f"the public recordings lack {name}")
        found = recognised(folder)
        streams = found.format.streams(RecordingChoice(found.format.name, folder))
        assert len(streams) == len(found.files)
        for stream in streams:
            w, xyz = stream.orientation[:, :1], stream.orientation[:, 1:]
            force = stream.acceleration
            turned = force + 2 * np.cross(xyz, np.cross(xyz, force) + w * force)
            mean = np.nanmean(turned, axis=0)
            assert np.hypot(*mean[:2]) < tilt_m_s2 and 9.7 < mean[2] < 10.0


def test_a_folder_of_mt_manager_is_a_recording_with_its_segments(shared):
    folder = shared / "data" / "kuopio2024_walk" / "imu"
    if not folder.is_dir():
        pytest.skip("the public recordings lack kuopio2024_walk")
    found = recognised(folder)
    assert found.format.name == "xsens_mt" and [file.name for file in found.ignored] == ["myIMUMappings.xml"]
    streams = found.format.streams(RecordingChoice("xsens_mt", folder))
    bodies = {f"{body}_{side}_imu" for body in ("femur", "tibia", "calcn") for side in "rl"}
    assert {stream.segment for stream in streams} == {"pelvis_imu", *bodies}
    for name in ("tibia_r", "shank_r", "RightLowerLeg"):
        assert stream_of(streams, name, folder).name == "00B42DAE"
