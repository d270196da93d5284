"""The program of each frame against general-purpose optimizers of scipy."""

import numpy as np
import pytest
from scipy.optimize import minimize

from casadi_dynamics.errors import InputError
from sspinn_opensim.muscles.program import share

ROWS, MUSCLES = 4, 14


@pytest.fixture(scope="module")
def frames():
    """Return matrices, forces and bounds: muscles 0.01 to 1, and a dear actuator for each row."""
    random = np.random.default_rng(5)
    pulls = random.normal(0, 40, (6, ROWS, MUSCLES)) * (random.random((6, ROWS, MUSCLES)) < 0.5)
    matrix = np.concatenate([pulls, np.tile(np.eye(ROWS), (6, 1, 1))], axis=2)
    wanted = np.einsum("nrc,nc->nr", pulls, random.uniform(0, 1.1, (6, MUSCLES)))
    lower = np.r_[np.full(MUSCLES, 0.01), np.full(ROWS, -np.inf)]
    upper = np.r_[np.ones(MUSCLES), np.full(ROWS, np.inf)]
    return matrix, wanted, lower, upper


def reference(matrix, tau, lower, upper, exponent, start):
    """Return the least sum that scipy's sequential programming finds."""
    found = minimize(
        lambda x: np.sum(np.abs(x) ** exponent),
        start,
        jac=lambda x: exponent * np.sign(x) * np.abs(x) ** (exponent - 1),
        bounds=list(zip(lower, upper, strict=True)),
        constraints={"type": "eq", "fun": lambda x: matrix @ x - tau, "jac": lambda x: matrix},
        method="SLSQP",
        options={"maxiter": 3000, "ftol": 1e-14},
    )
    assert found.status in (0, 8), found.message  # 8: rounding leaves no way further down
    return found


@pytest.mark.parametrize("exponent", [2.0, 3.0, 6.0])
def test_the_sum_of_powers_is_least(frames, exponent):
    matrix, tau, lower, upper = frames
    found = share(matrix, tau, lower, upper, exponent)
    assert found.solved.all() and np.abs(found.missing).max() < 1e-9
    assert ((found.controls >= lower - 1e-9) & (found.controls <= upper + 1e-9)).all()
    for i in range(len(tau)):
        middle = np.r_[np.full(MUSCLES, 0.5), np.zeros(ROWS)]
        expected = reference(matrix[i], tau[i], lower, upper, exponent, middle)
        # SLSQP stops at about the root of its 1e-14 in the controls, and thereby at 1e-8 in the sum.
        assert np.sum(np.abs(found.controls[i]) ** exponent) <= expected.fun * (1 + 1e-7)
        np.testing.assert_allclose(found.controls[i], expected.x, atol=1e-3 if exponent < 6 else 3e-2)


def test_some_muscles_are_at_their_bounds(frames):
    controls = share(*frames).controls[:, :MUSCLES]
    assert (np.abs(controls - 0.01) < 1e-12).any() and (np.abs(controls - 1) < 1e-12).any()


def test_a_frame_does_not_depend_on_those_before_it(frames):
    matrix, tau, lower, upper = frames
    together = share(matrix, tau, lower, upper).controls
    for i in range(len(tau)):
        alone = share(matrix[i : i + 1], tau[i : i + 1], lower, upper).controls[0]
        np.testing.assert_allclose(alone, together[i], atol=1e-9)


def test_what_the_bounds_forbid_is_reported_and_solved_as_closely_as_can_be(frames):
    matrix, tau, lower, upper = frames
    matrix, lower, upper = matrix[:, :, :MUSCLES], lower[:MUSCLES], upper[:MUSCLES]
    tau = tau.copy()
    tau[2] *= 50
    found = share(matrix, tau, lower, upper)
    assert not found.solved[2] and np.abs(found.missing[2]).max() > 1
    assert np.isfinite(found.controls).all()
    best = minimize(
        lambda x: np.sum((matrix[2] @ x - tau[2]) ** 2),
        np.full(MUSCLES, 0.5),
        jac=lambda x: 2 * matrix[2].T @ (matrix[2] @ x - tau[2]),
        bounds=list(zip(lower, upper, strict=True)),
        options={"maxiter": 3000, "ftol": 1e-15, "gtol": 1e-10},
    )
    assert np.sum(found.missing[2] ** 2) <= best.fun * (1 + 1e-6)
    # the frames after it are none the worse
    after = share(matrix[3:], tau[3:], lower, upper)
    np.testing.assert_array_equal(found.solved[3:], after.solved)
    np.testing.assert_allclose(found.controls[3:], after.controls, atol=1e-9)


@pytest.mark.parametrize("exponent", [1.0, 1.5, 0.0, -2.0, np.nan, np.inf])
def test_powers_without_curvature_are_refused(frames, exponent):
    with pytest.raises(InputError, match="power of the activations"):
        share(*frames, exponent)


def test_bounds_the_wrong_way_round_are_refused(frames):
    matrix, tau, lower, upper = frames
    with pytest.raises(InputError, match="above its largest"):
        share(matrix, tau, np.r_[2.0, lower[1:]], upper)
