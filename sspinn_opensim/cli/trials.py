"""The verbs of ``sspinn`` that run OpenSim's tools on results or on a laboratory's trial."""

from __future__ import annotations

import argparse
from pathlib import Path

from casadi_dynamics.errors import InputError


def add_verbs(verbs) -> None:
    """Add `inverse-dynamics` and `joint-reactions` to the command line."""
    _add_inverse_dynamics(verbs)
    _add_joint_reactions(verbs)


def _verb(verbs, name: str, purpose: str):
    return verbs.add_parser(name, help=purpose, description=purpose[0].upper() + purpose[1:] + ".")


def _add_inverse_dynamics(verbs) -> None:
    purpose = "joint moments by OpenSim's inverse dynamics, compared with those of the estimate"
    verb = _verb(verbs, "inverse-dynamics", purpose)
    _add_trial(verb)
    verb.add_argument("--moments", type=Path, metavar="STO", help="compare with these, not with moments.sto")
    verb.add_argument("--height", type=float, metavar="M", help="of the person; default: from scaling.json")
    verb.set_defaults(handler=_inverse_dynamics)


def _inverse_dynamics(options: argparse.Namespace) -> None:
    from sspinn_opensim.verbs.inverse_dynamics import inverse_dynamics

    folder, given = _trial(options)
    inverse_dynamics(folder, **given, moments=options.moments, height_m=options.height)


def _add_joint_reactions(verbs) -> None:
    purpose = "joint contact forces by OpenSim's joint reaction analysis, from the muscle forces"
    verb = _verb(verbs, "joint-reactions", purpose)
    _add_trial(verb)
    verb.add_argument("--forces", type=Path, metavar="STO", help="of your own static optimization")
    verb.add_argument(
        "--actuators", type=Path, nargs="+", default=[], metavar="XML", help="its reserves and residuals"
    )
    verb.add_argument(
        "--joints",
        type=lambda text: tuple(text.split(",")),
        default=(),
        metavar="A,B,...",
        help="default: all",
    )
    verb.add_argument("--on", default="child", choices=("child", "parent"), help="the body acted on")
    verb.add_argument(
        "--in", default="child", dest="frame", metavar="FRAME", help="axes: child, parent, ground or a body"
    )
    verb.set_defaults(handler=_joint_reactions)


def _joint_reactions(options: argparse.Namespace) -> None:
    from sspinn_opensim.verbs.joint_reactions import Choices, joint_reactions

    folder, given = _trial(options)
    choices = Choices(options.joints, options.on, options.frame)
    joint_reactions(folder, **given, choices=choices)


def _add_trial(verb) -> None:
    """Add what names a folder of results, or a laboratory's files."""
    verb.add_argument(
        "files",
        type=Path,
        nargs="+",
        metavar="FOLDER | MODEL MOTION",
        help="results, or a laboratory's trial",
    )
    verb.add_argument("--external-loads", type=Path, metavar="XML", help="of the trial")
    verb.add_argument("--out", type=Path, metavar="FOLDER", help="for the results of a trial")
    verb.add_argument("--unit", choices=("degrees", "radians"), help="of MOTION, if it does not say")
    verb.add_argument("--lowpass", type=float, metavar="HZ", help="for the motion; 0: none; default: 6")
    verb.add_argument("--from", type=float, metavar="S", dest="from_s", help="start of the part to analyse")
    verb.add_argument("--to", type=float, metavar="S", dest="to_s", help="its end")


def _trial(options: argparse.Namespace) -> tuple[Path, dict]:
    """Return the folder of the results, and what a verb on trials takes beside it."""
    from sspinn_opensim.verbs.trial_of_folder import Laboratory, Part

    part = Part(options.from_s, options.to_s, options.lowpass)
    if len(options.files) == 1:
        return options.files[0].absolute(), {"part": part}
    if len(options.files) != 2 or options.out is None:
        raise InputError(
            "The files to analyse are not clear.",
            expected="FOLDER, or MODEL MOTION --out FOLDER",
            found=" ".join(map(str, options.files)) + ("" if options.out else " without --out"),
        )
    own = {name: getattr(options, name) for name in ("forces", "actuators") if name in options}
    own |= {"actuators": tuple(own["actuators"])} if own else {}
    laboratory = Laboratory(*options.files, options.external_loads, options.unit, **own)
    return options.out.absolute(), {"laboratory": laboratory, "part": part}
