"""The shipped model is what its tables say, is anatomically sane, and is what OpenSim sees."""

import dataclasses
import itertools
import re
from pathlib import Path

import numpy as np
import pytest

import osim_models
from casadi_dynamics.errors import InputError
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.opensim_process.worker.models import describe_model
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic.build import build
from osim_models import bodies, geometry, muscles, tables, write
from sspinn_opensim.opensim_io.model import stored_answers

MODEL = osim_models.path("planar_gait.osim")
HIP, KNEE, ANKLE = np.linspace(-0.6, 1.6, 9), np.linspace(-2.2, 0.0, 9), np.linspace(-0.7, 0.5, 5)
#: Sign of each moment arm: flexion of the hip, extension of the knee, dorsiflexion of the ankle positive.
SIGNS = {
    "hamstrings": {"hip_flexion": -1, "knee_angle": -1},
    "bifemsh": {"knee_angle": -1},
    "glut_max": {"hip_flexion": -1},
    "iliopsoas": {"hip_flexion": 1},
    "rect_fem": {"hip_flexion": 1, "knee_angle": 1},
    "vasti": {"knee_angle": 1},
    "gastroc": {"knee_angle": -1, "ankle_angle": -1},
    "soleus": {"ankle_angle": -1},
    "tib_ant": {"ankle_angle": 1},
}


@pytest.fixture(scope="module")
def stored():
    with np.load(osim_models.path(stored_answers.FILE_NAME)) as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="module")
def paths():
    return geometry.paths()


def test_the_committed_file_is_what_the_script_writes(tmp_path):
    write.main(str(tmp_path / "again.osim"))
    assert (tmp_path / "again.osim").read_bytes() == MODEL.read_bytes()
    assert [file.name for file in tmp_path.iterdir()] == ["again.osim"]


def test_an_unknown_file_is_answered_with_the_known_ones():
    assert osim_models.path("planar_gait") == MODEL
    with pytest.raises(InputError, match="did you mean 'planar_gait'"):
        osim_models.path("planar_gate.osim")


def _rows(value):
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _rows(item)
    elif isinstance(value, tuple):
        for item in value:
            yield from _rows(item)


def test_every_number_names_a_source_and_every_source_is_used():
    tabulated = {name: value for name, value in vars(tables).items() if name.isupper() and name[0] != "_"}
    used = {tables.DELP_KNEE_SOURCE}
    for name, value in tabulated.items():
        rows = list(_rows(value))
        used |= {row.source for row in rows}
        # what is not a row: the source texts, the persons the rows are for, the knee with a source of its own
        bare = {"SOURCES", "DELP_KNEE", "DELP_KNEE_SOURCE"}
        assert rows or name in bare or name.endswith(("HEIGHT_M", "MASS_KG")), name
    assert used == set(tables.SOURCES)


def test_masses_add_up_to_the_person():
    model = read_model(MODEL)
    assert model.total_mass == pytest.approx(osim_models.GENERIC_MASS_KG, rel=1e-14)
    shares = tables.SEGMENTS
    legs = sum(shares[name].mass for name in ("thigh", "shank", "foot"))
    assert shares["hat"].mass + 2 * legs == pytest.approx(1.0, abs=1e-12)


def test_pelvis_and_torso_together_are_head_arms_and_trunk():
    pelvis, torso, *_ = bodies.bodies()
    mass = pelvis.mass + torso.mass
    heights = pelvis.mass_center[1], torso.mass_center[1] + bodies.lumbar_height()
    center = (pelvis.mass * heights[0] + torso.mass * heights[1]) / mass
    moment = sum(
        body.inertia[2] + body.mass * (height - center) ** 2
        for body, height in zip((pelvis, torso), heights, strict=True)
    )
    length = 0.28 * 1.80
    assert mass == pytest.approx(0.678 * 75.0, rel=1e-14)
    assert center == pytest.approx(0.626 * length, rel=1e-14)
    assert moment == pytest.approx(mass * (0.496 * length) ** 2, rel=1e-14)


def test_moments_of_inertia_are_those_of_solid_bodies():
    for body in bodies.bodies():
        x, y, z = body.inertia
        assert min(x, y, z) > 0
        assert x + y >= z and y + z >= x and z + x >= y, body.name


def test_spheres_touch_the_ground_where_the_sole_does():
    spheres = {sphere.name: sphere for sphere in read_model(MODEL).contact_spheres}
    assert set(spheres) == {"heel_r", "toe_r", "heel_l", "toe_l"}
    for name, sphere in spheres.items():
        point = bodies.contact_points()[name[:-2]]
        assert sphere.body == f"foot_{name[-1]}"
        assert (sphere.location[0], sphere.location[1] - sphere.radius) == pytest.approx(point[:2], abs=1e-15)
    assert bodies.contact_points()["toe"][:2] == pytest.approx((0.2736 * 0.85 - 0.06, -0.07), abs=1e-15)


def test_moment_arms_keep_their_sign_over_the_gait_range(paths):
    for hip, knee, ankle in itertools.product(HIP, KNEE, ANKLE):
        angles = {"hip_flexion": hip, "knee_angle": knee, "ankle_angle": ankle}
        for muscle, signs in SIGNS.items():
            for coordinate in geometry.COORDINATES:
                arm = geometry.moment_arm(paths[muscle], coordinate, angles)
                sign = signs.get(coordinate, 0)
                at_least_m = 0.004
                assert sign * arm > at_least_m if sign else abs(arm) < 1e-12, (muscle, coordinate, angles)


def test_fitted_points_meet_the_published_moment_arms(paths):
    for arms in tables.ARMS:
        scale = osim_models.GENERIC_HEIGHT_M / arms.height_m
        path, name = paths[arms.muscle], arms.coordinate
        ours = [geometry.moment_arm(path, name, {name: q}) for q in arms.angles]
        error = np.array(ours) - scale * np.array(arms.arms)
        assert np.sqrt(np.mean(error**2)) < 0.007, arms.point


def test_moment_arms_are_near_those_of_a_published_planar_model(shared, paths):
    with np.load(shared / "models" / "gait10dof18musc_subject01.npz") as file:
        published = {name: file[name] for name in ("coord_names", "q", "musc_names", "musc_ma")}
    coordinates, names = list(published["coord_names"]), list(published["musc_names"])
    # deeper knee flexion left out: there the published lines of pull pass the knee's axis
    gait = {"hip_flexion": (-0.6, 1.6), "knee_angle": (-1.6, 0.0), "ankle_angle": (-0.7, 0.5)}
    for muscle, signs in SIGNS.items():
        differences = {coordinate: [] for coordinate in signs}
        for side, q in itertools.product("rl", range(len(published["q"]))):
            columns = {name: coordinates.index(f"{name}_{side}") for name in geometry.COORDINATES}
            angles = {name: published["q"][q, column] for name, column in columns.items()}
            arms = published["musc_ma"][q, names.index(f"{muscle}_{side}")]
            in_gait = all(gait[name][0] <= angles[name] <= gait[name][1] for name in signs)
            if np.isnan(arms).any() or not in_gait:
                continue
            for coordinate in signs:
                arm = geometry.moment_arm(paths[muscle], coordinate, angles)
                differences[coordinate].append(arm - arms[columns[coordinate]])
        for coordinate, values in differences.items():
            case = (muscle, coordinate, values)
            assert len(values) >= 3, case
            assert np.abs(values).max() < 0.025 and abs(np.mean(values)) < 0.015, case


def test_fibres_work_near_their_optimal_length_in_walking():
    # touch-down, mid-stance, push-off, early swing of walking (rad), as in Winter's mean curves
    postures = [(0.35, -0.1, 0.0), (0.0, -0.25, 0.1), (-0.25, -0.6, -0.3), (0.15, -1.1, -0.1)]
    for muscle in muscles.muscles():
        for posture in postures:
            angles = dict(zip(geometry.COORDINATES, posture, strict=True))
            along = float(geometry.length(muscle.path, angles)) - muscle.tendon_slack_length
            across = muscle.optimal_fiber_length * np.sin(muscle.pennation_angle_at_optimal)
            normalized = np.hypot(along, across) / muscle.optimal_fiber_length
            assert along > 0 and 0.5 < normalized < 1.3, (muscle.name, posture, normalized)


def test_left_muscles_mirror_the_right_ones(stored):
    names = list(stored["musc_names"])
    assert names == [f"{muscle}_{side}" for side in "rl" for muscle in SIGNS]
    coordinates = list(stored["coord_names"])
    mirrored = stored["q"].copy()
    for name in geometry.COORDINATES:
        right, left = coordinates.index(f"{name}_r"), coordinates.index(f"{name}_l")
        mirrored[:, [right, left]] = mirrored[:, [left, right]]
    for side in "rl":
        for muscle, path in geometry.paths().items():
            q = stored["q"] if side == "r" else mirrored
            columns = [coordinates.index(f"{name}_r") for name in geometry.COORDINATES]
            for k, row in enumerate(q[:, columns]):
                angles = dict(zip(geometry.COORDINATES, row, strict=True))
                opensim = stored["musc_len"][k, names.index(f"{muscle}_{side}")]
                assert float(geometry.length(path, angles)) == pytest.approx(opensim, abs=1e-12)


def test_stored_answers_hold_what_the_model_has(stored):
    model = read_model(MODEL)
    assert list(stored["coord_names"]) == [coordinate.name for coordinate in model.coordinates]
    assert list(stored["imu_frames"]) == [frame.name for frame in model.imu_frames]
    assert stored["contact_names"].size == 4 and (stored["contact_force"][:, :, 1] > 10.0).sum() >= 10
    assert osim_models.path(stored_answers.FILE_NAME).stat().st_size < 300_000


def test_opensim_still_answers_the_same(stored, tmp_path):
    stored_answers.compute(MODEL, tmp_path / "fresh.npz")
    with np.load(tmp_path / "fresh.npz") as fresh:
        assert set(fresh.files) == set(stored)
        for name, values in stored.items():
            if values.dtype.kind == "U":
                assert list(values) == list(fresh[name])
            else:
                np.testing.assert_allclose(fresh[name], values, rtol=1e-12, atol=1e-9, err_msg=name)


def test_opensim_loads_the_model_without_a_warning():
    result = run_job(describe_model, {"model": Path(MODEL)}, timeout_s=120.0)
    assert result.log_warnings == []
    assert "Parameter update" not in result.log
    assert result.values["total_mass_kg"] == pytest.approx(75.0, rel=1e-12)


def test_a_motion_with_its_legs_exchanged_is_one_of_the_same_body():
    """So sensors of both sides, wholly exchanged, cannot be told by any signal in the plane."""
    model = read_model(MODEL)
    functions = build(model, model.imu_frames)
    rng = np.random.default_rng(0)
    inputs = {
        "q": rng.uniform(-0.5, 0.5, (5, len(functions.coordinates))),
        "u": rng.normal(size=(5, len(functions.coordinates))),
        "udot": 10 * rng.normal(size=(5, len(functions.coordinates))),
        "contact_force": 300 * rng.normal(size=(5, 3 * len(functions.contact_points))),
    }
    inputs["contact_force"][:, 2::3] = 0.0
    places = {"sensor_position": np.concatenate([frame.position for frame in model.imu_frames])}

    sides = {"_r": "_l", "_l": "_r"}

    def exchange(names, size=1):
        """Return the places in an axis of what the other side has."""
        other = [re.sub(r"_[rl](?=_|$)", lambda side: sides[side[0]], name) for name in names]
        at = np.array([list(names).index(name) for name in other])
        return (size * at[:, None] + np.arange(size)).ravel()

    coordinates, points = exchange(functions.coordinates), exchange(functions.contact_points, 3)
    sensors = exchange(functions.sensors, 3)
    found = functions.at("dynamics", **inputs, **places)
    mirrored = {name: value[:, coordinates] for name, value in inputs.items() if name != "contact_force"}
    mirrored["contact_force"] = inputs["contact_force"][:, points]
    other = functions.at("dynamics", **mirrored, **places)
    in_plane = [k for k in range(len(sensors)) if k % 3 < 2]
    np.testing.assert_allclose(other["tau"], found["tau"][:, coordinates], atol=1e-9)
    np.testing.assert_allclose(
        other["imu_acceleration"][:, in_plane], found["imu_acceleration"][:, sensors][:, in_plane], atol=1e-9
    )
    np.testing.assert_allclose(other["imu_angular_rate"], found["imu_angular_rate"][:, sensors], atol=1e-12)
