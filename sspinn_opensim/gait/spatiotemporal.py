"""Spatiotemporal values: of each stride, and their mean, deviation and symmetry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from sspinn_opensim.gait.strides import Stride, Strides

#: A foot that comes down less than this from where it was has no direction, m: walking on the spot.
_NO_DIRECTION_M = 0.1
#: Values of which sides are compared.
_COMPARED = ("stance_percent", "step_s", "step_length_m", "swing_s")


@dataclass(frozen=True)
class StrideValues:
    """What is measured on one stride; NaN where something is not known.

    Attributes
    ----------
    side, kind : str
        As in `Stride`.
    from_s, toe_off_s, to_s : float
        Strike, toe-off and next strike, s.
    stride_s, swing_s : float
        Time of the stride, and of its swing, s.
    step_s : float
        From the strike of the other foot to the next of this one, s.
    stance_percent, double_support_percent, flight_percent : float
        Parts of the stride in which the foot is down, both feet are, and neither is.
    stride_length_m : float
        From where the foot strikes to where it strikes again, horizontally.
    step_length_m, step_width_m : float
        From the strike of the other foot to that of this one: along the way this foot goes, and across it,
        positive to the foot's own side.
    speed_m_s : float
        Length over time of the stride.
    """

    side: str
    kind: str
    from_s: float
    toe_off_s: float
    to_s: float
    stride_s: float
    swing_s: float
    step_s: float
    stance_percent: float
    double_support_percent: float
    flight_percent: float
    stride_length_m: float = np.nan
    step_length_m: float = np.nan
    step_width_m: float = np.nan
    speed_m_s: float = np.nan


#: Names of all values that are numbers, in the order of a table.
NUMBERS = tuple(field.name for field in fields(StrideValues) if field.name not in ("side", "kind"))
#: Those of which means are taken: all but times on the recording's clock.
MEANS = tuple(name for name in NUMBERS if name not in ("from_s", "toe_off_s", "to_s"))


def measured(
    strides: Sequence[Stride],
    places: Mapping[str, Mapping[float, np.ndarray]] | None = None,
    *,
    sideways: bool = True,
) -> list[StrideValues]:
    """Return the values of strides.

    Parameters
    ----------
    places : mapping of 'r' and 'l' to mapping of float to (3,) array, optional
        Where a point of each foot is at the times of its strikes, in ground (y up), m: the same point always,
        such as the ankle, and in a frame that does not move with a treadmill's belt.
    sideways : bool
        Whether places mean something across the way; in the sagittal plane they do not.
    """
    found = []
    for s in strides:
        values = StrideValues(
            s.side,
            s.kind,
            s.from_s,
            s.toe_off_s,
            s.to_s,
            stride_s=s.stride_s,
            swing_s=s.to_s - s.toe_off_s,
            step_s=s.to_s - s.other_strike_s,
            stance_percent=100 * (s.toe_off_s - s.from_s) / s.stride_s,
            double_support_percent=100 * s.double_support_s / s.stride_s,
            flight_percent=100 * s.flight_s / s.stride_s,
        )
        found.append(replace(values, **_lengths(s, places or {}, sideways)))
    return found


def strikes_of(strides: Iterable[Stride]) -> dict[str, list[float]]:
    """Return the times at which `measured` asks where each foot is, s, in rising order."""
    times: dict[str, set[float]] = {"r": set(), "l": set()}
    for s in strides:
        times[s.side] |= {s.from_s, s.to_s}
        if np.isfinite(s.other_strike_s):
            times["l" if s.side == "r" else "r"].add(s.other_strike_s)
    return {side: sorted(found) for side, found in times.items()}


def _lengths(s: Stride, places: Mapping[str, Mapping[float, np.ndarray]], sideways: bool) -> dict[str, float]:
    own, other = places.get(s.side, {}), places.get("l" if s.side == "r" else "r", {})
    if s.from_s not in own or s.to_s not in own:
        return {}
    way = (own[s.to_s] - own[s.from_s])[[0, 2]]
    length = float(np.linalg.norm(way))
    lengths = {"stride_length_m": length, "speed_m_s": length / s.stride_s}
    if length < _NO_DIRECTION_M or s.other_strike_s not in other:
        return lengths
    along = way / length
    # x forward and z to the right: to the right of (x, z) is (-z, x).
    right = np.array([-along[1], along[0]])
    step = (own[s.to_s] - other[s.other_strike_s])[[0, 2]]
    lengths["step_length_m"] = float(step @ along)
    if sideways:
        lengths["step_width_m"] = float(step @ right) * (1.0 if s.side == "r" else -1.0)
    return lengths


def symmetry_index(right: float, left: float) -> float:
    """Return how far a value of the right side is above that of the left, in percent of their mean.

    Zero is symmetry. Robinson, Herzog, Nigg 1987, J Manipulative Physiol Ther 10(4):172-176.
    """
    mean = (right + left) / 2
    return 100.0 * (right - left) / mean if mean else np.nan


def summary(strides: Strides, values: Sequence[StrideValues]) -> dict[str, Any]:
    """Return what the strides of each kind of gait come to, as JSON values.

    Parameters
    ----------
    strides : Strides
        Found in a motion.
    values : sequence of StrideValues
        Of them.

    Returns
    -------
    dict
        By kind ``cadence_steps_per_min`` (two steps a stride, over the mean time of all strides), and
        ``both``, ``right`` and ``left`` with ``strides`` and the mean and deviation (``_sd``) of each value;
        ``symmetry_index_percent`` by value. ``left_out`` says what is no stride. None for what is not known.
    """
    found: dict[str, Any] = {}
    for kind in strides.kinds:
        own = [v for v in values if v.kind == kind]
        sides = {"both": own} | {
            word: [v for v in own if v.side == side] for word, side in (("right", "r"), ("left", "l"))
        }
        tables = {word: _means(rows) for word, rows in sides.items()}
        indices = {
            name: _known(symmetry_index(*(tables[word][name] or np.nan for word in ("right", "left"))))
            for name in _COMPARED
        }
        found[kind] = {
            "cadence_steps_per_min": 120.0 / float(np.mean([v.stride_s for v in own])),
            **tables,
            "symmetry_index_percent": indices,
        }
    return found | {"left_out": dict(strides.left_out)}


def _means(rows: Sequence[StrideValues]) -> dict[str, Any]:
    table: dict[str, Any] = {"strides": len(rows)}
    for name in MEANS:
        numbers = np.array([getattr(row, name) for row in rows], float)
        numbers = numbers[np.isfinite(numbers)]
        table[name] = _known(numbers.mean()) if len(numbers) else None
        table[f"{name}_sd"] = _known(numbers.std(ddof=1)) if len(numbers) > 1 else None
    return table


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
