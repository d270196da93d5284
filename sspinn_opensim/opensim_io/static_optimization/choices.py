"""Choices of a study about its muscle forces."""

from __future__ import annotations

from dataclasses import dataclass

from sspinn_opensim.settings.bounds import NonNegative


@dataclass(frozen=True)
class MuscleChoice:
    """``[muscles]``: static optimization.

    Parameters
    ----------
    lowpass_hz : float
        Cut-off of OpenSim's low-pass filter on the coordinates, Hz: 6 is usual for walking, 15 for running;
        0 filters nothing.
    physiology : bool
        Whether muscle force depends on fibre length and velocity. OpenSim takes tendons as rigid here, which
        robs fast push-off of its strength: false for running.
    fast : bool
        Whether the same program is solved here instead of in OpenSim, hundreds of times faster.
    """

    lowpass_hz: NonNegative = 6.0
    physiology: bool = True
    fast: bool = False
