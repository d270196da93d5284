"""Two sets of curves over time, column by column: difference, bias and correlation where both have values."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.dynamics.agreement import agreement

#: Below this many common samples neither a mean nor a correlation says anything.
_FEWEST_SAMPLES = 3
#: Values are compared to so many decimals of deg, m, N, N m: of forces that a plane does not have, rounding
#: leaves 1e-15.
_DECIMALS = 10


@dataclasses.dataclass(frozen=True)
class Series:
    """Named curves of one kind and one source.

    Parameters
    ----------
    source : str
        File they come from.
    time_s : ndarray, shape (n,)
    columns : dict of str to ndarray, shape (n,)
    units : dict of str to str
        By column.
    """

    source: str
    time_s: np.ndarray
    columns: dict[str, np.ndarray]
    units: dict[str, str]


@dataclasses.dataclass(frozen=True)
class Difference:
    """One column of B beside the same of A.

    Parameters
    ----------
    rmsd, bias, largest : float
        Root mean square, mean, and largest magnitude of B - A.
    largest_at_s : float
        When the largest occurs.
    correlation : float or None
        Pearson's; None where one of the curves does not vary.
    range_a : float
        Highest minus lowest value of A, to hold the others against.
    """

    name: str
    unit: str
    rmsd: float
    bias: float
    largest: float
    largest_at_s: float
    correlation: float | None
    range_a: float


@dataclasses.dataclass(frozen=True)
class Group:
    """The compared columns of one kind.

    Parameters
    ----------
    window_s : tuple of 2 floats
        What both cover, s, on the clock of A.
    samples : int
        Number of times compared: those of the source with fewer; the other is interpolated linearly.
    only_a, only_b : tuple of str
        Columns that the other lacks.
    time_s : ndarray, shape (samples,)
    curves : dict of str to (ndarray, ndarray)
        What was compared, A and B.
    """

    title: str
    sources: tuple[str, str]
    window_s: tuple[float, float]
    samples: int
    differences: tuple[Difference, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    time_s: np.ndarray
    curves: dict[str, tuple[np.ndarray, np.ndarray]]

    def to_json(self) -> dict:
        """Return everything but the curves as JSON values."""
        kept = ("title", "sources", "window_s", "samples", "only_a", "only_b")
        values = {name: getattr(self, name) for name in kept}
        return values | {"columns": [dataclasses.asdict(row) for row in self.differences]}


def compare_series(title: str, a: Series, b: Series) -> Group:
    """Compare the columns that two sources share, over the time that both cover.

    Parameters
    ----------
    a, b : Series
        Columns of the same name are the same quantity.

    Raises
    ------
    InputError
        They share no column, or no time; a column has different units.
    """
    shared = [name for name in a.columns if name in b.columns]
    where = f"{a.source} and {b.source}"
    if not shared:
        raise InputError(
            "The two have no column in common.",
            where=where,
            expected=_some(list(a.columns)),
            found=_some(list(b.columns)),
            fix="compare results of models with the same names",
        )
    for name in shared:
        if a.units[name] != b.units[name]:
            raise InputError(
                f"Column '{name}' has different units.",
                where=where,
                found=f"{a.units[name]} and {b.units[name]}",
            )
    time_s = _common_times(a, b, where)

    def at_times(series: Series, name: str) -> np.ndarray:
        return np.round(np.interp(time_s, series.time_s, series.columns[name]), _DECIMALS)

    curves = {name: (at_times(a, name), at_times(b, name)) for name in shared}
    return Group(
        title=title,
        sources=(a.source, b.source),
        window_s=(float(time_s[0]), float(time_s[-1])),
        samples=len(time_s),
        differences=tuple(_difference(name, a.units[name], time_s, *pair) for name, pair in curves.items()),
        only_a=tuple(name for name in a.columns if name not in b.columns),
        only_b=tuple(name for name in b.columns if name not in a.columns),
        time_s=time_s,
        curves=curves,
    )


def _common_times(a: Series, b: Series, where: str) -> np.ndarray:
    # Half a microsecond: tools print times with eight decimals and shift them a little when they filter.
    from_s, to_s = max(a.time_s[0], b.time_s[0]) - 5e-7, min(a.time_s[-1], b.time_s[-1]) + 5e-7
    inside = [series.time_s[(series.time_s >= from_s) & (series.time_s <= to_s)] for series in (a, b)]
    chosen = min(inside, key=len)
    if len(chosen) < _FEWEST_SAMPLES:
        raise InputError(
            "The two have too little time in common.",
            where=where,
            expected=f"{_FEWEST_SAMPLES} samples or more of both at the same time",
            found=f"{a.time_s[0]:g} to {a.time_s[-1]:g} s and {b.time_s[0]:g} to {b.time_s[-1]:g} s",
            fix="if their clocks differ, move B with --shift SECONDS",
        )
    return chosen


def _difference(name: str, unit: str, time_s: np.ndarray, a: np.ndarray, b: np.ndarray) -> Difference:
    found = agreement(b, a)
    return Difference(
        name=name,
        unit=unit,
        rmsd=found.rmsd,
        bias=found.bias,
        largest=found.largest,
        largest_at_s=float(time_s[found.frame]),
        correlation=found.correlation,
        range_a=float(np.ptp(a)),
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (" ..." if len(names) > 6 else "")
