"""The body on the live page: a scene of the person's model, and of each frame what the browser draws."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from casadi_dynamics.model import ImuFrame, Model
from sspinn_opensim.streaming.live import LiveFrame
from sspinn_opensim.viewer import FrameMaker, make_scene
from sspinn_opensim.viewer.bones import read_bones


@dataclass(frozen=True, eq=False)
class Figure:
    """What is drawn of a person.

    Attributes
    ----------
    scene : dict
        JSON values for the viewer.
    view : str
        From where it is seen at first: ``side`` or ``oblique``.
    notes : tuple of str
        What is not drawn, and why.
    """

    scene: dict[str, Any]
    view: str
    notes: tuple[str, ...]
    _frames: FrameMaker
    _places: np.ndarray

    def pose(self, frame: LiveFrame) -> str:
        """Return a frame as the viewer takes it, base64."""
        ground, muscles = frame.estimate.ground, frame.muscles
        activation = None if muscles is None else muscles.activations[self._places]
        made = self._frames.frames(
            frame.estimate.q, point=ground.point, force=ground.force, activation=activation
        )
        return base64.b64encode(made.tobytes()).decode()


def figure_of(
    model: Model,
    model_file: Path,
    folders: Sequence[Path],
    *,
    sensors: Sequence[ImuFrame],
    feet: Sequence[str],
    muscles: Sequence[str] = (),
    planar: bool = True,
) -> Figure:
    """Return the figure of a person.

    Parameters
    ----------
    model, model_file : Model, Path
        Of the person.
    folders : sequence of Path
        Where meshes of bones may lie besides.
    feet : sequence of str
        Bodies with a ground force, in the order of the estimate.
    muscles : sequence of str
        In the order of their activations.
    planar : bool
        Whether the body moves in the sagittal plane alone: it is seen from the side then.
    """
    bones, known = read_bones(model_file, folders), {muscle.name for muscle in model.muscles}
    drawn = [k for k, name in enumerate(muscles) if name in known]
    scene = make_scene(model, bones=bones, sensors=sensors, forces=feet, muscles=[muscles[k] for k in drawn])
    view = "side" if planar else "oblique"
    places = np.array(drawn, dtype=int)
    return Figure(scene.to_json(), view, bones.notes, FrameMaker(model, scene), places)
