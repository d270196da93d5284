"""Verbs on trials: what they hand on."""

from pathlib import Path

import pytest

from sspinn_opensim import cli
from sspinn_opensim.verbs import inverse_dynamics, joint_reactions
from sspinn_opensim.verbs.joint_reactions import Choices
from sspinn_opensim.verbs.trial_of_folder import AnalysedPart, Laboratory


@pytest.fixture
def called(monkeypatch):
    """Return what the verbs were called with."""
    calls = {}

    def note(name):
        return lambda folder, laboratory=None, **options: calls.update({name: (folder, laboratory, options)})

    for module, name in ((inverse_dynamics, "inverse_dynamics"), (joint_reactions, "joint_reactions")):
        monkeypatch.setattr(module, name, note(name))
    return calls


def test_a_folder_of_results(called, tmp_path):
    assert (
        cli.main(["inverse-dynamics", str(tmp_path), "--lowpass", "0", "--to", "2.5", "--height", "1.8"]) == 0
    )
    part = AnalysedPart(None, 2.5, 0.0)
    assert called["inverse_dynamics"] == (tmp_path, None, {"part": part, "moments": None, "height_m": 1.8})
    arguments = [
        "joint-reactions",
        str(tmp_path),
        "--joints",
        "hip_r,knee_r",
        "--on",
        "parent",
        "--in",
        "ground",
    ]
    assert cli.main(arguments) == 0
    options = {"part": AnalysedPart(), "choices": Choices(("hip_r", "knee_r"), "parent", "ground")}
    assert called["joint_reactions"] == (tmp_path, None, options)


def test_the_files_of_a_laboratory(called, tmp_path):
    trial = [
        "a.osim",
        "walk.mot",
        "--external-loads",
        "walk.xml",
        "--unit",
        "radians",
        "--out",
        str(tmp_path),
    ]
    assert cli.main(["inverse-dynamics", *trial]) == 0
    folder, laboratory, _ = called["inverse_dynamics"]
    given = Path("a.osim"), Path("walk.mot"), Path("walk.xml"), "radians"
    assert (folder, laboratory) == (tmp_path, Laboratory(*given))
    own = ["--forces", "so.sto", "--actuators", "a.xml", "b.xml"]
    assert cli.main(["joint-reactions", *trial, *own]) == 0
    expected = Laboratory(*given, Path("so.sto"), (Path("a.xml"), Path("b.xml")))
    assert called["joint_reactions"][1] == expected


@pytest.mark.parametrize("verb", ["inverse-dynamics", "joint-reactions"])
def test_that_nothing_touches_the_body_is_said(verb, called, tmp_path, capsys):
    trial = [verb, "a.osim", "walk.mot", "--out", str(tmp_path)]
    assert cli.main(trial) == 2 and "--no-external-loads" in capsys.readouterr().err
    assert cli.main([*trial, "--external-loads", "a.xml", "--no-external-loads"]) == 2
    assert cli.main([verb, str(tmp_path), "--no-external-loads"]) == 2 and not called
    assert cli.main([*trial, "--no-external-loads"]) == 0
    assert next(iter(called.values()))[1].untouched


@pytest.mark.parametrize(
    "arguments",
    [
        ["inverse-dynamics", "--unit", "radians"],
        ["inverse-dynamics", "--out", "elsewhere"],
        ["joint-reactions", "--forces", "so.sto"],
        ["joint-reactions", "--actuators", "a.xml"],
        ["joint-reactions", "--from", "1"],
        ["joint-reactions", "--lowpass", "10"],
    ],
)
def test_what_a_folder_has_already_is_refused_beside_it(called, arguments, tmp_path, capsys):
    verb, option, value = arguments
    assert cli.main([verb, str(tmp_path), option, value]) == 2 and not called
    assert option in capsys.readouterr().err


@pytest.mark.parametrize("files", [["a.osim", "walk.mot"], ["a", "b", "c", "--out", "d"]])
def test_unclear_files_are_refused(called, files, capsys):
    assert cli.main(["inverse-dynamics", *files]) == 2
    assert "MODEL MOTION --out FOLDER" in capsys.readouterr().err and not called
