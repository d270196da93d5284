"""Command line: ``python -m casadi_dynamics verify MODEL.osim [--reference FILE.npz] [--json]``."""

from __future__ import annotations

import argparse
import json
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Model
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.opensim_process.temporary import temporary_folder
from casadi_dynamics.opensim_process.worker.answers import model_answers
from casadi_dynamics.opensim_process.worker.models import upgrade
from casadi_dynamics.osim import is_older, read_model
from casadi_dynamics.simbody_defect import with_defect
from casadi_dynamics.symbolic import build
from casadi_dynamics.symbolic.moment_arms import muscle_spans
from casadi_dynamics.verify import answer_sensors, compare, states_left_out

#: Largest relative error that is still rounding.
LARGEST_ERROR = 1e-9

_TIMEOUT_S = 300
_SAMPLES = 20
_EPILOG = "exit status: 0 all quantities agree, 1 some quantity differs, 2 nothing could be compared"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    options = build_parser().parse_args(arguments)
    try:
        with temporary_folder("verify") as folder:
            report = _verify(options, Path(folder))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(report) if options.json else _as_text(options, report))
    return 0 if report["max_relative_error"] <= LARGEST_ERROR else 1


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m casadi_dynamics", description="OpenSim models as exact symbolic functions."
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="verb")
    verify = verbs.add_parser(
        "verify",
        help="compare a model's functions with OpenSim's answers",
        description="Compare every quantity with stored answers, or with OpenSim at random states.",
        epilog=_EPILOG,
    )
    verify.add_argument("model", type=Path, metavar="MODEL.osim", help="model file")
    verify.add_argument(
        "--reference",
        type=Path,
        metavar="FILE.npz",
        help="stored answers; without it a live OpenSim is asked at fresh random states",
    )
    verify.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _verify(options: argparse.Namespace, folder: Path) -> dict:
    """Compare, and return what is printed."""
    file, seed = options.model, None
    if is_older(file):
        file = folder / "upgraded.osim"
        arguments = {"model": options.model, "output": file}
        run_job(upgrade, arguments, timeout_s=_TIMEOUT_S, outputs=[file])
    model = read_model(file)
    if options.reference is None:
        seed = int(np.random.SeedSequence().generate_state(1)[0])
        answers = _live_answers(file, model, seed, folder / "answers.npz")
    else:
        answers = _stored_answers(options.reference)
    errors, defect, left_out = _errors(model, answers)
    return {
        "model": model.name,
        "reference": "live OpenSim" if options.reference is None else str(options.reference),
        "seed": seed,
        "upgraded_by_opensim": file != options.model,
        "simbody_defect_added_in": list(defect),
        "states_left_out": left_out,
        "max_relative_error": max(errors.values()),
        "quantities": errors,
    }


def _errors(model: Model, answers) -> tuple[dict[str, float], tuple[str, ...], dict[str, int]]:
    functions, defect = with_defect(build(model, answer_sensors(model, answers)))
    errors = compare(model, functions, answers)
    if not errors:
        raise InputError(
            "The answers hold no quantity that could be compared.",
            expected="arrays such as body_p, tau or M",
            found=", ".join(answers) or "no array",
            fix="use answers of this model, or leave --reference out",
        )
    # JSON has no infinity; a quantity that is not a number at all is as wrong as the largest one.
    bounded = {name: min(error, sys.float_info.max) for name, error in errors.items()}
    return bounded, defect, states_left_out(functions, answers)


def _live_answers(file: Path, model: Model, seed: int, output: Path) -> dict[str, np.ndarray]:
    arguments = {"model": file, "samples": _SAMPLES, "seed": seed, "output": output}
    arguments["spans"] = muscle_spans(model)
    run_job(model_answers, arguments, timeout_s=_TIMEOUT_S, outputs=[output])
    return _stored_answers(output)


def _stored_answers(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            answers = dict(stored)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        raise InputError(
            "The reference cannot be read.",
            where=str(path),
            expected="an .npz file with arrays by name",
            found=str(error) or type(error).__name__,
            fix="name a file of stored answers, or leave --reference out",
        ) from None
    missing = [name for name in ("coord_names", "q", "qd", "qdd") if name not in answers]
    if missing:
        raise InputError(
            f"The reference has no array '{missing[0]}'.",
            where=str(path),
            expected="coord_names, q, qd, qdd and answers of OpenSim",
            found=", ".join(answers) or "no array",
            fix="name a file of stored answers, or leave --reference out",
        )
    return answers


def _as_text(options: argparse.Namespace, report: dict) -> str:
    errors = report["quantities"]
    width = max(map(len, errors))
    against = report["reference"] + (f" (seed {report['seed']})" if report["seed"] is not None else "")
    lines = [f"{options.model} against {against}", "largest error relative to the quantity's largest value:"]
    for name, error in sorted(errors.items(), key=lambda item: -item[1]):
        mark = "" if error <= LARGEST_ERROR else f"  above {LARGEST_ERROR:g}"
        lines.append(f"  {name:<{width}}  {error:.1e}{mark}")
    if report["upgraded_by_opensim"]:
        lines.append("OpenSim upgraded the file to its newest version first; that file was compared.")
    if report["simbody_defect_added_in"]:
        joints = ", ".join(report["simbody_defect_added_in"])
        lines.append(
            f"Simbody's known error in angular accelerations across {joints}, where one coordinate turns "
            "several axes, was added to our exact values for this comparison only."
        )
    for force, states in report["states_left_out"].items():
        lines.append(
            f"force {force}: {states} states were left out, where two of its surfaces part too fast to push: "
            "there Simbody forgets the force's other contacts."
        )
    agrees = report["max_relative_error"] <= LARGEST_ERROR
    lines.append("agrees with OpenSim" if agrees else "DOES NOT AGREE with OpenSim")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
