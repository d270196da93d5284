"""A trained results folder as something that estimates recordings in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from casadi_dynamics.model import Model
from casadi_dynamics.osim import read_model
from sspinn_opensim.alignment.align import aligned
from sspinn_opensim.alignment.files import check_sensors, read_alignment
from sspinn_opensim.alignment.types import Alignment
from sspinn_opensim.estimation.consistency.consistent import consistent, without_shaking
from sspinn_opensim.estimation.consistency.gyroscopes import Gyroscopes
from sspinn_opensim.estimation.inference.offline import Estimate, at_times
from sspinn_opensim.estimation.segment_inclination import estimate_by_sensors
from sspinn_opensim.estimation.uncertainty import deviations_of
from sspinn_opensim.recording import Recording, Sensor, check_placement, on_model
from sspinn_opensim.recording.resample import resample
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.training.checkpoint import body_identity, load_estimator, read_body
from sspinn_opensim.training.signals import make_signals
from sspinn_opensim.training.subject import Subject, make_subject


class Estimator:
    """The network, the body and the sensors of a finished training.

    Parameters
    ----------
    model : Model
        The scaled model that the network was trained with.
    checkpoint : Path
        The trained network.
    alignment : Path, optional
        How sensors sit whose axes no study stated, as the training found it.

    See Also
    --------
    sspinn_opensim.estimation.StreamingEstimator : The same sample by sample.
    """

    def __init__(self, model: Model, checkpoint: Path, alignment: Path | None = None) -> None:
        self._model, self._checkpoint, self._body = model, checkpoint, read_body(checkpoint)
        self._alignment = alignment
        self._subject: Subject | None = None
        self._sensors: tuple[Sensor, ...] = ()

    @classmethod
    def load(cls, folder: str | Path, seed: int = 0) -> Estimator:
        """Return the estimator of a results folder after ``sspinn run`` or ``sspinn train``.

        Raises
        ------
        InputError
            There is no model or no network, or the network is that of a cohort.
        """
        files = ResultsFolder(Path(folder))
        return cls(read_model(files.subject), files.checkpoint(seed), files.alignment)

    def estimate(self, recording: Recording, *, agreeing: bool = True) -> Estimate:
        """Return motion and forces of a recording, in memory.

        Parameters
        ----------
        recording : Recording
            Of the same person, with the same sensors at the same places; at any rate. Signals along the
            sensors' own axes are turned as the training found the sensors to sit.
        agreeing : bool
            Whether it is corrected until motion, ground forces and masses agree.

        Returns
        -------
        Estimate
            SI units, radians, in ground.

        Raises
        ------
        InputError
            The sensors are not those of the training, or the training is not finished.
        """
        recording = on_model(recording, self._model)
        check_placement(recording.sensors, self._model, f"recording '{recording.name}'")
        stated, found = all(sensor.axes_known for sensor in recording.sensors), None
        if self._alignment and not (stated and not self._alignment.exists()):
            found = read_alignment(self._alignment)
            recording = self._as_recorded(recording, found)
            if not all(sensor.axes_known for sensor in recording.sensors):
                check_sensors(found, recording, self._alignment)
                recording = aligned(recording, found)
        if self._subject is None or recording.sensors != self._sensors:
            held, height_m = self._body["fixed"], self._body["height_m"]
            self._subject = make_subject(self._model, recording, held, height_m=height_m)
            self._sensors = recording.sensors
        subject, known = self._subject, resample(recording, self._body["sampling_rate_hz"])
        signals = make_signals(known, subject)
        belongs_to = {"body": body_identity(subject, known)}
        network = load_estimator(self._checkpoint, subject, signals, belongs_to)
        estimate = estimate_by_sensors(network, subject, signals, known, found)
        estimate = at_times(estimate, subject, recording.time_s)
        if not agreeing:
            return estimate
        gyroscopes = Gyroscopes.of(recording, subject, network.mounting)
        return consistent(
            without_shaking(estimate, subject), subject, deviations_of([estimate], subject, found), gyroscopes
        )

    def _as_recorded(self, recording: Recording, found: Alignment) -> Recording:
        """Return a recording in which stated axes that the training refined are not known.

        A sensor whose orientation is that of the training is turned already.
        """
        refined = {own.name for own in found.sensors if own.estimated}
        turned = {own["name"]: tuple(own["orientation"]) for own in self._body["sensors"]}
        sensors = (
            replace(s, axes_known=False) if s.name in refined and s.orientation != turned.get(s.name) else s
            for s in recording.sensors
        )
        return replace(recording, sensors=tuple(sensors))
