"""Replay of the recording of a study at its own speed, as sensors would send it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from sspinn_opensim.streaming.addresses import address_of
from sspinn_opensim.streaming.replay import REPLAY, LslPlayer, UdpPlayer, play
from sspinn_opensim.streaming.sources import own_axes
from sspinn_opensim.study import Study
from sspinn_opensim.verbs.on_study import read_recording

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Replayed:
    """How many samples of each sensor were sent, and where to."""

    samples: int
    where: str

    def __str__(self) -> str:
        return f"{self.samples} samples of each sensor were sent to {self.where}"


def replay(
    study: Study | str | Path,
    *,
    udp: str | None = None,
    times: int = 1,
    wait_s: float = 30.0,
    scope: str = "machine",
) -> Replayed:
    """Send the recording of a study: an LSL outlet, or UDP messages.

    Parameters
    ----------
    study : Study, str or Path
        Names the recording and its sensors.
    udp : str, optional
        Address HOST:PORT; by default LSL.
    times : int
        How often it is played, one after the other.
    wait_s : float
        So long an outlet waits for someone who reads.
    scope : {'machine', 'network'}
        How far an outlet is announced.

    Raises
    ------
    InputError
        The recording cannot be read, or nothing can be sent.
    """
    recording = read_recording(study)
    names, rate_hz = recording.sensor_names, recording.sampling_rate_hz
    signals, time_s = own_axes(recording, recording.rotations), recording.time_s
    if udp is not None:
        player, where = UdpPlayer(names, *address_of(udp)), udp
    else:
        player, where = LslPlayer(names, rate_hz, scope), f"the LSL stream '{REPLAY[0]}'"
    log.info(f"Sending {len(time_s) / rate_hz:.1f} s of {len(names)} sensors to {where}")
    if not player.wait(wait_s):
        log.info("Nobody reads yet.")
    sent, step_s = 0, 1 / rate_hz
    for turn in range(times):
        # One time goes on through all turns: sensors have no end.
        sent += play(player, time_s + turn * (time_s[-1] - time_s[0] + step_s), signals)
    return Replayed(sent, where)
