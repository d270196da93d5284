"""Settings of a study that must agree with each other."""

from __future__ import annotations

from sspinn_opensim.study.format import ScalingChoice, Study
from sspinn_opensim.study.tables import Place


def check_sensors(study: Study, place: Place) -> None:
    """Refuse no sensor, and sensors placed or rotated twice or not at all."""
    if not study.sensors:
        raise (place / "sensors").error(
            "The study names no sensor.", fix="add a table [sensors.NAME] for each IMU"
        )
    for sensor in study.sensors:
        here = place / "sensors" / sensor.name
        if sensor.imu_frame:
            own = [key for key in ("position", "origin", "axes", "orientation_deg") if getattr(sensor, key)]
            if own:
                raise here.error(
                    f"Sensor '{sensor.name}' is placed twice: by imu_frame and by {', '.join(own)}.",
                    fix="keep imu_frame, or the others",
                )
        elif sensor.position is None and study.recording.format == "csv":
            raise here.error(
                f"Sensor '{sensor.name}' has no place on the model.",
                expected='position = [x, y, z] in m, or imu_frame = "name of an IMU frame of the model"',
            )
        if sensor.axes is not None and sensor.orientation_deg is not None:
            raise here.error(
                f"Sensor '{sensor.name}' is rotated twice: by axes and by orientation_deg.",
                fix="keep one of them",
            )
        if study.recording.format != "csv" and (sensor.acceleration_columns or sensor.angular_rate_columns):
            raise here.error("Columns are named only for a CSV recording.", fix="remove them")


def check_reference(study: Study, place: Place) -> None:
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
    if reference.format == "dorschky2019" and (given or not reference.file):
        raise here.error(
            "A reference of format 'dorschky2019' is one file.",
            expected='file = "..."',
            found=", ".join(given),
        )


def check_marker_scaling(choice: ScalingChoice, place: Place) -> None:
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


def check_settings(study: Study, place: Place) -> None:
    """Refuse repeated seeds and an output that ends before it starts."""
    seeds, output = study.training.seeds, study.output
    if len(set(seeds)) < len(seeds):
        raise (place / "training" / "seeds").error("A seed is repeated.", found=str(list(seeds)))
    if output.from_s is not None and output.to_s is not None and output.from_s >= output.to_s:
        raise (place / "output").error(
            "The output ends before it starts.",
            expected="from_s < to_s",
            found=f"{output.from_s:g} to {output.to_s:g} s",
        )
