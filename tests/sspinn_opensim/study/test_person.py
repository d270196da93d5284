"""Height and mass that are hardly those of one person are doubted or refused, and units are guessed."""

import pytest

from sspinn_opensim.study.format import Person
from sspinn_opensim.study.person import odd_person


@pytest.mark.parametrize(
    ("height_m", "mass_kg"),
    [(1.72, 68.0), (1.50, 38.0), (1.95, 140.0), (1.08, 17.0), (1.20, 40.0), (1.87, 78.6), (0.75, 9.5 + 0.5)],
)
def test_people_are_as_they_are(height_m, mass_kg):
    assert odd_person(Person(height_m=height_m, mass_kg=mass_kg)) == []


@pytest.mark.parametrize(
    ("height_m", "mass_kg", "severity", "advice"),
    [
        (1.72, 150.0, "serious", "150 pounds are 68.0 kg"),
        (1.27, 68.0, "serious", "height_m"),
        (2.17, 68.0, "doubt", "height_m"),
        (2.25, 68.0, "serious", "height_m"),
        (1.72, 31.0, "serious", "31 may be a mass in other units"),
        (1.70, 120.0, "doubt", "120 pounds are 54.4 kg"),
        (1.70, 44.0, "doubt", "mass_kg"),
        (1.20, 45.0, "doubt", "height_m"),
        (1.40, 24.0, "doubt", "height_m"),
    ],
)
def test_two_people_in_one_are_told(height_m, mass_kg, severity, advice):
    (finding,) = odd_person(Person(height_m=height_m, mass_kg=mass_kg))
    assert (finding.severity, finding.key) == (severity, "person")
    assert f"{mass_kg:g} kg for {height_m:g} m?" in finding.evidence and advice in finding.advice
