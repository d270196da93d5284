"""Contact spheres under the feet of models that have none, beside those that others placed by hand."""

import dataclasses

import numpy as np
import pytest
from lxml import etree

import osim_models
from casadi_dynamics.errors import InputError
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.opensim_process.worker.models import describe_model
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import posture
from sspinn_opensim.anatomy.feet import find_feet
from sspinn_opensim.anatomy.sagittal import sagittal_coordinates
from sspinn_opensim.opensim_io.model.contact import foot_spheres, put_under_feet
from sspinn_opensim.opensim_io.model.shoes import put_on_shoes

SPATIAL = ("gait2392_thelen2003", "Rajagopal2016", "Hamner2010_full_body", "gait2354_subject01")


@pytest.fixture(scope="module")
def shared_folder(repository):
    folder = repository.parent / "shared"
    if not (folder / "models").is_dir():
        pytest.skip("the public models are not beside this checkout (../shared/models)")
    return folder


@pytest.fixture(scope="module", params=SPATIAL)
def spatial(request, shared_folder):
    return read_model(shared_folder / "models" / f"{request.param}.osim")


@pytest.fixture(scope="module")
def planar():
    return read_model(osim_models.path("planar_gait.osim"))


def touching(model, spheres):
    """Return name -> lowest point of each sphere from the ankle of its foot, m, upright."""
    standing = posture(model)
    ankle = {body: foot.ankle for foot in find_feet(model, standing) for body in foot.bodies}
    down = np.array([0.0, 1.0, 0.0])
    return {s.name: standing.in_ground(s.body, s.location) - s.radius * down - ankle[s.body] for s in spheres}


def test_four_points_under_each_foot_of_a_gait_model(spatial):
    spheres = foot_spheres(spatial)
    expected = [f"{n}_{s}" for s in "rl" for n in ("heel", "metatarsal1", "metatarsal5", "toe")]
    assert sorted(sphere.name for sphere in spheres) == sorted(expected)
    assert {s.body for s in spheres if s.name.startswith("toe")} == {"toes_r", "toes_l"}
    assert {s.body for s in spheres if not s.name.startswith("toe")} == {"calcn_r", "calcn_l"}
    points = touching(spatial, spheres)
    heights = [point[1] for point in points.values()]
    assert np.ptp(heights) < 1e-12, "flat feet touch a level floor with all points"
    assert points["metatarsal5_r"][2] > points["toe_r"][2] > points["metatarsal1_r"][2], (
        "the little toe is right"
    )
    for name in ("heel", "metatarsal1", "metatarsal5", "toe"):
        mirrored = points[f"{name}_r"] * (1, 1, -1)
        np.testing.assert_allclose(points[f"{name}_l"], mirrored, atol=1e-9)


def test_the_sole_is_where_the_default_posture_of_gait2392_has_the_ground(shared_folder):
    """OpenSim's default posture stands on y = 0, with ankles 5.8 cm above it (Rajagopal2016: 5.7)."""
    for name in ("gait2392_thelen2003", "Rajagopal2016"):
        model = read_model(shared_folder / "models" / f"{name}.osim")
        ground = -posture(model).position["talus_r"][1]
        assert touching(model, foot_spheres(model))["heel_r"][1] == pytest.approx(ground, abs=0.003)


@pytest.mark.parametrize(
    "path",
    [
        "data/capsense_walk/Sub01_OpenSimMOCOModel.osim",
        *(f"data/arnold2013_walk_consistent/subject{n}/subject{n}.osim" for n in ("01", "02", "18")),
    ],
)
def test_places_agree_with_those_of_published_models(shared_folder, path):
    """Others placed spheres by hand: heel, front and sole agree within 1.5 cm, sides within 2.5."""
    model = read_model(shared_folder / path)
    ours = touching(model, foot_spheres(model))
    theirs = touching(model, model.contact_spheres)
    ours, theirs = (np.array([p for n, p in found.items() if n.endswith("_r")]) for found in (ours, theirs))
    assert ours[:, 0].min() == pytest.approx(theirs[:, 0].min(), abs=0.015), "heel"
    assert ours[:, 0].max() == pytest.approx(theirs[:, 0].max(), abs=0.015), "tip of the toes"
    assert ours[:, 1].mean() == pytest.approx(theirs[:, 1].mean(), abs=0.015), "sole"
    assert ours[:, 2].min() == pytest.approx(theirs[:, 2].min(), abs=0.025), "medial"
    assert ours[:, 2].max() == pytest.approx(theirs[:, 2].max(), abs=0.025), "lateral"


def test_a_foot_of_one_body_has_proportions(planar):
    """The built-in model has no toe joint; its own heel is 1.1 cm further back, its sole 0.8 cm lower."""
    ours, own = touching(planar, foot_spheres(planar)), touching(planar, planar.contact_spheres)
    assert sorted(ours) == sorted(f"{n}_{s}" for s in "rl" for n in ("heel", "metatarsal1", "metatarsal5"))
    np.testing.assert_allclose(ours["heel_r"][:2], own["heel_r"][:2], atol=0.015)
    np.testing.assert_allclose(ours["metatarsal1_r"][:2], own["toe_r"][:2], atol=0.015)


def test_rigid_toes_have_no_point_of_their_own(spatial):
    """A foot whose toes are held rolls over a point between ball and tip."""
    rolling = touching(spatial, foot_spheres(spatial))
    rigid_spheres = foot_spheres(spatial, {"mtp_angle_r", "mtp_angle_l"})
    rigid = touching(spatial, rigid_spheres)
    assert set(rolling) - set(rigid) == {"toe_r", "toe_l"} and set(rigid) < set(rolling)
    assert {s.body for s in rigid_spheres} == {"calcn_r", "calcn_l"}
    ball, tip = rolling["metatarsal1_r"][0], rolling["toe_r"][0]
    assert ball < rigid["metatarsal1_r"][0] < tip
    np.testing.assert_array_equal(rigid["heel_r"], rolling["heel_r"])
    assert set(touching(spatial, foot_spheres(spatial, {"mtp_angle_r"}))) == set(rolling) - {"toe_r"}


def test_in_the_plane_one_point_stands_for_both_metatarsals(spatial):
    """Two points at one place forward would share a load that the model feels as one."""
    sideways = {c.name for c in spatial.coordinates} - set(sagittal_coordinates(spatial))
    sideways -= {"pelvis_tx", "pelvis_ty"}
    places = touching(spatial, foot_spheres(spatial, sideways))
    assert set(places) == {f"{n}_{s}" for s in "rl" for n in ("heel", "forefoot")}
    both = touching(spatial, foot_spheres(spatial, {"mtp_angle_r", "mtp_angle_l"}))
    middle = (both["metatarsal1_r"] + both["metatarsal5_r"]) / 2
    np.testing.assert_allclose(places["forefoot_r"], middle, atol=1e-12)
    np.testing.assert_array_equal(places["heel_r"], both["heel_r"])
    leaving = foot_spheres(spatial, sideways - {"pelvis_list"})
    assert {"metatarsal1_r", "metatarsal5_r"} <= set(touching(spatial, leaving))


@pytest.mark.parametrize(
    ("path", "marker"),
    [
        ("models/Rajagopal2016.osim", "RCAL"),
        ("models/Hamner2010_full_body.osim", "R.Heel"),
        ("data/opencap_s4_walking/subject4_optimized.osim", "r_calc"),
    ],
)
def test_the_heel_reaches_back_to_the_skin_under_a_heel_marker(shared_folder, path, marker):
    """The centre of a marker of the usual 14 mm is 7 mm off the skin; it is glued within a centimetre."""
    model = read_model(shared_folder / path)
    element = next(m for m in etree.parse(shared_folder / path).iter("Marker") if m.get("name") == marker)
    body = element.findtext("socket_parent_frame").split("/")[-1]
    standing = posture(model)
    skin = standing.in_ground(body, [float(x) for x in element.findtext("location").split()])[0] + 0.007
    heel = next(s for s in foot_spheres(model) if s.name == "heel_r")
    assert standing.in_ground(heel.body, heel.location)[0] - heel.radius == pytest.approx(skin, abs=0.01)


def test_places_grow_with_the_body(planar, spatial):
    for model in (planar, spatial):
        small, large = touching(model, foot_spheres(model)), None
        grown = _grown(model, 1.2)
        large = touching(grown, foot_spheres(grown))
        for name, point in small.items():
            np.testing.assert_allclose(large[name], 1.2 * point, atol=1e-12)


def test_body_axes_do_not_matter(planar):
    """A foot whose axes are turned in its body gets its spheres at the same places in ground."""
    planar = dataclasses.replace(planar, muscles=())
    turn = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (-1.0, 0.0, 0.0))
    joints = []
    for joint in planar.joints:
        if joint.child.body == "foot_r":
            inside = np.array(turn) @ np.array(joint.child.translation)
            frame = dataclasses.replace(joint.child, translation=tuple(inside), rotation=turn)
            joints.append(dataclasses.replace(joint, child=frame))
        else:
            joints.append(joint)
    turned = dataclasses.replace(planar, joints=tuple(joints))
    turned = dataclasses.replace(
        turned,
        bodies=tuple(
            dataclasses.replace(b, mass_center=tuple(np.array(turn) @ np.array(b.mass_center)))
            if b.name == "foot_r"
            else b
            for b in planar.bodies
        ),
    )
    expected = touching(planar, foot_spheres(planar))
    for name, point in touching(turned, foot_spheres(turned)).items():
        np.testing.assert_allclose(point, expected[name], atol=1e-12)


@pytest.mark.parametrize("name", ["arm26", "WalkerModel", "double_pendulum", "bouncing_block"])
def test_models_without_feet_are_refused(shared_folder, name):
    from sspinn_opensim.opensim_io.model.upgraded_model import read_any_model

    with pytest.raises(InputError, match="No feet can be told") as refused:
        foot_spheres(read_any_model(shared_folder / "models" / f"{name}.osim"))
    assert "ContactSphere" in refused.value.fix


def test_the_written_model_is_read_by_opensim_and_stands(shared_folder, tmp_path):
    path = tmp_path / "subject.osim"
    path.write_bytes((shared_folder / "models" / "gait2392_thelen2003.osim").read_bytes())
    mass = run_job(describe_model, {"model": path}, timeout_s=120).values["total_mass_kg"]
    added = put_under_feet(path)
    assert {sphere.body for sphere in added} == {"calcn_r", "toes_r", "calcn_l", "toes_l"}
    model = read_model(path)
    assert model.contact_spheres == added
    (floor,) = model.half_spaces
    assert floor.height == 0.0
    assert run_job(describe_model, {"model": path}, timeout_s=120).values["total_mass_kg"] == mass
    assert put_under_feet(path) == (), "spheres are there now and are kept"


def test_a_model_with_spheres_is_not_touched(tmp_path):
    path = tmp_path / "subject.osim"
    path.write_bytes(osim_models.path("planar_gait.osim").read_bytes())
    before = path.read_bytes()
    assert put_under_feet(path) == () and path.read_bytes() == before


def test_shoes_go_under_toes_as_part_of_the_foot(shared_folder, tmp_path):
    path = tmp_path / "subject.osim"
    path.write_bytes((shared_folder / "models" / "gait2392_thelen2003.osim").read_bytes())
    put_under_feet(path)
    bare = touching(read_model(path), read_model(path).contact_spheres)
    put_on_shoes(path, 30.0, 20.0)
    shod = touching(read_model(path), read_model(path).contact_spheres)
    drop = {name: bare[name][1] - shod[name][1] for name in bare}
    assert drop["heel_r"] == pytest.approx(0.030) and drop["toe_r"] == pytest.approx(0.020)
    assert 0.020 < drop["metatarsal1_l"] < drop["metatarsal5_l"] < 0.030


def _grown(model, factor):
    def times(values):
        return tuple(factor * value for value in values)

    def frame(one):
        return dataclasses.replace(one, translation=times(one.translation))

    def scaled(function):
        from casadi_dynamics.model import Multiplier

        return Multiplier(factor, function)

    def path_point(point):
        return (
            dataclasses.replace(point, location=times(point.location))
            if hasattr(point, "location") and all(isinstance(x, float) for x in point.location)
            else point
        )

    muscles = tuple(
        dataclasses.replace(
            m, path=dataclasses.replace(m.path, points=tuple(path_point(p) for p in m.path.points))
        )
        for m in model.muscles
    )
    root = set(model.root_coordinates())
    joints = tuple(
        dataclasses.replace(
            j,
            parent=frame(j.parent),
            child=frame(j.child),
            translations=tuple(
                a if a.coordinate in root else dataclasses.replace(a, function=scaled(a.function))
                for a in j.translations
            ),
        )
        for j in model.joints
    )
    bodies = tuple(dataclasses.replace(b, mass_center=times(b.mass_center)) for b in model.bodies)
    return dataclasses.replace(model, bodies=bodies, joints=joints, muscles=muscles)
