"""Choices of a study about its muscle forces."""

from __future__ import annotations

from dataclasses import dataclass

from sspinn_opensim.settings.bounds import CountOrNone, NonNegative


@dataclass(frozen=True)
class MuscleChoice:
    """``[muscles]``: static optimization.

    Parameters
    ----------
    lowpass_hz : float or None
        Cut-off of OpenSim's low-pass filter on the coordinates, Hz: 6 is usual for walking, 15 for running;
        0 filters nothing. None: 0 for an estimate whose motion and ground forces agree, which a filter on
        the coordinates alone would undo, else 6.
    physiology : bool
        Whether muscle force depends on fibre length and velocity. OpenSim takes tendons as rigid here, which
        robs fast push-off of its strength: false for running.
    fast : bool
        Whether the same program is solved here instead of in OpenSim, hundreds of times faster.
    strides : int
        How many successive strides OpenSim analyses of a recording of which the study chooses no part: those
        closest to the median stride. 0: everything.
    """

    lowpass_hz: NonNegative | None = None
    physiology: bool = True
    fast: bool = False
    strides: CountOrNone = 3
