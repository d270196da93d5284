"""Options of the verbs that take a laboratory's files as well as results, and what the verbs get of them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from casadi_dynamics.errors import InputError
from sspinn_opensim.cli.options import (
    NONE_OR_MORE,
    OF_STUDY,
    OUT,
    PROCESSES,
    Option,
    flag,
    names,
    number,
    path,
)
from sspinn_opensim.settings.bounds import HEIGHT

_UNITS = ("degrees", "radians")
_MUSCLES = "STUDY.toml; MODEL.osim MOTION.mot ...; or folders of results to compare"
_TRIALS = (
    path("--external-loads", "XML", "forces on the feet", nargs="+"),
    flag("--no-external-loads", "nothing touches the body"),
    number("--from", float, "S", "start of the part to analyse", dest="from_s", nargs="+"),
    number("--to", float, "S", "its end", dest="to_s", nargs="+"),
    number("--lowpass", float, "HZ", "for the motion; 0: none; default: 6", NONE_OR_MORE),
    Option("--unit", "of the angles, instead of what the header says", choices=_UNITS),
    flag("--no-physiology", "muscles give their force at any length and speed"),
)
MUSCLES = (
    path("files", "STUDY | MODEL MOTION... | FOLDER...", _MUSCLES, nargs="+"),
    OUT,
    number("--workers", int, "N", "processes at once; default: as many as fit", PROCESSES),
    flag("--fast", "solve here instead of in OpenSim: hundreds of times faster"),
    Option("--all", "of a study: all of it, not typical strides", action="store_true", dest="whole"),
    *_TRIALS,
)
_TRIAL = (
    path("files", "FOLDER | MODEL MOTION", "results, or a laboratory's trial", nargs="+"),
    path("--external-loads", "XML", "of the trial"),
    flag("--no-external-loads", "nothing touches the body"),
    path("--out", "FOLDER", "for the results of a trial"),
    Option("--unit", "of MOTION, if it does not say", choices=_UNITS),
    number("--lowpass", float, "HZ", "for the motion; 0: none; default: 6", NONE_OR_MORE),
    number("--from", float, "S", "start of the part to analyse", dest="from_s"),
    number("--to", float, "S", "its end", dest="to_s"),
)
INVERSE_DYNAMICS = (
    *_TRIAL,
    path("--moments", "STO", "compare with these, not with moments.sto"),
    number("--height", float, "M", "of the person; default: from scaling.json", HEIGHT, dest="height_m"),
)
JOINT_REACTIONS = (
    *_TRIAL,
    path("--forces", "STO", "of your own static optimization"),
    path("--actuators", "XML", "its reserves and residuals", nargs="+", default=()),
    Option("--joints", "default: all", type=names, default=(), metavar="A,B,..."),
    Option("--on", "the body acted on", choices=("child", "parent"), default="child"),
    Option("--in", "axes: child, parent, ground or a body", dest="frame", default="child", metavar="FRAME"),
)


def scaling(options: argparse.Namespace, own: Sequence[str]) -> object:
    """Return what `scale` scales: the options `own` say how, where a model or a set-up is given."""
    given = {name: getattr(options, name) for name in own if getattr(options, name)}
    kind = options.study.suffix.lower()
    if kind not in (".osim", ".xml"):
        if given:
            raise InputError(
                "Options that go with a model are given beside a study.",
                where=options.study,
                found=", ".join(given),
                fix="write them into the study, or give the model (.osim) instead",
            )
        return options.study
    if kind == ".xml" and "setup" in given:
        raise InputError(
            "Two set-ups are given.",
            found=f"{options.study} and {given['setup']}",
            fix="give MODEL.osim --setup XML",
        )
    from sspinn_opensim.verbs.scale import ModelScaling

    return ModelScaling(**given, **{"model" if kind == ".osim" else "setup": options.study})


def muscles(options: argparse.Namespace) -> dict[str, Any]:
    """Return what `muscles` works on, a study, trials or finished folders, and its settings."""
    first, *others = options.files
    settings: dict[str, Any] = {name: getattr(options, name) for name in ("out", "workers", "fast", "whole")}
    of_study = {name: value for name, value in vars(options).items() if name.startswith(OF_STUDY)}
    changed = [f"--{name.removeprefix(OF_STUDY)}" for name, value in of_study.items() if value is not None]
    if changed and (first.suffix.lower() == ".osim" or first.is_dir()):
        raise InputError(
            "Options that change a study are given without one.",
            where=first,
            found=", ".join(changed),
            fix="leave them out, or give the study",
        )
    if first.suffix.lower() == ".osim":
        return settings | {"study": _trials(options, first, others)}
    values = {option.typed: getattr(options, option.name) for option in _TRIALS}
    given = [name for name, value in values.items() if value is not None and value is not False]
    if given:
        raise InputError(
            "Options of a laboratory's trial are given without its model.",
            found=", ".join(given),
            fix="give MODEL.osim MOTION.mot; a study has these in [muscles] and [output]",
        )
    if all(file.is_dir() for file in options.files):
        return settings | {"study": tuple(options.files)}
    if others:
        raise InputError(
            "The files to analyse are not clear.", expected=_MUSCLES, found=" ".join(map(str, options.files))
        )
    return settings | of_study | {"study": first}


def _trials(options: argparse.Namespace, model: Path, motions: Sequence[Path]) -> object:
    if not motions:
        raise InputError("There is no motion.", expected="MODEL.osim MOTION.mot", found=str(model))
    if bool(options.external_loads) == options.no_external_loads:
        raise InputError(
            "The external loads are not clear: without them the pelvis would carry the body, in silence.",
            expected="--external-loads XML, or --no-external-loads where nothing touches the body",
        )
    from sspinn_opensim.verbs import laboratory_muscles as verb

    trials = verb.trials_of(motions, options.external_loads or (), options.from_s or (), options.to_s or ())
    settings = verb.settings_of(options.lowpass, physiology=not options.no_physiology)
    return verb.LaboratoryTrials(model, tuple(trials), settings, options.unit)


def inverse_dynamics(options: argparse.Namespace) -> dict[str, Any]:
    """Return the folder or the trial that `inverse-dynamics` works on, and its settings."""
    return _trial(options) | {"moments": options.moments, "height_m": options.height_m}


def joint_reactions(options: argparse.Namespace) -> dict[str, Any]:
    """Return the folder or the trial that `joint-reactions` works on, and its settings."""
    from sspinn_opensim.verbs.joint_reactions import Choices

    own = {"forces": options.forces, "actuators": tuple(options.actuators)}
    choices = Choices(options.joints, options.on, options.frame)
    if len(options.files) == 1:  # its muscle forces have a part and a filter already
        of_part = {"--from": options.from_s, "--to": options.to_s, "--lowpass": options.lowpass}
        own_forces = {"--forces": options.forces, "--actuators": options.actuators or None}
        _refuse_beside_folder(options, own_forces | of_part)
    return _trial(options, **own) | {"choices": choices}


def _trial(options: argparse.Namespace, **own: Any) -> dict[str, Any]:
    from sspinn_opensim.verbs.trial_of_folder import AnalysedPart, Laboratory

    part = AnalysedPart(options.from_s, options.to_s, options.lowpass)
    if len(options.files) == 1:
        if options.no_external_loads or options.external_loads:
            raise InputError(
                "External loads are given beside a folder of results, which has its own.",
                where=options.files[0],
                fix="leave them out, or give MODEL MOTION --out FOLDER",
            )
        _refuse_beside_folder(options, {"--unit": options.unit, "--out": options.out})
        return {"folder": options.files[0].absolute(), "part": part}
    if len(options.files) != 2 or options.out is None:
        raise InputError(
            "The files to analyse are not clear.",
            expected="FOLDER, or MODEL MOTION --out FOLDER",
            found=" ".join(map(str, options.files)) + ("" if options.out else " without --out"),
        )
    model, motion = options.files
    laboratory = Laboratory(
        model, motion, options.external_loads, options.unit, untouched=options.no_external_loads, **own
    )
    return {"folder": options.out, "laboratory": laboratory, "part": part}


def _refuse_beside_folder(options: argparse.Namespace, values: Mapping[str, Any]) -> None:
    """Refuse options of a laboratory's files where a folder of results is given."""
    given = [name for name, value in values.items() if value is not None]
    if given:
        raise InputError(
            "Options of a laboratory's files are given beside a folder of results.",
            where=options.files[0],
            found=", ".join(given),
            fix="leave them out, or give MODEL MOTION --out FOLDER",
        )
