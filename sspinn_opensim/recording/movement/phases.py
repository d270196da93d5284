"""Phases of a recording: where the person stands, walks, runs or turns, told by the sensors alone.

Nothing depends on how a sensor sits: what counts are magnitudes of angular rate and of specific force, how
angular rates along a sensor's own axes repeat, and the rate about its own direction of gravity. Names help
where they tell pelvis or trunk; else the sensor that turns least stands for it.

The bounds below hold for public recordings of nine people who walk at 0.7 to 1.5 m/s, with starts and stops,
one turn by 180 degrees and one stiff knee, for running at 3.5 m/s, and for the motion of 13 laboratory
subjects who walk at up to 2.2 and run at 2 to 5 m/s, with room on both sides.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from casadi_dynamics.cores import side_by_side
from sspinn_opensim.anatomy.names import MIDDLE
from sspinn_opensim.recording.sensors.placement import site_of
from sspinn_opensim.recording.signals.magnitude import magnitudes
from sspinn_opensim.recording.signals.runs import runs_of, true_runs
from sspinn_opensim.recording.types import Recording

Kind = Literal["standing", "walking", "running", "turning", "other"]
_KINDS: tuple[Kind, ...] = ("standing", "walking", "running", "turning", "other")
_STANDING, _WALKING, _RUNNING, _TURNING, _OTHER = range(5)
#: Phases of which a gait cycle may be part.
GAIT: tuple[Kind, ...] = ("walking", "running")

#: Someone stands where the mean angular rate of all sensors, over `_STEP_S`, stays below this, rad/s: quiet
#: standing reads 0.02 to 0.08 with the gyroscopes' bias, the slowest walking of 0.7 m/s 1.0.
_STILL_RATE = 0.2
#: Steps from which a bout of gait begins and with which it ends: above this part of the usual rate in it, the
#: upper quartile. Below it and above `_STILL_RATE` people shuffle, which may repeat, too.
_GAIT_SHARE, _USUAL_STEPS = 0.3, 0.75
#: About the time of a step, s: activity is averaged over it.
_STEP_S = 0.5
#: The trunk turns where its rate about gravity, averaged over about a stride, is above this (rad/s; in
#: straight walking it stays below 0.1) and sums up to this angle (rad) at least.
_TURN_RATE, _TURN_ANGLE = np.radians(20.0), np.radians(45.0)
#: Times of a stride that are searched, s: sprinting to the slowest gait.
_STRIDE_S = (0.4, 2.4)
#: Movement that repeats more slowly is no gait: it is looked for up to this, s, in the first part of a phase
#: that is so long, s.
_SLOW_S, _SLOW_WINDOW_S = 8.0, 40.0
#: Stretch that is compared with itself, and how often, s.
_WINDOW_S, _HOP_S = 4.0, 0.5
#: Longest lag over the length of a window: nearly half of a period has to remain.
_LONGEST_LAG = 0.7
#: Windows whose spectra are in memory at the same time.
_WINDOWS_AT_ONCE = 64
#: A leg alone rests in every stance, for less than half of a stride; of two legs one always moves.
_STANCE_S = _STRIDE_S[1] / 2
#: Gait repeats: the angular rates correlate with themselves a stride later by more than this.
_REPEATS = 0.5
#: Of two times of a stride the shorter one counts if it correlates nearly as well: the other is a multiple.
_NEARLY = 0.9
#: Strides of a bout differ from its median by less than this factor.
_STRAYS = 1.5
#: In flight nothing carries the trunk, so that its specific force vanishes: it is below half of gravity for
#: this part of the time and more. Walking below 1.6 m/s: up to 0.02, at 2.2 m/s 0.16; running at 2 to 3 m/s
#: 0.2 to 0.4.
_UNLOADED, _UNLOADED_SHARE = 4.9, 0.18
#: Fast runners brake and push so hard that the trunk is never light (0.08 at 5 m/s), but nobody walks with
#: strides shorter than this, s: 0.76 at 2.2 m/s, running at 4 m/s 0.71 and less.
_RUNNING_STRIDE_S = 0.735
#: Without a sensor on pelvis or trunk flight is not seen: strides shorter than this are taken for running, s.
_UNSEEN_RUNNING_STRIDE_S = 0.8
#: Impacts are no flight: the trunk's specific force is smoothed over this, s.
_IMPACT_S = 0.08
#: Phases shorter than this are part of a neighbour, s.
_SHORTEST_S = {_STANDING: 0.5, _WALKING: 1.0, _RUNNING: 1.0, _TURNING: 0.3, _OTHER: 0.5}


@dataclass(frozen=True)
class Phase:
    """What a person does for a while.

    Attributes
    ----------
    kind : str
        ``standing``, ``walking``, ``running``, ``turning``, or ``other`` where it is none of these.
    from_s, to_s : float
        Times of its first and last sample, s.
    cadence_steps_per_min : float or None
        Mean cadence of walking and running, two steps a stride.
    """

    kind: Kind
    from_s: float
    to_s: float
    cadence_steps_per_min: float | None = None

    @property
    def duration_s(self) -> float:
        """From its first to its last sample, s."""
        return self.to_s - self.from_s

    @property
    def stride_s(self) -> float | None:
        """Mean time of a stride in gait, s."""
        return None if self.cadence_steps_per_min is None else 120.0 / self.cadence_steps_per_min


#: Phases of recordings that are in use: several stages ask for them, and their arrays never change.
_known: WeakKeyDictionary[Recording, tuple[Phase, ...]] = WeakKeyDictionary()


def phases(recording: Recording) -> tuple[Phase, ...]:
    """Return what the person does in a recording, from start to end without a gap.

    Parameters
    ----------
    recording : Recording
        Its signals may be along any axes that turn with the sensors.
    """
    found = _known.get(recording)
    if found is None:
        # Sensors are put on other bodies on the way through the stages, and their signals stay.
        alike = (told for other, told in _known.items() if _has_signals_of(recording, other))
        found = _known[recording] = next(alike, None) or _phases(recording)
    return found


def _phases(recording: Recording) -> tuple[Phase, ...]:
    channels = np.hstack([recording.acceleration_available, recording.angular_rate_available])
    return phases_of_signals(
        recording.time_s,
        recording.acceleration,
        recording.angular_rate,
        trunk=_on_trunk(recording),
        turns_known=[bool(all(known)) for known in channels],
    )


def _on_trunk(recording: Recording) -> list[int]:
    sites = [site_of(sensor) for sensor in recording.sensors]
    return [i for i, site in enumerate(sites) if site and site[0] in MIDDLE]


def _has_signals_of(recording: Recording, other: Recording) -> bool:
    names = (
        "time_s",
        "acceleration",
        "angular_rate",
        "acceleration_available",
        "angular_rate_available",
    )
    same = all(getattr(recording, name) is getattr(other, name) for name in names)
    return same and _on_trunk(recording) == _on_trunk(other)


def phases_of_signals(
    time_s: np.ndarray,
    acceleration: np.ndarray,
    angular_rate: np.ndarray,
    *,
    trunk: Sequence[int] = (),
    turns_known: Sequence[bool] | None = None,
) -> tuple[Phase, ...]:
    """Return what a person does, from signals as sensors give them.

    Parameters
    ----------
    time_s : (n,) array
        Even clock, s.
    acceleration, angular_rate : (n, k, 3) arrays
        Specific force (m/s^2) and angular rate (rad/s) of each sensor along its own axes; zero where a
        channel was not measured.
    trunk : sequence of int, optional
        Sensors on pelvis or trunk. By default the one that turns least.
    turns_known : (k,) sequence of bool, optional
        Sensors with all six channels, without which a turn cannot be seen. By default all.

    Returns
    -------
    tuple of Phase
        Cover the time without a gap.
    """
    step_s = float(time_s[-1] - time_s[0]) / (len(time_s) - 1)
    rate = magnitudes(angular_rate)
    activity = _smooth(rate.mean(axis=1), _STEP_S, step_s)
    moving = activity > _STILL_RATE
    middle = list(trunk) or [int(np.argmin((rate**2).mean(axis=0)))]
    known = np.ones(rate.shape[1], bool) if turns_known is None else np.asarray(turns_known, bool)
    seeing = [i for i in middle if known[i]] or list(np.flatnonzero(known))

    turning = np.zeros(len(rate), bool)
    if seeing:
        turning = _turning(acceleration[:, seeing], angular_rate[:, seeing], step_s)
    straight = _through_stances(moving, step_s) & ~turning
    # With their signs: magnitudes of a trunk or of a thigh repeat after a step.
    along_axes = angular_rate.reshape(len(rate), -1)
    repeats = _strides(along_axes, straight, step_s)[1]
    stepping = moving.copy()
    for first, last in true_runs(straight):
        bout, gait = slice(first, last), repeats[first:last] > _REPEATS
        if gait.any():
            stepping[bout] = activity[bout] > _GAIT_SHARE * np.quantile(activity[bout][gait], _USUAL_STEPS)
    straight &= _through_stances(stepping, step_s)
    # Again without what comes before the first step and after the last one.
    stride_s, repeats = _strides(along_axes, straight, step_s)

    kinds = np.where(moving, _OTHER, _STANDING)
    gait = straight & (repeats > _REPEATS)
    running = _unloaded(acceleration[:, middle], step_s) > _UNLOADED_SHARE
    running |= stride_s < (_RUNNING_STRIDE_S if trunk else _UNSEEN_RUNNING_STRIDE_S)
    kinds[gait] = np.where(running[gait], _RUNNING, _WALKING)
    kinds[turning] = _TURNING
    kinds = _without_short_ones(kinds, step_s)

    found = []
    for first, last in runs_of(kinds):
        kind, chosen = _KINDS[kinds[first]], stride_s[first:last]
        cadence = _cadence(chosen, step_s) if kind in GAIT else None
        found.append(Phase(kind, float(time_s[first]), float(time_s[last - 1]), cadence))
    return tuple(found)


def slow_repeats(recording: Recording, found: Sequence[Phase]) -> list[tuple[Phase, float]]:
    """Return phases of movement that is no gait but repeats, more slowly, and after how many seconds it does.

    Somebody sits down and stands up; or walks, and the clock is wrong.

    Parameters
    ----------
    recording : Recording
        Its signals may be along any axes that turn with the sensors.
    found : sequence of Phase
        Its phases.
    """
    rate = recording.angular_rate.reshape(len(recording.time_s), -1)
    step_s = 1.0 / recording.sampling_rate_hz
    slow = []
    for phase in found:
        if phase.kind != "other":
            continue
        first, last = (int(np.searchsorted(recording.time_s, t)) for t in (phase.from_s, phase.to_s))
        size = min(last - first, round(_SLOW_WINDOW_S / step_s))
        whole = _with_themselves(rate, np.array([first]), size)
        ((period_s, repeats),) = _periods(whole, (_STRIDE_S[1] - 0.4, _SLOW_S), step_s).tolist()
        if repeats > _REPEATS:
            slow.append((phase, period_s))
    return slow


def _through_stances(moving: np.ndarray, step_s: float) -> np.ndarray:
    """Return movement (n,) with the pauses in it that come again in a few strides: the stances of one leg."""
    pauses = [
        (first, last)
        for first, last in true_runs(~moving)
        if first and last < len(moving) and (last - first) * step_s < _STANCE_S
    ]
    through = moving.copy()
    for (first, last), (again, ends) in itertools.pairwise(pauses):
        if (again - first) * step_s < _WINDOW_S:
            through[first:last] = through[again:ends] = True
    return through


def _cadence(stride_s: np.ndarray, step_s: float) -> float:
    """Return the steps a minute of a phase, without its first and last stride where it has three and more.

    The mean is that of frequencies: strides in the phase over its time.
    """
    known = stride_s[np.isfinite(stride_s)]
    edge = round(float(known.mean()) / step_s)
    return 120.0 * float(np.mean(1.0 / (known[edge:-edge] if len(known) > 3 * edge else known)))


def _strides(rate: np.ndarray, moving: np.ndarray, step_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Return time of a stride (s) and how well angular rates (n, m) repeat after it, at each sample.

    Legs turn most, and each repeats once a stride, so that their sum does not take a step for a stride; a
    trunk sways and turns to one side and to the other.
    """
    stride_s, repeats = np.full(len(rate), np.nan), np.zeros(len(rate))
    half = round(_WINDOW_S / step_s / 2)
    bouts = true_runs(moving)
    for start, end in bouts:
        # Beside others a bout so short is a piece of a step; a whole recording may have a wrong clock.
        if len(bouts) > 1 and (end - start) * step_s < _SHORTEST_S[_WALKING]:
            continue
        centres = np.arange(start, end, max(round(_HOP_S / step_s), 1))
        # At the ends of a bout the window is shifted, not cut.
        first = np.clip(centres - half, start, max(end - 2 * half, start))
        correlations = _with_themselves(rate, first, min(2 * half, end - start))
        found = _periods(correlations, _STRIDE_S, step_s)
        holds = found[:, 1] > _REPEATS
        if not holds.any():
            continue
        # Now and then two strides fit a window better than one.
        usual_s = float(np.median(found[holds, 0]))
        found = _periods(correlations, (usual_s / _STRAYS, usual_s * _STRAYS), step_s)
        holds = found[:, 1] > _REPEATS
        if not holds.any():
            continue
        # A window in which someone starts or stops may miss: it takes the nearest period that holds.
        nearest = np.abs(centres[:, None] - centres[holds][None]).argmin(axis=1)
        at = np.arange(start, end)
        stride_s[start:end] = np.interp(at, centres, found[holds][nearest, 0])
        repeats[start:end] = np.interp(at, centres, found[:, 1])
    return stride_s, repeats


def _with_themselves(rate: np.ndarray, first: np.ndarray, size: int) -> np.ndarray:
    """Return how windows (m,) of signals (n, k) correlate with themselves at lags from 0 on, (m, lags)."""
    lags = np.arange(int(_LONGEST_LAG * size) + 1)
    windows, found = sliding_window_view(rate, size, axis=0), np.empty((len(first), len(lags)))

    def correlate(k: int) -> None:
        some = windows[first[k : k + _WINDOWS_AT_ONCE]]
        centred = some - some.mean(axis=2, keepdims=True)
        spectrum = np.fft.rfft(centred, 2 * size)
        products = np.fft.irfft((spectrum.real**2 + spectrum.imag**2).sum(axis=1), 2 * size)[:, lags]
        energy = np.pad((centred**2).sum(axis=1).cumsum(axis=1), ((0, 0), (1, 0)))
        both = energy[:, size - lags] * (energy[:, size:] - energy[:, lags])
        found[k : k + _WINDOWS_AT_ONCE] = products / np.sqrt(both + 1e-30)

    side_by_side(correlate, range(0, len(first), _WINDOWS_AT_ONCE))
    return found


def _periods(correlations: np.ndarray, within_s: tuple[float, float], step_s: float) -> np.ndarray:
    """Return the period in s of each window and its correlation with itself after it, (m, 2)."""
    first, last = int(within_s[0] / step_s), int(min(within_s[1] / step_s, correlations.shape[1] - 1))
    none = np.array([np.nan, 0.0])
    if last - first < 2:
        return np.tile(none, (len(correlations), 1))
    correlations = correlations[:, first : last + 1]
    inner = correlations[:, 1:-1]
    peaks = (inner >= correlations[:, :-2]) & (inner > correlations[:, 2:])
    highest = np.where(peaks, inner, -np.inf).max(axis=1)
    near = peaks & (inner >= _NEARLY * highest[:, None])
    # A peak below zero is not as high as a part of itself.
    best = np.where(near.any(axis=1), near.argmax(axis=1), peaks.argmax(axis=1))
    rows = np.arange(len(best))
    before, here, after = (correlations[rows, best + k] for k in range(3))
    with np.errstate(divide="ignore", invalid="ignore"):  # where there is no peak
        # A parabola through the highest three.
        shift = 0.5 * (before - after) / (before - 2 * here + after)
    found = np.column_stack([(first + 1 + best + shift) * step_s, here])
    return np.where(peaks.any(axis=1, keepdims=True), found, none)


def _turning(acceleration: np.ndarray, angular_rate: np.ndarray, step_s: float) -> np.ndarray:
    """Return where the person turns, (n,) bool; gravity is along the mean of the specific force."""
    up = _smooth(acceleration, 4 * _STEP_S, step_s)
    up /= np.maximum(magnitudes(up), 1e-9)[..., None]
    yaw_rate = _smooth((angular_rate * up).sum(axis=2).mean(axis=1), 2 * _STEP_S, step_s)
    turning = np.abs(yaw_rate) > _TURN_RATE
    for first, last in true_runs(turning):
        turning[first:last] = abs(yaw_rate[first:last].sum() * step_s) > _TURN_ANGLE
    return turning


def _unloaded(acceleration: np.ndarray, step_s: float) -> np.ndarray:
    """Return the part of the time around each sample in which hardly anything carries the trunk, (n,)."""
    force = magnitudes(_smooth(acceleration, _IMPACT_S, step_s)).mean(axis=1)
    return _smooth((force < _UNLOADED).astype(float), _WINDOW_S / 2, step_s)


def _smooth(signal: np.ndarray, over_s: float, step_s: float) -> np.ndarray:
    """Return the running mean of a signal (n, ...) over a time; at the ends over what there is of it."""
    half = max(round(over_s / step_s / 2), 0)
    total = np.concatenate([np.zeros((1, *signal.shape[1:])), np.cumsum(signal, axis=0)])
    at = np.arange(len(signal))
    first, last = np.maximum(at - half, 0), np.minimum(at + half + 1, len(signal))
    count = (last - first).reshape(-1, *[1] * (signal.ndim - 1))
    return (total[last] - total[first]) / count


def _without_short_ones(kinds: np.ndarray, step_s: float) -> np.ndarray:
    """Give phases that are too short to their longer neighbour, the shortest first."""
    kinds = kinds.copy()
    while True:
        runs = runs_of(kinds)
        lengths = [last - first for first, last in runs]
        short = [
            i for i, (first, _) in enumerate(runs) if lengths[i] * step_s < _SHORTEST_S[int(kinds[first])]
        ]
        if not short or len(runs) == 1:
            return kinds
        run = min(short, key=lambda i: lengths[i])
        neighbours = [i for i in (run - 1, run + 1) if 0 <= i < len(runs)]
        # Who stands has to stand still: what moves goes to what moves.
        rested = [i for i in neighbours if kinds[runs[i][0]] == _STANDING]
        neighbours = [i for i in neighbours if i not in rested] or neighbours
        beside = max(neighbours, key=lambda i: lengths[i])
        kinds[slice(*runs[run])] = kinds[runs[beside][0]]


def longest_standing(found: Sequence[Phase], at_least_s: float) -> Phase | None:
    """Return the longest phase of standing, if it lasts so long."""
    standing = [p for p in found if p.kind == "standing" and p.duration_s > at_least_s]
    return max(standing, key=lambda phase: phase.duration_s, default=None)
