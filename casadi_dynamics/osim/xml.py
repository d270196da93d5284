"""Reading values out of XML elements, with one clear error for each way they can be wrong."""

from __future__ import annotations

import math
import re
from pathlib import Path

from casadi_dynamics.errors import InputError

#: A decimal number as C++ reads it; Python's `float` would also take `1_000` and digits of other scripts.
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
#: Characters that OpenSim does not allow in the name of a component.
_UNFIT_FOR_NAMES = re.compile(r"[\s/\\*+\x00-\x1f]")


def locate(path: Path, item) -> str:
    """Return the file, line and name of an element, for messages."""
    return f"{path}, line {item.sourceline}, {item.tag} '{item.get('name', '')}'"


def name_of(path: Path, item) -> str:
    """Return the name of an element, which it must have."""
    name = item.get("name") or ""
    if not name or _UNFIT_FOR_NAMES.search(name):
        raise InputError(
            f"This {item.tag} has {'a name that cannot stand in a path' if name else 'no name'}.",
            where=locate(path, item),
            expected='an attribute name="..." without blanks, slashes, *, + and control characters',
            found=repr(name) if name else "none",
            fix="open the model in OpenSim and save it again",
        )
    return name


def distinct_tags(path: Path, item) -> None:
    """Refuse an element with two children of one tag; OpenSim would use the first and drop the other.

    Properties that are objects of one class, such as the curves of a muscle, are told apart by their names.
    """
    seen = {}
    for child in children(item):
        first = seen.setdefault((child.tag, child.get("name") if len(child) else None), child)
        if first is not child:
            raise InputError(
                f"{item.tag} '{item.get('name', '')}' has <{child.tag}> twice.",
                where=locate(path, child),
                expected="every property once",
                found=f"another <{child.tag}> in line {first.sourceline}",
                fix="remove the one that is not meant",
            )


def address_of(item) -> str:
    """Return OpenSim's absolute path of the component that an element is: `/jointset/hip_r/femur_offset`."""
    names = []
    while item is not None and item.tag != "Model":
        above = item.getparent()
        is_set = above is not None and above.tag == "Model" and item.tag.endswith("Set")
        names.append(item.tag.lower() if is_set else item.get("name"))
        item = above
    return "/" + "/".join(name.strip() for name in reversed(names) if name)


def unique_names(path: Path, items, kind: str) -> None:
    """Refuse elements of one `kind` that share a name; names are how everything is found."""
    article = "an" if kind[0] in "AEIOUaeiou" else "a"
    seen = {}
    for item in items:
        first = seen.setdefault(name_of(path, item), item)
        if first is not item:
            raise InputError(
                f"The name '{item.get('name')}' of {article} {kind} occurs twice.",
                where=locate(path, item),
                expected="names that occur once",
                found=f"the same name in line {first.sourceline}",
                fix=f"rename one {kind} in OpenSim",
            )


def refuse(path: Path, item, fix: str) -> InputError:
    """Return the error for an element that cannot be converted."""
    return InputError(
        f"{item.tag} '{item.get('name', '')}' cannot be converted exactly.",
        where=locate(path, item),
        found=item.tag,
        fix=fix,
    )


def children(item, *path: str) -> list:
    """Return the element children below `path` of an element that may be missing."""
    for tag in path:
        item = None if item is None else item.find(tag)
    return [] if item is None else [child for child in item if isinstance(child.tag, str)]


def child_value(path: Path, item, tag: str, default: str | None = None) -> str:
    """Return the text of child `tag`; without `default` it must be there."""
    child = item.find(tag)
    text = "" if child is None else _text_of(path, item, child)
    if text:
        return text
    if default is None:
        raise InputError(
            f"{item.tag} '{item.get('name', '')}' has no <{tag}>.",
            where=locate(path, item),
            expected=f"<{tag}> with a value",
            found="nothing" if child is None else "an empty element",
            fix="open the model in OpenSim and save it again",
        )
    return default


def _text_of(path: Path, item, child) -> str:
    """Return the one piece of text in a child; comments may stand before or after it."""
    pieces = [child.text, *(node.tail for node in child)]
    words = [piece.strip() for piece in pieces if piece and piece.strip()]
    twice = len(item.findall(child.tag)) > 1
    if len(words) > 1 or children(child) or twice:
        raise InputError(
            f"<{child.tag}> of {item.tag} '{item.get('name', '')}' is not one value.",
            where=locate(path, child),
            expected=f"<{child.tag}> once, with text and nothing else in it",
            found="it occurs twice" if twice else "elements or comments between words",
            fix="correct the value in the model file",
        )
    return words[0] if words else ""


def numbers(path: Path, item, tag: str, count: int | None, default=None) -> tuple[float, ...]:
    """Return the finite numbers in child `tag`, exactly `count` of them (any number if None)."""
    if default is not None and item.find(tag) is None:
        return tuple(default)
    text = child_value(path, item, tag)
    words = text.split()
    values = tuple(map(float, words)) if all(map(_NUMBER.fullmatch, words)) else ()
    if not values or not all(map(math.isfinite, values)) or (count is not None and len(values) != count):
        raise InputError(
            f"<{tag}> of {item.tag} '{item.get('name', '')}' is not made of finite numbers.",
            where=locate(path, item),
            expected=f"{'some' if count is None else count} finite numbers",
            found=repr(text[:80]),
            fix="correct the value in the model file",
        )
    return values


def number(path: Path, item, tag: str, default: float | None = None) -> float:
    """Return the one finite number in child `tag`."""
    return numbers(path, item, tag, 1, None if default is None else (default,))[0]


def flag(path: Path, item, tag: str, default: bool = False) -> bool:
    """Return the truth value of child `tag`, or OpenSim's `default` for a missing one."""
    text = child_value(path, item, tag, str(default)).lower()
    if text not in ("true", "false"):
        raise InputError(
            f"<{tag}> of {item.tag} '{item.get('name', '')}' is neither true nor false.",
            where=locate(path, item),
            expected="true or false",
            found=repr(text[:80]),
            fix="correct the value in the model file",
        )
    return text == "true"
