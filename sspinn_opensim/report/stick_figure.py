"""The moving body as lines between joints, for drawing, from a model and OpenSim's tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from casadi_dynamics.model import Model
from casadi_dynamics.model.types import GROUND
from casadi_dynamics.symbolic import BodyFunctions, build
from casadi_dynamics.symbolic.posture import without_forces
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage
from sspinn_opensim.results.folder import ResultsFolder

#: More frames than this make a page large, not the animation smoother.
MOST_FRAMES = 1500
#: A longer part is not shown whole, s.
LONGEST_S = 30.0


@dataclass(frozen=True)
class StickFigure:
    """Points and lines of the body in the sagittal plane over time.

    Attributes
    ----------
    time_s : ndarray, shape (n,)
    points : mapping of str to ndarray, shape (n, 2)
        x and y in ground, m.
    segments : sequence of (str, str)
        Lines between points.
    forces : mapping of str to (ndarray, ndarray), shapes (n, 2)
        By foot, where a force acts, m, and the force, N.

    Raises
    ------
    ValueError
        A line ends in a point that is not there.
    """

    time_s: np.ndarray
    points: Mapping[str, np.ndarray]
    segments: list[tuple[str, str]]
    forces: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        missing = {name for segment in self.segments for name in segment} - set(self.points)
        if missing:
            raise ValueError(f"a stick figure draws points that it does not have: {sorted(missing)}")

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values, thinned, and rounded to millimetres and newtons."""
        stride = -(-len(self.time_s) // MOST_FRAMES)

        def rounded(values: np.ndarray, digits: int) -> list:
            # A foot in the air has no centre of pressure; its force is zero, so any point will do.
            return np.round(np.nan_to_num(np.asarray(values, float)[::stride]), digits).tolist()

        return {
            "time_s": rounded(self.time_s, 5),
            "points": {name: rounded(track, 3) for name, track in self.points.items()},
            "segments": self.segments,
            "forces": {
                name: {"point": rounded(point, 3), "force": rounded(force, 1)}
                for name, (point, force) in self.forces.items()
            },
        }


def read_stick_figure(folder: ResultsFolder, model: Model, from_s: float, to_s: float) -> StickFigure:
    """Draw the motion and ground forces of an estimate.

    Parameters
    ----------
    folder : ResultsFolder
        Whose motion and ground forces are of the same times.
    model : Model
        Whose coordinates the motion holds.
    from_s, to_s : float
        The part to draw, s, both ends included.
    """
    motion, ground = read_storage(folder.kinematics), read_storage(folder.grf)
    half_s = 0.5 * float(np.median(np.diff(motion.time_s)))
    shown = np.flatnonzero((motion.time_s >= from_s - half_s) & (motion.time_s <= to_s + half_s))
    # Of a long recording its end: thinned to as many frames it would be no movement any more.
    if len(shown) and motion.time_s[shown[-1]] - motion.time_s[shown[0]] > LONGEST_S:
        shown = shown[-MOST_FRAMES:]
    functions = build(without_forces(model))
    points, segments = body_lines(model, functions, _coordinates(motion, model, functions)[shown])

    def in_plane(prefix: str) -> np.ndarray:
        return np.column_stack([ground.column(prefix + axis)[shown] for axis in "xy"])

    feet = [name.removesuffix("_vx") for name in ground.names if name.endswith("_vx")]
    forces = {
        foot.removesuffix("_ground_force"): (in_plane(f"{foot}_p"), in_plane(f"{foot}_v")) for foot in feet
    }
    return StickFigure(motion.time_s[shown], points, segments, forces)


def body_lines(
    model: Model, functions: BodyFunctions, q: np.ndarray
) -> tuple[dict[str, np.ndarray], list[tuple[str, str]]]:
    """Return points of the body in the sagittal plane, and which of them lines join.

    Parameters
    ----------
    model : Model
        Says where joints and contact points are.
    functions : BodyFunctions
        Of the model, with or without its forces.
    q : ndarray, shape (n, coordinates)
        Postures, rad and m, in the order of `functions`.

    Returns
    -------
    points : dict of str to ndarray, shape (n, 2)
        x and y in ground, m.
    segments : list of (str, str)
        Pairs of points.
    """
    still = np.zeros(q.shape[1])
    moved = functions.at("kinematics", q=q, u=still, udot=still)
    origin, rotation, center = (
        moved[name].reshape(len(q), len(functions.bodies), *shape)
        for name, shape in (("position", (3,)), ("rotation", (3, 3)), ("mass_center", (3,)))
    )
    index = {body: i for i, body in enumerate(functions.bodies)}
    points: dict[str, np.ndarray] = {}
    segments: list[tuple[str, str]] = []

    def add(name: str, body: str, station) -> str:
        at = origin[:, index[body]] + rotation[:, index[body]] @ np.array(station)
        points[name] = at[:, :2]
        return name

    for body in model.bodies:
        own = add(body.name, body.name, model.joint_of(body.name).child.translation)
        ends = [joint.child.body for joint in model.joints if joint.parent.body == body.name]
        # Where the next body's joint is now: a knee may move along the thigh as it bends.
        segments += [(own, end) for end in ends]
        spheres = [s for s in model.contact_spheres if s.body == body.name]
        corners = [own, *(add(s.name, s.body, s.location) for s in spheres)]
        # Heel, toe and ankle make a closed foot; a body without an end is drawn through its mass centre.
        if spheres:
            segments += zip(corners, corners[1:] + corners[:1], strict=True)
        if not ends and not spheres and model.joint_of(body.name).parent.body != GROUND:
            tip = f"{body.name} tip"
            points[tip] = (origin + 2 * (center - origin))[:, index[body.name], :2]
            segments.append((own, tip))
    return points, segments


def _coordinates(motion: Table, model: Model, functions: BodyFunctions) -> np.ndarray:
    """Return the columns of a motion in the order of `functions`, rad and m."""
    turning = [model.coordinate(name).motion == "rotational" for name in functions.coordinates]
    q = np.column_stack([motion.column(name) for name in functions.coordinates])
    return np.where(turning, np.radians(q), q) if motion.in_degrees else q
