"""A model converted to symbolic functions and compared with a live OpenSim."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError, OpenSimTimeoutError
from casadi_dynamics.model import Model
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.opensim_process.temporary import temporary_folder
from casadi_dynamics.opensim_process.worker.answers import model_answers
from casadi_dynamics.simbody_defect import with_defect
from casadi_dynamics.symbolic import build
from casadi_dynamics.symbolic.moment_arms import muscle_spans
from casadi_dynamics.verify import compare
from sspinn_opensim.anatomy import segment_of
from sspinn_opensim.files import write_json
from sspinn_opensim.opensim_io.model.gravity import gravity_doubt
from sspinn_opensim.opensim_io.model.upgraded_model import current_file, read_current
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.study import Study
from sspinn_opensim.verbs.on_study import on_study, subject_file

log = logging.getLogger(__name__)

#: Largest relative difference from OpenSim that a conversion may show; double precision leaves about 1e-14.
LARGEST_CONVERSION_ERROR = 1e-9
#: States that are compared, and the time that OpenSim has for them.
_SAMPLES, _OPENSIM_TIME_S = 10, 300


@dataclass(frozen=True)
class Conversion:
    """A converted model beside a live OpenSim.

    Attributes
    ----------
    model : Model
        As it was read, upgraded to OpenSim's newest version where it was older.
    errors : dict of str to float
        Largest relative difference from OpenSim at random states by quantity; empty where OpenSim's time was
        over before it had answered.
    defect : tuple of str
        Joints in which Simbody's known error was added for the comparison alone.
    """

    model: Model
    errors: dict[str, float]
    defect: tuple[str, ...]

    @property
    def verified(self) -> bool:
        """Whether the conversion was compared with OpenSim."""
        return bool(self.errors)

    @property
    def worst(self) -> str:
        """Quantity with the largest difference."""
        return max(self.errors, key=lambda name: self.errors[name])

    def __str__(self) -> str:
        model = self.model
        lines = [
            f"{len(model.bodies)} bodies, {len(model.coordinates)} coordinates, "
            f"{len(model.contact_spheres)} contact points"
        ]
        if not model.contact_spheres and any(
            (segment_of(body.name) or ("",))[0] == "foot" for body in model.bodies
        ):
            lines.append("note: no contact points; `sspinn scale` puts some under the feet before a training")
        if self.verified:
            lines.append(
                "agrees with OpenSim at random states: "
                f"largest relative difference {self.errors[self.worst]:.1e} ({self.worst})"
            )
        else:
            lines.append(
                f"note: not compared with OpenSim, which had not answered after {_OPENSIM_TIME_S} s; "
                "`python -m casadi_dynamics verify MODEL` waits longer"
            )
        if self.defect:
            joints = ", ".join(self.defect)
            lines.append(f"for this comparison only, Simbody's known error was added in {joints}")
        return "\n".join(lines)


@on_study(models=True)
def convert(study: Study | Path, out: Path) -> Conversion:
    """Convert the subject's model, or any `.osim`, check it against a live OpenSim; write `conversion.json`.

    Parameters
    ----------
    study : Study, str or Path
        Whose scaled model in the results folder, or the path of a model.

    Raises
    ------
    InputError
        If the model cannot be converted, or any quantity differs from OpenSim's.
    """
    log.info("convert", extra={"heading": True})
    out.mkdir(parents=True, exist_ok=True)
    given = subject_file(out) if isinstance(study, Study) else Path(study)
    path = current_file(given, out)
    if path != given:
        log.info(f"the model was written anew, in a new version and in one file: {path.name}")
    model = read_current(given, path)
    for note in _not_used(model.ignored):
        log.info(f"not used: {note}")
    doubt = gravity_doubt(model.gravity)
    if doubt:
        log.info(f"note: {doubt}; a study needs about 9.8 m/s^2 along -y")
    arguments = {"model": path, "samples": _SAMPLES, "seed": 0, "spans": muscle_spans(model)}
    try:
        # OpenSim has a process of its own.
        with temporary_folder("answers") as folder, ThreadPoolExecutor(1) as beside:
            arguments["output"] = answers_file = Path(folder, "answers.npz")
            asked = beside.submit(
                run_job, model_answers, arguments, timeout_s=_OPENSIM_TIME_S, outputs=[answers_file]
            )
            functions, defect = with_defect(build(model, model.imu_frames))
            functions.muscles()
            asked.result()
            with np.load(answers_file, allow_pickle=False) as answers:
                found = Conversion(model, compare(model, functions, answers), tuple(defect))
    except OpenSimTimeoutError:
        found = Conversion(model, {}, ())
    summary = {
        "model": model.name,
        "hash": model.content_hash,
        "verified": found.verified,
        "largest_relative_error": found.errors,
        "simbody_defect_added_in": found.defect,
    }
    write_json(ResultsFolder(out).conversion, summary)
    if found.verified and not found.errors[found.worst] <= LARGEST_CONVERSION_ERROR:
        raise InputError(
            "The converted model does not agree with OpenSim.",
            where=f"{path}, {found.worst}",
            expected=f"a relative difference of at most {LARGEST_CONVERSION_ERROR:g}",
            found=f"{found.errors[found.worst]:.3g}",
            fix="do not use this conversion; report the model to the project",
        )
    return found


def _not_used(notes: Sequence[str]) -> list[str]:
    """Return one line for every class and reason, with the number of elements where there are several."""
    groups: dict[tuple[str, str], list[str]] = {}
    for note in notes:
        element, _, reason = note.partition(": ")
        groups.setdefault((element.partition(" ")[0], reason), []).append(element)
    return [
        f"{members[0] if len(members) == 1 else f'each of {len(members)} {kind}s'}: {reason}"
        for (kind, reason), members in groups.items()
    ]
