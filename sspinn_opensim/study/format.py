"""The format of study files, as dataclasses.

Field name = key, annotation = what a value may be, default = the value of a key left out; `docs/study.md`
describes every key. Paths are relative to the study file; ``builtin:planar_gait`` names a model that comes
with this project. Units are in the names of the keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from sspinn_opensim.alignment.choices import AlignmentChoice
from sspinn_opensim.opensim_io.scaling.choices import PersonSize, ScalingChoice
from sspinn_opensim.opensim_io.static_optimization.choices import MuscleChoice
from sspinn_opensim.recording import FORMATS, OutputChoice, RecordingChoice, SensorChoice
from sspinn_opensim.recording.units import GRAVITY
from sspinn_opensim.settings.bounds import Bounds, Count, CountOrNone, Height, Mass, NonNegative, OneOf, Seed

Sole = Annotated[float, Bounds(0.0, 100.0, "give the thickness in millimetres")]
# A longer lag is no latency of sensors but another time axis.
Lag = Annotated[
    float, Bounds(-0.2, 0.2, "give the lag in seconds; a file of another time axis must be shifted")
]
# Twice a turn: no joint turns as far, and no translation of a body is as long.
Held = Annotated[float, Bounds(-7.0, 7.0, "give angles in rad (90 degrees are 1.5708), lengths in metres")]
#: Formats whose files hold what a laboratory measured beside the sensors, and OpenSim's own files.
_REFERENCES = ("opensim", *(name for name, kind in FORMATS.items() if kind.laboratory_lag_s is not None))


@dataclass(frozen=True)
class ModelChoice:
    """``[model]``: the OpenSim model to start from.

    Parameters
    ----------
    file : Path
        Generic model (``.osim``), or ``builtin:NAME``.
    scaled : bool
        True: the model already has the size and mass of the person and is used as it is.
    generic_height_m : float or None
        Height in m of a person the model fits as it is; known for the built-in model and OpenSim's gait
        models.
    contact : {'auto', 'model'}
        ``auto``: a model without contact spheres gets some under its feet. ``model``: it is left as it is.
    geometry : Path or None
        Folder with the meshes of its bones, for drawing, if they are not where OpenSim looks for them.
    """

    file: Path
    scaled: bool = False
    generic_height_m: Height | None = None
    contact: Literal["auto", "model"] = "auto"
    geometry: Path | None = None


@dataclass(frozen=True)
class Person(PersonSize):
    """``[person]``: who was recorded.

    Parameters
    ----------
    height_m, mass_kg : float
        Height in m and mass in kg.
    name : str
        A label for reports.
    shoe_heel_mm, shoe_forefoot_mm : float
        Thickness of the shoes' soles under heel and forefoot, mm.
    id : str
        Who it is: trials in a cohort whose studies give the same id are of one person. Empty: each study is
        of a person of its own.
    """

    height_m: Height
    mass_kg: Mass
    shoe_heel_mm: Sole = 0.0
    shoe_forefoot_mm: Sole = 0.0
    id: str = ""

    @property
    def body_weight_n(self) -> float:
        """Mass times standard gravity, whatever gravity a model has: what scores are relative to."""
        return self.mass_kg * GRAVITY


@dataclass(frozen=True)
class ReferenceChoice:
    """``[reference]``: measured truth, opened by the evaluation only.

    Parameters
    ----------
    format : str
        ``opensim``: storage files of OpenSim; or the format of a recording whose files hold both.
    file : Path or None
        The file (formats of recordings).
    kinematics, moments, grf, muscle_forces : Path or None
        Storage files (opensim), columns named as in the results folder; at least one.
    lag_s : float or None
        How long the sensors lag the reference, s, declared before any scoring; 0 declares none. Left out:
        what is declared for the format.
    """

    format: Annotated[str, OneOf(_REFERENCES)]
    file: Path | None = None
    kinematics: Path | None = None
    moments: Path | None = None
    grf: Path | None = None
    muscle_forces: Path | None = None
    lag_s: Lag | None = None


@dataclass(frozen=True)
class TrainingChoice:
    """``[training]``: length and repetitions of the training.

    Parameters
    ----------
    steps : int or None
        Optimizer steps; None: 400 from random numbers (600 of a cohort), `adaptation_steps` from the
        built-in network.
    seeds : tuple of int
        One training for each seed; the first one's estimate is the one written for OpenSim.
    weights : dict of str to float
        Weights of loss terms that differ from the default, by name of the term.
    patience : int
        Stop early when the mean total loss of this many steps is not below that of as many before; 0: never.
    devices : int
        Processes that train together.
    adaptation_steps : int
        Optimizer steps when a network trained on others is adapted to this person.
    start : {'random', 'builtin'}
        What the training of one person starts from: random numbers, or the network that is shipped, where
        it fits.
    network : {'lstm', 'gated'}
        Kind of network.
    rate_hz : float
        Rate, Hz, at which recordings are trained on, whatever rate they have. Scales of losses, windows and
        the memory of the network were chosen at 100 Hz.
    """

    steps: Count | None = None
    seeds: tuple[Seed, ...] = (0,)
    weights: dict[str, NonNegative] = field(default_factory=dict)
    patience: CountOrNone = 0
    devices: Annotated[int, Bounds(1, 1024)] = 1
    adaptation_steps: CountOrNone = 250
    start: Literal["random", "builtin"] = "random"
    network: Literal["lstm", "gated"] = "lstm"
    rate_hz: Annotated[float, Bounds(50.0, 400.0, "give the rate in samples a second; 100 is usual")] = 100.0


@dataclass(frozen=True)
class CoordinateChoice:
    """``[coordinates]``: which coordinates of the model are estimated.

    Parameters
    ----------
    fixed : dict of str to float
        Coordinate and the value it keeps, in rad or m.
    estimate : str or tuple of str
        ``all``; ``observed``: those that move a sensor or a foot; ``planar``: of these the ones in the
        sagittal plane; or names. The others are held at their default.
    """

    fixed: dict[str, Held] = field(default_factory=dict)
    estimate: str | tuple[str, ...] = "all"


@dataclass(frozen=True)
class Study:
    """All a user says about one estimate. Every path is absolute and exists.

    Parameters
    ----------
    path : Path
        The study file.
    model, person, recording : ModelChoice, Person, RecordingChoice
        What is estimated from what.
    sensors : tuple of SensorChoice
        The sensors that are used (`RecordingChoice.sensors`), in the order of the file.
    name : str
        Name of the study; default: name of the file without its ending.
    reference : ReferenceChoice or None
        What the result is compared with, if anything.
    scaling : ScalingChoice
        How the model becomes the person's.
    alignment : AlignmentChoice
        How sensors get the axes of their segments.
    training, coordinates, muscles, output : TrainingChoice, CoordinateChoice, MuscleChoice, OutputChoice
        Settings.
    """

    path: Path
    model: ModelChoice
    person: Person
    recording: RecordingChoice
    sensors: tuple[SensorChoice, ...]
    name: str = ""
    reference: ReferenceChoice | None = None
    scaling: ScalingChoice = field(default_factory=ScalingChoice)
    alignment: AlignmentChoice = field(default_factory=AlignmentChoice)
    training: TrainingChoice = field(default_factory=TrainingChoice)
    coordinates: CoordinateChoice = field(default_factory=CoordinateChoice)
    muscles: MuscleChoice = field(default_factory=MuscleChoice)
    output: OutputChoice = field(default_factory=OutputChoice)

    @property
    def person_id(self) -> str:
        """Whose trial it is in a cohort: the id of the person, else the name of the study."""
        return self.person.id or self.name


@dataclass(frozen=True)
class ScalingStudy:
    """A study without a recording: all that scaling a model needs.

    Parameters
    ----------
    path, model, person, scaling, name
        As in `Study`.
    """

    path: Path
    model: ModelChoice
    person: Person
    scaling: ScalingChoice = field(default_factory=ScalingChoice)
    name: str = ""
