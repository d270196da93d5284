"""The examples: each is read, and so is its recording, where the public recordings are."""

from pathlib import Path

import pytest

from sspinn_opensim.verbs.check import check

#: Of the checkout, beside which the public recordings are; all but a cohort.
EXAMPLES = sorted(
    path
    for path in (Path(__file__).parents[3] / "examples").glob("*.toml")
    if path.stem != "dorschky2019_p01"
)
#: What is known to be wrong with the recording of capsense_sub01: two accelerometers, and two sensors of
#: which the study accepts that their movement does not tell front from back for sure.
KNOWN = {"resting_magnitude:foot_l", "resting_magnitude:torso", "alignment:pelvis", "alignment:torso"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_read_and_nothing_else_is_wrong_with_its_recording(path, shared):
    result = check(path)
    assert len(result.overview.sensors) >= 7 and result.ok
    found = {finding.key for finding in result.overview.findings if finding.severity != "note"}
    assert found <= (KNOWN if path.stem == "capsense_sub01" else set())
