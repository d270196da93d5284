"""The study file: one TOML file that names model, person, recording, sensors, reference and settings."""

from sspinn_opensim.recording import OutputChoice, RecordingChoice, SensorChoice
from sspinn_opensim.study.format import (
    CoordinateChoice,
    ModelChoice,
    Person,
    ReferenceChoice,
    ScalingChoice,
    ScalingStudy,
    Study,
    TrainingChoice,
)
from sspinn_opensim.study.read import examples_folder, override, read_scaling, read_study

__all__ = [
    "CoordinateChoice",
    "ModelChoice",
    "OutputChoice",
    "Person",
    "RecordingChoice",
    "ReferenceChoice",
    "ScalingChoice",
    "ScalingStudy",
    "SensorChoice",
    "Study",
    "TrainingChoice",
    "examples_folder",
    "override",
    "read_scaling",
    "read_study",
]
