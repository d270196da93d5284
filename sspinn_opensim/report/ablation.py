"""Trainings with one loss term off, beside each other: CSV, Markdown, chart, and a line of progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from sspinn_opensim.evaluation.evaluate import FEWEST_SEEDS
from sspinn_opensim.report.figures import BLUE, INK, ORANGE, SOFT, svg
from sspinn_opensim.text import csv_table, markdown_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: The arm with every term.
FULL = "full"
#: A bar longer than so many times the middle one is cut: it would leave the others without length.
_LONGEST = 6.0
#: How many times more, or less, is told: beyond it is another order of things.
_LARGEST_RATIO = 1000.0


@dataclass(frozen=True)
class Measure:
    """A number that arms are compared by.

    Attributes
    ----------
    key, title : str
        Column of the CSV; heading.
    unit, meaning : str
        Unit (``x``: a ratio), and what of it is told.
    from_reference, in_progress : bool
        Whether it needs the reference, and whether the line of progress tells it.
    """

    key: str
    title: str
    unit: str
    meaning: str
    from_reference: bool = False
    in_progress: bool = False

    @property
    def legend(self) -> str:
        """Meaning and unit in words."""
        return self.meaning if self.unit == "x" else f"{self.meaning}, {self.unit}"

    def told(self, value: float) -> str:
        """Return a value of it as a text; ratios beyond `_LARGEST_RATIO` are not told."""
        if self.unit == "x" and value > _LARGEST_RATIO:
            return f"> {_LARGEST_RATIO:g}"
        if self.unit == "x" and 0.0 < value < 1 / _LARGEST_RATIO:
            return f"< {1 / _LARGEST_RATIO:g}"
        return f"{value:.3g}" if value < 999.5 else f"{value:.0f}"


MEASURES = (
    Measure("angle_rmsd_deg", "Joint angles", "deg", "RMSD", True, True),
    Measure("moment_rmsd_bwbh", "Joint moments", "BWBH%", "RMSD", True, True),
    Measure("grf_vertical_rmsd_bw", "Vertical force", "%BW", "RMSD", True, True),
    Measure("grf_horizontal_rmsd_bw", "Fore-aft force", "%BW", "RMSD", True),
    Measure("root_force_bw", "Root force", "%BW", "left over, RMS", in_progress=True),
    Measure("root_moment_bwbh", "Root moment", "BWBH%", "left over, RMS"),
    Measure("other_losses", "Other losses", "x", "over those of the full set", in_progress=True),
    Measure("own_loss", "The term itself", "x", "over that of the full set"),
)

_EXPLANATION = (
    "Root force and moment: what inverse dynamics of the written motion and ground forces leaves there.",
    "Other losses: the weighted sum of all terms but the one that is off, at the end of the training, over "
    "the same sum of the full set.",
    "The term itself: what becomes of it where nothing holds it.",
)


@dataclass(frozen=True)
class Arm:
    """One finished arm.

    Attributes
    ----------
    name : str
        `FULL`, or the term that was off.
    numbers : mapping of measure to mapping of seed to float
        Only what could be measured.
    failure : str
        Why there are no numbers: the training diverged.
    """

    name: str
    numbers: Mapping[str, Mapping[str, float]]
    failure: str = ""

    @property
    def title(self) -> str:
        """In words."""
        return "every term" if self.name == FULL else f"without {self.name}"

    def middle(self, key: str) -> tuple[float, float, float] | None:
        """Return median, lowest and highest over seeds."""
        values = list(self.numbers.get(key, {}).values())
        return (median(values), min(values), max(values)) if values else None


@dataclass(frozen=True)
class Ablation:
    """What an ablation found so far.

    Attributes
    ----------
    steps, seeds : int
        Of every training, and how many trainings an arm is.
    scored : bool
        Whether there is a reference.
    weights : mapping of term to float
        Of the full set.
    arms : sequence of Arm
        The first is the full set.
    silent : sequence of str
        Terms that are zero throughout and were left out.
    """

    title: str
    steps: int
    seeds: int
    scored: bool
    weights: Mapping[str, float]
    arms: Sequence[Arm]
    silent: Sequence[str] = ()

    @property
    def measures(self) -> list[Measure]:
        """Those that any arm has."""
        return [measure for measure in MEASURES if any(arm.middle(measure.key) for arm in self.arms)]

    def differs(self, arm: Arm, key: str) -> bool | None:
        """Say whether no seed of an arm lies within those of the full set; None with too few seeds to say."""
        full = self.arms[0]
        ours, theirs = arm.middle(key), full.middle(key)
        if arm is full or ours is None or theirs is None:
            return None
        if min(len(arm.numbers[key]), len(full.numbers[key])) < FEWEST_SEEDS:
            return None
        return ours[1] > theirs[2] or ours[2] < theirs[1]


def as_csv(ablation: Ablation) -> str:
    """Return a table of one row per arm: every measure with its lowest and highest seed."""
    heads = [f"{measure.key}{part}" for measure in ablation.measures for part in ("", "_low", "_high")]
    rows: list[list[object]] = [["off", "weight", "seeds", *heads, "failure"]]
    for arm in ablation.arms:
        numbers = [
            number for measure in ablation.measures for number in arm.middle(measure.key) or (None,) * 3
        ]
        cells = ["" if number is None else f"{number:.6g}" for number in numbers]
        seeds = max((len(values) for values in arm.numbers.values()), default=0)
        rows.append([*_head(ablation, arm, ""), seeds, *cells, arm.failure])
    return csv_table(rows)


def as_markdown(ablation: Ablation) -> str:
    """Return a page with the table, and what it means."""
    several = ablation.seeds > 1
    lines = [
        f"# {ablation.title}",
        "",
        f"{ablation.steps} steps; "
        + (f"median of {ablation.seeds} seeds, lowest and highest in brackets. " if several else "one seed. ")
        + (
            "Bold: no seed lies within those of the full set."
            if ablation.seeds >= FEWEST_SEEDS
            else f"Fewer than {FEWEST_SEEDS} seeds: chance is not told apart from effect."
        ),
        "",
        markdown_table(
            ["off", "weight", *(f"{m.title} ({m.legend})" for m in ablation.measures)],
            (
                [*_head(ablation, arm, "nothing"), *(_cell(ablation, arm, m) for m in ablation.measures)]
                for arm in ablation.arms
            ),
        ),
    ]
    notes = [
        "Errors are against the reference, which no training sees, at zero time shift."
        if ablation.scored
        else "The study names no reference: every number is without labels.",
        *_EXPLANATION,
    ]
    if ablation.silent:
        notes.append(f"Left out, because they are zero throughout here: {', '.join(ablation.silent)}.")
    notes += [f"Without {arm.name}: {arm.failure}" for arm in ablation.arms if arm.failure]
    return "\n".join([*lines, "", *(f"- {note}" for note in notes)]) + "\n"


def as_svg(ablation: Ablation) -> str:
    """Return a chart: a row of bars for each arm, a panel for each measure, whiskers over seeds."""
    measures, names = ablation.measures, [arm.title for arm in ablation.arms]
    inches = (max(0.075 * max(map(len, names)), 1.0) + 2.3 * len(measures), 1.1 + 0.25 * len(names))

    def draw(figure: Figure) -> None:
        if not measures:
            return
        axes = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
        axes[0].set_yticks(range(len(names)), names)
        axes[0].set_ylim(len(names) - 0.5, -0.5)
        for panel, measure in zip(axes, measures, strict=True):
            panel.set_title(f"{measure.title}\n{measure.legend}")
            draw_bars(panel, [arm.middle(measure.key) for arm in ablation.arms], measure.told)

    return svg(draw, inches=inches, title=ablation.title)


def draw_bars(
    axes: Axes,
    bars: Sequence[tuple[float, float, float] | None],
    told: Callable[[float], str] = "{:.3g}".format,
) -> None:
    """Draw a bar with a whisker for each (middle, lowest, highest); none of them negative.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Row k is at height k; a dashed line carries the value of row 0 through all others.
    bars : sequence
        None leaves a row empty.
    told : callable, optional
        From a value to its text.
    """
    shown = {row: bar for row, bar in enumerate(bars) if bar}
    usual = median(middle for middle, _, _ in shown.values())
    longest = max(high for _, _, high in shown.values())
    longest = (min(longest, _LONGEST * usual) if usual > 0 else longest) or 1.0
    for row, (middle, low, high) in shown.items():
        cut = high > longest
        axes.barh(row, min(middle, longest), height=0.55, color=INK if row == 0 else BLUE, alpha=0.78)
        if high > low:
            axes.plot([min(low, longest), min(high, longest)], [row, row], "|-", color=INK, lw=1.2, ms=6)
        axes.annotate(
            told(middle) + (" \u2192" if cut else ""),
            (min(high, longest), row),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=SOFT,
            fontsize=8,
            zorder=3,  # the dashed line passes behind it
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )
    if 0 in shown:
        axes.axvline(min(shown[0][0], longest), color=ORANGE, lw=1.0, ls=(0, (4, 3)))
    axes.set_xlim(0, 1.35 * longest)  # the number stands behind the longest bar
    axes.set_xticks([])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.grid(visible=False)


def progress_line(ablation: Ablation, count: int, left_s: float) -> str:
    """Return what the newest arm gave, the full set's numbers in brackets, and the time left."""
    arm, full = ablation.arms[-1], ablation.arms[0]
    parts = [arm.failure] if arm.failure else []
    for measure in ablation.measures:
        found, before = arm.middle(measure.key), full.middle(measure.key)
        if measure.in_progress and found:
            text = f"{measure.title.lower()} {measure.told(found[0])} {measure.unit}"
            parts.append(text if arm is full or before is None else f"{text} ({measure.told(before[0])})")
    number = len(ablation.arms)
    left = f"about {max(round(left_s / 60), 1)} min left" if number < count else "done"
    return f"{number:>2}/{count} {arm.title}: {', '.join(parts)}; {left}"


def _cell(ablation: Ablation, arm: Arm, measure: Measure) -> str:
    found = arm.middle(measure.key)
    if found is None:
        return "diverged" if arm.failure else "\u2013"
    middle, low, high = map(measure.told, found)
    text = middle if low == high else f"{middle} ({low} to {high})"
    return f"**{text}**" if ablation.differs(arm, measure.key) else text


def _head(ablation: Ablation, arm: Arm, full: str) -> tuple[str, str]:
    """Return what is off in an arm, and its weight in the full set."""
    return (full, "") if arm.name == FULL else (arm.name, f"{ablation.weights[arm.name]:g}")
