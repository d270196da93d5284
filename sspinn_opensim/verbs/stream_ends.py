"""Ends of a stream: where its samples come from, where its estimates go, and where a page shows them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from casadi_dynamics.errors import InputError
from sspinn_opensim.streaming.addresses import address_of

if TYPE_CHECKING:
    from sspinn_opensim.recording import Recording
    from sspinn_opensim.streaming.channels import Channels
    from sspinn_opensim.streaming.sensors import StreamedSensors
    from sspinn_opensim.streaming.sinks import LslSink, RollingFiles, UdpSink
    from sspinn_opensim.streaming.sources import Source

log = logging.getLogger(__name__)

SOURCES, SINKS = ("lsl", "udp", "recording"), ("lsl", "files", "udp")


@dataclass(frozen=True)
class SamplesFrom:
    """Where samples come from.

    Attributes
    ----------
    kind : {'lsl', 'udp', 'recording'}
        The last is the study's own recording.
    stream : str
        LSL: name of the only stream to read; empty: all of the sensors.
    listen : str
        UDP: address HOST:PORT that samples come to.
    one_clock : bool
        UDP: whether the times in all messages are of one clock; else each sensor has its own.
    speed : float
        How many times faster than it was measured a recording is played.

    Raises
    ------
    InputError
        There is no such source, or the address is none.
    """

    kind: str = "lsl"
    stream: str = ""
    listen: str = "127.0.0.1:5005"
    one_clock: bool = False
    speed: float = 1.0

    def __post_init__(self) -> None:
        _refuse_unknown([self.kind], SOURCES, "--from")
        address_of(self.listen)  # also where it is not used: whoever gives one means it

    def opened(self, sensors: StreamedSensors, recording: Recording, scope: str) -> Source:
        """Return the source of samples, ready to be read."""
        # Sources and sinks bring PyTorch along, for which no refusal of an input should wait.
        from sspinn_opensim.streaming.sources import LslSource, RecordingSource, UdpSource, own_axes

        if self.kind == "udp":
            opened = UdpSource(sensors.names, *address_of(self.listen), shared_clock=self.one_clock)
            log.info(f"Listening at {opened.address[0]}:{opened.address[1]}")
            return opened
        if self.kind == "lsl":
            return LslSource(sensors.names, stream=self.stream, scope=scope)
        return RecordingSource(recording, own_axes(recording, sensors.rotation), self.speed)


@dataclass(frozen=True)
class EstimatesTo:
    """Where estimates go.

    Attributes
    ----------
    kinds : tuple of {'lsl', 'files', 'udp'}
        One or several.
    send : str
        UDP: address HOST:PORT.
    kept_minutes : float
        How much of the stream is kept in files, minutes.

    Raises
    ------
    InputError
        There is no such sink, or the address is none.
    """

    kinds: tuple[str, ...] = ("lsl", "files")
    send: str = "127.0.0.1:5006"
    kept_minutes: float = 60.0

    def __post_init__(self) -> None:
        _refuse_unknown(self.kinds, SINKS, "--to")
        address_of(self.send)

    def opened(self, channels: Channels, rate_hz: float, scope: str) -> Iterator[LslSink | UdpSink]:
        """Yield what sends estimates, each ready; files are `files`."""
        from sspinn_opensim.streaming.sinks import LslSink, UdpSink

        if "lsl" in self.kinds:
            yield LslSink(channels, rate_hz, scope)
        if "udp" in self.kinds:
            yield UdpSink(channels, *address_of(self.send))

    def files(self, folder: Path, channels: Channels, title: str) -> list[RollingFiles]:
        """Return what writes estimates to a folder, if anything does."""
        from sspinn_opensim.streaming.sinks import RollingFiles

        if "files" not in self.kinds:
            return []
        return [RollingFiles(folder, channels, title, kept_s=60 * self.kept_minutes)]


@dataclass(frozen=True)
class ShownAt:
    """Address of the page that shows the estimate in a browser.

    Attributes
    ----------
    host : str
        Beyond this machine the address holds a token.
    port : int
        0: any that is free.
    """

    host: str = "127.0.0.1"
    port: int = 8600


def _refuse_unknown(names: Sequence[str], known: Sequence[str], where: str) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(
            "There is no such source or sink.",
            where=where,
            expected=", ".join(known),
            found=", ".join(unknown),
        )
