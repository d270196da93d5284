"""A static trial made from our own model, scaled by known factors: they must be found again."""

import dataclasses
import json

import numpy as np
import pytest
from lxml import etree

from casadi_dynamics.errors import InputError
from sspinn_opensim import cli
from sspinn_opensim.opensim_io.model.model_file import contact_geometry, read_model_tree
from sspinn_opensim.opensim_io.scaling import case as scaling_case
from sspinn_opensim.opensim_io.scaling import markers as scaling_markers
from sspinn_opensim.opensim_io.scaling.choices import Measurement, ScalingChoice
from sspinn_opensim.opensim_io.scaling.finish import describe
from sspinn_opensim.opensim_io.scaling.inputs import open_setup
from sspinn_opensim.opensim_io.scaling.marker_trials import MarkerTrial, read_marker_trial, write_marker_trial
from sspinn_opensim.opensim_io.scaling.scale import scale_bodies
from sspinn_opensim.opensim_io.scaling.setup import make_setup

#: Marker -> body and place on it, m.
MARKERS = {
    "ASIS.R": ("pelvis", (0.05, 0.08, 0.12)),
    "ASIS.L": ("pelvis", (0.05, 0.08, -0.12)),
    "PSIS": ("pelvis", (-0.12, 0.09, 0.0)),
    "C7": ("torso", (-0.06, 0.45, 0.0)),
    **{f"HIP.{s}": (f"femur_{s.lower()}", (0.0, 0.0, z)) for s, z in (("R", 0.1), ("L", -0.1))},
    **{f"KNEE.{s}": (f"femur_{s.lower()}", (0.0, -0.43, z)) for s, z in (("R", 0.05), ("L", -0.05))},
    **{f"SHIN.{s}": (f"tibia_{s.lower()}", (0.03, -0.05, z)) for s, z in (("R", 0.02), ("L", -0.02))},
    **{f"ANKLE.{s}": (f"tibia_{s.lower()}", (0.0, -0.43, z)) for s, z in (("R", 0.04), ("L", -0.04))},
    **{f"HEEL.{s}": (f"foot_{s.lower()}", (-0.06, -0.05, 0.0)) for s in "RL"},
    **{f"TOE.{s}": (f"foot_{s.lower()}", (0.15, -0.05, z)) for s, z in (("R", 0.01), ("L", -0.01))},
}
#: What scales what; the pelvis keeps the factor of the body height.
MEASUREMENTS = (
    Measurement("thighs", (("HIP.R", "KNEE.R"), ("HIP.L", "KNEE.L")), ("femur_r", "femur_l")),
    Measurement("shanks", (("SHIN.R", "ANKLE.R"),), ("tibia_r", "tibia_l")),
    Measurement("feet", (("HEEL.R", "TOE.R"),), ("foot_r", "foot_l")),
)
TRUE = {
    **{body: (1.02,) * 3 for body in ("pelvis", "torso")},
    **{f"femur_{s}": (1.05,) * 3 for s in "rl"},
    **{f"tibia_{s}": (0.97,) * 3 for s in "rl"},
    **{f"foot_{s}": (1.1,) * 3 for s in "rl"},
}


def scale_from_markers(generic, subject, person, choice, **known):
    """Scale; without a set-up, what no measurement scales gets the factor of the body height."""
    factor = None if choice.setup else 1.02
    return scaling_markers.scale_from_markers(
        generic, subject, person, choice, fallback_factor=factor, **known
    )


def marker_set(path, fixed=()):
    root = etree.Element("OpenSimDocument", Version="40000")
    objects = etree.SubElement(etree.SubElement(root, "MarkerSet", name="markers"), "objects")
    for name, (body, place) in MARKERS.items():
        marker = etree.SubElement(objects, "Marker", name=name)
        etree.SubElement(marker, "socket_parent_frame").text = f"/bodyset/{body}"
        etree.SubElement(marker, "location").text = " ".join(map(str, place))
        etree.SubElement(marker, "fixed").text = str(name in fixed).lower()
    root.getroottree().write(str(path))
    return path


@pytest.fixture(scope="module")
def laboratory(model_file, person, tmp_path_factory):
    """Return a folder with a marker set and the static trial of a person whose factors are known."""
    folder = tmp_path_factory.mktemp("laboratory")
    markers = marker_set(folder / "markers.xml")
    scale_bodies(model_file, folder / "true.osim", person(), TRUE)
    scaled = etree.parse(str(markers))
    for marker in scaled.iter("Marker"):
        body = MARKERS[marker.get("name")][0]
        place = np.multiply(MARKERS[marker.get("name")][1], TRUE[body])
        marker.find("location").text = " ".join(map(repr, place.tolist()))
    scaled.write(str(folder / "true_markers.xml"))
    found = describe(folder / "true.osim", folder / "true_markers.xml")["markers"]
    places = np.array([found[name]["place"] for name in MARKERS])
    time_s = np.arange(5) / 100
    trial = MarkerTrial(folder / "static.trc", tuple(MARKERS), time_s, np.repeat(places[None], 5, axis=0))
    write_marker_trial(folder / "static.trc", trial)
    return folder


@pytest.fixture
def without_opensim(laboratory, anatomy, monkeypatch):
    """Answer what the unscaled model looks like from memory: what fails later fails without OpenSim."""
    monkeypatch.setattr(scaling_case, "describe", lambda model, markers=None: anatomy[markers is not None])


@pytest.fixture(scope="module")
def anatomy(laboratory, model_file):
    return describe(model_file), describe(model_file, laboratory / "markers.xml")


@pytest.fixture
def choice(laboratory):
    return ScalingChoice(
        static=laboratory / "static.trc",
        markers=laboratory / "markers.xml",
        measurements=MEASUREMENTS,
    )


@pytest.fixture(scope="module")
def scaled(laboratory, model_file, person, tmp_path_factory):
    subject = tmp_path_factory.mktemp("scaled") / "subject.osim"
    choice = ScalingChoice(
        static=laboratory / "static.trc",
        markers=laboratory / "markers.xml",
        measurements=MEASUREMENTS,
    )
    return subject, scale_from_markers(model_file, subject, person(name="P 01"), choice)


def rewritten(laboratory, folder, change):
    """Write the trial anew with changed positions."""
    trial = read_marker_trial(laboratory / "static.trc")
    position = trial.position_m.copy()
    names = list(trial.names)
    change(position, names)
    changed = dataclasses.replace(trial, names=tuple(names), position_m=position)
    return write_marker_trial(folder / "static.trc", changed)


def test_the_factors_are_found_and_the_markers_fit(scaled):
    _, report = scaled
    for body, factors in TRUE.items():
        # Exact but for the rounding of numbers in files.
        assert report.factors[body] == pytest.approx(factors, rel=1e-9)
    assert report.mass_kg == pytest.approx(73.0, rel=1e-9)
    # OpenSim's inverse kinematics stops at a fraction of a millimetre.
    assert max(report.markers.error_m.values()) < 1e-3 and report.markers.rms_m < 5e-4
    assert not report.doubts


def test_contact_and_imu_frames_follow_their_bodies(scaled, model_file):
    subject, report = scaled
    before, after = (dict_of_contact(read_model_tree(file)) for file in (model_file, subject))
    for name, (body, location) in before.items():
        np.testing.assert_allclose(after[name][1], np.multiply(location, TRUE[body]), rtol=1e-9)
    assert report.contact == tuple(before) and len(report.changes["imu_frames"]) == 7
    old, new = report.changes["imu_frames"]["foot_r_imu"]["translation_m"]
    np.testing.assert_allclose(new, np.multiply(old, 1.1), rtol=1e-9)


def dict_of_contact(tree):
    return {
        g.get("name"): (body, np.array(g.findtext("location").split(), float))
        for body, g in contact_geometry(tree)
        if body != "ground"
    }


def test_what_scale_tool_read_stays_with_the_results(scaled, person):
    folder = scaled[0].with_name("scaling")
    assert {file.name for file in folder.iterdir()} == {
        *("generic.osim", "markers.xml", "static.trc", "setup.xml", "scale_set.xml", "static_pose.mot")
    }
    setup = open_setup(folder / "setup.xml")
    assert setup.mass_kg == 73.0 and setup.height_m == pytest.approx(1.73)
    assert setup.file("model_file", "GenericModelMaker") == folder / "generic.osim"
    assert str(folder.parent) not in (folder / "setup.xml").read_text()
    assert not [file for file in folder.parent.iterdir() if file.name.startswith(".")]


def test_the_kept_set_up_gives_the_same_model_again(scaled, person, tmp_path):
    folder = scaled[0].with_name("scaling")
    choice = ScalingChoice(setup=folder / "setup.xml")
    report = scale_from_markers(folder / "generic.osim", tmp_path / "subject.osim", person(), choice)
    assert report.factors == scaled[1].factors and not report.doubts
    again, first = describe(tmp_path / "subject.osim"), describe(scaled[0])
    assert again["bodies"] == first["bodies"] and again["muscles"] == first["muscles"]


def test_the_report_prints_and_serialises(scaled):
    _, report = scaled
    text = report.table()
    assert "static pose: RMS" in text and "1.0500 from HIP.R to KNEE.R, HIP.L to KNEE.L" in text
    values = json.loads(json.dumps(report.to_json()))
    assert values["markers"]["rms_m"] == report.markers.rms_m and values["markers"]["largest"] in MARKERS
    assert values["changes"]["muscles"]["soleus_r"]["optimal_fiber_length_m"][1] > 0


def test_a_marker_put_wrong_is_found_and_moved(laboratory, choice, model_file, person, tmp_path):
    def shift(position, names):
        position[:, names.index("C7"), 2] += 0.06  # where no joint of a planar model can follow

    choice = dataclasses.replace(choice, static=rewritten(laboratory, tmp_path, shift))
    report = scale_from_markers(model_file, tmp_path / "subject.osim", person(), choice)
    assert next(iter(report.markers.fitted)) == "C7" and report.markers.error_m["C7"] > 0.03
    assert any("20 mm or more off: C7" in doubt for doubt in report.doubts)
    assert report.markers.moved_m["C7"] == pytest.approx(report.markers.error_m["C7"], rel=1e-3)
    kept = dataclasses.replace(choice, place_markers=False)
    report = scale_from_markers(model_file, tmp_path / "subject.osim", person(), kept)
    assert not report.markers.moved_m and report.markers.error_m["C7"] > 0.03


def test_markers_the_trial_lacks_stay_on_the_model(laboratory, choice, model_file, person, tmp_path):
    def lose(position, names):
        names[names.index("SHIN.L")] = "unlabelled"

    choice = dataclasses.replace(choice, static=rewritten(laboratory, tmp_path, lose))
    report = scale_from_markers(model_file, tmp_path / "subject.osim", person(), choice)
    assert "SHIN.L" in describe(tmp_path / "subject.osim")["markers"]
    assert report.factors["tibia_l"] == pytest.approx(TRUE["tibia_l"], rel=1e-9)


@pytest.mark.parametrize(
    ("measurement", "message"),
    [
        (
            Measurement("arm", (("HIP.R", "HAND.R"),), ("femur_r",), "y"),
            "(?s)'arm' cannot be taken.*HAND.R is not in",
        ),
        (Measurement("leg", (("HIP.R", "KNEE.R"),), ("femur_R",), "y"), "(?s)scales no body.*femur_r"),
        (Measurement("leg", (("HIP.R", "KNEE.R"),), ("femur_r",), "q"), "axes of 'femur_r' are not clear"),
        (Measurement("leg", (("HIP.R", "HIP.R"),), ("femur_r",), "y"), "lie at one place"),
    ],
)
@pytest.mark.usefixtures("without_opensim")
def test_a_measurement_that_would_do_nothing_is_refused(
    choice, model_file, person, tmp_path, measurement, message
):
    choice = dataclasses.replace(choice, measurements=(*MEASUREMENTS, measurement))
    with pytest.raises(InputError, match=message):
        scale_from_markers(model_file, tmp_path / "subject.osim", person(), choice)
    assert not list(tmp_path.iterdir())


def test_a_pair_that_cannot_be_taken_is_noted_where_another_can(choice, model_file, person, tmp_path):
    pairs = (*MEASUREMENTS[1].pairs, ("SHIN.L", "MALLEOLUS.L"))
    shanks = dataclasses.replace(MEASUREMENTS[1], pairs=pairs)
    bodies = dataclasses.replace(MEASUREMENTS[0], bodies=(*MEASUREMENTS[0].bodies, "patella_r"))
    choice = dataclasses.replace(choice, measurements=(bodies, shanks, MEASUREMENTS[2]))
    report = scale_from_markers(model_file, tmp_path / "subject.osim", person(), choice)
    assert any("MALLEOLUS.L is not in the trial nor in the model" in doubt for doubt in report.doubts)
    assert any("no body 'patella_r'" in doubt for doubt in report.doubts)
    assert report.factors["tibia_r"] == pytest.approx(TRUE["tibia_r"], rel=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"static": "none.trc"}, "static marker trial is not there"),
        ({"markers": "none.xml"}, "marker set is not there"),
        ({"markers": None}, "the model has no markers"),
        ({"weights": {"C8": 2.0}}, "(?s)no marker 'C8' to weigh.*did you mean 'C7'"),
        ({"from_s": 3.0, "to_s": 4.0}, "no frame in the time range"),
        ({"static": None}, "no static marker trial is named"),
    ],
)
@pytest.mark.usefixtures("without_opensim")
def test_wrong_input_is_one_clear_error(choice, laboratory, model_file, person, tmp_path, change, message):
    change = {k: laboratory / v if isinstance(v, str) else v for k, v in change.items()}
    if change == {"static": None}:  # possible with a set-up only
        change |= {"setup": write_setup(laboratory, tmp_path / "setup.xml"), "measurements": ()}
    choice = dataclasses.replace(choice, **change)
    with pytest.raises(InputError, match=message):
        scale_from_markers(model_file, tmp_path / "out" / "subject.osim", person(), choice)
    assert not (tmp_path / "out" / "subject.osim").exists()


@pytest.mark.usefixtures("without_opensim")
def test_a_wrong_unit_is_refused(laboratory, choice, model_file, person, tmp_path):
    text = (laboratory / "static.trc").read_text().replace("\tm\t", "\tmm\t", 1)
    (tmp_path / "static.trc").write_text(text)
    choice = dataclasses.replace(choice, static=tmp_path / "static.trc")
    with pytest.raises(InputError, match="unit of the marker trial cannot be right"):
        scale_from_markers(model_file, tmp_path / "subject.osim", person(), choice)


def write_setup(laboratory, path, factors=None, **changes):
    weights = {name: 1.0 for name in MARKERS}
    setup = make_setup(MEASUREMENTS, factors or {}, weights, preserve_mass_distribution=True, where=str(path))
    for name, value in changes.items():
        setup.set(name, value, "ModelScaler" if name != "mass" else "")
    setup.tree.write(str(path))
    return path


def test_a_set_up_of_the_laboratory_is_used(laboratory, choice, model_file, person, tmp_path):
    setup = write_setup(laboratory, tmp_path / "setup.xml", {"torso": (1.01, 1.02, 1.03)}, mass="80")
    given = dataclasses.replace(choice, setup=setup, measurements=())
    report = scale_from_markers(model_file, tmp_path / "subject.osim", person(mass_kg=None), given)
    assert report.mass_kg == pytest.approx(80.0, rel=1e-9)
    assert report.factors["torso"] == (1.01, 1.02, 1.03) and report.factors["pelvis"] == (1.0, 1.0, 1.0)
    assert "no measurement scales pelvis: they keep the generic model's size" in report.doubts
    report = scale_from_markers(model_file, tmp_path / "subject.osim", person(), given)
    assert report.mass_kg == pytest.approx(73.0, rel=1e-9)
    assert "the set-up states 80 kg, the person's 73 kg are used" in report.doubts


def test_sets_of_a_set_up_may_stand_in_files_of_their_own(laboratory, tmp_path):
    whole = open_setup(write_setup(laboratory, tmp_path / "whole.xml", {"torso": (1.01, 1.02, 1.03)}))
    root = etree.parse(str(tmp_path / "whole.xml")).getroot()
    (tmp_path / "sets").mkdir()
    root.find(".//IKMarkerTask/weight").text = "50"
    for tag in ("MeasurementSet", "ScaleSet", "IKTaskSet"):
        node = root.find(f".//{tag}")
        node.getparent().replace(node, etree.Element(tag, file=f"sets/{tag}.xml"))
        own = etree.Element("OpenSimDocument", Version="40600")
        own.append(node)
        own.getroottree().write(str(tmp_path / "sets" / f"{tag}.xml"))
    root.getroottree().write(str(tmp_path / "apart.xml"))
    apart = open_setup(tmp_path / "apart.xml")
    assert apart.measurements() == whole.measurements() and len(apart.measurements()) == 3
    assert apart.manual_factors() == {"torso": (1.01, 1.02, 1.03)}
    first = next(iter(MARKERS))
    assert apart.weights() == whole.weights() | {first: 50.0}
    (tmp_path / "sets" / "MeasurementSet.xml").unlink()
    with pytest.raises(InputError, match="(?s)part of this one is not there.*sets/MeasurementSet.xml"):
        open_setup(tmp_path / "apart.xml")


def test_a_scaling_that_scales_nothing_says_so(laboratory, choice, model_file, person, tmp_path):
    setup = etree.parse(str(write_setup(laboratory, tmp_path / "setup.xml")))
    for apply in setup.findall(".//Measurement/apply"):
        apply.text = "false"
    setup.write(str(tmp_path / "setup.xml"))
    given = dataclasses.replace(choice, setup=tmp_path / "setup.xml", measurements=())
    report = scale_from_markers(model_file, tmp_path / "subject.osim", person(), given)
    assert any("every factor is 1" in doubt for doubt in report.doubts), report.doubts


def test_mass_by_volume(laboratory, choice, model_file, person, tmp_path):
    by_volume = dataclasses.replace(choice, preserve_mass_distribution=False)
    report = scale_from_markers(model_file, tmp_path / "subject.osim", person(), by_volume)
    ratio = {body: after / before for body, (before, after) in report.body_mass_kg.items()}
    assert ratio["foot_r"] / ratio["tibia_r"] == pytest.approx((1.1 / 0.97) ** 3, rel=1e-9)
    assert sum(after for _, after in report.body_mass_kg.values()) == pytest.approx(73.0, rel=1e-12)


def test_a_marker_set_of_another_model_is_refused(choice, laboratory, model_file, person, tmp_path):
    text = (laboratory / "markers.xml").read_text()
    for change, message in (
        (text.replace("/bodyset/torso", "/bodyset/thorax"), "(?s)'C7' is on a body.*thorax"),
        (text.replace("/bodyset/pelvis", "pelvs"), "(?s)'ASIS.R' is on a body.*did you mean 'pelvis'"),
        ("<OpenSimDocument><ScaleSet/></OpenSimDocument>", "not a marker set"),
        ("<OpenSimDocument>", "not a valid XML"),
    ):
        (tmp_path / "markers.xml").write_text(change)
        other = dataclasses.replace(choice, markers=tmp_path / "markers.xml")
        with pytest.raises(InputError, match=message):
            scale_from_markers(model_file, tmp_path / "out" / "subject.osim", person(), other)


@pytest.mark.parametrize(
    ("factors", "changes", "message"),
    [
        ({"torsoo": (1.0, 1.0, 1.0)}, {}, "(?s)body that the model does not have.*did you mean 'torso'"),
        ({"torso": (1.0, 0.0, 1.0)}, {}, "not a positive number"),
        ({}, {"scaling_order": "measurement"}, "does not know this method"),
    ],
)
@pytest.mark.usefixtures("without_opensim")
def test_a_wrong_set_up_is_refused(
    laboratory, choice, model_file, person, tmp_path, factors, changes, message
):
    setup = write_setup(laboratory, tmp_path / "setup.xml", factors, **changes)
    choice = dataclasses.replace(choice, setup=setup, measurements=())
    with pytest.raises(InputError, match=message):
        scale_from_markers(model_file, tmp_path / "subject.osim", person(), choice)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<OpenSimDocument><ScaleTool/>", "not a valid XML"),
        (
            "<OpenSimDocument><AnalyzeTool/></OpenSimDocument>",
            "(?s)not a set-up of OpenSim's ScaleTool.*AnalyzeTool",
        ),
    ],
)
def test_another_file_is_no_set_up(tmp_path, text, message):
    (tmp_path / "setup.xml").write_text(text)
    with pytest.raises(InputError, match=message):
        open_setup(tmp_path / "setup.xml")
    with pytest.raises(InputError, match="is not there"):
        open_setup(tmp_path / "none.xml")


STUDY = """
[model]
file = "builtin:planar_gait"
[person]
name = "Anna"
height_m = 1.836
mass_kg = 73.0
[scaling]
static = "static.trc"
markers = "markers.xml"
[scaling.measurements.thighs]
pairs = [["HIP.R", "KNEE.R"], ["HIP.L", "KNEE.L"]]
bodies = ["femur_r", "femur_l"]
[scaling.measurements.shanks]
pairs = [["SHIN.R", "ANKLE.R"]]
bodies = ["tibia_r", "tibia_l"]
[scaling.measurements.feet]
pairs = [["HEEL.R", "TOE.R"]]
bodies = ["foot_r", "foot_l"]
axes = "x"
"""


def test_the_command_scales_from_a_study_without_a_recording(laboratory, tmp_path, capsys):
    (laboratory / "scaling.toml").write_text(STUDY)
    assert cli.main(["scale", str(laboratory / "scaling.toml"), "--out", str(tmp_path / "out")]) == 0
    report = json.loads((tmp_path / "out" / "scaling.json").read_text())
    assert report["factors"]["femur_r"] == pytest.approx(TRUE["femur_r"], rel=1e-9)
    # Across, nothing measures the foot: body height counts, 1.836 m over the model's 1.80 m.
    assert report["factors"]["foot_r"] == pytest.approx((1.1, 1.02, 1.02), rel=1e-9)
    assert report["name"] == "Anna" and report["generic_height_m"] == 1.8
    assert "static pose: RMS" in capsys.readouterr().out


def test_the_command_scales_a_model_by_a_set_up(laboratory, model_file, tmp_path, capsys):
    setup = write_setup(laboratory, tmp_path / "setup.xml", mass="66")
    options = ["--static", str(laboratory / "static.trc"), "--markers", str(laboratory / "markers.xml")]
    out = ["--out", str(tmp_path / "out")]
    assert cli.main(["scale", str(setup), *options, *out]) == 2
    assert "The set-up names no model" in capsys.readouterr().err
    assert cli.main(["scale", str(model_file), "--setup", str(setup), *options, *out]) == 0
    report = json.loads((tmp_path / "out" / "scaling.json").read_text())
    assert report["mass_kg"] == pytest.approx(66.0, rel=1e-9) and report["height_m"] is None
    assert report["factors"]["tibia_l"] == pytest.approx(TRUE["tibia_l"], rel=1e-9)
