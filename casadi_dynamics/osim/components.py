"""Every component of a model with its path, wherever the file keeps it."""

from __future__ import annotations

from dataclasses import dataclass

from casadi_dynamics.osim.support import IGNORED, KINDS, UNREAD_GEOMETRY, advice
from casadi_dynamics.osim.xml import Element, name_nameless, unique_names

#: Sets of a model in OpenSim's order -> the kinds of component they hold; `components` may hold any kind.
_SETS = {
    "BodySet": ("body",),
    "JointSet": ("joint",),
    "ConstraintSet": ("constraint",),
    "ForceSet": ("force", "muscle"),
    "ContactGeometrySet": ("contact geometry",),
    "ControllerSet": (),
    "ProbeSet": (),
    "MarkerSet": (),
    "ComponentSet": tuple(dict.fromkeys(KINDS.values())),
}
#: Elements of a model that say nothing about its mechanics.
_DESCRIPTIVE = (
    "Ground credits publications length_units force_units ModelVisualPreferences assembly_accuracy "
    "gravity components"
).split()


@dataclass(frozen=True)
class Component:
    """An element of the file, where it hangs in the model (`/bodyset/pelvis`), and what it is.

    Attributes
    ----------
    address : str
        OpenSim's absolute path of the component.
    kind : str
        'body', 'joint', 'frame', 'coordinate', 'constraint', 'force', 'muscle' or 'contact geometry'.
    """

    element: Element
    address: str
    kind: str

    @property
    def name(self) -> str:
        """The last name of the address."""
        return self.address.rsplit("/", 1)[-1]

    @property
    def owner(self) -> str:
        """Address of the component that this one belongs to."""
        return self.address.rsplit("/", 1)[0]


def collect(model: Element) -> tuple[list[Component], list[str]]:
    """Return the components of a model in OpenSim's order, and what is ignored, with the reason.

    Raises
    ------
    InputError
        If a component is of a class that cannot be converted, or stands where its class cannot.
    """
    found: list[Component] = []
    ignored: list[str] = []

    def visit(elements: list[Element], owner: str, kinds: tuple[str, ...] | None) -> None:
        name_nameless([item for item in elements if item.tag in KINDS])
        kept = _used([item for item in elements if not unused(item)], kinds, ignored)
        unique_names([i for i, _ in kept], kinds[0] if kinds and len(kinds) == 1 else "component")
        for item, kind in kept:
            item.check_tags()
            component = Component(item, f"{owner}/{item.name}", kind)
            found.append(component)
            visit(item.children("frames"), component.address, ("frame",))
            visit(item.children("coordinates"), component.address, ("coordinate",))
            visit(item.children("components"), component.address, None)

    pulled = _words_of_forces(model)

    def unused(item: Element) -> bool:
        if item.tag not in UNREAD_GEOMETRY or item.label in pulled:
            return False
        ignored.append(f"{item}: no force uses it")
        return True

    _check_parts(model)
    # OpenSim's own order, whatever the order in the file; it decides that of the coordinates.
    visit(model.children("components"), "", None)
    visit(model.children("Ground", "components"), "/ground", None)
    for name, kinds in _SETS.items():
        visit(model.children(name, "objects"), f"/{name.lower()}", kinds)
    return found, ignored


def _used(
    elements: list[Element], kinds: tuple[str, ...] | None, ignored: list[str]
) -> list[tuple[Element, str]]:
    """Return the elements that count, each with its kind; those that do not are told to `ignored`."""
    used = []
    for item in elements:
        kind = KINDS.get(item.tag)
        if item.tag in IGNORED:
            ignored.append(f"{item}: {IGNORED[item.tag]}")
        elif kind is None or (kinds is not None and kind not in kinds):
            raise item.refusal(advice(item.tag))
        elif kind == "force" and not item.flag("appliesForce", not item.has("appliesForce")):
            ignored.append(f"{item}: it is switched off (appliesForce)")
        else:
            used.append((item, kind))
    return used


def _words_of_forces(model: Element) -> set[str]:
    """Return the last name of everything that the forces which act may name."""
    forces = (node for node in model.node.iter() if isinstance(node.tag, str) and node.tag.endswith("Force"))
    acting = (node for node in forces if (node.findtext("appliesForce") or "true").strip().lower() != "false")
    return {word.rsplit("/", 1)[-1] for node in acting for text in node.itertext() for word in text.split()}


def _check_parts(model: Element) -> None:
    for part in model.children():
        if part.tag not in _SETS and part.tag not in _DESCRIPTIVE:
            raise part.refusal("this part of a model is not known")
        for inner in part.children() if part.tag in _SETS else ():
            if inner.tag not in ("objects", "groups"):
                raise inner.refusal(f"a {part.tag} holds <objects> and <groups>")
