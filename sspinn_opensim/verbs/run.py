"""All stages, from a study to the report, and the built-in example."""

from __future__ import annotations

from pathlib import Path

from sspinn_opensim.recording import output_window, read_recording
from sspinn_opensim.study import Study, examples_folder, read_study
from sspinn_opensim.training.losses import weights as loss_weights
from sspinn_opensim.verbs.console import say
from sspinn_opensim.verbs.convert import convert
from sspinn_opensim.verbs.estimate import estimate
from sspinn_opensim.verbs.evaluate import evaluate
from sspinn_opensim.verbs.muscles import muscles
from sspinn_opensim.verbs.scale import scale
from sspinn_opensim.verbs.train import train


def run(study: Study, out: Path, restart: bool = False) -> None:
    """Do all stages, from scaling to the report."""
    # What cannot be used should say so before OpenSim and the training have run.
    output_window(read_recording(study), study.output)
    loss_weights(study.training.weights)
    scale(study, out)
    convert(study, out)
    train(study, out, restart=restart)
    estimate(study, out)
    muscles(study, out)
    evaluate(study, out)


def demo(out: Path) -> None:
    """Run the built-in example."""
    study = read_study(examples_folder() / "demo.toml")
    say("The built-in example: about a minute of training on a simulated walk with known answers.")
    run(study, out)
