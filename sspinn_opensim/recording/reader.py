"""The registry of formats, and the reading of the recording that a study names."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from sspinn_opensim.recording import csv_reader, dorschky2019
from sspinn_opensim.recording.checks import refuse_implausible
from sspinn_opensim.recording.choices import Format, RecordingChoice, SensorChoice
from sspinn_opensim.recording.resample import resample
from sspinn_opensim.recording.types import Recording

#: Every format by its name. Studies, their checks and documentation, and the evaluation look here.
FORMATS: Mapping[str, Format] = MappingProxyType(
    {module.FORMAT.name: module.FORMAT for module in (csv_reader, dorschky2019)}
)


class Recorded(Protocol):
    """A study, as far as reading goes: a recording and the sensors to take from it."""

    @property
    def recording(self) -> RecordingChoice:
        """File, format and options."""
        ...

    @property
    def sensors(self) -> tuple[SensorChoice, ...]:
        """Sensors in the order of the study."""
        ...


def read_recording(study: Recorded) -> Recording:
    """Read the recording a study names, in SI and body axes, at the rate the study asks for.

    Returns
    -------
    Recording
        Checked, at the rate of `RecordingChoice.sampling_rate_hz`, else at that of the format.
    """
    choice = study.recording
    recording = FORMATS[choice.format].read(choice, study.sensors)
    refuse_implausible(recording, str(choice.file))
    rate = choice.sampling_rate_hz
    return recording if rate is None else resample(recording, rate)
