"""A set-up of OpenSim's ScaleTool as a document: the laboratory's own, or made from measurements."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from lxml import etree

from casadi_dynamics.errors import InputError, nearest
from casadi_dynamics.input_files import MOST_XML_BYTES, read_input
from casadi_dynamics.osim import parse_plain
from sspinn_opensim.opensim_io.documents import OPENSIM_DOCUMENT_VERSION, child_text
from sspinn_opensim.opensim_io.scaling.choices import Measurement
from sspinn_opensim.opensim_io.scaling.report import Factors
from sspinn_opensim.opensim_io.tables.tool_files import beside

_METHODS = ("measurements", "manualScale")


@dataclasses.dataclass(frozen=True)
class AppliedMeasurement:
    """Distances between markers that scale bodies along axes, as a set-up states them.

    Parameters
    ----------
    name : str
        Such as ``thigh``.
    pairs : tuple of (str, str)
        Pairs of markers. The factor is the mean over pairs of distance measured over distance in the model.
    bodies : dict of str to str
        Body -> axes it is scaled along, some of ``XYZ``.
    """

    name: str
    pairs: tuple[tuple[str, str], ...]
    bodies: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class ScaleSetup:
    """What a set-up of ScaleTool says, as far as it must be checked.

    Parameters
    ----------
    tree : ElementTree
        The document, of OpenSim's newest version.
    where : str
        For messages.
    """

    tree: etree._ElementTree
    where: str

    @property
    def name(self) -> str:
        """Name of the scaled model."""
        return self._tool.get("name") or "subject"

    @property
    def mass_kg(self) -> float:
        """Mass of the person, kg; not positive where the set-up states none."""
        return _number(self._tool, "mass", 0.0)

    @property
    def height_m(self) -> float | None:
        """Height of the person, m, where the set-up states one.

        ScaleTool does not use it, so laboratories write it in mm, as it asks for, in cm or in m.
        """
        height = _number(self._tool, "height", -1.0)
        return next((height * unit for unit in (0.001, 0.01, 1.0) if 0.5 <= height * unit <= 2.5), None)

    @property
    def preserves_mass_distribution(self) -> bool:
        """Whether each body keeps its share of the mass; else a body's mass follows its volume."""
        return child_text(self._scaler, "preserve_mass_distribution") == "true"

    @property
    def scales(self) -> bool:
        """Whether the step that scales is on."""
        return child_text(self._scaler, "apply") != "false"

    @property
    def places_markers(self) -> bool:
        """Whether the step that moves the model's markers is on."""
        return child_text(self._placer, "apply") != "false"

    @property
    def order(self) -> tuple[str, ...]:
        """Methods in the order they act; a later one replaces factors of an earlier one."""
        order = tuple(child_text(self._scaler, "scaling_order").split())
        for method in order:
            if method not in _METHODS:
                raise InputError(
                    "ScaleTool does not know this method",
                    where=f"{self.where}, <scaling_order>",
                    expected=" and ".join(_METHODS),
                    found=method,
                    fix=nearest(method, _METHODS),
                )
        return order

    def measurements(self) -> tuple[AppliedMeasurement, ...]:
        """Return the measurements that are applied."""
        found = []
        for element in self._applied():
            name, pairs = element.get("name", ""), []
            for pair in element.iterfind("MarkerPairSet/objects/MarkerPair"):
                markers = child_text(pair, "markers").split()
                if len(markers) != 2:
                    where = f"{self.where}, measurement '{name}'"
                    raise InputError("a pair of markers does not name two", where=where)
                pairs.append((markers[0], markers[1]))
            bodies = {
                scale.get("name", ""): child_text(scale, "axes").upper().replace(" ", "")
                for scale in element.iterfind("BodyScaleSet/objects/BodyScale")
            }
            found.append(AppliedMeasurement(name, tuple(pairs), bodies))
        return tuple(found)

    def manual_factors(self) -> Factors:
        """Return the factors that are stated by hand and applied."""
        factors = {}
        for scale in self._scaler.iterfind("ScaleSet/objects/Scale"):
            if child_text(scale, "apply") == "false":
                continue
            body = child_text(scale, "segment")
            try:
                numbers = tuple(float(text) for text in child_text(scale, "scales").split())
            except ValueError:
                numbers = ()
            if len(numbers) != 3 or not all(math.isfinite(x) and x > 0 for x in numbers):
                raise InputError(
                    "a scale factor is not a positive number",
                    where=f"{self.where}, manual scale of '{body}'",
                    expected="three factors such as 1.02 1.02 1.02",
                    found=child_text(scale, "scales"),
                )
            factors[body] = numbers
        return factors

    def weights(self) -> dict[str, float]:
        """Return the weights of the markers in placement, of those that count."""
        tasks = self._placer.iterfind("IKTaskSet/objects/IKMarkerTask")
        return {
            task.get("name", ""): _number(task, "weight", 0.0)
            for task in tasks
            if child_text(task, "apply") != "false" and _number(task, "weight", 0.0) > 0
        }

    def coordinate_tasks(self) -> tuple[str, ...]:
        """Return the coordinates that placement holds."""
        tasks = self._placer.iterfind("IKTaskSet/objects/IKCoordinateTask")
        return tuple(task.get("name", "") for task in tasks if child_text(task, "apply") != "false")

    def file(self, element: str, section: str = "") -> Path | None:
        """Return the path of a file that the set-up names, or None."""
        parent = self._tool.find(section) if section else self._tool
        name = child_text(parent, element) if parent is not None else ""
        return beside(Path(self.where), name) if name and name.lower() != "unassigned" else None

    def time_range(self, section: str) -> tuple[float | None, float | None]:
        """Return the time range of ``ModelScaler`` or ``MarkerPlacer``; None where it is left open."""
        numbers = [float(text) for text in child_text(self._tool.find(section), "time_range").split()]
        if len(numbers) != 2 or numbers[1] < max(numbers[0], 0.0) or not np.isfinite(numbers).all():
            return None, None  # OpenSim's default is -1 -1
        return numbers[0], numbers[1]

    def set(self, element: str, text: str, section: str = "") -> None:
        """Replace the text of an element of the tool, or of one of its sections."""
        parent = self._tool.find(section) if section else self._tool
        child = parent.find(element)
        if child is None:
            child = etree.SubElement(parent, element)
        child.text = text

    def keep_pairs(self, measurements: Iterable[AppliedMeasurement]) -> None:
        """Keep the pairs of these measurements, given in the order of `measurements`, and remove all others.

        One pair that ScaleTool cannot take makes it pass over the whole measurement.
        """
        for element, measurement in zip(self._applied(), measurements, strict=True):
            for pair in element.findall("MarkerPairSet/objects/MarkerPair"):
                if tuple(child_text(pair, "markers").split()) not in measurement.pairs:
                    pair.getparent().remove(pair)

    def set_weights(self, weights: Mapping[str, float]) -> None:
        """Add a task for each marker."""
        tasks = _path(self._placer, "IKTaskSet/objects")
        for name, weight in weights.items():
            task = etree.SubElement(tasks, "IKMarkerTask", name=name)
            _append(task, apply="true", weight=repr(float(weight)))

    def _applied(self) -> list[etree._Element]:
        measurements = self._scaler.iterfind("MeasurementSet/objects/Measurement")
        return [element for element in measurements if child_text(element, "apply") != "false"]

    @property
    def _tool(self) -> etree._Element:
        return self.tree.getroot().find("ScaleTool")

    @property
    def _scaler(self) -> etree._Element:
        return self._tool.find("ModelScaler")

    @property
    def _placer(self) -> etree._Element:
        return self._tool.find("MarkerPlacer")


def read_setup(path: Path, where: Path) -> ScaleSetup:
    """Read a set-up in OpenSim's newest version; `where` is the user's own file, for paths and messages."""
    tree = parse_plain(read_input(path, "the set-up", MOST_XML_BYTES), path).getroottree()
    for section in ("ScaleTool", "ScaleTool/ModelScaler", "ScaleTool/MarkerPlacer"):
        if tree.getroot().find(section) is None:
            raise InputError("not a set-up of OpenSim's ScaleTool", where=str(where), expected=f"<{section}>")
    return ScaleSetup(tree, str(where))


def make_setup(
    measurements: Sequence[Measurement],
    factors: Mapping[str, Sequence[float]],
    weights: Mapping[str, float],
    *,
    preserve_mass_distribution: bool,
    where: str,
) -> ScaleSetup:
    """Return a set-up from measurements, with stated factors for bodies that none of them scales.

    Parameters
    ----------
    measurements : sequence of Measurement
        What scales which bodies along which axes.
    factors : mapping
        Body -> factors along x, y, z that act before the measurements.
    weights : mapping
        Marker -> weight in placement.
    preserve_mass_distribution : bool
        Whether each body keeps its share of the mass.
    where : str
        For messages.
    """
    root = etree.Element("OpenSimDocument", Version=OPENSIM_DOCUMENT_VERSION)
    tool = etree.SubElement(root, "ScaleTool", name="scale")
    _append(tool, mass="0", height="-1", age="-1", notes="")
    _append(etree.SubElement(tool, "GenericModelMaker"), model_file="", marker_set_file="Unassigned")
    scaler = etree.SubElement(tool, "ModelScaler")
    _append(scaler, apply="true", scaling_order=" manualScale measurements")
    measured = _path(scaler, "MeasurementSet/objects")
    for measurement in measurements:
        element = etree.SubElement(measured, "Measurement", name=measurement.name)
        _append(element, apply="true")
        pairs = _path(element, "MarkerPairSet/objects")
        for pair in measurement.pairs:
            _append(etree.SubElement(pairs, "MarkerPair"), markers=" ".join(pair))
        bodies = _path(element, "BodyScaleSet/objects")
        for body in measurement.bodies:
            _append(etree.SubElement(bodies, "BodyScale", name=body), axes=" ".join(measurement.axes.upper()))
    scales = _path(scaler, "ScaleSet/objects")
    for body, xyz in factors.items():
        stated = " ".join(repr(float(x)) for x in xyz)
        _append(etree.SubElement(scales, "Scale"), scales=stated, segment=body, apply="true")
    preserve = str(preserve_mass_distribution).lower()
    _append(scaler, marker_file="", time_range="-1 -1", preserve_mass_distribution=preserve)
    placer = etree.SubElement(tool, "MarkerPlacer")
    _append(placer, apply="true")
    setup = ScaleSetup(root.getroottree(), where)
    setup.set_weights(weights)
    _append(placer, marker_file="", coordinate_file="", time_range="-1 -1", max_marker_movement="-1")
    return setup


def _number(element: etree._Element, tag: str, default: float) -> float:
    text = child_text(element, tag)
    try:
        return float(text)
    except ValueError:
        return default


def _path(element: etree._Element, tags: str) -> etree._Element:
    """Return a descendant, made where it is not there."""
    for tag in tags.split("/"):
        child = element.find(tag)
        element = etree.SubElement(element, tag) if child is None else child
    return element


def _append(element: etree._Element, **texts: str) -> None:
    for tag, text in texts.items():
        etree.SubElement(element, tag).text = text
