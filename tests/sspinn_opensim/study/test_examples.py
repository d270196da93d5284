"""The examples: each is read, and so is its recording, where the public recordings are."""

import pytest

from sspinn_opensim.recording import find_faults, read_recording
from sspinn_opensim.study import examples_folder, read_study

EXAMPLES = sorted(path for path in examples_folder().glob("*.toml") if path.stem != "dorschky2019_p01")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_read_and_nothing_is_seriously_wrong_with_its_recording(path, shared):
    recording = read_recording(read_study(path))
    assert len(recording.sensors) >= 7
    found = [finding for finding in find_faults(recording) if finding.severity != "note"]
    # The two accelerometers of capsense_walk that are out of order.
    assert {finding.key for finding in found} <= {"resting_magnitude:foot_l", "resting_magnitude:torso"}
    assert not [finding for finding in found if finding.is_serious]
