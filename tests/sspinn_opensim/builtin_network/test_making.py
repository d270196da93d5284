"""People of our own making: their physics is exact, their sensors err as said, nothing recorded is read."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from casadi_dynamics.symbolic import build
from sspinn_opensim.builtin_network.making.gaits import draw_styles, task_of
from sspinn_opensim.builtin_network.making.people import motion_of, sized, standing, with_soles
from sspinn_opensim.builtin_network.making.sensors import wear
from sspinn_opensim.simulation.optimal_gait import GaitTask, OptimalGait, solve
from sspinn_opensim.simulation.periodic import coefficients_of, periodic_motion

#: Body weights that the root may be out of balance: what the optimal control was asked for (1e-9), rounded.
BALANCE = 1e-6


@pytest.fixture(scope="module")
def style():
    """Return a slow walk, whose optimal control takes few iterations."""
    return draw_styles(6, 1)[0]


@pytest.fixture(scope="module")
def gait(planar_model, style) -> OptimalGait:
    body = with_soles(planar_model, style.sole_heel_m, style.sole_forefoot_m)
    return solve(body, task_of(style))


def inverse_dynamics(model, motion):
    """Return generalized forces of a motion under its contact forces, by the functions that training uses."""
    functions = build(model, ())
    found = functions.at(
        functions.dynamics,
        q=motion.q,
        u=motion.u,
        udot=motion.udot,
        contact_force=motion.force.reshape(len(motion.q), -1),
        sensor_position=np.zeros((len(motion.q), 0)),
    )
    return found["tau"]


@pytest.mark.parametrize(("length", "mass"), [(1.0, 1.0), (0.85, 0.7)])
def test_a_gait_is_exact_at_any_size(planar_model, style, gait, length, mass):
    """Of a similar body at similar times: nothing but the ground holds the pelvis."""
    body = with_soles(planar_model, style.sole_heel_m, style.sole_forefoot_m)
    person = sized(body, length, mass)
    knots_s = gait.task.knot_times_s * np.sqrt(length)
    motion = motion_of(gait, body, length, mass, knots_s)
    tau = inverse_dynamics(person, motion)
    weight = -person.gravity[1] * person.total_mass
    steps = [k for k, coordinate in enumerate(person.coordinates) if coordinate.motion != "rotational"]
    assert np.abs(tau[:, steps]).max() < BALANCE * weight
    # Forces act at the sphere's lowest point here, and half as deep in the floor where the law puts them.
    assert np.abs(tau - motion.tau).max() < 0.005 * weight * length
    assert motion.force[..., 1].sum(1).mean() > 0.8 * weight


def test_who_stands_is_borne_by_both_feet(planar_model):
    posture = {"knee_angle_r": -0.1, "hip_flexion_r": 0.05, "ankle_angle_r": 0.05}
    posture |= {f"{name[:-2]}_l": value for name, value in posture.items()}
    weight = -planar_model.gravity[1] * planar_model.total_mass
    motion = standing(planar_model, posture, weight, 3)
    tau = inverse_dynamics(planar_model, motion)
    vertical = planar_model.coordinate_names.index("pelvis_ty")
    assert np.abs(tau[:, vertical]).max() < 1e-6 * weight


def test_styles_are_many_and_the_same_each_time():
    styles = draw_styles(30, 5)
    assert styles == draw_styles(30, 5) != draw_styles(30, 6)
    speeds = {kind: [s.speed_m_s for s in styles if s.running == kind] for kind in (False, True)}
    assert len(speeds[False]) == 20 and min(speeds[False]) < 0.8 and max(speeds[False]) > 1.8
    assert min(speeds[True]) < 2.3 and max(speeds[True]) > 4.5
    assert 0 < sum(not style.symmetric for style in styles) < 15
    assert {style.forefoot for style in styles if style.running} == {0.0, 1.0}


def test_a_limp_has_a_spline_for_each_leg():
    names = ("pelvis_tx", "knee_angle_r", "knee_angle_l")
    places = coefficients_of(names, 12, symmetric=False)
    unknowns = np.random.default_rng(0).normal(size=1 + 3 * 12)
    maps = periodic_motion(names, 1.0, 12, np.array([0.1, 0.6, 1.1]), symmetric=False)
    q = (maps.q @ unknowns).reshape(3, 3)
    assert places["knee_angle_l"] == slice(25, 37)
    assert q[2, 1:] == pytest.approx(q[0, 1:]) and q[2, 0] - q[0, 0] == pytest.approx(unknowns[0])
    assert q[1, 2] != pytest.approx(q[0, 1])
    changed = unknowns.copy()
    changed[places["knee_angle_l"]] += 1.0
    moved = (maps.q @ changed).reshape(3, 3) - q
    assert moved[:, :2] == pytest.approx(0.0) and moved[:, 2] == pytest.approx(1.0)


def test_sensors_are_turned_and_shifted_and_some_are_not_worn():
    """Of a body that rests every worn sensor reads gravity, turned; a moved one reads what rotation adds."""
    generator, segments = torch.Generator().manual_seed(0), ("pelvis", "femur", "tibia", "foot")
    still = torch.zeros(200, 50, 4, 2)
    still[..., 1] = 9.81
    worn = wear(still, torch.zeros(200, 50, 4), torch.zeros_like(still), 0.01, segments, generator)
    magnitude = worn.acceleration.norm(dim=-1).mean(1)
    missing = magnitude == 0.0
    assert 0.05 < missing.float().mean() < 0.3 and (worn.angular_rate.mean(1)[missing] == 0.0).all()
    # Biases of 0.15 m/s^2 and a scale of 1 %, at most five times.
    assert ((magnitude - 9.81).abs()[~missing] < 1.3).all()
    mean = worn.acceleration.mean(1)[~missing]
    turn = torch.rad2deg(torch.atan2(mean[:, 0], mean[:, 1]))
    # Deviations of up to 8 degrees: the square root of a third of it, and biases of 0.9.
    assert 3.5 < turn.std() < 6.0 and turn.abs().max() < 20.0
    spinning = torch.full((200, 50, 4), 5.0)
    spun = wear(torch.zeros_like(still), spinning, torch.zeros_like(still), 0.01, segments, generator)
    felt = spun.acceleration.mean(1).norm(dim=-1)
    # 25 rad^2/s^2 times 2 cm along each of two axes.
    assert 0.3 < felt[felt > 0].square().mean().sqrt() < 1.1


_WATCHED = """
import json, os, sys
opened = []
def watch(event, a):
    if event == "open" and isinstance(a[0], str):
        opened.append(a[0])
sys.addaudithook(watch)
from sspinn_opensim.builtin_network.making.__main__ import main
few = ["--gaits", "1", "--standers", "1", "--steps", "2"]
main(["--out", sys.argv[1], "--network", sys.argv[1] + "/network.pt", *few])
print(json.dumps([os.path.abspath(name) for name in opened]))
"""


@pytest.mark.slow
def test_nothing_that_anyone_recorded_is_read(repository, tmp_path):
    """The making of one gait and two steps, watched: it opens code, the built-in model and its own files."""
    done = subprocess.run(
        [sys.executable, "-c", _WATCHED, str(tmp_path / "made")],
        cwd=repository, capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    opened = json.loads(done.stdout.splitlines()[-1])
    assert (tmp_path / "made" / "network.pt").is_file()
    inside = [name for name in opened if name.startswith(str(repository.parent))]
    assert any(name.endswith("planar_gait.osim") for name in inside)
    data = {name for name in inside if not name.endswith((".py", ".pyc", "planar_gait.osim"))}
    assert not data
    recorded = (".csv", ".mat", ".npz", ".c3d", ".trc", ".mot", ".sto", ".parquet", "usual_gait.json")
    assert not [name for name in opened if name.endswith(recorded) and str(tmp_path) not in name]


def test_the_task_of_a_style_is_what_the_style_says(style):
    task = task_of(style)
    assert isinstance(task, GaitTask) and task.cycle_s == style.cycle_s and task.symmetric == style.symmetric
    stiff = dataclasses.replace(style, stiff_knee={"r": 0.5, "l": 0.0})
    bent, straight = (task_of(stiff).angles[f"knee_angle_{side}"](np.arange(100.0)).min() for side in "rl")
    assert bent > 0.6 * straight and not task_of(stiff).symmetric
