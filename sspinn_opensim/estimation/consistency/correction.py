"""Account of a correction: what held the root before and after it, and how far it moved each curve."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np

from casadi_dynamics.cores import side_by_side
from sspinn_opensim.dynamics.inverse_dynamics import LoadedMotion, inverse_dynamics
from sspinn_opensim.dynamics.trial import USUAL_LOWPASS_HZ, differentiated, filter_margin_s, inside
from sspinn_opensim.estimation.inference.offline import Estimate
from sspinn_opensim.estimation.uncertainty import Deviations
from sspinn_opensim.gait.events import THRESHOLD_BW
from sspinn_opensim.opensim_io.tables.motion_files import force_columns, moment_columns
from sspinn_opensim.training.subject import Subject

#: Residuals are to fall below so many percent of the peak ground force, or of body weight times height.
MOST_PERCENT = 1.0
#: A correction is to move no curve by more than so many standard deviations.
MOST_DEVIATIONS = 2.0
#: At both ends, where a motion is differentiated poorly, nothing is said of the root, s.
_ENDS_S = 0.1
#: Frames that are looked at together, and how far beyond them the motion is known, s: from there on nothing
#: is left of it in splines and filters.
_PIECE, _BEYOND_S = 20_000, 5.0


@dataclass(frozen=True)
class Residual:
    """Largest force or moment that would have to hold one coordinate of the root from outside.

    Attributes
    ----------
    unit : str
        N or N m.
    before, after, after_filtered : float
        Of the estimate; of the corrected one; of that after OpenSim's low-pass filter on its coordinates.
    before_percent, after_percent, after_filtered_percent : float
        Of the peak ground force of the same estimate, or of body weight times height.
    """

    unit: str
    before: float
    after: float
    after_filtered: float
    before_percent: float
    after_percent: float
    after_filtered_percent: float


@dataclass(frozen=True)
class Moved:
    """How far a correction moved one curve.

    Attributes
    ----------
    unit : str
        Of `rms` and `largest`: deg, m, N m or N.
    rms, largest : float
        Root mean square and largest move.
    rms_deviations, largest_deviations : float
        The same over the curve's own standard deviations.
    """

    unit: str
    rms: float
    largest: float
    rms_deviations: float
    largest_deviations: float


@dataclass(frozen=True)
class Correction:
    """What made an estimate dynamically consistent.

    Attributes
    ----------
    filter_hz : float
        Cut-off of the filter of `Residual.after_filtered`, Hz.
    residuals : dict of str to Residual
        By coordinate of the root; without a filter, as OpenSim's inverse dynamics has it.
    moved : dict of str to Moved
        By column of the files of an estimate; curves that stayed are left out. Points count where the foot
        carries load in both.
    """

    filter_hz: float
    residuals: dict[str, Residual]
    moved: dict[str, Moved]

    def to_json(self) -> dict:
        """Return plain values."""
        return asdict(self)

    @property
    def notes(self) -> tuple[str, ...]:
        """Residuals that are left, and curves that moved farther than their deviations allow."""
        left = {name: r for name, r in self.residuals.items() if r.after_percent > MOST_PERCENT}
        far = {name: m for name, m in self.moved.items() if m.largest_deviations > MOST_DEVIATIONS}
        disagree = (
            f"motion and ground forces could not be made to agree: '{name}' is still held by up to "
            f"{r.after:.3g} {r.unit}"
            for name, r in left.items()
        )
        return (*disagree, *self._far(far))

    def _far(self, far: dict[str, Moved]) -> tuple[str, ...]:
        return tuple(
            f"note: to agree with the forces, '{name}' moved by up to {m.largest:.3g} {m.unit}, "
            f"{m.largest_deviations:.1f} of its standard deviations"
            for name, m in far.items()
        )

    def __str__(self) -> str:
        before, after = (
            max((getattr(r, name) for r in self.residuals.values()), default=0.0)
            for name in ("before_percent", "after_percent")
        )
        farthest = max((m.largest_deviations for m in self.moved.values()), default=0.0)
        agree = "were made to agree" if after <= MOST_PERCENT else "could not be made to agree"
        return (
            f"motion and ground forces {agree}: what would have to hold the root, unfiltered, was up to "
            f"{before:.1f} % before the correction and is {after:.2f} % after it (forces: of the peak ground "
            "force then, moments: of body weight times height); "
            f"no curve moved by more than {farthest:.1f} deviations"
        )


def correction_of(before: Estimate, after: Estimate, deviations: Deviations, subject: Subject) -> Correction:
    """Return the account of a correction.

    Parameters
    ----------
    before, after : Estimate
        At the same times.
    deviations : Deviations
        Of `before`.
    """
    told = [(before, root_residuals(before, subject))]  # compiles what the others share
    filters_hz = (0.0, USUAL_LOWPASS_HZ)
    told += [(after, tau) for tau in side_by_side(partial(root_residuals, after, subject), filters_hz)]
    residuals = {}
    for k, i in enumerate(subject.roles.root):
        coordinate = subject.model.coordinates[i]
        turns = coordinate.motion == "rotational"
        peaks = [float(np.abs(tau[:, k]).max()) for _, tau in told]
        whole = [subject.moment_scale if turns else peak_force(estimate) for estimate, _ in told]
        percent = [100 * peak / scale for peak, scale in zip(peaks, whole, strict=True)]
        residuals[coordinate.name] = Residual("N m" if turns else "N", *peaks, *percent)
    return Correction(USUAL_LOWPASS_HZ, residuals, dict(_moved(before, after, deviations, subject)))


def peak_force(estimate: Estimate) -> float:
    """Return the largest ground force of both feet together, N."""
    return float(np.linalg.norm(estimate.ground.force.sum(axis=1), axis=-1).max())


def root_residuals(estimate: Estimate, subject: Subject, lowpass_hz: float = 0.0) -> np.ndarray:
    """Return what would have to hold the root from outside, (frames, root coordinates), N and N m.

    Speeds and accelerations are those of OpenSim's inverse dynamics; frames near both ends are left out.
    """
    time_s, ground = estimate.time_s, estimate.ground
    margin = max(_ENDS_S, filter_margin_s(lowpass_hz))
    window = time_s[0] + margin, time_s[-1] - margin
    if window[0] >= window[1]:
        window = float(time_s[0]), float(time_s[-1])
    chosen = np.flatnonzero(inside(time_s, *window))
    beyond = round(_BEYOND_S * (len(time_s) - 1) / (time_s[-1] - time_s[0]))
    found = []
    for some in np.split(chosen, range(_PIECE, len(chosen), _PIECE)):
        first, end = some[0], some[-1] + 1
        known = slice(max(first - beyond, 0), end + beyond)
        own = float(time_s[first]), float(time_s[end - 1])
        motion = differentiated(time_s[known], estimate.q[known], lowpass_hz, own)
        loads = {
            name: getattr(ground, name)[first:end].reshape(end - first, -1)
            for name in ("force", "point", "torque")
        }
        trial = LoadedMotion(motion.time_s, motion.q, motion.qdot, motion.qddot, loads, ground.feet)
        found.append(inverse_dynamics(subject.functions, trial, passive=False)[:, list(subject.roles.root)])
    return np.concatenate(found)


def _moved(
    before: Estimate, after: Estimate, deviations: Deviations, subject: Subject
) -> Iterator[tuple[str, Moved]]:
    """Give each curve that moved, under the name of its column."""
    motion = {c.name: c.motion for c in subject.model.coordinates}
    everywhere = np.ones(len(before.time_s), bool)
    for i, name in enumerate(before.coordinates):
        if i in subject.roles.dependent:  # moves as the one does that it follows
            continue
        turns = motion[name] == "rotational"
        unit, factor = ("deg", np.degrees(1.0)) if turns else ("m", 1.0)
        curves = before.q[:, i], after.q[:, i], deviations.q[:, i]
        yield from _curve(name, unit, factor, curves, everywhere)
    columns = moment_columns(before.actuated, [motion[name] for name in before.actuated])
    for i, name in enumerate(columns):
        curves = before.moments[:, i], after.moments[:, i], deviations.moments[:, i]
        yield from _curve(name, "N m", 1.0, curves, everywhere)
    least = THRESHOLD_BW * subject.body_weight
    for k, foot in enumerate(before.ground.feet):
        both = (before.ground.force[:, k, 1] > least) & (after.ground.force[:, k, 1] > least)
        force, point, _ = force_columns(foot)
        for axis, letter in enumerate("xyz"):
            grounds = before.ground, after.ground, deviations
            curves = tuple(of.force[:, k, axis] for of in grounds)
            yield from _curve(force + letter, "N", 1.0, curves, everywhere)
            curves = tuple(of.point[:, k, axis] for of in grounds)
            yield from _curve(point + letter, "m", 1.0, curves, both)


def _curve(
    name: str, unit: str, factor: float, curves: tuple[np.ndarray, ...], frames: np.ndarray
) -> Iterator[tuple[str, Moved]]:
    before, after, deviation = curves
    move = np.abs(after - before)[frames]
    if not move.any():
        return
    share = move / deviation[frames]
    numbers = (factor * _rms(move), factor * move.max(), _rms(share), share.max())
    yield name, Moved(unit, *map(float, numbers))


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))
