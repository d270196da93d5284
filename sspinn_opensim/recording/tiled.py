"""A recording of one mean stride, repeated."""

from __future__ import annotations

import dataclasses

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.types import Recording

#: How often a stride is repeated: a network that has settled meets it many times.
REPEATS = 20


def tiled(recording: Recording, cycle_s: float) -> Recording:
    """Return one stride, repeated without a seam.

    The stride is read through a periodic cubic spline, which passes through all its samples. A last sample
    that is one period after the first, as in tables from 0 to 100 percent, is left out.

    Parameters
    ----------
    recording : Recording
        Holds the stride and nothing else.
    cycle_s : float
        Period, s.

    Returns
    -------
    Recording
        `REPEATS` strides from its first sample on, at its rate, and with their period.

    Raises
    ------
    InputError
        If the recording is more or less than a stride, or samples are missing.
    """
    from scipy.interpolate import CubicSpline  # takes long to import, and few need it

    since_s, step_s = recording.time_s - recording.time_s[0], 1.0 / recording.sampling_rate_hz
    if abs(since_s[-1] + 0.5 * step_s - cycle_s) > 1.01 * step_s:
        raise InputError(
            "The recording is not one stride.",
            where="[recording] cycle_s of the study",
            expected=f"the samples of one period of {cycle_s:g} s",
            found=f"{len(since_s)} samples, {step_s:g} s from each to the next",
            fix="choose one stride with from_s and to_s, or leave cycle_s out",
        )
    if not recording.usable.all():
        raise InputError(
            "Samples of the stride are missing.",
            where="[recording] cycle_s of the study",
            found=f"{int((~recording.usable).sum())} of {len(since_s)}",
            fix="choose a stride without a gap",
        )
    own = since_s < cycle_s - 0.5 * step_s
    knots = np.append(since_s[own], cycle_s)
    time_s = np.arange(int(np.ceil(REPEATS * cycle_s / step_s - 1e-9))) * step_s
    signals = {}
    for name in ("acceleration", "angular_rate"):
        stride = getattr(recording, name)[own]
        closed = np.concatenate([stride, stride[:1]])
        signals[name] = CubicSpline(knots, closed, bc_type="periodic")(np.mod(time_s, cycle_s))
    return dataclasses.replace(
        recording,
        time_s=recording.time_s[0] + time_s,
        usable=np.ones(len(time_s), bool),
        cycle_s=cycle_s,
        notes=(*recording.notes, f"One stride of {cycle_s:g} s is repeated {REPEATS} times."),
        **signals,
    )
