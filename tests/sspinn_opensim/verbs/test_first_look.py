"""What is wrong with a study or a folder is refused before anything loads or works that takes long."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import osim_models
from casadi_dynamics.errors import InputError
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.study import examples_folder, read_study
from sspinn_opensim.verbs.inputs import LOOKING, first_look

EXAMPLE = examples_folder() / "demo.toml"
PELVIS = 'imu_frame = "pelvis_imu"'
RECORDING = "demo/imu.csv"
#: What is wrong -> verb, change of the study, the recording anew, words of the refusal.
WRONG = {
    "body": ("run", (PELVIS, 'body = "pelvisx"\nposition = [0.1, 0, 0]'), None, "no body 'pelvisx'"),
    "frame": ("run", (PELVIS, 'imu_frame = "nope"'), None, "no IMU frame 'nope'"),
    "column": ("run", (PELVIS, f'{PELVIS}\nsource = "hip"'), None, "hip"),
    "cell": ("run", None, lambda rows: rows[0].replace("0", "1_0", 1), "not a number"),
    "digits": ("run", None, lambda rows: rows[0].replace("0", "\u0661", 1), "not a number"),
    "zeros": (
        "run",
        None,
        lambda rows: [re.sub(r",[^,]+", ",0", row) for row in rows],
        "every sample is zero",
    ),
    "short": ("run", None, lambda rows: rows[:50], "too short to train on"),
    "window": ("run", ("to_s = 9.9", "to_s = 99.0"), None, "output window"),
    "another mass": ("run", ("[model]", "[model]\nscaled = true"), None, "another mass than the person"),
    "scaled to another": (
        "scale",
        ("[model]", "[model]\nscaled = true"),
        None,
        "another mass than the person",
    ),
    "held coordinate": ("run", ("fixed = {", "fixed = { nope = 0.1,"), None, "nope"),
    "scaled coordinate": ("scale", ("fixed = {", "fixed = { nope = 0.1,"), None, "nope"),
    "reference": ("run", ("demo/reference_grf.mot", RECORDING), None, "no ground forces"),
    "earlier stage": ("estimate", None, None, "run sspinn scale first"),
    "loss term": (
        "run",
        ("[output]", "[training.weights]\ntrunck = 1.0\n[output]"),
        None,
        "no loss term",
    ),
    "no study": ("train", ("name", "nam"), None, "Unknown key 'nam'"),
}


def _columns(change):
    """Return rows of the demo with columns changed, each a (n,) array by its name."""
    known = np.genfromtxt(EXAMPLE.parent / RECORDING, delimiter=",", names=True)
    columns = {name: known[name] for name in known.dtype.names}
    return [",".join(f"{cell:.6f}" for cell in row) for row in np.transpose([*change(columns).values()])]


def _times(factor, pattern):
    return lambda rows: _columns(
        lambda of: {name: factor * of[name] if re.match(pattern, name) else of[name] for name in of}
    )


def _exchanged(one, other):
    names = {one: other, other: one}
    return lambda rows: _columns(
        lambda of: {name: of[re.sub(f"{one}|{other}", lambda at: names[at[0]], name)] for name in of}
    )


#: What the movement says against a sensor -> the recording anew, words of the refusal.
MOVEMENTS = {
    "turned": (_times(-1, "tibia_r_(acc_x|gyro)"), "turned by 180 degrees about the segment's y"),
    "upside down": (_times(-1, "tibia_r_acc"), "degrees off the y axis"),
    "mirrored": (_times(-1, "femur_r_acc_x"), "x of its accelerometer with the wrong sign"),
    "exchanged sides": (_exchanged("femur_r", "femur_l"), "moves like a sensor on the left thigh"),
    "exchanged segments": (_exchanged("tibia_r", "foot_r"), "moves like a sensor on the right"),
    "scale": (_times(2, "foot_r_gyro"), "turned upright by its gyroscope"),
    "all scales": (_times(1.5, ".*gyro"), "gyroscope"),
    "late": (
        lambda rows: _columns(lambda of: {n: np.roll(of[n], 6 * n.startswith("tibia_r")) for n in of}),
        "its signals come 60 ms after",
    ),
}
WRONG |= {name: ("run", None, rows, words) for name, (rows, words) in MOVEMENTS.items()}
SCRIPT = """
import json, sys
from sspinn_opensim.cli.command import main
for study, verb in json.loads(sys.argv[1]):
    out = study.replace(".toml", "_out")
    try:
        code = main([verb, study, "--out", out])
    except SystemExit as end:
        code = end.code
    print("##", code, "torch" in sys.modules, flush=True)
"""


def _write(folder, name, change, rows):
    text = EXAMPLE.read_text().replace("demo/", f"{EXAMPLE.parent.as_posix()}/demo/")
    if change is not None:
        old, new = (part.replace("demo/", f"{EXAMPLE.parent.as_posix()}/demo/") for part in change)
        assert old in text
        text = text.replace(old, new, 1)
    if rows is not None:
        head, *known = (EXAMPLE.parent / RECORDING).read_text().splitlines()
        new = rows(known)
        known[: 1 if isinstance(new, str) else None] = [new] if isinstance(new, str) else new
        own = folder / f"{name}.csv"
        own.write_text("\n".join([head, *known]) + "\n", encoding="utf-8")
        text = text.replace(f"{EXAMPLE.parent.as_posix()}/{RECORDING}", own.as_posix(), 1)
    study = folder / f"{name}.toml"
    study.write_text(text)
    return study


def test_refusals_come_before_pytorch_loads(tmp_path):
    # PyTorch alone takes a second or more: without it every refusal comes well within two.
    cases = [(str(_write(tmp_path, name, *case[1:3])), case[0]) for name, case in WRONG.items()]
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(cases)],
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    assert ran.stdout.splitlines() == ["## 2 False"] * len(WRONG), ran.stderr
    refusals = ran.stderr.split("sspinn: ")[1:]
    for (name, case), said in zip(WRONG.items(), refusals, strict=True):
        assert case[3] in said, (name, said)
    assert not list(tmp_path.glob("*_out")), "nothing is left of a folder that was not begun"


@pytest.fixture
def scaled(tmp_path, monkeypatch):
    """Return a results folder that looks as if all earlier stages were done."""
    monkeypatch.setattr("sspinn_opensim.verbs.inputs.refuse_stale", lambda *_, **__: None)
    monkeypatch.setattr("sspinn_opensim.verbs.inputs._networks", lambda *_, **__: {})
    out = tmp_path / "out"
    out.mkdir()
    shutil.copy(osim_models.path("planar_gait.osim"), ResultsFolder(out).subject)
    ResultsFolder(out).kinematics.write_text("there")
    return out


def test_every_verb_on_a_recording_looks_at_its_movement_first(tmp_path, scaled):
    study = read_study(_write(tmp_path, "study", None, _exchanged("femur_r", "femur_l")))
    for verb in set(LOOKING) - {"scale", "convert", "locate-sensors"}:
        with pytest.raises(InputError, match="moves like a sensor on the left thigh"):
            first_look(verb, study, scaled)
    first_look("locate-sensors", study, scaled)  # it asks which sensor is where


def test_only_run_and_evaluate_open_the_reference(tmp_path, scaled, monkeypatch):
    monkeypatch.setattr("sspinn_opensim.verbs.inputs.read_reference", lambda *_: pytest.fail("opened"))
    study = read_study(_write(tmp_path, "study", None, None))
    for verb in set(LOOKING) - {"run", "evaluate"}:
        first_look(verb, study, scaled)
    with pytest.raises(pytest.fail.Exception):
        first_look("run", study, scaled)


@pytest.mark.parametrize(("verb", "begins"), [("adapt", False), ("estimate", True), ("stream", True)])
def test_a_model_that_the_shipped_network_does_not_know_is_refused_before_it_is_scaled(
    verb, begins, tmp_path
):
    text = Path(osim_models.path("planar_gait.osim")).read_text()
    (tmp_path / "other.osim").write_text(
        re.sub(r'PinJoint name="\w+"', 'PinJoint name="another"', text, count=1)
    )
    model = ("builtin:planar_gait", "other.osim")
    study, out = read_study(_write(tmp_path, "study", model, None)), tmp_path / "out"
    with pytest.raises(InputError, match="does not fit this study: it knows the model") as refused:
        first_look(verb, study, out, begins=begins, shipped=True)
    assert "sspinn train" in refused.value.fix and not out.exists()
    known = read_study(_write(tmp_path, "known", None, None))
    first_look(verb, known, out, begins=begins, shipped=True)


@pytest.mark.parametrize(
    ("verb", "begins"), [("train", True), ("estimate", True), ("stream", True), ("ablate", False)]
)
def test_less_than_a_step_is_refused_before_anything_works(verb, begins, tmp_path):
    study = read_study(_write(tmp_path, "study", None, lambda rows: rows[:50]))
    with pytest.raises(InputError, match="too short to train on") as refused:
        first_look(verb, study, tmp_path / "out", begins=begins)
    assert refused.value.found == "0.5 s" and not (tmp_path / "out").exists()
    first_look(
        verb,
        read_study(_write(tmp_path, "study", None, lambda rows: rows[:60])),
        tmp_path / "out",
        begins=begins,
    )


def test_another_command_is_named_at_once(tmp_path):
    study = _write(tmp_path, "study", None, None)
    held = (
        "import sys; from pathlib import Path; from sspinn_opensim.lock import owned\n"
        "with owned(Path(sys.argv[1]), 'sspinn train'): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", held, str(tmp_path / "out")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(InputError, match="at work") as refused:
            first_look("run", read_study(study), tmp_path / "out")
        holder.communicate("")
    assert f"process {holder.pid}" in (refused.value.found or "")
