"""Bias of gyroscopes, from the moments in which a sensor rests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from casadi_dynamics.cores import side_by_side
from sspinn_opensim.recording.provenance import GyroBias
from sspinn_opensim.recording.signals.filters import running_mean
from sspinn_opensim.recording.signals.magnitude import magnitudes
from sspinn_opensim.recording.signals.runs import true_runs, windows_within

#: A sensor rests where for this long, s, its angular rate has a standard deviation below the first (rad/s,
#: every axis) and a mean below the second (no bias is larger: 6 deg/s), and the magnitude of its specific
#: force a standard deviation below the third (m/s^2). Sensors on people who stand: 0.3 to 2 deg/s, 0.02 to
#: 0.1 m/s^2.
_REST_S, _SPREAD, _LARGEST, _FORCE_SPREAD = 1.0, 0.044, 0.1, 0.15
#: No rest is better known than this, rad/s (0.02 deg/s: noise and temperature of a good gyroscope).
_FLOOR = 0.00035
#: A bias that is less certain than this is not subtracted, rad/s: it is what networks are trained to bear.
_LARGEST_DEVIATION = 0.005
#: Movement starts before it is seen: at either end so much is left out of a rest, s.
_EDGE_S = 0.25
#: Who stands sways: over a rest the angle changes, as a standard deviation, by so many of what it strays from
#: its own line. In quiet standing of 10 s (9 sensors of Sy et al. 2020) stretches of 1 to 3 s then miss the
#: bias of all of it by 0.8 to 1.1 standard deviations, root mean square.
_SWAY = 5.0


def gyro_biases(
    names: Sequence[str],
    time_s: np.ndarray,
    acceleration: np.ndarray,
    angular_rate: np.ndarray,
    standing_s: tuple[float, float] | None = None,
    usable: np.ndarray | None = None,
) -> tuple[GyroBias, ...]:
    """Return the bias of every gyroscope that rests at some time.

    Parameters
    ----------
    names : sequence of k str
        Names of the sensors.
    time_s : (n,) array
        Even clock, s.
    acceleration, angular_rate : (n, k, 3) array
        Along the sensors' axes, m/s^2 and rad/s.
    standing_s : pair of float, optional
        When the person stands still, s. By default that is found for each sensor.
    usable : (n,) array of bool, optional
        Samples that are no gap that was filled. By default all.
    """
    usable = np.ones(len(time_s), bool) if usable is None else usable
    step_s = float(time_s[-1] - time_s[0]) / (len(time_s) - 1)
    if standing_s is not None:
        inside = (time_s >= standing_s[0] - step_s / 2) & (time_s <= standing_s[1] + step_s / 2)
        rests = [[run for run in true_runs(inside & usable) if run[1] - run[0] > 2]] * len(names)
    else:
        sensors = range(len(names))
        rests = side_by_side(
            lambda k: _rests(acceleration[:, k], angular_rate[:, k], usable, step_s), sensors
        )
    return tuple(
        _bias(name, [angular_rate[a:b, k] for a, b in own], step_s)
        for k, (name, own) in enumerate(zip(names, rests, strict=True))
        if own
    )


def describe_biases(biases: Sequence[GyroBias]) -> list[str]:
    """Return what was found of gyroscopes in sentences."""
    found = []
    corrected = [bias for bias in biases if bias.subtracted]
    if corrected:
        listed = ", ".join(
            f"'{b.sensor}' {_deg(np.linalg.norm(b.bias_rad_s))} +- {_deg(np.linalg.norm(b.deviation_rad_s))}"
            for b in corrected
        )
        found.append(f"Gyroscopes' bias from rest is subtracted: {listed} deg/s.")
    for bias in biases:
        if bias.drift_rad_s is not None and np.linalg.norm(bias.drift_rad_s) > _LARGEST_DEVIATION:
            found.append(
                f"Sensor '{bias.sensor}': the gyroscope's bias changes by "
                f"{_deg(np.linalg.norm(bias.drift_rad_s))} deg/s from its first rest to its last."
            )
    return found


def _rests(
    acceleration: np.ndarray, angular_rate: np.ndarray, usable: np.ndarray, step_s: float
) -> list[tuple[int, int]]:
    """Return the stretches in which a sensor rests, first index and index after the last."""
    width = max(round(_REST_S / step_s), 2)
    if len(angular_rate) < width:
        return []
    magnitude = magnitudes(acceleration)
    mean, spread = _running(angular_rate, width)
    still = (spread < _SPREAD).all(axis=1) & (magnitudes(mean) < _LARGEST)
    if magnitude.any():
        still &= _running(magnitude[:, None], width)[1][:, 0] < _FORCE_SPREAD
    still &= windows_within(usable, width)
    found = []
    edge = round(_EDGE_S / step_s)
    for first, last in true_runs(still):
        # A window that rests is all of it at rest.
        end = last - 1 + width
        found.append((first + (edge if first > 0 else 0), end - (edge if end < len(angular_rate) else 0)))
    return found


def _running(signal: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of a signal (n, c) over windows, (n - width + 1, c)."""
    centred = signal - signal.mean(axis=0)
    mean, square = running_mean(centred, width), running_mean(centred**2, width)
    return mean + signal.mean(axis=0), np.sqrt(np.maximum(square - mean**2, 0.0))


def _bias(name: str, rests: Sequence[np.ndarray], step_s: float) -> GyroBias:
    """Return the bias of a gyroscope from what it reads in its rests, each weighted by its certainty."""
    means = np.array([rest.mean(axis=0) for rest in rests])
    deviations = np.array([_deviation(rest, step_s) for rest in rests])
    weights = 1.0 / deviations**2
    bias = (weights * means).sum(axis=0) / weights.sum(axis=0)
    deviation = np.maximum(weights.sum(axis=0) ** -0.5, _FLOOR)
    certain = bool(np.all(deviation < _LARGEST_DEVIATION) and np.any(np.abs(bias) > 2 * deviation))
    drift = None
    if len(rests) > 1:
        change, doubt = means[-1] - means[0], np.hypot(deviations[-1], deviations[0])
        drift = np.where(np.abs(change) > 3 * doubt, change, 0.0)
    return GyroBias(
        sensor=name,
        bias_rad_s=_triple(bias),
        deviation_rad_s=_triple(deviation),
        still_s=float(sum(len(rest) for rest in rests) * step_s),
        subtracted=certain,
        drift_rad_s=None if drift is None else _triple(drift),
    )


def _deviation(rest: np.ndarray, step_s: float) -> np.ndarray:
    """Return the standard deviation of the mean of an angular rate as a measure of the bias, (3,).

    The mean is the bias and the angle that the sensor has turned over the time. How much that may be is told
    by how far the angle strays from its own line.
    """
    angle = np.cumsum(rest - rest.mean(axis=0), axis=0) * step_s
    return np.maximum(_SWAY * angle.std(axis=0) / (len(rest) * step_s), _FLOOR)


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    x, y, z = map(float, values)
    return x, y, z


def _deg(rate: float | np.floating) -> str:
    return f"{np.degrees(rate):.2f}"
