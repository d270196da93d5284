import ast
import errno
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import sspinn_opensim
from casadi_dynamics.errors import InputError
from sspinn_opensim import cli
from sspinn_opensim.cli.verbs import VERBS
from sspinn_opensim.interruption import Interrupted
from sspinn_opensim.study import examples_folder

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
    stand = SimpleNamespace(calls=[], error=None, result=None)

    def stand_in(verb):
        def call(progress=None, **settings):
            stand.calls.append((verb.name, settings))
            if stand.error is not None:
                raise stand.error
            return stand.result

        return call

    for verb in VERBS:
        module = SimpleNamespace(**{verb.function: stand_in(verb)})
        monkeypatch.setitem(sys.modules, f"sspinn_opensim.verbs.{verb.function}", module)
    unseen = SimpleNamespace(LOOKING=(), first_look=None)  # no folder here is one that a verb could use
    monkeypatch.setitem(sys.modules, "sspinn_opensim.verbs.inputs", unseen)
    return stand


def functions(repository, verb):
    """Return the functions of a verb's module by name, read and not imported."""
    source = (repository / "sspinn_opensim" / "verbs" / f"{verb.function}.py").read_text(encoding="utf-8")
    return {n.name: n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)}


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_a_verb_is_a_function_of_its_name_in_a_module_of_its_name(repository, verb):
    function = functions(repository, verb)[verb.function]
    taken = {argument.arg for argument in function.args.args + function.args.kwonlyargs}
    if verb.takes is None:
        assert {option.name for option in verb.options if "." not in option.name} <= taken
    assert function.returns is not None, "what it returns is what is printed"


@pytest.mark.parametrize(
    ("verb", "then", "more"),
    [
        ("scale", "train", []),
        ("train", "estimate", ["--steps", "6", "--seeds", "0,1"]),
        ("estimate", "muscles", ["--steps", "6", "--sensors", "FT"]),
        ("muscles", "evaluate", ["--steps", "6"]),
    ],
)
def test_a_stage_says_which_follows_and_takes_its_changes(verb, then, more, fake, tmp_path, capsys):
    study = str(examples_folder() / "demo.toml")
    assert cli.main([verb, study, "--out", str(tmp_path / "a b"), *more]) == 0
    said = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("next: "))
    words = shlex.split(said.removeprefix("next: ").partition(", which")[0])
    assert words == ["sspinn", then, study, "--out", str(tmp_path / "a b"), *more]
    assert "--steps" not in more or fake.calls[-1][1]["study"].training.steps == 6


def test_muscles_of_a_laboratory_take_no_changes_of_a_study(tmp_path, capsys):
    files = [str(tmp_path / name) for name in ("model.osim", "walk.mot")]
    words = ["muscles", *files, "--no-external-loads", "--out", str(tmp_path), "--steps", "6"]
    assert cli.main(words) == 2 and "--steps" in capsys.readouterr().err


def test_every_module_of_a_verb_is_in_the_table(repository):
    """What is no verb is what several verbs share, or a part of one."""
    shared = {"__init__", "axes", "inputs", "laboratory_muscles", "on_study", "prepared"}
    shared |= {"recording_check", "stream_ends", "stream_learning", "stream_parts", "stream_start"}
    shared |= {"trial_of_folder", "vendor_files"}
    modules = {path.stem for path in (repository / "sspinn_opensim" / "verbs").glob("*.py")}
    assert modules - shared == {verb.function for verb in VERBS}


@pytest.mark.usefixtures("fake")
def test_a_verb_is_told_what_the_first_look_saw(study, tmp_path, monkeypatch):
    seen, told = {"walk": object()}, []
    looking = SimpleNamespace(LOOKING=("run",), first_look=lambda *_, **__: seen)
    monkeypatch.setitem(sys.modules, "sspinn_opensim.verbs.inputs", looking)
    verb = SimpleNamespace(run=lambda inputs=None, **_: told.append(inputs))
    monkeypatch.setitem(sys.modules, "sspinn_opensim.verbs.run", verb)
    assert cli.main(["run", str(study), "--out", str(tmp_path / "results")]) == 0
    assert told == [seen]


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_calls_its_verb(stage, study, fake, tmp_path, capsys):
    fake.result = "what came of it"
    assert cli.main([stage, str(study), "--out", str(tmp_path / "results")]) == 0
    ((called, settings),) = fake.calls
    given = settings.pop("study")
    assert called == stage and settings.pop("out") == tmp_path / "results"
    assert (given if isinstance(given, Path) else given.path) == study
    own = {"run": {"restart": False, "strict": False}, "train": {"restart": False}}
    own["estimate"] = {"strict": False, "network": None}
    own["muscles"] = {"workers": None, "fast": False, "whole": False}
    assert settings == own.get(stage, {})
    assert capsys.readouterr().out.splitlines()[0] == "what came of it"


def test_a_verb_that_finds_faults_ends_with_status_1(fake, tmp_path):
    fake.result = SimpleNamespace(ok=False)
    assert cli.main(["open", str(tmp_path)]) == 1
    fake.result = SimpleNamespace(ok=True)
    assert cli.main(["open", str(tmp_path)]) == 0


@pytest.mark.parametrize("stage", ["run", "estimate"])
def test_a_result_that_states_its_exit_status_ends_with_it(stage, study, fake, tmp_path):
    fake.result = SimpleNamespace(exit_status=3)
    assert cli.main([stage, str(study), "--out", str(tmp_path / "results"), "--strict"]) == 3
    ((_, settings),) = fake.calls
    assert settings["strict"]


def test_overrides_reach_the_verb(study, fake, tmp_path):
    arguments = ["--steps", "7", "--seeds", "4,5", "--restart"]
    assert cli.main(["train", str(study), "--out", str(tmp_path), *arguments]) == 0
    ((_, settings),) = fake.calls
    training = settings["study"].training
    assert (training.steps, training.seeds, settings["restart"]) == (7, (4, 5), True)


@pytest.mark.parametrize("stage", ["run", "train", "estimate", "evaluate"])
def test_sensors_of_the_command_line_are_chosen(stage, study, fake, tmp_path, capsys):
    study.write_text(
        STUDY + '[sensors.foot_l]\nimu_frame = "foot_l_imu"\n[sensors.b]\nimu_frame = "foot_r_imu"\n'
    )
    for chosen, names in (("F", ["foot_l", "b"]), ("pelvis,b", ["pelvis", "b"]), ("b", ["b"])):
        fake.calls.clear()
        assert cli.main([stage, str(study), "--out", str(tmp_path), "--sensors", chosen]) == 0
        assert [sensor.name for sensor in fake.calls[0][1]["study"].sensors] == names
    assert cli.main([stage, str(study), "--out", str(tmp_path), "--sensors", "FT"]) == 2
    message = capsys.readouterr().err
    assert "sensor on the left thigh" in message and "--sensors" in message


def test_ablate_gets_terms_and_overrides(study, fake, tmp_path):
    arguments = ["--terms", "torque,trunk", "--steps", "7", "--seeds", "0,1,2", "--sensors", "pelvis"]
    assert cli.main(["ablate", str(study), "--out", str(tmp_path), *arguments, "--restart"]) == 0
    assert cli.main(["ablate", str(study), "--out", str(tmp_path)]) == 0
    (_, settings), (_, plain) = fake.calls
    read = settings.pop("study")
    assert (read.training.steps, read.training.seeds) == (7, (0, 1, 2))
    assert settings == {"out": tmp_path, "terms": ("torque", "trunk"), "restart": True}
    assert (plain["terms"], plain["restart"]) == (None, False)


def test_adapt_has_steps_of_its_own(study, fake, tmp_path):
    arguments = ["--from", "cohort", "--steps", "0", "--seeds", "3"]
    assert cli.main(["adapt", str(study), "--out", str(tmp_path), *arguments]) == 0
    ((_, settings),) = fake.calls
    assert settings.pop("study").training.seeds == (3,)
    assert settings == {"source": Path("cohort"), "out": tmp_path, "steps": 0, "restart": False}


def test_simulate_imu_gets_the_settings_that_were_typed(fake, tmp_path):
    arguments = ["a.osim", "walk.mot", "--out", str(tmp_path), "--height", "1.7", "--seed", "3"]
    assert cli.main(["simulate-imu", *arguments]) == 0
    ((_, settings),) = fake.calls
    assert settings.pop("changes") == {"study.height_m": 1.7, "seed": 3}
    assert settings == {
        "model": Path("a.osim"),
        "motion": Path("walk.mot"),
        "out": tmp_path,
        "settings": None,
        "perfect": False,
    }


def test_convert_takes_a_model(fake, tmp_path):
    model = tmp_path / "model.osim"
    assert cli.main(["convert", str(model), "--out", str(tmp_path)]) == 0
    assert fake.calls[0][1] == {"study": model, "out": tmp_path}


def test_demo(fake, tmp_path):
    assert cli.main(["demo", "--out", str(tmp_path)]) == 0
    assert fake.calls == [("demo", {"out": tmp_path})]


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


def test_a_file_that_may_not_be_read_is_told_so(study, fake, tmp_path, capsys, monkeypatch):
    fake.error = PermissionError(errno.EACCES, "Permission denied", str(study))
    monkeypatch.setattr(os, "access", lambda path, mode: mode == os.F_OK)
    assert cli.main(["estimate", str(study), "--out", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert "chmod u+rX" in message and "--out" not in message


def test_names_with_accents_work_under_a_locale_that_has_none(tmp_path, repository):
    """As in queues and containers, whose locale is often that of plain C."""
    folder = tmp_path / "r\u00e9sultats"
    folder.mkdir()
    plain = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-m", "sspinn_opensim", "open", str(folder)]
    done = subprocess.run(
        command, cwd=repository, env=os.environ | plain, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "holds nothing for OpenSim" in done.stderr and "r\u00e9sultats" in done.stderr


def test_a_reader_of_the_output_that_is_gone_is_no_error_of_a_file(repository):
    """As in ``sspinn doctor | head -1``."""
    command = [sys.executable, "-m", "sspinn_opensim", "doctor"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=repository, stdout=pipe, stderr=pipe, text=True) as running:
        assert running.stdout and running.stderr
        running.stdout.close()
        said = running.stderr.read()
    assert running.returncode == 128 + signal.SIGPIPE and not said


@pytest.mark.parametrize("trusted", [True, False])
def test_what_is_not_to_be_trusted_leads_to_no_next_stage(study, fake, tmp_path, capsys, trusted):
    fake.result = SimpleNamespace(trusted=trusted)
    assert cli.main(["estimate", str(study), "--out", str(tmp_path)]) == 0
    assert ("next: sspinn muscles" in capsys.readouterr().out) == trusted


def test_an_interruption_is_one_line(study, fake, tmp_path, capsys):
    fake.error = KeyboardInterrupt()
    assert cli.main(["train", str(study), "--out", str(tmp_path)]) == 130
    assert capsys.readouterr().err.count("\n") == 1
    fake.error = Interrupted(signal.SIGTERM)
    assert cli.main(["train", str(study), "--out", str(tmp_path)]) == 143
    assert "SIGTERM" in capsys.readouterr().err


def test_a_bug_is_not_hidden(study, fake, tmp_path):
    fake.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        cli.main(["train", str(study), "--out", str(tmp_path)])


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["rum"],
        ["run"],
        ["train", "a.toml", "--out", "b", "--seeds", "a"],
        ["train", "a.toml", "--out", "b", "--seeds", "1_0"],
        ["train", "a.toml", "--out", "b", "--seeds", "9" * 40],
        ["train", "a.toml", "--out", "b", "--steps", "1e23"],
        ["train", "a.toml", "--out", "b", "--steps", "9" * 5000],
        ["train", "a.toml", "--out", "", "--steps", "3"],
        ["train", "a.toml", "--out", "a\nb"],
        ["train", "", "--out", "b"],
        ["scale", "a.osim", "--out", "b", "--generic-height", "170"],
        ["muscles", "a.osim", "b.mot", "--out", "c", "--workers", "0"],
        ["muscles", "a.osim", "b.mot", "--out", "c", "--from", "nan"],
        ["muscles", "a.osim", "b.mot", "--out", "c", "--lowpass", "-1"],
        ["compare", "a", "b", "--shift", "1_0"],
    ],
)
def test_a_wrong_command_line_prints_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2 and "usage: sspinn" in capsys.readouterr().err


def test_a_command_without_a_verb_prints_all_verbs(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main([])
    assert caught.value.code == 2 and "run the built-in example" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["check", "a", "--height", "1,75"], "expected a number such as 1.75, found '1,75'"),
        (["run", "a", "--out", "b", "--steps", "1.5"], "expected a whole number, found '1.5'"),
        (["muscles", "a", "--out", "b", "--workers", "0"], "expected a number from 1 to 1024, found '0'"),
    ],
)
def test_what_is_no_number_is_told_apart_from_one_out_of_bounds(arguments, says, capsys):
    with pytest.raises(SystemExit):
        cli.main(arguments)
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["demo", "--steps", "20"], ("usage: sspinn demo", "'demo' does not take --steps 20\n")),
        (["compare", "a", "b", "--shfit", "1"], ("usage: sspinn compare", "did you mean 'shift'?")),
        (["compare", "a", "b", "c"], ("usage: sspinn compare", "'compare' does not take c")),
        (["rum"], ("there is no verb 'rum': did you mean 'run'?",)),
        (["new"], ("there is no verb 'new': sspinn --help lists all",)),
    ],
)
def test_unknown_words_are_refused_under_the_usage_of_their_verb(arguments, says, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    said = capsys.readouterr().err
    assert caught.value.code == 2 and all(text in said for text in says), said


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0 and sspinn_opensim.__version__ in capsys.readouterr().out


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without pipes that have names")
@pytest.mark.parametrize(
    "typed", ["muscles {0} {0} --no-external-loads --out {1}", "open {0}", "scale {0} --out {1}"]
)
def test_nothing_waits_for_a_pipe(typed, fake, tmp_path, capsys):
    pipe = tmp_path / "walk.osim"
    os.mkfifo(pipe)
    with pytest.raises(SystemExit) as ended:
        cli.main(typed.format(pipe, tmp_path / "out").split())
    assert ended.value.code == 2 and not fake.calls
    assert "is a pipe" in capsys.readouterr().err


def test_a_home_is_found_where_no_shell_looks_for_it(fake, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cli.main(["demo", "--out=~/results"]) == 0
    assert fake.calls == [("demo", {"out": tmp_path / "results"})]
    with pytest.raises(SystemExit):
        cli.main(["demo", "--out=~nobody-of-this-name/results"])
    assert "unknown user" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option", [["--speed", "1.3"], ["--generic-height", "1.8"], ["--scaled"], ["--force"]]
)
def test_what_a_study_is_written_with_is_refused_without_one(option, tmp_path, capsys):
    (tmp_path / "walk.csv").write_text("time,acc_x\n0,1\n0.01,1\n")
    assert cli.main(["check", str(tmp_path / "walk.csv"), *option]) == 2
    assert f"{option[0]}: for what?" in capsys.readouterr().err
