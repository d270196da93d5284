"""The built-in example."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from sspinn_opensim.study import examples_folder, read_study
from sspinn_opensim.training.settings import Progress
from sspinn_opensim.verbs.run import Run, run

log = logging.getLogger(__name__)


def demo(out: str | Path, *, progress: Callable[[Progress], None] | None = None) -> Run:
    """Run the built-in example: about a minute of training on a simulated walk with known answers."""
    log.info("The built-in example: about a minute of training on a simulated walk with known answers.")
    study = read_study(examples_folder() / "demo.toml")
    done = run(study, out, progress=progress)
    assert isinstance(done, Run)
    return done
