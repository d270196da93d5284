"""Replay of a recording to others: an outlet of Lab Streaming Layer, or messages by UDP."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.streaming.lsl import lsl, stream_info
from sspinn_opensim.streaming.samples import Sample, message_of

#: Name and type of the outlet.
REPLAY = ("sspinn_replay", "IMU")
_SIGNALS = [
    (f"{kind}_{axis}", unit) for kind, unit in (("acc", "m/s^2"), ("gyro", "rad/s")) for axis in "xyz"
]


class LslPlayer:
    """An outlet of all sensors of a recording, channels named as those of a table."""

    def __init__(self, names: Sequence[str], rate_hz: float, scope: str = "machine") -> None:
        module = lsl(scope)
        labels = [f"{name}_{signal}" for name in names for signal, _ in _SIGNALS]
        units = [unit for _ in names for _, unit in _SIGNALS]
        self._outlet = module.StreamOutlet(stream_info(module, *REPLAY, labels, units, rate_hz))
        self._now = module.local_clock

    def wait(self, seconds: float) -> bool:
        """Wait for someone who reads; return whether someone does."""
        return bool(self._outlet.wait_for_consumers(seconds))

    def send(self, time_s: float, signals: np.ndarray, due_s: float) -> None:
        """Send signals (k, 6) that were due at a time of the monotonic clock."""
        del time_s  # the outlet's readers have the clock of LSL
        self._outlet.push_sample(signals.ravel().tolist(), due_s + self._now() - time.monotonic())


class UdpPlayer:
    """Messages of all sensors, one a sample."""

    def __init__(self, names: Sequence[str], host: str, port: int) -> None:
        self._names, self._address, self._count = tuple(names), (host, port), 0
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)

    def wait(self, seconds: float) -> bool:
        """Nobody can be waited for; return whether it may begin: always."""
        del seconds
        return True

    def send(self, time_s: float, signals: np.ndarray, due_s: float) -> None:
        """Send signals (k, 6) that were measured at a time."""
        del due_s
        samples = [Sample(k, time_s, own, self._count) for k, own in enumerate(signals)]
        self._count += 1
        try:
            self._socket.sendto(message_of(samples, self._names), self._address)
        except ConnectionError:  # nobody listens now
            return
        except OSError as error:
            raise InputError(
                "Nothing can be sent to this address.",
                where=f"{self._address[0]}:{self._address[1]}",
                found=str(error),
            ) from error


def play(player: LslPlayer | UdpPlayer, time_s: np.ndarray, signals: np.ndarray) -> int:
    """Send signals (n, k, 6) when they are due, and return how many times that was.

    Parameters
    ----------
    time_s : (n,) ndarray
        When they were recorded.
    """
    began = time.monotonic()
    for at, own in zip(time_s, signals, strict=True):
        due_s = began + at - time_s[0]
        wait = due_s - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        player.send(float(at), own, due_s)
    return len(time_s)
