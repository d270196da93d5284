"""Wrong inputs of every verb: each is refused before the libraries load that take longest."""

import json
import os
import pickle
import re
import subprocess
import sys
import zipfile

import pytest

import osim_models
from benchmarks.refusals import all_cases
from sspinn_opensim.training.checkpoint_file import FORMAT

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="copies of a process, of Unix")


@pytest.fixture
def results(tmp_path):
    """Return a folder with the files that refusals are about, as far as they matter to them."""
    folder = tmp_path / "results"
    (folder / "training/seed_0").mkdir(parents=True)
    (folder / "subject.osim").write_bytes(osim_models.path("planar_gait.osim").read_bytes())
    content = {
        "format": FORMAT,
        "versions": {},
        "identity": {
            "training": {"settings": {"steps": 6, "batch": 1}},
            "network": {"sensors": ["foot_l"]},
            "body": {},
        },
        "state": {"step": 6, "finished": True, "network": {}, "people": {}},
    }
    with zipfile.ZipFile(folder / "training/seed_0/checkpoint.pt", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(content, 2))
    return folder


def test_no_refusal_waits_for_the_largest_libraries(repository, results):
    only = "(export|convert|scale): |(opensense|estimate|adapt|stream): .*(network|results)"
    only += (
        "|stream: .*(frame|address)|replay: .*address|run: .*(model|reference|loss)|locate-sensors: .*network"
        "|(run|adapt): .*(turned sensor|two sides|wrong scale)$"
    )
    command = [sys.executable, "-m", "benchmarks.refusals", "--results", str(results), "--modules", "--json"]
    answer = subprocess.run(
        [*command, "--only", only], cwd=repository, capture_output=True, text=True, timeout=300, check=False
    )
    rows = json.loads(answer.stdout)
    assert len(rows) > 30
    for row in rows:
        assert row["status"] == 2, row
        assert len(re.findall(r"^sspinn[\w -]*: ", row["said"], re.MULTILINE)) == 1, row
        assert not {"torch", "onnx", "onnxruntime", "matplotlib"} & {*row["large"]}, row


def test_every_verb_has_wrong_inputs(results):
    from sspinn_opensim.cli.verbs import VERBS

    planted = {verb for verb, *_ in all_cases(results)}
    assert {verb.name for verb in VERBS} == planted
