"""Person of a study held against what people are: height and mass that are hardly those of one."""

from __future__ import annotations

from dataclasses import dataclass

from sspinn_opensim.recording.findings import Finding
from sspinn_opensim.study.format import Person

#: A pound in kg, an inch in m.
_POUND_KG, _INCH_M = 0.45359237, 0.0254
#: Whoever is smaller, m, is most often a child, whose body mass index is lower.
_GROWN_M = 1.45


@dataclass(frozen=True)
class _Index:
    """Bounds of a body mass index, kg/m^2: outside `doubted` it is, outside `refused` it is refused."""

    refused: tuple[float, float]
    doubted: tuple[float, float]

    def severity(self, value: float) -> str:
        if not self.refused[0] <= value <= self.refused[1]:
            return "serious"
        return "note" if self.doubted[0] <= value <= self.doubted[1] else "doubt"


#: Of grown-ups 16 is severe thinness and 40 obesity of the third class (WHO 2000, Technical Report 894). Of
#: children of 5 to 12 the third percentile is 13 and above (CDC 2000 growth charts), and 1.4 times the 95th,
#: severe obesity of the third class, 25 to 35.
_GROWN, _CHILD = _Index((14.0, 45.0), (16.0, 40.0)), _Index((12.0, 36.0), (13.0, 30.0))
_USUAL = (18.0, 30.0)


def odd_person(person: Person) -> list[Finding]:
    """Return a finding where height and mass of a study are hardly those of one person.

    Beyond `implausible_build` nobody is; within it the study can accept what is found here.
    """
    height_m, mass_kg = person.height_m, person.mass_kg
    index = mass_kg / height_m**2
    severity = (_GROWN if height_m >= _GROWN_M else _CHILD).severity(index)
    if severity == "note":
        return []
    return [
        Finding(
            "serious" if severity == "serious" else "doubt",
            "person",
            f"{mass_kg:g} kg for {height_m:g} m? That is a body mass index of {index:.3g} kg/m^2; few people "
            f"of that height have {'more' if index > 25 else 'less'}.",
            advice=f"look at height_m and mass_kg of [person]{_other_units(height_m, mass_kg)}",
        )
    ]


def _other_units(height_m: float, mass_kg: float) -> str:
    """Return what the mass would be if it was given in pounds, where that is usual; else nothing."""
    low, high = _USUAL
    if low <= _POUND_KG * mass_kg / height_m**2 <= high:
        return f"; {mass_kg:g} pounds are {_POUND_KG * mass_kg:.1f} kg"
    if low <= mass_kg / _POUND_KG / height_m**2 <= high:
        return f"; {mass_kg:g} may be a mass in other units"
    return ""
