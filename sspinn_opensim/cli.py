"""The command ``sspinn``: parse, call a workflow, print.

Exit status: 0 done, 1 `doctor` found something missing, 2 wrong input or a file that cannot be written, 130
interrupted. Workflows are imported when a verb runs, so that ``--help`` and ``doctor`` answer even where a
library is broken.
"""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Sequence
from pathlib import Path

from casadi_dynamics.errors import InputError
from sspinn_opensim import __version__
from sspinn_opensim.study import Study, override, read_study

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
    "muscles": "static optimization on those files (OpenSim)",
    "evaluate": "compare with the reference and write the report",
}
_WITH_OVERRIDES = ("run", "train", "estimate", "evaluate")
_WITH_RESTART = ("run", "train")


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
    what = "study file (.toml), or a model (.osim)" if stage == "convert" else "study file (.toml)"
    verb.add_argument("study", type=Path, metavar="STUDY", help=what)
    verb.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder of the results")
    if stage in _WITH_OVERRIDES:
        verb.add_argument("--steps", type=int, metavar="N", help="optimizer steps, instead of the study's")
        verb.add_argument("--seeds", type=_seeds, metavar="K,K,...", help="seeds, instead of the study's")
    if stage in _WITH_RESTART:
        verb.add_argument(
            "--restart", action="store_true", help="train from the start, not from the last checkpoint"
        )
    if stage == "convert":
        verb.add_argument(
            "--paths", action="store_true", help="also fit the muscles that wrap around surfaces (minutes)"
        )
    verb.set_defaults(handler=_stage, stage=stage)


def _seeds(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected whole numbers such as 0,1,2, found '{text}'") from None


def _stage(options: argparse.Namespace) -> None:
    if options.stage == "convert" and options.study.suffix.lower() == ".osim":
        subject: Study | Path = options.study.absolute()
    else:
        subject = _read(options)
    from sspinn_opensim import workflows

    settings = {name: getattr(options, name) for name in ("restart", "paths") if name in options}
    getattr(workflows, options.stage)(subject, options.out.absolute(), **settings)


def _read(options: argparse.Namespace) -> Study:
    study = read_study(options.study)
    if options.stage in _WITH_OVERRIDES:
        study = override(study, steps=options.steps, seeds=options.seeds)
    return study


def _demo(options: argparse.Namespace) -> None:
    from sspinn_opensim import workflows

    workflows.demo(options.out.absolute())


def _doctor(options: argparse.Namespace) -> int:
    from sspinn_opensim import doctor

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
