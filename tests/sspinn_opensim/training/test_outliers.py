"""Errors with outliers cost what Student's distribution says, and their scale is found among them."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy import stats

from sspinn_opensim.training.cohort import single_person_cohort
from sspinn_opensim.training.estimator import PersonNetwork
from sspinn_opensim.training.objective import Objective
from sspinn_opensim.training.outliers import DEGREES, FOLLOW, ErrorScales, heavy_tailed, likelier_square
from sspinn_opensim.training.settings import TrainingSettings
from sspinn_opensim.training.signals import make_signals
from sspinn_opensim.training.trainer import Trainer


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_the_cost_is_twice_the_negative_logarithm_of_students_density():
    """Up to what no error changes, and times the square of the scale over the allowed one."""
    errors, scale, allowed = np.linspace(-9.0, 9.0, 19), 1.7, 1.3
    most, each = (stats.t.logpdf(at, DEGREES, scale=scale) for at in (0.0, errors))
    expected = 2 * (most - each) * scale**2 / allowed
    found = heavy_tailed(torch.tensor(errors)[:, None], double(allowed), double(scale**2))[:, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_an_error_of_the_usual_size_pulls_as_its_square_would_and_a_large_one_less():
    usual, allowed = 0.6, 0.5
    for error, share in ((usual, 1.0), (5 * usual, (DEGREES + 1) / (DEGREES + 25))):
        x = double(error).requires_grad_()
        cost = heavy_tailed(x, double(allowed), double(usual**2)).sum()
        (pull,) = torch.autograd.grad(cost, x)
        assert float(pull) == pytest.approx(share * 2 * error / allowed, rel=1e-12)


def test_nothing_is_an_outlier_of_much_less_than_what_matters():
    """A channel that fits to a hundredth of what is allowed is as one that fits to half of it."""
    cost = [heavy_tailed(double(0.3), double(1.0), double(square)) for square in (1e-4, 0.25)]
    assert cost[0] == cost[1]


def test_the_scale_is_the_most_likely_one():
    """At the scale found, the likelihood that scipy states is larger than a hundredth beside it."""
    errors = stats.t.rvs(DEGREES, scale=0.4, size=3000, random_state=1)
    square = double(50.0)
    for _ in range(200):
        square = likelier_square(torch.tensor(errors)[:, None], square)
    scale = float(square) ** 0.5
    likelihood = [stats.t.logpdf(errors, DEGREES, scale=s * scale).sum() for s in (0.99, 1.0, 1.01)]
    assert likelihood[1] == max(likelihood) and scale == pytest.approx(0.4, rel=0.05)


def test_outliers_hardly_move_the_scale():
    """One sample in a hundred, thirty times as large, doubles the root mean square and not the scale."""
    rng = np.random.default_rng(0)
    errors = rng.normal(size=(2000, 1))
    rung = np.where(np.arange(2000)[:, None] % 100 == 0, 30.0, errors)
    scales = []
    for signal in (errors, rung):
        square = double(1.0)
        for _ in range(100):
            square = likelier_square(torch.tensor(signal), square)
        scales.append(float(square) ** 0.5)
    assert rung.std() > 3 * errors.std() and scales[1] < 1.1 * scales[0]


def test_scales_start_at_the_signals_and_follow_the_errors():
    rng = torch.Generator().manual_seed(0)
    signals = [torch.randn(500, 2, generator=rng) * 5 for _ in range(2)]
    scales = ErrorScales(*signals)
    assert torch.allclose(scales.acceleration, signals[0].var(dim=0))
    error = 0.1 * torch.randn(4, 100, 2, generator=rng)
    before = scales.acceleration.clone()
    scales.follow(error, error)
    wanted = (1 - FOLLOW) * before + FOLLOW * likelier_square(error.flatten(0, 1), before)
    assert torch.allclose(scales.acceleration, wanted)
    for _ in range(300):
        scales.follow(error, error)
    assert float(scales.angular_rate.max()) < 0.1**2


@pytest.fixture(scope="module")
def raw_walker(walker):
    """Return the walker's signals as those of a recording that states no variance."""
    unknown = np.zeros_like(walker.recording.acceleration_variance)
    recording = dataclasses.replace(
        walker.recording, acceleration_variance=unknown, angular_rate_variance=unknown
    )
    # Its strides are as short as those of a run.
    return dataclasses.replace(make_signals(recording, walker.subject), runs=False)


def scales_of(trainer) -> ErrorScales:
    estimator = trainer.estimators[0]
    assert isinstance(estimator, PersonNetwork)
    return estimator.error_scales


SETTINGS = TrainingSettings(steps=3, batch=2, window_s=0.3, unscored_s=0.1)


def loss_of(trainer, step=SETTINGS.steps - 1):
    objective = Objective(trainer.cohort, SETTINGS, list(trainer.estimators))
    return objective(trainer.source.draw(0), step).terms


def test_a_walk_is_heavy_tailed_and_a_mean_over_strides_or_a_run_is_not(walker, raw_walker):
    """With scales that take all for outliers the raw walk costs less, and only once forces count in full."""
    running = dataclasses.replace(raw_walker, runs=True)
    for signals, less in ((walker.signals, False), (running, False), (raw_walker, True)):
        trainer = Trainer(single_person_cohort(walker.subject, signals), SETTINGS)
        with torch.no_grad():
            wide = loss_of(trainer)
            for square in scales_of(trainer).buffers():
                square.fill_(0.0)
            narrow = loss_of(trainer)
        for name in ("acceleration", "angular_rate"):
            if less:
                assert narrow[name] < 0.9 * wide[name]
            else:
                assert narrow[name] == wide[name]
        assert narrow["mounting"] == wide["mounting"]
        with torch.no_grad():
            first = loss_of(trainer, 0)
            for square in scales_of(trainer).buffers():
                square.fill_(100.0)
            assert loss_of(trainer, 0)["acceleration"] == first["acceleration"]


def test_a_training_follows_and_resumes_with_its_scales(walker, raw_walker):
    people = single_person_cohort(walker.subject, raw_walker)
    first = Trainer(people, SETTINGS)
    start = scales_of(first).acceleration.clone()
    first.run(lambda _: None, lambda _: None)
    found = scales_of(first)
    assert not torch.equal(found.acceleration, start)
    again = Trainer(people, SETTINGS)
    again.load(first.state())
    for own, theirs in zip(scales_of(again).buffers(), found.buffers(), strict=True):
        assert torch.equal(own, theirs)
