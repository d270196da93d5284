"""Mutated model files: each must be read and built, or refused with one `InputError`.

``python -m benchmarks.mutations MODEL.osim [MODEL.osim ...] --count 10000`` prints how many were read and how
many refused, and every file that ended in another way; those are kept in the folder of ``--keep``.
"""

from __future__ import annotations

import random
import re
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

from casadi_dynamics.errors import InputError
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import build

#: Functions that are built of every file that can be read, beside `muscles`: together they use all its parts.
_FUNCTIONS = ("dynamics", "kinematics", "contact", "passive_forces", "constraints", "rates", "coupling")

#: A file that takes longer than this, s, counts as a hang.
LONGEST_S = 60

_ABSURD = (
    "",
    "0",
    "-1",
    "-0.0",
    "1e308",
    "-1e308",
    "1e999",
    "5e-324",
    "nan",
    "-inf",
    "1_000",
    "٣",
    "0x10",
    "1e",
    "1,5",
    "1 2",
    "0 0 0",
    "1e200 1e200 1e200",
    "9" * 5000,
    "true",
    "ground",
    "..",
    "/",
    "//",
    "../../..",
    "/bodyset/",
    "\u202etxet",
)
_NAMES = ("", " ", "ground", "a b", "a/b", "..", "Ω", "'\"&<>", "x" * 10000, "parameters", "q")
_OPEN_TAG = re.compile(rb"<([A-Za-z][\w:]*)((?:\s+[\w:]+=\"[^\"]*\")*)\s*>")
_LEAF = re.compile(rb"<([A-Za-z][\w:]*)>([^<>]*)</\1>")
_NAME = re.compile(rb'name="([^"]*)"')
_ANY_TAG = re.compile(rb"<(/?)([A-Za-z][\w:]*)((?:\s+[\w:]+=\"[^\"]*\")*)\s*(/?)>")


def mutate(data: bytes, chance: random.Random) -> tuple[str, bytes]:
    """Return the name of one random mutation and the mutated file; sometimes several at once."""
    kinds, labels = list(MUTATIONS), []
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        kind = chance.choice(kinds)
        data = MUTATIONS[kind](data, chance)
        labels.append(kind)
    return " + ".join(labels), data


def _element(data: bytes, chance: random.Random) -> tuple[int, int]:
    """Return where a random element, small ones more often, begins and ends."""
    tags = list(_ANY_TAG.finditer(data))
    if not tags:
        return 0, 0
    for _ in range(20):
        i = chance.randrange(len(tags))
        if not tags[i][1]:
            break
    start, depth = tags[i].start(), 0
    for tag in tags[i:]:
        depth += 0 if tag[4] else (-1 if tag[1] else 1)
        if depth <= 0:
            return start, tag.end()
    return start, tags[i].end()


def _remove(data, chance):
    start, end = _element(data, chance)
    return data[:start] + data[end:]


def _duplicate(data, chance):
    start, end = _element(data, chance)
    return data[:end] + data[start:end] + data[end:]


def _move(data, chance):
    start, end = _element(data, chance)
    part, rest = data[start:end], data[:start] + data[end:]
    place = chance.choice(list(_ANY_TAG.finditer(rest)) or [re.match(b"", rest)]).end()
    return rest[:place] + part + rest[place:]


def _copy_elsewhere(data, chance):
    start, end = _element(data, chance)
    place = chance.choice(list(_ANY_TAG.finditer(data)) or [re.match(b"", data)]).end()
    return data[:place] + data[start:end] + data[place:]


def _rename(data, chance):
    tags = [tag[1] for tag in _OPEN_TAG.finditer(data)]
    if not tags:
        return data
    old = chance.choice(tags)
    new = chance.choice((chance.choice(tags), old + b"x", old[1:] or b"x", b"A::B", b"Sine", b"FreeJoint"))
    if chance.random() < 0.3:
        return re.sub(rb"(</?)" + old + rb"\b", rb"\1" + new, data)
    start, end = _element(data, chance)
    part = re.sub(rb"^<[\w:]+", b"<" + new, data[start:end])
    return data[:start] + re.sub(rb"</[\w:]+>$", b"</" + new + b">", part) + data[end:]


def _absurd_value(data, chance):
    leaves = list(_LEAF.finditer(data))
    if not leaves:
        return data
    leaf, other = chance.choice(leaves), chance.choice(leaves)
    value = chance.choice((chance.choice(_ABSURD).encode(), other[2]))
    if chance.random() < 0.3:  # one word of several
        words = leaf[2].split() or [b""]
        words[chance.randrange(len(words))] = value
        value = b" ".join(words)
    return data[: leaf.start(2)] + value + data[leaf.end(2) :]


def _absurd_name(data, chance):
    names = list(_NAME.finditer(data))
    if not names:
        return data
    name = chance.choice(names)
    new = chance.choice((chance.choice(_NAMES).encode(), chance.choice(names)[1]))
    return data[: name.start(1)] + new + data[name.end(1) :]


def _no_name(data, chance):
    names = list(_NAME.finditer(data))
    name = chance.choice(names) if names else re.match(b"", data)
    return data[: name.start()] + data[name.end() :]


def _cycle(data, chance):
    """Let a socket name something else that a socket names."""
    sockets = list(re.finditer(rb"<(socket_\w+)>([^<]*)<", data))
    if not sockets:
        return data
    one, other = chance.choice(sockets), chance.choice(sockets)
    return data[: one.start(2)] + other[2] + data[one.end(2) :]


def _truncate(data, chance):
    return data[: chance.randrange(len(data) + 1)]


def _flip(data, chance):
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 3, 20))):
        if changed:
            changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _cut(data, chance):
    start = chance.randrange(len(data) + 1)
    return data[:start] + data[start + chance.choice((1, 5, 50, 5000)) :]


def _wrong_root(data, chance):
    new = chance.choice((b"ScaleTool", b"Model", b"opensimdocument", b"OpenSimDocument2"))
    return data.replace(b"OpenSimDocument", new)


def _version(data, chance):
    odd = ("", "-1", "30000", "39999", "40600", "40601", "\uff14\uff10\uff10\uff10\uff10", "9" * 5000)
    version = chance.choice(odd).encode()
    return re.sub(rb'Version="[^"]*"', b'Version="' + version + b'"', data, count=1)


def _nest(data, chance):
    depth = chance.choice((3, 200, 100_000))
    place = chance.choice(list(_ANY_TAG.finditer(data)) or [re.match(b"", data)]).end()
    tag = chance.choice((b"objects", b"MultiplierFunction", b"components", b"Model", b"x"))
    return data[:place] + (b"<" + tag + b">") * depth + (b"</" + tag + b">") * depth + data[place:]


def _entities(data, chance):
    bomb = b"".join(b'<!ENTITY e%d "%s">' % (i, b"&e%d;" % (i - 1) * 10 if i else b"1") for i in range(9))
    start = data.find(b"<OpenSimDocument")
    data = data[:start] + b"<!DOCTYPE OpenSimDocument [" + bomb + b"]>" + data[start:]
    leaves = list(_LEAF.finditer(data))
    leaf = chance.choice(leaves) if leaves else re.match(b"()()", data)
    return data[: leaf.start(2)] + chance.choice((b"&e8;", b"&unknown;", b"&#x31;")) + data[leaf.end(2) :]


def _comment(data, chance):
    leaves = list(_LEAF.finditer(data))
    if not leaves:
        return data
    place = chance.choice(leaves)
    middle = chance.randint(place.start(2), place.end(2))
    node = chance.choice((b"<!-- c -->", b"<?p i?>", b"<![CDATA[1]]>", b"<x/>"))
    return data[:middle] + node + data[middle:]


def _encoding(data, chance):
    kind = chance.choice(("bom", "utf-16", "latin", "lie"))
    if kind == "bom":
        return b"\xef\xbb\xbf" + data
    if kind == "utf-16":
        return data.decode("latin-1").encode("utf-16")
    if kind == "latin":
        return data.replace(b"e", b"\xe9", chance.choice((1, 100)))
    encoding = chance.choice((b"utf-32", b"rot13", b"nope", b"hex"))
    declaration = b'<?xml version="1.0" encoding="%s"?>' % encoding
    return re.sub(rb"<\?xml[^>]*\?>", declaration, data, count=1)


MUTATIONS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    function.__name__.strip("_"): function
    for function in (
        _remove,
        _duplicate,
        _move,
        _copy_elsewhere,
        _rename,
        _absurd_value,
        _absurd_name,
        _no_name,
        _cycle,
        _truncate,
        _flip,
        _cut,
        _wrong_root,
        _version,
        _nest,
        _entities,
        _comment,
        _encoding,
    )
}


def outcome(path: Path) -> str:
    """Return 'read' or 'refused'; any other end of reading and building raises."""
    try:
        functions = build(read_model(path))
        for name in _FUNCTIONS:
            assert getattr(functions, name).n_out() > 0
        assert functions.muscles().n_out() > 0
    except InputError as error:
        if not (error.what and error.where):
            raise AssertionError(f"a refusal without what or where: {error}") from error
        return "refused"
    return "read"


@contextmanager
def _within(seconds: float):
    def late(*_):
        raise TimeoutError(f"more than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run(models: list[Path], count: int, seed: int, keep: Path | None = None) -> tuple[Counter, list[str]]:
    """Mutate `models` in turn; return how often each outcome came, and what should not have happened."""
    counts, faults = Counter(), []
    originals = [path.read_bytes() for path in models]
    with tempfile.TemporaryDirectory(prefix="mutations_") as folder:
        for number in range(count):
            chance = random.Random(f"{seed}/{number}")
            which = number % len(models)
            label, data = mutate(originals[which], chance)
            path = Path(folder, "mutated.osim")
            path.write_bytes(data)
            try:
                with _within(LONGEST_S):
                    counts[outcome(path)] += 1
            except Exception:
                counts["fault"] += 1
                faults.append(f"{models[which].name} {number} ({label})\n{traceback.format_exc(limit=-4)}")
                if keep is not None:
                    (keep / f"{models[which].stem}_{number}.osim").write_bytes(data)
    return counts, faults


if __name__ == "__main__":
    from benchmarks.measure.mutants import main

    sys.exit(main("Read and build mutated model files.", run))
