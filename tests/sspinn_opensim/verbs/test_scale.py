"""Which way a study, or the command line, scales a model."""

import json
import re

import pytest

import osim_models
from casadi_dynamics.errors import InputError
from sspinn_opensim import cli
from sspinn_opensim.opensim_io.model.gravity import check_gravity
from sspinn_opensim.study import ScalingStudy, read_scaling
from sspinn_opensim.verbs import scale as scale_verb

MODEL = str(osim_models.path("planar_gait.osim"))
HEAD = '[model]\nfile = "builtin:planar_gait"\n[person]\nheight_m = 1.73\nmass_kg = 73.0\n'
SEGMENT = "[scaling.segments.thigh]\nlength_m = 0.43\n"
MEASURED = '[scaling.measurements.thigh]\npairs = [["A", "B"]]\nbodies = ["femur_r"]\n'


@pytest.fixture
def read(tmp_path):
    for name in ("static.trc", "setup.xml"):
        (tmp_path / name).touch()

    def _read(text, head=HEAD):
        (tmp_path / "scaling.toml").write_text(head + text)
        return read_scaling(tmp_path / "scaling.toml")

    return _read


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ("", "height"),
        ('[scaling]\nmethod = "height"\n', "height"),
        ("[scaling]\npreserve_mass_distribution = false\n", "height"),
        (SEGMENT, "segments"),
        ('[scaling]\nmethod = "segments"\n' + SEGMENT, "segments"),
        ('[scaling]\nsetup = "setup.xml"\n', "markers"),
        ('[scaling]\nstatic = "static.trc"\n' + MEASURED, "markers"),
    ],
)
def test_the_keys_say_how(read, text, method):
    study = read(text)
    assert isinstance(study, ScalingStudy) and study.name == "scaling"
    assert study.scaling.method == method


def test_a_scaled_model_is_taken_as_it_is(read):
    head = HEAD.replace("[person]", "scaled = true\n[person]")
    assert read("", head).model.scaled and read("", head).scaling.method is None
    with pytest.raises(InputError, match="scales the model in two ways") as error:
        read(SEGMENT, head)
    assert "segments" in error.value.found and "scaled = true" in error.value.found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[scaling]\nsetup = "setup.xml"\n' + SEGMENT, "(?s)in two ways.*setup; segments"),
        ('[scaling]\nmethod = "height"\n' + SEGMENT, "(?s)in two ways.*segments; method = 'height'"),
        ('[scaling]\nmethod = "segments"\nstatic = "static.trc"\n', "in two ways"),
        ('[scaling]\nmethod = "segments"\n', "No segment is measured"),
        ('[scaling]\nstatic = "static.trc"\n', "Nothing says which distances"),
        ("[scaling]\nplace_markers = false\n" + MEASURED, "The static marker trial is missing"),
        ('[scaling]\nsetup = "setup.xml"\n' + MEASURED, "(?s)measurements and weights of its own"),
        ('[scaling]\nsetup = "setup.xml"\nfrom_s = 2.0\nto_s = 1.0\n', "ends before it starts"),
        ('[scaling]\nsetup = "set.xml"\n', "(?s)does not exist.*did you mean 'setup.xml'"),
        ('[scaling]\nmethod = "marker"\n', "did you mean 'markers'"),
        ("[scaling.segments.thigh]\nlength_m = 43\n", "give lengths in metres"),
        ("[scaling.segments.thigh]\nlenght_m = 0.43\n", "did you mean 'length_m'"),
        ("[scaling.measurements.thigh]\npairs = [['A']]\nbodies = ['b']\n", "2 entries"),
    ],
)
def test_contradictions_and_mistakes_are_one_clear_error(read, text, message):
    with pytest.raises(InputError, match=message):
        read(text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.osim"], "model is not there"),
        ([MODEL], "The person is not known"),
        ([MODEL, "--scaled", "--setup", "s.xml"], "(?s)scaled already and by markers.*--setup"),
        ([MODEL, "--static", "static.trc"], "give --setup SCALE.xml"),
        ([MODEL, "--setup", "none.xml"], "set-up of ScaleTool is not there"),
        (["setup.xml", "--setup", "setup.xml"], "Two set-ups"),
        (["study.toml", "--mass", "70"], "Options that go with a model"),
    ],
)
def test_options_that_cannot_be_used_are_refused(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["scale", *arguments, "--out", "out"]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "out" / "subject.osim").exists()


def test_a_model_is_scaled_by_options_and_then_taken_as_it_is(tmp_path, capsys):
    out, again = str(tmp_path / "out"), str(tmp_path / "again")
    assert cli.main(["scale", MODEL, "--mass", "65", "--height", "1.62", "--name", "Ada", "--out", out]) == 0
    report = json.loads((tmp_path / "out" / "scaling.json").read_text())
    assert report["factors"]["torso"] == pytest.approx([0.9] * 3) and report["name"] == "Ada"
    assert cli.main(["scale", f"{out}/subject.osim", "--scaled", "--out", again]) == 0
    report = json.loads((tmp_path / "again" / "scaling.json").read_text())
    assert report["mass_kg"] == pytest.approx(65.0, rel=1e-9) and report["method"].startswith("nothing")


def test_segments_of_a_study_scale_the_model(read, tmp_path, capsys):
    study = read(SEGMENT + "[scaling.segments.foot]\nlength_m = 0.2736\naxes = 'x'\n").path
    assert cli.main(["scale", str(study), "--out", str(tmp_path / "out")]) == 0
    factors = json.loads((tmp_path / "out" / "scaling.json").read_text())["factors"]
    assert factors["foot_r"] == pytest.approx([1.0, 1.73 / 1.8, 1.73 / 1.8])
    assert factors["femur_r"] == factors["femur_l"] and len(set(factors["femur_r"])) == 1
    assert "segments" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("gravity", "message"),
    [
        ("0 0 -9.80665", "does not point along -y"),
        ("0 9.80665 0", "does not point along -y"),
        ("0 0 0", "no gravity"),
        ("0 -9806.65 0", "gravity is 9806.65 m/s"),
    ],
)
def test_gravity_that_is_not_down_is_refused_for_a_study(tmp_path, gravity, message):
    text = osim_models.path("planar_gait.osim").read_text()
    turned = re.sub("<gravity>[^<]*</gravity>", f"<gravity>{gravity}</gravity>", text)
    assert turned != text
    (tmp_path / "turned.osim").write_text(turned)
    study = tmp_path / "scaling.toml"
    study.write_text(
        HEAD.replace("builtin:planar_gait", "turned.osim").replace(
            "[person]", "generic_height_m = 1.8\n[person]"
        )
    )
    with pytest.raises(InputError, match=f"(?s){message}.*turned.osim"):
        scale_verb.scale(study, tmp_path / "out")
    assert not (tmp_path / "out" / "subject.osim").exists()


@pytest.mark.parametrize("gravity", [(0.0, -9.8, 0.0), (0.0, -9.8066, 0.0), (0.1, -9.81, 0.0)])
def test_gravity_on_earth_is_none_to_speak_of(gravity):
    check_gravity(gravity, "model.osim")
