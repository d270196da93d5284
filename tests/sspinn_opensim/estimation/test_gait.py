"""Gait of an estimate whose forward speed and foot strikes are known."""

import json

import numpy as np
import pytest

from sspinn_opensim.estimation import Estimate
from sspinn_opensim.estimation.gait import gait_of, write_gait
from sspinn_opensim.estimation.inference.ground import GroundForces
from sspinn_opensim.gait.files import read_cycles
from sspinn_opensim.recording import Phase
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.training.coverage import Uncovered

RATE_HZ, SPEED_M_S, STRIDE_S, STANCE_S, SECONDS = 100.0, 1.2, 1.0, 0.6, 10.0


@pytest.fixture(scope="module")
def estimate(walker):
    """Return an estimate that moves forward evenly, legs still, a foot down for 0.6 s of each second."""
    subject = walker.subject
    model, roles = subject.model, subject.roles
    time_s = 1.0 + np.arange(round(SECONDS * RATE_HZ)) / RATE_HZ
    q = np.tile([c.default for c in model.coordinates], (len(time_s), 1))
    q[:, roles.forward] = SPEED_M_S * time_s
    feet = tuple(dict.fromkeys(subject.feet))
    force = np.zeros((len(time_s), len(feet), 3))
    for k, foot in enumerate(feet):
        phase = np.mod(time_s / STRIDE_S + (0.5 if foot.endswith("_l") else 0.0), 1.0) * STRIDE_S
        force[:, k, 1] = subject.body_weight * np.clip(np.minimum(phase, STANCE_S - phase) / 0.04, 0, 1)
    zero = np.zeros_like(force)
    actuated = tuple(model.coordinate_names[i] for i in roles.actuated)
    moments = np.ones((len(time_s), len(actuated)))
    ground = GroundForces(feet, force, zero, zero)
    return Estimate(time_s, model.coordinate_names, q, actuated, moments, ground, np.zeros(len(time_s)))


PHASES = (Phase("walking", 0.0, 11.0, 120.0),)


def test_spatiotemporal_values_are_those_of_the_motion(estimate, walker, tmp_path):
    gait = gait_of(estimate, walker.subject, PHASES, ())
    told = gait.told["walking"]
    assert told["cadence_steps_per_min"] == pytest.approx(120.0, rel=1e-6)
    assert told["both"]["speed_m_s"] == pytest.approx(SPEED_M_S, rel=1e-6)
    assert told["both"]["stride_length_m"] == pytest.approx(SPEED_M_S * STRIDE_S, rel=1e-6)
    # Legs do not move: each step is the way of the body in half a stride.
    assert told["right"]["step_length_m"] == pytest.approx(SPEED_M_S * STRIDE_S / 2, abs=1e-6)
    assert told["both"]["step_width_m"] is None  # the model stays in the plane
    assert told["both"]["stance_percent"] == pytest.approx(60 - 0.4, abs=0.1)
    assert told["right"]["strides"] + told["left"]["strides"] == len(gait.values) == 18
    write_gait(gait, tmp_path)
    files = ResultsFolder(tmp_path)
    assert json.loads(files.spatiotemporal.read_text())["phases"][0]["kind"] == "walking"
    assert len(files.strides.read_text().splitlines()) == 19
    right, left = read_cycles(files.gait_cycles)
    assert (right.side, left.side) == ("r", "l")
    # Curves stand under the names and in the units of the estimate's files; the way counts from the strike.
    assert right.mean["pelvis_tx"][[0, 100]] == pytest.approx([0.0, SPEED_M_S * STRIDE_S], abs=1e-6)
    assert right.mean["knee_angle_r_moment"] == pytest.approx(1.0)
    assert right.mean["foot_r_ground_force_vy"].max() == pytest.approx(walker.subject.body_weight, rel=1e-6)
    knee = walker.subject.model.coordinate("knee_angle_r").default
    assert right.mean["knee_angle_r"] == pytest.approx(np.degrees(knee))


def test_spans_that_are_not_covered_hold_no_stride_and_are_named(estimate, walker):
    turn = Uncovered(5.0, 6.0, "the person turns")
    gait = gait_of(estimate, walker.subject, PHASES, (turn,))
    assert not any(s.from_s < 6.0 and s.to_s > 5.0 for s in gait.strides.strides)
    assert gait.told["uncovered"] == [{"from_s": 5.0, "to_s": 6.0, "reason": "the person turns"}]


def test_standing_still_gives_no_stride(estimate, walker):
    gait = gait_of(estimate, walker.subject, (Phase("standing", 0.0, 11.0),), ())
    assert gait.values == [] and gait.cycles == [] and "walking" not in gait.told
