import ast
import errno
import sys
from types import SimpleNamespace

import pytest

import sspinn_opensim
from casadi_dynamics.errors import InputError
from sspinn_opensim import cli, verbs

STUDY = """
[model]
file = "builtin:planar_gait"
[person]
height_m = 1.7
mass_kg = 70
[recording]
format = "csv"
file = "walk.csv"
[sensors.pelvis]
imu_frame = "pelvis_imu"
"""
STAGES = ("run", "scale", "convert", "train", "estimate", "muscles", "evaluate")


@pytest.fixture
def study(tmp_path):
    (tmp_path / "walk.csv").touch()
    path = tmp_path / "study.toml"
    path.write_text(STUDY)
    return path


@pytest.fixture
def fake(monkeypatch):
    """Stand in for the verbs: note what was called, or raise what a test wants."""
    calls = []
    stand = SimpleNamespace(calls=calls, error=None)

    def stand_in(stage):
        def call(*arguments, **settings):
            settings.pop("progress", None)
            calls.append((stage, arguments, settings))
            if stand.error is not None:
                raise stand.error

        return call

    for stage in (*STAGES, "demo"):
        setattr(stand, stage, stand_in(stage))
    for module in (*STAGES, "cohort"):
        monkeypatch.setitem(sys.modules, f"sspinn_opensim.verbs.{module}", stand)
        monkeypatch.setattr(verbs, module, stand, raising=False)
    return stand


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_calls_its_workflow(stage, study, fake, tmp_path):
    assert cli.main([stage, str(study), "--out", str(tmp_path / "results")]) == 0
    ((called, (read, out), settings),) = fake.calls
    assert called == stage and out == tmp_path / "results"
    assert read.person.mass_kg == 70.0
    own = {"run": "restart", "train": "restart", "convert": "paths"}
    assert settings == ({own[stage]: False} if stage in own else {})


def test_overrides_reach_the_workflow(study, fake, tmp_path):
    arguments = ["--steps", "7", "--seeds", "4,5", "--restart"]
    assert cli.main(["train", str(study), "--out", str(tmp_path), *arguments]) == 0
    ((_, (read, _), settings),) = fake.calls
    assert (read.training.steps, read.training.seeds, settings) == (7, (4, 5), {"restart": True})


@pytest.mark.parametrize("stage", ["run", "train", "estimate", "evaluate"])
def test_sensors_of_the_command_line_are_chosen(stage, study, fake, tmp_path, capsys):
    study.write_text(
        STUDY + '[sensors.foot_l]\nimu_frame = "foot_l_imu"\n[sensors.b]\nimu_frame = "foot_r_imu"\n'
    )
    for chosen, names in (("F", ["foot_l", "b"]), ("pelvis,b", ["pelvis", "b"]), ("b", ["b"])):
        fake.calls.clear()
        assert cli.main([stage, str(study), "--out", str(tmp_path), "--sensors", chosen]) == 0
        assert [sensor.name for sensor in fake.calls[0][1][0].sensors] == names
    assert cli.main([stage, str(study), "--out", str(tmp_path), "--sensors", "FT"]) == 2
    message = capsys.readouterr().err
    assert "sensor on the left thigh" in message and "--sensors" in message


def test_ablate_gets_terms_and_overrides(study, tmp_path, monkeypatch):
    calls = []
    fake = SimpleNamespace(ablate=lambda *arguments, **settings: calls.append((arguments, settings)))
    monkeypatch.setitem(sys.modules, "sspinn_opensim.verbs.ablate", fake)
    arguments = [
        "--terms",
        "torque,trunk",
        "--steps",
        "7",
        "--seeds",
        "0,1,2",
        "--sensors",
        "pelvis",
        "--restart",
    ]
    assert cli.main(["ablate", str(study), "--out", str(tmp_path), *arguments]) == 0
    assert cli.main(["ablate", str(study), "--out", str(tmp_path)]) == 0
    ((read, out), settings), (_, plain) = calls
    assert (read.training.steps, read.training.seeds, out) == (7, (0, 1, 2), tmp_path)
    assert settings == {"terms": ("torque", "trunk"), "restart": True}
    assert plain == {"terms": None, "restart": False}


def test_convert_takes_a_model(fake, tmp_path):
    model = tmp_path / "model.osim"
    assert cli.main(["convert", str(model), "--out", str(tmp_path)]) == 0
    assert fake.calls[0][1] == (model, tmp_path)


def test_demo(fake, tmp_path):
    assert cli.main(["demo", "--out", str(tmp_path)]) == 0
    assert fake.calls == [("demo", (tmp_path,), {})]


def test_a_wrong_study_is_one_clear_error(study, fake, tmp_path, capsys):
    study.write_text(STUDY.replace("mass_kg", "mass"))
    assert cli.main(["run", str(study), "--out", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert message.startswith("sspinn: Unknown key 'mass'.") and "mass_kg" in message
    assert "Traceback" not in message and fake.calls == []


def test_an_input_error_is_printed_as_it_is(study, fake, tmp_path, capsys):
    fake.error = InputError("The model has no body 'femurr'.", fix="did you mean 'femur_r'?")
    assert cli.main(["scale", str(study), "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"sspinn: {fake.error}\n"


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EACCES, "--out"),
        (errno.EROFS, "read-only"),
        (errno.EEXIST, "in the way"),
        (errno.EIO, "disk"),
    ],
)
def test_a_disk_that_refuses_is_one_clear_error(number, hint, study, fake, tmp_path, capsys):
    fake.error = OSError(number, "the system says no", "/results/grf.mot")
    assert cli.main(["estimate", str(study), "--out", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert "/results/grf.mot" in message and hint in message and "the system says no" in message


def test_an_interruption_is_one_line(study, fake, tmp_path, capsys):
    fake.error = KeyboardInterrupt()
    assert cli.main(["train", str(study), "--out", str(tmp_path)]) == 130
    assert capsys.readouterr().err.count("\n") == 1


def test_a_bug_is_not_hidden(study, fake, tmp_path):
    fake.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        cli.main(["train", str(study), "--out", str(tmp_path)])


@pytest.mark.parametrize(
    "arguments", [[], ["rum"], ["run"], ["train", "a.toml", "--out", "b", "--seeds", "a"]]
)
def test_a_wrong_command_line_prints_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2 and "usage: sspinn" in capsys.readouterr().err


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0 and sspinn_opensim.__version__ in capsys.readouterr().out


def test_every_verb_has_a_workflow(repository):
    """Read, not imported: the functions exist and take what the command line gives them."""
    for stage in STAGES:
        source = (repository / "sspinn_opensim" / "verbs" / f"{stage}.py").read_text(encoding="utf-8")
        functions = {n.name: n.args for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)}
        names = [argument.arg for argument in functions[stage].args + functions[stage].kwonlyargs]
        assert len(names) >= 2
        assert ("restart" in names) == (stage in ("run", "train")), stage
        assert ("paths" in names) == (stage == "convert"), stage
