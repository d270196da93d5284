"""Hostile things in place of every file that a command line or a study names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.hostile.planting import Plant, demo, ended, model, motion, replaced, things
from benchmarks.hostile.watch import Place


def _alone(verb: str, name: str, *more: str | Path) -> Callable[[Place], tuple[Path, list]]:
    return lambda here: (here.own / name, [verb, here.own / name, *more])


def _with_model(verb: str, name: str, *more: str) -> Callable[[Place], tuple[Path, list]]:
    def planted(here: Place) -> tuple[Path, list]:
        both = {"model.osim": model(here), "motion.mot": motion(here)}
        return both[name], [verb, *both.values(), *more]

    return planted


def _of_study(name: str, verb: str = "run", old: str = "", new: str = "") -> Callable:
    def planted(here: Place) -> tuple[Path, list]:
        study = demo(here, lambda text: ended(text.replace(old, new, 1) if old else text))
        more = ["--out", here.own / "out"] if verb != "replay" else []
        path = here.own / name
        if not path.exists() and name.endswith(".osim"):
            model(here, name)
        return path, [verb, study, *more]

    return planted


def _second(verb: str, option: str, name: str, *more: str) -> Callable:
    def planted(here: Place) -> tuple[Path, list]:
        return here.own / name, [verb, model(here), motion(here), option, here.own / name, *more]

    return planted


def _compared(here: Place) -> tuple[Path, list]:
    return here.own / "b.mot", ["compare", motion(here), here.own / "b.mot", "--out", here.own / "out"]


def _adapted(here: Place) -> tuple[Path, list]:
    return here.own / "from", [
        "adapt",
        demo(here),
        "--from",
        here.own / "from",
        "--out",
        here.own / "out",
    ]


def _set_up(here: Place) -> tuple[Path, list]:
    file = here.own / "setup.xml"
    return file, ["scale", model(here), "--setup", file, "--out", here.own / "out"]


def _out(verb: str) -> Callable:
    return lambda here: (here.own / "out", [verb, demo(here, ended), "--out", here.own / "out"])


def _below(here: Place) -> tuple[Path, list]:
    return here.own / "out", ["run", demo(here, ended), "--out", here.own / "out" / "deep"]


def _roles() -> dict[str, Callable[[Place], tuple[Path, list]]]:
    """Return the files that a command line or a study names: where each lies, and the command."""
    opts = ("--out", "out", "--no-external-loads")
    return {
        "check recording": _alone("check", "imu.csv"),
        "check recording npz": _alone("check", "imu.npz"),
        "check recording mvnx": _alone("check", "imu.mvnx"),
        "check study": _alone("check", "study.toml"),
        "run study": _alone("run", "study.toml", "--out", "out"),
        "replay study": _alone("replay", "study.toml"),
        "stream study": _alone("stream", "study.toml", "--out", "out"),
        "scale model": _alone("scale", "model.osim", "--out", "out"),
        "convert model": _alone("convert", "model.osim", "--out", "out"),
        "scale set-up": _alone("scale", "setup.xml", "--out", "out"),
        "scale --setup": _set_up,
        "open folder": _alone("open", "folder"),
        "export folder": _alone("export", "folder", "--out", "x.onnx"),
        "compare file": _compared,
        "adapt --from": _adapted,
        **{
            f"{verb} {name}": _with_model(verb, name, *opts)
            for verb in ("muscles", "inverse-dynamics", "joint-reactions")
            for name in ("model.osim", "motion.mot")
        },
        "simulate-imu model.osim": _with_model("simulate-imu", "model.osim", "--out", "out"),
        "simulate-imu motion.mot": _with_model("simulate-imu", "motion.mot", "--out", "out"),
        "simulate-imu --settings": _second("simulate-imu", "--settings", "settings.toml", "--out", "out"),
        "simulate-imu --external-loads": _second("simulate-imu", "--external-loads", "l.xml", "--out", "out"),
        "muscles --external-loads": _second("muscles", "--external-loads", "loads.xml", "--out", "out"),
        "inverse-dynamics --external-loads": _second(
            "inverse-dynamics", "--external-loads", "loads.xml", "--out", "out"
        ),
        "inverse-dynamics --moments": _second(
            "inverse-dynamics", "--moments", "m.sto", "--out", "out", "--no-external-loads"
        ),
        "joint-reactions --forces": _second(
            "joint-reactions", "--forces", "f.sto", "--out", "out", "--no-external-loads"
        ),
        "study's recording": _of_study("demo/imu.csv"),
        "study's recording, replay": _of_study("demo/imu.csv", "replay"),
        "study's reference": _of_study("demo/reference_kinematics.mot"),
        "study's ground reference": _of_study("demo/reference_grf.mot"),
        "study's model": _of_study("own.osim", old="builtin:planar_gait", new="own.osim"),
        "study's alignment": _of_study(
            "alignment.toml", old="[person]", new='[alignment]\nfile = "alignment.toml"\n\n[person]'
        ),
        "study's npz": _of_study(
            "walk.npz", old='"csv"\nfile = "demo/imu.csv"', new='"npz"\nfile = "walk.npz"'
        ),
        "run --out": _out("run"),
        "scale --out": _out("scale"),
        "run --out below": _below,
    }


def role_cases() -> Iterator[tuple[str, Plant]]:
    """Give every thing in place of every file."""
    for role, where in _roles().items():
        for thing, put in things().items():

            def plant(here: Place, where=where, put=put, thing=thing) -> Sequence[str | Path]:
                path, words = where(here)
                replaced(path, put, here, keep=thing == "endless")
                return words

            yield f"{role}: {thing}", plant
