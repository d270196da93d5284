"""``python -m casadi_dynamics verify``: what it compares, prints and returns."""

import json

import numpy as np
import pytest

from casadi_dynamics.__main__ import LARGEST_ERROR, main


@pytest.fixture
def planar_files(repository):
    folder = repository / "osim_models"
    return folder / "planar_gait.osim", folder / "planar_gait_answers.npz"


def test_stored_answers(planar_files, capsys):
    model, reference = planar_files
    assert main(["verify", str(model), "--reference", str(reference), "--json"]) == 0
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert printed.err == "" and printed.out.count("\n") == 1
    assert report["max_relative_error"] == max(report["quantities"].values()) < 1e-12
    assert {"tau", "mass matrix", "body acceleration", "imu_acceleration"} <= set(report["quantities"])
    assert report["simbody_defect_added_in"] == []
    assert main(["verify", str(model), "--reference", str(reference)]) == 0
    text = capsys.readouterr().out
    assert "agrees with OpenSim" in text and all(name in text for name in report["quantities"])


def test_a_wrong_answer_is_reported(planar_files, tmp_path, capsys):
    model, reference = planar_files
    with np.load(reference) as stored:
        answers = dict(stored)
    answers["tau"] = answers["tau"] + 10 * LARGEST_ERROR * np.abs(answers["tau"]).max()
    np.savez(tmp_path / "wrong.npz", **answers)
    assert main(["verify", str(model), "--reference", str(tmp_path / "wrong.npz"), "--json"]) == 1
    quantities = json.loads(capsys.readouterr().out)["quantities"]
    assert [name for name, error in quantities.items() if error > LARGEST_ERROR] == ["tau"]
    answers["tau"][0, 0] = np.nan
    np.savez(tmp_path / "wrong.npz", **answers)
    assert main(["verify", str(model), "--reference", str(tmp_path / "wrong.npz")]) == 1
    assert "DOES NOT AGREE" in capsys.readouterr().out


def test_the_defect_of_simbody_is_named(public_models, capsys):
    files = [str(public_models / f"Rajagopal2016.{kind}") for kind in ("osim", "npz")]
    assert main(["verify", files[0], "--reference", files[1]]) == 0
    assert "walker_knee_r, walker_knee_l" in capsys.readouterr().out
    assert main(["verify", files[0], "--reference", files[1], "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["simbody_defect_added_in"] == ["walker_knee_r", "walker_knee_l"]


def test_a_live_opensim(osim, tmp_path, capsys):
    file = tmp_path / "tiny.osim"
    file.write_text(osim.document())
    assert main(["verify", str(file), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["reference"] == "live OpenSim" and isinstance(report["seed"], int)
    assert report["max_relative_error"] < 1e-12


def test_an_old_file_is_upgraded_and_compared(public_models, capsys):
    files = [str(public_models / f"gait3d_pelvis213.{kind}") for kind in ("osim", "npz")]
    assert main(["verify", files[0], "--reference", files[1], "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["upgraded_by_opensim"] and report["max_relative_error"] < 1e-12


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read"),
        (b"", "not well-formed"),
        (b"<ScaleTool/>", "not an OpenSim model"),
        (b'<OpenSimDocument Version="40000"><ScaleTool/></OpenSimDocument>', "not an OpenSim model"),
        (b'<OpenSimDocument Version="40000"><Model><Strange/></Model></OpenSimDocument>', "Strange"),
        (b'<OpenSimDocument Version="10900"><Model name="old"/></OpenSimDocument>', "OpenSim"),
    ],
)
def test_files_that_cannot_be_verified(tmp_path, capsys, content, reason):
    file = tmp_path / "bad.osim"
    if content is not None:
        file.write_bytes(content)
    assert main(["verify", str(file)]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("error: ") and printed.err.count("error: ") == 1
    assert reason in printed.err and "Traceback" not in printed.err


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 broken"])
def test_references_that_cannot_be_read(planar_files, tmp_path, capsys, content):
    (tmp_path / "bad.npz").write_bytes(content)
    assert main(["verify", str(planar_files[0]), "--reference", str(tmp_path / "bad.npz")]) == 2
    assert "The reference cannot be read" in capsys.readouterr().err


def test_references_of_another_kind_and_another_model(planar_files, tmp_path, capsys):
    model = str(planar_files[0])
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    assert main(["verify", model, "--reference", str(tmp_path / "other.npz")]) == 2
    assert "no array 'coord_names'" in capsys.readouterr().err
    zeros = dict.fromkeys(("q", "qd", "qdd"), np.zeros((1, 1)))
    np.savez(tmp_path / "other.npz", coord_names=np.array(["elbow"]), **zeros)
    assert main(["verify", model, "--reference", str(tmp_path / "other.npz")]) == 2
    assert "elbow" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["verify"], ["verify", "a.osim", "--nope"], ["check", "a.osim"]])
def test_bad_arguments(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.count("error: ") == 1
