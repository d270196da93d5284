"""Jobs that run OpenSim's tools: static optimization, inverse dynamics, joint reactions.

A tool's `run` returns True also after failing: its log, which the job returns, and its files are the
witnesses.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

# OpenSim's own words for a frame it could not solve; a frame says both.
_FAILED_FRAME = re.compile(r"OPTIMIZATION FAILED")
_FAILED_TIME = re.compile(r"could not find a solution at time = (\S+?)\.?\s*$", re.MULTILINE)


def static_optimization(opensim: ModuleType, setup: str) -> dict:
    """Run an AnalyzeTool set-up file; return how many frames failed and when, from OpenSim's log.

    The tool returns True even when every frame failed, so the log is the only witness.
    """
    sink = opensim.StringLogSink()
    opensim.Logger.addSink(sink)
    tool = opensim.AnalyzeTool(setup)
    returned = bool(tool.run())
    log = sink.getString()
    opensim.Logger.removeSink(sink)
    times = [float(time) for time in _FAILED_TIME.findall(log)]
    return {
        "returned": returned,
        "failed_frames": max(len(times), len(_FAILED_FRAME.findall(log))),
        "failed_times_s": times,
    }


def inverse_dynamics(
    opensim: ModuleType,
    model: str,
    kinematics: str,
    output: str,
    from_s: float,
    to_s: float,
    external_loads: str = "",
    lowpass_hz: float = -1.0,
) -> dict:
    """Run InverseDynamicsTool from files; a negative `lowpass_hz` filters nothing."""
    tool = opensim.InverseDynamicsTool()
    tool.setModelFileName(model)
    tool.setCoordinatesFileName(kinematics)
    tool.setLowpassCutoffFrequency(lowpass_hz)
    tool.setStartTime(from_s)
    tool.setEndTime(to_s)
    tool.setResultsDir(str(Path(output).parent))
    tool.setOutputGenForceFileName(Path(output).name)
    excluded = opensim.ArrayStr()
    excluded.append("Muscles")
    excluded.append("Actuators")  # those with an activation of their own would act with its default
    tool.setExcludedForces(excluded)
    if external_loads:
        tool.setExternalLoadsFileName(external_loads)
    return {"returned": bool(tool.run())}


def run_inverse_dynamics(opensim: ModuleType, setup: str, output: str, coordinates: str) -> dict:
    """Run an InverseDynamicsTool set-up file; also save the coordinates as the tool filters them.

    The generalized forces go to `output`, the coordinates to the ``.npz`` at `coordinates`: ``names``,
    ``time_s`` and ``values``, padded at both ends as the tool does before it filters.
    """
    os.chdir(Path(setup).parent)  # this tool looks for the files of its set-up where the process is
    tool = opensim.InverseDynamicsTool(setup)
    motion = opensim.Storage(str(Path(setup).parent / tool.getCoordinatesFileName()))
    lowpass_hz = tool.getLowpassCutoffFrequency()
    if lowpass_hz >= 0:
        motion.pad(motion.getSize() // 2)
        motion.lowpassIIR(lowpass_hz)
    _save_storage(motion, coordinates)
    tool.setResultsDir(str(Path(output).parent))
    tool.setOutputGenForceFileName(Path(output).name)
    return {"returned": bool(tool.run())}


def actuators(opensim: ModuleType, model: str, force_sets: list) -> dict:
    """Return the actuators of a model with some force sets added, and its joints with their two bodies.

    `unlisted` are actuators that act, but that the tools do not see because they are not in the ForceSet.
    """
    loaded = opensim.Model(model)
    for file in force_sets:
        added = opensim.ForceSet(file)
        for k in range(added.getSize()):
            loaded.updForceSet().cloneAndAppend(added.get(k))
    loaded.initSystem()
    listed, joints = loaded.getActuators(), loaded.getJointSet()
    names = [listed.get(k).getName() for k in range(listed.getSize())]
    everywhere = (opensim.Actuator.safeDownCast(component) for component in loaded.getComponentsList())
    acting = [actuator.getName() for actuator in everywhere if actuator and actuator.get_appliesForce()]
    bodies = {}
    for k in range(joints.getSize()):
        joint = joints.get(k)
        parent, child = joint.getParentFrame(), joint.getChildFrame()
        bodies[joint.getName()] = [frame.findBaseFrame().getName() for frame in (parent, child)]
    return {
        "actuators": names,
        "unlisted": [name for name in acting if name not in names],
        "joints": bodies,
    }


def joint_reactions(opensim: ModuleType, setup: str, folder: str) -> dict:
    """Run an AnalyzeTool set-up file with a JointReaction analysis; its files go to `folder`."""
    tool = opensim.AnalyzeTool(setup)
    tool.setResultsDir(folder)
    return {"returned": bool(tool.run())}


def _save_storage(storage: Any, path: str) -> None:
    labels = storage.getColumnLabels()
    rows = []
    for k in range(storage.getSize()):
        vector = storage.getStateVector(k)
        data = vector.getData()
        rows.append([vector.getTime(), *(data.get(i) for i in range(data.getSize()))])
    table = np.array(rows)
    names = np.array([labels.get(k) for k in range(1, labels.getSize())], str)
    with Path(path).open("wb") as file:  # savez would append its own suffix to a bare name
        np.savez(file, names=names, time_s=table[:, 0], values=table[:, 1:])
