"""Damaged storage files: each is read right or refused with one `InputError`, never read wrong in silence.

``python -m benchmarks.storage_mutations FILE.mot [FILE.sto ...] --count 10000`` prints how many files were
read right, read with a warning and refused, and every one that was read wrong without a word; ``--keep``
keeps those.

A damage that no reader could see, such as another digit in a number, is not among the mutations. A warning
counts as a word only where the numbers differ from the truth; where they are right it is counted apart.
"""

from __future__ import annotations

import random
import re
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
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
from sspinn_opensim.opensim_io.tables.motion_files import plain_name
from sspinn_opensim.opensim_io.tables.storage import StorageWarning, Table, read_storage

_ROWS = 60
_CELLS_OF_A_ROW = ("short row", "lost cell", "long row", "joined cells")
_CELL = (
    "nan",
    "NaN",
    "inf",
    "-Inf",
    "",
    " ",
    "1,5",
    "#N/A",
    "1.#QNAN",
    "1_000",
    "0x10",
    "1e999",
    "--1",
    "1.2.3",
    "a",
)


def shortened(data: bytes) -> bytes:
    """Return a file with its first rows only and its header set right, so that many take little time."""
    head, _, body = data.partition(b"endheader")
    lines = [line for line in body.splitlines() if line.strip()]
    kept = lines[: _ROWS + 1]
    head = re.sub(rb"(?im)^(nRows\s*=\s*|datarows\s+)\d+", rb"\g<1>%d" % (len(kept) - 1), head)
    return head + b"endheader\n" + b"\n".join(kept) + b"\n"


def mutate(data: bytes, chance: random.Random) -> tuple[str, bytes]:
    """Return the name of one random mutation and the mutated file; sometimes several at once."""
    kinds, labels = list(MUTATIONS), []
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        kind = chance.choice(kinds)
        data = MUTATIONS[kind](data, chance)
        labels.append(kind)
        if (
            kind in _CELLS_OF_A_ROW
        ):  # one cell less and one more in a row is a cell replaced, which none can see
            kinds = [other for other in kinds if other not in _CELLS_OF_A_ROW]
    return " + ".join(labels), data


def _parts(data: bytes) -> tuple[list[bytes], list[bytes]]:
    """Return the lines up to the end of the header, and the labels and rows."""
    lines = data.split(b"\n")
    end = next((k for k, line in enumerate(lines) if line.strip().lower() == b"endheader"), -1)
    return lines[: end + 1], lines[end + 1 :]


def _body(change: Callable[[list[bytes], random.Random], list[bytes]]):
    def mutation(data: bytes, chance: random.Random) -> bytes:
        head, body = _parts(data)
        return b"\n".join(head + change(body, chance)) if body else data

    return mutation


def _row(change: Callable[[list[bytes], random.Random], list[bytes]], first: int = 1):
    """Return a mutation of the cells of one row; `first` 0 lets it be the row of labels."""

    def mutation(body: list[bytes], chance: random.Random) -> list[bytes]:
        filled = [k for k, line in enumerate(body) if line.strip()]
        if len(filled) > first:
            k = chance.choice(filled[first:])
            body[k] = b"\t".join(change(body[k].split(b"\t"), chance))
        return body

    return _body(mutation)


def _header(pattern: bytes, choices: tuple[bytes, ...]):
    """Return a mutation of a line of the header; choices may use the line's number ``{n}``."""

    def mutation(data: bytes, chance: random.Random) -> bytes:
        head, body = _parts(data)
        for k, line in enumerate(head):
            if re.match(pattern, line.strip(), re.IGNORECASE):
                stated = int(next(iter(re.findall(rb"\d+", line)), b"0"))
                number = str(max(0, stated + chance.choice((-1, 1, -7, 40)))).encode()
                head[k] = chance.choice(choices).replace(b"{n}", number)
        return b"\n".join(head + body)

    return mutation


def _short_row(cells, chance):
    return cells[: -chance.choice((1, 2))]


def _joined_cells(cells, chance):
    k = place_in(cells, chance)
    return [*cells[:k], b"".join(cells[k : k + 2]), *cells[k + 2 :]]


def _trailing_tabs(body, chance):
    extra = b"\t" * chance.choice((1, 3))
    return [line + extra if line.strip() else line for line in body]


def _blank_lines(body, chance):
    for _ in range(chance.choice((1, 3))):
        body.insert(chance.randrange(len(body) + 1), chance.choice((b"", b"  ", b"\t\t")))
    return body


def _spaces(body, chance):
    blank = chance.choice((b" ", b"   "))
    return [line.replace(b"\t", blank) for line in body]


def _other_separator(body, chance):
    mark = chance.choice((b",", b";"))
    return [line.replace(b"\t", mark) for line in body]


def _decimal_commas(body, _chance):
    return body[:1] + [line.replace(b".", b",") for line in body[1:]]


def _time_label(body, chance):
    new = chance.choice((b"Time", b"TIME", b"t", b"time (s)", b"Frame", b"tme", b""))
    return [re.sub(rb"^\s*time", new, body[0], count=1), *body[1:]] if body else body


def _paths(body, _chance):
    labels = body[0].split(b"\t")
    if any(b"/" in label for label in labels):
        return body
    return [
        b"\t".join(labels[:1] + [b"/jointset/some/" + label + b"/value" for label in labels[1:]]),
        *body[1:],
    ]


def _time_last(body, _chance):
    return [
        b"\t".join(line.split(b"\t")[1:] + line.split(b"\t")[:1]) if line.strip() else line for line in body
    ]


def _repeated_label(body, chance):
    labels = body[0].split(b"\t") if body else []
    if len(labels) > 2:
        k, other = chance.sample(range(1, len(labels)), 2)
        labels[k] = labels[other]
        body[0] = b"\t".join(labels)
    return body


def _repeated_column(body, chance):
    k = chance.randrange(1, max(2, len(body[0].split(b"\t"))))
    return [line + b"\t" + b"".join(line.split(b"\t")[k : k + 1]) if line.strip() else line for line in body]


def _repeated_row(body, chance):
    if len(body) > 2:
        k = chance.randrange(1, len(body) - 1)
        body.insert(k, body[k])
    return body


def _swapped_rows(body, chance):
    if len(body) > 4:
        k = chance.randrange(1, len(body) - 2)
        body[k], body[k + 1] = body[k + 1], body[k]
    return body


def _lost_rows(body, chance):
    if len(body) > 10:
        k = chance.randrange(2, len(body) - 5)  # without the first rows a file is a shorter one
        del body[k : k + chance.choice((1, 3))]
    return body


def _joined_lines(body, chance):
    k = chance.randrange(len(body))
    return [*body[:k], b"".join(body[k : k + 2]), *body[k + 2 :]]


def _no_rows(body, chance):
    return body[: chance.choice((0, 1))]


def _truncated(data, chance):
    return data[: chance.randrange(len(data) + 1)]


def _no_end_of_header(data, chance):
    return re.sub(
        rb"(?im)^endheader[^\n]*\n", chance.choice((b"", b"EndHeader\n", b"endheader \n", b"end\n")), data
    )


def _no_header(data, _chance):
    return b"\n".join(_parts(data)[1])


MUTATIONS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "wrong number of rows": _header(rb"(nrows|datarows)", (b"nRows={n}", b"nRows=", b"nRows=many", b"")),
    "wrong number of columns": _header(rb"(ncolumns|datacolumns)", (b"nColumns={n}", b"nColumns=x", b"")),
    "unit in other words": _header(
        rb"indegrees\s*=\s*yes",
        (b"inDegrees=YES", b"InDegrees = true", b"inDegrees== yes", b"inDegrees 1", b""),
    ),
    "unit in other words (no)": _header(
        rb"indegrees\s*=\s*no", (b"INDEGREES=No", b"inDegrees = false", b"inDegrees=0\t\t", b"")
    ),
    "unit that means nothing": _header(rb"indegrees", (b"inDegrees=maybe", b"inDegrees=2")),
    "version": _header(rb"version", (b"version=3", b"version=1\t\t", b"Version = 2", b"")),
    "bad cell": _row(bad_cell(_CELL)),
    "short row": _row(_short_row),
    "lost cell": _row(lost_cell, 0),
    "long row": _row(won_cell, 0),
    "joined cells": _row(_joined_cells, 0),
    "trailing tabs": _body(_trailing_tabs),
    "blank lines": _body(_blank_lines),
    "spaces": _body(_spaces),
    "commas": _body(_other_separator),
    "decimal commas": _body(_decimal_commas),
    "label of time": _body(_time_label),
    "state paths": _body(_paths),
    "time last": _body(_time_last),
    "repeated label": _body(_repeated_label),
    "repeated column": _body(_repeated_column),
    "repeated row": _body(_repeated_row),
    "swapped rows": _body(_swapped_rows),
    "lost rows": _body(_lost_rows),
    "joined lines": _body(_joined_lines),
    "no rows": _body(_no_rows),
    "twice": twice,
    "truncated": _truncated,
    "line ends": line_ends,
    "encoding": encoding,
    "no end of header": _no_end_of_header,
    "no header": _no_header,
}


def outcome(path: Path, truth: Table) -> str:
    """Return 'right', 'right, warned', 'wrong, warned', 'wrong in silence' or 'refused'."""
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", StorageWarning)
            found = read_storage(path)
    except InputError as error:
        if not error.what or str(path) not in error.where:
            raise AssertionError(f"a refusal without what or where: {error}") from error
        return "refused"
    assert len(caught) == len(found.notes)
    same = _same(found, truth)
    return ("right" if same else "wrong") + (", warned" if found.notes else "" if same else " in silence")


def _same(found: Table, truth: Table) -> bool:
    """Whether all is as in the truth; an unknown unit is no wrong one."""
    return (
        tuple(map(plain_name, found.names)) == tuple(map(plain_name, truth.names))
        and np.array_equal(found.time_s, truth.time_s)
        and np.array_equal(found.values, truth.values)
        and found.in_degrees in (truth.in_degrees, None)
    )


def run(files: list[Path], count: int, seed: int, keep: Path | None = None) -> tuple[Counter, list[str]]:
    """Mutate files in turn; return how often each outcome came, and what should not have happened."""
    counts, faults, originals, truths = Counter(), [], [], []
    with tempfile.TemporaryDirectory(prefix="mutations_") as folder:
        for file in files:
            originals.append(shortened(file.read_bytes()))
            path = Path(folder, f"original{file.suffix}")
            path.write_bytes(originals[-1])
            truths.append(read_storage(path))
        for number in range(count):
            chance = random.Random(f"{seed}/{number}")
            which = number % len(files)
            label, data = mutate(originals[which], chance)
            path = Path(folder, f"mutated{files[which].suffix}")
            path.write_bytes(data)
            fault = ""
            try:
                found = outcome(path, truths[which])
                fault = found if found == "wrong in silence" else ""
            except Exception:
                found, fault = "fault", traceback.format_exc(limit=-4)
            counts[found] += 1
            if fault:
                faults.append(f"{files[which].name} {number} ({label}): {fault}")
                if keep is not None:
                    (keep / f"{number}_{files[which].name}").write_bytes(data)
    return counts, faults


if __name__ == "__main__":
    sys.exit(main("Read damaged storage files.", run))
