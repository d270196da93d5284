"""From a study to a checked recording."""

from __future__ import annotations

from sspinn_opensim.recording.checks import refuse_implausible
from sspinn_opensim.recording.csv_reader import read_csv
from sspinn_opensim.recording.dorschky2019 import read_dorschky2019
from sspinn_opensim.recording.resample import resample
from sspinn_opensim.recording.types import Recording
from sspinn_opensim.study import Study

_READERS = {"csv": read_csv, "dorschky2019": read_dorschky2019}


def read_recording(study: Study) -> Recording:
    """Read the recording a study names, in SI and body axes, at the rate the study asks for.

    Parameters
    ----------
    study : Study

    Returns
    -------
    Recording

    Raises
    ------
    InputError
        If the file cannot be used; see `casadi_dynamics.errors.InputError` for the parts of the message.
    """
    recording = _READERS[study.recording.format](study.recording, study.sensors)
    refuse_implausible(recording, str(study.recording.file))
    rate = study.recording.sampling_rate_hz
    return recording if rate is None else resample(recording, rate)
