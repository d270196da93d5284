"""The adaptation of the network to the person who streams: learnt in another process, taken over in between.

While frames are estimated the last of them are kept. When there are enough, another process is given them and
trains on (`learner`). The network that comes back first follows the last seconds of the stream, a few frames
of the past with every new one, until its memory is that of a network that was there all the time. Then it
estimates the next frame. Nothing of this makes a frame wait for longer than a few of these steps take.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.estimation import StreamingEstimator
from sspinn_opensim.streaming.events import Event
from sspinn_opensim.streaming.learner import Answer, Lesson, Task, learn
from sspinn_opensim.streaming.recent import Recent
from sspinn_opensim.streaming.task_process import EndedError, TaskProcess
from sspinn_opensim.training.checkpoint import body_identity, load_estimator
from sspinn_opensim.training.settings import LEAD_IN_S
from sspinn_opensim.training.signals import Signals

#: How much of the stream is kept and learnt from at most, s; the second lesson waits for all of it.
KEPT_S = 60.0
#: The first lesson: after so many seconds, of so many steps at most.
FIRST_S, FIRST_STEPS = 20.0, 100
#: Where nobody walked, it is tried again after so many seconds.
_AGAIN_S = 10.0
#: A new network follows so much of the past, s: what it remembers of before is less than 1e-10 of its range.
FOLLOWS_S = 12.0
#: And so many frames of it with each new one.
_AT_ONCE = 5


class Adaptation:
    """Keeps what is streamed, has a network adapted on it, and hands the network over when it has caught up.

    Parameters
    ----------
    task : Task
        Whose network is adapted, and how.
    signals : Signals
        As for the estimator that streams.
    first_s : float
        The first lesson begins after so many seconds; the second, and last, after `KEPT_S`.
    keep : callable, optional
        Given the checkpoint of every network that is taken over.
    """

    def __init__(
        self,
        task: Task,
        signals: Signals,
        *,
        first_s: float = FIRST_S,
        keep: Callable[[Path], object] = lambda _: None,
    ) -> None:
        self._task, self._signals, self._keep = task, signals, keep
        self._step_s = signals.step_s
        self._recent = Recent(len(task.recording.sensors), round(KEPT_S / self._step_s))
        steps = task.settings.steps
        self._lessons = [(min(first_s, KEPT_S), min(FIRST_STEPS, steps)), (KEPT_S, steps)]
        if first_s >= KEPT_S:
            del self._lessons[0]
        self._number, self._not_before, self._time_s = 0, 0, 0.0
        self._made: Future[StreamingEstimator] | None = None
        self._answer: Answer | None = None
        self._successor: StreamingEstimator | None = None
        self._followed: int | None = None
        self.busy = False
        self._beside = TaskProcess(learn, task, "adaptation")

    def take(
        self, time_s: float, acceleration: np.ndarray, angular_rate: np.ndarray
    ) -> tuple[StreamingEstimator | None, list[Event]]:
        """Take the signals of the next frame (k, 3), which has been estimated.

        Returns
        -------
        StreamingEstimator or None
            One that has seen this frame and is to estimate the next one.
        list of Event
            What there is to say.
        """
        self._time_s = time_s
        self._recent.put(acceleration, angular_rate)
        events = self._news(time_s)
        if not self.busy and self._lessons and self._recent.count >= self._not_before:
            seconds, steps = self._lessons[0]
            if len(self._recent) >= self._frames(seconds):
                events.append(self._begin(time_s, steps))
        return self._caught_up(), events

    def pause(self) -> None:
        """Forget the frames so far: what comes does not follow them."""
        self._recent.forget()
        self._followed = None

    def close(self) -> list[Event]:
        """End the process and remove its files; return what is to be said of an adaptation under way."""
        self._beside.close()
        text = "The stream ended before the network was adapted."
        return [Event(self._time_s, "not_adapted", text)] if self.busy else []

    def told(self) -> str:
        """Return what the network is that was handed over last."""
        answer = self._answer
        assert answer is not None
        return (
            f"a network adapted to the person: {answer.steps} steps on {answer.seconds:.0f} s of the stream, "
            f"loss {answer.before:.3g} before and {answer.after:.3g} after"
        )

    def _frames(self, seconds: float) -> int:
        return round(seconds / self._step_s)

    def _begin(self, time_s: float, steps: int) -> Event:
        self.busy = True
        self._number += 1
        files = [self._beside.folder / f"{self._number}.{ending}" for ending in ("npz", "pt")]
        acceleration, rate = self._recent.from_frame(self._recent.first)

        def lesson() -> Lesson:
            np.savez(files[0], acceleration=acceleration, angular_rate=rate)
            return Lesson(files[0], steps, files[1])

        self._beside.hand_over(lesson)
        seconds = len(acceleration) * self._step_s
        text = f"In the background the network is adapted to the person: {steps} steps on {seconds:.0f} s."
        return Event(time_s, "adapting", text)

    def _news(self, time_s: float) -> list[Event]:
        """Look whether the other process has answered, and whether what it made is ready."""
        if not self.busy:
            return []
        try:
            if self._made is None and self._successor is None:
                answer = self._beside.answer()
                return [] if answer is None else self._answered(time_s, answer)
            if self._made is not None and self._made.done():
                self._successor, self._made = self._made.result(), None
        except EndedError as error:
            self._lessons.clear()
            return [self._stays(time_s, f"the process that learns {error}")]
        except InputError as error:
            self._lessons.clear()
            self._made = None
            return [self._stays(time_s, error.what.rstrip("."))]
        return []

    def _answered(self, time_s: float, answer: Answer) -> list[Event]:
        if answer.kind == "adapted":
            self._answer = answer
            checkpoint = self._beside.folder / f"{self._number}.pt"
            self._made = self._beside.thread.submit(self._make, checkpoint)
            return []
        if answer.kind == "no_gait":
            self.busy = False
            self._not_before = self._recent.count + self._frames(_AGAIN_S)
            text = (
                f"less than half of the last {answer.seconds:.0f} s was walking or running; it is tried again"
            )
            return [self._stays(time_s, text)]
        self._finish_lesson()
        if answer.kind == "worse":
            text = f"its loss was {answer.before:.3g} before and {answer.after:.3g} after"
            return [self._stays(time_s, text)]
        return [self._stays(time_s, answer.text)]

    def _stays(self, time_s: float, why: str) -> Event:
        self.busy = False
        text = f"The network was not adapted, the stream goes on with the one it has: {why}."
        return Event(time_s, "not_adapted", text)

    def _finish_lesson(self) -> None:
        self.busy = False
        if self._lessons:
            del self._lessons[0]

    def _make(self, checkpoint: Path) -> StreamingEstimator:
        task = self._task
        belongs_to = {"body": body_identity(task.subject, task.recording)}
        network = load_estimator(checkpoint, task.subject, self._signals, belongs_to)
        self._keep(checkpoint)
        return StreamingEstimator(network, task.subject, self._signals)

    def _caught_up(self) -> StreamingEstimator | None:
        """Let a successor follow some frames; return it once it has seen the last one."""
        successor, recent, settles = self._successor, self._recent, self._frames(LEAD_IN_S)
        if successor is None or len(recent) <= settles:
            return None
        if self._followed is None:
            first = max(recent.first, recent.count - self._frames(FOLLOWS_S))
            successor.settle(*recent.from_frame(first, settles))
            self._followed = first
        # The last frame is stepped: where the body goes from there is taken from its estimate.
        to = min(self._followed + _AT_ONCE, recent.count - 1)
        if to > self._followed:
            successor.follow(*recent.from_frame(self._followed, to - self._followed))
            self._followed = to
        if self._followed < recent.count - 1:
            return None
        acceleration, rate = recent.from_frame(recent.count - 1)
        successor.step(acceleration[0], rate[0])
        self._successor = self._followed = None
        self._finish_lesson()
        return successor
