"""MuJoCo's inverse dynamics in a loop over the batch."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np

from benchmarks.peers.case import Case
from benchmarks.peers.route import DIRECTIONS, FORWARD, UnavailableError, Work, timed
from benchmarks.peers.simple_tree import SimpleTree, simplify
from casadi_dynamics.errors import InputError

#: Samples evaluated for one measurement: a loop takes as long for each sample of any batch.
_LOOPED = 1024
#: Step of the finite differences, as in MuJoCo's own examples.
_STEP = 1e-6


class Mujoco:
    """`mj_inverse` for the forces, `mjd_inverseFD` (finite differences) for their Jacobians."""

    directions = DIRECTIONS
    dtypes = ("float64",)

    def __init__(self, case: Case) -> None:
        try:
            import mujoco
        except ImportError:
            raise UnavailableError("not installed: python -m pip install mujoco") from None
        try:
            tree = simplify(case.model)
            model = mujoco.MjModel.from_xml_string(_xml(tree, case.model.gravity))
        except InputError as error:
            raise UnavailableError(error.what) from None
        except ValueError as error:
            raise UnavailableError(f"MuJoCo refuses the model: {str(error).splitlines()[0]}") from None
        self._library, self._model, self._exact = mujoco, model, tree.exact
        self._data = mujoco.MjData(model)
        self._order = [int(model.joint(i).name) for i in range(model.njnt)]

    def work(self, direction: str, dtype: str, states: dict[str, np.ndarray]) -> Work:
        """Return the loop over (at most the first 1024) states."""
        rows, n = self._rows(states), self._model.nv
        model, data = self._model, self._data
        if direction == FORWARD:
            inverse = self._library.mj_inverse

            def once():
                inverse(model, data)

        else:
            difference, jacobians = self._library.mjd_inverseFD, [np.empty((n, n)) for _ in range(3)]

            def once():
                difference(model, data, _STEP, 0, *jacobians, None, None, None, None)

            rows = rows[: max(1, len(rows) // 16)]  # finite differences take so much longer

        def loop():
            for data.qpos, data.qvel, data.qacc in rows:
                once()

        return timed(loop, len(rows))

    def forces(self, states: dict[str, np.ndarray]) -> np.ndarray | None:
        """Return tau (batch, n), or None where the model had to be simplified."""
        if not self._exact:
            return None
        rows, data = self._rows(states), self._data
        tau = np.empty((len(rows), len(self._order)))
        for i, (data.qpos, data.qvel, data.qacc) in enumerate(rows):
            self._library.mj_inverse(self._model, data)
            tau[i, self._order] = data.qfrc_inverse
        return tau

    def close(self) -> None:
        """Do nothing."""

    def _rows(self, states) -> list[tuple[np.ndarray, ...]]:
        arrays = [states[name][:_LOOPED, self._order] for name in ("q", "u", "udot")]
        return [tuple(map(np.ascontiguousarray, row)) for row in zip(*arrays, strict=True)]


def _xml(tree: SimpleTree, gravity) -> str:
    """Return the tree as MuJoCo's XML: nothing but bodies and joints."""
    root = ET.Element("mujoco")
    # MuJoCo refuses inertias that no solid can have, which published models do contain.
    ET.SubElement(root, "compiler", angle="radian", balanceinertia="true", autolimits="true")
    option = ET.SubElement(root, "option", gravity=_text(gravity))
    ET.SubElement(option, "flag", contact="disable", constraint="disable")
    elements = {-1: ET.SubElement(root, "worldbody")}
    for index, link in enumerate(tree.links):
        axes = link.frame.rotation.T  # a frame is given by its first two axes, in the parent
        frame = {"pos": _text(link.frame.translation), "xyaxes": _text([*axes[0], *axes[1]])}
        body = ET.SubElement(elements[link.parent], "body", frame)
        for axis in link.axes:
            kind = {"revolute": "hinge", "prismatic": "slide"}[axis.kind]
            ET.SubElement(body, "joint", name=str(axis.place), type=kind, axis=_text(axis.direction))
        inertia = link.inertia.about_center
        six = [*np.diag(inertia), inertia[0, 1], inertia[0, 2], inertia[1, 2]]
        own = {"mass": repr(float(link.inertia.mass)), "pos": _text(link.inertia.center)}
        ET.SubElement(body, "inertial", own, fullinertia=_text(six))
        elements[index] = body
    return ET.tostring(root, encoding="unicode")


def _text(values) -> str:
    return " ".join(repr(float(value)) for value in values)
