"""Checks of external forces against the motion they are applied to.

A missing foot, a turned sign, exchanged feet, another time axis: OpenSim applies what the file says, and
residuals and muscles pay for it. Each check stands for one such silence.
"""

from __future__ import annotations

import numpy as np

from casadi_dynamics.errors import InputError, nearest
from sspinn_opensim.anatomy import other_side
from sspinn_opensim.dynamics.agreement import agreement
from sspinn_opensim.opensim_io.tables.external_loads import ExternalLoads
from sspinn_opensim.opensim_io.trials.motion_checks import refuse_or_warn
from sspinn_opensim.opensim_io.trials.survey import Survey

# Mean vertical ground force in body weights; a flight phase lowers it, a window within one stance raises it.
_PLAUSIBLE_SUPPORT_BW = (0.2, 4.0)
_LARGEST_PULL_BW, _SMALLEST_LOAD_BW = 0.05, 0.05
#: s; forces with a shorter gap can be told from their neighbours.
LARGEST_GAP_S = 0.1
# The bounds below were set on 16 trials of running and 12 of walking from two laboratories (in brackets: the
# worst of them as recorded, and the least visible one with the fault planted).
#: Lever of a force about the origin of its body, m [0.19; 0.29 about the other foot].
_LARGEST_LEVER_M, _EXCHANGED = 0.4, 1.2
_LOADED_BW = 0.2
#: A frame is unexplained where the support given and the support the motion needs differ by more than this
#: part of the larger and this many body weights; for longer than this, s [0.08; 0.18 with a foot missing].
_UNEXPLAINED_SHARE, _UNEXPLAINED_BW, _LONGEST_UNEXPLAINED_S = 0.5, 0.1, 0.12
_SMOOTHED_S = 0.05
#: Shift of time, s, at which given and needed support agree best, how well, and how much better [0; exact].
_LAG_AGREES = 0.9
_LARGEST_LAG_S, _LARGEST_SHIFT_S, _LAG_GAIN, _SHORTEST_OVERLAP_S = 0.03, 0.25, 0.03, 0.3
#: Correlation of a horizontal force with what the motion needs [0.05; -0.6], where there is any force.
_TURNED, _SOME_FORCE_BW, _LONG_ENOUGH_S = -0.3, 0.02, 0.5
#: At the ends of a trial a foot may stand beside the plates; frames are trimmed down to this disagreement.
_TRIM_SHARE, _TRIM_BW = 0.25, 0.1


def check_columns(loads: ExternalLoads, bodies: tuple[str, ...], where: str) -> None:
    """Refuse forces on bodies the model lacks, on one foot alone, with gaps, or from columns not there.

    Raises
    ------
    InputError
    """
    for force in loads.forces:
        for body in (force.body, force.force_frame, force.point_frame):
            if body not in (*bodies, "ground"):
                raise InputError(
                    f"external force '{force.name}' acts on a body the model lacks",
                    where=where,
                    found=body,
                    expected=", ".join(bodies),
                    fix=nearest(body, bodies),
                )
    loads.vectors  # noqa: B018 - raises where a column is missing
    loaded = {force.body for force in loads.forces}
    for body in loaded:
        other = other_side(body)
        if other in bodies and other not in loaded:
            raise InputError(
                f"external forces act on one foot only: on '{body}' and not on '{other}'",
                where=where,
                expected="an external force for each foot",
                fix="add the other foot, with zeros where it is in the air",
            )
    steps = np.diff(loads.time_s)
    if steps.size and steps.max() > LARGEST_GAP_S:
        at = float(loads.time_s[int(np.argmax(steps))])
        raise InputError(
            "the external forces have a gap in time",
            where=str(loads.datafile),
            found=f"{steps.max():.3g} s after {at:g} s",
            fix="fill the gap: OpenSim draws a smooth curve across it",
        )
    columns = [force.force_prefix for force in loads.forces if force.force_prefix]
    if len(set(columns)) < len(columns):
        raise InputError(
            "the same columns act as two external forces",
            where=where,
            found=", ".join(columns),
            fix="name the columns of each foot, or of each plate, once",
        )


def check_loads(
    survey: Survey,
    loads: ExternalLoads,
    *,
    around: Survey | None = None,
    measured: bool = True,
) -> list[str]:
    """Return warnings about the external forces of a motion.

    Parameters
    ----------
    survey : Survey
        Of the motion with these forces.
    loads : ExternalLoads
        These forces.
    around : Survey, optional
        Of more time, where the analysed part is too short to tell; by default the same.
    measured : bool
        Refuse forces that are not those of the motion. Of an estimate that is only said: it is no fault of
        its files.

    Raises
    ------
    InputError
        The forces cannot be what they are read as.
    """
    weight, warnings, idle, where = survey.body_weight_n, [], False, str(loads.datafile)
    support = survey.force @ survey.up
    if not weight:
        return ["the model has no weight: the external forces cannot be checked against it"]
    for k, force in enumerate(loads.forces):
        if support[:, k].min() < -_LARGEST_PULL_BW * weight and not _carries_hands(force.body):
            raise InputError(
                f"the ground pulls on '{force.body}'",
                where=where,
                expected="upward ground forces",
                found=f"{support[:, k].min() / weight:.2f} body weights upward",
                fix="give the force of the ground on the foot, y up",
            )
        if support[:, k].max() < _SMALLEST_LOAD_BW * weight:
            warnings.append(f"'{force.body}' is never loaded in the analysed window")
            idle = True
        if force.force_prefix and not force.point_prefix:
            warnings.append(f"the force on '{force.body}' has no point: it acts at the origin of the body")
    _check_mean_support(survey, support, where)
    wide = around or survey
    checks = [
        (_check_levers, wide, loads),
        (_check_lag, wide),
        (_check_horizontal, wide),
        (_check_explained, survey, idle),
    ]
    if idle:  # the force that is missing may look like a shift of the other
        checks.insert(1, checks.pop())
    for check, *arguments in checks:
        warnings += refuse_or_warn(check, *arguments, where, measured=measured)
    return warnings


def explained_window(survey: Survey, from_s: float, to_s: float) -> tuple[float, float]:
    """Return the part of a window that is left when unexplained frames at its ends are cut off.

    At the ends of a trial one foot often stands beside the force plates.
    """
    trimmed = _unexplained(survey, _TRIM_SHARE, _TRIM_BW)
    inside = (survey.time_s >= from_s - 1e-9) & (survey.time_s <= to_s + 1e-9)
    good = np.flatnonzero(inside & ~trimmed)
    if not len(good):
        return from_s, to_s
    step = float(np.median(np.diff(survey.time_s)))
    first, last = float(survey.time_s[good[0]]), float(survey.time_s[good[-1]])
    return max(from_s, first - 0.5 * step), min(to_s, last + 0.5 * step)


def _carries_hands(body: str) -> bool:
    """Whether a force on this body may pull: a hand holds, a foot cannot."""
    return any(word in body.lower() for word in ("hand", "radius", "ulna", "humerus", "torso", "pelvis"))


def _check_mean_support(survey: Survey, support: np.ndarray, where: str) -> None:
    if survey.needed_along(survey.up) is None:
        return  # a fixed base carries what the forces do not
    mean = float(support.sum(axis=1).mean() / survey.body_weight_n)
    low, high = _PLAUSIBLE_SUPPORT_BW
    if not low <= mean <= high:
        raise InputError(
            "the ground forces do not fit the body weight",
            where=where,
            expected=f"{low:g} to {high:g} body weights upward on average",
            found=f"{mean:.3g} body weights ({survey.body_weight_n:.0f} N)",
            fix="give forces in N, on both feet, for this person; or choose a part in which the feet are on "
            "plates",
        )


def _check_levers(survey: Survey, loads: ExternalLoads, where: str) -> None:
    size = np.linalg.norm(survey.force, axis=2)
    for k, force in enumerate(loads.forces):
        loaded = size[:, k] > _LOADED_BW * survey.body_weight_n
        if not loaded.any():
            continue
        levers = [float(np.median(_lever(survey, k, other)[loaded])) for other in range(len(loads.forces))]
        nearest_one = int(np.argmin(levers))
        if levers[k] > _EXCHANGED * levers[nearest_one] and loads.forces[nearest_one].body != force.body:
            raise InputError(
                f"the force on '{force.body}' acts nearer to '{loads.forces[nearest_one].body}'",
                where=where,
                found=f"typical lever {levers[k]:.2f} m about its own body, "
                f"{levers[nearest_one]:.2f} m about the other",
                fix="the feet are exchanged: change applied_to_body",
            )
        if levers[k] > _LARGEST_LEVER_M:
            raise InputError(
                f"the force on '{force.body}' acts far from it",
                where=where,
                expected=f"a typical lever of at most {_LARGEST_LEVER_M:g} m about its origin",
                found=f"{levers[k]:.3g} m",
                fix="give points in m and torques in N m, in the frame in which the motion stands",
            )


def _lever(survey: Survey, force: int, body: int) -> np.ndarray:
    """Return the lever of a force, with its torque, about the origin of a body, shape (N,), m."""
    arm = survey.point[:, force] - survey.body_position[:, body]
    moment = survey.torque[:, force] + np.cross(arm, survey.force[:, force])
    return np.linalg.norm(moment, axis=1) / np.maximum(np.linalg.norm(survey.force[:, force], axis=1), 1.0)


def _check_lag(survey: Survey, where: str) -> None:
    needed, given = survey.needed_along(survey.up), survey.force.sum(axis=1) @ survey.up
    step = _step(survey)
    most = int(_LARGEST_SHIFT_S / step)
    if (
        needed is None
        or len(given) < 2 * most + _SHORTEST_OVERLAP_S / step
        or np.std(given) < _SOME_FORCE_BW * survey.body_weight_n
    ):
        return
    middle = needed[most:-most]
    agreement = np.array(
        [_correlation(middle, given[most + k : len(given) - most + k]) for k in range(-most, most + 1)]
    )
    best = int(np.argmax(agreement)) - most
    shifted, as_given = agreement[best + most], agreement[most]
    if abs(best) * step >= _LARGEST_LAG_S and shifted > max(_LAG_AGREES, as_given + _LAG_GAIN):
        raise InputError(
            "the ground forces and the motion have different clocks",
            where=where,
            expected="forces that carry the body at the time they are given",
            found=f"forces {abs(best) * step:.3f} s {'late' if best > 0 else 'early'}: correlation with what "
            f"the motion needs {as_given:.2f} as given, {shifted:.2f} shifted",
            fix="synchronise the two files",
        )


def _check_horizontal(survey: Survey, where: str) -> None:
    if np.ptp(survey.time_s) < _LONG_ENOUGH_S:
        return  # within a part of a stance a force may well rise while the motion asks for less
    for direction, name in zip(np.eye(3), "xyz", strict=True):
        needed, given = survey.needed_along(direction), survey.force.sum(axis=1) @ direction
        if needed is None or abs(direction @ survey.up) > 0.5:
            continue
        if np.std(given) < _SOME_FORCE_BW * survey.body_weight_n:
            continue
        if _correlation(needed, given) < _TURNED:
            raise InputError(
                f"the ground forces along {name} point the wrong way",
                where=where,
                expected="a force that accelerates the body as the motion does",
                found=f"correlation {_correlation(needed, given):.2f} with what the motion needs",
                fix=f"turn the sign of the {name} components, or rotate the forces into the motion's frame",
            )


def _check_explained(survey: Survey, idle: bool, where: str) -> None:
    """Refuse forces that carry too little; where a foot is idle, its share may be what is missing."""
    needed, given = survey.needed_along(survey.up), survey.force.sum(axis=1) @ survey.up
    if needed is None:
        return
    share = _TRIM_SHARE if idle else _UNEXPLAINED_SHARE
    bad = _unexplained(survey, share, _UNEXPLAINED_BW)
    stretches = _stretches(bad)
    step = _step(survey)
    longest = max(stretches, key=lambda ends: ends[1] - ends[0], default=None)
    if longest is None or (longest[1] - longest[0]) * step <= _LONGEST_UNEXPLAINED_S:
        return
    inside = slice(*longest)
    first, last = max(_stretches(~bad), key=lambda ends: ends[1] - ends[0], default=(0, 0))
    advice = "check that both feet are on plates and that their files belong to this trial"
    if last - first > 1:
        advice += f"; from {survey.time_s[first]:.3f} to {survey.time_s[last - 1]:.3f} s the forces fit"
    raise InputError(
        "the ground forces do not carry the body",
        where=where,
        expected=f"what the motion needs: {needed[inside].mean() / survey.body_weight_n:.2f} body weights "
        f"upward from {survey.time_s[longest[0]]:.3f} to {survey.time_s[longest[1] - 1]:.3f} s",
        found=f"{given[inside].mean() / survey.body_weight_n:.2f} body weights",
        fix=advice,
    )


def _unexplained(survey: Survey, share: float, weights: float) -> np.ndarray:
    needed = survey.needed_along(survey.up)
    if needed is None or not survey.body_weight_n:
        return np.zeros(len(survey.time_s), bool)
    frames = max(round(_SMOOTHED_S / _step(survey)), 1)
    given = _smooth(survey.force.sum(axis=1) @ survey.up, frames) / survey.body_weight_n
    needed = _smooth(needed, frames) / survey.body_weight_n
    allowed = share * np.maximum(np.maximum(needed, given), 0) + weights
    return np.abs(given - needed) > allowed


def _step(survey: Survey) -> float:
    return float((survey.time_s[-1] - survey.time_s[0]) / max(len(survey.time_s) - 1, 1)) or 1.0


def _stretches(flags: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _smooth(values: np.ndarray, frames: int) -> np.ndarray:
    padded = np.pad(values, (frames // 2, frames - 1 - frames // 2), "edge")
    return np.convolve(padded, np.ones(frames) / frames, "valid")


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    return agreement(one, other).correlation or 0.0
