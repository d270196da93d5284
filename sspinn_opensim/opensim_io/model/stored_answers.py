"""Write the stored answers of the shipped model, as ``python -m`` and the name of this module.

``osim_models/planar_gait_answers.npz`` lets a converted model be compared with OpenSim where OpenSim is not
installed. Its arrays are those of `casadi_dynamics.opensim_process.worker.answers.answers_at_states`.
"""

from __future__ import annotations

from pathlib import Path

import osim_models
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.opensim_process.worker.answers import model_answers
from sspinn_opensim.files import draft_of

SAMPLES = 20
SEED = 20260
FILE_NAME = "planar_gait_answers.npz"


def compute(model: Path, target: Path) -> None:
    """Let OpenSim answer for `model` at random states and save the arrays as `target` (takes seconds).

    Raises
    ------
    OpenSimError
        OpenSim is not installed or failed.
    """
    arguments = {"model": model, "samples": SAMPLES, "seed": SEED, "output": target}
    run_job(model_answers, arguments, timeout_s=300.0, outputs=[target])


def main() -> None:
    """Compute the answers for the shipped model and put them beside it."""
    model = osim_models.path("planar_gait.osim")
    target = model.with_name(FILE_NAME)
    with draft_of(target) as draft:
        compute(model, draft)
    print(target)


if __name__ == "__main__":
    main()
