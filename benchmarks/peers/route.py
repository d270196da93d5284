"""What a route is, and how its work is timed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

FORWARD, BACKWARD = "forward", "forward_backward"
DIRECTIONS = (FORWARD, BACKWARD)
DTYPES = ("float64", "float32")
#: States of a case on which the forces of all routes are compared.
COMPARED = 256


class UnavailableError(Exception):
    """A route cannot be measured here; the message says why in one line, and what to do about it."""


@dataclass(frozen=True)
class Seconds:
    """How long something took: time of all threads of its process on a processor, and time that passed."""

    cpu: float
    wall: float

    def __truediv__(self, count: float) -> Seconds:
        return Seconds(self.cpu / count, self.wall / count)


@dataclass(frozen=True)
class Work:
    """A call to time.

    Attributes
    ----------
    evaluations : int
        Evaluations of the model in one call.
    run : callable
        Makes so many calls and returns what they took together.
    """

    evaluations: int
    run: Callable[[int], Seconds]


class Route(Protocol):
    """One way to evaluate a model, made from a `Case`; raises `UnavailableError` where it cannot be."""

    directions: tuple[str, ...]
    dtypes: tuple[str, ...]

    def work(self, direction: str, dtype: str, states: dict[str, np.ndarray]) -> Work:
        """Return the evaluation of all states, (batch, n) each, ready to time."""

    def forces(self, states: dict[str, np.ndarray]) -> np.ndarray | None:
        """Return tau (batch, n) without contact forces in float64, where the route has the same model."""

    def close(self) -> None:
        """End what the route has started."""


def timed(call: Callable[[], object], evaluations: int) -> Work:
    """Return the work of a function of this process."""

    def run(calls: int) -> Seconds:
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(calls):
            call()
        return Seconds(time.process_time() - cpu, time.perf_counter() - wall)

    return Work(evaluations, run)
