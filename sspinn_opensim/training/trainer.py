"""The training loop: windows in, physics losses down, a checkpoint now and then."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from casadi_dynamics.errors import InputError
from sspinn_opensim.training.losses import TERMS, Evidence, Mounting, gather, weights
from sspinn_opensim.training.motion import Decoder, differentiate
from sspinn_opensim.training.network import CausalNetwork
from sspinn_opensim.training.signals import Signals, draw_windows
from sspinn_opensim.training.subject import Subject


@dataclass(frozen=True)
class Settings:
    """How to train.

    Attributes
    ----------
    steps, seed : int
    weights : dict of str to float
        Weights of loss terms that differ from the default.
    batch : int
        Windows per step.
    window_s, unscored_s : float
        Length of a window, and the part at its start that is not scored because the network still settles.
    learning_rate, clip : float
        Peak of the one-cycle schedule, and the largest gradient norm.
    force_from, force_full : float
        Shares of the training after which terms with contact forces begin, and count in full. Before, forces
        are led to where the motion needs them: started from nothing, load sticks to the wrong foot.
    """

    steps: int
    seed: int = 0
    weights: dict[str, float] = field(default_factory=dict)
    batch: int = 24
    window_s: float = 1.6
    unscored_s: float = 0.6
    learning_rate: float = 3e-3
    clip: float = 1.0
    force_from: float = 0.2
    force_full: float = 0.4


class Estimator(nn.Module):
    """All that is learnt: the network, and the mounting of the sensors.

    Parameters
    ----------
    subject : Subject
    signals : Signals
    """

    def __init__(self, subject: Subject, signals: Signals) -> None:
        super().__init__()
        self.decoder = Decoder(subject, signals.speed_m_s)
        self.network = CausalNetwork(signals.input_size, self.decoder.size)
        self.mounting = Mounting(len(subject.functions.sensors))


@dataclass(frozen=True)
class Progress:
    """What a step did: its number, each term (scaled, unweighted), their weighted sum and the time left."""

    step: int
    steps: int
    terms: dict[str, float]
    total: float
    left_s: float


class Trainer:
    """Training of one subject on one recording with one seed; can be stopped and taken up again.

    Parameters
    ----------
    subject : Subject
    signals : Signals
    settings : Settings
    """

    def __init__(self, subject: Subject, signals: Signals, settings: Settings) -> None:
        self.subject, self.signals, self.settings = subject, signals, settings
        self.weights = weights(settings.weights)
        self._frames = round(settings.window_s / signals.step_s)
        self._unscored = max(round(settings.unscored_s / signals.step_s), 1)
        if len(signals.acceleration) < self._frames:
            raise InputError(
                "The recording is too short to train on.",
                where="recording",
                expected=f"at least {settings.window_s:g} s",
                found=f"{len(signals.acceleration) * signals.step_s:g} s",
                fix="give a longer recording",
            )
        self._dynamics = subject.compiled()
        self._generator = torch.Generator().manual_seed(settings.seed)
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed)
            self.estimator = Estimator(subject, signals)
        self._optimizer = torch.optim.Adam(self.estimator.parameters(), lr=settings.learning_rate)
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimizer, settings.learning_rate, total_steps=settings.steps + 1
        )
        self.step = 0
        self.history: list[dict[str, float]] = []

    def run(
        self, report: Callable[[Progress], None], save: Callable[[Trainer], None], every: int = 100
    ) -> None:
        """Train to the end; `report` each step, `save` every so many steps and at the end."""
        started, first = time.monotonic(), self.step
        with one_thread():
            while self.step < self.settings.steps:
                terms, total = self._advance()
                self.history.append({"step": self.step, **terms, "total": total})
                done = self.step - first
                left_s = (time.monotonic() - started) / done * (self.settings.steps - self.step)
                report(Progress(self.step, self.settings.steps, terms, total, left_s))
                if self.step % every == 0 or self.step == self.settings.steps:
                    save(self)

    def _advance(self) -> tuple[dict[str, float], float]:
        settings, signals = self.settings, self.signals
        windows = draw_windows(signals, self._frames, settings.batch, self._generator)
        outputs, _ = self.estimator.network(windows.inputs)
        raw = self.estimator.decoder(outputs)
        motion = differentiate(raw, self.subject, signals.step_s)
        evidence = gather(
            self.subject,
            self._dynamics,
            signals,
            self.estimator.mounting,
            windows,
            raw,
            motion,
            self._unscored,
        )
        share = self.step / settings.steps
        ramp = min(max((share - settings.force_from) / (settings.force_full - settings.force_from), 0.0), 1.0)
        values = {name: term.function(evidence) for name, term in TERMS.items() if self.weights[name] > 0}
        total = sum(
            self.weights[name] * value * (ramp if TERMS[name].needs_force else 1.0)
            for name, value in values.items()
        )
        if ramp < 1:
            total = total + (1 - ramp) * led_force(evidence)
        terms = {name: float(value.detach()) for name, value in values.items()}
        self._check_finite(terms)
        self._optimizer.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(self.estimator.parameters(), settings.clip)
        self._optimizer.step()
        self._schedule.step()
        self.step += 1
        return terms, float(total.detach())

    def _check_finite(self, terms: dict[str, float]) -> None:
        for name, value in terms.items():
            if not math.isfinite(value):
                raise InputError(
                    f"The training diverged: the loss term '{name}' is {value}.",
                    where=f"step {self.step + 1}, seed {self.settings.seed}",
                    expected="a finite number",
                    found=str(value),
                    fix=f"lower its weight ([training.weights] {name} in the study) or try another seed",
                )

    def state(self) -> dict:
        """Return all that a checkpoint needs to go on as if never stopped."""
        return {
            "step": self.step,
            "estimator": self.estimator.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "generator": self._generator.get_state(),
            "history": self.history,
        }

    def load(self, state: dict) -> None:
        """Go on from `state`."""
        self.estimator.load_state_dict(state["estimator"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        self._generator.set_state(state["generator"])
        self.step, self.history = state["step"], list(state["history"])


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread: layers this small lose time on two, and bits do not depend on it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def led_force(evidence: Evidence) -> Tensor:
    """Pull the contact forces to those the motion needs, at the lowest points (scale 0.1 body weight).

    The force the motion needs is what is missing at the root, plus what the contact points already carry; the
    points share it by their height (0.02 m) and over 7 frames, as load moves no faster.
    """
    e, roles = evidence, evidence.subject.roles
    with torch.no_grad():
        carried = e.force_bw.sum(-2)
        missing = torch.zeros_like(carried)
        missing[..., : len(roles.steps)] = e.tau[..., list(roles.steps)] / e.subject.body_weight
        needed = carried + missing
        needed = torch.cat([needed[..., :1], needed[..., 1:2].clamp(min=0.0), needed[..., 2:]], dim=-1)
        share = functional.softmax(-e.contact_position[..., 1] / 0.02, dim=-1)
        share = functional.avg_pool1d(share.transpose(1, 2), 7, 1, 3, count_include_pad=False).transpose(1, 2)
        target = share.unsqueeze(-1) * needed.unsqueeze(-2)
    return ((e.force_bw - target) / 0.1).square().mean()
