"""Checks that a motion means to OpenSim what it means to whoever recorded it.

OpenSim holds missing and locked coordinates at their defaults, takes degrees for radians and the reverse,
and differentiates noise, all without a word. Each check stands for one such silence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from casadi_dynamics.errors import InputError, nearest
from sspinn_opensim.dynamics.trial import differentiated
from sspinn_opensim.opensim_io.model.model_file import CoordinateFacts
from sspinn_opensim.opensim_io.tables.storage import Table
from sspinn_opensim.opensim_io.trials.survey import Survey

_FARTHEST_TURN_RAD = {True: 4 * np.pi, False: 2 * np.pi}  # of a root, which may turn round; of a joint
#: A motion in radians labelled as degrees stays below this in every joint, deg.
_LARGEST_RADIAN = 3.2
#: A person who moves changes some joint by more than this, deg.
_STILL_DEG = 0.1
#: Differences from what the model determines are of rounding in files below this, rad or m.
_HELD_TOLERANCE = 1e-3
#: Outside their range coordinates are suspicious; so far outside, muscle paths mean nothing, rad.
_BEYOND_WARN_RAD, _BEYOND_REFUSE_RAD = np.deg2rad(2.0), 0.5
_FEWEST_FRAMES = 8
_UNEVEN = 1.5  # longest over shortest time step; times rounded to 1 ms at 120 Hz have 1.13
#: Voluntary movement has little acceleration above this; measured in 28 trials of two laboratories, the share
#: above it is 0.15 to 0.4 of that below in filtered motions, and 2 to 6 in unfiltered ones.
_MOVEMENT_HZ = 20.0
_LARGEST_NOISE_SHARE = 1.0


def check_covers(
    time_s: np.ndarray, window: tuple[float, float], margin_s: float, what: str, where: Path
) -> None:
    """Refuse a table that does not reach over a window and, on either side, the margin of its filter.

    Parameters
    ----------
    time_s : (N,) ndarray
        Of the table.
    what : str
        Is in it, for the message.

    Raises
    ------
    InputError
    """
    slack = 1.5 * (time_s[-1] - time_s[0]) / max(len(time_s) - 1, 1)
    low, high = window[0] - margin_s, window[1] + margin_s
    if time_s[0] > low + slack or time_s[-1] < high - slack:
        raise InputError(
            f"{what} does not cover the analysed window",
            where=where,
            expected=f"{low:.3f} to {high:.3f} s"
            + (f" (window and {margin_s:.3f} s for the filter on either side)" if margin_s else ""),
            found=f"{time_s[0]:.3f} to {time_s[-1]:.3f} s",
            fix="narrow the window or give a longer recording",
        )


def check_columns(table: Table, coordinates: tuple[CoordinateFacts, ...], where: str) -> None:
    """Refuse a table that lacks coordinates, does not state its unit, or is uneven in time.

    Raises
    ------
    InputError
    """
    missing = [coordinate.name for coordinate in coordinates if coordinate.name not in table.names]
    if missing:
        unknown = [name for name in table.names if name not in {c.name for c in coordinates}]
        hint = nearest(missing[0], unknown).replace("did you mean", "is it column")
        raise InputError(
            f"the motion lacks coordinates of the model: {', '.join(missing)}",
            where=where,
            expected="a column for every coordinate",
            found=f"columns of no coordinate: {', '.join(unknown)}" if unknown else "",
            fix=f"OpenSim would hold them at their defaults: add the columns{'; ' + hint if hint else ''}",
        )
    if table.in_degrees is None:
        raise InputError(
            "the motion does not say whether it is in degrees",
            where=where,
            expected="a line inDegrees=yes or inDegrees=no in the header",
            found=f"numbers up to {np.abs(table.values).max():.3g}",
            fix="OpenSim would take it for radians: add the line, or state it with --unit degrees or "
            "--unit radians",
        )
    if len(table.time_s) < _FEWEST_FRAMES:
        raise InputError(
            "the motion has too few frames",
            where=where,
            expected=f"at least {_FEWEST_FRAMES}",
            found=str(len(table.time_s)),
        )
    steps = np.diff(table.time_s)
    if steps.max() > _UNEVEN * steps.min():
        at = int(np.argmax(steps))
        raise InputError(
            "the frames of the motion are not evenly spaced",
            where=where,
            expected=f"a step of about {np.median(steps):.4g} s throughout",
            found=f"{steps.min():.4g} to {steps.max():.4g} s (after {table.time_s[at]:g} s)",
            fix="fill the gap, or resample: OpenSim's filter makes other frames of it without a word",
        )


def check_motion(
    survey: Survey,
    table: Table,
    coordinates: tuple[CoordinateFacts, ...],
    where: str,
    *,
    lowpass_hz: float,
    unit_is_stated: bool = False,
    noise_matters: bool = True,
    measured: bool = True,
) -> list[str]:
    """Return warnings about a motion.

    Parameters
    ----------
    survey : Survey
        Of the motion.
    table : Table
        Its file.
    where : str
        Its path.
    lowpass_hz : float
        Cut-off that OpenSim is to apply, Hz; 0 or less for none.
    unit_is_stated : bool
        A person, not only the file, says that the angles are in the unit they are read in.
    noise_matters : bool
        Refuse a motion whose acceleration is noise; inverse dynamics without a filter shows it for what it
        is.
    measured : bool
        Refuse a motion that nobody can have made. Of an estimate that is only said: it is no fault of its
        file.

    Raises
    ------
    InputError
        The motion cannot be what it is read as.
    """
    _check_turns(survey, table, coordinates, where)
    if not unit_is_stated:
        _check_radians_as_degrees(survey, table, coordinates, where)
    _check_held(survey, where)
    warnings = []
    if noise_matters:
        noise = survey, table, coordinates, where, lowpass_hz
        warnings += refuse_or_warn(_check_noise, *noise, measured=measured)
    warnings += refuse_or_warn(_check_ranges, survey, coordinates, where, measured=measured)
    return warnings + _beyond_range(survey, coordinates)


def refuse_or_warn(check: Callable[..., None], *arguments: Any, measured: bool) -> list[str]:
    """Return what a check finds in an estimate as a warning; of what was measured it may raise."""
    try:
        check(*arguments)
    except InputError as error:
        if measured:
            raise
        return [f"{error.what}: {error.found}" if error.found else error.what]
    return []


def _check_turns(survey: Survey, table: Table, coordinates: Sequence[CoordinateFacts], where: str) -> None:
    for coordinate in coordinates:
        turn = np.abs(survey.q[:, survey.column(coordinate.name)]).max()
        farthest = _FARTHEST_TURN_RAD[coordinate.is_root]
        if survey.motions[coordinate.name] == "rotational" and turn > farthest:
            raise InputError(
                f"coordinate '{coordinate.name}' turns implausibly far",
                where=where,
                expected=f"angles within {farthest:.1f} rad",
                found=f"{turn:.1f} rad, read as {'degrees' if table.in_degrees else 'radians'}",
                fix="degrees need inDegrees=yes in the header",
            )


def _check_radians_as_degrees(
    survey: Survey, table: Table, coordinates: Sequence[CoordinateFacts], where: str
) -> None:
    joints = [
        survey.column(c.name)
        for c in coordinates
        if not c.is_root and c.is_free and survey.motions[c.name] == "rotational"
    ]
    if not table.in_degrees or not joints:
        return
    angles = np.rad2deg(survey.q[:, joints])
    if np.abs(angles).max() < _LARGEST_RADIAN and np.ptp(angles, axis=0).max() > _STILL_DEG:
        raise InputError(
            "the motion says degrees, but its numbers look like radians",
            where=where,
            expected=f"some joint to exceed {_LARGEST_RADIAN:g} degrees",
            found=f"no joint beyond {np.abs(angles).max():.2f}",
            fix="write inDegrees=no if they are radians; the laboratory's route also takes --unit degrees",
        )


def _check_held(survey: Survey, where: str) -> None:
    reasons = {
        "locked": ("is locked in the model but moves in the motion", "unlock it or hold it at its default"),
        "prescribed": ("is prescribed in the model, and otherwise than in the motion", "clear 'prescribed'"),
        "dependent": (
            "does not satisfy its coupler",
            "compute it from the coordinate it depends on; coupled coordinates are never in degrees",
        ),
    }
    for kind, (what, fix) in reasons.items():
        for name in getattr(survey, kind):
            own, held = (values[:, survey.column(name)] for values in (survey.q, survey.held))
            if np.abs(own - held).max() > _HELD_TOLERANCE:
                raise InputError(
                    f"coordinate '{name}' {what}",
                    where=where,
                    expected=_extent(held),
                    found=_extent(own),
                    fix=f"{fix}: OpenSim ignores what the motion says of it",
                )


def _extent(values: np.ndarray) -> str:
    low, high = values.min(), values.max()
    return f"{low:.4g}" if np.isclose(low, high) else f"{low:.4g} to {high:.4g}"


def _check_noise(
    survey: Survey, table: Table, coordinates: Sequence[CoordinateFacts], where: str, lowpass_hz: float
) -> None:
    rate = (len(table.time_s) - 1) / (table.time_s[-1] - table.time_s[0])
    if 0 < lowpass_hz <= _MOVEMENT_HZ or rate < 2.2 * _MOVEMENT_HZ:
        return
    columns = [table.names.index(c.name) for c in coordinates if c.is_free]
    window, values = (survey.time_s[0], survey.time_s[-1]), table.values[:, columns]
    whole, slow = (
        differentiated(table.time_s, values, cutoff, window).qddot for cutoff in (lowpass_hz, _MOVEMENT_HZ)
    )
    fast, slow = (np.sqrt(np.mean(part**2, axis=0)) for part in (whole - slow, slow))
    share = np.where(slow > 0, fast / np.where(slow > 0, slow, 1.0), 0.0)
    worst = int(np.argmax(share))
    if share[worst] > _LARGEST_NOISE_SHARE:
        raise InputError(
            "the motion is too noisy to be differentiated",
            where=where,
            expected=f"less acceleration above {_MOVEMENT_HZ:g} Hz than below",
            found=f"{share[worst]:.1f} times as much in '{table.names[columns[worst]]}', "
            + (f"filtered at {lowpass_hz:g} Hz" if lowpass_hz > 0 else "unfiltered"),
            fix="filter it: 6 Hz is common for walking, 10 to 15 Hz for running",
        )


def _check_ranges(survey: Survey, coordinates: Sequence[CoordinateFacts], where: str) -> None:
    for coordinate, beyond, span in _ranges(survey, coordinates):
        outside = beyond.max() > _BEYOND_REFUSE_RAD or beyond.min() > _BEYOND_WARN_RAD
        if coordinate.spanned_by_muscle and outside:
            raise InputError(
                f"coordinate '{coordinate.name}' is far outside the range of the model",
                where=where,
                found=span,
                fix="check its sign and unit against the model (is flexion of the knee positive?), or widen "
                "its range: OpenSim does not clamp it, and muscle paths beyond it mean nothing",
            )


def _beyond_range(survey: Survey, coordinates: Sequence[CoordinateFacts]) -> list[str]:
    return [
        f"'{coordinate.name}' leaves the range of the model: {span}"
        for coordinate, beyond, span in _ranges(survey, coordinates)
        if beyond.max() > _BEYOND_WARN_RAD
    ]


def _ranges(
    survey: Survey, coordinates: Sequence[CoordinateFacts]
) -> Iterator[tuple[CoordinateFacts, np.ndarray, str]]:
    """Yield each joint's coordinate, how far beyond its range it is, shape (N,), rad, and both in words."""
    for coordinate in coordinates:
        name = coordinate.name
        if not coordinate.is_free or coordinate.is_root or survey.motions[name] != "rotational":
            continue
        (low, high), angles = survey.ranges[name], survey.q[:, survey.column(name)]
        span = (
            f"{np.rad2deg(angles.min()):.0f} to {np.rad2deg(angles.max()):.0f} deg, "
            f"range {np.rad2deg(low):.0f} to {np.rad2deg(high):.0f} deg"
        )
        yield coordinate, np.maximum(low - angles, angles - high), span
