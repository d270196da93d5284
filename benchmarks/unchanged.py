"""Comparison of two results folders, number by number: what a change of the code moved.

Run ``python -m benchmarks.unchanged BEFORE AFTER``. Every table, document and JSON file is compared; bytes
that are equal need no further look. Where they differ, the numbers inside are compared in their order, and
the largest difference is given with its place, absolute and as a part of the largest number around it: the
column of a table, the list or entry of a JSON file, the line of a document.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from sspinn_opensim.opensim_io.tables.storage import read_storage

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
#: What states when, where and with which versions something ran, or draws what other files hold.
_SKIPPED = ("manifest.json", "README.txt", "report.html", ".svg", ".pt")


def main(arguments: list[str] | None = None) -> int:
    """Print a row for each file that differs; return 1 if there is any, or a file is in one folder only."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.unchanged", description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    options = parser.parse_args(arguments)
    before, after = files_of(options.before), files_of(options.after)
    table = Table("file", "largest difference", "relative", "where", box=None)
    for name in sorted(before.keys() ^ after.keys()):
        table.add_row(name, "only before" if name in before else "only after", "", "")
    equal = 0
    for name in sorted(before.keys() & after.keys()):
        if before[name].read_bytes() == after[name].read_bytes():
            equal += 1
            continue
        absolute, relative, where = largest_difference(before[name], after[name])
        table.add_row(name, f"{absolute:.3g}", f"{relative:.1e}", where)
    console = Console(width=140)
    console.print(table)
    console.print(f"{equal} files are equal byte for byte, {table.row_count} are not")
    return 1 if table.row_count else 0


def files_of(folder: Path) -> dict[str, Path]:
    """Return the files to compare by their names within the folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in files if not path.name.endswith(_SKIPPED)}


def largest_difference(before: Path, after: Path) -> tuple[float, float, str]:
    """Return the relatively largest difference of two files: absolute, relative, and its place."""
    old, new = dict(numbers(before)), dict(numbers(after))
    if old.keys() != new.keys():
        return np.inf, np.inf, f"other entries: {', '.join(sorted(old.keys() ^ new.keys())[:4])}"
    worst = (0.0, 0.0, "numbers are equal, texts differ")
    for place, value in old.items():
        if value.shape != new[place].shape:
            return np.inf, np.inf, f"{place}: {value.size} numbers before, {new[place].size} after"
        if not value.size or np.array_equal(value, new[place], equal_nan=True):
            continue
        absolute = float(np.nanmax(np.abs(value - new[place])))
        relative = absolute / max(float(np.nanmax(np.abs(value))), np.finfo(float).tiny)
        if relative >= worst[1]:
            worst = (absolute, relative, place)
    return worst


def numbers(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Give all numbers of a file by the place they stand at."""
    if path.suffix in (".mot", ".sto"):
        table = read_storage(path)
        yield "time", np.asarray(table.time_s)
        yield from zip(table.names, np.asarray(table.values).T, strict=True)
    elif path.suffix == ".json":
        yield from _of_json(json.loads(path.read_text(encoding="utf-8")), "")
    elif path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        for name in rows[0] if rows else ():
            yield name, _in_text(" ".join(row[name] or "" for row in rows))
    else:
        for k, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
            yield f"line {k + 1}", _in_text(line)


def _of_json(value: object, place: str) -> Iterator[tuple[str, np.ndarray]]:
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from _of_json(entry, f"{place}/{key}")
    elif isinstance(value, list) and not all(isinstance(entry, int | float) for entry in value):
        for k, entry in enumerate(value):
            yield from _of_json(entry, f"{place}/{k}")
    elif isinstance(value, list | int | float):
        yield place, np.atleast_1d(np.asarray(value, float))


def _in_text(text: str) -> np.ndarray:
    return np.array([float(word) for word in _NUMBER.findall(text)])


if __name__ == "__main__":
    sys.exit(main())
