"""The axes of sensors of which nothing says how they sit: found beside the stream, of its first steps.

Frames are kept until there are enough; then another process aligns them as any recording is aligned. Until
that is sure nothing is estimated: what wrong axes give looks no less plausible than what right ones give.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.alignment.align import align, aligned
from sspinn_opensim.alignment.choices import AlignmentChoice
from sspinn_opensim.alignment.types import Alignment
from sspinn_opensim.recording import Recording, find_faults, refuse_serious
from sspinn_opensim.streaming.events import Event
from sspinn_opensim.streaming.recent import Recent, recording_of
from sspinn_opensim.streaming.task_process import EndedError, TaskProcess, serve

#: The first attempt is made of so many seconds, the next ones of up to so many, each so many seconds later.
FIRST_S, KEPT_S, _AGAIN_S = 20.0, 60.0, 10.0


@dataclass(frozen=True)
class Unaligned:
    """What is known of the sensors before.

    Attributes
    ----------
    like : Recording
        Their names, segments and channels, and whether axes are known; its signals are of no account.
    choice : AlignmentChoice
        What the study says of alignment.
    accepted : tuple of str
        Serious findings that the study accepts.
    """

    like: Recording
    choice: AlignmentChoice
    accepted: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Sensors of which nothing says how they sit."""
        return tuple(sensor.name for sensor in self.like.sensors if not sensor.axes_known)

    def found(self, part: Part) -> Alignment:
        """Return how the sensors sit by a part of the stream.

        Raises
        ------
        InputError
            It is not sure, or something is wrong with the signals.
        """
        recording = recording_of(self.like, part.acceleration, part.angular_rate)
        found = align(recording, self.choice, standing_s=part.standing_s)
        refuse_serious(found.findings, self.accepted, "the stream")
        refuse_serious(find_faults(aligned(recording, found)), self.accepted, "the stream")
        return found


@dataclass(frozen=True)
class Part:
    """Signals (n, k, 3) of a stream, and where in it the person stood, s."""

    acceleration: np.ndarray
    angular_rate: np.ndarray
    standing_s: tuple[tuple[float, float], ...] = ()


def find_axes(given: Path, pipe: Connection) -> None:
    """Answer to each `Part` with an `Alignment`, or with why there is none, until the other process is gone.

    Parameters
    ----------
    given : Path
        A pickled `Unaligned`.
    """
    unaligned: Unaligned = pickle.loads(given.read_bytes())

    def answer(part: Part) -> Alignment | str:
        try:
            return unaligned.found(part)
        except InputError as error:
            return (error.found or error.what).rstrip(".")

    serve(pipe, answer)


class Aligning:
    """Keeps what is streamed and has the axes found of it.

    Parameters
    ----------
    unaligned : Unaligned
        The sensors.
    first_s : float
        Of so many seconds the axes are looked for the first time.
    then : callable, optional
        Given the alignment that is used, before the estimate begins.
    """

    def __init__(
        self,
        unaligned: Unaligned,
        *,
        first_s: float = FIRST_S,
        then: Callable[[Alignment], object] = lambda _: None,
    ) -> None:
        self._unaligned, self._then = unaligned, then
        self._rate_hz = unaligned.like.sampling_rate_hz
        self._recent = Recent(len(unaligned.like.sensors), self._frames(KEPT_S))
        self._enough = self._frames(min(first_s, KEPT_S))
        self._stood: tuple[int, int] | None = None
        self._bias = np.zeros((len(unaligned.like.sensors), 3))
        self._busy, self._ended, self._why = False, False, ""
        self._beside = TaskProcess(find_axes, unaligned, "alignment")

    @property
    def told(self) -> str:
        """Why there is no estimate yet, in words."""
        return (
            f"Nothing says how {_listed(self._unaligned.names)} sit: nothing is estimated until "
            f"their axes are found. {self._state()}"
        )

    def stood(self, frames: int, bias_rad_s: np.ndarray) -> None:
        """Take note that the person stood still in the last frames, and of the gyroscopes' bias (k, 3).

        It is subtracted from all frames, those before as well, as of a recording that is read.
        """
        self._bias = bias_rad_s
        self._stood = (self._recent.count - frames, self._recent.count)

    def take(
        self, time_s: float, acceleration: np.ndarray, angular_rate: np.ndarray
    ) -> tuple[Alignment | None, list[Event]]:
        """Take signals of a frame (k, 3), along the axes of the bodies as far as they are known.

        Returns
        -------
        Alignment or None
            How the sensors sit, once.
        list of Event
            What there is to say.
        """
        self._recent.put(acceleration, angular_rate)
        if self._ended:
            return None, []
        if not self._busy:
            return None, self._begin(time_s) if len(self._recent) >= self._enough else []
        try:
            answer = self._beside.answer()
        except EndedError as error:
            self._busy, self._ended = False, True
            return None, [self._not_aligned(time_s, f"the process that looks for them {error}")]
        if answer is None:
            return None, []
        self._busy = False
        if not isinstance(answer, Alignment):
            self._enough = min(len(self._recent) + self._frames(_AGAIN_S), self._frames(KEPT_S))
            return None, [self._not_aligned(time_s, f"{answer}. It is tried again")]
        self._then(answer)
        return answer, [Event(time_s, "aligned", _said(answer), self._unaligned.names)]

    def pause(self) -> None:
        """Forget the frames so far: what comes does not follow them."""
        self._recent.forget()

    def close(self) -> None:
        """End the process."""
        self._beside.close()

    def _frames(self, seconds: float) -> int:
        return round(seconds * self._rate_hz)

    def _begin(self, time_s: float) -> list[Event]:
        self._busy = True
        first = self._recent.first
        (acceleration, rate), bias = self._recent.from_frame(first), self._bias
        standing: tuple[tuple[float, float], ...] = ()
        if self._stood is not None and self._stood[0] >= first:
            from_frame, to_frame = self._stood[0] - first, self._stood[1] - 1 - first
            standing = ((from_frame / self._rate_hz, to_frame / self._rate_hz),)
        self._beside.hand_over(lambda: Part(acceleration, rate - bias, standing))
        text = (
            f"The axes of {_listed(self._unaligned.names)} are looked for in {self._seconds(acceleration)} s."
        )
        return [Event(time_s, "aligning", text, self._unaligned.names)]

    def _seconds(self, frames: np.ndarray | Recent) -> str:
        return f"{len(frames) / self._rate_hz:.0f}"

    def _not_aligned(self, time_s: float, why: str) -> Event:
        self._why = why
        text = f"The axes of {_listed(self._unaligned.names)} are not known yet, nothing is estimated: {why}."
        return Event(time_s, "not_aligned", text, self._unaligned.names)

    def _state(self) -> str:
        if self._ended or self._why:
            return f"{self._why}."
        if self._busy:
            return "They are being looked for."
        return (
            f"Stand still, then walk straight on: {self._seconds(self._recent)} of "
            f"{self._enough / self._rate_hz:.0f} s are there."
        )


def _said(alignment: Alignment) -> str:
    found = [own for own in alignment.sensors if own.estimated]
    each = "; ".join(f"'{own.name}' {own.sd_deg[2]:.0f}" for own in found)
    doubts = [str(finding) for finding in alignment.findings if finding.severity == "doubt"]
    text = (
        f"The axes of {_listed([own.name for own in found])} are found, and the estimate begins. In the "
        f"sagittal plane they are known within, degrees: {each}."
    )
    return " ".join([text, *doubts])


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return ("sensors " if len(names) > 1 else "sensor ") + ", ".join(f"'{name}'" for name in names)
