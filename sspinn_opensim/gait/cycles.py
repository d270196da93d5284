"""Curves over the gait cycle: mean and deviation over strides, and the strides that are most typical."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sspinn_opensim.gait.strides import Stride, Strides

#: 0 to 100 % of the gait cycle, from a strike to the next.
PERCENT = np.arange(101.0)
#: A stride is compared with others at so many places: curves of gait have no finer features.
_COARSE = np.linspace(0.0, 100.0, 21)


@dataclass(frozen=True)
class Cycle:
    """Mean curves of the strides of one foot.

    Attributes
    ----------
    side : str
        ``r`` or ``l``: percent count from the strikes of this foot.
    kind : str
        Kind of gait.
    strides : int
        How many.
    mean, sd : dict of str to (101,) array
        By curve, at `PERCENT`, in its unit; the deviation is that of a sample, zero of a single stride.
    """

    side: str
    kind: str
    strides: int
    mean: dict[str, np.ndarray]
    sd: dict[str, np.ndarray]


def mean_cycles(
    time_s: np.ndarray,
    curves: Mapping[str, np.ndarray],
    strides: Strides,
    *,
    from_zero: Collection[str] = (),
) -> list[Cycle]:
    """Return the mean curves of each kind of gait and each foot.

    Parameters
    ----------
    time_s : (n,) array
        s.
    curves : mapping of str to (n,) array
        Of any unit.
    strides : Strides
        Those that `time_s` does not cover are left out.
    from_zero : collection of str
        Curves of which the value at the strike is taken away, such as how far the person has come.
    """
    cycles = []
    for kind in strides.kinds:
        for side in "rl":
            chosen = covered(strides.of(side, kind), time_s)
            if not chosen:
                continue
            mean, sd = {}, {}
            for name, curve in curves.items():
                each = over_cycle(time_s, curve, chosen)
                if name in from_zero:
                    each = each - each[:, :1]
                mean[name] = each.mean(axis=0)
                sd[name] = each.std(axis=0, ddof=1) if len(each) > 1 else np.zeros(len(PERCENT))
            cycles.append(Cycle(side, kind, len(chosen), mean, sd))
    return cycles


def covered(strides: Iterable[Stride], time_s: np.ndarray) -> list[Stride]:
    """Return the strides that lie within times, but for half of a step from one to the next."""
    if len(time_s) < 2:
        return []
    slack = 0.5 * (time_s[-1] - time_s[0]) / (len(time_s) - 1)
    return [s for s in strides if time_s[0] - slack <= s.from_s and s.to_s <= time_s[-1] + slack]


def over_cycle(
    time_s: np.ndarray, curve: np.ndarray, strides: Sequence[Stride], percent: np.ndarray = PERCENT
) -> np.ndarray:
    """Return a curve over each stride, (strides, percent), linear between samples."""
    starts, lengths = np.array([s.from_s for s in strides]), np.array([s.stride_s for s in strides])
    return np.interp(starts[:, None] + lengths[:, None] * percent / 100.0, time_s, curve)


def most_typical(
    time_s: np.ndarray,
    curves: Iterable[np.ndarray],
    strides: Strides,
    number: int,
    within_s: tuple[float, float] = (-np.inf, np.inf),
) -> tuple[Stride, ...]:
    """Return the successive strides of one foot that are closest to the median of all.

    Parameters
    ----------
    time_s : (n,) array
        s.
    curves : iterable of (n,) array
        What is compared: at each percent how far a stride is from the median, in deviations of all strides.
    number : int
        How many; fewer where so many do not follow one another.
    within_s : tuple of 2 floats
        Strides beyond are not chosen, s.

    Returns
    -------
    tuple of Stride
        Each begins where the one before ends. Empty where there is none.
    """
    for kind in strides.kinds:
        sides = [covered(strides.of(side, kind), time_s) for side in "rl"]
        every = max(sides, key=len)  # the right foot's, if both have as many
        if not every:
            continue
        distance = np.zeros(len(every))
        for curve in curves:
            each = over_cycle(time_s, curve, every, _COARSE)
            away = np.abs(each - np.median(each, axis=0))
            distance += (away / np.maximum(each.std(axis=0), 1e-9 + 1e-6 * np.abs(each).max())).mean(axis=1)
        allowed = [within_s[0] <= s.from_s and s.to_s <= within_s[1] for s in every]
        for wanted in range(number, 0, -1):
            found = [
                (float(distance[i : i + wanted].mean()), i)
                for i in range(len(every) - wanted + 1)
                if all(allowed[i : i + wanted]) and _follow_one_another(every[i : i + wanted])
            ]
            if found:
                first = min(found)[1]
                return tuple(every[first : first + wanted])
    return ()


def _follow_one_another(strides: Sequence[Stride]) -> bool:
    return all(a.to_s == b.from_s for a, b in pairwise(strides))
