"""Study files read and checked, and what the command line changes of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from casadi_dynamics.errors import InputError, nearest
from sspinn_opensim.recording import FORMATS, RecordingChoice
from sspinn_opensim.recording.reading.recognise import folder_advice
from sspinn_opensim.settings import Location, OneOf, load, parse, refuse_unknown, replaced
from sspinn_opensim.study import sensor_sets
from sspinn_opensim.study.checks import (
    check_accepted,
    check_alignment,
    check_apart,
    check_marker_scaling,
    check_output,
    check_parts,
    check_person,
    check_reach,
    check_reference,
    check_seeds,
    check_sensors,
)
from sspinn_opensim.study.format import ScalingChoice, ScalingStudy, Study

S = TypeVar("S", Study, ScalingStudy)


@dataclass(frozen=True)
class _Head:
    """The key of ``[recording]`` that says which table of options there may be."""

    format: Annotated[str, OneOf(FORMATS)]


def read_study(
    path: str | Path, *, sensors: str | Iterable[str] | None = None, unrecorded: bool = False
) -> Study:
    """Read and check a study file.

    Parameters
    ----------
    sensors : str or iterable of str, optional
        The sensors to use, instead of the study's choice: ``all``, a set such as ``FT``, or names.
    unrecorded : bool
        Whether it may lack a recording; see `RecordingChoice.there`.

    Raises
    ------
    InputError
        If the file is missing or not TOML, a key is unknown, missing or of the wrong kind, a number is out of
        bounds, a file it names does not exist, settings contradict each other, or the study lacks a sensor of
        the chosen set.
    """
    path, place, table = _load(path)
    _refuse_old_columns(table, place)
    if "recording" in table:
        recording = _parse_recording(table.pop("recording"), place / "recording")
        study = parse(Study, table, place, path=path, recording=recording)
    elif unrecorded:
        study = parse(Study, table, place, path=path, recording=RecordingChoice("", path))
    else:
        study = parse(Study, table, place, path=path)
    named = dataclasses.replace(
        study,
        name=study.name or path.stem,
        recording=dataclasses.replace(
            study.recording, name=study.recording.name or study.recording.file.stem
        ),
        sensors=tuple(
            dataclasses.replace(sensor, body=sensor.body or sensor.name) for sensor in study.sensors
        ),
    )
    check_person(named, place)
    check_sensors(named, place)
    check_reach(named, place)
    check_apart(named, place)
    check_accepted(named, place / "recording" / "accepted")
    check_alignment(named.alignment, place / "alignment")
    check_parts(named.recording, place / "recording")
    check_reference(named, place)
    check_seeds(named.training, place / "training" / "seeds")
    check_output(named.output, place / "output")
    named = _with_method(named, place / "scaling")
    if sensors is None:
        return _with_sensors(named, named.recording.sensors, str(place / "recording" / "sensors"))
    return _with_sensors(named, sensors, "--sensors")


def read_scaling(path: str | Path) -> Study | ScalingStudy:
    """Read a study, or one that ends with the scaling and has no recording; errors as `read_study`."""
    path, place, table = _load(path)
    if "recording" in table or "sensors" in table:
        return read_study(path)
    study = parse(ScalingStudy, table, place, path=path)
    check_person(study, place)
    study = _with_method(study, place / "scaling")
    return dataclasses.replace(study, name=study.name or path.stem)


def _load(path: str | Path) -> tuple[Path, Location, dict[str, Any]]:
    """Return path, place and tables of a study; a misspelt table is named before what is missing for it."""
    path = Path(path).absolute()
    if path.suffix.lower() == ".osim":
        raise InputError(
            "A model alone is no study.",
            where=path,
            expected="a study file, which names the model, the person and the sensors",
            found="an OpenSim model",
            fix=f'write a study with file = "{path.name}" under [model]',
        )
    text, table = load(path)
    place = Location(path, text)
    refuse_unknown(table, [field.name for field in dataclasses.fields(Study) if field.name != "path"], place)
    return path, place, table


def override(study: Study, *, steps: int | None = None, seeds: Iterable[int] | None = None) -> Study:
    """Return the study with another number of steps or other seeds.

    Parameters
    ----------
    steps : int, optional
        Optimizer steps, at least 1.
    seeds : iterable of int, optional
        At least one, none negative, no two equal.
    """
    training = study.training
    if steps is not None:
        training = replaced(training, {"steps": steps}, Location("--steps"))
    if seeds is not None:
        training = replaced(training, {"seeds": tuple(seeds)}, Location("--seeds"))
        check_seeds(training, Location("--seeds"))
    return dataclasses.replace(study, training=training)


def examples_folder() -> Path:
    """Return the folder of the example studies: in the installed package, else at the repository's root."""
    here = Path(__file__).resolve().parents[1]
    installed = here / "examples"
    return installed if installed.is_dir() else here.parent / "examples"


def _with_method(study: S, place: Location) -> S:
    """Return a study that says how its model is scaled; refuse keys of two methods, or none of one."""
    choice = study.scaling
    of_method = {
        "markers": [
            "setup",
            "static",
            "markers",
            "from_s",
            "to_s",
            "measurements",
            "weights",
            "place_markers",
        ],
        "segments": ["segments"],
        "height": [],
    }
    unset = ScalingChoice()
    given = {
        method: [key for key in keys if getattr(choice, key) != getattr(unset, key)]
        for method, keys in of_method.items()
    }
    stated = [f"method = '{choice.method}'"] if choice.method else []
    found = {method: keys for method, keys in given.items() if keys}
    if choice.method:
        found[choice.method] = stated + given[choice.method]
    if study.model.scaled:
        found["scaled"] = ["[model] scaled = true"]
        if choice.preserve_mass_distribution is not None:
            found["scaling"] = ["preserve_mass_distribution"]
    if len(found) > 1:
        raise place.error(
            "The study scales the model in two ways.",
            expected="keys of one method",
            found="; ".join(", ".join(keys) for keys in found.values()),
            fix="keep one of them",
        )
    if study.model.scaled:
        return study
    method: Any = next(iter(found), "height")
    if method == "markers":
        check_marker_scaling(choice, place)
    if method == "segments" and not choice.segments:
        raise place.error("No segment is measured.", fix="add a table [scaling.segments.thigh] with length_m")
    return dataclasses.replace(study, scaling=dataclasses.replace(choice, method=method))


def _parse_recording(table: Any, place: Location) -> RecordingChoice:
    """Return ``[recording]`` with the options of its format, which stand in a table named like the format."""
    common = [field.name for field in dataclasses.fields(RecordingChoice) if field.name != "options"]
    if isinstance(table, dict) and "format" not in table:
        options_of_all = (f.name for kind in FORMATS.values() for f in dataclasses.fields(kind.options))
        refuse_unknown(table, dict.fromkeys((*common, *FORMATS, *options_of_all)), place)
    head = {"format": table["format"]} if isinstance(table, dict) and "format" in table else {}
    form = FORMATS[parse(_Head, head if isinstance(table, dict) else table, place).format]
    own = dict(table)
    options = parse(form.options, own.pop(form.name, {}), place / form.name)
    for key in own:
        if key in common:
            continue
        if key in FORMATS:
            raise (place / key).error(
                f"These are options of another format than '{form.name}'.", fix="remove the table"
            )
        homes = [
            kind.name
            for kind in FORMATS.values()
            if key in {f.name for f in dataclasses.fields(kind.options)}
        ]
        homes = [form.name] if form.name in homes else homes
        if homes:
            raise (place / key).error(
                f"The key '{key}' is an option of one format.",
                expected=" or ".join(f"{key} under [recording.{home}]" for home in homes),
                fix="move it there",
            )
        raise (place / key).error(
            f"Unknown key '{key}'.",
            expected=f"one of {', '.join(common)}, or a table [recording.{form.name}]",
            fix=nearest(key, (*common, form.name)),
        )
    choice = parse(RecordingChoice, own, place, options=options)
    if choice.file.is_dir() and not form.folders:
        raise (place / "file").error(
            f"This is a folder; a recording of format '{form.name}' is one file.",
            found=str(choice.file),
            fix=folder_advice(choice.file),
        )
    return choice


def _refuse_old_columns(table: dict[str, Any], place: Location) -> None:
    """Refuse columns named under a sensor: they belong to the format."""
    sensors = table.get("sensors")
    for name, sensor in sensors.items() if isinstance(sensors, dict) else ():
        for key in ("acceleration_columns", "angular_rate_columns"):
            if isinstance(sensor, dict) and key in sensor:
                raise (place / "sensors" / name / key).error(
                    f"The key '{key}' is an option of one format.",
                    expected=f"{key.removesuffix('_columns')} under [recording.csv.columns.{name}]",
                    fix="move it there",
                )


def _with_sensors(study: Study, chosen: str | Iterable[str], where: str) -> Study:
    chosen = chosen if isinstance(chosen, str) else tuple(chosen)
    sensors = sensor_sets.select(study.sensors, chosen, where=where)
    return dataclasses.replace(
        study, recording=dataclasses.replace(study.recording, sensors=chosen), sensors=sensors
    )
