"""The ground's action on the feet as OpenSim's ExternalLoads file."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from lxml import etree

from casadi_dynamics.errors import InputError
from sspinn_opensim.files import write_atomically
from sspinn_opensim.opensim_io.documents import OPENSIM_DOCUMENT_VERSION, child_text, read_document, to_xml
from sspinn_opensim.opensim_io.tables.motion_files import force_columns
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage
from sspinn_opensim.results.folder import ResultsFolder


@dataclasses.dataclass(frozen=True)
class ExternalForce:
    """One force of an ExternalLoads file: the body it acts on and the column prefixes of its data.

    Force and torque are expressed in the axes of `force_frame`, the point in `point_frame`: bodies or ground.
    """

    name: str
    body: str
    force_prefix: str
    point_prefix: str
    torque_prefix: str
    force_frame: str = "ground"
    point_frame: str = "ground"


@dataclasses.dataclass(frozen=True)
class ExternalLoads:
    """An ExternalLoads file: its forces, the path of their data, and the data, read when first asked for."""

    forces: tuple[ExternalForce, ...]
    datafile: Path
    table: Table | None = None

    @cached_property
    def data(self) -> Table:
        """The table, or what the data file holds."""
        return self.table or read_storage(self.datafile)

    @property
    def time_s(self) -> np.ndarray:
        """Times of the data, shape (n,), s."""
        return self.data.time_s

    @cached_property
    def vectors(self) -> np.ndarray:
        """Force, point and torque of each of f forces at each time, (n, f, 3, 3); zeros if not given."""
        found = np.zeros((len(self.time_s), len(self.forces), 3, 3))
        for k, force in enumerate(self.forces):
            for part, prefix in enumerate((force.force_prefix, force.point_prefix, force.torque_prefix)):
                for axis, letter in enumerate("xyz" if prefix else ""):
                    found[:, k, part, axis] = self.data.column(prefix + letter)
        return found


def write_external_loads(path: Path, feet: Sequence[str], datafile: str = ResultsFolder.grf.name) -> Path:
    """Write the file that applies a table of `ground_forces_table` to the feet.

    Parameters
    ----------
    path : Path
        Destination.
    feet : sequence of str
        Bodies of the model, as in the table.
    datafile : str
        The table's file, relative to the folder of `path`, so that the folder can be moved.

    Returns
    -------
    Path
        `path`.
    """
    document = etree.Element("OpenSimDocument", Version=OPENSIM_DOCUMENT_VERSION)
    loads = etree.SubElement(document, "ExternalLoads", name="ground_forces")
    objects = etree.SubElement(loads, "objects")
    for foot in feet:
        force, point, torque = force_columns(foot)
        element = etree.SubElement(objects, "ExternalForce", name=f"ground_on_{foot}")
        for tag, text in (
            ("applied_to_body", foot),
            ("force_expressed_in_body", "ground"),
            ("point_expressed_in_body", "ground"),
            ("force_identifier", force),
            ("point_identifier", point),
            ("torque_identifier", torque),
        ):
            etree.SubElement(element, tag).text = text
    etree.SubElement(loads, "datafile").text = datafile
    return write_atomically(path, to_xml(document))


def read_external_loads(path: Path) -> ExternalLoads:
    """Read which body each external force acts on and where its data stand.

    Raises
    ------
    InputError
        Not an ExternalLoads file, or one without forces or without a data file; the data file it names is not
        there.
    """
    path = Path(path)
    loads = read_document(path, "ExternalLoads")
    forces = tuple(
        ExternalForce(
            name=element.get("name", ""),
            body=child_text(element, "applied_to_body").split("/")[-1],
            force_prefix=child_text(element, "force_identifier"),
            point_prefix=child_text(element, "point_identifier"),
            torque_prefix=child_text(element, "torque_identifier"),
            force_frame=child_text(element, "force_expressed_in_body").split("/")[-1] or "ground",
            point_frame=child_text(element, "point_expressed_in_body").split("/")[-1] or "ground",
        )
        for element in loads.iterfind("objects/ExternalForce")
    )
    datafile = child_text(loads, "datafile")
    if not forces or not datafile:
        raise InputError(
            "the external loads are incomplete",
            where=str(path),
            expected="an ExternalForce for each foot and a datafile",
            found=f"{len(forces)} forces, datafile '{datafile}'",
        )
    return ExternalLoads(forces, _data_file(path, datafile))


def _data_file(path: Path, name: str) -> Path:
    """Return the place of the data, which the file names relative to itself; slashes may be Windows'."""
    place = path.parent / name.replace("\\", "/")
    if place.is_file():
        return place
    beside = path.parent / place.name
    raise InputError(
        "the data file of the external loads is not there",
        where=f"{path}, <datafile>",
        expected=str(place),
        found=name,
        fix=f"a file of this name lies beside it: write <datafile>{place.name}</datafile>"
        if beside.is_file()
        else "name the file relative to the folder of this one",
    )
