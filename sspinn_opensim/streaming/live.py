"""The estimate while samples arrive: begun when all sensors are there, withdrawn in gaps, begun again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sspinn_opensim.estimation import FrameEstimate, StreamingEstimator
from sspinn_opensim.muscles import MuscleFrame
from sspinn_opensim.streaming.adaptation import Adaptation
from sspinn_opensim.streaming.aligning import Aligning
from sspinn_opensim.streaming.calibration import Inclined, along_turned, calibrated, tilted
from sspinn_opensim.streaming.events import Event
from sspinn_opensim.streaming.frames import Frame, FrameMaker, Patience, SensorHealth, Silence
from sspinn_opensim.streaming.latency import Latency
from sspinn_opensim.streaming.lateness import LateSensors, SharedJoint
from sspinn_opensim.streaming.muscles import LiveMuscles
from sspinn_opensim.streaming.samples import Sample, SampleClock
from sspinn_opensim.streaming.sensors import StreamedSensors, listed
from sspinn_opensim.streaming.watch import SensorWatch
from sspinn_opensim.training.settings import LEAD_IN_S


@dataclass(frozen=True)
class LiveFrame:
    """The estimate at one time.

    Attributes
    ----------
    time_s : float
        On the clock of the samples.
    machine_s : float
        The same on this machine's monotonic clock.
    estimate : FrameEstimate
        Coordinates, moments and ground forces.
    held : tuple of str
        Sensors that were interpolated over a gap or held.
    late : bool
        Whether it was made after its time, as the network settled on samples after it.
    spent_s : dict of str to float
        How long parts of the way took, by `latency.PARTS`.
    muscles : MuscleFrame or None
        Activations and forces of the muscles, in the order of `Channels.muscles`; None where they are not
        asked for, or not solved in this frame.
    """

    time_s: float
    machine_s: float
    estimate: FrameEstimate
    held: tuple[str, ...]
    late: bool = False
    spent_s: dict[str, float] = field(default_factory=dict)
    muscles: MuscleFrame | None = None


class LiveEstimator:
    """Takes samples and gives estimates and events.

    Parameters
    ----------
    streaming : StreamingEstimator
        Of the person, with the same sensors.
    clock : SampleClock
        What the times of the samples are of, as of the `Source` that they come from.
    standing_s : float
        The person stands for so long at the start: gyroscopes are then corrected by what they read. 0: no.
    muscles : LiveMuscles, optional
        Solves the muscles of each frame.
    adaptation : Adaptation, optional
        Adapts the network to the person meanwhile.
    network : str
        Which network it is, in words.
    inclined : callable, optional
        Given what the person's sensors read while standing, acceleration and angular rate (n, k, 3) along the
        bodies as far as their axes are known, it returns by how much each has to be turned yet, (k, 3, 3).
    joints : sequence of SharedJoint
        By which sensors whose signals are late are told.
    """

    def __init__(
        self,
        streaming: StreamingEstimator,
        sensors: StreamedSensors,
        *,
        clock: SampleClock,
        patience: Patience | None = None,
        standing_s: float = 0.0,
        muscles: LiveMuscles | None = None,
        adaptation: Adaptation | None = None,
        network: str = "",
        inclined: Inclined | None = None,
        joints: Sequence[SharedJoint] = (),
    ) -> None:
        self._streaming, self.sensors, self.clock = streaming, sensors, clock
        self._patience = patience or Patience()
        self._first_due_s: float | None = None
        self.muscles, self.adaptation = muscles, adaptation
        #: Which network estimates now, in words.
        self.network = network
        self.frames = FrameMaker(
            len(sensors.names),
            streaming.step_s,
            shared_clock=clock.shared,
            patience=self._patience,
            # Whatever is turned is mixed of all axes.
            needed=sensors.needed if inclined is None else np.ones_like(sensors.needed),
        )
        self._inclined = inclined
        #: Finds the axes of sensors that nothing says; until then nothing is estimated.
        self.aligning: Aligning | None = None
        #: The last one that was estimated.
        self.last_frame: Frame | None = None
        self._standing_s = standing_s
        self._bias = np.zeros((len(sensors.names), 3))
        self._entering: list[Frame] = []
        self._live, self._began = False, False
        self._withdrawn_s: float | None = None
        self._late_sensors = LateSensors(joints, streaming.step_s, self._whole)
        self._watch = SensorWatch(sensors, self.frames)
        #: Whether nothing has come since `advance` was called.
        self._quiet = False
        self._aligning_s = 0.0
        self.latency = Latency()
        self.estimated = 0

    @property
    def step_s(self) -> float:
        """Time from frame to frame, s."""
        return self._streaming.step_s

    @property
    def machine_step_s(self) -> float:
        """The same on this machine's clock, on which a recording may be faster or slower."""
        return self.step_s / self.clock.speed

    @property
    def next_due_s(self) -> float | None:
        """When the next frame can be made at the earliest, on this machine's clock; None before the first."""
        if self.last_frame is None:
            return None
        return self.last_frame.time_s + self.step_s + self.frames.look_ahead_s + self.frames.ahead_s

    @property
    def estimating(self) -> bool:
        """Whether there is an estimate now."""
        return self._live

    def await_axes(self, aligning: Aligning) -> None:
        """Estimate nothing until the axes of all sensors are found."""
        self.aligning = aligning
        self.frames.need_all()

    def twin(self) -> LiveEstimator:
        """Return another one that estimates at once with the same network and muscles, and has met no sample.

        Calls of the two must not overlap.
        """
        twin = LiveEstimator(
            self._streaming.twin(),
            self.sensors,
            clock=SampleClock(shared=self.clock.shared),
            patience=self._patience,
            muscles=None if self.muscles is None else self.muscles.twin(),
            network=self.network,
        )
        twin._bias = self._bias
        twin._live = twin._began = True
        return twin

    @property
    def health(self) -> dict[str, SensorHealth]:
        """State of each sensor by its name."""
        return dict(zip(self.sensors.names, self.frames.health, strict=True))

    def take(self, sample: Sample, arrived_s: float) -> None:
        """Take a sample that arrived at a time of this machine's monotonic clock."""
        began, self._quiet = time.perf_counter(), False
        self.frames.take(sample, arrived_s)
        self._aligning_s += time.perf_counter() - began

    def advance(self, now_s: float) -> list[LiveFrame | Event]:
        """Return what there is to say at a time of this machine's monotonic clock."""
        found: list[LiveFrame | Event] = []
        if self._quiet:  # the next frame is not yet on its way
            found += self._watch.late(self._late_sensors.work(), now_s - self.frames.ahead_s)
        self._quiet = True
        while True:
            began = time.perf_counter()
            frame = self.frames.next(now_s)
            self._aligning_s += time.perf_counter() - began
            if frame is None:
                break
            self._watch.frame_came()
            if isinstance(frame, Silence):
                found += self._withdraw(frame)
            elif self.aligning is not None:
                found += self._align(self.aligning, frame)
            elif self._live:
                found += self._step(frame, now_s)
            else:
                found += self._enter(frame)
        return found + self._watch.look(now_s, estimating=self._live, packets_tell=self.clock.shared)

    def close(self) -> list[Event]:
        """End what goes on beside the stream; return what there is to say of it."""
        if self.aligning is not None:
            self.aligning.close()
        return [] if self.adaptation is None else self.adaptation.close()

    def _due_s(self, time_s: float) -> float:
        return time_s if self.clock.of_machine else time_s + self.frames.ahead_s

    def _machine_s(self, time_s: float) -> float:
        """Return the time of a frame on this machine's clock, on which samples may come faster or slower."""
        due_s = self._due_s(time_s)
        if self._first_due_s is None:
            self._first_due_s = due_s
        return self._first_due_s + (due_s - self._first_due_s) / self.clock.speed

    def _align(self, aligning: Aligning, frame: Frame) -> list[LiveFrame | Event]:
        """Let the axes be found; the estimate begins once they are."""
        acceleration, rate = self.sensors.whole(frame.signals)
        alignment, told = aligning.take(frame.time_s, acceleration, rate)
        found: list[LiveFrame | Event] = [*told]
        if self._standing_s:
            self._entering.append(frame)
            if len(self._entering) >= round(self._standing_s / self._streaming.step_s):
                standing, self._entering, self._standing_s = self._entering, [], 0.0
                events = self._calibrate(standing)
                if events[0].kind == "standing":
                    aligning.stood(len(standing), self._bias)
                found += events
        if alignment is not None:
            turns = np.array([own.rotation for own in alignment.sensors])
            self.sensors, self._bias = self.sensors.turned(turns), along_turned(turns, self._bias)
            aligning.close()
            self.aligning = None
        return found

    def _enter(self, frame: Frame) -> list[LiveFrame | Event]:
        """Wait for the samples that the network settles on; then estimate all that have come meanwhile."""
        self._entering.append(frame)
        settles = round(LEAD_IN_S / self._streaming.step_s)
        stands = 0 if self._began else round(self._standing_s / self._streaming.step_s)
        if len(self._entering) < max(settles, stands):
            return []
        entering, self._entering = self._entering, []
        found: list[LiveFrame | Event] = list(self._calibrate(entering[:stands])) if stands else []
        signals = [self._along_bodies(one.signals) for one in entering]
        acceleration, rate = (np.array([pair[i][:] for pair in signals[:settles]]) for i in (0, 1))
        self._streaming.settle(acceleration, rate, keep_place=self._began)
        if self.muscles is not None:
            self.muscles.pause()
        if self.adaptation is not None:
            self.adaptation.pause()
        text = "All sensors are there: the estimate begins."
        if self._withdrawn_s is not None:
            gap = entering[0].time_s - self._withdrawn_s
            text = f"All sensors are there again: the estimate goes on after {gap:.1f} s."
        found.append(Event(entering[0].time_s, "began", text))
        self._began = self._live = True
        self._withdrawn_s = None
        for one, (a, r) in zip(entering, signals, strict=True):
            found += [*self._estimated(one, a, r, late=True), *self._late(one)]
        self._aligning_s = 0.0
        return found

    def _step(self, frame: Frame, now_s: float) -> list[LiveFrame | Event]:
        began, self.last_frame = time.perf_counter(), frame
        told = self._late(frame)
        acceleration, rate = self._along_bodies(frame.signals)
        aligning = self._aligning_s + time.perf_counter() - began
        self._aligning_s = 0.0
        live, *events = self._estimated(frame, acceleration, rate, late=False)
        assert isinstance(live, LiveFrame)
        network, physics = self._streaming.spent_s
        live.spent_s.update(alignment=aligning, network=network, physics=physics)
        live.spent_s["waiting"] = max(now_s - self._due_s(frame.time_s), 0.0)
        return [live, *events, *told]

    def _late(self, frame: Frame) -> list[Event]:
        """Return which sensor's signals are late, if that is found now."""
        return self._watch.late(self._late_sensors.take(frame.signals, frame.held), frame.time_s)

    def _whole(self, signals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return acceleration and angular rate (n, k, 3) of frames along the bodies, without bias."""
        acceleration, rate = self.sensors.whole(signals)
        return acceleration, rate - self._bias

    def _calibrate(self, standing: Sequence[Frame]) -> list[Event]:
        """Correct gyroscopes, and inclinations, by what sensors read while the person stands."""
        found = calibrated(self.sensors, standing, self._inclined, axes_known=self.aligning is None)
        self._bias = found.bias
        if found.turns is not None:
            self.sensors = self.sensors.turned(found.turns)
        if found.up is None or self.aligning is not None:  # where up should be is not known yet
            return [found.event]
        return [found.event, *tilted(self.sensors, found.event.time_s, found.up)]

    def _estimated(
        self, frame: Frame, acceleration: np.ndarray, rate: np.ndarray, *, late: bool
    ) -> list[LiveFrame | Event]:
        """Return the estimate of a frame, and what there is to say of its muscles."""
        estimate = self._streaming.step(acceleration, rate)
        self.estimated += 1
        muscles, events, spent = None, [], {}
        if self.muscles is not None:
            muscles, events = self.muscles.take(frame.time_s, estimate)
            if self.muscles.spent_s is not None:
                spent = {"muscles": self.muscles.spent_s}
        if self.adaptation is not None:
            began = time.perf_counter()
            events += self._adapted(self.adaptation, frame)
            spent["adaptation"] = time.perf_counter() - began
        held, machine_s = self.sensors.named(frame.held), self._machine_s(frame.time_s)
        return [LiveFrame(frame.time_s, machine_s, estimate, held, late, spent, muscles), *events]

    def _adapted(self, adaptation: Adaptation, frame: Frame) -> list[Event]:
        """Let the adaptation have a frame, and take over the network that it hands over."""
        acceleration, rate = self.sensors.whole(frame.signals)
        successor, events = adaptation.take(frame.time_s, acceleration, rate - self._bias)
        if successor is not None:
            successor.go_on_from(self._streaming)
            self._streaming = successor
            self.network = f"{adaptation.told()}; since {time.strftime('%H:%M:%S')}"
            events.append(Event(frame.time_s, "adapted", f"From here on estimates {adaptation.told()}."))
            if self.muscles is not None:  # no rate from a posture of one network to that of another
                self.muscles.pause()
        return events

    def _along_bodies(self, signals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        acceleration, rate = self.sensors.along_bodies(signals)
        return acceleration, rate - self._bias

    def _withdraw(self, silence: Silence) -> list[Event]:
        self._entering = []
        self._late_sensors.pause()
        if self.aligning is not None:
            self.aligning.pause()
        if not self._live:
            return []
        self._live, self._withdrawn_s = False, silence.time_s
        names = self.sensors.named(silence.sensors)
        whom = "any sensor" if len(names) == len(self.sensors.names) else listed(names)
        text = f"Nothing comes from {whom}: the estimate is withdrawn."
        return [Event(silence.time_s, "withdrawn", text, names)]
