"""Damages of tables of text, and the command line of benchmarks that read many damaged files."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random


def place_in(data: Sequence, chance: Random) -> int:
    """Return a place in lines, cells or bytes; 0 where there is none."""
    return chance.randrange(len(data)) if data else 0


def bad_cell(choices: Sequence[str]) -> Callable[[list[bytes], Random], list[bytes]]:
    """Return a mutation that replaces a cell by one of these."""

    def mutation(cells: list[bytes], chance: Random) -> list[bytes]:
        cells[place_in(cells, chance)] = chance.choice(choices).encode()
        return cells

    return mutation


def lost_cell(cells: list[bytes], chance: Random) -> list[bytes]:
    """Take a cell away."""
    del cells[place_in(cells, chance)]
    return cells


def won_cell(cells: list[bytes], chance: Random) -> list[bytes]:
    """Add a cell."""
    cells.insert(place_in(cells, chance), b"1.5")
    return cells


def twice(data: bytes, _chance: Random) -> bytes:
    """Return a file with itself behind it."""
    return data + data


def line_ends(data: bytes, chance: Random) -> bytes:
    """Return a file with line ends of another system."""
    return data.replace(b"\n", chance.choice((b"\r\n", b"\r")))


def encoding(data: bytes, chance: Random) -> bytes:
    """Return a file with a byte order mark, or in UTF-16 where it is no XML."""
    if chance.random() < 0.5 or data.lstrip().startswith(b"<"):
        return b"\xef\xbb\xbf" + data
    return data.decode("latin-1").encode("utf-16")


def main(
    purpose: str, run: Callable[[Sequence[Path], int, int, Path | None], tuple[Counter, list[str]]]
) -> int:
    """Damage files as the command line asks, print how reading ended, and return the exit status.

    Parameters
    ----------
    purpose : str
    run : callable
        Files, count, seed and folder for faulty files to the number of each outcome and the faults.
    """
    parser = argparse.ArgumentParser(description=purpose)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the files that were not dealt with rightly")
    options = parser.parse_args()
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    counts, faults = run(options.files, options.count, options.seed, options.keep)
    return report(counts, faults, options.count, time.perf_counter() - start)


def report(counts: Counter, faults: Sequence[str], count: int, took_s: float) -> int:
    """Print how reading ended, and return the exit status."""
    print("\n".join(faults))
    shown = ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
    print(f"{count} files in {took_s:.0f} s: {shown}")
    return 1 if faults else 0
