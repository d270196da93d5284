"""Mutated studies and results folders: each must be read, or refused with one `InputError`.

``python -m benchmarks.folder_mutations FOLDER --study STUDY.toml --count 10000`` damages the study, the JSON
files, the histories and the checkpoint of a results folder, one at a time, reads each as later verbs do, and
prints every end that is neither.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure.mutants import report
from benchmarks.mutations import _within
from casadi_dynamics.errors import InputError
from sspinn_opensim.report.sections import read_histories
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.manifest import compare_with_manifest, read_manifest
from sspinn_opensim.results.read_back import read_scaling_report, read_verdict
from sspinn_opensim.results.stages import check
from sspinn_opensim.study import read_study
from sspinn_opensim.study.cohort import is_cohort
from sspinn_opensim.training.checkpoint import network_kind, read_body

#: A file that takes longer than this, s, counts as a hang.
LONGEST_S = 20

_ABSURD = (
    *"0 -1 1e308 1e999 nan inf null true [] {} [[]] {}{} 1_000 1e23 '~nobody/x'".split(),
    *("", '""', "9" * 400, "9" * 5000, "0x" + "f" * 5000, "[" * 5000, '{"a":' * 5000, '"\\ud800"'),
    *('"../../../etc/passwd"', '"\\u001b[2J"', '"' + "x" * 100_000 + '"'),
    *("18446744073709551616", "-9223372036854775809"),
)
_VALUE = re.compile(rb'"[^"\n]*"|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|true|false|null', re.IGNORECASE)


def mutate(data: bytes, chance: random.Random) -> bytes:
    """Return a file with one to four random changes."""
    for _ in range(chance.choice((1, 1, 2, 4))):
        data = chance.choice((_value, _value, _cut, _flip, _line, _swap))(data, chance)
    return data


def _value(data: bytes, chance: random.Random) -> bytes:
    found = list(_VALUE.finditer(data))
    if not found:
        return data
    one, other = chance.choice(found), chance.choice(found)
    new = chance.choice((chance.choice(_ABSURD).encode("utf-8", "surrogatepass"), other[0]))
    return data[: one.start()] + new + data[one.end() :]


def _cut(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data) + 1)
    return data[:start] + data[start + chance.choice((1, 5, 50, 5000, len(data))) :]


def _flip(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 3, 20))):
        if changed:
            changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _line(data: bytes, chance: random.Random) -> bytes:
    lines = data.split(b"\n")
    place = chance.randrange(len(lines))
    lines[place : place + 1] = chance.choice(([], [lines[place]] * 2, [chance.choice(lines)]))
    return b"\n".join(lines)


def _swap(data: bytes, chance: random.Random) -> bytes:
    lines = data.split(b"\n")
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


def readers(folder: Path, study: Path) -> dict[Path, Callable[[], object]]:
    """Return the files that are damaged, and what reads each as later verbs do."""
    files = ResultsFolder(folder)

    def manifest() -> None:
        compare_with_manifest(folder)
        check(folder, "evaluate", read_manifest(folder), None, {})

    def checkpoint() -> None:
        read_body(files.checkpoint(0))
        network_kind(files.checkpoint(0))

    return {
        study: lambda: (is_cohort(study), read_study(study)),
        files.manifest: manifest,
        files.scaling: lambda: read_scaling_report(files),
        files.static_optimization_verdict: lambda: read_verdict(files),
        files.history(0): lambda: read_histories(folder),
        files.checkpoint(0): checkpoint,
    }


def run(folder: Path, study: Path, count: int, seed: int) -> tuple[Counter, list[str]]:
    """Damage a copy of a folder and its study; return how often each end came, and what should not have."""
    counts, faults = Counter(), []
    with tempfile.TemporaryDirectory(prefix="mutations_") as temporary:
        own, studies = Path(temporary, "results"), Path(temporary, "study")
        shutil.copytree(folder, own)
        shutil.copytree(study.parent, studies)
        known = readers(own, studies / study.name)
        originals = {path: path.read_bytes() for path in known if path.is_file()}
        for number in range(count):
            chance = random.Random(f"{seed}/{number}")
            path = list(originals)[number % len(originals)]
            path.write_bytes(mutate(originals[path], chance))
            try:
                with _within(LONGEST_S):
                    known[path]()
                counts["read"] += 1
            except InputError as error:
                counts["refused"] += 1
                str(error).encode()
            except Exception:
                counts["fault"] += 1
                faults.append(f"{path.name} {number}\n{traceback.format_exc(limit=-4)[-1500:]}")
            path.write_bytes(originals[path])
    return counts, faults


def main() -> int:
    """Damage files as the command line asks, and print how reading ended."""
    parser = argparse.ArgumentParser(description="Read mutated studies and results folders.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--study", type=Path, required=True)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    start = time.perf_counter()
    counts, faults = run(options.folder, options.study, options.count, options.seed)
    return report(counts, faults, options.count, time.perf_counter() - start)


if __name__ == "__main__":
    sys.exit(main())
