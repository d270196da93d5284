"""Whether a stream outlives damaged messages on every source, and readers of its page that misbehave.

Run ``python -m benchmarks.fuzzed_streams``. The demo is streamed by UDP, by LSL and of a recording
with `--count` damaged messages among the good ones, then good ones alone. Its page has a reader who never
takes anything, and is asked `--count` damaged requests, none of which has the token. A row is ``well`` if
nothing was raised, good samples are estimated again, no thread or file stayed open, and memory grew by less
than 5 MB after the first tenth. The exit status is 1 if one is not.
"""

from __future__ import annotations

import argparse
import gc
import json
import socket
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from benchmarks.streaming import Person, channels_of_person, make_person, resident_mb
from sspinn_opensim.live_page import About, LivePage
from sspinn_opensim.streaming.lsl import lsl, stream_info
from sspinn_opensim.streaming.replay import UdpPlayer
from sspinn_opensim.streaming.run import Summary, run
from sspinn_opensim.streaming.samples import Sample, SampleClock, message_of
from sspinn_opensim.streaming.sinks import Sink
from sspinn_opensim.streaming.sources import Arrived, LslSource, RecordingSource, Source, UdpSource
from sspinn_opensim.study import examples_folder

#: Damaged messages between two frames; seconds of good samples before them, and after them until frames have
#: been estimated for some time again, at most: a clock is known for a minute.
_A_FRAME, _BEFORE_S, _AGAIN_S, _AFTER_S = 5, 2.0, 2.0, 75.0
_PAUSE_S, _MOST_GROWTH_MB = 0.5, 5.0
_KIND = "FUZZED"
_PIECES = (b"9e999", b"null", b"{", b"[", b'"', b"-", b"1e308", b"NaN", b"\0", b"\xff\xfe", b'"samples":')
_NUMBERS = (0.0, np.nan, np.inf, -np.inf, 1e300, -1e300, 1e12, 4999.0, -174.0, 5e-324)
_REQUESTS = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"GET /AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/events HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: null\r\n\r\n",
    b"POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\nx",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
)


def main(arguments: list[str] | None = None) -> int:
    """Fuzz all and print what became of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzzed_streams", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="of each (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--only", nargs="*", choices=_ROWS, default=list(_ROWS), help="default: all")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    person, well = make_person(examples_folder() / "demo.toml", None, None), True
    recording(person, 0, np.random.default_rng(0))  # what a first stream makes stays: it is no growth
    for name in options.only:
        if name == "lsl" and find_spec("pylsl") is None:
            print(f"{name}: pylsl is not installed")
            continue
        found = _ROWS[name](person, options.count, np.random.default_rng(options.seed))
        well &= found["well"]
        print(json.dumps({name: found}), flush=True)
    return 0 if well else 1


def udp(person: Person, count: int, random: np.random.Generator) -> dict:
    """Return what became of datagrams that are nearly a message, or nothing like one."""
    names = person.sensors.names
    source = UdpSource(names)
    player = UdpPlayer(names, *source.address)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:

        def send(row: int, bad: int) -> None:
            now = time.monotonic()
            player.send(now, person.sent[row % len(person.sent)], now)
            for _ in range(bad):
                sender.sendto(_damaged_message(person, random, now), source.address)

        return _streamed(person, source, send, count)


def by_lsl(person: Person, count: int, random: np.random.Generator) -> dict:
    """Return what became of samples of odd numbers and times, while odd streams come and go."""
    module, names = lsl(), person.sensors.names
    labels = [f"{name}_{kind}_{axis}" for name in names for kind in ("acc", "gyro") for axis in "xyz"]
    good = module.StreamOutlet(stream_info(module, "good", _KIND, labels, [""] * len(labels), 100.0))
    odd: list = []

    def send(row: int, bad: int) -> None:
        if not bad and row:
            odd.clear()
        elif row % 200 == 0:  # of no unit, of text, of no labels, of a sensor that is there already
            # Those of row 0 come before anything is counted: what LSL opens once stays.
            odd[:] = [
                module.StreamOutlet(
                    stream_info(module, f"unit{row}", _KIND, labels, ["furlong"] * 42, 100.0)
                ),
                module.StreamOutlet(stream_info(module, f"text{row}", _KIND, ["a"], [""], 0.0, text=True)),
                module.StreamOutlet(
                    module.StreamInfo(f"bare{row}", _KIND, 3, 0.0, module.cf_float32, f"b{row}")
                ),
                module.StreamOutlet(stream_info(module, names[0], _KIND, ["acc_x"], [""], 100.0)),
            ]
        now = module.local_clock()
        good.push_sample(person.sent[row % len(person.sent)].ravel().tolist(), now)
        for _ in range(bad):
            values = person.sent[row % len(person.sent)].ravel().copy()
            values[random.random(len(values)) < 0.3] = random.choice(_NUMBERS)
            # LSL itself takes 0 and -1 for times that are not given.
            at = now + random.choice((0.0, 1e-9, -1e3, 1e9, np.nan, np.inf, -1e300, random.normal()))
            good.push_sample(values.tolist(), float(at))

    return _streamed(person, LslSource(names, kind=_KIND), send, count)


def recording(person: Person, count: int, random: np.random.Generator) -> dict:
    """Return what became of a recording with odd numbers, and with times that stand still or leap."""
    sent = np.tile(person.sent, (1 + count // len(person.sent), 1, 1))[:count].copy()
    odd = random.random(sent.shape) < 0.05
    sent[odd] = random.choice(_NUMBERS, size=odd.sum())
    good = round(10.0 / person.signals.step_s)
    whole = np.concatenate([sent, np.tile(person.sent, (1 + good // len(person.sent), 1, 1))[:good]])
    steps = np.full(len(whole), person.signals.step_s)
    steps[:count] *= random.choice((0.0, 0.5, 1.0, 1.0, 1.0, 2.0, 30.0), size=count)

    class Damaged:
        """Such a recording, with the times of its rows."""

        time_s = np.cumsum(steps)

    source = RecordingSource(Damaged, whole, speed=20.0)  # type: ignore[arg-type]
    return _streamed(person, source, None, count)


def page(person: Person, count: int, random: np.random.Generator) -> dict:
    """Return what clients of the page were told, who read nothing, have no token or ask nonsense."""
    shown = LivePage(_about(person), person.live(), {}, host="0.0.0.0", port=0)
    token, address = shown.url.rsplit("/", 2)[1].encode(), ("127.0.0.1", shown.port)
    summaries: list[Summary] = []

    def stream() -> None:
        for _ in range(1000):
            if ended.is_set():
                return
            again = person.live()
            summaries.append(run(RecordingSource(person.recording, person.sent), again, [_Passed(shown)]))

    ended, sizes, statuses, told = threading.Event(), [], {}, False
    streaming = threading.Thread(target=stream)
    streaming.start()
    never = socket.create_connection(address)
    never.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    never.sendall(b"GET /" + token + b"/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    time.sleep(0.5)  # its thread has begun
    threads = threading.active_count()
    for k in range(count):
        if k % max(count // 10, 1) == 0:
            sizes.append(_settled_mb())
        answer = _asked(
            address, damaged(random, random.choice(np.array(_REQUESTS, object)), (b"\r\n", b"/../"))
        )
        told |= token in answer
        status = answer.split(b" ", 2)[1].decode(errors="replace") if answer[:5] == b"HTTP/" else "closed"
        statuses[status] = statuses.get(status, 0) + 1
    sizes.append(_settled_mb())
    left = _threads_left(threads)
    ended.set()
    streaming.join()
    never.close()
    shown.close()
    growth = round(max(sizes[1:]) - sizes[1], 2)
    p99 = max((summary.latency_ms["path"]["p99"] for summary in summaries), default=float("nan"))
    served = set(statuses) <= {"400", "403", "404", "414", "431", "501", "505", "closed"}
    well = served and not told and not left and growth < _MOST_GROWTH_MB and bool(summaries)
    return {
        "well": well,
        "requests": count,
        "answers": statuses,
        "token_told": told,
        "threads_left": left,
        "growth_mb": growth,
        "estimated": sum(summary.estimated for summary in summaries),
        "path_p99_ms": round(p99, 2),
    }


class _Passed:
    """A sink that hands on, and stays open when a stream ends."""

    def __init__(self, sink: Sink) -> None:
        self.take, self.tell = sink.take, sink.tell

    def close(self) -> None:
        """Nothing is closed."""


class _Until:
    """A source until an event."""

    def __init__(self, source: Source, ended: threading.Event) -> None:
        self.clock, self.refused = source.clock, source.refused
        self.now_s, self.close = source.now_s, source.close
        self._source, self._ended, self.ended_s = source, ended, np.nan

    def receive(self, timeout_s: float) -> list[Arrived] | None:
        """Return what came; see `Source`."""
        arrived = None if self._ended.is_set() else self._source.receive(timeout_s)
        if arrived is None:
            self.ended_s = time.monotonic()
        return arrived


class _Recent:
    """A sink that takes note of how long frames have been estimated."""

    def __init__(self) -> None:
        self._since_s = self._last_s = -np.inf

    def take(self, frame: object) -> None:
        """Take note of a frame."""
        del frame
        now = time.monotonic()
        if now - self._last_s > _PAUSE_S:
            self._since_s = now
        self._last_s = now

    def since_s(self, now_s: float) -> float:
        """Return for how long frames have been estimated by now without a pause, s."""
        return now_s - self._since_s if now_s - self._last_s <= _PAUSE_S else 0.0

    def tell(self, event: object) -> None:
        """Nothing is to be done."""

    def close(self) -> None:
        """Nothing is open."""


def _streamed(person: Person, source: Source, send: Callable[[int, int], None] | None, count: int) -> dict:
    """Stream while `send` sends a good row and so many damaged messages; None: all is in the source."""
    live = person.live(SampleClock(shared=source.clock.shared))
    recent, rows = _Recent(), -(-count // _A_FRAME)
    shown = LivePage(_about(person), live, source.refused, port=0)
    raised: list[BaseException] = []
    ended = threading.Event()
    until = _Until(source, ended)

    def stream() -> None:
        try:
            run(until, live, [recent, shown])
        except BaseException as error:
            raised.append(error)

    step_s = person.signals.step_s
    streaming, sizes = threading.Thread(target=stream), [_settled_mb()]
    # The look-out of LSL opens a file now and then: the most there were before, the fewest after.
    open_before, open_after = [_open_things()], []
    streaming.start()
    began, before, row, again_s = time.monotonic(), round(_BEFORE_S / step_s), 0, 0.0
    while send is None and streaming.is_alive():
        streaming.join(0.1)
        sizes.append(_settled_mb())
    while send is not None:
        time.sleep(max(began + row * step_s - time.monotonic(), 0.0))
        send(row, min(_A_FRAME, max(count - (row - before) * _A_FRAME, 0)) if row >= before else 0)
        row += 1
        if before / 2 < row <= before:
            open_before.append(_open_things())
        if row % 200 == 0:
            sizes.append(_settled_mb())
        again_s = (row - before - rows) * step_s
        if again_s > _AGAIN_S / 2:
            open_after.append(_open_things())
        now = time.monotonic()
        if again_s > _AFTER_S or (again_s > _AGAIN_S and recent.since_s(now) > _AGAIN_S):
            break
    open_after.append(_open_things())
    ended.set()
    streaming.join()
    # Of a recording the good end is played in half a second.
    again = recent.since_s(until.ended_s) > (_AGAIN_S if send else 0.0)
    more = np.maximum(np.min(open_after, axis=0) - np.max(open_before, axis=0), 0).tolist()
    settled = sizes[max(len(sizes) // 10, 1) :]
    growth = round(max(settled) - settled[0], 2)
    well = not raised and again and not any(more) and growth < _MOST_GROWTH_MB
    return {
        "well": well,
        "damaged": count,
        "refused": dict(source.refused),
        "strange": sum(health.strange for health in live.health.values()),
        "estimated": live.estimated,
        "estimates_again": again,
        "after_s": round(max(again_s - _AGAIN_S, 0.0), 1),
        "raised": [repr(error) for error in raised],
        "more_threads_and_files": more,
        "growth_mb": growth,
    }


def _about(person: Person) -> About:
    return About("fuzzed", "demo", 100.0, channels_of_person(person), person.subject.body_weight)


def _damaged_message(person: Person, random: np.random.Generator, now_s: float) -> bytes:
    names = person.sensors.names
    place = int(random.integers(len(names)))
    sample = Sample(place, now_s + random.choice((0.0, 1e9, -1e9)), random.normal(size=6), 3)
    return damaged(random, message_of([sample], names), _PIECES)


def damaged(random: np.random.Generator, whole: bytes, pieces: tuple[bytes, ...]) -> bytes:
    """Return bytes that are nearly these, or nothing like them.

    Parameters
    ----------
    pieces : tuple of bytes
        What is put in between.
    """
    kind, data = random.integers(5), bytearray(whole)
    if kind == 0:
        return random.bytes(int(random.integers(1, 400)))
    if kind == 1:
        return bytes(data[: random.integers(1, len(data))])
    for _ in range(int(random.integers(1, 6))):
        place = int(random.integers(len(data)))
        if kind == 2:
            data[place] = random.integers(256)
        elif kind == 3:
            data[place:place] = pieces[random.integers(len(pieces))]
        else:
            del data[place : place + int(random.integers(1, 9))]
            data = data or bytearray(b"x")
    return bytes(data)


def _asked(address: tuple[str, int], request: bytes) -> bytes:
    answer = b""
    with socket.create_connection(address, timeout=10) as client:
        try:
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
            while data := client.recv(65536):
                answer += data
        except OSError:  # it was closed before all was sent
            return answer
    return answer


def _open_things() -> tuple[int, int]:
    """Return how many threads and files there are."""
    return threading.active_count(), sum(1 for _ in Path("/proc/self/fd").iterdir())


def _settled_mb() -> float:
    gc.collect()
    return resident_mb()


def _threads_left(before: int) -> int:
    """Return how many more threads there are, given some seconds to end."""
    until = time.monotonic() + 10.0
    while threading.active_count() > before and time.monotonic() < until:
        time.sleep(0.05)
    return max(threading.active_count() - before, 0)


_ROWS = {"udp": udp, "lsl": by_lsl, "recording": recording, "page": page}

if __name__ == "__main__":
    raise SystemExit(main())
