"""The segment and side that each sensor sits on, by how well its movement fits the usual one there.

Up is known from gravity, so a sensor differs from the usual curves of its segment by a turn about the
vertical, which is the heading of its axes. All sensors share the phase of the stride and the size of the
movement.
"""

from __future__ import annotations

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


def identify(found: Sequence[Fit], claims: Sequence[Site | None]) -> list[tuple[Site, float]]:
    """Return the site where each sensor most probably sits, and its probability against all others.

    Which sensor claims a site does not matter, only by how many it is claimed: it may carry so many.

    Parameters
    ----------
    found : sequence of Fit
        All kinds of gait and sizes of the movement.
    claims : sequence of k (str, str) or None
        What the user said. A site that none of them names is the rarer one where all are named.
    """
    from scipy.optimize import linear_sum_assignment  # takes long to import

    counts = Counter(claims)
    best = None
    for fit in found:
        often = [max(counts[site], 1) for site in fit.sites]
        # Where there are more sensors than sites, any site may carry several.
        spare = max(len(claims) - sum(often), 0)
        place = [m for m, n in enumerate(often) for _ in range(n + spare)]
        rare = np.array([_RARE.get(segment, 0.0) for segment, _ in fit.sites])
        if None not in counts:
            rare += [0.0 if counts[site] else _UNCLAIMED for site in fit.sites]
        for cost in fit.cost + rare:
            rows, chosen = linear_sum_assignment(cost[:, place])
            total = cost[:, place][rows, chosen].sum()
            if best is None or total < best[0]:
                best = total, fit, place, [place[m] for m in chosen], fit.cost + rare
    if best is None:
        return []
    _, fit, place, chosen, costs = best
    total = np.full(costs.shape[1:], np.inf)
    for cost in costs:
        for k, m in np.ndindex(total.shape):
            total[k, m] = min(total[k, m], _forced(cost, place, k, m))
    weight = np.exp(total.min(axis=1, keepdims=True) - total)
    weight /= weight.sum(axis=1, keepdims=True)
    return [(fit.sites[m], round(float(weight[k, m]), 6)) for k, m in enumerate(chosen)]


def _forced(cost: np.ndarray, place: list[int], sensor: int, site: int) -> float:
    """Return the lowest total cost with one sensor on one site."""
    from scipy.optimize import linear_sum_assignment  # takes long to import

    rest = list(place)
    rest.remove(site)
    others = np.delete(cost, sensor, axis=0)[:, rest]
    rows, chosen = linear_sum_assignment(others)
    return float(cost[sensor, site] + others[rows, chosen].sum())
