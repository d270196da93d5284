"""Choices of a study, or of the command line, about scaling: the person, tapes, markers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from casadi_dynamics.errors import InputError
from sspinn_opensim.settings.bounds import Bounds, Height, Mass, NonNegative

LENGTH = Bounds(0.02, 1.5, "give lengths in metres")
GIRTH = Bounds(0.05, 2.0, "give circumferences in metres")
Length = Annotated[float, LENGTH]
Girth = Annotated[float, GIRTH]


@dataclass(frozen=True)
class PersonSize:
    """Whom to scale to, as far as it is known.

    Parameters
    ----------
    height_m, mass_kg : float or None
        Body height, m, and mass, kg; None where one is not known and not needed.
    name : str
        Name of the scaled model.
    """

    height_m: Height | None
    mass_kg: Mass | None
    name: str = "subject"


def implausible_build(height_m: float | None, mass_kg: float | None) -> str:
    """Return what nobody is: a body mass index outside 8 to 120 kg/m^2; empty where it is unknown or inside.

    Grown-ups have survived with 7.5 and with 105; newborns have about 13.
    """
    if height_m is None or mass_kg is None or 8.0 <= mass_kg / height_m**2 <= 120.0:
        return ""
    return f"{height_m:g} m and {mass_kg:g} kg: a body mass index of {mass_kg / height_m**2:.3g} kg/m^2"


def require_mass(model: Path, found_kg: float, mass_kg: float) -> None:
    """Refuse a model said to be scaled whose mass is not the person's, within 5 %.

    Raises
    ------
    InputError
        It is another one.
    """
    if abs(found_kg - mass_kg) > 0.05 * mass_kg:
        raise InputError(
            "the model said to be scaled has another mass than the person",
            where=model,
            expected=f"{mass_kg:g} kg",
            found=f"{found_kg:g} kg",
            fix="let the model be scaled, or correct the person's mass",
        )


@dataclass(frozen=True)
class Measurement:
    """``[scaling.measurements.NAME]``: distances between markers that scale bodies.

    Parameters
    ----------
    name : str
        The NAME of the table.
    pairs : tuple of (str, str)
        Pairs of markers; the factor is the mean over pairs of distance measured over distance in the model.
    bodies : tuple of str
        Bodies it scales.
    axes : str
        Axes of the bodies it scales, some of ``xyz``.
    """

    name: str
    pairs: tuple[tuple[str, str], ...]
    bodies: tuple[str, ...]
    axes: str = "xyz"


@dataclass(frozen=True)
class Segment:
    """``[scaling.segments.NAME]``: a segment measured with a tape.

    Parameters
    ----------
    name : str
        The NAME of the table: ``thigh``, ``shank``, ``foot``, ``upper_arm``, ``forearm`` for both sides or
        with ``_r`` or ``_l`` for one; ``trunk``, ``pelvis_width``, ``asis_width``; or one of the user's own
        with `between` and `bodies`.
    length_m, circumference_m : float or None
        Its length and mean girth, m.
    between : tuple of 2 str or None
        Joints, bodies or markers of the model whose distance the length corresponds to.
    bodies : tuple of str
        Bodies it scales; default: those of the segment.
    axes : str
        Axes the length scales, some of ``xyz``; default: all, across the pelvis one.
    """

    name: str
    length_m: Length | None = None
    circumference_m: Girth | None = None
    between: tuple[str, str] | None = None
    bodies: tuple[str, ...] = ()
    axes: str = ""


@dataclass(frozen=True)
class ScalingChoice:
    """``[scaling]``: how the model becomes the person's, where height and mass are not all that is known.

    Parameters
    ----------
    method : {'height', 'markers', 'segments'} or None
        Left out of the file: what the other keys are for, else ``height``; a study that was read says it.
    setup : Path or None
        The laboratory's own set-up of OpenSim's ScaleTool (markers).
    static : Path or None
        Static marker trial, ``.trc`` (markers).
    markers : Path or None
        Marker set to put on the model (markers).
    from_s, to_s : float or None
        Part of the static trial to use, s (markers).
    measurements : tuple of Measurement
        Instead of a set-up (markers).
    weights : dict of str to float
        Weights of markers in the static pose that differ from 1; 0 leaves a marker out (markers).
    place_markers : bool or None
        Whether the model's markers move to where they were measured (markers).
    segments : tuple of Segment
        What a tape measured (segments).
    preserve_mass_distribution : bool or None
        Whether each body keeps its share of the mass, or gets one by its volume.
    """

    method: Literal["height", "markers", "segments"] | None = None
    setup: Path | None = None
    static: Path | None = None
    markers: Path | None = None
    from_s: NonNegative | None = None
    to_s: NonNegative | None = None
    measurements: tuple[Measurement, ...] = ()
    weights: dict[str, NonNegative] = field(default_factory=dict)
    place_markers: bool | None = None
    segments: tuple[Segment, ...] = ()
    preserve_mass_distribution: bool | None = None
