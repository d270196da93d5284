"""What a user sees while work goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sspinn_opensim.training.settings import Progress

_CONSOLE = Console(highlight=False)
#: Where output is not a terminal, a line is printed this many times per training.
_LINES = 10


def say(text: str, *, heading: bool = False) -> None:
    """Print a line, or the name of a stage."""
    if heading:
        _CONSOLE.rule(text, align="left")
    else:
        _CONSOLE.print(text, markup=False, soft_wrap=True)


@contextmanager
def quiet() -> Iterator[None]:
    """Print nothing meanwhile."""
    before, _CONSOLE.quiet = _CONSOLE.quiet, True
    try:
        yield
    finally:
        _CONSOLE.quiet = before


class TrainingDisplay:
    """Shows the loss terms of a training and the time left: live on a terminal, as lines elsewhere.

    Parameters
    ----------
    title : str
    steps : int
    weights : mapping of str to float
        Weight of every term.
    """

    def __init__(self, title: str, steps: int, weights: Mapping[str, float]) -> None:
        self._title, self._steps, self._weights = title, steps, weights
        self._live = Live(console=_CONSOLE, refresh_per_second=4, transient=True)
        self._smooth: dict[str, float] = {}
        self._last: Progress | None = None

    def __enter__(self) -> TrainingDisplay:
        if _CONSOLE.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if _CONSOLE.is_terminal:
            self._live.stop()
        if self._last is not None and _CONSOLE.is_terminal:
            say(self._line(self._last))

    def update(self, progress: Progress) -> None:
        """Take in one step."""
        for name, value in progress.terms.items():
            self._smooth[name] = 0.95 * self._smooth.get(name, value) + 0.05 * value
        self._last = progress
        if _CONSOLE.is_terminal:
            self._live.update(self._screen(progress))
        elif progress.step % max(self._steps // _LINES, 1) == 0 or progress.step == self._steps:
            say(self._line(progress))

    def _screen(self, progress: Progress) -> Group:
        table = Table("loss term", "value", "weight", "share", box=None, padding=(0, 2))
        weighted = {name: self._weights[name] * value for name, value in self._smooth.items()}
        total = sum(weighted.values()) or 1.0
        for name, value in self._smooth.items():
            share = f"{100 * weighted[name] / total:.0f} %"
            table.add_row(name, f"{value:.3g}", f"{self._weights[name]:g}", share)
        bar = ProgressBar(total=self._steps, completed=progress.step, width=60)
        return Group(Text(self._head(progress)), bar, table)

    def _head(self, progress: Progress) -> str:
        minutes, seconds = divmod(round(progress.left_s), 60)
        return f"{self._title}: step {progress.step} of {progress.steps}, {minutes}:{seconds:02d} left"

    def _line(self, progress: Progress) -> str:
        terms = "  ".join(f"{name} {value:.3g}" for name, value in self._smooth.items())
        return f"{self._head(progress)}, loss {progress.total:.3g}\n    {terms}"
