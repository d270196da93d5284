"""The segment and side that each sensor sits on, by how well its movement fits the usual one there.

Up is known from gravity, so a sensor differs from the usual curves of its segment by a turn about the
vertical, which is the heading of its axes. All sensors share the phase of the stride and the size of the
movement.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sspinn_opensim.alignment.strides import Strides
from sspinn_opensim.alignment.usual import Curves, Site, UsualGait, sites_of

#: Channels of the sagittal plane: specific force forward and up, angular rate to the right.
SAGITTAL = {"force": np.array([1.0, 1.0, 0.0]), "rate": np.array([0.0, 0.0, 1.0])}
#: Phases of the stride and sizes of the movement that are tried.
PHASES = np.arange(72) * 2 * np.pi / 72
SIZES = (0.4, 0.55, 0.75, 1.0, 1.3)
#: By how much the movement of a sensor departs from the usual one beside the deviation between people, as it
#: sits elsewhere on the segment, on soft tissue, or limps: as a part of it, and in rad/s and m/s^2.
_RELATIVE = {"rate": 0.3, "force": 0.5}
_ABSOLUTE = {"rate": 0.1, "force": 0.4}
#: Departures of harmonics and axes go together: so many of them count as one.
TOGETHER = 4.0
#: The same where a site is held against itself, half a turn about the vertical away. So all 80 sensors on
#: pelvises and trunks that were tried (14 real ones) face right, with log-odds of 3.2 at least; on the trunk
#: in slow walking they are 4.2 with a standard deviation of 0.7, on the pelvis 6.7 with 2.6.
_TOGETHER_TURNED = 2.0
#: Sets of sensors with one on the trunk and none on the pelvis are rare: minus the logarithm of the odds.
_RARE = {"trunk": np.log(5.0)}
#: Sensors turn as one body where less than this part of their angular rates is left when one is turned best,
#: in the harmonics of the stride. Of seven people two sensors on a shank leave 0.003 and 0.009, a shank and
#: its foot, the next nearest, 0.07 to 0.17.
_ONE_BODY = 0.025
#: Two sensors are exchanged more often than one is worn where none is said to be: likewise.
_UNCLAIMED = np.log(5.0)


@dataclass(frozen=True, eq=False)
class Fit:
    """How well k sensors fit m sites in one kind of gait, at p phases of the stride and one size.

    Attributes
    ----------
    gait : UsualGait
        The kind of gait.
    size : float
        Of the movement, 1 for the usual one.
    sites : tuple of m (str, str)
        Segment and side.
    cost : (p, k, m) array
        Minus the logarithm of the likelihood.
    heading : (p, k, m) array
        Angle about the vertical from the segment's axes to the level axes of the sensor, rad.
    turned : (p, k, m) array
        What it costs more to face backward.
    """

    gait: UsualGait
    size: float
    sites: tuple[Site, ...]
    cost: np.ndarray
    heading: np.ndarray
    turned: np.ndarray

    def at(self, claims: Sequence[Site | None]) -> tuple[float, int]:
        """Return the lowest total cost of sensors on these sites, and its phase; others cost nothing."""
        total = self._total(claims)
        return float(total.min()), int(total.argmin())

    def facing(self, claims: Sequence[Site | None], sensor: int, site: Site, phase: int) -> float:
        """Return the probability that a sensor on a site faces as it does at a phase, over all phases."""
        m = self.sites.index(site)
        total, turned = self._total(claims), self.turned[:, sensor, m]
        same = np.cos(self.heading[:, sensor, m] - self.heading[phase, sensor, m]) > 0
        ahead = np.where(same, total, total + turned)
        back = np.where(same, total + turned, total)
        least, sharper = min(ahead.min(), back.min()), TOGETHER / _TOGETHER_TURNED
        forward, backward = (np.exp(sharper * (least - cost)).sum() for cost in (ahead, back))
        return float(forward / (forward + backward))

    def _total(self, claims: Sequence[Site | None]) -> np.ndarray:
        known = [(k, self.sites.index(site)) for k, site in enumerate(claims) if site in self.sites]
        rows, columns = [k for k, _ in known], [m for _, m in known]
        return self.cost[:, rows, columns].sum(axis=1)


def on_one_segment(strides: Strides, free: Sequence[bool]) -> tuple[tuple[int, ...], ...]:
    """Return the sensors by segment: those that turn as one body are together, all others alone.

    Parameters
    ----------
    free : sequence of k bool
        Which sensors may be together with others: nobody said where they sit.
    """
    groups = [[k] for k in range(len(free))]
    for a, b in itertools.combinations(np.flatnonzero(free).tolist(), 2):
        if _apart(strides.rate[a], strides.rate[b]) < _ONE_BODY:
            one, other = (next(group for group in groups if k in group) for k in (a, b))
            if one is not other:
                groups.remove(other)
                one += other
    return tuple(map(tuple, groups))


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    """Return the part of the angular rates (h, 3) of two sensors that is left when one is turned best."""
    both = (np.abs(a) ** 2).sum() + (np.abs(b) ** 2).sum()
    product = np.real(a.conj().T @ b)
    alike = np.linalg.svd(product, compute_uv=False) @ (1.0, 1.0, np.sign(np.linalg.det(product)))
    return float((both - 2 * alike) / both) if both else 1.0


def level_axes(strides: Strides) -> np.ndarray:
    """Return rotations (k, 3, 3) from the sensors' axes to level ones: y up, z along the main turning."""
    z = strides.turning - np.sum(strides.turning * strides.up, axis=1, keepdims=True) * strides.up
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    return np.stack([np.cross(strides.up, z), strides.up, z], axis=1)


def fits(
    strides: Strides,
    gaits: Iterable[UsualGait],
    sizes: Sequence[float] = SIZES,
    planar: Sequence[bool] | None = None,
) -> tuple[Fit, ...]:
    """Return how well the sensors fit each site, for every kind of gait and every size of the movement.

    Parameters
    ----------
    planar : sequence of k bool, optional
        Sensors with channels of the sagittal plane alone, the others being zero; default: none. They face
        forward or backward.
    """
    level = level_axes(strides)
    only = np.zeros(len(level), bool) if planar is None else np.array(planar, bool)
    counted = {kind: np.where(only[:, None], axes, 1.0) for kind, axes in SAGITTAL.items()}
    measured = {kind: np.einsum("kij,khj->khi", level, getattr(strides, kind)) for kind in ("rate", "force")}
    return tuple(_fit(measured, counted, gait, size) for gait in gaits for size in sizes)


def departures(curves: Curves, kind: str, size: float) -> np.ndarray:
    """Return the variance (h,) of how harmonics of ``rate`` or ``force`` depart from the usual ones."""
    square = size**2 * (np.abs(getattr(curves, kind)) ** 2).mean(axis=1)
    sd = getattr(curves, f"{kind}_sd") * size
    return sd**2 + _RELATIVE[kind] ** 2 * square + _ABSOLUTE[kind] ** 2


def _fit(
    measured: dict[str, np.ndarray], counted: dict[str, np.ndarray], gait: UsualGait, size: float
) -> Fit:
    sites = sites_of(gait)
    turn = np.exp(1j * np.arange(1, measured["rate"].shape[1] + 1)[:, None] * PHASES)
    cost = np.zeros((len(PHASES), len(measured["rate"]), len(sites)))
    along, across = np.zeros_like(cost), np.zeros_like(cost)
    for m, (segment, side) in enumerate(sites):
        curves = gait.segments[segment]
        for kind, own in measured.items():
            usual = size * curves.signal(kind, side)
            variance = departures(curves, kind, size)
            weight = 1 / variance
            shifted = (usual[:, :, None] * turn[:, None]).reshape(len(turn), -1)  # (h, 3 p)
            cost[:, :, m] += 0.5 * np.einsum("h,kh->k", weight, (np.abs(own) ** 2).sum(axis=2))
            cost[:, :, m] += counted[kind] @ (0.5 * weight @ np.abs(usual) ** 2 + np.log(variance).sum())
            weighted = (weight[:, None] * own.conj()).transpose(0, 2, 1).reshape(-1, len(turn))
            product = (weighted @ shifted).real.reshape(len(own), 3, 3, -1).T  # (p, j, i, k)
            cost[:, :, m] -= product[:, 1, 1]
            along[:, :, m] += product[:, 0, 0] + product[:, 2, 2]
            across[:, :, m] += product[:, 2, 0] - product[:, 0, 2]
    fitting = np.hypot(along, across)
    return Fit(
        gait, size, sites, (cost - fitting) / TOGETHER, np.arctan2(across, along), 2 * fitting / TOGETHER
    )


def identify(
    found: Sequence[Fit], claims: Sequence[Site | None], together: Sequence[Sequence[int]] = ()
) -> list[tuple[Site, float]]:
    """Return the site where each sensor most probably sits, and its probability against all others.

    Which sensor claims a site does not matter, only by how many it is claimed: it may carry so many. Sensors
    on one segment count as one, which moves as they do on average; the probability of each is its own.

    Parameters
    ----------
    found : sequence of Fit
        All kinds of gait and sizes of the movement.
    claims : sequence of k (str, str) or None
        What the user said. A site that none of them names is the rarer one where all are named.
    together : sequence of sequences of int
        The sensors by segment, of `on_one_segment`; left out, each sits on its own.
    """
    from scipy.optimize import linear_sum_assignment  # takes long to import

    counts, groups = Counter(claims), [list(group) for group in together] or [[k] for k in range(len(claims))]
    best = None
    for fit in found:
        often = [max(counts[site], 1) for site in fit.sites]
        # Where there are more sensors than sites, any site may carry several.
        spare = max(len(groups) - sum(often), 0)
        place = [m for m, n in enumerate(often) for _ in range(n + spare)]
        rare = np.array([_RARE.get(segment, 0.0) for segment, _ in fit.sites])
        if None not in counts:
            rare += [0.0 if counts[site] else _UNCLAIMED for site in fit.sites]
        costs = fit.cost + rare
        of_groups = np.stack([costs[:, group].mean(axis=1) for group in groups], axis=1)
        for cost in of_groups:
            rows, chosen = linear_sum_assignment(cost[:, place])
            total = cost[:, place][rows, chosen].sum()
            if best is None or total < best[0]:
                best = total, fit, place, [place[m] for m in chosen], costs, of_groups
    if best is None:
        return []
    _, fit, place, chosen, costs, of_groups = best
    total = np.full(costs.shape[1:], np.inf)
    for cost, of_group in zip(costs, of_groups, strict=True):
        for g, m in np.ndindex(of_group.shape):
            others = _without(of_group, place, g, m)
            total[groups[g], m] = np.minimum(total[groups[g], m], cost[groups[g], m] + others)
    weight = np.exp(total.min(axis=1, keepdims=True) - total)
    weight /= weight.sum(axis=1, keepdims=True)
    site = {k: m for group, m in zip(groups, chosen, strict=True) for k in group}
    return [(fit.sites[site[k]], round(float(weight[k, site[k]]), 6)) for k in range(len(claims))]


def _without(cost: np.ndarray, place: list[int], row: int, site: int) -> float:
    """Return the lowest total cost of all others with one row on one site."""
    from scipy.optimize import linear_sum_assignment  # takes long to import

    rest = list(place)
    rest.remove(site)
    others = np.delete(cost, row, axis=0)[:, rest]
    rows, chosen = linear_sum_assignment(others)
    return float(others[rows, chosen].sum())
