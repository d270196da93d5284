"""The moving body of an estimate for a page: a scene, frames from OpenSim's tables, and postures in a row."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from casadi_dynamics.model import Model
from sspinn_opensim.anatomy import side_of
from sspinn_opensim.opensim_io.tables.motion_files import coordinates_of
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.viewer import FrameMaker, Scene, make_scene
from sspinn_opensim.viewer.bones import read_bones

#: A longer part is not shown whole, s.
LONGEST_S = 30.0
#: More frames than these a second make a page large, not the movement smoother; and bytes of all frames.
MOST_FRAMES_PER_S, MOST_BYTES = 50.0, 1_000_000
#: Triangles of all bones on a page.
_MOST_TRIANGLES = 12_000
#: Postures of the still picture; what they show at most, s; room around each, m; pixels per m.
_POSTURES, _STILL_S, _MARGIN_M, _SCALE = 5, 1.2, 0.1, 150.0
_ROLES = {"r": "right", "l": "left", "": "middle"}


@dataclass(frozen=True, eq=False)
class Movement:
    """A body over time.

    Attributes
    ----------
    time_s : ndarray, shape (n,)
    scene : Scene
        What is drawn.
    frames : (n, frame_floats) float32 ndarray
        Of the scene.
    """

    time_s: np.ndarray
    scene: Scene
    frames: np.ndarray

    def to_json(self) -> dict[str, Any]:
        """Return the scene, the times and the frames as JSON values."""
        return {
            "scene": self.scene.to_json(),
            "time_s": np.round(self.time_s, 5).tolist(),
            "frames": base64.b64encode(np.ascontiguousarray(self.frames, "<f4").tobytes()).decode(),
        }

    def still(self) -> dict[str, Any]:
        """Return postures side by side, seen from the right.

        Their size and the height of the floor in pixels, and rods (x1, y1, x2, y2, role).
        """
        recent = np.flatnonzero(self.time_s >= self.time_s[-1] - _STILL_S)
        shown = recent[np.linspace(0, len(recent) - 1, min(_POSTURES, len(recent))).round().astype(int)]
        postures = [_rods(self.scene, frame) for frame in self.frames[shown]]
        low, high = np.min(postures, axis=(1, 2)), np.max(postures, axis=(1, 2))
        room = float((high - low)[:, 0].max()) + _MARGIN_M
        bottom, top = min(low[:, 1].min(), self.scene.floor_m) - _MARGIN_M, high[:, 1].max() + _MARGIN_M
        # side by side, y down
        moved = [
            np.array([1, -1]) * (ends - [x - 0.5 * (room - width) - place * room, top])
            for place, (ends, x, width) in enumerate(
                zip(postures, low[:, 0], (high - low)[:, 0], strict=True)
            )
        ]
        roles = [_ROLES[side_of(link.body)] for link in self.scene.links] * len(shown)
        ends = np.round(_SCALE * np.concatenate(moved), 1).reshape(-1, 4).tolist()
        rods = [(*end, role) for end, role in zip(ends, roles, strict=True)]
        return {
            "width": round(_SCALE * room * len(shown)),
            "height": round(_SCALE * float(top - bottom)),
            "floor": round(_SCALE * float(top - self.scene.floor_m), 1),
            # what is on the left is behind
            "rods": sorted(rods, key=lambda rod: rod[-1] != "left"),
        }


def _rods(scene: Scene, frame: np.ndarray) -> np.ndarray:
    """Return the ends (k, 2, 2) of all rods in the sagittal plane, m."""
    ends = [(link.start, link.end) for link in scene.links]
    return np.array([[scene.place(frame, end.body, end.location)[:2] for end in both] for both in ends])


def read_movement(
    files: ResultsFolder,
    results: ResultsFolder,
    model: Model,
    from_s: float,
    to_s: float,
    *,
    mesh_folders: Sequence[Path] = (),
) -> Movement:
    """Read the motion and ground forces of an estimate, and activations of muscles where they are there.

    Parameters
    ----------
    files : ResultsFolder
        Whose motion and ground forces are of the same times.
    results : ResultsFolder
        Holds the model's file and muscle activations.
    model : Model
        Whose coordinates the motion holds.
    from_s, to_s : float
        The part to show, s, both ends included.
    mesh_folders : sequence of Path
        Where meshes of bones may be, beside the places where OpenSim looks.
    """
    motion, ground = read_storage(files.kinematics), read_storage(files.grf)
    activations = read_storage(results.muscle_activations) if results.muscle_activations.is_file() else None
    known = {muscle.name for muscle in model.muscles}
    muscles = [name for name in activations.names if name in known] if activations else []
    ending = "_ground_force_vx"
    feet = [name.removesuffix(ending) for name in ground.names if name.endswith(ending)]
    scene = make_scene(
        model,
        bones=read_bones(results.subject, mesh_folders, _MOST_TRIANGLES),
        sensors=model.imu_frames,
        forces=feet,
        muscles=muscles,
    )
    if activations is not None:  # of a long recording the part that holds the muscles
        to_s = min(to_s, max(float(activations.time_s[-1]), from_s + LONGEST_S))
    shown = _shown(motion.time_s, from_s, to_s, 4 * scene.frame_floats)
    time_s = motion.time_s[shown]
    motions = [coordinate.motion for coordinate in model.coordinates]

    def vectors(prefix: str) -> np.ndarray:
        columns = [[ground.column(f"{foot}_ground_force_{prefix}{axis}") for axis in "xyz"] for foot in feet]
        return np.array(columns).reshape(len(feet), 3, -1).transpose(2, 0, 1)[shown]

    frames = FrameMaker(model, scene).frames(
        coordinates_of(motion, model.coordinate_names, motions)[shown],
        point=vectors("p"),
        force=vectors("v"),
        activation=_at(time_s, activations, muscles),
    )
    return Movement(time_s, scene, frames)


def _shown(time_s: np.ndarray, from_s: float, to_s: float, frame_bytes: int) -> np.ndarray:
    """Return which frames a page shows: of a long recording the end, and no more than look smooth."""
    step_s = float(np.median(np.diff(time_s)))
    inside = np.flatnonzero((time_s >= from_s - 0.5 * step_s) & (time_s <= to_s + 0.5 * step_s))
    inside = inside[time_s[inside] >= time_s[inside[-1]] - LONGEST_S - 0.5 * step_s]
    stride = max(int(1.0 / (MOST_FRAMES_PER_S * step_s) + 1e-6), 1)
    stride = max(stride, -(-len(inside) * frame_bytes // MOST_BYTES))
    return inside[::-1][::stride][::-1]


def _at(time_s: np.ndarray, activations: Table | None, muscles: Sequence[str]) -> np.ndarray | None:
    """Return activations at times; NaN outside of those that were analysed."""
    if activations is None:
        return None
    unknown = {"left": np.nan, "right": np.nan}
    curves = [np.interp(time_s, activations.time_s, activations.column(name), **unknown) for name in muscles]
    return np.array(curves).reshape(len(muscles), -1).T
