"""Clocks of sensors: streams that each have their own become signals on one uniform clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.choices import RecordingChoice
from sspinn_opensim.recording.streams import Stream


@dataclass(frozen=True, eq=False)
class Common:
    """Signals of k sensors on one clock, in the sensors' own axes.

    Parameters
    ----------
    time_s : (n,) array
        Uniform time in s from 0.
    acceleration, angular_rate : (n, k, 3) array
        Zero where a channel is not available.
    acceleration_available, angular_rate_available : (k, 3) array of bool
        Which channels were measured.
    notes : tuple of str
        What was done to the clocks, one sentence each.
    """

    time_s: np.ndarray
    acceleration: np.ndarray
    angular_rate: np.ndarray
    acceleration_available: np.ndarray
    angular_rate_available: np.ndarray
    notes: tuple[str, ...] = ()


def on_one_clock(streams: Sequence[Stream], choice: RecordingChoice) -> Common:
    """Return the signals of streams on one uniform clock.

    Raises
    ------
    InputError
        If no file states a rate and the study does not either, or the streams differ in length.
    """
    rates = {stream.rate_hz for stream in streams if stream.rate_hz}
    if not rates and choice.recorded_rate_hz is None:
        raise InputError(
            "The recording does not say its sampling rate.",
            where=choice.file,
            expected="the rate that was set when it was recorded",
            fix="write recorded_rate_hz = ... under [recording] of the study",
        )
    rate = choice.recorded_rate_hz or max(rates)
    length = min(len(stream) for stream in streams)
    signals = [
        _filled([getattr(s, kind) for s in streams], length) for kind in ("acceleration", "angular_rate")
    ]
    (acceleration, has_acceleration), (angular_rate, has_rate) = signals
    return Common(
        np.arange(length) / rate,
        acceleration,
        angular_rate,
        has_acceleration,
        has_rate,
        tuple(note for stream in streams for note in stream.notes),
    )


def _filled(signals: Sequence[np.ndarray | None], length: int) -> tuple[np.ndarray, np.ndarray]:
    found = np.stack([np.full((length, 3), np.nan) if s is None else s[:length] for s in signals], axis=1)
    available = ~np.all(np.isnan(found), axis=0)
    return np.where(available, found, 0.0), available
