"""Model that the shipped network knows: whether another is a scaled copy of it, without PyTorch."""

from __future__ import annotations

import functools
from pathlib import Path

import osim_models
from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Model
from casadi_dynamics.osim import is_older, read_model

#: The network, as a study or the command line names it.
BUILTIN = "builtin"
OTHER_MODEL = "it knows the model builtin:planar_gait only"


def is_known(model: Model) -> bool:
    """Return whether a model is the built-in one, scaled to anyone."""
    return _structure(model) == _structure(_generic())


def refuse_other_model(file: Path, where: str) -> None:
    """Refuse a model that is not known, before anything is made of it.

    Parameters
    ----------
    file : Path
        That of a study, not yet scaled. One of an older version is not looked at: only OpenSim reads it.
    where : str
        The study, for the message.
    """
    if is_older(file):
        return
    joints, spheres = _structure(read_model(file))
    known_joints, known_spheres = _structure(_generic())
    # A model without points of contact gets them when it is scaled.
    if joints != known_joints or spheres not in ((), known_spheres):
        raise does_not_fit(OTHER_MODEL, where)


def does_not_fit(why: str, where: str) -> InputError:
    """Return the error that the shipped network does not fit a study, and why."""
    return InputError(
        f"The built-in network does not fit this study: {why}.",
        where=where,
        expected="the built-in model with sensors on some of pelvis, thighs, shanks and feet",
        fix="train on the recording: sspinn run, or sspinn train",
    )


@functools.lru_cache(maxsize=1)
def _generic() -> Model:
    return read_model(osim_models.path("planar_gait"))


def _structure(model: Model) -> tuple[tuple, tuple]:
    """Return what a model has in common with scaled copies of it."""
    joints = tuple(
        (
            joint.name,
            joint.kind,
            joint.parent.body,
            joint.child.body,
            *((axis.coordinate, tuple(axis.axis)) for axis in (*joint.rotations, *joint.translations)),
        )
        for joint in model.joints
    )
    return joints, tuple((sphere.name, sphere.body) for sphere in model.contact_spheres)
