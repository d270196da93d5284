"""The built-in study, of the first seconds of its recording and a few steps, and its scaled folder."""

import re
import shutil

import pytest

from sspinn_opensim.study import examples_folder, read_study
from sspinn_opensim.verbs import scale

STEPS, SECONDS = 6, 3.5
FROM_S, TO_S = 2.0, 2.3


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """Return the built-in study, of the recording's first seconds and a few steps."""
    folder, examples = tmp_path_factory.mktemp("study"), examples_folder()
    shutil.copytree(examples / "demo", folder / "demo")
    imu = folder / "demo" / "imu.csv"
    lines = imu.read_text().splitlines(keepends=True)
    header = next(i for i, line in enumerate(lines) if line.startswith("time"))
    imu.write_text("".join(lines[: header + 1 + round(SECONDS * 100)]))
    text = (examples / "demo.toml").read_text()
    text = re.sub(r"\[output\][^\[]*", "", text) + f"\n[output]\nfrom_s = {FROM_S}\nto_s = {TO_S}\n"
    (folder / "tiny.toml").write_text(re.sub(r"steps = \d+", f"steps = {STEPS}", text))
    return read_study(folder / "tiny.toml")


@pytest.fixture(scope="session")
def scaled(study, tmp_path_factory):
    """Return a results folder after scaling."""
    out = tmp_path_factory.mktemp("scaled") / "results"
    scale.scale(study, out)
    return out


@pytest.fixture(scope="session")
def unrecorded(study, tmp_path_factory):
    """Return the file of the built-in study without its recording: model, person and sensors."""
    text = study.path.read_text()
    text = re.sub(r"(?ms)^\[(recording|reference|output)[^\[]*", "", text)
    file = tmp_path_factory.mktemp("unrecorded") / "person.toml"
    file.write_text(text)
    return file
