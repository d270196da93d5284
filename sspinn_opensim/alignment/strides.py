"""Strides of straight gait in signals of sensors whose axes are not known, and what they tell of each sensor.

Everything is along the sensors' own axes and turns with them: if the signals of a sensor are turned by a
rotation, every direction found for it is turned by the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from casadi_dynamics.cores import side_by_side
from sspinn_opensim.recording.movement.phases import GAIT, Phase
from sspinn_opensim.recording.signals.filters import both_ways, butterworth, mean_around
from sspinn_opensim.recording.signals.magnitude import magnitudes
from sspinn_opensim.recording.signals.rotations import rotations_from_vectors, vectors_from_rotations

#: Harmonics of the stride that are kept.
HARMONICS = 5
#: Strides are taken at every quarter of one, and so many of them at most: memory does not grow with the
#: recording.
_OVERLAP, _MOST_WINDOWS = 4, 240
#: In a stride of straight walking the body turns about the vertical by less than this, rad.
_STRAIGHT_RAD = np.radians(15.0)
#: Segments turn more slowly than this, Hz; soft tissue does not.
_LOWPASS_HZ = 8.0
#: Strides need no more samples a second than this.
_ENOUGH_HZ = 100.0
#: A foot that stands does so for at least this long, s.
_FLAT_S = 0.1
#: An acceleration that counts as much as an angular rate of 1 rad/s where the stillest moment is sought,
#: m/s^2: a runner's foot turns as little behind the body as in stance, but is not at rest there.
_STILL_M_S2 = 5.0
_MEDIAN_STEPS = 15


@dataclass(frozen=True, eq=False)
class Strides:
    """What straight gait tells of k sensors, along the sensors' own axes.

    Attributes
    ----------
    count : float
        How many strides were used.
    up : (k, 3) array
        Mean direction of up over whole strides.
    up_sd_deg : (k,) array
        Standard deviation of that mean, by its spread from stride to stride.
    gravity : (k,) array
        Mean of the specific force over whole strides, m/s^2: 9.81 but for errors of the accelerometer.
    rate, force : (k, h, 3) complex array
        Harmonics 1 to h of angular rate (rad/s) and specific force (m/s^2), on one phase of the stride that
        all sensors share and that starts anywhere.
    turning, turning_spread : (k, 3) and (k,) array
        Main level direction of the angular rate, with either sign, and the rate across over that along it.
    flat : (k, 3) array
        Up in the stillest moment of each stride: in mid-stance, if the sensor is on a foot.
    """

    count: float
    up: np.ndarray
    up_sd_deg: np.ndarray
    gravity: np.ndarray
    rate: np.ndarray
    force: np.ndarray
    turning: np.ndarray
    turning_spread: np.ndarray
    flat: np.ndarray


def find_strides(
    time_s: np.ndarray,
    acceleration: np.ndarray,
    angular_rate: np.ndarray,
    phases: Sequence[Phase],
    usable: np.ndarray | None = None,
) -> Strides | None:
    """Return what gait tells of each sensor; None where there are not two straight strides.

    The attitude R(t) of a sensor over one stride follows from its gyroscope, and the mean of R(t) f(t) over
    the stride is gravity but for what speed is gained. Strides in which the body turns are left out.

    Parameters
    ----------
    time_s : (n,) array
        Even clock, s.
    acceleration, angular_rate : (n, k, 3) array
        Specific force in m/s^2, angular rate in rad/s.
    phases : sequence of Phase
        What the person does.
    usable : (n,) array of bool, optional
        False where a stride must not be taken from; default: nowhere.
    """
    good = np.ones(len(time_s), bool) if usable is None else usable
    step_s = float(time_s[-1] - time_s[0]) / (len(time_s) - 1)
    every = max(int(1 / (_ENOUGH_HZ * step_s)), 1)
    lowpass = butterworth(min(_LOWPASS_HZ, 0.4 / step_s), rate_hz=1 / step_s)
    time_s, good, step_s = time_s[::every], good[::every], every * step_s
    # Sensor by sensor, as an hour of all of them has no place in memory several times.
    smooth, force = np.empty((2, len(time_s), *angular_rate.shape[1:]))
    padding = min(30 * every, len(angular_rate) - 1)

    def filter_sensor(k: int) -> None:
        smooth[:, k] = both_ways(lowpass, angular_rate[:, k], padding)[::every]
        force[:, k] = mean_around(acceleration[:, k], every)[::every]

    side_by_side(filter_sensor, range(angular_rate.shape[1]))
    bouts = [
        (int(np.searchsorted(time_s, p.from_s)), int(np.searchsorted(time_s, p.to_s)) + 1, stride_s / step_s)
        for p, stride_s in bouts_of(phases)
    ]
    if not bouts:
        return None
    swing = _swing(smooth, bouts)
    most = max(_MOST_WINDOWS // len(bouts), 2 * _OVERLAP)
    found = [_windows(force, smooth, swing, good, bout, step_s, most) for bout in bouts]
    all_of = {key: np.concatenate([each[key] for each in found]) for key in found[0]}
    straight = np.median(all_of.pop("turned"), axis=1) < _STRAIGHT_RAD
    if straight.sum() <= _OVERLAP:
        return None
    of = {key: values[straight] for key, values in all_of.items()}
    count = float(straight.sum()) / _OVERLAP
    up = middle_direction(of["up"])
    off = np.degrees(np.linalg.norm(of["up"] - up, axis=2))
    across = np.eye(3) - up[:, :, None] * up[:, None, :]
    squares, directions = np.linalg.eigh(across @ of["square"].mean(axis=0) @ across)
    return Strides(
        count=count,
        up=up,
        up_sd_deg=np.sqrt((off**2).mean(axis=0) / max(count, 1.0)),
        gravity=np.median(of["gravity"], axis=0),
        rate=of["rate"].mean(axis=0),
        force=of["force"].mean(axis=0),
        turning=directions[:, :, 2],
        turning_spread=np.sqrt(np.maximum(squares[:, 1], 0.0) / np.maximum(squares[:, 2], 1e-12)),
        flat=middle_direction(of["flat"]),
    )


def of_sensors(signal: np.ndarray, used: Sequence[int]) -> np.ndarray:
    """Return a signal (n, k, 3) of some of the sensors; that of all is no copy, for an hour is large."""
    return signal if len(used) == signal.shape[1] else signal[:, used]


def bouts_of(phases: Sequence[Phase]) -> list[tuple[Phase, float]]:
    """Return each phase of gait that is longer than two strides, with the time of its stride, s."""
    gait = [(phase, phase.stride_s) for phase in phases if phase.kind in GAIT]
    return [(phase, s) for phase, s in gait if s is not None and phase.duration_s > 2 * s]


def attitudes(turns: np.ndarray) -> np.ndarray:
    """Return attitudes (s, t + 1, k, 3, 3) against the first, from rotations (s, t, k, 3) between them."""
    steps = rotations_from_vectors(turns)
    attitude = np.empty((len(steps), steps.shape[1] + 1, *steps.shape[2:]))
    attitude[:, 0] = np.eye(3)
    for t in range(steps.shape[1]):
        attitude[:, t + 1] = attitude[:, t] @ steps[:, t]
    return attitude


def _swing(rate: np.ndarray, bouts: Sequence[tuple[int, int, float]]) -> np.ndarray:
    """Return the signal (n,) that swings most at the frequency of the stride: the clock of the phase."""
    square = np.zeros((rate.shape[1], 3, 3))
    for first, last, stride in bouts:
        for k in range(len(square)):
            slow = _at_stride(rate[first:last, k], stride)
            square[k] += slow.T @ slow
    sizes, directions = np.linalg.eigh(square)
    k = int(np.argmax(sizes.sum(axis=1)))
    return rate[:, k] @ directions[k, :, -1]


def _at_stride(signal: np.ndarray, stride: float) -> np.ndarray:
    # From 0.6 to 1.5 times the frequency of the stride; a sample is the unit of time.
    band = butterworth(0.6 / stride, 1.5 / stride, rate_hz=1.0)
    return both_ways(band, signal, min(round(3 * stride), len(signal) - 1))


def _windows(
    acceleration: np.ndarray,
    rate: np.ndarray,
    swing: np.ndarray,
    usable: np.ndarray,
    bout: tuple[int, int, float],
    step_s: float,
    most: int,
) -> dict[str, np.ndarray]:
    """Return what each whole stride of one bout of gait tells, by name, with strides on the first axis."""
    first, last, stride = bout
    length = round(stride)
    phase = _phase(_at_stride(swing[first:last], stride))
    starts = np.arange(0, last - first - length, max(length // _OVERLAP, 1))
    at = starts[:, None] + np.arange(length)
    at = at[usable[first + at].all(axis=1)]
    at = at[np.unique(np.linspace(0, len(at) - 1, most).astype(int))] if len(at) else at
    rate, force, phase = rate[first + at], acceleration[first + at], phase[at]
    attitude = attitudes(step_s * rate[:, :-1])
    felt = np.einsum("stkij,stkj->ski", attitude, force) / length
    up = np.einsum("stkji,skj->stki", attitude, _unit(felt))
    turned = vectors_from_rotations(attitude[:, -1])
    moved = force - magnitudes(felt)[:, None, :, None] * up
    moving = (rate**2).sum(axis=3) + (moved**2).sum(axis=3) / _STILL_M_S2**2
    still = mean_around(moving.swapaxes(0, 1), max(round(_FLAT_S / step_s), 1), wraps=True)
    window, sensor = np.indices(felt.shape[:2])
    turns = np.exp(-1j * np.arange(1, HARMONICS + 1)[:, None] * phase[:, None])  # (s, h, t)
    return {
        "up": _unit(up.mean(axis=1)),
        "gravity": np.linalg.norm(felt, axis=2),
        "turned": np.abs(np.sum(turned * _unit(felt), axis=2)),
        "square": np.einsum("stki,stkj->skij", rate, rate) / length,
        "rate": 2 * np.einsum("sht,stki->skhi", turns, rate) / length,
        "force": 2 * np.einsum("sht,stki->skhi", turns, force) / length,
        "flat": up[window, still.argmin(axis=0), sensor],
    }


def _phase(signal: np.ndarray) -> np.ndarray:
    """Return the phase (n,) of a signal that swings at one frequency, rad, by Hilbert's transform."""
    spectrum, half = np.fft.fft(signal), len(signal) / 2
    spectrum[1 : int(np.ceil(half))] *= 2
    spectrum[int(half) + 1 :] = 0
    return np.unwrap(np.angle(np.fft.ifft(spectrum)))


def middle_direction(vectors: np.ndarray) -> np.ndarray:
    """Return the direction (k, 3) of the spatial median of vectors (s, k, 3), which turns with them.

    Few that are far off hardly move it (Weiszfeld's iteration; Vardi, Zhang 2000, PNAS 97:1423).
    """
    middle = vectors.mean(axis=0)
    for _ in range(_MEDIAN_STEPS):
        distance = magnitudes(vectors - middle)[..., None]
        weight = 1 / np.maximum(distance, 1e-9)
        middle = (weight * vectors).sum(axis=0) / weight.sum(axis=0)
    return _unit(middle)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(magnitudes(vectors), 1e-12)[..., None]
