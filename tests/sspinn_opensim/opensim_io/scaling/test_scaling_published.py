"""Scaling against models that others scaled and published, on their own recordings."""

import csv
import json

import numpy as np
import pytest

from sspinn_opensim.opensim_io.scaling.choices import Measurement, PersonSize, ScalingChoice
from sspinn_opensim.opensim_io.scaling.factors import read_scale_set
from sspinn_opensim.opensim_io.scaling.finish import describe
from sspinn_opensim.opensim_io.scaling.markers import scale_from_markers


def someone(name, height_m=None, mass_kg=None):
    return PersonSize(height_m, mass_kg, name)


def test_gait2354_by_opensims_own_set_up(shared, tmp_path):
    folder = shared / "data" / "opensim_scaling" / "gait2354"
    choice = ScalingChoice(setup=folder / "subject01_Setup_Scale.xml")
    subject = tmp_path / "subject.osim"
    report = scale_from_markers(folder / "gait2354_simbody.osim", subject, someone("subject01"), choice)
    assert report.mass_kg == pytest.approx(72.6, rel=1e-9) and report.height_m == pytest.approx(1.8034)
    published = describe(shared / "models" / "gait2354_subject01.osim")["bodies"]
    generic = describe(folder / "gait2354_simbody.osim")["bodies"]
    compared = 0
    for body, values in published.items():
        places = zip(report.factors[body], values["mass_center"], generic[body]["mass_center"], strict=True)
        for factor, after, before in places:
            if before:
                assert factor == pytest.approx(after / before, rel=1e-5)  # the published file has six digits
                compared += 1
        # Its masses were divided with a rounded total.
        assert report.body_mass_kg[body][1] == pytest.approx(values["mass_kg"], rel=1e-5)
    assert compared >= 15
    # What OpenSim prints for this pose: RMS = 0.0331033, max = 0.0921271 (Top.Head). Its optimizer stops at
    # `AssemblySolver`'s accuracy of 1e-4, a part of the values; where below that depends on the processor.
    assert report.markers.rms_m == pytest.approx(0.0331033, rel=1e-4)
    assert report.markers.fitted["Top.Head"] == pytest.approx(0.0921271, rel=1e-4)


@pytest.mark.parametrize(
    ("setup", "trial", "factors", "mass_kg", "tolerance"),
    [
        ("scale_setup_walk_scaleOnly.xml", "static_walk_1.trc", "scaleSet_applied_walk.xml", 85.0668, {}),
        # The pairs of the shank cross the knee of a generic model that has changed since.
        ("scale_setup_run.xml", "static_run.trc", "scaleSet_applied_run.xml", 72.84, {"tibia": 5e-3}),
    ],
)
def test_rajagopal_by_opensims_own_set_ups(shared, tmp_path, setup, trial, factors, mass_kg, tolerance):
    folder = shared / "data" / "opensim_scaling" / "rajagopal"
    choice = ScalingChoice(setup=folder / setup, static=folder / trial)
    generic = shared / "models" / "Rajagopal2016.osim"
    report = scale_from_markers(generic, tmp_path / "subject.osim", someone("walker"), choice)
    published = read_scale_set(folder / factors)
    assert len(report.factors) == 22
    for body, found in report.factors.items():
        rtol = tolerance.get(body.partition("_")[0], 1e-12)
        np.testing.assert_allclose(found, published[body], rtol=rtol, err_msg=body)
    assert report.mass_kg == pytest.approx(mass_kg, rel=1e-9)
    assert report.markers.rms_m < 0.035


def test_schreiber_one_published_model_scaled_to_another_person(shared, tmp_path):
    """From the published model of one person the factors of another's follow: the ratio of theirs."""
    folder = shared / "data" / "schreiber2019_walking"
    first, second = (folder / name / f"{name}_scaledModelAdjusted.osim" for name in ("2014001", "2014004"))
    with (folder / "anthropometrics.csv").open(newline="") as file:
        person = next(row for row in csv.DictReader(file) if row["subjectID"] == "2014004")
    measurements = []
    for side in "rl":
        s = side.upper()
        measurements += [
            Measurement(f"thigh_{side}", ((f"{s}_FTC", f"{s}_FLE"),), (f"femur_{side}",), "y"),
            Measurement(f"knee_{side}", ((f"{s}_FLE", f"{s}_FME"),), (f"femur_{side}",), "xz"),
            Measurement(f"shank_{side}", ((f"{s}_TTC", f"{s}_TAM"),), (f"tibia_{side}",), "y"),
            Measurement(f"foot_{side}", ((f"{s}_FCC", f"{s}_FM2"),), (f"calcn_{side}", f"toes_{side}"), "x"),
        ]
    choice = ScalingChoice(static=folder / "2014004/2014004_ST.trc", measurements=tuple(measurements))
    subject = tmp_path / "subject.osim"
    whom = someone("2014004", float(person["height"]), float(person["mass"]))
    report = scale_from_markers(first, subject, whom, choice)
    assert report.mass_kg == pytest.approx(float(person["mass"]), rel=1e-9)
    ours, theirs = describe(subject)["bodies"], describe(second)["bodies"]
    for side in "rl":
        for body, axes in (("femur", (1,)), ("tibia", (1,)), ("calcn", (0,)), ("toes", (0,))):
            for axis in axes:
                found, expected = (m[f"{body}_{side}"]["mass_center"][axis] for m in (ours, theirs))
                # Markers of the first person's model sit where they were measured, within the static pose.
                assert found == pytest.approx(expected, rel=0.01), (body, side)


@pytest.mark.parametrize("name", ["Sub01", "Sub02", "Sub05"])
def test_capsense_static_trials_scale_the_model_of_one_to_others(shared, tmp_path, name):
    folder = shared / "data" / "capsense_walk"
    person = json.loads((folder / "subjects.json").read_text())[f"{name}_CSBaseline"]

    def both(a, b):
        return (f"L{a}", f"L{b}"), (f"R{a}", f"R{b}")

    def sides(*bodies):
        return tuple(f"{body}_{side}" for body in bodies for side in "rl")

    measurements = (
        Measurement("pelvis_width", (("LASI", "RASI"),), ("pelvis",), "z"),
        Measurement("pelvis_depth", both("ASI", "PS2"), ("pelvis",), "x"),
        Measurement("thigh", (*both("ASI", "LEP"),), sides("femur", "patella")),
        Measurement("shank", (*both("LEP", "LML"), *both("MEP", "MML")), sides("tibia")),
        Measurement("foot", both("CAL", "5MT"), sides("talus", "calcn", "toes")),
    )
    clusters = {f"{s}{part}{k}": 0.0 for s in "LR" for part in ("TH", "SH") for k in (1, 2, 3)}
    choice = ScalingChoice(
        static=folder / f"{name}_static_markers.trc",
        measurements=measurements,
        weights=clusters,
    )
    generic = folder / "Sub01_OpenSimMOCOModel.osim"
    whom = someone(name, person["height"], person["mass"])
    # The generic model is the first person's, 1.81 m tall.
    heights = {"generic_height_m": 1.81, "fallback_factor": person["height"] / 1.81}
    report = scale_from_markers(generic, tmp_path / "subject.osim", whom, choice, **heights)
    assert report.mass_kg == pytest.approx(person["mass"], rel=1e-9)
    legs = [report.factors[f"{body}_r"][0] for body in ("femur", "tibia")]
    # Legs grow with the body: within a tenth of what the height says.
    assert np.mean(legs) == pytest.approx(person["height"] / 1.81, rel=0.1)
    if name == "Sub01":
        assert legs == pytest.approx([1.0, 1.0], abs=0.03)
    assert len(report.changes["muscles"]) == 80 and report.markers.rms_m < 0.06
