"""``sspinn muscles``: of an estimate, of a laboratory's trials, or a comparison of finished folders."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from casadi_dynamics.errors import InputError

_KINDS = "STUDY.toml; MODEL.osim MOTION.mot ...; or folders of results to compare"
#: Option -> what it takes, and its purpose.
_LABORATORY = {
    "--external-loads": ({"type": Path, "nargs": "+", "metavar": "XML"}, "forces on the feet"),
    "--no-external-loads": ({"action": "store_true"}, "nothing touches the body"),
    "--from": (
        {"type": float, "nargs": "+", "metavar": "S", "dest": "from_s"},
        "start of the part to analyse",
    ),
    "--to": ({"type": float, "nargs": "+", "metavar": "S", "dest": "to_s"}, "its end"),
    "--lowpass": ({"type": float, "metavar": "HZ"}, "for the motion; 0: none; default: 6"),
    "--unit": ({"choices": ("degrees", "radians")}, "of the angles, instead of what the header says"),
    "--no-physiology": ({"action": "store_true"}, "muscles give their force at any length and speed"),
}


def add_muscles(verb: argparse.ArgumentParser, read_study: Callable) -> None:
    """Add the arguments of the verb; `read_study` reads the study of parsed options."""
    verb.add_argument(
        "files", type=Path, nargs="+", metavar="STUDY | MODEL MOTION... | FOLDER...", help=_KINDS
    )
    verb.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder of the results")
    verb.add_argument("--workers", type=int, metavar="N", help="processes at once; default: as many as fit")
    verb.add_argument(
        "--fast", action="store_true", help="solve here instead of in OpenSim: hundreds of times faster"
    )
    group = verb.add_argument_group("with a model and motions (one value for all, or one for each motion)")
    for option, (kind, purpose) in _LABORATORY.items():
        group.add_argument(option, help=purpose, **kind)
    verb.set_defaults(handler=lambda options: _muscles(options, read_study), stage="muscles")


def _muscles(options: argparse.Namespace, read_study: Callable) -> None:
    first, *others = options.files
    out = options.out.absolute()
    if options.workers is not None and options.workers < 1:
        raise InputError(
            "--workers is no number of processes.", expected="1 or more", found=str(options.workers)
        )
    if first.suffix.lower() == ".osim":
        _of_trials(options, first, others, out)
        return
    values = {
        option: getattr(options, kind.get("dest", option[2:].replace("-", "_")))
        for option, (kind, _) in _LABORATORY.items()
    }
    given = [option for option, value in values.items() if value is not None and value is not False]
    if given:
        raise InputError(
            "Options of a laboratory's trial are given without its model.",
            found=", ".join(given),
            fix="give MODEL.osim MOTION.mot; a study has these in [muscles] and [output]",
        )
    if all(path.is_dir() for path in options.files):
        from sspinn_opensim.verbs.laboratory_muscles import compare_folders

        compare_folders(options.files, out)
    elif others:
        raise InputError(
            "The files to analyse are not clear.", expected=_KINDS, found=" ".join(map(str, options.files))
        )
    else:
        options.study = first
        study = read_study(options)
        from sspinn_opensim.verbs import muscles

        chosen = {"workers": options.workers, "fast": options.fast}
        muscles.muscles(study, out, **{key: value for key, value in chosen.items() if value})


def _of_trials(options: argparse.Namespace, model: Path, motions: list[Path], out: Path) -> None:
    if not motions:
        raise InputError("There is no motion.", expected="MODEL.osim MOTION.mot", found=str(model))
    if bool(options.external_loads) == options.no_external_loads:
        raise InputError(
            "The external loads are not clear: without them the pelvis would carry the body, in silence.",
            expected="--external-loads XML, or --no-external-loads where nothing touches the body",
        )
    from sspinn_opensim.verbs import laboratory_muscles as laboratory

    trials = laboratory.trials_of(
        motions, options.external_loads or (), options.from_s or (), options.to_s or ()
    )
    settings = laboratory.settings_of(options.lowpass, physiology=not options.no_physiology)
    laboratory.analyse_trials(
        model, trials, out, settings, unit=options.unit, workers=options.workers, fast=options.fast
    )
