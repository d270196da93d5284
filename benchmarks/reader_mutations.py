"""Damaged recordings: each is read, or refused with one `InputError`; what changes no number changes none.

``python -m benchmarks.reader_mutations FILE ... --count 1000`` prints how many damaged copies of each file
were read the same, read otherwise and refused, and every one that ended in another way: with a traceback,
with infinite numbers, with other numbers though only line ends, blank lines or the encoding were changed, or
with other numbers though a row lost or won a cell. ``--keep`` keeps those.

A damage that no reader could see, such as another digit in a number, is read otherwise, rightly.
"""

from __future__ import annotations

import random
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.measure.mutants import (
    bad_cell,
    encoding,
    line_ends,
    lost_cell,
    main,
    place_in,
    twice,
    won_cell,
)
from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import Format, RecordingChoice, recognise
from sspinn_opensim.recording.streams import Stream

#: So many lines of a file are damaged: many short files take little time.
_LINES = 60
_CELLS = (
    "nan",
    "NaN",
    "inf",
    "-Inf",
    "",
    " ",
    "1,5",
    "#N/A",
    "1_000",
    "0x10",
    "1e999",
    "-1e300",
    "--1",
    "1.2.3",
)
_CELLS += ("a", "true", "\u00b0", "99999999999999999999", "-1", "0")
_LINES_TO_INSERT = (
    b"",
    b"  ",
    b"// a comment",
    b"sep=;",
    b"<frame>",
    b"1\t2\t3",
    b"endheader",
    b"\xff\xfe\x00",
)
_ARRAYS = ("acceleration", "angular_rate", "orientation", "time_s", "counter")

Mutation = Callable[[bytes, random.Random], bytes]


def shortened(data: bytes) -> bytes:
    """Return the first lines of a table; XML and what is no text as it is."""
    if data.lstrip().startswith(b"<") or not is_text(data):
        return data
    return b"\n".join(data.replace(b"\r\n", b"\n").split(b"\n")[:_LINES]) + b"\n"


def is_text(data: bytes) -> bool:
    """Return whether a file is text: it has no zero at its start."""
    return b"\x00" not in data[:4096]


def _lines(change: Callable[[list[bytes], random.Random], list[bytes]]) -> Mutation:
    return lambda data, chance: b"\n".join(change(data.split(b"\n"), chance))


def _cells(change: Callable[[list[bytes], random.Random], list[bytes]]) -> Mutation:
    """Return a mutation of the cells of one line."""

    def mutation(lines: list[bytes], chance: random.Random) -> list[bytes]:
        filled = [k for k, line in enumerate(lines) if line.strip()]
        if filled:
            k = chance.choice(filled)
            mark = next((mark for mark in (b"\t", b";", b",") if mark in lines[k]), b" ")
            lines[k] = mark.join(change(lines[k].split(mark), chance))
        return lines

    return _lines(mutation)


def _truncated(data, chance):
    return data[: place_in(data, chance)]


def _byte(data, chance):
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 5))):
        if changed:
            changed[place_in(changed, chance)] = chance.randrange(256)
    return bytes(changed)


def _swapped_bytes(data, chance):
    changed = bytearray(data)
    if changed:
        one, other = place_in(changed, chance), place_in(changed, chance)
        changed[one], changed[other] = changed[other], changed[one]
    return bytes(changed)


def _hole(data, chance):
    start = place_in(data, chance)
    return data[:start] + data[start + chance.choice((1, 10, 500)) :]


def _swapped_cells(cells, chance):
    one, other = place_in(cells, chance), place_in(cells, chance)
    cells[one], cells[other] = cells[other], cells[one]
    return cells


def _inserted_line(lines, chance):
    lines.insert(place_in(lines, chance), chance.choice(_LINES_TO_INSERT))
    return lines


def _repeated_line(lines, chance):
    k = place_in(lines, chance)
    return lines[: k + 1] + lines[k:]


def _lost_line(lines, chance):
    del lines[place_in(lines, chance)]
    return lines


def _swapped_lines(lines, chance):
    one, other = place_in(lines, chance), place_in(lines, chance)
    lines[one], lines[other] = lines[other], lines[one]
    return lines


def _wrong_count(data, chance):
    """Change a whole number somewhere, such as a counter, a rate or a count of sensors."""
    words = data.split(b'"') if data.lstrip().startswith(b"<") else data.split()
    numbers = [word for word in words if word.strip().isdigit()]
    if not numbers:
        return data
    new = chance.choice((b"0", b"1", b"7", b"65536", b"4294967296", b"99999999999999999999", b"-3"))
    return data.replace(chance.choice(numbers), new, chance.choice((1, 1, 100)))


def _blank_lines(lines, chance):
    for _ in range(chance.choice((1, 3))):
        # Not in the first lines: there they may end a header.
        lines.insert(chance.randrange(len(lines) // 2, len(lines) + 1), b"")
    return lines


MUTATIONS: dict[str, Mutation] = {
    "truncated": _truncated,
    "other bytes": _byte,
    "swapped bytes": _swapped_bytes,
    "hole": _hole,
    "bad cell": _cells(bad_cell(_CELLS)),
    "lost cell": _cells(lost_cell),
    "won cell": _cells(won_cell),
    "swapped cells": _cells(_swapped_cells),
    "inserted line": _lines(_inserted_line),
    "repeated line": _lines(_repeated_line),
    "lost line": _lines(_lost_line),
    "swapped lines": _lines(_swapped_lines),
    "wrong count": _wrong_count,
    "twice": twice,
    "blank lines": _lines(_blank_lines),
    "line ends": line_ends,
    "encoding": encoding,
}
#: Those that leave all numbers as they are.
HARMLESS = ("blank lines", "line ends", "encoding")
#: Those after which the numbers of a table cannot all be in their columns.
SHIFTING = ("lost cell", "won cell")
#: Those of files that are no text.
OF_BYTES = ("truncated", "other bytes", "swapped bytes", "hole", "twice")


def mutate(data: bytes, chance: random.Random) -> tuple[list[str], bytes]:
    """Return the names of one random mutation, or several, and the damaged file."""
    known = list(MUTATIONS) if is_text(data) else OF_BYTES
    labels = [chance.choice(known) for _ in range(chance.choice((1, 1, 1, 2, 3)))]
    for label in labels:
        data = MUTATIONS[label](data, chance)
    return labels, data


def streams_of(form: Format, path: Path) -> tuple[Stream, ...]:
    """Return the streams of a file; a warning is an error."""
    assert form.streams is not None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return form.streams(RecordingChoice(form.name, path))


def _same(found: Sequence[Stream], truth: Sequence[Stream]) -> bool:
    pairs = [(getattr(a, n), getattr(b, n)) for a, b in zip(found, truth, strict=False) for n in _ARRAYS]
    return len(found) == len(truth) and all(
        (a is None) == (b is None) and (a is None or np.array_equal(a, b, equal_nan=True)) for a, b in pairs
    )


def outcome(form: Format, path: Path, truth: Sequence[Stream], labels: Sequence[str]) -> str:
    """Return 'read the same', 'read otherwise' or 'refused'; anything else raises."""
    try:
        recognise(path)
    except InputError as error:
        assert error.what and str(path) in error.where
    try:
        found = streams_of(form, path)
    except InputError as error:
        if not error.what or str(path) not in error.where or "\n" in error.what:
            raise AssertionError(f"a refusal without what or where: {error}") from error
        return "refused"
    arrays = [a for stream in found for n in _ARRAYS if (a := getattr(stream, n)) is not None]
    assert found and arrays and not any(np.isinf(array).any() for array in arrays), "infinite numbers"
    if _same(found, truth):
        return "read the same"
    assert not set(labels) <= set(HARMLESS), "other numbers, though nothing was changed"
    # One cell less and one more in a row is a cell replaced, which none can see; so is a word of XML.
    shifted = len(labels) == 1 and labels[0] in SHIFTING and form.name != "mvnx"
    assert not (shifted and _moved(found, truth)), "numbers in wrong columns"
    return "read otherwise"


def _moved(found: Sequence[Stream], truth: Sequence[Stream]) -> bool:
    """Return whether the numbers of samples differ, and not only names, rates or which columns there are."""
    pairs = [(getattr(a, n), getattr(b, n)) for a, b in zip(found, truth, strict=False) for n in _ARRAYS]
    return any(a is not None and b is not None and not np.array_equal(a, b, equal_nan=True) for a, b in pairs)


def run(files: Sequence[Path], count: int, seed: int, keep: Path | None = None) -> tuple[Counter, list[str]]:
    """Damage each file so often; return how often each outcome came, and what should not have happened."""
    counts, faults = Counter(), []
    with tempfile.TemporaryDirectory(prefix="mutations_") as folder:
        for file in files:
            form, original = recognise(file), shortened(file.read_bytes())
            path = Path(folder, file.name)
            path.write_bytes(original)
            truth = streams_of(form, path)
            for number in range(count):
                chance = random.Random(f"{seed}/{file.name}/{number}")
                labels, data = mutate(original, chance)
                path.write_bytes(data)
                try:
                    counts[f"{form.name} {outcome(form, path, truth, labels)}"] += 1
                except Exception:
                    counts[f"{form.name} fault"] += 1
                    faults.append(
                        f"{file.name} {number} ({' + '.join(labels)}): {traceback.format_exc(limit=-4)}"
                    )
                    if keep is not None:
                        (keep / f"{number}_{file.name}").write_bytes(data)
    return counts, faults


if __name__ == "__main__":
    sys.exit(main("Read damaged recordings.", run))
