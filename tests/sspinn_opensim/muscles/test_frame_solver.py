"""Frame by frame against whole trials; and frames that ask for more than muscles have."""

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from casadi_dynamics.symbolic import build
from sspinn_opensim.dynamics.inverse_dynamics import inverse_dynamics, on_independent
from sspinn_opensim.muscles import FrameSolver, MuscleSolver
from sspinn_opensim.opensim_io.static_optimization.preparation import Settings, prepare

WINDOW = (7.7, 8.3)


@pytest.fixture(scope="module", params=[True, False], ids=["physiology", "isometric"])
def solver(request, walk_files):
    settings = Settings(lowpass_hz=6.0, physiology=request.param)
    prepare(walk_files, window=WINDOW, settings=settings)
    return MuscleSolver(
        walk_files / "subject_static_optimization.osim",
        actuators=[walk_files / "static_optimization_actuators.xml"],
        settings=settings,
    )


@pytest.fixture(scope="module")
def trial(solver, walk_files):
    return solver.read(walk_files / "kinematics.mot", walk_files / "external_loads.xml", WINDOW)


@pytest.fixture(scope="module")
def moments(solver, trial):
    """Return the moments (N, free) of inverse dynamics, by the functions of `dynamics`."""
    functions = build(solver._model)
    tau = inverse_dynamics(functions, trial, passive=False)
    by_name = on_independent(functions, trial.q, tau)
    return np.column_stack([by_name[name] for name in solver.free])


def test_frame_by_frame_is_the_whole_trial(solver, trial, moments):
    """The same programs, begun from another guess; each has one solution.

    So what is left is rounding of the optimizer: 1e-9 of an activation, 1e-9 of the largest force.
    """
    whole = solver.distribute(trial)
    frames = FrameSolver(solver, solver.free)
    found = [frames.solve(*state) for state in zip(trial.q, trial.u, moments, strict=True)]
    largest = whole.forces.max()
    np.testing.assert_allclose([f.activations for f in found], whole.activations, rtol=0, atol=1e-9)
    np.testing.assert_allclose([f.forces for f in found], whole.forces, rtol=0, atol=1e-9 * largest)
    actuation = np.column_stack([whole.actuation[name] for name in frames.actuators])
    scale = np.abs(actuation).max()
    np.testing.assert_allclose([f.actuation for f in found], actuation, rtol=0, atol=1e-9 * scale)


def test_residuals_are_nobodys_fault_and_muscles_do_not_depend_on_them(solver, trial, moments):
    """No muscle crosses the joint with ground: without its moments the muscles are the same."""
    joints = [name for name in solver.free if not name.startswith("pelvis")]
    columns = [solver.free.index(name) for name in joints]
    frames, whole = FrameSolver(solver, joints), solver.distribute(trial)
    found = [frames.solve(*state) for state in zip(trial.q, trial.u, moments[:, columns], strict=True)]
    np.testing.assert_allclose([f.activations for f in found], whole.activations, rtol=0, atol=1e-9)
    residuals = [k for k, name in enumerate(frames.actuators) if name.startswith("residual")]
    np.testing.assert_allclose([f.actuation[residuals] for f in found], 0, atol=1e-6)
    assert all("pelvis" not in name for f in found for name in f.unmet)


def test_more_than_the_muscles_have_is_told_and_given_by_the_reserve(solver, trial, moments):
    frames = FrameSolver(solver, solver.free)
    asked = moments[20].copy()
    knee = solver.free.index("knee_angle_r")
    asked[knee] = 2000.0  # N m: several times what any knee gives
    found = frames.solve(trial.q[20], trial.u[20], asked)
    reserve = found.actuation[frames.actuators.index("reserve_knee_angle_r")]
    assert "knee_angle_r" in found.unmet and reserve > 500
    assert found.activations.max() == pytest.approx(1.0)
    usual = FrameSolver(solver, solver.free).solve(trial.q[20], trial.u[20], moments[20] * 0.2)
    assert usual.unmet == ()


def test_a_moment_along_a_locked_coordinate_is_refused(solver):
    with pytest.raises(InputError, match="nothing to act on"):
        FrameSolver(solver, ["mtp_angle_r"])
