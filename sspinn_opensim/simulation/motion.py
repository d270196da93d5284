"""A motion file as smooth functions of time: filtered, differentiated, and if wanted one stride repeated."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.interpolate import BSpline, make_interp_spline

from casadi_dynamics.errors import InputError, InputWarning, nearest
from casadi_dynamics.model import Model
from casadi_dynamics.model.constraints import CoordinateCouplerConstraint
from sspinn_opensim.opensim_io.tables.motion_files import coordinates_of
from sspinn_opensim.opensim_io.tables.motion_units import warn_of_unit
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage
from sspinn_opensim.recording.resample import interpolate, uniform_clock
from sspinn_opensim.recording.signals.filters import low_pass

#: The quintic spline needs six points, and the filter's padding some more.
_FEWEST_FRAMES = 16
#: Strides of people last this long, from sprinting to very slow walking, s.
_STRIDE_S = (0.4, 2.5)
#: Two strides are compared over at least this much of them, s.
_OVERLAP_S = 0.15
#: A clock printed with few digits strays from uniform by less than this part of a step.
_UNIFORM = 0.1


@dataclass(frozen=True)
class Samples:
    """Coordinates at samples.

    Attributes
    ----------
    time_s : (n,) array
        Uniform.
    q : (n, c) array
        In the order of the model's coordinates, rad and m.
    source : str
        The file.
    missing, unused : tuple of str
        Coordinates without a column, which stay at their default, and columns without a coordinate.
    """

    time_s: np.ndarray
    q: np.ndarray
    source: str
    missing: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def rate_hz(self) -> float:
        """Samples a second."""
        return (len(self.time_s) - 1) / (self.time_s[-1] - self.time_s[0])


@dataclass(frozen=True)
class SplineMotion:
    """Coordinates as functions of time.

    Attributes
    ----------
    from_s, to_s : float
        Where they are known, on the clock of the file.
    spline : BSpline
        Coordinates without their steady advance.
    advance : (c,) array
        What each coordinate gains in a second beside the spline.
    stride_s : float or None
        Period of the spline, if one stride is repeated.
    """

    from_s: float
    to_s: float
    spline: BSpline
    advance: np.ndarray
    stride_s: float | None = None

    def __call__(self, time_s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the coordinates and their first and second derivatives, (n, c) each."""
        since = time_s - self.from_s
        at = time_s if self.stride_s is None else self.from_s + np.mod(since, self.stride_s)
        return (
            self.spline(at) + np.outer(since, self.advance),
            self.spline(at, 1) + self.advance,
            self.spline(at, 2),
        )


def read_motion(path: Path, model: Model, unit: str | None = None) -> Samples:
    """Read the coordinates of a model from a ``.mot`` or ``.sto`` file.

    Columns may have plain names or be state paths (``/jointset/knee_r/knee_angle_r/value``). Coordinates
    without a column, and locked ones, keep their default, as in OpenSim's tools.

    Parameters
    ----------
    unit : {'degrees', 'radians'}, optional
        Where the file does not say ``inDegrees``.

    Raises
    ------
    InputError
        If the file cannot be read, holds no coordinate of the model, does not say its unit while `unit` is
        not given or says another one, has lost samples, or is too short.
    """
    table = _plain(read_storage(path))
    stated = {True: "degrees", False: "radians", None: None}[table.in_degrees]
    if unit is not None and stated not in (unit, None):
        raise InputError(
            "The motion's own header and the settings name different units.",
            where=str(path),
            expected=unit,
            found=stated,
            fix="leave the unit out of the settings, or correct the header",
        )
    if unit is None and stated is None:
        raise InputError(
            "The motion does not say whether it is in degrees.",
            where=str(path),
            expected="inDegrees=yes or inDegrees=no in the header",
            fix="add the line, or say it with --unit degrees or --unit radians",
        )
    table = Table(table.names, table.time_s, table.values, (unit or stated) == "degrees", table.header)
    known = [c for c in model.coordinates if c.name in table.names and not c.locked]
    if not known:
        raise InputError(
            "The motion holds no coordinate of the model.",
            where=str(path),
            expected=f"columns such as {', '.join(model.coordinate_names[:3])}",
            found=", ".join(table.names[:8]),
            fix="use the motion of this model",
        )
    if len(table.time_s) < _FEWEST_FRAMES:
        raise InputError(
            "The motion is too short.",
            where=str(path),
            expected=f"{_FEWEST_FRAMES} frames or more",
            found=str(len(table.time_s)),
        )
    q = np.tile([c.default for c in model.coordinates], (len(table.time_s), 1)).astype(float)
    places = [model.coordinates.index(c) for c in known]
    q[:, places] = coordinates_of(table, [c.name for c in known], [c.motion for c in known])
    _refuse_degrees_as_radians(q, model, path)
    warn_of_unit(table, model, str(path))
    time_s, q = _uniform(table.time_s, q, path)
    samples = Samples(
        time_s,
        q,
        str(path),
        tuple(c.name for c in model.coordinates if c.name not in table.names),
        tuple(name for name in table.names if name not in model.coordinate_names),
    )
    for note in _left_alone(samples, model):
        warnings.warn(f"{path}: {note}", InputWarning, stacklevel=2)
    return samples


def _left_alone(samples: Samples, model: Model) -> list[str]:
    """Return a note for each coordinate that rests for lack of a column, and one for columns of none."""
    follows = {
        coupler.dependent for coupler in model.constraints if isinstance(coupler, CoordinateCouplerConstraint)
    }
    root, notes = model.root_coordinates(), []
    for name in samples.missing:
        coordinate = model.coordinate(name)
        if coordinate.locked or name in follows:
            continue
        note = f"no column '{name}': it rests at its default, {coordinate.default:g}"
        if name in root and coordinate.motion != "rotational":
            note += "; the person does not move along it"
        hint = nearest(name, samples.unused).replace("did you mean", "is it column")
        notes.append(f"{note}; {hint}" if hint else note)
    if samples.unused:
        notes.append(
            f"the model has no coordinate {', '.join(map(repr, samples.unused))}: columns left alone"
        )
    return notes


def filtered(samples: Samples, lowpass_hz: float) -> Samples:
    """Return samples low-passed without lag: a Butterworth filter of second order, forwards and backwards.

    Parameters
    ----------
    lowpass_hz : float
        Cut-off, -3 dB; 0 filters nothing.
    """
    if not lowpass_hz:
        return samples
    if lowpass_hz >= 0.45 * samples.rate_hz:
        raise InputError(
            "The cut-off of the low-pass filter is too high for the rate of the motion.",
            where=samples.source,
            expected=f"below {0.45 * samples.rate_hz:g} Hz, or 0 for no filter",
            found=f"{lowpass_hz:g} Hz",
        )
    return replace(samples, q=low_pass(samples.q, lowpass_hz, samples.rate_hz))


def through(samples: Samples) -> SplineMotion:
    """Return the motion through samples: a natural quintic spline."""
    size = samples.q.shape[1]
    free = [(3, np.zeros(size)), (4, np.zeros(size))]
    spline = make_interp_spline(samples.time_s, samples.q, k=5, bc_type=(free, free))
    return SplineMotion(float(samples.time_s[0]), float(samples.time_s[-1]), spline, np.zeros(size))


def stride_time(motion: SplineMotion, columns: list[int], source: str = "") -> float:
    """Return the time after which the named coordinates repeat best, s.

    It is the first minimum, over the lag, of the mean square difference between the motion and itself that
    is about as low as the lowest.
    """
    step = 0.005
    time_s = motion.from_s + uniform_clock(motion.to_s - motion.from_s, 1 / step)
    q = motion(time_s)[0][:, columns]
    lags = np.arange(round(_STRIDE_S[0] / step), round(_STRIDE_S[1] / step))
    lags = lags[lags < len(q) - round(_OVERLAP_S / step)]
    misfit = np.array([np.mean((q[lag:] - q[:-lag]) ** 2) for lag in lags])
    low = [i for i in range(1, len(lags) - 1) if misfit[i] <= min(misfit[i - 1], misfit[i + 1])]
    if not low:
        raise InputError(
            "The motion shows no whole stride that could be repeated.",
            where=source,
            expected=f"a stride and {_OVERLAP_S:g} s of the next",
            found=f"{motion.to_s - motion.from_s:g} s",
            fix="give a longer motion, or leave the number of strides out",
        )
    best = min(misfit[i] for i in low)
    first = next(i for i in low if misfit[i] <= 2 * best)
    # The vertex of the parabola through three points lies between the samples of the lag.
    left, here, right = misfit[first - 1 : first + 2]
    curvature = left - 2 * here + right
    return float(step * (lags[first] + (0.5 * (left - right) / curvature if curvature > 0 else 0.0)))


def repeat_stride(
    motion: SplineMotion, stride_s: float, keep: tuple[float, float], advancing: list[int], strides: int
) -> SplineMotion:
    """Return one stride of a motion repeated, closed smoothly.

    The stride starts at the start of `keep`. Inside `keep` the motion stays as it is. From there to the end
    of the stride a polynomial of fifth degree is added, zero with two derivatives where it starts, that takes
    the coordinates with two derivatives to where the stride began.

    Parameters
    ----------
    keep : tuple of 2 float
        Start and end of the part that is not touched, on the clock of the motion, s.
    advancing : list of int
        Coordinates that travel: they go on by as much with every stride.

    Raises
    ------
    InputError
        If the stride leaves the motion, or too little of it is left to close it.
    """
    start, end = keep[0], keep[0] + stride_s
    bend = end - keep[1]
    if start < motion.from_s - 1e-9 or end > motion.to_s + 1e-9 or bend < 0.1 * stride_s:
        raise InputError(
            "The stride to repeat does not fit the motion.",
            expected=f"{motion.from_s:g} to {motion.to_s:g} s, and a tenth of the stride beside what is kept",
            found=f"a stride from {start:g} to {end:g} s, of which {keep[0]:g} to {keep[1]:g} s is kept",
            fix="keep a shorter part, or an earlier one",
        )
    (q0, v0, a0), (q1, v1, a1) = (tuple(part[0] for part in motion(np.array([t]))) for t in (start, end))
    advance = np.zeros(len(q0))
    advance[advancing] = (q1 - q0)[advancing] / stride_s
    count = max(32, round(400 * stride_s))
    time_s = start + stride_s * np.arange(count + 1) / count
    q = motion(time_s)[0] - np.outer(time_s - start, advance)
    gap = np.stack([q0 - (q1 - advance * stride_s), v0 - v1, a0 - a1])
    q += _bend(np.clip((time_s - keep[1]) / bend, 0.0, 1.0), bend, gap)
    q[-1] = q[0]
    spline = make_interp_spline(time_s, q, k=5, bc_type="periodic")
    return SplineMotion(start, start + strides * stride_s, spline, advance, stride_s)


def _bend(s: np.ndarray, length_s: float, gap: np.ndarray) -> np.ndarray:
    """Quintic Hermite polynomial of s in 0..1 that ends with the value and derivatives of `gap` (3, c)."""
    value = 10 * s**3 - 15 * s**4 + 6 * s**5
    slope = (-4 * s**3 + 7 * s**4 - 3 * s**5) * length_s
    curve = (0.5 * s**3 - s**4 + 0.5 * s**5) * length_s**2
    return np.column_stack([value, slope, curve]) @ gap


def _plain(table: Table) -> Table:
    """Drop speeds and other states of a states file, and take the names out of its paths."""
    names = [name.split("/") for name in table.names]
    kept = [k for k, parts in enumerate(names) if len(parts) == 1 or parts[-1] == "value"]
    plain = tuple(names[k][-2] if len(names[k]) > 1 else names[k][0] for k in kept)
    return Table(plain, table.time_s, table.values[:, kept], table.in_degrees, table.header)


def _refuse_degrees_as_radians(q: np.ndarray, model: Model, path: Path) -> None:
    turns = [i for i, c in enumerate(model.coordinates) if c.motion == "rotational"]
    if turns and np.abs(q[:, turns]).max() > 4 * np.pi:
        worst = turns[int(np.abs(q[:, turns]).max(axis=0).argmax())]
        raise InputError(
            "An angle of the motion is beyond two turns: it is in degrees, though the file says radians.",
            where=f"{path}, column '{model.coordinates[worst].name}'",
            found=f"{np.abs(q[:, worst]).max():g} rad",
            fix="set inDegrees=yes in the header of the file",
        )


def _uniform(time_s: np.ndarray, q: np.ndarray, path: Path) -> tuple[np.ndarray, np.ndarray]:
    steps = np.diff(time_s)
    rate = (len(time_s) - 1) / (time_s[-1] - time_s[0])
    even = time_s[0] + np.arange(len(time_s)) / rate
    if np.any(steps > 1.5 * np.median(steps)):
        row = int(np.argmax(steps))
        raise InputError(
            "The motion has lost frames.",
            where=f"{path}, after {time_s[row]:g} s",
            expected=f"steps of {np.median(steps):g} s",
            found=f"a step of {steps[row]:g} s",
            fix="fill the gap, or cut the file there",
        )
    if np.abs(time_s - even).max() > _UNIFORM / rate:
        return even, interpolate(time_s, q, even)
    return even, q
