"""OpenSim's mapping file (``myIMUMappings.xml``): the segments of sensors, and how the files are called."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path

from casadi_dynamics.errors import InputError
from casadi_dynamics.input_files import parse_elements

#: The settings of OpenSim's readers.
_KINDS = ("XsensDataReaderSettings", "APDMDataReaderSettings")
#: A mapping file is far smaller, bytes.
_LARGEST = 1_000_000


@dataclass(frozen=True)
class Mapping:
    """What a mapping file says.

    Parameters
    ----------
    trial : str
        How the names of the files start (``trial_prefix``); empty: it does not say.
    segments : dict of str to str
        Name in the model by name of the sensor, without the separator before it.
    file : str
        Name of the file.
    """

    trial: str = ""
    segments: dict[str, str] = field(default_factory=dict)
    file: str = ""

    def segment_of(self, sensor: str) -> str:
        """Return the name in the model of a sensor, or an empty text."""
        return self.segments.get(sensor.lower(), "")


def read_mapping(path: Path) -> Mapping:
    """Read a mapping file.

    Raises
    ------
    InputError
        If the file is no XML, or not the settings of OpenSim's readers of IMU files.
    """
    if not path.is_file() or path.stat().st_size > _LARGEST:
        raise InputError("The file is not a mapping of OpenSim.", where=path, expected=" or ".join(_KINDS))
    data = path.read_bytes()
    try:
        root = parse_elements(data)
    except (ET.ParseError, ValueError, LookupError) as error:
        raise InputError("The file is not XML.", where=path, found=str(error)) from error
    settings = next((found for kind in _KINDS for found in root.iter(kind)), None)
    if settings is None:
        raise InputError("The file is not a mapping of OpenSim.", where=path, expected=" or ".join(_KINDS))
    segments = {}
    for sensor in settings.iter("ExperimentalSensor"):
        segments[sensor.get("name", "").strip().lstrip("_-").lower()] = _text(sensor, "name_in_model")
    return Mapping(_text(settings, "trial_prefix"), segments, path.name)


def mapping_in(folder: Path) -> Mapping:
    """Return what the mapping file in a folder says; an empty mapping where there is none.

    Raises
    ------
    InputError
        If there are several.
    """
    found = {}
    for path in sorted(folder.glob("*.xml")):
        try:
            found[path.name] = read_mapping(path)
        except InputError:  # another XML file
            continue
    if len(found) > 1:
        raise InputError(
            "The folder holds several mapping files.",
            where=folder,
            found=", ".join(found),
            fix=f'name one under the options of the format: mapping = "{folder.name}/{next(iter(found))}"',
        )
    return next(iter(found.values()), Mapping())


def _text(element: ET.Element, tag: str) -> str:
    return (element.findtext(tag) or "").strip()
