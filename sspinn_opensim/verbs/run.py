"""All stages, from a study to the report, and the built-in example."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from sspinn_opensim.recording import output_window, read_recording
from sspinn_opensim.study import Study, examples_folder, read_study
from sspinn_opensim.training.losses import weights as loss_weights
from sspinn_opensim.training.settings import Progress
from sspinn_opensim.verbs.convert import convert
from sspinn_opensim.verbs.estimate import estimate
from sspinn_opensim.verbs.evaluate import evaluate
from sspinn_opensim.verbs.muscles import muscles
from sspinn_opensim.verbs.prepared import prepare
from sspinn_opensim.verbs.scale import scale
from sspinn_opensim.verbs.train import train

log = logging.getLogger(__name__)


def run(
    study: Study, out: Path, restart: bool = False, progress: Callable[[Progress], None] | None = None
) -> None:
    """Do all stages, from scaling to the report."""
    # What cannot be used should say so before OpenSim and the training have run.
    recording = read_recording(study)
    output_window(recording, study.output)
    loss_weights(study.training.weights)
    scale(study, out)
    convert(study, out)
    prepared = prepare(study, out, recording)
    train(study, out, restart=restart, progress=progress, prepared=prepared)
    estimate(study, out, prepared=prepared)
    muscles(study, out, prepared=prepared)
    evaluate(study, out, prepared=prepared)


def demo(out: Path, progress: Callable[[Progress], None] | None = None) -> None:
    """Run the built-in example."""
    study = read_study(examples_folder() / "demo.toml")
    log.info("The built-in example: about a minute of training on a simulated walk with known answers.")
    run(study, out, progress=progress)
