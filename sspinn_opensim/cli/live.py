"""Options of the verbs that work while the person moves, and what `stream` gets of them."""

from __future__ import annotations

import argparse
from typing import Any

from sspinn_opensim.cli.options import COUNT, Option, address, flag, names, number
from sspinn_opensim.settings.bounds import Bounds

_SPEED = Bounds(0.01, 1000.0)
_SCOPE = Option(
    "--scope",
    "how far LSL streams are seen: this machine alone (default), or as liblsl is configured",
    choices=("machine", "network"),
    default="machine",
)
STREAM = (
    Option(
        "--network",
        "builtin: the network that is shipped, as it is; adapted: that of an earlier --adapt; default: the "
        "one that was trained in the folder; of a study without a recording else these two",
        choices=("builtin", "adapted"),
    ),
    flag("--adapt", "adapt the network to the person meanwhile, in the background, and go on with it"),
    number(
        "--adapt-after",
        float,
        "S",
        "seconds of the stream that the first adaptation learns from; default: 20",
        Bounds(3.0, 60.0),
        dest="adapt_after_s",
        default=20.0,
    ),
    Option(
        "--from",
        "where samples come from; default: lsl",
        dest="source",
        choices=("lsl", "udp", "recording"),
        default="lsl",
    ),
    Option("--stream", "only this LSL stream; default: all of type IMU", metavar="NAME", default=""),
    address("--listen", "address for UDP messages; default: 127.0.0.1:5005", default="127.0.0.1:5005"),
    flag("--one-clock", "the times in UDP messages are of one clock, not of each sensor's own"),
    Option(
        "--to",
        "where estimates go: lsl, files, udp; default: lsl,files",
        type=names,
        metavar="A,B,...",
        default=("lsl", "files"),
    ),
    address("--send", "address for estimates by UDP; default: 127.0.0.1:5006", default="127.0.0.1:5006"),
    _SCOPE,
    number(
        "--standing",
        float,
        "S",
        "the person stands for so long at the start; default: 1, 0 of a recording",
        Bounds(0.0, 60.0),
        dest="standing_s",
    ),
    number(
        "--window",
        float,
        "MS",
        "how long a frame waits for packets that come late; default: 60",
        Bounds(0.0, 1000.0),
        dest="window_ms",
        default=60.0,
    ),
    number(
        "--hold",
        float,
        "MS",
        "gaps up to this are bridged; default: 100",
        Bounds(0.0, 1000.0),
        dest="hold_ms",
        default=100.0,
    ),
    number(
        "--keep",
        float,
        "MIN",
        "minutes of the stream that are kept in files; default: 60",
        Bounds(0.1, 1e6),
        dest="kept_minutes",
        default=60.0,
    ),
    number("--speed", float, "X", "of a recording; default: 1", _SPEED, default=1.0),
    number(
        "--align-after",
        float,
        "S",
        "where nothing says how a sensor sits: seconds of the stream that it is first found of; default: 20",
        Bounds(5.0, 60.0),
        dest="align_after_s",
        default=20.0,
    ),
    flag("--no-rehearsal", "rest between samples: a tenth of a core less, later by a third of a millisecond"),
    flag("--muscles", "muscle forces of every frame too"),
    number("--seconds", float, "S", "how long; default: until Ctrl-C", Bounds(0.1, 1e9)),
    flag("--view", "show the estimate in a browser; the address is printed"),
    number(
        "--view-port",
        int,
        "N",
        "port of the page, 0 for any that is free; default: 8600",
        Bounds(0, 65_535),
        default=8600,
    ),
    Option(
        "--view-host",
        "where the page is shown; default: 127.0.0.1, this machine alone; else its address holds a token",
        metavar="HOST",
        default="127.0.0.1",
    ),
)
REPLAY = (
    address("--udp", "send messages to this address, not an LSL stream"),
    number("--times", int, "N", "how often, one after the other; default: 1", COUNT, default=1),
    number(
        "--wait",
        float,
        "S",
        "how long an outlet waits for someone who reads; default: 30",
        Bounds(0.0, 1e6),
        dest="wait_s",
        default=30.0,
    ),
    _SCOPE,
)


def stream(options: argparse.Namespace) -> dict[str, Any]:
    """Return what `stream` takes of its options."""
    # It brings more along than --help needs.
    from sspinn_opensim.verbs.stream_ends import EstimatesTo, SamplesFrom, ShownAt

    own = "study out scope network align_after_s standing_s seconds window_ms hold_ms muscles".split()
    return {name: getattr(options, name) for name in own} | {
        "source": SamplesFrom(
            options.source, options.stream, options.listen, options.one_clock, options.speed
        ),
        "sinks": EstimatesTo(tuple(options.to), options.send, options.kept_minutes),
        "page": ShownAt(options.view_host, options.view_port) if options.view else None,
        "adapt_after_s": options.adapt_after_s if options.adapt else None,
        "rehearse": not options.no_rehearsal,
    }
