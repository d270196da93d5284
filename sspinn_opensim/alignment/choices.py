"""Choices of a study about how its sensors get the axes of their segments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from sspinn_opensim.settings.bounds import Bounds

Bound = Annotated[float, Bounds(1.0, 90.0, "give the standard deviation in degrees")]


@dataclass(frozen=True)
class AlignmentChoice:
    """``[alignment]``: how sensors get the axes of their segments where the study does not say how they sit.

    Parameters
    ----------
    method : {'auto', 'signals', 'none'}
        ``auto``: sensors of formats that give signals along the sensors' own axes are aligned by their
        signals. ``signals``: all sensors are, but those with `axes`, `orientation_deg` or an IMU frame.
        ``none``: their axes are those of the segments.
    file : Path or None
        An ``alignment.toml`` of the same sensors, which is used as it is.
    posture : {'usual', 'upright'}
        How the person stands when standing still: as people usually do, or upright as the model does when
        all its coordinates are zero.
    use : {'all', 'standing', 'gait'}
        Where inclinations come from: standing and gait, or one of them where it is there. Headings come from
        gait in any case.
    stated_within_deg : float or None
        How well the axes are known that the study or the format states, degrees about each axis of the
        segment; a few sensors may be off by far more. The signals then refine those of sensors with all six
        channels, and in the sagittal plane those with its three. 0: exactly. None: as the format says, of
        most exactly.
    largest_sd_deg : float
        Inclinations in the sagittal plane that are known worse than this, degrees, are a serious finding.
    """

    method: Literal["auto", "signals", "none"] = "auto"
    file: Path | None = None
    posture: Literal["usual", "upright"] = "usual"
    use: Literal["all", "standing", "gait"] = "all"
    stated_within_deg: Annotated[float, Bounds(0.0, 90.0, "0 says that they are exact")] | None = None
    largest_sd_deg: Bound = 12.0
