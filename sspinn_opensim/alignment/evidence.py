"""Evidence of how sensors are turned: from standing and from gait."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from sspinn_opensim.alignment.choices import AlignmentChoice
from sspinn_opensim.alignment.combine import Evidence
from sspinn_opensim.alignment.identify import Fit, level_axes
from sspinn_opensim.alignment.standing import Standing
from sspinn_opensim.alignment.strides import Strides
from sspinn_opensim.alignment.usual import Lean, Site

#: Inclinations in gait vary from person to person and from model to model by more than among the nine people
#: of the curves, degrees. In two other people with cameras the means were off by up to 2.6 (shank), 3.2
#: (thigh) and 4.8 (foot).
_LEAN_SD: Mapping[str, float] = {"pelvis": 8.0, "trunk": 6.0, "thigh": 3.5, "shank": 3.5, "foot": 4.5}
#: How far a heading is from that of the segment, degrees: by the gyroscope's main level direction, by the
#: usual curves. In nine people with virtual sensors and two with cameras the root mean squares were 5, 5, 9
#: (thigh, shank, foot), then 5, 13, 7, 6, 9 (pelvis, trunk, thigh, shank, foot). These are wider: soft
#: tissue, toes that point out and limps differ more among all.
_MAIN_SD: Mapping[str, float] = {"thigh": 9.0, "shank": 7.0, "foot": 14.0}
_CURVES_SD: Mapping[str, float] = {"pelvis": 10.0, "trunk": 18.0, "thigh": 11.0, "shank": 9.0, "foot": 14.0}
#: A gyroscope that turns across its main direction by more than this part has no main direction.
_NO_MAIN = 0.6
_GRAVITY = 9.81
_OPEN = float("inf")
_RIGHT = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, eq=False)
class Observed:
    """What was seen of k sensors.

    Attributes
    ----------
    sites, trusted : tuple of k (str, str) or None
        Segment and side that the study says; the same without those that the movement contradicts.
    planar : tuple of k bool
        Whether only the channels of the sagittal plane of a sensor are known.
    standing : Standing or None
        Standing still, if the person does.
    strides : Strides or None
        Straight gait, if there is any.
    fit : Fit or None
        How well the strides fit each site, at the size of movement that fits best.
    phase : int
        The phase in it that fits best.
    size : float
        Of the movement, as people lean by it.
    """

    sites: tuple[Site | None, ...]
    planar: tuple[bool, ...]
    trusted: tuple[Site | None, ...] = ()
    standing: Standing | None = None
    strides: Strides | None = None
    fit: Fit | None = None
    phase: int = 0
    size: float = 1.0


def evidence_of(
    observed: Observed, postures: Mapping[str, Lean], choice: AlignmentChoice
) -> tuple[tuple[Evidence, ...], ...]:
    """Return all evidence of how each sensor is turned; none for sensors on segments that are not known.

    Sensors with sagittal channels alone tell of their turn in that plane.

    Parameters
    ----------
    postures : mapping of str to Lean
        How segments lean while the person stands.
    """
    found: list[list[Evidence]] = [[] for _ in observed.sites]
    for k, site in enumerate(observed.sites):
        if site is None or site[0] not in postures:
            continue
        gait = _of_gait(observed, k, site, postures[site[0]], choice)
        standing = _of_standing(observed, k, site, postures[site[0]])
        found[k] = gait if choice.use == "gait" and gait else standing + gait
    pairs = zip(found, observed.planar, strict=True)
    return tuple(_in_plane(evidence) if planar else tuple(evidence) for evidence, planar in pairs)


def stated_axes(within_deg: np.ndarray) -> tuple[Evidence, ...]:
    """Return evidence that a sensor's axes are those of its segment, with a deviation about each (3,)."""
    # Of three directions two tell of the turn about an axis.
    x, y, z = (np.sqrt(2.0) * within_deg).tolist()
    return tuple(Evidence("stated axes", axis, axis, (x, y, z)) for axis in np.eye(3))


def _of_standing(observed: Observed, k: int, site: Site, lean: Lean) -> list[Evidence]:
    standing = observed.standing
    if standing is None:
        return []
    source = f"standing from {standing.from_s:.1f} to {standing.to_s:.1f} s"
    return [_upright(source, standing.up[k], lean, site, _accelerometer_sd(standing.gravity[k]))]


def _of_gait(observed: Observed, k: int, site: Site, stands: Lean, choice: AlignmentChoice) -> list[Evidence]:
    strides, fit = observed.strides, observed.fit
    if strides is None or fit is None or site not in fit.sites:
        return []
    found, segment = [], site[0]
    if choice.use != "standing" or observed.standing is None:
        lean, least = fit.gait.segments[segment].lean_at(observed.size), _LEAN_SD[segment]
        lean = replace(lean, forward_sd=max(lean.forward_sd, least), outward_sd=max(lean.outward_sd, least))
        wrong = float(np.hypot(strides.up_sd_deg[k], _accelerometer_sd(strides.gravity[k])))
        source = f"mean inclination over {strides.count:.0f} strides of {fit.gait.name}"
        running_foot = segment == "foot" and fit.gait.name == "running"
        if not running_foot:  # how it strikes and how high it is lifted turn its mean
            found.append(_upright(source, strides.up[k], lean, site, wrong))
        if segment == "foot" and (observed.standing is None or (running_foot and choice.use == "gait")):
            found.append(_upright("foot flat in stance", strides.flat[k], stands, site, wrong))
    heading = fit.heading[observed.phase, k, fit.sites.index(site)]
    curves = np.array([np.sin(heading), 0.0, np.cos(heading)]) @ level_axes(strides)[k]
    found.append(_sideways("usual curves", curves, _CURVES_SD[segment]))
    if segment in _MAIN_SD and strides.turning_spread[k] < _NO_MAIN:
        main = strides.turning[k] * np.sign(strides.turning[k] @ curves)
        found.append(_sideways("main axis of the gyroscope", main, _MAIN_SD[segment]))
    return found


def _upright(source: str, up: np.ndarray, lean: Lean, site: Site, wrong_deg: float) -> Evidence:
    sd = float(np.hypot(lean.outward_sd, wrong_deg)), _OPEN, float(np.hypot(lean.forward_sd, wrong_deg))
    return Evidence(source, up, lean.up(site[1]), sd)


def _sideways(source: str, axis: np.ndarray, sd_deg: float) -> Evidence:
    return Evidence(source, axis, _RIGHT, (_OPEN, sd_deg, _OPEN))


def _in_plane(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """Return what evidence says of the turn about the axis to the right, and nothing of other turns."""
    found = []
    for item in evidence:
        if np.isfinite(item.sd_deg[2]):
            direction, target = (v[:2] / np.linalg.norm(v[:2]) for v in (item.direction, item.target))
            sd = _OPEN, _OPEN, item.sd_deg[2]
            found.append(Evidence(item.source, np.append(direction, 0.0), np.append(target, 0.0), sd))
    return tuple(found)


def _accelerometer_sd(gravity: float) -> float:
    """Return by how much an accelerometer that reads another gravity may miss its direction, degrees."""
    return float(np.degrees(min(abs(gravity - _GRAVITY) / _GRAVITY, 1.0)))
