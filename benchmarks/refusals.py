"""Refusals: every verb before a wrong input of each kind, and the time from a cold start to its message.

``python -m benchmarks.refusals --results FOLDER`` plants one wrong input at a time, starts the command anew,
and prints a table of CPU seconds by verb and input. FOLDER is a finished run of the demo (``--steps 6``).
``--modules`` starts nothing anew: copies of this process say instead which large libraries each refusal took.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import osim_models
from sspinn_opensim.cli import main as sspinn
from sspinn_opensim.cli.verbs import VERBS
from sspinn_opensim.study import examples_folder

Words = list[str | Path]
Plant = Callable[[Path], Words]
Made = Callable[[Path], Path]

#: Libraries that take long to load: no refusal needs one of the first two to find out.
LARGE = ("torch", "onnx", "onnxruntime", "matplotlib", "casadi", "llvmlite", "scipy", "pandas")
#: Seconds from the start to the first refusal, at most.
LATEST_S = 2.0
#: What is no refusal by then is none, s.
LONGEST_S = 30.0
#: A recording that is long to look at, s.
LONG_S = 60.0

_TRAINED = "training/seed_0/checkpoint.pt"


def _study(here: Path, old: str = "", new: str = "", more: str = "") -> Path:
    """Copy the demo; return its study with a change."""
    shutil.copytree(examples_folder() / "demo", here / "demo")
    text = (examples_folder() / "demo.toml").read_text()
    assert old in text
    (here / "study.toml").write_text(text.replace(old, new, 1) + more)
    return here / "study.toml"


def _broken(here: Path, name: str, text: str = "<OpenSimDocument") -> Path:
    (here / name).parent.mkdir(exist_ok=True)
    (here / name).write_text(text)
    return here / name


def _moved(change: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]], lasts_s: float = 0.0) -> Made:
    """Return how a study of the demo is made whose columns (n,), by their names, are changed.

    Parameters
    ----------
    lasts_s : float
        The recording goes on with its last strides for so long, s, with noise.
    """

    def made(here: Path) -> Path:
        study, file = _study(here), here / "demo/imu.csv"
        table = np.genfromtxt(file, delimiter=",", names=True)
        rows = np.array(table.tolist())
        step_s, missing = rows[1, 0] - rows[0, 0], 0
        if lasts_s:
            missing = round(lasts_s / step_s) - len(rows)
            signals = rows[-600:, 1:]
            stride = min(range(60, 300), key=lambda n: float(((signals[n:] - signals[:-n]) ** 2).mean()))
            more = np.resize(rows[-2 * stride :], (missing, rows.shape[1]))
            rows = np.concatenate([rows, more])
            rows[:, 1:] += np.random.default_rng(0).normal(0.0, 0.02, rows[:, 1:].shape)
            rows[:, 0] = step_s * np.arange(len(rows))
        assert table.dtype.names is not None
        columns = change(dict(zip(table.dtype.names, rows.T, strict=True)))
        header = ",".join(columns)
        np.savetxt(file, np.transpose([*columns.values()]), "%.6f", ",", header=header, comments="")
        return study

    return made


def _times(factor: float, pattern: str) -> Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]:
    return lambda of: {name: of[name] * (factor if re.match(pattern, name) else 1.0) for name in of}


def _exchanged(one: str, other: str) -> Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]:
    names = {one: other, other: one}
    return lambda of: {name: of[re.sub(f"{one}|{other}", lambda at: names[at[0]], name)] for name in of}


def _late(of: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.roll(of[name], 6 if name.startswith("tibia_r") else 0) for name in of}


#: What the movement in a recording says against the study.
_MOVEMENTS = {
    "sensor upside down": _times(-1.0, "tibia_r_acc"),
    "turned sensor": _times(-1.0, "tibia_r_(acc_x|gyro)"),
    "mirrored sensor": _times(-1.0, "femur_r_acc_x"),
    "sensors of two sides": _exchanged("femur_r", "femur_l"),
    "sensors of two segments": _exchanged("tibia_r", "foot_r"),
    "sensor of a wrong scale": _times(2.0, "foot_r_gyro"),
    "sensors of a wrong scale": _times(1.5, ".*gyro"),
    "late sensor": _late,
}


def _cohort(here: Path, study: Path, more: str = "") -> Path:
    (here / "cohort.toml").write_text(f'name = "all"\nmembers = ["{study.name}"]\n{more}')
    return here / "cohort.toml"


#: Wrong studies: what is changed in the demo's.
_STUDIES: dict[str, Made] = {
    "no study": lambda here: here / "study.toml",
    "no TOML": lambda here: _study(here, "[person]", "[person"),
    "an unknown key": lambda here: _study(here, "height_m", "hight_m"),
    "impossible person": lambda here: _study(here, "1.72", "172"),
    "no recording": lambda here: _study(here, "demo/imu.csv", "demo/none.csv"),
    "damaged recording": lambda here: _changed(_study(here), here / "demo/imu.csv", b"\0\0\0\0"),
    "another unit": lambda here: _study(here, '"rad/s"', '"deg/s"'),
    "unknown format": lambda here: _study(here, 'format = "csv"', 'format = "cvs"'),
    "no model": lambda here: _study(here, "builtin:planar_gait", "none.osim"),
    "damaged model": lambda here: _changed(
        _study(here, "builtin:planar_gait", "own.osim"), here / "own.osim", b"<OpenSimDocument"
    ),
    "unknown frame": lambda here: _study(here, "foot_l_imu", "foot_imu"),
    "unknown body": lambda here: _study(
        here, 'imu_frame = "foot_l_imu"', 'body = "foot"\nposition = [0.0, 0.0, 0.0]'
    ),
    "unknown coordinate": lambda here: _study(here, "lumbar_extension", "lumbar_bending"),
    "unknown loss": lambda here: _study(here, more="\n[training.weights]\nnone = 1.0\n"),
    "no alignment": lambda here: _study(here, more='\n[alignment]\nfile = "none.toml"\n'),
    "no reference": lambda here: _study(here, "reference_grf", "none"),
    "damaged reference": lambda here: _changed(_study(here), here / "demo/reference_grf.mot", b"Coordinates"),
    "late output": lambda here: _study(here, "to_s = 9.9", "to_s = 99.0"),
    **{name: _moved(change) for name, change in _MOVEMENTS.items()},
    **{f"{name}, {LONG_S:g} s": _moved(change, LONG_S) for name, change in _MOVEMENTS.items()},
}
_OF_STUDIES = (
    *("run", "check", "scale", "convert", "train", "estimate", "muscles", "evaluate", "adapt", "ablate"),
    *("opensense", "locate-sensors", "stream", "replay"),
)
#: These go on in a folder with results of earlier stages.
_GOING_ON = ("convert", "train", "estimate", "muscles", "evaluate", "opensense", "locate-sensors")
_TEXTS = {"no study", "no TOML", "an unknown key", "impossible person", "unknown format", "no model"}
_MODELS = {*_TEXTS, "damaged model", "unknown coordinate"}
#: What these verbs look at: the rest is no wrong input of theirs.
_LOOKED_AT = {
    "check": _STUDIES.keys() - {"late output", "damaged model"},
    "train": _STUDIES.keys() - {"late output", "damaged reference"},
    "adapt": _STUDIES.keys() - {"late output", "damaged reference"},
    "ablate": _STUDIES.keys() - {"late output", "damaged reference"},
    "scale": {*_MODELS, "unknown loss"},
    "convert": {*_TEXTS, "unknown loss"},
    "opensense": _STUDIES.keys() - {"late output", "no reference", "damaged reference"},
    "replay": {*_TEXTS, "no recording", "damaged recording", "no reference"},
    "stream": _STUDIES.keys() - {"late output", "damaged reference"},
    # It asks which sensor is where.
    "locate-sensors": {name for name in _STUDIES if name.split(",")[0] not in _MOVEMENTS},
}


def _changed(study: Path, file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return study


def _words(verb: str, study: Path, here: Path, source: Path | str = "builtin") -> Words:
    """Return the command line of a verb on a study."""
    more = {
        "adapt": ["--from", source],
        "stream": ["--from", "recording", "--to", "files", "--network", "builtin"],
        "replay": ["--udp", "127.0.0.1:5999"],
    }
    out = [] if verb in ("check", "replay") else ["--out", here / "out"]
    return [verb, study, *more.get(verb, []), *out]


def _repacked(checkpoint: Path, pattern: bytes, new: bytes) -> None:
    """Change the values of a checkpoint, as they are pickled."""
    with zipfile.ZipFile(checkpoint) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(checkpoint, "w") as archive:
        for name, content in members.items():
            values = name.endswith("/data.pkl")
            assert not values or re.search(pattern, content, re.DOTALL), pattern
            archive.writestr(name, re.sub(pattern, new, content, flags=re.DOTALL) if values else content)


def _endless(file: Path) -> None:
    """Let a file go on with nothing."""
    os.truncate(file, 200_000_000)


#: Wrong results folders: what is done to a finished run before a verb goes on with it.
_FOLDERS: dict[str, Callable[[Path], object]] = {
    "no results": shutil.rmtree,
    "empty results": lambda out: [shutil.rmtree(out), out.mkdir()],
    "no network": lambda out: shutil.rmtree(out / "training"),
    "damaged network": lambda out: (out / _TRAINED).write_bytes((out / _TRAINED).read_bytes()[:-100]),
    "another's network": lambda out: (out / _TRAINED).write_bytes(b"PK\3\4"),
    "unfinished network": lambda out: _repacked(out / _TRAINED, b"(finished(?:q.|r....))\x88", b"\\1\x89"),
    "another version's network": lambda out: _repacked(out / _TRAINED, b"(format(?:q.|r....)K).", b"\\1\x01"),
    "network of other settings": lambda out: _repacked(out / _TRAINED, b"(batch(?:q.|r....)K).", b"\\1\x01"),
    "network of other sensors": lambda out: _repacked(out / _TRAINED, b"foot_l", b"foot_x"),
    "no scaled model": lambda out: (out / "subject.osim").unlink(),
    "damaged scaled model": lambda out: (out / "subject.osim").write_text("<OpenSimDocument"),
    "no motion": lambda out: (out / "kinematics.mot").unlink(),
    "damaged motion": lambda out: (out / "kinematics.mot").write_text("Coordinates\n"),
    "no ground forces": lambda out: [(out / name).unlink() for name in ("grf.mot", "external_loads.xml")],
    "damaged manifest": lambda out: (out / "manifest.json").write_text("{"),
    "endless manifest": lambda out: _endless(out / "manifest.json"),
    "endless scaling report": lambda out: _endless(out / "scaling.json"),
}
_NETWORKS = (
    *("no network", "damaged network", "another's network", "unfinished network"),
    "another version's network",
)
_ON_FOLDERS = {
    "train": (
        *("no results", "empty results", "no scaled model", "damaged scaled model"),
        *("damaged network", "another version's network", "network of other settings"),
    ),
    "estimate": ("no results", *_NETWORKS, "damaged scaled model"),
    "muscles": ("no results", "no motion", "damaged motion", "damaged manifest"),
    "evaluate": ("no results", "no motion", "damaged motion"),
    "adapt": ("no results", *_NETWORKS, "network of other sensors"),
    "stream": ("no results", *_NETWORKS, "damaged scaled model"),
    "opensense": ("no results", "no scaled model", "damaged scaled model"),
    "locate-sensors": ("no results", *_NETWORKS),
    "export": (
        *("no results", "empty results", *_NETWORKS),
        *("no scaled model", "damaged scaled model"),
    ),
    "open": ("no results", "damaged manifest", "endless manifest"),
    "compare": ("no results",),
    "inverse-dynamics": ("no results", "no motion", "damaged motion", "no ground forces"),
    "joint-reactions": ("no results", "no motion", "damaged motion", "no ground forces"),
}


def _on_folder(verb: str, damage: str, results: Path) -> Plant:
    def plant(here: Path) -> Words:
        out = here / "out"
        shutil.copytree(results, out)
        _FOLDERS[damage](out)
        if verb == "export":
            return [verb, out, "--out", here / "x.onnx"]
        if verb == "compare":
            return [verb, out, results, "--out", here / "compared"]
        if verb in ("open", "inverse-dynamics", "joint-reactions"):
            return [verb, out]
        study = _study(here)
        if verb == "adapt":
            return [verb, study, "--from", out, "--out", here / "adapted"]
        if verb == "stream":
            return [verb, study, "--from", "recording", "--to", "files", "--out", out]
        return [verb, study, "--out", out, *(["--steps", "6"] if verb in ("train", "estimate") else [])]

    return plant


def _with_files(verb: str, wrong: str) -> Plant:
    """Give a laboratory's model and motion, one of them wrong."""

    def plant(here: Path) -> Words:
        model, motion = here / "model.osim", here / "motion.mot"
        shutil.copy(osim_models.path("planar_gait.osim"), model)
        shutil.copy(examples_folder() / "demo" / "reference_kinematics.mot", motion)
        simulated = verb == "simulate-imu"
        more: Words = ["--height", "1.75"] if simulated else ["--no-external-loads"]
        match wrong:
            case "no model":
                model.unlink()
            case "damaged model":
                model.write_text("<OpenSimDocument")
            case "no motion":
                motion.unlink()
            case "damaged motion":
                motion.write_text("Coordinates\n")
            case "no external loads":
                more = [*(more if simulated else []), "--external-loads", here / "none.xml"]
            case "damaged external loads":
                more = [*(more if simulated else []), "--external-loads", _broken(here, "loads.xml")]
            case "no settings":
                more += ["--settings", here / "none.toml"]
            case "impossible rate":
                more += ["--rate", "-3"]
        return [verb, model, motion, *more, "--out", here / "out"]

    return plant


_OF_FILES = ("no model", "damaged model", "no motion", "damaged motion")
_OF_LOADS = ("no external loads", "damaged external loads")
_WITH_FILES = {
    "muscles": (*_OF_FILES, *_OF_LOADS),
    "inverse-dynamics": (*_OF_FILES, *_OF_LOADS),
    "joint-reactions": _OF_FILES,
    "simulate-imu": (*_OF_FILES, *_OF_LOADS, "no settings", "impossible rate"),
}


def _alone() -> Iterator[tuple[str, str, Plant]]:
    """Give verbs with a file that is no study."""
    for verb in ("convert", "scale"):
        mass = ["--mass", "70"] if verb == "scale" else []
        yield (
            verb,
            "no model file",
            lambda here, v=verb, m=mass: [v, here / "x.osim", *m, "--out", here / "o"],
        )
        yield (
            verb,
            "damaged model file",
            lambda here, v=verb, m=mass: [v, _broken(here, "x.osim"), *m, "--out", here / "o"],
        )
    yield "scale", "damaged set-up", lambda here: ["scale", _broken(here, "x.xml"), "--out", here / "o"]
    yield "check", "no recording file", lambda here: ["check", here / "x.csv"]
    yield "check", "damaged recording file", lambda here: ["check", _broken(here, "x.csv", "a,b\n1,2\n")]
    yield (
        "compare",
        "damaged motion file",
        lambda here: ["compare", _broken(here, "a.mot"), _broken(here, "b.mot"), "--out", here / "out"],
    )
    yield "compare", "no motion file", lambda here: ["compare", here / "a.mot", here / "b.mot"]
    yield "adapt", "no source", lambda here: _words("adapt", _study(here), here, here / "none")
    yield (
        "export",
        "another name",
        lambda here: ["export", here, "--out", here / "x.txt"],
    )
    for verb in ("run", "train", "estimate", "evaluate", "scale"):
        loss = "\n[training.weights]\nnone = 1.0\n"
        yield (
            verb,
            "cohort: unknown loss",
            lambda here, v=verb, m=loss: _words(v, _cohort(here, _study(here), m), here),
        )
        for what in ("no recording", "damaged model"):
            if verb in ("scale", "evaluate") and what != "damaged model":
                continue
            yield (
                verb,
                f"cohort: {what}",
                lambda here, v=verb, w=what: _words(v, _cohort(here, _STUDIES[w](here)), here),
            )


def _of_itself(here: Path) -> Words:
    (here / "out").mkdir()
    return _words("adapt", _study(here), here, here / "out")


def _of_options() -> Iterator[tuple[str, str, Plant]]:
    """Give command lines that name what there is not, or a folder where a file lies."""
    for verb in VERBS:
        yield verb.name, "an unknown option", lambda here, v=verb.name: [v, "--nothing"]
    for verb in (*_OF_STUDIES, "demo"):
        if verb not in ("check", "replay"):

            def plant(here: Path, verb: str = verb) -> Words:
                _broken(here, "out")
                return ["demo", "--out", here / "out"] if verb == "demo" else _words(verb, _study(here), here)

            yield verb, "a file for --out", plant
    wrong = (
        ("run", "sensor", "--sensors", "none"),
        ("train", "number of steps", "--steps", "0"),
        ("ablate", "loss term", "--terms", "none"),
        ("locate-sensors", "other results", "--network", "none"),
        ("replay", "address", "--udp", "nowhere"),
        ("stream", "address", "--listen", "nowhere"),
        # An address that no machine has: kept for documentation, RFC 5737.
        ("stream", "address to listen at", "--from", "udp", "--listen", "192.0.2.1:5005"),
        ("stream", "address of a page", "--view", "--view-host", "192.0.2.1"),
    )
    for verb, what, *more in wrong:
        yield verb, f"impossible {what}", lambda here, v=verb, m=more: [*_words(v, _study(here), here), *m]
    yield "adapt", "its own results", _of_itself


def all_cases(results: Path) -> Iterator[tuple[str, str, Plant]]:
    """Give the verb, the name and the plant of every wrong input."""
    for verb in _OF_STUDIES:
        for name, made in _STUDIES.items():
            if name in _LOOKED_AT.get(verb, _STUDIES):

                def plant(here: Path, verb: str = verb, made: Callable = made) -> Words:
                    if verb in _GOING_ON:
                        shutil.copytree(results, here / "out")
                    return _words(verb, made(here), here)

                yield verb, name, plant
    for verb, damages in _ON_FOLDERS.items():
        for damage in damages:
            yield verb, damage, _on_folder(verb, damage, results)
    for verb, wrongs in _WITH_FILES.items():
        for wrong in wrongs:
            yield verb, wrong, _with_files(verb, wrong)
    yield from _alone()
    yield from _of_options()


def cold(words: list[str], here: Path) -> tuple[int, str, float, float]:
    """Start a command anew; return its status, what it said, and the wall and CPU time it took, s."""
    log = here.parent / "said.txt"
    # What is installed has its bytecode.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.monotonic()
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "sspinn_opensim", *words],
            cwd=here,
            stdout=said,
            stderr=said,
            env=environment,
        )
        guard = threading.Timer(LONGEST_S, process.kill)
        guard.start()
        _, status, usage = os.wait4(process.pid, 0)
        guard.cancel()
    wall_s = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, log.read_text(), wall_s, usage.ru_utime + usage.ru_stime


def loaded(words: list[str], here: Path) -> tuple[int, str, list[str]]:
    """Run a command in a copy of this process; return its status, what it said, and which of `LARGE` it took.

    Copies share what this process has loaded, which is what every command needs.
    """
    answer = here.parent / "answer.json"
    answer.write_text(json.dumps([-9, "", []]))
    if (child := os.fork()) == 0:
        signal.alarm(int(LONGEST_S))
        status, said = 70, io.StringIO()
        try:
            os.chdir(here)
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                status = sspinn(words)
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        finally:
            answer.write_text(json.dumps([status, said.getvalue(), [n for n in LARGE if n in sys.modules]]))
            os._exit(0)
    os.waitpid(child, 0)
    status, text, large = json.loads(answer.read_text())
    return status, text, large


def main(arguments: list[str] | None = None) -> int:
    """Plant what the command line asks for; print a table; return 1 if a refusal was late or none came."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.refusals", description=__doc__)
    parser.add_argument("--results", type=Path, required=True, help="a finished run of the demo, --steps 6")
    parser.add_argument("--only", default="", help="cases 'VERB: INPUT' that hold this pattern")
    parser.add_argument("--modules", action="store_true", help="which libraries, instead of the time")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    if options.modules:
        importlib.import_module("sspinn_opensim.verbs.inputs")
    rows = []
    for verb, name, plant in all_cases(options.results.absolute()):
        if not re.search(options.only, f"{verb}: {name}"):
            continue
        with tempfile.TemporaryDirectory(prefix="refusals_") as temporary:
            here = Path(temporary, "own")
            here.mkdir()
            words = [str(word) for word in plant(here)]
            row = {"verb": verb, "input": name}
            if options.modules:
                status, said, large = loaded(words, here)
                row |= {"status": status, "said": said, "large": large}
            else:
                status, said, wall_s, cpu_s = cold(words, here)
                row |= {"status": status, "said": said, "wall_s": wall_s, "cpu_s": cpu_s}
        rows.append(row)
        if not options.json:
            print(_line(row), flush=True)
    if options.json:
        print(json.dumps(rows))
    # What looks for faults tells them and ends with 1.
    refused = {row["verb"]: (1, 2) if row["verb"] == "check" else (2,) for row in rows}
    wrong = [r for r in rows if r["status"] not in refused[r["verb"]] or r.get("cpu_s", 0.0) > LATEST_S]
    if not options.json:
        print(f"{len(rows)} wrong inputs, {len(wrong)} late or not refused")
    return 1 if wrong else 0


def _line(row: dict) -> str:
    figures = (
        " ".join(row["large"]) if "large" in row else f"{row['cpu_s']:5.2f} s CPU {row['wall_s']:5.2f} s"
    )
    first = next((line for line in row["said"].splitlines() if line.startswith("sspinn")), "said nothing")
    ended = "" if row["status"] == 2 else f"  STATUS {row['status']}"
    return f"{row['verb']:17s} {row['input']:25s} {figures:20s} {first[:70]}{ended}"


if __name__ == "__main__":
    sys.exit(main())
