"""A trained network and its person's body as one ONNX file, for programs without torch and CasADi."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.osim import read_model
from sspinn_opensim.estimation import StreamingEstimator
from sspinn_opensim.exported.model_file import exported_model
from sspinn_opensim.files import write_atomically
from sspinn_opensim.recording import Recording, Sensor
from sspinn_opensim.recording.mounting import rotation_from_angles
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.streaming.channels import channels_of_estimate
from sspinn_opensim.streaming.live import StreamedSensors
from sspinn_opensim.training.checkpoint import load_estimator, read_body, read_speed
from sspinn_opensim.training.signals import make_signals
from sspinn_opensim.training.subject import make_subject
from sspinn_opensim.verbs.prepared import subject_file


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes
    ----------
    file : Path
        The ONNX model.
    nodes : int
        Operations in it.
    """

    file: Path
    nodes: int
    sensors: tuple[str, ...]
    sampling_rate_hz: float

    def __str__(self) -> str:
        return (
            f"{self.file}: {self.nodes} nodes, {self.file.stat().st_size / 1e6:.1f} MB; {len(self.sensors)} "
            f"sensors ({', '.join(self.sensors)}) at {self.sampling_rate_hz:g} Hz in"
        )


def export(folder: str | Path, out: str | Path = "estimator.onnx", *, seed: int = 0) -> Exported:
    """Write the trained network of a results folder, with all that follows it, as an ONNX model.

    Parameters
    ----------
    folder : str or Path
        Results after ``sspinn run``, ``train`` or ``adapt``.
    out : str or Path
        The file.
    seed : int
        Of the training.

    Raises
    ------
    InputError
        There is no model or no finished network of one person, onnx is not installed, or the file cannot be
        written.
    """
    folder, out = Path(folder), Path(out)
    if out.suffix != ".onnx":
        raise InputError("The file's name does not end in .onnx.", where="--out", found=str(out))
    estimator, sensors, motions = trained_estimator(folder, seed)
    channels = channels_of_estimate(estimator.coordinates, motions, estimator.actuated, estimator.feet)
    model = exported_model(estimator, sensors, channels)
    write_atomically(out, model.SerializeToString())
    return Exported(out, len(model.graph.node), sensors.names, round(1 / estimator.step_s, 6))


def trained_estimator(
    folder: Path, seed: int = 0
) -> tuple[StreamingEstimator, StreamedSensors, tuple[str, ...]]:
    """Return the estimator of a results folder, its sensors, and the kind of motion of each coordinate.

    Nothing but the scaled model and the checkpoint is read: it states which sensors there are and how the
    training found them to sit.
    """
    model, checkpoint = read_model(subject_file(folder)), ResultsFolder(folder).checkpoint(seed)
    body = read_body(checkpoint)
    mounted = tuple(Sensor(**sensor) for sensor in body["sensors"])
    nothing = np.zeros((2, len(mounted), 3))
    recording = Recording(
        name=str(folder),
        time_s=np.arange(2) / body["sampling_rate_hz"],
        sensors=mounted,
        acceleration=nothing,
        angular_rate=nothing,
        acceleration_available=np.array(body["acceleration_available"]),
        angular_rate_available=np.array(body["angular_rate_available"]),
        acceleration_variance=nothing[0],
        angular_rate_variance=nothing[0],
        speed_m_s=read_speed(checkpoint),
    )
    subject = make_subject(model, recording, body["fixed"], height_m=body["height_m"])
    signals = make_signals(recording, subject, ())
    network = load_estimator(checkpoint, subject, signals, {"body": body})
    sensors = StreamedSensors(
        recording.sensor_names,
        tuple(frame.body for frame in subject.functions.imu_frames),
        np.array([rotation_from_angles(sensor.orientation) for sensor in mounted]),
        np.hstack([signals.acceleration_channels.numpy(), signals.rate_channels.numpy()]),
    )
    motions = tuple(coordinate.motion for coordinate in model.coordinates)
    return StreamingEstimator(network, subject, signals), sensors, motions
