"""Learning from a stream while it runs: how its sensors sit, and the network fitted to the person."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from sspinn_opensim.alignment.align import aligned
from sspinn_opensim.alignment.files import write_alignment
from sspinn_opensim.alignment.types import Alignment
from sspinn_opensim.files import sha256, write_atomically
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.streaming.adaptation import Adaptation
from sspinn_opensim.streaming.aligning import Aligning, Unaligned
from sspinn_opensim.streaming.learner import Task
from sspinn_opensim.streaming.live import LiveEstimator
from sspinn_opensim.study import Study
from sspinn_opensim.training.settings import adaptation_settings
from sspinn_opensim.verbs.on_study import subject_file
from sspinn_opensim.verbs.stream_start import Start, adapted_folder, unaligned

log = logging.getLogger(__name__)


def learn_from_stream(
    live: LiveEstimator,
    start: Start,
    study: Study,
    out: Path,
    folder: Path,
    align_after_s: float,
    adapt_after_s: float | None,
) -> None:
    """Let a live estimate find how sensors sit of which nothing says it, and adapt its network if asked to.

    Parameters
    ----------
    out, folder : Path
        Results folder, which keeps the network, and folder of the stream, which keeps the alignment.
    align_after_s, adapt_after_s
        As for `stream`.
    """
    adapting = None
    if adapt_after_s is not None:
        adapting = partial(_adaptation, study, out=out, first_s=adapt_after_s)
    unknown = unaligned(study, start.prepared)
    if unknown is None:
        live.adaptation = adapting and adapting(start)
    else:
        file = ResultsFolder(folder).alignment
        live.await_axes(_aligning(unknown, align_after_s, file, start, live, adapting))


def _aligning(
    unknown: Unaligned,
    first_s: float,
    file: Path,
    start: Start,
    live: LiveEstimator,
    adapting: Callable[[Start], Adaptation] | None,
) -> Aligning:
    """Return the alignment of a stream; what it finds is written to a file, and an adaptation begins then."""
    log.info(f"Nothing says how {', '.join(unknown.names)} sit: it is found of the first {first_s:g} s")

    def then(alignment: Alignment) -> None:
        write_alignment(alignment, file)
        sitting = aligned(unknown.like, alignment)
        prepared = replace(start.prepared, recording=sitting, trained_on=sitting, alignment=alignment)
        live.adaptation = adapting and adapting(replace(start, prepared=prepared))

    return Aligning(unknown, first_s=first_s, then=then)


def _adaptation(study: Study, start: Start, out: Path, first_s: float) -> Adaptation:
    """Return the adaptation of the network that a stream starts from; what it makes is kept in the folder."""
    seed, *_ = study.training.seeds
    prepared, kept, choice = start.prepared, adapted_folder(out), study.training
    settings = adaptation_settings(choice, seed, choice.adaptation_steps, start.kind)
    task = Task.of(
        start.network,
        prepared.subject,
        prepared.trained_on,
        settings,
        adapted_from=sha256(start.file),
        accepted=study.recording.accepted,
    )

    def keep(checkpoint: Path) -> None:
        for source, copy in ((subject_file(out), kept.subject), (checkpoint, kept.checkpoint(seed))):
            copy.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(copy, source.read_bytes())

    return Adaptation(task, prepared.signals, first_s=first_s, keep=keep)
