"""The ground's action on the feet as OpenSim's ExternalLoads file."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from lxml import etree

from casadi_dynamics.errors import InputError, nearest
from sspinn_opensim.files import write_atomically
from sspinn_opensim.opensim_io.documents import OPENSIM_DOCUMENT_VERSION, child_text, read_document, to_xml
from sspinn_opensim.opensim_io.tables.motion_files import force_columns
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage
from sspinn_opensim.results.folder import ResultsFolder


@dataclasses.dataclass(frozen=True)
class ExternalForce:
    """One force of an ExternalLoads file: the body it acts on and the column prefixes of its data.

    Force and torque are expressed in the axes of `force_frame`, the point in `point_frame`: bodies or ground.
    A part without a prefix is zero: no force, no torque, and a point at the origin of `point_frame`, which is
    then the body that the force acts on.
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
                    self._check_column(force, prefix + letter)
                    found[:, k, part, axis] = self.data.column(prefix + letter)
        return found

    def _check_column(self, force: ExternalForce, label: str) -> None:
        if label not in self.data.names:
            raise InputError(
                "The data of the external loads lack a column.",
                where=f"{self.datafile}, for the external force '{force.name or force.body}'",
                expected=label,
                found=", ".join(self.data.names[:12]),
                fix=nearest(label, self.data.names)
                or "correct the identifiers of the force, or empty that of a part it does not have",
            )


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
        there; a force is switched off.
    """
    path = Path(path)
    loads = read_document(path, "ExternalLoads")
    elements = loads.findall("objects/ExternalForce")
    forces = tuple(map(_external_force, elements))
    off = [force.name for force, element in zip(forces, elements, strict=True) if _is_off(element)]
    if off:
        raise InputError(
            "an external force is switched off",
            where=str(path),
            found=", ".join(off),
            fix="remove it, or set its appliesForce to true",
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


def _external_force(element: etree._Element) -> ExternalForce:
    """Return what the parts of an ExternalForce mean to OpenSim: empty and `Unassigned` are the same."""

    def part(tag: str) -> str:
        text = child_text(element, tag)
        return "" if text.lower() == "unassigned" else text

    def frame(tag: str) -> str:
        return part(tag).split("/")[-1]

    body, point = frame("applied_to_body"), part("point_identifier")
    return ExternalForce(
        name=element.get("name", ""),
        body=body,
        force_prefix=part("force_identifier"),
        point_prefix=point,
        torque_prefix=part("torque_identifier"),
        force_frame=frame("force_expressed_in_body") or "ground",
        point_frame=frame("point_expressed_in_body") or "ground" if point else body,
    )


def _is_off(element: etree._Element) -> bool:
    return child_text(element, "appliesForce") == "false" or child_text(element, "isDisabled") == "true"


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
