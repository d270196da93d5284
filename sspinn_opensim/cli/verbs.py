"""The table of verbs: each with its purpose and options, and what its function takes of them.

A verb typed as ``a-b`` is the function `a_b` of the module of that name in `sspinn_opensim.verbs`. Its
options are given to it by name; a row with `takes` says otherwise.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sspinn_opensim.cli import laboratory, live, recordings
from sspinn_opensim.cli.options import (
    NONE_OR_MORE,
    OUT,
    Option,
    flag,
    folder,
    names,
    number,
    path,
    seeds,
    sensors,
)
from sspinn_opensim.settings.bounds import HEIGHT


@dataclass(frozen=True)
class Verb:
    """One row of the table.

    Attributes
    ----------
    name : str
        As it is typed.
    purpose : str
        For the help, without a capital and a full stop.
    options : tuple of Option
        In the order of the help.
    takes : callable, optional
        Returns the named arguments of the function, from the options as parsed.
    """

    name: str
    purpose: str
    options: tuple[Option, ...] = ()
    takes: Callable[[argparse.Namespace], dict[str, Any]] | None = None

    @property
    def function(self) -> str:
        """Name of the function and of its module."""
        return self.name.replace("-", "_")


_STUDY = path("study", "STUDY", "study file (.toml)")
_PEOPLE = path("study", "STUDY", "study file (.toml), or cohort file")
_STEPS = number("--steps", int, "N", "optimizer steps, instead of the study's", dest="study.steps")
_SEEDS = Option("--seeds", "instead of the study's", dest="study.seeds", type=seeds, metavar="K,K,...")
_SENSORS = Option(
    "--sensors",
    "only these: FT (feet, thighs), FS, TS, SP, F, all, or names A,B,...",
    dest="study.sensors",
    type=sensors,
    metavar="SET",
)
_OF_STUDY = (_STEPS, _SEEDS, _SENSORS)
_RESTART = flag("--restart", "train from the start, not from the last checkpoint")
_STRICT = flag("--strict", "end with status 3 if the estimate does not fit as those of good recordings do")
_SCALED = (
    number("--mass", float, "KG", "mass of the person, kg; default: the set-up's", dest="mass_kg"),
    number("--height", float, "M", "height of the person, m", dest="height_m"),
    path("--setup", "XML", "set-up of OpenSim's ScaleTool, with a static trial"),
    path("--static", "TRC", "static marker trial, instead of the set-up's"),
    path("--markers", "XML", "marker set, instead of the set-up's"),
    number(
        "--generic-height",
        float,
        "M",
        "height of whom the model fits, m",
        HEIGHT,
        dest="generic_height_m",
    ),
    Option("--name", "name of the scaled model", metavar="NAME"),
    flag("--scaled", "the model is the person's already"),
)
_SIMULATED = (
    number("--height", float, "M", "height of the person, m", dest="study.height_m"),
    number("--mass", float, "KG", "mass of the person, kg; default: the model's", dest="study.mass_kg"),
    number("--rate", float, "HZ", "rate of the recording; default: 100", dest="sampling_rate_hz"),
    number(
        "--lowpass", float, "HZ", "cut-off for the motion; default: 12, 0: none", dest="motion.lowpass_hz"
    ),
    number("--belt-speed", float, "M/S", "speed of the treadmill's belt", dest="motion.belt_speed_m_s"),
    number("--strides", int, "N", "repeat one stride of the motion N times", dest="motion.strides"),
    Option("--unit", "degrees or radians, where the motion does not say", metavar="UNIT", dest="motion.unit"),
    path("--moments", "STO", "inverse dynamics of the motion, for the reference", dest="laboratory.moments"),
    path("--external-loads", "XML", "ground forces, for the reference", dest="laboratory.external_loads"),
    number("--seed", int, "K", "seed of all errors of the sensors; default: 0", dest="seed"),
)


def _scale(options: argparse.Namespace) -> dict[str, Any]:
    return {"study": laboratory.scaling(options, [option.name for option in _SCALED]), "out": options.out}


def _simulate_imu(options: argparse.Namespace) -> dict[str, Any]:
    given = {option.name: getattr(options, option.name) for option in _SIMULATED}
    changes = {key: value for key, value in given.items() if value is not None}
    own = ("model", "motion", "out", "settings", "perfect")
    return {name: getattr(options, name) for name in own} | {"changes": changes}


def _check(options: argparse.Namespace) -> dict[str, Any]:
    own = ("path", "out", "where", "recorded_rate_hz", "options", "as_json")
    return {name: getattr(options, name) for name in own} | {"new_study": recordings.new_study(options)}


VERBS = (
    Verb("run", "all stages, from the study to the report", (_PEOPLE, OUT, *_OF_STUDY, _RESTART, _STRICT)),
    Verb(
        "check",
        "say what is in a recording and what is wrong with it; write a study of a vendor's files",
        recordings.CHECK,
        _check,
    ),
    Verb(
        "scale",
        "scale the generic model to the person (OpenSim)",
        (
            path(
                "study",
                "STUDY",
                "study or cohort file (.toml), model (.osim), or set-up of OpenSim's ScaleTool (.xml)",
            ),
            OUT,
            *_SCALED,
        ),
        _scale,
    ),
    Verb(
        "convert",
        "convert the scaled model to functions with gradients and check them",
        (path("study", "STUDY", "study file (.toml), or a model (.osim)"), OUT),
    ),
    Verb(
        "train",
        "train the network on the IMU signals; goes on from its last checkpoint",
        (_PEOPLE, OUT, *_OF_STUDY, _RESTART),
    ),
    Verb(
        "estimate",
        "write kinematics, moments and ground forces",
        (
            _PEOPLE,
            OUT,
            Option(
                "--network",
                "builtin: the network that is shipped, as it is; needs no scaling and no training before. "
                "One of another recording: sspinn adapt --from FOLDER --steps 0, then estimate",
                choices=("builtin",),
            ),
            *_OF_STUDY,
            _STRICT,
        ),
    ),
    Verb(
        "muscles",
        "static optimization on those files, or on a laboratory's own (OpenSim)",
        (*laboratory.MUSCLES, *_OF_STUDY),
        laboratory.muscles,
    ),
    Verb("evaluate", "compare with the reference and write the report", (_PEOPLE, OUT, *_OF_STUDY)),
    Verb(
        "adapt",
        "fit the network of a cohort, or the built-in one, to a new person's recording",
        (
            path("study", "STUDY", "study file (.toml) of the person"),
            path(
                "--from",
                "FOLDER",
                "results of the cohort, or builtin: the network that is shipped",
                dest="source",
                required=True,
            ),
            OUT,
            number("--steps", int, "N", "optimizer steps; 0: the network as it is", NONE_OR_MORE),
            _SEEDS,
            _SENSORS,
            _RESTART,
        ),
    ),
    Verb(
        "ablate",
        "train again with each loss term off in turn, and compare",
        (
            _STUDY,
            OUT,
            Option("--terms", "terms to switch off; default: all", type=names, metavar="A,B,..."),
            *_OF_STUDY,
            flag("--restart", "train all of them from the start"),
        ),
    ),
    Verb(
        "simulate-imu",
        "write the recording that IMUs on a model would make of a motion, with a study to run",
        (
            path("model", "MODEL", "model (.osim)"),
            path("motion", "MOTION", "its coordinates (.mot or .sto)"),
            OUT,
            path("--settings", "TOML", "all settings; see docs/simulation.md"),
            flag("--perfect", "sensors without any error"),
            *_SIMULATED,
        ),
        _simulate_imu,
    ),
    Verb(
        "stream",
        "estimate while the person moves: LSL or UDP in, LSL, UDP and files out",
        (_STUDY, OUT, *live.STREAM),
        live.stream,
    ),
    Verb(
        "replay",
        "send the recording of a study as its sensors would: an LSL outlet, or UDP",
        (_STUDY, *live.REPLAY),
    ),
    Verb(
        "export",
        "write the trained network and the body as an ONNX file, to run without torch and CasADi",
        (
            path("folder", "FOLDER", "results of a training"),
            path("--out", "FILE", "default: estimator.onnx", default=Path("estimator.onnx")),
            number("--seed", int, "K", "of the training; default: 0", NONE_OR_MORE, default=0),
        ),
    ),
    Verb(
        "locate-sensors",
        "find where each sensor sits on its body, by the network that a run left in --out",
        (
            _STUDY,
            OUT,
            Option("--segments", "unknown: also the bodies", choices=("given", "unknown"), default="given"),
            path("--network", "FOLDER", "results of another training, with known sensors"),
        ),
    ),
    Verb(
        "opensense",
        "angles by OpenSim's own OpenSense on the model of a run in --out: no training, no forces",
        (_STUDY, OUT, _SENSORS),
    ),
    Verb(
        "open",
        "print what to do with a results folder in OpenSim's GUI, and what changed since it was written",
        (
            path("folder", "FOLDER", "results, or any folder of OpenSim files"),
            flag("--check", "also let OpenSim read every table and set-up"),
        ),
    ),
    Verb(
        "compare",
        "compare two results folders, or two .mot or .sto files, column by column",
        (
            path("a", "A", "folder or file that B is held against"),
            path("b", "B", "folder or file"),
            folder("--out", "default: comparison", default=Path("comparison")),
            path("--model", "OSIM", "says which coordinates turn, for two files"),
            number("--shift", float, "S", "s to add to the times of B", dest="shift_s", default=0.0),
        ),
    ),
    Verb(
        "inverse-dynamics",
        "joint moments by OpenSim's inverse dynamics, compared with those of the estimate",
        laboratory.INVERSE_DYNAMICS,
        laboratory.inverse_dynamics,
    ),
    Verb(
        "joint-reactions",
        "joint contact forces by OpenSim's joint reaction analysis, from the muscle forces",
        laboratory.JOINT_REACTIONS,
        laboratory.joint_reactions,
    ),
    Verb(
        "demo",
        "run the built-in example",
        (folder("--out", "default: demo_results", default=Path("demo_results")),),
    ),
    Verb("doctor", "print versions, what is missing, and the fix"),
)
