"""Terminal output: what verbs log, what they return, and the steps of a training."""

from __future__ import annotations

import functools
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from casadi_dynamics.errors import InputWarning
from sspinn_opensim.text import printable

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.live import Live

    from sspinn_opensim.training.settings import Progress

#: Where output is not a terminal, a line is printed this many times per training.
_LINES = 10
_LOGGER = logging.getLogger("sspinn_opensim")


class Screen(logging.Handler):
    """Handler of the project's logger that prints to a terminal, and shows a training as it goes on.

    A record with ``extra={"heading": True}`` is the name of a stage. Texts are printed without rich, so that
    ``sspinn doctor`` can say that it is missing.
    """

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._notes: set[str] = set()
        self._live: Live | None = None
        self._smooth: dict[str, float] = {}

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Show what is logged and warned of meanwhile."""
        level = _LOGGER.level
        _LOGGER.addHandler(self)
        _LOGGER.setLevel(logging.INFO)
        try:
            with warnings.catch_warnings():
                usual = warnings.showwarning

                def show(message, category, *place, **more) -> None:
                    if issubclass(category, InputWarning):
                        self._note(str(message))
                    else:
                        usual(message, category, *place, **more)

                warnings.showwarning = show
                yield
        finally:
            self._end_live()
            _LOGGER.setLevel(level)
            _LOGGER.removeHandler(self)

    def _note(self, text: str) -> None:
        """Print what a reader warns of as one line, once, without the place in the code."""
        if text not in self._notes:
            self._notes.add(text)
            print(f"note: {printable(text)}", file=sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record."""
        self._end_live()
        if getattr(record, "heading", False):
            from rich.text import Text  # as it is: a name may hold what would be markup

            self._console.rule(Text(" ".join(printable(record.getMessage()).split())), align="left")
        else:
            self.show(record.getMessage())

    def show(self, result: object) -> None:
        """Print what a verb returned, if anything."""
        if result is not None:
            print(printable(str(result)), flush=True)

    @functools.cached_property
    def _console(self) -> Console:
        from rich.console import Console

        return Console(highlight=False)

    def progress(self, progress: Progress) -> None:
        """Show a step of a training: live on a terminal, as lines elsewhere."""
        if progress.step == 1 or not self._smooth:
            self._smooth = dict(progress.terms)
        for name, value in progress.terms.items():
            self._smooth[name] = 0.95 * self._smooth.get(name, value) + 0.05 * value
        last = progress.step == progress.steps
        if self._console.is_terminal and not last:
            if self._live is None:
                from rich.live import Live

                self._live = Live(console=self._console, refresh_per_second=4, transient=True)
                self._live.start()
            self._live.update(self._picture(progress))
        elif last or progress.step % max(progress.steps // _LINES, 1) == 0:
            self._end_live()
            terms = "  ".join(f"{name} {value:.3g}" for name, value in self._told().items())
            self.show(f"{_head(progress)}, loss {progress.total:.3g}\n    {terms}")

    def _told(self) -> dict[str, float]:
        """Return the terms so far; one that was zero throughout says nothing."""
        return {name: value for name, value in self._smooth.items() if value != 0.0}

    def _end_live(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _picture(self, progress: Progress) -> Group:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        table = Table("loss term", "value", "weight", "share", box=None, padding=(0, 2))
        told = self._told()
        weighted = {name: progress.weights[name] * value for name, value in told.items()}
        total = sum(weighted.values()) or 1.0
        for name, value in told.items():
            share = f"{100 * weighted[name] / total:.0f} %"
            table.add_row(name, f"{value:.3g}", f"{progress.weights[name]:g}", share)
        bar = ProgressBar(total=progress.steps, completed=progress.step, width=60)
        return Group(Text(_head(progress)), bar, Text(), table)  # a bar does not end its line


def _head(progress: Progress) -> str:
    minutes, seconds = divmod(round(progress.left_s), 60)
    return f"seed {progress.seed}: step {progress.step} of {progress.steps}, {minutes}:{seconds:02d} left"
