"""Reading values out of XML elements, with one clear error for each way they can be wrong."""

from __future__ import annotations

import math
from pathlib import Path

from casadi_dynamics.errors import InputError


def locate(path: Path, item) -> str:
    """Return the file, line and name of an element, for messages."""
    return f"{path}, line {item.sourceline}, {item.tag} '{item.get('name', '')}'"


def name_of(path: Path, item) -> str:
    """Return the name of an element, which it must have."""
    name = (item.get("name") or "").strip()
    if not name:
        raise InputError(
            f"This {item.tag} has no name.",
            where=locate(path, item),
            expected='an attribute name="..."',
            found="none",
            fix="open the model in OpenSim and save it again",
        )
    return name


def unique_names(path: Path, items, kind: str) -> None:
    """Refuse elements of one `kind` that share a name; names are how everything is found."""
    seen = {}
    for item in items:
        first = seen.setdefault(name_of(path, item), item)
        if first is not item:
            raise InputError(
                f"The name '{item.get('name')}' of a {kind} occurs twice.",
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
    text = (child.text or "").strip() if child is not None else ""
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


def numbers(path: Path, item, tag: str, count: int | None, default=None) -> tuple[float, ...]:
    """Return the finite numbers in child `tag`, exactly `count` of them (any number if None)."""
    if default is not None and item.find(tag) is None:
        return tuple(default)
    text = child_value(path, item, tag)
    try:
        values = tuple(float(word) for word in text.split())
    except ValueError:
        values = ()
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


def flag(path: Path, item, tag: str) -> bool:
    """Return the truth value of child `tag`; OpenSim's default for a missing one is false."""
    text = child_value(path, item, tag, "false").lower()
    if text not in ("true", "false"):
        raise InputError(
            f"<{tag}> of {item.tag} '{item.get('name', '')}' is neither true nor false.",
            where=locate(path, item),
            expected="true or false",
            found=repr(text[:80]),
            fix="correct the value in the model file",
        )
    return text == "true"
