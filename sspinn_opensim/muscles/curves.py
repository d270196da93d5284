"""Active force over length and velocity of a fibre, as multiples of the maximal isometric force.

Each pair of functions takes the length in optimal fibre lengths and the velocity in maximal contraction
velocities (lengthening is positive), at full activation.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from sspinn_opensim.opensim_io.model.muscle_laws import DeGrooteFreglyCurves, MillardCurves, ThelenCurves

Curve = Callable[[np.ndarray], np.ndarray]

#: Points of a table per segment of a curve: linear interpolation is then within 2e-7 of the curve.
_POINTS = 2000
#: Half the width of the plateau of Millard's curve of force over length, in optimal fibre lengths.
_PLATEAU = 0.05
#: Where Millard's curve of force over velocity bends before it reaches the largest velocity.
_NEAR_VMAX = 0.9

# De Groote et al. 2016, with the digits of OpenSim's DeGrooteFregly2016Muscle.
_BELLS = (
    (0.8150671134243542, 1.055033428970575, 0.162384573599574, 0.063303448465465),
    (0.433004984392647, 0.716775413397760, -0.029947116970696, 0.200356847296188),
    (0.1, 1.0, 0.353553390593274, 0.0),
)
_VELOCITY = (-0.3211346127989808, -8.149, -0.374, 0.8825327733249912)


@lru_cache(maxsize=256)
def force_curves(law: ThelenCurves | MillardCurves | DeGrooteFreglyCurves) -> tuple[Curve, Curve]:
    """Return the multipliers over length and over velocity of a law."""
    return _BUILD[type(law)](law)


def _thelen(law: ThelenCurves) -> tuple[Curve, Curve]:
    """Thelen's velocity is a function of force; at full activation it has a closed inverse."""
    shortening = law.curvature
    lengthening = (2 + 2 / law.curvature) / (law.eccentric - 1)
    end_force = law.linear_from * law.eccentric
    end = (end_force - 1) / (lengthening * (law.eccentric - end_force))
    end_slope = lengthening * (law.eccentric - end_force) ** 2 / (law.eccentric - 1)

    def over_length(x: np.ndarray) -> np.ndarray:
        return np.exp(-((x - 1) ** 2) / law.shape)

    def over_velocity(v: np.ndarray) -> np.ndarray:
        slow = np.clip(v, -1, 0)
        concentric = (1 + slow) / (1 - slow / shortening)
        fast = np.clip(v, 0, end) * lengthening
        eccentric = (1 + fast * law.eccentric) / (1 + fast) + end_slope * np.maximum(v - end, 0)
        return np.where(v < 0, concentric, eccentric)

    return over_length, over_velocity


def _de_groote(law: DeGrooteFreglyCurves) -> tuple[Curve, Curve]:
    def over_length(x: np.ndarray) -> np.ndarray:
        x = (x - 1) / law.width + 1
        bells = (height * np.exp(-0.5 * ((x - at) / (w + k * x)) ** 2) for height, at, w, k in _BELLS)
        return sum(bells, start=np.zeros_like(x))

    def over_velocity(v: np.ndarray) -> np.ndarray:
        scale, slope, shift, offset = _VELOCITY
        return scale * np.arcsinh(slope * v + shift) + offset

    return over_length, over_velocity


def _millard(law: MillardCurves) -> tuple[Curve, Curve]:
    return _tabulated(_millard_length(law)), _tabulated(
        _millard_velocity(law), law.concentric_slope_at_vmax, law.eccentric_slope_at_vmax
    )


def _millard_length(law: MillardCurves) -> list[np.ndarray]:
    """Return the corners of the curve: foot, steep limb, shoulder, plateau, descending limb."""
    first, knee, last = (
        law.min_norm_active_fiber_length,
        law.transition_norm_fiber_length,
        law.max_norm_active_fiber_length,
    )
    slope, low = law.shallow_ascending_slope, law.minimum_value
    shoulder = 1 - _PLATEAU
    at_knee = 1 - slope * (shoulder - knee)
    steep = (first + (knee - first) / 2, at_knee / 2, 1.25 * at_knee / (knee - first))
    shallow = (knee + (shoulder - knee) / 2, (at_knee + 1) / 2, slope)
    top = (1.0, 1.0, 0.0)
    falls = -1 / ((last - _PLATEAU) - (1 + _PLATEAU))
    descent = ((1 + _PLATEAU + last) / 2, 0.5, falls)
    points = [(first, low, 0.0), steep, shallow, top, descent, (last, low, 0.0)]
    return _corners(points, [1.0] * (len(points) - 1))


def _millard_velocity(law: MillardCurves) -> list[np.ndarray]:
    rest = 1 - _NEAR_VMAX
    mean_concentric = (law.concentric_slope_near_vmax + law.concentric_slope_at_vmax) / 2
    mean_eccentric = (law.eccentric_slope_near_vmax + law.eccentric_slope_at_vmax) / 2
    most = law.max_eccentric_velocity_force_multiplier
    points = [
        (-1.0, 0.0, law.concentric_slope_at_vmax),
        (-_NEAR_VMAX, mean_concentric * rest, law.concentric_slope_near_vmax),
        (0.0, 1.0, law.isometric_slope),
        (_NEAR_VMAX, most - mean_eccentric * rest, law.eccentric_slope_near_vmax),
        (1.0, most, law.eccentric_slope_at_vmax),
    ]
    return _corners(points, [law.concentric_curviness] * 2 + [law.eccentric_curviness] * 2)


def _corners(points: list[tuple[float, float, float]], curviness: list[float]) -> list[np.ndarray]:
    """Return quintic Bezier curves through points (x, y, slope): (segments) of control points (6, 2).

    The control points lie on both tangents, the nearer to where these meet the higher the curviness, and each
    inner one counts twice, so that the curve has no curvature at its ends (Millard et al. 2013, appendix).
    """
    segments = []
    for (x0, y0, slope0), (x1, y1, slope1), curvy in zip(points, points[1:], curviness, strict=False):
        parallel = abs(slope0 - slope1) < 1e-8
        x = (x0 + x1) / 2 if parallel else (y1 - y0 - x1 * slope1 + x0 * slope0) / (slope0 - slope1)
        start, end, meet = np.array([x0, y0]), np.array([x1, y1]), np.array([x, (x - x1) * slope1 + y1])
        share = 0.1 + 0.8 * curvy
        after, before = start + share * (meet - start), end + share * (meet - end)
        segments.append(np.array([start, after, after, before, before, end]))
    return segments


def _tabulated(segments: list[np.ndarray], slope_below: float = 0.0, slope_above: float = 0.0) -> Curve:
    """Return a curve of Bezier segments, straight beyond its ends."""
    u = np.linspace(0, 1, _POINTS)[:, None]
    bernstein = np.array([1, 5, 10, 10, 5, 1]) * u ** np.arange(6) * (1 - u) ** np.arange(5, -1, -1)
    table = np.concatenate([(bernstein @ segment)[i > 0 :] for i, segment in enumerate(segments)])
    x, y = table.T.copy()

    def curve(value: np.ndarray) -> np.ndarray:
        beyond = slope_below * np.minimum(value - x[0], 0) + slope_above * np.maximum(value - x[-1], 0)
        return np.interp(value, x, y) + beyond

    return curve


_BUILD = {ThelenCurves: _thelen, MillardCurves: _millard, DeGrooteFreglyCurves: _de_groote}
