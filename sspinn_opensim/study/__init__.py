"""The study file: one TOML file that names model, person, recording, sensors, reference and settings."""

from sspinn_opensim.study.format import (
    Bounds,
    CoordinateChoice,
    ModelChoice,
    OutputChoice,
    Person,
    RecordingChoice,
    ReferenceChoice,
    ScalingChoice,
    ScalingStudy,
    SensorChoice,
    Study,
    TrainingChoice,
)
from sspinn_opensim.study.read import (
    examples_folder,
    override,
    read_scaling,
    read_study,
    read_tables,
    scaling_method,
)

__all__ = [
    "Bounds",
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
    "read_tables",
    "scaling_method",
]
