"""The estimate while the person moves: samples from the network in, coordinates, moments and forces out."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from casadi_dynamics.errors import InputError
from sspinn_opensim.estimation import StreamingEstimator
from sspinn_opensim.files import write_json
from sspinn_opensim.live_page import LivePage
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.streaming.aligning import FIRST_S as ALIGN_AFTER_S
from sspinn_opensim.streaming.frames import Patience
from sspinn_opensim.streaming.latency import described
from sspinn_opensim.streaming.lateness import shared_joints
from sspinn_opensim.streaming.live import LiveEstimator
from sspinn_opensim.streaming.muscles import LiveMuscles
from sspinn_opensim.streaming.run import Summary, run
from sspinn_opensim.streaming.sensors import StreamedSensors
from sspinn_opensim.streaming.sinks import Sink
from sspinn_opensim.study import Study
from sspinn_opensim.verbs.on_study import on_study, subject_file
from sspinn_opensim.verbs.stream_ends import EstimatesTo, SamplesFrom, ShownAt
from sspinn_opensim.verbs.stream_learning import learn_from_stream
from sspinn_opensim.verbs.stream_parts import about_page, channels_of, frame_solver_of
from sspinn_opensim.verbs.stream_start import inclination, start_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Streamed:
    """What a stream came to.

    Attributes
    ----------
    folder : Path
        Where its files are.
    summary : Summary
        Frames, events, latency, health.
    notes : tuple of str
        What happened, as it was told meanwhile.
    """

    folder: Path
    summary: Summary
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        found = self.summary
        lines = [f"{found.estimated} frames were estimated in {found.lasted_s:.0f} s: {self.folder}"]
        if found.latency_ms:
            lines.append(f"ms, 50 / 95 / 99 of 100 frames: {described(found.latency_ms)}")
        return "\n".join(lines)


@on_study(unrecorded=True)
def stream(
    study: Study,
    out: Path,
    *,
    source: SamplesFrom | None = None,
    sinks: EstimatesTo | None = None,
    page: ShownAt | None = None,
    scope: str = "machine",
    network: str | None = None,
    adapt_after_s: float | None = None,
    align_after_s: float = ALIGN_AFTER_S,
    standing_s: float | None = None,
    window_ms: float = 60.0,
    hold_ms: float = 100.0,
    seconds: float | None = None,
    muscles: bool = False,
    rehearse: bool = True,
) -> Streamed:
    """Estimate from samples as they arrive, until Ctrl-C.

    Parameters
    ----------
    study : Study, str or Path
        Its sensors stream under their names. How they sit is known of its recording; without one the study
        says it, or it is found of the stream.
    out : str or Path
        Results folder; the stream's own files are in ``stream/`` and the time it began.
    source, sinks, page : SamplesFrom, EstimatesTo, ShownAt, optional
        Where samples come from, where estimates go; by default no page shows them.
    scope : {'machine', 'network'}
        How far LSL streams are looked for and announced.
    network : {'builtin', 'adapted'}, optional
        The network that is shipped, or that an earlier stream adapted; by default the one that was trained in
        the folder. See `stream_start.start_of`.
    adapt_after_s : float, optional
        Length of stream, s, from which on the network is adapted to the person, and kept in ``adapted/``; by
        default it stays as it is.
    align_after_s : float
        Length of stream that the first alignment is made of, s, where nothing says how a sensor sits.
    standing_s : float, optional
        How long the person stands at the start, s; by default 1 s, and 0 in a recording.
    window_ms : float
        How long a frame waits for a sensor, ms.
    hold_ms : float
        How long a sensor that is silent may be bridged, ms. See `streaming.frames.Patience`.
    seconds : float, optional
        How long to stream, s; by default until Ctrl-C, or the end of the recording.
    muscles : bool
        Whether muscle forces are estimated too, with the settings of the study.
    rehearse : bool
        Whether rehearsals in the pauses keep the way of a sample quick (`streaming.rehearsal`).

    Raises
    ------
    InputError
        There is no finished network for these sensors; a port or LSL cannot be had; muscle forces are asked
        for and the model's muscles cannot be used.
    """
    source, sinks = source or SamplesFrom(), sinks or EstimatesTo()
    recorded = source.kind == "recording"
    _refuse_unfit(study, recorded=recorded, adapt=adapt_after_s is not None)
    start = start_of(study, out, network)
    prepared = start.prepared
    estimator = StreamingEstimator(start.network, prepared.subject, prepared.signals)
    rate_hz = 1 / estimator.step_s
    sensors = StreamedSensors.of(prepared.recording, prepared.subject, prepared.signals)
    solver = frame_solver_of(study, prepared.subject, subject_file(out)) if muscles else None
    channels = channels_of(prepared, estimator, solver)
    folder = ResultsFolder(out).stream / datetime.now().strftime("%Y-%m-%d_%H%M%S")
    standing = (0.0 if recorded else 1.0) if standing_s is None else standing_s
    with contextlib.ExitStack() as opening:  # what is open is closed where the next cannot be had
        opened = source.opened(sensors, prepared.recording, scope)
        opening.callback(opened.close)
        live = LiveEstimator(
            estimator,
            sensors,
            clock=opened.clock,
            patience=Patience(window_ms / 1000, hold_ms / 1000),
            standing_s=standing,
            muscles=None if solver is None else LiveMuscles(solver, estimator.step_s),
            network=start.told,
            inclined=inclination(study, prepared),
            joints=shared_joints(prepared.subject.model, prepared.subject.functions.imu_frames),
        )
        takers: list[Sink] = [
            opening.enter_context(contextlib.closing(sink)) for sink in sinks.opened(channels, rate_hz, scope)
        ]
        shown: list[Sink] = []
        if page is not None:
            about = about_page(study, prepared, channels, estimator, out, standing)
            shown.append(LivePage(about, live, opened.refused, host=page.host, port=page.port))
        opening.pop_all()
    folder.mkdir(parents=True, exist_ok=True)
    takers += sinks.files(folder, channels, study.name)
    takers += shown  # last: its thread works while nothing else does
    log.info(
        f"Estimates {rate_hz:.0f} times a second by {start.told}; a frame waits at most {window_ms:g} ms"
    )
    learn_from_stream(live, start, study, out, folder, align_after_s, adapt_after_s)
    summary = run(opened, live, takers, seconds=seconds, rehearse=rehearse)
    write_json(folder / "summary.json", summary.to_json())
    return Streamed(folder, summary, tuple(map(str, summary.events)))


def _refuse_unfit(study: Study, *, recorded: bool, adapt: bool) -> None:
    """Refuse what can be seen before anything is made."""
    if recorded and not study.recording.there:
        raise InputError(
            "The study has no recording to stream.",
            where=study.path,
            fix="--from lsl or --from udp, or add a table [recording]",
        )
    if adapt and not study.training.adaptation_steps:
        raise InputError(
            "An adaptation of no steps changes nothing.",
            where=study.path,
            found="adaptation_steps = 0 under [training]",
            fix="remove it, or leave out --adapt",
        )
