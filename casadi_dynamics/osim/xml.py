"""Elements of a model file, which name file, line and themselves in each error about them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any

from casadi_dynamics.errors import InputError
from casadi_dynamics.osim.included import BASE

#: A decimal number as C++ reads it; Python's `float` would also take `1_000` and digits of other scripts.
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
#: Characters that OpenSim does not allow in the name of a component.
_UNFIT_FOR_NAMES = re.compile(r"[\s/\\*+\x00-\x1f]")
_CORRECT = "correct the value in the model file"


@dataclass(frozen=True)
class Element:
    """An XML element and the file it stands in.

    Attributes
    ----------
    path : Path
        The file.
    node : lxml element
        What is wrapped; lxml has no types.
    """

    path: Path
    node: Any

    def __str__(self) -> str:
        return f"{self.tag} '{self.label}'"

    @property
    def tag(self) -> str:
        """The class of OpenSim, or the name of a property."""
        return self.node.tag

    @property
    def label(self) -> str:
        """The attribute `name` as it stands, or an empty text."""
        return self.node.get("name") or ""

    @property
    def line(self) -> int:
        """Line of the file in which the element begins."""
        return self.node.sourceline

    @property
    def where(self) -> str:
        """File, line and name, for messages; of a part that stands in another file, that file."""
        bases = (node.get(BASE) for node in (self.node, *self.node.iterancestors()))
        return f"{next(filter(None, bases), self.path)}, line {self.line}, {self}"

    @property
    def name(self) -> str:
        """The attribute `name`, which the element must have."""
        if not self.label or _UNFIT_FOR_NAMES.search(self.label):
            raise self.error(
                f"This {self.tag} has {'a name that cannot stand in a path' if self.label else 'no name'}.",
                expected='an attribute name="..." without blanks, slashes, *, + and control characters',
                found=repr(self.label) if self.label else "none",
                fix="rename it, wherever the file names it" if self.label else 'write name="..." into it',
            )
        return self.label

    @property
    def address(self) -> str:
        """OpenSim's absolute path of the component that the element is: `/jointset/hip_r/femur_offset`."""
        names, item = [], self.node
        while item is not None and item.tag != "Model":
            above = item.getparent()
            is_set = above is not None and above.tag == "Model" and item.tag.endswith("Set")
            names.append(item.tag.lower() if is_set else item.get("name"))
            item = above
        return "/" + "/".join(name.strip() for name in reversed(names) if name)

    def error(self, what: str, *, expected: str = "", found: str = "", fix: str = "") -> InputError:
        """Return an error about the element; the arguments are those of `InputError`."""
        return InputError(what, where=self.where, expected=expected, found=found, fix=fix)

    def refusal(self, fix: str) -> InputError:
        """Return the error for an element that cannot be converted, with the way out."""
        return self.error(f"{self} cannot be converted exactly.", found=self.tag, fix=fix)

    def has(self, tag: str) -> bool:
        """Whether there is a child of that tag."""
        return self.node.find(tag) is not None

    def children(self, *tags: str) -> list[Element]:
        """Return the child elements, or those of the child, grandchild ... that `tags` lead to."""
        item = self.node
        for tag in tags:
            item = None if item is None else item.find(tag)
        return [] if item is None else [Element(self.path, x) for x in item if isinstance(x.tag, str)]

    def text(self, tag: str, default: str | None = None) -> str:
        """Return the text of child `tag`; without `default` it must be there."""
        child = self.node.find(tag)
        text = "" if child is None else self._one_text(Element(self.path, child))
        if not text and default is None:
            raise self.error(
                f"{self} has no <{tag}>.",
                expected=f"<{tag}> with a value",
                found="nothing" if child is None else "an empty element",
                fix=f"write <{tag}> with its value into the file",
            )
        return text or str(default)

    def _one_text(self, child: Element) -> str:
        """Return the one piece of text in a child; comments may stand before or after it."""
        pieces = [child.node.text, *(node.tail for node in child.node)]
        words = [piece.strip() for piece in pieces if piece and piece.strip()]
        twice = len(self.node.findall(child.tag)) > 1
        if len(words) > 1 or child.children() or twice:
            raise child.error(
                f"<{child.tag}> of {self} is not one value.",
                expected=f"<{child.tag}> once, with text and nothing else in it",
                found="it occurs twice" if twice else "elements or comments between words",
                fix=_CORRECT,
            )
        return words[0] if words else ""

    def numbers(self, tag: str, size: int | None, default=None) -> tuple[Any, ...]:
        """Return the finite numbers in child `tag`, exactly `size` of them (any number if None).

        As in OpenSim an empty element means the `default`, if there is one, just as a missing one does.
        """
        text = self.text(tag, None if default is None else "")
        if not text and default is not None:
            return tuple(default)
        words = text.split()
        values = tuple(map(float, words)) if all(map(_NUMBER.fullmatch, words)) else ()
        if not values or not all(map(math.isfinite, values)) or (size is not None and len(values) != size):
            raise self.error(
                f"<{tag}> of {self} is not made of finite numbers.",
                expected=f"{'some' if size is None else size} finite numbers",
                found=repr(text[:80]),
                fix=_CORRECT,
            )
        return values

    def number(self, tag: str, default: float | None = None) -> float:
        """Return the one finite number in child `tag`."""
        return self.numbers(tag, 1, None if default is None else (default,))[0]

    def flag(self, tag: str, default: bool = False) -> bool:
        """Return the truth value of child `tag`, or OpenSim's `default` for a missing one."""
        text = self.text(tag, str(default)).lower()
        if text not in ("true", "false"):
            raise self.error(
                f"<{tag}> of {self} is neither true nor false.",
                expected="true or false",
                found=repr(text[:80]),
                fix=_CORRECT,
            )
        return text == "true"

    def check_tags(self) -> None:
        """Refuse two children of one tag; OpenSim would use the first and drop the other.

        Properties that are objects of one class, such as the curves of a muscle, are told apart by their
        names.
        """
        seen: dict[tuple, Element] = {}
        for child in self.children():
            first = seen.setdefault((child.tag, child.node.get("name") if len(child.node) else None), child)
            if first is not child:
                raise InputError(
                    f"{self} has <{child.tag}> twice.",
                    where=child.where,
                    expected="every property once",
                    found=f"another <{child.tag}> in line {first.line}",
                    fix="remove the one that is not meant",
                )


def unique_names(items: list[Element], kind: str) -> None:
    """Refuse elements of one `kind` that share a name; names are how everything is found."""
    article = "an" if kind[0] in "AEIOUaeiou" else "a"
    seen: dict[str, Element] = {}
    for item in items:
        first = seen.setdefault(item.name, item)
        if first is not item:
            raise item.error(
                f"The name '{item.name}' of {article} {kind} occurs twice.",
                expected="names that occur once",
                found=f"the same name in line {first.line}",
                fix=f"rename one {kind}, wherever the file names it",
            )


def fit_for_name(text: str) -> str:
    """Return a text as the name of a component: `_` for blanks, slashes, * and +, which OpenSim refuses."""
    return _UNFIT_FOR_NAMES.sub("_", text)


def name_nameless(items: Iterable[Element]) -> None:
    """Give the nameless elements among siblings the names that OpenSim makes up for them."""
    taken: set[str] = set()
    for item in items:
        if not item.label:
            plain = item.tag.lower()
            numbered = (f"{plain}_{i}" for i in count())
            item.node.set("name", next(name for name in chain((plain,), numbered) if name not in taken))
        taken.add(item.label)
