"""Study files read and checked, and what the command line changes of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from casadi_dynamics.errors import InputError
from sspinn_opensim.study import sensor_sets
from sspinn_opensim.study.checks import check_marker_scaling, check_reference, check_sensors, check_settings
from sspinn_opensim.study.format import ScalingChoice, ScalingStudy, Study
from sspinn_opensim.study.tables import Place, load, parse


def read_study(path: str | Path, *, sensors: str | Iterable[str] | None = None) -> Study:
    """Read and check a study file.

    Parameters
    ----------
    path : str or Path
        The TOML file.
    sensors : str or iterable of str, optional
        The sensors to use, instead of the study's choice: ``all``, a set such as ``FT``, or names.

    Returns
    -------
    Study

    Raises
    ------
    InputError
        If the file is missing or not TOML, a key is unknown, missing or of the wrong kind, a number is out of
        bounds, a file it names does not exist, settings contradict each other, or the study lacks a sensor of
        the chosen set.
    """
    path = Path(path).absolute()
    text, table = load(path)
    place = Place(path, text)
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
    check_sensors(named, place)
    check_reference(named, place)
    check_settings(named, place)
    scaling_method(named)
    if sensors is None:
        return _with_sensors(named, named.recording.sensors, str(place / "recording" / "sensors"))
    return _with_sensors(named, sensors, "--sensors")


def read_tables(path: str | Path, kind: type) -> Any:
    """Read a TOML file whose format is another dataclass, by the rules of a study; errors as `read_study`."""
    path = Path(path).absolute()
    text, table = load(path)
    return parse(kind, table, Place(path, text))


def read_scaling(path: str | Path) -> Study | ScalingStudy:
    """Read a study, or one that ends with the scaling and has no recording; errors as `read_study`."""
    path = Path(path).absolute()
    text, table = load(path)
    if "recording" in table or "sensors" in table:
        return read_study(path)
    study = parse(ScalingStudy, table, Place(path, text), path=path)
    scaling_method(study)
    return dataclasses.replace(study, name=study.name or path.stem)


def scaling_method(study: Study | ScalingStudy) -> str:
    """Return how a study scales its model: ``scaled`` (not at all), ``height``, ``markers`` or ``segments``.

    Raises
    ------
    InputError
        If keys of two methods are given, or none of those that the stated method needs.
    """
    place, choice = Place(study.path, load(study.path)[0]) / "scaling", study.scaling
    of_method = {
        "markers": "setup static markers from_s to_s measurements weights place_markers".split(),
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
    method = next(iter(found), "height")
    if method == "markers":
        check_marker_scaling(choice, place)
    if method == "segments" and not choice.segments:
        raise place.error("No segment is measured.", fix="add a table [scaling.segments.thigh] with length_m")
    return method


def override(study: Study, *, steps: int | None = None, seeds: Iterable[int] | None = None) -> Study:
    """Return the study with another number of steps or other seeds.

    Parameters
    ----------
    study : Study
    steps : int, optional
        Optimizer steps, at least 1.
    seeds : iterable of int, optional
        At least one, none negative, no two equal.

    Raises
    ------
    InputError
        If a value is out of bounds.
    """
    training = study.training
    if steps is not None:
        if steps < 1:
            raise InputError("The number of steps must be at least 1.", where="--steps", found=str(steps))
        training = dataclasses.replace(training, steps=steps)
    if seeds is not None:
        seeds = tuple(seeds)
        if not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
            raise InputError(
                "Seeds must be different whole numbers, none negative.",
                where="--seeds",
                expected="such as 0,1,2",
                found=",".join(map(str, seeds)) or "none",
            )
        training = dataclasses.replace(training, seeds=seeds)
    return dataclasses.replace(study, training=training)


def examples_folder() -> Path:
    """Return the folder of the example studies: in the installed package, else at the repository's root."""
    here = Path(__file__).resolve().parents[1]
    installed = here / "examples"
    return installed if installed.is_dir() else here.parent / "examples"


def _with_sensors(study: Study, chosen: str | Iterable[str], where: str) -> Study:
    chosen = chosen if isinstance(chosen, str) else tuple(chosen)
    sensors = sensor_sets.select(study.sensors, chosen, where=where)
    return dataclasses.replace(
        study, recording=dataclasses.replace(study.recording, sensors=chosen), sensors=sensors
    )
