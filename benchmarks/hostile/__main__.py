"""Hostile files, folders and names: each is read or refused, and nothing runs or changes elsewhere.

``python -m benchmarks.hostile --results FOLDER`` plants pipes, devices, links, bombs, programs and sequences
of a terminal where the verbs read something, one at a time, runs the verb, and prints every end that is none
of: done, or refused with one message, in time, with bounded memory, nothing changed beside the folder, no
program started, no socket opened. FOLDER is a finished run of the demo (``--steps 6``). Linux.
"""

from __future__ import annotations

import argparse
import importlib
import re
import sys
import time
from collections import Counter
from pathlib import Path

from benchmarks.hostile.cases import all_cases
from benchmarks.hostile.watch import watched
from sspinn_opensim.cli.verbs import VERBS


def main(arguments: list[str] | None = None) -> int:
    """Plant the cases that the command line asks for; print what went wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile", description=__doc__)
    parser.add_argument("--results", type=Path, help="a finished run of the demo, with --steps 6")
    parser.add_argument("--only", default="", help="cases whose name holds this pattern")
    parser.add_argument("--every", type=int, default=1, help="of these, each so manieth")
    parser.add_argument("--late", type=float, default=2.0, help="CPU seconds after which a refusal is late")
    parser.add_argument("--show", action="store_true", help="print what every command said")
    options = parser.parse_args(arguments)
    for verb in VERBS:  # so that no command has to
        importlib.import_module(f"sspinn_opensim.verbs.{verb.function}")
    results = None if options.results is None else options.results.absolute()
    ends, faults, started = Counter[str](), 0, time.monotonic()
    chosen = [case for case in all_cases(results) if re.search(options.only, case[0])][:: options.every]
    for name, plant in chosen:
        outcome = watched(plant)
        late = outcome.status != 0 and outcome.cpu_s > options.late
        ends["done" if outcome.status == 0 else "refused" if outcome.status == 2 else "other"] += 1
        if outcome.wrong or late or options.show:
            faults += bool(outcome.wrong)
            said = (
                outcome.said
                if len(outcome.said) < 1500
                else outcome.said[:400] + " ... " + outcome.said[-1000:]
            )
            wrong = "; ".join([*outcome.wrong, *(["late"] if late else [])])
            print(
                f"{name}: {wrong}\n  {outcome.status} {outcome.wall_s:.1f} s wall, {outcome.cpu_s:.1f} s CPU"
            )
            print(
                "    "
                + "\n    ".join(said.encode("unicode_escape").decode().replace("\\n", "\n").splitlines())
            )
            sys.stdout.flush()
    print(f"{len(chosen)} cases in {time.monotonic() - started:.0f} s: {dict(ends)}, {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
