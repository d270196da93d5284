"""Report of a scaling: factors, masses, everything that changed, marker errors, and doubts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.anatomy import other_side, side_of
from sspinn_opensim.settings.bounds import Bounds

Factors = Mapping[str, tuple[float, ...]]

#: Largest error of a marker and root mean square over markers of a good static pose, m: OpenSim's
#: documentation, "Scaling Best Practices" (less than 2 cm at bony landmarks, less than 1 cm).
LARGEST_MARKER_ERROR_M, LARGEST_RMS_M = 0.02, 0.01
#: A factor further from what the body height says is more often a wrong marker, unit or tape than a person.
PLAUSIBLE_DEPARTURE = 0.25
#: Legs of unequal length usually differ by less.
PLAUSIBLE_ASYMMETRY = 0.05
#: Mass factor over length factors cubed, or the reverse: the mass of people of one height differs by less.
PLAUSIBLE_DENSITY = 2.0
_WORST_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class MarkerErrors:
    """How well the scaled model's markers fit the static trial.

    Parameters
    ----------
    error_m : Mapping of str to float
        Distance of each marker of the scaled model, before any was moved, from its mean measured place.
    weight : Mapping of str to float
        Weight in the fit of the pose; markers without weight do not count in `rms_m` and `largest`.
    moved_m : Mapping of str to float
        How far placement moved each marker on its body; empty where none was moved.
    pose : Mapping of str to float
        Coordinates of the static pose, rad or m.
    """

    error_m: Mapping[str, float]
    weight: Mapping[str, float]
    moved_m: Mapping[str, float]
    pose: Mapping[str, float]

    @property
    def fitted(self) -> dict[str, float]:
        """Errors of the markers that count, largest first."""
        counted = {name: error for name, error in self.error_m.items() if self.weight.get(name, 0) > 0}
        return dict(sorted(counted.items(), key=lambda item: -item[1]))

    @property
    def rms_m(self) -> float:
        """Root mean square over the markers that count."""
        return float(np.sqrt(np.mean(np.square(list(self.fitted.values())))))

    def lines(self) -> list[str]:
        """Return the fit as text."""
        worst = list(self.fitted.items())[:_WORST_SHOWN]
        shown = ", ".join(f"{name} {1000 * error:.1f}" for name, error in worst)
        moved = f"; {len(self.moved_m)} markers moved to where they were measured" if self.moved_m else ""
        fit = f"RMS {1000 * self.rms_m:.1f} mm over {len(self.fitted)} markers"
        return [f"static pose: {fit}, largest {shown} mm{moved}"]

    def doubts(self) -> list[str]:
        """Return what OpenSim's guide would look at again."""
        large = [name for name, error in self.fitted.items() if error >= LARGEST_MARKER_ERROR_M]
        found = []
        if self.rms_m >= LARGEST_RMS_M:
            found.append(
                f"the markers fit the static pose with RMS {1000 * self.rms_m:.0f} mm; "
                f"OpenSim's guide asks for less than {1000 * LARGEST_RMS_M:.0f} mm"
            )
        if large:
            found.append(f"markers {1000 * LARGEST_MARKER_ERROR_M:.0f} mm or more off: {', '.join(large)}")
        return found

    def to_json(self) -> dict:
        """Return the errors as JSON values."""
        return {**dataclasses.asdict(self), "rms_m": self.rms_m, "largest": next(iter(self.fitted), None)}


@dataclasses.dataclass(frozen=True)
class ScalingReport:
    """What scaling did, read back from the written model.

    Parameters
    ----------
    name : str
        The person.
    height_m, mass_kg : float
        Height as given, m (None if it was not); total mass as read back from the scaled model, kg.
    generic_height_m : float or None
        Height the generic model stands for, m; None when unknown or the model came already scaled.
    generic_mass_kg : float
        Total mass of the generic model, kg.
    factors : Mapping of str to tuple of 3 floats
        Scale factor of each body along its x, y, z.
    body_mass_kg : Mapping of str to (float, float)
        Mass of each body before and after, kg.
    contact : tuple of str
        Contact geometry that was scaled with its body.
    warnings : tuple of str
        What OpenSim warned of while scaling.
    method : str
        How the factors were found.
    measured : Mapping of str to str
        Each measurement in words, with its factor.
    changes : Mapping
        Before and after, by kind and name: inertia, muscles, markers, contact, IMU frames (SI units).
    markers : MarkerErrors or None
        Fit to the static trial, if there was one.
    doubts : tuple of str
        What a person should look at before relying on the model.
    """

    name: str
    height_m: float | None
    mass_kg: float
    generic_height_m: float | None
    generic_mass_kg: float
    factors: Factors
    body_mass_kg: Mapping[str, tuple[float, float]]
    contact: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    method: str = "height and mass"
    measured: Mapping[str, str] = dataclasses.field(default_factory=dict)
    changes: Mapping = dataclasses.field(default_factory=dict)
    markers: MarkerErrors | None = None
    doubts: tuple[str, ...] = ()

    def table(self) -> str:
        """Return factors, masses, changes and doubts as text for printing."""
        generic = "as given" if self.generic_height_m is None else f"generic {self.generic_height_m:.3f} m"
        height = "" if self.height_m is None else f"{self.height_m:.3f} m ({generic}), "
        width = max(map(len, ["body", *self.factors]))
        lines = [
            f"{self.name}: {height}{self.mass_kg:.3f} kg (generic {self.generic_mass_kg:.3f} kg)",
            f"scaled by: {self.method}",
            *(f"  {name}: {words}" for name, words in self.measured.items()),
            f"{'body':<{width}}  factor x  factor y  factor z  mass before  mass after (kg)",
        ]
        for body, (x, y, z) in self.factors.items():
            before, after = self.body_mass_kg[body]
            lines.append(f"{body:<{width}}  {x:8.4f}  {y:8.4f}  {z:8.4f}  {before:11.4f}  {after:10.4f}")
        if self.contact:
            lines.append(f"contact scaled with its body: {', '.join(self.contact)}")
        lines += self._changed()
        if self.markers is not None:
            lines += self.markers.lines()
        return "\n".join([*lines, *(f"note: {doubt}" for doubt in self.doubts)])

    def to_json(self) -> dict:
        """Return the report as JSON values."""
        values = dataclasses.asdict(self)
        return values | {"markers": None if self.markers is None else self.markers.to_json()}

    def _changed(self) -> list[str]:
        counted = {
            kind.replace("_", " "): len(self.changes[kind])
            for kind in ("muscles", "markers", "imu_frames")
            if self.changes.get(kind)
        }
        lines = []
        if counted:
            what = ", ".join(f"{count} {kind}" for kind, count in counted.items()).replace("imu", "IMU")
            lines.append(f"scaled with their bodies: {what}; before and after stand in scaling.json")
        muscles = self.changes.get("muscles", {}).values()
        ratios = [after / before for before, after in (m["optimal_fiber_length_m"] for m in muscles)]
        if ratios:
            lines.append(
                f"optimal fibre and tendon slack lengths times {min(ratios):.3f} to {max(ratios):.3f}"
            )
        return lines


def factor_doubts(factors: Factors, height_ratio: float | None) -> list[str]:
    """Return factors that are far from the body height's, and sides that differ.

    Parameters
    ----------
    factors : Mapping
        Of every body.
    height_ratio : float or None
        Body height over that of the generic model, where both are known; else factors are held against one.
    """
    expected = height_ratio or 1.0
    by_value: dict[str, list[str]] = {}
    for body, xyz in factors.items():
        off = [f"{axis} {s:.3f}" for axis, s in zip("xyz", xyz, strict=True) if _is_far(s, expected)]
        if off:
            by_value.setdefault(", ".join(off), []).append(body)
    against = f"body height says {expected:.3f}" if height_ratio else "a person like the generic model has 1"
    found = [f"implausible factors of {', '.join(b)}: {what} ({against})" for what, b in by_value.items()]
    uneven = {}
    for right, xyz in factors.items():
        left = other_side(right)
        if side_of(right) != "r" or left not in factors:
            continue
        ratio = np.divide(xyz, factors[left])
        worst = int(np.abs(np.log(ratio)).argmax())
        if abs(ratio[worst] - 1) > PLAUSIBLE_ASYMMETRY:
            what = f"{100 * abs(ratio[worst] - 1):.0f} % in {'xyz'[worst]}"
            uneven.setdefault(what, []).append(f"{right} and {left}")
    found += [f"right and left differ by {what}: {', '.join(pairs)}" for what, pairs in uneven.items()]
    return found


def mass_doubts(factors: Factors, body_mass_kg: Mapping[str, tuple[float, float]]) -> list[str]:
    """Return a doubt where the mass of a model grows otherwise than its lengths cubed.

    Parameters
    ----------
    factors : Mapping
        Of every body.
    body_mass_kg : Mapping of str to (float, float)
        Mass of each body before and after.
    """
    before, after = (sum(masses[k] for masses in body_mass_kg.values()) for k in (0, 1))
    grown = sum(float(np.prod(factors[body])) * mass for body, (mass, _) in body_mass_kg.items())
    if not before or not grown:
        return []
    mass, volume = after / before, grown / before
    if 1 / PLAUSIBLE_DENSITY <= mass / volume <= PLAUSIBLE_DENSITY:
        return []
    return [
        f"the mass is multiplied by {mass:.3g}, from {before:.3g} to {after:.3g} kg, and the volume by "
        f"{volume:.3g} (length factors cubed): is this the mass of what the model stands for?"
    ]


def unscaled(factors: Factors) -> list[str]:
    """Return a doubt about bodies that kept the generic size."""
    kept = [body for body, xyz in factors.items() if xyz == (1.0, 1.0, 1.0)]
    if not kept:
        return []
    if len(kept) == len(factors):
        return ["nothing was scaled: every factor is 1; no measurement and no stated factor acts"]
    return [f"no measurement scales {', '.join(kept)}: they keep the generic model's size"]


def check_range(what: str, value: float, allowed: Bounds, unit: str, where: str) -> None:
    """Refuse a height or mass that no person has."""
    if not allowed.holds(value):  # also catches NaN
        divisor = {"m": "100 (was it given in cm?)", "kg": "1000 (was it given in g?)"}[unit]
        raise InputError(
            f"{what} is implausible",
            where=where,
            expected=f"{allowed.low:g} to {allowed.high:g} {unit}",
            found=f"{value:g} {unit}",
            fix=f"divide it by {divisor}" if value > allowed.high else f"give it in {unit}",
        )


def _is_far(factor: float, expected: float) -> bool:
    return not 1 - PLAUSIBLE_DEPARTURE <= factor / expected <= 1 + PLAUSIBLE_DEPARTURE
