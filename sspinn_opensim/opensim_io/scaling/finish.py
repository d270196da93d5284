"""Steps after OpenSim has scaled: contact geometry follows, the file is checked, the report is made.

OpenSim scales bodies, joints, muscles, markers and frames attached to bodies; it leaves contact geometry
where it was. That is scaled here, with the body that carries it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from lxml import etree
from numpy.typing import ArrayLike

from casadi_dynamics.errors import InputError
from casadi_dynamics.opensim_process.jobs import run_job
from sspinn_opensim.opensim_io.documents import child_text
from sspinn_opensim.opensim_io.model.model_file import contact_geometry, read_model_tree
from sspinn_opensim.opensim_io.worker.scaling import describe_anatomy

TIMEOUT_S = 120.0
_TOLERANCE = 1e-9
_CHANGED_MUSCLE = ("length_m", "optimal_fiber_length_m", "tendon_slack_length_m")


def describe(model: Path, marker_set: Path | None = None) -> dict:
    """Return masses, joint centres, markers and muscles of a model in its default pose, from OpenSim."""
    arguments = {"model": model} | ({"marker_set": marker_set} if marker_set else {})
    return run_job(describe_anatomy, arguments, timeout_s=TIMEOUT_S).values


def telling(log_warnings: Sequence[str]) -> tuple[str, ...]:
    """Leave out that OpenSim finds no bone to draw."""
    return tuple(line for line in log_warnings if "Couldn't find file" not in line)


def check_contact_can_scale(generic: Path) -> None:
    """Refuse contact geometry on bodies that is not spheres: OpenSim would leave it behind."""
    for body, geometry in contact_geometry(read_model_tree(generic)):
        if body != "ground" and geometry.tag != "ContactSphere":
            raise InputError(
                f"{geometry.tag} '{geometry.get('name')}' on body '{body}' cannot be scaled",
                where=str(generic),
                expected="contact spheres on bodies",
                fix="replace it by contact spheres, or scale the model yourself and mark it as scaled",
            )


def scale_contact(tree: etree._ElementTree, factors: Mapping) -> tuple[str, ...]:
    """Scale spheres on bodies: centre per axis, radius by the geometric mean, so that volume scales alike.

    Returns
    -------
    tuple of str
        Their names.
    """
    scaled = []
    for body, geometry in contact_geometry(tree):
        if body not in factors:
            continue
        xyz = np.asarray(factors[body], float)
        axes = _axes(tree, child_text(geometry, "socket_frame"))
        stretch = np.diag(xyz) if axes is None else axes.T @ np.diag(xyz) @ axes
        _replace(geometry, "location", stretch @ _vector(geometry, "location"))
        _replace(geometry, "radius", np.cbrt(xyz.prod()) * _vector(geometry, "radius"))
        scaled.append(geometry.get("name", ""))
    return tuple(scaled)


def verify(
    factors: Mapping,
    mass_kg: float,
    keeps_shares: bool,
    before: dict,
    after: dict,
    generic_tree: etree._ElementTree,
    tree: etree._ElementTree,
) -> None:
    """Hold masses, mass centres, frames and spheres of the written model against what `factors` mean."""
    _expect("the total mass", after["total_mass_kg"], mass_kg)
    volumes = {body: 1.0 if keeps_shares else float(np.prod(xyz)) for body, xyz in factors.items()}
    masses = {body: before["bodies"][body]["mass_kg"] * volumes[body] for body in factors}
    share = mass_kg / sum(masses.values())
    for body, xyz in factors.items():
        found = after["bodies"][body]
        _expect(f"the mass of '{body}'", found["mass_kg"], masses[body] * share)
        expected = np.multiply(before["bodies"][body]["mass_center"], xyz)
        _expect(f"the mass centre of '{body}'", found["mass_center"], expected)
    old, new = _frame_places(generic_tree, factors), _frame_places(tree, factors)
    for key in old:
        body, name = key
        expected = np.multiply(old[key], factors[body])
        _expect(f"the place of '{name}' on '{body}'", new.get(key, np.nan), expected)


def changes(before: dict, after: dict, generic_tree: etree._ElementTree, tree: etree._ElementTree) -> dict:
    """Return what scaling changed, before and after, by kind and name.

    Inertia is about the mass centre: xx, yy, zz, xy, xz, yz.
    """
    old, new = before["muscles"], after["muscles"]
    return {
        "inertia_kg_m2": {
            body: [values["inertia"], after["bodies"][body]["inertia"]]
            for body, values in before["bodies"].items()
        },
        "muscles": {
            name: {key: [values[key], new[name][key]] for key in _CHANGED_MUSCLE}
            for name, values in old.items()
        },
        "markers": {
            name: {
                "body": marker["body"],
                "location_m": [marker["location"], after["markers"][name]["location"]],
            }
            for name, marker in before["markers"].items()
            if name in after["markers"]
        },
        "contact": _pairs(_contact(generic_tree), _contact(tree)),
        "imu_frames": _pairs(_imu_frames(generic_tree), _imu_frames(tree)),
    }


def _pairs(old: dict, new: dict) -> dict:
    return {name: {key: [old[name][key], new[name][key]] for key in old[name]} for name in old if name in new}


def _contact(tree: etree._ElementTree) -> dict:
    return {
        geometry.get("name", ""): {
            "location_m": _vector(geometry, "location").tolist(),
            "radius_m": float(_vector(geometry, "radius")[0]),
        }
        for body, geometry in contact_geometry(tree)
        if body != "ground" and geometry.tag == "ContactSphere"
    }


def _imu_frames(tree: etree._ElementTree) -> dict:
    return {
        frame.get("name"): {"translation_m": _vector(frame, "translation").tolist()}
        for frame in tree.iter("PhysicalOffsetFrame")
        if frame.get("name", "").endswith("_imu")
    }


def _axes(tree: etree._ElementTree, socket: str) -> np.ndarray | None:
    """Return the axes of an offset frame in its body, as columns; None for the body itself."""
    name = socket.rstrip("/").split("/")[-1]
    frame = next((f for f in tree.iter("PhysicalOffsetFrame") if f.get("name") == name), None)
    if frame is None:
        return None
    x, y, z = _vector(frame, "orientation")
    (sx, cx), (sy, cy), (sz, cz) = ((np.sin(a), np.cos(a)) for a in (x, y, z))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    own = about_x @ about_y @ about_z
    parent = _axes(tree, child_text(frame, "socket_parent"))
    return own if parent is None else parent @ own


def _vector(element: etree._Element, tag: str) -> np.ndarray:
    default = "0" if tag == "radius" else "0 0 0"
    return np.array((child_text(element, tag) or default).split(), float)


def _replace(element: etree._Element, tag: str, values: np.ndarray) -> None:
    if element.find(tag) is not None:
        element.find(tag).text = " ".join(map(repr, values.tolist()))


def _frame_places(tree: etree._ElementTree, factors: Mapping) -> dict[tuple[str, str], np.ndarray]:
    """Return the translation of each offset frame fixed directly to a body, and the centre of each sphere."""
    places = {}
    for joint in tree.iterfind("Model/JointSet/objects/*"):
        for frame in joint.iterfind("frames/PhysicalOffsetFrame"):
            body = child_text(frame, "socket_parent").split("/")[-1]
            places[body, f"{joint.get('name')}/{frame.get('name')}"] = _vector(frame, "translation")
    for body in tree.iterfind("Model/BodySet/objects/Body"):
        for frame in body.iterfind("components/PhysicalOffsetFrame"):
            if child_text(frame, "socket_parent") == "..":
                places[body.get("name"), frame.get("name")] = _vector(frame, "translation")
    for body, geometry in contact_geometry(tree):
        axes = _axes(tree, child_text(geometry, "socket_frame"))
        location = _vector(geometry, "location")
        places[body, geometry.get("name")] = location if axes is None else axes @ location
    return {key: place for key, place in places.items() if key[0] in factors}


def _expect(what: str, found: ArrayLike, expected: ArrayLike) -> None:
    found, expected = np.asarray(found, float), np.asarray(expected, float)
    scale = max(float(np.abs(expected).max()), 1e-6)  # micrometres and milligrams count as zero
    if not np.all(np.abs(found - expected) <= _TOLERANCE * scale):
        raise InputError(
            f"the scaled model does not read back as it should: {what}",
            expected=str(expected),
            found=str(found),
            fix="report this model: its scaling needs a look",
        )
