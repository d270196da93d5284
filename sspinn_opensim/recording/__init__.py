"""IMU recordings: one type, its readers and its checks.

Nothing here reads a reference: optical angles, moments and measured ground forces belong to
`sspinn_opensim.evaluation`.
"""

from sspinn_opensim.recording.checks.faults import find_faults
from sspinn_opensim.recording.choices import Format, OutputChoice, RecordingChoice, SensorChoice
from sspinn_opensim.recording.findings import Finding, refuse_serious, unaccepted
from sspinn_opensim.recording.movement.phases import GAIT, Phase, phases
from sspinn_opensim.recording.reading.reader import FORMATS, read_recording
from sspinn_opensim.recording.reading.recognise import Recognised, recognise, recognised
from sspinn_opensim.recording.resample import resample
from sspinn_opensim.recording.sensors.placement import (
    along_bodies,
    bodies_of,
    check_placement,
    moved_sensors,
    on_model,
    usual_places,
)
from sspinn_opensim.recording.types import PROXIMAL, Recording, Sensor
from sspinn_opensim.recording.window import output_window

__all__ = [
    "FORMATS",
    "GAIT",
    "PROXIMAL",
    "Finding",
    "Format",
    "OutputChoice",
    "Phase",
    "Recognised",
    "Recording",
    "RecordingChoice",
    "Sensor",
    "SensorChoice",
    "along_bodies",
    "bodies_of",
    "check_placement",
    "find_faults",
    "moved_sensors",
    "on_model",
    "output_window",
    "phases",
    "read_recording",
    "recognise",
    "recognised",
    "refuse_serious",
    "resample",
    "unaccepted",
    "usual_places",
]
