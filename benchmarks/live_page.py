"""What the live page costs the estimate, how it is shown, and memory over an hour with all sinks.

Run ``python -m benchmarks.live_page``. The person is that of `benchmarks.streaming`; the browser is a
Chromium without a window and without a graphics card.
"""

from __future__ import annotations

import argparse
import gc
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import torch

from benchmarks.streaming import Person, channels_of_person, make_person, resident_mb, tell
from casadi_dynamics.errors import InputError
from sspinn_opensim.estimation import StreamingEstimator
from sspinn_opensim.live_page import About, LivePage, figure_of
from sspinn_opensim.streaming.live import LiveEstimator
from sspinn_opensim.streaming.run import run
from sspinn_opensim.streaming.samples import Sample, SampleClock
from sspinn_opensim.streaming.sinks import LslSink, RollingFiles, Sink, UdpSink
from sspinn_opensim.streaming.sources import Arrived
from sspinn_opensim.study import examples_folder, read_study

_COUNTS = "[performance.now(), livePage.counts.rows, livePage.counts.curves, livePage.counts.poses]"
#: The browser is given so long to begin, s.
_BEGINS_S = 5.0
#: A program that reads the page's stream, in a process of its own as a browser is.
_READER = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
    connection.sendall(b"GET /events HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
    while connection.recv(1 << 16):
        pass
"""


class Endless:
    """A recording over and over, as a source; time goes on.

    Parameters
    ----------
    speed : float
        How many times faster than it was recorded.
    frames : int
        After so many it ends.
    """

    clock = SampleClock()

    def __init__(self, person: Person, speed: float, frames: int) -> None:
        self._sent, self._step_s = person.sent, person.signals.step_s
        self._speed, self._frames, self.sent = speed, frames, 0
        self._began_s = self._now_s = 0.0
        self.refused: Counter[str] = Counter()

    def receive(self, timeout_s: float) -> list[Arrived] | None:
        """Return what is due; see `Source`."""
        if self.sent == self._frames:
            return None
        if not self._began_s:  # when someone looks: a browser takes its time to begin
            self._began_s = time.monotonic()
        at = self.sent * self._step_s
        wait = self._began_s + at / self._speed - time.monotonic()
        if wait > 0:
            time.sleep(min(wait, timeout_s))
            if wait > timeout_s:
                return []
        rows, self._now_s = self._sent[self.sent % len(self._sent)], self._began_s + at
        found = [(Sample(k, at, own, self.sent), self._now_s) for k, own in enumerate(rows)]
        self.sent += 1
        return found

    def now_s(self) -> float:
        """Return when the last sample was due: however busy the machine, none is late."""
        return self._now_s

    def close(self) -> None:
        """Nothing is open."""


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live_page", description=__doc__)
    demo = examples_folder() / "demo.toml"
    parser.add_argument("--study", type=Path, default=demo, help="default: the demo")
    parser.add_argument("--results", type=Path, help="a trained results folder of this study")
    parser.add_argument("--model", type=Path, help="another model than the study's, in space")
    parser.add_argument("--meshes", type=Path, nargs="*", default=[], help="folders with meshes of bones")
    parser.add_argument(
        "--muscles", action="store_true", help="solve and draw the muscles of every frame too"
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="of each stream (default: %(default)g)")
    parser.add_argument("--hours", type=float, default=1.0, help="for memory (default: %(default)g)")
    parser.add_argument("--speed", type=float, default=20.0, help="for memory (default: %(default)g)")
    parser.add_argument("--screenshot", type=Path, help="write the page at the end as PNG")
    parser.add_argument("--only", nargs="*", choices=_ROWS, default=list(_ROWS), help="default: all")
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        person = make_person(options.study, options.results, options.model, muscles=options.muscles)
        found = {name: _ROWS[name](person, options) for name in options.only}
    except InputError as error:
        parser.exit(2, f"{error}\n")
    tell(person, found, as_json=options.json)


def latency(person: Person, options: argparse.Namespace) -> dict:
    """Return ms of the path without a page, with one that nobody, a program, and a browser on it read."""
    from tests.chromium import Chromium, find_chromium

    found = {"without": _streamed(person, options.seconds, [])}
    live, page = _page(person, options)
    found["nobody reads"] = _streamed(person, options.seconds, [page], live)
    live, page = _page(person, options)
    with subprocess.Popen([sys.executable, "-c", _READER, str(page.port)]):
        found["a program reads"] = _streamed(person, options.seconds, [page], live)
    if find_chromium() is None:
        return found
    live, page = _page(person, options)
    source = Endless(person, 1.0, round((options.seconds + _BEGINS_S) / person.signals.step_s))
    streaming = threading.Thread(target=run, args=(source, live, [page]))
    with Chromium() as browser:
        browser.open(page.url)
        browser.until("window.livePage && livePage.setup")
        streaming.start()
        time.sleep(_BEGINS_S)
        before = browser.value(_COUNTS)
        time.sleep(max(options.seconds - 2.0, 1.0))
        after = browser.value(_COUNTS)
        if options.screenshot:
            browser.screenshot(options.screenshot)
        streaming.join()
        said = browser.errors
    seconds = (after[0] - before[0]) / 1000
    names = ("rows", "curves", "bodies")
    shown = {
        name: round((b - a) / seconds, 1) for name, a, b in zip(names, before[1:], after[1:], strict=True)
    }
    found["in a browser"] = _parts(live) | {"shown_a_second": shown, "console": said}
    return found


def memory(person: Person, options: argparse.Namespace) -> dict:
    """Return how much memory grows over hours of replay, with all sinks, and one who reads the page."""
    frames = round(3600 * options.hours / person.signals.step_s)
    source = Endless(person, options.speed, frames)
    live, page = _page(person, options)
    channels = channels_of_person(person)
    sizes: list[float] = []
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        sinks: list[Sink] = [page, UdpSink(channels, *nobody.getsockname())]
        sinks.append(RollingFiles(Path(folder), channels, "hour", kept_s=60.0))
        if find_spec("pylsl"):
            sinks.append(LslSink(channels, 1 / person.signals.step_s))
        reader = subprocess.Popen([sys.executable, "-c", _READER, str(page.port)])
        began = time.monotonic()
        watching = threading.Thread(target=_watch, args=(source, frames, sizes), daemon=True)
        watching.start()
        summary = run(source, live, sinks)
        lasted_s = time.monotonic() - began
        watching.join(5.0)
        reader.wait(5.0)
    # The first tenth fills queues, histograms and what is kept for a new reader.
    settled = sizes[1:]
    return {
        "hours": options.hours,
        "wall_s": round(lasted_s, 1),
        "times_real_time": round(frames * person.signals.step_s / lasted_s, 1),
        "estimated": summary.estimated,
        "mb": sizes,
        "growth_mb": round(max(settled) - settled[0], 2),
    }


def _watch(source: Endless, frames: int, sizes: list[float]) -> None:
    for tenth in range(1, 11):
        while source.sent < frames * tenth / 10 - 1:
            time.sleep(0.05)
        gc.collect()
        sizes.append(resident_mb())


def _estimator(person: Person) -> StreamingEstimator:
    return StreamingEstimator(person.network, person.subject, person.signals)


def _page(person: Person, options: argparse.Namespace) -> tuple[LiveEstimator, LivePage]:
    live, subject = person.live(), person.subject
    file = options.model or read_study(options.study).model.file
    figure = figure_of(
        subject.model,
        file,
        options.meshes,
        sensors=subject.functions.imu_frames,
        feet=_estimator(person).feet,
        muscles=person.solver.muscles if person.solver else (),
        planar=subject.heading is None,
    )
    rate_hz = 1 / person.signals.step_s
    about = About(
        "benchmark", subject.model.name, rate_hz, channels_of_person(person), subject.body_weight, 0.0, figure
    )
    return live, LivePage(about, live, {}, port=0)


def _streamed(
    person: Person, seconds: float, sinks: Sequence[Sink], live: LiveEstimator | None = None
) -> dict:
    live = live or person.live()
    run(Endless(person, 1.0, round(seconds / person.signals.step_s)), live, sinks)
    return _parts(live)


def _parts(live: LiveEstimator) -> dict:
    """Return percentiles of the path and of the output, ms."""
    told = live.latency.percentiles_ms()
    parts = ("path", "output")
    return {part: {key: round(told[part][key], 3) for key in ("p50", "p95", "p99")} for part in parts}


_ROWS = {"latency": latency, "memory": memory}

if __name__ == "__main__":
    main()
