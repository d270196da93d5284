"""`sspinn opensense`: joint angles by OpenSim's own way, without training and without physics."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.opensim_io.tools.opensense import facing_forward, inverse_kinematics
from sspinn_opensim.recording.sensors.orientations import filtered_orientations
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.study import Study
from sspinn_opensim.verbs.on_study import on_study
from sspinn_opensim.verbs.prepared import prepare

if TYPE_CHECKING:
    from sspinn_opensim.verbs.prepared import Prepared

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OpenSense:
    """What OpenSim made of the orientations of sensors.

    Attributes
    ----------
    motion : Path
        Coordinates of the model over time.
    standing_s : (float, float)
        Where the person stood as the model does by default.
    """

    motion: Path
    standing_s: tuple[float, float]

    def __str__(self) -> str:
        from_s, to_s = self.standing_s
        return f"wrote {self.motion}; sensors placed by standing from {from_s:.2f} to {to_s:.2f} s"


@on_study()
def opensense(study: Study, out: Path, *, prepared: Prepared | None = None) -> OpenSense:
    """Write the angles that OpenSim's OpenSense gives: orientations by VQF, IMU placer, inverse kinematics.

    Sensors are placed by the longest part of quiet standing, which is taken for the default posture of the
    model. The heading of each sensor is that of its segment, as its alignment says.

    Parameters
    ----------
    study : Study, str or Path
        Names the recording.
    out : str or Path
        Results folder with the scaled model.
    prepared : Prepared, optional
        What `prepare` returned for the study.

    Raises
    ------
    InputError
        The person does not stand still, or a sensor lacks a channel.
    """
    log.info("OpenSense", extra={"heading": True})
    prepared = prepare(study, out) if prepared is None else prepared
    recording = prepared.recording
    still = [phase for phase in prepared.phases if phase.kind == "standing"]
    if not still:
        raise InputError(
            "OpenSense places sensors by a part in which the person stands still, and there is none.",
            where=str(study.path),
            fix="record a second of quiet standing; sspinn run needs none",
        )
    longest = max(still, key=lambda phase: phase.duration_s)
    standing = (recording.time_s >= longest.from_s) & (recording.time_s <= longest.to_s)
    orientations = filtered_orientations(recording)
    if not np.isfinite(orientations).all():
        raise InputError(
            "OpenSense takes a recording without gaps, and all six channels of every sensor.",
            where=str(study.path),
            fix="use one piece of the recording, and sensors with six channels (--sensors)",
        )
    found = facing_forward(orientations, standing)
    bodies = [sensor.body for sensor in prepared.recording.sensors]
    inverse_kinematics(out, bodies, recording.time_s, found, standing)
    at = recording.time_s[np.flatnonzero(standing)[[0, -1]]]
    return OpenSense(ResultsFolder(out).opensense_motion, (float(at[0]), float(at[1])))
