"""Jobs of scaling: what a model measures, OpenSim's scaling and its ScaleTool, how well markers fit."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np


def describe_anatomy(opensim: ModuleType, model: str, marker_set: str = "") -> dict:
    """Return what scaling changes or measures in a model, by name, in its default pose (SI units, ground).

    With `marker_set`, the markers of that file are added first, as ScaleTool does.
    """
    loaded = opensim.Model(model)
    if marker_set:
        added = opensim.MarkerSet(marker_set)
        loaded.updateMarkerSet(added)
    state = loaded.initSystem()
    loaded.realizePosition(state)
    bodies, joints, markers, muscles = (
        loaded.getBodySet(),
        loaded.getJointSet(),
        loaded.getMarkerSet(),
        loaded.getMuscles(),
    )
    answer = {
        "total_mass_kg": loaded.getTotalMass(state),
        "bodies": {},
        "joints": {},
        "markers": {},
        "muscles": {},
    }
    for k in range(bodies.getSize()):
        body = bodies.get(k)
        inertia = body.getInertia()
        moments, products = inertia.getMoments(), inertia.getProducts()
        rotation = body.getTransformInGround(state).R()
        answer["bodies"][body.getName()] = {
            "mass_kg": body.getMass(),
            "mass_center": _vec3(body.getMassCenter()),
            "inertia": _vec3(moments) + _vec3(products),
            "origin": _vec3(body.getPositionInGround(state)),
            "rotation": [[rotation.get(i, j) for j in range(3)] for i in range(3)],
        }
    for k in range(joints.getSize()):
        joint = joints.get(k)
        child = joint.getChildFrame()
        answer["joints"][joint.getName()] = {
            "parent": joint.getParentFrame().findBaseFrame().getName(),
            "child": child.findBaseFrame().getName(),
            "center": _vec3(child.getPositionInGround(state)),
        }
    for k in range(markers.getSize()):
        marker = markers.get(k)
        answer["markers"][marker.getName()] = {
            "body": marker.getParentFrame().findBaseFrame().getName(),
            "location": _vec3(marker.get_location()),
            "place": _vec3(marker.getLocationInGround(state)),
            "fixed": bool(marker.get_fixed()),
        }
    for k in range(muscles.getSize()):
        muscle = muscles.get(k)
        answer["muscles"][muscle.getName()] = {
            "length_m": muscle.getLength(state),
            "optimal_fiber_length_m": muscle.getOptimalFiberLength(),
            "tendon_slack_length_m": muscle.getTendonSlackLength(),
            "max_isometric_force_n": muscle.getMaxIsometricForce(),
        }
    return answer


def scale(
    opensim: ModuleType,
    model: str,
    output: str,
    name: str,
    mass_kg: float,
    factors: dict,
    preserve_mass_distribution: bool = True,
) -> dict:
    """Scale every body along its axes, and the total mass, as ScaleTool's manual scaling does."""
    generic = opensim.Model(model)
    state = generic.initSystem()
    scale_set = opensim.ScaleSet()
    for body, (x, y, z) in factors.items():
        segment = opensim.Scale()
        segment.setSegmentName(body)
        segment.setScaleFactors(opensim.Vec3(x, y, z))
        segment.setApply(True)
        scale_set.cloneAndAppend(segment)
    if not generic.scale(state, scale_set, preserve_mass_distribution, mass_kg):
        raise RuntimeError("OpenSim could not scale the model")
    generic.setName(name)
    generic.printToXML(output)
    return {}


def upgrade_scale_setup(opensim: ModuleType, setup: str, output: str) -> dict:
    """Write a set-up of ScaleTool of any version in OpenSim's newest."""
    tool = opensim.ScaleTool(setup)
    if not tool.printToXML(output):
        raise RuntimeError("OpenSim could not write the set-up")
    return {}


def scale_tool(opensim: ModuleType, setup: str, move_markers: bool) -> dict:
    """Run a set-up of ScaleTool. What it returns says little: its output files tell."""
    tool = opensim.ScaleTool(setup)
    placer = tool.getMarkerPlacer()
    placer.setMoveModelMarkers(move_markers)
    return {"returned": bool(tool.run())}


def marker_errors(opensim: ModuleType, model: str, pose: str, measured: dict) -> dict:
    """Return the distance of each marker of a model in a pose from where it was measured, m.

    `pose` is the file of coordinates that marker placement writes; `measured` are positions in ground, m.
    """
    loaded = opensim.Model(model)
    state = loaded.initSystem()
    table = opensim.TimeSeriesTable(pose)
    labels = list(table.getColumnLabels())
    row = table.getRowAtIndex(0).to_numpy().copy()
    values = {label: value for label, value in zip(labels, row, strict=True) if label.endswith("/value")}
    coordinates, markers = loaded.getCoordinateSet(), loaded.getMarkerSet()
    for k in range(coordinates.getSize()):
        coordinate = coordinates.get(k)
        path = f"{coordinate.getAbsolutePathString()}/value"
        if path in values and not coordinate.getLocked(state):
            coordinate.setValue(state, float(values[path]), False)
    loaded.realizePosition(state)
    errors = {}
    for name, place in measured.items():
        if markers.contains(name):
            found = _vec3(markers.get(name).getLocationInGround(state))
            errors[name] = float(np.linalg.norm(np.subtract(found, place)))
    return {
        "errors_m": errors,
        "pose": {Path(label).parent.name: float(value) for label, value in values.items()},
    }


def _vec3(vector: Any) -> list[float]:
    return [vector.get(0), vector.get(1), vector.get(2)]
