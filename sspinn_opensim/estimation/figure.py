"""The moving body as lines between joints, for drawing."""

from __future__ import annotations

from typing import Any

import numpy as np

from casadi_dynamics.model.types import GROUND
from sspinn_opensim.estimation.offline import Estimate
from sspinn_opensim.training.subject import Subject


def stick_figure(subject: Subject, estimate: Estimate) -> dict[str, Any]:
    """Return points and lines of the body in the sagittal plane over time.

    Returns
    -------
    dict
        `time_s` (n,); `points`: name to (n, 2), x and y in ground, m; `segments`: pairs of point names;
        `forces`: foot to `point` (n, 2), m, and `force` (n, 2), N.
    """
    model, functions = subject.model, subject.functions
    zeros = np.zeros(len(model.coordinates))
    still = {"u": zeros, "udot": zeros, "parameters": functions.parameters}
    frames = [functions.kinematics(q=q, **still) for q in estimate.q]
    origin = np.array([np.array(f["position"]).reshape(-1, 3) for f in frames])
    rotation = np.array([np.array(f["rotation"]).reshape(-1, 3, 3) for f in frames])
    center = np.array([np.array(f["mass_center"]).reshape(-1, 3) for f in frames])
    index = {body.name: i for i, body in enumerate(model.bodies)}

    points: dict[str, np.ndarray] = {}
    segments: list[list[str]] = []

    def add(name: str, body: str, station) -> str:
        at = origin[:, index[body]] + rotation[:, index[body]] @ np.array(station)
        points[name] = at[:, :2]
        return name

    for body in model.bodies:
        own = add(body.name, body.name, model.joint_of(body.name).child.translation)
        ends = [j for j in model.joints if j.parent.body == body.name]
        # Where the next body's joint is now: a knee may move along the thigh as it bends.
        segments += [[own, joint.child.body] for joint in ends]
        spheres = [s for s in model.contact_spheres if s.body == body.name]
        corners = [own, *(add(s.name, s.body, s.location) for s in spheres)]
        # Heel, toe and ankle make a closed foot; a body without an end is drawn through its mass centre.
        if spheres:
            segments += [[a, b] for a, b in zip(corners, corners[1:] + corners[:1], strict=True)]
        if not ends and not spheres and model.joint_of(body.name).parent.body != GROUND:
            tip = f"{body.name} tip"
            points[tip] = (origin + 2 * (center - origin))[:, index[body.name], :2]
            segments.append([own, tip])
    ground = estimate.ground
    forces = {
        foot: {"point": ground.point[:, i, :2], "force": ground.force[:, i, :2]}
        for i, foot in enumerate(ground.feet)
    }
    return {"time_s": estimate.time_s, "points": points, "segments": segments, "forces": forces}
