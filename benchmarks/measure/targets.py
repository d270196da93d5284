"""What the compiled functions are to reach, beside what was measured."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.peers.case import PLANAR
from benchmarks.peers.route import BACKWARD, DIRECTIONS, FORWARD

BATCH = 1024
_LARGE = "Rajagopal2016"


@dataclass(frozen=True)
class Target:
    """One promise and what became of it.

    Attributes
    ----------
    what : str
    bound : str
        '>=' or '<='.
    target : float
    unit : str
    measured : float or None
        None where it was not measured.
    """

    what: str
    bound: str
    target: float
    unit: str
    measured: float | None

    @property
    def ratio(self) -> float | None:
        """Measured by target."""
        return None if self.measured is None else self.measured / self.target

    @property
    def met(self) -> bool | None:
        """Whether the measurement keeps the promise."""
        if self.ratio is None:
            return None
        return self.ratio >= 1 if self.bound == ">=" else self.ratio <= 1


def targets(rows: list[dict]) -> list[Target]:
    """Return all targets with what `rows`, as `benchmarks.dynamics` measures them, say of each.

    Speeds and times are per core, of processor time; two threads are compared by the time that passes.
    """

    def value(key: str, model: str, direction: str = FORWARD, batch: int | None = BATCH, route: str = "ours"):
        return next(
            (
                row[key]
                for row in rows
                if (row["model"], row["direction"], row["route"]) == (model, direction, route)
                and row["dtype"] == "float64"
                and batch in (None, row["batch"])
            ),
            None,
        )

    def speed(model: str, direction: str = FORWARD):
        return _scaled(value("evaluations_per_s", model, direction), 1e-6)

    def against(route: str, direction: str = FORWARD):
        return value("ratio", _LARGE, direction, route=route)

    def compile_s(key: str, model: str):
        return value(key, model, BACKWARD, batch=None)

    def frame_us(model: str):
        rate = value("evaluations_per_s", model, batch=1)
        return None if rate is None else 1e6 / rate

    def worst(key: str, **wanted):
        matching = (row for row in rows if all(row[name] == value for name, value in wanted.items()))
        return _largest(row[key] for row in matching)

    both = "forward + backward"
    return [
        Target(f"{_LARGE} forward", ">=", 1.5, "M/s", speed(_LARGE)),
        Target(f"{_LARGE} forward / pinocchio rnea", ">=", 6, "x", against("pinocchio")),
        Target(f"{_LARGE} forward / OpenSim from Python", ">=", 130, "x", against("opensim")),
        Target(f"{_LARGE} {both}", ">=", 0.6, "M/s", speed(_LARGE, BACKWARD)),
        Target(f"{_LARGE} {both} / torch by hand", ">=", 60, "x", against("torch", BACKWARD)),
        Target("planar forward", ">=", 12, "M/s", speed(PLANAR)),
        Target(f"planar {both}", ">=", 4, "M/s", speed(PLANAR, BACKWARD)),
        Target(f"cold compile, {both}, {_LARGE}", "<=", 4, "s", compile_s("compile_s", _LARGE)),
        Target(f"cold compile, {both}, planar", "<=", 0.5, "s", compile_s("compile_s", PLANAR)),
        Target(f"cached load, {both}, {_LARGE}", "<=", 0.2, "s", compile_s("cached_s", _LARGE)),
        Target(f"cached load, {both}, planar", "<=", 0.2, "s", compile_s("cached_s", PLANAR)),
        Target(f"one frame forward, {_LARGE}", "<=", 40, "us", frame_us(_LARGE)),
        Target("one frame forward, planar", "<=", 20, "us", frame_us(PLANAR)),
        *(
            Target(f"two threads / one, {label}", ">=", 1.6, "x", value("two_threads_gain", model, way, None))
            for model, name in ((_LARGE, _LARGE), (PLANAR, "planar"))
            for way, label in zip(DIRECTIONS, (f"forward, {name}", f"{both}, {name}"), strict=True)
        ),
        *(
            Target(f"largest error of {what}, {dtype}", "<=", limit, "", _error(worst, dtype, way))
            for dtype, limit in (("float64", 1e-14), ("float32", 1e-5))
            for way, what in ((FORWARD, "outputs"), (BACKWARD, "gradients"))
        ),
        Target("memory of a cold compile", "<=", 1000, "MB", worst("compile_memory_mb")),
    ]


def table(found: Iterable[Target]) -> str:
    """Return the targets as text."""
    lines = [f"{'target':52} {'':>11} {'measured':>10}      {'ratio':>7}"]
    for one in found:
        promise = f"{one.bound} {one.target:g}"
        if one.measured is None:
            lines.append(f"{one.what:52} {promise:>11} {'-':>10} {one.unit:4}  not measured")
            continue
        verdict = "met" if one.met else "missed"
        lines.append(
            f"{one.what:52} {promise:>11} {one.measured:10.3g} {one.unit:4} {one.ratio:7.3g}  {verdict}"
        )
    return "\n".join(lines)


def _error(worst, dtype: str, direction: str) -> float | None:
    return worst("largest_error", dtype=dtype, direction=direction)


def _largest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
