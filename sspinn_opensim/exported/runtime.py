"""Runtime of an exported estimator: onnxruntime and numpy, nothing else."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from casadi_dynamics.errors import InputError

#: Of the inputs, outputs and metadata of the model.
FORMAT = 1
_RESULTS = ("coordinates", "moments", "force", "point", "torque", "heading")
_KEPT = ("memory_after", "path_after")


@dataclass(frozen=True)
class ExportedFrame:
    """One estimated frame, SI units and radians, in ground.

    Attributes
    ----------
    coordinates : (c,) ndarray
    moments : (a,) ndarray
    force, point, torque : (feet, 3) ndarrays
        On each foot, where on the floor it acts, and the moment about that point.
    heading_rad : float
        Of the walking frame, from zero at the first sample.
    """

    coordinates: np.ndarray
    moments: np.ndarray
    force: np.ndarray
    point: np.ndarray
    torque: np.ndarray
    heading_rad: float


class ExportedEstimator:
    """Estimates sample by sample what `StreamingEstimator` does, from the file of ``sspinn export``.

    Parameters
    ----------
    threads : int
        Threads that share the work of a frame; more than one rarely helps.

    Attributes
    ----------
    about : dict
        All that the file says of itself.
    sensors : tuple of str
        In the order of samples.
    sampling_rate_hz : float
        Samples have to come at this rate.
    coordinates, coordinate_units, moments, moment_units, feet : tuple of str
        Names and units of the estimate.

    Raises
    ------
    InputError
        onnxruntime is not installed, or the file is none that ``sspinn export`` wrote.
    """

    def __init__(self, file: str | Path, *, threads: int = 1) -> None:
        self._session = _opened(Path(file), threads)
        self.about = _about(self._session.get_modelmeta().custom_metadata_map, Path(file))
        self.sensors = tuple(self.about["sensors"])
        self.sampling_rate_hz = float(self.about["sampling_rate_hz"])
        self.coordinates = tuple(self.about["coordinates"])
        self.coordinate_units = tuple(self.about["coordinate_units"])
        self.moments = tuple(self.about["moments"])
        self.moment_units = tuple(self.about["moment_units"])
        self.feet = tuple(self.about["feet"])
        self._used = np.array(self.about["used_axes"], bool)
        shapes = {given.name: given.shape for given in self._session.get_inputs()}
        self._memory, self._path = np.zeros(shapes["memory"]), np.zeros(shapes["path"])

    def reset(self, *, keep_place: bool = False) -> None:
        """Forget all samples, and where the body has come to and faces unless that is kept."""
        self._memory = np.zeros_like(self._memory)
        if keep_place:
            # The first number says whether the frame before is known; the others where the body is.
            self._path = np.concatenate([[0.0], self._path[1:]])
        else:
            self._path = np.zeros_like(self._path)

    def settle(self, acceleration: np.ndarray, angular_rate: np.ndarray, *, keep_place: bool = False) -> None:
        """Forget all samples, and settle on the first ones before `step` is given them.

        Parameters
        ----------
        acceleration, angular_rate : (n, k, 3) arrays
            The first 0.6 s, as for `step`; none: as after `reset`. The network sees them backwards in time,
            with turned rates.
        keep_place : bool
            Whether the body goes on from where it is, as after a gap.
        """
        self.reset(keep_place=keep_place)
        given, rates, path = np.asarray(acceleration), np.asarray(angular_rate), self._path
        if not len(given):
            return
        last = max(len(given) - 1, 1)
        for before in range(int(self.about["settling_frames"]), 0, -1):
            phase = before % (2 * last)  # a short piece goes back and forth
            backwards = 0 < phase <= last
            row = min(phase if phase <= last else 2 * last - phase, len(given) - 1)
            self.step(given[row], -rates[row] if backwards else rates[row])
        self._path = path

    def step(self, acceleration: np.ndarray, angular_rate: np.ndarray) -> ExportedFrame:
        """Take one sample of all sensors and return the estimate at its time.

        Parameters
        ----------
        acceleration, angular_rate : (k, 3) arrays
            Along the sensors' own axes, with gravity; m/s^2 and rad/s. Axes that are not used may be nan.

        Raises
        ------
        InputError
            If the shape is wrong or a used axis is not finite; nothing is forgotten or learnt.
        """
        given = {"acceleration": acceleration, "angular_rate": angular_rate}
        given = {name: np.ascontiguousarray(value, np.float64) for name, value in given.items()}
        expected = (len(self.sensors), 3)
        for name, value in given.items():
            if value.shape != expected:
                raise InputError(
                    f"The sample's {name} has the wrong shape.",
                    expected=f"{expected} for {expected[0]} sensors",
                    found=str(value.shape),
                    fix="give all sensors in the order of the file: " + ", ".join(self.sensors),
                )
        if not np.isfinite(np.hstack(list(given.values()))[self._used]).all():
            raise InputError(
                "The sample holds a number that is not finite.",
                expected="finite numbers on every axis that is used",
                found="nan or infinity",
                fix="repeat the last good sample, or stop",
            )
        found = self._session.run((*_RESULTS, *_KEPT), {**given, "memory": self._memory, "path": self._path})
        q, moments, force, point, torque, heading, self._memory, self._path = found
        return ExportedFrame(q, moments, force, point, torque, float(heading[0]))


def _opened(file: Path, threads: int) -> Any:
    try:
        import onnxruntime

        errors = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    except ImportError as error:
        raise InputError(
            "onnxruntime is not installed.",
            expected="the package onnxruntime",
            found=str(error),
            fix="pip install onnxruntime",
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    if not file.is_file():
        raise InputError("There is no such file.", where=file, fix="write it with sspinn export")
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except (
        errors.Fail,
        errors.InvalidArgument,
        errors.InvalidGraph,
        errors.InvalidProtobuf,
        ValueError,
    ) as error:
        raise _no_export(file, str(error).splitlines()[0]) from error


def _about(metadata: dict[str, str], file: Path) -> dict:
    try:
        about = {name: json.loads(value) for name, value in metadata.items()}
    except ValueError:
        about = {}
    if about.get("format") != FORMAT:
        raise _no_export(file, f"format {about.get('format', 'unknown')}")
    return about


def _no_export(file: Path, found: str) -> InputError:
    return InputError(
        "The file is not one that this version can run.",
        where=file,
        expected=f"an ONNX model of sspinn export, format {FORMAT}",
        found=found,
        fix="write it again with sspinn export",
    )
