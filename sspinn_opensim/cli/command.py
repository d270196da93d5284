"""The command ``sspinn``: parse, call a workflow, print.

Exit status: 0 done, 1 `doctor` found something missing, 2 wrong input or a file that cannot be written, 130
interrupted. Workflows are imported when a verb runs, so that ``--help`` and ``doctor`` answer even where a
library is broken.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from casadi_dynamics.errors import InputError
from sspinn_opensim import __version__
from sspinn_opensim.cli import trials
from sspinn_opensim.cli.console import Screen
from sspinn_opensim.cli.muscles import add_muscles
from sspinn_opensim.study import ScalingStudy, Study, override, read_scaling, read_study
from sspinn_opensim.study.cohort import CohortStudy, is_cohort, read_cohort
from sspinn_opensim.study.sensor_sets import ALL, PRESETS

_DESCRIPTION = "Joint angles, moments, ground forces and muscle forces from IMUs, for OpenSim models."
_EPILOG = (
    "Start with: sspinn demo. A study file names model, person, recording and sensors; see docs/study.md."
)
_STAGES = {
    "run": "all stages, from the study to the report",
    "scale": "scale the generic model to the person (OpenSim)",
    "convert": "convert the scaled model to functions with gradients and check them",
    "train": "train the network on the IMU signals; goes on from its last checkpoint",
    "estimate": "write kinematics, moments and ground forces",
    "muscles": "static optimization on those files, or on a laboratory's own (OpenSim)",
    "evaluate": "compare with the reference and write the report",
}
_WITH_OVERRIDES = ("run", "train", "estimate", "evaluate")
_WITH_RESTART = ("run", "train")
_FOR_COHORTS = ("run", "scale", "train", "estimate", "evaluate")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Command line after the name of the program; default: that of the process.

    Returns
    -------
    int
        Exit status.
    """
    options = build_parser().parse_args(arguments)
    try:
        options.screen = Screen()
        with options.screen.attached():
            return options.handler(options) or 0
    except InputError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(_explain(error))
    except KeyboardInterrupt:
        print(
            "Interrupted. What is written is complete; the same command goes on from there.", file=sys.stderr
        )
        return 130


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="sspinn", description=_DESCRIPTION, epilog=_EPILOG)
    parser.add_argument("--version", action="version", version=f"sspinn {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for stage, purpose in _STAGES.items():
        _add_stage(verbs, stage, purpose)
    _add_adapt(verbs)
    _add_ablate(verbs)
    _add_simulate_imu(verbs)
    _add_locate_sensors(verbs)
    _add_open(verbs)
    _add_compare(verbs)
    trials.add_verbs(verbs)
    demo = verbs.add_parser("demo", help="run the built-in example", description="Run the built-in example.")
    demo.add_argument(
        "--out", type=Path, default=Path("demo_results"), metavar="FOLDER", help="default: %(default)s"
    )
    demo.set_defaults(handler=_demo)
    doctor = verbs.add_parser("doctor", help="print versions, what is missing, and the fix")
    doctor.set_defaults(handler=_doctor)
    return parser


def _add_stage(verbs, stage: str, purpose: str) -> None:
    verb = verbs.add_parser(stage, help=purpose, description=purpose[0].upper() + purpose[1:] + ".")
    if stage == "muscles":
        add_muscles(verb, _read)
        return
    what = "study file (.toml)"
    if stage == "convert":
        what += ", or a model (.osim)"
    elif stage == "scale":
        what += ", cohort file, model (.osim), or set-up of OpenSim's ScaleTool (.xml)"
    elif stage in _FOR_COHORTS:
        what += ", or cohort file"
    verb.add_argument("study", type=Path, metavar="STUDY", help=what)
    verb.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder of the results")
    if stage in _WITH_OVERRIDES:
        verb.add_argument("--steps", type=int, metavar="N", help="optimizer steps, instead of the study's")
        verb.add_argument("--seeds", type=_seeds, metavar="K,K,...", help="seeds, instead of the study's")
        verb.add_argument(
            "--sensors", type=_sensors, metavar="SET", help="all, F, FT, FS, TS, SP or names: A,B,..."
        )
    if stage in _WITH_RESTART:
        verb.add_argument(
            "--restart", action="store_true", help="train from the start, not from the last checkpoint"
        )
    if stage == "convert":
        verb.add_argument(
            "--paths", action="store_true", help="also fit the muscles that wrap around surfaces (minutes)"
        )
    verb.set_defaults(handler=_stage, stage=stage)
    if stage == "scale":
        _add_scaling(verb)


#: Option of `scale` with a model -> field of `scale.Options`, type, unit and purpose.
_SCALING = {
    "--mass": ("mass_kg", float, "KG", "mass of the person, kg; default: the set-up's"),
    "--height": ("height_m", float, "M", "height of the person, m"),
    "--setup": ("setup", Path, "XML", "set-up of OpenSim's ScaleTool, with a static trial"),
    "--static": ("static", Path, "TRC", "static marker trial, instead of the set-up's"),
    "--markers": ("markers", Path, "XML", "marker set, instead of the set-up's"),
    "--generic-height": ("generic_height_m", float, "M", "height of a person the model fits as it is, m"),
    "--name": ("name", str, "NAME", "name of the scaled model"),
}


def _add_scaling(verb) -> None:
    group = verb.add_argument_group("with a model or a set-up, instead of a study")
    for option, (field, kind, unit, what) in _SCALING.items():
        group.add_argument(option, dest=field, type=kind, metavar=unit, help=what)
    group.add_argument("--scaled", action="store_true", help="the model is the person's already")
    verb.set_defaults(handler=_scale)


def _scale(options: argparse.Namespace) -> None:
    given = {field: getattr(options, field) for field, *_ in _SCALING.values()} | {"scaled": options.scaled}
    given = {field: value for field, value in given.items() if value}
    kind, out = options.study.suffix.lower(), options.out.absolute()
    if kind in (".osim", ".xml"):
        from sspinn_opensim.verbs import scale

        own = {"model" if kind == ".osim" else "setup": options.study}
        if kind == ".xml" and "setup" in given:
            what = "Two set-ups are given."
            raise InputError(
                what, found=f"{options.study} and {given['setup']}", fix="give MODEL.osim --setup XML"
            )
        scale.scale_model(scale.Options(**(given | own)), out)
        return
    if given:
        raise InputError(
            "Options that go with a model are given beside a study.",
            where=options.study,
            found=", ".join(given),
            fix="write them into the study, or give the model (.osim) instead",
        )
    study = None if is_cohort(options.study) else read_scaling(options.study)
    if isinstance(study, ScalingStudy):
        from sspinn_opensim.verbs import scale

        scale.scale_only(study, out)
    else:
        _stage(options)


def _add_adapt(verbs) -> None:
    purpose = "fit the network of a cohort to a new person's recording"
    verb = verbs.add_parser("adapt", help=purpose, description=purpose[0].upper() + purpose[1:] + ".")
    verb.add_argument("study", type=Path, metavar="STUDY", help="study file (.toml) of the person")
    verb.add_argument(
        "--from", type=Path, required=True, metavar="FOLDER", dest="source", help="results of the cohort"
    )
    verb.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder of the results")
    verb.add_argument("--steps", type=int, metavar="N", help="optimizer steps; 0: the network as it is")
    verb.add_argument("--seeds", type=_seeds, metavar="K,K,...", help="seeds, instead of the study's")
    verb.add_argument("--sensors", type=_sensors, metavar="SET", help="as for train")
    verb.add_argument("--restart", action="store_true", help="start over, not from the last checkpoint")
    verb.set_defaults(handler=_adapt)


def _adapt(options: argparse.Namespace) -> None:
    study = override(read_study(options.study, sensors=options.sensors), seeds=options.seeds)
    from sspinn_opensim.verbs.adapt import adapt

    source, out = options.source.absolute(), options.out.absolute()
    adapt(study, source, out, steps=options.steps, restart=options.restart, progress=options.screen.progress)


def _add_ablate(verbs) -> None:
    purpose = "train again with each loss term off in turn, and compare"
    verb = verbs.add_parser("ablate", help=purpose, description=purpose[0].upper() + purpose[1:] + ".")
    verb.add_argument("study", type=Path, metavar="STUDY", help="study file (.toml)")
    verb.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder of the results")
    verb.add_argument("--terms", type=_names, metavar="A,B,...", help="terms to switch off; default: all")
    verb.add_argument("--steps", type=int, metavar="N", help="optimizer steps, instead of the study's")
    verb.add_argument("--seeds", type=_seeds, metavar="K,K,...", help="seeds, instead of the study's")
    verb.add_argument("--sensors", type=_sensors, metavar="SET", help="as for train")
    verb.add_argument("--restart", action="store_true", help="train every arm from the start")
    verb.set_defaults(handler=_ablate)


def _ablate(options: argparse.Namespace) -> None:
    study = read_study(options.study, sensors=options.sensors)
    study = override(study, steps=options.steps, seeds=options.seeds)
    from sspinn_opensim.verbs.ablate import ablate

    ablate(study, options.out.absolute(), terms=options.terms, restart=options.restart)


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


#: Option of `simulate-imu` -> key of its settings that it replaces, type, unit and purpose.
_SIMULATION = {
    "--height": ("study.height_m", float, "M", "height of the person, m"),
    "--mass": ("study.mass_kg", float, "KG", "mass of the person, kg; default: the model's"),
    "--rate": ("sampling_rate_hz", float, "HZ", "rate of the recording; default: 100"),
    "--lowpass": ("motion.lowpass_hz", float, "HZ", "cut-off for the coordinates; default: 12, 0: none"),
    "--belt-speed": ("motion.belt_speed_m_s", float, "M/S", "speed of the treadmill's belt"),
    "--strides": ("motion.strides", int, "N", "repeat one stride of the motion N times"),
    "--unit": ("motion.unit", str, "UNIT", "degrees or radians, where the motion does not say"),
    "--moments": ("laboratory.moments", Path, "STO", "inverse dynamics of the motion, for the reference"),
    "--external-loads": ("laboratory.external_loads", Path, "XML", "ground forces, for the reference"),
    "--seed": ("seed", int, "K", "seed of all errors of the sensors; default: 0"),
}


def _add_simulate_imu(verbs) -> None:
    purpose = "write the recording that IMUs on a model would make of a motion, with a study to run"
    verb = verbs.add_parser("simulate-imu", help=purpose, description=purpose[0].upper() + purpose[1:] + ".")
    verb.add_argument("model", type=Path, metavar="MODEL", help="model (.osim)")
    verb.add_argument("motion", type=Path, metavar="MOTION", help="its coordinates (.mot or .sto)")
    verb.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder to write")
    verb.add_argument("--settings", type=Path, metavar="TOML", help="all settings; see docs/simulation.md")
    verb.add_argument("--perfect", action="store_true", help="sensors without any error")
    for option, (key, kind, unit, what) in _SIMULATION.items():
        verb.add_argument(option, dest=key, type=kind, metavar=unit, help=what)
    verb.set_defaults(handler=_simulate_imu)


def _simulate_imu(options: argparse.Namespace) -> None:
    from sspinn_opensim.verbs import simulate_imu as simulate

    given = {key: getattr(options, key) for key, *_ in _SIMULATION.values()}
    changes = {key: value for key, value in given.items() if value is not None}
    settings = simulate.settings_for(options.settings, changes, perfect=options.perfect)
    study = simulate.simulate_imu(options.model, options.motion, options.out.absolute(), settings)
    print(f"wrote {study}")
    print(f"next: sspinn run {study} --out {options.out / 'results'}")


def _add_locate_sensors(verbs) -> None:
    purpose = "Find where each sensor sits on its body, with a trained network left as it is."
    verb = verbs.add_parser("locate-sensors", help="find where each sensor sits", description=purpose)
    verb.add_argument("study", type=Path, metavar="STUDY", help="study file (.toml)")
    verb.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder of the results")
    verb.add_argument(
        "--segments", choices=("given", "unknown"), default="given", help="unknown: find the bodies too"
    )
    verb.add_argument(
        "--network", type=Path, metavar="FOLDER", help="results of another training, with known sensors"
    )
    verb.set_defaults(handler=_locate_sensors)


def _locate_sensors(options: argparse.Namespace) -> None:
    study = read_study(options.study)
    from sspinn_opensim.verbs.locate_sensors import locate_sensors

    network = options.network.absolute() if options.network else None
    unknown = options.segments == "unknown"
    locate_sensors(study, options.out.absolute(), segments_unknown=unknown, network=network)


def _add_open(verbs) -> None:
    purpose = "print what to do with a results folder in OpenSim's GUI, and what changed since it was written"
    verb = verbs.add_parser("open", help=purpose, description=purpose[0].upper() + purpose[1:] + ".")
    verb.add_argument("folder", type=Path, metavar="FOLDER", help="results, or any folder of OpenSim files")
    verb.add_argument("--check", action="store_true", help="also let OpenSim read every table and set-up")
    verb.set_defaults(handler=_open)


def _open(options: argparse.Namespace) -> int:
    from sspinn_opensim.verbs.open_folder import open_folder

    return 0 if open_folder(options.folder, check=options.check).in_order else 1


def _add_compare(verbs) -> None:
    purpose = "compare two results folders, or two .mot or .sto files, column by column"
    verb = verbs.add_parser("compare", help=purpose, description=purpose[0].upper() + purpose[1:] + ".")
    verb.add_argument("a", type=Path, metavar="A", help="folder or file that B is held against")
    verb.add_argument("b", type=Path, metavar="B", help="folder or file")
    verb.add_argument(
        "--out", type=Path, default=Path("comparison"), metavar="FOLDER", help="default: %(default)s"
    )
    verb.add_argument("--model", type=Path, metavar="OSIM", help="says which coordinates turn, for two files")
    verb.add_argument("--shift", type=float, default=0.0, metavar="S", help="s to add to the times of B")
    verb.set_defaults(handler=_compare)


def _compare(options: argparse.Namespace) -> None:
    from sspinn_opensim.verbs.compare import compare

    compare(options.a, options.b, options.out.absolute(), model=options.model, shift_s=options.shift)


def _seeds(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected whole numbers such as 0,1,2, found '{text}'") from None


def _sensors(text: str) -> str | tuple[str, ...]:
    """Return a known set as it is, anything else as names of sensors."""
    return text if text == ALL or text in PRESETS else _names(text)


def _stage(options: argparse.Namespace) -> None:
    if options.stage == "convert" and options.study.suffix.lower() == ".osim":
        subject: Study | CohortStudy | Path = options.study.absolute()
    else:
        subject = _read(options)
    module = "cohort" if isinstance(subject, CohortStudy) else options.stage
    verb = importlib.import_module(f"sspinn_opensim.verbs.{module}")
    settings = {name: getattr(options, name) for name in ("restart", "paths") if name in options}
    if options.stage in _WITH_RESTART:
        settings["progress"] = options.screen.progress
    getattr(verb, options.stage)(subject, options.out.absolute(), **settings)


def _read(options: argparse.Namespace) -> Study | CohortStudy:
    read = read_study
    if is_cohort(options.study):
        if options.stage not in _FOR_COHORTS:
            raise InputError(
                f"'{options.stage}' is for one person.",
                where=options.study,
                expected="a study file",
                found="a cohort file",
                fix="give one of its studies, with --out FOLDER/people/NAME",
            )
        read = read_cohort
    study = read(options.study, sensors=getattr(options, "sensors", None))
    if options.stage in _WITH_OVERRIDES:
        study = override(study, steps=options.steps, seeds=options.seeds)
    return study


def _demo(options: argparse.Namespace) -> None:
    from sspinn_opensim.verbs import run

    run.demo(options.out.absolute(), progress=options.screen.progress)


def _doctor(options: argparse.Namespace) -> int:
    from sspinn_opensim.verbs import doctor

    return doctor.main()


def _explain(error: OSError) -> str:
    """Return what to do about a file that cannot be read or written."""
    advice = {
        errno.ENOSPC: "free some space, or write to another disk with --out",
        errno.EDQUOT: "your quota is used up: free some space, or write to another disk with --out",
        errno.EACCES: "choose a folder you may write to with --out",
        errno.EPERM: "choose a folder you may write to with --out",
        errno.EROFS: "this file system is read-only: choose another folder with --out",
        errno.EEXIST: "a file is in the way: remove it, or choose another folder with --out",
        errno.ENOTDIR: "a part of this path is a file: choose another folder with --out",
    }
    where = error.filename2 or error.filename
    fix = advice.get(error.errno or 0, "check that the file exists, and the disk it is on")
    what = f"A file cannot be read or written: {error.strerror or error}."
    return str(InputError(what, where=str(where) if where else "", fix=fix))


def _fail(message: str) -> int:
    print(f"sspinn: {message}", file=sys.stderr)
    return 2
