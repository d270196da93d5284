"""What `benchmarks.dynamics` has measured, as text."""

from __future__ import annotations

import os

import torch

from benchmarks.machine import processor

#: What is measured of our route alone, whatever the batch.
OURS = ("compile_s", "cached_s", "compile_memory_mb", "largest_error", "two_threads_gain", "errors")


def table(rows: list[dict]) -> str:
    """Return the rows as text, and below them what was measured of our route alone."""
    lines = [
        f"{processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}, torch {torch.__version__}",
        "thousand evaluations a second and core, by processor time; 'ours / peer' compares with the same",
        "number type; 'forces' is the largest difference of generalized forces from ours",
        "",
        f"{'model':16}{'direction':17}{'type':8}{'batch':>6}  {'route':11}"
        f"{'k/s':>10}{'ours / peer':>13}{'batch, ms':>12}{'forces':>10}",
    ]
    group = None
    for row in rows:
        if group not in (None, (row["model"], row["dtype"], row["batch"], row["direction"])):
            lines.append("")
        group = row["model"], row["dtype"], row["batch"], row["direction"]
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.1f}"
        difference = "" if row["tau_difference"] is None else f"{row['tau_difference']:.0e}"
        kind = f"{row['model']:16}{row['direction']:17}{row['dtype']:8}{row['batch']:6d}  {row['route']:11}"
        speed, milliseconds = row["evaluations_per_s"] / 1e3, 1e3 * row["wall_s"]
        lines.append(f"{kind}{speed:10.1f}{ratio:>13}{milliseconds:12.3f}{difference:>10}".rstrip())
    return "\n".join([*lines, "", *_own_lines(rows)])


def _own_lines(rows: list[dict]) -> list[str]:
    """Return the measurements of our route alone."""
    lines = [
        f"{'ours':16}{'direction':17}{'type':10}{'compile, s':>11}{'cached, s':>11}{'memory, MB':>12}"
        f"{'largest error':>15}{'2 threads':>11}"
    ]
    seen = set()
    for row in rows:
        kind = row["model"], row["direction"], row["dtype"]
        if row["route"] != "ours" or kind in seen:
            continue
        seen.add(kind)
        values = [row[key] for key in OURS if key != "errors"]
        shown = (
            "-" if value is None else format(value, form)
            for value, form in zip(values, (".2f", ".3f", ".0f", ".1e", ".2f"), strict=True)
        )
        cells = (f"{cell:>{width}}" for cell, width in zip(shown, (11, 11, 12, 15, 11), strict=True))
        lines.append(f"{kind[0]:16}{kind[1]:17}{kind[2]:10}" + "".join(cells))
    return lines if seen else []
