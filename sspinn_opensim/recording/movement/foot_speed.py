"""Walking speed by dead reckoning: how far a foot sensor travels from one stance to the next.

Between two moments of stance, in which the foot rests, the angular rate gives the attitude, which starts with
gravity along the specific force; the specific force without gravity gives the velocity, whose drift is taken
away as a line, since the foot rests again at the end. On a treadmill the belt is at rest in its own frame, so
the same holds. It is the method of foot-mounted navigation (Foxlin 2005, IEEE Computer Graphics and
Applications 25(6), 38-46) with one correction a stride. A running foot never rests: nothing is said of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sspinn_opensim.recording.movement.phases import Phase
from sspinn_opensim.recording.sensors.placement import site_of
from sspinn_opensim.recording.signals.magnitude import magnitudes
from sspinn_opensim.recording.signals.rotations import rotations_from_vectors
from sspinn_opensim.recording.signals.runs import true_runs
from sspinn_opensim.recording.types import Recording

#: Angular rate and specific force are averaged over this before stance is looked for, s.
_SMOOTH_S = 0.06
#: Stance: where the measure of movement is below this times its 20th percentile. In walking a foot is down
#: for 60 % of a stride and flat for about a third of it.
_STANCE = 1.2
#: Less movement than this is always stance, rad/s.
_ALWAYS_STILL = 0.05
#: Two stances closer than this are one, s; strides shorter or longer than these are none, s.
_APART_S, _SHORTEST_S, _LONGEST_S = 0.25, 0.6, 2.0
#: Weight of the specific force's distance from its usual one in stance against angular rate, s m^-1 rad.
_FORCE_WEIGHT = 1.0 / 3.0
#: So many strides of a foot are enough for a median.
_MOST = 200
#: Strides that are reckoned beside one another: memory does not grow with the recording.
_AT_ONCE = 256
#: With fewer strides of a foot there is no estimate.
FEWEST_STRIDES = 4


@dataclass(frozen=True)
class SpeedEstimate:
    """A speed of walking with its origin.

    Attributes
    ----------
    speed_m_s : float
        Median over the strides of all feet, m/s.
    strides : int
        How many strides it is made of.
    sensors : tuple of str
        Foot sensors that were used.
    """

    speed_m_s: float
    strides: int
    sensors: tuple[str, ...]

    @property
    def how(self) -> str:
        """What it was made of, in words."""
        return f"{', '.join(self.sensors)}, dead reckoning over {self.strides} strides"


def speed_estimate(recording: Recording, found: Sequence[Phase]) -> SpeedEstimate | None:
    """Return the walking speed by the foot sensors; None without one or without enough strides.

    Parameters
    ----------
    recording : Recording
        Signals along any axes that turn with the sensors; of one that is along the axes of its body those of
        the sagittal plane are enough.
    found : sequence of Phase
        Its phases.
    """
    speeds: list[float] = []
    used: list[str] = []
    force_known, rate_known = recording.acceleration_available, recording.angular_rate_available
    for k, sensor in enumerate(recording.sensors):
        in_plane = sensor.axes_known and force_known[k, :2].all() and rate_known[k, 2]
        if not (in_plane or (force_known[k].all() and rate_known[k].all())):
            continue
        own: list[float] = []
        for _, force, rate in _walks(recording, k, found):
            own += stride_speeds(force, rate, recording.sampling_rate_hz)
        if len(own) >= FEWEST_STRIDES:
            speeds += own
            used.append(sensor.name)
    if not used:
        return None
    return SpeedEstimate(float(np.median(speeds)), len(speeds), tuple(used))


def stride_speeds(acceleration: np.ndarray, angular_rate: np.ndarray, rate_hz: float) -> list[float]:
    """Return the mean horizontal speed of each stride of a foot that walks all the time, m/s.

    Parameters
    ----------
    acceleration, angular_rate : (n, 3) array
        Specific force, m/s^2, and angular rate, rad/s, of a sensor on the foot, along its own axes.
    rate_hz : float
        Sampling rate, Hz.
    """
    strides = _strides(acceleration, angular_rate, rate_hz)[:_MOST]
    return [
        float(np.hypot(*v[:, :2].mean(axis=0)))
        for _, v in _reckoned(strides, acceleration, angular_rate, rate_hz)
    ]


def foot_speed(recording: Recording, found: Sequence[Phase]) -> np.ndarray:
    """Return how fast sensors on walking feet move over the ground, (n, k) in m/s.

    It is NaN between the strides, for other sensors, and in a recording that is the mean of strides, which no
    foot ever made. Axes of a sensor that were not recorded count as zero: those of the sagittal plane are
    enough for one that moves in it.

    Parameters
    ----------
    recording : Recording
        Signals along any axes that turn with the sensors.
    found : sequence of Phase
        Its phases.
    """
    speed = np.full((len(recording.time_s), len(recording.sensors)), np.nan)
    if recording.acceleration_variance.any():
        return speed
    rate_hz = recording.sampling_rate_hz
    for k, begin, force, rate in _walks_in_plane(recording, found):
        for first, velocity in _reckoned(_strides(force, rate, rate_hz), force, rate, rate_hz):
            speed[begin + first : begin + first + len(velocity), k] = np.hypot(*velocity[:, :2].T)
    return speed


def resting_feet(recording: Recording, found: Sequence[Phase]) -> np.ndarray:
    """Return where a sensor on a walking foot hardly moves, (n, k) bool: there the foot is flat on the floor.

    Parameters
    ----------
    recording : Recording
        Signals along any axes that turn with the sensors.
    found : sequence of Phase
        Its phases.
    """
    rests = np.zeros((len(recording.time_s), len(recording.sensors)), bool)
    for k, begin, force, rate in _walks_in_plane(recording, found):
        for still in _still(force, rate, recording.sampling_rate_hz)[0]:
            rests[begin + still, k] = True
    return rests


def _walks_in_plane(
    recording: Recording, found: Sequence[Phase]
) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
    """Yield the number of each foot's sensor that feels the sagittal plane, with each of its walks."""
    in_plane = recording.acceleration_available[:, :2].all(axis=1) & recording.angular_rate_available[:, 2]
    for k in map(int, np.flatnonzero(in_plane)):
        for begin, force, rate in _walks(recording, k, found):
            yield k, begin, force, rate


def _walks(
    recording: Recording, k: int, found: Sequence[Phase]
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield the first sample and the signals of each walk without a gap; none of a sensor on no foot."""
    site = site_of(recording.sensors[k])
    if site is None or site[0] != "foot":
        return
    for phase in found:
        if phase.kind == "walking":
            begin = int(np.searchsorted(recording.time_s, phase.from_s))
            end = int(np.searchsorted(recording.time_s, phase.to_s, side="right"))
            # What fills a gap is no stride.
            for first, last in true_runs(recording.usable[begin:end]):
                part = slice(begin + first, begin + last)
                yield part.start, recording.acceleration[part, k], recording.angular_rate[part, k]


def _strides(acceleration: np.ndarray, angular_rate: np.ndarray, rate_hz: float) -> list[tuple[int, int]]:
    """Return the samples of stance at which each stride begins and ends."""
    stances = _stances(acceleration, angular_rate, rate_hz)
    return [(a, b) for a, b in itertools.pairwise(stances) if _is_stride((b - a) / rate_hz)]


def _reckoned(
    strides: Sequence[tuple[int, int]], acceleration: np.ndarray, angular_rate: np.ndarray, rate_hz: float
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the first sample of each stride and the velocity in it, (n, 3) in m/s along level axes."""
    for k in range(0, len(strides), _AT_ONCE):
        some = strides[k : k + _AT_ONCE]
        # Strides beside one another; the shorter ones go on, and what is beyond their ends is left out.
        at = np.array([first for first, _ in some])[:, None] + np.arange(max(b - a for a, b in some) + 1)
        force, rate = (signal[np.minimum(at, len(signal) - 1)] for signal in (acceleration, angular_rate))
        turns = rotations_from_vectors(0.5 * (rate[:, :-1] + rate[:, 1:]) / rate_hz)
        rest = np.stack([acceleration[max(first - 2, 0) : first + 3].mean(axis=0) for first, _ in some])
        attitude, level = _level(rest), np.empty(force.shape)
        for i in range(at.shape[1]):
            level[:, i] = (attitude @ force[:, i, :, None])[..., 0]
            if i < turns.shape[1]:
                attitude = attitude @ turns[:, i]
        level[..., 2] -= np.linalg.norm(rest, axis=1)[:, None]
        for (first, last), own in zip(some, level, strict=True):
            moved = own[: last - first + 1]
            velocity = np.zeros_like(moved)
            velocity[1:] = np.cumsum(0.5 * (moved[1:] + moved[:-1]), axis=0) / rate_hz
            yield first, velocity - np.linspace(0.0, 1.0, len(velocity))[:, None] * velocity[-1]


def _is_stride(duration_s: float) -> bool:
    return _SHORTEST_S < duration_s < _LONGEST_S


def _stances(acceleration: np.ndarray, angular_rate: np.ndarray, rate_hz: float) -> list[int]:
    """Return the stillest sample of each stance."""
    groups, moving = _still(acceleration, angular_rate, rate_hz)
    return [int(g[np.argmin(moving[g])]) for g in groups]


def _still(
    acceleration: np.ndarray, angular_rate: np.ndarray, rate_hz: float
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the samples of each stance that hardly move, and how much each sample moves, rad/s."""
    width = max(round(_SMOOTH_S * rate_hz), 3)
    if len(acceleration) < 10 * width:
        return [], np.zeros(0)
    ones = np.ones(width) / width
    turning, force = (
        np.convolve(magnitudes(signal), ones, "same") for signal in (angular_rate, acceleration)
    )
    usual = float(np.median(force[turning <= np.percentile(turning, 20)]))
    moving = turning + _FORCE_WEIGHT * np.abs(force - usual)
    still = np.flatnonzero(moving < max(_STANCE * np.percentile(moving, 20), _ALWAYS_STILL))
    groups = np.split(still, np.flatnonzero(np.diff(still) > _APART_S * rate_hz) + 1)
    # The ends are averaged over fewer samples.
    inner = [g[(g >= width) & (g < len(moving) - width)] for g in groups]
    return [g for g in inner if len(g)], moving


def _level(rest: np.ndarray) -> np.ndarray:
    """Return rotations (n, 3, 3) from axes of the sensor to level ones whose third is up, of forces (n, 3).

    Where ahead is stays open.
    """
    up = rest / np.linalg.norm(rest, axis=1, keepdims=True)
    x = np.cross(up, np.eye(3)[np.abs(up).argmin(axis=1)])
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return np.stack([x, np.cross(up, x), up], axis=1)
