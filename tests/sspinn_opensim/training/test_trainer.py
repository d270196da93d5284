import dataclasses
import signal

import numpy as np
import pytest
import torch

from casadi_dynamics.errors import InputError
from sspinn_opensim.training import losses
from sspinn_opensim.training.cohort import single_person_cohort
from sspinn_opensim.training.loss_terms import TERMS
from sspinn_opensim.training.objective import TrainingDivergedError
from sspinn_opensim.training.settings import TrainingSettings
from sspinn_opensim.training.signals import make_signals
from sspinn_opensim.training.trainer import Trainer, no_longer_falls

#: Terms of the history: the one that leads forces at the start is none of them.
RECORDED = {name: term for name, term in TERMS.items() if not term.leads_force}
SETTINGS = TrainingSettings(steps=10, batch=4, window_s=0.4, unscored_s=0.1)


@pytest.fixture(scope="module")
def make_trainer(walker):
    """Return a function that makes a trainer; the compiled dynamics are made once."""
    compiled = walker.subject.compiled()

    @dataclasses.dataclass(frozen=True)
    class Compiled(type(walker.subject)):
        def compiled(self, dtype=torch.float32):
            return compiled

    subject = Compiled(
        **{f.name: getattr(walker.subject, f.name) for f in dataclasses.fields(walker.subject)}
    )
    cohort = single_person_cohort(subject, walker.signals)
    return lambda **changes: Trainer(cohort, dataclasses.replace(SETTINGS, **changes))


def nothing(*_):
    pass


class EnoughError(Exception):
    """Raised to stop a training in its tracks."""


def advance(trainer, steps):
    """Train so many steps and no further; the schedule stays that of the whole training."""
    last = trainer.step + steps

    def stop(progress):
        if progress.step == last:
            raise EnoughError

    if last == trainer.settings.steps:
        trainer.run(nothing, nothing)
    else:
        with pytest.raises(EnoughError):
            trainer.run(stop, nothing)
    return trainer


def parts(tree, path=""):
    """Return the leaves of a nested state by their path."""
    if isinstance(tree, dict | list | tuple):
        items = tree.items() if isinstance(tree, dict) else enumerate(tree)
        return {k: v for name, item in items for k, v in parts(item, f"{path}/{name}").items()}
    return {path: tree}


def assert_same(first, second):
    one, other = parts(first), parts(second)
    assert one.keys() == other.keys() and len(one) > 50
    for path, value in one.items():
        same = torch.equal(value, other[path]) if torch.is_tensor(value) else value == other[path]
        assert same, path


def test_a_seed_gives_the_same_training_bit_for_bit(make_trainer):
    one, other = (advance(make_trainer(seed=3), 5) for _ in range(2))
    assert len(one.history) == 5
    assert_same(one.state(), other.state())


def test_another_seed_gives_another_training(make_trainer):
    one, other = (advance(make_trainer(seed=seed), 2) for seed in (0, 1))
    assert one.history[0]["total"] != other.history[0]["total"]


def test_making_a_trainer_leaves_the_caller_s_random_numbers_alone(make_trainer):
    torch.manual_seed(7)
    expected = torch.randn(3)
    torch.manual_seed(7)
    advance(make_trainer(), 1)
    assert torch.equal(torch.randn(3), expected)


def test_a_resumed_training_is_the_uninterrupted_one_bit_for_bit(make_trainer, tmp_path):
    whole = advance(make_trainer(), 10)
    torch.save(advance(make_trainer(), 5).state(), tmp_path / "half.pt")
    resumed = make_trainer()
    resumed.source.draw(7)  # what was drawn before does not matter
    resumed.load(torch.load(tmp_path / "half.pt", weights_only=True))
    assert resumed.step == 5
    assert_same(advance(resumed, 5).state(), whole.state())


def test_run_reports_every_step_and_saves_now_and_then(make_trainer):
    trainer, reported, saved = make_trainer(steps=5), [], []
    trainer.run(reported.append, lambda t: saved.append(t.step), every=2)
    assert [p.step for p in reported] == [1, 2, 3, 4, 5] and saved == [2, 4, 5]
    assert all(p.steps == 5 and set(p.terms) == set(RECORDED) for p in reported)
    assert reported[-1].left_s == 0 < reported[0].left_s
    assert [row["total"] for row in trainer.history] == [p.total for p in reported]
    trainer.run(reported.append, lambda t: saved.append(t.step))
    assert len(reported) == 5 and saved == [2, 4, 5]


def test_the_loss_falls(make_trainer):
    """Before contact terms ramp in, so that the sum is of the same terms throughout."""
    trainer = advance(make_trainer(steps=30, batch=8, force_from=2.0, force_full=3.0), 30)
    totals = [row["total"] for row in trainer.history]
    assert sum(totals[-3:]) < 0.8 * sum(totals[:3])


def test_a_term_of_weight_zero_is_recorded_and_moves_nothing(make_trainer):
    off, never = make_trainer(weights={"mounting": 0.0}), make_trainer()
    never.objective.weights["mounting"] = 1e-30
    for trainer in (off, never):
        advance(trainer, 3)
    assert off.history == never.history and off.history[-1]["mounting"] > 0
    for name, value in off.estimators.state_dict().items():
        assert torch.equal(value, never.estimators.state_dict()[name]), name


def test_sensors_of_a_known_person_are_expected_where_they_were_found(make_trainer):
    """What the prior costs is nothing at first, however far they are from where they are said to sit."""
    found = {name: torch.full((7, 3), 0.1) for name in ("rotation", "shift")}
    trainer = advance(Trainer(make_trainer().cohort, SETTINGS, mounting=found), 1)
    assert trainer.history[0]["mounting"] == 0.0
    assert (trainer.estimators[0].mounting.rotation - 0.1).abs().max() < 0.01


def test_a_term_of_weight_zero_may_be_no_number(make_trainer, monkeypatch):
    spoilt(monkeypatch, "trunk", lambda e: e.tau.sum() * float("nan"))
    trainer = advance(make_trainer(weights={"trunk": 0.0}), 1)
    assert np.isnan(trainer.history[0]["trunk"]) and np.isfinite(trainer.history[0]["total"])


def test_forces_are_led_until_their_terms_count(make_trainer):
    """By a term like any other: its weight is the study's to choose."""
    (led,) = [name for name, term in TERMS.items() if term.leads_force]
    trainer, without = make_trainer(), make_trainer(weights={led: 0.0})
    batch, steps = trainer.source.draw(0), trainer.settings.steps
    with torch.no_grad():
        early, half, late = (trainer.objective(batch, step).parts for step in (0, 0.3 * steps, 0.4 * steps))
    assert early[led] == pytest.approx(2 * half[led]) and led not in late
    assert led not in without.objective(batch, 0).parts
    assert half["torque"] == pytest.approx(late["torque"] / 2) and early["torque"] == 0


def test_the_total_is_the_weighted_sum_once_all_terms_count(make_trainer):
    trainer = advance(make_trainer(weights={"torque": 2.0}, force_from=-1.0, force_full=-0.5), 1)
    row = trainer.history[0]
    weighted = {name: term.weight * row[name] for name, term in RECORDED.items()} | {
        "torque": 2.0 * row["torque"]
    }
    assert row["total"] == pytest.approx(sum(weighted.values()), rel=1e-5)


def test_terms_of_force_wait_until_forces_are_in_place(make_trainer):
    early = advance(make_trainer(), 1).history[0]
    settled = sum(term.weight * early[name] for name, term in RECORDED.items() if not term.needs_force)
    everything = sum(term.weight * early[name] for name, term in RECORDED.items())
    assert settled < early["total"] and early["total"] != pytest.approx(everything, rel=1e-3)


def spoilt(monkeypatch, name, function):
    monkeypatch.setitem(losses.FUNCTIONS, name, lambda e, *scale: function(e))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda e: e.tau.sum() * float("nan"), "the loss term 'trunk' is nan"),
        (lambda e: e.tau.mean() / 0.0 if e.tau.mean() > 0 else -e.tau.mean() / 0.0, "'trunk' is inf"),
        # Finite itself, but the slope of a square root at zero is not.
        (lambda e: (e.motion.q * 0.0).sum().sqrt(), "the gradient of the loss term 'trunk' is not finite"),
    ],
)
def test_a_term_that_diverges_is_named(make_trainer, monkeypatch, function, message):
    spoilt(monkeypatch, "trunk", function)
    trainer = make_trainer(seed=4)
    before = {k: v.clone() for k, v in trainer.estimators.state_dict().items()}
    with pytest.raises(TrainingDivergedError, match=message) as error:
        trainer.run(nothing, nothing)
    assert error.value.where == "step 1, seed 4" and "[training.weights] trunk" in error.value.fix
    unchanged = trainer.estimators.state_dict()
    assert trainer.step == 0 and all(torch.equal(v, unchanged[k]) for k, v in before.items())


def test_the_training_is_silent_and_leaves_nothing_behind(
    make_trainer, tmp_path, monkeypatch, capfd, recwarn
):
    monkeypatch.chdir(tmp_path)
    make_trainer(steps=2).run(nothing, nothing)
    assert capfd.readouterr() == ("", "") and list(tmp_path.iterdir()) == []
    assert not recwarn.list


def test_an_interruption_stays_one(make_trainer):
    handler = signal.getsignal(signal.SIGINT)

    def interrupt(progress):
        raise KeyboardInterrupt

    trainer = make_trainer()
    with pytest.raises(KeyboardInterrupt):
        trainer.run(interrupt, nothing)
    assert signal.getsignal(signal.SIGINT) is handler and trainer.step == 1


def test_a_training_that_no_longer_gains_stops(make_trainer, monkeypatch):
    spoilt(monkeypatch, "trunk", lambda e: 0.0 * e.tau.sum() + 1e6)
    saved = []
    trainer = make_trainer(steps=50, patience=2, force_from=0.0, force_full=0.1, learning_rate=1e-9)
    trainer.run(nothing, lambda t: saved.append((t.step, t.finished)))
    assert trainer.finished and trainer.stopped and 5 < trainer.step < 50
    assert saved == [(trainer.step, True)]
    again = make_trainer(steps=50, patience=2)
    again.load(trainer.state())
    assert again.finished


@pytest.mark.parametrize(
    ("totals", "patience", "since", "stops"),
    [
        ([4, 3, 2, 1], 2, 0, False),
        ([1, 1, 1, 1], 2, 0, True),
        ([1, 2, 3, 4], 2, 0, True),
        ([9, 9, 3, 4, 1, 7], 2, 0, True),
        ([9, 9, 3, 4, 1, 5], 3, 0, False),
        ([1, 1, 1, 1], 0, 0, False),
        ([1, 1, 1], 2, 0, False),
        ([1, 1, 1, 1], 2, 1, False),
        ([1, 1, 1, 1, 1], 2, 1, True),
    ],
)
def test_when_a_loss_no_longer_falls(totals, patience, since, stops):
    rows = [{"step": i, "total": float(total)} for i, total in enumerate(totals, 1)]
    assert no_longer_falls(rows, patience, since) is stops


def test_a_recording_of_less_than_a_step_is_refused(walker, record):
    short = record(walker.model, seconds=0.5)
    signals = make_signals(short, walker.subject)
    with pytest.raises(InputError, match="too short") as error:
        Trainer(single_person_cohort(walker.subject, signals), TrainingSettings(steps=2))
    assert "0.6 s" in error.value.expected and error.value.found == "0.5 s"


def test_a_single_step_is_trained_on_with_shorter_windows(walker, record):
    """Of 0.6 s all frames but the first and the last are scored in the one window there is."""
    step = record(walker.model, seconds=0.6)
    trainer = Trainer(
        single_person_cohort(walker.subject, make_signals(step, walker.subject)),
        TrainingSettings(steps=3, batch=2),
    )
    assert trainer.source.frames == 60 + 59
    trainer.run(lambda _: None, lambda _: None)
    assert len(trainer.history) == 3 and all(np.isfinite(list(row.values())).all() for row in trainer.history)


def test_an_unknown_weight_is_refused_before_training(make_trainer):
    with pytest.raises(InputError, match="'trunc'"):
        make_trainer(weights={"trunc": 1.0})


def test_every_parameter_learns(make_trainer):
    trainer = make_trainer(force_from=-1.0, force_full=-0.5)
    before = {name: value.clone() for name, value in trainer.estimators.named_parameters()}
    advance(trainer, 2)  # the first finds axes of the gradients only
    idle = [name for name, p in trainer.estimators.named_parameters() if torch.equal(p, before[name])]
    assert idle == []


def test_constants_of_the_body_are_not_learnt(make_trainer):
    names = set(make_trainer().estimators[0].state_dict())
    learnt = {name for name, _ in make_trainer().estimators[0].named_parameters()}
    # Where velocities are centred belongs to what was learnt: another recording may have another speed.
    # How large errors are is found, but not by a gradient.
    found = {"error_scales.acceleration", "error_scales.angular_rate"}
    assert names - learnt == {"decoder.centre"} | found


# --- optimizer ---


def test_all_but_matrices_of_the_network_follow_adam(make_trainer):
    """SOAP without axes, against torch's Adam on the same gradients; its first step only looks at one."""
    rng, trainer = np.random.default_rng(3), make_trainer()
    matrices = {id(p) for p in trainer.estimators[0].network.parameters() if p.ndim == 2}
    ours = [p for p in trainer.estimators.parameters() if id(p) not in matrices]
    assert matrices and len(ours) > 3
    theirs = [torch.nn.Parameter(p.detach().clone()) for p in ours]
    group = trainer.optimizer.param_groups[1]
    adam = torch.optim.Adam(theirs, lr=group["lr"], betas=group["betas"])
    for step in range(6):
        for own, other in zip(ours, theirs, strict=True):
            gradient = rng.choice([-1.0, 1.0], own.shape) * rng.uniform(0.5, 1.5, own.shape)
            own.grad = torch.as_tensor(gradient, dtype=own.dtype)
            other.grad = own.grad.clone()
        trainer.optimizer.step()
        if step > 0:
            adam.step()
    for own, other in zip(ours, theirs, strict=True):
        # Rounding of single precision, six times; 1e-8 in a denominator is added before or after dividing.
        torch.testing.assert_close(own, other, rtol=1e-6, atol=1e-6)


def test_matrices_of_the_network_learn_alike_along_any_axes(make_trainer):
    """Where gradients come turned, steps are turned as much; those of Adam, number by number, are not."""
    rng = np.random.default_rng(4)

    def moved(turned):
        trainer = make_trainer()
        matrix = next(p for p in trainer.estimators[0].network.parameters() if p.ndim == 2)
        turn = torch.as_tensor(np.linalg.qr(rng.normal(size=(matrix.shape[1],) * 2))[0], dtype=matrix.dtype)
        before, gradients = matrix.detach().clone(), np.random.default_rng(5)
        for _ in range(8):
            gradient = torch.as_tensor(gradients.normal(size=matrix.shape), dtype=matrix.dtype)
            matrix.grad = gradient @ turn if turned else gradient
            trainer.optimizer.step()
        step = (matrix - before).detach()
        return step @ turn.T if turned else step

    plain, turned = moved(False), moved(True)
    # Single precision, and an order of axes that nearly weigh the same.
    assert (turned - plain).norm() < 1e-2 * plain.norm()
