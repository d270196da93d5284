"""The command line of benchmarks that read many damaged files."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path


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
    print("\n".join(faults))
    shown = ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
    print(f"{options.count} files in {time.perf_counter() - start:.0f} s: {shown}")
    return 1 if faults else 0
