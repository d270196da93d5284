"""Strength of the muscles of an ``.osim`` file, and the other actuators that share the work.

Only what static optimization asks of a muscle: the curves by which its active force depends on the length
and speed of its fibres, and the bounds of its control. Tendons and passive fibres play no part in it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from lxml import etree

from casadi_dynamics.errors import InputError
from sspinn_opensim.opensim_io.documents import child_text, read_document
from sspinn_opensim.opensim_io.model.model_file import read_model_tree


@dataclasses.dataclass(frozen=True)
class ThelenCurves:
    """Thelen 2003, "Adjustment of muscle mechanics model parameters", J Biomech Eng 125(1):70-77.

    Parameters
    ----------
    shape : float
        Width of the bell of force over length (OpenSim's `KshapeActive`).
    curvature : float
        Of force over velocity (`Af`).
    eccentric : float
        Largest force of a lengthening fibre (`Flen`).
    linear_from : float
        Share of `eccentric` beyond which force rises linearly (`fv_linear_extrap_threshold`).
    """

    shape: float = 0.45
    curvature: float = 0.25
    eccentric: float = 1.4
    linear_from: float = 0.95


@dataclasses.dataclass(frozen=True)
class MillardCurves:
    """Millard et al. 2013, "Flexing computational muscle", J Biomech Eng 135(2):021005.

    Names and defaults are those of OpenSim's `ActiveForceLengthCurve` and `ForceVelocityCurve`.
    """

    min_norm_active_fiber_length: float = 0.4441
    transition_norm_fiber_length: float = 0.73
    max_norm_active_fiber_length: float = 1.8123
    shallow_ascending_slope: float = 0.8616
    minimum_value: float = 0.1
    concentric_slope_at_vmax: float = 0.0
    concentric_slope_near_vmax: float = 0.25
    isometric_slope: float = 5.0
    eccentric_slope_at_vmax: float = 0.0
    eccentric_slope_near_vmax: float = 0.15
    max_eccentric_velocity_force_multiplier: float = 1.4
    concentric_curviness: float = 0.6
    eccentric_curviness: float = 0.9


@dataclasses.dataclass(frozen=True)
class DeGrooteFreglyCurves:
    """De Groote et al. 2016, Ann Biomed Eng 44(10):2922-2936; `width` scales force over length."""

    width: float = 1.0


@dataclasses.dataclass(frozen=True)
class MuscleLaw:
    """What static optimization must know of a muscle.

    Parameters
    ----------
    name, kind : str
        `kind` is OpenSim's class.
    max_isometric_force : float
        N.
    optimal_fiber_length, tendon_slack_length : float
        m.
    pennation_angle, max_pennation_angle : float
        At optimal fibre length, and where OpenSim stops it; rad.
    max_contraction_velocity : float
        Optimal fibre lengths per second.
    min_control, max_control : float
        Bounds of the activation.
    curves : ThelenCurves or MillardCurves or DeGrooteFreglyCurves or None
        None for a class whose curves are not known here.
    """

    name: str
    kind: str
    max_isometric_force: float
    optimal_fiber_length: float
    tendon_slack_length: float
    pennation_angle: float
    max_pennation_angle: float
    max_contraction_velocity: float
    min_control: float
    max_control: float
    curves: ThelenCurves | MillardCurves | DeGrooteFreglyCurves | None


@dataclasses.dataclass(frozen=True)
class CoordinateActuator:
    """An actuator along a coordinate: control times `optimal_force` (N m or N), control within bounds."""

    name: str
    coordinate: str
    optimal_force: float
    min_control: float
    max_control: float


#: OpenSim's classes that take a control and are neither muscles nor coordinate actuators.
_OTHER_ACTUATORS = (
    "ActivationCoordinateActuator",
    "BodyActuator",
    "ClutchedPathSpring",
    "McKibbenActuator",
    "PathActuator",
    "PointActuator",
    "PointToPointActuator",
    "TorqueActuator",
)
_THELEN = {
    "shape": "KshapeActive",
    "curvature": "Af",
    "eccentric": "Flen",
    "linear_from": "fv_linear_extrap_threshold",
}
#: The first fields of `MillardCurves` are of force over length, the others of force over velocity.
_OF_LENGTH = 5
#: Fibres are never more oblique than this, arccos(0.1), unless the file says otherwise (OpenSim's default).
_MAX_PENNATION = math.acos(0.1)


def read_muscle_laws(model_file: Path) -> tuple[MuscleLaw, ...]:
    """Return the muscles of a model's ForceSet that act, in its order.

    Raises
    ------
    InputError
        If the model cannot be read, no muscle acts, or one of their values is not a number.
    """
    path = Path(model_file)
    tree = read_model_tree(path)
    laws = tuple(
        _law(_Properties(path, element, _default_of(tree, element))) for element in _acting(tree, "Muscle")
    )
    if not laws:
        raise InputError(
            "the model has no muscle that acts in its ForceSet",
            where=str(path),
            fix="choose a model with muscles, or set their appliesForce to true",
        )
    return laws


def read_actuators(model_file: Path, added: Sequence[Path] = ()) -> tuple[CoordinateActuator, ...]:
    """Return the coordinate actuators of a model that act, and those of files of added forces.

    Raises
    ------
    InputError
        If a file cannot be read, or holds another kind of actuator.
    """
    path = Path(model_file)
    tree = read_model_tree(path)
    elements = [(path, element) for element in _acting(tree)]
    for file in map(Path, added):
        forces = read_document(file, "ForceSet")
        elements += [(file, element) for element in forces.iterfind("objects/*") if _acts(element)]
    actuators = []
    for file, element in elements:
        if element.tag in _OTHER_ACTUATORS:
            raise InputError(
                f"{element.tag} '{element.get('name')}' cannot share the work of the muscles here",
                where=str(file),
                expected="muscles and CoordinateActuators",
                found=element.tag,
                fix="set its appliesForce to false, replace it by a CoordinateActuator, or let OpenSim solve",
            )
        if element.tag == "CoordinateActuator":
            read = _Properties(file, element, _default_of(tree, element))
            bounds = read.number("min_control", -math.inf), read.number("max_control", math.inf)
            actuators.append(
                CoordinateActuator(
                    read.name, read.text("coordinate"), read.number("optimal_force", 1.0), *bounds
                )
            )
    return tuple(actuators)


class _Properties:
    """Values of an element; what it leaves out comes from the model's defaults for its class."""

    def __init__(self, path: Path, element: etree._Element, default: etree._Element | None) -> None:
        self._path, self._sources = path, [source for source in (element, default) if source is not None]
        self.name, self.kind = element.get("name", ""), element.tag

    def text(self, tag: str) -> str:
        return next(filter(None, (child_text(source, tag) for source in self._sources)), "")

    def number(self, tag: str, default: float) -> float:
        text = self.text(tag)
        try:
            return float(text) if text else default
        except ValueError:
            raise InputError(
                f"<{tag}> of {self.kind} '{self.name}' is not a number",
                where=str(self._path),
                expected="a number",
                found=text,
                fix="correct the value in the model file",
            ) from None

    def part(self, tag: str) -> _Properties:
        """Return the values of an element within, empty if there is none."""
        found = next((s.find(tag) for s in self._sources if s.find(tag) is not None), etree.Element(tag))
        return _Properties(self._path, found, None)


def _law(read: _Properties) -> MuscleLaw:
    least_control = 0.0 if read.kind == "DeGrooteFregly2016Muscle" else 0.01
    return MuscleLaw(
        read.name,
        read.kind,
        read.number("max_isometric_force", 1000.0),
        read.number("optimal_fiber_length", 0.1),
        read.number("tendon_slack_length", 0.2),
        read.number("pennation_angle_at_optimal", 0.0),
        read.number("maximum_pennation_angle", _MAX_PENNATION),
        read.number("max_contraction_velocity", 10.0),
        read.number("min_control", least_control),
        read.number("max_control", 1.0),
        _curves(read),
    )


def _curves(read: _Properties) -> ThelenCurves | MillardCurves | DeGrooteFreglyCurves | None:
    if read.kind == "Thelen2003Muscle":
        preset = ThelenCurves()
        return ThelenCurves(**{k: read.number(tag, getattr(preset, k)) for k, tag in _THELEN.items()})
    if read.kind == "DeGrooteFregly2016Muscle":
        return DeGrooteFreglyCurves(read.number("active_force_width_scale", 1.0))
    if read.kind == "Millard2012EquilibriumMuscle":
        length, velocity = read.part("ActiveForceLengthCurve"), read.part("ForceVelocityCurve")
        fields = dataclasses.fields(MillardCurves)
        parts = [length] * _OF_LENGTH + [velocity] * (len(fields) - _OF_LENGTH)
        preset = MillardCurves()
        read_one = (p.number(f.name, getattr(preset, f.name)) for p, f in zip(parts, fields, strict=True))
        return MillardCurves(*read_one)
    return None


def _acting(tree: etree._ElementTree, ending: str = "") -> Iterable:
    elements = tree.iterfind("Model/ForceSet/objects/*")
    return (e for e in elements if isinstance(e.tag, str) and ending in e.tag and _acts(e))


def _acts(element: etree._Element) -> bool:
    return isinstance(element.tag, str) and child_text(element, "appliesForce") != "false"


def _default_of(tree: etree._ElementTree, element: etree._Element) -> etree._Element | None:
    return tree.find(f"Model/defaults/{element.tag}")
