"""Settings of a study that must agree with each other."""

from __future__ import annotations

import itertools
import math

from casadi_dynamics.errors import nearest
from sspinn_opensim.alignment.choices import AlignmentChoice
from sspinn_opensim.opensim_io.scaling.choices import implausible_build
from sspinn_opensim.recording import FORMATS, OutputChoice, RecordingChoice
from sspinn_opensim.recording.findings import KINDS
from sspinn_opensim.settings import Location
from sspinn_opensim.settings.bounds import FARTHEST_M
from sspinn_opensim.study.format import ScalingChoice, ScalingStudy, Study, TrainingChoice


def check_sensors(study: Study, place: Location) -> None:
    """Refuse no sensor, and sensors placed or rotated twice or not at all."""
    if not study.sensors:
        raise (place / "sensors").error(
            "The study names no sensor.", fix="add a table [sensors.NAME] for each IMU"
        )
    known, form = {sensor.name for sensor in study.sensors}, FORMATS.get(study.recording.format)
    for table in form.sensor_tables if form else ():
        for own in getattr(study.recording.options, table):
            if form and own.name not in known:
                raise (place / "recording" / form.name / table / own.name).error(
                    f"The study has no sensor '{own.name}'.", fix=nearest(own.name, known)
                )
    for sensor in study.sensors:
        here = place / "sensors" / sensor.name
        if sensor.imu_frame:
            own = [key for key in ("position", "origin") if getattr(sensor, key)]
            if own:
                raise here.error(
                    f"Sensor '{sensor.name}' is placed twice: by imu_frame and by {', '.join(own)}.",
                    fix="keep imu_frame, or the others",
                )
        elif sensor.origin and sensor.position is None and not (form and form.places_sensors):
            raise here.error(
                f"Sensor '{sensor.name}' has an origin but no position.",
                expected="position = [x, y, z] in m from it",
                fix="remove origin, and it is taken to sit at the usual place",
            )
        if sensor.axes is not None and sensor.orientation_deg is not None:
            raise here.error(
                f"Sensor '{sensor.name}' is rotated twice: by axes and by orientation_deg.",
                fix="keep one of them",
            )


def check_reach(study: Study, place: Location) -> None:
    """Refuse a sensor that sits off its body, wherever along which axis."""
    for sensor in study.sensors:
        reach_m = math.hypot(*(sensor.position or ()))
        if reach_m > FARTHEST_M:
            raise (place / "sensors" / sensor.name / "position").error(
                f"Sensor '{sensor.name}' sits off its body.",
                expected=f"at most {FARTHEST_M:g} m from the origin",
                found=f"{reach_m:.3g} m",
                fix="give the place in metres, from the origin of the body",
            )


def check_accepted(study: Study, place: Location) -> None:
    """Refuse an accepted finding that there is none of."""
    known = {sensor.name for sensor in study.sensors}
    for key in study.recording.accepted:
        kind, _, sensor = key.partition(":")
        if kind not in KINDS:
            raise place.error(
                f"There is no finding '{kind}'.", expected=", ".join(KINDS), fix=nearest(kind, KINDS)
            )
        if sensor and sensor not in known:
            raise place.error(f"The study has no sensor '{sensor}'.", fix=nearest(sensor, known))


def check_alignment(choice: AlignmentChoice, place: Location) -> None:
    """Refuse an alignment of a study that aligns nothing."""
    if choice.method == "none" and choice.file is not None:
        raise (place / "file").error(
            "The study names an alignment, and says that no sensor is aligned.",
            found=f"method = 'none' and file = '{choice.file.name}'",
            fix="keep one of them",
        )


def check_parts(choice: RecordingChoice, place: Location) -> None:
    """Refuse parts of the recording that end before they start, overlap, or are chosen in two ways."""
    if choice.pieces and (choice.from_s is not None or choice.to_s is not None):
        raise (place / "pieces").error(
            "The part that is used is chosen twice: by pieces, and by from_s or to_s.", fix="keep one of them"
        )
    if choice.cycle_s is not None and choice.pieces:
        raise (place / "cycle_s").error(
            "A mean stride is one part, and not several pieces.",
            fix="choose the stride with from_s and to_s, or leave cycle_s out",
        )
    if choice.cycle_s is not None and FORMATS[choice.format].read is not None:
        raise (place / "cycle_s").error(
            "Files of this format say themselves how long their stride is.",
            found=choice.format,
            fix="remove it",
        )
    if choice.from_s is not None and choice.to_s is not None and choice.from_s >= choice.to_s:
        raise (place / "to_s").error(
            "The part of the recording ends before it starts.",
            found=f"{choice.from_s:g} to {choice.to_s:g} s",
        )
    standing = (("standing_s", choice.standing_s),) if choice.standing_s else ()
    for key, (start, end) in (*standing, *(("pieces", piece) for piece in choice.pieces)):
        if start >= end:
            raise (place / key).error(
                "A part of the recording ends before it starts.", found=f"{start:g} to {end:g} s"
            )
    for (_, end), (start, _) in itertools.pairwise(choice.pieces):
        if start < end:
            raise (place / "pieces").error(
                "Pieces overlap, or are not in their order.",
                expected="each after the one before",
                found=f"one ends at {end:g} s, the next starts at {start:g} s",
            )


def check_person(study: Study | ScalingStudy, place: Location) -> None:
    """Refuse a height and a mass that no one person has."""
    if found := implausible_build(study.person.height_m, study.person.mass_kg):
        raise (place / "person").error(
            "Height and mass cannot be one person's.",
            expected="a body mass index of 8 to 120 kg/m^2",
            found=found,
        )


def check_apart(study: Study, place: Location) -> None:
    """Refuse two sensors at one place of a body, and two that read the same sensor of the file."""
    places: dict[object, str] = {}
    sources: dict[str, str] = {}
    for sensor in study.sensors:
        here = place / "sensors" / sensor.name
        where = sensor.imu_frame or (
            sensor.position and (sensor.body or sensor.name, sensor.origin, sensor.position)
        )
        if where and places.setdefault(where, sensor.name) != sensor.name:
            raise here.error(
                f"Sensors '{places[where]}' and '{sensor.name}' sit at the same place.",
                found=str(where),
                fix="give each its own place, or leave one out",
            )
        source = sensor.source or sensor.name
        if sources.setdefault(source, sensor.name) != sensor.name:
            raise here.error(
                f"Sensors '{sources[source]}' and '{sensor.name}' are the same sensor of the recording.",
                found=source,
                fix="name its own source for each",
            )


def check_reference(study: Study, place: Location) -> None:
    """Refuse a reference whose files are not those of its format."""
    reference = study.reference
    if reference is None:
        return
    here = place / "reference"
    tables = ("kinematics", "moments", "grf", "muscle_forces")
    given = [key for key in tables if getattr(reference, key) is not None]
    if reference.format == "opensim" and (reference.file or not given):
        raise here.error(
            "A reference of format 'opensim' names its tables.",
            expected="one or more of " + ", ".join(tables),
        )
    if reference.format != "opensim" and (given or not reference.file):
        raise here.error(
            f"A reference of format '{reference.format}' is one file.",
            expected='file = "..."',
            found=", ".join(given),
        )


def check_marker_scaling(choice: ScalingChoice, place: Location) -> None:
    """Refuse a scaling from markers that lacks a part, or has one twice."""
    if choice.setup and (choice.measurements or choice.weights):
        own = [key for key in ("measurements", "weights") if getattr(choice, key)]
        raise place.error(
            "A set-up of ScaleTool has measurements and weights of its own.",
            found=f"setup and {', '.join(own)}",
            fix="keep one of them",
        )
    if not choice.setup and not choice.measurements:
        raise place.error(
            "Nothing says which distances between markers scale which bodies.",
            expected="setup = a set-up of OpenSim's ScaleTool, or tables [scaling.measurements.NAME]",
        )
    if not choice.setup and not choice.static:
        raise place.error("The static marker trial is missing.", expected='static = "static.trc"')
    if choice.from_s is not None and choice.to_s is not None and choice.from_s > choice.to_s:
        raise place.error("The part of the static trial ends before it starts.", expected="from_s <= to_s")


def check_seeds(training: TrainingChoice, place: Location) -> None:
    """Refuse a seed that is named twice."""
    if len(set(training.seeds)) < len(training.seeds):
        raise place.error("A seed is repeated.", found=str(list(training.seeds)))


def check_output(output: OutputChoice, place: Location) -> None:
    """Refuse an output that ends before it starts."""
    if output.from_s is not None and output.to_s is not None and output.from_s >= output.to_s:
        raise place.error(
            "The output ends before it starts.",
            expected="from_s < to_s",
            found=f"{output.from_s:g} to {output.to_s:g} s",
        )
